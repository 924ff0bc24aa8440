"""What we owe to the ticket desk, and catch up with in the background: one kind so far, `link`."""

from dataclasses import dataclass

import structlog

from bot.breaker import Breaker
from bot.deadline import within
from bot.errors import Undeliverable
from bot.lanes import Lease
from bot.ports import TicketDesk
from storage import database, incidents, jobs

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class DeskJobs:
    """Handles the lanes of jobs."""

    desk: TicketDesk | None
    breaker: Breaker
    deadline: float

    def handle(self, lease: Lease) -> None:
        """Do the job at the head of the lane; raises what the desk raises, and is tried again."""
        if lease.row["kind"] != "link":
            raise Undeliverable(f"this version knows no job of the kind {lease.row['kind']!r}")
        self._link(lease)

    def _link(self, lease: Lease) -> None:
        """Get the desk's id of an incident whose customer was told a local number. The incident's id is the desk's
        idempotency key: if it made a ticket when it was first asked, this is that ticket."""
        incident_id = lease.lane.rpartition("/")[2]
        with database.session():
            incident = incidents.get(incident_id)
        desk = self.desk
        if incident is None or desk is None:
            raise Undeliverable("no ticket desk is configured (TICKET_API_URL), or the incident is gone")
        external_id = self.breaker.call(
            lambda: within(
                self.deadline, lambda: desk.open(incident_id, incident["classification"], incident["message"])
            )
        )
        with lease.finishing() as now:
            incidents.link(incident_id, external_id)
            incidents.record(incident_id, now, "desk", "linked", after=external_id)
            jobs.done(lease.row["id"])
        log.info("ticket.linked", incident_id=incident_id, external_ticket_id=external_id)
