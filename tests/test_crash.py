"""Killed with -9 between any two steps, and started again: nothing is lost, nothing is done twice.

The world outside is real: an SMTP server and a ticket desk on loopback, a database file, HTTP.
"""

import os
import shutil
import sqlite3
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from bot.telemetry import WAY
from tests.desk import LocalDesk
from tests.mailbox import Mailbox, wait_until
from tests.process import Process

NEW = {"customer_id": "C-7", "message": "My card was charged twice", "channel": "email", "email": "ana@example.com"}

QUICK = {"LEASE": "1s", "SMTP_TIMEOUT": "1s", "SMTP_DEADLINE": "1s", "FOLLOW_UP_AFTER": "2s"}
"""A day in two seconds, and no long wait for what a dead process held."""


def settings(desk: LocalDesk, mailbox: Mailbox, url: str) -> dict[str, str]:
    return {"TICKET_API_URL": desk.url, "DATABASE_URL": url, **mailbox.environment(), **QUICK}


@pytest.mark.parametrize("event", WAY)
def test_killed_at_an_event_and_started_again_everything_happens_once(
    event: str, database_url: str, desk: LocalDesk, mailbox: Mailbox, tmp_path: Path
) -> None:
    environment = settings(desk, mailbox, database_url)
    with Process(tmp_path, environment, at=event) as doomed:
        doomed.wait_up()
        with suppress(requests.ConnectionError):
            doomed.post(NEW, "k-1")
        assert doomed.wait_dead() == -9, "".join(doomed.output)
    with Process(tmp_path, environment) as second:
        answer = second.wait_up().post(NEW, "k-1")
        assert answer.status_code == 201, answer.text
        incident_id = answer.json()["incident_id"]
        wait_until(lambda: mailbox.by_notice("acknowledgement"), why="no acknowledgement came")
        wait_until(lambda: mailbox.by_notice("reminder"), why="no reminder came")
        wait_until(lambda: settled(second, incident_id), why="".join(second.output))
        details = requests.get(f"{second.url}/api/incidents/{incident_id}", timeout=5).json()
        listed = requests.get(f"{second.url}/api/incidents", timeout=5).json()
    assert [incident["incident_id"] for incident in listed] == [incident_id]
    assert details["reminder_sent"] is True
    assert desk.creations == {incident_id: 1}
    assert details["ticket_id"] == f"TKT-{desk.tickets[incident_id]}"
    assert len(mailbox.by_notice("acknowledgement")) == 1
    assert len(mailbox.by_notice("reminder")) == 1
    assert [notice["kind"] for notice in details["notifications"]] == ["acknowledgement", "reminder"]


def settled(process: Process, incident_id: str) -> bool:
    found = requests.get(f"{process.url}/api/incidents/{incident_id}", timeout=5).json()
    return {notice["status"] for notice in found["notifications"]} == {"sent"}


def test_the_way_is_told_by_events_in_this_order(
    desk: LocalDesk, mailbox: Mailbox, database_url: str, tmp_path: Path
) -> None:
    with Process(tmp_path, settings(desk, mailbox, database_url)) as process:
        process.wait_up().post(NEW, "k-1")
        wait_until(lambda: mailbox.by_notice("reminder"))
        process.terminate()
    told = [name for line in process.output for name in WAY if f'"{name}"' in line]
    assert list(dict.fromkeys(told)) == list(WAY)


def test_what_was_accepted_before_a_kill_is_handled_after_it_without_being_sent_again(
    desk: LocalDesk, mailbox: Mailbox, database_url: str, tmp_path: Path
) -> None:
    environment = settings(desk, mailbox, database_url)
    with Process(tmp_path, environment, at="message.accepted") as doomed:
        doomed.wait_up()
        with pytest.raises(requests.ConnectionError):
            doomed.post(NEW, "k-1")
        doomed.wait_dead()
    with Process(tmp_path, environment) as second:
        second.wait_up()
        wait_until(lambda: mailbox.by_notice("acknowledgement"))


def test_the_follow_up_comes_on_its_day_though_the_bot_was_down_and_the_clock_went_on(
    mailbox: Mailbox, tmp_path: Path, days: "Days"
) -> None:
    """24 hours on the real process: stopped, and started again under a clock that is 25 hours ahead, then 73."""
    environment = {**mailbox.environment()}
    with Process(tmp_path, environment) as today:
        today.wait_up().post(NEW, "k-open")
        resolved = today.post({**NEW, "message": "my payment failed"}, "k-resolved").json()
        requests.post(f"{today.url}/api/incidents/{resolved['ticket_id']}/resolve", timeout=5)
        wait_until(lambda: len(mailbox.by_notice("acknowledgement")) == 2)
        assert today.terminate() == 0
    for hours in (25, 73):
        with Process(tmp_path, {**environment, **days.later(hours)}) as later:
            later.wait_up()
            wait_until(lambda: mailbox.by_notice("reminder"))
            assert later.terminate() == 0
    reminders = [mail for mail in mailbox.mails() if "reminder" in mail["X-Firstline-Notice"]]
    assert len(reminders) == 1
    assert "25 hours" in reminders[0].get_body(("plain",)).get_content()  # type: ignore[union-attr]
    with sqlite3.connect(tmp_path / "incidents.db") as connection:
        rows = connection.execute("SELECT status, reminder_sent FROM incidents ORDER BY status").fetchall()
    connection.close()
    assert rows == [("open", 1), ("resolved", 0)]


class Days:
    """Debian's faketime, which shifts what a process takes for the time."""

    def later(self, hours: int) -> dict[str, str]:
        """The variables of the environment that do it: the program `faketime` itself would stand between us and our
        process, and take its signals."""
        shifted = subprocess.run(["faketime", "-f", f"+{hours}h", "env"], capture_output=True, text=True, check=True)
        variables = dict(line.split("=", 1) for line in shifted.stdout.splitlines() if "=" in line)
        return {name: variables[name] for name in ("LD_PRELOAD", "FAKETIME")}


@pytest.fixture
def days() -> Days:
    if shutil.which("faketime") is None:
        assert "CI" not in os.environ, "CI must have faketime"
        pytest.skip("needs faketime: apt install faketime")
    return Days()
