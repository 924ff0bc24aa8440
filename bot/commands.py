"""What people may do to an incident. Each change is one conditional UPDATE in its transaction, and the row count
decides: of two who resolve at once, one does."""

from dataclasses import dataclass

import structlog

from bot import views
from bot.errors import Conflict, NotFound
from bot.model import Incident, tidy
from bot.ports import Clock, Dispatcher
from storage import database, dead, follow_ups, incidents, notifications

log = structlog.get_logger()

LONGEST_NOTE = 2000


@dataclass(frozen=True, slots=True)
class Commands:
    """The commands, for every channel and for the command line. `actor` is who does it, for the audit trail."""

    clock: Clock
    dispatcher: Dispatcher

    def resolve(self, name: str, actor: str, note: str = "") -> Incident:
        """Resolve an incident, by its id or ticket id: nobody will be reminded of it. Raises NotFound, or Conflict if
        it is resolved already (the text says by whom and when)."""
        with database.transaction():
            now = self.clock()
            row = _known(name)
            follow_ups.cancel(row["id"], now)  # before the incident, as who reminds does: no waiting in a circle
            if not incidents.resolve(row["id"], now, actor):
                raise Conflict(_already_resolved(_known(row["id"])))
            incidents.record(row["id"], now, actor, "resolved", before="open", after=tidy(note)[:LONGEST_NOTE] or None)
            notifications.cancel_reminders(row["id"])
            incident = Incident.of(_known(row["id"]))
        log.info("incident.resolved", incident_id=incident.id, ticket_id=incident.ticket_id)
        return incident

    def retry(self, name: str) -> None:
        """Put what was given up back into its lane, with all its attempts ahead of it. Raises NotFound."""
        with database.transaction():
            lane = dead.retry(name, self.clock())
        if lane is None:
            raise NotFound(f"Nothing dead goes by {name[:64]!r}; see `bot dead list`.")
        self.dispatcher.wake(lane)


def _known(name: str) -> database.Row:
    row = views.find(name)
    if row is None:
        raise NotFound(f"No incident goes by {name[:64]!r}.")
    return row


def _already_resolved(row: database.Row) -> str:
    return f"{row['ticket_id']} was resolved by {row['resolved_by']} at {row['resolved_at']:%Y-%m-%d %H:%M} UTC."
