"""Serving the web application with uvicorn."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from adapters.http.settings import HttpSettings
from bot.errors import ConfigurationError

BACKLOG = 2048
GRACE = 12
"""Seconds that requests under way have to be answered in when we are asked to stop."""


class Server(uvicorn.Server):
    """Tells when it is ready to serve; stops at once if it was asked to before it could hear."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None], stopped: Callable[[], bool]) -> None:
        super().__init__(config)
        self._ready = ready
        self._stopped = stopped

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.should_exit = self.should_exit or self._stopped()
        self._ready()


def serve(
    app: ASGIApp, settings: HttpSettings, ready: Callable[[str], None], stopped: Callable[[], bool] = lambda: False
) -> None:
    """Serve until SIGTERM or SIGINT, and return when the last request is answered. `ready` is told our address;
    `stopped` says whether one of the signals came before.

    Raises ConfigurationError if the address cannot be had.
    """
    listener = _listen(settings)
    with listener:
        Server(_config(app), lambda: ready(_url(listener)), stopped).run([listener])


@contextmanager
def serving(app: ASGIApp, settings: HttpSettings) -> Iterator[str]:
    """While entered, serve in a thread of its own; gives our address. Raises ConfigurationError, as `serve` does."""
    listener = _listen(settings)
    up = threading.Event()
    server = Server(_config(app), up.set, lambda: False)
    thread = threading.Thread(target=server.run, args=([listener],), name="http", daemon=True)
    with listener:
        thread.start()
        up.wait()
        try:
            yield _url(listener)
        finally:
            server.should_exit = True
            thread.join(GRACE)


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http="h11",
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE,
    )


def _listen(settings: HttpSettings) -> socket.socket:
    settings.refuse_foreign_address()
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # asyncio switches Nagle's algorithm off (40 ms an answer) only where it sees that the protocol is TCP
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(BACKLOG)
    except OSError as exc:
        listener.close()
        raise ConfigurationError(
            f"PORT: cannot listen on {settings.host}:{settings.port} ({exc.strerror}). "
            "Choose another: PORT=8001 make run"
        ) from None
    return listener
