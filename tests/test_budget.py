"""What an incident costs: commits, and what is imported for it."""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from bot.app import Firstline, World
from bot.model import Address, InboundMessage
from bot.settings import Settings
from storage import database
from tests.fakes import RecordingSender, TestClock, WakeList

HEAVY = (
    "google.genai",
    "telegram",
    "slack_bolt",
    "slack_sdk",
    "phonenumbers",
    "jinja2",
    "sklearn",
    "opentelemetry.sdk",
)


def count_commits(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Count the commits of this process from now on."""
    commits: list[None] = []
    kind: Any = type(database.database.obj)
    commit = kind.commit

    def counted(self: Any) -> Any:
        commits.append(None)
        return commit(self)

    monkeypatch.setattr(kind, "commit", counted)
    return lambda: len(commits)


def test_an_incident_with_one_mail_takes_at_most_six_commits(
    db: str, clock: TestClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bot.local_model import LocalModel

    firstline = Firstline(Settings(), World([RecordingSender()], [LocalModel.load().classify], None, clock))
    lanes = WakeList()
    firstline.dispatcher = lanes  # type: ignore[assignment]
    assert firstline.life.links.key  # made once for each database
    commits = count_commits(monkeypatch)
    message = InboundMessage(
        "web", "", "", "C-1", "My card was charged twice", "email", (Address("email", "ana@example.com"),)
    )
    firstline.intake.accept(message)
    firstline.intake.close()
    lanes.run_all(firstline.lanes.run)
    with database.session():
        assert database.execute("SELECT status FROM notifications").fetchall() == [("sent",)]
    assert commits() <= 6


def test_with_every_channel_off_no_vendors_sdk_is_imported() -> None:
    program = (
        "import json, sys\n"
        "from bot.settings import Settings\n"
        "from bot import app\n"
        "settings = Settings.read(); app.set_up_logging(settings); app.open_database(settings, migrating=True)\n"
        "one = app.Firstline(settings, app.World.from_environment(settings))\n"
        "from adapters.http.settings import HttpSettings\n"
        "app.web_application(one, HttpSettings.read()); one.lanes; app.switches(); one.intake.close()\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    imported = set(json.loads(done.stdout))
    assert not {name for name in HEAVY if name in imported}
