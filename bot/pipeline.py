"""The way of a message, on one page: receive → classify → create the ticket → store → notify → schedule.

A worker comes here with a message that is already committed. `routing` says whether it opens an incident (the six
steps) or belongs to one (`replies`). Nothing is written before `store`; store, notify and schedule are one transaction,
so that a crash leaves all or nothing, and a rerun gets the same ticket from the desk. Inside it the routing is checked
again.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from peewee import IntegrityError

from bot import bounces, files, loops, measure, outbox, quarantine, reach, routing, second_look, wording
from bot.answers import Answers
from bot.classify import NOBODY
from bot.customers import identify
from bot.errors import Rerouted
from bot.lanes import Lease, describe
from bot.language import detect
from bot.life import Life, current
from bot.measure import step
from bot.missing import missing
from bot.model import Address, Classification, InboundMessage, Incident, MessageKind, addresses_to_json
from bot.policy import Policy
from bot.ports import Classifier, Clock, Dispatcher
from bot.replies import Done, Replies, catch_up, is_ours, on_timeline
from bot.routing import Move, Place
from bot.tickets import Ticket, Tickets, local_number
from storage import conversations, customers, database, inbox, incidents, jobs, participants

log = structlog.get_logger()

LINK_AGAIN_AFTER = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Handles the inbound lanes. `simulated` are the channels whose texts are shown or written to a file, not sent."""

    classifier: Classifier
    tickets: Tickets
    life: Life
    files: files.Files
    simulated: frozenset[str]
    answers: Answers
    dispatcher: Dispatcher
    clock: Clock

    @property
    def policy(self) -> Policy:
        return self.life.policy

    def handle(self, lease: Lease) -> None:
        """Take the message at the head of an inbound lane all the way; again, if its incident changed meanwhile."""
        for tries_left in (2, 1, 0):
            try:
                return self._take(lease)
            except (Rerouted, IntegrityError) as exc:
                if not tries_left:
                    raise
                log.info("message.rerouted", reason=describe(exc))
        return None

    def _take(self, lease: Lease) -> None:
        incident_id, message = self.receive(lease)
        if message.kind is MessageKind.BOUNCE:
            self._finish_with(lease, lambda now: bounces.take(message, self.life, now))
            return
        message, place, original = self.route(message)
        said = None
        if routing.needs_classifier(place, message):
            with step("classify"):
                said = self.classify(incident_id, message)
        replies = Replies(self.life)
        if original is not None:
            self._finish_with(lease, lambda now: replies.revise(message, original, said, now))
        elif message.kind in (MessageKind.DELETE, MessageKind.ACTION):
            self._finish_with(lease, lambda now: replies.press(message, place, now))
        else:
            move = routing.decide(place, message, said, self.policy, self.clock())
            if move in (Move.OPEN, Move.CONTINUE):
                self._open(lease, incident_id, message, place, said or NOBODY)
            elif move is Move.QUARANTINE:
                number = lease.row["id"]
                self._finish_with(lease, lambda now: quarantine.hold(message, place, number, self.life, now))
            else:
                found = self.files.at_hand(message)
                self._finish_with(lease, lambda now: replies.take(message, place, move, said, found, now))

    def receive(self, lease: Lease) -> tuple[str, InboundMessage]:
        """Read the message, and the id that `accept` minted for its incident: the desk's idempotency key."""
        message = InboundMessage.from_json(lease.row["payload"])
        return lease.row["incident_id"], replace(message, written_at=message.written_at or lease.row["received_at"])

    def route(self, message: InboundMessage) -> tuple[InboundMessage, Place, database.Row | None]:
        """Find where a message belongs; and, if it changes an earlier one, or is an original that comes after its edit,
        that one. An edit of what was never seen is a new message."""
        with database.session():
            message = replace(message, muted=loops.suspects(message, self.clock()))
            place = routing.find(message, self.policy, self.clock())
            original = incidents.message(message.channel, message.is_about) if place.conversation else None
        if message.kind is MessageKind.EDIT and original is None:
            message = replace(message, kind=MessageKind.NEW, external_id=message.about, about="")
        return message, place, original

    def _open(
        self, lease: Lease, incident_id: str, message: InboundMessage, place: Place, classification: Classification
    ) -> None:
        with step("create_ticket"):
            ticket = self.create_ticket(incident_id, message, classification)
        language = detect(message.text)  # here, because the first time it reads a file
        found = self.files.at_hand(message)
        with step("store"), lease.finishing() as now:
            routing.confirm(place, message, self.policy, now)
            if place.guest:  # whoever comes to somebody else's ticket with a matter of their own gets their own
                place = Place(guest=True)
            incident = self.store(incident_id, message, place, classification, ticket, language, now)
            lanes = self.notify(incident, message, now)
            if message.attachments:
                lanes += files.take(incident, message, self.policy.files, found, now)
            self.schedule(incident, now)
            lanes += self.life.show(incident.id, now)
            outcome = self.finish(lease, incident, self.opened(incident, place))
        log.info("incident.opened", incident_id=incident.id, ticket_id=incident.ticket_id, category=incident.category)
        measure.incidents.labels(incident.category, classification.classified_by).inc()
        self._report(outcome, lanes)

    def classify(self, incident_id: str, message: InboundMessage) -> Classification:
        if not message.text:  # a mail of pictures, say: nobody can tell
            return NOBODY
        answer = self.classifier(f"{message.subject}\n\n{message.text}" if message.subject else message.text)
        measure.classified(answer)
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
        return self.tickets.create(incident_id, classification.category, message.text)

    def store(
        self,
        incident_id: str,
        message: InboundMessage,
        place: Place,
        said: Classification,
        ticket: Ticket,
        language: str,
        now: datetime,
    ) -> Incident:
        """Write the incident, its first message, what leads to it, and its audit event; and, if the desk owes us its
        id, or a better classifier its answer, the job of asking again. Should the number be taken already, another is
        drawn."""
        if ticket.owed:
            jobs.add("link", incident_id, 0, {}, now + LINK_AGAIN_AFTER, now)
        if said.missed:
            second_look.owe(incident_id, said, now)
        before = place.incident
        identity = before.identity_id if before and is_ours(message) else identify(message, now)
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
            "identity": identity,
            "reporter": message.reporter,
            "conversation": place.conversation or incident_id,
            "chat": message.lane if message.private else "",
            "continues": None if before is None else before.id,
            "addresses": addresses_to_json(_answer_to(message, before, identity)),
            "language": language,
            "openings": 1,
            "resolutions": 0,
            "last_opened_at": now,
            "touched_at": None,
            "reviewed_by": None,
            "subject": message.subject,
        }
        while not incidents.open(values):
            values["ticket_id"] = local_number()
        reach.heard(message, now)
        incidents.say([on_timeline(incident_id, message, values["identity"], now)])
        incidents.record(incident_id, now, message.channel, "opened", after=values["ticket_id"])
        routing.lead(values["conversation"], message, ("web", incident_id), apart=place.guest)
        participants.add(incident_id, ((to.channel, to.key) for to in message.copied))
        catch_up(message, now)
        return current(incident_id)

    def notify(self, incident: Incident, message: InboundMessage, now: datetime) -> list[str]:
        """Owe an acknowledgement to every address of the customer, and a word to the agents if it is urgent; return
        the lanes that they wait in."""
        lacks, soon = missing(incident.category, incident.message), self.policy.follow_up_after
        lanes: list[str] = []
        if message.forwarded_by:
            to = Address(message.channel, message.forwarded_by)
            lanes = outbox.owe([(to, wording.taken_for(incident, to, message.external_id))], now)
        elif not message.unanswered:
            about = message.external_id
            lanes = outbox.tell(incident, lambda to: wording.acknowledgement(incident, to, soon, lacks, about), now)
        return lanes + (self.life.alert(incident, "opened", now) if incident.priority == "urgent" else [])

    def schedule(self, incident: Incident, now: datetime) -> None:
        """Have somebody look again in a day."""
        self.life.arm(incident.id, now)

    def opened(self, incident: Incident, place: Place) -> str:
        """Say what was done, to the one who sent the message."""
        channels = [to.channel for to in incident.addresses]
        said = wording.ticket_created(
            [channel for channel in channels if channel in self.simulated],
            [channel for channel in channels if channel not in self.simulated],
            incident.language,
        )
        if place.incident is None:
            return said
        linked = wording.said("linked_new", incident.language, ticket=incident.ticket_id, old=place.incident.ticket_id)
        return f"{linked} {said}"

    def finish(self, lease: Lease, incident: Incident | None, says: str, quarantined: bool = False) -> dict[str, Any]:
        """Mark the message as handled, or as one for a person to decide about, with the answer that its sender gets now
        and for every repetition."""
        outcome: dict[str, Any] = {"message_id": lease.row["incident_id"], "message": says}
        if incident is not None:
            outcome |= {
                "incident_id": incident.id,
                "ticket_id": incident.ticket_id,
                "status": incident.status,
                "classification": incident.category,
                "confidence": incident.confidence,
                "priority": incident.priority,
            }
        if quarantined:
            assert incident is not None
            inbox.quarantine(lease.row["id"], incident.id, outcome)
        else:
            inbox.done(lease.row["id"], outcome)
        return outcome

    def _finish_with(self, lease: Lease, change: Callable[[datetime], Done]) -> None:
        """End a message's way with what it does to what is there; the id that its sender was told leads there."""
        with step("store"), lease.finishing() as now:
            done = change(now)
            if done.incident is not None:
                conversations.add(done.incident.conversation, [("web", lease.row["incident_id"])])
            outcome = self.finish(lease, done.incident, done.says, quarantined=done.did == "quarantined")
        log.info("message.put", incident_id=outcome.get("incident_id"), move=done.did)
        self._report(outcome, done.lanes)

    def _report(self, outcome: dict[str, Any], lanes: list[str]) -> None:
        """Tell who waits for the outcome, and have others go on."""
        self.answers.fulfil(outcome["message_id"], outcome)
        for lane in lanes:
            self.dispatcher.wake(lane)


def _answer_to(message: InboundMessage, before: Incident | None, identity: int | None) -> tuple[Address, ...]:
    """Where the customer may be written to: what the message says, else what is known; and, if they write in a chat,
    the mail address that they have given and proven there. Machine mail is not answered."""
    if message.automatic:
        return ()
    said = message.addresses or (before.addresses if before is not None else ())
    mail = None if message.channel in ("web", "email") else customers.mail(identity)
    return said if mail is None else tuple(dict.fromkeys((*said, Address("email", mail))))
