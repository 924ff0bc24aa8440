"""What an address, a thread or a message in Slack is called in our tables: "T1/C1/1690000000.000100".

A thread and its first message have one name, a chat or a channel is named without the last part, and a person is
"T1/U1". Nobody but this package reads these.
"""

import re
from dataclasses import dataclass

_KEY = re.compile(r"([A-Z][A-Z0-9]{0,31})/([A-Z][A-Z0-9]{0,31})(?:/([0-9]{1,12}\.[0-9]{1,9}))?")


@dataclass(frozen=True, slots=True)
class Place:
    """A chat or a channel of a workspace (`team`), or in it the message or the thread that `ts` names: Slack's time of
    the message, which is its id in the channel."""

    team: str
    channel: str
    ts: str | None = None


def key(place: Place) -> str:
    """Write a place as a key."""
    return f"{place.team}/{place.channel}" + (f"/{place.ts}" if place.ts else "")


def parse(written: str) -> Place:
    """Read a key. Raises ValueError for what is none."""
    found = _KEY.fullmatch(written)
    if found is None:
        raise ValueError("no address in Slack: it is written TEAM/CHANNEL, or TEAM/CHANNEL/TIME for a thread")
    return Place(found[1], found[2], found[3])


def person(team: str, user: str) -> str:
    """Name a person: a user's id means nothing without its workspace."""
    return f"{team}/{user}"
