"""Work that has no row of its own: what is owed to outside systems, not to people."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from storage import lanes
from storage.database import insert, update
from storage.tables import Job


def add(kind: str, subject: str, payload: Mapping[str, Any], due_at: datetime, now: datetime) -> None:
    """Owe a piece of work of this kind on this subject (an incident's id), once, in a lane of its own."""
    lane = f"job/{kind}/{subject}"
    row = {"lane": lane, "kind": kind, "payload": dict(payload), "dedupe": lane, "due_at": due_at, "created_at": now}
    insert(Job, [row], unless="dedupe")
    lanes.wake({lane: due_at})


def done(row_id: int) -> None:
    update(Job, row_id, {"state": "done", "due_at": None, "error": None})
