"""How Slack reaches us, by signed requests or through a socket of ours: what is not committed is not acknowledged."""

import base64
import hashlib
import hmac
import json
import queue
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import pytest
import requests
from slack_sdk.signature import SignatureVerifier
from starlette.applications import Starlette

from adapters.slack import listen
from adapters.slack.door import LARGEST
from adapters.slack.listen import SlackListener
from bot import telemetry
from bot.errors import ConfigurationError
from bot.model import Address
from storage.tables import InboxMessage
from tests.house import House
from tests.slack_api import TOKEN, SlackApi
from tests.slack_house import (
    APP_TOKEN,
    LATER,
    ROOT,
    SECRET,
    Door,
    Slack,
    Workspace,
    api,
    backend,
    core_of,
    event,
    house,
    impatient,
    locked,
    payload,
    settings,
    slack,
)

__all__ = ["api", "backend", "house", "impatient", "slack"]

# --- the door


def test_a_message_in_a_support_channel_opens_an_incident_that_is_answered_in_its_thread(slack: Slack) -> None:
    slack.take("message")
    incident = slack.only()
    assert incident["customer_id"] == "T1/U1"
    assert incident["message"] == "My card was charged twice"
    ((to, notice),) = slack.house.chat.sent
    assert to == Address("slack", ROOT)
    assert notice.ticket_id == incident["ticket_id"]


def test_what_is_not_committed_is_not_acknowledged_and_taken_when_slack_sends_it_again(
    slack: Slack, tmp_path: Path
) -> None:
    with locked(tmp_path):
        assert slack.event(payload("message")).status_code == 500
    assert slack.stored() == 0
    again = {"X-Slack-Retry-Num": "1", "X-Slack-Retry-Reason": "http_error"}
    assert slack.event(payload("message"), **again).status_code == 200
    slack.house.work()
    slack.only()


def test_a_redelivery_is_acknowledged_and_opens_nothing_more(slack: Slack) -> None:
    slack.take("message")
    again = {"X-Slack-Retry-Num": "1", "X-Slack-Retry-Reason": "http_timeout"}
    assert slack.event(payload("message"), **again).status_code == 200
    slack.house.work()
    slack.only()
    assert slack.stored() == 1


@pytest.mark.parametrize("first", ["message", "app_mention"])
def test_a_message_and_its_mention_are_one_message(slack: Slack, first: str) -> None:
    second = "app_mention" if first == "message" else "message"
    slack.take(first, text="<@UBOT> My card was charged twice")
    slack.take(second, text="<@UBOT> My card was charged twice")
    assert slack.only()["message"] == "My card was charged twice"
    assert slack.stored() == 1


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({"X-Slack-Signature": "v0=" + "0" * 64}, "another key's"),
        ({"X-Slack-Signature": ""}, "empty"),
        ({"X-Slack-Signature": "v0=é"}, "no hexadecimal"),
        ({"X-Slack-Request-Timestamp": "soon"}, "no time"),
        ({"X-Slack-Request-Timestamp": "1"}, "another time than was signed"),
    ],
)
def test_a_wrong_signature_is_refused_and_nothing_stored(slack: Slack, headers: dict[str, str], why: str) -> None:
    encoded = {name: value.encode("latin-1") for name, value in headers.items()}
    assert slack.event(payload("message"), **encoded).status_code == 401  # type: ignore[arg-type]
    assert slack.stored() == 0


def test_a_request_without_a_signature_is_refused(slack: Slack) -> None:
    assert requests.post(slack.url, json=payload("message"), timeout=10).status_code == 401
    assert slack.stored() == 0


def test_a_request_that_was_signed_six_minutes_ago_is_refused(slack: Slack) -> None:
    body, at = json.dumps(payload("message")), str(int(time.time()) - 360)
    signature = SignatureVerifier(SECRET).generate_signature(timestamp=at, body=body)
    headers = {"X-Slack-Request-Timestamp": at, "X-Slack-Signature": str(signature)}
    assert slack.post(body, "application/json", **headers).status_code == 401
    assert slack.stored() == 0


@pytest.mark.parametrize("body", [b"{", b"[1]", b"[" * 100_000, b"payload=7&x={"])
def test_a_signed_body_that_is_none_of_slacks_is_no_mistake_of_ours(slack: Slack, body: bytes) -> None:
    answer = slack.post(body, "application/json")
    assert answer.status_code in (400, 404)
    assert slack.stored() == 0


def test_a_body_that_is_no_text_is_refused(slack: Slack) -> None:
    body, at = b"\xff\xfe", str(int(time.time()))
    signature = hmac.new(SECRET.encode(), f"v0:{at}:".encode() + body, "sha256").hexdigest()
    headers = {"X-Slack-Request-Timestamp": at, "X-Slack-Signature": f"v0={signature}"}
    assert requests.post(slack.url, data=body, headers=headers, timeout=10).status_code == 401


def test_a_body_that_is_too_large_is_refused(slack: Slack) -> None:
    assert slack.post(b" " * (LARGEST + 1), "application/json").status_code == 413


def test_the_address_is_confirmed_to_slack(slack: Slack) -> None:
    body = payload("url_verification")
    assert slack.event(body).json() == {"challenge": body["challenge"]}


@pytest.mark.parametrize("name", ["unknown_event", "channel_join", "message_of_a_bot", "message_of_ours"])
def test_what_is_not_for_us_is_acknowledged_and_not_stored(slack: Slack, name: str) -> None:
    assert slack.event(payload(name)).status_code == 200
    assert slack.stored() == 0


def test_the_bot_listens_also_while_slack_does_not_answer(house: House, api: SlackApi, door: Door) -> None:
    api.drop("auth.test", acts=False)
    door.app = Starlette()
    with SlackListener(settings(api)).listening(core_of(house), door.app):
        slack = Slack(door.url, api, house)
        slack.take("app_mention", channel="C5")
        slack.only()


def test_no_signing_secret_is_a_mistake_that_is_named(api: SlackApi) -> None:
    with pytest.raises(ConfigurationError, match="SLACK_SIGNING_SECRET"):
        SlackListener(settings(api, slack_signing_secret=None))


def test_no_token_is_a_mistake_that_is_named(api: SlackApi) -> None:
    with pytest.raises(ConfigurationError, match="SLACK_BOT_TOKEN"):
        SlackListener(settings(api, slack_bot_token=None))


# --- logs


def test_no_text_no_token_and_no_secret_is_in_the_log(
    slack: Slack, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    telemetry.set_up("DEBUG", "json")
    slack.take("message", text="Marmalade was charged twice")
    slack.event(event("message", text="Marmalade again"), **{"X-Slack-Signature": "v0=0"})
    slack.command("Marmalade")
    with locked(tmp_path):
        slack.event(event("message", ts=LATER, text="Marmalade failed"))
    said = capsys.readouterr()
    for words in ("Marmalade", TOKEN, SECRET):
        assert words not in said.out + said.err + caplog.text


# --- Socket Mode


class Socket:
    """Slack's end of a web socket (RFC 6455): for the first that connects, it sends these envelopes and keeps what is
    said of them. `at` is where to connect."""

    def __init__(self, *envelopes: dict[str, Any]) -> None:
        self._envelopes = envelopes
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.at = f"ws://127.0.0.1:{self._listener.getsockname()[1]}/?ticket=7d9a-secret"
        self.answers: queue.Queue[dict[str, Any]] = queue.Queue()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._thread.join(10)
        self._listener.close()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection, connection.makefile("rb") as lines:
            self._shake_hands(connection, lines)
            for envelope in self._envelopes:
                raw = json.dumps(envelope).encode()
                connection.sendall(b"\x81\x7e" + len(raw).to_bytes(2, "big") + raw)
            with suppress(ConnectionError):
                while (said := self._frame(lines)) is not None:
                    if said.startswith(b"{"):
                        self.answers.put(json.loads(said))

    @staticmethod
    def _shake_hands(connection: socket.socket, lines: Any) -> None:
        key = b""
        while (line := lines.readline().strip()) != b"":
            name, _, value = line.partition(b":")
            key = value.strip() if name.lower() == b"sec-websocket-key" else key
        accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        connection.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )

    @staticmethod
    def _frame(lines: Any) -> bytes | None:
        """Read what the other end sends, which it must mask; None at the end."""
        head = lines.read(2)
        if len(head) < 2 or head[0] & 15 == 8:
            return None
        length = head[1] & 127
        if length > 125:
            length = int.from_bytes(lines.read(2 if length == 126 else 8), "big")
        mask = lines.read(4)
        return bytes(byte ^ mask[place % 4] for place, byte in enumerate(lines.read(length)))


def envelope(name: str, kind: str, body: dict[str, Any]) -> dict[str, Any]:
    return {"envelope_id": name, "type": kind, "payload": body, "accepts_response_payload": kind == "slash_commands"}


def over_a_socket(api: SlackApi, house: House) -> Any:
    by_socket = settings(api, slack_app_token=APP_TOKEN, slack_signing_secret=None)
    return SlackListener(by_socket).listening(core_of(house), Starlette())


def test_what_comes_by_socket_is_committed_and_then_acknowledged(house: House, api: Workspace) -> None:
    command = {**payload("slash_command"), "command": "/ticket", "text": "list", "user_id": "U1"}
    envelopes = envelope("e1", "events_api", payload("message")), envelope("e2", "slash_commands", command)
    with Socket(*envelopes) as slack:
        api.socket = slack.at
        with over_a_socket(api, house):
            answers = {said["envelope_id"]: said for said in (slack.answers.get(timeout=10) for _ in envelopes)}
            assert len(house.all(InboxMessage)) == 1
    assert "payload" not in answers["e1"]
    assert answers["e2"]["payload"]["response_type"] == "ephemeral"


def test_what_was_not_committed_is_not_acknowledged_by_socket(house: House, api: Workspace, tmp_path: Path) -> None:
    envelopes = envelope("e1", "events_api", payload("message")), envelope("e2", "events_api", payload("channel_join"))
    with Socket(*envelopes) as slack:
        api.socket = slack.at
        with locked(tmp_path), over_a_socket(api, house):
            assert slack.answers.get(timeout=10) == {"envelope_id": "e2"}
    assert slack.answers.empty()
    assert house.all(InboxMessage) == []


def test_the_socket_is_tried_again_until_slack_is_there(
    house: House, api: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listen, "SHORTEST_PAUSE", 0.01)
    with Socket(envelope("e1", "events_api", payload("message"))) as slack:
        api.socket = slack.at
        api.refuse("apps.connections.open", "internal_error", times=3)
        with over_a_socket(api, house):
            assert slack.answers.get(timeout=10) == {"envelope_id": "e1"}
    assert len(api.called("apps.connections.open")) == 4


def test_the_bot_can_be_stopped_while_slack_is_away(house: House, api: Workspace) -> None:
    api.refuse("apps.connections.open", "internal_error", times=100)
    with over_a_socket(api, house):
        pass
    assert not [thread for thread in threading.enumerate() if thread.name == "slack-connect"]
