"""Who a customer is: what a channel proves, never what somebody claims."""

from collections.abc import Iterable
from datetime import datetime

from bot.errors import Rerouted
from bot.ids import new_id
from bot.model import Address, InboundMessage
from storage import customers

PROOF = "proven by the channel"
"""Who joins two customers that turn out to be one, in the audit trail."""


def identify(message: InboundMessage, now: datetime) -> int:
    """Return the id of the identity that wrote a message, made if it is new. Inside a transaction.

    An address that the channel vouches for is an identity too: whoever has proven it before, on whichever channel, is
    the same customer. A claimed address says nothing.
    """
    identity, _ = known_or_new(message.identity, now, message.proven)
    for address in message.proven:
        if address != message.identity:
            prove(identity, address, now)
    return identity


def prove(identity_id: int, address: Address, now: datetime) -> str:
    """Make an address the customer's who has this identity, and return who that is. Inside a transaction. Whoever has
    proven the address before is the same customer. Raises Rerouted if all of that changes again and again meanwhile."""
    for _ in range(5):
        owner = customers.owner(identity_id)
        assert owner is not None
        _, other = known_or_new(address, now, (), owner)
        if other == owner:
            return owner
        customers.hold((owner, other))
        if (customers.owner(identity_id), _owner_of([address])) == (owner, other):
            customers.merge(other, owner)
            customers.record(owner, now, PROOF, "merged", other)
            return owner
    raise Rerouted("two customers are being joined with others at this very moment")


def known_or_new(
    who: Address, now: datetime, proven: Iterable[Address] = (), owner: str | None = None
) -> tuple[int, str]:
    """Return identity and customer; a new identity belongs to `owner`, else to who has proven one of `proven`, else to
    a new customer."""
    known = customers.identity(who.channel, who.key)
    if known is None:
        owner = owner or _owner_of(proven)
        customer_id = owner or new_id()
        if owner is None:
            customers.add(customer_id, now)
        if not customers.identify(who.channel, who.key, customer_id, now) and owner is None:
            customers.drop(customer_id)  # somebody else met them at this very moment
        known = customers.identity(who.channel, who.key)
        assert known is not None
    return known["id"], known["customer"]


def _owner_of(addresses: Iterable[Address]) -> str | None:
    for address in addresses:
        known = customers.identity(address.channel, address.key)
        if known is not None:
            return str(known["customer"])
    return None
