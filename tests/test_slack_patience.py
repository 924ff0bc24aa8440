"""Slack waits three seconds for an acknowledgement: it gets one while all others that we ask never answer."""

import json
import socket
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import requests

from tests.mailbox import wait_until
from tests.process import Process
from tests.slack_api import TOKEN
from tests.slack_house import SECRET, event, payload, signed

SLACK_WAITS = 3.0
"""Seconds (docs.slack.dev, "Events API" and "Handling user interaction")."""

EVENTS = 40


class Silence:
    """A server to which one can connect, and which never says a word."""

    def __enter__(self) -> int:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=512)
        return int(self._socket.getsockname()[1])

    def __exit__(self, *args: object) -> None:
        self._socket.close()


class Impatient:
    """Slack, which gives up after three seconds."""

    def __init__(self, url: str, folder: Path) -> None:
        self._url = f"{url}/slack/events"
        self._folder = folder

    def post(self, body: str, content_type: str = "application/x-www-form-urlencoded") -> requests.Response:
        headers = {**signed(body), "Content-Type": content_type}
        began = time.monotonic()
        answer = requests.post(self._url, data=body, headers=headers, timeout=SLACK_WAITS)
        assert time.monotonic() - began < SLACK_WAITS
        assert answer.status_code == 200
        return answer

    def tell(self, number: int, **changes: Any) -> None:
        ts = f"{1795348800 + number}.000100"
        self.post(json.dumps(event("message", ts=ts, event_ts=ts, **changes)), "application/json")

    def count(self, query: str) -> Any:
        with sqlite3.connect(self._folder / "incidents.db", timeout=10) as connection:
            return connection.execute(query).fetchone()[0]


@pytest.fixture
def slack(tmp_path: Path) -> Iterator[Impatient]:
    with Silence() as port:
        nowhere = f"http://127.0.0.1:{port}"
        settings = {
            "SLACK_BOT_TOKEN": TOKEN,
            "SLACK_SIGNING_SECRET": SECRET,
            "SLACK_SUPPORT_CHANNELS": "C1",
            "SLACK_AGENTS_CHANNEL": "C9",
            "SLACK_AGENTS": "UAGENT,S1",
            "SLACK_API_URL": f"{nowhere}/api/",
            "SLACK_TIMEOUT": "1s",
            "GEMINI_API_KEY": "AIza-not-a-real-key",
            "GEMINI_BASE_URL": nowhere,
            "TICKET_API_URL": f"{nowhere}/tickets",
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(port),
            "SMTP_TLS": "none",
            "CLASSIFY_WITHIN": "2s",
            "TICKET_WITHIN": "2s",
            "AGENTS_EMAIL": "agents@shop.example",
        }
        with Process(tmp_path, settings) as process:
            yield Impatient(process.wait_up().url, tmp_path)
            assert process.alive


def test_what_slack_tells_is_acknowledged_in_time_while_everybody_else_is_silent(slack: Impatient) -> None:
    with ThreadPoolExecutor(8) as at_once:
        told = [at_once.submit(slack.tell, number) for number in range(EVENTS)]
        told += [at_once.submit(slack.tell, 100, channel="D1", channel_type="im")]
        for each in told:
            each.result()
    assert slack.count("SELECT COUNT(*) FROM inbox") == EVENTS + 1
    wait_until(lambda: slack.count("SELECT COUNT(*) FROM incidents") > 0, 30, why="no incident was opened")
    ticket = slack.count("SELECT ticket_id FROM incidents ORDER BY created_at LIMIT 1")

    pressed = payload("button_of_a_card", TICKET=ticket)
    for action in ("assign", "reply"):  # the form of a reply cannot be opened now
        pressed["actions"][0]["action_id"] = action
        slack.post(urlencode({"payload": json.dumps(pressed)}))
    command = {**payload("slash_command"), "text": f"{ticket} fixed it"}
    assert slack.post(urlencode(command)).json()["text"] == f"{ticket} is resolved."
    stranger = {**command, "user_id": "U5"}  # who may be in the group that Slack does not tell of
    assert "agents" in slack.post(urlencode(stranger)).json()["text"]
    assert slack.count(f"SELECT assignee FROM incidents WHERE ticket_id = '{ticket}'") == "T1/UAGENT"
