"""A small real Telegram on loopback, for tests: the methods of the Bot API that we use, over HTTP, with long polling
and webhooks; can be told to misbehave."""

import json
import re
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl

import requests

BOT, NAME = 4242424, "firstline_bot"
TOKEN = f"{BOT}:AAbcdefghijklmnopqrstuvwxyz012345678"
SECRET = "s3cret-of-the-webhook"
ANA, BEN, KIM = 77, 78, 900
"""Two customers, and an agent."""

GROUP, BOARD = -1001, -1009
"""A group with topics, and the agents'."""

Json = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """What the API does with one call instead of doing it and saying so: act or not, then never answer, or drop the
    connection, or answer with this."""

    acts: bool = False
    hangs: bool = False
    drops: bool = False
    status: int = 200
    body: bytes = b""


@dataclass(frozen=True)
class Call:
    method: str
    arguments: Json


@dataclass
class Said:
    """A message of the bot's. `text` is what people see, `marks` the tags in it."""

    chat: int
    number: int
    text: str
    marks: list[str]
    topic: int | None = None
    answers: int | None = None
    buttons: list[Json] = field(default_factory=list)
    pinned: bool = False


class TelegramApi:
    """A Telegram with this one bot. A context manager. `url` is what TELEGRAM_API_URL should be; `calls` are all calls
    in order, `said` what the bot said, `topics` the names of each chat's topics, `told` what was shown to those who
    pressed a button, `files` what can be fetched, by its file_id. Each call of `refuse`, `answer_with`, `hang` and
    `drop` is about one call of a method, the next that nothing was said about yet."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.said: list[Said] = []
        self.blocked: set[int] = set()
        self.gone: set[tuple[int, int]] = set()
        self.forums: set[int] = {GROUP, BOARD}
        self.closed: set[int] = set()
        self.topics: dict[tuple[int, int], str] = {}
        self.webhook: Json = {"url": ""}
        self.commands: dict[str, list[Json]] = {}
        self.told: list[str] = []
        self.files: dict[str, bytes] = {}
        self.privacy = True
        self.holds_back = False
        self.waiting: list[Json] = []
        self.statuses: list[int] = []
        self._plans: dict[str, list[Plan]] = defaultdict(list)
        self._numbers: dict[int, int] = defaultdict(int)
        self._update = 1000
        self._polls = 0
        self._lock = threading.Condition(threading.RLock())
        self._closing = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _handler_for(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *args: object) -> None:
        self._closing.set()
        with self._lock:
            self._lock.notify_all()
        self._server.shutdown()
        self._server.server_close()

    # --- what people do

    def message(self, text: str = "", user: int = ANA, chat: int | None = None, **more: Any) -> Json:
        """Make a message as Telegram shows it to bots, with a number of its own."""
        where = user if chat is None else chat
        made: Json = {
            "message_id": self.next_number(where),
            "from": {"id": user, "is_bot": False, "first_name": "Ana", "language_code": "en"},
            "chat": self.chat(where),
            "date": int(time.time()),
            **({"text": text} if text else {}),
            **more,
        }
        if isinstance(made.get("message_thread_id"), int):
            made.setdefault("is_topic_message", True)
        return made

    def chat(self, chat: int) -> Json:
        if chat > 0:
            return {"id": chat, "type": "private", "first_name": "Ana"}
        return {"id": chat, "type": "supergroup", "title": "Shop", "is_forum": chat in self.forums}

    def say(self, text: str = "", user: int = ANA, chat: int | None = None, **more: Any) -> Json:
        """Have a person write something; return the update."""
        return self.happens(message=self.message(text, user, chat, **more))

    def edit(self, update: Json, text: str, at: int | None = None) -> Json:
        """Have a person edit what they wrote."""
        before = next(iter(each for name, each in update.items() if name != "update_id"))
        at = int(time.time()) if at is None else at
        return self.happens(edited_message={**before, "text": text, "edit_date": at})

    def answers(self, said: Said) -> Json:
        """What is in a message that answers one of the bot's."""
        return {
            "reply_to_message": {
                "message_id": said.number,
                "from": {"id": BOT, "is_bot": True, "first_name": "Firstline", "username": NAME},
                "chat": self.chat(said.chat),
                "date": int(time.time()),
                "text": said.text,
            }
        }

    def press(self, label: str, user: int = ANA, said: Said | None = None, date: int | None = None) -> Json:
        """Have a person press a button of the bot's last message that has it."""
        holder = said or next(one for one in reversed(self.said) if any(b["text"] == label for b in one.buttons))
        (data,) = (button["callback_data"] for button in holder.buttons if button["text"] == label)
        message: Json = {
            "message_id": holder.number,
            "chat": self.chat(holder.chat),
            "date": int(time.time()) if date is None else date,
            "from": {"id": BOT, "is_bot": True, "first_name": "Firstline"},
        }
        if holder.topic is not None:
            message |= {"message_thread_id": holder.topic, "is_topic_message": True}
        query = {"id": f"q{self._update}", "from": {"id": user, "is_bot": False, "language_code": "en"}}
        return self.happens(callback_query={**query, "message": message, "data": data, "chat_instance": "1"})

    def happens(self, **what: Any) -> Json:
        """Have an update come into being, for the next poll to get or `bring` to bring; not yet, if it `holds_back`."""
        with self._lock:
            self._update += 1
            update = {"update_id": self._update, **what}
            if not self.holds_back:
                self.again(update)
        return update

    def again(self, update: Json) -> None:
        """Have an update come once more, as after an answer that got lost."""
        with self._lock:
            self.waiting.append(update)
            self._lock.notify_all()

    def bring(self) -> list[int]:
        """Bring what waits to the webhook, and return the HTTP statuses; what is refused goes on waiting."""
        statuses = []
        for update in list(self.waiting):
            status = self.deliver(update)
            statuses.append(status)
            if status == 200:
                self.waiting.remove(update)
        return statuses

    def deliver(self, update: Json, secret: str | None = None, body: bytes | None = None) -> int:
        """Bring one update to the webhook."""
        headers = {
            "X-Telegram-Bot-Api-Secret-Token": self.webhook.get("secret_token", "") if secret is None else secret,
            "Content-Type": "application/json",
        }
        data = json.dumps(update).encode() if body is None else body
        return requests.post(self.webhook["url"], data=data, headers=headers, timeout=20).status_code

    def next_number(self, chat: int) -> int:
        with self._lock:
            self._numbers[chat] += 1
            return self._numbers[chat]

    def last(self, chat: int = ANA) -> Said:
        return [one for one in self.said if one.chat == chat][-1]

    def texts(self, chat: int = ANA) -> list[str]:
        return [one.text for one in self.said if one.chat == chat]

    def called(self, method: str) -> list[Json]:
        return [call.arguments for call in list(self.calls) if call.method == method]

    # --- misbehaving

    def refuse(self, method: str, code: int, description: str, times: int = 1, **parameters: Any) -> None:
        """Answer with one of Telegram's errors, and do nothing."""
        body: Json = {"ok": False, "error_code": code, "description": description}
        if parameters:
            body["parameters"] = parameters
        self.answer_with(method, json.dumps(body).encode(), code, times=times)

    def answer_with(self, method: str, body: bytes, status: int = 200, acts: bool = False, times: int = 1) -> None:
        self._plans[method] += [Plan(acts=acts, status=status, body=body)] * times

    def hang(self, method: str, acts: bool, times: int = 1) -> None:
        self._plans[method] += [Plan(acts=acts, hangs=True)] * times

    def drop(self, method: str, acts: bool, times: int = 1) -> None:
        self._plans[method] += [Plan(acts=acts, drops=True)] * times

    # --- what it does with a call

    def take(self, token: str, call: Call) -> tuple[Plan, Json]:
        """Note the call, do it unless it was told not to, and say how to answer."""
        with self._lock:
            self.calls.append(call)
            plan = self._plans[call.method].pop(0) if self._plans[call.method] else Plan(acts=True)
        return plan, self._act(token, call) if plan.acts else {}

    def wait(self) -> None:
        self._closing.wait(30)

    def _act(self, token: str, call: Call) -> Json:
        if token != TOKEN:
            return _error(401, "Unauthorized")
        deed = DEEDS.get(call.method)
        if deed is None:
            return _error(404, "Not Found")
        answer = deed(self, call.arguments)
        return answer if isinstance(answer, dict) and answer.get("ok") is False else {"ok": True, "result": answer}

    def _get_file(self, asked: Json) -> Any:
        name = str(asked["file_id"])
        if name not in self.files:
            return _error(400, "Bad Request: invalid file_id")
        if len(self.files[name]) > 20_000_000:
            return _error(400, "Bad Request: file is too big")
        return {"file_id": name, "file_unique_id": name, "file_path": f"documents/{name}"}

    def _me(self, asked: Json) -> Any:
        return {
            "id": BOT,
            "is_bot": True,
            "first_name": "Firstline",
            "username": NAME,
            "can_join_groups": True,
            "can_read_all_group_messages": not self.privacy,
        }

    def _set_webhook(self, asked: Json) -> Any:
        self.webhook = dict(asked)
        return True

    def _delete_webhook(self, asked: Json) -> Any:
        self.webhook = {"url": ""}
        return True

    def _webhook_info(self, asked: Json) -> Any:
        shown = {name: value for name, value in self.webhook.items() if name != "secret_token"}
        return {**shown, "has_custom_certificate": False, "pending_update_count": len(self.waiting)}

    def _get_updates(self, asked: Json) -> Any:
        """Wait for updates from an offset on; those before it are forgotten. Of two who ask, the first is told off."""
        if self.webhook.get("url"):
            return _error(409, "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook first")
        with self._lock:
            self._polls += 1
            mine = self._polls
            self._lock.notify_all()
            if asked.get("offset"):
                self.waiting = [each for each in self.waiting if each["update_id"] >= int(asked["offset"])]
            until = time.monotonic() + float(asked.get("timeout", 0))
            while not self.waiting and not self._closing.is_set():
                left = until - time.monotonic()
                if left <= 0 or not self._lock.wait(left):
                    break
                if self._polls != mine:
                    return _error(409, "Conflict: terminated by other getUpdates request; make sure that only one …")
            return list(self.waiting[:100])

    def _send(self, said: Json) -> Any:
        with self._lock:
            chat, topic = int(said["chat_id"]), said.get("message_thread_id")
            if chat in self.blocked:
                return _error(403, "Forbidden: bot was blocked by the user")
            if chat == 404:
                return _error(400, "Bad Request: chat not found")
            if topic is not None and (chat, topic) not in self.topics:
                return _error(400, "Bad Request: message thread not found")
            if topic in self.closed:
                return _error(400, "Bad Request: TOPIC_CLOSED")
            wrong, text, marks = _read(said)
            if wrong:
                return _error(400, wrong)
            answers = said.get("reply_parameters") or {}
            if answers and (chat, answers["message_id"]) in self.gone:
                if not answers.get("allow_sending_without_reply"):
                    return _error(400, "Bad Request: message to be replied not found")
                answers = {}
            made = Said(chat, self.next_number(chat), text, marks, topic, answers.get("message_id"), _buttons(said))
            self.said.append(made)
        return {"message_id": made.number, "date": int(time.time()), "chat": self.chat(chat), "text": text}

    def _edit_text(self, said: Json) -> Any:
        found = self._found(said)
        if found is None:
            return _error(400, "Bad Request: message to edit not found")
        wrong, text, marks = _read(said)
        if wrong:
            return _error(400, wrong)
        if (text, marks, _buttons(said)) == (found.text, found.marks, found.buttons):
            return _error(400, "Bad Request: message is not modified: specified new message content and … are the same")
        found.text, found.marks, found.buttons = text, marks, _buttons(said)
        return {"message_id": found.number, "date": 1, "chat": self.chat(found.chat)}

    def _edit_buttons(self, said: Json) -> Any:
        found = self._found(said)
        if found is None:
            return _error(400, "Bad Request: message to edit not found")
        found.buttons = _buttons(said)
        return {"message_id": found.number, "date": 1, "chat": self.chat(found.chat)}

    def _found(self, said: Json) -> Said | None:
        named = (int(said["chat_id"]), int(said["message_id"]))
        return next((one for one in self.said if (one.chat, one.number) == named and named not in self.gone), None)

    def _make_topic(self, said: Json) -> Any:
        chat = int(said["chat_id"])
        if chat not in self.forums:
            return _error(400, "Bad Request: the chat is not a forum")
        if not 1 <= len(said["name"]) <= 128:
            return _error(400, "Bad Request: TOPIC_NAME_INVALID")
        number = self.next_number(chat)
        self.topics[chat, number] = said["name"]
        return {"message_thread_id": number, "name": said["name"], "icon_color": 1}

    def _reopen_topic(self, said: Json) -> Any:
        self.closed.discard(said["message_thread_id"])
        return True

    def _pin(self, said: Json) -> Any:
        found = self._found(said)
        if found is None:
            return _error(400, "Bad Request: message to pin not found")
        found.pinned = True
        return True

    def _answer(self, said: Json) -> Any:
        if len(said.get("text", "")) > 200:
            return _error(400, "Bad Request: MESSAGE_TOO_LONG")
        self.told.append(said.get("text", ""))
        return True

    def _set_commands(self, said: Json) -> Any:
        self.commands[said.get("language_code", "")] = said["commands"]
        return True

    def _chat(self, said: Json) -> Any:
        return self.chat(int(said["chat_id"]))

    def _member(self, said: Json) -> Any:
        return {"status": "administrator", "user": {"id": said["user_id"]}, "can_manage_topics": True}


DEEDS: dict[str, Callable[[TelegramApi, Json], Any]] = {
    "getMe": TelegramApi._me,
    "getFile": TelegramApi._get_file,
    "setWebhook": TelegramApi._set_webhook,
    "deleteWebhook": TelegramApi._delete_webhook,
    "getWebhookInfo": TelegramApi._webhook_info,
    "getUpdates": TelegramApi._get_updates,
    "sendMessage": TelegramApi._send,
    "editMessageText": TelegramApi._edit_text,
    "editMessageReplyMarkup": TelegramApi._edit_buttons,
    "createForumTopic": TelegramApi._make_topic,
    "reopenForumTopic": TelegramApi._reopen_topic,
    "pinChatMessage": TelegramApi._pin,
    "answerCallbackQuery": TelegramApi._answer,
    "setMyCommands": TelegramApi._set_commands,
    "getChat": TelegramApi._chat,
    "getChatMember": TelegramApi._member,
}


def _error(code: int, description: str) -> Json:
    return {"ok": False, "error_code": code, "description": description}


def _buttons(said: Json) -> list[Json]:
    rows = (said.get("reply_markup") or {}).get("inline_keyboard") or []
    found = [button for row in rows for button in row]
    assert all(1 <= len(button["callback_data"].encode()) <= 64 for button in found)
    return found


class _Marks(HTMLParser):
    """Reads Telegram's HTML: what is seen, and the tags; a `<` that begins none is an error, as it is to Telegram."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.seen = ""
        self.tags: list[str] = []
        self.open: list[str] = []
        self.broken = False

    def handle_starttag(self, tag: str, attributes: Any) -> None:
        self.broken |= tag not in {"b", "i", "u", "s", "a", "code", "pre", "blockquote"}
        self.tags.append(tag)
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self.broken |= not self.open or self.open.pop() != tag

    def handle_data(self, data: str) -> None:
        self.seen += data


def _read(said: Json) -> tuple[str, str, list[str]]:
    """What Telegram has against a text (empty if nothing), what is seen of it, and its marks."""
    text, tags = str(said.get("text", "")), list[str]()
    if said.get("parse_mode") == "HTML":
        marks = _Marks()
        marks.feed(text)
        marks.close()
        if marks.broken or marks.open or re.search(r"<(?!/?[a-z]+>)", text):
            return "Bad Request: can't parse entities: Unsupported start tag", "", []
        text, tags = marks.seen, marks.tags
    if not text.strip():
        return "Bad Request: message text is empty", "", []
    if len(text.encode("utf-16-le")) // 2 > 4096:
        return "Bad Request: message is too long", "", []
    return "", text, tags


class _Server(ThreadingHTTPServer):
    request_queue_size = 64


def _handler_for(api: TelegramApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            """Hand out a file; whoever reads this address has the token."""
            plan, _ = api.take(TOKEN, Call("file", {"path": self.path}))
            name = self.path.removeprefix(f"/file/bot{TOKEN}/documents/")
            known = api.files.get(name)
            if plan.drops:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self._answer(plan.status if plan.body else 200 if known is not None else 404, plan.body or known or b"")

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            _, token, method = self.path.split("/", 2)
            arguments = {name: _value(text) for name, text in parse_qsl(raw.decode(), keep_blank_values=True)}
            for name in ("text", "callback_query_id", "name"):
                if name in arguments:
                    arguments[name] = dict(parse_qsl(raw.decode(), keep_blank_values=True))[name]
            plan, answer = api.take(token.removeprefix("bot"), Call(method, arguments))
            if plan.hangs:
                api.wait()
            if plan.hangs or plan.drops:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            status = plan.status if plan.body else int(answer.get("error_code", 200))
            self._answer(status, plan.body or json.dumps(answer).encode())

        def _answer(self, status: int, body: bytes) -> None:
            try:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except OSError:  # the caller has gone
                self.close_connection = True

        def log_message(self, *args: object) -> None:
            pass

    return Handler


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
