"""A call to the world outside is held to its deadline, whole."""

import contextvars
import threading
import time

import pytest

from bot.deadline import DeadlinePassed, within


def test_what_returns_in_time_is_returned() -> None:
    assert within(5, lambda: 42) == 42


@pytest.mark.parametrize("failure", [ValueError("no"), TimeoutError("its own"), KeyboardInterrupt()])
def test_what_it_raises_in_time_is_raised(failure: BaseException) -> None:
    def fail() -> None:
        raise failure

    with pytest.raises(type(failure)) as caught:
        within(5, fail)
    assert caught.value is failure


def test_what_hangs_is_left_behind() -> None:
    released, began = threading.Event(), time.monotonic()
    with pytest.raises(DeadlinePassed, match=r"no answer within 0\.05 s"):
        within(0.05, lambda: released.wait(10))
    assert time.monotonic() - began < 2
    released.set()


def test_what_drips_in_is_held_to_the_whole() -> None:
    stop = threading.Event()

    def drip() -> None:
        while not stop.wait(0.01):
            pass

    with pytest.raises(DeadlinePassed):
        within(0.1, drip)
    stop.set()


def test_what_is_left_behind_may_fail_without_a_word() -> None:
    released, ended = threading.Event(), threading.Event()

    def fail_late() -> None:
        released.wait(10)
        ended.set()
        raise ValueError("nobody listens")

    with pytest.raises(DeadlinePassed):
        within(0.02, fail_late)
    released.set()
    assert ended.wait(5)


def test_many_at_once_do_not_wait_for_each_other() -> None:
    began = time.monotonic()
    threads = [threading.Thread(target=within, args=(5, lambda: time.sleep(0.1))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - began < 1.5


def test_the_call_sees_the_callers_context() -> None:
    name = contextvars.ContextVar("name", default="nobody")
    name.set("the caller")
    assert within(5, name.get) == "the caller"
