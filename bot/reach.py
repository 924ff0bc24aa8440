"""Where a customer can be reached. Whoever blocks us at one address is told by mail, if there is one that is theirs.

An address is marked when a sender raises Blocked, or when a channel is told that it is blocked; the mark goes when a
message comes from there again, or when the channel is told so. The audit trail says all of it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from bot import ports
from bot.model import Address, InboundMessage, Incident
from bot.ports import Clock
from storage import customers, database, incidents, participants, reach

log = structlog.get_logger()

MAIL = "email"


@dataclass(frozen=True, slots=True)
class Reach(ports.Reach):
    clock: Clock

    def lost(self, address: Address, why: str) -> None:
        """Mark an address at which we are blocked, or none that is left: texts go elsewhere."""
        with database.transaction():
            lose(address, why, self.clock(), None)

    def regained(self, address: Address) -> None:
        """Take the mark off an address, if it has one."""
        with database.transaction():
            _regain(address.channel, [address.key], self.clock())


def lose(address: Address, why: str, now: datetime, incident_id: str | None) -> None:
    """Mark an address; in the audit trail, that of the incident of which we wanted to tell. Inside a transaction."""
    new = reach.lose(address.channel, address.key, now, why)
    if new or incident_id is not None:
        incidents.record(incident_id, now, address.channel, "unreachable", before=why, after=str(address))
    if new:
        log.info("address.lost", channel=address.channel)


def heard(message: InboundMessage, now: datetime) -> None:
    """Take the mark off where a message comes from. Inside the transaction that ends its way, after its incident was
    locked."""
    came_from = [to.key for to in message.addresses if to.channel == message.channel]
    if came_from:  # never of a message that another channel brings: there the address is only claimed
        _regain(message.channel, came_from, now)


def _regain(channel: str, keys: Iterable[str], now: datetime) -> None:
    for key in reach.regain(channel, keys):
        incidents.record(None, now, channel, "reachable", after=str(Address(channel, key)))
        log.info("address.regained", channel=channel)


def lost(addresses: Iterable[Address]) -> set[Address]:
    """Return those of these addresses that are marked. Within a session or a transaction."""
    return {Address(*where) for where in reach.lost((to.channel, to.key) for to in dict.fromkeys(addresses))}


def places(incident: Incident, marked: set[Address], now: datetime) -> Sequence[Address]:
    """Say where the customer of an incident is to be told: at all its addresses, but for those that are `marked`. If
    that leaves no mail address, at one that they have proven to be theirs. Inside a transaction."""
    left_out = [to for to in incident.addresses if to in marked]
    if not left_out:
        return incident.addresses
    left = [to for to in incident.addresses if to not in marked]
    if not any(to.channel == MAIL for to in left):
        left += proven(incident, marked)[:1]
    told = ", ".join(str(to) for to in left) or "nowhere"
    for to in left_out:
        incidents.record(incident.id, now, to.channel, "left_out", before=str(to), after=told)
    return left


def copies(incident: Incident) -> list[Address]:
    """List who beside the customer gets what a person answers: who got a copy of the customer's own mail; of what is
    urgent (fraud, a locked account) nobody does."""
    if incident.priority == "urgent":
        return []
    found = [Address(*where) for where in participants.of_incident(incident.id)]
    marked = lost(found)
    return [to for to in found if to not in marked and to not in incident.addresses]


def mails(incident: Incident, but: Address) -> list[Address]:
    """List the mail addresses at which the customer of an incident may be told what cannot be told at another, the best
    first. What is about fraud or a locked account goes to no address that somebody only claims."""
    claimed = [] if incident.priority == "urgent" else [to for to in incident.addresses if to.channel == MAIL]
    found = [to for to in claimed if to != but]
    marked = lost(found)
    return list(dict.fromkeys([*(to for to in found if to not in marked), *proven(incident, {but})]))


def proven(incident: Incident, but: set[Address]) -> list[Address]:
    """List the mail addresses that the customer of an incident has proven, the latest first, but for `but` and those
    that are marked."""
    owner = customers.owner(incident.identity_id)
    found = [] if owner is None else [Address(MAIL, key) for key in customers.mails(owner)]
    found = [to for to in found if to not in but]
    marked = lost(found)
    return [to for to in found if to not in marked]
