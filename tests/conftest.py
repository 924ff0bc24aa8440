"""What the tests share."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import structlog

from bot import lanes, telemetry
from storage import database
from storage.migrate import migrate
from tests import postgres
from tests.desk import LocalDesk
from tests.door import Door, open_door
from tests.fakes import TestClock
from tests.mail_rig import MailServer, PostOffice, mail_server, post_office
from tests.mailbox import Mailbox
from tests.rabbitmq import RabbitMQServer, rabbitmq_server
from tests.redis import RedisServer, redis_server

PLAIN = [
    structlog.processors.add_log_level,
    structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
]
"""How a test's log is written: the default shows the variables of every frame, which takes seconds at times."""

hypothesis.settings.register_profile("fixed", derandomize=True, deadline=None)  # the machines are shared and noisy
hypothesis.settings.load_profile("fixed")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Each test runs in an empty folder, with none of the settings of whoever runs it, and undoes its logging."""
    for name in ("DATABASE_URL", "HOST", "PORT", "SMTP_HOST", "GEMINI_API_KEY", "TICKET_API_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in [name for name in os.environ if name.startswith("PG")]:  # libpq's own
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    structlog.configure(processors=PLAIN)
    yield
    structlog.reset_defaults()
    telemetry.forget_secrets()
    logging.getLogger().handlers.clear()


@pytest.fixture(autouse=True)
def _quick_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lookout of a process ends at its next look: a test should not wait for that."""
    monkeypatch.setattr(lanes, "LOOK_EVERY", 0.02)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[postgres.Server]:
    """The server that the tests on PostgreSQL share; started when the first of them begins."""
    with postgres.server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    """The kind of database. A test about one of them says so: `@ON_SQLITE`, `@ON_POSTGRESQL` of tests/postgres.py."""
    return str(request.param)


@pytest.fixture
def database_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of its own for this test: empty, but for a test that asks for `db`."""
    if backend == "sqlite":
        yield f"sqlite:///{tmp_path}/incidents.db"
        return
    server: postgres.Server = request.getfixturevalue("postgresql")
    name = server.create(migrated="db" in request.fixturenames)
    yield server.url(name)
    server.drop(name)


@pytest.fixture
def db(backend: str, database_url: str) -> Iterator[str]:
    """A database of its own with the schema of today; gives its URL."""
    database.connect(database_url)
    if backend == "sqlite":
        migrate()
    yield database_url
    database.disconnect()


@pytest.fixture
def desk() -> Iterator[LocalDesk]:
    """A ticket desk on loopback."""
    with LocalDesk() as desk:
        yield desk


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    """An SMTP server on loopback."""
    with Mailbox() as mailbox:
        yield mailbox


@pytest.fixture(scope="session")
def dovecot() -> Iterator[MailServer]:
    """The IMAP server that the tests share; each takes a user of its own."""
    with mail_server() as server:
        yield server


@pytest.fixture(scope="session")
def postfix(dovecot: MailServer) -> Iterator[PostOffice]:
    """The mail server in front of it."""
    with post_office(dovecot) as office:
        yield office


@pytest.fixture(scope="session")
def redis() -> Iterator[RedisServer]:
    """The Redis that the tests share."""
    with redis_server() as server:
        yield server


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[RabbitMQServer]:
    """The RabbitMQ that the tests share."""
    with rabbitmq_server() as server:
        yield server


@pytest.fixture(params=["redis", "rabbitmq"])
def broker(request: pytest.FixtureRequest) -> RedisServer | RabbitMQServer:
    """A broker, as QUEUE_URL has it. What earlier tests left in it is none of this one's."""
    found: RedisServer | RabbitMQServer = request.getfixturevalue(request.param)
    found.empty()
    return found


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


@pytest.fixture(scope="module")
def door() -> Iterator[Door]:
    """A web server for all tests of a module."""
    with open_door() as door:
        yield door
