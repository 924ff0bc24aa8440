"""How numbers and texts are named: in our tables, at Twilio, and in the state that the channels keep.

The key of an address is a number in E.164 form. Nothing in the state names a number: what is kept of one is under its
digest, so that forgetting a customer leaves none behind.
"""

import hashlib
from datetime import datetime, timedelta
from typing import Final

from adapters.twilio.settings import NUMBER
from bot.errors import Undeliverable
from bot.model import Address
from bot.ports import State

PREFIX: Final = "whatsapp:"
CHANNELS: Final = ("sms", "whatsapp")

KEPT: Final = {
    "twilio/text/": timedelta(days=3),
    "twilio/heard/": timedelta(days=1),
    "twilio/last/": timedelta(days=14),
    "twilio/done/": timedelta(days=3),
}
"""How the keys begin of what is worth nothing after some time; each value begins with when it was put."""


def number(to: Address) -> str:
    """Return the number of an address. Raises Undeliverable for what is none."""
    if not NUMBER.fullmatch(to.key):
        raise Undeliverable("this is no telephone number in international form")
    return to.key


def at_twilio(channel: str, number: str) -> str:
    """Write a number as Twilio does."""
    return f"{PREFIX}{number}" if channel == "whatsapp" else number


def parsed(written: str) -> Address | None:
    """Read what Twilio writes; None for what is no telephone: a name, a short code, another channel."""
    channel = "whatsapp" if written.startswith(PREFIX) else "sms"
    found = written.removeprefix(PREFIX).strip()
    return Address(channel, found) if NUMBER.fullmatch(found) else None


def _of(what: str, address: Address) -> str:
    return f"twilio/{what}/{hashlib.sha256(str(address).encode()).hexdigest()[:32]}"


def heard(address: Address) -> str:
    """Where it is kept when the person at an address last wrote."""
    return _of("heard", address)


def stopped(address: Address) -> str:
    """Where it is kept that the person at an address wants nothing more. It stays also when they are forgotten."""
    return _of("stopped", address)


def last(address: Address) -> str:
    """Where the text is kept that a message from an address probably answers."""
    return _of("last", address)


def text(key: str) -> str:
    """Where it is kept what became of sending a notice."""
    return f"twilio/text/{key}"


def digest(key: str) -> str:
    """Name a notice to Twilio, which is to tell us what becomes of it: by how the SHA-256 of its key begins."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def done(sid: str) -> str:
    """Where the answer to a command is kept that came in a message."""
    return f"twilio/done/{sid}"


def tidy(state: State, now: datetime) -> None:
    """Forget what is worth nothing any more."""
    for beginning, kept in KEPT.items():
        for key, value in state.all(beginning).items():
            if datetime.fromisoformat(value.partition(" ")[0]) < now - kept:
                state.drop(key)
