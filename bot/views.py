"""Every read for people, as frozen values."""

import statistics
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bot.errors import NotFound
from bot.model import Incident, IncidentDetails, NotificationView, Received, TimelineEntry, tidy
from storage import database, dead, inbox, incidents, notifications, stats
from storage.dead import Dead


class Views:
    """What people ask. Nothing here writes."""

    def incidents(self, limit: int = 50, status: str | None = None) -> list[Incident]:
        """List the youngest incidents, all or those of one status (open, resolved)."""
        with database.session():
            return [Incident.of(row) for row in incidents.newest(limit, status)]

    def incident(self, name: str) -> IncidentDetails | Received:
        """Find an incident by its id or its ticket id, with its timeline and notifications. Raises NotFound."""
        with database.session():
            row = find(name)
            if row is not None:
                return _details(row)
            waiting = inbox.by_incident(tidy(name).lower())
        if waiting is None:
            raise NotFound(f"No incident goes by {name[:64]!r}.")
        return Received(waiting["incident_id"], waiting["received_at"])

    def ready(self) -> None:
        """Return if the database answers; else raise what it raises."""
        with database.session():
            database.execute("SELECT 1").fetchone()

    def stats(self) -> dict[str, Any]:
        """Count incidents (in all, by status, category and channel), notifications and reminders; give the mean
        confidence and the median time to resolve, in seconds (None: nothing was resolved yet)."""
        with database.session():
            figures = stats.counts()
            times = [(resolved - opened).total_seconds() for opened, resolved in stats.times_to_resolve()]
        mean = figures["mean_confidence"]
        figures["mean_confidence"] = None if mean is None else round(mean, 3)
        figures["median_seconds_to_resolve"] = statistics.median(times) if times else None
        return figures

    def standing(self, now: datetime) -> dict[str, float]:
        """What is waiting, due or dead right now, by name, for the metrics page."""
        with database.session():
            return stats.standing(now)

    def dead(self, limit: int = 100) -> list[Dead]:
        """List what was given up and waits for a person."""
        with database.session():
            return dead.everything(limit)

    def dead_one(self, name: str) -> Mapping[str, Any]:
        """Show everything about one of them. Raises NotFound."""
        with database.session():
            row = dead.find(name)
        if row is None:
            raise NotFound(f"Nothing dead goes by {name[:64]!r}; see `bot dead list`.")
        return row


def find(name: str) -> database.Row | None:
    """Find an incident's row by its id or by its ticket id, without regard to case where that leaves one. Within a
    session. Raises NotFound if it leaves several."""
    written = tidy(name)
    by_id = incidents.get(written.lower())
    if by_id is not None:
        return by_id
    found = incidents.by_ticket(written)
    exact = [row for row in found if row["ticket_id"] == written]
    if len(exact or found) > 1:
        raise NotFound(f"{written[:64]!r} may be {' or '.join(row['ticket_id'] for row in found)}: write it exactly.")
    return next(iter(exact or found), None)


def _details(row: database.Row) -> IncidentDetails:
    said = [
        TimelineEntry(message["created_at"], message["author"], message["direction"], message["text"])
        for message in incidents.messages(row["id"])
    ]
    done = [
        TimelineEntry(event["at"], event["actor"], event["name"], event["after"] or "")
        for event in incidents.events(row["id"])
    ]
    owed = [_notification(notice) for notice in notifications.of_incident(row["id"])]
    return IncidentDetails(Incident.of(row), tuple(sorted(said + done, key=lambda entry: entry.at)), tuple(owed))


def _notification(row: database.Row) -> NotificationView:
    return NotificationView(**{name: row[name] for name in NotificationView.__slots__})
