"""Signed tokens in our Message-IDs and addresses: whoever brings one back had a mail of ours, and of which incident.

A token is base32 in lower case, for there are servers that fold the case of addresses, which RFC 5321, 2.4 forbids.
In it stand, one after the other: a byte for what it is and whose mail it is in, the incident's 16 bytes (or none), the
digest of the notification's key (none in a reply address), and 80 bits of HMAC-SHA256 of all that. It says nothing of
an address, so that a token is good at each domain of ours, also at those to come.
"""

import hmac
import uuid
from base64 import b32decode, b32encode
from binascii import Error
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import product
from typing import Literal, get_args

Audience = Literal["customer", "agents"]
Kind = Literal["message", "reply", "bounce"]

PURPOSE = b"firstline mail token 1\x00"  # else whatever else is signed with the same key could pass for a token
MAC = 10  # bytes: nobody sends 2^80 mails
DIGEST = 5  # bytes: enough to tell the mails of one incident apart, and an address has room for no more
DIGEST_OF_ALL = 10  # bytes, in the Message-ID of a mail of no incident
LONGEST_LOCAL_PART = 64  # RFC 5321, 4.5.3.1.1
LONGEST_TOKEN = 64

# The order is what the first byte means: it must stay.
HEADS = dict(zip(product(get_args(Kind), get_args(Audience), (False, True)), range(12), strict=True))
READ = {head: what for what, head in HEADS.items()}


@dataclass(frozen=True, slots=True)
class Sealed:
    """What a token of ours says. `incident_id` is empty for a mail of no incident, `digest` is `digest_of` the
    notification's key, or empty in a reply address."""

    incident_id: str
    audience: Audience
    kind: Kind
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Writes tokens, and reads those that were written with the same key. Raises ValueError for an empty key."""

    key: str = field(repr=False)

    def __post_init__(self) -> None:
        if not self.key:
            raise ValueError("tokens cannot be signed with an empty key")

    def message_id(self, name: str, incident_id: str, audience: Audience, domain: str) -> str:
        """Return the Message-ID, in its angle brackets, of the notification with the key `name`: the same whenever it
        is asked for. Raises ValueError if the incident's id is neither a UUID nor empty."""
        digest = _digest(name)[: _digest_size("message", incident_id)]
        return f"<{self._write('message', audience, incident_id, digest)}@{domain.lower()}>"

    def message_id_of(self, sealed: Sealed, domain: str) -> str:
        """Return the Message-ID that a mail had by what its return address says, and the domain of that; empty for a
        mail of no incident, of which an address says too little."""
        if not sealed.incident_id or not sealed.digest:
            return ""
        digest = bytes.fromhex(sealed.digest)
        return f"<{self._write('message', sealed.audience, sealed.incident_id, digest)}@{domain.lower()}>"

    def reply_address(self, address: str, incident_id: str, audience: Audience) -> str:
        """Return the address with a token after a `+`; a reply to it belongs to the incident.

        Without an incident, or if there is no room for a token, it is the address as it is. Raises ValueError as
        `message_id` does.
        """
        return _plus(address, self._write("reply", audience, incident_id)) if incident_id else address

    def bounce_address(self, address: str, name: str, incident_id: str, audience: Audience) -> str:
        """Return the address with a token that says which notification comes back to it (VERP); the address as it is
        if there is no room. Raises ValueError as `message_id` does."""
        return _plus(address, self._write("bounce", audience, incident_id, _digest(name)[:DIGEST]))

    def read_address(self, address: str) -> Sealed | None:
        """Return what the token in a bare address says, or None if there is none of ours in it. Never raises."""
        sealed = self._read(address.rpartition("@")[0].rpartition("+")[2])
        return sealed if sealed is not None and sealed.kind != "message" else None

    def read_message_id(self, message_id: str) -> Sealed | None:
        """Return what a Message-ID of ours says, or None if it is none. Never raises."""
        sealed = self._read(message_id.strip(" \t<>").rpartition("@")[0])
        return sealed if sealed is not None and sealed.kind == "message" else None

    def _write(self, kind: Kind, audience: Audience, incident_id: str, digest: bytes = b"") -> str:
        body = bytes([HEADS[kind, audience, bool(incident_id)]]) + _incident(incident_id) + digest
        return _encode(body + self._mac(body))

    def _read(self, token: str) -> Sealed | None:
        data = _decode(token)
        body, mac = data[:-MAC], data[-MAC:]
        if not body or not hmac.compare_digest(mac, self._mac(body)):
            return None
        return _open(body)

    def _mac(self, body: bytes) -> bytes:
        return hmac.digest(self.key.encode("utf-8", "surrogatepass"), PURPOSE + body, sha256)[:MAC]


def digest_of(name: str) -> str:
    """Return what tokens say of a notification: ten hex digits, made of its key."""
    return _digest(name)[:DIGEST].hex()


def _open(body: bytes) -> Sealed | None:
    """Read what was signed. It may still be None: a key outlives the programs that signed with it."""
    if body[0] not in READ:
        return None
    kind, audience, with_incident = READ[body[0]]
    incident, digest = (body[1:17], body[17:]) if with_incident else (b"", body[1:])
    if len(incident) not in (0, 16) or len(digest) != _digest_size(kind, incident):
        return None
    return Sealed(str(uuid.UUID(bytes=incident)) if incident else "", audience, kind, digest[:DIGEST].hex())


def _incident(incident_id: str) -> bytes:
    written = uuid.UUID(incident_id) if incident_id else None
    if written is None:
        return b""
    if str(written) != incident_id:
        raise ValueError("an incident's id is written in lower case, with its dashes")  # or it would not come back
    return written.bytes


def _digest_size(kind: Kind, incident: object) -> int:
    if kind == "reply":
        return 0
    return DIGEST_OF_ALL if kind == "message" and not incident else DIGEST


def _digest(name: str) -> bytes:
    return sha256(name.encode("utf-8", "surrogatepass")).digest()


def _plus(address: str, token: str) -> str:
    local, _, domain = address.rpartition("@")
    written = f"{local}+{token}"
    return f"{written}@{domain}" if len(written.encode()) <= LONGEST_LOCAL_PART else address


def _encode(data: bytes) -> str:
    return b32encode(data).decode("ascii").rstrip("=").lower()


def _decode(token: str) -> bytes:
    """Read base32 of either case; empty if it is none. Only the one way of writing it counts: the last letter has bits
    to spare, and two tokens that say the same are one too many."""
    token = token.lower() if token.isascii() else ""  # "K", the sign of Kelvin, is a k in lower case
    if not token or len(token) > LONGEST_TOKEN:
        return b""
    try:
        data = b32decode(token.upper() + "=" * (-len(token) % 8))
    except Error:
        return b""
    return data if _encode(data) == token else b""
