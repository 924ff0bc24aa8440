"""Reads well-formed mails into values, for tests of what is done with them."""

import email
from collections import defaultdict
from collections.abc import Mapping
from email.header import decode_header, make_header
from email.message import Message
from email.utils import getaddresses

from adapters.mail.parsed import Mail, Mailbox


def read(raw: bytes | str) -> Mail:
    """Read a mail; text is written with LF and in UTF-8."""
    raw = raw.encode() if isinstance(raw, str) else raw
    message = email.message_from_bytes(raw)
    headers = _headers(message)
    boxes = {name: _boxes(message.get_all(name, [])) for name in ("from", "reply-to", "to", "cc")}
    parts = [part for part in message.walk() if not part.is_multipart()]
    return Mail(
        headers=headers,
        subject="".join(headers.get("subject", ())),
        sender=(boxes["from"] or (Mailbox("", ""),))[0],
        reply_to=boxes["reply-to"],
        to=boxes["to"],
        cc=boxes["cc"],
        message_id="".join(headers.get("message-id", ())),
        in_reply_to=tuple("".join(headers.get("in-reply-to", ())).split()),
        references=tuple("".join(headers.get("references", ())).split()),
        date=None,
        media_type=message.get_content_type(),
        text="".join(_text(part) for part in parts if part.get_content_type() == "text/plain"),
        digest="",
        forwarded=_forwarded(message),
        report=tuple(_report(message)),
        returned=_returned(message),
    )


def _headers(message: Message) -> Mapping[str, tuple[str, ...]]:
    headers = defaultdict(list)
    for name, value in message.raw_items():
        written = str(value).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        headers[name.lower()].append(" ".join(str(make_header(decode_header(written))).split()))
    return {name: tuple(values) for name, values in headers.items()}


def _boxes(values: list[str]) -> tuple[Mailbox, ...]:
    found = [(name, addr.rpartition("@")) for name, addr in getaddresses(list(map(str, values))) if "@" in addr]
    return tuple(Mailbox(name, f"{local}@{domain.lower()}") for name, (local, _, domain) in found)


def _text(part: Message) -> str:
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode("utf-8", "replace").replace("\r\n", "\n")


def _parts(message: Message, media_type: str) -> list[Message]:
    return [part for part in message.walk() if part.get_content_type() == media_type]


def _forwarded(message: Message) -> bytes:
    attached = _parts(message, "message/rfc822")
    return attached[0].get_payload(0).as_bytes() if attached else b""  # type: ignore[union-attr]


def _report(message: Message) -> list[Mapping[str, str]]:
    blocks = [part.get_payload() for part in _parts(message, "message/delivery-status")]
    found = [dict(_fields(block)) for payload in blocks for block in payload if isinstance(block, Message)]  # type: ignore[union-attr]
    return [fields for fields in found if "final-recipient" in fields]


def _fields(block: Message) -> list[tuple[str, str]]:
    return [(name.lower(), " ".join(str(value).split())) for name, value in block.items()]


def _returned(message: Message) -> Mapping[str, tuple[str, ...]]:
    copies = [part.get_payload(0) for part in _parts(message, "message/rfc822")]
    headers = [email.message_from_string(_text(part)) for part in _parts(message, "text/rfc822-headers")]
    found = [copy for copy in (*copies, *headers) if isinstance(copy, Message)]
    return _headers(found[0]) if found and message.get_content_type() == "multipart/report" else {}
