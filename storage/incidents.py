"""Incidents, what was said in them, and who did what. What is asked for every message is written by hand."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from peewee import fn

from storage import search
from storage.database import Row, database, execute, find, insert, rows
from storage.tables import Event, Incident, Message, Rating, Revision, utc_text


def open(values: Mapping[str, Any]) -> bool:
    """Insert an incident; False if its ticket id is already in use, in which case nothing was inserted. Raises
    IntegrityError if another incident of its conversation is open."""
    number = search.free_number(values["id"], values["created_at"])
    return bool(insert(Incident, [{**values, "number": number}], unless="ticket_id"))


def get(incident_id: str) -> Row | None:
    return find(Incident, "id = ?", [incident_id])


def many(incident_ids: Sequence[str]) -> list[Row]:
    """Read these incidents, in any order."""
    return _listed(f"id IN ({_marks(incident_ids)})", incident_ids) if incident_ids else []


def by_ticket(ticket_id: str) -> list[Row]:
    """Find the incidents that have this ticket id, without regard to case: a desk's ids may differ in nothing else."""
    return rows(Incident.select().where(fn.LOWER(Incident.ticket_id) == ticket_id.lower()))


def resolve(incident_id: str, at: datetime, by: str, known_until: datetime) -> bool:
    """Turn an open incident into a resolved one; False if it was not open, or was reopened after `known_until`, which
    is when whoever resolves it spoke."""
    changed = execute(
        "UPDATE incidents SET status = 'resolved', resolved_at = ?, resolved_by = ?, resolutions = resolutions + 1 "
        "WHERE id = ? AND status = 'open' AND last_opened_at <= ?",
        (utc_text(at), by, incident_id, utc_text(known_until)),
    )
    return bool(changed.rowcount)


def reopen(incident_id: str, at: datetime) -> bool:
    """Turn a resolved incident into an open one; False if it was not resolved. Raises IntegrityError if another
    incident of its conversation is open."""
    changed = execute(
        "UPDATE incidents SET status = 'open', resolved_at = NULL, resolved_by = NULL, reminder_sent = ?, "
        "openings = openings + 1, touched_at = NULL, last_opened_at = ? WHERE id = ? AND status = 'resolved'",
        (False, utc_text(at), incident_id),
    )
    return bool(changed.rowcount)


def touch(incident_id: str, at: datetime) -> None:
    """Remember that an agent has acted."""
    Incident.update(touched_at=at).where((Incident.id == incident_id) & Incident.touched_at.is_null()).execute()


def assign(incident_id: str, to: str | None) -> None:
    Incident.update(assignee=to).where(Incident.id == incident_id).execute()


def classify(incident_id: str, category: str, confidence: float | None, reason: str, by: str) -> None:
    """Replace what an incident is taken to be about."""
    changes = {"classification": category, "confidence": confidence, "reason": reason, "classified_by": by}
    Incident.update(**changes).where(Incident.id == incident_id).execute()


def review(incident_id: str, by: str) -> None:
    """Remember the person who has confirmed or changed what an incident is about."""
    Incident.update(reviewed_by=by).where(Incident.id == incident_id).execute()


def link(incident_id: str, external_ticket_id: str) -> None:
    """Remember the desk's id of an incident whose ticket number the customer knows already."""
    Incident.update(external_ticket_id=external_ticket_id).where(Incident.id == incident_id).execute()


def readdress(incident_id: str, addresses: Sequence[Mapping[str, str]]) -> None:
    """Replace where the customer of an incident may be written to."""
    Incident.update(addresses=list(addresses)).where(Incident.id == incident_id).execute()
    search.index([incident_id])


def reword(incident_id: str, text: str) -> None:
    """Replace the text that an incident began with."""
    Incident.update(message=text).where(Incident.id == incident_id).execute()


def by_prefix(beginning: str, limit: int) -> list[Row]:
    """Find the incidents whose ticket id begins like this, without regard to case. Letters, digits and `-` only."""
    condition, ends = search.beginning_of_ticket(beginning)
    return _listed(f"{condition} ORDER BY ticket_id LIMIT ?", [*ends, limit])


def of_conversation(conversation: str) -> list[Row]:
    """List the incidents of a conversation, the open one first, then the youngest."""
    return _listed(
        "conversation = ? ORDER BY CASE status WHEN 'open' THEN 0 ELSE 1 END, created_at DESC, id DESC", [conversation]
    )


ALIVE = "EXISTS (SELECT 1 FROM messages WHERE incident_id = incidents.id AND created_at >= ?)"


def of_chat(chat: str, identity_id: int, status: str, since: datetime) -> list[Row]:
    """List the incidents of this status that this person opened in a private chat, and in which somebody wrote since
    then (resolved ones: that were resolved since then); the youngest first."""
    recent = ALIVE if status == "open" else "resolved_at >= ?"
    return _listed(
        f"identity_id = ? AND status = ? AND chat = ? AND {recent} ORDER BY last_opened_at DESC, id DESC",
        [identity_id, status, chat, utc_text(since)],
    )


def pressing(limit: int, urgent: Sequence[str], agent: str, others: bool = False) -> list[Row]:
    """List the open incidents that are assigned to an agent, or (`others`) all that are not: those of the `urgent`
    categories first, then the oldest."""
    whose = "(assignee IS NULL OR assignee <> ?)" if others else "assignee = ?"
    return _listed(
        f"status = 'open' AND {whose} ORDER BY CASE WHEN classification IN ({_marks(urgent)}) THEN 0 ELSE 1 END, "
        "created_at, id LIMIT ?",
        [agent, *urgent, limit],
    )


def count_open(urgent: Sequence[str], agent: str) -> tuple[int, int, int]:
    """Count the open incidents: in all, those of the `urgent` categories, those that are assigned to an agent."""
    found = execute(
        f"SELECT COUNT(*), COUNT(CASE WHEN classification IN ({_marks(urgent)}) THEN 1 END), "
        "COUNT(CASE WHEN assignee = ? THEN 1 END) FROM incidents WHERE status = 'open'",
        [*urgent, agent],
    )
    everything, pressing, own = found.fetchone()
    return everything, pressing, own


def _marks(values: Sequence[Any]) -> str:
    return ", ".join("?" for _ in values)


def _listed(condition: str, values: Sequence[Any]) -> list[Row]:
    """List the incidents that meet a condition (the end of a SELECT, written by hand)."""
    return rows(Incident.raw(f"SELECT * FROM incidents WHERE {condition}".replace("?", database.param), *values))


def of_identities(identity_ids: Sequence[int], limit: int | None = None) -> list[Row]:
    """List the incidents that somebody of these opened, the youngest first."""
    found = Incident.select().where(Incident.identity.in_(list(identity_ids)))
    return rows(found.order_by(Incident.created_at.desc(), Incident.id).limit(limit))


def say(values: Sequence[Mapping[str, Any]]) -> None:
    """Add messages to their incidents' timelines. What we say by ourselves is nothing to search for."""
    insert(Message, values)
    search.index(row["incident"] for row in values if row["direction"] != "bot")


def message(channel: str, external_id: str) -> Row | None:
    return find(Message, "channel = ? AND external_id = ?", [channel, external_id])


def messages(incident_id: str) -> list[Row]:
    found = Message.select().where(Message.incident == incident_id).order_by(Message.written_at, Message.id)
    return rows(found)


def first_message(incident_id: str) -> int | None:
    """Return the id of the message that opened an incident."""
    found = execute("SELECT MIN(id) FROM messages WHERE incident_id = ?", (incident_id,)).fetchone()
    return None if found is None else found[0]


def last_said_by_customer(incident_id: str, but: str) -> datetime | None:
    """Return when the customer last wrote, before the message that has the external id `but`."""
    said = (Message.incident == incident_id) & (Message.direction == "customer") & (Message.external_id != but)
    when: datetime | None = Message.select(fn.MAX(Message.created_at)).where(said).scalar()
    return when


def said_before(identity_id: int, text: str, but: str, since: datetime) -> bool:
    """Whether somebody wrote the same since then, in another message than the one that has the external id `but`."""
    found = execute(
        "SELECT 1 FROM messages WHERE identity_id = ? AND created_at >= ? AND text = ? AND external_id <> ? LIMIT 1",
        (identity_id, utc_text(since), text, but),
    )
    return found.fetchone() is not None


def revise(values: Mapping[str, Any]) -> None:
    """Keep a text that a message had, or its deletion."""
    insert(Revision, [values])


def has_revisions(channel: str, external_id: str) -> bool:
    """Whether an edit or the deletion of a message was here before it."""
    found = execute("SELECT 1 FROM revisions WHERE channel = ? AND external_id = ? LIMIT 1", (channel, external_id))
    return found.fetchone() is not None


def revisions(channel: str, external_id: str) -> list[Row]:
    """List what is known of a message's texts, the oldest first."""
    found = Revision.select().where((Revision.channel == channel) & (Revision.external_id == external_id))
    return rows(found.order_by(Revision.written_at, Revision.id))


def show_as(row: Row, text: str, edited_at: datetime | None, deleted_at: datetime | None) -> None:
    """Set what is to be seen of a message."""
    changes = {"text": text, "edited_at": edited_at, "deleted_at": deleted_at}
    Message.update(**changes).where(Message.id == row["id"]).execute()
    search.index([row["incident"]])


def rate(incident_id: str, resolution: int, score: int, at: datetime) -> None:
    """Store the customer's answer; a later one replaces it."""
    execute(
        "INSERT INTO ratings (incident_id, resolution, score, rated_at) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (incident_id, resolution) DO UPDATE SET score = excluded.score, rated_at = excluded.rated_at",
        (incident_id, resolution, score, utc_text(at)),
    )


def ratings(incident_id: str) -> list[Row]:
    return rows(Rating.select().where(Rating.incident == incident_id).order_by(Rating.resolution))


def record(
    incident_id: str | None, at: datetime, actor: str, name: str, before: str | None = None, after: str | None = None
) -> None:
    """Add a line to the audit trail; None: of something that is no incident."""
    record_many([{"incident": incident_id, "at": at, "actor": actor, "name": name, "before": before, "after": after}])


def record_many(lines: Sequence[Mapping[str, Any]]) -> None:
    """Add many lines to the audit trail in one statement."""
    if lines:
        insert(Event, lines)


def events_after(incident_id: str, event_id: int, limit: int) -> list[Row]:
    """List lines of an incident's audit trail, in the order in which they were written, from after this one."""
    found = Event.select().where((Event.incident == incident_id) & (Event.id > event_id))
    return rows(found.order_by(Event.id).limit(limit))


SEEN = (
    "* FROM incidents WHERE id = ?",
    "customer_id FROM identities WHERE id = (SELECT identity_id FROM incidents WHERE id = ?)",
    "id, external_id, text, edited_at, deleted_at FROM messages WHERE incident_id = ? ORDER BY id",
    "id, actor, name, before, after FROM events WHERE incident_id = ? ORDER BY id",
    "id, recipient, status, attempts, error, provider_id, sent_at FROM notifications WHERE incident_id = ? ORDER BY id",
    "id, name, media_type, size, state, reason, kept_at FROM attachments WHERE incident_id = ? ORDER BY id",
    "id FROM inbox WHERE quarantined_on = ? AND state = 'quarantined' ORDER BY id",
)


def seen(incident_id: str) -> list[list[tuple[Any, ...]]]:
    """Read what is different whenever anything is that people see of an incident; raw, in no more than it takes."""
    return [execute(f"SELECT {what}", (incident_id,)).fetchall() for what in SEEN]


def events(incident_id: str) -> list[Row]:
    return rows(Event.select().where(Event.incident == incident_id).order_by(Event.at, Event.id))
