"""A small real ticket desk on loopback, for tests: opens tickets over HTTP and can be told to misbehave."""

import json
import socket
import sys
import threading
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass(frozen=True)
class Misbehaviour:
    """What the desk does with one request instead of answering 201. Reads from top to bottom: wait `delay` seconds
    before anything else, create the ticket or not, then drop the connection, or answer."""

    status: int = 201
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0
    creates: bool = False
    drops: bool = False
    answer_delay: float = 0


@dataclass(frozen=True)
class Request:
    """One request as it arrived."""

    path: str
    headers: dict[str, str]
    body: Any
    peer: tuple[str, int]


class LocalDesk:
    """A desk that remembers its tickets by Idempotency-Key, so that a repetition gets the same id. A context manager.

    `url` is where to post. `requests` are all requests in order, `tickets` the ids by key, `creations` how often a
    ticket was created for each key. Each call of `answer_with`, `delay`, `drop` and `hang_after_creating` is about one
    request, the next that nothing was said about yet.
    """

    def __init__(self, id_field: str = "id", remembers: bool = True) -> None:
        self.requests: list[Request] = []
        self.tickets: dict[str, str] = {}
        self.creations: Counter[str] = Counter()
        self._id_field = id_field
        self._remembers = remembers
        self._plans: list[Misbehaviour] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _handler_for(self))
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}/tickets"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *args: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def answer_with(
        self, status: int, body: object = None, headers: dict[str, str] | None = None, times: int = 1
    ) -> None:
        """Answer with this status and body (bytes as they are, anything else as JSON), creating no ticket."""
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        self._plan(Misbehaviour(status=status, body=raw, headers=headers or {}), times)

    def delay(self, seconds: float, times: int = 1) -> None:
        """Wait before creating the ticket, then answer as usual."""
        self._plan(Misbehaviour(delay=seconds, creates=True), times)

    def drop(self, times: int = 1, creates: bool = False) -> None:
        """Close the connection without an answer, before the ticket is created or (`creates`) after."""
        self._plan(Misbehaviour(drops=True, creates=creates), times)

    def hang_after_creating(self, seconds: float, times: int = 1) -> None:
        """Create the ticket at once and answer much later."""
        self._plan(Misbehaviour(answer_delay=seconds, creates=True), times)

    def _plan(self, plan: Misbehaviour, times: int) -> None:
        with self._lock:
            self._plans += [plan] * times

    def take(self, request: Request) -> Misbehaviour:
        """Note the request; say what to do with it."""
        with self._lock:
            self.requests.append(request)
            return self._plans.pop(0) if self._plans else Misbehaviour(creates=True)

    def create(self, key: str) -> str:
        """Open a ticket, or find the one of this key."""
        with self._lock:
            if key not in self.tickets or not self._remembers:
                self.creations[key] += 1
                self.tickets[key] = str(1000 + self.creations.total())
            return self.tickets[key]

    def answer(self, ticket: str) -> bytes:
        """The JSON body that names the ticket at the id field's path."""
        body: Any = ticket
        for name in reversed(self._id_field.split(".")):
            body = {name: body}
        return json.dumps(body).encode()

    def wait(self, seconds: float) -> None:
        """Wait, but no longer than the desk is open."""
        self._closing.wait(seconds)


class _Server(ThreadingHTTPServer):
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Callers are killed in some tests; their broken connections are no news."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def _handler_for(desk: LocalDesk) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            host, port = self.client_address[:2]
            plan = desk.take(Request(self.path, headers, json.loads(raw), (str(host), port)))
            desk.wait(plan.delay)
            body = desk.answer(desk.create(headers.get("idempotency-key", ""))) if plan.creates else b""
            if plan.drops:
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            desk.wait(plan.answer_delay)
            self._answer(plan, body if plan.body is None else plan.body)

        def do_GET(self) -> None:
            desk.take(Request(self.path, dict(self.headers.items()), None, ("", 0)))
            self.send_error(405)

        def _answer(self, plan: Misbehaviour, body: bytes) -> None:
            try:
                self.send_response(plan.status)
                for name, value in {"Content-Length": str(len(body)), **plan.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)
            except OSError:  # the caller has gone, as it should after its time-out
                self.close_connection = True

        def log_message(self, *args: object) -> None:
            pass

    return Handler
