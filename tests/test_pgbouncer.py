"""Behind PgBouncer in transaction mode, where nothing may outlive its transaction."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from bot.settings import Settings
from storage import database, dialect
from storage.migrate import migrate
from tests.mailbox import Mailbox, wait_until
from tests.pgbouncer import CONNECTIONS, PgBouncer, pgbouncer
from tests.postgres import PrivateServer, Server
from tests.process import BOT, Process

NEW = {"customer_id": "C-7", "message": "My card was charged twice", "channel": "email", "email": "ana@example.com"}


@pytest.fixture
def private(postgresql: Server) -> PrivateServer:
    if not isinstance(postgresql, PrivateServer):
        pytest.skip("needs a PostgreSQL of its own: run without TEST_DATABASE_URL, after apt install postgresql")
    return postgresql


@pytest.fixture
def bouncer(private: PrivateServer) -> Iterator[PgBouncer]:
    name = private.create(migrated=False)
    with pgbouncer(private, name) as found:
        yield found
    private.drop(name)


def test_a_whole_journey_goes_through_it(bouncer: PgBouncer, mailbox: Mailbox, tmp_path: Path) -> None:
    settings = {
        "DATABASE_URL": bouncer.url, "FOLLOW_UP_AFTER": "1s", "TICKET_WITHIN": "1s", **mailbox.environment()
    }  # fmt: skip
    with Process(tmp_path, settings) as process:
        process.wait_up()
        answers: list[Any] = []
        threads = [
            threading.Thread(
                target=lambda n=n: answers.append(process.post({**NEW, "customer_id": f"C-{n}"}, f"k-{n}"))
            )
            for n in range(24)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [answer.status_code for answer in answers] == [201] * 24
        wait_until(lambda: len(mailbox.by_notice("acknowledgement")) == 24)
        wait_until(lambda: len(mailbox.by_notice("reminder")) == 24)
        ticket = answers[0].json()["ticket_id"]
        assert requests.post(f"{process.url}/api/incidents/{ticket}/resolve", timeout=5).status_code == 200
        wait_until(lambda: mailbox.by_notice("resolved"))
        assert process.terminate() == 0
    assert not [line for line in process.output if '"level": "error"' in line]


def test_nothing_is_left_behind_on_a_connection_that_somebody_else_gets_next(
    bouncer: PgBouncer, private: PrivateServer
) -> None:
    database.connect(bouncer.url)
    try:
        migrate()
        for _ in range(3 * CONNECTIONS):
            with database.transaction():
                assert database.execute("SHOW lock_timeout").fetchone() == ("10s",)
            with database.session():
                for name in ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout"):
                    assert database.execute(f"SHOW {name}").fetchone() == ("0",)
                left = "SELECT (SELECT COUNT(*) FROM pg_prepared_statements), (SELECT COUNT(*) FROM pg_locks "
                assert database.execute(left + "WHERE locktype = 'advisory')").fetchone() == (0, 0)
    finally:
        database.disconnect()


@pytest.mark.parametrize("through", ["PgBouncer", "the server itself"])
def test_two_who_migrate_at_once_do_it_once(
    through: str, bouncer: PgBouncer, private: PrivateServer, tmp_path: Path
) -> None:
    url = bouncer.url if through == "PgBouncer" else private.url(bouncer.url.rpartition("/")[2])
    folders = [tmp_path / str(number) for number in range(3)]
    for folder in folders:
        folder.mkdir()
    running = [
        subprocess.Popen(
            [BOT, "migrate"], cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={"DATABASE_URL": url, "PATH": str(Path(sys.executable).parent)},
        )
        for folder in folders
    ]  # fmt: skip
    said = [process.communicate(timeout=60) for process in running]
    assert [process.returncode for process in running] == [0, 0, 0], said
    assert sorted("applied 0001" in out for out, _ in said) == [False, False, True]
    assert sum(out == "The schema is up to date.\n" for out, _ in said) == 2


def test_a_process_has_a_connection_for_each_of_its_threads() -> None:
    few, many = (dialect.open_url("postgresql://127.0.0.1/bot", workers) for workers in (4, 100))
    assert few._max_connections == dialect.POSTGRESQL_CONNECTIONS > Settings().workers + 4
    assert many._max_connections > 100 + 4
