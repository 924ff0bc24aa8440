"""The way of a message: six steps, all or nothing, and an incident whatever fails."""

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from bot import pipeline, tickets
from bot.answers import Answers
from bot.breaker import Breaker
from bot.classify import NOBODY, Ladder
from bot.desk_jobs import DeskJobs
from bot.errors import ClassificationFailed, TryLater, Undeliverable
from bot.files import Files
from bot.intake import Intake
from bot.jobs import Jobs
from bot.lanes import Lanes
from bot.model import Accepted, Address, Category, Classification, InboundMessage
from bot.pipeline import Pipeline
from bot.ports import Classifier
from bot.sealing import Seal
from bot.tickets import Tickets
from storage import database, follow_ups, inbox, incidents, notifications
from storage.tables import ALL, FollowUp, InboxMessage, Incident, Job, Message, Notification
from tests.fakes import LIFE, NOON, TestClock, WakeList

MAIL, PHONE, WHATSAPP = (
    Address("email", "ana@example.com"),
    Address("sms", "+14155552671"),
    Address("whatsapp", "+14155552671"),
)
CARD = "4111 1111 1111 1111"
LOCAL = re.compile(r"TKT-[0-9a-f]{8}")
DAY = timedelta(hours=24)


@dataclass
class Desk:
    """A ticket desk: gives ids by incident, unless it is told to answer something else."""

    answers: list[Any] = field(default_factory=list)
    asked: list[tuple[str, str, str]] = field(default_factory=list)

    def open(self, incident_id: str, category: str, message: str) -> str:
        self.asked.append((incident_id, category, message))
        answer = self.answers.pop(0) if self.answers else f"D-{incident_id[-6:]}"
        if isinstance(answer, BaseException):
            raise answer
        found = answer() if callable(answer) else answer
        assert isinstance(found, str)
        return found


class Rung:
    """A classifier that remembers what it was given, and says the same each time."""

    def __init__(self, says: Classification | BaseException) -> None:
        self.says = says
        self.given: list[str] = []

    def __call__(self, text: str) -> Classification:
        self.given.append(text)
        if isinstance(self.says, BaseException):
            raise self.says
        return self.says


GOOD = Classification(Category.DUPLICATE_PAYMENT, 0.93, "charged twice", "first")


class Way:
    """Everything between an adapter and the database, with what is outside replaced at its ports."""

    def __init__(self, clock: TestClock) -> None:
        self.clock = clock
        self.wakes = WakeList()
        self.desk: Desk | None = Desk()
        self.rungs: list[Classifier] = [Rung(GOOD)]
        self.simulated: frozenset[str] = frozenset()
        self.answers = Answers()
        self.deadline = 2.0
        self.life = LIFE

    def accept(self, text: str = "My card was charged twice", *to: Address, key: str = "k-1") -> Accepted:
        """Take a message in, as an adapter does."""
        intake = Intake(self.wakes, self.clock)
        try:
            return intake.accept(
                InboundMessage("web", key, f"web/{key}", "C-1042", text, "email", to if to else (MAIL,), "")
            )
        finally:
            intake.close()

    def lanes(self) -> Lanes:
        """A worker, made anew."""
        breaker = Breaker("desk", trips=lambda exc: not isinstance(exc, Undeliverable))
        handling = Pipeline(
            classifier=Ladder(self.rungs),
            tickets=Tickets(self.desk, breaker, self.deadline),
            life=self.life,
            files=Files({}, Seal(), self.life.policy.files, 3, self.wakes),
            simulated=self.simulated,
            answers=self.answers,
            dispatcher=self.wakes,
            clock=self.clock,
        )
        jobs = Jobs({"link": DeskJobs(self.desk, breaker, self.deadline).link})
        handlers = {"in": handling.handle, "job": jobs.handle, "out": lambda lease: None}
        return Lanes(handlers, self.clock, timedelta(seconds=10), 3)

    def run(self, key: str = "k-1") -> None:
        self.lanes().run(f"in/web/{key}")

    def handle(self, text: str = "My card was charged twice", *to: Address, key: str = "k-1") -> dict[str, Any]:
        """Take a message all the way, and return the incident's row."""
        accepted = self.accept(text, *to, key=key)
        self.run(key)
        row = incident(accepted.incident_id)
        assert row is not None
        return row

    def link(self, incident_id: str) -> None:
        """Do what is owed to the desk by now."""
        self.lanes().run(f"job/{incident_id}")


def incident(incident_id: str) -> dict[str, Any] | None:
    with database.session():
        return incidents.get(incident_id)


def all_of(table: Any) -> list[dict[str, Any]]:
    with database.session():
        return database.rows(table.select())


def outcome_of(incident_id: str) -> Any:
    with database.session():
        return inbox.outcomes([incident_id])[incident_id]


@pytest.fixture
def way(db: str, clock: TestClock) -> Way:
    return Way(clock)


class TestTheSixSteps:
    """receive, classify, ticket, store, notify, schedule."""

    def test_open_an_incident_with_what_was_found_out(self, way: Way) -> None:
        row = way.handle()
        expected = {
            "customer_id": "C-1042", "channel": "email", "message": "My card was charged twice", "status": "open",
            "classification": "duplicate_payment", "confidence": 0.93, "reason": "charged twice",
            "classified_by": "first", "external_ticket_id": f"D-{row['id'][-6:]}",
            "ticket_id": f"TKT-D-{row['id'][-6:]}", "created_at": NOON, "resolved_at": None, "reminder_sent": False,
        }  # fmt: skip
        assert {name: row[name] for name in expected} == expected

    def test_write_its_first_message_and_its_audit_event(self, way: Way) -> None:
        row = way.handle()
        with database.session():
            message, answer = incidents.messages(row["id"])
            (event,) = incidents.events(row["id"])
        assert (message["direction"], message["author"], message["text"]) == ("customer", "C-1042", row["message"])
        assert (answer["direction"], answer["author"]) == ("bot", "Firstline")
        assert row["ticket_id"] in answer["text"]
        assert (event["name"], event["actor"], event["after"]) == ("opened", "web", row["ticket_id"])

    def test_owe_an_acknowledgement_to_every_address_and_wake_its_lane(self, way: Way) -> None:
        row = way.handle("charged twice", MAIL, PHONE)
        with database.session():
            owed = notifications.of_incident(row["id"])
        assert [(one["channel"], one["recipient"], one["status"]) for one in owed] == [
            ("email", "ana@example.com", "pending"),
            ("sms", "+14155552671", "pending"),
        ]
        assert all(row["ticket_id"] in one["message"] for one in owed)
        assert way.wakes.woken[-2:] == ["out/email:ana@example.com", "out/sms:+14155552671"]

    def test_have_it_looked_at_again_a_day_later(self, way: Way) -> None:
        row = way.handle()
        (due,) = all_of(FollowUp)
        assert (due["incident"], due["due_at"]) == (row["id"], NOON + DAY)

    def test_give_the_outcome_to_who_waits_and_keep_it_for_a_repetition(self, way: Way) -> None:
        accepted = way.accept()
        answer = way.answers.expect(accepted.incident_id)
        way.run()
        outcome = answer.result(0)
        assert outcome == outcome_of(accepted.incident_id)
        named = {"incident_id", "ticket_id", "status", "classification", "confidence", "priority"}
        assert set(outcome) == named | {"message_id", "message"}
        assert way.accept() == Accepted(accepted.incident_id, True, "")

    def test_are_taken_once(self, way: Way) -> None:
        way.handle()
        way.run()
        way.accept()
        way.run()
        assert [len(all_of(table)) for table in (Incident, Message, Notification, FollowUp)] == [1, 2, 1, 1]

    def test_are_taken_without_a_ticket_desk_too(self, way: Way) -> None:
        way.desk = None
        row = way.handle()
        assert LOCAL.fullmatch(row["ticket_id"])
        assert row["external_ticket_id"] is None
        assert all_of(Job) == []


@pytest.mark.parametrize(
    ("to", "simulated", "sentence"),
    [
        ((), (), "Ticket created."),
        ((MAIL,), (), "Ticket created. Email on its way."),
        ((MAIL, PHONE), (), "Ticket created. Email on its way. SMS on its way."),
        (
            (MAIL, PHONE, WHATSAPP),
            (),
            "Ticket created. Email on its way. SMS on its way. WhatsApp message on its way.",
        ),
        ((MAIL,), ("email",), "Ticket created. Email simulated, not sent: no provider is configured."),
        (
            (MAIL, PHONE),
            ("sms", "whatsapp"),
            "Ticket created. Email on its way. SMS simulated, not sent: no provider is configured.",
        ),
    ],
)
def test_the_outcome_says_what_is_on_its_way_and_what_is_only_simulated(
    way: Way, to: tuple[Address, ...], simulated: tuple[str, ...], sentence: str
) -> None:
    way.simulated = frozenset(simulated)
    intake = Intake(way.wakes, way.clock)
    accepted = intake.accept(InboundMessage("web", "k-1", "web/k-1", "C-1", "charged twice", "email", to))
    intake.close()
    way.run()
    assert outcome_of(accepted.incident_id)["message"] == sentence


class TestCase18TheModelIsDown:
    """The ladder of classifiers."""

    def test_case_18_the_next_one_is_asked_and_its_own_confidence_is_kept(self, way: Way) -> None:
        second = Classification(Category.REFUND_REQUEST, 0.41, "wants money back", "second")
        way.rungs = [Rung(ClassificationFailed("down")), Rung(second)]
        row = way.handle()
        assert (row["classification"], row["confidence"], row["classified_by"]) == ("refund_request", 0.41, "second")

    def test_case_18_the_incident_is_opened_without_a_confidence_if_none_answers(self, way: Way) -> None:
        way.rungs = [Rung(ClassificationFailed("down")), Rung(ClassificationFailed("down too"))]
        row = way.handle()
        assert (row["classification"], row["confidence"], row["classified_by"]) == ("other", None, NOBODY.classified_by)
        assert outcome_of(row["id"])["confidence"] is None

    def test_case_18_who_answers_keeps_the_others_from_being_asked(self, way: Way) -> None:
        way.rungs = [Rung(GOOD), Rung(GOOD)]
        way.handle()
        assert [len(rung.given) for rung in way.rungs if isinstance(rung, Rung)] == [1, 0]


def hang() -> str:
    """Answer, but much too late."""
    threading.Event().wait(0.4)
    return "D-late"


FAILURES: dict[str, Callable[[], Any]] = {
    "down": lambda: TryLater("connection refused"),
    "refusing": lambda: Undeliverable("refused the ticket (400)"),
    "broken": lambda: ZeroDivisionError("a mistake of ours"),
    "too slow": lambda: hang,
    "without an id": lambda: "",
}


class TestCase17TheTicketDesk:
    """What the customer is told, and how the desk's own number gets known."""

    def test_case_17_gives_the_number_when_it_answers_in_time(self, way: Way) -> None:
        assert way.desk is not None
        way.desk.answers = ["4711"]
        row = way.handle()
        assert (row["ticket_id"], row["external_ticket_id"]) == ("TKT-4711", "4711")
        assert way.desk.asked == [(row["id"], "duplicate_payment", "My card was charged twice")]
        assert all_of(Job) == []

    @pytest.mark.parametrize(
        "failure",
        list(FAILURES),
    )
    def test_case_17_failing_means_a_number_of_our_own_that_is_linked_later_and_never_changes(
        self, way: Way, failure: str
    ) -> None:
        assert way.desk is not None
        way.deadline = 0.1 if failure == "too slow" else 2.0
        way.desk.answers = [FAILURES[failure]()]
        row = way.handle()
        assert LOCAL.fullmatch(row["ticket_id"])
        assert row["external_ticket_id"] is None
        assert outcome_of(row["id"])["ticket_id"] == row["ticket_id"]
        way.deadline = 2.0
        way.link(row["id"])
        assert len(way.desk.asked) == 1, "it is not yet time"
        way.clock.forward(seconds=5)
        way.link(row["id"])
        linked = incident(row["id"])
        assert linked == {**row, "external_ticket_id": f"D-{row['id'][-6:]}"}
        assert {asked[0] for asked in way.desk.asked} == {row["id"]}
        assert [job["state"] for job in all_of(Job)] == ["done"]

    def test_case_17_that_stays_down_is_asked_again_and_again(self, way: Way) -> None:
        assert way.desk is not None
        way.desk.answers = [TryLater("down"), TryLater("down"), TryLater("down", retry_after=600)]
        row = way.handle()
        for _ in range(2):
            way.clock.forward(seconds=30)
            way.link(row["id"])
        way.clock.forward(seconds=599)
        way.link(row["id"])
        assert len(way.desk.asked) == 3
        way.clock.forward(seconds=2)
        way.link(row["id"])
        linked = incident(row["id"])
        assert linked is not None
        assert linked["external_ticket_id"] == f"D-{row['id'][-6:]}"

    @pytest.mark.parametrize("odd", ["a b", "x" * 33, "ü", "<b>", "1\n", "日本"])
    def test_case_17_with_an_id_that_nobody_could_read_out_gets_a_number_of_our_own(self, way: Way, odd: str) -> None:
        assert way.desk is not None
        way.desk.answers = [odd]
        row = way.handle()
        assert LOCAL.fullmatch(row["ticket_id"])
        assert row["external_ticket_id"] == odd

    def test_case_17_with_an_id_that_is_in_use_here_gets_a_number_of_our_own(self, way: Way) -> None:
        assert way.desk is not None
        way.desk.answers = ["4711", "4711"]
        first, second = way.handle(), way.handle(key="k-2")
        assert first["ticket_id"] == "TKT-4711"
        assert LOCAL.fullmatch(second["ticket_id"])
        assert second["external_ticket_id"] == "4711"
        with database.session():
            (owed,) = notifications.of_incident(second["id"])
            (event,) = incidents.events(second["id"])
        assert second["ticket_id"] in owed["message"]
        assert event["after"] == second["ticket_id"] == outcome_of(second["id"])["ticket_id"]

    def test_case_17_numbers_of_our_own_are_drawn_again_if_they_are_taken(
        self, way: Way, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        way.desk = None
        drawn = iter(["TKT-00000001", "TKT-00000001", "TKT-00000001", "TKT-00000002"])
        for module in (pipeline, tickets):
            monkeypatch.setattr(module, "local_number", lambda: next(drawn))
        assert [way.handle(key=key)["ticket_id"] for key in ("a", "b")] == ["TKT-00000001", "TKT-00000002"]


class TestACrash:
    """A process that dies on the way."""

    def nothing_is_left(self) -> bool:
        left = {table.__name__ for table in ALL if all_of(table)}
        return left == {"InboxMessage", "Lane"} and [row["state"] for row in all_of(InboxMessage)] == ["new"]

    def rerun(self, way: Way) -> dict[str, Any]:
        way.clock.forward(seconds=11)
        way.run()
        (row,) = all_of(Incident)
        return row

    def test_before_anything_was_asked_leaves_the_message(self, way: Way) -> None:
        way.rungs = [Rung(KeyboardInterrupt())]
        way.accept()
        with pytest.raises(KeyboardInterrupt):
            way.run()
        assert self.nothing_is_left()
        way.rungs = [Rung(GOOD)]
        assert self.rerun(way)["status"] == "open"

    @pytest.mark.parametrize(
        ("where", "name"),
        [(incidents, "open"), (incidents, "record"), (notifications, "owe"), (follow_ups, "schedule"), (inbox, "done")],
    )
    @pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
    def test_within_the_transaction_leaves_nothing_and_the_rerun_asks_for_the_same_ticket(
        self, way: Way, monkeypatch: pytest.MonkeyPatch, where: Any, name: str, after: bool
    ) -> None:
        assert way.desk is not None
        accepted, write = way.accept(), getattr(where, name)

        def die(*arguments: Any, **more: Any) -> None:
            if after:
                write(*arguments, **more)
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(where, name, die)
            with pytest.raises(KeyboardInterrupt):
                way.run()
        assert self.nothing_is_left()
        row = self.rerun(way)
        assert row["id"] == accepted.incident_id
        assert [asked[0] for asked in way.desk.asked] == [accepted.incident_id] * 2
        assert [len(all_of(table)) for table in (Message, Notification, FollowUp)] == [2, 1, 1]

    def test_within_the_transaction_tells_nobody(self, way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
        accepted = way.accept()
        answer = way.answers.expect(accepted.incident_id)
        monkeypatch.setattr(inbox, "done", lambda *_: 1 / 0)
        way.run()
        assert not answer.done()
        assert "out/email:ana@example.com" not in way.wakes.woken
        (row,) = all_of(InboxMessage)
        assert (row["state"], row["attempts"]) == ("new", 1)


def test_a_card_number_gets_nowhere(way: Way) -> None:
    assert way.desk is not None
    first, second = Rung(ClassificationFailed("down")), Rung(GOOD)
    way.rungs = [first, second]
    row = way.handle(f"charged twice on {CARD}, please help")
    assert row["message"].startswith("charged twice on ")
    assert row["message"].endswith(", please help")
    everything = str([all_of(table) for table in ALL]) + str([first.given, second.given, way.desk.asked])
    for form in (CARD, CARD.replace(" ", ""), "4111"):
        assert form not in everything


def test_messages_of_one_chat_are_handled_in_order(way: Way) -> None:
    intake = Intake(way.wakes, way.clock)
    for number in range(5):
        intake.accept(InboundMessage("chat", f"m-{number}", "chat/1", "C-1", f"message {number}", "chat"))
    intake.close()
    way.lanes().run("in/chat/1")
    with database.session():
        opened = database.rows(Message.select().order_by(Message.id))
    said = [row["text"] for row in opened if row["direction"] == "customer"]
    assert said == [f"message {number}" for number in range(5)]
