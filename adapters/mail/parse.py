"""The bytes of a mail made a `Mail`. Every mail is taken that somebody could have written, however broken."""

import hashlib
import re
from collections.abc import Iterable, Mapping

from adapters.mail import headers
from adapters.mail.charsets import clean, decode
from adapters.mail.html_text import read, visible_length
from adapters.mail.mime import Entity, Tree, read_headers, split, transferred_text
from adapters.mail.parsed import Mail, Mailbox, Part, Unreadable
from adapters.mail.smime import signed
from bot.model import file_name

NOBODY = Mailbox("", "")
BODIES = frozenset({"text/plain", "text/html", "text/markdown", "text/enriched"})
ATTACHED_MAIL = frozenset({"message/rfc822", "message/global"})
REPORT = frozenset({"message/delivery-status", "message/global-delivery-status"})
RETURNED_HEADERS = frozenset({"text/rfc822-headers", "message/global-headers"})
SMIME = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
RECIPIENT = ("final-recipient", "original-recipient")
MOST_IN_REPORT = 100
ENDINGS = {
    "text/plain": ".txt", "text/html": ".html", "text/csv": ".csv", "text/calendar": ".ics", "image/png": ".png",
    "image/jpeg": ".jpg", "image/gif": ".gif", "application/pdf": ".pdf", "application/ms-tnef": ".dat",
}  # fmt: skip

SHORT = 400
"""A stub has fewer letters."""
FAR_SHORTER = 3
MOST_OF_A_TEXT = 4_000_000
"""Bytes of one part that are read as text: nobody writes as much, and the mail is kept as it came."""

LONGEST_FLOWED = 1_000_000
STUB = re.compile(
    r"(?:not|n't|unable|nicht|kein|pas|no)\b[^.]{0,60}\bhtml\b|\bhtml\b[^.]{0,60}(?:not|n't|unable|nicht|pas|no)\b"
    r"|(?:view|read|open|see)\b[^.]{0,40}\bbrowser\b|enable html|multi-?part message in mime format",
    re.IGNORECASE,
)
IS_HTML = re.compile(r"\s*<(?:!doctype html|html|body)\b", re.IGNORECASE)
META_CHARSET = re.compile(rb"<meta[^>]{1,200}charset\s*=\s*[\"']?([\w-]{2,40})", re.IGNORECASE)
EMPTY_LINES = re.compile(rb"\n\s*\n")


def parse(raw: bytes) -> Mail:
    """Read a mail. Raises Unreadable if nobody could: it is empty, or no mail at all; and nothing else."""
    try:
        return _parse(raw)
    except (Unreadable, MemoryError):
        raise
    except Exception as exc:  # a mail must never stop those behind it
        raise Unreadable(f"reading this mail failed ({type(exc).__name__}); please report that") from exc


def content(raw: bytes, index: int, most: int) -> bytes | None:
    """Return the content of the part with this index, decoded; None if there is none, or if it has more bytes than
    `most`."""
    tree = split(raw)
    leaf = next((leaf for leaf in tree.leaves() if leaf.index == index), None)
    if leaf is None or tree.size(leaf) > most:
        return None
    return tree.content(leaf)


def _parse(raw: bytes) -> Mail:
    if not raw.strip():
        raise Unreadable("the mail is empty")
    tree = split(raw)
    fields = tree.root.headers.fields
    if not fields and b"\x00" in raw:
        raise Unreadable("these bytes are no mail: they have no headers, and are no text")
    decoded = _decoded(fields)
    leaves = list(tree.leaves())
    body = _Body(tree)
    text = body.text() or _signed_text(tree)
    parts = tuple(_part(tree, leaf) for leaf in leaves if body.is_file(leaf))
    if tree.is_cut and not text and not parts:
        raise Unreadable("the mail has more parts, one inside the other, than anybody could read")
    return Mail(
        headers=decoded,
        subject=_first(decoded, "subject"),
        sender=next(iter(_mailboxes(fields, b"from")), NOBODY),
        reply_to=_mailboxes(fields, b"reply-to"),
        to=_mailboxes(fields, b"to"),
        cc=_mailboxes(fields, b"cc"),
        message_id=next(iter(headers.ids(_first(decoded, "message-id"))), ""),
        in_reply_to=headers.ids(" ".join(decoded.get("in-reply-to", ()))),
        references=headers.ids(" ".join(decoded.get("references", ()))),
        date=headers.date(_first(decoded, "date")),
        media_type=tree.media_type,
        text=text,
        digest=_digest(tree, decoded),
        parts=parts,
        forwarded=next((tree.content(leaf) for leaf in leaves if leaf.media_type in ATTACHED_MAIL), b""),
        report=tuple(block for leaf in leaves if leaf.media_type in REPORT for block in _report(tree.content(leaf))),
        returned=_returned(tree, leaves),
    )


# --- headers


def _decoded(fields: Iterable[tuple[bytes, bytes]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for name, value in fields:
        key = name.decode("ascii")
        found[key] = (*found.get(key, ()), headers.text(value))
    return found


def _first(decoded: Mapping[str, tuple[str, ...]], name: str) -> str:
    found = decoded.get(name, ())
    return found[0] if found else ""


def _mailboxes(fields: Iterable[tuple[bytes, bytes]], name: bytes) -> tuple[Mailbox, ...]:
    return headers.addresses(value for known, value in fields if known == name)


def _digest(tree: Tree, decoded: Mapping[str, tuple[str, ...]]) -> str:
    known = "\n".join(_first(decoded, name) for name in ("from", "reply-to", "date", "subject", "message-id"))
    digest = hashlib.sha256(known.encode())
    digest.update(b"\n" + tree.raw[tree.root.headers.end :].replace(b"\r\n", b"\n").strip())
    return digest.hexdigest()


# --- the text


class _Body:
    """Which leaves of a mail are its text, and what they say."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.said: dict[int, str] = {}
        encrypted = tree.root.media_type == "multipart/encrypted"
        self.leaves = [] if encrypted else self._chosen() or self._next_best()

    def text(self) -> str:
        return self._join(self.leaves)

    def is_file(self, leaf: Entity) -> bool:
        """Whether a leaf is a file. Another form of the same text is none, and neither is what the mail's report is."""
        if leaf.media_type in REPORT or leaf.media_type in RETURNED_HEADERS:
            return False
        return not self._is_text(leaf) and leaf.media_type != "text/x-amp-html"

    def _chosen(self) -> list[Entity]:
        """Choose from the leaves up (those come after their parents): no recursion, however deep the tree."""
        chosen: dict[int, list[Entity]] = {}
        for place in range(len(self.tree.entities) - 1, -1, -1):
            entity = self.tree.entities[place]
            if not entity.is_multipart:
                chosen[place] = [entity] if self._is_text(entity) else []
            elif entity.media_type == "multipart/alternative":
                chosen[place] = self._best([chosen.pop(child) for child in entity.children])
            else:
                chosen[place] = [leaf for child in entity.children for leaf in chosen.pop(child)]
        return chosen[0]

    def _next_best(self) -> list[Entity]:
        """Where nothing is a text, take the first that would be one if it had no file name."""
        texts = (leaf for leaf in self.tree.leaves() if leaf.media_type in BODIES)
        return [leaf for leaf in texts if leaf.disposition()[0] != "attachment"][:1]

    def _is_text(self, leaf: Entity) -> bool:
        if leaf.media_type not in BODIES or leaf.disposition()[0] == "attachment":
            return False
        return leaf.parent < 0 or not _written_name(leaf)

    def _best(self, forms: list[list[Entity]]) -> list[Entity]:
        """Take the plain text, unless it is a stub for those whose program shows no HTML."""
        forms = [form for form in forms if form]
        rich = next((form for form in reversed(forms) if any(leaf.media_type == "text/html" for leaf in form)), [])
        plain = next((form for form in forms if all(leaf.media_type != "text/html" for leaf in form)), [])
        if not rich or not plain:
            return rich or plain
        letters = _letters(self._join(plain))
        seen = sum(visible_length(self._source(leaf)) for leaf in rich)
        stub = letters < SHORT and STUB.search(self._join(plain))
        if letters * FAR_SHORTER >= seen and letters and not stub:
            return plain
        return rich if _letters(self._join(rich)) > letters * (1 if stub else FAR_SHORTER) else plain

    def _join(self, leaves: list[Entity]) -> str:
        said = (self._say(leaf).strip("\n") for leaf in leaves)
        return "\n\n".join(text for text in said if text.strip())

    def _say(self, leaf: Entity) -> str:
        if leaf.index not in self.said:
            self.said[leaf.index] = self._read(leaf)
        return self.said[leaf.index]

    def _read(self, leaf: Entity) -> str:
        source = self._source(leaf)
        if leaf.media_type == "text/html" or IS_HTML.match(source):
            return read(source)
        text = clean(source)
        if leaf.parameters.get("format", "").lower() == "flowed" and len(text) <= LONGEST_FLOWED:
            return unflowed(text, leaf.parameters.get("delsp", "").lower() == "yes")
        return text

    def _source(self, leaf: Entity) -> str:
        end = min(leaf.end, leaf.start + MOST_OF_A_TEXT)
        data = transferred_text(self.tree.raw[leaf.start : end], leaf.encoding())
        charset = leaf.parameters.get("charset", "")
        if not charset and leaf.media_type == "text/html" and (meta := META_CHARSET.search(data, 0, 4000)):
            charset = meta[1].decode("ascii")
        return decode(data, charset)


def _signed_text(tree: Tree) -> str:
    """Return the text of a mail that stands inside its own signature."""
    if tree.root.media_type not in SMIME or not (inner := signed(tree.content(tree.root))):
        return ""
    return _Body(split(inner)).text()


def _letters(text: str) -> int:
    return sum(map(len, text.split()))


def unflowed(text: str, delete_spaces: bool = False) -> str:
    """Join the lines that a program has broken (RFC 3676): those that end in a space, in each quote by itself."""
    lines: list[list[str]] = []
    going_on = -1  # the depth of the line that goes on, or -1
    for line in text.split("\n"):
        words = line.lstrip(">")
        depth = len(line) - len(words)
        words = words.removeprefix(" ")
        goes_on = words.endswith(" ") and words != "-- "
        if depth != going_on or words == "-- ":
            quote = ">" * depth + " " if depth else " " if words.startswith(">") else ""
            lines.append([quote])
        lines[-1].append(words[:-1] if goes_on and delete_spaces else words)
        going_on = depth if goes_on else -1
    return "\n".join("".join(pieces) if len(pieces) == 2 else "".join(pieces).rstrip() for pieces in lines)


# --- files, and reports


def _part(tree: Tree, leaf: Entity) -> Part:
    return Part(leaf.index, _name(tree, leaf), leaf.media_type, tree.size(leaf))


def _written_name(leaf: Entity) -> str:
    """Return a file's name as its sender tells; RFC 2047 forbids encoded words there, and many write them."""
    name = leaf.disposition()[1].get("filename") or leaf.parameters.get("name", "")
    return headers.text(name.encode("utf-8", "replace")) if "=?" in name else name


def _name(tree: Tree, leaf: Entity) -> str:
    written = re.split(r"[\\/]", _written_name(leaf))[-1].strip()
    if written:
        return file_name(written)
    if leaf.media_type in ATTACHED_MAIL:
        inner = _decoded(read_headers(tree.content(leaf), is_mail=True).fields)
        return file_name(f"{_first(inner, 'subject')[:100] or 'mail'}.eml")
    return f"part-{leaf.index}{ENDINGS.get(leaf.media_type, '')}"


def _report(data: bytes) -> list[dict[str, str]]:
    """Return the blocks of fields that are about a recipient; the one before them is about the server."""
    blocks = (_fields(block.lstrip()) for block in EMPTY_LINES.split(data, MOST_IN_REPORT)[:MOST_IN_REPORT])
    return [block for block in blocks if any(name in block for name in RECIPIENT)]


def _fields(block: bytes) -> dict[str, str]:
    return {name: values[0] for name, values in _decoded(read_headers(block).fields).items()}


def _returned(tree: Tree, leaves: Iterable[Entity]) -> dict[str, tuple[str, ...]]:
    """Return the headers of the mail that a report is about."""
    for leaf in leaves:
        of_report = leaf.parent >= 0 and tree.entities[leaf.parent].media_type == "multipart/report"
        if leaf.media_type in RETURNED_HEADERS or (of_report and leaf.media_type in ATTACHED_MAIL):
            return _decoded(read_headers(tree.content(leaf), is_mail=True).fields)
    return {}
