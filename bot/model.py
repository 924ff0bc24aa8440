"""The values that flow through Firstline. All are frozen; none holds anything live, so each can be stored."""

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

_CONTROL = dict.fromkeys([*range(0x20), 0x7F, *range(0x80, 0xA0), *range(0xD800, 0xE000), 0x2028, 0x2029])
_CONTROL.update({ord("\n"): "\n", ord("\t"): "\t", 0x2028: "\n", 0x2029: "\n"})

_SEPARATORS = str.maketrans('/\\:*?"<>|', "_________")
"""What no name of a file may hold, on some system."""


def tidy(text: str) -> str:
    """Drop what no person typed: control characters (but for tab and line feed), lone surrogates, white space at both
    ends. No database has to refuse what is left."""
    return text.replace("\r\n", "\n").replace("\r", "\n").translate(_CONTROL).strip()


LONGEST_FILE_NAME = 200


def file_name(written: str) -> str:
    """Make of what a sender calls a file a name of one line that is no path, and reads in the order in which it is
    written: no control or direction characters (UAX #9: an `exe` could end in `fdp` turned around). The ending stays
    when it is cut."""
    shown = "".join(char for char in tidy(written) if unicodedata.category(char) not in ("Cf", "Co", "Cn"))
    name = " ".join(shown.translate(_SEPARATORS).split()).lstrip("._ ") or "file"
    if len(name) <= LONGEST_FILE_NAME:
        return name
    stem, dot, ending = name.rpartition(".")
    kept = f"{dot}{ending}" if stem and len(ending) <= 16 else ""
    return f"{name[: LONGEST_FILE_NAME - len(kept) - 1]}…{kept}"


class Category(StrEnum):
    """What an incident is about. The root cause beats the remedy: "charged twice, refund me" is a duplicate payment."""

    DUPLICATE_PAYMENT = "duplicate_payment"
    FAILED_PAYMENT = "failed_payment"
    FRAUD_REPORT = "fraud_report"
    REFUND_REQUEST = "refund_request"
    ACCOUNT_LOCKED = "account_locked"
    STATEMENT_ERROR = "statement_error"
    OTHER = "other"


URGENCY = {Category.OTHER: 0, Category.FRAUD_REPORT: 2, Category.ACCOUNT_LOCKED: 2}
"""How urgent each category is; those that are not named: 1."""


SURE = 0.8
"""A classifier's word counts from this confidence on; below it a person confirms or changes it. At 0.6 one of 28 short
harmless answers ("I did that already") was a fraud report to the local model."""


def urgency(category: Category) -> int:
    """Return 2 for what agents are told of at once, 0 for what nobody could name, 1 for all else."""
    return URGENCY.get(category, 1)


class NoticeKind(StrEnum):
    """Why we write to somebody: to the customer, and from ALERT on to the agents."""

    ACKNOWLEDGEMENT = "acknowledgement"
    ADDED = "added"
    REMINDER = "reminder"
    RESOLVED = "resolved"
    REOPENED = "reopened"
    REPLY = "reply"
    FILES_REFUSED = "files_refused"
    CODE = "code"  # proves a mail address; of no incident
    ALERT = "alert"
    AGENT_REMINDER = "agent_reminder"
    ESCALATION = "escalation"
    CARD = "card"  # an incident as it stands, on a board; each replaces the one before it
    ENTRY = "entry"  # a line of its timeline, under the card
    NEWS = "news"  # what operators must see to; mostly of no incident


TO_AGENTS = frozenset(
    {
        NoticeKind.ALERT,
        NoticeKind.AGENT_REMINDER,
        NoticeKind.ESCALATION,
        NoticeKind.CARD,
        NoticeKind.ENTRY,
        NoticeKind.NEWS,
    }
)
"""What agents are written; all else is for customers."""

TO_CUSTOMERS = frozenset(
    {
        NoticeKind.ACKNOWLEDGEMENT,
        NoticeKind.ADDED,
        NoticeKind.REMINDER,
        NoticeKind.RESOLVED,
        NoticeKind.REOPENED,
        NoticeKind.REPLY,
        NoticeKind.FILES_REFUSED,
    }
)
"""What we write to a customer about an incident of theirs."""


class MessageKind(StrEnum):
    """What a delivery is: a message, a new text for one, the end of one, a button that was pressed, or the report that
    a text of ours did not arrive."""

    NEW = "new"
    EDIT = "edit"
    DELETE = "delete"
    ACTION = "action"
    BOUNCE = "bounce"


class Proof(StrEnum):
    """What shows that somebody may write into a conversation."""

    PLACE = "place"  # being there: the platform lets nobody write in a chat who does not belong to it
    SENDER = "sender"  # who wrote is proven; whether they take part is to be seen
    NONE = "none"  # who wrote is only claimed


class Role(StrEnum):
    """What a caller may do; each may do what those before it may."""

    CUSTOMER = "customer"
    REPORTER = "reporter"
    AGENT = "agent"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks for something, as the channel proves it. `name` goes into the audit trail. `customer` is, for a
    customer, the channel and the identity there by which they are known; `language` is theirs, if the channel tells it
    (ISO 639-1)."""

    name: str
    role: Role
    customer: "Address | None" = None
    language: str = ""

    def may(self, role: Role) -> bool:
        """Whether this role, or a higher one, is the caller's."""
        ranks = list(Role)
        return ranks.index(self.role) >= ranks.index(role)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a text can be put. `key` is opaque outside the adapter of `channel` (a mail address, a phone number in
    E.164 form, a Slack thread)."""

    channel: str
    key: str

    def __str__(self) -> str:
        return f"{self.channel}:{self.key}"


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that comes with a message. `media_type` and `size` (bytes; None: not known) are as its sender tells, and
    nobody trusts them; `ref` is how its channel gets it, opaque outside the adapter, and holds no secret."""

    name: str
    media_type: str
    size: int | None
    ref: str


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a channel got for a `ref`. `media_type` is as told by the other side."""

    content: bytes
    media_type: str = ""


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """What somebody wrote, once, translated from its platform.

    `channel` is where it arrived and `external_id` the platform's id of it: the two together are unique for ever.
    Without an external id (empty) no repetition can be recognised; without a `lane` it has one of its own: otherwise
    `lane` names the chat whose messages are handled in order. `answer_on` is the channel on which the customer wants
    the answer, `addresses` is where we may write to them (claimed, not proven). `fingerprint` tells two bodies under
    one external id apart; empty where the platform cannot send such.

    `about` is, for an edit or a deletion, the external id of the message that it is about; an action has its name as
    text. `thread` and `refers_to` are what routing goes by: the conversation that it stands in, and the ids on its
    channel that it refers to, the nearest first. In a `private` chat a message outside any thread joins what is open;
    `fresh` says that it is another problem. `automatic` is machine mail. `written_at` is the platform's time of it.
    `proven` are addresses that the channel itself vouches for; `reporter` is the caller of the API who brought it.
    `attachments` are its files.

    `proof` says what shows that its sender may write where it leads, and `entitled_to` is the incident that a signed
    token of ours in it names: that is authority by itself. `ticket` is the number of a ticket that it mentions where
    such numbers stand. `text` is what was really written; `whole` is all of it, if that is more (history, signatures).
    `subject` is the one that it came with, `copied` who else got it, `forwarded_by` the agent who brought it by hand,
    `admitted_by` the person who let it in after it was quarantined. A bounce has in `about` which text did not
    arrive (how the SHA-256 of its key begins, in hex), in `text` the reason, and is `permanent` or not; `again` says
    that its sender has another way for that text, and takes it next time it is sent.
    """

    channel: str
    external_id: str
    lane: str
    customer_id: str
    text: str
    answer_on: str
    addresses: tuple[Address, ...] = ()
    fingerprint: str = ""
    kind: MessageKind = MessageKind.NEW
    about: str = ""
    thread: str = ""
    refers_to: tuple[str, ...] = ()
    private: bool = False
    fresh: bool = False
    automatic: bool = False
    written_at: datetime | None = None
    proven: tuple[Address, ...] = ()
    reporter: str = ""
    attachments: tuple[Attachment, ...] = ()
    proof: Proof = Proof.PLACE
    entitled_to: str = ""
    ticket: str = ""
    subject: str = ""
    whole: str = ""
    copied: tuple[Address, ...] = ()
    forwarded_by: str = ""
    admitted_by: str = ""
    permanent: bool = False
    muted: bool = False
    again: bool = False

    @property
    def identity(self) -> Address:
        """Who wrote it, as far as the channel proves it. Two callers of the API may use one name for two customers;
        and whoever is only claimed to have written is not who has proven it."""
        if self.proof is Proof.NONE:
            return Address(self.channel, claimed(self.customer_id))
        return Address(self.channel, f"{self.reporter}:{self.customer_id}" if self.reporter else self.customer_id)

    @property
    def unanswered(self) -> bool:
        """Whether nothing is said to its sender by itself: to a machine, or to what may be one."""
        return self.automatic or self.muted

    @property
    def is_about(self) -> str:
        """The external id of the message that this one is, or changes."""
        return self.about or self.external_id

    def to_json(self) -> dict[str, Any]:
        """Written out by hand: this is the hot path, and `asdict` is ten times slower. What is seldom set is left
        out."""
        data: dict[str, Any] = {
            "channel": self.channel,
            "external_id": self.external_id,
            "lane": self.lane,
            "customer_id": self.customer_id,
            "text": self.text,
            "answer_on": self.answer_on,
            "addresses": addresses_to_json(self.addresses),
            "fingerprint": self.fingerprint,
            "reporter": self.reporter,
        }
        seldom = (self.kind, self.about, self.thread, self.refers_to, self.private, self.fresh, self.automatic)
        if seldom != _USUAL:
            data.update(zip(_SELDOM, seldom, strict=True))
        if self.written_at is not None:
            data["written_at"] = self.written_at.isoformat()
        if self.proven:
            data["proven"] = addresses_to_json(self.proven)
        if self.attachments:
            data["attachments"] = [asdict(file) for file in self.attachments]
        if self.proof is not Proof.PLACE:
            data.update((name, getattr(self, name)) for name in _OF_MAIL)
            data["copied"] = addresses_to_json(self.copied)
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "InboundMessage":
        values = dict(data)
        values["addresses"] = addresses_from_json(values["addresses"])
        values["proven"] = addresses_from_json(values.get("proven", ()))
        values["refers_to"] = tuple(values.get("refers_to", ()))
        values["kind"] = MessageKind(values.get("kind", MessageKind.NEW))
        values["proof"] = Proof(values.get("proof", Proof.PLACE))
        values["copied"] = addresses_from_json(values.get("copied", ()))
        if "attachments" in values:
            values["attachments"] = tuple(Attachment(**file) for file in values["attachments"])
        if "written_at" in values:
            values["written_at"] = datetime.fromisoformat(values["written_at"])
        return cls(**values)


_SELDOM = ("kind", "about", "thread", "refers_to", "private", "fresh", "automatic")
_USUAL = (MessageKind.NEW, "", "", (), False, False, False)
_OF_MAIL = ("proof", "entitled_to", "ticket", "subject", "whole", "forwarded_by", "admitted_by", "permanent", "again")


def claimed(name: str) -> str:
    """Name who is only claimed to have written: no proven name has a space in it."""
    return f"claimed {name}"


def addresses_to_json(addresses: Iterable[Address]) -> list[dict[str, str]]:
    return [{"channel": to.channel, "key": to.key} for to in addresses]


def addresses_from_json(data: Iterable[Mapping[str, str]]) -> tuple[Address, ...]:
    return tuple(Address(to["channel"], to["key"]) for to in data)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The receipt for a message that is committed. `fingerprint` is that of the first delivery."""

    incident_id: str
    duplicate: bool
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Classification:
    """A classifier's answer. `confidence` is between 0 and 1, or None if nobody could say; it is never made up.
    `thanks`: the text says thank you and nothing else, as far as this classifier can tell. `missed`: a better one
    was to be asked, and did not answer."""

    category: Category
    confidence: float | None
    reason: str
    classified_by: str
    thanks: bool = False
    missed: bool = False


@dataclass(frozen=True, slots=True)
class Incident:
    """One customer problem, as it stood when it was read.

    `conversation` is the id of the first incident of its conversation, `continues` that of the one before it.
    `addresses` is where its customer may be written to. `openings` and `resolutions` count how often it was opened and
    resolved, `last_opened_at` is the last of the former; `touched_at` is when an agent first acted on it,
    `reviewed_by` the person who has confirmed or changed its category.
    """

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
    language: str = "en"
    addresses: tuple[Address, ...] = ()
    reporter: str = ""
    conversation: str = ""
    continues: str | None = None
    openings: int = 1
    resolutions: int = 0
    last_opened_at: datetime | None = None
    touched_at: datetime | None = None
    identity_id: int | None = None
    reviewed_by: str | None = None
    subject: str = ""

    @property
    def unsure(self) -> bool:
        """Whether a person should confirm or change the category: none has, and no classifier was sure of it."""
        return self.reviewed_by is None and (self.confidence is None or self.confidence < SURE)

    @property
    def priority(self) -> str:
        """`urgent` or `normal`."""
        return "urgent" if urgency(self.category) == 2 else "normal"

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
            language=row["language"],
            addresses=addresses_from_json(row["addresses"]),
            reporter=row["reporter"],
            conversation=row["conversation"],
            continues=row["continues"],
            openings=row["openings"],
            resolutions=row["resolutions"],
            last_opened_at=row["last_opened_at"],
            touched_at=row["touched_at"],
            identity_id=row["identity"],
            reviewed_by=row["reviewed_by"],
            subject=row["subject"],
        )


@dataclass(frozen=True, slots=True)
class Action:
    """What the reader of a notice can do at once: a button, or a link where there are no buttons."""

    name: str
    label: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Pressed:
    """What somebody asks for by a link. `turn` is which opening or resolution of the incident it was written for."""

    incident_id: str
    action: str
    turn: int


@dataclass(frozen=True, slots=True)
class Page:
    """What the follower of a link is asked. `button` is the answer that they are about to give."""

    ticket_id: str
    question: str
    button: str
    language: str


@dataclass(frozen=True, slots=True)
class Notice:
    """One text that we owe to one address, as data; each sender renders it in its own idiom. Without an incident its
    ids are empty.

    `key` is unique and stays the same however often the text is sent, so that a receiver can spot a repetition.
    The parts are plain text without mark-up, in the customer's language: `facts` are (label, value) pairs, `quote` is
    the customer's own text (data, never mark-up). `text` is all of it, for a channel that shows no more than text;
    `brief` is what it says beyond what the reader knows. `answers` is the external id of the message that it answers,
    if it answers a certain one; `references` are the ids, on its channel, of the texts before it in its thread, the
    oldest first, for those that thread by them; `topic` is the subject that the customer gave their own message.
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
    actions: tuple[Action, ...] = ()
    answers: str = ""
    references: tuple[str, ...] = ()
    topic: str = ""

    @property
    def text(self) -> str:
        facts = "\n".join(f"{label}: {value}" for label, value in self.facts)
        quote = "\n".join(f"> {line}" for line in self.quote.splitlines())
        links = "\n".join(f"{action.label}: {action.url}" for action in self.actions if action.url)
        return "\n\n".join(part for part in (self.greeting, self.lead, facts, quote, self.closing, links) if part)

    @property
    def brief(self) -> str:
        return " ".join(part for part in (self.lead, self.closing) if part)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Notice":
        facts = tuple((label, value) for label, value in data["facts"])
        actions = tuple(Action(**action) for action in data.get("actions", ()))
        read = {"kind": NoticeKind(data["kind"]), "facts": facts, "actions": actions}
        return cls(**{**data, **read, "references": tuple(data.get("references", ()))})


@dataclass(frozen=True, slots=True)
class Sent:
    """A sender's receipt. `provider_id` is the other side's name for what we sent (mail: the Message-ID)."""

    provider_id: str


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One line of an incident's history, for people. `whole` is all that was sent, if that is more than the text."""

    at: datetime
    who: str
    what: str
    text: str = ""
    edited: bool = False
    whole: str = ""


@dataclass(frozen=True, slots=True)
class NotificationView:
    """A notification as people see it. `delivery` is what its platform says became of it after it was sent: `sent`,
    `delivered`, `read`, `undelivered`, `failed`; None where none says so."""

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
    delivery: str | None = None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Something that came in and of which no message could be made; `size` in bytes, `reason` for people."""

    number: int
    external_id: str
    size: int
    reason: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class FileView:
    """A file as people see it. `state`: `new` (not here yet), `kept`, `refused`, `expired`; `reason` is why it is not
    here. `media_type` is, once it is kept, what its bytes say."""

    id: int
    name: str
    media_type: str
    size: int | None
    state: str
    reason: str | None
    created_at: datetime
    kept_at: datetime | None


@dataclass(frozen=True, slots=True)
class IncidentDetails:
    """An incident with everything that happened to it. `customer` is the id of whose it is."""

    incident: Incident
    timeline: tuple[TimelineEntry, ...] = field(default=())
    notifications: tuple[NotificationView, ...] = field(default=())
    customer: str = ""
    files: tuple[FileView, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class IncidentFilter:
    """Which incidents are meant; what is None does not matter. `assignee` is empty for those of nobody; `created_from`
    is included, `created_to` is not; `text` is what is searched for."""

    status: str | None = None
    category: str | None = None
    channel: str | None = None
    assignee: str | None = None
    priority: str | None = None
    unsure: bool | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class IncidentPage:
    """Some incidents, and what to ask for the next ones with; None: there are no more."""

    incidents: list[Incident]
    next: str | None


@dataclass(frozen=True, slots=True)
class Event:
    """A line of the audit trail: who did what, and what it was before and after."""

    id: int
    at: datetime
    actor: str
    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class EventPage:
    """Some lines of the audit trail, and what to ask for the next ones with; None: there are no more."""

    events: list[Event]
    next: str | None


@dataclass(frozen=True, slots=True)
class Kept:
    """The answer to a request, as it is given again to a repetition. `headers` are those that belong to its body."""

    status: int
    headers: Mapping[str, str]
    body: str


@dataclass(frozen=True, slots=True)
class Workload:
    """What an agent has before them: the open incidents that are assigned to them and (`others`) those that are not,
    the first few of each; urgent ones first, then the oldest. The numbers count all that are open, the urgent ones
    among them, and the agent's own."""

    own: tuple[Incident, ...]
    others: tuple[Incident, ...]
    number_open: int
    number_urgent: int
    number_own: int


@dataclass(frozen=True, slots=True)
class Received:
    """A message that is accepted and not handled yet, under the id that its incident will get if it opens one. `lane`
    is the chat whose messages wait behind it."""

    incident_id: str
    received_at: datetime
    lane: str = ""
    reporter: str = ""
    customer_id: str = ""


@dataclass(frozen=True, slots=True)
class Switch:
    """One part of Firstline and whether it is on, for people: what it does now, and what would turn it on."""

    name: str
    on: bool
    says: str
