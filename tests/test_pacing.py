"""How fast we send: a platform's pace is kept, whoever is at work, and nobody is passed over."""

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from structlog.testing import capture_logs

from bot import outbox
from bot.errors import TryLater
from bot.lanes import Lanes
from bot.model import Address, Notice, Sent
from bot.outbox import Outbox
from storage import database, incidents, lanes, notifications, paces
from storage.tables import Lane, Notification, Pace
from tests.fakes import NOON, RecordingSender, TestClock
from tests.test_outbox import notice
from tests.test_storage import values

LOOK = 0.2
"""Seconds between two looks for due lanes, as in `bot.lanes`."""


class PacedSender(RecordingSender):
    """A platform that takes `a_second` texts a second in all, and one a second in each chat. A key is `chat` or
    `chat/topic`."""

    def __init__(self, clock: TestClock, a_second: float = 30, name: str = "chat") -> None:
        super().__init__(name)
        self.clock = clock
        self.a_second = a_second
        self.times: list[tuple[datetime, str]] = []
        self.attempts: list[int] = []

    def paces(self, to: Address) -> Mapping[str, float]:
        return {"chat/bot": 1 / self.a_second, f"chat/{to.key.partition('/')[0]}": 1.0}

    def send(self, to: Address, notice: Notice) -> Sent:
        sent = super().send(to, notice)
        self.times.append((self.clock.now, to.key))
        return sent

    def when(self, chat: str) -> list[float]:
        """The seconds since noon at which texts went into a chat."""
        return [seconds(at) for at, key in self.times if key.partition("/")[0] == chat]


def pauses(times: list[float]) -> list[float]:
    return [round(later - earlier, 3) for earlier, later in pairwise(times)]


def seconds(at: datetime) -> float:
    return round((at - NOON).total_seconds(), 3)


class Street:
    """A process with an outbox, over what is owed to many chats."""

    def __init__(self, clock: TestClock, sender: RecordingSender, **more: Any) -> None:
        self.clock = clock
        self.sender = sender
        self.more = more
        self.number = 0
        self.lanes = self.process()

    def process(self) -> Lanes:
        handle = Outbox({self.sender.name: self.sender}, 3).handle
        return Lanes({"out": handle}, self.clock, timedelta(seconds=10), 3)

    def owe(self, *keys: str) -> None:
        """Owe a text to each of these."""
        owed = []
        for key in keys:
            self.number += 1
            owed.append((Address(self.sender.name, key), replace(notice(), key=f"i-1.n-{self.number}.chat")))
        with database.transaction():
            outbox.owe(owed, self.clock.now)

    def look(self) -> int:
        """Run the lanes that are due once each, and return how many those were."""
        with database.session():
            due = lanes.due(self.clock.now, 1000, "out/")
        for lane in due:
            self.lanes.run(lane)
        return len(due)

    def until_empty(self, each: float = LOOK, at_most: float = 60.0) -> float:
        """Look every so many seconds until nothing waits, and return how long that took."""
        began = self.clock.now
        while self.waiting():
            assert (self.clock.now - began).total_seconds() < at_most
            self.look()
            self.clock.forward(seconds=each)
        return (self.clock.now - began).total_seconds()

    def waiting(self) -> int:
        with database.session():
            return int(Lane.select().count())

    def rows(self) -> list[dict[str, Any]]:
        with database.session():
            return notifications.of_incident("i-1")


@pytest.fixture
def street(db: str, clock: TestClock) -> Street:
    with database.transaction():
        incidents.open(values())
    return Street(clock, PacedSender(clock))


def sender_of(street: Street) -> PacedSender:
    assert isinstance(street.sender, PacedSender)
    return street.sender


def test_a_hundred_chats_get_theirs_at_the_bots_rate_each_in_its_turn(street: Street) -> None:
    chats = [f"{number:03}" for number in range(100)]
    street.owe(*chats)
    took = street.until_empty()
    times = sender_of(street).times
    assert 100 / 30 - LOOK <= took <= 100 / 30 + 2 * LOOK
    assert [key for _, key in times] == chats
    for at, _ in times:
        assert sum(at <= other < at + timedelta(seconds=1) for other, _ in times) <= 30 + 30 * LOOK + 1


def test_a_hundred_who_wait_are_looked_at_twice_each_and_not_a_hundred_times(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    street.owe(*(f"{number:03}" for number in range(100)))
    looks: list[None] = []
    hold = paces.hold

    def counted(names: Any) -> Any:
        looks.append(None)
        return hold(names)

    monkeypatch.setattr(paces, "hold", counted)
    street.until_empty()
    assert len(looks) <= 2 * 100 + 20


def test_between_two_texts_of_a_chat_lies_its_pause_whoever_comes_late(street: Street) -> None:
    street.owe(*["7/a", "7/b", "7/c"] * 2)
    street.until_empty(each=0.37)
    times = sender_of(street).when("7")
    assert len(times) == 6
    assert min(pauses(times)) >= 1
    assert times[-1] <= 5 * (1 + 2 * 0.37)


def test_a_chat_that_must_wait_holds_up_nobody_else(street: Street) -> None:
    street.owe(*["7"] * 5, *(f"1{number}" for number in range(10)))
    street.until_empty()
    sender = sender_of(street)
    assert max(sender.when(f"1{number}")[0] for number in range(10)) < 1
    assert sender.when("7")[-1] >= 4


def test_who_comes_later_does_not_pass_those_who_wait(street: Street) -> None:
    sender_of(street).a_second = 1
    street.owe("a", "b", "c")
    street.look()
    for number in range(3):
        street.clock.forward(seconds=0.5)
        street.owe(f"new-{number}")
        street.look()
        street.clock.forward(seconds=0.5)
        street.look()
    street.until_empty()
    assert [key for _, key in sender_of(street).times] == ["a", "b", "c", "new-0", "new-1", "new-2"]


def test_to_be_too_early_is_no_attempt_and_no_error(street: Street) -> None:
    street.owe("7", "7", "7")
    street.look()
    rows = street.rows()
    assert [(row["status"], row["attempts"], row["error"]) for row in rows[1:]] == [("pending", 0, None)] * 2
    assert rows[1]["due_at"] == NOON + timedelta(seconds=1)
    street.until_empty()
    assert [(row["status"], row["attempts"]) for row in street.rows()] == [("sent", 1)] * 3


def test_what_is_sent_again_waits_for_its_turn_again(street: Street) -> None:
    sender_of(street).failures = [TryLater("busy", retry_after=3)]
    street.owe("7")
    street.look()
    street.clock.forward(seconds=2.5)
    street.owe("7/b")
    street.look()
    street.until_empty(each=0.1)
    later, earlier = sender_of(street).when("7")[::-1]
    assert (earlier, street.rows()[0]["attempts"]) == (2.5, 2)
    assert later >= 3.5


def test_after_a_time_in_which_nobody_worked_they_still_do_not_all_go_at_once(street: Street) -> None:
    street.owe(*(f"{number:03}" for number in range(100)))
    street.look()
    street.clock.forward(seconds=60)
    took = street.until_empty()
    after = [at for at, _ in sender_of(street).times if at >= NOON + timedelta(seconds=60)]
    assert took >= 2.5
    for at in after:
        assert sum(at <= other < at + timedelta(seconds=1) for other in after) <= 30 + 10 + 30 * LOOK


def test_a_sender_without_a_pace_runs_no_more_statements_than_before(
    db: str, clock: TestClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.transaction():
        incidents.open(values())
    street = Street(clock, RecordingSender("chat"))
    street.owe("7")
    ran: list[str] = []
    kind: Any = type(database.database.obj)
    execute = kind.execute_sql

    def counted(self: Any, sql: str, *more: Any, **named: Any) -> Any:
        ran.append(sql)
        return execute(self, sql, *more, **named)

    monkeypatch.setattr(kind, "execute_sql", counted)
    street.look()
    assert street.rows()[0]["status"] == "sent"
    assert not [sql for sql in ran if "paces" in sql]


@pytest.fixture
def no_errors() -> Iterator[None]:
    """Fails if a piece of work failed and was to be tried again."""
    with capture_logs() as logged:
        yield
    assert [line for line in logged if "exc_info" in line] == []


def at_once(calls: list[Callable[[], Any]]) -> None:
    with ThreadPoolExecutor(len(calls)) as pool:
        for done in [pool.submit(call) for call in calls]:
            done.result(60)


def test_several_workers_keep_one_pace_and_nobody_waits_in_a_circle(street: Street, no_errors: None) -> None:
    chats = [f"{number % 12}/{number}" for number in range(60)]  # twelve chats of five topics each
    street.owe(*chats)
    workers = [street.process() for _ in range(4)]
    sender = sender_of(street)

    def look(worker: Lanes, backwards: bool) -> None:
        with database.session():
            due = sorted(lanes.due(street.clock.now, 1000, "out/"), reverse=backwards)
        for lane in due:
            worker.run(lane)

    for _ in range(100):
        if not street.waiting():
            break
        at_once([lambda worker=worker, at=at: look(worker, at % 2 == 1) for at, worker in enumerate(workers)])  # type: ignore[misc]
        street.clock.forward(seconds=LOOK)
    assert [row["status"] for row in street.rows()] == ["sent"] * 60
    for chat in range(12):
        times = sender.when(str(chat))
        assert len(times) == 5
        assert min(pauses(times)) >= 1


def test_names_that_are_read_in_any_order_by_many_at_once_are_locked_in_one(db: str, no_errors: None) -> None:
    names = ["c", "a", "d", "b"]
    began = threading.Barrier(4)

    def take(order: list[str]) -> None:
        began.wait(30)
        for number in range(15):
            with database.transaction():
                held = paces.hold(order)
                paces.move({name: (at + timedelta(seconds=1), until) for name, (at, until) in held.items()})
            if number % 5 == 0:
                with database.transaction():
                    paces.forget(paces.LONG_AGO)

    at_once([lambda order=order: take(order) for order in (names, names[::-1], sorted(names), names)])  # type: ignore[misc]
    with database.session():
        rows = database.rows(Pace.select())
    assert {row["next_at"] for row in rows} == {paces.LONG_AGO + timedelta(seconds=60)}


def test_names_that_are_long_past_are_forgotten(street: Street) -> None:
    street.owe("7", "8")
    street.until_empty()
    street.clock.forward(hours=2)
    street.owe("9")
    street.until_empty()
    with database.transaction():
        assert paces.forget(street.clock.now - timedelta(hours=1)) == 2
    with database.session():
        assert {row["key"] for row in database.rows(Pace.select())} == {"chat/bot", "chat/9"}
        assert Notification.select().count() == 3
