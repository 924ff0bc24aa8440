"""Finding what is kept of one person, and taking the person out of it. Figures stay: times, numbers, states, ratings.

All of this runs inside the caller's transaction, but for `scrub`, which comes after it.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

from peewee import PeeweeException

from storage import reviews
from storage.database import Row, database, execute, rows, session
from storage.dialect import locks_rows
from storage.jobs import fetch_lane, reclassify_lane
from storage.tables import (
    Alias,
    Attachment,
    Customer,
    Event,
    FollowUp,
    Identity,
    InboxMessage,
    Incident,
    Job,
    Lane,
    Message,
    Notification,
    Original,
    Participant,
    Revision,
)

FORGOTTEN = "(forgotten)"
"""What stands where something was erased."""

AT_ONCE = 500
"""Values in one statement: far fewer than any database takes."""


def alias() -> str:
    """Make up a name for what must stay unique and tell nothing."""
    return f"forgotten-{uuid4()}"


# --- finding


def called(name: str) -> set[str]:
    """Return the ids of the customers who opened an incident under this name."""
    found: Any = Identity.select(Identity.customer).join(Incident).where(Incident.customer_id == name)
    return {customer_id for (customer_id,) in found.tuples()}


def merged_into(customer_id: str) -> list[str]:
    """List the customers who turned out to be this one."""
    found = Customer.select().where((Customer.merged_into == customer_id) & (Customer.id != customer_id))
    return [row["id"] for row in rows(found.order_by(Customer.created_at, Customer.id))]


def written(identity_ids: Sequence[int]) -> list[Row]:
    """List what these identities wrote, on whichever incident."""
    return rows(Message.select().where(Message.identity.in_(list(identity_ids))).order_by(Message.id))


def incidents(incident_ids: Iterable[str]) -> list[Row]:
    """Read these incidents, the oldest first."""
    found = [row for some in _some(incident_ids) for row in rows(Incident.select().where(Incident.id.in_(some)))]
    return sorted(found, key=lambda row: (row["created_at"], row["id"]))


def accepted(names: Collection[str], said: Iterable[tuple[str, str]], opened: Iterable[str]) -> list[Row]:
    """List the rows of the inbox that may be of somebody: those that name one of `names`, carry one of these ids
    (channel, external id), opened one of these incidents or wait to join one; all that came over our own API in a
    conversation, and all reports of texts that came back. Which of them are, whoever reads their payloads can tell."""
    named = ["channel = 'web' AND payload LIKE ? ESCAPE '!'", *["payload LIKE ? ESCAPE '!'"] * (len(names) + 1)]
    parts = ['%"thread": "%', '%"kind": "bounce"%', *(f"%{_like(name)}%" for name in sorted(names))]
    ids = _ids(" OR ".join(named), parts)
    for channel, external_id in said:
        ids |= _ids("channel = ? AND external_id = ?", (channel, external_id))
    for some in _some(opened):
        marks = ", ".join("?" for _ in some)
        ids |= _ids(f"incident_id IN ({marks}) OR quarantined_on IN ({marks})", [*some, *some])
    found = [row for some in _some(ids) for row in rows(InboxMessage.select().where(InboxMessage.id.in_(some)))]
    return sorted(found, key=lambda row: int(row["id"]))


def _ids(condition: str, values: Sequence[str]) -> set[int]:
    return {row_id for (row_id,) in execute(f"SELECT id FROM inbox WHERE {condition}", values).fetchall()}


def _like(name: str) -> str:
    """Write a name as it stands in JSON, for LIKE."""
    quoted = json.dumps(name, ensure_ascii=False)
    return quoted.replace("!", "!!").replace("%", "!%").replace("_", "!_")


def copies(emails: Iterable[str], incident_ids: Collection[str]) -> list[Row]:
    """List the texts on other incidents than these that went to these mail addresses because they take part there."""
    its_own = (Participant.incident == Notification.incident) & (Participant.key == Notification.recipient)
    to_them = (Notification.channel == "email") & _are(emails)
    found = Notification.select().join(Participant, on=its_own).where(to_them).order_by(Notification.id)
    return [row for row in rows(found) if row["incident"] not in incident_ids]


def takes_part(emails: Iterable[str]) -> set[str]:
    """Return the incidents in which somebody with one of these mail addresses takes part."""
    found: Any = Participant.select(Participant.incident).where(_are(emails))
    return {incident_id for (incident_id,) in found.tuples()}


def leave(emails: Iterable[str]) -> None:
    """Let nobody with one of these mail addresses take part in an incident any more."""
    Participant.delete().where(_are(emails)).execute()


def _are(emails: Iterable[str]) -> Any:
    return (Participant.channel == "email") & Participant.key.in_(list(emails))


def news() -> list[Row]:
    """List what operators were told that belongs to no incident."""
    found = Notification.select().where((Notification.kind == "news") & Notification.incident.is_null())
    return rows(found.order_by(Notification.id))


def follow_ups(incident_id: str) -> list[Row]:
    return rows(FollowUp.select().where(FollowUp.incident == incident_id).order_by(FollowUp.id))


def jobs(incident_ids: Iterable[str]) -> list[Row]:
    """List what was ever owed to the desk about these incidents, and to them for want of a better classifier."""
    lanes = [
        lane
        for incident_id in incident_ids
        for lane in (f"job/{incident_id}", f"job/link/{incident_id}", reclassify_lane(incident_id))
    ]
    return [row for some in _some(lanes) for row in rows(Job.select().where(Job.lane.in_(some)).order_by(Job.id))]


def loose_events() -> list[Row]:
    """List the lines of the audit trail that belong to no incident and no customer: commands that were refused."""
    return rows(Event.select().where(Event.incident.is_null() & Event.customer.is_null()).order_by(Event.id))


def is_shared(conversation: str, identity_ids: Collection[int]) -> bool:
    """Whether somebody else wrote in a conversation as well."""
    ours = list(identity_ids)
    others = (
        Message.select(1)
        .join(Incident)
        .where(
            (Incident.conversation == conversation)
            & (Message.direction == "customer")
            & Message.identity.is_null(False)
            & Message.identity.not_in(ours)
        )
    )
    opened = Incident.select(1).where(
        (Incident.conversation == conversation) & Incident.identity.is_null(False) & Incident.identity.not_in(ours)
    )
    return bool(others.exists() or opened.exists())


def aliases(conversation: str) -> list[Row]:
    return rows(Alias.select().where(Alias.conversation == conversation).order_by(Alias.id))


# --- keeping others out


def hold(incident_ids: Collection[str], identity_ids: Collection[int]) -> None:
    """Let nobody change these incidents, or write anything new under these identities, until the transaction ends; in
    the order of the locks (storage/lanes.py). SQLite: the transaction itself does."""
    if not locks_rows(database):
        return
    ids = sorted(incident_ids)
    for incident_id in ids:
        execute("SELECT pg_advisory_xact_lock(hashtextextended(?, 0))", (incident_id,)).fetchall()
    for incident_id in ids:
        execute("SELECT 1 FROM lanes WHERE key = ? FOR UPDATE", (f"job/{incident_id}",)).fetchall()
    files = "SELECT 'job/file/' || id FROM attachments WHERE incident_id"
    for some in _some(ids):
        marks = ", ".join("?" for _ in some)
        lanes = f"SELECT 1 FROM lanes WHERE key IN ({files} IN ({marks})) ORDER BY key FOR UPDATE"
        execute(lanes, some).fetchall()
    for some in _some(ids):
        marks = ", ".join("?" for _ in some)
        due = f"SELECT 1 FROM follow_ups WHERE incident_id IN ({marks}) AND due_at IS NOT NULL ORDER BY id FOR UPDATE"
        execute(due, some).fetchall()
    for some in _some(ids):
        marks = ", ".join("?" for _ in some)
        execute(f"SELECT 1 FROM incidents WHERE id IN ({marks}) ORDER BY id FOR UPDATE", some).fetchall()
    for identity_id in sorted(identity_ids):
        execute("SELECT 1 FROM identities WHERE id = ? FOR UPDATE", (identity_id,)).fetchall()


def busy(lanes: Iterable[str], now: datetime) -> bool:
    """Whether a worker has one of these lanes in hand."""
    held = Lane.lease_until.is_null(False) & (Lane.lease_until > now)
    return any(Lane.select(1).where(Lane.key.in_(some) & held).exists() for some in _some(lanes))


# --- erasing


def overwrite() -> None:
    """Have SQLite overwrite what this transaction deletes or replaces; by default many builds of it do not."""
    if not locks_rows(database):
        execute("PRAGMA secure_delete = ON").fetchall()


def erase_incident(incident_id: str, customer: str, resolved_by: str | None) -> None:
    """Take the person out of an incident that they opened; `customer` is what they are called from now on. It stays,
    with its figures."""
    changes: dict[str, Any] = {
        "customer_id": customer,
        "message": FORGOTTEN,
        "reason": FORGOTTEN,
        "addresses": [],
        "chat": "",
        "resolved_by": resolved_by,
        "subject": "",
    }
    Incident.update(**changes).where(Incident.id == incident_id).execute()
    Participant.delete().where(Participant.incident == incident_id).execute()
    reviews.drop(incident_id)


def erase_resolver(incident_id: str) -> None:
    """Take the name of whoever resolved an incident away."""
    Incident.update(resolved_by=FORGOTTEN).where(Incident.id == incident_id).execute()


def erase_message(row: Row) -> tuple[int, int]:
    """Erase a message, its earlier texts and its files; return how many of these there were."""
    changes: dict[str, Any] = {"text": FORGOTTEN, "external_id": alias(), "whole": None}
    if row["direction"] == "customer":
        changes["author"] = FORGOTTEN
    Message.update(**changes).where(Message.id == row["id"]).execute()
    about = (row["channel"], row["external_id"], changes["external_id"])
    return erase_revisions(*about), erase_files(*about)


def erase_files(channel: str, external_id: str, now_called: str) -> int:
    """Erase the files of a message, their names and their contents; return how many they were. No more is fetched, and
    a worker that is at it loses its lane."""
    of_it = (Attachment.channel == channel) & (Attachment.external_id == external_id)
    lanes = [fetch_lane(row["id"]) for row in rows(Attachment.select(Attachment.id).where(of_it))]
    for some in _some(lanes):
        Job.update(state="done", due_at=None, error=None).where(Job.lane.in_(some)).execute()
        Lane.delete().where(Lane.key.in_(some)).execute()
    changes = {"name": FORGOTTEN, "media_type": "", "ref": "", "content": None, "state": "expired", "refusal": None}
    return int(Attachment.update(**changes, reason=None, external_id=now_called).where(of_it).execute())


def erase_revisions(channel: str, external_id: str, now_called: str) -> int:
    """Erase the texts that a message had, and let them belong to what it is called now; return how many they were."""
    of_it = (Revision.channel == channel) & (Revision.external_id == external_id)
    Revision.update(text=FORGOTTEN).where(of_it & (Revision.deleted == False)).execute()  # noqa: E712
    return int(Revision.update(external_id=now_called).where(of_it).execute())


KEPT_OF_PAYLOAD = ("channel", "answer_on", "kind", "private", "fresh", "automatic", "written_at")
KEPT_OF_OUTCOME = ("message_id", "incident_id", "ticket_id", "status", "classification", "confidence", "priority")
KEPT_OF_NOTICE = ("kind", "incident_id", "ticket_id", "language")


def erase_accepted(row: Row) -> None:
    """Erase a message of the inbox. One that was given up is done with: there is nothing left to try again."""
    external_id, outcome = alias(), row["outcome"]
    payload = {
        **_kept(row["payload"], KEPT_OF_PAYLOAD),
        "external_id": external_id,
        "lane": "forgotten",
        "customer_id": FORGOTTEN,
        "text": FORGOTTEN,
        "addresses": [],
    }
    changes = {
        "external_id": external_id,
        "lane": "in/forgotten",
        "payload": payload,
        "fingerprint": "",
        "error": None,
        "outcome": None if outcome is None else {**_kept(outcome, KEPT_OF_OUTCOME), "message": FORGOTTEN},
        "state": "done",
        "due_at": None,
        "quarantined_on": None,
    }
    Original.delete().where(
        (Original.channel == row["channel"]) & (Original.external_id == row["external_id"])
    ).execute()
    InboxMessage.update(**changes).where(InboxMessage.id == row["id"]).execute()


def erase_notification(row: Row, to_agents: bool) -> None:
    """Erase a text about the person, and, unless it went to agents, where it went. One that waits is cancelled. The key
    of news may have the id of a message in it."""
    dedupe = row["dedupe"] if to_agents and row["kind"] != "news" else alias()
    notice = {
        **_kept(row["notice"], KEPT_OF_NOTICE),
        **dict.fromkeys(("subject", "greeting", "quote", "closing"), ""),
        "key": dedupe,
        "lead": FORGOTTEN,
        "facts": [],
        "actions": [],
    }
    changes: dict[str, Any] = {"message": FORGOTTEN, "notice": notice, "error": None, "dedupe": dedupe}
    if not to_agents:
        changes |= {"recipient": FORGOTTEN, "lane": "out/forgotten", "provider_id": None}
    if row["due_at"] is not None:
        changes |= {"status": "cancelled", "due_at": None}
    Notification.update(**changes).where(Notification.id == row["id"]).execute()


def code_mails(emails: Iterable[str]) -> list[Row]:
    """List the mails with codes that went to these addresses."""
    to_them = Notification.recipient.in_(list(emails)) & (Notification.kind == "code")
    return rows(Notification.select().where(to_them).order_by(Notification.id))


def erase_job(row: Row) -> None:
    """Erase what a job tells the desk; whether it changes the ticket's status stays. The desk is no longer asked for a
    ticket that it has not given us, and no classifier about what is erased."""
    payload = {name: "" if isinstance(value, str) else value for name, value in row["payload"].items()}
    changes: dict[str, Any] = {"payload": payload, "error": None}
    if row["kind"] in ("link", "reclassify"):
        changes |= {"state": "done", "due_at": None}
    Job.update(**changes).where(Job.id == row["id"]).execute()


def erase_event(row: Row, changes: Mapping[str, str | None]) -> None:
    """Replace these columns of a line of the audit trail."""
    Event.update(**changes).where(Event.id == row["id"]).execute()


def drop_aliases(row_ids: Iterable[int]) -> int:
    """Let these addresses and ids of messages lead nowhere; return how many did lead somewhere."""
    return sum(int(Alias.delete().where(Alias.id.in_(some)).execute()) for some in _some(row_ids))


def drop_alias(channel: str, key: str) -> int:
    return int(Alias.delete().where((Alias.channel == channel) & (Alias.key == key)).execute())


def drop_lanes(keys: Iterable[str]) -> None:
    """Drop those of these lanes in which nothing waits any more: their names are addresses."""
    for key in sorted(set(keys)):
        table = "inbox" if key.startswith("in/") else "notifications"
        waits = f"SELECT 1 FROM {table} WHERE lane = ? AND due_at IS NOT NULL"
        execute(f"DELETE FROM lanes WHERE key = ? AND NOT EXISTS ({waits})", (key, key))


def erase_identity(identity_id: int) -> None:
    Identity.update(external_id=alias(), email=None).where(Identity.id == identity_id).execute()


def mark_forgotten(customer_id: str, at: datetime) -> None:
    """Say that a customer, and whoever turned out to be them, is forgotten."""
    them = (Customer.id == customer_id) | (Customer.merged_into == customer_id)
    Customer.update(forgotten_at=at).where(them).execute()


def scrub() -> bool:
    """Take out of SQLite's files what was erased; False if somebody kept us from it, and it must be done again.

    `secure_delete` overwrites what a transaction erases, but not what earlier ones left behind in free space without it
    (each time that a row was written anew): only VACUUM does. The log beside the file then ends up empty
    (https://www.sqlite.org/pragma.html#pragma_wal_checkpoint). PostgreSQL's own VACUUM comes in its own time.
    """
    if locks_rows(database):
        return True
    try:
        with session():
            execute("INSERT INTO search (search) VALUES ('optimize')")  # else FTS5 keeps old words until it merges
            execute("VACUUM")
            (in_the_way, *_) = execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except PeeweeException:
        return False
    return not in_the_way


def _kept(data: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: data[name] for name in names if name in data}


def _some(values: Iterable[Any]) -> Iterable[list[Any]]:
    """Cut a collection into lists that fit into one statement."""
    all_of_them = list(values)
    return (all_of_them[start : start + AT_ONCE] for start in range(0, len(all_of_them), AT_ONCE))
