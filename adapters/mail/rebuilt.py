"""A mail that a provider has taken apart, as bytes again, so that all mail goes one way.

The same pieces always give the same bytes: by them a mail that is brought twice is known."""

import hashlib
import re
from base64 import encodebytes
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from email.header import Header
from email.utils import formataddr, getaddresses
from typing import Final
from urllib.parse import quote

ADDRESSES: Final = frozenset({"from", "to", "cc", "bcc", "reply-to", "sender", "resent-from", "resent-to"})
"""Headers in which only names may be encoded."""

_NAME = re.compile(r"[!-9;-~]{1,100}")
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,60}/[a-z0-9][a-z0-9!#$&^_.+-]{0,60}")
_CONTENT_ID = re.compile(r"[!-;=?-~]{1,250}")


@dataclass(frozen=True, slots=True)
class File:
    """A file of the mail. `content_id`: by what its HTML names it, without angle brackets."""

    name: str
    media_type: str
    content: bytes
    content_id: str = ""


def rebuild(headers: Iterable[tuple[str, str]], text: str, html: str, files: Sequence[File]) -> bytes:
    """Return a mail with these headers, but for those that told how its body was written, and with this body."""
    kept = [(name, value) for name, value in headers if _NAME.fullmatch(name) and not _is_of_body(name)]
    bodies = [_text("plain", text)] if text or not html else []
    if html:
        bodies.append(_text("html", html))
    body = bodies[0] if len(bodies) == 1 else _together("alternative", bodies)
    if files:
        body = _together("mixed", [body, *(_file(file) for file in files)])
    return b"".join(_header(name, value) for name, value in kept) + b"MIME-Version: 1.0\r\n" + body


def pairs_of(block: str) -> list[tuple[str, str]]:
    """Return the headers of a block of headers, as (name, value)."""
    unfolded = re.sub(r"\r?\n(?=[ \t])", "", block)
    found = (line.partition(":") for line in re.split(r"\r?\n", unfolded))
    return [(name.strip(), value.strip()) for name, colon, value in found if colon]


def _is_of_body(name: str) -> bool:
    return name.lower().startswith("content-") or name.lower() == "mime-version"


def _header(name: str, value: str) -> bytes:
    line = " ".join("".join(char if char.isprintable() else " " for char in value).split())
    if not line.isascii():
        line = _encoded(name, line)
    return f"{name}: {line}\r\n".encode("utf-8", "replace")


def _encoded(name: str, value: str) -> str:
    """Encode what is not ASCII (RFC 2047). An address that is not stays as it is (RFC 6532)."""
    if name.lower() not in ADDRESSES:
        return Header(value, "utf-8", maxlinelen=900).encode(linesep="\r\n")
    try:
        return ", ".join(formataddr(pair) for pair in getaddresses([value]) if pair[1]) or value
    except UnicodeError:
        return value


def _text(kind: str, text: str) -> bytes:
    return _part([f"Content-Type: text/{kind}; charset=utf-8"], text.encode("utf-8", "replace"))


def _file(file: File) -> bytes:
    media_type = file.media_type.lower()
    if not _MEDIA_TYPE.fullmatch(media_type) or media_type.startswith("multipart/"):
        media_type = "application/octet-stream"
    head = [f"Content-Type: {media_type}"]
    if file.name:
        name = quote(file.name, safe="", errors="replace")
        head.append(f"Content-Disposition: attachment; filename*=utf-8''{name}")
    else:
        head.append("Content-Disposition: attachment")
    if _CONTENT_ID.fullmatch(file.content_id):
        head.append(f"Content-ID: <{file.content_id}>")
    return _part(head, file.content, is_mail=media_type == "message/rfc822")


def _part(head: list[str], content: bytes, is_mail: bool = False) -> bytes:
    """A mail within a mail must not be encoded (RFC 2046, 5.2.1)."""
    if is_mail:
        return "\r\n".join([*head, "Content-Transfer-Encoding: 8bit", "\r\n"]).encode() + content
    lines = encodebytes(content).replace(b"\n", b"\r\n")
    return "\r\n".join([*head, "Content-Transfer-Encoding: base64", "\r\n"]).encode() + lines


def _together(kind: str, parts: Sequence[bytes]) -> bytes:
    """The boundary is made of the parts, not at random."""
    boundary = hashlib.sha256(b"\0".join(parts)).hexdigest()[:40]
    head = f'Content-Type: multipart/{kind}; boundary="={boundary}"\r\n\r\n'.encode()
    line = f"--={boundary}".encode()
    return head + b"".join(line + b"\r\n" + part + b"\r\n" for part in parts) + line + b"--\r\n"
