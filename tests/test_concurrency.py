"""Many at once, on both databases: nothing is lost, done twice or out of order, and nobody waits in a circle."""

import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog

from bot.errors import Conflict
from bot.follow_ups import FollowUps
from bot.model import Caller, Role, addresses_to_json
from storage import database, follow_ups, inbox, incidents, lanes, notifications
from storage.inbox import NewMessage
from storage.tables import FollowUp, InboxMessage, Job, Lane
from tests.fakes import LIFE, NOON, TestClock, WakeList, commands
from tests.hammer import Blow, add_job
from tests.postgres import ON_POSTGRESQL
from tests.test_outbox import TO
from tests.test_storage import values

ROOT = Path(__file__).parent.parent
LANES = [f"lane-{number}" for number in range(20)]
JOBS = 300


@pytest.fixture
def hammered(db: str) -> str:
    with database.transaction():
        Blow.create_table()
    return db


@pytest.fixture
def start(hammered: str) -> Iterator[Callable[[float], "subprocess.Popen[str]"]]:
    """Start a worker process, with leases of so many seconds."""
    processes = []

    def begin(lease: float) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "tests.hammer", hammered, str(lease)]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        processes.append(process)
        return process

    yield begin
    for process in processes:
        process.terminate()
    for process in processes:
        process.communicate(timeout=20)


def add_all(pause: float) -> None:
    """Add the jobs, lane by lane at random, while others are at work."""
    drawn = random.Random(7)
    numbers = dict.fromkeys(LANES, 0)
    for _ in range(JOBS):
        name = drawn.choice(LANES)
        add_job(name, numbers[name])
        numbers[name] += 1
        time.sleep(drawn.uniform(0, pause))


def blows() -> list[dict[str, Any]]:
    with database.session():
        return database.rows(Blow.select().order_by(Blow.id))


def wait_for(number: int, seconds: float) -> list[dict[str, Any]]:
    last = time.monotonic() + seconds
    while len(done := blows()) < number:
        assert time.monotonic() < last, f"{len(done)} of {number}"
        time.sleep(0.05)
    return done


def assert_all_done_once_and_in_order() -> None:
    done = blows()
    assert len(done) == JOBS
    for name in LANES:
        numbers = [blow["number"] for blow in done if blow["lane"] == f"job/test/{name}"]
        assert numbers == list(range(len(numbers))), name
    with database.session():
        assert [job["attempts"] for job in database.rows(Job.select()) if job["state"] != "done"] == []
        assert database.rows(Job.select().where(Job.attempts > 0)) == []


def assert_no_lane_is_left(seconds: float) -> None:
    last = time.monotonic() + seconds
    while True:
        with database.session():
            left = database.rows(Lane.select())
        if not left:
            return
        assert time.monotonic() < last, left
        time.sleep(0.05)


def test_two_processes_do_everything_once_and_in_order_while_more_comes_in(start: Callable[[float], Any]) -> None:
    first, second = start(10), start(10)
    add_all(pause=0.01)
    wait_for(JOBS, 30)
    assert_all_done_once_and_in_order()
    assert {blow["process"] for blow in blows()} == {first.pid, second.pid}
    assert_no_lane_is_left(5)


def test_when_a_process_is_killed_the_other_does_the_rest_once_and_in_order(start: Callable[[float], Any]) -> None:
    victim, survivor = start(1), start(1)
    adding = threading.Thread(target=add_all, args=(0.01,))
    adding.start()
    while not {victim.pid, survivor.pid} <= {blow["process"] for blow in wait_for(50, 30)}:
        time.sleep(0.01)
    victim.kill()
    adding.join()
    wait_for(JOBS, 30)
    assert_all_done_once_and_in_order()
    assert_no_lane_is_left(5)


# --- waiting in a circle


def in_threads(*calls: Callable[[], Any]) -> list[Any]:
    """Call all of them at once and return what they return; raises what one of them raises."""
    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result(30) for future in [pool.submit(call) for call in calls]]


def message(number: int) -> NewMessage:
    return NewMessage("web", f"m-{number}", f"i-{number}-{random.random()}", f"in/web/{number}", {}, "", NOON)


def store(numbers: list[int]) -> int:
    with database.transaction():
        return len(inbox.add([message(number) for number in numbers]))


def test_the_same_messages_may_come_in_at_two_places_in_any_order(db: str) -> None:
    with ThreadPoolExecutor(2) as pool:
        with database.transaction(), database.database.atomic() as undone:
            inbox.add([message(2)])  # both come to a halt here, each in the middle of its batch
            both = [pool.submit(store, numbers) for numbers in ([1, 2, 3], [3, 2, 1])]
            time.sleep(0.2)
            undone.rollback()
        assert sum(future.result(20) for future in both) == 3
    with database.session():
        assert InboxMessage.select().count() == 3


def open_many(number: int) -> list[str]:
    names = [f"i-{n}" for n in range(number)]
    with database.transaction():
        for name in names:
            incidents.open(values(id=name, ticket_id=f"TKT-{name}", addresses=addresses_to_json([TO])))
            follow_ups.schedule(name, NOON, {"reminder": NOON})
    return names


def test_who_resolves_while_reminders_are_made_gets_neither_an_error_nor_a_reminder(db: str, clock: TestClock) -> None:
    open_many(3)
    resolving: list[threading.Thread] = []
    errors: list[BaseException] = []

    def resolve() -> None:
        try:
            commands(clock).resolve("i-1", Caller("ana", Role.AGENT))
        except BaseException as exc:
            errors.append(exc)

    def at_the_same_time(logger: Any, method: str, event: Any) -> str:
        if event["event"] == "follow_up.claimed":
            resolving.append(threading.Thread(target=resolve))
            resolving[0].start()
            resolving[0].join(0.2)
        return ""

    structlog.configure(processors=[at_the_same_time])
    FollowUps(clock, WakeList(), LIFE).work()
    resolving[0].join()
    assert errors == []
    with database.session():
        assert FollowUp.select().where(FollowUp.due_at.is_null(False)).count() == 0
        reminders = [
            row["status"] for n in range(3) for row in notifications.of_incident(f"i-{n}") if row["kind"] == "reminder"
        ]
    assert reminders == ["pending", "cancelled", "pending"]


def test_of_many_who_resolve_at_once_one_does_and_the_others_are_told_who(db: str, clock: TestClock) -> None:
    open_many(20)

    def resolve(who: str) -> list[str]:
        told = []
        for number in range(20):
            try:
                commands(clock).resolve(f"i-{number}", Caller(who, Role.AGENT))
            except Conflict as exc:
                told.append(str(exc))
        return told

    told = in_threads(*[lambda who=who: resolve(who) for who in ("ana", "ben", "eva")])  # type: ignore[misc]
    assert sum(map(len, told)) == 40
    assert all("was resolved by" in text and "None" not in text for some in told for text in some)


@ON_POSTGRESQL
def test_the_sign_of_life_waits_for_no_lane_that_is_in_use(db: str) -> None:
    until = NOON + timedelta(seconds=10)
    with database.transaction():
        lanes.wake({"out/b": NOON, "in/a": NOON})
        assert all(lanes.lease(lane, "me", NOON, until) for lane in ("out/b", "in/a"))

    def renew() -> int:
        with database.transaction():
            return lanes.renew(["me"], NOON, until + timedelta(seconds=5))

    with database.transaction():
        assert lanes.fence("in/a", "me", NOON, until)
        assert in_threads(renew) == [1]  # out/b; in/a is being renewed by its own work
        lanes.wake({"out/b": NOON})
