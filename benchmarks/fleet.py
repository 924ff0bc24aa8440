"""The same code on many machines, as far as one machine can show it: PostgreSQL, a broker, web, workers and clocks, of
which some are killed with -9 again and again while customers write on three channels.

    python benchmarks/fleet.py [--broker rabbitmq|redis|none] [--customers 400] [--each 5] [--kills 12] [--workers 4]
                               [--seed 1] [--throughput 1,2,4]

Customers write in at the real doors: HTTP, a mail's bytes at POST /inbound/email, Telegram's webhook. Each sends its
next message once the last was acknowledged, and sends it again until it is. In the end every acknowledged message must
have been handled once, in the order in which its customer wrote, and every incident reminded of once.
"""

import argparse
import itertools
import random
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from typing import Any

import psycopg
import requests
from harness import ROOT, folder

sys.path.insert(0, str(ROOT))
from tests.mailbox import Mailbox, free_port
from tests.postgres import private_server
from tests.process import Process
from tests.rabbitmq import rabbitmq_server
from tests.redis import redis_server
from tests.telegram_api import SECRET, TOKEN, TelegramApi

BEARER = "b" * 40
CLIENTS = 16
PATIENCE = 300.0
"""Seconds after which whatever has not happened is counted as lost."""


@dataclass
class Fleet:
    """What is running. `killed` counts kills by part; `recovered` are the seconds until all that was accepted before a
    kill was handled."""

    place: Path
    database: str
    broker: Any
    settings: dict[str, str]
    chance: random.Random
    webs: list[Process] = field(default_factory=list)
    workers: list[Process] = field(default_factory=list)
    clocks: list[Process] = field(default_factory=list)
    killed: Counter[str] = field(default_factory=Counter)
    recovered: dict[str, list[float]] = field(default_factory=dict)

    def start(self, part: str, **more: str) -> Process:
        return Process(self.place, {**self.settings, **more}, part=part)

    def start_all(self, workers: int, clocks: int) -> None:
        self.webs = [self.start("web") for _ in range(2)]
        self.workers = [self.start("worker") for _ in range(workers)]
        self.clocks = [self.start("clock") for _ in range(clocks)]
        for process in self.webs:
            process.wait_up()
        for process in (*self.workers, *self.clocks):
            wait(lambda process=process: any("Firstline is up" in line for line in process.output))

    def stop_all(self) -> None:
        for process in (*self.webs, *self.workers, *self.clocks):
            process.kill()

    def kill(self, part: str) -> None:
        """Kill one with -9, measure how long it takes until nothing is missing any more, and start another."""
        self.killed[part] += 1
        if part == "broker":
            self.broker.kill()
            began = time.monotonic()
            time.sleep(self.chance.uniform(0.2, 1))
            self.broker.start()
        else:
            group = {"worker": self.workers, "clock": self.clocks}[part]
            victim = group.pop(self.chance.randrange(len(group)))
            victim.kill()
            began = time.monotonic()
        now = self.ask("SELECT now()")[0][0]
        late = "SELECT (SELECT COUNT(*) FROM inbox WHERE due_at IS NOT NULL AND received_at <= %s)"
        late += " + (SELECT COUNT(*) FROM follow_ups WHERE due_at <= %s)"
        wait(lambda: self.ask(late, now, now)[0][0] == 0)
        self.recovered.setdefault(part, []).append(time.monotonic() - began)
        if part != "broker":
            group.append(self.start(part))

    def ask(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database, autocommit=True) as session:
            return session.execute(query.encode(), values).fetchall()


@contextmanager
def fleet(broker: str, seed: int, **settings: str) -> Iterator[tuple[Fleet, Mailbox]]:
    """PostgreSQL, a broker and the world outside; no process of ours yet."""
    with ExitStack() as entered:
        place = Path(entered.enter_context(folder()))
        server = entered.enter_context(private_server())
        name = server.create(migrated=True)
        brokers = {"redis": redis_server, "rabbitmq": rabbitmq_server}
        queue = entered.enter_context(brokers[broker]()) if broker in brokers else None
        mailbox = entered.enter_context(Mailbox())
        telegram = TelegramApi()
        telegram.holds_back = True
        entered.enter_context(telegram)
        public = f"http://127.0.0.1:{free_port()}"
        settings = {
            "DATABASE_URL": server.url(name), "LEASE": "2s", "WORKERS": "8", "LOG_LEVEL": "WARNING",
            "FOLLOW_UP_AFTER": "3s", "SMTP_DEADLINE": "5s", "PUBLIC_URL": public, "MAIL_TOKEN": BEARER,
            "MAIL_FROM": "Shop <support@shop.example>", "TELEGRAM_BOT_TOKEN": TOKEN,
            "TELEGRAM_WEBHOOK_SECRET": SECRET, "TELEGRAM_API_URL": telegram.url, **mailbox.environment(), **settings,
        }  # fmt: skip
        if queue is not None:
            settings["QUEUE_URL"] = queue.url
        made = Fleet(place, server.url(name), queue, settings, random.Random(seed))
        entered.callback(made.stop_all)
        yield made, mailbox


@dataclass
class Customers:
    """Those who write; between two messages they pause, for so many seconds on average. `acknowledged` are the keys of
    the messages that were; a key is `c12-3`: the third of the twelfth customer."""

    fleet: Fleet
    each: int
    pause: float
    errors: list[str] = field(default_factory=list)
    acknowledged: set[str] = field(default_factory=set)
    refused: int = 0
    guard: threading.Lock = field(default_factory=threading.Lock)
    session: threading.local = field(default_factory=threading.local)

    def write(self, numbers: Iterator[int]) -> None:
        """Write as one customer after the other."""
        try:
            for number in numbers:
                (self.by_web, self.by_telegram, self.by_mail)[number % 3](number)
        except AssertionError as exc:
            self.errors.append(str(exc))

    def by_web(self, number: int) -> None:
        body = {"customer_id": f"c{number}", "channel": "email", "email": f"c{number}@example.com"}
        incident = ""
        for turn in range(self.each):
            key = f"c{number}-{turn}"
            path = f"/api/incidents/{incident}/messages" if incident else "/api/incidents"
            text = f"[{key}] my card was charged twice"
            headers = {"Idempotency-Key": key, "Prefer": "respond-async"}
            answer = self.until_taken(
                path, key, headers, json={"message": text} if incident else {**body, "message": text}
            )
            incident = incident or answer.json()["incident_id"]

    def by_telegram(self, number: int) -> None:
        chat = 500_000 + number
        person = {"id": chat, "first_name": f"C{number}"}
        for turn in range(self.each):
            key = f"c{number}-{turn}"
            message = {
                "message_id": turn + 1, "date": int(time.time()), "text": f"[{key}] my card was charged twice",
                "chat": {**person, "type": "private"}, "from": {**person, "is_bot": False, "language_code": "en"},
            }  # fmt: skip
            update = {"update_id": number * 1000 + turn, "message": message}
            self.until_taken("/telegram/events", key, {"X-Telegram-Bot-Api-Secret-Token": SECRET}, json=update)

    def by_mail(self, number: int) -> None:
        key = f"c{number}-0"
        raw = (
            f"From: c{number}@example.com\r\nTo: support@shop.example\r\nSubject: My card\r\n"
            f"Message-ID: <{key}@example.com>\r\nDate: {formatdate()}\r\n"
            f"Content-Type: text/plain\r\n\r\n[{key}] my card was charged twice\r\n"
        ).encode()
        headers = {"Authorization": f"Bearer {BEARER}", "Content-Type": "message/rfc822"}
        self.until_taken("/inbound/email", key, headers, data=raw)

    def until_taken(self, path: str, key: str, headers: dict[str, str], **content: Any) -> requests.Response:
        """Send this again until it is acknowledged, as platforms do."""
        time.sleep(random.uniform(0, 2 * self.pause))
        session = getattr(self.session, "open", None)
        if session is None:
            session = self.session.open = requests.Session()
        last = time.monotonic() + PATIENCE
        while time.monotonic() < last:
            web = self.fleet.webs[hash(key) % len(self.fleet.webs)]
            try:
                answer = session.post(f"{web.url}{path}", headers=headers, timeout=30, **content)
            except requests.RequestException:
                answer = None
            if answer is not None and answer.status_code in (200, 201, 202, 204):
                with self.guard:
                    self.acknowledged.add(key)
                return answer
            with self.guard:
                self.refused += 1
            assert answer is None or answer.status_code >= 429, f"{path}: {answer.status_code} {answer.text}"
            time.sleep(0.2)
        raise AssertionError(f"{key} was never taken")


@contextmanager
def writing(customers: Customers, least: int) -> Iterator[None]:
    """While entered, customers write; and then until at least so many have."""
    numbers, guard, may_end = itertools.count(), threading.Lock(), threading.Event()

    def one_by_one() -> Iterator[int]:
        while True:
            with guard:
                number = next(numbers)
            if may_end.is_set() and number >= least:
                return
            yield number

    threads = [threading.Thread(target=customers.write, args=(one_by_one(),)) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        may_end.set()
        for thread in threads:
            thread.join()


def wait(condition: Callable[[], Any], seconds: float = PATIENCE) -> bool:
    last = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > last:
            return False
        time.sleep(0.05)
    return True


def settled(running: Fleet) -> bool:
    """Whether nothing waits that is due within a day."""
    waiting = running.ask(
        "SELECT (SELECT COUNT(*) FROM inbox WHERE due_at IS NOT NULL), "
        "(SELECT COUNT(*) FROM notifications WHERE due_at IS NOT NULL), "
        "(SELECT COUNT(*) FROM follow_ups WHERE due_at < now() + interval '24 hours')"
    )
    return waiting == [(0, 0, 0)]


@dataclass(frozen=True)
class Verdict:
    """What became of the acknowledged messages."""

    handled: int
    lost: int
    doubled: int
    out_of_order: int
    incidents: int
    reminded: int


def judge(running: Fleet, customers: Customers, mailbox: Mailbox) -> Verdict:
    """Look into the database, and at the mails that came."""
    said = running.ask("SELECT text FROM messages WHERE direction = 'customer' ORDER BY id")
    keys = [found[1] for (text,) in said if (found := re.search(r"\[(c\d+-\d+)\]", text))]
    order: dict[str, list[int]] = {}
    for key in dict.fromkeys(keys):
        name, _, turn = key.partition("-")
        order.setdefault(name, []).append(int(turn))
    incidents = running.ask("SELECT id, customer_id FROM incidents")
    reminders = running.ask("SELECT incident_id, channel, recipient FROM notifications WHERE kind = 'reminder'")
    mails = Counter((mail["To"], mail["X-Firstline-Notice"]) for mail in mailbox.by_notice().values())
    doubled = (
        _more_than_one(Counter(keys))
        + _more_than_one(Counter(customer for _, customer in incidents))
        + _more_than_one(Counter(reminders))
        + _more_than_one(mails)
    )
    missing = len({name for name, _ in incidents} - {name for name, _, _ in reminders})
    return Verdict(
        handled=len(set(keys)),
        lost=len(customers.acknowledged - set(keys)) + missing,
        doubled=doubled,
        out_of_order=sum(turns != sorted(turns) for turns in order.values()),
        incidents=len(incidents),
        reminded=len({name for name, _, _ in reminders}),
    )


def _more_than_one(counted: Counter[Any]) -> int:
    return sum(number - 1 for number in counted.values())


def under_fire(broker: str, number: int, each: int, kills: int, workers: int, seed: int) -> bool:
    """Kill, while customers write. True if nothing was lost, doubled or put out of order."""
    with fleet(broker, seed) as (running, mailbox):
        running.start_all(workers, clocks=2)
        customers = Customers(running, each, pause=0.3)
        parts = ["worker", "broker", "clock", "worker"] if running.broker else ["worker", "clock"]
        with writing(customers, number):
            for turn in range(kills):
                time.sleep(running.chance.uniform(0.2, 1.5))
                part = parts[turn % len(parts)]
                running.kill(part)
                print(f"  killed a {part}: {running.recovered[part][-1]:.1f} s until nothing was missing, "
                      f"{len(customers.acknowledged)} acknowledged", flush=True)  # fmt: skip
        wait(lambda: settled(running))
        found = judge(running, customers, mailbox)
    for part, seconds in running.recovered.items():
        print(
            f"recovery from a killed {part}: {sorted(seconds)[len(seconds) // 2]:.1f} s, at most {max(seconds):.1f} s"
        )
    for error in customers.errors:
        print(error)
    ok = found.lost == found.doubled == found.out_of_order == 0 and not customers.errors
    print(
        f"{broker}: {len(customers.acknowledged)} accepted ({customers.refused} sent again), "
        f"{found.handled} handled in {found.incidents} incidents, {found.reminded} reminded; "
        f"lost {found.lost}, doubled {found.doubled}, "
        f"out of order {found.out_of_order}; kills: {dict(running.killed)}  {'ok' if ok else 'MISSED'}",
        flush=True,
    )
    return ok


def throughput(broker: str, workers: int, number: int, seed: int) -> None:
    """Say how many messages a second so many workers handle."""
    with fleet(broker, seed, FOLLOW_UP_AFTER="24h") as (running, _):
        running.start_all(workers, clocks=1)
        customers = Customers(running, each=2, pause=0)
        began = time.monotonic()
        with writing(customers, number):
            pass
        taken = time.monotonic() - began
        wait(lambda: running.ask("SELECT COUNT(*) FROM notifications WHERE due_at IS NOT NULL")[0][0] == 0
             and running.ask("SELECT COUNT(*) FROM inbox WHERE due_at IS NOT NULL")[0][0] == 0)  # fmt: skip
        seconds = time.monotonic() - began
    print(f"{broker}, {workers} worker(s): {len(customers.acknowledged) / seconds:.0f} messages a second handled and "
          f"answered, {len(customers.acknowledged) / taken:.0f} a second accepted", flush=True)  # fmt: skip


def main() -> int:
    told = argparse.ArgumentParser(description="See the beginning of this file.")
    told.add_argument("--broker", choices=["rabbitmq", "redis", "none"], default="rabbitmq")
    told.add_argument("--customers", type=int, default=400)
    told.add_argument("--each", type=int, default=5, help="messages of each customer in a conversation")
    told.add_argument("--kills", type=int, default=12)
    told.add_argument("--workers", type=int, default=4)
    told.add_argument("--seed", type=int, default=1)
    told.add_argument("--throughput", default="1,2,4", help="numbers of workers to measure; empty: none")
    chosen = told.parse_args()
    ok = under_fire(chosen.broker, chosen.customers, chosen.each, chosen.kills, chosen.workers, chosen.seed)
    for workers in filter(None, chosen.throughput.split(",")):
        throughput(chosen.broker, int(workers), chosen.customers, chosen.seed)
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
