"""PostgreSQL: the URL, the connections, and what becomes of an error."""

import threading
import time
from datetime import UTC
from typing import Any

import psycopg
import pytest
from peewee import OperationalError

from bot.app import UNAVAILABLE, open_database
from bot.errors import ConfigurationError
from bot.settings import Settings
from storage import database, dialect, incidents, lanes
from storage.migrate import migrate
from storage.tables import Lane
from tests import postgres
from tests.fakes import NOON
from tests.postgres import ON_POSTGRESQL, PASSWORD, PrivateServer, Server
from tests.test_storage import values


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialect, "BUSY_TIMEOUT", 0.5)


@pytest.fixture
def _few_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialect, "POSTGRESQL_CONNECTIONS", 2)
    monkeypatch.setattr(dialect, "SQLITE_CONNECTIONS", 2)


@pytest.fixture
def private(postgresql: Server) -> PrivateServer:
    """A server that we started, and whose passwords and settings we know."""
    if not isinstance(postgresql, PrivateServer):
        pytest.skip("needs a PostgreSQL of its own: run without TEST_DATABASE_URL, after apt install postgresql")
    return postgresql


def one(sql: str) -> Any:
    with database.session():
        return database.execute(sql).fetchone()[0]


def terminate_all(server: Server) -> None:
    """End every connection to the database of the test."""
    server.end_sessions(database.database.obj.database)


def in_thread(work: Any) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


# --- the URL


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "postgresql://ana:p%40ss%2Fw%3Ard@db.example:6432/bot?sslmode=verify-full",
            {"user": "ana", "password": "p@ss/w:rd", "host": "db.example", "port": "6432", "sslmode": "verify-full"},
        ),
        ("postgres://db.example/bot", {"host": "db.example"}),
        ("postgresql:///bot?host=/run/postgresql", {"host": "/run/postgresql"}),
        ("postgresql://%2Frun%2Fpostgresql/bot", {"host": "/run/postgresql"}),
        ("postgresql://a,b:5433/bot?target_session_attrs=read-write", {"host": "a,b", "port": ",5433"}),
        ("postgresql://h/bot?connect_timeout=3", {"connect_timeout": "3"}),
    ],
)
def test_a_url_is_read_as_libpq_reads_it(url: str, expected: dict[str, str]) -> None:
    opened = dialect.open_url(url)
    assert opened.database == "bot"
    assert opened.connect_params.items() >= expected.items()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://",
        "postgresql://host",
        "postgresql://u:sec/ret@host/bot",
        "postgresql://u:5432/sec@ret/bot",
        "postgresql://u:sec@ret@host/bot",
        "postgresql://u:sec%ret@host/bot",
        "postgresql://host/bot?nosuchoption=1",
        "postgresql://[::1/bot",
    ],
)
def test_a_url_that_cannot_be_right_is_refused_without_showing_a_password(url: str) -> None:
    with pytest.raises(ValueError, match=r"PostgreSQL|percent-encoded") as refused:
        dialect.open_url(url)
    assert "sec" not in str(refused.value)
    assert refused.value.__cause__ is None


@ON_POSTGRESQL
def test_a_password_with_special_characters_opens_the_door(private: PrivateServer, db: str) -> None:
    database.connect(private.tcp_url(database.database.obj.database))
    assert one("SELECT 1") == 1
    database.disconnect()


@ON_POSTGRESQL
def test_a_wrong_password_is_said_and_not_shown(private: PrivateServer, database_url: str) -> None:
    url = private.tcp_url("postgres", "secret" + PASSWORD)
    with pytest.raises(ConfigurationError, match="DATABASE_URL: the database cannot be opened") as refused:
        open_database(Settings(database_url=url), migrating=False)
    assert "secret" not in str(refused.value)


def test_a_server_that_is_not_there_is_said_at_once() -> None:
    with pytest.raises(ConfigurationError, match="DATABASE_URL: the database cannot be opened"):
        open_database(Settings(database_url="postgresql://127.0.0.1:1/bot"), migrating=False)


# --- what is the same on both


@pytest.mark.usefixtures("_impatient", "_few_connections")
def test_when_all_connections_are_in_use_it_is_unavailable(db: str) -> None:
    begun, done = threading.Barrier(3), threading.Event()

    def hold() -> None:
        with database.session():
            begun.wait(5)
            done.wait(5)

    threads = [in_thread(hold) for _ in range(2)]
    begun.wait(5)
    began = time.monotonic()
    with pytest.raises(UNAVAILABLE, match="Max connections"), database.session():
        pass
    assert 0.4 < time.monotonic() - began < 3
    done.set()
    for thread in threads:
        thread.join()
    assert one("SELECT 1") == 1


@pytest.mark.usefixtures("_few_connections")
def test_who_waits_for_a_connection_gets_the_next_that_is_free(db: str) -> None:
    served = []

    def ask() -> None:
        for _ in range(5):
            with database.session():
                served.append(database.execute("SELECT 1").fetchone())

    for thread in [in_thread(ask) for _ in range(12)]:
        thread.join()
    assert len(served) == 60


# --- a lock, a dead connection, a server that is away


@ON_POSTGRESQL
@pytest.mark.usefixtures("_impatient")
def test_a_stuck_lock_is_an_error_and_not_for_ever(db: str) -> None:
    with database.transaction():
        lanes.wake({"in/a": NOON})
    with psycopg.connect(db) as other:
        other.execute("SELECT * FROM lanes FOR UPDATE")
        began = time.monotonic()
        with pytest.raises(OperationalError, match="lock timeout"), database.transaction():
            lanes.wake({"in/a": NOON})
        assert 0.4 < time.monotonic() - began < 3
    with database.transaction():
        lanes.wake({"in/a": NOON})


@ON_POSTGRESQL
@pytest.mark.usefixtures("_impatient")
def test_a_read_behind_a_stuck_lock_is_an_error_too(db: str) -> None:
    with psycopg.connect(db) as other:
        other.execute("LOCK TABLE lanes IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(OperationalError, match="lock timeout"), database.session():
            lanes.due(NOON, 10)


@ON_POSTGRESQL
def test_connections_that_died_while_idle_are_replaced(postgresql: Server, db: str) -> None:
    together = threading.Barrier(5)

    def open_one() -> None:
        with database.session():
            together.wait(5)

    for thread in [in_thread(open_one) for _ in range(5)]:
        thread.join()
    terminate_all(postgresql)
    assert one("SELECT 1") == 1
    assert len(database.database.obj._connections) == 1


@ON_POSTGRESQL
def test_a_connection_that_dies_in_a_transaction_is_an_error_and_the_next_is_well(postgresql: Server, db: str) -> None:
    def interrupted() -> None:
        with database.transaction():
            incidents.open(values())
            terminate_all(postgresql)
            incidents.open(values(id="i-2", ticket_id="TKT-2"))

    with pytest.raises(UNAVAILABLE):
        interrupted()
    with database.transaction():
        assert incidents.get("i-1") is None
        assert incidents.open(values())


@ON_POSTGRESQL
def test_who_dawdles_in_a_transaction_loses_it(monkeypatch: pytest.MonkeyPatch, db: str) -> None:
    monkeypatch.setattr(dialect, "STATEMENT_TIMEOUT", 0.2)
    database.disconnect()
    database.connect(db)

    def dawdle() -> None:
        with database.transaction():
            lanes.wake({"in/a": NOON})
            time.sleep(0.6)
            lanes.wake({"in/b": NOON})

    with pytest.raises(UNAVAILABLE):
        dawdle()
    assert one("SELECT COUNT(*) FROM lanes") == 0


@ON_POSTGRESQL
def test_a_statement_that_takes_for_ever_is_ended(monkeypatch: pytest.MonkeyPatch, db: str) -> None:
    monkeypatch.setattr(dialect, "STATEMENT_TIMEOUT", 0.2)
    database.disconnect()
    database.connect(db)
    with pytest.raises(UNAVAILABLE, match="statement timeout"):
        one("SELECT pg_sleep(5)")


@ON_POSTGRESQL
def test_a_standby_that_only_reads_is_unavailable(postgresql: Server, db: str) -> None:
    name = database.database.obj.database
    postgresql.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    database.disconnect()
    database.connect(db)
    with pytest.raises(UNAVAILABLE, match="read-only"), database.transaction():
        lanes.wake({"in/a": NOON})


def test_those_who_waited_while_no_connection_could_be_made_share_the_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail_slowly(**params: Any) -> Any:
        time.sleep(0.3)
        raise psycopg.OperationalError("no route to the host")

    monkeypatch.setattr(psycopg, "connect", fail_slowly)
    database.connect("postgresql://192.0.2.1/bot")
    failures = []

    def ask() -> None:
        try:
            one("SELECT 1")
        except OperationalError as exc:
            failures.append(str(exc))

    began = time.monotonic()
    for thread in [in_thread(ask) for _ in range(20)]:
        thread.join()
    assert failures == ["no route to the host"] * 20
    assert time.monotonic() - began < 1.5


@ON_POSTGRESQL
def test_a_server_that_went_away_is_unavailable_and_found_again_when_it_is_back(backend: str) -> None:
    with postgres.private_server(durable=True) as server:
        database.connect(server.url("postgres"))
        assert one("SELECT 1") == 1
        with server.stopped():
            for _ in range(2):
                with pytest.raises(UNAVAILABLE):
                    one("SELECT 1")
        assert one("SHOW fsync") == "on"
        database.disconnect()


# --- transactions


@ON_POSTGRESQL
def test_transactions_run_side_by_side(db: str) -> None:
    both_inside = threading.Barrier(2)

    def wake(lane: str) -> None:
        with database.transaction():
            lanes.wake({lane: NOON})
            both_inside.wait(5)

    for thread in [in_thread(lambda lane=lane: wake(lane)) for lane in ("in/a", "in/b")]:
        thread.join()
    assert not both_inside.broken
    assert one("SELECT COUNT(*) FROM lanes") == 2


@ON_POSTGRESQL
def test_every_statement_sees_what_is_committed_by_then_whatever_the_servers_default(db: str) -> None:
    with database.transaction():
        assert database.execute("SHOW transaction_isolation").fetchone() == ("read committed",)
        with psycopg.connect(db) as other:
            other.execute("INSERT INTO lanes (key, due_at) VALUES ('in/a', now())")
        assert Lane.select().count() == 1


@ON_POSTGRESQL
def test_times_come_back_as_utc_whatever_the_servers_zone(private: PrivateServer, db: str) -> None:
    assert private.execute("SHOW timezone") == [("Asia/Kolkata",)]
    with database.transaction():
        incidents.open(values())
        row = incidents.get("i-1")
    assert row is not None
    assert (row["created_at"], row["created_at"].tzinfo) == (NOON, UTC)
    assert one("SHOW timezone") == "UTC"


@ON_POSTGRESQL
def test_nothing_is_prepared_on_a_connection_that_may_be_another_next_time(db: str) -> None:
    with database.session():
        for _ in range(20):
            lanes.due(NOON, 10)
        assert database.execute("SELECT COUNT(*) FROM pg_prepared_statements").fetchone() == (0,)


@ON_POSTGRESQL
def test_a_lane_is_found_by_its_index_among_very_many(db: str) -> None:
    with database.transaction():
        database.execute(
            "INSERT INTO lanes (key, due_at) SELECT 'in/' || n, timestamptz '2026-11-23' + n * interval '1 second' "
            "FROM generate_series(1, 20000) AS n"
        )
        database.execute("ANALYZE lanes")
        plan = database.execute(
            "EXPLAIN SELECT key FROM lanes WHERE due_at <= now() AND (lease_until IS NULL OR lease_until <= now()) "
            "ORDER BY due_at LIMIT 1000"
        ).fetchall()
    assert any("lanes_due_at" in line for (line,) in plan), plan


@ON_POSTGRESQL
@pytest.mark.usefixtures("_impatient")
def test_two_who_migrate_at_once_wait_for_each_other_longer_than_for_a_lock(database_url: str) -> None:
    database.connect(database_url)
    with psycopg.connect(database_url) as other:
        other.execute("SELECT pg_advisory_xact_lock(4077001)")
        applied: list[list[str]] = []
        thread = in_thread(lambda: applied.append(migrate()))
        time.sleep(1)
        assert applied == []
    thread.join()
    assert len(applied[0]) > 0
    database.disconnect()
