"""Which incident a message belongs to, and what it does there.

`find` looks the incident up: by the conversation, by the ids that the message refers to, in a private chat by who
writes. `decide` says what the message does to it; it is a pure function, and the whole of the rules.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeGuard

from bot.errors import Rerouted
from bot.model import SURE, Address, Category, Classification, InboundMessage, Incident, MessageKind, Proof, urgency
from bot.policy import Policy
from bot.ratings import rating
from bot.thanks import is_thanks, says_solved
from storage import conversations, customers, incidents, lanes, participants


class Move(StrEnum):
    """What a message does."""

    OPEN = "open"  # it opens an incident, in a conversation of its own
    CONTINUE = "continue"  # it opens one that is linked to the resolved one before it
    JOIN = "join"  # it is put on the open incident
    REOPEN = "reopen"
    RESOLVE = "resolve"  # the customer answers our question: it is solved
    RATE = "rate"  # the customer answers our question after the resolution
    RECORD = "record"  # it is kept on the incident, and nothing else happens
    QUARANTINE = "quarantine"  # nothing shows that its sender may write there: a person decides


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message belongs. `conversation` is None if it is not known yet; `joined` says that nothing but the
    private chat leads there, `admitted` that the message may do there what messages do; `guest`, that it is of somebody
    else than the incident's customer: then it is no answer to what that one was asked."""

    incident: Incident | None = None
    conversation: str | None = None
    joined: bool = False
    admitted: bool = True
    guest: bool = False

    def same(self, other: "Place") -> bool:
        """Whether both are the same incident in the same state."""
        mine, theirs = (
            place.incident and (place.incident.id, place.incident.status, place.incident.openings)
            for place in (self, other)
        )
        ways = [(place.conversation, place.admitted, place.guest) for place in (self, other)]
        return mine == theirs and ways[0] == ways[1]


def keys(message: InboundMessage) -> list[str]:
    """Name everything on its channel that this message is, stands in and refers to: the thread, then the nearest."""
    named = (message.thread, *message.refers_to, message.is_about)
    return list(dict.fromkeys(key for key in named if key))


def find(message: InboundMessage, policy: Policy, now: datetime) -> Place:
    """Look up the incident that a message belongs to. Within a session or a transaction."""
    conversation = _entitled(message) or _referred(message)
    if conversation is not None:
        incident = _goes_on_in(conversation)
        if incident is None:
            return Place(None, conversation)
        return Place(
            incident, conversation, admitted=_may_write(message, incident), guest=not _is_customers(message, incident)
        )
    if message.ticket:
        return _mentioned(message)
    if message.private and not message.thread and not message.fresh:
        return _in_private_chat(message, policy, now)
    return Place()


def _goes_on_in(conversation: str) -> Incident | None:
    """The open incident of a conversation, else its youngest."""
    found = incidents.of_conversation(conversation)
    return Incident.of(found[0]) if found else None


def _entitled(message: InboundMessage) -> str | None:
    """The conversation that a signed token of ours names: it survives what programs do to all else. That of somebody
    who was forgotten leads nowhere: nobody could be answered there."""
    row = incidents.get(message.entitled_to) if message.entitled_to else None
    return None if row is None or customers.is_forgotten(row["identity"]) else str(row["conversation"])


def _referred(message: InboundMessage) -> str | None:
    named = keys(message)
    known = conversations.known(message.channel, named)
    return next((known[key] for key in named if key in known), None)


def _may_write(message: InboundMessage, incident: Incident) -> bool:
    """Whether a message has authority over the incident that it leads to. A reference, or a number, is none."""
    if message.proof is Proof.PLACE or message.admitted_by:
        return True
    if message.entitled_to:
        row = incidents.get(message.entitled_to)
        return row is not None and row["conversation"] == incident.conversation
    if message.forwarded_by:  # an agent's word is for who wrote it, and not for what that one refers to
        return takes_part(Address(message.channel, message.customer_id), incident)
    return message.proof is Proof.SENDER and takes_part(message.identity, incident)


def takes_part(who: Address, incident: Incident) -> bool:
    """Whether somebody whom a channel has proven is the customer of an incident, or got a copy of what they wrote."""
    return participants.has(incident.id, who.channel, who.key) or _is_customer(who, incident)


def _is_customer(who: Address, incident: Incident) -> bool:
    if who in incident.addresses:
        return True
    known = customers.identity(who.channel, who.key)
    return known is not None and known["customer"] == customers.owner(incident.identity_id)


def _is_customers(message: InboundMessage, incident: Incident) -> bool:
    """Whether a message that may do there what messages do is of the incident's customer, as far as it says."""
    if message.proof is Proof.PLACE or message.customer_id == incident.customer_id:
        return True
    return _is_customer(Address(message.channel, message.customer_id), incident)


def _mentioned(message: InboundMessage) -> Place:
    """A ticket's number leads to it, or to where its conversation goes on, only who takes part in that; for others it
    is a matter of its own."""
    found = incidents.by_ticket(message.ticket)
    incident = _goes_on_in(found[0]["conversation"]) if len(found) == 1 else None
    if incident is None or not (message.proof is Proof.SENDER and takes_part(message.identity, incident)):
        return Place()
    return Place(incident, incident.conversation, guest=not _is_customers(message, incident))


def _in_private_chat(message: InboundMessage, policy: Policy, now: datetime) -> Place:
    who = customers.identity(message.identity.channel, message.identity.key)
    if who is None:
        return Place()
    found = incidents.of_chat(message.lane, who["id"], "open", now - policy.conversation_idle)
    if not found and (is_thanks(message.text) or rating(message.text) is not None):
        found = incidents.of_chat(message.lane, who["id"], "resolved", now - policy.reopen_within)
    return Place(Incident.of(found[0]), found[0]["conversation"], joined=True) if found else Place()


def confirm(place: Place, message: InboundMessage, policy: Policy, now: datetime) -> None:
    """Look again inside the transaction, and keep the incident as it is until that ends. Raises Rerouted if the message
    belongs elsewhere by now."""
    if place.incident is not None:
        lanes.hold(place.incident.id)
    if not place.same(find(message, policy, now)):
        raise Rerouted("the incident changed while the message was on its way")


def lead(conversation: str, message: InboundMessage, *more: tuple[str, str], apart: bool = False) -> None:
    """Let everything that this message is, stands in and refers to, and `more` (channel, key), lead to its
    conversation; what leads elsewhere already stays. Raises Rerouted if one of them has begun to, just now; unless the
    message is known to stand `apart` from what it refers to."""
    named = keys(message)
    known = conversations.known(message.channel, named)
    if (
        not (apart or message.entitled_to)
        and next((known[key] for key in named if key in known), conversation) != conversation
    ):
        raise Rerouted("another message of this conversation came just before")
    new = [(message.channel, key) for key in named if key not in known]
    if not conversations.add(conversation, [*new, *more]):
        raise Rerouted("another message of this conversation came at the same moment")


def needs_classifier(place: Place, message: InboundMessage) -> bool:
    """Whether it matters what the message is about: if it opens an incident, may do so, or may make one that no agent
    has acted on more urgent."""
    incident = place.incident
    if message.kind in (MessageKind.DELETE, MessageKind.ACTION, MessageKind.BOUNCE) or not place.admitted:
        return False
    if incident is None:
        return True
    if message.automatic:
        return False
    if incident.status == "open":
        return incident.touched_at is None
    return rating(message.text) is None


def decide(place: Place, message: InboundMessage, said: Classification | None, policy: Policy, now: datetime) -> Move:
    """Say what a message does to the incident that it belongs to, or that it opens one."""
    incident = place.incident
    if incident is None:
        return Move.OPEN
    if not place.admitted:
        return Move.QUARANTINE
    if message.automatic:
        return Move.JOIN if incident.status == "open" else Move.RECORD
    if incident.status == "open":
        answers = incident.reminder_sent and says_solved(message.text) is True and not is_late(message, incident)
        if place.guest:
            answers = False
        if incident.touched_at is not None and not is_thanks(message.text):
            answers = False  # a bare "yes" may answer what an agent has asked since
        return Move.RESOLVE if answers else Move.JOIN
    if rating(message.text) is not None:
        return Move.RECORD if place.guest else Move.RATE
    if _is_thanks(message.text, said):
        return Move.RECORD
    assert incident.resolved_at is not None
    if now - incident.resolved_at > policy.reopen_within or is_another_matter(incident, said):
        return Move.OPEN if place.guest else Move.CONTINUE
    return Move.REOPEN


def is_late(message: InboundMessage, incident: Incident) -> bool:
    """Whether a message was written before the incident was opened again, and so means what was before."""
    if message.written_at is None or incident.last_opened_at is None:
        return False
    return message.written_at < incident.last_opened_at


def _is_thanks(text: str, said: Classification | None) -> bool:
    """Whether a text is thanks and nothing else. The rules take an unknown word after "thanks" for a name ("Thanks
    Ana"), also "Thanks Fraud": so a classifier that is sure of a matter overrules them."""
    if said is None or said.category is Category.OTHER:
        return is_thanks(text) or (said is not None and said.thanks)
    return is_thanks(text) and not _is_sure(said)


def is_another_matter(incident: Incident, said: Classification | None) -> bool:
    """Whether a classifier is sure that a text is about something else than the incident is."""
    return _is_sure(said) and said.category not in (incident.category, "other") and incident.category != "other"


def is_more_urgent(incident: Incident, said: Classification | None) -> bool:
    """Whether a classifier is sure that a text is about something more urgent than the incident."""
    return _is_sure(said) and urgency(said.category) > urgency(incident.category)


def _is_sure(said: Classification | None) -> TypeGuard[Classification]:
    """A classifier changes the course of an incident only if it is sure."""
    return said is not None and (said.confidence or 0) >= SURE
