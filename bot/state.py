"""Small values that adapters keep across restarts, in the database."""

import base64
from dataclasses import dataclass, field

from bot import ports
from bot.errors import ConfigurationError
from bot.sealing import Seal
from storage import database, state


@dataclass(frozen=True, slots=True)
class State(ports.State):
    seal: Seal = field(default_factory=Seal)

    def get(self, key: str) -> str | None:
        """Return what was put last under this key."""
        with database.session():
            return state.get(key)

    def put(self, key: str, value: str) -> None:
        """Keep a value until another is put."""
        with database.transaction():
            state.put(key, value)

    def keep(self, key: str, value: str) -> str:
        """Put a value unless there is one, and return the one that holds: of two processes, the first decides."""
        with database.transaction():
            return state.keep(key, value)

    def drop(self, key: str) -> bool:
        """Forget what was put under this key, and return whether anything was."""
        with database.transaction():
            return state.drop(key)

    def all(self, beginning: str) -> dict[str, str]:
        """Return everything whose key begins like this."""
        with database.session():
            return state.beginning(beginning)

    def get_secret(self, key: str) -> str | None:
        """Return what was put last under this key by `put_secret`. Raises ConfigurationError if DATA_KEY is another."""
        kept = self.get(key)
        return None if kept is None else self.seal.open(base64.b64decode(kept)).decode()

    def put_secret(self, key: str, value: str) -> None:
        """Keep a value that only DATA_KEY opens. Raises ConfigurationError if that is not set."""
        if not self.seal.keys:
            raise ConfigurationError("DATA_KEY is not set, and secrets are kept with it alone. Set 32 bytes or more.")
        self.put(key, base64.b64encode(self.seal.close(value.encode())).decode())
