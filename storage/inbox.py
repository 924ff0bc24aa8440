"""Accepted messages: committed before the platform is told "received". Written by hand: this is the hot path."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from storage import lanes
from storage.database import Row, execute, find, first, literally, rows, update
from storage.tables import InboxMessage, utc_text

COLUMNS = "channel, external_id, incident_id, lane, payload, fingerprint, received_at, due_at, trace, state, attempts"


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A row to be: `incident_id` is the id that the message gets if it opens an incident."""

    channel: str
    external_id: str
    incident_id: str
    lane: str
    payload: Mapping[str, Any]
    fingerprint: str
    received_at: datetime
    trace: str | None = None


def add(messages: Sequence[NewMessage]) -> set[str]:
    """Insert those that are new, in one statement, and wake their lanes; return their incident ids. The others are
    redeliveries.

    The lanes come first: it locks them, so that on PostgreSQL two who insert the same messages in another order do not
    wait for each other in a circle, and within a lane the numbers are given in the order of commit.
    """
    lanes.wake({message.lane: message.received_at for message in messages})
    marks = ", ".join(f"({', '.join('?' * 9)}, 'new', 0)" for _ in messages)
    inserted = execute(
        f"INSERT INTO inbox ({COLUMNS}) VALUES {marks} "
        "ON CONFLICT (channel, external_id) DO NOTHING RETURNING incident_id",
        [value for message in messages for value in _values(message)],
    )
    return {incident_id for (incident_id,) in inserted.fetchall()}


def _values(message: NewMessage) -> tuple[str | None, ...]:
    at = utc_text(message.received_at)
    payload = json.dumps(message.payload, ensure_ascii=False)
    return (
        message.channel,
        message.external_id,
        message.incident_id,
        message.lane,
        payload,
        message.fingerprint,
        at,
        at,
        message.trace,
    )


def first_delivery(channel: str, external_id: str) -> tuple[str, str]:
    """Return incident id and fingerprint of the message that came first under this id."""
    row = execute(
        "SELECT incident_id, fingerprint FROM inbox WHERE channel = ? AND external_id = ?", (channel, external_id)
    ).fetchone()
    return row[0], row[1]


def done(row_id: int, outcome: Mapping[str, Any]) -> None:
    """Mark a message as handled. `outcome` is the answer that its sender gets, now and for every repetition."""
    execute(
        "UPDATE inbox SET state = 'done', due_at = NULL, error = NULL, outcome = ? WHERE id = ?",
        (json.dumps(outcome, ensure_ascii=False), row_id),
    )


def quarantine(row_id: int, incident_id: str, outcome: Mapping[str, Any]) -> None:
    """Leave a message to a person, who may let it join this incident."""
    execute(
        "UPDATE inbox SET state = 'quarantined', due_at = NULL, error = NULL, outcome = ?, quarantined_on = ? "
        "WHERE id = ?",
        (json.dumps(outcome, ensure_ascii=False), incident_id, row_id),
    )


def quarantined(incident_id: str | None = None, limit: int = 100) -> list[Row]:
    """List what waits for a person, the oldest first: all, or what would join one incident."""
    mine = literally(InboxMessage.state, "quarantined")
    if incident_id is not None:
        mine &= InboxMessage.quarantined_on == incident_id
    return rows(InboxMessage.select().where(mine).order_by(InboxMessage.id).limit(limit))


def admit(row: Row, payload: Mapping[str, Any], now: datetime) -> bool:
    """Put what was quarantined back into its lane; False if somebody was quicker."""
    changes = {"state": "new", "due_at": now, "attempts": 0, "payload": payload}
    if not update(InboxMessage, row["id"], changes, "AND state = 'quarantined'"):
        return False
    lanes.wake({row["lane"]: now})
    return True


def reject(row_id: int) -> bool:
    """Say that what was quarantined stays out; False if somebody was quicker."""
    return update(InboxMessage, row_id, {"state": "done"}, "AND state = 'quarantined'")


def by_number(number: int) -> Row | None:
    return find(InboxMessage, "id = ?", [number])


def outcomes(incident_ids: Collection[str]) -> dict[str, Any]:
    """Return the outcomes of those messages that are handled, by incident id."""
    if not incident_ids:
        return {}
    marks = ", ".join("?" for _ in incident_ids)
    rows = execute(
        f"SELECT incident_id, outcome FROM inbox WHERE outcome IS NOT NULL AND incident_id IN ({marks})",
        list(incident_ids),
    )
    return {incident_id: json.loads(outcome) for incident_id, outcome in rows.fetchall()}


def by_incident(incident_id: str) -> Row | None:
    """Return the row that carries this incident id, if there is one."""
    return first(InboxMessage.select().where(InboxMessage.incident_id == incident_id))
