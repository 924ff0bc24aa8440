"""Answers that are given again to whoever repeats a request."""

from collections.abc import Mapping
from datetime import datetime

from storage.database import Row, execute, find, insert
from storage.tables import JSONTextField, Repetition, utc_text


def begin(key: str, fingerprint: str, now: datetime) -> bool:
    """Say that a request is being handled; False if one was begun under this key before."""
    row = {"key": key, "fingerprint": fingerprint, "begun_at": now}
    return bool(insert(Repetition, [row], unless="key"))


def get(key: str) -> Row:
    """Read what was begun under this key."""
    row = find(Repetition, "key = ?", [key])
    assert row is not None, "asked for in the transaction that found it"
    return row


def take_over(key: str, before: datetime, now: datetime) -> bool:
    """Begin again what was begun before then and never ended; False if it was not."""
    changed = execute(
        "UPDATE repetitions SET begun_at = ? WHERE key = ? AND status IS NULL AND begun_at < ?",
        (utc_text(now), key, utc_text(before)),
    )
    return bool(changed.rowcount)


def end(key: str, status: int, headers: Mapping[str, str], body: str) -> None:
    """Keep the answer."""
    execute(
        "UPDATE repetitions SET status = ?, headers = ?, body = ? WHERE key = ?",
        (status, JSONTextField().db_value(dict(headers)), body, key),
    )


def drop(key: str) -> None:
    execute("DELETE FROM repetitions WHERE key = ?", (key,))


def forget(before: datetime, key: str = "") -> None:
    """Delete what was begun before then: all, or what has this key."""
    which, values = (" AND key = ?", (utc_text(before), key)) if key else ("", (utc_text(before),))
    execute(f"DELETE FROM repetitions WHERE begun_at < ?{which}", values)


def clear() -> None:
    """Forget the answers that were given; requests that are being handled stay."""
    execute("DELETE FROM repetitions WHERE status IS NOT NULL")
