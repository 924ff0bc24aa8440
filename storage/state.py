"""Small values that must survive a restart."""

from storage.database import execute


def get(key: str) -> str | None:
    found = execute("SELECT value FROM state WHERE key = ?", (key,)).fetchone()
    return None if found is None else str(found[0])


def keep(key: str, value: str) -> str:
    """Store a value unless there is one, and return the one that holds: of two processes, the first decides."""
    execute("INSERT INTO state (key, value) VALUES (?, ?) ON CONFLICT (key) DO NOTHING", (key, value))
    return get(key) or value


def put(key: str, value: str) -> None:
    """Store a value, whatever was there before."""
    execute(
        "INSERT INTO state (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (key, value),
    )


def drop(key: str) -> bool:
    """Delete a value, and return whether there was one."""
    return bool(execute("DELETE FROM state WHERE key = ?", (key,)).rowcount)


def beginning(letters: str) -> dict[str, str]:
    """Return all values whose key begins like this."""
    found = execute("SELECT key, value FROM state WHERE SUBSTR(key, 1, ?) = ? ORDER BY key", (len(letters), letters))
    return {str(key): str(value) for key, value in found.fetchall()}
