"""Placeholder."""

from dataclasses import dataclass
from datetime import datetime

from adapters.mail.parsed import Mail, Mailbox


@dataclass(frozen=True, slots=True)
class Original:
    sender: Mailbox
    subject: str
    text: str
    date: datetime | None
    comment: str
    message_id: str = ""


@dataclass(frozen=True, slots=True)
class Confirmation:
    provider: str
    mailbox: str
    code: str
    link: str


def original(mail: Mail) -> Original | None:
    return None


def confirmation(mail: Mail) -> Confirmation | None:
    return None
