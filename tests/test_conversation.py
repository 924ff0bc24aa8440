"""A conversation over HTTP: what customers send after their first message, what agents do, and who sees what of it."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from adapters.http import intake
from adapters.http.intake import PostIncident
from adapters.http.messages import CONVERSATION
from adapters.http.settings import HttpSettings
from bot.model import NoticeKind
from storage import database
from storage.tables import Event
from tests.fakes import CLERK
from tests.mailbox import wait_until
from tests.postgres import ON_SQLITE
from tests.test_auth import known_as, secured
from tests.test_http import NEW, Served, problem_of, serving

__all__ = ["secured"]

TOO_LATE = "This was about an earlier state of your ticket and changes nothing any more."
NOBODY = "00000000-0000-7000-8000-000000000000"


@pytest.fixture
def served(db: str) -> Iterator[Served]:
    """Firstline, which waits for an answer as long as a busy machine may take."""
    with serving(HttpSettings(port=0, max_body=100_000)) as served:
        yield served


@pytest.fixture
def impatient(db: str) -> Iterator[Served]:
    """Firstline, which does not wait for what takes longer."""
    with serving(HttpSettings(port=0, response_wait="10ms")) as served:
        yield served


def call(served: Served, method: str, path: str, body: Any = None, **headers: str) -> requests.Response:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.request(method, f"{served.url}/api{path}", json=body, headers=names, timeout=10)


def say(served: Served, name: str, text: str, **headers: str) -> requests.Response:
    return call(served, "POST", f"/incidents/{name}/messages", {"message": text}, **headers)


def change(served: Served, name: str, message_id: str, text: str, **headers: str) -> requests.Response:
    return call(served, "PUT", f"/incidents/{name}/messages/{message_id}", {"message": text}, **headers)


def delete(served: Served, name: str, message_id: str, **headers: str) -> requests.Response:
    return call(served, "DELETE", f"/incidents/{name}/messages/{message_id}", **headers)


def press(served: Served, name: str, action: str, **headers: str) -> requests.Response:
    return call(served, "POST", f"/incidents/{name}/actions", {"action": action}, **headers)


def shown(served: Served, name: str, **headers: str) -> dict[str, Any]:
    answer = call(served, "GET", f"/incidents/{name}", **headers)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def said(served: Served, name: str, what: str = "customer", **headers: str) -> list[str]:
    return [entry["text"] for entry in shown(served, name, **headers)["timeline"] if entry["what"] == what]


def events(incident_id: str | None = None) -> list[tuple[str, str, str | None]]:
    """The audit trail: of an incident, or of what is none."""
    with database.session():
        rows = database.rows(Event.select().order_by(Event.id))
    return [(row["actor"], row["name"], row["after"]) for row in rows if row["incident"] == incident_id]


def mails(served: Served, kind: NoticeKind) -> list[Any]:
    return [notice for _, notice in list(served.sender.sent) if notice.kind is kind]


def is_handled(served: Served, message_id: str) -> bool:
    return bool(shown(served, message_id)["status"] != "received")


class TestAFurtherMessage:
    """POST /api/incidents/{name}/messages."""

    def test_is_put_on_its_incident(self, served: Served) -> None:
        opened = served.post().json()
        answer = say(served, opened["ticket_id"], "It was 20 euros each time")
        assert answer.status_code == 201
        assert answer.headers["Location"] == f"/api/incidents/{opened['incident_id']}"
        body = answer.json()
        assert body["message_id"] != opened["message_id"]
        assert body["message"] == "We have added this to your ticket."
        same = ("incident_id", "ticket_id", "status", "classification", "priority")
        assert {name: body[name] for name in same} == {name: opened[name] for name in same}
        assert said(served, opened["ticket_id"]) == [NEW["message"], "It was 20 euros each time"]

    def test_finds_it_by_its_id_and_by_its_number_in_any_case(self, served: Served) -> None:
        opened = served.post().json()
        number = opened["ticket_id"]
        for name in (opened["incident_id"], opened["incident_id"].upper(), number, number.lower(), number[4:].upper()):
            assert say(served, name, f"to {name}").json()["incident_id"] == opened["incident_id"]

    @ON_SQLITE
    def test_does_not_find_it_by_the_beginning_of_its_number(self, served: Served) -> None:
        number = served.post().json()["ticket_id"]
        answer = say(served, number[:-2], "hello")
        assert problem_of(answer)["status"] == 404
        assert f"Did you mean {number}?" in problem_of(answer)["detail"]
        assert len(said(served, number)) == 1

    def test_gets_the_first_answer_again_under_the_same_key(self, served: Served) -> None:
        number = served.post().json()["ticket_id"]
        first, again = (say(served, number, "It was 20 euros", Idempotency_Key="k-2") for _ in range(2))
        assert (first.status_code, first.json()) == (again.status_code, again.json())
        assert len(said(served, number)) == 2

    def test_is_refused_under_the_key_of_something_else(self, served: Served) -> None:
        number, other = served.post(Idempotency_Key="k-1").json()["ticket_id"], served.post().json()["ticket_id"]
        say(served, number, "It was 20 euros", Idempotency_Key="k-2")
        for name, text, key in (
            (number, "It was 30 euros", "k-2"),
            (other, "It was 20 euros", "k-2"),
            (number, NEW["message"], "k-1"),
        ):
            answer = say(served, name, text, Idempotency_Key=key)
            assert answer.status_code == 422
            assert "Idempotency-Key" in problem_of(answer)["detail"]
        assert (len(said(served, number)), len(said(served, other))) == (2, 1)

    @ON_SQLITE
    @pytest.mark.parametrize("name", [NOBODY, "TKT-nothing", "%20", "x" * 500, "%00"])
    def test_needs_an_incident(self, served: Served, name: str) -> None:
        assert problem_of(say(served, name, "hello"))["status"] == 404

    @ON_SQLITE
    @pytest.mark.parametrize(
        "body",
        [{"message": ""}, {"message": " \n"}, {"message": "x" * 20_001}, {}, {"message": "hm", "customer_id": "C-1"}],
        ids=["empty", "blank", "too long", "nothing", "a field too many"],
    )
    def test_needs_a_text_and_nothing_else(self, served: Served, body: dict[str, str]) -> None:
        number = served.post().json()["ticket_id"]
        answer = call(served, "POST", f"/incidents/{number}/messages", body)
        assert problem_of(answer)["status"] == 422
        assert problem_of(answer)["errors"]

    @ON_SQLITE
    def test_is_json_of_a_size_that_can_be_taken(self, served: Served) -> None:
        url = f"{served.url}/api/incidents/{served.post().json()['ticket_id']}/messages"
        json = {"Content-Type": "application/json"}
        assert problem_of(requests.post(url, data=b"hello", timeout=5))["status"] == 415
        assert problem_of(requests.post(url, data=b"{", headers=json, timeout=5))["status"] == 400
        assert problem_of(requests.post(url, data=b"x" * 100_001, headers=json, timeout=5))["status"] == 413
        chunks = iter([b"x" * 60_000, b"x" * 60_000])
        assert problem_of(requests.post(url, data=chunks, headers=json, timeout=5))["status"] == 413

    def test_is_answered_at_once_if_that_is_preferred_and_can_be_asked_for(self, served: Served) -> None:
        opened = served.post().json()
        answer = say(served, opened["ticket_id"], "It was 20 euros", Prefer="respond-async")
        assert answer.status_code == 202
        assert answer.headers["Preference-Applied"] == "respond-async"
        assert answer.json()["status"] == "received"
        where = answer.headers["Location"]
        assert where == f"/api/incidents/{answer.json()['message_id']}"
        wait_until(lambda: served.get(where).json()["status"] == "open")
        assert served.get(where).json()["incident_id"] == opened["incident_id"]

    @pytest.mark.parametrize("key", ["", "k-1"], ids=["without a key", "with a key"])
    def test_that_comes_before_its_incident_is_open_waits_for_it(self, served: Served, key: str) -> None:
        keys = {"Idempotency_Key": key} if key else {}
        served.gate.clear()
        first = served.post(**keys, Prefer="respond-async").json()
        for text in ("the second", "the third"):
            assert say(served, first["incident_id"], text, Prefer="respond-async").status_code == 202
        served.gate.set()
        wait_until(lambda: is_handled(served, first["incident_id"]))
        wait_until(lambda: len(said(served, first["incident_id"])) == 3)
        assert said(served, first["incident_id"]) == [NEW["message"], "the second", "the third"]
        assert len(served.get("/api/incidents").json()) == 1

    def test_may_follow_one_that_waits_itself(self, served: Served) -> None:
        number = served.post().json()["ticket_id"]
        served.gate.clear()
        waiting = say(served, number, "the second", Prefer="respond-async", Idempotency_Key="k-2").json()
        assert say(served, waiting["message_id"], "the third", Prefer="respond-async").status_code == 202
        served.gate.set()
        wait_until(lambda: len(said(served, number)) == 3)
        assert len(served.get("/api/incidents").json()) == 1

    def test_opens_a_resolved_incident_again(self, served: Served) -> None:
        number = served.post().json()["ticket_id"]
        served.firstline.commands.resolve(number, CLERK)
        body = say(served, number, "It happened again").json()
        assert (body["ticket_id"], body["status"]) == (number, "open")
        assert body["message"] == "We have opened your ticket again."

    def test_of_a_reporter_reaches_their_own_incidents_alone(self, secured: Served) -> None:
        opened = secured.post(**known_as("ana")).json()
        for name, nobodys in ((opened["incident_id"], NOBODY), (opened["ticket_id"], "TKT-00000000")):
            theirs = say(secured, name, "hello", **known_as("eve"))
            assert problem_of(theirs)["status"] == 404
            unknown = problem_of(say(secured, nobodys, "hello", **known_as("eve")))["detail"]
            assert problem_of(theirs)["detail"].replace(name, nobodys) == unknown
            assert say(secured, name, "hello", **known_as("ana")).status_code == 201
        assert said(secured, opened["ticket_id"], **known_as("ana")) == [NEW["message"], "hello", "hello"]

    def test_that_an_agent_brings_is_the_customers_all_the_same(self, secured: Served) -> None:
        opened = secured.post(**known_as("ana")).json()
        say(secured, opened["ticket_id"], "They called, too", **known_as("ben", "agent"))
        entries = shown(secured, opened["ticket_id"], **known_as("ana"))["timeline"]
        assert [entry["who"] for entry in entries if entry["what"] == "customer"] == ["C-1042", "C-1042"]


class TestAChange:
    """PUT and DELETE /api/incidents/{name}/messages/{message_id}."""

    def test_shows_the_new_text_and_keeps_the_first(self, served: Served) -> None:
        opened = served.post().json()
        answer = change(served, opened["ticket_id"], opened["message_id"], "My card was charged three times")
        assert answer.status_code == 200
        assert answer.json()["message"] == "We have noted your change."
        incident = shown(served, opened["ticket_id"])
        assert incident["message"] == "My card was charged three times"
        (entry,) = [entry for entry in incident["timeline"] if entry["what"] == "customer"]
        assert (entry["text"], entry["edited"]) == ("My card was charged three times", True)
        with database.session():
            kept = database.execute("SELECT text FROM revisions ORDER BY written_at").fetchall()
        assert [text for (text,) in kept] == [NEW["message"], "My card was charged three times"]

    def test_of_a_further_message_leaves_the_others_alone(self, served: Served) -> None:
        opened = served.post().json()
        added = say(served, opened["ticket_id"], "It was 20 euros").json()
        change(served, opened["ticket_id"], added["message_id"], "It was 30 euros")
        assert said(served, opened["ticket_id"]) == [NEW["message"], "It was 30 euros"]

    def test_may_be_changed_under_the_id_that_it_was_given(self, served: Served) -> None:
        opened = served.post(Idempotency_Key="k-1").json()
        number = opened["ticket_id"]
        changed = change(served, number, opened["message_id"], "the second", Idempotency_Key="k-2").json()
        assert change(served, number, changed["message_id"], "the third").status_code == 200
        assert said(served, number) == ["the third"]
        assert delete(served, number, changed["message_id"]).status_code == 200
        assert said(served, number) == ["(deleted by its author)"]

    def test_gets_the_first_answer_again_under_the_same_key(self, served: Served) -> None:
        opened = served.post().json()
        names = opened["ticket_id"], opened["message_id"]
        changes = [change(served, *names, "the second", Idempotency_Key="k-2") for _ in range(2)]
        assert changes[0].json() == changes[1].json()
        deletions = [delete(served, *names, Idempotency_Key="k-3") for _ in range(2)]
        assert deletions[0].json() == deletions[1].json()
        assert [name for _, name, _ in events(opened["incident_id"])] == ["opened", "edited", "deleted"]
        assert problem_of(delete(served, *names, Idempotency_Key="k-2"))["status"] == 422

    def test_that_deletes_hides_the_text_for_good(self, served: Served) -> None:
        opened = served.post().json()
        answer = delete(served, opened["ticket_id"], opened["message_id"])
        assert (answer.status_code, answer.json()["ticket_id"]) == (200, opened["ticket_id"])
        assert answer.json()["message"] == "Your message is deleted and is not shown any more."
        change(served, opened["ticket_id"], opened["message_id"], "the second")
        incident = shown(served, opened["ticket_id"])
        assert incident["message"] == ""
        assert said(served, opened["ticket_id"]) == ["(deleted by its author)"]

    def test_needs_a_message_of_this_incident(self, served: Served) -> None:
        one, other = served.post().json(), served.post({**NEW, "customer_id": "C-2"}).json()
        pressed = press(served, one["ticket_id"], "not_solved").json()
        for message_id in (other["message_id"], pressed["message_id"], NOBODY, "%00", "k-1"):
            answer = change(served, one["ticket_id"], message_id, "not mine")
            assert answer.status_code == 404
            assert "No message of this incident goes by" in problem_of(answer)["detail"]
            assert delete(served, one["ticket_id"], message_id).status_code == 404
        assert said(served, one["ticket_id"]) == said(served, other["ticket_id"]) == [NEW["message"]]

    def test_needs_a_message_that_came_over_the_api(self, served: Served) -> None:
        opened = served.post().json()
        with database.transaction():
            database.execute("UPDATE inbox SET channel = 'slack' WHERE incident_id = ?", [opened["message_id"]])
        assert change(served, opened["ticket_id"], opened["message_id"], "not here").status_code == 404

    @pytest.mark.parametrize("key", ["", "k-1"], ids=["without a key", "with a key"])
    def test_of_a_first_message_that_is_not_handled_yet_comes_after_it(self, served: Served, key: str) -> None:
        keys = {"Idempotency_Key": key} if key else {}
        served.gate.clear()
        first = served.post(**keys, Prefer="respond-async").json()
        names = first["incident_id"], first["message_id"]
        assert change(served, *names, "the second", Prefer="respond-async").status_code == 202
        served.gate.set()
        wait_until(lambda: is_handled(served, first["incident_id"]))
        wait_until(lambda: said(served, first["incident_id"]) == ["the second"])

    def test_of_a_further_message_that_is_not_handled_yet_comes_after_it(self, served: Served) -> None:
        opened = served.post(Idempotency_Key="k-1").json()
        served.gate.clear()
        waiting = say(served, opened["ticket_id"], "It was 20 euros", Prefer="respond-async").json()
        for name in (opened["ticket_id"], opened["incident_id"], waiting["message_id"]):
            answer = change(served, name, waiting["message_id"], "It was 30 euros", Prefer="respond-async")
            assert answer.status_code == 202, name
        served.gate.set()
        wait_until(lambda: said(served, opened["ticket_id"]) == [NEW["message"], "It was 30 euros"])

    def test_of_a_message_that_waits_elsewhere_is_refused(self, served: Served) -> None:
        served.gate.clear()
        first, other = (served.post(Prefer="respond-async").json() for _ in range(2))
        assert delete(served, first["incident_id"], other["message_id"]).status_code == 404

    def test_by_a_reporter_is_for_their_own_incidents_and_tells_no_numbers(self, secured: Served) -> None:
        theirs, own = secured.post(**known_as("ana")).json(), secured.post(**known_as("eve")).json()
        with database.transaction():
            for number, incident in (("TKT-abcd1", theirs), ("TKT-abcd2", own)):
                database.execute("UPDATE incidents SET ticket_id = ? WHERE id = ?", [number, incident["incident_id"]])
        for name in ("TKT-abcd1", theirs["incident_id"], "TKT-abcd", "abcd"):
            for message_id in (theirs["message_id"], own["message_id"]):
                answer = change(secured, name, message_id, "mine now", **known_as("eve"))
                assert problem_of(answer)["detail"] == f"No incident goes by {name!r}."
                assert delete(secured, name, message_id, **known_as("eve")).status_code == 404
        assert change(secured, "TKT-abcd2", theirs["message_id"], "mine now", **known_as("eve")).status_code == 404


class TestAButton:
    """POST /api/incidents/{name}/actions."""

    def test_says_that_it_is_solved_and_then_how_it_was(self, served: Served) -> None:
        number = served.post().json()["ticket_id"]
        solved = press(served, number, "solved")
        assert (solved.status_code, solved.json()["status"]) == (200, "resolved")
        assert solved.json()["message"] == "Thank you for telling us. Your ticket is solved."
        assert press(served, number, "rate-4").json()["message"] == "Thank you for your rating."
        assert said(served, number, "rated") == ["4"]
        assert served.get("/api/stats").json()["mean_rating"] == 4

    def test_says_that_it_is_not(self, served: Served) -> None:
        opened = served.post().json()
        answer = press(served, opened["ticket_id"], "not_solved").json()
        assert answer["status"] == "open"
        assert ("C-1042", "not_solved", None) in events(opened["incident_id"])

    @pytest.mark.parametrize(("resolved", "action"), [(False, "rate-4"), (True, "solved"), (True, "not_solved")])
    def test_that_does_not_fit_changes_nothing_and_says_so(self, served: Served, resolved: bool, action: str) -> None:
        opened = served.post().json()
        if resolved:
            served.firstline.commands.resolve(opened["ticket_id"], CLERK)
        before = events(opened["incident_id"])
        answer = press(served, opened["ticket_id"], action)
        assert answer.status_code == 200
        assert answer.json()["message"] == TOO_LATE
        assert events(opened["incident_id"]) == before

    @ON_SQLITE
    @pytest.mark.parametrize("action", ["rate-6", "rate-0", "solved@1", "resolve", ""])
    def test_that_there_is_not_is_refused(self, served: Served, action: str) -> None:
        number = served.post().json()["ticket_id"]
        assert problem_of(press(served, number, action))["errors"][0]["field"] == "action"

    def test_pressed_again_under_the_same_key_gets_the_first_answer(self, served: Served) -> None:
        number = served.post().json()["ticket_id"]
        first, again = (press(served, number, "solved", Idempotency_Key="k-2") for _ in range(2))
        assert first.json() == again.json()


def test_what_takes_longer_than_one_waits_is_received_and_nobody_waits_for_it_any_more(impatient: Served) -> None:
    impatient.gate.clear()
    first = impatient.post(Idempotency_Key="k-1")
    for _ in range(2):
        answer = say(impatient, first.json()["incident_id"], "hello", Idempotency_Key="k-2")
        assert answer.status_code == 202
        assert "Preference-Applied" not in answer.headers
    wait_until(lambda: not impatient.firstline.answers._waited_for, 5)


@ON_SQLITE
def test_a_database_that_is_away_is_said(served: Served) -> None:
    number = served.post().json()["ticket_id"]
    with database.transaction():
        database.execute("ALTER TABLE incidents RENAME TO gone")
    for answer in (say(served, number, "hello"), press(served, number, "solved"), delete(served, number, NOBODY)):
        assert problem_of(answer)["status"] == 503
        assert answer.headers["Retry-After"] == "1"


# --- what agents do


def command(served: Served, name: str, what: str, body: Any = None, **headers: str) -> requests.Response:
    return call(served, "POST", f"/incidents/{name}/{what}", body, **headers)


class TestAnAgent:
    """POST /api/incidents/{name}/…, and /api/commands."""

    def test_resolves_and_opens_again(self, served: Served) -> None:
        number = served.post().json()["ticket_id"]
        assert problem_of(command(served, number, "reopen"))["detail"] == f"{number} is open already."
        resolved = command(served, number, "resolve", {"note": "Refunded."}).json()
        assert (resolved["status"], resolved["resolved_by"]) == ("resolved", "loopback")
        opened = command(served, number, "reopen").json()
        assert (opened["status"], opened["openings"], opened["resolutions"]) == ("open", 2, 1)

    def test_gives_it_to_somebody_and_to_nobody(self, served: Served) -> None:
        number = served.post().json()["ticket_id"]
        for body, to in ((None, "loopback"), ({"to": "ben"}, "ben"), ({"to": "nobody"}, None), ({}, "loopback")):
            assert command(served, number, "assign", body).json()["assignee"] == to

    def test_writes_to_the_customer(self, served: Served) -> None:
        number = served.post().json()["ticket_id"]
        answer = command(served, number, "reply", {"text": "We are on it."})
        assert (answer.status_code, answer.json()["ticket_id"]) == (200, number)
        wait_until(lambda: mails(served, NoticeKind.REPLY))
        assert mails(served, NoticeKind.REPLY)[0].lead == "We are on it."
        assert said(served, number, "agent") == ["We are on it."]

    def test_writes_once_under_one_key(self, served: Served) -> None:
        number, other = served.post().json()["ticket_id"], served.post().json()["ticket_id"]
        for _ in range(2):
            assert command(served, number, "reply", {"text": "On it."}, Idempotency_Key="k-1").status_code == 200
        clash = command(served, number, "reply", {"text": "Done."}, Idempotency_Key="k-1")
        assert problem_of(clash)["status"] == 422
        assert command(served, other, "reply", {"text": "The last."}, Idempotency_Key="k-2").status_code == 200
        wait_until(lambda: any(notice.lead == "The last." for notice in mails(served, NoticeKind.REPLY)))
        assert [notice.lead for notice in mails(served, NoticeKind.REPLY)] == ["On it.", "The last."]
        assert said(served, number, "agent") == ["On it."]

    @ON_SQLITE
    @pytest.mark.parametrize("key", ["", "k" * 256])
    def test_needs_a_key_that_can_be_used(self, served: Served, key: str) -> None:
        number = served.post().json()["ticket_id"]
        answer = command(served, number, "reply", {"text": "On it."}, Idempotency_Key=key)
        assert problem_of(answer)["status"] == 400
        assert "Idempotency-Key" in answer.json()["detail"]
        assert said(served, number, "agent") == []

    def test_writes_a_note_that_stays_inside(self, served: Served) -> None:
        number = served.post().json()["ticket_id"]
        command(served, number, "notes", {"text": "A regular."})
        assert said(served, number, "note") == ["A regular."]
        assert mails(served, NoticeKind.REPLY) == []

    def test_says_what_it_is_about(self, served: Served) -> None:
        number = served.post().json()["ticket_id"]
        changed = command(served, number, "category", {"category": "fraud_report"}).json()
        assert (changed["classification"], changed["priority"]) == ("fraud_report", "urgent")
        assert (changed["confidence"], changed["classified_by"]) == (None, "loopback")
        again = command(served, number, "category", {"category": "fraud_report"})
        assert problem_of(again)["detail"] == f"{number} is fraud_report already."
        unknown = command(served, number, "category", {"category": "pizza"})
        assert problem_of(unknown)["errors"][0]["field"] == "category"

    @ON_SQLITE
    @pytest.mark.parametrize(
        ("what", "body"), [("reply", {"text": ""}), ("reply", {}), ("reply", {"text": " \n"}), ("notes", {"text": " "})]
    )
    def test_needs_a_text(self, served: Served, what: str, body: dict[str, str]) -> None:
        number = served.post().json()["ticket_id"]
        assert problem_of(command(served, number, what, body))["status"] == 422

    @ON_SQLITE
    def test_needs_the_whole_number(self, served: Served) -> None:
        number = served.post().json()["ticket_id"]
        answer = command(served, number[:-2], "resolve")
        assert answer.status_code == 404
        assert f"Did you mean {number}?" in problem_of(answer)["detail"]

    def test_types_a_command(self, served: Served) -> None:
        number = served.post().json()["ticket_id"]

        def types(text: str) -> requests.Response:
            return call(served, "POST", "/commands", {"text": text})

        assert types(f"resolve {number} Refunded.").json() == {"message": f"{number} is resolved."}
        assert problem_of(types(f"/resolve {number}"))["status"] == 409
        assert types("list").json() == {"message": "There are none."}
        assert types(f"status {number}").json()["message"].startswith(f"{number}  resolved since")

    @ON_SQLITE
    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("dance", "resolve TKT-x [note]"),
            ("\t", "resolve TKT-x [note]"),
            ("reply", "reply TKT-x text"),
            ("category TKT-x pizza", "fraud_report"),
        ],
    )
    def test_is_told_what_there_is_if_a_command_is_not_understood(self, served: Served, text: str, said: str) -> None:
        answer = call(served, "POST", "/commands", {"text": text.replace("TKT-x", served.post().json()["ticket_id"])})
        assert answer.status_code == 422
        assert said in problem_of(answer)["detail"]


AGENTS_COMMANDS: dict[str, tuple[str, dict[str, str] | None, str]] = {
    # the path, what is sent, what the audit trail says of the attempt
    "resolve": ("/incidents/{}/resolve", None, "resolve {}"),
    "reopen": ("/incidents/{}/reopen", None, "reopen {}"),
    "assign": ("/incidents/{}/assign", None, "assign {}"),
    "reply": ("/incidents/{}/reply", {"text": "We are on it."}, "reply {}"),
    "note": ("/incidents/{}/notes", {"text": "hm"}, "note {}"),
    "category": ("/incidents/{}/category", {"category": "other"}, "category {}"),
    "typed": ("/commands", {"text": "resolve TKT-x done"}, "resolve TKT-x done"),
}


@pytest.mark.parametrize(("path", "body", "tried"), AGENTS_COMMANDS.values(), ids=list(AGENTS_COMMANDS))
def test_nobody_but_an_agent_gets_a_command_run_and_the_attempt_is_in_the_audit_trail(
    secured: Served, path: str, body: dict[str, str] | None, tried: str
) -> None:
    opened = secured.post(**known_as("eve")).json()
    number, before = opened["ticket_id"], events(opened["incident_id"])
    answer = call(secured, "POST", path.format(number), body, **known_as("eve"))
    assert problem_of(answer)["status"] == 403
    assert 'error="insufficient_scope", scope="agent"' in answer.headers["WWW-Authenticate"]
    assert events() == [("eve", "refused", tried.format(number))]
    assert events(opened["incident_id"]) == before


@ON_SQLITE
@pytest.mark.parametrize("text", ["list", "help", "list mine"])
def test_a_reporter_cannot_ask_by_a_command_what_customers_ask_in_a_chat(secured: Served, text: str) -> None:
    answer = call(secured, "POST", "/commands", {"text": text}, **known_as("eve"))
    assert problem_of(answer)["detail"] == "This needs the role agent; yours is reporter."


# --- who sees what


INSIDE = ("ben", "A regular.", "charged twice by", "external_ticket_id", "assignee", "550 no such user")


@pytest.fixture
def told(secured: Served) -> tuple[Served, str]:
    """An incident of the reporter ana with which ben has done all that agents do; and its number."""
    number = secured.post(**known_as("ana")).json()["ticket_id"]
    ben = known_as("ben", "agent")
    for what, body in (
        ("assign", None),
        ("notes", {"text": "A regular."}),
        ("category", {"category": "refund_request"}),
        ("reply", {"text": "We are on it."}),
        ("resolve", {"note": "Refunded."}),
    ):
        assert command(secured, number, what, body, **ben).status_code == 200
    with database.transaction():
        database.execute("UPDATE notifications SET error = '550 no such user'")
        database.execute("UPDATE incidents SET reason = 'charged twice by a shop'")
    return secured, number


def test_a_reporter_sees_what_was_said_and_nothing_of_what_goes_on_inside(told: tuple[Served, str]) -> None:
    served, number = told
    answer = call(served, "GET", f"/incidents/{number}", **known_as("ana"))
    body = answer.json()
    assert set(body) == {
        "incident_id", "ticket_id", "customer_id", "channel", "message", "classification", "confidence", "priority",
        "status", "created_at", "resolved_at", "language", "reporter", "conversation", "continues", "timeline",
    }  # fmt: skip
    assert not [word for word in INSIDE if word in answer.text]
    said = [(entry["what"], entry["who"]) for entry in body["timeline"]]
    assert said == [("customer", "C-1042"), ("bot", "Firstline"), ("agent", "agent"), ("bot", "Firstline")]
    assert "Refunded." in body["timeline"][-1]["text"]


def test_an_agent_sees_everything(told: tuple[Served, str]) -> None:
    served, number = told
    answer = call(served, "GET", f"/incidents/{number}", **known_as("ben", "agent"))
    assert not [word for word in INSIDE if word not in answer.text]
    body = answer.json()
    assert (body["assignee"], body["resolved_by"], body["classified_by"]) == ("ben", "ben", "ben")
    whats = [entry["what"] for entry in body["timeline"]]
    assert set(whats) == {"customer", "bot", "note", "agent", "opened", "assigned", "category", "replied", "resolved"}
    assert [notice["kind"] for notice in body["notifications"]] == ["acknowledgement", "reply", "resolved"]


# --- what is documented, and what is traced


@ON_SQLITE
def test_every_door_is_in_the_document_with_what_it_takes_and_answers(served: Served) -> None:
    document = served.get("/openapi.json").json()
    for door in (PostIncident, *CONVERSATION):
        operation = document["paths"][door.path][door.method.lower()]
        assert {str(door.status), "202", "409", "503"} <= set(operation["responses"])
        assert ("requestBody" in operation) == door.takes_json
        named = {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "path"}
        assert named == {part[1:-1] for part in door.path.split("/") if part.startswith("{")}


@ON_SQLITE
def test_every_refusal_is_documented_as_problem_details(secured: Served) -> None:
    paths = secured.get("/openapi.json", headers=known_as("ana")).json()["paths"]
    for path, operations in paths.items():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                if status >= "400" and not path.startswith("/a/"):
                    assert list(response["content"]) == ["application/problem+json"], path


@ON_SQLITE
def test_a_span_is_named_for_the_route_and_not_for_what_was_asked(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    spans, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    monkeypatch.setattr(intake, "_tracer", provider.get_tracer("test"))
    opened = served.post().json()
    names = opened["ticket_id"], opened["message_id"]
    say(served, names[0], "hello")
    change(served, *names, "hello")
    delete(served, *names)
    press(served, names[0], "solved")
    assert [span.name for span in spans.get_finished_spans()] == [
        "POST /api/incidents",
        "POST /api/incidents/{name}/messages",
        "PUT /api/incidents/{name}/messages/{message_id}",
        "DELETE /api/incidents/{name}/messages/{message_id}",
        "POST /api/incidents/{name}/actions",
    ]
    assert not any(span.attributes for span in spans.get_finished_spans())
    provider.shutdown()
