"""How fast may be sent: for each name (a bot, a chat) when the next text may go, and until when the times after that
are booked. A row locks the name for the rest of the transaction (in the order of `storage.lanes`)."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from storage.database import database, execute
from storage.dialect import skip_locked
from storage.tables import from_utc_text, utc_text

Times = tuple[datetime, datetime]
"""When the next text may go, and until when the times after it are booked."""

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def hold(names: Iterable[str]) -> dict[str, Times]:
    """Read these names, and let nobody else do so until this transaction ends. Who is not known was never used."""
    keys = sorted(set(names))
    then = utc_text(LONG_AGO)
    found = execute(
        f"INSERT INTO paces (key, next_at, booked_until) VALUES {', '.join(['(?, ?, ?)'] * len(keys))} "
        "ON CONFLICT (key) DO UPDATE SET key = excluded.key RETURNING key, next_at, booked_until",
        [value for key in keys for value in (key, then, then)],
    )
    return {key: (from_utc_text(next_at), from_utc_text(until)) for key, next_at, until in found.fetchall()}


def move(times: Mapping[str, Times]) -> None:
    """Write these times. Only for names that are held."""
    values = [value for key in sorted(times) for value in (key, *map(utc_text, times[key]))]
    execute(
        f"INSERT INTO paces (key, next_at, booked_until) VALUES {', '.join(['(?, ?, ?)'] * len(times))} "
        "ON CONFLICT (key) DO UPDATE SET next_at = excluded.next_at, booked_until = excluded.booked_until",
        values,
    )


def forget(before: datetime) -> int:
    """Drop the names for which nothing was sent or booked since then; return how many. Those that are held stay."""
    found = execute(
        "SELECT key FROM paces WHERE next_at < ? AND booked_until < ? ORDER BY key" + skip_locked(database),
        (utc_text(before), utc_text(before)),
    )
    keys = [key for (key,) in found.fetchall()]
    for key in keys:
        execute("DELETE FROM paces WHERE key = ?", (key,))
    return len(keys)
