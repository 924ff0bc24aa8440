"""What is in the headers of a mail: text, addresses, ids, a date. Takes whatever stands there, and never raises."""

import re
from binascii import a2b_qp
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from adapters.mail.charsets import decode
from adapters.mail.compose import addr_spec, one_line
from adapters.mail.mime import transferred
from adapters.mail.parsed import Mailbox

MOST_ADDRESSES = 200
LONGEST_ADDRESS = 320
LONGEST_ID = 998
"""Bytes (RFC 5322, 2.1.1)."""

FIRST_AND_LAST = 30

ENCODED_WORD = re.compile(r"=\?([\w.:+-]{1,60})(?:\*[^\s?]{0,20})?\?([bBqQ])\?")
ID = re.compile(r"<[^<>\s]{1,500}@[^<>\s]{1,500}>")
TOKEN = re.compile(
    r'"((?:[^"\\]|\\.)*+)("?)|<([^<>]*)>|([(),;:])'
    r'|(=\?[\w.:+*-]{1,80}\?[bBqQ]\?[^\s?]*\?=|(?:[^"<>(),;:=]|=(?!\?))++|=)',
    re.DOTALL,
)
ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def text(raw: bytes) -> str:
    """Return a header as one line, its encoded words (RFC 2047) read."""
    written = line(decode(raw))
    return line(_words_read(written)) if "=?" in written else written


def line(text: str) -> str:
    """Return the text as one line: as `one_line`, and at a third of its price for almost all headers."""
    words = " ".join(text.split())
    return words if words.isprintable() else one_line(words)


def _words_read(written: str) -> str:
    """Read encoded words, also those that are not ended, and those with spaces or raw letters in them. What one
    charset's words hold is put together before it is decoded: some cut letters in two."""
    found = list(ENCODED_WORD.finditer(written))
    out: list[str] = [written[: found[0].start()]] if found else [written]
    held, holding = b"", ""
    for place, match in enumerate(found):
        limit = found[place + 1].start() if place + 1 < len(found) else len(written)
        content, end = _word_at(written, match.end(), limit)
        if match[1].lower() != holding:
            out.append(decode(held, holding))
            held, holding = b"", match[1].lower()
        held += _unworded(content, match[2])
        between = written[end:limit]
        if between.strip() or place + 1 == len(found):
            out.append(decode(held, holding) + between)
            held, holding = b"", ""
    return "".join(out)


def _word_at(written: str, start: int, limit: int) -> tuple[str, int]:
    """Return what an encoded word holds, and where it ends: at the latest where the next begins."""
    end = written.find("?=", start, limit)
    if end >= 0:
        return written[start:end], end + 2
    content = written[start:limit].partition(" ")[0]
    return content, start + len(content)


def _unworded(content: str, encoding: str) -> bytes:
    data = content.encode("utf-8", "replace")
    return transferred(data, "base64") if encoding in "bB" else a2b_qp(data, header=True)


def addresses(raw: Iterable[bytes]) -> tuple[Mailbox, ...]:
    """Read mailboxes: 200 at most. Those that nobody can write to have an empty address.

    Only what stands for an address counts as one: nothing that is quoted, encoded or in a comment.
    """
    found: list[Mailbox] = []
    for header in raw:
        for mailbox in _mailboxes(line(decode(header))):
            found.append(mailbox)
            if len(found) == MOST_ADDRESSES:
                return tuple(found)
    return tuple(found)


def _mailboxes(written: str) -> Iterator[Mailbox]:
    phrase: list[tuple[str, bool]] = []  # what was written, and whether it was quoted
    angle: str | None = None
    comments: list[str] = []
    for kind, content in _tokens(written):
        if kind in ("word", "quoted"):
            phrase.append((content, kind == "quoted"))
        elif kind == "angle":
            angle = content if angle is None else angle
        elif kind == "comment":
            comments.append(content)
        else:
            if kind != ":" and (phrase or angle is not None):
                yield _mailbox(phrase, angle, comments)
            phrase, angle, comments = [], None, []
    if phrase or angle is not None:
        yield _mailbox(phrase, angle, comments)


def _tokens(written: str) -> Iterator[tuple[str, str]]:
    """Split a list of addresses into words, quoted words, angles, comments, and the separators `,` `;` `:`."""
    at, comments_end = 0, True
    while match := TOKEN.match(written, at) or TOKEN.search(written, at):
        quoted, closed, angle, sign, word = match.groups()
        at = match.end()
        if sign == "(" and comments_end:
            end = _end_of_comment(written, at)
            comments_end = end > 0
            if comments_end:
                yield "comment", written[at : end - 1]
                at = end
        elif sign is not None and sign not in "()":
            yield sign, sign
        elif angle is not None:
            yield "angle", angle
        elif word is not None and word.strip():
            yield "word", word
        elif quoted is not None and closed:
            yield "quoted", ESCAPED.sub(r"\1", quoted)
        elif quoted is not None:  # nobody ends this quote: it is a letter like any other, and so are those after it
            at = match.start() + 1
            written = written[:at] + written[at:].replace('"', "")


def _end_of_comment(written: str, at: int) -> int:
    """Return the place after the comment that begins here; 0 if nobody ends it. Comments nest."""
    depth = 1
    for match in re.finditer(r"\\.|[()]", written[at:]):
        depth += {"(": 1, ")": -1}.get(match[0], 0)
        if not depth:
            return at + match.end()
    return 0


def _mailbox(phrase: list[tuple[str, bool]], angle: str | None, comments: list[str]) -> Mailbox:
    if angle is None:
        spec = _spec_in(phrase)
        name = " ".join(comments)
    else:
        spec = angle
        name = " ".join(content if quoted else content.strip() for content, quoted in phrase) or " ".join(comments)
    return Mailbox(text(name.encode("utf-8", "replace")).strip("\"' ")[:200], address(spec))


def _spec_in(phrase: list[tuple[str, bool]]) -> str:
    """Find the address in a mailbox without angles: `local@domain`, `"local"@domain`, or a word of several."""
    if len(phrase) == 2 and phrase[0][1] and phrase[1][0].startswith("@"):
        return phrase[0][0] + phrase[1][0]
    words = [word for content, quoted in phrase if not quoted for word in content.split() if "@" in word]
    return words[0] if words else ""


def address(spec: str) -> str:
    """Return an address as a Mailbox has it; empty if it is none."""
    if spec.lstrip().startswith("@") and ":" in spec:  # a route of RFC 822
        spec = spec.rpartition(":")[2]
    spec = spec.strip()
    if spec[:7].lower() == "mailto:":
        spec = spec[7:]
    if "@" not in spec or len(spec) > LONGEST_ADDRESS:
        return ""
    try:
        local, _, domain = addr_spec(spec.rstrip(".")).rpartition("@")
    except ValueError:
        return ""
    return f"{local}@{domain.lower()}"


def ids(written: str) -> tuple[str, ...]:
    """Return the ids in a header such as References: of many, the first and the last 30. What is longer than a line of
    a mail may be is none: messages are known by their ids, and no database takes every length for a key."""
    found = [match for match in ID.findall(written) if len(match.encode()) <= LONGEST_ID]
    return tuple(found[:1] + found[1:][-FIRST_AND_LAST:])


def date(written: str) -> datetime | None:
    """Return the moment of a Date header; without a zone it is taken for UTC."""
    try:
        at = parsedate_to_datetime(written[:100])
        return (at.replace(tzinfo=UTC) if at.tzinfo is None else at).astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError, AttributeError):
        return None
