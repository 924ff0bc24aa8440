"""Long runs, by `make soak`: many messages, many kills, a day later; impatient clients."""

import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.desk import LocalDesk
from tests.mailbox import Mailbox, free_port, wait_until
from tests.process import Process
from tests.test_crash import Days, days

__all__ = ["days"]

MESSAGES = 600
KILLS = 20
CLIENTS = 32
GIVES_UP_AFTER = 3.0
TRIES = 4

pytestmark = pytest.mark.soak


class Town:
    """Clients who write to a bot that is killed again and again, and the world outside."""

    def __init__(self, folder: Path, url: str, desk: LocalDesk, mailbox: Mailbox) -> None:
        self.folder, self.desk, self.mailbox = folder, desk, mailbox
        self.port = free_port()
        self.settings = {
            "DATABASE_URL": url,
            "PORT": str(self.port),
            "LEASE": "2s",
            "SMTP_DEADLINE": "5s",
            "TICKET_API_URL": desk.url,
            "LOG_LEVEL": "WARNING",
            **mailbox.environment(),
        }
        self.acknowledged: dict[str, str] = {}
        self.answered: list[dict[str, Any]] = []

    def start(self, **more: str) -> Process:
        return Process(self.folder, {**self.settings, **more})

    def write(self, key: str) -> None:
        """Post a message; give up after a while and try again, a few times, as people's programs do."""
        body = {"customer_id": key, "message": "My card was charged twice", "channel": "email"}
        url = f"http://127.0.0.1:{self.port}/api/incidents"
        for _ in range(TRIES):
            try:
                answer = requests.post(
                    url,
                    json={**body, "email": f"{key}@example.com"},
                    headers={"Idempotency-Key": key},
                    timeout=GIVES_UP_AFTER,
                )
            except requests.RequestException:
                time.sleep(1)
                continue
            if answer.status_code in (201, 202):
                self.acknowledged[key] = answer.json()["incident_id"]
                return
            time.sleep(0.2)

    def incidents(self) -> list[dict[str, Any]]:
        found = requests.get(f"http://127.0.0.1:{self.port}/api/incidents?limit=1000", timeout=30)
        listed: list[dict[str, Any]] = found.json()
        return listed

    def stats(self) -> dict[str, Any]:
        found: dict[str, Any] = requests.get(f"http://127.0.0.1:{self.port}/api/stats", timeout=30).json()
        return found

    def settled(self) -> bool:
        figures = self.stats()
        linked = all(incident["external_ticket_id"] for incident in self.incidents())
        return linked and figures["waiting_messages"] == 0 and set(figures["notifications"]) <= {"sent"}

    def check(self, kinds: tuple[str, ...]) -> None:
        """One incident, one ticket, one mail of each kind by Message-ID, for every message that was acknowledged."""
        listed = self.incidents()
        by_customer: dict[str, list[str]] = {}
        for incident in listed:
            by_customer.setdefault(incident["customer_id"], []).append(incident["incident_id"])
        assert all(len(ids) == 1 for ids in by_customer.values())
        assert {key: ids[0] for key, ids in by_customer.items() if key in self.acknowledged} == self.acknowledged
        assert set(self.desk.creations.values()) == {1}
        assert {incident["incident_id"]: incident["external_ticket_id"] for incident in listed} == self.desk.tickets
        for kind in kinds:
            assert len(self.mailbox.by_notice(kind)) == len(listed), kind
        assert self.stats()["dead_messages"] == 0


@pytest.fixture
def town(database_url: str, tmp_path: Path) -> Iterator[Town]:
    with LocalDesk() as desk, Mailbox() as mailbox:
        yield Town(tmp_path, database_url, desk, mailbox)


def test_many_messages_many_kills_and_a_day_later_everything_has_happened_once(town: Town, days: Days) -> None:
    chance = random.Random(20261122)
    writing = threading.Thread(target=write_all, args=(town,))
    process = town.start().wait_up()
    writing.start()
    for number in range(KILLS):
        time.sleep(chance.uniform(0.1, 1.5))
        process.kill()
        process = town.start().wait_up()
        print(
            f"kill {number + 1}: {len(town.acknowledged)} acknowledged, {len(town.mailbox.mails())} mails", flush=True
        )
    writing.join()
    wait_until(town.settled, 240, "not everything was handled")
    town.check(("acknowledgement",))
    process.terminate()
    later = days.later(25)
    for _ in range(3):
        process = town.start(**later).wait_up()
        time.sleep(chance.uniform(0.1, 0.6))
        process.kill()
        print(f"killed a day later: {len(town.mailbox.by_notice('reminder'))} reminders", flush=True)
    process = town.start(**later).wait_up()
    number = len(town.incidents())
    wait_until(lambda: len(town.mailbox.by_notice("reminder")) == number, 240, "reminders are missing")
    wait_until(town.settled, 120, "not everything was settled")
    town.check(("acknowledgement", "reminder"))
    print(
        f"{len(town.acknowledged)} of {MESSAGES} acknowledged, {number} incidents, {len(town.desk.tickets)} tickets, "
        f"{len(town.mailbox.by_notice('acknowledgement'))} acknowledgements "
        f"({len([m for m in town.mailbox.mails() if 'acknowledgement' in m['Message-ID']])} deliveries), "
        f"{len(town.mailbox.by_notice('reminder'))} reminders; {KILLS} + 3 kills"
    )
    process.kill()


def write_all(town: Town) -> None:
    with ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(town.write, [f"c{number}" for number in range(MESSAGES)]))


def test_a_client_that_gives_up_early_and_tries_again_opens_one_incident_each(town: Town) -> None:
    """The desk takes longer than the client waits: the plain design turns 32 messages into 96 incidents."""
    town.desk.delay(4, times=32)
    with town.start(RESPONSE_WAIT="10s", TICKET_WITHIN="9s", TICKET_TIMEOUT="9s").wait_up():
        with ThreadPoolExecutor(32) as clients:
            list(clients.map(town.write, [f"c{number}" for number in range(32)]))
        wait_until(town.settled, 120)
        town.check(("acknowledgement",))
        assert len(town.incidents()) == 32
        print(f"32 messages, {len(town.desk.requests)} requests at the desk, {len(town.incidents())} incidents")
