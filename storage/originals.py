"""What messages were made of, as it came. What is read of many has no content in it: that may be megabytes each."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from storage.database import Row, database, execute, find, insert, rows, update
from storage.dialect import skip_locked
from storage.tables import Original, utc_text

_SEEN = [field for field in Original._meta.sorted_fields if field.name != "content"]


def add(values: Sequence[Mapping[str, Any]]) -> int:
    """Insert originals, once each; return how many are new."""
    return insert(Original, values, unless="channel, external_id") if values else 0


def content(channel: str, external_id: str) -> bytes | None:
    """Read the sealed content, if there is any."""
    found = execute("SELECT content FROM originals WHERE channel = ? AND external_id = ?", (channel, external_id))
    row = found.fetchone()
    return None if row is None or row[0] is None else bytes(row[0])


def dead(channel: str) -> list[Row]:
    """List what no message could be made of, the oldest first."""
    found = Original.select(*_SEEN).where((Original.channel == channel) & (Original.state == "dead"))
    return rows(found.order_by(Original.id))


def by_number(channel: str, number: int) -> Row | None:
    return find(Original, "channel = ? AND id = ?", [channel, number])


def revive(number: int) -> bool:
    """Say that a message was made of a dead one after all, with which its content is kept now; False if it is not dead
    any more."""
    return update(Original, number, {"state": "expired", "content": None}, "AND state = 'dead'")


def expire(received_before: datetime, limit: int) -> int:
    """Delete the contents of originals that came before a time, at most so many; return how many. Their rows stay, and
    so do dead ones. Several processes may do this at once: they share them."""
    found = execute(
        "SELECT id FROM originals WHERE state = 'kept' AND received_at < ? ORDER BY received_at LIMIT ?"
        + skip_locked(database),
        (utc_text(received_before), limit),
    )
    ids = [number for (number,) in found.fetchall()]
    for number in ids:
        update(Original, number, {"content": None, "state": "expired"})
    return len(ids)
