"""Forms that a provider posts, read: multipart/form-data (RFC 7578) and application/x-www-form-urlencoded. The fields
are bytes, because a mail is."""

from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser
from email.utils import collapse_rfc2231_value
from typing import Final
from urllib.parse import parse_qsl

MOST_FIELDS: Final = 1000
"""Of one form. Mailgun sends one for each header of the mail."""

LONGEST_HEAD: Final = 8192
"""Bytes of the headers of one field."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field, or (`is_file`) a file."""

    name: str
    content: bytes
    is_file: bool = False
    file_name: str = ""
    media_type: str = ""


@dataclass(frozen=True, slots=True)
class Form:
    fields: tuple[Field, ...]

    def content(self, name: str) -> bytes | None:
        """Return the first field of this name; None if there is none."""
        return next((field.content for field in self.fields if field.name == name), None)

    def text(self, name: str, charset: str = "utf-8") -> str:
        """Return it as a text; empty if there is none. What is no text in this charset is replaced."""
        content = self.content(name) or b""
        try:
            return content.decode(charset, "replace")
        except (LookupError, ValueError):  # there is no such charset, or its name is none
            return content.decode("utf-8", "replace")

    @property
    def files(self) -> tuple[Field, ...]:
        return tuple(field for field in self.fields if field.is_file)


def read(content_type: str, body: bytes) -> Form:
    """Read a form. Raises ValueError if it is none, breaks off, or has too many fields. Takes time in proportion to its
    length."""
    head = Message()
    head["content-type"] = content_type
    match head.get_content_type():
        case "multipart/form-data":
            boundary = head.get_boundary()
            if not boundary:
                raise ValueError("a form without a boundary")
            return Form(tuple(_parts(body, boundary.encode("utf-8", "replace"))))
        case "application/x-www-form-urlencoded":
            pairs = parse_qsl(
                body.decode("ascii", "surrogateescape"),
                keep_blank_values=True,
                errors="surrogateescape",
                max_num_fields=MOST_FIELDS,
            )
            return Form(tuple(Field(name, value.encode("utf-8", "surrogateescape")) for name, value in pairs))
        case _:
            raise ValueError("not a form")


def _parts(body: bytes, boundary: bytes) -> Iterator[Field]:
    """Read the parts of a multipart body (RFC 2046, 5.1.1). The standard library's parser is not used: it takes a file
    that is itself a mail apart, and changes its bytes."""
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary, MOST_FIELDS + 2)
    if len(pieces) > MOST_FIELDS + 2:
        raise ValueError("too many fields")
    for piece in pieces[1:]:
        if piece.startswith(b"--"):
            return
        head, end, content = piece.partition(b"\r\n\r\n")
        if not end or len(head) > LONGEST_HEAD:
            raise ValueError("a field without an end of its headers")
        yield _field(HeaderParser().parsestr(head.decode("utf-8", "replace").lstrip()), content)
    raise ValueError("the form breaks off")


def _field(head: Message, content: bytes) -> Field:
    name = collapse_rfc2231_value(head.get_param("name", "", "content-disposition"))
    file_name = head.get_filename()
    return Field(name, content, file_name is not None, file_name or "", head.get_content_type())
