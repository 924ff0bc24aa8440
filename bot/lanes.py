"""Running a lane: lease it, do its work in order, hand it back.

A process that dies loses nothing: its lease ends, another worker takes the lane and finds the same piece of work at its
head. A process that is only slow cannot do harm: the end of every piece is fenced by the lease, in one transaction with
all that it made.
"""

import itertools
import os
import random
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog

from bot import measure
from bot.breaker import CircuitOpen
from bot.errors import LeaseLost, TryLater, Undeliverable
from bot.ports import Clock, Dispatcher
from storage import database, lanes

log = structlog.get_logger()

LOOK_EVERY = 0.2
"""Seconds between two looks for due lanes: what the work of another process waits at most until it is begun here."""
LOOK_EVERY_IF_TOLD = 1.0
"""The same where processes tell each other of work: what a wake-up that was lost costs."""
LONGEST_WAIT = timedelta(hours=1)


def backoff(attempts: int) -> timedelta:
    """Return how long to wait after this many attempts: 1 s, doubled each time, at most an hour, with jitter."""
    longest = min(timedelta(seconds=2 ** min(attempts - 1, 20)), LONGEST_WAIT)
    return longest * random.uniform(0.5, 1)


@dataclass(slots=True)
class Lease:
    """A lane that is ours, and the piece of work at its head (None: we have handed it back)."""

    lane: str
    owner: str
    work: dict[str, Any] | None
    _lanes: "Lanes"

    @property
    def row(self) -> dict[str, Any]:
        """The piece of work. Only while there is one."""
        assert self.work is not None
        return self.work

    @contextmanager
    def fenced(self) -> Iterator[datetime]:
        """A transaction that holds only while the lane is ours; raises LeaseLost. Gives the time."""
        with self._lanes.fenced(self) as now:
            yield now

    @contextmanager
    def finishing(self) -> Iterator[datetime]:
        """The transaction that ends the piece of work: inside, mark it as done and write what it made. The next piece
        becomes the head, or the lane is handed back, in the same transaction."""
        with self._lanes.finishing(self) as now:
            yield now


Handler = Callable[[Lease], None]


class Lanes:
    """The lanes that this process works on.

    `handlers` says what to do with the work of each queue (`in`, `out`, `job`); a handler ends its piece of work with
    `lease.finishing()`, or raises: then the piece is tried again later, `attempts` times in all.
    """

    def __init__(self, handlers: Mapping[str, Handler], clock: Clock, lease: timedelta, attempts: int) -> None:
        self._handlers = handlers
        self._clock = clock
        self._length = lease
        self._attempts = attempts
        self._process = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self._numbers = itertools.count(1)
        self._held: set[str] = set()
        self._stopping = threading.Event()

    def run(self, lane: str) -> None:
        """Do all the work of this lane that is due, in order, unless somebody else is at it."""
        if self._stopping.is_set():
            return
        lease = Lease(lane, f"{self._process}:{next(self._numbers)}", None, self)
        self._held.add(lease.owner)
        try:
            self._take(lease)
            while lease.work is not None:
                self._do(lease)
        finally:
            self._held.discard(lease.owner)

    def _take(self, lease: Lease) -> None:
        with database.transaction(durable=False):
            now = self._clock()
            if lanes.lease(lease.lane, lease.owner, now, now + self._length):
                lease.work = self._next(lease, now)

    def _next(self, lease: Lease, now: datetime) -> dict[str, Any] | None:
        """Return the head if it is due; else hand the lane back."""
        head = lanes.head(lease.lane)
        if head is not None and head["due_at"] <= now and not self._stopping.is_set():
            return head
        lanes.release(lease.lane, lease.owner, None if head is None else head["due_at"])
        return None

    @contextmanager
    def fenced(self, lease: Lease) -> Iterator[datetime]:
        with database.transaction():
            now = self._clock()
            if not lanes.fence(lease.lane, lease.owner, now, now + self._length):
                raise LeaseLost(f"the lease of a {lease.lane.partition('/')[0]} lane has ended")
            yield now

    @contextmanager
    def finishing(self, lease: Lease) -> Iterator[datetime]:
        with self.fenced(lease) as now:
            yield now
            head = self._next(lease, now)
        lease.work = head

    def _do(self, lease: Lease) -> None:
        piece = lease.work
        try:
            with measure.span(_named(lease), part_of=lease.row["trace"]):
                self._handlers[lease.lane.partition("/")[0]](lease)
        except LeaseLost:
            log.warning("lane.lost", lane=lease.lane)
            lease.work = None
        except Exception as exc:
            self._fail(lease, exc)
        if lease.work is piece and piece is not None:
            raise AssertionError(f"the handler of {lease.lane} neither finished its work nor raised")

    def _fail(self, lease: Lease, exc: Exception) -> None:
        """Try the piece again later, or put it aside as dead. If even that cannot be written, the lease runs out."""
        tried = not isinstance(exc, CircuitOpen)  # else nobody was asked, and it is no attempt
        attempts = lease.row["attempts"] + tried
        dead = attempts >= self._attempts or isinstance(exc, Undeliverable)
        wait = max(backoff(max(attempts, 1)), asked_to_wait(exc))
        measure.failures.labels("dead" if dead else "work").inc()
        if not dead:
            measure.retries.labels(lease.lane.partition("/")[0]).inc()
        log.error("work.dead" if dead else "work.failed", lane=lease.lane, attempts=attempts, exc_info=exc)
        queue, row_id, error = lanes.queue_of(lease.lane), lease.row["id"], describe(exc)
        try:
            with lease.finishing() as now:
                if dead:
                    lanes.bury(queue, row_id, attempts, error)
                else:
                    lanes.put_off(queue, row_id, attempts, now + wait, error)
        except Exception as again:
            log.error("lane.abandoned", lane=lease.lane, exc_info=again)
            lease.work = None

    def keep_alive(self) -> None:
        """Renew all leases of this process, every third of their length, until `stop` and the last is
        handed back. For a thread of its own."""
        period = self._length.total_seconds() / 3
        while not self._stopping.wait(period):
            self._try_to_renew()
        while self._held:
            self._try_to_renew()
            time.sleep(min(period, 0.1))

    def _try_to_renew(self) -> None:
        try:
            self._renew()
        except Exception as exc:
            log.error("lanes.not_renewed", exc_info=exc)

    def _renew(self) -> None:
        held = list(self._held)
        if held:
            now = self._clock()
            with database.transaction(durable=False):
                lanes.renew(held, now, now + self._length)

    def look_out(self, dispatcher: Dispatcher, is_told: bool = False) -> None:
        """Wake every lane that is due, until `stop`: those of other processes, of lost wake-ups, of a process that
        died. `is_told`: other processes tell this one of work. For a thread of its own."""
        while not self._stopping.wait(LOOK_EVERY_IF_TOLD if is_told else LOOK_EVERY):
            try:
                with database.session():
                    now = self._clock()
                    due = [lane for queue in lanes.QUEUES for lane in lanes.due(now, 1000, f"{queue}/")]
                for lane in due:
                    dispatcher.wake(lane)
            except Exception as exc:
                log.error("lanes.not_seen", exc_info=exc)
                self._stopping.wait(1)

    def stop(self) -> None:
        """Begin no further piece of work; lanes are handed back after the piece in hand."""
        self._stopping.set()


def _named(lease: Lease) -> str:
    """Name what is being done, for a trace."""
    queue = lease.lane.partition("/")[0]
    return {"in": "handle", "out": "deliver"}.get(queue) or f"job {lease.row['kind']}"


def asked_to_wait(exc: Exception) -> timedelta:
    """Return how long the other side asked us to wait."""
    match exc:
        case TryLater(retry_after=float() | int() as seconds) | CircuitOpen(retry_in=seconds):
            return timedelta(seconds=seconds)
    return timedelta(0)


def describe(exc: BaseException) -> str:
    """Say what went wrong in one short line that may be stored."""
    return f"{type(exc).__name__}: {exc}".splitlines()[0][:300]
