"""A database that an earlier version filled goes on working."""

import json
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from peewee import IntegrityError
from playhouse.migrations import Runner

from bot.model import Attachment, IncidentFilter
from bot.views import Views
from storage import database, incidents
from storage.migrate import FOLDER, migrate
from storage.tables import Attachment as Row
from storage.tables import utc_text
from tests.fakes import NOON, Cupboard, TestClock
from tests.house import ANA, CLERK, House

AT = utc_text(NOON)


def insert(table: str, **values: Any) -> None:
    marks = ", ".join("?" * len(values))
    database.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", list(values.values()))


def fill() -> None:
    """An open and a resolved incident, a message that waits to be handled, a text that waits to be sent."""
    for number, status in enumerate(("open", "resolved"), start=1):
        done = {"resolved_at": AT, "resolved_by": "clerk"} if status == "resolved" else {}
        insert(
            "incidents", id=f"i-{number}", customer_id="C-1", channel="email", message="charged twice",
            classification="duplicate_payment", reason="", classified_by="local", ticket_id=f"TKT-{number}000",
            status=status, created_at=AT, reminder_sent=False, **done,
        )  # fmt: skip
        insert(
            "messages", incident_id=f"i-{number}", channel="web", external_id=f"loopback:k-{number}",
            direction="customer", author="C-1", text="charged twice", created_at=AT,
        )  # fmt: skip
        insert("events", incident_id=f"i-{number}", at=AT, actor="web", name="opened", after=f"TKT-{number}000")
    notice = {
        "key": "i-1.acknowledgement.email", "kind": "acknowledgement", "incident_id": "i-1", "ticket_id": "TKT-1000",
        "subject": "[TKT-1000] We have received your message", "greeting": "", "lead": "", "facts": [], "quote": "",
        "closing": "", "language": "en",
    }  # fmt: skip
    insert(
        "notifications", incident_id="i-1", channel="email", recipient=ANA.key, kind="acknowledgement", message="",
        notice=json.dumps(notice), dedupe=notice["key"], lane=f"out/{ANA}", status="pending", due_at=AT, attempts=0,
        repeats=0, created_at=AT,
    )  # fmt: skip
    insert("lanes", key=f"out/{ANA}", due_at=AT)
    insert("follow_ups", incident_id="i-1", opened_at=AT, due_at=AT, state="waiting")
    payload = {
        "channel": "web", "external_id": "loopback:k-3", "lane": "web/loopback:k-3", "customer_id": "C-1",
        "text": "My transfer failed", "answer_on": "email", "addresses": [{"channel": "email", "key": ANA.key}],
        "fingerprint": "",
    }  # fmt: skip
    insert(
        "inbox", channel="web", external_id="loopback:k-3", incident_id="i-3", lane="in/web/loopback:k-3",
        payload=json.dumps(payload), fingerprint="", received_at=AT, state="new", due_at=AT, attempts=0,
    )  # fmt: skip
    insert("lanes", key="in/web/loopback:k-3", due_at=AT)


@pytest.fixture
def house(database_url: str, tmp_path: Path, clock: TestClock) -> Iterator[House]:
    """A house on a database that was filled by the first version and then brought up to date."""
    folder = tmp_path / "first"
    folder.mkdir()
    shutil.copy(FOLDER / "0001_the_spine.py", folder)
    database.connect(database_url)
    with database.transaction():
        Runner(database.database.obj, str(folder)).up()
        fill()
    assert migrate() == sorted(path.stem for path in FOLDER.glob("[0-9]*.py"))[1:]
    house = House(clock)
    yield house
    house.stop()
    database.disconnect()


def test_what_waited_is_done(house: House) -> None:
    house.later(seconds=0)
    assert house.mails("acknowledgement")[0].ticket_id == "TKT-1000"
    assert house.incident("i-3")["classification"] == "failed_payment"
    assert [notice.ticket_id for notice in house.mails("reminder")] == ["TKT-1000"]


def test_earlier_incidents_can_be_answered_resolved_and_reopened(house: House) -> None:
    house.answer("i-1", "it was 20 euros", reporter="loopback", customer_id="C-1")
    house.commands.resolve("TKT-1000", CLERK)
    assert house.answer("i-2", "charged again", reporter="loopback", customer_id="C-1")["status"] == "open"
    house.work()
    assert [notice.ticket_id for notice in house.mails("resolved")] == ["TKT-1000"]
    assert (house.incident("i-2")["openings"], house.incident("i-2")["resolutions"]) == (2, 1)


def test_files_that_come_to_earlier_incidents_are_kept_with_them(house: House) -> None:
    house.sources = (Cupboard("web", a=b"%PDF-1.7"),)
    house.die()
    file = Attachment("bill.pdf", "", None, "a")
    house.answer("i-1", "here it is", reporter="loopback", customer_id="C-1", attachments=(file,))
    (kept,) = house.all(Row)
    assert (kept["incident"], kept["state"], kept["media_type"]) == ("i-1", "kept", "application/pdf")


def test_their_customer_is_the_one_who_writes_again(house: House) -> None:
    new = house.write("my card was stolen", "k-9", reporter="loopback", customer_id="C-1")
    assert {house.incident(name)["identity"] for name in ("i-1", "i-2")} == {
        house.incident(new["incident_id"])["identity"]
    }


def test_earlier_incidents_are_listed_found_and_counted(house: House) -> None:
    views = house.firstline.views
    assert [one.id for one in views.find(IncidentFilter(), None, 5).incidents] == ["i-2", "i-1"]
    for asked in ("charged", "twice", ANA.key, "C-1", "TKT-1000"):
        assert "i-1" in [one.id for one in views.find(IncidentFilter(text=asked), None, 5).incidents], asked
    figures = views.stats()
    assert (figures["total"], figures["by_status"]) == (2, {"open": 1, "resolved": 1})
    house.commands.reopen("TKT-2000", CLERK)
    assert views.stats()["by_status"] == {"open": 2}


def test_however_many_there_were_each_has_its_place_and_its_words(database_url: str, tmp_path: Path) -> None:
    folder = tmp_path / "first"
    folder.mkdir()
    shutil.copy(FOLDER / "0001_the_spine.py", folder)
    database.connect(database_url)
    with database.transaction():
        Runner(database.database.obj, str(folder)).up()
        for number in range(1203):
            insert(
                "incidents", id=f"i-{number:04}", customer_id="C-1", channel="email", message="",
                classification="other", reason="", classified_by="local", ticket_id=f"TKT-{number}", status="resolved",
                created_at=utc_text(NOON + timedelta(seconds=number // 1100)), reminder_sent=False,
            )  # fmt: skip
            insert(
                "messages", incident_id=f"i-{number:04}", channel="web", external_id=str(number), direction="customer",
                author="C-1", text=f"word{number}", created_at=AT,
            )  # fmt: skip
    migrate()
    listed = [one.id for one in Views().every(IncidentFilter())]
    assert listed == [f"i-{number:04}" for number in range(1202, -1, -1)]
    for number in (0, 499, 500, 999, 1000, 1202):
        assert [one.id for one in Views().every(IncidentFilter(text=f'"word{number}"'))] == [f"i-{number:04}"]
    database.disconnect()


def test_the_audit_trail_is_still_there(house: House) -> None:
    assert house.events("i-1") == ["opened"]
    with database.transaction():
        incidents.record(None, NOON, "x", "refused")
    assert house.events(None) == ["refused"]


def test_texts_may_belong_to_no_incident_and_what_else_their_table_has_stays(database_url: str, tmp_path: Path) -> None:
    folder = tmp_path / "first"
    folder.mkdir()
    shutil.copy(FOLDER / "0001_the_spine.py", folder)
    database.connect(database_url)
    with database.transaction():
        Runner(database.database.obj, str(folder)).up()
        fill()
        database.execute("ALTER TABLE notifications ADD COLUMN later TEXT NOT NULL DEFAULT 'kept'")
        database.execute("CREATE INDEX notifications_later ON notifications (later)")
    migrate()
    with database.transaction():
        insert(
            "notifications", channel="email", recipient=ANA.key, kind="code", message="", notice="{}", dedupe="x",
            lane="out/x", status="sent", attempts=1, repeats=0, created_at=AT,
        )  # fmt: skip
        database.execute("DROP INDEX notifications_later")
        database.execute("DROP INDEX notifications_waiting")
        found = database.execute("SELECT incident_id, later, booked, due_at IS NULL FROM notifications ORDER BY id")
        assert [tuple(row) for row in found.fetchall()] == [("i-1", "kept", "[]", False), (None, "kept", "[]", True)]
    with pytest.raises(IntegrityError), database.transaction():
        insert(
            "notifications", incident_id="nowhere", channel="email", recipient="", kind="code", message="",
            notice="{}", dedupe="y", lane="out/x", status="sent", attempts=1, repeats=0, created_at=AT,
        )  # fmt: skip
    database.disconnect()
