"""Lanes: in order, one worker at a time, and nothing lost when a worker dies or is late."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from peewee import OperationalError

from adapters.dispatch import Threads
from bot.breaker import CircuitOpen
from bot.errors import LeaseLost, TryLater, Undeliverable
from bot.lanes import Lanes, Lease, backoff
from storage import database, jobs, lanes
from storage.tables import Job, Lane
from tests.fakes import NOON, TestClock

LEASE = timedelta(seconds=10)


def add_job(lane_of: str, number: int, clock: TestClock, after: float = 0) -> None:
    """Put a piece of work into the lane job/test/<lane_of>."""
    lane = f"job/test/{lane_of}"
    due_at = clock.now + timedelta(seconds=after)
    row = {"lane": lane, "kind": "test", "payload": {"n": number}, "dedupe": f"{lane_of}-{number}"}
    with database.transaction():
        database.insert(Job, [{**row, "due_at": due_at, "created_at": clock.now}])
        lanes.wake({lane: due_at})


def working(clock: TestClock, handler: Callable[[Lease], None], attempts: int = 3) -> Lanes:
    return Lanes({"job": handler}, clock, LEASE, attempts)


def finish(lease: Lease) -> None:
    with lease.finishing():
        jobs.done(lease.row["id"])


def all_jobs() -> list[dict[str, Any]]:
    with database.session():
        return database.rows(Job.select().order_by(Job.id))


def all_lanes() -> list[dict[str, Any]]:
    with database.session():
        return database.rows(Lane.select())


def test_work_is_done_in_order_and_the_empty_lane_goes(db: str, clock: TestClock) -> None:
    for number in range(3):
        add_job("a", number, clock)
    done = []

    def handle(lease: Lease) -> None:
        done.append(lease.row["payload"]["n"])
        finish(lease)

    working(clock, handle).run("job/test/a")
    assert done == [0, 1, 2]
    assert all_lanes() == []


def test_a_lane_that_somebody_has_is_left_alone(db: str, clock: TestClock) -> None:
    add_job("a", 1, clock)
    seen = []

    def handle(lease: Lease) -> None:
        working(clock, lambda other: seen.append(other)).run("job/test/a")
        finish(lease)

    working(clock, handle).run("job/test/a")
    assert seen == []


def test_when_a_worker_dies_another_does_its_work_after_the_lease(db: str, clock: TestClock) -> None:
    add_job("a", 1, clock)

    def die(lease: Lease) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        working(clock, die).run("job/test/a")
    other = working(clock, finish)
    other.run("job/test/a")
    assert all_jobs()[0]["state"] == "new"
    clock.forward(seconds=11)
    other.run("job/test/a")
    assert all_jobs()[0]["state"] == "done"


def test_a_worker_that_is_too_late_writes_nothing(db: str, clock: TestClock) -> None:
    add_job("a", 1, clock)
    late = []

    def handle(lease: Lease) -> None:
        clock.forward(seconds=11)
        working(clock, finish).run("job/test/a")
        try:
            with lease.finishing() as now:
                lanes.bury(Job, lease.row["id"], 9, f"written too late, at {now}")
        except LeaseLost as exc:
            late.append(exc)
            raise

    working(clock, handle).run("job/test/a")
    assert len(late) == 1
    assert [(job["state"], job["attempts"]) for job in all_jobs()] == [("done", 0)]


def test_work_that_fails_is_tried_again_later_and_keeps_what_follows_waiting(db: str, clock: TestClock) -> None:
    add_job("a", 1, clock)
    add_job("a", 2, clock)
    done = []

    def handle(lease: Lease) -> None:
        if lease.row["payload"]["n"] == 1 and lease.row["attempts"] == 0:
            raise ValueError("not today")
        done.append(lease.row["payload"]["n"])
        finish(lease)

    lane = working(clock, handle)
    lane.run("job/test/a")
    assert done == []
    assert all_jobs()[0]["error"] == "ValueError: not today"
    clock.forward(seconds=2)
    lane.run("job/test/a")
    assert done == [1, 2]


def test_work_that_keeps_failing_is_put_aside_as_dead_and_frees_the_lane(db: str, clock: TestClock) -> None:
    add_job("a", 1, clock)
    add_job("a", 2, clock)

    def handle(lease: Lease) -> None:
        if lease.row["payload"]["n"] == 1:
            raise ValueError("never")
        finish(lease)

    lane = working(clock, handle, attempts=3)
    for _ in range(4):
        lane.run("job/test/a")
        clock.forward(hours=1)
    assert [(job["state"], job["attempts"]) for job in all_jobs()] == [("dead", 3), ("done", 0)]


def test_what_will_never_succeed_is_not_tried_again(db: str, clock: TestClock) -> None:
    add_job("a", 1, clock)

    def handle(lease: Lease) -> None:
        raise Undeliverable("refused")

    working(clock, handle).run("job/test/a")
    assert [(job["state"], job["attempts"]) for job in all_jobs()] == [("dead", 1)]


def test_a_request_to_wait_is_honoured(db: str, clock: TestClock) -> None:
    add_job("a", 1, clock)

    def handle(lease: Lease) -> None:
        raise TryLater("busy", retry_after=600)

    working(clock, handle).run("job/test/a")
    assert all_jobs()[0]["due_at"] == NOON + timedelta(seconds=600)


def test_an_open_circuit_costs_no_attempt(db: str, clock: TestClock) -> None:
    add_job("a", 1, clock)

    def handle(lease: Lease) -> None:
        raise CircuitOpen("desk", 30)

    working(clock, handle).run("job/test/a")
    assert [(job["attempts"], job["due_at"]) for job in all_jobs()] == [(0, NOON + timedelta(seconds=30))]


def test_work_is_not_done_before_it_is_due(db: str, clock: TestClock) -> None:
    add_job("a", 1, clock, after=60)
    lane = working(clock, finish)
    lane.run("job/test/a")
    assert all_jobs()[0]["state"] == "new"
    clock.forward(seconds=60)
    lane.run("job/test/a")
    assert all_jobs()[0]["state"] == "done"


def test_a_lane_is_due_when_its_first_work_is_even_if_later_work_is_due_sooner(db: str, clock: TestClock) -> None:
    add_job("a", 1, clock, after=60)
    add_job("a", 2, clock)
    working(clock, finish).run("job/test/a")
    assert [lane["due_at"] for lane in all_lanes()] == [NOON + timedelta(seconds=60)]
    assert [job["state"] for job in all_jobs()] == ["new", "new"]


def test_new_work_in_a_lane_that_is_being_worked_on_is_done_in_the_same_run(db: str, clock: TestClock) -> None:
    add_job("a", 0, clock)
    done = []

    def handle(lease: Lease) -> None:
        number = lease.row["payload"]["n"]
        if number < 3:
            add_job("a", number + 1, clock)
        done.append(number)
        finish(lease)

    working(clock, handle).run("job/test/a")
    assert done == [0, 1, 2, 3]


def test_after_stop_the_lane_is_handed_back_after_the_piece_in_hand(db: str, clock: TestClock) -> None:
    add_job("a", 1, clock)
    add_job("a", 2, clock)

    def handle(lease: Lease) -> None:
        lane.stop()
        finish(lease)

    lane = working(clock, handle)
    lane.run("job/test/a")
    assert [job["state"] for job in all_jobs()] == ["done", "new"]
    assert [(row["owner"], row["lease_until"]) for row in all_lanes()] == [(None, None)]


def test_the_sign_of_life_keeps_a_lease_that_the_work_outlasts(db: str, clock: TestClock) -> None:
    add_job("a", 1, clock)
    lost = []

    def handle(lease: Lease) -> None:
        for _ in range(5):
            clock.forward(seconds=5)
            lane._renew()
        working(clock, lambda other: lost.append(other)).run("job/test/a")
        finish(lease)

    lane = working(clock, handle)
    lane.run("job/test/a")
    assert lost == []
    assert all_jobs()[0]["state"] == "done"


def test_a_lease_that_fails_is_not_kept_alive(db: str, clock: TestClock, monkeypatch: pytest.MonkeyPatch) -> None:
    add_job("a", 1, clock)
    lane = working(clock, finish)

    def fail(*args: object) -> bool:
        raise OperationalError("the database is away")

    monkeypatch.setattr(lanes, "lease", fail)
    with pytest.raises(OperationalError):
        lane.run("job/test/a")
    assert not lane._held


def test_many_lanes_of_one_queue_hide_none_of_another(db: str) -> None:
    with database.transaction():
        lanes.wake({f"out/{number:04}": NOON - timedelta(hours=1) for number in range(20)})
        lanes.wake({"in/x": NOON})
        assert lanes.due(NOON, 10, "in/") == ["in/x"]
        assert len(lanes.due(NOON, 10, "out/")) == 10


def test_a_handler_that_neither_finishes_nor_raises_is_a_mistake_that_shows(db: str, clock: TestClock) -> None:
    add_job("a", 1, clock)
    with pytest.raises(AssertionError, match="neither finished"):
        working(clock, lambda lease: None).run("job/test/a")


def test_work_whose_lane_was_forgotten_is_found(db: str, clock: TestClock) -> None:
    add_job("a", 1, clock)
    with database.transaction():
        Lane.delete().execute()
        assert lanes.due(clock.now, 10) == []
        assert lanes.wake_forgotten(10) == 1
        assert lanes.due(clock.now, 10) == ["job/test/a"]
        assert lanes.wake_forgotten(10) == 0


def test_waking_a_lane_never_makes_it_later(db: str) -> None:
    with database.transaction():
        lanes.wake({"in/x": NOON})
        lanes.wake({"in/x": NOON + timedelta(hours=1)})
        assert lanes.due(NOON, 10) == ["in/x"]
        lanes.wake({"in/x": NOON - timedelta(hours=1)})
        assert lanes.due(NOON - timedelta(hours=1), 10) == ["in/x"]


def test_many_workers_of_two_processes_do_everything_once_and_in_order(db: str, clock: TestClock) -> None:
    for number in range(20):
        for lane in "abcdef":
            add_job(lane, number, clock)
    done: dict[str, list[int]] = {lane: [] for lane in "abcdef"}
    at_work: set[str] = set()
    everything = threading.Event()

    def handle(lease: Lease) -> None:
        assert lease.lane not in at_work
        at_work.add(lease.lane)
        done[lease.lane[-1]].append(lease.row["payload"]["n"])
        at_work.discard(lease.lane)
        finish(lease)
        if sum(map(len, done.values())) == 120:
            everything.set()

    processes = [working(clock, handle) for _ in range(2)]
    pools = [Threads(process.run, workers=4) for process in processes]
    look_outs: list[threading.Thread] = []
    for process, pool in zip(processes, pools, strict=True):
        pool.start()
        look_outs.append(threading.Thread(target=process.look_out, args=(pool,)))
        look_outs[-1].start()
    assert everything.wait(20)
    for process, pool in zip(processes, pools, strict=True):
        process.stop()
        assert pool.stop(5)
    for look_out in look_outs:
        look_out.join(5)
    assert done == {lane: list(range(20)) for lane in "abcdef"}


@pytest.mark.parametrize("attempts", [1, 2, 5, 12, 24, 1000])
def test_the_wait_grows_and_ends_at_an_hour(attempts: int) -> None:
    longest = min(2.0 ** (attempts - 1), 3600)
    assert longest / 2 <= backoff(attempts).total_seconds() <= longest
