"""The tree of a mail's parts (RFC 2045 to 2047), in one pass over its bytes, which it does not copy.

Not the parser of the standard library: that takes 30 s for 50,000 parts, and several times as long as this one for any
mail. Nothing in here recurses, and everything is bounded; parts beyond the bounds are left out.
"""

import re
from binascii import a2b_base64, a2b_qp
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from adapters.mail.charsets import decode

MOST_IN_HEADERS = 64 * 1024
MOST_IN_A_HEADER = 8 * 1024
MOST_HEADERS = 1000
MOST_LEAVES = 200
MOST_ENTITIES = 1200  # so that text at the bottom of 600 multiparts is found
MOST_DASHES = 50_000
MOST_STRAYS = 10
LOOK_FOR_BOUNDARY = 10_000
MOST_PARAMETERS = 100

HEADER = re.compile(rb"(?!--)([!-9;-~]{1,200})[ \t]*:([^\n]*+(?:\n[ \t][^\n]*+)*+)(?:\n|\Z)")
MBOX_LINE = re.compile(rb">?From [^\n]*\n")
EMPTY_LINE = re.compile(rb"\r?\n")
NEXT_EMPTY_LINE = re.compile(rb"\n\r?\n")
OF_A_MAIL = frozenset({
    b"from", b"to", b"cc", b"subject", b"date", b"message-id", b"received", b"return-path", b"mime-version", b"sender",
    b"content-type", b"content-transfer-encoding", b"reply-to", b"delivered-to", b"x-mailer",
})  # fmt: skip
FROM_AHEAD = re.compile(rb"(?i)\nfrom[ \t]*:")
LOST_BOUNDARY = re.compile(rb"\n--([^\r\n]{1,200})\r?\ncontent-", re.IGNORECASE)
MEDIA_TYPE = re.compile(r"[\w.+-]{1,100}/[\w.+-]{1,100}")
PARAMETER = re.compile(r';\s*([^\s=;"]++)\s*=\s*(?:"((?:[^"\\]|\\.)*+)("?)|([^;]*))', re.DOTALL)
NOT_BASE64 = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="))
WORDS_WITH_SPACES = re.compile(rb"\S[ \t]+\S")
NOT_A_WORD = 60


@dataclass(slots=True)
class Headers:
    """The headers of a part, in lower case, as they stand (folded, and not decoded); `end` is where its body begins."""

    fields: list[tuple[bytes, bytes]]
    end: int

    def get(self, name: bytes) -> bytes:
        return next((value for known, value in self.fields if known == name), b"")


@dataclass(slots=True)
class Entity:
    """A node of the tree: the mail, or a part of it. `parent` is the place of its parent in the list of all; `index` is
    that among the leaves, or -1; its body is what lies from `start` to `end`."""

    headers: Headers
    parent: int
    media_type: str
    parameters: dict[str, str]
    start: int
    end: int
    index: int = -1
    children: list[int] = field(default_factory=list)
    _disposition: tuple[str, dict[str, str]] | None = None

    @property
    def is_multipart(self) -> bool:
        return self.index < 0

    def encoding(self) -> str:
        """Name its transfer encoding, in lower case. Some write a comment or a parameter after it."""
        words = self.headers.get(b"content-transfer-encoding").lower().split(None, 1)
        return words[0].rstrip(b";").strip(b'"').decode("ascii", "replace") if words else ""

    def disposition(self) -> tuple[str, dict[str, str]]:
        if self._disposition is None:
            self._disposition = value_and_parameters(self.headers.get(b"content-disposition"))
        return self._disposition


@dataclass(slots=True)
class Tree:
    """A mail, split. `raw` are its bytes, with line feeds if there were none; `media_type` is what it says that it is;
    `is_cut` says that parts are left out."""

    raw: bytes
    entities: list[Entity]
    media_type: str = ""
    is_cut: bool = False

    @property
    def root(self) -> Entity:
        return self.entities[0]

    def leaves(self) -> Iterator[Entity]:
        return (entity for entity in self.entities if not entity.is_multipart)

    def size(self, leaf: Entity) -> int:
        """Tell how many bytes are in a leaf, without decoding what is in base64."""
        data = self.raw[leaf.start : leaf.end]
        if leaf.encoding() == "base64":
            return sum(len(run) * 3 // 4 for run in _base64_runs(data))
        return len(transferred(data, leaf.encoding()))

    def content(self, leaf: Entity) -> bytes:
        return transferred(self.raw[leaf.start : leaf.end], leaf.encoding())


def split(raw: bytes) -> Tree:
    """Split a mail into its parts. Takes any bytes."""
    if b"\n" not in raw:
        raw = raw.replace(b"\r", b"\n")
    tree = Tree(raw, [])
    _Splitter(tree).run()
    tree.media_type = tree.root.media_type
    number = 0
    for entity in tree.entities:
        if not entity.children:
            if entity.media_type.startswith("multipart/"):
                entity.media_type = "text/plain"  # it holds no part, whatever it says; what it holds is not lost
            entity.index = number
            number += 1
    return tree


class _Splitter:
    """Walks from delimiter to delimiter. `open` are the multiparts that it is in, from the outermost: the place of each
    in the list of all, and its boundary; `levels` has the level of each boundary."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.raw = tree.raw
        self.open: list[tuple[int, bytes]] = []
        self.levels: dict[bytes, int] = {}
        self.dashes = 0
        self.leaves = 0

    def run(self) -> None:
        at = self._begin(0, -1)
        while found := self._next_delimiter(at):
            before, after, level, closes = found
            if self.leaves == MOST_LEAVES or len(self.tree.entities) == MOST_ENTITIES:
                self.tree.is_cut = True
                return self._close(0, before)
            self._close(level if closes else level + 1, before)
            at = after if closes else self._begin(after, self.open[level][0])
        return self._close(0, len(self.raw))

    def _begin(self, at: int, parent: int) -> int:
        """Begin a part here; return from where to look for the next delimiter."""
        entities = self.tree.entities
        headers = read_headers(self.raw, at, is_mail=parent < 0)
        media_type, parameters = content_type(headers)
        if parent >= 0:
            entities[parent].children.append(len(entities))
            if media_type == "text/plain" and entities[parent].media_type == "multipart/digest":
                media_type = "message/rfc822" if not headers.get(b"content-type") else media_type
        entity = Entity(headers, parent, media_type, parameters, headers.end, len(self.raw))
        entities.append(entity)
        if media_type.startswith("multipart/"):
            self._open(entity)
        else:
            self.leaves += 1
        return max(headers.end - 1, 0)

    def _open(self, entity: Entity) -> None:
        boundary = entity.parameters.get("boundary", "").encode("utf-8", "replace").rstrip()
        is_mail = entity.parent < 0
        if not boundary or (is_mail and b"--" + boundary not in self.raw):
            end = len(self.raw) if is_mail else entity.start + LOOK_FOR_BOUNDARY
            lost = LOST_BOUNDARY.search(self.raw, max(entity.start - 1, 0), end)
            boundary = lost[1].rstrip() if lost else boundary
        if boundary:
            self.levels.setdefault(boundary, len(self.open))
            self.open.append((len(self.tree.entities) - 1, boundary))

    def _next_delimiter(self, at: int) -> tuple[int, int, int, bool] | None:
        """Find the next delimiter line of any multipart that is open: where the text before it ends, where the line
        ends, its level, and whether it is the last of its multipart."""
        raw = self.raw
        while self.open and self.dashes < MOST_DASHES:
            at = raw.find(b"\n--", at)
            if at < 0:
                return None
            self.dashes += 1
            end = raw.find(b"\n", at + 3)
            end = len(raw) if end < 0 else end
            line = raw[at + 3 : min(end, at + 300)].rstrip()
            level = self.levels.get(line)
            closes = level is None and line.endswith(b"--")
            level = self.levels.get(line[:-2]) if closes else level
            if level is not None:
                before = at - 1 if raw[at - 1 : at] == b"\r" else at
                return before, end if closes else min(end + 1, len(raw)), level, closes
            at = end
        return None

    def _close(self, level: int, at: int) -> None:
        """End all that is open from this level on, and the leaf that is being read, where they have no end yet."""
        entities = self.tree.entities
        if entities[-1].end == len(self.raw):
            entities[-1].end = max(at, entities[-1].start)
        while len(self.open) > level:
            place, boundary = self.open.pop()
            entities[place].end = max(at, entities[place].start)
            if self.levels.get(boundary) == len(self.open):
                del self.levels[boundary]


def read_headers(raw: bytes, at: int = 0, *, is_mail: bool = False) -> Headers:
    """Read the headers that begin at this place.

    Of each header the first 8 KB are read, and of all together the first 64 KB: what follows is no refusal, but left
    out. A line that is no header ends them, as if there were an empty line before it. A mail whose headers are none of
    a mail's has none: it is all text.
    """
    begin = at
    fields: list[tuple[bytes, bytes]] = []
    mbox = MBOX_LINE.match(raw, at) if is_mail else None
    at = mbox.end() if mbox else at
    room, strays = MOST_IN_HEADERS, 0
    while True:
        match = HEADER.match(raw, at)
        if match is None:
            empty = EMPTY_LINE.match(raw, at)
            if not empty and is_mail and strays < MOST_STRAYS and (ahead := _headers_ahead(raw, at, fields)):
                at, strays = ahead, strays + 1
                continue
            at = empty.end() if empty else at
            break
        at = match.end()
        name, value = match[1].lower(), _cut(match[1].lower(), match[2])
        room -= len(name) + len(value)
        if room < 0 or len(fields) >= MOST_HEADERS:
            rest = NEXT_EMPTY_LINE.search(raw, at - 1)
            at = rest.end() if rest else at
            break
        fields.append((name, value))
    if is_mail and OF_A_MAIL.isdisjoint(name for name, _ in fields):
        return Headers([], begin)
    return Headers(fields, at)


def _cut(name: bytes, value: bytes) -> bytes:
    """Cut what is too long, at a space or a comma: half an address is another's. Of References the end counts more."""
    if len(value) <= MOST_IN_A_HEADER:
        return value
    if name == b"references":
        return value[:1024] + b" " + value[-MOST_IN_A_HEADER + 1025 :]
    value = value[:MOST_IN_A_HEADER]
    at = max(value.rfind(b" "), value.rfind(b","), value.rfind(b"\n"))
    return value[:at] if at > 0 else value


def _headers_ahead(raw: bytes, at: int, fields: list[tuple[bytes, bytes]]) -> int:
    """Return where the headers go on after a line that is none, or 0. They do if there was something, and no From."""
    if not fields or any(name == b"from" for name, _ in fields):
        return 0
    empty = NEXT_EMPTY_LINE.search(raw, at, at + MOST_IN_HEADERS)
    if not FROM_AHEAD.search(raw, at, empty.start() + 1 if empty else at + MOST_IN_HEADERS):
        return 0
    return raw.find(b"\n", at) + 1


def content_type(headers: Headers) -> tuple[str, dict[str, str]]:
    """Return the media type, in lower case, and its parameters. Without one, and for nonsense, it is text/plain, as
    RFC 2045 (5.2) has it; a file is something unknown."""
    value, parameters = value_and_parameters(headers.get(b"content-type"))
    if MEDIA_TYPE.fullmatch(value):
        return value, parameters
    is_file = "name" in parameters or headers.get(b"content-disposition").strip().lower().startswith(b"attachment")
    return "application/octet-stream" if is_file and not value.startswith("text") else "text/plain", parameters


def value_and_parameters(header: bytes) -> tuple[str, dict[str, str]]:
    """Return the value of a header such as Content-Type, in lower case, and its parameters (RFC 2231), decoded."""
    if b";" not in header:
        return decode(header).strip().lower(), {}
    text = decode(header.replace(b"\r", b"").replace(b"\n", b""))
    value, _, _ = text.partition(";")
    found: dict[str, str] = {}
    for count, match in enumerate(PARAMETER.finditer(text, len(value))):
        if count == MOST_PARAMETERS:
            break
        name, quoted, closed, bare = match.groups()
        if quoted is None:
            written = bare.strip()
        elif closed:
            written = re.sub(r"\\([\\\"])", r"\1", quoted)
        else:
            written = quoted.partition(";")[0].strip()
        found.setdefault(name.lower(), written)
    if any("*" in name for name in found):
        _join(found)
    return value.strip().lower(), found


def _join(found: dict[str, str]) -> None:
    """Put together what RFC 2231 lets one split (`name*0`, `name*1*`) and encode (`name*`)."""
    for name in {name.partition("*")[0] for name in found if "*" in name}:
        pieces = [(found[name + "*"], True)] if name + "*" in found else []
        for number in range(MOST_PARAMETERS) if not pieces else ():
            if (encoded := f"{name}*{number}*") in found:
                pieces.append((found[encoded], True))
            elif (plain := f"{name}*{number}") in found:
                pieces.append((found[plain], False))
            elif number:  # some count from 1
                break
        charset, first = "", pieces[0][0] if pieces else ""
        if pieces and pieces[0][1] and first.count("'") >= 2:
            charset, _, first = first.split("'", 2)
            pieces[0] = (first, True)
        data = b"".join(
            unquote_to_bytes(piece) if encoded else piece.encode("utf-8", "replace") for piece, encoded in pieces
        )
        if data:
            found[name] = decode(data, charset)


def transferred(data: bytes, encoding: str) -> bytes:
    """Undo a transfer encoding, as far as the data goes."""
    if encoding == "base64":
        return b"".join(_base64(run) for run in _base64_runs(data))
    if encoding == "quoted-printable":
        return a2b_qp(data)
    return data


def transferred_text(data: bytes, encoding: str) -> bytes:
    """Undo the transfer encoding of a text. Lines of words in a part that should be base64 are none: a server or a
    mailing list has put them there, or it never was base64."""
    if encoding != "base64":
        return transferred(data, encoding)
    words = WORDS_WITH_SPACES.search(data) if b" " in data else None
    if words is None or max(map(len, data[words.start() : words.start() + 500].split())) > NOT_A_WORD:
        return transferred(data, encoding)
    at = data.rfind(b"\n", 0, words.start()) + 1
    return b"\n".join(piece for piece in (transferred(data[:at], encoding), data[at:]) if piece)


def _base64_runs(data: bytes) -> list[bytes]:
    """Return what there is of base64: several, if something was appended after the padding."""
    return data.translate(None, NOT_BASE64).rstrip(b"=").split(b"=", 1000)


def _base64(run: bytes) -> bytes:
    run = run.replace(b"=", b"")
    whole = run[:-1] if len(run) % 4 == 1 else run
    return a2b_base64(whole + b"=" * (-len(whole) % 4))
