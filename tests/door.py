"""A web server for tests, at which each hangs the application that it is about."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from adapters.http import server
from adapters.http.settings import HttpSettings


class Door:
    """An application that stands for whichever hangs at it: `app`. `url` is where it is."""

    def __init__(self) -> None:
        self.app: Any = None
        self.url = ""
        self._up = threading.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)

    def opened(self, url: str) -> None:
        self.url = url
        self._up.set()

    def wait(self) -> None:
        assert self._up.wait(10)


@contextmanager
def open_door() -> Iterator[Door]:
    """Uvicorn leaves signals alone outside the main thread; it ends with the block."""
    door, servers = Door(), []

    class Kept(server.Server):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            servers.append(self)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(server, "Server", Kept)
        arguments = (door, HttpSettings(_env_file=None, port=0), door.opened)  # type: ignore[call-arg]
        thread = threading.Thread(target=server.serve, args=arguments)
        thread.start()
        door.wait()
    yield door
    servers[0].should_exit = True
    thread.join(10)
