"""The circuit breaker, with real threads and a clock that the test moves."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from structlog.testing import capture_logs

from bot.breaker import Breaker, CircuitOpen
from bot.errors import FirstlineError


class Clock:
    """Monotonic seconds that pass only when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker("desk", trips=lambda exc: isinstance(exc, OSError), failures=3, window=60, reset=30, clock=clock)


def fail() -> None:
    raise OSError("down")


def refuse() -> None:
    raise ValueError("no such thing")


def fail_times(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        with pytest.raises(OSError, match="down"):
            breaker.call(fail)


def test_passes_arguments_and_results_through(breaker: Breaker) -> None:
    assert breaker.call(divmod, 7, 2) == (3, 1)


def test_opens_after_the_given_number_of_failures(breaker: Breaker) -> None:
    fail_times(breaker, 3)
    with pytest.raises(CircuitOpen):
        breaker.call(fail)
    assert breaker.state == "open"


def test_says_in_how_many_seconds_to_ask_again(breaker: Breaker, clock: Clock) -> None:
    fail_times(breaker, 3)
    clock.now += 12
    with pytest.raises(CircuitOpen) as caught:
        breaker.call(fail)
    assert caught.value.retry_in == 18
    assert isinstance(caught.value, FirstlineError)


def test_an_open_circuit_does_not_call(breaker: Breaker) -> None:
    fail_times(breaker, 3)
    calls: list[int] = []
    with pytest.raises(CircuitOpen):
        breaker.call(calls.append, 1)
    assert calls == []


def test_failures_older_than_the_window_are_forgotten(breaker: Breaker, clock: Clock) -> None:
    fail_times(breaker, 2)
    clock.now += 61
    fail_times(breaker, 2)
    assert breaker.state == "closed"


def test_what_does_not_trip_is_raised_and_not_counted(breaker: Breaker) -> None:
    for _ in range(10):
        with pytest.raises(ValueError, match="no such thing"):
            breaker.call(refuse)
    assert breaker.state == "closed"


def test_a_probe_that_succeeds_closes_the_circuit(breaker: Breaker, clock: Clock) -> None:
    fail_times(breaker, 3)
    clock.now += 30
    assert breaker.state == "half-open"
    assert breaker.call(int, "7") == 7
    assert breaker.state == "closed"


def test_a_probe_that_fails_opens_it_for_another_while(breaker: Breaker, clock: Clock) -> None:
    fail_times(breaker, 3)
    clock.now += 30
    fail_times(breaker, 1)
    with pytest.raises(CircuitOpen) as caught:
        breaker.call(int)
    assert caught.value.retry_in == 30


def test_a_probe_that_is_refused_closes_it_because_somebody_answered(breaker: Breaker, clock: Clock) -> None:
    fail_times(breaker, 3)
    clock.now += 30
    with pytest.raises(ValueError, match="no such thing"):
        breaker.call(refuse)
    assert breaker.state == "closed"


def test_an_interrupted_probe_makes_room_for_another(breaker: Breaker, clock: Clock) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    fail_times(breaker, 3)
    clock.now += 30
    with pytest.raises(KeyboardInterrupt):
        breaker.call(interrupt)
    assert breaker.state == "half-open"
    assert breaker.call(int) == 0


def test_a_closed_circuit_starts_counting_at_zero(breaker: Breaker, clock: Clock) -> None:
    fail_times(breaker, 3)
    clock.now += 30
    breaker.call(int)
    fail_times(breaker, 2)
    assert breaker.state == "closed"


def test_exactly_one_call_goes_through_when_half_open(breaker: Breaker, clock: Clock) -> None:
    fail_times(breaker, 3)
    clock.now += 30
    inside, others_are_done = threading.Event(), threading.Event()
    calls: list[int] = []

    def probe() -> str:
        calls.append(1)
        inside.set()
        others_are_done.wait(5)
        return "up"

    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(breaker.call, probe)
        assert inside.wait(5)
        others = [pool.submit(breaker.call, probe) for _ in range(8)]
        refused = [type(other.exception(timeout=5)) for other in others]
        others_are_done.set()
        assert first.result(5) == "up"
    assert refused == [CircuitOpen] * 8
    assert len(calls) == 1


def test_a_late_failure_from_before_the_opening_changes_nothing(breaker: Breaker, clock: Clock) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def fail_late() -> None:
        inside.set()
        go_on.wait(5)
        raise OSError("late")

    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(breaker.call, fail_late)
        assert inside.wait(5)
        fail_times(breaker, 3)
        clock.now += 29
        go_on.set()
        assert isinstance(late.exception(timeout=5), OSError)
    clock.now += 1
    assert breaker.state == "half-open"


def test_calls_do_not_wait_for_each_other(breaker: Breaker) -> None:
    together = threading.Barrier(5, timeout=5)
    with ThreadPoolExecutor(5) as pool:
        for running in [pool.submit(breaker.call, together.wait) for _ in range(5)]:
            running.result(5)


def test_five_slow_calls_take_as_long_as_one() -> None:
    breaker = Breaker("desk")
    started = time.monotonic()
    with ThreadPoolExecutor(5) as pool:
        list(pool.map(lambda seconds: breaker.call(time.sleep, seconds), [0.2] * 5))
    assert time.monotonic() - started < 0.6


@pytest.mark.parametrize("act", [fail, int], ids=["opened again", "closed"])
def test_logs_when_it_opens_and_closes(breaker: Breaker, clock: Clock, act: Callable[[], object]) -> None:
    with capture_logs() as logs:
        fail_times(breaker, 3)
        clock.now += 30
        with suppress(OSError):
            breaker.call(act)
    assert [entry["event"] for entry in logs] == [
        "breaker.opened",
        "breaker.opened" if act is fail else "breaker.closed",
    ]
    assert {entry["circuit"] for entry in logs} == {"desk"}
