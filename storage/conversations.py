"""Conversations: which address, and which message in or out, belongs to which of them."""

from collections.abc import Iterable, Sequence

from storage.database import execute, insert
from storage.tables import Alias


def known(channel: str, keys: Sequence[str]) -> dict[str, str]:
    """Return the conversations of those of these addresses and ids of messages that are known."""
    if not keys:
        return {}
    marks = ", ".join("?" for _ in keys)
    found = execute(
        f"SELECT key, conversation FROM conversations WHERE channel = ? AND key IN ({marks})", (channel, *keys)
    )
    return dict(found.fetchall())


def add(conversation: str, aliases: Iterable[tuple[str, str]]) -> bool:
    """Let these (channel, key) lead to a conversation; False if one leads to another already, or does by now."""
    rows = [{"channel": channel, "key": key, "conversation": conversation} for channel, key in sorted(set(aliases))]
    return not rows or insert(Alias, rows, unless="channel, key") == len(rows)


def add_of_incident(incident_id: str, channel: str, key: str) -> None:
    """Let the id of a text that we sent lead to its incident's conversation."""
    execute(
        "INSERT INTO conversations (channel, key, conversation) SELECT ?, ?, conversation FROM incidents WHERE id = ? "
        "ON CONFLICT (channel, key) DO NOTHING",
        (channel, key, incident_id),
    )
