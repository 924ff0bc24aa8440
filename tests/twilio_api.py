"""A small real Twilio on loopback, for tests: messages, numbers and files of one account, over HTTP; it signs what it
brings, as Twilio does, and can be told to misbehave."""

import base64
import hashlib
import hmac
import itertools
import json
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

import requests

ACCOUNT = "AC" + "0a1b2c3d" * 4
TOKEN = "t0ken-of-the-twilio-account"
SHOP, SHOP_WHATSAPP = "+15550001111", "+15550002222"
ANA, BEA = "+14155552671", "+14155552672"
HX = "HX" + "5" * 32
ROOT = f"/2010-04-01/Accounts/{ACCOUNT}"

Json = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """What the API does with one text instead of taking it and saying so: take it or not, then never answer, or drop
    the connection, or answer with this."""

    takes: bool = False
    hangs: bool = False
    drops: bool = False
    status: int = 0
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Message:
    """A message, out or in. `template` and `variables` are its Content, `callback` is where it is told what became of
    it."""

    sid: str
    to: str
    sender: str
    body: str
    template: str = ""
    variables: Json = field(default_factory=dict)
    callback: str = ""
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    status: str = "queued"


class TwilioApi:
    """A Twilio with this one account. A context manager. `url` is what TWILIO_API_URL should be; `sent` are the texts
    that it took, in order. Each call of `refuse`, `hang` and `drop` is about one text, the next that nothing was said
    about yet. To the numbers in `windows` WhatsApp takes no free text; `files` are what can be fetched, by the path
    below the account, or where one is sent on to. `asked` are all requests: method and path."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.windows: set[str] = set()
        self.files: dict[str, bytes | str] = {}
        self.asked: list[tuple[str, str]] = []
        self.strangers: list[tuple[str, str]] = []
        self.numbers: list[Json] = [{"phone_number": SHOP, "sms_url": "", "sms_method": "POST"}]
        self.account: Json = {"sid": ACCOUNT, "status": "active", "type": "Full"}
        self.clock: Callable[[], datetime] = lambda: datetime.now(UTC)
        self._numbers = itertools.count(1)
        self._plans: list[Plan] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _handler_for(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *args: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    # --- what it is told

    def refuse(self, status: int, code: int = 0, **headers: str) -> None:
        answer = {"code": code, "message": "Marmalade was in your text", "status": status} if code else {}
        self._plans.append(Plan(status=status, body=json.dumps(answer).encode(), headers=headers))

    def answer_with(self, status: int, body: bytes, **headers: str) -> None:
        self._plans.append(Plan(status=status, body=body, headers=headers))

    def hang(self, takes: bool) -> None:
        self._plans.append(Plan(takes=takes, hangs=True))

    def drop(self, takes: bool) -> None:
        self._plans.append(Plan(takes=takes, drops=True))

    # --- what it does

    def new_sid(self) -> str:
        return f"SM{next(self._numbers):032x}"

    def take(self, form: Mapping[str, str]) -> tuple[Plan, Json]:
        """Take a text, unless it was told not to."""
        with self._lock:
            plan = self._plans.pop(0) if self._plans else Plan(takes=True)
            return plan, self._send(form) if plan.takes else {}

    def wait(self) -> None:
        self._closing.wait(30)

    def list(self, to: str) -> Json:
        with self._lock:
            found = [one for one in reversed(self.sent) if one.to == to]
        return {"messages": [_shown(one) for one in found]}

    def _send(self, form: Mapping[str, str]) -> Json:
        to, sender, body = (
            form.get("To", ""),
            form.get("From") or form.get("MessagingServiceSid", ""),
            form.get("Body", ""),
        )
        if not to.removeprefix("whatsapp:").startswith("+"):
            return _error(400, 21211)
        if sender.removeprefix("whatsapp:") not in (SHOP, SHOP_WHATSAPP) and not sender.startswith("MG"):
            return _error(400, 21606)
        if len(body.encode("utf-16-le")) // 2 > 1600:
            return _error(400, 21617)
        template, variables = form.get("ContentSid", ""), json.loads(form.get("ContentVariables", "{}"))
        if not body and not template:
            return _error(400, 21602)
        if body and to.startswith("whatsapp:") and to.removeprefix("whatsapp:") in self.windows:
            return _error(400, 63016)
        text = body or f"About {variables['1']}: {variables['2']}"
        made = Message(
            self.new_sid(), to, sender, text, template, variables, form.get("StatusCallback", ""), self.clock()
        )
        self.sent.append(made)
        return {**_shown(made), "http": 201}

    # --- what it brings

    def says(self, text: str, who: str = ANA, channel: str = "sms", **more: str) -> dict[str, str]:
        """What it brings when somebody writes to us."""
        mark, to = ("whatsapp:", SHOP_WHATSAPP) if channel == "whatsapp" else ("", SHOP)
        sid = self.new_sid()
        return {
            "AccountSid": ACCOUNT,
            "ApiVersion": "2010-04-01",
            "MessageSid": sid,
            "SmsMessageSid": sid,
            "SmsStatus": "received",
            "From": f"{mark}{who}",
            "To": f"{mark}{to}",
            "Body": text,
            "NumMedia": "0",
            "NumSegments": "1",
            **({"ProfileName": "Ana", "WaId": who[1:]} if mark else {}),
            **more,
        }

    def became(self, message: Message, status: str, code: int = 0) -> dict[str, str]:
        """What it brings when something has become of a text."""
        message.status = status
        wrong = {"ErrorCode": str(code)} if code else {}
        values = {"MessageSid": message.sid, "SmsSid": message.sid, "MessageStatus": status, "SmsStatus": status}
        return {"AccountSid": ACCOUNT, "From": message.sender, "To": message.to, **values, **wrong}

    def bring(self, url: str, fields: Mapping[str, str], patience: float = 15) -> requests.Response:
        """Post to an address, signed."""
        return requests.post(url, data=fields, headers={"X-Twilio-Signature": signed(url, fields)}, timeout=patience)


def signed(url: str, fields: Mapping[str, str], token: str = TOKEN) -> str:
    text = url + "".join(name + fields[name] for name in sorted(fields))
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()


def _shown(message: Message) -> Json:
    return {
        "sid": message.sid,
        "to": message.to,
        "from": message.sender,
        "body": message.body,
        "status": message.status,
        "direction": "outbound-api",
        "date_created": format_datetime(message.created),
        "date_sent": None,
    }


def _error(status: int, code: int) -> Json:
    return {"code": code, "message": "no", "status": status, "http": status}


class _Server(ThreadingHTTPServer):
    request_queue_size = 64


def _handler_for(api: TwilioApi) -> type[BaseHTTPRequestHandler]:
    known = "Basic " + base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            api.asked.append(("GET", url.path))
            if url.path.startswith("/cdn/"):
                api.strangers.append((url.path, self.headers.get("Authorization", "")))
                self._file(url.path)
            elif self.headers.get("Authorization") != known:
                self._json(_error(401, 20003), 401)
            elif url.path.removeprefix(ROOT) in api.files:
                self._file(url.path.removeprefix(ROOT))
            elif url.path == f"{ROOT}/Messages.json":
                self._json(api.list(dict(parse_qsl(url.query))["To"]))
            elif url.path == f"{ROOT}.json":
                self._json(api.account)
            elif url.path == f"{ROOT}/IncomingPhoneNumbers.json":
                asked = dict(parse_qsl(url.query))["PhoneNumber"]
                found = [one for one in api.numbers if one["phone_number"] == asked]
                self._json({"incoming_phone_numbers": found})
            else:
                self._json(_error(404, 20404), 404)

        def do_POST(self) -> None:
            form = dict(
                parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode(), keep_blank_values=True)
            )
            api.asked.append(("POST", self.path))
            if self.headers.get("Authorization") != known:
                return self._json(_error(401, 20003), 401)
            if self.path != f"{ROOT}/Messages.json":
                return self._json(_error(404, 20404), 404)
            plan, answer = api.take(form)
            if plan.hangs:
                api.wait()
            if plan.hangs or plan.drops:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
            elif plan.status:
                self._answer(plan.status, plan.body, plan.headers)
            else:
                self._json(answer, answer.pop("http"))
            return None

        def _file(self, path: str) -> None:
            content = api.files.get(path)
            if isinstance(content, str):
                self._answer(307, b"", {"Location": content})
            elif content is None:
                self._answer(404, b"", {})
            else:
                self._answer(200, content, {"Content-Type": "image/jpeg"})

        def _json(self, answer: Json, status: int = 200) -> None:
            self._answer(status, json.dumps(answer).encode(), {})

        def _answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
            try:
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", **headers}.items():
                    self.send_header(name.replace("_", "-"), value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except OSError:  # the caller has gone
                self.close_connection = True

        def log_message(self, *args: object) -> None:
            pass

    return Handler
