"""Follow-ups: what waiting costs, and how fast many that are due at once are handled; kills in the middle.

    python benchmarks/follow_ups.py [waiting] [due at once]

APScheduler's own store, measured elsewhere: 76 to 281 additions a second, each a transaction of its own; 10,000 due at
once at 134 a second; 823 of 1,000 lost in five kills.
"""

import gc
import os
import random
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

from harness import ROOT, Figures, folder, resident_megabytes

sys.path.insert(0, str(ROOT))
from bot import telemetry
from bot.follow_ups import FollowUps
from bot.life import Life
from bot.links import Links
from bot.model import Address, addresses_to_json
from bot.policy import Policy
from storage import database, follow_ups, incidents, notifications
from storage.follow_ups import FollowUpJobStore
from storage.migrate import migrate

NOW = datetime(2026, 1, 2, tzinfo=UTC)
DAY = timedelta(hours=24)
AT_ONCE = 1000


class Nobody:
    """A dispatcher for a benchmark that sends nothing."""

    def wake(self, lane: str) -> None:
        pass


def fill(number: int, due_at: datetime, first: int = 0) -> None:
    """Open incidents whose acknowledgement went out, with a follow-up each."""
    for start in range(first, first + number, AT_ONCE):
        with database.transaction():
            ids = [f"{n:08}" for n in range(start, min(start + AT_ONCE, first + number))]
            for incident_id in ids:
                incidents.open(_incident(incident_id))
                follow_ups.schedule(incident_id, due_at - DAY, {"reminder": due_at})
            notifications.owe([_acknowledged(incident_id) for incident_id in ids])


def _incident(incident_id: str) -> dict[str, object]:
    return {
        "id": incident_id, "customer_id": f"C-{incident_id}", "channel": "email", "message": "charged twice",
        "classification": "duplicate_payment", "confidence": 0.9, "reason": "", "classified_by": "local",
        "ticket_id": f"TKT-{incident_id}", "status": "open", "created_at": NOW - DAY, "last_opened_at": NOW - DAY,
        "conversation": incident_id, "addresses": addresses_to_json([_customer(incident_id)]),
    }  # fmt: skip


def _customer(incident_id: str) -> Address:
    return Address("email", f"c{incident_id}@example.com")


def _acknowledged(incident_id: str) -> dict[str, object]:
    to = _customer(incident_id)
    return {
        "incident": incident_id, "channel": to.channel, "recipient": to.key, "message": "", "kind": "acknowledgement",
        "notice": {}, "dedupe": f"{incident_id}.ack", "status": "sent", "lane": f"out/{to}", "due_at": NOW,
        "created_at": NOW - DAY,
    }  # fmt: skip


def work_off() -> None:
    """Handle all that is due, with the usual rules and links in every mail."""
    FollowUps(lambda: NOW, Nobody(), Life(Policy(), Links("http://127.0.0.1", "k" * 48))).work()


def fresh(name: str) -> None:
    """Connect to a new database in this folder."""
    database.connect(f"sqlite:///{name}/incidents.db")
    migrate()


def waiting(number: int) -> bool:
    """What so many follow-ups that are not due cost."""
    store = FollowUpJobStore(lambda: None, lambda: NOW)
    with folder() as name:
        fresh(name)
        gc.collect()
        before = resident_megabytes(os.getpid())
        fill(number, NOW + DAY)
        gc.collect()
        memory = resident_megabytes(os.getpid()) - before
        looks = Figures("milliseconds to look for due ones")
        for _ in range(12):
            began = time.perf_counter()
            for _ in range(50):
                assert store.get_due_jobs(NOW) == []
                store.get_next_run_time()
            looks.values.append((time.perf_counter() - began) / 50 * 1e3)
        database.disconnect()
    print(f"{number} waiting: {memory:.1f} MB more than none  bar: at most 20  {'ok' if memory <= 20 else 'MISSED'}")
    return looks.say("under 1", lambda value: value < 1) and memory <= 20


def due_at_once(number: int, rounds: int = 10) -> bool:
    rates = Figures(f"follow-ups a second, {number} due at once")
    for _ in range(rounds):
        with folder() as name:
            fresh(name)
            fill(number, NOW)
            began = time.perf_counter()
            work_off()
            rates.values.append(number / (time.perf_counter() - began))
            assert reminded() == number
            database.disconnect()
    return rates.say("at least 2000", lambda value: value >= 2000)


def reminded() -> int:
    with database.session():
        found = database.execute(
            "SELECT COUNT(*), COUNT(DISTINCT incident_id) FROM notifications WHERE kind = 'reminder'"
        )
        all_, different = found.fetchone()
    assert all_ == different, f"{all_ - different} reminders were stored twice"
    return int(all_)


def killed(number: int, kills: int = 5) -> bool:
    """Kill the process that handles them, again and again."""
    with folder() as name:
        fresh(name)
        fill(number, NOW)
        chance = random.Random(1)
        for _ in range(kills):
            before = reminded()
            child = subprocess.Popen([sys.executable, __file__, "work", name])
            while reminded() == before and child.poll() is None:
                time.sleep(0.005)
            time.sleep(chance.random() * 0.1)
            child.send_signal(signal.SIGKILL)
            child.wait()
            print(f"  killed after {reminded()} of {number}")
        work_off()
        done = reminded()
        database.disconnect()
    print(f"{kills} kills: {number - done} of {number} lost, 0 twice  {'ok' if done == number else 'MISSED'}")
    return done == number


def work(name: str) -> None:
    """The child of `killed`."""
    database.connect(f"sqlite:///{name}/incidents.db")
    work_off()


def main(number: int = 100_000, at_once: int = 10_000) -> None:
    telemetry.set_up("WARNING")
    waiting(number)
    due_at_once(at_once)
    killed(at_once)


if __name__ == "__main__":
    telemetry.set_up("WARNING")
    if sys.argv[1:2] == ["work"]:
        work(sys.argv[2])
    else:
        main(*(int(value) for value in sys.argv[1:]))
