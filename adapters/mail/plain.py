"""The plain text of a mail: short lines that a program of today joins again (RFC 3676, format=flowed)."""

from collections.abc import Iterable, Iterator

from bot.model import Notice

WIDTH = 72
QUOTED = "> "


def plain(notice: Notice) -> str:
    """Return what a notice says, for readers without HTML. Nothing is wider than a line of theirs but single words; a
    link has a line of its own."""
    facts = "\n".join(_flowed(f"{label}: {value}" for label, value in notice.facts))
    quote = "\n".join(_flowed(notice.quote.splitlines(), QUOTED))
    links = "\n\n".join(f"{action.label}:\n{action.url}" for action in notice.actions if action.url)
    parts = (_text(notice.greeting), _text(notice.lead), facts, quote, _text(notice.closing), links)
    return "\n\n".join(part for part in parts if part)


def _text(text: str) -> str:
    return "\n".join(_flowed(text.splitlines()))


def _flowed(lines: Iterable[str], mark: str = "") -> Iterator[str]:
    """Yield lines, cut where they are too long. One that ends with a space goes on in the next, so that a line which
    ends there must not."""
    for line in lines:
        whole = line.rstrip(" ")
        if not mark and whole.startswith(">"):  # a quote of whoever wrote it: its lines are as they were
            yield whole
            continue
        for piece in _cut(whole, WIDTH - len(mark)):
            yield mark + _stuffed(piece, mark) if piece else mark.rstrip(" ")


def _cut(line: str, width: int) -> Iterator[str]:
    """Cut a line behind spaces. A word that is longer than a line is left whole: a link must be."""
    start = 0
    while len(line) - start > width:
        end = line.rfind(" ", start, start + width) + 1 or line.find(" ", start + width) + 1
        if not end:
            break
        yield line[start:end]
        start = end
    yield line[start:]


def _stuffed(piece: str, mark: str) -> str:
    """RFC 3676, 4.4: what begins a line and means something else there gets a space in front. Behind our own mark
    there is one already."""
    return f" {piece}" if not mark and piece.startswith((" ", ">", "From ")) else piece
