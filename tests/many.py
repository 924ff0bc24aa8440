"""A database with many incidents, as months of work leave them: from a fixed seed, written past the pipeline."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from bot.model import Category
from storage import database, search
from storage.database import insert
from storage.tables import (
    Alias,
    Customer,
    Event,
    FollowUp,
    Identity,
    InboxMessage,
    Incident,
    Job,
    Message,
    Notification,
    Rating,
)
from tests.fakes import NOON

AT_ONCE = 500
IN_A_STATEMENT = 40
"""Rows; the drivers keep what they know of short statements."""

CHANNELS = ("email", "slack", "telegram", "web")
AGENTS = (*(f"agent-{number}" for number in range(20)), None, None)
TEXTS = (
    "My card was charged twice for order {number}, please help me get my money back",
    "The transfer {number} failed, but the money is gone from my account",
    "Somebody has stolen my card and paid {number} euros in Lisbon",
    "I would like a refund for invoice {number}; it arrived broken",
    "My account is locked since the update, my customer number is {number}",
    "The statement of last month says {number} twice",
    "Hello, a question about {number}",
)
RARE = "xylophone"
"""Said in one incident of a thousand."""


def fill(number: int, seed: int = 7, first: datetime = NOON - timedelta(days=365)) -> list[str]:
    """Write so many incidents, opened within a year, of which one in twenty is open; return their ids, the oldest
    first."""
    chance = random.Random(seed)
    ids: list[str] = []
    gap = timedelta(days=365) / max(number, 1)
    with database.transaction():
        _customers(number // 5 + 1)
    for start in range(0, number, AT_ONCE):
        with database.transaction():
            some = range(start, min(number, start + AT_ONCE))
            rows = [_incident(one, first + one * gap, chance) for one in some]
            _insert(Incident, rows)
            for table, of_it in _ABOUT.items():
                _insert(table, [about for row in rows for about in of_it(row)])
            for row in rows:
                search.keep(row["number"], search.document("", row["customer_id"], "[]", [row["message"]]))
            ids += [row["id"] for row in rows]
    return ids


def _insert(table: Any, rows: list[dict[str, Any]]) -> None:
    for start in range(0, len(rows), IN_A_STATEMENT):
        insert(table, rows[start : start + IN_A_STATEMENT])


def _customers(number: int) -> None:
    for start in range(0, number, AT_ONCE):
        some = range(start, min(number, start + AT_ONCE))
        _insert(Customer, [{"id": f"customer-{one}", "created_at": NOON} for one in some])
        names = [
            {"channel": "email", "external_id": f"c{one}@example.com", "customer": f"customer-{one}"} for one in some
        ]
        insert(Identity, [{**name, "first_seen_at": NOON} for name in names])


def _incident(number: int, at: datetime, chance: random.Random) -> dict[str, Any]:
    which = chance.randrange(len(TEXTS))
    incident_id = str(UUID(int=chance.getrandbits(128), version=4))
    is_open = chance.random() < 0.05
    text = TEXTS[which].format(number=number) + (f" {RARE}" if number % 1000 == 500 else "")
    return {
        "id": incident_id,
        "number": search.first_number(at),
        "customer_id": f"c{number // 5}@example.com",
        "channel": chance.choice(CHANNELS),
        "message": text,
        "classification": list(Category)[chance.randrange(len(TEXTS))].value,
        "confidence": round(chance.uniform(0.5, 1), 3),
        "reason": "",
        "classified_by": "local",
        "ticket_id": f"TKT-{incident_id[:8]}",
        "status": "open" if is_open else "resolved",
        "assignee": chance.choice(AGENTS),
        "created_at": at,
        "resolved_at": None if is_open else at + timedelta(minutes=chance.randrange(1, 5000)),
        "resolved_by": None if is_open else "clerk",
        "reminder_sent": chance.random() < 0.2,
        "identity": number // 5 + 1,
        "conversation": incident_id,
        "last_opened_at": at,
        "resolutions": 0 if is_open else 1,
        "reviewed_by": "clerk" if chance.random() < 0.8 else None,
    }


def _messages(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    common = {"incident": row["id"], "channel": row["channel"], "created_at": row["created_at"]}
    for direction, text in (("customer", row["message"]), ("bot", "We have received your message.")):
        of_it = {"external_id": f"{row['id']}:{direction}", "direction": direction, "author": "", "text": text}
        said_by = row["identity"] if direction == "customer" else None
        yield {**common, **of_it, "identity": said_by, "written_at": row["created_at"]}


def _events(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name in ("opened", "classified", *(["resolved"] if row["resolved_at"] else [])):
        yield {"incident": row["id"], "at": row["created_at"], "actor": row["channel"], "name": name}


def _inbox(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield {
        "channel": row["channel"],
        "external_id": f"{row['id']}:customer",
        "incident_id": row["id"],
        "lane": f"in/{row['id']}",
        "payload": {"text": row["message"], "customer_id": row["customer_id"]},
        "received_at": row["created_at"],
        "state": "dead" if row["id"].startswith("00") else "done",
        "outcome": {"incident_id": row["id"]},
    }


def _notifications(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for kind in ("acknowledgement", "card"):
        yield {
            "incident": row["id"],
            "channel": "email",
            "recipient": row["customer_id"],
            "kind": kind,
            "message": "We have received your message.",
            "notice": {},
            "dedupe": f"{row['id']}.{kind}",
            "lane": f"out/email:{row['customer_id']}",
            "status": "sent",
            "created_at": row["created_at"],
            "sent_at": row["created_at"],
        }


def _follow_ups(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    waits = row["status"] == "open"
    due = row["created_at"] + timedelta(days=1) if waits else None
    state = "waiting" if waits else "nothing_to_do"
    yield {"incident": row["id"], "opened_at": row["created_at"], "due_at": due, "state": state}


def _jobs(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield {
        "lane": f"job/{row['id']}",
        "kind": "link",
        "payload": {"incident_id": row["id"]},
        "dedupe": f"{row['id']}/0",
        "state": "done",
        "created_at": row["created_at"],
    }


def _aliases(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for channel, key in (("web", row["id"]), (row["channel"], f"{row['id']}:customer")):
        yield {"channel": channel, "key": key, "conversation": row["id"]}


def _ratings(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if row["resolutions"]:
        yield {"incident": row["id"], "resolution": 1, "score": 1 + row["number"] % 5, "rated_at": row["created_at"]}


_ABOUT: dict[Any, Any] = {
    Message: _messages,
    Event: _events,
    InboxMessage: _inbox,
    Notification: _notifications,
    FollowUp: _follow_ups,
    Job: _jobs,
    Alias: _aliases,
    Rating: _ratings,
}
