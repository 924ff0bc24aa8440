"""`bot db copy`: a SQLite database becomes a PostgreSQL one, row by row the same, or nothing happens."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.__main__ import app
from bot.errors import FirstlineError
from bot.model import IncidentFilter
from storage import copy, database
from storage.migrate import migrate
from storage.tables import ALL, Event, InboxMessage, Incident
from tests.fakes import NOON, TestClock
from tests.filled import ROWS, fill
from tests.house import House
from tests.postgres import Server


@pytest.fixture
def source(tmp_path: Path) -> Iterator[str]:
    """A SQLite database that is full; nobody is connected to it."""
    url = f"sqlite:///{tmp_path}/old.db"
    database.connect(url)
    migrate()
    fill()
    database.disconnect()
    yield url
    database.disconnect()


@pytest.fixture
def target(postgresql: Server) -> Iterator[str]:
    name = postgresql.create(migrated=False)
    yield postgresql.url(name)
    database.disconnect()
    postgresql.drop(name)


def run(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["db", "copy", *arguments])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.output


def test_every_row_of_every_table_is_the_same(source: str, target: str) -> None:
    said = run(source, target)
    assert f"{ROWS * len(ALL)} rows are the same in both" in said
    with copy.opened(source) as old, copy.opened(target) as new:
        for kind in ALL:
            before, after = (_read(kind, found) for found in (old, new))
            assert before == after, kind
            assert len(after) == ROWS


def _read(kind: object, found: object) -> list[object]:
    fields = kind._meta.sorted_fields  # type: ignore[attr-defined]
    return sorted(
        (
            repr(
                [None if value is None else field.python_value(value) for field, value in zip(fields, row, strict=True)]
            )
            for some in copy._batches(kind, found)
            for row in some
        ),
    )


def test_the_tables_are_all_that_there_are(source: str) -> None:
    with copy.opened(source) as old:
        found = {name for name in old.get_tables() if not name.startswith("sqlite_")}
    made_anew = {"tallies", *(name for name in found if name.startswith("search"))}
    assert found - {kind._meta.table_name for kind in ALL} == {"schema_migration"} | made_anew


def test_incidents_are_found_and_counted_where_they_are_now(tmp_path: Path, target: str, clock: TestClock) -> None:
    source = f"sqlite:///{tmp_path}/old.db"
    database.connect(source)
    migrate()
    house = House(clock)
    one = house.write("my okapi was charged twice", "k-1")["incident_id"]
    house.write("a refund please", "k-2", customer_id="C-2")
    house.stop()
    before = house.firstline.views.stats()
    database.disconnect()
    run(source, target)
    database.connect(target)
    views = House(clock).firstline.views
    assert [found.id for found in views.find(IncidentFilter(text="okapi"), None, 5).incidents] == [one]
    assert len(views.find(IncidentFilter(), None, 5).incidents) == before["total"] == 2
    assert views.stats() == before


def test_new_rows_get_numbers_that_nobody_has(source: str, target: str) -> None:
    run(source, target)
    database.connect(target)
    with database.transaction():
        for number in range(3):
            database.insert(Event, [{"incident": None, "at": NOON, "actor": "a", "name": f"n{number}"}])
        newest = [row["id"] for row in database.rows(Event.select().order_by(Event.id.desc()).limit(3))]
    assert newest == [ROWS * 7 + 3, ROWS * 7 + 2, ROWS * 7 + 1]


def test_work_goes_on_where_it_was(tmp_path: Path, target: str, clock: TestClock) -> None:
    url = f"sqlite:///{tmp_path}/old.db"
    database.connect(url)
    migrate()
    house = House(clock)
    told = house.write("my card was charged twice", "k-1")
    house.accept("my payment failed", "k-2")
    house.stop()
    database.disconnect()
    assert "same in both" in run(url, target)
    database.connect(target)
    house = House(clock)
    house.work()
    assert {row["message"] for row in house.all(Incident)} == {"my card was charged twice", "my payment failed"}
    assert house.answer(told["incident_id"], "it was 20 euros")["ticket_id"] == told["ticket_id"]
    house.later(hours=25)
    assert len(house.mails("reminder")) == 2
    house.stop()


def test_a_target_with_rows_is_left_alone(source: str, target: str) -> None:
    database.connect(target)
    migrate()
    with database.transaction():
        database.insert(Event, [{"incident": None, "at": NOON, "actor": "a", "name": "n"}])
    database.disconnect()
    with pytest.raises(FirstlineError, match=r"not empty: events has 1 row"):
        run(source, target)
    with copy.opened(target) as new:
        assert copy.count(new) == {kind._meta.table_name: int(kind is Event) for kind in ALL}


def test_a_source_that_somebody_works_on_is_refused(source: str, target: str) -> None:
    database.connect(source)
    with database.transaction():
        database.execute("UPDATE lanes SET lease_until = '2999-01-01T00:00:00.000000Z'")
    database.disconnect()
    with pytest.raises(FirstlineError, match="stop every process"):
        run(source, target)


def test_a_row_that_arrives_otherwise_is_noticed_and_nothing_is_kept(
    source: str, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = copy._moved
    monkeypatch.setattr(
        copy,
        "_moved",
        lambda field, value: "lost" if field is InboxMessage.error and value is not None else moved(field, value),
    )
    with pytest.raises(FirstlineError, match="inbox did not arrive as it was"):
        run(source, target)
    with copy.opened(target) as new:
        assert set(copy.count(new).values()) == {0}


def test_a_text_that_postgresql_cannot_hold_is_said_and_nothing_is_kept(source: str, target: str) -> None:
    database.connect(source)
    with database.transaction():
        database.execute("UPDATE events SET actor = 'a' || char(0) || 'b' WHERE id = 7")
    database.disconnect()
    with pytest.raises(FirstlineError, match=r"Nothing was copied: .*NUL"):
        run(source, target)
    with copy.opened(target) as new:
        assert set(copy.count(new).values()) == {0}


@pytest.mark.parametrize("pair", [("postgresql://h/a", "sqlite:///b"), ("sqlite:///a", "sqlite:///b")])
def test_the_other_way_round_is_refused(pair: tuple[str, str]) -> None:
    with pytest.raises(FirstlineError, match="FROM must be a sqlite"):
        run(*pair)
