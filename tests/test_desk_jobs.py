"""What is owed to the ticket desk, done in the incident's own lane, against a real small desk on loopback."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from adapters.ticket_desk import RestDesk, TicketDeskSettings
from bot.breaker import Breaker
from bot.desk_jobs import DeskJobs
from bot.errors import Undeliverable
from bot.jobs import Jobs
from bot.lanes import Lanes
from storage import database, dead, incidents, jobs, lanes
from storage.tables import Job
from tests.desk import LocalDesk, Request
from tests.fakes import NOON, TestClock
from tests.test_storage import values

INCIDENT = "0b8e5f0c-7d55-4d4f-9f8e-3f5f0f8d2c11"
LANE = f"job/{INCIDENT}"
ATTEMPTS = 3


class Office:
    """The lanes of jobs of a worker, between a database and a desk."""

    def __init__(self, desk: LocalDesk, clock: TestClock) -> None:
        self.local = desk
        self.clock = clock
        self.desk: RestDesk | None = RestDesk(TicketDeskSettings(ticket_api_url=SecretStr(desk.url)))
        self.breaker = Breaker("desk", trips=lambda exc: not isinstance(exc, Undeliverable))
        self.deadline = 5.0

    def open(self, external_id: str | None = None) -> None:
        """Open the incident; with an id, the desk has its ticket already."""
        if external_id is not None:
            self.local.tickets[INCIDENT] = external_id
        row = values(id=INCIDENT, external_ticket_id=external_id, conversation=INCIDENT, last_opened_at=NOON)
        with database.transaction():
            incidents.open(row)

    def owe(self, kind: str, number: int = 1, note: str = "paid back") -> str:
        """Owe the desk this, from now on."""
        with database.transaction():
            payload = {} if kind == "link" else {"note": note}
            return jobs.add(kind, INCIDENT, number, payload, self.clock.now, self.clock.now)

    def run(self, lane: str = LANE) -> None:
        """Do what is due, with a worker made anew."""
        desk = DeskJobs(self.desk, self.breaker, self.deadline)
        handlers = {"job": Jobs({"link": desk.link, "close": desk.change, "reopen": desk.change}).handle}
        Lanes(handlers, self.clock, timedelta(seconds=10), ATTEMPTS).run(lane)

    def run_later(self) -> None:
        """Do what is due a minute later: a retry is."""
        self.clock.forward(seconds=60)
        self.run()

    def patches(self) -> list[Request]:
        return [request for request in self.local.requests if request.method == "PATCH"]

    def states(self) -> list[tuple[str, str]]:
        """The kind and state of every job, in order."""
        return [(job["kind"], job["state"]) for job in all_jobs()]

    def trail(self) -> list[tuple[str, str, str]]:
        """The audit trail: who, what, and of which ticket."""
        with database.session():
            return [(event["actor"], event["name"], event["after"]) for event in incidents.events(INCIDENT)]


def all_jobs() -> list[dict[str, Any]]:
    with database.session():
        return database.rows(Job.select().order_by(Job.id))


@pytest.fixture
def office(db: str, desk: LocalDesk, clock: TestClock) -> Office:
    return Office(desk, clock)


# --- what is owed


def test_what_is_owed_about_one_incident_shares_a_lane(db: str, office: Office) -> None:
    assert {office.owe("link", 0), office.owe("close"), office.owe("reopen")} == {LANE}
    with database.session():
        assert lanes.due(NOON, 10, "job/") == [LANE]


def test_the_same_piece_of_work_is_owed_once(office: Office) -> None:
    for number in (1, 1, 2):
        office.owe("close", number)
    assert [job["dedupe"] for job in all_jobs()] == [f"close/{INCIDENT}/1", f"close/{INCIDENT}/2"]


# --- closing and reopening


def test_a_ticket_is_closed_and_the_audit_trail_says_so(office: Office) -> None:
    office.open("4711")
    office.owe("close")
    with capture_logs() as logged:
        office.run()
    assert office.local.statuses == {"4711": "closed"}
    assert office.local.notes == {"4711": ["paid back"]}
    assert office.trail() == [("desk", "desk_closed", "4711")]
    assert office.states() == [("close", "done")]
    told = [line for line in logged if line["event"] == "ticket.updated"]
    assert [(line["incident_id"], line["status"]) for line in told] == [(INCIDENT, "closed")]


def test_a_ticket_is_reopened_and_the_audit_trail_says_so(office: Office) -> None:
    office.open("4711")
    office.owe("reopen", note="it came back")
    office.run()
    assert office.local.statuses == {"4711": "open"}
    assert office.local.notes == {"4711": ["it came back"]}
    assert office.trail() == [("desk", "desk_reopened", "4711")]


def test_link_close_and_reopen_happen_in_this_order(office: Office) -> None:
    office.open()
    for kind in ("link", "close", "reopen"):
        office.owe(kind)
    office.run()
    asked = [(request.method, request.body.get("status")) for request in office.local.requests]
    assert asked == [("POST", None), ("PATCH", "closed"), ("PATCH", "open")]
    assert office.trail() == [
        ("desk", "linked", "1001"),
        ("desk", "desk_closed", "1001"),
        ("desk", "desk_reopened", "1001"),
    ]
    assert office.local.statuses == {"1001": "open"}


def test_every_closing_has_a_key_of_its_own(office: Office) -> None:
    office.open("4711")
    for kind, number in (("close", 1), ("reopen", 1), ("close", 2)):
        office.owe(kind, number)
    office.run()
    keys = [request.key for request in office.patches()]
    assert keys == [f"{INCIDENT}-close-1", f"{INCIDENT}-reopen-1", f"{INCIDENT}-close-2"]
    assert office.local.statuses == {"4711": "closed"}


# --- a desk in trouble


def test_a_desk_that_is_busy_is_asked_again_under_the_same_key(office: Office) -> None:
    office.open("4711")
    office.local.answer_with(503)
    office.owe("close")
    office.run()
    assert office.states() == [("close", "new")]
    assert office.trail() == []
    office.run_later()
    assert office.states() == [("close", "done")]
    assert [request.key for request in office.patches()] == [f"{INCIDENT}-close-1"] * 2
    assert office.local.statuses == {"4711": "closed"}


def test_a_desk_that_says_how_long_to_wait_is_left_alone_for_as_long(office: Office) -> None:
    office.open("4711")
    office.local.answer_with(429, headers={"Retry-After": "600"})
    office.owe("close")
    office.run()
    (job,) = all_jobs()
    assert job["due_at"] == NOON + timedelta(seconds=600)


def test_a_change_whose_answer_was_lost_is_repeated_and_made_once(office: Office) -> None:
    office.open("4711")
    office.local.drop(creates=True)
    office.owe("close")
    office.run()
    assert office.states() == [("close", "new")]
    office.run_later()
    assert [request.key for request in office.patches()] == [f"{INCIDENT}-close-1"] * 2
    assert office.local.notes == {"4711": ["paid back"]}
    assert office.trail() == [("desk", "desk_closed", "4711")]


def test_a_desk_that_hangs_is_given_up_at_the_deadline_and_asked_again(office: Office) -> None:
    office.open("4711")
    office.local.hang_after_creating(30)
    office.owe("close")
    office.deadline = 0.2
    office.run()
    assert all_jobs()[0]["error"].startswith("DeadlinePassed")
    office.deadline = 5.0
    office.run_later()
    assert office.states() == [("close", "done")]
    assert office.local.notes == {"4711": ["paid back"]}


def test_a_process_that_dies_before_it_could_write_changes_the_ticket_once(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.open("4711")
    office.owe("close")

    def die(row_id: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(jobs, "done", die)
        with pytest.raises(KeyboardInterrupt):
            office.run()
    assert office.trail() == []
    office.run_later()
    assert len(office.patches()) == 2
    assert office.local.notes == {"4711": ["paid back"]}
    assert office.trail() == [("desk", "desk_closed", "4711")]


def test_what_comes_behind_waits_for_what_is_tried_again(office: Office) -> None:
    office.open("4711")
    office.local.answer_with(503)
    office.owe("close")
    office.owe("reopen")
    office.run()
    assert office.states() == [("close", "new"), ("reopen", "new")]
    assert len(office.patches()) == 1
    office.run_later()
    assert [request.body["status"] for request in office.patches()] == ["closed", "closed", "open"]


def test_a_circuit_that_is_open_asks_nobody_and_counts_as_no_attempt(office: Office) -> None:
    office.open("4711")
    office.breaker = Breaker("desk", failures=1)
    office.local.answer_with(503)
    office.owe("close")
    office.run()
    office.run_later()
    assert len(office.patches()) == 1
    (job,) = all_jobs()
    assert (job["state"], job["attempts"]) == ("new", 1)


def test_a_desk_that_stays_down_is_given_up_after_all_attempts_and_can_be_retried(office: Office) -> None:
    office.open("4711")
    office.local.answer_with(503, times=ATTEMPTS)
    office.owe("close")
    for _ in range(ATTEMPTS):
        office.run_later()
    assert office.states() == [("close", "dead")]
    with database.transaction():
        (given_up,) = dead.everything(10)
        assert dead.retry(given_up.name, office.clock.now) == LANE
    assert given_up.incident_id == INCIDENT
    office.run()
    assert {request.key for request in office.patches()} == {f"{INCIDENT}-close-1"}
    assert office.local.statuses == {"4711": "closed"}


# --- what cannot be done


def test_a_ticket_that_the_desk_does_not_know_is_given_up_at_once_and_holds_up_nothing(office: Office) -> None:
    office.open("4711")
    office.local.answer_with(404)
    office.owe("close")
    office.owe("reopen")
    office.run()
    assert [(job["state"], job["attempts"]) for job in all_jobs()] == [("dead", 1), ("done", 0)]
    assert "does not know the ticket" in all_jobs()[0]["error"]
    assert office.trail() == [("desk", "desk_reopened", "4711")]


def test_a_desk_that_cannot_change_tickets_is_asked_once_and_the_setting_is_named(office: Office) -> None:
    office.open("4711")
    office.local.answer_with(405)
    office.owe("close")
    office.run()
    assert office.states() == [("close", "dead")]
    assert "set TICKET_UPDATE_URL" in all_jobs()[0]["error"]


def test_closing_waits_for_the_link_that_is_tried_again(office: Office) -> None:
    office.open()
    office.local.answer_with(503)
    office.owe("link", 0)
    office.owe("close")
    office.run()
    assert office.states() == [("link", "new"), ("close", "new")]
    assert office.patches() == []
    office.run_later()
    assert office.states() == [("link", "done"), ("close", "done")]
    assert office.local.statuses == {"1001": "closed"}


def test_without_a_link_there_is_nothing_to_close(office: Office) -> None:
    office.open()
    office.local.answer_with(400)
    office.owe("link", 0)
    office.owe("close")
    with capture_logs() as logged:
        office.run()
    assert office.states() == [("link", "dead"), ("close", "done")]
    assert office.patches() == []
    assert office.trail() == []
    assert "ticket.not_updated" in [line["event"] for line in logged]


def test_a_desk_that_is_configured_no_longer_is_told_nothing(office: Office) -> None:
    office.open("4711")
    office.desk = None
    office.owe("close")
    office.run()
    assert office.states() == [("close", "dead")]
    assert "TICKET_API_URL" in all_jobs()[0]["error"]


@pytest.mark.parametrize("kind", ["link", "close"])
def test_an_incident_that_is_gone_is_no_work(office: Office, kind: str) -> None:
    office.owe(kind)
    office.run()
    assert office.states() == [(kind, "dead")]
    assert office.local.requests == []


def test_a_kind_of_a_later_version_is_put_aside(office: Office) -> None:
    office.open("4711")
    office.owe("comment")
    office.run()
    assert office.states() == [("comment", "dead")]
    assert "'comment'" in all_jobs()[0]["error"]


def test_a_lane_of_an_earlier_version_is_still_worked_on(office: Office) -> None:
    office.open()
    lane = f"job/link/{INCIDENT}"
    row = {"lane": lane, "kind": "link", "payload": {}, "dedupe": lane, "due_at": NOON, "created_at": NOON}
    with database.transaction():
        database.insert(Job, [row])
        lanes.wake({lane: NOON})
    office.run(lane)
    assert office.states() == [("link", "done")]
    assert office.trail() == [("desk", "linked", "1001")]
