"""Wake-ups by way of a broker: RabbitMQ and Redis, each a real one."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog

from adapters import broker as queues
from adapters.broker import Bell, Rings, Shared
from adapters.dispatch import Threads, queue_of
from bot.errors import ConfigurationError
from bot.sealing import Envelope
from bot.settings import Settings
from tests.mailbox import free_port, wait_until

LANES = ("in/email/ana@example.com", "out/email:ana@example.com", "job/i-7", "job/file/12")
CIPHER = Envelope(lambda: "k" * 40)


def ignore(lane: str) -> None:
    """What a process does with work that does none."""


class Process:
    """A process without a database: it tells, and (with `run`) works."""

    def __init__(self, url: str, run: Callable[[str], None] | None = None, workers: int = 2, cipher: Any = CIPHER):
        self.counted: list[str] = []
        self.threads = Threads(run or ignore, workers)
        self.rings = Rings(url, cipher, self.threads.run)
        self.bell = Bell(self.rings, cipher, queue_of, self.counted.append)
        self.dispatcher = self.bell if run is None else Shared(self.rings, self.bell, self.threads, workers)


@contextmanager
def process(url: str, *args: Any, **more: Any) -> Iterator[Process]:
    made = Process(url, *args, **more)
    made.dispatcher.start()
    try:
        yield made
    finally:
        made.dispatcher.stop(5)


def test_work_that_one_process_tells_of_is_done_by_another(broker: Any) -> None:
    run: list[str] = []
    with process(broker.url, run.append), process(broker.url) as web:
        for lane in LANES:
            web.dispatcher.wake(lane)
        wait_until(lambda: sorted(run) == sorted(LANES))


def test_a_message_has_nothing_in_it_that_says_who_somebody_is(broker: Any) -> None:
    with process(broker.url) as web:
        for lane in LANES:
            web.dispatcher.wake(lane)
        wait_until(lambda: web.counted == ["sent"] * 4)
    bodies = broker.bodies()
    assert len(bodies) == 4
    assert not [body for body in bodies if b"ana" in body or b"example" in body or b"i-7" in body]


def test_what_somebody_else_put_into_the_queue_runs_nothing(broker: Any) -> None:
    run: list[str] = []
    with process(broker.url, run.append), process(broker.url, cipher=Envelope(lambda: "z" * 40)) as stranger:
        stranger.dispatcher.wake("in/a")
        wait_until(lambda: stranger.counted == ["sent"])
        with process(broker.url) as web:
            web.dispatcher.wake("in/b")
            wait_until(lambda: run)
    assert run == ["in/b"]


def test_a_worker_does_what_it_has_a_free_thread_for_and_tells_others_of_the_rest(broker: Any) -> None:
    hanging, held, helped = threading.Event(), list[str](), list[str]()

    def hold(lane: str) -> None:
        held.append(lane)
        hanging.wait(20)

    try:
        with process(broker.url, hold, workers=1) as first:
            first.dispatcher.wake("in/a")
            wait_until(lambda: held)
            assert first.counted == []
            with process(broker.url, helped.append):
                for number in range(20):
                    first.dispatcher.wake(f"in/{number}")
                wait_until(lambda: len(helped) >= 10)  # some come back to the first: its lookout would find them
            hanging.set()
    finally:
        hanging.set()


def test_however_many_are_told_no_more_is_done_at_once_than_there_are_threads(broker: Any) -> None:
    now, most, done = [0], [0], list[str]()
    guard = threading.Lock()

    def work(lane: str) -> None:
        with guard:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.01)
        with guard:
            now[0] -= 1
            done.append(lane)

    with process(broker.url, work, workers=3) as worker, process(broker.url) as web:
        for number in range(40):
            web.dispatcher.wake(f"in/{number}")
            worker.threads.wake(f"in/here-{number}")
        wait_until(lambda: len(done) == 80)
    assert most[0] <= 3


@pytest.mark.parametrize("kind", ["out/a", "job/file/1"])
def test_senders_and_files_that_hang_leave_room_for_messages(broker: Any, kind: str) -> None:
    hanging = threading.Event()
    run: list[str] = []

    def work(lane: str) -> None:
        if not lane.startswith("in/"):
            hanging.wait(20)
        run.append(lane)

    try:
        with process(broker.url, work, workers=4), process(broker.url) as web:
            for number in range(20):
                web.dispatcher.wake(f"{kind}{number}")
            wait_until(lambda: web.counted == ["sent"] * 20)
            web.dispatcher.wake("in/a")
            wait_until(lambda: run == ["in/a"], 5)
            hanging.set()
            wait_until(lambda: len(run) == 21)
    finally:
        hanging.set()


def test_a_broker_that_is_killed_and_comes_back_is_used_again_and_said_once(
    broker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queues, "PAUSE", 0.2)
    monkeypatch.setattr("dramatiq.worker.CONSUMER_RESTART_DELAY_SECS", 0.2)
    monkeypatch.setattr(queues, "CHECK_EVERY", 1.0)
    run: list[str] = []
    with (
        structlog.testing.capture_logs() as logs,
        process(broker.url, run.append) as worker,
        process(broker.url) as web,
    ):
        web.dispatcher.wake("in/before")
        wait_until(lambda: run == ["in/before"])
        with broker.stopped():
            for number in range(5):
                web.dispatcher.wake(f"in/lost-{number}")
                time.sleep(0.1)
            worker.dispatcher.wake("in/here")  # and its own work goes on
            wait_until(lambda: "in/here" in run)

        def works_again() -> bool:
            web.dispatcher.wake("in/after")
            time.sleep(0.1)
            return "in/after" in run

        wait_until(works_again, 30)
    events = [entry["event"] for entry in logs if entry["event"].startswith("queue.")]
    assert "queue.back" in events
    assert 1 <= events.count("queue.away") <= 2  # each of the two processes says it once


def test_telling_costs_nothing_while_the_broker_is_away() -> None:
    with process(f"redis://127.0.0.1:{free_port()}/0") as web:
        began = time.monotonic()
        for number in range(20_000):
            web.dispatcher.wake(f"in/{number}")
        assert time.monotonic() - began < 10  # a connection that is refused for each of them takes minutes
        wait_until(lambda: len(web.counted) > 1000)
        assert set(web.counted) == {"lost"}


def test_a_worker_whose_broker_was_never_there_works_and_stops_in_time() -> None:
    run: list[str] = []
    made = Process(f"amqp://127.0.0.1:{free_port()}/", run.append)
    made.dispatcher.start()
    made.dispatcher.wake("in/a")
    wait_until(lambda: run == ["in/a"])
    began = time.monotonic()
    assert made.dispatcher.stop(5)
    assert time.monotonic() - began < 15


def test_stop_says_whether_somebody_is_still_at_it(broker: Any) -> None:
    hanging, held = threading.Event(), list[str]()

    def hold(lane: str) -> None:
        held.append(lane)
        hanging.wait(20)

    with process(broker.url) as web:
        made = Process(broker.url, hold)
        made.dispatcher.start()
        web.dispatcher.wake("in/a")
        wait_until(lambda: held)
        try:
            assert not made.dispatcher.stop(0.3)
        finally:
            hanging.set()


def test_nobody_who_works_lets_no_broker_run_full(broker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queues, "REMEMBERED", 300)
    with process(broker.url) as web:
        for number in range(1000):
            web.dispatcher.wake(f"in/{number}")
            while number - len(web.counted) > 200:
                time.sleep(0.001)
        wait_until(lambda: len(web.counted) > 700)
        wait_until(lambda: not any(web.bell._waiting.values()))
        assert 0 < broker.waiting("firstline.in") <= 300
    broker.empty()


def test_a_broker_that_lost_its_queues_gets_them_again(rabbitmq: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dramatiq.worker.CONSUMER_RESTART_DELAY_SECS", 0.1)
    run: list[str] = []
    rabbitmq.empty()
    with process(rabbitmq.url, run.append), process(rabbitmq.url) as web:
        web.dispatcher.wake("in/a")
        wait_until(lambda: run == ["in/a"])
        rabbitmq.empty()

        def works_again() -> bool:
            web.dispatcher.wake("in/b")
            time.sleep(0.1)
            return "in/b" in run

        wait_until(works_again, 30)


@pytest.mark.parametrize("url", ["kafka://127.0.0.1/", "127.0.0.1:5672", "redis://", "amqp:/127.0.0.1"])
def test_a_queue_of_no_kind_that_is_known_is_refused(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("QUEUE_URL", url)
    with pytest.raises(ConfigurationError, match="QUEUE_URL: must begin with amqp://"):
        Settings.read()


def test_the_password_of_the_queue_is_shown_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUEUE_URL", "amqp://bot:sesame-open@127.0.0.1/")
    assert "sesame" not in repr(Settings.read())


def test_without_the_packages_it_is_said_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dramatiq", None)
    monkeypatch.setitem(sys.modules, "dramatiq.brokers.redis", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'firstline\[queue\]'"):
        Rings("redis://127.0.0.1/", CIPHER, ignore)


def test_without_a_queue_nothing_of_it_is_imported(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from bot.settings import Settings\n"
        "from bot import app\n"
        "settings = Settings.read(); app.open_database(settings, migrating=True)\n"
        "app.Firstline(settings, app.World.from_environment(settings), tells=True)\n"
        "print(sorted({'dramatiq', 'pika', 'redis'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
