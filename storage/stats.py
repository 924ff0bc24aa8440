"""The figures."""

from datetime import datetime
from typing import Any

from peewee import fn

from storage.tables import FollowUp, InboxMessage, Incident, Job, Lane, Notification, Rating


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


def standing(now: datetime) -> dict[str, float]:
    """What is waiting, due or dead right now; the age of the oldest due work in seconds."""
    given_up = Notification.status.in_(["failed", "uncertain"]) & Notification.due_at.is_null()
    oldest = Lane.select(fn.MIN(Lane.due_at)).scalar()
    return {
        "messages_waiting": InboxMessage.select().where(InboxMessage.due_at.is_null(False)).count(),
        "messages_dead": InboxMessage.select().where(InboxMessage.state == "dead").count(),
        "notifications_waiting": Notification.select().where(Notification.due_at.is_null(False)).count(),
        "notifications_given_up": Notification.select().where(given_up).count(),
        "jobs_waiting": Job.select().where(Job.due_at.is_null(False)).count(),
        "follow_ups_waiting": FollowUp.select().where(FollowUp.due_at.is_null(False)).count(),
        "oldest_work_seconds": 0.0 if oldest is None else max(0.0, (now - oldest).total_seconds()),
    }


def times_to_resolve() -> list[tuple[datetime, datetime]]:
    """Return (opened, resolved) of the youngest 10,000 resolved incidents: enough for a median that means something."""
    found: Any = (
        Incident.select(Incident.created_at, Incident.resolved_at)
        .where(Incident.resolved_at.is_null(False))
        .order_by(Incident.resolved_at.desc())
        .limit(10_000)
    )
    return [(opened, resolved) for opened, resolved in found.tuples()]
