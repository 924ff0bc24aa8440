"""Lanes: work that must be done in order, leased to one worker at a time.

A lane's key begins with the queue that its work lies in: `in/…` (inbox), `out/…` (notifications), `job/…` (jobs).

PostgreSQL locks row by row, until the end of the transaction. So that nobody waits in a circle, every transaction locks
in this order: the lanes `in/…`, then `job/…`; a follow-up; its incident; the addresses at which we are blocked;
customers; their identities; their codes; the lanes `out/…`; the paces; among rows of one kind by their key. A row of a
queue is locked by whoever has its lane, or last of all.

The SQL is written by hand: these statements run several times for every message.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from storage import tables
from storage.database import Row, database, execute, find, update
from storage.dialect import locks_rows, skip_locked
from storage.tables import from_utc_text, utc_text

QUEUES: Mapping[str, type[Any]] = {
    "in": tables.InboxMessage,
    "out": tables.Notification,
    "job": tables.Job,
}


def queue_of(lane: str) -> type[Any]:
    """The table in which the work of this lane lies."""
    return QUEUES[lane.partition("/")[0]]


def wake(due: Mapping[str, datetime]) -> None:
    """See to it that these lanes are looked at when their work is due, at the latest.

    Sorted by key, so that two transactions that wake the same lanes cannot wait for each other in a circle.
    """
    if not due:
        return
    values = [value for key in sorted(due) for value in (key, utc_text(due[key]))]
    rows = ", ".join("(?, ?)" for _ in due)
    execute(
        f"INSERT INTO lanes (key, due_at) VALUES {rows} ON CONFLICT (key) DO UPDATE SET due_at = "
        "CASE WHEN excluded.due_at < lanes.due_at THEN excluded.due_at ELSE lanes.due_at END",
        values,
    )


def due(now: datetime, limit: int, queue: str = "") -> list[str]:
    """Name the lanes (of this queue: `in`, `out`, `job`) that have work due and no worker, the most urgent first."""
    found = execute(
        "SELECT key FROM lanes WHERE due_at <= ? AND (lease_until IS NULL OR lease_until <= ?) AND key LIKE ? "
        "ORDER BY due_at LIMIT ?",
        (utc_text(now), utc_text(now), f"{queue}%", limit),
    )
    return [key for (key,) in found.fetchall()]


def lease(key: str, owner: str, now: datetime, until: datetime) -> bool:
    """Take the lane if it has work due and nobody has it."""
    taken = execute(
        "UPDATE lanes SET owner = ?, lease_until = ? "
        "WHERE key = ? AND due_at <= ? AND (lease_until IS NULL OR lease_until <= ?)",
        (owner, utc_text(until), key, utc_text(now), utc_text(now)),
    )
    return bool(taken.rowcount)


def fence(key: str, owner: str, now: datetime, until: datetime) -> bool:
    """Renew the lease, and so lock its row for the rest of the transaction; False if it is lost."""
    held = execute(
        "UPDATE lanes SET lease_until = ? WHERE key = ? AND owner = ? AND lease_until > ?",
        (utc_text(until), key, owner, utc_text(now)),
    )
    return bool(held.rowcount)


def renew(owners: Iterable[str], now: datetime, until: datetime) -> int:
    """Renew all leases of these owners that have not ended; return how many. A lane whose row is locked is passed over:
    its own work is just renewing it (`fence`), or somebody wakes it, and the next sign of life comes before the end."""
    names = list(owners)
    held = execute(
        f"SELECT key FROM lanes WHERE owner IN ({_marks(names)}) AND lease_until > ?" + skip_locked(database),
        (*names, utc_text(now)),
    )
    keys = [key for (key,) in held.fetchall()]
    if keys:
        execute(f"UPDATE lanes SET lease_until = ? WHERE key IN ({_marks(keys)})", (utc_text(until), *keys))
    return len(keys)


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))


def hold(incident_id: str) -> None:
    """Let nobody change an incident, or what is due of it, until this transaction ends; in the order of the locks.
    SQLite: the transaction itself does."""
    if locks_rows(database):
        # the lane may have no row yet: two who both found none would lock it last
        execute("SELECT pg_advisory_xact_lock(hashtextextended(?, 0))", (incident_id,)).fetchall()
        execute("SELECT 1 FROM lanes WHERE key = ? FOR UPDATE", (f"job/{incident_id}",)).fetchall()
        execute(
            "SELECT 1 FROM follow_ups WHERE incident_id = ? AND due_at IS NOT NULL ORDER BY id FOR UPDATE",
            (incident_id,),
        ).fetchall()
        execute("SELECT 1 FROM incidents WHERE id = ? FOR UPDATE", (incident_id,)).fetchall()


def release(key: str, owner: str, due_at: datetime | None) -> None:
    """Hand the lane back; with nothing left to do its row goes."""
    if due_at is None:
        execute("DELETE FROM lanes WHERE key = ? AND owner = ?", (key, owner))
    else:
        execute(
            "UPDATE lanes SET owner = NULL, lease_until = NULL, due_at = ? WHERE key = ? AND owner = ?",
            (utc_text(due_at), key, owner),
        )


def head(key: str) -> Row | None:
    """Read the lane's first piece of work that is not done, due or not.

    A statement of its own, after the lane's row was locked: as a subquery of the hand-back it could miss a row that
    is being inserted just then (PostgreSQL, READ COMMITTED).
    """
    return find(queue_of(key), "lane = ? AND due_at IS NOT NULL ORDER BY id", [key])


def wake_forgotten(limit: int) -> int:
    """Give a lane back to waiting work that has none, and return how many lanes that were. A safety net: there is no
    known way to get there but by hand."""
    forgotten: dict[str, datetime] = {}
    for queue in QUEUES.values():
        found = execute(
            f"SELECT lane, MIN(due_at) FROM {queue._meta.table_name} WHERE due_at IS NOT NULL "
            "AND NOT EXISTS (SELECT 1 FROM lanes WHERE key = lane) GROUP BY lane LIMIT ?",
            (limit,),
        )
        forgotten.update({lane: from_utc_text(due_at) for lane, due_at in found.fetchall()})
    wake(forgotten)
    return len(forgotten)


DEAD: Mapping[type[Any], Mapping[str, str]] = {
    tables.InboxMessage: {"state": "dead"},
    tables.Notification: {"status": "failed"},
    tables.Job: {"state": "dead"},
}


def put_off(queue: type[Any], row_id: int, attempts: int, due_at: datetime, error: str) -> None:
    """Try this piece of work again at `due_at`."""
    update(queue, row_id, {"due_at": due_at, "attempts": attempts, "error": error})


def bury(queue: type[Any], row_id: int, attempts: int, error: str) -> None:
    """Put this piece of work aside as dead: it stays, is listed, and can be retried by a person."""
    update(queue, row_id, {"due_at": None, "attempts": attempts, "error": error, **DEAD[queue]})
