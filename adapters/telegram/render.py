"""What a notice looks like on Telegram: HTML in parts of a message's length, and the buttons below the last."""

import html
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bot.model import Notice, NoticeKind, tidy

LONGEST: Final = 4096
"""UTF-16 units of a message, without its marks (core.telegram.org/bots/api, "sendMessage")."""

MOST_PARTS: Final = 10
LONGEST_DATA: Final = 64
"""Bytes that a button carries."""

LONGEST_LABEL: Final = 64
ROW: Final = 24
"""Characters of buttons that stand side by side, on a small screen."""

CARDS_BUTTON: Final = re.compile("assign|resolve|reopen|category-.+")
"""What can be done from a card by a press alone; all else takes words."""
INSIDE: Final = frozenset(
    {NoticeKind.CARD, NoticeKind.ENTRY, NoticeKind.ALERT, NoticeKind.AGENT_REMINDER, NoticeKind.ESCALATION}
)
"""What only agents read."""

TURN: Final = re.compile(r"resolved-([0-9]{1,6})")

Keyboard = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of text that is one thing: plain, or what a tag (`b`, `i`, `blockquote`) makes of it."""

    text: str
    tag: str = ""

    @property
    def html(self) -> str:
        said = html.escape(self.text, quote=False)
        return f"<{self.tag}>{said}</{self.tag}>" if self.tag else said


@dataclass(frozen=True, slots=True)
class Part:
    """What goes into one message."""

    spans: tuple[Span, ...]

    @property
    def html(self) -> str:
        return "".join(span.html for span in self.spans)

    @property
    def plain(self) -> str:
        return "".join(span.text for span in self.spans)


def parts(notice: Notice) -> list[Part]:
    """Write a notice, in as many parts as its length needs, at most MOST_PARTS; what is longer ends with "…". Nothing
    of it can be a mark, and no mark is begun in one part and ended in the next."""
    found = _split(_spans(notice))
    if len(found) > MOST_PARTS:
        return [*found[: MOST_PARTS - 1], Part((Span("…"),))]
    return found or [Part((Span(notice.subject or notice.ticket_id or "…"),))]


def keyboard(notice: Notice) -> Keyboard | None:
    """Return the buttons of a notice: on a card what agents can do, else what the notice asks for."""
    if notice.kind is NoticeKind.CARD:
        usable = [action for action in notice.actions if CARDS_BUTTON.fullmatch(action.name)]
        rows = [[_button(action.name, action.label, notice)] for action in usable]
        return {"inline_keyboard": rows}
    rows, width = [], ROW
    for action in notice.actions:
        width += len(action.label)
        if width > ROW:
            rows.append([])
            width = len(action.label)
        rows[-1].append(_button(action.name, action.label, notice))
    return {"inline_keyboard": rows} if rows else None


def read_button(data: object) -> tuple[str, str, str] | None:
    """Read what a button carries: the action's name, the incident's id, and the turn of its life (empty: not known)."""
    name, _, rest = str(data).partition(":")
    incident_id, _, turn = rest.partition(":")
    return (name, incident_id, turn) if incident_id else None


def topic_name(notice: Notice) -> str:
    """Name the topic of an incident."""
    about = notice.subject.partition("] ")[2] if notice.kind is not NoticeKind.ENTRY else ""
    return cut(" · ".join(part for part in (notice.ticket_id, tidy(about)) if part), 120)


def _button(name: str, label: str, notice: Notice) -> Keyboard:
    turn = TURN.search(notice.key) if name.startswith("rate-") else None
    data = f"{name}:{notice.incident_id}:{turn[1] if turn else ''}"
    return {"text": cut(label or name, LONGEST_LABEL), "callback_data": data[:LONGEST_DATA]}


def _spans(notice: Notice) -> list[Span]:
    """The blocks of a notice, with empty lines between them. A customer reads plain text, sees their own words just
    above, and has no use for the incident's id here."""
    if notice.kind is NoticeKind.ENTRY:
        return _joined([*_plain(notice.greeting, notice.lead), *_facts(notice), *_rest(notice)], "\n")
    head = notice.greeting
    if notice.kind is NoticeKind.CARD:
        head = " · ".join(filter(None, (notice.ticket_id, _fact(notice, "priority"), _fact(notice, "status"))))
    bold = [[Span(tidy(head), "b")]] if head else []
    first = bold if notice.kind in INSIDE else _plain(head)
    return _joined([*first, *_plain(notice.lead), _joined(_facts(notice), "\n"), *_rest(notice)], "\n\n")


def _plain(*texts: str) -> list[list[Span]]:
    return [[Span(tidy(text))] for text in texts if text]


def _facts(notice: Notice) -> list[list[Span]]:
    inside = notice.kind in INSIDE
    facts = [(label, value) for label, value in notice.facts if inside or notice.incident_id not in value]
    return [[Span(f"{tidy(label)}: ", "b" if inside else ""), Span(tidy(value))] for label, value in facts]


def _rest(notice: Notice) -> list[list[Span]]:
    quoted = notice.quote if notice.kind in INSIDE or notice.kind is NoticeKind.REMINDER else ""
    return [*([[Span(tidy(quoted), "blockquote")]] if quoted else []), *_plain(notice.closing)]


def _joined(blocks: Iterable[Sequence[Span]], between: str) -> list[Span]:
    spans: list[Span] = []
    for block in blocks:
        if spans and block:
            spans.append(Span(between))
        spans += block
    return spans


def _fact(notice: Notice, name: str) -> str:
    return next((value for label, value in notice.facts if label.lower() == name), "")


def cut(text: str, longest: int) -> str:
    """Shorten a text that is longer than so many UTF-16 units."""
    return text if units(text) <= longest else text[: longest // 2 - 1] + "…"


# --- splitting


def _split(spans: Iterable[Span]) -> list[Part]:
    """Fill parts with spans. One that has a tag goes whole into the next part, unless it is longer than that."""
    found: list[list[Span]] = [[]]
    room = LONGEST
    for span in spans:
        if span.tag and room < units(span.text) <= LONGEST:
            found.append([])
            room = LONGEST
        for piece in _pieces(span, room):
            if units(piece.text) > room:
                found.append([])
                room = LONGEST
            found[-1].append(piece)
            room -= units(piece.text)
    return [part for part in map(_trimmed, found) if part.spans]


def _pieces(span: Span, room: int) -> Iterator[Span]:
    """Cut a span so that its first piece has room, and the others are of a message's length at most."""
    text = span.text
    while units(text) > room:
        end = _end(text, room)
        if end:
            yield Span(text[:end], span.tag)
        text, room = text[end:], LONGEST
    if text:
        yield Span(text, span.tag)


def _end(text: str, room: int) -> int:
    """How many characters have room: rather whole words than all that fit, but at least half of it. A word is cut only
    if it is longer than a part; else none has (0)."""
    end = _fitting(text, room)
    space = max(text.rfind(" ", end // 2, end), text.rfind("\n", end // 2, end))
    return space + 1 if space > 0 else end if room == LONGEST else 0


def _fitting(text: str, room: int) -> int:
    for place, character in enumerate(text):
        room -= units(character)
        if room < 0:
            return place
    return len(text)


def _trimmed(spans: list[Span]) -> Part:
    """Without white space at its ends: Telegram would take it away, and refuses what is nothing else."""
    while spans and not spans[0].text.strip():
        spans = spans[1:]
    while spans and not spans[-1].text.strip():
        spans = spans[:-1]
    return Part(tuple(spans))


def units(text: str) -> int:
    """The length in UTF-16, in which what lies beyond the first plane (an emoji) is a pair."""
    return len(text) + sum(character > "\uffff" for character in text)
