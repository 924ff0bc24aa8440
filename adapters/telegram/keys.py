"""What an address or a message on Telegram is called in our tables.

An address is "77" (a chat), "-1001/5" (a topic of a group), or "-1001/5/12" and "-1001//12" (a message there, to which
every text is an answer). A message is "4242:77:12": its number counts for one bot's view of one chat. Nobody but this
package reads these.
"""

import re
from dataclasses import dataclass

_ADDRESS = re.compile(r"(-?[0-9]{1,16})(?:/([0-9]{0,12}))?(?:/([0-9]{1,12}))?")
_MESSAGE = re.compile(r"[0-9]{1,20}:(-?[0-9]{1,16}):([0-9]{1,12})")


@dataclass(frozen=True, slots=True)
class Place:
    """A chat, or a `topic` of it, and which `message` there is answered."""

    chat: int
    topic: int | None = None
    message: int | None = None


def address(place: Place) -> str:
    """Write a place as the key of an address."""
    topic = "" if place.topic is None else str(place.topic)
    if place.message is not None:
        return f"{place.chat}/{topic}/{place.message}"
    return f"{place.chat}/{topic}" if topic else str(place.chat)


def parse(written: str) -> Place:
    """Read the key of an address. Raises ValueError for what is none."""
    found = _ADDRESS.fullmatch(written)
    if found is None:
        raise ValueError("no address on Telegram: it is written CHAT, CHAT/TOPIC, or CHAT/TOPIC/MESSAGE")
    return Place(int(found[1]), int(found[2]) if found[2] else None, int(found[3]) if found[3] else None)


def message(bot: int, chat: int, number: int) -> str:
    """Name a message."""
    return f"{bot}:{chat}:{number}"


def number_of(written: str, chat: int) -> int | None:
    """Read the number of a message of this chat from its name; None if it is none of it."""
    found = _MESSAGE.fullmatch(written)
    return int(found[2]) if found is not None and int(found[1]) == chat else None
