"""Telling other processes of work, by dramatiq on RabbitMQ or Redis: what QUEUE_URL switches on.

A wake-up is a hint: it may be lost, come twice or late. Every process that works looks for due lanes in the database as
well, so nothing here is retried, confirmed, delayed or kept for long, and a broker that is away costs one look. What is
due later is nobody's hint: the lookout finds it when its time has come.

A message holds one text: the key of a lane, which may have an address in it, encrypted.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from bot.errors import ConfigurationError
from bot.ports import Dispatcher

if TYPE_CHECKING:
    from dramatiq import Broker

log = structlog.get_logger()

QUEUES = ("in", "out", "job", "job/file")
"""What waits in a queue of its own (see `queue_of` in dispatch.py), the most urgent first."""

REMEMBERED = 10_000
"""Wake-ups that wait in one queue, here and at the broker; more are dropped, and their lanes found by the lookout."""

PAUSE = 5.0
"""Seconds for which a broker that failed is left alone."""

CHECK_EVERY = 10.0
"""Seconds after which a broker that was told nothing is asked whether it is there: its connection stays alive by it."""

STEP = 2.0
"""Seconds that one network step to the broker may take."""

KEPT = 60_000
"""Milliseconds for which RabbitMQ keeps a wake-up: long before that the lookout has found the lane. For a queue that
exists RabbitMQ lets neither this nor REMEMBERED be changed: who changes them gives the queues other names."""

STOPS_BELL = 1.0
"""Seconds that the thread which tells others gets to end; it has nothing that anybody would miss."""


class Line(Protocol):
    """The threads of this process that work."""

    @property
    def busy(self) -> bool:
        """Whether a lane that is woken now has to wait."""

    def wake(self, lane: str) -> None: ...

    def run(self, lane: str) -> None:
        """Do the lane's work in the thread of the caller, or have it wait if it is not its turn."""

    def start(self) -> None: ...

    def stop(self, within: float) -> bool: ...


class Cipher(Protocol):
    """Hides what may be an address from whoever can look into the broker."""

    def close(self, lane: str) -> str: ...

    def open(self, text: str) -> str:
        """Return the lane. Raises if we have not closed it."""


class Bell(Dispatcher):
    """Tells of work, and does none. `wake` costs a dictionary's entry; the network is left to a thread of our own.
    `count` is told what became of each wake-up: `sent`, or `lost`."""

    def __init__(
        self, broker: "Rings", cipher: Cipher, queue_of: Callable[[str], str], count: Callable[[str], None]
    ) -> None:
        self._broker = broker
        self._cipher = cipher
        self._queue_of = queue_of
        self._count = count
        self._waiting: Mapping[str, dict[str, None]] = {queue: {} for queue in QUEUES}
        self._changed = threading.Condition()
        self._stopping = False
        self._away_until = 0.0
        self._is_away = False
        self._thread = threading.Thread(target=self._ring_on, name="bell", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self, lane: str) -> None:
        """Have somebody told. A lane of whom somebody is about to be told is not put twice."""
        with self._changed:
            waiting = self._waiting[self._queue_of(lane)]
            if len(waiting) < REMEMBERED:
                waiting[lane] = None
                self._changed.notify()

    def stop(self, within: float) -> None:
        """End, and forget what waits."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join(min(within, STOPS_BELL))

    def _ring_on(self) -> None:
        while not self._stopping:
            lane = self._next()
            if not self._stopping:
                self._ring(lane)
        self._broker.hang_up()

    def _next(self) -> str | None:
        """Wait for a wake-up; None if there was none for a while."""
        with self._changed:
            if not any(self._waiting.values()) and not self._stopping:
                self._changed.wait(CHECK_EVERY)
            for waiting in self._waiting.values():
                if waiting:
                    lane = next(iter(waiting))
                    del waiting[lane]
                    return lane
        return None

    def _ring(self, lane: str | None) -> None:
        if time.monotonic() < self._away_until:
            self._tell(lane, "lost")
            return
        try:
            if lane is None:
                self._broker.check()
            else:
                self._broker.ring(self._queue_of(lane), self._cipher.close(lane))
        except Exception as exc:  # whatever a client library may raise: the lookout finds the lane
            self._away_until = time.monotonic() + PAUSE
            self._tell(lane, "lost")
            if not self._is_away:
                log.warning("queue.away", error=type(exc).__name__, looked_for_work="in the database alone")
            self._is_away = True
        else:
            self._tell(lane, "sent")
            if self._is_away:
                log.info("queue.back")
            self._is_away = False

    def _tell(self, lane: str | None, outcome: str) -> None:
        if lane is not None:
            self._count(outcome)


class Shared(Dispatcher):
    """For a process that works together with others. It does itself what it has a free thread for, and tells the others
    of the rest; what they tell is run by the threads of a dramatiq worker. `here` are this process's own threads, who
    do what the lookout finds; both together never do more at once than those alone would."""

    def __init__(self, broker: "Rings", bell: Bell, here: Line, workers: int) -> None:
        self._broker = broker
        self._bell = bell
        self._here = here
        self._workers = workers

    def start(self) -> None:
        self._here.start()
        self._bell.start()
        self._broker.listen(self._workers)

    def wake(self, lane: str) -> None:
        if self._here.busy:
            self._bell.wake(lane)
        self._here.wake(lane)

    def stop(self, within: float) -> bool:
        """Let every thread finish what it has in hand; False if one has not after so many seconds."""
        last = time.monotonic() + within
        self._bell.stop(within)
        deaf = threading.Thread(target=self._broker.close, args=(within,), name="queue-close", daemon=True)
        deaf.start()  # beside the others: with a broker that is away it may take all the time there is
        done = self._here.stop(within)
        deaf.join(max(0.0, last - time.monotonic()))
        return done and not self._broker.at_work


class Rings:
    """The broker, and the four queues on it. `run` is given the key of each lane that arrives here (once `listen` was
    called). Connects when it is first needed. Raises ConfigurationError without the extra `queue`."""

    def __init__(self, url: str, cipher: Cipher, run: Callable[[str], None]) -> None:
        self._cipher = cipher
        self._run = run
        self._guard = threading.Lock()
        self.at_work = 0
        for name in ("dramatiq", "pika"):  # what they say of a broker that is away, they say again and again
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        try:
            self._broker = _open(url)
            from dramatiq import Actor
        except ImportError:
            raise ConfigurationError(
                "QUEUE_URL: wake-ups need more packages. Install them: pip install 'firstline[queue]'"
            ) from None
        self._actors: dict[str, Any] = {}
        for priority, queue in enumerate(QUEUES):
            name = queue.replace("/", ".")
            self._actors[queue] = Actor(
                self._arrive,
                broker=self._broker,
                actor_name=f"run.{name}",
                queue_name=f"firstline.{name}",
                priority=priority,
                options={},
            )
        self._broker.delay_queues.clear()  # nothing is delayed: no threads and connections for it
        self._worker: Any = None

    def ring(self, queue: str, text: str) -> None:
        """Tell one of those who listen. Raises whatever the client library raises, within seconds."""
        self._broker.enqueue(self._actors[queue].message(text))

    def check(self) -> None:
        """Return if the broker answers. Raises whatever the client library raises, within seconds."""
        self._broker.check()  # type: ignore[attr-defined]

    def listen(self, workers: int) -> None:
        """Have `run` called for what arrives, by so many threads."""
        from dramatiq import Worker

        self._worker = Worker(self._broker, worker_timeout=100, worker_threads=workers)
        self._worker.queue_prefetch = workers  # not twice as many: others may be idle
        self._worker.start()

    def hang_up(self) -> None:
        """Let go of the connection by which this thread has told others."""
        self._broker.hang_up()  # type: ignore[attr-defined]

    def close(self, within: float) -> None:
        """Listen no more: hand back what waits, within so many seconds if the broker is there."""
        if self._worker is not None:
            self._worker.stop(timeout=int(within * 1000))
        with suppress(Exception):  # whatever a connection may say that is gone already
            self._broker.close()
            self.hang_up()

    def _arrive(self, text: str) -> None:
        try:
            lane = self._cipher.open(text)
        except Exception:
            log.warning("queue.not_ours")  # of another installation on the same broker, say
            return
        with self._guard:
            self.at_work += 1
        try:
            self._run(lane)
        except Exception as exc:  # nothing is lost: the lane is found again
            log.error("lane.failed", lane=lane, exc_info=exc)
        finally:
            with self._guard:
                self.at_work -= 1


def _open(url: str) -> "Broker":
    """Build a dramatiq broker without the middleware that it comes with: no retries, no time or age limits, no
    pipelines. Nor its Prometheus: that one serves a port of its own to everybody, and has prometheus_client keep all
    figures in files. Raises ImportError."""
    return _rabbitmq(url) if url.startswith("amqp") else _redis(url)


def _rabbitmq(url: str) -> "Broker":
    from dramatiq.brokers.rabbitmq import RabbitmqBroker

    class RabbitMQ(RabbitmqBroker):
        """Queues that forget."""

        def _build_queue_arguments(self, queue_name: str) -> dict[str, Any]:
            return {"x-message-ttl": KEPT, "x-max-length": REMEMBERED}

        def _declare_dq_queue(self, queue_name: str) -> None:
            """Nothing is delayed."""

        def _declare_xq_queue(self, queue_name: str) -> None:
            """Nothing is kept that failed."""

        def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> Any:
            self.queues_pending.update(self.queues)  # a server that lost its queues gets them again
            return super().consume(queue_name, prefetch, timeout)

        def check(self) -> None:
            try:
                self.connection.process_data_events()
            except Exception:
                self.hang_up()
                raise

        def hang_up(self) -> None:
            self.queues_pending.update(self.queues)
            del self.connection

    broker = RabbitMQ(url=url, middleware=[])
    parameters: Any = broker.parameters
    parameters.connection_attempts = 1
    parameters.socket_timeout = parameters.stack_timeout = STEP
    parameters.blocked_connection_timeout = 2 * STEP
    parameters.heartbeat = int(3 * CHECK_EVERY)
    return broker


def _redis(url: str) -> "Broker":
    from dramatiq.brokers.redis import RedisBroker
    from redis import Redis

    class BoundedRedis(RedisBroker):
        """Queues that take only so much: how much room a queue has is asked for every hundred messages."""

        def __init__(self, **options: Any) -> None:
            super().__init__(**options)  # type: ignore[no-untyped-call]
            self._room: Counter[str] = Counter()

        def enqueue(self, message: Any, *, delay: int | None = None) -> Any:
            queue = message.queue_name
            if self._room[queue] <= 0:
                self._room[queue] = min(100, REMEMBERED - self.client.llen(f"{self.namespace}:{queue}"))
            if self._room[queue] <= 0:
                return message
            self._room[queue] -= 1
            return super().enqueue(message, delay=delay)

        def check(self) -> None:
            self.client.ping()

        def hang_up(self) -> None:
            self.client.close()

    client = Redis.from_url(url, socket_timeout=STEP, socket_connect_timeout=STEP, health_check_interval=30)
    return BoundedRedis(client=client, namespace="firstline", middleware=[])
