"""Slack's end of Socket Mode, for tests: sends envelopes to whoever is connected, and again while nobody acknowledges
them."""

import json
import logging
import threading
import uuid
from collections.abc import Mapping
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from typing import Any, Self

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

_quiet = logging.getLogger("tests.socket_mode")
_quiet.setLevel(logging.CRITICAL)  # what a test reads of the log is not to be this end's


class SocketMode:
    """A context manager. `url` is where to connect; `patience` is how many seconds an acknowledgement may take before
    the envelope is sent again. `attempts` counts the envelopes that were sent, each repetition too."""

    def __init__(self, patience: float = 3.0) -> None:
        self.patience = patience
        self.attempts = 0
        self._server = serve(self._talk, "127.0.0.1", 0, compression=None, logger=_quiet)
        self.url = f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}/link?ticket=7d9a-secret"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._connections: list[ServerConnection] = []
        self._changed = threading.Condition()
        self._awaited: dict[str, Future[dict[str, Any]]] = {}
        self._closed = False

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for answer in list(self._awaited.values()):
            answer.cancel()
        self.hang_up()
        self._server.shutdown()
        self._thread.join(10)

    def deliver(self, kind: str, payload: Mapping[str, Any], times: int = 10) -> dict[str, Any] | None:
        """Send an envelope of this kind until it is acknowledged, and return what the acknowledgement says; None if it
        never was. Each attempt waits for somebody to be connected."""
        name = str(uuid.uuid4())
        for attempt in range(times):
            answer = self._awaited[name] = Future()
            envelope = {
                "envelope_id": name,
                "type": kind,
                "payload": payload,
                "accepts_response_payload": kind != "events_api",
                **({"retry_attempt": attempt, "retry_reason": "timeout"} if attempt else {}),
            }
            connection = self._youngest()
            if connection is None:
                return None
            with suppress(ConnectionClosed):
                connection.send(json.dumps(envelope))
                self.attempts += 1
            try:
                return answer.result(self.patience)
            except TimeoutError:
                continue
            except CancelledError:  # we are closing
                return None
        return None

    def disconnect(self) -> None:
        """Ask everybody to connect anew, as Slack does several times a day, and hang up on them once they have."""
        with self._changed:
            old = list(self._connections)
            for connection in old:
                connection.send(json.dumps({"type": "disconnect", "reason": "refresh_requested"}))
            assert self._changed.wait_for(lambda: self._connections[-1:] not in ([], old[-1:]), 20), "nobody came back"
        for connection in old:
            connection.close()

    def hang_up(self) -> None:
        """Close every connection."""
        for connection in list(self._connections):
            connection.close()

    def wait_connected(self) -> None:
        assert self._youngest() is not None, "nobody is connected"

    def _youngest(self) -> ServerConnection | None:
        with self._changed:
            self._changed.wait_for(lambda: self._connections or self._closed, 30)
            return None if self._closed or not self._connections else self._connections[-1]

    def _talk(self, connection: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            connection.send(json.dumps({"type": "hello", "num_connections": len(self._connections) + 1}))
            with self._changed:
                self._connections.append(connection)
                self._changed.notify_all()
            for said in connection:
                answer = json.loads(said) if said[:1] == "{" else {}  # else it is a greeting of the library's own
                awaited = self._awaited.get(answer.get("envelope_id", ""))
                if awaited is not None and not awaited.done():
                    awaited.set_result(answer)
        with self._changed:
            if connection in self._connections:
                self._connections.remove(connection)
