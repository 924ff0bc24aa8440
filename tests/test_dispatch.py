"""The threads that work on lanes: nobody is worked on twice at once for one wake-up, and nobody starves."""

import threading
import time

import pytest

from adapters.dispatch import Threads
from tests.mailbox import wait_until


def test_every_lane_that_is_woken_is_run() -> None:
    run: list[str] = []
    threads = Threads(run.append, workers=3)
    threads.start()
    lanes = [f"{queue}/{number}" for number in range(50) for queue in ("in", "out", "job")]
    for lane in lanes:
        threads.wake(lane)
    wait_until(lambda: len(run) == len(lanes))
    assert threads.stop(5)
    assert sorted(run) == sorted(lanes)


def test_a_lane_that_waits_is_not_put_twice() -> None:
    run: list[str] = []
    threads = Threads(run.append, workers=1)
    for _ in range(5):
        threads.wake("in/a")
    threads.start()
    wait_until(lambda: run)
    assert threads.stop(5)
    assert run == ["in/a"]


def test_queues_take_turns() -> None:
    run: list[str] = []
    threads = Threads(run.append, workers=1)
    for number in range(3):
        threads.wake(f"in/{number}")
    for number in range(3):
        threads.wake(f"out/{number}")
    threads.start()
    wait_until(lambda: len(run) == 6)
    assert threads.stop(5)
    assert [lane.partition("/")[0] for lane in run] == ["in", "out"] * 3
    assert [lane for lane in run if lane.startswith("in")] == ["in/0", "in/1", "in/2"]


@pytest.mark.parametrize("workers", [2, 3, 4, 16])
def test_senders_that_hang_leave_room_for_messages(workers: int) -> None:
    hanging = threading.Event()
    run: list[str] = []

    def work(lane: str) -> None:
        if lane.startswith("out"):
            hanging.wait(20)
        run.append(lane)

    threads = Threads(work, workers)
    for number in range(20):
        threads.wake(f"out/{number}")
    threads.start()
    time.sleep(0.1)
    threads.wake("in/a")
    wait_until(lambda: run == ["in/a"], 5)
    hanging.set()
    wait_until(lambda: len(run) == 21)
    assert threads.stop(5)


@pytest.mark.parametrize("workers", [2, 4, 16])
def test_files_that_are_slow_to_fetch_leave_room_for_texts_and_the_desk(workers: int) -> None:
    hanging = threading.Event()
    run: list[str] = []

    def work(lane: str) -> None:
        if lane.startswith("job/file/"):
            hanging.wait(20)
        run.append(lane)

    threads = Threads(work, workers)
    for number in range(20):
        threads.wake(f"job/file/{number}")
    threads.start()
    time.sleep(0.1)
    others = {"out/a", "job/b", "in/c"} if workers > 2 else {"in/c"}  # of two, one is for messages alone
    for lane in others:
        threads.wake(lane)
    wait_until(lambda: set(run) == others, 5)
    hanging.set()
    wait_until(lambda: len(run) == 20 + len(others))
    assert threads.stop(5)


def test_one_worker_alone_does_everything() -> None:
    run: list[str] = []
    threads = Threads(run.append, workers=1)
    threads.start()
    threads.wake("out/a")
    threads.wake("job/b")
    wait_until(lambda: len(run) == 2)
    assert threads.stop(5)


def test_a_lane_that_fails_does_not_end_its_thread() -> None:
    run: list[str] = []

    def work(lane: str) -> None:
        run.append(lane)
        raise ValueError("a mistake")

    threads = Threads(work, workers=1)
    threads.start()
    threads.wake("in/a")
    threads.wake("in/b")
    wait_until(lambda: run == ["in/a", "in/b"])
    assert threads.stop(5)


def test_stop_says_whether_somebody_is_still_at_it() -> None:
    hanging = threading.Event()
    threads = Threads(lambda lane: bool(hanging.wait(20)), workers=1)  # type: ignore[arg-type, return-value]
    threads.start()
    threads.wake("in/a")
    time.sleep(0.1)
    assert not threads.stop(0.1)
    hanging.set()
    assert threads.stop(5)
