"""A private Redis for the tests."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.daemon import Daemon, needs
from tests.mailbox import free_port


class RedisServer(Daemon):
    """Redis, which keeps nothing when it ends."""

    def __init__(self, program: str, folder: Path) -> None:
        self.port = free_port()
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
        super().__init__(folder, [program, *options], self._pong)

    @property
    def url(self) -> str:
        """What QUEUE_URL has to be."""
        return f"redis://127.0.0.1:{self.port}/0"

    def _pong(self) -> bool:
        with suppress(Exception), self.client() as client:
            return bool(client.ping())
        return False

    def client(self) -> Any:
        """A connection beside the code that is tested. A context manager."""
        from redis import Redis

        return Redis(port=self.port, socket_timeout=2)

    def empty(self) -> None:
        with self.client() as client:
            client.flushdb()

    def bodies(self) -> list[bytes]:
        """All messages that wait."""
        with self.client() as client:
            return [body for key in client.keys("firstline:*.msgs") for body in client.hvals(key)]

    def waiting(self, queue: str) -> int:
        """How many wait in a queue."""
        with self.client() as client:
            return int(client.llen(f"firstline:{queue}"))


@contextmanager
def redis_server() -> Iterator[RedisServer]:
    program = needs("redis-server", "redis-server")
    with tempfile.TemporaryDirectory(prefix="firstline-redis-") as folder:
        server = RedisServer(program, Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.kill()
