"""Getting lanes worked on: here by threads of this process."""

import queue
import threading
import time
from collections.abc import Callable

import structlog

from bot.ports import Dispatcher

log = structlog.get_logger()

REMEMBERED = 10_000
"""Wake-ups kept; more are dropped, and found again by the lookout."""


class Nobody(Dispatcher):
    """For a process that accepts messages and works on none: the workers' lookout finds them."""

    def wake(self, lane: str) -> None:
        pass


class Threads(Dispatcher):
    """`workers` threads that call `run_lane` for each lane that was woken."""

    def __init__(self, run_lane: Callable[[str], None], workers: int) -> None:
        self._run_lane = run_lane
        self._guard = threading.Lock()
        self._waiting: set[str] = set()
        self._woken: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, name=f"worker-{number}", daemon=True) for number in range(workers)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def wake(self, lane: str) -> None:
        """Have a thread look at this lane. A lane that waits for one already is not put twice."""
        with self._guard:
            if lane in self._waiting or len(self._waiting) >= REMEMBERED:
                return
            self._waiting.add(lane)
        self._woken.put(lane)

    def stop(self, within: float) -> bool:
        """Let every thread finish what it has in hand; False if one has not after so many seconds."""
        for _ in self._threads:
            self._woken.put(None)
        last = time.monotonic() + within
        for thread in self._threads:
            thread.join(max(0.0, last - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        while (lane := self._woken.get()) is not None:
            with self._guard:
                self._waiting.discard(lane)
            try:
                self._run_lane(lane)
            except Exception as exc:  # nothing is lost: the lane is found again
                log.error("lane.failed", lane=lane, exc_info=exc)
