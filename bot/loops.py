"""Machines that answer us. Most mail of machines says that it is; a loop with one that does not ends here: whoever has
got so many automatic texts in so much time, or says the same again, is not answered by itself any more.

What they write is kept like anything else, and a person can answer it.
"""

from datetime import datetime, timedelta

from bot.model import Address, InboundMessage, NoticeKind
from storage import customers, incidents, notifications

MOST = 10
WITHIN = timedelta(minutes=180)

AUTOMATIC = frozenset(
    {
        NoticeKind.ACKNOWLEDGEMENT,
        NoticeKind.ADDED,
        NoticeKind.REMINDER,
        NoticeKind.REOPENED,
        NoticeKind.RESOLVED,
        NoticeKind.FILES_REFUSED,
    }
)
"""What no person has written."""

CHANNELS = frozenset({"email", "sms", "whatsapp"})
"""Where machines answer whoever writes to them; also telephones do, while their owner drives or sleeps."""


def suspects(message: InboundMessage, now: datetime) -> bool:
    """Whether whoever wrote may be a machine that does not say so. Within a session or a transaction."""
    if message.channel not in CHANNELS or message.unanswered:
        return False
    theirs = {*message.addresses, Address(message.channel, message.customer_id)}
    return _says_the_same_again(message, now) or any(_answered(to, now) >= MOST for to in theirs)


def _answered(to: Address, now: datetime) -> int:
    return notifications.count_to(to.channel, to.key, AUTOMATIC, now - WITHIN)


def _says_the_same_again(message: InboundMessage, now: datetime) -> bool:
    who = customers.identity(message.identity.channel, message.identity.key)
    return who is not None and incidents.said_before(who["id"], message.text, message.external_id, now - WITHIN)
