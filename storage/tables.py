"""The tables. A row is waiting for somebody as long as its `due_at` is set; that is the one rule of all three queues
(inbox, notifications, jobs) and of the follow-ups."""

import json
from datetime import UTC, datetime
from typing import Any

from peewee import (
    AutoField,
    BigIntegerField,
    BlobField,
    BooleanField,
    DoubleField,
    Field,
    ForeignKeyField,
    IntegerField,
    Model,
    TextField,
)

from storage.database import database


def utc_text(moment: datetime) -> str:
    """Write an aware datetime as ISO 8601 in UTC, always 27 characters long, so that text compares as time does."""
    if moment.tzinfo is None:
        raise ValueError("a naive datetime: which zone is it in?")
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def from_utc_text(value: "str | datetime") -> datetime:
    """Read what `utc_text` wrote, or what PostgreSQL makes of it."""
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return moment.astimezone(UTC)


class UTCDateTimeField(Field):
    """An aware UTC datetime: readable text in SQLite, `timestamptz` in PostgreSQL."""

    field_type = "TIMESTAMPTZ"

    def db_value(self, value: datetime | None) -> str | None:
        return None if value is None else utc_text(value)

    def python_value(self, value: Any) -> datetime | None:
        return None if value is None else from_utc_text(value)


class JSONTextField(TextField):
    """A JSON value, kept as text on both databases."""

    def db_value(self, value: Any) -> str | None:
        return None if value is None else json.dumps(value, ensure_ascii=False)

    def python_value(self, value: Any) -> Any:
        return None if value is None else json.loads(value)


class Table(Model):
    class Meta:
        database = database
        legacy_table_names = False


class Counted(Table):
    """A table with a number of its own for each row, given in the order of insertion."""

    id = AutoField()


class Customer(Table):
    """A person who writes to us, by whatever channel. `merged_into` is who they turned out to be."""

    id = TextField(primary_key=True)
    created_at = UTCDateTimeField()
    merged_into = TextField(null=True)
    forgotten_at = UTCDateTimeField(null=True)

    class Meta:
        table_name = "customers"


class Identity(Counted):
    """What a channel proves about who writes."""

    channel = TextField()
    external_id = TextField()
    customer = ForeignKeyField(Customer, index=True)
    first_seen_at = UTCDateTimeField()
    email = TextField(null=True)  # the proven address at which they want our texts as well

    class Meta:
        table_name = "identities"
        indexes = ((("channel", "external_id"), True),)


class Incident(Table):
    id = TextField(primary_key=True)
    number = BigIntegerField(null=True, unique=True)  # its place in every list: see storage/search.py
    customer_id = TextField(index=True)
    channel = TextField()
    message = TextField()
    classification = TextField()
    confidence = DoubleField(null=True)
    reason = TextField()
    classified_by = TextField()
    ticket_id = TextField(unique=True)
    external_ticket_id = TextField(null=True)
    status = TextField()
    assignee = TextField(null=True)
    created_at = UTCDateTimeField(index=True)
    resolved_at = UTCDateTimeField(null=True)
    resolved_by = TextField(null=True)
    reminder_sent = BooleanField(default=False)
    identity = ForeignKeyField(Identity, null=True, index=True)
    reporter = TextField(default="")
    conversation = TextField()  # the id of its first incident; at most one of them is open
    chat = TextField(default="")  # the lane of the private chat in which it was opened
    continues = TextField(null=True)
    addresses = JSONTextField(default=())
    language = TextField(default="en")
    openings = IntegerField(default=1)
    resolutions = IntegerField(default=0)
    last_opened_at = UTCDateTimeField()
    touched_at = UTCDateTimeField(null=True)
    reviewed_by = TextField(null=True)  # the person who has confirmed or changed the category
    subject = TextField(default="")  # that of its first message

    class Meta:
        table_name = "incidents"


class Message(Counted):
    """The timeline: what was said, by whom."""

    incident = ForeignKeyField(Incident, index=True)
    channel = TextField()
    external_id = TextField()
    direction = TextField()  # customer, agent, bot, note
    author = TextField()
    text = TextField()
    created_at = UTCDateTimeField()
    identity = ForeignKeyField(Identity, null=True, index=True)
    written_at = UTCDateTimeField()  # by the platform's clock; the timeline is ordered by it
    edited_at = UTCDateTimeField(null=True)
    deleted_at = UTCDateTimeField(null=True)
    whole = TextField(null=True)  # all that was sent, if that is more than the text

    class Meta:
        table_name = "messages"
        indexes = ((("channel", "external_id"), True),)


class Revision(Counted):
    """A text that a message had at a time, or its deletion. It may be known before the message is."""

    channel = TextField()
    external_id = TextField()
    text = TextField()
    deleted = BooleanField(default=False)
    written_at = UTCDateTimeField()

    class Meta:
        table_name = "revisions"
        indexes = ((("channel", "external_id"), False),)


class Alias(Counted):
    """An address, or the id of a message in or out, and the conversation that it belongs to."""

    channel = TextField()
    key = TextField()
    conversation = TextField(index=True)

    class Meta:
        table_name = "conversations"
        indexes = ((("channel", "key"), True),)


class Rating(Counted):
    """The customer's answer to the one question that we ask after a resolution."""

    incident = ForeignKeyField(Incident)
    resolution = IntegerField()
    score = IntegerField()
    rated_at = UTCDateTimeField()

    class Meta:
        table_name = "ratings"
        indexes = ((("incident", "resolution"), True),)


class Event(Counted):
    """The audit trail: who did what, when, and what it was before and after."""

    incident = ForeignKeyField(Incident, null=True, index=True)
    at = UTCDateTimeField()
    actor = TextField()
    name = TextField()
    before = TextField(null=True)
    after = TextField(null=True)
    customer = TextField(null=True)

    class Meta:
        table_name = "events"


class Review(Counted):
    """What a person has said an incident is about. `text`, `predicted`, `confidence` and `classified_by` are as they
    were when the first person said so."""

    incident = ForeignKeyField(Incident, unique=True)
    text = TextField()
    predicted = TextField()
    confidence = DoubleField(null=True)
    classified_by = TextField()
    decided = TextField()
    decided_by = TextField()
    decided_at = UTCDateTimeField()

    class Meta:
        table_name = "reviews"


class InboxMessage(Counted):
    """A message that is accepted: committed, masked, and the job of handling it."""

    channel = TextField()
    external_id = TextField()
    incident_id = TextField(unique=True)
    lane = TextField()
    payload = JSONTextField()
    fingerprint = TextField(default="")
    received_at = UTCDateTimeField()
    state = TextField(default="new")  # new, done, dead, quarantined
    due_at = UTCDateTimeField(null=True)
    attempts = IntegerField(default=0)
    error = TextField(null=True)
    outcome = JSONTextField(null=True)
    quarantined_on = TextField(null=True)  # the incident that it would join, if a person lets it
    trace = TextField(null=True)

    class Meta:
        table_name = "inbox"
        indexes = ((("channel", "external_id"), True),)


class Notification(Counted):
    """A text that we owe to an address, and the job of sending it. `booked`: the names in `paces` for which it has a
    time of its own, which is `due_at`."""

    incident = ForeignKeyField(Incident, null=True, index=True)
    channel = TextField()
    recipient = TextField()
    kind = TextField()
    message = TextField()
    notice = JSONTextField()
    dedupe = TextField(unique=True)
    lane = TextField()
    status = TextField(default="pending")  # sending, sent, simulated, failed, uncertain, cancelled
    due_at = UTCDateTimeField(null=True)
    attempts = IntegerField(default=0)
    repeats = IntegerField(default=0)
    error = TextField(null=True)
    provider_id = TextField(null=True)
    created_at = UTCDateTimeField()
    sent_at = UTCDateTimeField(null=True)
    booked = JSONTextField(default=())
    trace = TextField(null=True)
    delivery = TextField(null=True)  # what its platform says became of it after it was sent

    class Meta:
        table_name = "notifications"


class Pace(Table):
    """How fast may be sent in one name (a bot, a chat)."""

    key = TextField(primary_key=True)
    next_at = UTCDateTimeField()
    booked_until = UTCDateTimeField()

    class Meta:
        table_name = "paces"


class Unreachable(Counted):
    """An address at which we are blocked."""

    channel = TextField()
    key = TextField()
    since = UTCDateTimeField()
    reason = TextField()

    class Meta:
        table_name = "unreachable"
        indexes = ((("channel", "key"), True),)


class Code(Counted):
    """A code that was sent to a mail address, to see whether it is its asker's; never the code itself."""

    identity = ForeignKeyField(Identity, index=True)
    email = TextField()
    salt = TextField()
    digest = TextField()
    wrong = IntegerField(default=0)
    created_at = UTCDateTimeField()
    used_at = UTCDateTimeField(null=True)

    class Meta:
        table_name = "codes"


class FollowUp(Counted):
    """A look at an incident, due some time after it was opened: to remind, or to escalate."""

    kind = TextField(default="reminder")  # escalation
    incident = ForeignKeyField(Incident, index=True)
    opened_at = UTCDateTimeField()
    due_at = UTCDateTimeField(null=True)
    state = TextField(default="waiting")  # reminded, escalated, nothing_to_do, cancelled
    done_at = UTCDateTimeField(null=True)

    class Meta:
        table_name = "follow_ups"


class Lane(Table):
    """Work that must happen in order, and who is doing it. A lane without work has no row."""

    key = TextField(primary_key=True)
    due_at = UTCDateTimeField(index=True)
    lease_until = UTCDateTimeField(null=True)
    owner = TextField(null=True)

    class Meta:
        table_name = "lanes"


class Job(Counted):
    """Work that has no row of its own."""

    lane = TextField()
    kind = TextField()
    payload = JSONTextField()
    dedupe = TextField(unique=True)
    state = TextField(default="new")  # new, done, dead
    due_at = UTCDateTimeField(null=True)
    attempts = IntegerField(default=0)
    error = TextField(null=True)
    created_at = UTCDateTimeField()
    trace = TextField(null=True)

    class Meta:
        table_name = "jobs"


class Attachment(Counted):
    """A file that came with a customer's message. `media_type` is as told by its channel, and, once it is kept, what
    its bytes say. `ref` is how its channel gets it. `refusal` is why it was not taken, in one word for the customer;
    `reason` is the same for agents; `told_at` is when the customer was told."""

    incident = ForeignKeyField(Incident, index=True)
    channel = TextField()
    external_id = TextField()
    name = TextField()
    media_type = TextField(default="")
    size = BigIntegerField(null=True)
    ref = TextField(default="")
    content = BlobField(null=True)  # sealed; null until it is kept, and when it has expired
    state = TextField(default="new")  # kept, refused, expired
    refusal = TextField(null=True)
    reason = TextField(null=True)
    told_at = UTCDateTimeField(null=True)
    created_at = UTCDateTimeField()
    kept_at = UTCDateTimeField(null=True)

    class Meta:
        table_name = "attachments"


class Original(Counted):
    """What a message was made of, as it came. One of which no message could be made is `dead`, and waits for a
    person."""

    channel = TextField()
    external_id = TextField()
    content = BlobField(null=True)  # compressed, and sealed; null when its time is over
    size = BigIntegerField()
    state = TextField(default="kept")  # dead, expired
    reason = TextField(null=True)
    received_at = UTCDateTimeField()

    class Meta:
        table_name = "originals"
        indexes = ((("channel", "external_id"), True),)


class Participant(Counted):
    """Somebody beside its customer who takes part in an incident: who got a copy of a message of theirs."""

    incident = ForeignKeyField(Incident)
    channel = TextField()
    key = TextField()

    class Meta:
        table_name = "participants"
        indexes = ((("incident", "channel", "key"), True),)


class Token(Table):
    """A token of the API that was given out; never the token itself."""

    jti = TextField(primary_key=True)
    subject = TextField()
    role = TextField()
    issued_at = UTCDateTimeField()
    expires_at = UTCDateTimeField()
    revoked_at = UTCDateTimeField(null=True)

    class Meta:
        table_name = "tokens"


class Repetition(Table):
    """The answer to a request that may come twice; without a status as long as it is being handled."""

    key = TextField(primary_key=True)
    fingerprint = TextField()
    begun_at = UTCDateTimeField(index=True)
    status = IntegerField(null=True)
    headers = JSONTextField(null=True)
    body = TextField(null=True)

    class Meta:
        table_name = "repetitions"


class State(Table):
    """Small values that must survive a restart."""

    key = TextField(primary_key=True)
    value = TextField()

    class Meta:
        table_name = "state"


ALL = (
    Customer,
    Identity,
    Incident,
    Message,
    Revision,
    Alias,
    Rating,
    Event,
    Review,
    InboxMessage,
    Notification,
    Pace,
    Unreachable,
    Code,
    FollowUp,
    Lane,
    Job,
    Attachment,
    Original,
    Participant,
    Token,
    Repetition,
    State,
)
