"""Other people's idea of Slack: the service of the npm package `emulate`, in a process of its own.

It knows messages, threads, reactions and the scopes of a token, and signs the events that it sends. It knows no
command, no button, no form, no repetition of an event and no Socket Mode: those come from here, signed as Slack does.
"""

import json
import os
import queue
import shutil
import subprocess
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

import pytest
import requests
from slack_sdk.signature import SignatureVerifier

from adapters.slack.manifest import SCOPES
from tests.mailbox import free_port, wait_until
from tests.process import Process
from tests.slack_house import APP_TOKEN, SECRET, payload, signed
from tests.socket_mode import SocketMode

FOLDER = Path(__file__).parent / "rigs"
NODE = FOLDER / "node_modules" / ".bin" / "node"
MISSING = "The Slack emulator is not installed: apt install npm, then npm install in the folder tests/rigs"

BOT_TOKEN = "xoxb-1234567890-abcdefghijkl"
ANA_TOKEN, CLARA_TOKEN = "xoxp-ana", "xoxp-clara"


def seed() -> dict[str, Any]:
    """The workspace: a customer, an agent, a channel for support, and our app with the scopes of its manifest."""
    bot = {"app_id": "A1", "client_id": "1.2", "bot_id": "B1", "bot_user_id": "UBOT", "scopes": list(SCOPES)}
    person = {"type": "user", "scopes": ["chat:write", "channels:read", "channels:history", "im:write", "im:history"]}
    app = {**bot, "client_secret": "x", "name": "Firstline", "bot_name": "firstline", "redirect_uris": []}
    return {
        "signing_secret": SECRET,
        "strict_scopes": True,
        "users": [{"name": "ana"}, {"name": "clara"}],
        "channels": [{"name": "support"}, {"name": "agents"}],
        "oauth_apps": [app],
        "tokens": [
            {**bot, "token": BOT_TOKEN, "type": "bot", "user_id": "UBOT"},
            {**person, "token": ANA_TOKEN, "user": "ana"},
            {**person, "token": CLARA_TOKEN, "user": "clara"},
        ],
    }


class Emulator:
    """A context manager. `team`, `channel`, `board` (the agents' channel), `ana` and `clara` are ids. Where it is not
    installed the test is skipped; with CI set it fails."""

    def __init__(self) -> None:
        if not NODE.exists():
            (pytest.fail if os.environ.get("CI") else pytest.skip)(MISSING)
        port = free_port()
        self._url = f"http://127.0.0.1:{port}"
        self.api_url = f"{self._url}/api/"
        command = [str(NODE), str(FOLDER / "slack.mjs"), str(port)]
        if shutil.which("setpriv"):  # so that it ends with us even if we are killed
            command = ["setpriv", "--pdeathsig", "KILL", *command]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Self:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"slack": seed()}) + "\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline(), "the emulator did not start"
        me = self.call("auth.test")
        self.team, self.ana = me["team_id"], me["user_id"]
        self.clara = self.call("auth.test", CLARA_TOKEN)["user_id"]
        channels = {one["name"]: one["id"] for one in self.call("conversations.list")["channels"]}
        self.channel, self.board = channels["support"], channels["agents"]
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.communicate(timeout=10)

    def environment(self) -> dict[str, str]:
        """The settings of a bot in this workspace, but for how it is reached."""
        return {
            "SLACK_API_URL": self.api_url,
            "SLACK_BOT_TOKEN": BOT_TOKEN,
            "SLACK_SUPPORT_CHANNELS": self.channel,
            "SLACK_AGENTS": self.clara,
        }

    def tell(self, url: str) -> None:
        """Tell this address, and no other, of events from now on."""
        requests.put(f"{self._url}/tests/subscribers", json={"urls": [url]}, timeout=10).raise_for_status()

    def open_sockets_at(self, url: str) -> None:
        requests.put(f"{self._url}/tests/socket", json={"url": url}, timeout=10).raise_for_status()

    def call(self, method: str, token: str = ANA_TOKEN, **arguments: Any) -> dict[str, Any]:
        """Call the Web API as somebody. The emulator answers after whoever is told of it has."""
        headers = {"Authorization": f"Bearer {token}"}
        answer = requests.post(self.api_url + method, json=arguments, headers=headers, timeout=30).json()
        assert answer["ok"], (method, answer)
        found: dict[str, Any] = answer
        return found

    # --- what a customer does and sees

    def say(self, text: str, root: str | None = None) -> str:
        """Write in the channel, or in a thread of it; return the message's ts."""
        return str(self.call("chat.postMessage", channel=self.channel, text=text, thread_ts=root)["ts"])

    def edit(self, ts: str, text: str) -> None:
        self.call("chat.update", channel=self.channel, ts=ts, text=text)

    def delete(self, ts: str) -> None:
        self.call("chat.delete", channel=self.channel, ts=ts)

    def replies(self, ts: str, token: str = ANA_TOKEN) -> list[dict[str, Any]]:
        """What the bot wrote in a thread."""
        thread = self.call("conversations.replies", token, channel=self.channel, ts=ts)["messages"]
        return [message for message in thread if message["user"] == "UBOT"]

    def card(self, ticket: str) -> dict[str, Any]:
        """The card of a ticket in the agents' channel."""
        shown = self.call("conversations.history", CLARA_TOKEN, channel=self.board)["messages"]
        roots = [one for one in shown if one.get("thread_ts") in (None, one["ts"])]
        found = [one for one in roots if ticket in one["text"]]
        return dict(found[0]) if len(found) == 1 else {}

    def timeline(self, card: dict[str, Any]) -> list[str]:
        """What stands below a card."""
        thread = self.call("conversations.replies", CLARA_TOKEN, channel=self.board, ts=card["ts"])["messages"]
        return [message["text"] for message in thread if message["ts"] != card["ts"]]

    def reactions(self, ts: str) -> set[str]:
        """What the bot shows at a message."""
        (root, *_) = self.call("conversations.replies", channel=self.channel, ts=ts)["messages"]
        return {reaction["name"] for reaction in root.get("reactions", ()) if "UBOT" in reaction["users"]}

    def chat(self) -> list[dict[str, Any]]:
        """What the bot wrote in the customer's direct message."""
        channel = self.call("conversations.open", users="UBOT")["channel"]["id"]
        messages = self.call("conversations.history", channel=channel)["messages"]
        return [message for message in messages if message["user"] == "UBOT"]


class Subscriber:
    """Takes the emulator's events, checks their signatures, and hands each to `take`. A context manager."""

    def __init__(self, take: Callable[[dict[str, Any]], object]) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_for(take))
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler_for(take: Callable[[dict[str, Any]], object]) -> type[BaseHTTPRequestHandler]:
    verifier = SignatureVerifier(SECRET)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            is_signed = verifier.is_valid_request(body, dict(self.headers.items()))
            if is_signed:
                take(json.loads(body))
            self.send_response(200 if is_signed else 401)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    return Handler


@dataclass(frozen=True)
class Form:
    """A form of ours, filled in by the customer."""

    text: str
    email: str


class OverHttp:
    """A bot that Slack brings everything to."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.settings = {**emulator.environment(), "SLACK_SIGNING_SECRET": SECRET}
        self.url = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def reach(self, process: Process) -> None:
        """Bring this bot what comes from here."""
        self.url = f"{process.url}/slack/events"

    def join(self, process: Process) -> None:
        """Bring this bot everything from now on."""
        self.reach(process)
        self.emulator.tell(self.url)

    def command(self, text: str) -> str:
        """Give the command /resolve as the agent, and return what the agent reads."""
        answer = self._post(urlencode(resolve_command(self.emulator, text)), "application/x-www-form-urlencoded")
        return str(answer.json()["text"])

    def submit(self, form: Form) -> None:
        body = {"payload": json.dumps(filled_in(self.emulator, form))}
        assert self._post(urlencode(body), "application/x-www-form-urlencoded").text == ""

    def deliver(self, event: Mapping[str, Any], attempt: int = 0, seconds: float = 10) -> requests.Response:
        """Post an event, for the first time or again."""
        again = {"X-Slack-Retry-Num": str(attempt), "X-Slack-Retry-Reason": "http_timeout"} if attempt else {}
        return self._post(json.dumps(event), "application/json", seconds, **again)

    def _post(self, body: str, content_type: str, seconds: float = 10, **more: str) -> requests.Response:
        headers = {**signed(body), "Content-Type": content_type, **more}
        return requests.post(self.url, data=body, headers=headers, timeout=seconds)


class OverSocket:
    """A bot that connects to Slack: the emulator's events go through a socket of ours."""

    def __init__(self, emulator: Emulator, patience: float = 3.0) -> None:
        self.emulator = emulator
        self.settings = {**emulator.environment(), "SLACK_APP_TOKEN": APP_TOKEN}
        self.socket = SocketMode(patience)
        self._events: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._subscriber = Subscriber(self._events.put)
        self._forwarder = threading.Thread(target=self._forward, daemon=True)

    def __enter__(self) -> Self:
        self.socket.__enter__()
        self._subscriber.__enter__()
        self._forwarder.start()
        self.emulator.open_sockets_at(self.socket.url)
        self.emulator.tell(self._subscriber.url)
        return self

    def __exit__(self, *exc: object) -> None:
        self._subscriber.__exit__()
        self.socket.__exit__()
        self._events.put(None)
        self._forwarder.join(10)

    def join(self, process: Process) -> None:
        """Wait until this bot has connected."""
        self.socket.wait_connected()

    def command(self, text: str) -> str:
        answer = self.socket.deliver("slash_commands", resolve_command(self.emulator, text))
        assert answer is not None
        return str(answer["payload"]["text"])

    def submit(self, form: Form) -> None:
        assert self.socket.deliver("interactive", filled_in(self.emulator, form)) is not None

    def _forward(self) -> None:
        """One after the other, as the emulator told of them."""
        while (event := self._events.get()) is not None:
            self.socket.deliver("events_api", event)
            self._events.task_done()

    def wait_idle(self) -> None:
        """Wait until every event was acknowledged."""
        wait_until(lambda: self._events.unfinished_tasks == 0, why="an event was not acknowledged")


Way = OverHttp | OverSocket


def resolve_command(emulator: Emulator, text: str) -> dict[str, str]:
    who = {"team_id": emulator.team, "user_id": emulator.clara, "channel_id": emulator.channel}
    return {**payload("slash_command"), **who, "command": "/resolve", "text": text}


def filled_in(emulator: Emulator, form: Form) -> dict[str, Any]:
    body = payload("form_of_a_report")
    body["user"] |= {"id": emulator.ana, "team_id": emulator.team}
    body["team"] = {"id": emulator.team, "domain": "shop"}
    body["view"]["state"]["values"]["text"]["text"]["value"] = form.text
    body["view"]["state"]["values"]["email"]["email"]["value"] = form.email
    return body
