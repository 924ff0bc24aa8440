"""What the API is sent and what it shows: the models of its document."""

from dataclasses import replace
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from adapters.http.intake import not_blank
from bot.model import Caller, Category, Incident, IncidentDetails, NotificationView, Role, TimelineEntry

INCIDENT: dict[str, Any] = {
    "incident_id": "01a20aa6-fe10-7546-96ca-4f715fe2fe96",
    "ticket_id": "TKT-a3a103b2",
    "external_ticket_id": None,
    "customer_id": "C-1042",
    "channel": "email",
    "message": "My card was charged twice",
    "subject": "",
    "classification": "duplicate_payment",
    "confidence": 0.99,
    "reason": "charged twice",
    "classified_by": "local",
    "reviewed_by": None,
    "unsure": False,
    "priority": "normal",
    "status": "open",
    "assignee": None,
    "created_at": "2026-11-23T23:04:05.904120Z",
    "resolved_at": None,
    "resolved_by": None,
    "reminder_sent": False,
    "language": "en",
    "reporter": "shop",
    "conversation": "01a20aa6-fe10-7546-96ca-4f715fe2fe96",
    "continues": None,
    "openings": 1,
    "resolutions": 0,
    "timeline": [],
    "notifications": [],
}


class Shown(BaseModel):
    """What everybody sees of an incident who sees it at all."""

    incident_id: str = Field(validation_alias="id")
    ticket_id: str
    customer_id: str
    channel: str
    message: str
    classification: str = Field(validation_alias="category")
    confidence: float | None
    priority: Literal["urgent", "normal"]
    status: Literal["open", "resolved"]
    created_at: AwareDatetime
    resolved_at: AwareDatetime | None
    language: str
    reporter: str
    conversation: str
    continues: str | None

    model_config = ConfigDict(json_schema_extra={"examples": [INCIDENT]})

    @classmethod
    def of(cls, incident: Incident, **more: Any) -> Self:
        shown = {name: getattr(incident, name) for name in incident.__slots__}  # `asdict` takes five times as long
        return cls.model_validate({**shown, "priority": incident.priority, "unsure": incident.unsure, **more})


class ReportedOut(Shown):
    """An incident as its reporter sees it: with what was said between customer and house."""

    timeline: list[TimelineEntry]


class IncidentOut(Shown):
    """An incident as agents see it."""

    external_ticket_id: str | None
    subject: str
    reason: str
    classified_by: str
    reviewed_by: str | None
    unsure: bool
    assignee: str | None
    resolved_by: str | None
    reminder_sent: bool
    openings: int
    resolutions: int


class DetailsOut(IncidentOut):
    """An incident as agents see it, with its history."""

    timeline: list[TimelineEntry]
    notifications: list[NotificationView]


class ReceivedOut(BaseModel):
    """A message that is stored and not handled yet."""

    incident_id: str
    status: Literal["received"]
    received_at: AwareDatetime


class Stored(BaseModel):
    """The receipt for a message that will be handled. Its id is the incident's as well, if it opens one."""

    incident_id: str
    message_id: str
    status: Literal["received"]
    message: str


class Created(BaseModel):
    """The answer to a message: its id, what came of it in words, and its incident as it is now."""

    message_id: str
    message: str
    incident_id: str
    ticket_id: str
    status: Literal["open", "resolved"]
    classification: str
    confidence: float | None
    priority: Literal["urgent", "normal"]


class Done(BaseModel):
    """The answer to a change or a button. What it was about may have no incident yet: then only the first two."""

    message_id: str
    message: str
    incident_id: str | None = None
    ticket_id: str | None = None
    status: Literal["open", "resolved"] | None = None
    classification: str | None = None
    confidence: float | None = None
    priority: Literal["urgent", "normal"] | None = None


class Note(BaseModel):
    """What the customer is told."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"note": "Refunded today."}]})

    note: str = Field("", max_length=20_000, description="Why, or how. The customer is told.")


class Assignee(BaseModel):
    """Whom an incident is given to."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"to": "me"}]})

    to: str = Field("me", max_length=64, description="Whom to: a name, `me` or `nobody`.")


class Reply(BaseModel):
    """What is written to the customer."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"text": "We are on it."}]})

    text: Annotated[str, Field(min_length=1, max_length=10_000), AfterValidator(not_blank)]


class NewNote(BaseModel):
    """What agents write among themselves; longer than 2,000 characters it is cut."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"text": "The shop has confirmed it."}]})

    text: Annotated[str, Field(min_length=1, max_length=20_000), AfterValidator(not_blank)]


class Line(BaseModel):
    """A command as a person types it."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"text": "list open"}]})

    text: str = Field(min_length=1, max_length=20_000)


class Chosen(BaseModel):
    """What an incident is about."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"category": "refund_request"}]})

    category: Category


class Said(BaseModel):
    """A command's answer, for people."""

    message: str


def details(found: IncidentDetails, caller: Caller) -> DetailsOut | ReportedOut:
    """Show an incident with its history; to one who is no agent, what was said between customer and house."""
    if caller.may(Role.AGENT):
        return DetailsOut.of(found.incident, timeline=found.timeline, notifications=found.notifications)
    said = [_signed(entry) for entry in found.timeline if entry.what in ("customer", "agent", "bot")]
    return ReportedOut.of(found.incident, timeline=said)


def _signed(entry: TimelineEntry) -> TimelineEntry:
    """Keep the agents' names inside, and what a mail quotes."""
    return replace(entry, who="agent" if entry.what == "agent" else entry.who, whole="")
