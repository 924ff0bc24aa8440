"""How fast we send, where a platform says so: at most so many texts a second for a bot, for a chat.

Nobody sleeps. Who comes too early gets a time, which is theirs, and comes back then: the next who comes too early gets
the time after it. If all only looked when the next text may go, a hundred would come back for one place, ninety-nine of
them in vain, and so on; and whoever comes anew could pass those who wait.

A time is taken for one name at a time, the slowest first: what waits for its chat holds no place of the bot's, which
goes to other chats meanwhile.

Lanes are looked at every 0.2 s or so, and so nobody comes exactly on time. Of a pace slower than that, the pause
between two texts is kept, whoever comes late. Of a faster one the rate is: those who were due meanwhile go together.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from storage.paces import Times

LATE = timedelta(seconds=0.3)
"""How late those who have a time may come, and still go at once, where a pause is shorter than this."""

LOST = timedelta(seconds=1)
"""Whoever comes as late as this, and still too early, gets a new time: all have waited while nobody worked."""


@dataclass(slots=True)
class Turn:
    """What becomes of a text that wants to go. `goes_at`: not before then (None: now). `booked` are the names for which
    it has a time of its own; `times` is what to write of the names."""

    goes_at: datetime | None = None
    booked: list[str] = field(default_factory=list)
    times: dict[str, Times] = field(default_factory=dict)


def turn(
    pauses: Mapping[str, float], known: Mapping[str, Times], booked: Iterable[str], due_at: datetime, now: datetime
) -> Turn:
    """Say whether a text may go. `pauses` are in seconds, `known` is how the names stand, `booked` where it has a time
    already, `due_at` the time that it has."""
    mine = set(booked)
    for name in sorted(pauses, key=lambda name: (-pauses[name], name)):
        pause = timedelta(seconds=pauses[name])
        next_at, booked_until = known[name]
        if name in mine:
            may_go = next_at - (LATE if pause < LATE else timedelta(0))
            if may_go <= now:
                continue
            if now - due_at < LOST:
                return Turn(may_go, sorted(mine))
        free = max(next_at, booked_until)
        if free > now:
            return Turn(free, sorted({*mine, name}), {name: (next_at, free + pause)})
    return Turn(times={name: _gone(known[name], pauses[name], name in mine, now) for name in pauses})


def _gone(times: Times, seconds: float, was_booked: bool, now: datetime) -> Times:
    """How a name stands after a text went."""
    pause = timedelta(seconds=seconds)
    next_at, booked_until = times
    return max(next_at, now) + pause, booked_until if was_booked else max(booked_until, now + pause)
