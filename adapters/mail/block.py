"""The header block that mail programs write above what they quote or forward: From, Sent, To, Subject, in any language
and order.

    *From:* Ann Lee <ann@example.com>
    *Sent:* Thursday, 5 May 2016 10:00
    *To:* Support
    *Subject:* Twice on my card
"""

from collections.abc import Sequence
from dataclasses import dataclass

from adapters.mail.phrases import FROM, LABELS, SUBJECT, phrases

LONGEST_LABEL = 30
LONGEST_BLOCK = 40
FOLDED = 2
"""How many lines more a header may take, when it is wrapped."""

KINDS = {label: kind for kind, table in LABELS.items() for label in phrases(table)}


@dataclass(frozen=True, slots=True)
class Headers:
    """A header block. `fields` has each kind of header once (see `phrases.py`); the lines from `start` to before `end`
    are its own."""

    start: int
    end: int
    fields: dict[str, str]


@dataclass(frozen=True, slots=True)
class Line:
    """A line that is not blank: `text` without white space around it, `number` its place among all lines."""

    number: int
    text: str


def label(line: str) -> tuple[str, str] | None:
    """Return which header this line begins, and the value; None if it begins none."""
    before, colon, value = line[: LONGEST_LABEL + 4].partition(":")
    if not colon:
        return None
    kind = KINDS.get(before.strip("*_ \t").casefold())
    return (kind, (value + line[LONGEST_LABEL + 4 :]).strip("*_ \t")) if kind else None


def read(lines: Sequence[Line], at: int, marked: bool = False) -> Headers | None:
    """Return the header block that begins at this line. `marked` is whether something above it says that one comes:
    without that it takes three headers and a subject or a mail address, for others write "From: Paris, To: London"."""
    fields: dict[str, str] = {}
    end, last = at, ""
    for index in range(at, min(len(lines), at + LONGEST_BLOCK)):
        found = label(lines[index].text)
        if found is not None:
            if found[0] == FROM and FROM in fields:
                break
            _unfold(fields, last, lines[end:index])
            last, end = found[0], index + 1
            fields.setdefault(*found)
        elif not last or index - end >= FOLDED or lines[index].number != lines[index - 1].number + 1:
            break
    return Headers(at, end, fields) if _is_block(fields, marked) else None


def _unfold(fields: dict[str, str], last: str, more: Sequence[Line]) -> None:
    if more:
        fields[last] = " ".join([fields[last], *(line.text for line in more)])


def _is_block(fields: dict[str, str], marked: bool) -> bool:
    if FROM not in fields:
        return False
    if marked:
        return len(fields) >= 2
    return len(fields) >= 3 and (SUBJECT in fields or any("@" in value for value in fields.values()))
