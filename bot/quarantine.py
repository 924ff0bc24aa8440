"""What may not join an incident by itself: a person lets it in, or keeps it out (CASES 9).

Nothing of it is done and nobody is answered. It stays a row of the inbox, which is the job of handling it; let in, it
goes the way of every message.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.board import Line
from bot.errors import Conflict, NotFound
from bot.life import Life, current
from bot.model import InboundMessage, Incident, TimelineEntry
from bot.replies import Done
from bot.routing import Place, confirm
from storage import database, inbox, incidents

NAME = "held-"
LISTED = 20
SHOWN = 200
"""Characters of each text in a list."""


@dataclass(frozen=True, slots=True)
class Held:
    """A message that waits for a person. `name` is what they type to let it in."""

    name: str
    incident_id: str
    message: InboundMessage
    received_at: datetime


def hold(message: InboundMessage, place: Place, number: int, life: Life, now: datetime) -> Done:
    """Keep a message out of the incident that it leads to, and have agents told; of what a machine wrote only the
    boards are. Inside the transaction that ends its way. Raises Rerouted."""
    confirm(place, message, life.policy, now)
    assert place.incident is not None
    incident = current(place.incident.id)
    name = f"{NAME}{number}"
    can_wait = message.automatic or bool(inbox.quarantined(incident.id, limit=1))
    incidents.record(incident.id, now, message.customer_id, "quarantined", after=name)
    lanes = [] if can_wait else life.alert(incident, f"quarantined-{number}", now)
    lanes += life.show(incident.id, now, Line("quarantined", _who(message, name), message.text))
    return Done("quarantined", incident, lanes)


def of(incident_id: str | None = None) -> list[Held]:
    """List what waits, the oldest first: all, or what would join one incident. Within a session or a transaction."""
    return [_held(row) for row in inbox.quarantined(incident_id, LISTED)]


def entries(incident_id: str) -> list[TimelineEntry]:
    """Say on an incident's timeline what waits to join it. Within a session."""
    return [
        TimelineEntry(one.received_at, _who(one.message, one.name), "quarantined", one.message.text)
        for one in of(incident_id)
    ]


def line(held: Held, incident: Incident) -> str:
    """Show a message that waits in a list."""
    text = " ".join(held.message.text.split())
    shown = text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
    return f"{held.name}  {incident.ticket_id}  claims to be from {held.message.customer_id}: {shown}"


def admit(name: str, who: str, now: datetime) -> tuple[Incident, str]:
    """Let a message in: it goes the way of every message, from the start. Return its incident and the lane to wake.
    Inside a transaction. Raises NotFound, Conflict."""
    row = _find(name)
    if not inbox.admit(row, {**row["payload"], "admitted_by": who}, now):
        raise Conflict(f"Somebody else has decided about {name} just now.")
    return _recorded(row, who, "admitted", name, now), str(row["lane"])


def reject(name: str, who: str, now: datetime) -> Incident:
    """Keep a message out for good. Return the incident that it would have joined. Inside a transaction. Raises
    NotFound, Conflict."""
    row = _find(name)
    if not inbox.reject(row["id"]):
        raise Conflict(f"Somebody else has decided about {name} just now.")
    return _recorded(row, who, "rejected", name, now)


def _find(name: str) -> database.Row:
    found = re.fullmatch(rf"{NAME}([0-9]{{1,18}})", name.lower())
    row = inbox.by_number(int(found[1])) if found else None
    if row is None or row["quarantined_on"] is None:
        raise NotFound(f"Nothing that waits goes by {name[:32]!r}; see: quarantine")
    if row["state"] != "quarantined":
        raise Conflict(f"{name} has been decided about already.")
    return row


def _recorded(row: Mapping[str, Any], who: str, what: str, name: str, now: datetime) -> Incident:
    incidents.record(row["quarantined_on"], now, who, what, after=name)
    return current(row["quarantined_on"])


def _held(row: Mapping[str, Any]) -> Held:
    message = InboundMessage.from_json(row["payload"])
    return Held(f"{NAME}{row['id']}", row["quarantined_on"], message, row["received_at"])


def _who(message: InboundMessage, name: str) -> str:
    return f"{message.customer_id}, as it says; {name}"
