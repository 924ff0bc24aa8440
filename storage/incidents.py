"""Incidents, what was said in them, and who did what."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from peewee import fn

from storage.database import Row, first, insert, rows
from storage.tables import Event, Incident, Message


def open(values: Mapping[str, Any]) -> bool:
    """Insert an incident; False if its ticket id is already in use, in which case nothing was inserted."""
    return bool(insert(Incident, [values], unless="ticket_id"))


def get(incident_id: str) -> Row | None:
    return first(Incident.select().where(Incident.id == incident_id))


def many(incident_ids: Sequence[str]) -> list[Row]:
    """Read these incidents, in any order."""
    return rows(Incident.select().where(Incident.id.in_(list(incident_ids))))


def by_ticket(ticket_id: str) -> list[Row]:
    """Find the incidents that have this ticket id, without regard to case: a desk's ids may differ in nothing else."""
    return rows(Incident.select().where(fn.LOWER(Incident.ticket_id) == ticket_id.lower()))


def newest(limit: int, status: str | None = None, before: datetime | None = None) -> list[Row]:
    """List incidents, the youngest first; `before` turns the page."""
    found = Incident.select().order_by(Incident.created_at.desc(), Incident.id).limit(limit)
    if status is not None:
        found = found.where(Incident.status == status)
    if before is not None:
        found = found.where(Incident.created_at < before)
    return rows(found)


def resolve(incident_id: str, at: datetime, by: str) -> bool:
    """Turn an open incident into a resolved one; False if it was not open."""
    changed = Incident.update(status="resolved", resolved_at=at, resolved_by=by)
    return bool(changed.where((Incident.id == incident_id) & (Incident.status == "open")).execute())


def link(incident_id: str, external_ticket_id: str) -> None:
    """Remember the desk's id of an incident whose ticket number the customer knows already."""
    Incident.update(external_ticket_id=external_ticket_id).where(Incident.id == incident_id).execute()


def say(values: Mapping[str, Any]) -> None:
    """Add a message to an incident's timeline."""
    insert(Message, [values])


def messages(incident_id: str) -> list[Row]:
    found = Message.select().where(Message.incident == incident_id).order_by(Message.created_at, Message.id)
    return rows(found)


def record(
    incident_id: str, at: datetime, actor: str, name: str, before: str | None = None, after: str | None = None
) -> None:
    """Add a line to the audit trail."""
    record_many([{"incident": incident_id, "at": at, "actor": actor, "name": name, "before": before, "after": after}])


def record_many(lines: Sequence[Mapping[str, Any]]) -> None:
    """Add many lines to the audit trail in one statement."""
    if lines:
        insert(Event, lines)


def events(incident_id: str) -> list[Row]:
    return rows(Event.select().where(Event.incident == incident_id).order_by(Event.at, Event.id))
