"""The agents' boards. Each incident is one card there, kept as the incident stands; under it stands what happens to it.

A card that waits to be sent is rewritten, not owed again, so that an incident on which much happens at once is one text
more, and not many.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from bot import outbox, wording
from bot.ids import new_id
from bot.model import Address, Incident, Notice
from storage import incidents, lanes, notifications

What = Literal[
    "wrote", "edited", "deleted", "solved", "not_solved", "rated", "replied", "noted", "resolved", "reopened",
    "assigned", "category", "confirmed", "not_delivered", "perhaps_delivered", "quarantined", "admitted", "rejected",
]  # fmt: skip
"""What may happen to an incident; each has a sentence of its own in `bot/catalogues/en.toml`, section `entry`."""


@dataclass(frozen=True, slots=True)
class Line:
    """Something that happened: what, who did it, and, where there are any, their words. `seen_on` is a channel on whose
    board it can be seen already, because it was done there."""

    what: What
    who: str
    text: str = ""
    seen_on: str = ""


def show(boards: Sequence[Address], incident_id: str, lines: Sequence[Line], now: datetime) -> list[str]:
    """Owe every board the incident as it is now, and these lines; inside the transaction that changed it, after all
    other changes. Return the lanes to wake."""
    if not boards:
        return []
    lanes.wake({outbox.lane_of(to): now for to in boards})  # now nobody else shows an incident until we are done
    row = incidents.get(incident_id)
    assert row is not None
    incident = Incident.of(row)
    cards = [(to, wording.card(incident, to, new_id())) for to in boards]
    entries = [
        (to, wording.entry(incident, to, new_id(), line.what, line.who, line.text))
        for line in lines
        for to in boards
        if to.channel != line.seen_on
    ]
    outbox.owe([*(owed for owed in cards if not _rewritten(*owed)), *entries], now)
    return [outbox.lane_of(to) for to in boards]


def _rewritten(to: Address, card: Notice) -> bool:
    """Put a card in the place of the one that waits, if one does."""
    return notifications.rewrite(outbox.lane_of(to), card.incident_id, card.kind, card.text, card.to_json())
