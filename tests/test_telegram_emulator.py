"""Firstline on other people's Telegram, in a process of its own: from the message to the solution; and killed."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.mailbox import free_port
from tests.process import Process
from tests.telegram_api import SECRET, TOKEN
from tests.telegram_emulator import Emulator
from tests.telegram_house import MODES, wait_for


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


@pytest.fixture(params=MODES)
def settings(request: pytest.FixtureRequest, emulator: Emulator, tmp_path: Path) -> dict[str, str]:
    port = free_port()
    public = {"PUBLIC_URL": f"http://127.0.0.1:{port}", "TELEGRAM_WEBHOOK_SECRET": SECRET}
    return {
        "PORT": str(port),
        "DATABASE_URL": f"sqlite:///{tmp_path}/incidents.db",
        "FOLLOW_UP_AFTER": "2s",
        "LEASE": "1s",
        "TELEGRAM_BOT_TOKEN": TOKEN,
        "TELEGRAM_API_URL": emulator.url,
        **(public if request.param == "webhook" else {}),
    }


def connected(bot: Process) -> Process:
    bot.wait_up()
    wait_for(lambda: any("telegram.connected" in line for line in bot.output))
    return bot


def listed(bot: Process) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = requests.get(f"{bot.url}/api/incidents", timeout=10).json()
    return found


def test_a_message_is_answered_edited_and_solved(emulator: Emulator, settings: dict[str, str], tmp_path: Path) -> None:
    with connected(Process(tmp_path, settings)) as bot:
        emulator.say("My card was charged")
        (said,) = wait_for(emulator.sent)
        assert listed(bot)[0]["ticket_id"] in said["message"]["text"]
        emulator.say("My card was charged twice", edits=int(reply_to(said)))
        wait_for(lambda: listed(bot)[0]["message"] == "My card was charged twice")
        wait_for(lambda: "Yes, it is solved" in emulator.labels(), 20)
        emulator.press("Yes, it is solved")
        wait_for(lambda: [one["status"] for one in listed(bot)] == ["resolved"])
        wait_for(lambda: "Your request is solved." in emulator.texts()[-1])
        bot.terminate()


def test_killed_between_commit_and_answer_it_loses_nothing_and_repeats_nothing(
    emulator: Emulator, settings: dict[str, str], tmp_path: Path
) -> None:
    settings["FOLLOW_UP_AFTER"] = "1h"
    with connected(Process(tmp_path, settings, at="message.accepted")) as first:
        emulator.say("My card was charged twice")
        assert first.wait_dead() == -9
    with connected(Process(tmp_path, settings)) as second:
        wait_for(emulator.texts)
        emulator.say("It was on Monday")
        wait_for(lambda: "It was on Monday" in str(timeline(second)))
        assert len(listed(second)) == 1
        assert len(emulator.texts()) == 1
        assert str(timeline(second)).count("My card was charged twice") == 1
        second.terminate()


def timeline(bot: Process) -> list[str]:
    """What the customer wrote."""
    (incident,) = listed(bot)
    shown = requests.get(f"{bot.url}/api/incidents/{incident['ticket_id']}", timeout=10).json()
    return [entry["text"] for entry in shown["timeline"] if entry["what"] == "customer"]


def reply_to(said: dict[str, Any]) -> object:
    answered = said["message"]["reply_parameters"]
    return (json.loads(answered) if isinstance(answered, str) else answered)["message_id"]
