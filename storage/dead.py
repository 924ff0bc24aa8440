"""What was given up and waits for a person, in all three queues."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from storage import lanes
from storage.database import Row, first, literally, rows, update
from storage.tables import InboxMessage, Job, Notification

NAMES: dict[str, type[Any]] = {"message": InboxMessage, "notification": Notification, "job": Job}


@dataclass(frozen=True, slots=True)
class Dead:
    """A piece of work that was given up. `name` is what a person types to get at it."""

    name: str
    lane: str
    state: str
    attempts: int
    error: str | None
    incident_id: str | None


def everything(limit: int) -> list[Dead]:
    """List what was given up, at most `limit` of each kind."""
    return [_dead(kind, row) for kind in NAMES for row in rows(_given_up(kind).limit(limit))]


def find(name: str) -> Row | None:
    """Return the whole row of `kind-number`."""
    kind, _, number = name.partition("-")
    if kind not in NAMES or not re.fullmatch("[0-9]{1,18}", number):
        return None
    return first(_given_up(kind).where(NAMES[kind].id == int(number)))


def retry(name: str, now: datetime) -> str | None:
    """Put it back into its lane, with all its attempts ahead of it, and return the lane's key; None if nothing dead
    goes by that name."""
    row = find(name)
    if row is None:
        return None
    queue = NAMES[name.partition("-")[0]]
    state = "status" if queue is Notification else "state"
    changes = {"due_at": now, "attempts": 0, state: _waiting(queue)}
    unchanged = f"AND {state} = '{row[state]}' AND due_at IS NULL"  # else somebody else was quicker
    if not update(queue, row["id"], changes, unchanged):
        return None
    lanes.wake({row["lane"]: now})
    return str(row["lane"])


def _waiting(queue: type[Any]) -> str:
    return "pending" if queue is Notification else "new"


def _given_up(kind: str) -> Any:
    queue = NAMES[kind]
    return queue.select().where(given_up(queue))


def given_up(queue: type[Any]) -> Any:
    """The condition under which a row of a queue waits for a person."""
    if queue is Notification:
        return literally(Notification.status, "failed", "uncertain") & Notification.due_at.is_null()
    return literally(queue.state, "dead")


def _dead(kind: str, row: Row) -> Dead:
    return Dead(
        name=f"{kind}-{row['id']}",
        lane=row["lane"],
        state=row.get("status") or row["state"],
        attempts=row["attempts"],
        error=row["error"],
        incident_id=_about(row),
    )


def _about(row: Row) -> str | None:
    """The incident of a piece of work: of a job, the one that its payload or else its lane names; a text may be of
    none."""
    if "incident" in row:
        return str(row["incident"]) if row["incident"] else None
    named = row.get("incident_id") or (row.get("payload") or {}).get("incident_id")
    return str(named or row["lane"].rpartition("/")[2])
