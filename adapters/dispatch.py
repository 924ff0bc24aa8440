"""Getting lanes worked on: here by threads of this process."""

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable

import structlog

from bot.ports import Dispatcher

log = structlog.get_logger()

REMEMBERED = 10_000
"""Lanes kept in mind for each queue; more are dropped, and found again by the lookout."""

PATIENCE = 1.0
"""Seconds for which a lane that somebody else told of waits for a free thread; then it is put in line here. By then
every other process has looked for due lanes itself."""

INBOUND = "in"
FILES = "job/file"


class Nobody(Dispatcher):
    """For a process that accepts messages and works on none: the workers' lookout finds them."""

    def wake(self, lane: str) -> None:
        pass


class Threads(Dispatcher):
    """`workers` threads that call `run_lane` for each lane that was woken.

    Lanes of different queues (the word before the `/`) take turns, so that what was begun is finished while more comes
    in. A quarter of the threads, at least one if there are two, never leaves the inbound lanes: a mail server that
    hangs must not keep messages from being handled. Nor may files that are slow to fetch keep texts from being sent: no
    more than a quarter of the threads works on those.
    """

    def __init__(self, run_lane: Callable[[str], None], workers: int) -> None:
        self._run_lane = run_lane
        guard = threading.RLock()
        self._changed = threading.Condition(guard)
        self._freed = threading.Condition(guard)
        self._woken: dict[str, OrderedDict[str, None]] = {}
        self._at_work: Counter[str] = Counter()
        self._most_elsewhere = max(1, workers - max(1, workers // 4))
        self._most_on_files = max(1, workers // 4)
        self._stopping = False
        self._threads = [
            threading.Thread(target=self._work, name=f"worker-{number}", daemon=True) for number in range(workers)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def wake(self, lane: str) -> None:
        """Have a thread look at this lane. A lane that waits for one already is not put twice."""
        with self._changed:
            lanes = self._woken.setdefault(queue_of(lane), OrderedDict())
            if len(lanes) < REMEMBERED:
                lanes[lane] = None
                self._changed.notify()

    @property
    def busy(self) -> bool:
        """Whether a lane that is woken now has to wait for a thread."""
        with self._changed:
            return self._at_work.total() + sum(map(len, self._woken.values())) >= len(self._threads)

    def run(self, lane: str) -> None:
        """Run this lane in the thread of the caller, if one of ours might begin it now; else wake it. While all are at
        work the caller waits, so that what comes behind this lane is left to others."""
        queue = queue_of(lane)
        with self._changed:
            self._freed.wait_for(lambda: self._stopping or self._at_work.total() < len(self._threads), PATIENCE)
            begins = self._at_work.total() < len(self._threads) and self._may_work_on(queue) and not self._stopping
            if begins:
                self._at_work[queue] += 1
        if begins:
            try:
                self._run_lane(lane)
            finally:
                self._put_down(lane)
        else:
            self.wake(lane)

    def stop(self, within: float) -> bool:
        """Let every thread finish what it has in hand; False if one has not after so many seconds. What waits is left
        to be found again."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
            self._freed.notify_all()
        last = time.monotonic() + within
        for thread in self._threads:
            thread.join(max(0.0, last - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        while (lane := self._take()) is not None:
            try:
                self._run_lane(lane)
            except Exception as exc:  # nothing is lost: the lane is found again
                log.error("lane.failed", lane=lane, exc_info=exc)
            finally:
                self._put_down(lane)

    def _take(self) -> str | None:
        """Wait for a lane; None is the end."""
        with self._changed:
            while not self._stopping:
                for queue in list(self._woken) if self._at_work.total() < len(self._threads) else ():
                    if self._woken[queue] and self._may_work_on(queue):
                        self._woken[queue] = self._woken.pop(queue)  # the others are first the next time
                        self._at_work[queue] += 1
                        return self._woken[queue].popitem(last=False)[0]
                self._changed.wait()
        return None

    def _may_work_on(self, queue: str) -> bool:
        if queue == FILES and self._at_work[FILES] >= self._most_on_files:
            return False
        elsewhere = self._at_work.total() - self._at_work[INBOUND]
        return queue == INBOUND or elsewhere < self._most_elsewhere

    def _put_down(self, lane: str) -> None:
        with self._changed:
            self._at_work[queue_of(lane)] -= 1
            self._changed.notify()
            self._freed.notify()


def queue_of(lane: str) -> str:
    """Return the queue that a lane waits in here: that of its work (see `storage/lanes.py`), files one of their own."""
    return FILES if lane.startswith(f"{FILES}/") else lane.partition("/")[0]
