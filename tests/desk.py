"""A small real ticket desk on loopback, for tests: opens and changes tickets over HTTP; can be told to misbehave."""

import json
import socket
import sys
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True)
class Misbehaviour:
    """What the desk does with one request instead of doing it and saying so. Reads from top to bottom: wait `delay`
    seconds before anything else, create (or change) the ticket or not, then drop the connection, or answer: with
    `status` and `body`, or, without a body, as the deed went."""

    status: int = 0
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
    method: str = "POST"

    @property
    def key(self) -> str:
        return self.headers.get("idempotency-key", "")


class LocalDesk:
    """A desk that remembers its tickets by Idempotency-Key, so that a repetition gets the same id, and the changes that
    it made to them, so that a repetition changes nothing. A context manager.

    `url` is where to post; below it, `url/ID`, is where to patch. `requests` are all requests in order, `tickets` the
    ids by key, `creations` how often a ticket was created for each key. `statuses` are the last status and `notes` all
    notes, in order, of each ticket that was ever changed, by its id. Each call of `answer_with`, `delay`, `drop` and
    `hang_after_creating` is about one request, the next that nothing was said about yet.
    """

    def __init__(self, id_field: str = "id", remembers: bool = True) -> None:
        self.requests: list[Request] = []
        self.tickets: dict[str, str] = {}
        self.creations: Counter[str] = Counter()
        self.statuses: dict[str, str] = {}
        self.notes: dict[str, list[str]] = {}
        self._changes: set[str] = set()
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
        """Answer with this status and body (bytes as they are, anything else as JSON), creating and changing
        no ticket."""
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        self._plan(Misbehaviour(status=status, body=raw, headers=headers or {}), times)

    def delay(self, seconds: float, times: int = 1) -> None:
        """Wait before creating or changing the ticket, then answer as usual."""
        self._plan(Misbehaviour(delay=seconds, creates=True), times)

    def drop(self, times: int = 1, creates: bool = False) -> None:
        """Close the connection without an answer, before the ticket is created or changed, or (`creates`) after."""
        self._plan(Misbehaviour(drops=True, creates=creates), times)

    def hang_after_creating(self, seconds: float, times: int = 1) -> None:
        """Create or change the ticket at once and answer much later."""
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

    def change(self, ticket: str, key: str, status: str, note: str) -> bool:
        """Change a ticket, unless this was done under this key before; False if there is no such ticket."""
        with self._lock:
            if ticket not in self.tickets.values():
                return False
            if key not in self._changes or not self._remembers:
                self._changes.add(key)
                self.statuses[ticket] = status
                self.notes.setdefault(ticket, []).append(note)
            return True

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
            self._serve(lambda request: (201, desk.answer(desk.create(request.key))))

        def do_PATCH(self) -> None:
            self._serve(self._change)

        def do_GET(self) -> None:
            desk.take(Request(self.path, dict(self.headers.items()), None, ("", 0), "GET"))
            self.send_error(405)

        def _change(self, request: Request) -> tuple[int, bytes]:
            ticket = unquote(urlsplit(request.path).path.rpartition("/")[2])
            found = desk.change(ticket, request.key, request.body["status"], request.body["note"])
            return (200, b"{}") if found else (404, b"")

        def _serve(self, deed: Callable[[Request], tuple[int, bytes]]) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            host, port = self.client_address[:2]
            request = Request(self.path, headers, json.loads(raw), (str(host), port), self.command)
            plan = desk.take(request)
            desk.wait(plan.delay)
            status, body = deed(request) if plan.creates else (plan.status, b"")
            if plan.drops:
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            desk.wait(plan.answer_delay)
            if plan.body is not None:
                status, body = plan.status, plan.body
            self._answer(status, plan.headers, body)

        def _answer(self, status: int, extra: dict[str, str], body: bytes) -> None:
            try:
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **extra}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)
            except OSError:  # the caller has gone, as it should after its time-out
                self.close_connection = True

        def log_message(self, *args: object) -> None:
            pass

    return Handler
