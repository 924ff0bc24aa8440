"""The way of a message, on one page: receive → classify → create the ticket → store → notify → schedule.

A worker comes here with a message that is already committed. Nothing is written before `store`; store, notify and
schedule are one transaction, so that a crash leaves all or nothing, and a rerun gets the same ticket from the desk.
"""

import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog

from bot import measure, outbox, wording
from bot.answers import Answers
from bot.breaker import Breaker
from bot.deadline import within
from bot.lanes import Lease, describe
from bot.measure import step
from bot.model import Classification, InboundMessage, Incident
from bot.ports import Classifier, Dispatcher, TicketDesk
from storage import follow_ups, inbox, incidents, jobs

log = structlog.get_logger()

DESK_ID = re.compile(r"[A-Za-z0-9-]{1,32}")
LINK_AGAIN_AFTER = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Ticket:
    """What the customer is told, and what the desk calls it (None: the desk has not answered yet, or there is none)."""

    id: str
    external_id: str | None


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Handles the inbound lanes. `simulated` are the channels whose texts are shown or written to a file, not sent."""

    classifier: Classifier
    desk: TicketDesk | None
    desk_breaker: Breaker
    desk_deadline: float
    follow_up_after: timedelta
    simulated: frozenset[str]
    answers: Answers
    dispatcher: Dispatcher

    def handle(self, lease: Lease) -> None:
        """Take the message at the head of an inbound lane all the way."""
        incident_id, message = self.receive(lease)
        with step("classify"):
            classification = self.classify(incident_id, message)
        with step("create_ticket"):
            ticket = self.create_ticket(incident_id, message, classification)
        with step("store"), lease.finishing() as now:
            incident = self.store(incident_id, message, classification, ticket, now)
            lanes = self.notify(incident, message, now)
            self.schedule(incident, now)
            outcome = self.finish(lease, incident, message)
        log.info("incident.opened", incident_id=incident.id, ticket_id=incident.ticket_id, category=incident.category)
        measure.incidents.labels(incident.category, classification.classified_by).inc()
        self.answers.fulfil(incident.id, outcome)
        for lane in lanes:
            self.dispatcher.wake(lane)

    def receive(self, lease: Lease) -> tuple[str, InboundMessage]:
        """Read the message, and the id that `accept` minted for its incident: the desk's idempotency key."""
        return lease.row["incident_id"], InboundMessage.from_json(lease.row["payload"])

    def classify(self, incident_id: str, message: InboundMessage) -> Classification:
        answer = self.classifier(message.text)
        log.info(
            "message.classified",
            incident_id=incident_id,
            category=answer.category,
            confidence=answer.confidence,
            by=answer.classified_by,
        )
        return answer

    def create_ticket(self, incident_id: str, message: InboundMessage, classification: Classification) -> Ticket:
        """Ask the desk for a ticket, or draw a local number if it does not answer in time."""
        external_id = self._ask_desk(incident_id, message, classification)
        if external_id is None or not DESK_ID.fullmatch(external_id):
            ticket = Ticket(local_number(), external_id)
        else:
            ticket = Ticket(f"TKT-{external_id}", external_id)
        log.info("ticket.created", incident_id=incident_id, ticket_id=ticket.id, at_desk=external_id is not None)
        return ticket

    def _ask_desk(self, incident_id: str, message: InboundMessage, classification: Classification) -> str | None:
        desk = self.desk
        if desk is None:
            return None
        try:
            opened = self.desk_breaker.call(
                lambda: within(
                    self.desk_deadline, lambda: desk.open(incident_id, classification.category, message.text)
                )
            )
            return opened or None
        except Exception as exc:  # whatever it is, the incident is opened
            measure.failures.labels("desk").inc()
            log.warning("desk.failed", incident_id=incident_id, reason=describe(exc))
            return None

    def store(
        self, incident_id: str, message: InboundMessage, said: Classification, ticket: Ticket, now: datetime
    ) -> Incident:
        """Write the incident, its first message and its audit event; and, if the desk owes us its id, the job of
        asking again. Should the number be taken already, another is drawn."""
        values: dict[str, Any] = {
            "id": incident_id,
            "customer_id": message.customer_id,
            "channel": message.answer_on,
            "message": message.text,
            "classification": said.category,
            "confidence": said.confidence,
            "reason": said.reason,
            "classified_by": said.classified_by,
            "ticket_id": ticket.id,
            "external_ticket_id": ticket.external_id,
            "status": "open",
            "assignee": None,
            "created_at": now,
            "resolved_at": None,
            "resolved_by": None,
            "reminder_sent": False,
        }
        while not incidents.open(values):
            values["ticket_id"] = local_number()
        incidents.say(_first_message(incident_id, message, now))
        incidents.record(incident_id, now, message.channel, "opened", after=values["ticket_id"])
        if self.desk is not None and ticket.external_id is None:
            jobs.add("link", incident_id, {}, now + LINK_AGAIN_AFTER, now)
        return Incident.of(values)

    def notify(self, incident: Incident, message: InboundMessage, now: datetime) -> list[str]:
        """Owe an acknowledgement to every address of the customer; return the lanes that it waits in."""
        return outbox.owe(
            [(to, wording.acknowledgement(incident, to, self.follow_up_after)) for to in message.addresses], now
        )

    def schedule(self, incident: Incident, now: datetime) -> None:
        """Have somebody look again in a day."""
        follow_ups.schedule(incident.id, now, now + self.follow_up_after)

    def finish(self, lease: Lease, incident: Incident, message: InboundMessage) -> dict[str, Any]:
        """Mark the message as handled, with the answer that its sender gets now and for every repetition."""
        channels = [to.channel for to in message.addresses]
        outcome = {
            "incident_id": incident.id,
            "ticket_id": incident.ticket_id,
            "status": incident.status,
            "classification": incident.category,
            "confidence": incident.confidence,
            "message": wording.ticket_created(
                [channel for channel in channels if channel in self.simulated],
                [channel for channel in channels if channel not in self.simulated],
            ),
        }
        inbox.done(lease.row["id"], outcome)
        return outcome


def local_number() -> str:
    """Draw a ticket number of our own: `TKT-` and 8 random hex digits."""
    return f"TKT-{secrets.token_hex(4)}"


def _first_message(incident_id: str, message: InboundMessage, now: datetime) -> dict[str, Any]:
    return {
        "incident": incident_id,
        "channel": message.channel,
        "external_id": message.external_id,
        "direction": "customer",
        "author": message.customer_id,
        "text": message.text,
        "created_at": now,
    }
