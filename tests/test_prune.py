"""Deleting what was resolved long ago: all of it, nothing else, and only when told."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest
from typer.testing import CliRunner

from bot.__main__ import app
from bot.app import Firstline, World
from bot.errors import FirstlineError
from bot.model import Attachment, IncidentFilter
from bot.prune import Prune
from bot.settings import Settings
from storage import database, jobs, prune
from storage.tables import ALL, Alias, Event, Incident, Message, Notification, Original, utc_text
from tests.fakes import Cupboard, TestClock
from tests.house import CLERK, House
from tests.mailbox import wait_until

YEAR = timedelta(days=365)


@pytest.fixture
def house(db: str, clock: TestClock) -> Iterator[House]:
    house = House(clock, files=(Cupboard("web", a=b"%PDF-1.7"),))
    yield house
    house.stop()


def rows() -> dict[str, int]:
    with database.session():
        return {kind._meta.table_name: kind.select().count() for kind in ALL}


def live_and_die(house: House, name: str) -> str:
    """An incident with everything that one can have, resolved in the end."""
    with database.transaction():
        values = {"channel": "web", "external_id": name, "size": 3, "received_at": house.clock.now, "content": b"raw"}
        database.insert(Original, [values])
    told = house.write(
        "my card was charged twice", name, attachments=(Attachment("bill.pdf", "", None, "a"),), customer_id=f"C-{name}"
    )
    incident: str = told["incident_id"]
    house.answer(incident, "it was 20 euros", f"{name}-2", customer_id=f"C-{name}")
    house.edit(f"{name}-2", "it was 30 euros", f"{name}-3", thread=incident, lane=f"web/{incident}", addresses=())
    house.commands.category(told["ticket_id"], CLERK, "refund_request")
    house.work()
    house.later(hours=25)
    house.commands.resolve(told["ticket_id"], CLERK, "refunded")
    house.work()
    house.answer(incident, "5", f"{name}-4", customer_id=f"C-{name}")
    return incident


def test_everything_of_it_goes_and_nothing_of_others(house: House) -> None:
    kept = live_and_die(house, "kept")
    before = rows()
    old = live_and_die(house, "old")
    with database.transaction():
        Incident.update(resolved_at=house.clock.now - 2 * YEAR).where(Incident.id == old).execute()
    told = Prune(house.clock, YEAR).rehearse()
    full = rows()
    done = Prune(house.clock, YEAR).work()
    assert done == told
    assert done["incidents"] == 1
    after = rows()
    stays = {"customers", "identities", "paces"}  # who somebody is, is not part of an incident
    assert {name: number for name, number in after.items() if name not in stays} == {
        name: number for name, number in before.items() if name not in stays
    }
    assert {name for name in full if full[name] != after[name]} >= {
        "incidents", "messages", "revisions", "conversations", "events", "reviews", "inbox", "notifications",
        "follow_ups", "attachments", "originals", "ratings",
    }  # fmt: skip
    assert house.incident(kept)["status"] == "resolved"
    assert house.said(kept)
    views = house.firstline.views
    assert [one.id for one in views.find(IncidentFilter(text="charged"), None, 5).incidents] == [kept]
    with database.session():
        assert len(database.execute("SELECT rowid FROM search").fetchall()) == 1
    figures = views.stats()
    assert (figures["total"], figures["ratings"]) == (1, 1)
    assert figures["notifications"] == dict(Counter(row["status"] for row in house.all(Notification)))


def test_what_is_open_young_or_waits_stays(house: House) -> None:
    names = {name: live_and_die(house, name) for name in ("open", "young", "mail", "desk")}
    with database.transaction():
        long_ago = house.clock.now - 2 * YEAR
        Incident.update(resolved_at=long_ago).where(Incident.id != names["young"]).execute()
        database.execute("UPDATE incidents SET status = 'open' WHERE id = ?", (names["open"],))
        database.execute(
            "UPDATE notifications SET due_at = ? WHERE id = (SELECT MIN(id) FROM notifications WHERE incident_id = ?)",
            (utc_text(house.clock.now), names["mail"]),
        )
    _owe_the_desk(house, names["desk"])
    before = rows()
    assert Prune(house.clock, YEAR).work() == {}
    assert rows() == before


def _owe_the_desk(house: House, incident_id: str) -> None:
    with database.transaction():
        jobs.add("link", incident_id, 99, {}, house.clock.now, house.clock.now)


def test_a_conversation_goes_as_a_whole_or_not_at_all(house: House) -> None:
    first = live_and_die(house, "first")
    house.clock.forward(days=20)
    second = house.answer(first, "my card was stolen", "again", customer_id="C-first")["incident_id"]
    assert house.incident(second)["conversation"] == house.incident(first)["conversation"]
    assert second != first
    house.clock.forward(days=800)
    assert Prune(house.clock, YEAR).work() == {}
    house.commands.resolve(house.incident(second)["ticket_id"], CLERK)
    house.work()
    assert Prune(house.clock, YEAR).work() == {}
    house.clock.forward(days=366)
    assert Prune(house.clock, YEAR).work()["incidents"] == 2
    assert (house.all(Message), house.all(Alias)) == ([], [])


def test_an_answer_that_comes_afterwards_is_a_new_incident(house: House) -> None:
    old = live_and_die(house, "old")
    house.clock.forward(days=400)
    Prune(house.clock, YEAR).work()
    told = house.answer(old, "it happened again", "late", customer_id="C-old")
    assert told["incident_id"] != old
    assert [row["id"] for row in house.incidents()] == [told["incident_id"]]


def test_it_is_done_some_at_a_time(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.prune.AT_ONCE", 2)
    for number in range(5):
        told = house.write("my card was charged twice", f"k-{number}", customer_id=f"C-{number}")
        house.commands.resolve(told["ticket_id"], CLERK)
    house.work()
    house.clock.forward(days=400)
    assert Prune(house.clock, YEAR).rehearse()["incidents"] == 5
    assert Prune(house.clock, YEAR).work()["incidents"] == 5
    assert house.all(Event) == []


def test_every_table_that_speaks_of_incidents_is_known() -> None:
    assert {
        "messages",
        "events",
        "notifications",
        "follow_ups",
        "attachments",
        "reviews",
        "ratings",
        "participants",
    } <= {*prune.ABOUT_INCIDENTS}


def test_the_command_says_what_there_is_and_deletes_only_when_told(
    house: House, db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", db)
    monkeypatch.setattr("bot.app.utc_now", lambda: house.clock.now + timedelta(days=400))
    live_and_die(house, "old")
    assert "1 incidents" in run("--older-than", "365d")
    assert "Nothing was deleted" in run("--older-than", "365d")
    assert "Nothing was resolved longer than 730 days ago" in run("--older-than", "730d")
    assert len(house.incidents()) == 1
    assert "Deleted." in run("--older-than", "365d", "--delete")
    assert house.incidents() == []


def test_without_a_time_nothing_is_deleted(house: House, db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", db)
    with pytest.raises(FirstlineError, match="--older-than 730d, or set RETAIN"):
        run("--delete")
    monkeypatch.setenv("RETAIN", "365d")
    assert "Nothing was resolved longer than 365 days ago" in run()


def run(*arguments: str) -> str:
    database.disconnect()
    done = CliRunner().invoke(app, ["prune", *arguments])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return " ".join(done.output.split())


def test_the_clock_deletes_what_retain_keeps_no_longer(house: House) -> None:
    live_and_die(house, "old")
    live_and_die(house, "new")
    with database.transaction():
        row = Incident.select().order_by(Incident.id).first()
        Incident.update(resolved_at=house.clock.now - 2 * YEAR).where(Incident.id == row.id).execute()
    settings = Settings(retain=YEAR)
    with Firstline(settings, World([house.mail], [], None, house.clock), works=False).keeping_time():
        wait_until(lambda: len(house.incidents()) == 1)
