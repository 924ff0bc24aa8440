"""Addresses at which we are blocked."""

from collections.abc import Iterable
from datetime import datetime

from storage.database import execute, insert
from storage.tables import Unreachable

Where = tuple[str, str]
"""Channel and key."""


def lose(channel: str, key: str, at: datetime, reason: str) -> bool:
    """Mark an address; False if it is marked already."""
    row = {"channel": channel, "key": key, "since": at, "reason": reason}
    return bool(insert(Unreachable, [row], unless="channel, key"))


def regain(channel: str, keys: Iterable[str]) -> list[str]:
    """Take the marks off these addresses; return which had one."""
    one = "DELETE FROM unreachable WHERE channel = ? AND key = ?"
    return [key for key in sorted(set(keys)) if execute(one, (channel, key)).rowcount]


def lost(addresses: Iterable[Where]) -> set[Where]:
    """Return which of these addresses are marked."""
    asked = list(addresses)
    if not asked:
        return set()
    same = " OR ".join(["(channel = ? AND key = ?)"] * len(asked))
    values = [value for address in asked for value in address]
    found = execute(f"SELECT channel, key FROM unreachable WHERE {same}", values)
    return {(channel, key) for channel, key in found.fetchall()}


def drop(keys: Iterable[str]) -> None:
    """Forget the marks on these keys, on whichever channel."""
    for key in sorted(set(keys)):
        execute("DELETE FROM unreachable WHERE key = ?", (key,))
