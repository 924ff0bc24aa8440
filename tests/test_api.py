"""The HTTP API for agents: pages, filters, versions, exports, repetitions, rates, and what stands in every answer."""

import asyncio
import csv
import io
import json
import re
import shutil
import socket
import subprocess
import threading
import time
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from adapters.http import lists
from adapters.http.limits import RateLimits, address_of
from adapters.http.settings import HttpSettings
from bot import telemetry
from bot.errors import ConfigurationError, KeyReused, StillRunning
from bot.model import Caller, Category, Incident, IncidentFilter, Kept, Role
from bot.repetitions import GIVEN_UP, KEPT, Repetitions
from bot.views import Views
from storage import database
from tests.fakes import TestClock
from tests.mailbox import wait_until
from tests.postgres import ON_SQLITE
from tests.test_auth import KEY, known_as
from tests.test_http import NEW, Served, problem_of, serving

ANA = Caller("ana", Role.AGENT)
ROOT = Caller("root", Role.ADMIN)


@pytest.fixture
def served(db: str) -> Iterator[Served]:
    with serving(HttpSettings(port=0, response_wait="2s")) as served:
        yield served


def opened(served: Served, **changes: str) -> dict[str, Any]:
    answer = served.post({**NEW, **changes})
    assert answer.status_code == 201
    return dict(answer.json())


def change(served: Served, ticket: str, command: str, body: Any = None, **headers: str) -> requests.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.post(f"{served.url}/api/incidents/{ticket}/{command}", json=body, headers=named, timeout=10)


def pages(served: Served, path: str) -> list[list[Any]]:
    """Follow the links from page to page."""
    found = []
    while path:
        answer = served.get(path)
        assert answer.status_code == 200, answer.text
        found.append(answer.json())
        link = answer.headers.get("Link", "")
        path = re.fullmatch('<(.*)>; rel="next"', link)[1] if link else ""  # type: ignore[index]
    return found


class TestAPageOfIncidents:
    """A list, and in `Link` where it goes on."""

    def test_leads_to_the_next_until_all_were_seen_once(self, served: Served) -> None:
        ids = [opened(served)["incident_id"] for _ in range(5)]
        found = pages(served, "/api/incidents?limit=2")
        assert [len(page) for page in found] == [2, 2, 1]
        assert [one["incident_id"] for page in found for one in page] == ids[::-1]

    def test_keeps_its_place_when_others_are_opened_meanwhile(self, served: Served) -> None:
        ids = [opened(served)["incident_id"] for _ in range(3)]
        first = served.get("/api/incidents?limit=2")
        opened(served)
        following = served.get(first.links["next"]["url"])
        assert [one["incident_id"] for one in following.json()] == [ids[0]]

    def test_keeps_its_filter(self, served: Served) -> None:
        for customer in ("C-1", "C-1", "C-2", "C-1"):
            opened(served, customer_id=customer, message="a blue card")
        found = pages(served, "/api/incidents?limit=2&status=open&q=blue")
        assert [len(page) for page in found] == [2, 2]

    @ON_SQLITE
    @pytest.mark.parametrize(
        "cursor", ["0", "x" * 200, "%00", "é", "MjAyNi0xMS0yMyBh", "MjAyNi0xMS0yM1QwMDowMDowMCsw", "-1"]
    )
    def test_is_refused_for_a_cursor_that_is_none_of_ours(self, served: Served, cursor: str) -> None:
        assert problem_of(served.get(f"/api/incidents?after={cursor}"))["status"] == 400

    def test_is_chosen_by_what_is_asked_for(self, served: Served) -> None:
        first, second = (
            opened(served)["ticket_id"],
            opened(served, message="My card: 50% (blue_one) was taken")["ticket_id"],
        )
        change(served, first, "assign", {"to": "ben"})
        change(served, first, "category", {"category": "fraud_report"})
        change(served, second, "resolve")
        later = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        asked = {
            "status=open": [first],
            "status=resolved": [second],
            "assignee=ben": [first],
            "assignee=me": [],
            "assignee=nobody": [second],
            "category=fraud_report": [first],
            "priority=urgent": [first],
            "priority=normal": [second],
            "channel=email": [second, first],
            "channel=slack": [],
            "unsure=true": [],
            "unsure=false": [second, first],
            "q=BLUE_ONE": [second],
            "q=50%25": [second],
            "q=x%25x": [],
            f"created_from={later}": [],
            f"created_to={later}": [second, first],
            "status=open&assignee=ben&priority=urgent": [first],
        }
        found = {query: [one["ticket_id"] for one in served.get(f"/api/incidents?{query}").json()] for query in asked}
        assert found == asked

    @ON_SQLITE
    @pytest.mark.parametrize(
        "query",
        [
            "created_from=0.5",
            "created_from=2026-11-23",
            "created_to=2026-11-23T00:00:00",
            "unsure=perhaps",
            "q=",
            "limit=0",
        ],
    )
    def test_is_refused_for_a_filter_that_cannot_be(self, served: Served, query: str) -> None:
        assert problem_of(served.get(f"/api/incidents?{query}"))["errors"][0]["field"] == query.partition("=")[0]


def test_the_audit_trail_is_read_page_by_page(served: Served) -> None:
    ticket = opened(served)["ticket_id"]
    for who in ("ben", "eve", "nobody"):
        change(served, ticket, "assign", {"to": who})
    found = pages(served, f"/api/incidents/{ticket}/events?limit=2")
    lines = [line for page in found for line in page]
    assert [len(page) for page in found] == [2, 2]
    assert [line["name"] for line in lines] == ["opened", "assigned", "assigned", "assigned"]
    assert [(line["before"], line["after"]) for line in lines[1:]] == [(None, "ben"), ("ben", "eve"), ("eve", None)]
    assert {line["actor"] for line in lines[1:]} == {"loopback"}
    assert problem_of(served.get(f"/api/incidents/{ticket}/events?after=x"))["status"] == 400
    assert problem_of(served.get("/api/incidents/TKT-nothing/events"))["status"] == 404


class TestTheVersionOfAnIncident:
    """ETag, If-None-Match, If-Match (RFC 9110 sections 8.8.3 and 13)."""

    def test_is_told_and_need_not_be_sent_again(self, served: Served) -> None:
        path = f"/api/incidents/{opened(served)['ticket_id']}"
        _settled(served)
        tag = served.get(path).headers["ETag"]
        again = served.get(path, headers={"If-None-Match": f'"other", W/{tag}'})
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
        assert served.get(path, headers={"If-None-Match": '"other"'}).status_code == 200

    @pytest.mark.parametrize(
        ("command", "body"),
        [
            ("resolve", None),
            ("assign", None),
            ("reply", {"text": "hello"}),
            ("notes", {"text": "hm"}),
            ("category", {"category": "other"}),
        ],
    )
    def test_changes_with_every_change(self, served: Served, command: str, body: Any) -> None:
        ticket = opened(served)["ticket_id"]
        _settled(served)
        tag = served.get(f"/api/incidents/{ticket}").headers["ETag"]
        assert change(served, ticket, command, body).status_code == 200
        assert served.get(f"/api/incidents/{ticket}", headers={"If-None-Match": tag}).status_code == 200

    def test_says_what_a_change_is_meant_for(self, served: Served) -> None:
        ticket = opened(served)["ticket_id"]
        _settled(served)
        tag = served.get(f"/api/incidents/{ticket}").headers["ETag"]
        assert change(served, ticket, "assign", If_Match=f'"other", {tag}').status_code == 200
        late = change(served, ticket, "resolve", If_Match=tag)
        assert problem_of(late)["status"] == 412
        assert served.get(f"/api/incidents/{ticket}").json()["status"] == "open"
        assert change(served, ticket, "resolve", If_Match=f"W/{tag}").status_code == 412
        assert change(served, ticket, "resolve", If_Match="*").status_code == 200

    def test_lets_one_of_two_change_it_who_saw_the_same(self, served: Served) -> None:
        ticket = opened(served)["ticket_id"]
        _settled(served)
        tag = served.get(f"/api/incidents/{ticket}").headers["ETag"]
        answers: list[int] = []
        both = [
            threading.Thread(
                target=lambda text=text: answers.append(
                    change(served, ticket, "notes", {"text": text}, If_Match=tag).status_code
                )
            )
            for text in ("one", "two")
        ]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join()
        assert sorted(answers) == [200, 412]


def _settled(served: Served) -> None:
    """Wait until nothing is on its way any more: each text that was sent is a change."""
    for _ in range(200):
        with database.session():
            waiting = database.execute("SELECT COUNT(*) FROM lanes").fetchone()[0]
        if not waiting:
            return
        threading.Event().wait(0.02)
    pytest.fail("there is work left")


class TestAnExport:
    """All that a filter fits, as a file."""

    def test_has_a_row_for_each_incident_as_csv(self, served: Served) -> None:
        tickets = [opened(served, message=f'He said "{number}",\nand went')["ticket_id"] for number in range(3)]
        answer = served.get("/api/export/incidents.csv")
        assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
        assert answer.headers["Content-Disposition"] == 'attachment; filename="incidents.csv"'
        rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
        assert [row["ticket_id"] for row in rows] == tickets[::-1]
        assert rows[0]["message"] == 'He said "2",\nand went'
        assert (rows[0]["confidence"], rows[0]["resolved_at"], rows[0]["reminder_sent"]) == ("0.9", "", "false")

    def test_has_a_line_for_each_incident_as_json(self, served: Served) -> None:
        tickets = [opened(served, message="one\ntwo\u2028three")["ticket_id"] for _ in range(3)]
        change(served, tickets[0], "resolve")
        answer = served.get("/api/export/incidents.jsonl?status=open")
        assert answer.headers["Content-Type"].startswith("application/jsonl")
        lines = answer.content.decode().rstrip("\n").split("\n")
        assert [json.loads(line)["ticket_id"] for line in lines] == tickets[:0:-1]
        assert json.loads(lines[0]) == served.get("/api/incidents?status=open&limit=1").json()[0]

    @ON_SQLITE
    @pytest.mark.parametrize("beginning", list("=+-@＝＋－＠"))
    def test_runs_nothing_in_a_spreadsheet(self, served: Served, beginning: str) -> None:
        text = f"{beginning}HYPERLINK(0)"
        opened(served, message=text, customer_id=text)
        (row,) = csv.DictReader(io.StringIO(served.get("/api/export/incidents.csv").text, newline=""))
        assert (row["message"], row["customer_id"]) == (f"'{text}", f"'{text}")

    def test_of_nothing_is_a_header(self, served: Served) -> None:
        assert served.get("/api/export/incidents.csv").text.count("\n") == 1
        assert served.get("/api/export/incidents.jsonl").content == b""

    def test_takes_no_more_memory_for_more_incidents(self) -> None:
        text, now = "hello " * 100, datetime.now(UTC)
        one = Incident("0" * 36, "TKT-1", None, "C-1", "web", text, Category.OTHER, 0.9, "", "test", "open", now)

        def peak(number: int) -> int:
            tracemalloc.start()
            for part in lists._gathered(lists._begun(lists._csv(one for _ in range(number)))):
                assert part
            found = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            return found

        peak(500)
        assert peak(8000) < 1.5 * peak(800)

    @pytest.mark.parametrize("number", [0, 4, 5, 11])
    def test_reads_batch_after_batch(self, served: Served, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
        monkeypatch.setattr("bot.views.BATCH", 5)
        ids = [opened(served)["incident_id"] for _ in range(number)]
        assert [one.id for one in Views().every(IncidentFilter())] == ids[::-1]

    @ON_SQLITE
    def test_says_that_the_database_is_away_before_it_begins(self, served: Served) -> None:
        with database.transaction():
            database.execute("ALTER TABLE incidents RENAME TO gone")
        for name in ("csv", "jsonl"):
            assert problem_of(served.get(f"/api/export/incidents.{name}"))["status"] == 503


class TestARepetition:
    """The same request under the same Idempotency-Key."""

    def test_is_done_once_and_answered_with_the_same_answer(self, served: Served) -> None:
        ticket = opened(served)["ticket_id"]
        first = change(served, ticket, "resolve", {"note": "done"}, Idempotency_Key="k-1")
        again = change(served, ticket, "resolve", {"note": "done"}, Idempotency_Key="k-1")
        assert (first.status_code, first.content) == (again.status_code, again.content) == (200, first.content)
        assert first.headers["Content-Type"] == again.headers["Content-Type"]
        assert change(served, ticket, "resolve", {"note": "done"}, Idempotency_Key="k-2").status_code == 409

    def test_of_what_could_not_be_is_told_so_again(self, served: Served) -> None:
        ticket = opened(served)["ticket_id"]
        first = change(served, ticket, "reopen", Idempotency_Key="k-1")
        change(served, ticket, "resolve")
        again = change(served, ticket, "reopen", Idempotency_Key="k-1")
        assert (first.status_code, again.status_code, again.content) == (409, 409, first.content)
        assert change(served, ticket, "reopen", Idempotency_Key="k-2").status_code == 200

    def test_with_another_body_or_path_is_refused(self, served: Served) -> None:
        ticket = opened(served)["ticket_id"]
        assert change(served, ticket, "notes", {"text": "one"}, Idempotency_Key="k-1").status_code == 200
        for command, body in (("notes", {"text": "two"}), ("reply", {"text": "one"})):
            answer = change(served, ticket, command, body, Idempotency_Key="k-1")
            assert problem_of(answer)["status"] == 422
            assert "Idempotency-Key" in answer.json()["detail"]
        notes = [
            entry for entry in served.get(f"/api/incidents/{ticket}").json()["timeline"] if entry["what"] == "note"
        ]
        assert [entry["text"] for entry in notes] == ["one"]

    def test_of_what_was_wrong_may_be_put_right(self, served: Served) -> None:
        ticket = opened(served)["ticket_id"]
        assert (
            change(served, ticket, "notes", {"text": "one"}, Idempotency_Key="k-1", If_Match='"x"').status_code == 412
        )
        assert change(served, ticket, "notes", {"text": "one"}, Idempotency_Key="k-1").status_code == 200

    @ON_SQLITE
    @pytest.mark.parametrize("key", ["", "k" * 256, "é", "a\x7f"])
    def test_needs_a_key_that_can_be_used(self, served: Served, key: str) -> None:
        ticket = opened(served)["ticket_id"]
        assert problem_of(change(served, ticket, "resolve", Idempotency_Key=key))["status"] == 400
        assert served.get(f"/api/incidents/{ticket}").json()["status"] == "open"

    def test_meanwhile_is_told_to_ask_again(self, served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
        ticket = opened(served)["ticket_id"]
        commands = type(served.firstline.commands)
        inside, go_on = threading.Event(), threading.Event()
        reopen = commands.reopen

        def slowly(*args: Any) -> Any:
            inside.set()
            assert go_on.wait(10)
            return reopen(*args)

        monkeypatch.setattr(commands, "reopen", slowly)
        answers: list[requests.Response] = []
        first = threading.Thread(target=lambda: answers.append(change(served, ticket, "reopen", Idempotency_Key="k-1")))
        first.start()
        assert inside.wait(10)
        meanwhile = change(served, ticket, "reopen", Idempotency_Key="k-1")
        go_on.set()
        first.join()
        assert problem_of(meanwhile)["status"] == 409
        assert meanwhile.headers["Retry-After"] == "1"
        assert "still being handled" in meanwhile.json()["detail"]
        assert "is open" in answers[0].json()["detail"]

    def test_belongs_to_its_caller(self, db: str) -> None:
        with serving(HttpSettings(port=0, jwt_keys=KEY)) as served:
            ticket = served.post(**known_as("zoe")).json()["ticket_id"]
            for name in ("ana", "ben"):
                answer = change(served, ticket, "assign", Idempotency_Key="k-1", **known_as(name, "agent"))
                assert answer.json()["assignee"] == name

    def test_of_a_token_is_answered_with_the_same_token_which_is_kept_nowhere(self, db: str) -> None:
        with serving(HttpSettings(port=0, jwt_keys=KEY)) as served:
            headers = {**known_as("ana", "admin"), "Idempotency-Key": "k-1"}
            url = f"{served.url}/api/tokens"
            first = requests.post(url, json={"role": "agent"}, headers=headers, timeout=10)
            time.sleep(1.1)  # its times are whole seconds
            again = requests.post(url, json={"role": "agent"}, headers=headers, timeout=10)
            assert (first.status_code, first.json()) == (201, again.json())
            other = requests.post(url, json={"role": "admin"}, headers=headers, timeout=10)
            assert problem_of(other)["status"] == 422
            made = {"Authorization": f"Bearer {first.json()['token']}"}
            assert served.get("/api/stats", headers=made).status_code == 200
            listed = served.get("/api/tokens", headers=headers).json()
            assert [one["jti"] for one in listed] == [first.json()["jti"]]
            requests.delete(f"{url}/{first.json()['jti']}", headers=headers, timeout=10)
            assert served.get("/api/tokens", headers=headers).json()[0]["revoked_at"] is not None
        with database.session():
            for table in ("repetitions", "tokens"):
                rows = database.execute(f"SELECT * FROM {table}").fetchall()
                assert first.json()["token"].rpartition(".")[2] not in str(rows)


def test_who_is_forgotten_is_forgotten_in_answers_too(served: Served) -> None:
    created = opened(served)
    change(served, created["ticket_id"], "resolve", Idempotency_Key="k-1")
    _settled(served)
    details: Any = served.firstline.views.incident(created["ticket_id"])
    served.firstline.privacy.forget(details.customer, ROOT)
    with database.session():
        assert database.execute("SELECT * FROM repetitions").fetchall() == []


class TestWhatIsKeptOfRequests:
    """For a day; for a minute, where nobody ended what was begun."""

    @pytest.fixture
    def kept(self, db: str, clock: TestClock) -> Repetitions:
        return Repetitions(clock)

    def test_is_the_answer_for_a_day(self, kept: Repetitions, clock: TestClock) -> None:
        answer = Kept(200, {"content-type": "application/json"}, '"ä"')
        assert kept.begin("ana:k", "f") is None
        kept.end("ana:k", answer)
        clock.forward(hours=23)
        assert kept.begin("ana:k", "f") == answer
        with pytest.raises(KeyReused):
            kept.begin("ana:k", "other")
        assert kept.begin("ben:k", "other") is None
        clock.forward(seconds=KEPT.total_seconds() + 1)
        assert kept.begin("ana:k", "other") is None
        kept.expire()
        with database.session():
            assert database.execute("SELECT key FROM repetitions").fetchall() == [("ana:k",)]

    def test_is_taken_over_from_a_process_that_died(self, kept: Repetitions, clock: TestClock) -> None:
        kept.begin("ana:k", "f")
        with pytest.raises(StillRunning):
            kept.begin("ana:k", "f")
        clock.forward(seconds=GIVEN_UP.total_seconds() + 1)
        assert kept.begin("ana:k", "f") is None
        with pytest.raises(StillRunning):
            kept.begin("ana:k", "f")

    def test_is_forgotten_where_nothing_was_done(self, kept: Repetitions) -> None:
        kept.begin("ana:k", "f")
        kept.end("ana:k", None)
        assert kept.begin("ana:k", "other") is None


class TestHowOftenSomebodyMayCall:
    """By name, by address, and with no good token."""

    @ON_SQLITE
    def test_is_told_with_when_to_come_again(self, db: str) -> None:
        with serving(HttpSettings(port=0, jwt_keys=KEY, rate_limit="3/hour")) as served:
            ana = known_as("ana", "agent")
            assert [served.get("/api/stats", headers=ana).status_code for _ in range(4)] == [200, 200, 200, 429]
            refused = served.post(**ana)
            assert problem_of(refused)["status"] == 429
            assert 1 <= int(refused.headers["Retry-After"]) <= 3600
            assert served.get("/api/stats", headers=known_as("ben", "agent")).status_code == 200

    @ON_SQLITE
    def test_is_counted_for_an_address_but_not_for_what_watches_us(self, db: str) -> None:
        with serving(HttpSettings(port=0, jwt_keys=KEY, rate_limit_address="2/hour")) as served:
            assert [served.get("/a/none").status_code for _ in range(3)] == [403, 403, 429]
            assert served.get("/healthz").status_code == served.get("/readyz").status_code == 200

    @ON_SQLITE
    def test_is_little_for_who_has_no_good_token_which_keeps_nobody_else_out(self, db: str) -> None:
        with serving(HttpSettings(port=0, jwt_keys=KEY, rate_limit_failed="2/hour")) as served:
            bad = {"Authorization": "Bearer sesame"}
            assert [served.get("/api/stats", headers=bad).status_code for _ in range(3)] == [401, 401, 429]
            assert served.get("/api/stats").status_code == 429
            assert served.get("/api/stats", headers=known_as("ana", "agent")).status_code == 200

    @ON_SQLITE
    def test_does_not_matter_on_this_machine_alone(self, db: str) -> None:
        with serving(HttpSettings(port=0, rate_limit="1/hour", rate_limit_address="1/hour")) as served:
            assert {served.get("/api/stats").status_code for _ in range(5)} == {200}

    @ON_SQLITE
    def test_can_be_as_often_as_they_like(self, db: str) -> None:
        settings = HttpSettings(port=0, jwt_keys=KEY, rate_limit="0", rate_limit_address="0", rate_limit_failed="0")
        with serving(settings) as served:
            assert {served.get("/api/stats").status_code for _ in range(40)} == {401}

    @pytest.mark.parametrize("rate", ["often", "5", "5/fortnight", "-1/hour", "0/hour", "5 per minute; 3 per hour"])
    def test_must_be_a_rate(self, monkeypatch: pytest.MonkeyPatch, rate: str) -> None:
        monkeypatch.setenv("RATE_LIMIT_FAILED", rate)
        with pytest.raises(ConfigurationError, match="RATE_LIMIT_FAILED: must be 0 or a rate"):
            HttpSettings.read()


def _answers(port: int) -> bool:
    with socket.socket() as knocking:
        return knocking.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def redis() -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A Redis on a free port; its address, and its process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(Path.cwd())]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as running:
        wait_until(lambda: _answers(port), 10)
        yield f"redis://127.0.0.1:{port}", running
        running.kill()


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="no redis-server here")
class TestCountingTogether:
    """Many processes, one Redis."""

    def test_two_processes_count_the_same_calls(self, redis: tuple[str, Any]) -> None:
        both = [RateLimits(HttpSettings(rate_limit="3/hour", rate_limit_url=redis[0])) for _ in range(2)]

        async def ask() -> list[bool]:
            return [await both[number % 2].caller(ANA) is None for number in range(5)]

        assert asyncio.run(ask()) == [True, True, True, False, False]

    def test_without_redis_each_counts_for_itself_and_says_so_once(
        self, redis: tuple[str, Any], capsys: pytest.CaptureFixture[str]
    ) -> None:
        url, running = redis
        counted = RateLimits(HttpSettings(rate_limit="2/hour", rate_limit_url=url))
        running.kill()
        running.wait()
        telemetry.set_up("INFO", "json")

        async def ask() -> list[bool]:
            return [await counted.caller(ANA) is None for _ in range(4)]

        assert asyncio.run(ask()) == [True, True, False, False]
        assert capsys.readouterr().err.count("limits.redis_away") == 1


@pytest.mark.parametrize(
    ("peer", "forwarded", "hops", "address"),
    [
        ("192.0.2.7", [], 0, "192.0.2.7"),
        ("192.0.2.7", ["198.51.100.1"], 0, "192.0.2.7"),  # nobody of ours has written it
        ("10.0.0.1", ["198.51.100.1"], 1, "198.51.100.1"),
        ("10.0.0.1", ["203.0.113.9, 198.51.100.1"], 1, "198.51.100.1"),  # the first is what the caller says
        ("10.0.0.1", ["203.0.113.9, 198.51.100.1, 10.0.0.2"], 2, "198.51.100.1"),
        ("10.0.0.1", ["203.0.113.9", "198.51.100.1", "10.0.0.2"], 2, "198.51.100.1"),
        ("10.0.0.1", [], 1, "10.0.0.1"),
        ("10.0.0.1", ["unknown"], 1, "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", [], 0, "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", [], 0, "192.0.2.7"),
        ("10.0.0.1", ["[2001:db8::1]"], 1, "2001:db8::/64"),
    ],
)
def test_a_caller_is_known_by_the_address_that_our_own_proxies_have_seen(
    peer: str, forwarded: list[str], hops: int, address: str
) -> None:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    assert address_of({"type": "http", "client": (peer, 1), "headers": headers}, hops) == address


def test_no_address_is_none() -> None:
    assert address_of({"type": "http", "client": None, "headers": []}, 1) == ""


class TestWhatStandsInEveryAnswer:
    """For browsers."""

    @ON_SQLITE
    @pytest.mark.parametrize("path", ["/api/stats", "/api/incidents", "/nowhere", "/healthz", "/a/none"])
    def test_keeps_a_browser_from_misusing_it(self, served: Served, path: str) -> None:
        headers = served.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["Referrer-Policy"] in ("no-referrer", "same-origin")
        assert "Strict-Transport-Security" not in headers

    @ON_SQLITE
    def test_is_in_the_answers_of_the_hot_route_and_of_the_guard(self, served: Served) -> None:
        for answer in (served.post(), served.get("/api/stats", headers={"Host": "evil.example"})):
            assert answer.headers["X-Content-Type-Options"] == "nosniff"

    @ON_SQLITE
    def test_says_that_we_are_reached_by_tls_alone_where_that_is_so(
        self, db: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PUBLIC_URL", "https://support.example")
        with serving(HttpSettings(port=0)) as served:
            assert served.get("/healthz").headers["Strict-Transport-Security"] == "max-age=31536000"


class TestAPageOfAnotherSite:
    """CORS: of the sites that are named, and of no other."""

    DESK = "https://desk.example"

    @pytest.fixture
    def shared(self, db: str) -> Iterator[Served]:
        with serving(HttpSettings(port=0, jwt_keys=KEY, cors_origins=f"{self.DESK}, https://b.example")) as served:
            yield served

    def preflight(self, served: Served, origin: str) -> requests.Response:
        headers = {
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization, content-type, idempotency-key, if-match",
        }
        return requests.options(f"{served.url}/api/incidents", headers=headers, timeout=5)

    @ON_SQLITE
    def test_may_ask_if_it_is_named(self, shared: Served) -> None:
        asked = self.preflight(shared, self.DESK)
        assert asked.status_code == 200
        assert asked.headers["Access-Control-Allow-Origin"] == self.DESK
        answer = shared.get("/api/incidents", headers={"Origin": self.DESK, **known_as("ana", "agent")})
        assert answer.status_code == 200
        assert answer.headers["Access-Control-Allow-Origin"] == self.DESK
        assert "Link" in answer.headers["Access-Control-Expose-Headers"]
        assert "Access-Control-Allow-Credentials" not in answer.headers

    @ON_SQLITE
    def test_needs_a_token_like_everybody(self, shared: Served) -> None:
        assert shared.get("/api/incidents", headers={"Origin": self.DESK}).status_code == 401

    @ON_SQLITE
    @pytest.mark.parametrize(
        "origin", ["https://evil.example", "http://desk.example", "https://desk.example.evil.example", "null"]
    )
    def test_may_not_if_it_is_not(self, shared: Served, origin: str) -> None:
        asked = self.preflight(shared, origin)
        assert asked.status_code == 403
        assert "Access-Control-Allow-Origin" not in asked.headers

    @ON_SQLITE
    def test_may_never_without_a_setting(self, served: Served) -> None:
        assert "Access-Control-Allow-Origin" not in self.preflight(served, "http://127.0.0.1").headers

    @pytest.mark.parametrize("written", ["*", "desk.example", "https://desk.example/path", "https://*.example", "null"])
    def test_must_be_named_exactly(self, monkeypatch: pytest.MonkeyPatch, written: str) -> None:
        monkeypatch.setenv("JWT_KEYS", KEY)
        monkeypatch.setenv("CORS_ORIGINS", written)
        with pytest.raises(ConfigurationError, match="CORS_ORIGINS"):
            HttpSettings.read()

    def test_is_not_let_in_where_nobody_needs_a_token(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CORS_ORIGINS", self.DESK)
        with pytest.raises(ConfigurationError, match="CORS_ORIGINS needs JWT_KEYS"):
            HttpSettings.read()


@ON_SQLITE
def test_what_is_not_json_is_not_taken_by_a_command(served: Served) -> None:
    ticket = opened(served)["ticket_id"]
    url = f"{served.url}/api/incidents/{ticket}/notes"
    answer = requests.post(url, data='{"text": "hm"}', headers={"Content-Type": "text/plain"}, timeout=5)
    assert problem_of(answer)["status"] == 415
    assert problem_of(requests.post(url, json={"text": "hm", "texd": 1}, timeout=5))["errors"][0]["field"] == "texd"


@ON_SQLITE
def test_a_line_end_in_a_name_is_answered_as_every_other_name(served: Served) -> None:
    assert problem_of(served.get("/api/incidents/a%0Ab/events"))["status"] == 404


@ON_SQLITE
def test_a_method_that_a_path_lacks_is_refused_with_those_that_it_has(served: Served) -> None:
    answer = requests.delete(f"{served.url}/api/incidents", timeout=5)
    assert (problem_of(answer)["status"], answer.headers["Allow"]) == (405, "GET, POST")


def test_what_was_given_up_is_listed_and_tried_again(served: Served) -> None:
    opened(served)
    _settled(served)
    with database.transaction():
        database.execute("UPDATE notifications SET status = 'failed', error = 'no such box'")
    (one,) = served.get("/api/dead").json()
    assert (one["state"], one["error"]) == ("failed", "no such box")
    assert served.get(f"/api/dead/{one['name']}").json()["recipient"] == "ana@example.com"
    assert requests.post(f"{served.url}/api/dead/{one['name']}/retry", timeout=5).status_code == 200
    assert problem_of(requests.post(f"{served.url}/api/dead/job-9/retry", timeout=5))["status"] == 404


def test_the_classifiers_are_reviewed_by_what_agents_decide(served: Served) -> None:
    ticket = opened(served)["ticket_id"]
    change(served, ticket, "category", {"category": "refund_request"})
    report = served.get("/api/reviews").json()
    assert (report["reviews"], report["right"]) == (1, 0)
