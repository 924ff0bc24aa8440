"""What a notice looks like in Slack: Block Kit, and the plain text of it that notifications show."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from bot.model import Category, Notice, NoticeKind, tidy

Block = dict[str, Any]

# Slack's limits (docs.slack.dev, "Blocks" and "Composition objects"). Whether it counts characters or UTF-16 units is
# not said, so these are taken for the latter.
SECTION: Final = 3000
FIELD: Final = 2000
FIELDS: Final = 10
HEADER: Final = 150
CONTEXT: Final = 2000
CONTEXTS: Final = 10
LABEL: Final = 75
VALUE: Final = 2000
OPTION: Final = 150
BUTTONS: Final = 25

TEXT: Final = 3900
"""Length of the plain text: Slack asks for less than 4,000."""

BODY: Final = 11_000
"""Length of a letter's body over all its sections. Slack refuses blocks of a little over 13,000 characters in all; the
longest reply of an agent has 10,000."""

ESCAPED: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
"""What would begin a mention or a link (docs.slack.dev, "Formatting message text")."""

QUOTED: Final = {**ESCAPED, "\n": "\n> "}

IN_THE_HEAD: Final = frozenset({"status", "priority"})
TIMES: Final = frozenset({"opened", "reopened", "resolved"})
"""Facts of a card that stand in its last line."""

RESOLVED_SIGN, URGENT_SIGN, OPEN_SIGN = "✅", "🚨", "🟢"
ALARMS: Final = frozenset({NoticeKind.ALERT, NoticeKind.AGENT_REMINDER, NoticeKind.ESCALATION})


def render(notice: Notice) -> tuple[str, list[Block]]:
    """Return the plain text and the blocks of a notice. Nothing in it can ping anybody or be a link, and all of it
    keeps to Slack's limits: what is too long ends with "…"."""
    if notice.kind is NoticeKind.CARD:
        return _text(notice, notice.subject, notice.quote), _card(notice)
    if notice.kind is NoticeKind.ENTRY:
        return _text(notice, notice.subject, notice.quote), _entry(notice)
    if notice.kind in ALARMS:
        return _text(notice, notice.subject, notice.quote), _alert(notice)
    return _text(notice, "", ""), _letter(notice)


def _letter(notice: Notice) -> list[Block]:
    """What a customer reads. Their own words stand above it in the thread and are not repeated, nor is the incident's
    id, which they need nowhere in Slack."""
    facts = [(label, value) for label, value in notice.facts if notice.incident_id not in value]
    body = _joined("\n\n", notice.greeting, notice.lead)
    blocks = [*_sections(body, BODY), *_fields(facts), *_sections(notice.closing, SECTION)]
    return (blocks or [_section(_subject(notice))]) + _buttons(notice)


def _card(notice: Notice) -> list[Block]:
    """An incident as it stands, with what an agent can do about it."""
    status, priority = _fact(notice, "status"), _fact(notice, "priority")
    sign = RESOLVED_SIGN if status == "resolved" else URGENT_SIGN if priority == "urgent" else OPEN_SIGN
    head = f"{sign} {_joined(' · ', notice.ticket_id, priority, status)}"
    small = TIMES | IN_THE_HEAD
    times = [f"{label}: {value}" for label, value in notice.facts if label.lower() in TIMES]
    blocks: list[Block] = [{"type": "header", "text": _plain(head, HEADER)}]
    blocks += _fields([(label, value) for label, value in notice.facts if label.lower() not in small])
    blocks += [_section(quote) for quote in _quote(notice, SECTION)]
    blocks += _sections(_joined("\n", notice.greeting, notice.lead), SECTION)
    blocks += [_context([last]) for last in _pieces(_joined(" · ", *times, notice.closing), CONTEXT, CONTEXT)]
    return [*blocks, *_agents_buttons(notice)]


def _agents_buttons(notice: Notice) -> list[Block]:
    """What an agent can do. Each button names the ticket; of all that there is, only the category needs a menu."""
    actions = {action.name: action for action in notice.actions}
    elements = [
        _categories(notice.ticket_id) if name == "category" else _button(name, action.label, notice.ticket_id)
        for name, action in list(actions.items())[:BUTTONS]
    ]
    return [{"type": "actions", "elements": elements}] if elements else []


def _entry(notice: Notice) -> list[Block]:
    """A line of the timeline: in small print what has happened, and below it what was said."""
    said = [f"*{_short(label, LABEL)}* {_short(value, CONTEXT - 100)}" for label, value in notice.facts]
    first = [*_pieces(notice.greeting, CONTEXT, CONTEXT), *_pieces(notice.lead, CONTEXT, 3 * CONTEXT), *said]
    last = [*_sections(notice.quote, BODY), *_sections(notice.closing, SECTION)]
    return [_context((first or [_subject(notice)])[:CONTEXTS]), *last]


def _alert(notice: Notice) -> list[Block]:
    """What agents must know, in one section."""
    parts = [f"*{piece}*" for piece in _pieces(notice.greeting, 400, 400)]
    parts += [*_pieces(notice.lead, 1000, 1000), *_quote(notice, 1000), *_pieces(notice.closing, 500, 500)]
    section = _section("\n".join(parts) or _subject(notice))
    for fields in _fields(notice.facts):
        section |= {"fields": fields["fields"]}
    return [section, *_buttons(notice)]


def _text(notice: Notice, subject: str, quote: str) -> str:
    """All of it as plain text. It is what a notification shows, and what a screen reader reads."""
    facts = [f"{label}: {value}" for label, value in notice.facts if notice.incident_id not in value]
    whole = _joined("\n", subject, notice.greeting, notice.lead, *facts, quote, notice.closing)
    return _short(whole, TEXT) or _subject(notice)


# --- blocks and their parts


def _section(text: str) -> Block:
    return {"type": "section", "text": _written(text)}


def _context(texts: list[str]) -> Block:
    return {"type": "context", "elements": [_written(text) for text in texts]}


def _sections(text: str, most: int) -> list[Block]:
    """A text over as many sections as it needs, of this length in all."""
    return [_section(piece) for piece in _pieces(text, SECTION, most)]


def _fields(facts: Sequence[tuple[str, str]]) -> list[Block]:
    """A section of facts; none if there are none."""
    fields = [_written(f"*{_short(label, LABEL)}*\n{_short(value, FIELD - 100) or '–'}") for label, value in facts]
    fields = fields[:FIELDS]
    return [{"type": "section", "fields": fields}] if fields else []


def _quote(notice: Notice, size: int) -> list[str]:
    """The customer's words behind a bar, as one text of at most this size; none if there are none."""
    return [f"> {piece}" for piece in _pieces(notice.quote, size - 2, size - 2, QUOTED)]


def _buttons(notice: Notice) -> list[Block]:
    """What the reader can do. The value names the incident; which turn of its life it was is not in a notice."""
    actions = {action.name: action for action in notice.actions}
    value = f"{notice.incident_id}:"
    elements = [_button(action.name, action.label, value) for action in list(actions.values())[:BUTTONS]]
    return [{"type": "actions", "elements": elements}] if elements else []


def _button(name: str, label: str, value: str) -> Block:
    return {"type": "button", "action_id": name, "text": _plain(label or name, LABEL), "value": value[:VALUE]}


def _categories(ticket_id: str) -> Block:
    """A menu of all categories. Slack reports a menu's option alone, so each names the ticket too."""
    options = [
        {
            "text": _plain(category.replace("_", " ").capitalize(), LABEL),
            "value": f"{ticket_id[: OPTION - len(category) - 1]}:{category}",
        }
        for category in Category
    ]
    return {
        "type": "static_select",
        "action_id": "category",
        "placeholder": _plain("Category", LABEL),
        "options": options,
    }


def _written(text: str) -> Block:
    """A text that is escaped already. `verbatim`: Slack would make mentions and links of plain words, too."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _plain(text: str, longest: int) -> Block:
    return {"type": "plain_text", "text": _short(text, longest) or "…", "emoji": False}


def _fact(notice: Notice, name: str) -> str:
    return next((value for label, value in notice.facts if label.lower() == name), "")


def _subject(notice: Notice) -> str:
    return _short(notice.subject or notice.ticket_id, HEADER) or "…"


# --- escaping and cutting


def _joined(between: str, *parts: str) -> str:
    return between.join(part for part in parts if part)


def _short(text: str, longest: int) -> str:
    """Escape a text, cut to a length."""
    return "".join(_pieces(text, longest, longest))


def _pieces(text: str, size: int, most: int, table: Mapping[str, str] = ESCAPED) -> list[str]:
    """Escape a text, cut it to `most` UTF-16 units, with "…" at the end, and break it into pieces of at most `size`,
    between words where there are any. An escape is never cut in half."""
    marks = _fitting([table.get(character, character) for character in tidy(text)], most)
    pieces = []
    while marks:
        end = _end(marks, size)
        pieces.append("".join(marks[:end]).strip())
        marks = marks[end:]
    return [piece for piece in pieces if piece]


def _fitting(marks: list[str], most: int) -> list[str]:
    if sum(map(_units, marks)) <= most:
        return marks
    return [*marks[: _end(marks, most - 1)], "…"]


def _end(marks: list[str], size: int) -> int:
    """How many of these marks fit in a size; rather less than a word cut in two, but at least half of them."""
    room = size
    for place, mark in enumerate(marks):
        room -= _units(mark)
        if room < 0:
            spaces = (at + 1 for at in range(place - 1, place // 2, -1) if marks[at][0].isspace())
            return next(spaces, place)
    return len(marks)


def _units(mark: str) -> int:
    """The length in UTF-16, in which what lies beyond the first plane (an emoji) is a pair."""
    return len(mark) + (mark > "\uffff")
