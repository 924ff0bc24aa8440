"""What is counted as it changes is what a count of everything says."""

import random
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from statistics import fmean
from typing import Any

import pytest

from bot.errors import Conflict, NotFound
from bot.model import Caller, Category, IncidentFilter, Role
from bot.views import Views
from storage import database, incidents, stats
from storage.tables import Incident, Notification, Rating
from tests import many
from tests.fakes import RecordingSender, TestClock
from tests.house import ANA, CLERK, House
from tests.postgres import ON_POSTGRESQL
from tests.test_storage import values

ROOT = Caller("root", Role.ADMIN)


@pytest.fixture
def house(db: str, clock: TestClock) -> Iterator[House]:
    house = House(clock)
    yield house
    house.stop()


def counted() -> dict[str, Any]:
    with database.session():
        return stats.counts()


def plainly(house: House) -> dict[str, Any]:
    """The same figures, by looking at everything."""
    rows, texts, ratings = house.all(Incident), house.all(Notification), house.all(Rating)
    confident = [row["confidence"] for row in rows if row["confidence"] is not None]

    def by(column: str, of: list[dict[str, Any]]) -> dict[str, int]:
        return dict(sorted(Counter(row[column] for row in of).items()))

    return {
        "total": len(rows),
        "by_status": by("status", rows),
        "by_category": by("classification", rows),
        "by_channel": by("channel", rows),
        "mean_confidence": pytest.approx(fmean(confident)) if confident else None,
        "notifications": by("status", texts),
        "ratings": len(ratings),
        "mean_rating": pytest.approx(fmean(row["score"] for row in ratings)) if ratings else None,
        "reminders_sent": sum(bool(row["reminder_sent"]) for row in rows),
    }


def agrees(house: House) -> None:
    expected = plainly(house)
    assert {name: value for name, value in counted().items() if name in expected} == expected


def act(house: House, number: int, chance: random.Random) -> None:
    """Something that changes what is counted."""
    known = [row["ticket_id"] for row in house.incidents()]
    ticket = chance.choice(known) if known else ""
    match chance.randrange(9):
        case 0 | 1 | 2:
            text = chance.choice(["my card was stolen", "charged twice", "what?", "a refund please"])
            house.write(f"{text} {number}", f"k-{number}", customer_id=f"C-{number % 5}")
        case 3:
            house.commands.resolve(ticket, CLERK)
            house.work()
        case 4:
            house.commands.reopen(ticket, CLERK)
        case 5:
            house.commands.category(ticket, CLERK, chance.choice(list(Category)))
        case 6:
            house.later(hours=30)
        case 7:
            with database.transaction():
                incidents.rate(house.incidents()[0]["id"], 1, chance.randrange(1, 6), house.clock.now)
        case 8:
            house.mail.failures = [ValueError("a broken sender")]
            house.accept("locked out", f"a-{number}")


def test_figures_stay_right_whatever_happens(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stats, "MANY", 20)
    chance = random.Random(5)
    for number in range(40):
        try:
            act(house, number, chance)
        except (Conflict, NotFound, IndexError):
            continue
        if number % 8 == 0:
            agrees(house)
        if number % 13 == 0:
            with database.transaction():
                stats.add_up()
    agrees(house)
    details: Any = house.firstline.views.incident(house.incidents()[0]["id"])
    house.firstline.privacy.forget(details.customer, ROOT)
    agrees(house)
    assert counted()["total"] > 5


def test_what_was_there_before_is_counted_in(db: str) -> None:
    many.fill(50)
    with database.session():
        expected = database.execute("SELECT COUNT(*) FROM incidents WHERE status = 'resolved'").fetchone()[0]
    assert counted()["by_status"]["resolved"] == expected
    assert counted()["total"] == len(list(Views().every(IncidentFilter()))) == 50


def lines() -> int:
    with database.session():
        return int(database.execute("SELECT COUNT(*) FROM tallies").fetchone()[0])


def test_the_clock_adds_the_lines_up_and_loses_none(house: House) -> None:
    many.fill(200)
    before = counted()
    assert lines() > stats.MANY
    house.firstline.sweep()
    assert lines() < 200
    assert counted() == {**before, "mean_confidence": pytest.approx(before["mean_confidence"])}


def test_added_up_in_pieces_it_is_the_same(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stats, "MANY", 1)
    many.fill(60)
    before = counted()
    for _ in range(30):
        with database.transaction():
            assert stats.add_up(at_once=50) > 0
    assert counted() == {**before, "mean_confidence": pytest.approx(before["mean_confidence"])}


@ON_POSTGRESQL
def test_whoever_counts_waits_for_nobody_who_counts(db: str) -> None:
    """Two incidents are opened in two transactions, neither of which has ended, while a third adds up."""
    opened, ended = threading.Event(), threading.Event()

    def open_and_wait() -> None:
        with database.transaction():
            assert incidents.open(values())
            opened.set()
            ended.wait(20)

    many.fill(200)
    thread = threading.Thread(target=open_and_wait)
    thread.start()
    assert opened.wait(20)
    with database.transaction():
        database.execute("SET LOCAL lock_timeout = 5000")
        assert incidents.open(values(id="i-2", ticket_id="TKT-2"))
        assert stats.add_up() > 0
    assert counted()["total"] == 201
    ended.set()
    thread.join()
    assert counted()["total"] == 202


def test_the_version_of_an_incident_changes_with_all_that_is_seen_of_it(db: str, clock: TestClock) -> None:
    house = House(clock, chat=RecordingSender("chat"))
    one = house.write("charged twice", "k-1")
    ticket, incident_id = one["ticket_id"], one["incident_id"]
    changes = {
        "a reply of the customer": lambda: house.answer(incident_id, "still so", "k-2"),
        "an edit": lambda: house.edit("k-1", "charged thrice", "d-1", written_at=clock.now + timedelta(seconds=1)),
        "an edit of the same second": lambda: house.edit(
            "k-1", "charged four times", "d-2", written_at=clock.now + timedelta(seconds=1)
        ),
        "a note": lambda: house.commands.note(ticket, CLERK, "hm"),
        "an assignment": lambda: house.commands.assign(ticket, CLERK, "eva"),
        "a category": lambda: house.commands.category(ticket, CLERK, "fraud_report"),
        "a text that is owed": lambda: house.commands.reply(ticket, CLERK, "we look into it"),
        "a text that is sent": house.work,
        "a deletion": lambda: house.delete("k-1", "d-3"),
        "the end": lambda: house.commands.resolve(ticket, CLERK),
        "the end is told": house.work,
    }
    seen = [Views().version(ticket)]
    for change, do in changes.items():
        assert Views().version(incident_id) == seen[-1]
        do()
        seen.append(Views().version(ticket))
        assert seen[-1] not in seen[:-1], change
    assert house.mails("acknowledgement", ANA)
    house.stop()
