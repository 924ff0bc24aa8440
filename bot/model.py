"""The values that flow through Firstline. All are frozen; none holds anything live, so each can be stored."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

_CONTROL = dict.fromkeys([*range(0x20), 0x7F, *range(0x80, 0xA0), *range(0xD800, 0xE000), 0x2028, 0x2029])
_CONTROL.update({ord("\n"): "\n", ord("\t"): "\t", 0x2028: "\n", 0x2029: "\n"})


def tidy(text: str) -> str:
    """Drop what no person typed: control characters (but for tab and line feed), lone surrogates, white space at both
    ends. No database has to refuse what is left."""
    return text.replace("\r\n", "\n").replace("\r", "\n").translate(_CONTROL).strip()


class Category(StrEnum):
    """What an incident is about. The root cause beats the remedy: "charged twice, refund me" is a duplicate payment."""

    DUPLICATE_PAYMENT = "duplicate_payment"
    FAILED_PAYMENT = "failed_payment"
    FRAUD_REPORT = "fraud_report"
    REFUND_REQUEST = "refund_request"
    ACCOUNT_LOCKED = "account_locked"
    STATEMENT_ERROR = "statement_error"
    OTHER = "other"


class NoticeKind(StrEnum):
    """Why we write to somebody."""

    ACKNOWLEDGEMENT = "acknowledgement"
    REMINDER = "reminder"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a text can be put. `key` is opaque outside the adapter of `channel` (a mail address, a phone number in
    E.164 form, a Slack thread)."""

    channel: str
    key: str

    def __str__(self) -> str:
        return f"{self.channel}:{self.key}"


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """What somebody wrote, once, translated from its platform.

    `channel` is where it arrived and `external_id` the platform's id of it: the two together are unique for ever.
    Without an external id (empty) no repetition can be recognised; without a `lane` it has one of its own: otherwise
    `lane` names the chat whose messages are handled in order. `answer_on` is the channel on which the customer wants
    the answer, `addresses` is where we may write to them (claimed, not proven). `fingerprint` tells two bodies under
    one external id apart; empty where the platform cannot send such.
    """

    channel: str
    external_id: str
    lane: str
    customer_id: str
    text: str
    answer_on: str
    addresses: tuple[Address, ...] = ()
    fingerprint: str = ""

    def to_json(self) -> dict[str, Any]:
        """Written out by hand: this is the hot path, and `asdict` is ten times slower."""
        return {
            "channel": self.channel,
            "external_id": self.external_id,
            "lane": self.lane,
            "customer_id": self.customer_id,
            "text": self.text,
            "answer_on": self.answer_on,
            "addresses": [{"channel": to.channel, "key": to.key} for to in self.addresses],
            "fingerprint": self.fingerprint,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "InboundMessage":
        return cls(**{**data, "addresses": tuple(Address(**address) for address in data["addresses"])})


@dataclass(frozen=True, slots=True)
class Accepted:
    """The receipt for a message that is committed. `fingerprint` is that of the first delivery."""

    incident_id: str
    duplicate: bool
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Classification:
    """A classifier's answer. `confidence` is between 0 and 1, or None if nobody could say; it is never made up."""

    category: Category
    confidence: float | None
    reason: str
    classified_by: str


@dataclass(frozen=True, slots=True)
class Incident:
    """One customer problem, as it stood when it was read."""

    id: str
    ticket_id: str
    external_ticket_id: str | None
    customer_id: str
    channel: str
    message: str
    category: Category
    confidence: float | None
    reason: str
    classified_by: str
    status: str
    created_at: datetime
    assignee: str | None = None
    resolved_at: datetime | None = None
    resolved_by: str | None = None
    reminder_sent: bool = False

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "Incident":
        """Read a row of `incidents`; the one place where columns become fields."""
        return cls(
            id=row["id"],
            ticket_id=row["ticket_id"],
            external_ticket_id=row["external_ticket_id"],
            customer_id=row["customer_id"],
            channel=row["channel"],
            message=row["message"],
            category=Category(row["classification"]),
            confidence=row["confidence"],
            reason=row["reason"],
            classified_by=row["classified_by"],
            status=row["status"],
            created_at=row["created_at"],
            assignee=row["assignee"],
            resolved_at=row["resolved_at"],
            resolved_by=row["resolved_by"],
            reminder_sent=bool(row["reminder_sent"]),
        )


@dataclass(frozen=True, slots=True)
class Notice:
    """One text that we owe to one address, as data; each sender renders it in its own idiom.

    `key` is unique and stays the same however often the text is sent, so that a receiver can spot a repetition.
    The parts are plain text without mark-up, in the customer's language: `facts` are (label, value) pairs, `quote` is
    the customer's own text (data, never mark-up). `text` is all of it, for a channel that shows no more than text.
    """

    key: str
    kind: NoticeKind
    incident_id: str
    ticket_id: str
    subject: str
    greeting: str
    lead: str
    facts: tuple[tuple[str, str], ...]
    quote: str
    closing: str
    language: str = "en"

    @property
    def text(self) -> str:
        facts = "\n".join(f"{label}: {value}" for label, value in self.facts)
        quote = "\n".join(f"> {line}" for line in self.quote.splitlines())
        return "\n\n".join(part for part in (self.greeting, self.lead, facts, quote, self.closing) if part)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Notice":
        facts = tuple((label, value) for label, value in data["facts"])
        return cls(**{**data, "kind": NoticeKind(data["kind"]), "facts": facts})


@dataclass(frozen=True, slots=True)
class Sent:
    """A sender's receipt. `provider_id` is the other side's name for what we sent (mail: the Message-ID)."""

    provider_id: str


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One line of an incident's history, for people."""

    at: datetime
    who: str
    what: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class NotificationView:
    """A notification as people see it."""

    id: int
    channel: str
    recipient: str
    kind: str
    status: str
    attempts: int
    error: str | None
    provider_id: str | None
    created_at: datetime
    sent_at: datetime | None


@dataclass(frozen=True, slots=True)
class IncidentDetails:
    """An incident with everything that happened to it."""

    incident: Incident
    timeline: tuple[TimelineEntry, ...] = field(default=())
    notifications: tuple[NotificationView, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Received:
    """A message that is accepted and not handled yet, under the id that its incident will get if it opens one."""

    incident_id: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Switch:
    """One part of Firstline and whether it is on, for people: what it does now, and what would turn it on."""

    name: str
    on: bool
    says: str
