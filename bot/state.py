"""Small values that adapters keep across restarts, in the database."""

from bot import ports
from storage import database, state


class State(ports.State):
    def get(self, key: str) -> str | None:
        """Return what was put last under this key."""
        with database.session():
            return state.get(key)

    def put(self, key: str, value: str) -> None:
        """Keep a value until another is put."""
        with database.transaction():
            state.put(key, value)
