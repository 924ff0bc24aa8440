"""What the tests share."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from bot import telemetry
from storage import database
from storage.migrate import migrate
from tests.fakes import TestClock


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Each test runs in an empty folder, with none of the settings of whoever runs it, and undoes its logging."""
    for name in ("DATABASE_URL", "HOST", "PORT", "SMTP_HOST", "GEMINI_API_KEY", "TICKET_API_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    yield
    structlog.reset_defaults()
    telemetry.forget_secrets()
    logging.getLogger().handlers.clear()


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/incidents.db"


@pytest.fixture
def db(database_url: str) -> Iterator[str]:
    """A database of its own with the schema of today; gives its URL."""
    database.connect(database_url)
    migrate()
    yield database_url
    database.disconnect()


@pytest.fixture
def clock() -> TestClock:
    return TestClock()
