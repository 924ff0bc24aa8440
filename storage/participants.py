"""Who takes part in an incident beside its customer."""

from collections.abc import Iterable

from storage.database import execute, insert
from storage.tables import Participant


def add(incident_id: str, addresses: Iterable[tuple[str, str]]) -> None:
    """Add these (channel, key), once each."""
    rows = [{"incident": incident_id, "channel": channel, "key": key} for channel, key in sorted(set(addresses))]
    if rows:
        insert(Participant, rows, unless="incident_id, channel, key")


def has(incident_id: str, channel: str, key: str) -> bool:
    condition = "incident_id = ? AND channel = ? AND key = ?"
    found = execute(f"SELECT 1 FROM participants WHERE {condition}", (incident_id, channel, key))
    return found.fetchone() is not None


def of_incident(incident_id: str) -> list[tuple[str, str]]:
    """List the addresses of those who take part, as (channel, key)."""
    found = execute("SELECT channel, key FROM participants WHERE incident_id = ? ORDER BY id", (incident_id,))
    return [(str(channel), str(key)) for channel, key in found.fetchall()]


def drop(incident_id: str) -> None:
    execute("DELETE FROM participants WHERE incident_id = ?", (incident_id,))
