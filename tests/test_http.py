"""The HTTP channel, over a real socket: what is accepted, what is refused, and what is answered."""

import http.client
import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from email_validator import EmailNotValidError, validate_email
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from adapters.http.guard import hostname
from adapters.http.intake import normal_address
from adapters.http.server import serve
from adapters.http.settings import HttpSettings
from bot.app import Firstline, World, web_application
from bot.errors import ConfigurationError
from bot.model import Category, Classification
from bot.settings import Settings
from storage import database, dialect
from tests.fakes import CLERK, RecordingSender
from tests.mailbox import wait_until
from tests.postgres import ON_SQLITE

NEW = {
    "customer_id": "C-1042",
    "message": "My card was charged twice",
    "channel": "email",
    "email": "ana@example.com",
}


class Served:
    """Firstline on a free port of this machine. `gate` keeps the classifier from answering while it is closed."""

    def __init__(self, url: str, firstline: Firstline, sender: RecordingSender, gate: threading.Event) -> None:
        self.url = url
        self.firstline = firstline
        self.sender = sender
        self.gate = gate

    def post(self, body: Any = None, **headers: str) -> requests.Response:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return requests.post(f"{self.url}/api/incidents", json=NEW if body is None else body, headers=names, timeout=10)

    def get(self, path: str, **options: Any) -> requests.Response:
        return requests.get(f"{self.url}{path}", timeout=10, **options)

    def raw(self, data: bytes, content_type: str = "application/json") -> requests.Response:
        headers = {"Content-Type": content_type}
        return requests.post(f"{self.url}/api/incidents", data=data, headers=headers, timeout=10)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait long for another process's transaction."""
    monkeypatch.setattr(dialect, "BUSY_TIMEOUT", 0.5)


@pytest.fixture
def served(db: str) -> Iterator[Served]:
    with serving(HttpSettings(port=0, response_wait="500ms", max_body=100_000)) as served:
        yield served


@contextmanager
def serving(settings: HttpSettings) -> Iterator[Served]:
    """Run Firstline, on the database of the test, with these settings of its HTTP side."""
    gate = threading.Event()
    gate.set()

    def classify(text: str) -> Classification:
        assert gate.wait(10)
        return Classification(Category.DUPLICATE_PAYMENT, 0.9, "charged twice", "test")

    sender = RecordingSender()
    world = World([sender, RecordingSender("sms"), RecordingSender("whatsapp")], [classify], None)
    firstline = Firstline(Settings(workers=4, classify_within="10s"), world)
    with ExitStack() as started:
        started.enter_context(firstline.accepting())
        started.enter_context(firstline.working())
        app = web_application(firstline, settings)
        url, server = _in_background(app, settings)
        yield Served(url, firstline, sender, gate)
        gate.set()
        server.should_exit = True
        server.thread.join(10)


def _in_background(app: Any, settings: HttpSettings) -> tuple[str, Any]:
    """Serve in a thread; uvicorn leaves signals alone outside the main thread."""
    from adapters.http import server as module

    ready: list[str] = []
    up = threading.Event()
    servers: list[Any] = []

    class Kept(module.Server):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            servers.append(self)

    original, module.Server = module.Server, Kept  # type: ignore[misc]
    thread = threading.Thread(target=serve, args=(app, settings, lambda url: (ready.append(url), up.set())))
    thread.start()
    assert up.wait(10)
    module.Server = original  # type: ignore[misc]
    servers[0].thread = thread
    return ready[0], servers[0]


def problem_of(answer: requests.Response) -> dict[str, Any]:
    assert answer.headers["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["status"] == answer.status_code
    return body


def stored() -> int:
    with database.session():
        count: int = database.execute("SELECT COUNT(*) FROM inbox").fetchone()[0]
    return count


def test_a_message_becomes_an_incident(served: Served) -> None:
    answer = served.post()
    assert answer.status_code == 201
    body = answer.json()
    named = {"incident_id", "ticket_id", "message_id", "status", "classification", "confidence", "priority", "message"}
    assert set(body) == named
    assert body["classification"] == "duplicate_payment"
    assert body["confidence"] == 0.9
    assert body["status"] == "open"
    assert body["message"] == "Ticket created. Email on its way."
    assert answer.headers["Location"] == f"/api/incidents/{body['incident_id']}"


def test_the_incident_can_be_read_by_its_id_and_by_its_ticket_id_in_any_case(served: Served) -> None:
    body = served.post().json()
    by_id = served.get(f"/api/incidents/{body['incident_id']}").json()
    assert by_id["customer_id"] == "C-1042"
    assert by_id["channel"] == "email"
    assert [entry["what"] for entry in by_id["timeline"]] == ["customer", "bot", "opened"]
    assert [notice["recipient"] for notice in by_id["notifications"]] == ["ana@example.com"]
    for name in (body["ticket_id"], body["ticket_id"].lower()):
        assert served.get(f"/api/incidents/{name}").json()["incident_id"] == body["incident_id"]


def test_a_mail_goes_out_whenever_there_is_an_address_and_an_sms_whenever_there_is_a_phone(served: Served) -> None:
    body = served.post({**NEW, "channel": "whatsapp", "phone": "+1 415 555 2671"}).json()
    assert body["message"] == "Ticket created. Email on its way. SMS on its way. WhatsApp message on its way."
    details = served.get(f"/api/incidents/{body['incident_id']}").json()
    assert [(notice["channel"], notice["recipient"]) for notice in details["notifications"]] == [
        ("email", "ana@example.com"),
        ("sms", "+14155552671"),
        ("whatsapp", "+14155552671"),
    ]


def test_web_needs_no_address_and_promises_no_mail(served: Served) -> None:
    body = served.post({"customer_id": "C-1", "message": "hello", "channel": "web"}).json()
    assert body["message"] == "Ticket created."


def test_a_message_that_takes_longer_is_received_and_can_be_asked_for(served: Served) -> None:
    served.gate.clear()
    answer = served.post()
    assert answer.status_code == 202
    where = answer.headers["Location"]
    waiting = served.get(where)
    assert (waiting.status_code, waiting.json()["status"]) == (200, "received")
    served.gate.set()
    for _ in range(100):
        if served.get(where).json()["status"] == "open":
            return
        threading.Event().wait(0.05)
    pytest.fail("it was never handled")


def test_who_prefers_not_to_wait_gets_a_receipt(served: Served) -> None:
    answer = served.post(Prefer="wait=5, respond-async")
    assert answer.status_code == 202
    assert answer.headers["Preference-Applied"] == "respond-async"
    assert answer.json()["status"] == "received"


class TestIdempotencyKey:
    """A repetition under the same key."""

    def test_gets_the_first_answer_again(self, served: Served) -> None:
        first = served.post(Idempotency_Key="k-1")
        again = served.post(Idempotency_Key="k-1")
        assert (again.status_code, again.json()) == (201, first.json())
        assert stored() == 1

    def test_gets_it_however_the_same_json_is_written(self, served: Served) -> None:
        first = served.post(Idempotency_Key="k-1")
        other = json.dumps(dict(reversed(NEW.items())), indent=4).encode()
        headers = {"Content-Type": "application/json; charset=utf-8", "Idempotency-Key": "k-1"}
        again = requests.post(f"{served.url}/api/incidents", data=other, headers=headers, timeout=10)
        assert again.json() == first.json()

    def test_gets_it_even_after_the_incident_was_resolved(self, served: Served) -> None:
        first = served.post(Idempotency_Key="k-1").json()
        served.firstline.commands.resolve(first["ticket_id"], CLERK)
        assert served.post(Idempotency_Key="k-1").json() == first

    def test_is_refused_with_another_body(self, served: Served) -> None:
        served.post(Idempotency_Key="k-1")
        answer = served.post({**NEW, "message": "something else"}, Idempotency_Key="k-1")
        assert "Idempotency-Key" in problem_of(answer)["detail"]
        assert answer.status_code == 422
        assert stored() == 1

    def test_waits_as_the_first_did_while_that_is_being_handled(self, served: Served) -> None:
        served.gate.clear()
        answers: list[requests.Response] = []
        threads = [
            threading.Thread(target=lambda: answers.append(served.post(Idempotency_Key="k-1"))) for _ in range(5)
        ]
        for thread in threads:
            thread.start()
        threading.Event().wait(0.2)
        served.gate.set()
        for thread in threads:
            thread.join()
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.json()["ticket_id"] for answer in answers}) == 1

    @pytest.mark.parametrize("key", ["", "k" * 256])
    def test_must_be_usable(self, served: Served, key: str) -> None:
        assert "Idempotency-Key" in problem_of(served.post(Idempotency_Key=key))["detail"]

    def test_must_be_one(self, served: Served) -> None:
        connection = http.client.HTTPConnection(served.url.removeprefix("http://"), timeout=5)
        body = json.dumps(NEW).encode()
        connection.putrequest("POST", "/api/incidents")
        for name, value in (("Content-Type", "application/json"), ("Content-Length", str(len(body)))):
            connection.putheader(name, value)
        connection.putheader("Idempotency-Key", "k-1")
        connection.putheader("Idempotency-Key", "k-2")
        connection.endheaders(body)
        assert connection.getresponse().status == 400
        connection.close()

    def test_leaves_nobody_waiting_when_it_is_refused(self, served: Served) -> None:
        served.post(Idempotency_Key="k-1")
        served.post({**NEW, "message": "something else"}, Idempotency_Key="k-1")
        wait_until(lambda: not served.firstline.answers._waited_for, 5)


BAD = {
    "no customer": ({key: NEW[key] for key in NEW if key != "customer_id"}, "customer_id"),
    "empty customer": ({**NEW, "customer_id": "  "}, "customer_id"),
    "no message": ({key: NEW[key] for key in NEW if key != "message"}, "message"),
    "empty message": ({**NEW, "message": ""}, "message"),
    "blank message": ({**NEW, "message": " \n\t"}, "message"),
    "only control characters": ({**NEW, "message": "\x00\x07"}, "message"),
    "a message of another type": ({**NEW, "message": 5}, "message"),
    "a message that is too long": ({**NEW, "message": "x" * 20_001}, "message"),
    "no channel": ({key: NEW[key] for key in NEW if key != "channel"}, "channel"),
    "an unknown channel": ({**NEW, "channel": "pigeon"}, "channel"),
    "no address for email": ({key: NEW[key] for key in NEW if key != "email"}, "email"),
    "a bad address": ({**NEW, "email": "ana(at)example.com"}, "email"),
    "a header in the address": ({**NEW, "email": "ana@example.com\nBcc: eve@example.com"}, "email"),
    "no phone for sms": ({**NEW, "channel": "sms"}, "phone"),
    "no phone for whatsapp": ({**NEW, "channel": "whatsapp"}, "phone"),
    "a bad phone": ({**NEW, "channel": "sms", "phone": "12345"}, "phone"),
    "a phone of no country": ({**NEW, "phone": "+999123456789"}, "phone"),
    "a misspelt field": ({**NEW, "emial": "ana@example.com"}, "emial"),
}


@pytest.mark.parametrize(("body", "field"), BAD.values(), ids=list(BAD))
def test_a_field_that_cannot_be_used_is_named_and_nothing_is_stored(
    served: Served, body: dict[str, Any], field: str
) -> None:
    answer = served.post(body)
    assert answer.status_code == 422
    assert field in [error["field"] for error in problem_of(answer)["errors"]]
    assert stored() == 0


@pytest.mark.parametrize("data", [b"", b"{", b'{"message": }', b"\xff\xfe", b'{"message": "\\ud800"}'])
def test_what_is_not_json_is_refused(served: Served, data: bytes) -> None:
    answer = served.raw(data)
    assert answer.status_code == 400
    problem_of(answer)
    assert stored() == 0


@pytest.mark.parametrize("data", [b"[]", b"null", b'"text"', b"5"])
def test_json_that_is_no_object_is_refused(served: Served, data: bytes) -> None:
    answer = served.raw(data)
    assert answer.status_code == 422
    problem_of(answer)


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "", "multipart/form-data"])
def test_another_content_type_is_refused(served: Served, content_type: str) -> None:
    answer = served.raw(json.dumps(NEW).encode(), content_type)
    assert answer.status_code == 415
    problem_of(answer)
    assert stored() == 0


def test_a_body_over_the_limit_is_refused_declared_or_not(served: Served) -> None:
    declared = served.raw(b"x" * 100_001)
    assert declared.status_code == 413
    problem_of(declared)
    chunked = served.raw(iter([b"x" * 60_000, b"x" * 60_000]))  # type: ignore[arg-type]
    assert chunked.status_code == 413
    problem_of(chunked)
    assert stored() == 0


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "", "localhost.evil"])
def test_a_foreign_host_is_refused(served: Served, host: str) -> None:
    answer = served.get("/healthz", headers={"Host": host})
    assert answer.status_code in (400, 421)
    assert answer.status_code == 400 or problem_of(answer)


LABEL = st.from_regex(r"[a-z0-9]{1,8}([._+-]{0,2}[a-z0-9]{1,8}){0,3}", fullmatch=True)
DOMAIN = st.from_regex(r"[a-z0-9]{1,5}(-{0,2}[a-z0-9]{1,9}){0,2}\.([a-z0-9-]{1,5}\.)?[a-z]{1,9}", fullmatch=True)
ENDING = st.sampled_from(["", ".com", ".test", ".local", ".onion", ".invalid", ".arpa"])


@given(LABEL, DOMAIN, ENDING)
@example("ana", "example", ".com")
@example("a" * 64, "example", ".com")
def test_the_short_cut_for_ordinary_addresses_agrees_with_the_library(name: str, domain: str, ending: str) -> None:
    address = f"{name}@{domain}{ending}"
    try:
        expected: str | None = validate_email(address, check_deliverability=False).normalized
    except EmailNotValidError:
        expected = None
    try:
        found: str | None = normal_address(address)
    except PydanticCustomError:
        found = None
    assert found == expected


@pytest.mark.parametrize(
    ("host", "name"),
    [("127.0.0.1:80", "127.0.0.1"), ("LOCALHOST", "localhost"), ("[::1]:8000", "::1"), ("[::1", "::1")],
)
def test_the_name_in_a_host_header_is_found(host: str, name: str) -> None:
    assert hostname(host) == name


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1.evil.example", ""])
def test_a_page_of_another_site_may_not_resolve_anything_through_a_browser(served: Served, origin: str) -> None:
    ticket = served.post().json()["ticket_id"]
    url = f"{served.url}/api/incidents/{ticket}/resolve"
    assert problem_of(requests.post(url, headers={"Origin": origin}, timeout=5))["status"] == 403
    assert requests.post(url, headers={"Origin": served.url}, timeout=5).status_code == 200


def test_two_host_headers_are_refused(served: Served) -> None:
    connection = http.client.HTTPConnection(served.url.removeprefix("http://"), timeout=5)
    connection.putrequest("GET", "/healthz", skip_host=True)
    connection.putheader("Host", "127.0.0.1")
    connection.putheader("Host", "evil.example")
    connection.endheaders()
    assert connection.getresponse().status in (400, 421)
    connection.close()


@ON_SQLITE
def test_a_locked_database_is_said_and_nothing_is_half_done(served: Served, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "incidents.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    answer = served.post()
    other.execute("ROLLBACK")
    other.close()
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "1"
    problem_of(answer)
    assert stored() == 0
    assert served.post().status_code == 201


def test_an_incident_is_resolved_once_and_the_second_is_told_who_did_it(served: Served) -> None:
    ticket = served.post().json()["ticket_id"]
    url = f"{served.url}/api/incidents/{ticket}/resolve"
    answers: list[requests.Response] = []
    threads = [
        threading.Thread(target=lambda: answers.append(requests.post(url, json={"note": "refunded"}, timeout=10)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    late = next(answer for answer in answers if answer.status_code == 409)
    assert "was resolved by loopback at" in problem_of(late)["detail"]
    assert requests.post(url, timeout=10).status_code == 409


def test_a_note_may_hold_anything(served: Served) -> None:
    ticket = served.post().json()["ticket_id"]
    url = f"{served.url}/api/incidents/{ticket}/resolve"
    assert requests.post(url, json={"note": "re\x00funded\x07"}, timeout=5).status_code == 200
    assert served.get(f"/api/incidents/{ticket}").json()["timeline"][-1]["text"] == "refunded"


def test_what_does_not_exist_is_not_found(served: Served) -> None:
    assert problem_of(served.get("/api/incidents/TKT-nothing"))["status"] == 404
    assert requests.post(f"{served.url}/api/incidents/TKT-nothing/resolve", timeout=5).status_code == 404
    assert problem_of(served.get("/nowhere"))["status"] == 404
    assert problem_of(requests.delete(f"{served.url}/api/incidents", timeout=5))["status"] == 405


def test_incidents_are_listed_youngest_first_and_by_status(served: Served) -> None:
    first, second = served.post().json(), served.post().json()
    served.firstline.commands.resolve(first["ticket_id"], CLERK)
    ids = [incident["incident_id"] for incident in served.get("/api/incidents").json()]
    assert ids == [second["incident_id"], first["incident_id"]]
    still_open = served.get("/api/incidents?status=open").json()
    assert [incident["incident_id"] for incident in still_open] == [second["incident_id"]]
    assert problem_of(served.get("/api/incidents?status=odd"))["errors"][0]["field"] == "status"


def test_the_figures_add_up(served: Served) -> None:
    ticket = served.post().json()["ticket_id"]
    served.post()
    served.firstline.commands.resolve(ticket, CLERK)
    figures = served.get("/api/stats").json()
    assert figures["total"] == 2
    assert figures["by_status"] == {"open": 1, "resolved": 1}
    assert figures["by_category"] == {"duplicate_payment": 2}
    assert figures["by_channel"] == {"email": 2}
    assert figures["mean_confidence"] == 0.9
    assert figures["reminders_due"] == 1
    assert figures["median_seconds_to_resolve"] >= 0


def test_health_and_readiness(served: Served) -> None:
    assert served.get("/healthz").json() == {"status": "ok"}
    assert served.get("/readyz").json() == {"status": "ready"}


def test_the_openapi_document_describes_the_hot_route_with_an_example(served: Served) -> None:
    document = served.get("/openapi.json").json()
    post = document["paths"]["/api/incidents"]["post"]
    assert {"201", "202", "400", "409", "413", "415", "422", "503"} <= set(post["responses"])
    schemas = document["components"]["schemas"]
    assert schemas["NewIncident"]["examples"][0]["channel"] == "email"
    for reference in _references(document):
        assert reference.removeprefix("#/components/schemas/") in schemas


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for item in value.values():
            yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.com", "::"])
def test_an_address_that_can_be_reached_from_elsewhere_is_refused(host: str) -> None:
    with pytest.raises(ConfigurationError, match=r"HOST: .* set JWT_KEYS"):
        HttpSettings(host=host).refuse_foreign_address()


def test_a_port_that_is_in_use_is_named(served: Served) -> None:
    port = int(served.url.rpartition(":")[2])
    with pytest.raises(ConfigurationError, match="PORT"):
        serve(None, HttpSettings(port=port), print)  # type: ignore[arg-type]
