"""Ticket numbers: the desk's if it answers in time, else one of our own."""

import re
import secrets
from dataclasses import dataclass

import structlog

from bot import measure
from bot.breaker import Breaker
from bot.deadline import within
from bot.lanes import describe
from bot.ports import TicketDesk

log = structlog.get_logger()

DESK_ID = re.compile(r"[A-Za-z0-9-]{1,32}")


@dataclass(frozen=True, slots=True)
class Ticket:
    """What the customer is told, and what the desk calls it (None: the desk has not answered, or there is none).
    `owed`: the desk is to be asked again."""

    id: str
    external_id: str | None
    owed: bool = False


@dataclass(frozen=True, slots=True)
class Tickets:
    """Creates tickets. `deadline` is how long the desk may hold up a message, in seconds."""

    desk: TicketDesk | None
    breaker: Breaker
    deadline: float

    def create(self, incident_id: str, category: str, text: str) -> Ticket:
        """Ask the desk for a ticket; whatever it does, there is a number."""
        external_id = self._ask(incident_id, category, text)
        if external_id is None or not DESK_ID.fullmatch(external_id):
            ticket = Ticket(local_number(), external_id, owed=self.desk is not None and external_id is None)
        else:
            ticket = Ticket(f"TKT-{external_id}", external_id)
        log.info("ticket.created", incident_id=incident_id, ticket_id=ticket.id, at_desk=external_id is not None)
        return ticket

    def _ask(self, incident_id: str, category: str, text: str) -> str | None:
        desk = self.desk
        if desk is None:
            return None
        try:
            opened = self.breaker.call(lambda: within(self.deadline, lambda: desk.open(incident_id, category, text)))
            return opened or None
        except Exception as exc:  # whatever it is, the incident is opened
            measure.failures.labels("desk").inc()
            log.warning("desk.failed", incident_id=incident_id, reason=describe(exc))
            return None


def local_number() -> str:
    """Draw a ticket number of our own: `TKT-` and 8 random hex digits."""
    return f"TKT-{secrets.token_hex(4)}"
