"""A small real Slack on loopback, for tests: the methods of the Web API that we use, over HTTP; can be told to
misbehave."""

import json
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any, Self
from urllib.parse import parse_qsl

from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.blocks import Block
from slack_sdk.models.views import View

from adapters.slack.manifest import SCOPES

TOKEN = "xoxb-1234567890-abcdefghijkl"
TEAM, BOT = "T1", "UBOT"

Answer = dict[str, Any]


@dataclass(frozen=True)
class Misbehaviour:
    """What the API does with one call instead of doing it and saying so: act or not, then never answer, or drop the
    connection, or answer with this."""

    acts: bool = False
    hangs: bool = False
    drops: bool = False
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class File:
    """What is at a path. `pieces` is how often the content is sent (None: without end), `length` what the answer says
    that it is long (None: nothing is said)."""

    content: bytes = b""
    kind: str = "application/octet-stream"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    pieces: int | None = 1
    length: int | None = None
    pause: float = 0.0


@dataclass(frozen=True)
class Call:
    """One call as it arrived."""

    method: str
    arguments: dict[str, Any]
    token: str


@dataclass
class Message:
    """A message of a conversation. `thread_ts` is the one that it answers, `reactions` what is shown at it."""

    ts: str
    text: str
    thread_ts: str | None = None
    blocks: list[dict[str, Any]] = field(default_factory=list)
    metadata: dict[str, Any] | None = None
    by_bot: bool = False
    reactions: set[str] = field(default_factory=set)
    broadcast: bool = False

    @property
    def key(self) -> str | None:
        """The key of the notice that this is, if it is one."""
        return self.metadata["event_payload"]["key"] if self.metadata else None


class SlackApi:
    """A workspace with these conversations, in each of which the bot is. A context manager.

    `url` is what SLACK_API_URL should be. `calls` are all calls in order, `conversations` all messages, `chats` the
    direct message of each person, `homes` what the app's home shows to each, `channels` what is to be said of a channel
    beside its being there. `scopes` are those of the tokens, `tokens` the workspace of each, and `codes` what an
    installation is told for each. `answers` are for methods that it has no idea of. Each call of `refuse`,
    `answer_with`, `hang` and `drop` is about one call of a method, the next that nothing was said about yet. `files` is
    what can be downloaded at which path, `fetched` the paths that were asked for, each with its token.
    """

    def __init__(self, *conversations: str) -> None:
        self.calls: list[Call] = []
        self.conversations: dict[str, list[Message]] = {name: [] for name in conversations}
        self.chats: dict[str, str] = {}
        self.homes: dict[str, dict[str, Any]] = {}
        self.archived: set[str] = set()
        self.channels: dict[str, dict[str, Any]] = {}
        self.scopes: tuple[str, ...] | None = SCOPES
        self.tokens: dict[str, str] = {TOKEN: TEAM}
        self.codes: dict[str, Answer] = {}
        self.answers: dict[str, Answer] = {"views.open": {}, "users.info": {}}
        self.files: dict[str, File] = {}
        self.fetched: list[tuple[str, str]] = []
        self._plans: dict[str, list[Misbehaviour]] = defaultdict(list)
        self._last = 0
        self._lock = threading.RLock()
        self._closing = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _handler_for(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/api/"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *args: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    # --- what a test does

    def at(self, path: str) -> str:
        """The address of a file."""
        return f"http://127.0.0.1:{self._server.server_port}{path}"

    def download(self, path: str, token: str) -> File:
        """Note that a file is asked for, and say what is sent."""
        with self._lock:
            self.fetched.append((path, token))
        return self.files.get(path, File(status=404))

    @property
    def is_closing(self) -> bool:
        return self._closing.is_set()

    def say(self, conversation: str, text: str, thread_ts: str | None = None) -> str:
        """Have a person write something; return its ts."""
        with self._lock:
            message = Message(self._next_ts(), text, thread_ts)
            self.conversations[conversation].append(message)
            return message.ts

    def delete(self, conversation: str, ts: str) -> None:
        """Have a person delete a message."""
        with self._lock:
            self.conversations[conversation].remove(self.message(conversation, ts))

    def message(self, conversation: str, ts: str) -> Message:
        """Return a message. Raises LookupError."""
        found = self._message(conversation, ts)
        if found is None:
            raise LookupError(ts)
        return found

    def posted(self, conversation: str) -> list[Message]:
        """What the bot posted there, in order."""
        return [message for message in self.conversations[conversation] if message.by_bot]

    def called(self, method: str) -> list[dict[str, Any]]:
        """The arguments of each call of a method."""
        return [call.arguments for call in self.calls if call.method == method]

    def refuse(self, method: str, error: str, times: int = 1, status: int = 200, **more: Any) -> None:
        """Answer with one of Slack's errors, and do nothing."""
        self.answer_with(method, {"ok": False, "error": error, **more}, status, times=times)

    def rate_limit(self, method: str, seconds: int, times: int = 1) -> None:
        """Answer as Slack does to who calls too often."""
        self.answer_with(
            method, {"ok": False, "error": "ratelimited"}, 429, headers={"Retry-After": str(seconds)}, times=times
        )

    def answer_with(
        self,
        method: str,
        body: object,
        status: int = 200,
        acts: bool = False,
        headers: dict[str, str] | None = None,
        times: int = 1,
    ) -> None:
        """Answer with this status and body (bytes as they are, anything else as JSON)."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self._plan(method, Misbehaviour(acts=acts, status=status, body=raw, headers=headers or {}), times)

    def hang(self, method: str, acts: bool, times: int = 1) -> None:
        """Never answer; act before that, or not."""
        self._plan(method, Misbehaviour(acts=acts, hangs=True), times)

    def drop(self, method: str, acts: bool, times: int = 1) -> None:
        """Close the connection without an answer; act before that, or not."""
        self._plan(method, Misbehaviour(acts=acts, drops=True), times)

    def _plan(self, method: str, plan: Misbehaviour, times: int) -> None:
        with self._lock:
            self._plans[method] += [plan] * times

    # --- what it does with a call

    def take(self, call: Call) -> tuple[Misbehaviour, Answer]:
        """Note the call, do it unless it was told not to, and say how to answer."""
        with self._lock:
            self.calls.append(call)
            plans = self._plans[call.method]
            plan = plans.pop(0) if plans else Misbehaviour(acts=True, headers=self._headers())
            return plan, self._act(call) if plan.acts else {}

    def wait(self) -> None:
        """Wait until nobody can want an answer any more."""
        self._closing.wait(30)

    def _act(self, call: Call) -> Answer:
        if call.method == "oauth.v2.access":
            return self._exchange(call)
        if call.token not in self.tokens:
            return _error("invalid_auth")
        if call.method == "auth.test":
            return self._test_auth(self.tokens[call.token])
        if call.method in self.answers:
            return {"ok": True, **self.answers[call.method]}
        deed = DEEDS.get(call.method)
        return _error("unknown_method") if deed is None else deed(self, call.arguments)

    def _post(self, said: dict[str, Any]) -> Answer:
        channel, thread = self.chats.get(said["channel"], said["channel"]), said.get("thread_ts")
        if channel not in self.conversations:
            return _error("channel_not_found")
        if channel in self.archived:
            return _error("is_archived")
        if thread is not None and self._message(channel, thread) is None:
            return _error("thread_not_found")
        wrong = _wrong(said)
        if wrong:
            return _error(wrong)
        message = Message(
            self._next_ts(), said["text"], thread, said.get("blocks", []), said.get("metadata"), by_bot=True
        )
        message.broadcast = said.get("reply_broadcast") in (True, "1", "true")
        self.conversations[channel].append(message)
        return {"ok": True, "channel": channel, "ts": message.ts, "message": {"text": message.text}}

    def _update(self, said: dict[str, Any]) -> Answer:
        message = self._message(said["channel"], said["ts"])
        if message is None:
            return _error("message_not_found")
        wrong = _wrong(said)
        if wrong:
            return _error(wrong)
        message.text, message.blocks = said["text"], said.get("blocks", [])
        message.metadata = said.get("metadata", message.metadata)
        return {"ok": True, "channel": said["channel"], "ts": message.ts, "text": message.text}

    def _react(self, said: dict[str, Any]) -> Answer:
        message = self._message(said["channel"], said["timestamp"])
        if message is None:
            return _error("message_not_found")
        if said["name"] in message.reactions:
            return _error("already_reacted")
        message.reactions.add(said["name"])
        return {"ok": True}

    def _history(self, asked: dict[str, Any]) -> Answer:
        """The messages outside threads, the youngest first."""
        if asked["channel"] not in self.conversations:
            return _error("channel_not_found")
        found = [each for each in self.conversations[asked["channel"]] if each.thread_ts is None]
        return _page([each for each in found if float(each.ts) > float(asked.get("oldest", 0))][::-1], asked)

    def _replies(self, asked: dict[str, Any]) -> Answer:
        """A thread, the oldest first; its root is always there."""
        channel, ts = asked["channel"], asked["ts"]
        if channel not in self.conversations:
            return _error("channel_not_found")
        if self._message(channel, ts) is None:
            return _error("thread_not_found")
        oldest = float(asked.get("oldest", 0))
        found = [
            each
            for each in self.conversations[channel]
            if each.ts == ts or (each.thread_ts == ts and float(each.ts) > oldest)
        ]
        return _page(found, asked)

    def _open(self, asked: dict[str, Any]) -> Answer:
        chat = self.chats.get(asked["users"])
        return _error("user_not_found") if chat is None else {"ok": True, "channel": {"id": chat}}

    def _publish(self, said: dict[str, Any]) -> Answer:
        view = json.loads(said["view"]) if isinstance(said["view"], str) else said["view"]
        try:
            View(**view).to_dict()
            for block in Block.parse_all(view["blocks"]):
                block.to_dict()
        except SlackObjectFormationError:
            return _error("invalid_arguments")
        self.homes[said["user_id"]] = view
        return {"ok": True, "view": view}

    def _test_auth(self, team: str) -> Answer:
        return {"ok": True, "team_id": team, "user_id": BOT, "bot_id": "B1", "team": "Shop", "user": "firstline"}

    def _headers(self) -> dict[str, str]:
        return {} if self.scopes is None else {"x-oauth-scopes": ",".join(self.scopes)}

    def _exchange(self, call: Call) -> Answer:
        """Give a token for a code; each code is good for once."""
        return self.codes.pop(call.arguments.get("code", ""), _error("invalid_code"))

    def _info(self, asked: dict[str, Any]) -> Answer:
        channel = asked["channel"]
        if channel not in self.conversations:
            return _error("channel_not_found")
        told = {"is_member": True, "is_archived": channel in self.archived, "is_ext_shared": False}
        return {"ok": True, "channel": {"id": channel, **told, **self.channels.get(channel, {})}}

    def _team(self, asked: dict[str, Any]) -> Answer:
        return {"ok": True, "team": {"id": TEAM, "name": "Shop", "domain": "shop"}}

    def _message(self, conversation: str, ts: str) -> Message | None:
        return next((each for each in self.conversations.get(conversation, []) if each.ts == ts), None)

    def _next_ts(self) -> str:
        """A ts is a time in microseconds, and another for every message."""
        self._last = max(self._last + 1, time.time_ns() // 1000)
        return f"{self._last // 1_000_000}.{self._last % 1_000_000:06}"


DEEDS: dict[str, Callable[[SlackApi, dict[str, Any]], Answer]] = {
    "chat.postMessage": SlackApi._post,
    "chat.update": SlackApi._update,
    "reactions.add": SlackApi._react,
    "conversations.history": SlackApi._history,
    "conversations.replies": SlackApi._replies,
    "conversations.open": SlackApi._open,
    "views.publish": SlackApi._publish,
    "conversations.info": SlackApi._info,
    "team.info": SlackApi._team,
}


def _error(name: str) -> Answer:
    return {"ok": False, "error": name}


def _wrong(said: dict[str, Any]) -> str:
    """What Slack has against a message; empty if nothing."""
    if len(said.get("text", "")) > 40_000:
        return "msg_too_long"
    try:
        for block in Block.parse_all(said.get("blocks", [])):
            block.to_dict()
    except SlackObjectFormationError:
        return "invalid_blocks"
    return "invalid_blocks" if len(said.get("blocks", [])) > 50 else ""


def _page(found: list[Message], asked: dict[str, Any]) -> Answer:
    start, limit = int(asked.get("cursor") or 0), int(asked.get("limit", 100))
    more = start + limit < len(found)
    return {
        "ok": True,
        "messages": [_shown(each, asked.get("include_all_metadata") == "1") for each in found[start : start + limit]],
        "has_more": more,
        "response_metadata": {"next_cursor": str(start + limit) if more else ""},
    }


def _shown(message: Message, with_metadata: bool) -> Answer:
    shown: Answer = {"type": "message", "ts": message.ts, "text": message.text}
    if message.thread_ts is not None:
        shown["thread_ts"] = message.thread_ts
    if message.metadata is not None and with_metadata:
        shown["metadata"] = message.metadata
    return shown


class _Server(ThreadingHTTPServer):
    request_queue_size = 64


def _handler_for(api: SlackApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            is_json = self.headers["Content-Type"].startswith("application/json")
            arguments = json.loads(raw or b"{}") if is_json else dict(parse_qsl(raw.decode()))
            token = (self.headers["Authorization"] or "").removeprefix("Bearer ")
            plan, answer = api.take(Call(self.path.removeprefix("/api/"), arguments, token))
            if plan.hangs:
                api.wait()
            if plan.hangs or plan.drops:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self._answer(plan.status, plan.headers, plan.body or json.dumps(answer).encode())

        def do_GET(self) -> None:
            token = (self.headers["Authorization"] or "").removeprefix("Bearer ")
            file = api.download(self.path, token)
            self.close_connection = True
            self.send_response(file.status)
            said = {"Content-Type": file.kind, "Connection": "close", **file.headers}
            if file.length is not None:
                said["Content-Length"] = str(file.length)
            for name, value in said.items():
                self.send_header(name, value)
            self.end_headers()
            with suppress(OSError):  # the caller has had enough
                for _ in range(file.pieces) if file.pieces is not None else count():
                    if api.is_closing:
                        break
                    self.wfile.write(file.content)
                    time.sleep(file.pause)

        def _answer(self, status: int, extra: dict[str, str], body: bytes) -> None:
            try:
                self.send_response(status)
                headers = {"Content-Type": "application/json; charset=utf-8", "Content-Length": str(len(body)), **extra}
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)
            except OSError:  # the caller has gone
                self.close_connection = True

        def log_message(self, *args: object) -> None:
            pass

    return Handler
