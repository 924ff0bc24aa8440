"""Work that has no row of its own: what is owed to outside systems, not to people."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from storage import lanes, traces
from storage.database import execute, insert, update
from storage.tables import Job


def add_fetch(file_id: int, incident_id: str, payload: Mapping[str, Any], now: datetime) -> str:
    """Owe the fetching of a file, and return the lane to wake: one of its own, so that nothing waits for it. Nobody
    else can know this lane yet, and so nobody can wait in a circle for it."""
    lane = fetch_lane(file_id)
    _owe(lane, "fetch", {**payload, "file": file_id, "incident_id": incident_id}, f"fetch/{file_id}", now, now)
    return lane


def fetch_lane(file_id: int) -> str:
    return f"job/file/{file_id}"


def add(kind: str, incident_id: str, number: int, payload: Mapping[str, Any], due_at: datetime, now: datetime) -> str:
    """Owe a piece of work of this kind about an incident, and return the lane to wake. `number` is which of its kind it
    is, such as the n-th closing: each is owed once, however often it is added.

    All that is owed about one incident is done in the order in which it was added: it shares a lane, which this locks.
    So a transaction that changes the incident as well adds first (see `storage.lanes`).
    """
    lane = f"job/{incident_id}"
    _owe(lane, kind, payload, f"{kind}/{incident_id}/{number}", due_at, now)
    return lane


def add_reclassify(incident_id: str, payload: Mapping[str, Any], due_at: datetime, now: datetime) -> None:
    """Owe another look at what an incident is about: once, and in a lane of its own, so that nothing waits for it.
    Nobody but whoever does it locks this lane."""
    lane = reclassify_lane(incident_id)
    _owe(lane, "reclassify", payload, f"reclassify/{incident_id}", due_at, now)


def reclassify_lane(incident_id: str) -> str:
    return f"job/reclassify/{incident_id}"


def _owe(lane: str, kind: str, payload: Mapping[str, Any], dedupe: str, due_at: datetime, now: datetime) -> None:
    row = {
        "lane": lane,
        "kind": kind,
        "payload": dict(payload),
        "dedupe": dedupe,
        "due_at": due_at,
        "created_at": now,
        "trace": traces.current(),
    }
    insert(Job, [row], unless="dedupe")
    lanes.wake({lane: due_at})


def put_off(row_id: int, attempts: int, due_at: datetime) -> None:
    """Have it done later."""
    update(Job, row_id, {"due_at": due_at, "attempts": attempts})


def done(row_id: int) -> None:
    update(Job, row_id, {"state": "done", "due_at": None, "error": None})


def owed(incident_id: str) -> bool:
    """Whether the desk was ever asked in the background about this incident: it has the ticket, or is to get it."""
    found = execute("SELECT 1 FROM jobs WHERE dedupe = ?", (f"link/{incident_id}/0",)).fetchone()
    return found is not None
