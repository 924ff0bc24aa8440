"""The figures."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from peewee import fn

from storage.dead import given_up
from storage.lanes import QUEUES
from storage.tables import FollowUp, InboxMessage, Incident, Lane, Notification, Rating


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of now; `queue`: of which one (see `storage.lanes`), if of one."""

    name: str
    value: float
    queue: str | None = None


def _count_by(table: Any, column: Any) -> dict[str, int]:
    rows = table.select(column, fn.COUNT(1)).group_by(column).order_by(column).tuples()
    return {name: number for name, number in rows}


def counts() -> dict[str, Any]:
    """Incidents in all and by status, category and channel; notifications by status; messages not handled yet;
    customers' ratings."""
    return {
        "total": Incident.select().count(),
        "by_status": _count_by(Incident, Incident.status),
        "by_category": _count_by(Incident, Incident.classification),
        "by_channel": _count_by(Incident, Incident.channel),
        "mean_confidence": Incident.select(fn.AVG(Incident.confidence)).scalar(),
        "notifications": _count_by(Notification, Notification.status),
        "waiting_messages": InboxMessage.select().where(InboxMessage.due_at.is_null(False)).count(),
        "dead_messages": InboxMessage.select().where(InboxMessage.state == "dead").count(),
        "reminders_due": FollowUp.select().where(FollowUp.due_at.is_null(False)).count(),
        "ratings": Rating.select().count(),
        "mean_rating": Rating.select(fn.AVG(Rating.score)).scalar(),
        "reminders_sent": Incident.select().where(Incident.reminder_sent == True).count(),  # noqa: E712
    }


def standing(now: datetime) -> list[Figure]:
    """What waits, is due or was given up right now; how late the latest of it is, in seconds."""
    figures = [Figure("follow_ups_waiting", _number(FollowUp, FollowUp.due_at.is_null(False)))]
    late = FollowUp.select(fn.MIN(FollowUp.due_at)).where(FollowUp.due_at.is_null(False)).scalar()
    figures.append(Figure("follow_ups_due", _number(FollowUp, FollowUp.due_at <= now)))
    figures.append(Figure("follow_ups_late_seconds", _age(late, now)))
    figures.append(Figure("messages_quarantined", _number(InboxMessage, InboxMessage.state == "quarantined")))
    for queue, table in QUEUES.items():
        oldest = Lane.select(fn.MIN(Lane.due_at)).where(Lane.key.startswith(f"{queue}/")).scalar()
        figures.append(Figure("work_waiting", _number(table, table.due_at.is_null(False)), queue))
        figures.append(Figure("work_late_seconds", _age(oldest, now), queue))
        figures.append(Figure("work_given_up", _number(table, given_up(table)), queue))
    return figures


def _number(table: Any, which: Any) -> int:
    return int(table.select().where(which).count())


def _age(due_at: datetime | None, now: datetime) -> float:
    return 0.0 if due_at is None else max(0.0, (now - due_at).total_seconds())


def times_to_resolve() -> list[tuple[datetime, datetime]]:
    """Return (opened, resolved) of the youngest 10,000 resolved incidents: enough for a median that means something."""
    found: Any = (
        Incident.select(Incident.created_at, Incident.resolved_at)
        .where(Incident.resolved_at.is_null(False))
        .order_by(Incident.resolved_at.desc())
        .limit(10_000)
    )
    return [(opened, resolved) for opened, resolved in found.tuples()]
