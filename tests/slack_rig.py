"""Slack in the contract of channels (tests/contract.py), told of things over HTTP and by socket."""

import html
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Self
from urllib.parse import urlencode

import requests
from starlette.applications import Starlette

from adapters.slack.channel import SlackChannel
from bot.model import Address
from bot.ports import Core
from bot.state import State
from tests.contract import SECONDS, Ground, Posted, Written
from tests.slack_api import TOKEN, Message
from tests.slack_house import APP_TOKEN, SECRET, Workspace, event, payload, settings, signed
from tests.socket_mode import SocketMode

USERS = {"ana": "U1", "bea": "U2"}


class SlackRig:
    """The part that both ways have in common; people write in the channel C1."""

    tells_of = frozenset({"edits", "deletions", "buttons"})
    keeps_machines = False
    asks_for_patience = True
    repeats = 1
    secrets: Sequence[str] = (TOKEN, SECRET, APP_TOKEN)
    by_socket = False

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.api = Workspace("C1", "D1", "C9")
        self.api.chats = {"U1": "D1"}
        self.api.answers |= {"chat.postEphemeral": {}}
        brief = {"slack_timeout": timedelta(seconds=SECONDS), "slack_deadline": timedelta(seconds=SECONDS)}
        way = {"slack_app_token": APP_TOKEN, "slack_signing_secret": None} if self.by_socket else {}
        self.channel = SlackChannel(settings(self.api, **(brief if ground.hasty else {}), **way), State())
        self.where = Address("slack", "T1/D1")
        self._number = 0

    def __enter__(self) -> Self:
        self.api.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self.api.__exit__()

    def write(self, text: str, at: datetime, who: str = "ana", under: Written | None = None) -> Written:
        root = None if under is None else under.address.key.rpartition("/")[2]
        return self._written(self._ts(at), text, root, user=USERS[who])

    def edit(self, written: Written, text: str, at: datetime) -> Written:
        old = written.content["event"]
        edited = {"user": old["user"], "ts": self._ts(at)}
        now = {**_told(old), "text": html.escape(text, quote=False), "edited": edited}
        return Written(event("message_changed", message=now, previous_message=_told(old)), written.address)

    def delete(self, written: Written, at: datetime) -> Written:
        old = written.content["event"]
        ts = self._ts(at)
        changes = {"ts": ts, "event_ts": ts, "deleted_ts": old["ts"], "previous_message": _told(old)}
        return Written(event("message_deleted", **changes), written.address)

    def press(self, name: str, posted: Posted, incident_id: str, at: datetime) -> Written:
        body = payload("button_of_a_customer", INCIDENT=incident_id)
        ts, root = posted.name.rpartition("/")[2], posted.address.key.rpartition("/")[2]
        for part in (body["container"], body["message"]):
            part["thread_ts"] = root
        body["container"]["message_ts"] = body["message"]["ts"] = ts
        body["actions"][0] |= {"action_id": name, "action_ts": self._ts(at)}
        return Written(body, posted.address)

    def write_as_bot(self, text: str, at: datetime, ours: bool) -> Written:
        ts = self._ts(at)
        name = "message_of_ours" if ours else "message_of_a_bot"
        return Written(event(name, ts=ts, event_ts=ts, text=text), Address("slack", f"T1/C1/{ts}"))

    def posted(self) -> list[Posted]:
        return [_posted(channel, message) for channel in ("C1", "D1") for message in self.api.posted(channel)]

    def be_busy(self, seconds: int) -> None:
        self.api.rate_limit("chat.postMessage", seconds)

    def refuse(self) -> None:
        self.api.refuse("chat.postMessage", "is_archived")

    def hang_up(self, arrives: bool) -> None:
        self.api.drop("chat.postMessage", arrives)

    def fall_silent(self, arrives: bool) -> None:
        self.api.hang("chat.postMessage", arrives)

    def _written(self, ts: str, text: str, root: str | None, user: str) -> Written:
        """Slack keeps a message before it tells of it."""
        self.api.conversations["C1"].append(Message(ts, text, root))
        changes = {"ts": ts, "event_ts": ts, "text": html.escape(text, quote=False), "user": user}
        body = event("message", **changes, **({} if root is None else {"thread_ts": root}))
        return Written(body, Address("slack", f"T1/C1/{root or ts}"))

    def _ts(self, at: datetime) -> str:
        """A time, and another for every message."""
        self._number += 1
        return f"{int(at.timestamp())}.{self._number:06}"


class SlackByHttp(SlackRig):
    """Slack posts to us, and signs."""

    @contextmanager
    def listening(self, core: Core) -> Iterator[None]:
        self.ground.door.app = app = Starlette()
        with self.channel.listening(core, app):
            yield

    def deliver(self, written: Written, patience: float = 15) -> bool:
        body, is_event = written.content, "event" in written.content
        said = json.dumps(body) if is_event else urlencode({"payload": json.dumps(body)})
        kind = "application/json" if is_event else "application/x-www-form-urlencoded"
        headers = {**signed(said), "Content-Type": kind}
        url = f"{self.ground.door.url}/slack/events"
        try:
            return requests.post(url, data=said, headers=headers, timeout=patience).status_code == 200
        except requests.ReadTimeout:
            return False


class SlackBySocket(SlackRig):
    """We connect to Slack, which sends."""

    by_socket = True
    secrets = (TOKEN, APP_TOKEN, "7d9a-secret")

    @contextmanager
    def listening(self, core: Core) -> Iterator[None]:
        with SocketMode() as self.socket:
            self.api.socket = self.socket.url
            with self.channel.listening(core, Starlette()):
                self.socket.wait_connected()
                yield
                self.socket.hang_up()  # else the library waits three seconds before it stops listening

    def deliver(self, written: Written, patience: float = 15) -> bool:
        self.socket.patience = patience
        kind = "events_api" if "event" in written.content else "interactive"
        return self.socket.deliver(kind, written.content, times=1) is not None


def _told(message: dict[str, Any]) -> dict[str, Any]:
    """A message as it stands in the event about an edit or a deletion of it."""
    return {name: message[name] for name in ("type", "user", "team", "text", "ts", "thread_ts") if name in message}


def _posted(channel: str, message: Message) -> Posted:
    root = "" if message.thread_ts is None else f"/{message.thread_ts}"
    return Posted(
        name=f"T1/{channel}/{message.ts}",
        address=Address("slack", f"T1/{channel}{root}"),
        text=html.unescape(message.text),
        marks=[mark for text in (message.text, *_strings(message.blocks)) for mark in re.findall("<[^>]*>?", text)],
    )


def _strings(block: Any) -> Iterator[str]:
    """All texts of blocks that Slack reads mentions and links in."""
    if isinstance(block, list):
        for part in block:
            yield from _strings(part)
    elif isinstance(block, dict):
        if block.get("type") == "mrkdwn":
            yield block["text"]
        yield from _strings([value for value in block.values() if isinstance(value, list | dict)])
