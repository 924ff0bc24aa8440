"""Every read for people, as frozen values."""

import base64
import hashlib
import re
import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bot import quarantine, reviews, routing
from bot.errors import BadCursor, NotFound
from bot.model import (
    SURE,
    Address,
    Category,
    Event,
    EventPage,
    FileView,
    InboundMessage,
    Incident,
    IncidentDetails,
    IncidentFilter,
    IncidentPage,
    MessageKind,
    NotificationView,
    Received,
    TimelineEntry,
    Workload,
    tidy,
    urgency,
)
from bot.sealing import Seal
from storage import (
    attachments,
    conversations,
    customers,
    database,
    dead,
    inbox,
    incidents,
    lanes,
    notifications,
    search,
    stats,
)
from storage.dead import Dead
from storage.stats import Figure

URGENT = tuple(category.value for category in Category if urgency(category) == 2)

DELETED = "(deleted by its author)"
STILL_TO_COME = "It is still to be fetched: ask again."


@dataclass(frozen=True, slots=True)
class Views:
    """What people ask. Nothing here writes. `seal` opens the contents of files."""

    seal: Seal = field(default_factory=Seal)

    def incidents(self, limit: int = 50, status: str | None = None) -> list[Incident]:
        """List the youngest incidents, all or those of one status (open, resolved)."""
        return list(self.find(IncidentFilter(status=status), None, limit).incidents)

    def find(self, what: IncidentFilter, after: str | None = None, limit: int = 50) -> IncidentPage:
        """List incidents, the youngest first. `after` is the `next` of the page before: what is opened meanwhile moves
        nothing. Raises BadCursor."""
        before = None if after is None else _read_cursor(INCIDENTS, after)
        with database.session():
            read = page(what, before, limit + 1)
        found = [Incident.of(row) for row in read[:limit]]
        return IncidentPage(found, _cursor(INCIDENTS, read[limit - 1]["number"]) if len(read) > limit else None)

    def every(self, what: IncidentFilter) -> Iterator[Incident]:
        """Read incidents, however many, a batch at a time, the youngest first; nothing is held between two batches."""
        before: int | None = None
        while True:
            with database.session():
                read = page(what, before, BATCH)
            yield from map(Incident.of, read)
            if len(read) < BATCH:
                return
            before = read[-1]["number"]

    def history(self, name: str, after: str | None = None, limit: int = 50) -> EventPage:
        """List the audit trail of an incident, in the order in which it was written. Raises NotFound, BadCursor."""
        last = 0 if after is None else _read_cursor(EVENTS, after)
        with database.session():
            read = incidents.events_after(known(name)["id"], last, limit + 1)
        found = [Event(**{field: row[field] for field in Event.__slots__}) for row in read[:limit]]
        return EventPage(found, _cursor(EVENTS, found[-1].id) if len(read) > limit else None)

    def version(self, name: str) -> str:
        """Return what changes whenever the incident does. Raises NotFound."""
        with database.session():
            waiting = inbox.by_incident(tidy(name).lower())
            return version_of(known(_goes_on_in(waiting, name))["id"])

    def workload(self, agent: str, limit: int) -> Workload:
        """Say what is open, for the agent of this name: at most `limit` incidents of theirs, and of the others."""
        with database.session():
            own = incidents.pressing(limit, URGENT, agent)
            others = incidents.pressing(limit, URGENT, agent, others=True)
            return Workload(_incidents(own), _incidents(others), *incidents.count_open(URGENT, agent))

    def own(self, customer: Address, limit: int) -> list[Incident]:
        """List the incidents of the customer whom a channel knows by this name, the youngest first."""
        with database.session():
            identity = customers.identity(customer.channel, customer.key)
            if identity is None:
                return []
            known_as = [row["id"] for row in customers.identities(identity["customer"])]
            return [Incident.of(row) for row in incidents.of_identities(known_as, limit)]

    def incident(self, name: str) -> IncidentDetails | Received:
        """Find an incident by its id or its ticket id, with its timeline and notifications. Raises NotFound."""
        with database.session():
            waiting = inbox.by_incident(tidy(name).lower())
            if waiting is None or waiting["state"] in ("done", "quarantined"):
                return details(known(_goes_on_in(waiting, name)))
        return _received(waiting)

    def conversation(self, channel: str, thread: str) -> Incident | Received | None:
        """Return what a thread of a channel is about: its incident, or the message in it that waits to be handled and
        will open one; None if it is no conversation of ours."""
        with database.session():
            waiting = lanes.head(f"in/{channel}/{thread}")  # first: what is handled meanwhile is found as an incident
            led_to = conversations.known(channel, [thread]).get(thread)
            found = [] if led_to is None else incidents.of_conversation(led_to)
        if found:
            return Incident.of(found[0])
        return None if waiting is None else _received(waiting)

    def files(self, name: str) -> list[FileView]:
        """List the files of an incident, in the order in which they came. Raises NotFound."""
        with database.session():
            return [_file(row) for row in attachments.of_incident(known(name)["id"])]

    def file(self, name: str, file_id: int) -> tuple[FileView, bytes]:
        """Return a file of an incident with its content. Raises NotFound, also for one that is not kept: the text says
        why; ConfigurationError if DATA_KEY is another than when it was kept."""
        with database.session():
            incident, row = known(name), attachments.get(file_id)
            if row is None or row["incident"] != incident["id"]:
                raise NotFound(f"No file of {incident['ticket_id']} goes by the number {file_id}.")
            sealed = attachments.content(file_id)
        if sealed is None:
            raise NotFound(f"This file is not kept. {row['reason'] or STILL_TO_COME}")
        return _file(row), self.seal.open(sealed)

    def message(self, name: str, message_id: str) -> str:
        """Return the external id of the message that has this id, or that the delivery of this id has changed, if it
        came into this incident's conversation over our own API. Raises NotFound."""
        with database.session():
            row = inbox.by_incident(tidy(message_id).lower())
            said = None if row is None or row["channel"] != "web" else InboundMessage.from_json(row["payload"])
            if row is None or said is None or said.kind is MessageKind.ACTION or _is_in(row) != _leads_to(name):
                raise NotFound(f"No message of this incident goes by {message_id[:64]!r}.")
        return said.is_about

    def ready(self) -> None:
        """Return if the database answers; else raise what it raises."""
        with database.session():
            database.execute("SELECT 1").fetchone()

    def stats(self) -> dict[str, Any]:
        """Count incidents (in all, by status, category and channel), notifications and reminders; give the mean
        confidence, the customers' ratings (1 to 5), and the median time to resolve, in seconds (None: nothing was
        resolved yet)."""
        with database.session():
            figures = stats.counts()
            times = [(resolved - opened).total_seconds() for opened, resolved in stats.times_to_resolve()]
        for name in ("mean_confidence", "mean_rating"):
            mean = figures[name]
            figures[name] = None if mean is None else round(float(mean), 3)
        figures["median_seconds_to_resolve"] = statistics.median(times) if times else None
        return figures

    def reviews(self) -> dict[str, Any]:
        """Say how right the classifiers were, by what agents have decided (see `bot classify report`)."""
        return reviews.Report.of(reviews.reviewed()).to_json()

    def standing(self, now: datetime) -> list[Figure]:
        """What is waiting, due or dead right now, for the metrics page."""
        with database.session():
            return stats.standing(now)

    def dead(self, limit: int = 100) -> list[Dead]:
        """List what was given up and waits for a person."""
        with database.session():
            return dead.everything(limit)

    def dead_one(self, name: str) -> Mapping[str, Any]:
        """Show everything about one of them. Raises NotFound."""
        with database.session():
            row = dead.find(name)
        if row is None:
            raise NotFound(f"Nothing dead goes by {name[:64]!r}; see `bot dead list`.")
        return row


BATCH = 500
"""Incidents that are read at once where all are wanted."""

INCIDENTS, EVENTS = "i", "e"
"""What a cursor turns the pages of."""

NOT_OURS = "This is not where a page of this list ended: ask for its first page, and take what that gives for the next."


def page(what: IncidentFilter, before: int | None, limit: int) -> list[database.Row]:
    """Read the rows of a list, from after the one that has the number `before`; within a session."""
    return search.page(limit, before, {name: getattr(what, name) for name in what.__slots__}, URGENT, SURE)


def _cursor(kind: str, number: int) -> str:
    return base64.urlsafe_b64encode(f"{kind}{number}".encode()).decode().rstrip("=")


def _read_cursor(kind: str, cursor: str) -> int:
    """Read what `_cursor` wrote. Raises BadCursor."""
    try:
        written = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True).decode()
    except ValueError:
        raise BadCursor(NOT_OURS) from None
    number = re.fullmatch(rf"{kind}(-?[0-9]{{1,19}})", written, re.ASCII)
    if number is None or abs(int(number[1])) > search.LAST:
        raise BadCursor(NOT_OURS)
    return int(number[1])


def version_of(incident_id: str) -> str:
    """Return what changes whenever anything that is shown of an incident does. Within a session or a transaction."""
    return hashlib.sha256(repr(incidents.seen(incident_id)).encode()).hexdigest()[:32]


def _received(row: database.Row) -> Received:
    said = row["payload"]
    lane = row["lane"].removeprefix("in/")
    return Received(row["incident_id"], row["received_at"], lane, said.get("reporter", ""), said["customer_id"])


SHORTEST_PREFIX = 4
"""Characters of a ticket number by which it may be found by whoever only looks."""


def known(name: str, exact: bool = False) -> database.Row:
    """Find an incident's row; within a session. Raises NotFound, which names those that may be meant.

    A name is the incident's id or its ticket number, without regard to case and with or without `TKT-`. `exact`: for
    what changes something, the whole number; else a beginning that one number alone has will do.
    """
    written = tidy(name)
    by_id = incidents.get(written.lower())
    if by_id is not None:
        return by_id
    for number in (written, f"TKT-{written}"):
        found = incidents.by_ticket(number)
        same_case = [row for row in found if row["ticket_id"] == number]
        if len(same_case or found) == 1:
            return (same_case or found)[0]
        if found:
            raise NotFound(f"{written[:64]!r} may be {_or(found)}: write it exactly.")
    return _by_beginning(written, exact)


def _by_beginning(written: str, exact: bool) -> database.Row:
    beginning = written[4:] if written.lower().startswith("tkt-") else written
    similar = []
    if len(beginning) >= SHORTEST_PREFIX and re.fullmatch("[A-Za-z0-9-]+", beginning):
        similar = incidents.by_prefix(f"TKT-{beginning}", 5)
    if len(similar) == 1 and not exact:
        return similar[0]
    did_you_mean = f" Did you mean {_or(similar)}?" if similar else ""
    raise NotFound(f"No incident goes by {written[:64]!r}.{did_you_mean}")


def _or(found: list[database.Row]) -> str:
    return " or ".join(row["ticket_id"] for row in found)


def _leads_to(name: str) -> str:
    """The conversation of what goes by this name; of a message that waits, as `_is_in` tells it."""
    row = inbox.by_incident(tidy(name).lower())
    if row is not None and row["state"] not in ("done", "quarantined"):
        return _is_in(row)
    return str(known(_goes_on_in(row, name), exact=True)["conversation"])


def _is_in(row: database.Row) -> str:
    """The conversation that a message of the inbox leads to; as long as there is none, the lane that it waits in."""
    named = routing.keys(InboundMessage.from_json(row["payload"]))
    found = conversations.known(row["channel"], named)
    return next((found[key] for key in named if key in found), str(row["lane"]))


def _goes_on_in(handled: database.Row | None, name: str) -> str:
    """The incident that a message went to: its own, or one that was there already."""
    outcome = {} if handled is None else handled["outcome"] or {}
    return str(outcome.get("incident_id", name))


def _incidents(found: list[database.Row]) -> tuple[Incident, ...]:
    return tuple(Incident.of(row) for row in found)


def details(row: database.Row) -> IncidentDetails:
    """Read everything about an incident's row; within a session."""
    said = [_entry(message) for message in incidents.messages(row["id"])]
    done = [
        TimelineEntry(event["at"], event["actor"], event["name"], event["after"] or "")
        for event in incidents.events(row["id"])
    ]
    owed = [_notification(notice) for notice in notifications.of_incident(row["id"])]
    timeline = tuple(sorted(said + done + quarantine.entries(row["id"]), key=lambda entry: entry.at))
    files = tuple(_file(file) for file in attachments.of_incident(row["id"]))
    return IncidentDetails(Incident.of(row), timeline, tuple(owed), customers.owner(row["identity"]) or "", files)


def _entry(message: database.Row) -> TimelineEntry:
    """What is seen of a message: of one that its author has deleted, that it was there."""
    text = DELETED if message["deleted_at"] is not None else message["text"]
    edited = message["edited_at"] is not None
    whole = "" if message["deleted_at"] is not None else message["whole"] or ""
    return TimelineEntry(message["written_at"], message["author"], message["direction"], text, edited, whole)


def _file(row: database.Row) -> FileView:
    return FileView(**{name: row[name] for name in FileView.__slots__})


def _notification(row: database.Row) -> NotificationView:
    return NotificationView(**{name: row[name] for name in NotificationView.__slots__})
