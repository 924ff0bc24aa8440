"""The database, its schema and its rules."""

import sqlite3
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from peewee import IntegrityError

from storage import database, incidents, tables
from storage.database import Turnstile
from storage.migrate import FOLDER, migrate, pending
from storage.tables import from_utc_text, utc_text
from tests.fakes import NOON
from tests.postgres import ON_SQLITE

ALL_MIGRATIONS = sorted(FOLDER.glob("0*.py"))


def values(**changes: Any) -> dict[str, Any]:
    """A row of `incidents`, all of it."""
    row: dict[str, Any] = {
        "id": "i-1",
        "customer_id": "C-1",
        "channel": "email",
        "message": "charged twice",
        "classification": "duplicate_payment",
        "confidence": 0.9,
        "reason": "",
        "classified_by": "local",
        "ticket_id": "TKT-1",
        "external_ticket_id": None,
        "status": "open",
        "assignee": None,
        "created_at": NOON,
        "resolved_at": None,
        "resolved_by": None,
        "reminder_sent": False,
        "identity": None,
        "reporter": "",
        "chat": "",
        "continues": None,
        "addresses": [],
        "language": "en",
        "openings": 1,
        "resolutions": 0,
        "touched_at": None,
        "reviewed_by": None,
        "subject": "",
        **changes,
    }
    return {"conversation": row["id"], "last_opened_at": row["created_at"], **row}


def open_and_fail(**changes: object) -> None:
    with database.transaction():
        incidents.open(values(**changes))
        raise ZeroDivisionError


def test_the_migrations_make_the_tables_that_the_code_expects(db: str) -> None:
    with database.session():
        for table in tables.ALL:
            columns = {
                column.name: (column.null, column.primary_key)
                for column in database.database.get_columns(table._meta.table_name)
            }
            expected = {field.column_name: (field.null, field.primary_key) for field in table._meta.sorted_fields}
            assert columns == expected, table


def test_every_unique_field_is_unique_in_the_database(db: str) -> None:
    with database.session():
        for table in tables.ALL:
            unique = {tuple(i.columns) for i in database.database.get_indexes(table._meta.table_name) if i.unique}
            expected = {(f.column_name,) for f in table._meta.sorted_fields if f.unique}
            expected |= {
                tuple(table._meta.fields[name].column_name for name in names)
                for names, is_unique in table._meta.indexes
                if is_unique
            }
            assert expected <= unique, table


def test_migrating_twice_does_nothing(db: str) -> None:
    assert migrate() == []
    assert pending() == []


def test_two_processes_may_migrate_at_once(database_url: str) -> None:
    database.connect(database_url)
    applied: list[list[str]] = []
    threads = [threading.Thread(target=lambda: applied.append(migrate())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    database.disconnect()
    assert sorted(len(names) for names in applied) == [0, 0, 0, len(ALL_MIGRATIONS)]


def test_a_ticket_number_is_given_once(db: str) -> None:
    with database.transaction():
        assert incidents.open(values())
        assert not incidents.open(values(id="i-2"))
        assert incidents.get("i-2") is None


def test_a_second_incident_of_the_same_id_is_refused_loudly(db: str) -> None:
    with database.transaction():
        incidents.open(values())
    with pytest.raises(IntegrityError), database.transaction():
        incidents.open(values(ticket_id="TKT-2"))


def test_a_failing_transaction_leaves_nothing(db: str) -> None:
    with pytest.raises(ZeroDivisionError):
        open_and_fail()
    with database.session():
        assert incidents.get("i-1") is None


def test_a_nested_transaction_fails_alone(db: str) -> None:
    with database.transaction():
        incidents.open(values())
        with pytest.raises(ZeroDivisionError):
            open_and_fail(id="i-2", ticket_id="TKT-2")
    with database.session():
        assert incidents.get("i-1") is not None
        assert incidents.get("i-2") is None


def test_times_are_stored_as_utc_and_come_back_aware(db: str) -> None:
    kolkata = timezone(timedelta(hours=5, minutes=30))
    with database.transaction():
        incidents.open(values(created_at=NOON.astimezone(kolkata)))
    with database.session():
        row = incidents.get("i-1")
    assert row is not None
    assert row["created_at"] == NOON
    assert row["created_at"].tzinfo is UTC


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="which zone"):
        utc_text(datetime(2026, 1, 1))  # noqa: DTZ001


@pytest.mark.parametrize("microsecond", [0, 1, 999_999])
def test_time_as_text_sorts_as_time_does(microsecond: int) -> None:
    moment = NOON.replace(microsecond=microsecond)
    assert from_utc_text(utc_text(moment)) == moment
    assert len(utc_text(moment)) == 27
    assert utc_text(moment) < utc_text(moment + timedelta(microseconds=1))


@ON_SQLITE
def test_a_person_can_read_the_file_with_the_sqlite_shell(db: str, tmp_path: Path) -> None:
    with database.transaction():
        incidents.open(values())
    with sqlite3.connect(tmp_path / "incidents.db") as connection:
        row = connection.execute("SELECT ticket_id, classification, status, created_at FROM incidents").fetchone()
    connection.close()
    assert row == ("TKT-1", "duplicate_payment", "open", "2026-11-22T12:00:00.000000Z")


@ON_SQLITE
def test_what_is_acknowledged_survives_a_power_cut(db: str) -> None:
    with database.session():
        assert database.execute("PRAGMA synchronous").fetchone() == (1,)  # storage/disk.py waits for the disk
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert database.execute("PRAGMA foreign_keys").fetchone() == (1,)


def test_the_turnstile_serves_in_the_order_of_arrival() -> None:
    turnstile, served, threads = Turnstile(), [], []

    def pass_through(number: int) -> None:
        with turnstile:
            served.append(number)

    with turnstile:
        for number in range(20):
            threads.append(threading.Thread(target=pass_through, args=(number,)))
            threads[-1].start()
            while len(turnstile._queue) < number + 2:
                pass
    for thread in threads:
        thread.join()
    assert served == list(range(20))


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite:////nowhere/x.db", "oracle://x", ""]
)
def test_a_url_that_names_no_usable_database_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"sqlite|folder|begins|SQLite"):
        database.connect(url)
