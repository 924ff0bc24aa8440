"""What the author of a mail really wrote: without the history that is quoted, the signature, a telephone's footer.

A mail is cut into pieces (text, quote, the line above a quote, a header block, a signature ...), and what is kept
depends on what came before: what is quoted below a text goes, what is quoted above it or between its lines is what it
answers. Everything is one pass over the lines with a bounded look around: hostile mails take no longer than others.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import islice

from adapters.mail import block
from adapters.mail.block import Line
from adapters.mail.phrases import (
    DEVICES,
    EXCUSES,
    FORWARDED,
    FORWARDED_BY,
    GET_THE_PROGRAM,
    MY,
    NO_DEVICE,
    ORIGINAL,
    PROGRAMS,
    REPLY_ABOVE,
    SENT_AT_THE_END,
    SENT_FROM,
    THE_AUTHORS_OWN,
    TYPING,
    WROTE,
    WROTE_UNSPACED,
    phrases,
)

MOST_LINES = 3_000
LONGEST_MARK = 300
LONGEST_INTRODUCTION = 5
"""Of how many lines an introduction may be, wrapped."""

LONGEST_SIGNATURE = 20
LONGEST_LIST_FOOTER = 8
"""In lines."""

MOST_NAMES = 8
"""How many words may stand before "wrote" when no date does."""

LONG_LINE = 60
LONG_RULE = 20
LONGEST_ON_A_CARD = 60
"""In letters."""

ON_A_CARD = re.compile(r"^(?:\w{0,12}[.:]? ?)\+?[\d ()/.-]{8,20}$|^\W*(?:https?://|www\.)\S+$|^\S{1,12}:? ?\S+@\S+$")
OF_LISTS = ("mailing list", "unsubscribe", "listinfo", "abmelden", "désabonner", "darse de baja")

UNSEEN = "\u200b\u200e\u200f\u202a\u202b\u202c\u2066\u2067\u2068\u2069\ufeff"
DIGITS = {zero + number: str(number) for zero in (0x660, 0x6F0, 0x966, 0x9E6, 0xE50) for number in range(10)}
SIGNS: dict[int, str] = {0xA0: " ", 0x202F: " ", 0x3000: " ", 0xFF1A: ":"}
SEEN = SIGNS | DIGITS | {ord(mark): "" for mark in UNSEEN}
"""As a line is looked at: without the marks that nobody sees, the colon of full width as a colon, the digits of all
scripts as ours."""

PIXEL = "\u1427"
"""What a program that tracks mails leaves below them."""

DASHES = PIXEL + "-\u2013\u2014\u2015\u2500_=*~#<>+ \t"
DELIMITERS = frozenset({"--", "\u2014", "\u2013", "\u2014\u2014", "__"})
DATE = re.compile(r"\b(?:19|20)\d\d\b|\d{1,4}[./-]\d{1,2}[./-]\d{1,4}|\d{2,4}\s?[\u5e74\ub144]")
TIME = re.compile(r"\d{1,2}[:.h\u6642\u65f6]\s?\d{2}\b|\d{1,2}:\d{2}")
BEGINS_WITH_DATE = re.compile(r"(?!(?:19|20)\d\d(?![-./\u5e74\ub144])\b)(?:[^\W\d_][^\s\d<>@]{0,15}\s+){0,4}\D{0,2}\d")
SENTENCE_END = re.compile(r"[^\W\d_]{4}[.!?]$")
BEFORE_A_QUOTE = re.compile(r"[^<>]{8,160}<[^<>\s]{3,200}>[^:<>(]{0,60}:(?=\s)")
LINKS = re.compile(r"\(?<?https?://\S+|[\[\]()<>*_]")

DATED, TIMED, ADDRESSED, WROTE_IT, PERSONAL = 1, 2, 4, 8, 16
"""What a line, or some, have of what an introduction has, or has not (words such as "I"): bits."""

COMPLETE = DATED | TIMED | WROTE_IT

PERSONS = phrases(THE_AUTHORS_OWN)
ORIGINALS, FORWARDS, FORWARDERS = phrases(ORIGINAL), phrases(FORWARDED), tuple(phrases(FORWARDED_BY))
VERBS, UNSPACED_VERBS, ABOVE = phrases(WROTE), tuple(phrases(WROTE_UNSPACED)), tuple(phrases(REPLY_ABOVE))
SENT, SENT_LAST, GET = tuple(phrases(SENT_FROM)), tuple(phrases(SENT_AT_THE_END)), tuple(phrases(GET_THE_PROGRAM))
PROGRAM, SORRY, MISTYPED = tuple(phrases(PROGRAMS)), tuple(phrases(EXCUSES)), tuple(phrases(TYPING))
DEVICE, MINE, MONEY = tuple(phrases(DEVICES)), phrases(MY), phrases(NO_DEVICE)
DEVICE_UNSPACED = tuple(name for name in DEVICE if name > "\u0e00")


class Kind(Enum):
    """What a piece of a mail is."""

    TEXT = "text"
    QUOTE = "quote"
    INTRODUCTION = "On 5 May 2016 Ann wrote:"
    HISTORY = "a header block, or the line above the original"
    FORWARD = "the line above a mail that is passed on"
    SIGNATURE = "signature"


@dataclass(frozen=True, slots=True)
class Piece:
    """The lines from `start` to before `end`, of those that are not blank."""

    kind: Kind
    start: int
    end: int


def written(text: str) -> str:
    """Return what the author of this plain text wrote; an empty text only if all of it is quoted under a line that says
    whose it is. Without such a line a quote is taken for a part of what they wrote if they answer below it, or if there
    is nothing else."""
    page = Page.of(text)
    own = (Kind.TEXT, Kind.QUOTE, Kind.SIGNATURE)
    return page.said() or (text.strip() if all(piece.kind in own for piece in page.pieces) else "")


@dataclass(frozen=True, slots=True)
class Page:
    """A text, told apart: all its rows, the lines among them that are not blank, and which pieces those make. Lines
    beyond `MOST_LINES` are not told apart: they go where the last one goes."""

    rows: list[str]
    lines: list[Line]
    pieces: list[Piece]

    @classmethod
    def of(cls, text: str) -> "Page":
        rows = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        seen = ((number, row.translate(SEEN).strip()) for number, row in enumerate(rows) if row and not row.isspace())
        lines = [Line(number, row) for number, row in islice(((a, b) for a, b in seen if b), MOST_LINES)]
        return cls(rows, lines, _Reader(lines).pieces())

    def said(self) -> str:
        """Return what is neither quoted nor a signature; empty if there is nothing."""
        kept = _joined(_chosen(self.lines, self.pieces))
        return "\n\n".join("\n".join(self.rows[self._row(a) : self._end(b)]) for a, b in kept).strip()

    def _row(self, at: int) -> int:
        return self.lines[at].number

    def _end(self, at: int) -> int:
        return len(self.rows) if at == len(self.lines) else self._row(at - 1) + 1

    def above(self, at: int) -> str:
        """Return the rows above this line."""
        return "\n".join(self.rows[: self.lines[at].number])

    def below(self, at: int) -> str:
        """Return the rows from this line on; none, if there is no such line."""
        return "\n".join(self.rows[self.lines[at].number :]) if at < len(self.lines) else ""


class _Reader:
    """Tells of each line what it is."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self._lines = lines
        self._kinds = [Kind.TEXT] * len(lines)
        self._looks: dict[int, int] = {}

    def pieces(self) -> list[Piece]:
        """Return the pieces in their order; neighbours are of different kinds."""
        at = 0
        while at < len(self._lines):
            at = self._tell(at)
        pieces: list[Piece] = []
        for index, kind in enumerate(self._kinds):
            if pieces and pieces[-1].kind is kind:
                pieces[-1] = Piece(kind, pieces[-1].start, index + 1)
            else:
                pieces.append(Piece(kind, index, index + 1))
        return pieces

    def _tell(self, at: int) -> int:
        """Tell of this line, and of those that belong to it, what they are; return the next one."""
        text = self._lines[at].text
        start, end, kind = at, at + 1, Kind.TEXT
        if self._introduces_in_line(at):
            kind = Kind.INTRODUCTION
        elif text[0] == ">" or (text[0] == "|" and self._is(at - 1, Kind.INTRODUCTION, Kind.QUOTE)):
            kind = Kind.QUOTE
        elif text in DELIMITERS:
            kind = Kind.SIGNATURE
        elif (mark := marker(text)) is not None:
            kind = mark
        elif (found := self._headers(at)) is not None:
            kind, end = Kind.HISTORY, found.end
            start -= self._is(at - 1, Kind.TEXT) and is_rule(self._lines[at - 1].text, words=True)
        if kind in (Kind.TEXT, Kind.QUOTE) and (begin := self._introduction(at)) is not None:
            start, kind = begin, Kind.INTRODUCTION
            start -= self._is(begin - 1, Kind.TEXT) and is_rule(self._lines[begin - 1].text, words=True)
        self._kinds[start:end] = [kind] * (end - start)
        return end

    def _is(self, at: int, *kinds: Kind) -> bool:
        return at >= 0 and self._kinds[at] in kinds

    def _headers(self, at: int) -> block.Headers | None:
        if block.label(self._lines[at].text) is None:
            return None
        above = self._lines[at - 1].text if at else ""
        marked = self._is(at - 1, Kind.HISTORY, Kind.FORWARD) or (bool(above) and is_rule(above, words=True))
        return block.read(self._lines, at, marked)

    def _introduces_in_line(self, at: int) -> bool:
        """Whether this line is an introduction that is quoted like what is below it, or has what it quotes behind it,
        on the same line."""
        text = self._lines[at].text
        if text[0] == ">" and not self._is(at - 1, Kind.QUOTE):
            bare = text.lstrip("> ")
            return bare.endswith(":") and len(bare) <= LONGEST_MARK and is_introduction(bare)
        found = BEFORE_A_QUOTE.match(text) if "@" in text and self._is(at, Kind.TEXT) else None
        return found is not None and bool(looks_of(found[0]) & WROTE_IT) and is_introduction(found[0])

    def _introduction(self, last: int) -> int | None:
        """Return where the introduction begins that ends with this line; None if none does."""
        text = self._lines[last].text
        quoted = last + 1 < len(self._lines) and self._lines[last + 1].text[0] in ">|"
        if len(text) > LONGEST_MARK or not _may_end(text, quoted) or self._goes_on(last):
            return None
        found = self._starts(last)
        if not found or not (quoted or found[-1][1] & (DATED | ADDRESSED)):
            return None
        ended = quoted or text.rstrip("*_ ").endswith(":")
        starts = [(self._beginning(start), start, looks) for start, looks in found]
        for form in FORMS:
            for first, start, looks in starts:
                if form(first, looks, quoted) and (ended or looks & COMPLETE == COMPLETE):
                    return start
        return None

    def _goes_on(self, last: int) -> bool:
        """Whether the line below has the end: "... schrieb" alone on its line, or a bracket that is shut there."""
        if self._ends_above(last + 1):
            return False
        text = self._lines[last].text
        ended = text.rstrip("*_ ").endswith(":") and text.count("(") <= text.count(")")
        return not ended and self._lines[last + 1].text.endswith(":")

    def _beginning(self, at: int) -> str:
        """Return the line; with the next one, if that begins with the address."""
        text = self._lines[at].text
        below = self._lines[at + 1].text if at + 1 < len(self._lines) else ""
        return f"{text} {below[:LONGEST_MARK]}" if below.startswith("<") else text

    def _starts(self, last: int) -> list[tuple[int, int]]:
        """Return the lines at which an introduction may begin, the nearest first, and how all from there on look. The
        brackets from there on are all open and shut."""
        found: list[tuple[int, int]] = []
        looks, depth, at = 0, 0, last
        while at >= 0 and last - at < LONGEST_INTRODUCTION:
            text = self._lines[at].text
            if at < last and (self._kinds[at] is not Kind.TEXT or len(text) > LONGEST_MARK):
                break
            looks |= self._looks_of(at)
            depth += text.count(">") - text.count("<")
            if depth == 0 and not text.startswith(("<", ">")):
                found.append((at, looks))
            if depth <= 0 and not text.startswith("<") and self._ends_above(at):
                break
            at -= 1
        return found

    def _ends_above(self, at: int) -> bool:
        """Whether what is above this line is surely something else: set apart, or a whole sentence."""
        if not 0 < at < len(self._lines) or self._lines[at - 1].number != self._lines[at].number - 1:
            return True
        return SENTENCE_END.search(self._lines[at - 1].text) is not None

    def _looks_of(self, at: int) -> int:
        if at not in self._looks:
            self._looks[at] = looks_of(self._lines[at].text)
        return self._looks[at]


def looks_of(text: str) -> int:
    """Return what this line has of what an introduction has, as bits."""
    address = "@" in text and ("<" in text or ">" in text or "[" in text)
    return (
        (DATED if DATE.search(text) else 0)
        | (TIMED if TIME.search(text) else 0)
        | (ADDRESSED if address else 0)
        | (WROTE_IT if _verb_at(text) is not None else 0)
        | (0 if PERSONS.isdisjoint(text.casefold().split()) else PERSONAL)
    )


def is_introduction(line: str) -> bool:
    """Whether this line, with a quote below it, is an introduction."""
    looks = looks_of(line)
    return any(form(line, looks, True) for form in FORMS)


def marker(line: str) -> Kind | None:
    """Return HISTORY for "-----Original Message-----", FORWARD for "Begin forwarded message:", None for all else; in
    any language."""
    if len(line) > LONGEST_MARK or not (line[0] in DASHES or line[-1] in DASHES + ":"):
        return None
    words = line.strip(DASHES + ":").casefold()
    decorated = line[:2].strip(DASHES) == ""
    if words in FORWARDS or (decorated and words.startswith(FORWARDERS)):
        return Kind.FORWARD
    if (decorated and words in ORIGINALS) or any(phrase in words for phrase in ABOVE):
        return Kind.HISTORY
    return None


def is_rule(line: str, words: bool = False) -> bool:
    """Whether a line is only drawn; also around a few words, if `words`."""
    inner = line.strip(DASHES)
    if not inner:
        return len(line) > 1 or line == PIXEL
    return words and len(inner) < 50 and line[:3].strip(DASHES) == "" and line[-3:].strip(DASHES) == ""


def is_footer(line: str) -> bool:
    """Whether a line says from which telephone, or with which program, the mail was sent."""
    text = LINKS.sub(" ", line[:LONGEST_MARK]).casefold().strip(DASHES + ".,:;!\"'")
    words = [word.strip(",.;:!") for word in text.split()]
    if not words or len(words) > 14 or not MONEY.isdisjoint(words):
        return False
    if text.startswith(SORRY) and any(what in text for what in MISTYPED):
        return True
    if (text.startswith(GET) or text.endswith(SENT_LAST)) and any(name in text for name in PROGRAM):
        return True
    parts = [*words[:8], *text.replace("-", " ").split()[:8]]
    device = any(part.startswith(DEVICE) for part in parts) or any(name in text for name in DEVICE_UNSPACED)
    if text.startswith(SENT) or text.endswith(SENT_LAST):
        return device or not MINE.isdisjoint(words[:8])
    return device and "from" in words[:2] and len(words) <= (5 if words[0] == "from" else 3)


def _verb_at(text: str) -> int | None:
    """Return which word of the text says that somebody wrote."""
    for number, word in enumerate(text.casefold().split()):
        if word.strip(",.:;") in VERBS or word.endswith(UNSPACED_VERBS) or word.rstrip(":").endswith(UNSPACED_VERBS):
            return number
    return None


def _may_end(text: str, quoted: bool) -> bool:
    """Whether an introduction can end like this: with a colon, else with "wrote"; above a quote also with an
    address."""
    end = text.rstrip("*_ ")[-40:]
    if end.endswith(":"):
        return True
    if end.endswith(">") and quoted and "@" in text:
        return True
    word = end.casefold().rpartition(" ")[2].rstrip(".")
    return word in VERBS or word.endswith(UNSPACED_VERBS)


def _is_dated_with_address(first: str, looks: int, quoted: bool) -> bool:
    """Whether this is one like "On 5 May 2016 at 10:00, Ann <ann@example.com> wrote:", in any language: the verb is
    not needed."""
    return looks & (DATED | ADDRESSED) == DATED | ADDRESSED and BEGINS_WITH_DATE.match(first) is not None


def _is_named_with_address(first: str, looks: int, quoted: bool) -> bool:
    """Whether this is one like "Ann <ann@example.com> wrote on 5 May 2016:"; also without the date."""
    return "@" in first and bool(looks & ADDRESSED and looks & (WROTE_IT | DATED))


def _is_dated(first: str, looks: int, quoted: bool) -> bool:
    """Whether this is one like "On 5 May 2016 at 10:00, Ann wrote:"."""
    if looks & (DATED | WROTE_IT | PERSONAL) != DATED | WROTE_IT or not (looks & TIMED or quoted):
        return False
    return BEGINS_WITH_DATE.match(first) is not None


def _is_named(first: str, looks: int, quoted: bool) -> bool:
    """Whether this is one like "Ann wrote on 5 May 2016 at 10:00:"; above a quote also "Ann wrote:"."""
    if looks & (WROTE_IT | PERSONAL) != WROTE_IT or not (quoted or looks & COMPLETE == COMPLETE):
        return False
    verb = _verb_at(first)
    return verb is not None and 0 < verb <= MOST_NAMES


FORMS = (_is_dated_with_address, _is_named_with_address, _is_dated, _is_named)
"""The surest first."""


def _chosen(lines: Sequence[Line], pieces: Sequence[Piece]) -> list[tuple[int, int]]:
    """Return the ranges of lines that stay."""
    kept: list[tuple[int, int]] = []
    quote: list[tuple[int, int]] = []
    said, before = False, Kind.TEXT
    for index, piece in enumerate(pieces):
        if piece.kind is Kind.TEXT and not (before is Kind.SIGNATURE and _is_short(piece)):
            start, end = _trimmed(lines, piece)
            if start < end:
                kept += [*quote, (start, end)]
                said = True
            quote = []
        elif piece.kind is Kind.QUOTE:
            if before in (Kind.FORWARD, Kind.HISTORY) and not said:  # what is passed on, not what is answered
                kept.append((piece.start, piece.end))
                said = True
            elif said or before is Kind.TEXT or _is_inline(pieces, index):
                quote = [(piece.start, piece.end)]
        elif said and _is_end(lines, pieces, index):
            break
        elif piece.kind is Kind.FORWARD:
            said = False
        before = piece.kind
    return kept


def _joined(ranges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the ranges, with those as one between which nothing was left out."""
    joined: list[tuple[int, int]] = []
    for start, end in ranges:
        if joined and joined[-1][1] == start:
            start = joined.pop()[0]
        joined.append((start, end))
    return joined


def _is_end(lines: Sequence[Line], pieces: Sequence[Piece], index: int) -> bool:
    """Whether nothing below this piece is of the author's own, as they wrote something above it."""
    kind = pieces[index].kind
    return kind is Kind.HISTORY or (kind is Kind.INTRODUCTION and not _is_answered(lines, pieces[index + 1 :]))


def _is_answered(lines: Sequence[Line], pieces: Sequence[Piece]) -> bool:
    """Whether somebody who wrote above a quote wrote also below it, or between its lines."""
    if not pieces or pieces[0].kind is not Kind.QUOTE:
        return False
    before = Kind.QUOTE
    for piece in pieces:
        if piece.kind is Kind.TEXT and before is Kind.QUOTE and not _is_wrapped(lines, piece):
            start, end = _trimmed(lines, piece)
            if start < end:
                return True
        elif piece.kind not in (Kind.TEXT, Kind.QUOTE, Kind.SIGNATURE):
            return False
        before = piece.kind
    return False


def _is_inline(pieces: Sequence[Piece], index: int) -> bool:
    """Whether a quote is the first of several that are answered one by one."""
    return [piece.kind for piece in pieces[index + 1 : index + 4]] == [Kind.TEXT, Kind.QUOTE, Kind.TEXT]


def _is_wrapped(lines: Sequence[Line], piece: Piece) -> bool:
    """Whether this is a word or two that did not fit on the line of the quote above it."""
    if piece.end - piece.start > 1 or not 0 < piece.start < len(lines) - 1:
        return False
    above, line, below = lines[piece.start - 1 : piece.end + 1]
    return len(above.text) >= LONG_LINE and below.number - above.number == 2 and not line.text[0].isupper()


def _is_short(piece: Piece) -> bool:
    return piece.end - piece.start <= LONGEST_SIGNATURE


def _trimmed(lines: Sequence[Line], piece: Piece) -> tuple[int, int]:
    """Return the range of a text without the footers and rules at its end."""
    start, end = piece.start, _without_list(lines, piece)
    while end > start and (is_rule(lines[end - 1].text) or _is_footer_at(lines, end - 1, start)):
        end -= 1
    return start, end


def _is_footer_at(lines: Sequence[Line], at: int, start: int) -> bool:
    apart = at == start or lines[at].number > lines[at - 1].number + 1 or not lines[at].text[0].islower()
    return apart and is_footer(lines[at].text)


def _without_list(lines: Sequence[Line], piece: Piece) -> int:
    """Return where a text ends without what is set under a rule at its end: the footer of a mailing list, or a
    signature with a number to call, a page or an address."""
    for at in range(max(piece.start, piece.end - LONGEST_LIST_FOOTER), piece.end):
        if is_rule(lines[at].text):
            below = [line.text[:LONGEST_MARK].casefold() for line in lines[at + 1 : piece.end]]
            listed = len(lines[at].text) >= LONG_RULE and any(word in line for line in below for word in OF_LISTS)
            return at if listed or _is_card(below) else piece.end
    return piece.end


def _is_card(lines: Sequence[str]) -> bool:
    """Whether these lines are as on a visiting card."""
    return all(len(line) <= LONGEST_ON_A_CARD for line in lines) and any(ON_A_CARD.search(line) for line in lines)
