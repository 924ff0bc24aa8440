"""The texts that we owe. The row is the job of sending it."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from storage import lanes, traces
from storage.database import Row, execute, insert, rows, update
from storage.tables import Notification, utc_text


def owe(owed: Sequence[Mapping[str, Any]]) -> None:
    """Insert notifications, once each (`dedupe`), and wake their lanes."""
    if not owed:
        return
    trace = traces.current()
    insert(Notification, [{**row, "trace": trace} for row in owed], unless="dedupe")
    lanes.wake({row["lane"]: row["due_at"] for row in owed})


GONE = "(a code)"

STILL_MEANT = (
    "(kind <> 'reminder' OR EXISTS (SELECT 1 FROM incidents WHERE incidents.id = incident_id AND status = 'open' "
    "AND last_opened_at <= notifications.created_at))"
)
"""A reminder that was being sent while its incident was resolved was not cancelled, and may come back to be sent; also
after the incident was opened again."""


def mark_sending(row: Row, settles_at: datetime) -> bool:
    """Say that a sender has it. If nobody reports by `settles_at`, the outcome is unknown. False: it is no longer
    pending, for whoever resolves an incident cancels its reminders without waiting for their lane."""
    changes = {"status": "sending", "due_at": settles_at, "attempts": row["attempts"] + 1, "error": None, "booked": []}
    if not update(Notification, row["id"], changes, f"AND status = 'pending' AND {STILL_MEANT}"):
        update(Notification, row["id"], {"status": "cancelled", "due_at": None}, "AND status = 'pending'")
        return False
    row.update(changes)
    if row["kind"] == "card":  # it may have been rewritten since it was read
        row["notice"] = _written(row["id"])
    return True


def rewrite(lane: str, incident_id: str, kind: str, message: str, notice: Mapping[str, Any]) -> bool:
    """Replace the text of the notification of this kind that waits in this lane; False if none does. The caller has the
    lane (`lanes.wake`), so that nobody begins to send it meanwhile."""
    text = Notification.notice.db_value(notice)
    changed = execute(
        "UPDATE notifications SET message = ?, notice = ? "
        "WHERE incident_id = ? AND kind = ? AND lane = ? AND status = 'pending'",
        (message, text, incident_id, kind, lane),
    )
    return bool(changed.rowcount)


def _written(row_id: int) -> Any:
    found = execute("SELECT notice FROM notifications WHERE id = ?", (row_id,)).fetchone()
    return Notification.notice.python_value(found[0])


def cancel(row: Row) -> None:
    """It is not meant any more, and is not sent."""
    _change(row, status="cancelled", due_at=None)


def book(row: Row, due_at: datetime, booked: Sequence[str]) -> None:
    """It comes too early, and has not been tried: it goes at `due_at`, a time that it has for these names."""
    _change(row, due_at=due_at, booked=list(booked))


def mark_sent(row: Row, status: str, provider_id: str, at: datetime) -> None:
    """`status`: sent, or simulated where no provider is configured."""
    _change(row, status=status, due_at=None, provider_id=provider_id, sent_at=at, error=None)


def mark_pending(row: Row, due_at: datetime, error: str | None, repeats: int = 0) -> None:
    """Send it (again) at `due_at`; `repeats` counts how often that is done blindly, after an unknown outcome."""
    _change(row, status="pending", due_at=due_at, error=error, repeats=row["repeats"] + repeats)


def mark_uncertain(row: Row, due_at: datetime | None, error: str, attempts: int = 0) -> None:
    """Its outcome is unknown; look at `due_at`, or (None) leave it to a person. `attempts` counts a look in vain."""
    _change(row, status="uncertain", due_at=due_at, error=error, attempts=row["attempts"] + attempts)


def mark_failed(row: Row, error: str) -> None:
    _change(row, status="failed", due_at=None, error=error)


def _change(row: Row, **changes: Any) -> None:
    """Change a notification whose lane is ours, in the database and in the row that we read of it. Of a code nothing is
    kept once nobody is to send it any more."""
    if row["kind"] == "code" and changes.get("due_at", row["due_at"]) is None:
        changes |= {"message": GONE, "notice": {**row["notice"], "lead": GONE}}
    update(Notification, row["id"], changes)
    row.update(changes)


def cancel_reminders(incident_id: str) -> int:
    """Cancel the reminders that nobody has begun to send; return how many."""
    waiting = (
        (Notification.incident == incident_id) & (Notification.kind == "reminder") & (Notification.status == "pending")
    )
    return int(Notification.update(status="cancelled", due_at=None).where(waiting).execute())


def of_incident(incident_id: str) -> list[Row]:
    found = Notification.select().where(Notification.incident == incident_id).order_by(Notification.id)
    return rows(found)


def count_to(channel: str, recipient: str, kinds: Collection[str], since: datetime) -> int:
    """Count the texts of these kinds that were owed to an address since then."""
    marks = ", ".join("?" for _ in kinds)
    found = execute(
        "SELECT COUNT(*) FROM notifications WHERE channel = ? AND recipient = ? AND created_at >= ? "
        f"AND kind IN ({marks})",
        (channel, recipient, utc_text(since), *sorted(kinds)),
    )
    return int(found.fetchone()[0])


def thread(row: Row, with_customers: bool) -> list[str]:
    """List the ids of what was written by now in the thread that a notification belongs to, the oldest first: of our
    texts to the same address, and (`with_customers`) of what came in on the same channel."""
    ours = (
        "SELECT provider_id, sent_at, 1 FROM notifications WHERE incident_id = ? AND channel = ? AND recipient = ? "
        "AND provider_id IS NOT NULL AND id < ?"
    )
    values = [row["incident"], row["channel"], row["recipient"], row["id"]]
    if with_customers:
        theirs = (
            "SELECT external_id, created_at, 0 FROM messages WHERE incident_id = ? AND channel = ? AND direction = ?"
        )
        ours, values = f"{ours} UNION ALL {theirs}", [*values, row["incident"], row["channel"], "customer"]
    return [str(name) for name, *_ in execute(f"{ours} ORDER BY 2, 3", values).fetchall()]


def handed_over(incident_id: str, channel: str, recipient: str) -> list[Row]:
    """List the texts of an incident that went out on a channel, or are just going out; those of no incident: to this
    address."""
    gone = Notification.status.in_(["sending", "sent", "uncertain", "failed"]) & (Notification.channel == channel)
    if incident_id:
        return rows(Notification.select().where(gone & (Notification.incident == incident_id)))
    return rows(
        Notification.select().where(gone & Notification.incident.is_null() & (Notification.recipient == recipient))
    )


def mark_returned(row: Mapping[str, Any], error: str) -> bool:
    """It was sent, and did not arrive; False if it was marked already, or its platform has said that it arrived."""
    changes = {"status": "failed", "due_at": None, "error": error}
    return update(Notification, row["id"], changes, f"AND status IN ('sent', 'uncertain') AND {NOT_ARRIVED}")


def mark_again(row: Mapping[str, Any], now: datetime, why: str) -> bool:
    """It was sent, and is sent once more; False if that is done already, or it arrived. Nobody works on what was sent,
    so its lane need not be the caller's."""
    changes = {"status": "pending", "due_at": now, "error": why, "delivery": None}
    if not update(Notification, row["id"], changes, f"AND status IN ('sent', 'uncertain') AND {NOT_ARRIVED}"):
        return False
    lanes.wake({row["lane"]: now})
    return True


ON_ITS_WAY = ("queued", "sending", "sent", "delivered", "read")
"""How far a text has come, by its platform's word, the later the further."""

FAILED = ("undelivered", "failed")
NOT_ARRIVED = "(delivery IS NULL OR delivery NOT IN ('delivered', 'read'))"


def progress(row_id: int, delivery: str) -> bool:
    """Note how far a text has come (one of ON_ITS_WAY), or that it never arrives (FAILED). What platforms tell is
    repeated and out of order: False if it is known to have come further, or to be at its end."""
    before = ON_ITS_WAY[: ON_ITS_WAY.index(delivery)] if delivery in ON_ITS_WAY else ON_ITS_WAY[:3]
    marks = ", ".join(f"'{name}'" for name in before)
    known = f"OR delivery IN ({marks})" if before else ""
    return update(Notification, row_id, {"delivery": delivery}, f"AND (delivery IS NULL {known})")


def statuses(keys: Sequence[str]) -> dict[str, str]:
    """Return how the notifications stand that have these keys, by key."""
    found: Any = Notification.select(Notification.dedupe, Notification.status).where(
        Notification.dedupe.in_(list(keys))
    )
    return dict(found.tuples())


def acknowledged(incident_ids: Sequence[str]) -> list[Row]:
    """Return where the acknowledgements of these incidents went: rows of incident, channel, recipient."""
    found = Notification.select(Notification.incident, Notification.channel, Notification.recipient).where(
        Notification.incident.in_(list(incident_ids)) & (Notification.kind == "acknowledgement")
    )
    return rows(found.order_by(Notification.id))
