"""What we owe to the ticket desk, and catch up with in the background: getting its id of an incident (`link`), and
telling it that the incident was resolved (`close`) or taken up again (`reopen`)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog

from bot.breaker import Breaker
from bot.deadline import within
from bot.errors import Undeliverable
from bot.lanes import Lease
from bot.ports import TicketDesk
from storage import database, incidents, jobs

log = structlog.get_logger()

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Change:
    """What the desk is told, and what the audit trail says of it afterwards."""

    status: str
    event: str


CHANGES: Mapping[str, Change] = {
    "close": Change("closed", "desk_closed"),
    "reopen": Change("open", "desk_reopened"),
}
"""What the kinds of job make of a ticket."""


@dataclass(frozen=True, slots=True)
class DeskJobs:
    """Does what is owed to the desk. All that is owed about one incident lies in one lane: a ticket is linked before it
    is closed, and closed before it is reopened."""

    desk: TicketDesk | None
    breaker: Breaker
    deadline: float

    def link(self, lease: Lease) -> None:
        """Get the desk's id of an incident whose customer was told a local number. The incident's id is the desk's
        idempotency key: if it made a ticket when it was first asked, this is that ticket. Raises what the desk
        raises, and is tried again."""
        incident = _incident(lease)
        incident_id = incident["id"]
        external_id = self._ask(lambda desk: desk.open(incident_id, incident["classification"], incident["message"]))
        with lease.finishing() as now:
            incidents.link(incident_id, external_id)
            incidents.record(incident_id, now, "desk", "linked", after=external_id)
            jobs.done(lease.row["id"])
        log.info("ticket.linked", incident_id=incident_id, external_ticket_id=external_id)

    def change(self, lease: Lease) -> None:
        """Bring the ticket to the status that the job's kind stands for. Without the desk's id there is none to change:
        it was never asked for one, or `link`, which came before in this lane, was given up. Raises what the desk
        raises, and is tried again."""
        incident, job = _incident(lease), lease.row
        change = CHANGES[job["kind"]]
        incident_id, external_id = incident["id"], incident["external_ticket_id"]
        if not external_id:
            with lease.finishing():
                jobs.done(job["id"])
            log.info("ticket.not_updated", incident_id=incident_id, status=change.status)
            return
        self._ask(lambda desk: desk.update(external_id, change.status, job["payload"]["note"], _key(incident_id, job)))
        with lease.finishing() as now:
            incidents.record(incident_id, now, "desk", change.event, after=external_id)
            jobs.done(job["id"])
        log.info("ticket.updated", incident_id=incident_id, external_ticket_id=external_id, status=change.status)

    def _ask(self, question: Callable[[TicketDesk], Answer]) -> Answer:
        """Put one question to the desk. Raises what it raises; CircuitOpen, DeadlinePassed; Undeliverable if there is
        no desk any more."""
        desk = self.desk
        if desk is None:
            raise Undeliverable("no ticket desk is configured (TICKET_API_URL)")
        return self.breaker.call(lambda: within(self.deadline, lambda: question(desk)))


def _incident(lease: Lease) -> database.Row:
    """Read the incident that the lane is about: `job/ID`, or `job/link/ID` as an earlier version wrote it."""
    with database.session():
        incident = incidents.get(lease.lane.rpartition("/")[2])
    if incident is None:
        raise Undeliverable("the incident is gone")
    return incident


def _key(incident_id: str, job: Mapping[str, Any]) -> str:
    """The idempotency key of one change: the same at every attempt, another for the next closing."""
    return f"{incident_id}-{job['kind']}-{job['dedupe'].rpartition('/')[2]}"
