"""A circuit breaker: what keeps failing is left alone for a while."""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TypeVar

import structlog

from bot.errors import FirstlineError

log = structlog.get_logger(__name__)
Result = TypeVar("Result")

PROBE_WAIT = 1.0
"""Seconds after which to ask again while somebody else's probe is running."""


class CircuitOpen(FirstlineError):
    """Raised instead of the call while the circuit is open. `retry_in` is the number of seconds until it is worth
    asking again; nothing was tried, so this does not count as an attempt."""

    def __init__(self, name: str, retry_in: float) -> None:
        super().__init__(f"{name} is left alone for {retry_in:.1f} s")
        self.name = name
        self.retry_in = retry_in


class Breaker:
    """Stands before one outside system, in one process; safe to share between threads.

    Opens after `failures` failures within `window` seconds. After `reset` seconds exactly one call, the probe, is let
    through: if it fails the circuit stays open for another `reset` seconds, otherwise it closes. `trips` tells whether
    an exception counts as a failure; one that does not (a refusal, say) proves that the other side is there. `clock`
    returns seconds and never goes back.
    """

    def __init__(
        self,
        name: str,
        trips: Callable[[Exception], bool] = lambda exc: True,
        failures: int = 5,
        window: float = 60,
        reset: float = 30,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._trips = trips
        self._limit = failures
        self._window = window
        self._reset = reset
        self._clock = clock
        self._lock = threading.Lock()
        self._failed_at: deque[float] = deque()
        self._open_until: float | None = None
        self._probing = False
        self._era = 0  # counts openings and closings: what began before the last of them says nothing about now

    @property
    def state(self) -> str:
        """`closed`, `open` or `half-open` (the next call, or the one that is running, is the probe)."""
        with self._lock:
            if self._open_until is None:
                return "closed"
            return "open" if self._clock() < self._open_until else "half-open"

    def call(self, fn: Callable[..., Result], *args: object) -> Result:
        """Return `fn(*args)`, or raise what it raises. Raises CircuitOpen without calling it while the circuit is open.

        No lock is held while `fn` runs, so calls do not wait for each other. `fn` has to end by itself: nobody else may
        try while the probe runs.
        """
        era = self._admit()
        failed: bool | None = None  # stays so if the call was interrupted, which tells nothing about the other side
        try:
            result = fn(*args)
            failed = False
        except Exception as exc:
            failed = self._trips(exc)
            raise
        finally:
            self._settle(era, failed)
        return result

    def _admit(self) -> int:
        with self._lock:
            if self._open_until is not None:
                wait = self._open_until - self._clock()
                if wait > 0 or self._probing:
                    raise CircuitOpen(self.name, wait if wait > 0 else PROBE_WAIT)
                self._probing = True
            return self._era

    def _settle(self, era: int, failed: bool | None) -> None:
        with self._lock:
            event = self._next(failed) if era == self._era else None
        if event is not None:
            log.warning(event, circuit=self.name, reset_seconds=self._reset)

    def _next(self, failed: bool | None) -> str | None:
        """Move on after a call of this era; the event to log, if the circuit changed. The lock is held."""
        probe = self._probing
        self._probing = False
        if failed and (probe or self._is_too_much()):
            return self._switch("breaker.opened", self._clock() + self._reset)
        if failed is False and probe:
            return self._switch("breaker.closed", None)
        return None

    def _is_too_much(self) -> bool:
        now = self._clock()
        self._failed_at.append(now)
        while self._failed_at[0] < now - self._window:
            self._failed_at.popleft()
        return len(self._failed_at) >= self._limit

    def _switch(self, event: str, open_until: float | None) -> str:
        self._open_until = open_until
        self._failed_at.clear()
        self._era += 1
        return event
