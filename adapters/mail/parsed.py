"""A mail that came in, as values. All text in here is one that no database and no header refuses: no control characters
but tab and line feed, no lone surrogates. Headers are one line each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from string import ascii_lowercase, ascii_uppercase

SMALL = str.maketrans(ascii_uppercase, ascii_lowercase)


class Unreadable(Exception):
    """Raised when nobody can make a message of the bytes of a mail. The text says why, in a sentence for an operator,
    and repeats nothing of the mail."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is known of a mail beside its bytes. `sender` is that of SMTP: empty for a bounce, None if nobody told;
    `recipients` are those of SMTP, `source` says in a word or two which way it came ("smtp", "imap", "mailgun")."""

    sender: str | None = None
    recipients: tuple[str, ...] = ()
    source: str = ""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A name and an address as a header has them. `address` is `local@domain` with the domain in lower case and in
    ASCII, or empty if there is none that mail can be sent to."""

    name: str
    address: str

    @property
    def key(self) -> str:
        """The address as addresses are compared: see `lower`."""
        return lower(self.address)


def lower(address: str) -> str:
    """Return an address in lower case, as far as it is ASCII: "K", the sign of Kelvin, is a k in lower case, and the
    address with it may be somebody else's."""
    return address.translate(SMALL)


@dataclass(frozen=True, slots=True)
class Part:
    """A file of a mail. `index` is its place among all leaves of the MIME tree, from 0; `size` is that of its decoded
    content in bytes; `name` and `media_type` are as its sender tells."""

    index: int
    name: str
    media_type: str
    size: int


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail, read. `headers` has all of each name (in lower case), in their order, decoded.

    `text` is what a person reads, all of it: the plain part, or else the HTML one made text. `message_id`,
    `in_reply_to` and `references` are in their angle brackets; `message_id` is empty if there is none that is one.
    `sender` is the first mailbox of From. `date` is aware, UTC. `digest` is the same for two deliveries of one mail,
    whatever servers added on the way: the SHA-256, in hex, of From, Reply-To, Date, Subject, Message-ID and the body.
    `forwarded` are the bytes of the first attached mail (message/rfc822), if there is one; `report` has the fields of a
    delivery report's recipients (RFC 3464: names in lower case), `returned` the headers of the mail that it is about.
    """

    headers: Mapping[str, tuple[str, ...]]
    subject: str
    sender: Mailbox
    reply_to: tuple[Mailbox, ...]
    to: tuple[Mailbox, ...]
    cc: tuple[Mailbox, ...]
    message_id: str
    in_reply_to: tuple[str, ...]
    references: tuple[str, ...]
    date: datetime | None
    media_type: str
    text: str
    digest: str
    parts: tuple[Part, ...] = ()
    forwarded: bytes = field(default=b"", repr=False)
    report: tuple[Mapping[str, str], ...] = ()
    returned: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def header(self, name: str) -> str:
        """Return the first header of this name (in lower case), or an empty text."""
        found = self.headers.get(name, ())
        return found[0] if found else ""
