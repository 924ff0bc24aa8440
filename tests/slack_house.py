"""Slack and the core together: signed requests to a web server, the core behind it, and Slack's API on loopback.

A module of tests imports the fixtures that it needs, and `backend` and `impatient` with them.
"""

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from slack_sdk.signature import SignatureVerifier
from starlette.applications import Starlette

from adapters.slack.listen import SlackListener
from adapters.slack.settings import SlackSettings
from adapters.slack.translate import Watch
from bot.ports import Core, unspoken
from bot.state import State
from storage import dialect
from storage.tables import InboxMessage
from tests.door import Door
from tests.fakes import RecordingSender, TestClock
from tests.house import House
from tests.slack_api import TOKEN, Call, Misbehaviour, SlackApi

APP_TOKEN = "xapp-1-A1-1234567890-abcdef"
SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
PAYLOADS = Path(__file__).parent / "payloads" / "slack"
WATCH = Watch("T1", "UBOT", frozenset({"C1"}), "C9")

ROOT = "T1/C1/1795348800.000100"
LATER = "1795348860.000700"


@pytest.fixture
def backend() -> str:
    """Nothing in here depends on the kind of the database."""
    return "sqlite"


def payload(name: str, **replaced: str) -> dict[str, Any]:
    """Read a payload; the words in it that stand for an incident or a ticket are replaced."""
    text = (PAYLOADS / f"{name}.json").read_text(encoding="utf-8")
    for word, value in replaced.items():
        text = text.replace(word, value)
    found: dict[str, Any] = json.loads(text)
    return found


def event(name: str, **changes: Any) -> dict[str, Any]:
    """Read an event, with some of its fields changed."""
    body = payload(name)
    body["event"] |= changes
    return body


def signed(body: str | bytes) -> dict[str, str]:
    """The headers by which a request is known to be Slack's."""
    at = str(int(time.time()))
    signature = SignatureVerifier(SECRET).generate_signature(timestamp=at, body=body)
    return {"X-Slack-Request-Timestamp": at, "X-Slack-Signature": str(signature)}


class Slack:
    """What Slack does with us: it signs and posts. `api` is what we ask of it, `house` what lies behind."""

    def __init__(self, url: str, api: SlackApi, house: House) -> None:
        self.url = f"{url}/slack/events"
        self.api = api
        self.house = house

    def post(self, body: str | bytes, content_type: str, **headers: str) -> requests.Response:
        headers = {**signed(body), "Content-Type": content_type, **headers}
        return requests.post(self.url, data=body, headers=headers, timeout=10)

    def event(self, body: dict[str, Any], **headers: str) -> requests.Response:
        return self.post(json.dumps(body), "application/json", **headers)

    def act(self, body: dict[str, Any]) -> requests.Response:
        """Post a button, a shortcut or a form."""
        return self.post(urlencode({"payload": json.dumps(body)}), "application/x-www-form-urlencoded")

    def command(self, text: str, **changes: str) -> str:
        """Give a slash command, and return what its giver reads."""
        body = {**payload("slash_command"), "text": text, **changes}
        answer = self.post(urlencode(body), "application/x-www-form-urlencoded")
        assert answer.status_code == 200
        if not answer.text:
            return ""
        assert answer.json()["response_type"] == "ephemeral"
        return str(answer.json()["text"])

    def take(self, name: str, **changes: Any) -> None:
        """Have an event arrive, and all be done that comes of it."""
        assert self.event(event(name, **changes)).status_code == 200
        self.house.work()

    def told(self) -> list[str]:
        """What single persons were told."""
        return [said["text"] for said in self.api.called("chat.postEphemeral")]

    def stored(self) -> int:
        return len(self.house.all(InboxMessage))

    def only(self) -> dict[str, Any]:
        (incident,) = self.house.incidents()
        return incident


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait long for another process's transaction."""
    monkeypatch.setattr(dialect, "BUSY_TIMEOUT", 0.5)


@pytest.fixture
def house(impatient: None, db: str, clock: TestClock) -> Iterator[House]:
    house = House(clock, chat=RecordingSender("slack"))
    yield house
    house.stop()


class Workspace(SlackApi):
    """One to which an app can connect: `socket` is where."""

    socket = ""

    def take(self, call: Call) -> tuple[Misbehaviour, dict[str, Any]]:
        """Apps open their sockets with a token of its own kind."""
        plan, answer = super().take(call)
        opens = call.method == "apps.connections.open" and call.token == APP_TOKEN
        return plan, {"ok": True, "url": self.socket} if opens else answer


@pytest.fixture
def api() -> Iterator[Workspace]:
    with Workspace("C1", "D1", "C9") as api:
        api.chats = {"U1": "D1", "UAGENT": "D2"}
        api.answers |= {"chat.postEphemeral": {}, "usergroups.users.list": {"users": ["UAGENT"]}}
        yield api


def settings(api: SlackApi, **more: Any) -> SlackSettings:
    values: dict[str, Any] = {
        "slack_bot_token": TOKEN,
        "slack_signing_secret": SECRET,
        "slack_support_channels": "C1",
        "slack_agents_channel": "C9",
        "slack_agents": "S1",
        "slack_api_url": api.url,
        **more,
    }
    return SlackSettings(_env_file=None, **values)


def core_of(house: House) -> Core:
    return replace(house.firstline.core, words=unspoken)


@pytest.fixture
def slack(house: House, api: SlackApi, door: Door) -> Iterator[Slack]:
    door.app = Starlette()
    with SlackListener(settings(api)).listening(core_of(house), door.app):
        yield Slack(door.url, api, house)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """While entered, the database takes nothing."""
    other = sqlite3.connect(folder / "incidents.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


def resolved_by(house: House) -> list[str]:
    return [str(incident["resolved_by"]) for incident in house.incidents()]


def view_of(opened: dict[str, Any]) -> dict[str, Any]:
    view = opened["view"]
    found: dict[str, Any] = json.loads(view) if isinstance(view, str) else view
    return found


def card_of(slack: Slack) -> str:
    """Have the incident's card stand in the agents' channel; return its ticket."""
    slack.take("message")
    incident = slack.only()
    State().put("slack/card-of/T1/C9/1795348802.000500", incident["id"])
    return str(incident["ticket_id"])


def press(slack: Slack, name: str, action: str = "", user: str = "", posted: str = "", **words: str) -> None:
    body = payload(name, **words)
    if action:
        body["actions"][0]["action_id"] = action
    if user:
        body["user"]["id"] = user
    if posted:
        body["container"]["message_ts"] = body["message"]["ts"] = posted
    assert slack.act(body).status_code == 200
    slack.house.work()
