"""Hostile mails over the wire, at Firstline as a process: by SMTP, by HTTP, out of a folder. It lives and answers,
and every mail is an incident, a refusal with a reason, or a dead letter."""

import re
import smtplib
import sqlite3
import statistics
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.hostile_mails import TEXT, TOP, hostile
from tests.mailbox import Mailbox, free_port, wait_until
from tests.process import BOT, Process
from tests.test_cli import environment

SUPPORT = "support@shop.example"
TOKEN = "brings-the-mails-of-the-tests-and-nothing-else"
SIZE = 50_000
MOST = 3_000_000
TAKEN = re.compile(r"taken(?: before)? as ([0-9a-f-]{36})")
ASIDE = re.compile(r"laid aside: .+")


class Shop:
    """A Firstline that takes mail by every way, and what it was brought."""

    def __init__(self, folder: Path, process: Process, settings: dict[str, str], port: int) -> None:
        self.folder, self.process, self.settings = folder, process, settings
        self._port = port

    def by_smtp(self, raw: bytes) -> tuple[int, str]:
        with smtplib.SMTP("127.0.0.1", self._port, "relay.example.com", timeout=60) as smtp:
            smtp.ehlo()
            smtp.mail("ana@example.com")
            smtp.rcpt(SUPPORT)
            code, says = smtp.data(raw)
        return code, says.decode()

    def by_http(self, raw: bytes) -> tuple[int, str]:
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "message/rfc822"}
        answer = requests.post(f"{self.process.url}/inbound/email", raw, headers=headers, timeout=60)
        return answer.status_code, answer.json()["detail"]

    def out_of_a_folder(self, mails: list[bytes]) -> str:
        """Have the mails of a Maildir taken by a command, beside the process; return what it prints."""
        for name in ("new", "cur", "tmp"):
            (self.folder / "Maildir" / name).mkdir(parents=True)
        for number, raw in enumerate(mails):
            (self.folder / "Maildir" / "new" / f"{number:04}").write_bytes(raw)
        command = [BOT, "mail", "ingest", "Maildir"]
        done = subprocess.run(
            command, cwd=self.folder, env=environment(**self.settings), capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done
        return done.stdout

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.folder / "incidents.db")) as connection:
            return connection.execute(query).fetchall()

    def handled(self) -> bool:
        return self.rows("SELECT 1 FROM inbox WHERE state = 'new' LIMIT 1") == []

    @contextmanager
    def asked_whether_it_lives(self) -> Iterator[list[float]]:
        """While entered, ask again and again. Gives the seconds that the answers took."""
        took: list[float] = []
        stop = threading.Event()

        def ask() -> None:
            while not stop.wait(0.1):
                begun = time.monotonic()
                assert requests.get(f"{self.process.url}/healthz", timeout=60).json() == {"status": "ok"}
                took.append(time.monotonic() - begun)

        with ThreadPoolExecutor(1) as pool:
            asking = pool.submit(ask)
            try:
                yield took
            finally:
                stop.set()
                asking.result()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    port = free_port()
    with Mailbox() as mailbox:
        settings = {
            "MAIL_LISTEN": f"smtp://127.0.0.1:{port}",
            "MAIL_FROM": SUPPORT,
            "MAIL_TOKEN": TOKEN,
            "MAX_MAIL": str(MOST),
            "LOG_LEVEL": "WARNING",
            **mailbox.environment(),
        }
        with Process(tmp_path, settings) as process:
            yield Shop(tmp_path, process.wait_up(), settings, port)


def mails_by(way: str) -> list[bytes]:
    """All hostile mails, with subjects that name the way: else they would be known when they come by another."""
    return [raw.replace(b"Subject: ", f"Subject: {way}, ".encode(), 1) for raw in hostile(SIZE).values()]


def has_ended_well(answer: tuple[int, str]) -> bool:
    """Whether a mail was taken, or laid aside with a reason, or refused for good with one."""
    code, says = answer
    if code in (200, 250):
        return bool(TAKEN.search(says) or ASIDE.search(says))
    return 400 <= code < 600 and code not in (421, 429, 500, 503) and len(says.split()) > 2


def test_hostile_mails_by_every_way_leave_the_process_well(shop: Shop) -> None:
    too_large = TOP + TEXT + b"x" * MOST
    with shop.asked_whether_it_lives() as took, ThreadPoolExecutor(4) as pool:
        smtp = list(pool.map(shop.by_smtp, [*mails_by("smtp"), too_large]))
        http = list(pool.map(shop.by_http, [*mails_by("http"), too_large]))
        printed = shop.out_of_a_folder([*mails_by("folder"), too_large])
        wait_until(shop.handled, 120, "some are not handled")
    assert smtp[-1][0] == 552
    assert http[-1][0] == 413
    assert all(map(has_ended_well, smtp)), [answer for answer in smtp if not has_ended_well(answer)]
    assert all(map(has_ended_well, http)), [answer for answer in http if not has_ended_well(answer)]
    assert re.search(r"\d+ taken, \d+ known already, 1 too large", printed), printed
    assert len(took) > 10
    assert statistics.median(took) < 1  # of many, and not each: the machine is shared

    numbers = {found[1] for _, says in (*smtp, *http) if (found := TAKEN.search(says))}
    states = dict(shop.rows("SELECT incident_id, state FROM inbox"))
    assert {states[number] for number in numbers} == {"done"}
    assert set(states.values()) == {"done"}
    assert len(states) > 2.5 * len(hostile(1000))
    assert shop.rows("SELECT id FROM originals WHERE state = 'dead' AND (reason IS NULL OR reason = '')") == []
    assert shop.rows("SELECT id FROM inbox WHERE attempts > 0") == []
    logged = "".join(shop.process.output)
    assert not re.search(r"Traceback|work\.(failed|dead)|not_handled|not_understood|lane\.abandoned", logged), logged
    assert shop.process.terminate() == 0
