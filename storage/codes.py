"""Codes that were sent to mail addresses; never the codes themselves."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from storage.database import Row, database, execute, find, insert, update
from storage.dialect import locks_rows
from storage.tables import Code, utc_text


def hold(customer_id: str, email: str) -> None:
    """Let nobody else ask for a code for this customer or this address until the transaction ends. SQLite: the
    transaction itself does."""
    if locks_rows(database):
        execute("SELECT 1 FROM customers WHERE id = ? FOR UPDATE", (customer_id,)).fetchall()
        execute("SELECT pg_advisory_xact_lock(hashtextextended(?, 1))", (email.lower(),)).fetchall()


def asked(customer_id: str, email: str, since: datetime) -> int:
    """Count the codes that were sent since then for this customer, or (if those are more) to this address."""
    of_customer = "identity_id IN (SELECT id FROM identities WHERE customer_id = ?)"
    counts = [
        execute(f"SELECT COUNT(*) FROM codes WHERE {which} AND created_at > ?", (value, utc_text(since))).fetchone()[0]
        for which, value in ((of_customer, customer_id), ("LOWER(email) = ?", email.lower()))
    ]
    return int(max(counts))


def add(values: Mapping[str, Any]) -> None:
    insert(Code, [values])


def youngest(identity_id: int) -> Row | None:
    """Read the last code that somebody asked for, and let nobody else do so until the transaction ends."""
    lock = " FOR UPDATE" if locks_rows(database) else ""
    newest = execute(f"SELECT id FROM codes WHERE identity_id = ? ORDER BY id DESC LIMIT 1{lock}", (identity_id,))
    known = newest.fetchone()
    return None if known is None else find(Code, "id = ?", [known[0]])


def last_address(identity_id: int) -> str | None:
    """Return where the last code went that somebody asked for."""
    newest = execute(
        "SELECT email FROM codes WHERE identity_id = ? ORDER BY id DESC LIMIT 1", (identity_id,)
    ).fetchone()
    return None if newest is None else str(newest[0])


def miss(row_id: int, wrong: int) -> None:
    """Count a wrong guess."""
    update(Code, row_id, {"wrong": wrong})


def use(row_id: int, at: datetime) -> None:
    update(Code, row_id, {"used_at": at})


def forget(before: datetime) -> None:
    """Drop what is older than that: nobody is asked for it any more."""
    execute("DELETE FROM codes WHERE created_at < ?", (utc_text(before),))


def drop(identity_ids: list[int]) -> list[str]:
    """Drop the codes of these identities, and return the addresses that they went to."""
    found = [
        email
        for identity_id in sorted(identity_ids)
        for (email,) in execute("SELECT DISTINCT email FROM codes WHERE identity_id = ?", (identity_id,)).fetchall()
    ]
    for identity_id in sorted(identity_ids):
        execute("DELETE FROM codes WHERE identity_id = ?", (identity_id,))
    return found
