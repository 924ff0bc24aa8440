"""Slack in, over real HTTP: signed requests to a web server, the core behind it, and Slack's own API on loopback."""

import base64
import hashlib
import hmac
import json
import queue
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

import pytest
import requests
import typer
from slack_sdk.signature import SignatureVerifier
from starlette.applications import Starlette
from typer.testing import CliRunner

from adapters.http import server
from adapters.http.settings import HttpSettings
from adapters.slack import keys, listen, manifest
from adapters.slack.acts import command_in
from adapters.slack.keys import Place
from adapters.slack.listen import LARGEST, SlackListener
from adapters.slack.settings import SlackSettings
from adapters.slack.translate import Watch, escape, heard, plain, without_mention
from bot import telemetry
from bot.errors import ConfigurationError
from bot.model import Address, Caller, Category, InboundMessage, MessageKind, Role
from bot.ports import Core
from bot.reach import Reach
from bot.state import State
from storage import dialect
from storage.tables import InboxMessage
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


def translated(name: str, **changes: Any) -> InboundMessage | None:
    return heard(event(name, **changes)["event"], WATCH)


class Slack:
    """What Slack does with us: it signs and posts. `api` is what we ask of it, `house` what lies behind."""

    def __init__(self, url: str, api: SlackApi, house: House) -> None:
        self.url = f"{url}/slack/events"
        self.api = api
        self.house = house

    def post(self, body: str | bytes, content_type: str, **headers: str) -> requests.Response:
        at = str(int(time.time()))
        signature = SignatureVerifier(SECRET).generate_signature(timestamp=at, body=body)
        signed = {"X-Slack-Request-Timestamp": at, "X-Slack-Signature": str(signature), "Content-Type": content_type}
        return requests.post(self.url, data=body, headers={**signed, **headers}, timeout=10)

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


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait long for another process's transaction."""
    monkeypatch.setattr(dialect, "BUSY_TIMEOUT", 0.5)


@pytest.fixture
def house(db: str, clock: TestClock) -> Iterator[House]:
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
    firstline = house.firstline
    return Core(firstline.intake, firstline.commands, firstline.views, State(), house.clock, Reach(house.clock))


class Door:
    """A web server for all tests, at which each hangs the application that it is about."""

    def __init__(self) -> None:
        self.app: Any = None
        self.url = ""
        self._up = threading.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)

    def opened(self, url: str) -> None:
        self.url = url
        self._up.set()

    def wait(self) -> None:
        assert self._up.wait(10)


@pytest.fixture(scope="module")
def door() -> Iterator[Door]:
    """Uvicorn leaves signals alone outside the main thread; it ends with this module."""
    door, servers = Door(), []

    class Kept(server.Server):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            servers.append(self)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(server, "Server", Kept)
        arguments = (door, HttpSettings(_env_file=None, port=0), door.opened)  # type: ignore[call-arg]
        thread = threading.Thread(target=server.serve, args=arguments)
        thread.start()
        door.wait()
    yield door
    servers[0].should_exit = True
    thread.join(10)


@pytest.fixture
def slack(house: House, api: SlackApi, door: Door) -> Iterator[Slack]:
    door.app = Starlette()
    with SlackListener(settings(api)).listening(core_of(house), door.app):
        yield Slack(door.url, api, house)


# --- the door


def test_a_message_in_a_support_channel_opens_an_incident_that_is_answered_in_its_thread(slack: Slack) -> None:
    slack.take("message")
    incident = slack.only()
    assert incident["customer_id"] == "T1/U1"
    assert incident["message"] == "My card was charged twice"
    ((to, notice),) = slack.house.chat.sent
    assert to == Address("slack", ROOT)
    assert notice.ticket_id == incident["ticket_id"]


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


# --- which messages, and what becomes of them


def test_a_reply_in_the_thread_joins_the_incident(slack: Slack) -> None:
    slack.take("message")
    slack.take("message_reply")
    assert slack.house.said(slack.only()["id"]) == ["My card was charged twice", "It was on Monday"]


def test_a_reply_before_its_parent_is_one_incident_with_it(slack: Slack) -> None:
    slack.take("message_reply")
    slack.take("message")
    slack.only()


def test_a_message_in_another_channel_is_none_of_our_business(slack: Slack) -> None:
    slack.take("message", channel="C5")
    slack.take("message_reply", channel="C5")
    assert slack.stored() == 0


def test_after_a_mention_the_thread_is_a_conversation_in_any_channel(slack: Slack) -> None:
    slack.take("app_mention", channel="C5")
    slack.take("message_reply", channel="C5")
    assert slack.house.said(slack.only()["id"]) == ["My card was charged twice", "It was on Monday"]


def test_a_direct_message_is_answered_in_the_chat(slack: Slack) -> None:
    slack.take("message_im")
    assert slack.only()["chat"] == "slack/T1/D1"
    assert [to for to, _ in slack.house.chat.sent] == [Address("slack", "T1/D1")]


def test_a_second_direct_message_joins_what_is_open(slack: Slack) -> None:
    slack.take("message_im")
    slack.take("message_im", ts=LATER, text="I tried three times")
    assert slack.house.said(slack.only()["id"]) == ["My account is locked", "I tried three times"]


@pytest.mark.parametrize("text", ["/new my refund is late", "new: my refund is late", "NEW:my refund is late"])
def test_a_direct_message_may_be_another_problem(slack: Slack, text: str) -> None:
    slack.take("message_im")
    slack.take("message_im", ts=LATER, text=text)
    assert [incident["message"] for incident in slack.house.incidents()] == [
        "My account is locked",
        "my refund is late",
    ]


def test_who_writes_nothing_but_the_bots_name_is_told_to_write_more(slack: Slack) -> None:
    slack.take("app_mention", text="<@UBOT>")
    assert slack.stored() == 0
    assert slack.told() == ["Write what the matter is as well, in the same message."]


def test_an_edit_is_a_new_text_of_the_same_message(slack: Slack) -> None:
    slack.take("message")
    slack.take("message_changed")
    assert slack.only()["message"] == "My card was charged three times"
    assert slack.house.events(slack.only()["id"]).count("edited") == 1


def test_a_deleted_message_is_hidden(slack: Slack) -> None:
    slack.take("message")
    slack.take("message_deleted")
    assert slack.only()["message"] == ""


def test_a_deleted_message_with_answers_is_hidden(slack: Slack) -> None:
    slack.take("message")
    slack.take("message_tombstone")
    assert slack.only()["message"] == ""


def test_a_mention_of_the_whole_channel_is_plain_text_to_us(slack: Slack) -> None:
    slack.take("message", text="<!channel> my card was charged twice &lt;!here&gt;")
    assert slack.only()["message"] == "@channel my card was charged twice <!here>"


def test_a_card_number_is_masked_before_it_is_stored(slack: Slack) -> None:
    slack.take("message", text="4111 1111 1111 1111 was charged twice")
    assert "4111 1111" not in slack.only()["message"]


# --- translation


def test_a_message_has_the_workspace_channel_and_time_in_its_id() -> None:
    message = translated("message")
    assert message is not None
    assert (message.external_id, message.thread, message.lane) == (ROOT, ROOT, f"slack/{ROOT}")
    assert message.addresses == (Address("slack", ROOT),)
    assert message.written_at is not None
    assert message.written_at.isoformat() == "2026-11-22T12:00:00.000100+00:00"
    assert (message.private, message.proven, message.answer_on) == (False, (), "slack")


def test_a_reply_waits_in_the_lane_of_its_thread() -> None:
    message = translated("message_reply")
    assert message is not None
    assert (message.external_id, message.thread) == ("T1/C1/1795348860.000200", ROOT)
    assert message.lane == f"slack/{ROOT}"


def test_a_direct_message_in_a_thread_is_answered_there() -> None:
    message = translated("message_im", ts=LATER, thread_ts="1795348800.000100")
    assert message is not None
    assert (message.thread, message.lane, message.private) == ("T1/D1/1795348800.000100", "slack/T1/D1", True)
    assert message.addresses == (Address("slack", "T1/D1/1795348800.000100"),)


def test_a_person_of_another_workspace_keeps_that_in_the_name_and_is_answered_in_ours() -> None:
    message = heard(payload("message_of_a_guest")["event"], WATCH)
    assert message is not None
    assert message.customer_id == "T2/U7"
    assert message.addresses == (Address("slack", ROOT),)


def test_a_group_of_people_is_heard_when_it_calls_the_bot() -> None:
    assert translated("message_mpim", text="our account is locked") is None
    message = translated("message_mpim")
    assert message is not None
    assert (message.text, message.private) == ("our account is locked", False)


def test_files_are_named() -> None:
    message = translated("message_with_files")
    assert message is not None
    assert message.text == "Here is the statement\n[statement.pdf]"


@pytest.mark.parametrize("subtype", ["thread_broadcast", "me_message", "file_share"])
def test_what_a_person_wrote_is_taken_whatever_its_form(subtype: str) -> None:
    assert translated("message", subtype=subtype) is not None


@pytest.mark.parametrize(
    "changes",
    [
        {"subtype": "channel_topic"},
        {"subtype": "a_subtype_of_next_year"},
        {"bot_id": "B7"},
        {"user": None},
        {"ts": "yesterday"},
        {"ts": None},
        {"channel": None},
        {"text": ""},
        {"channel": "C9", "text": "<@UBOT> do you hear us?"},
    ],
    ids=str,
)
def test_what_is_no_customers_message_is_none(changes: dict[str, Any]) -> None:
    assert translated("message", **changes) is None


def test_an_edit_names_the_message_and_the_time_of_the_edit() -> None:
    message = translated("message_changed")
    assert message is not None
    assert message.kind is MessageKind.EDIT
    assert (message.external_id, message.about) == (f"{ROOT}/edit/1795348900.000000", ROOT)
    assert message.written_at is not None
    assert message.written_at.timestamp() == 1795348900


def test_the_preview_of_a_link_is_no_edit() -> None:
    assert translated("message_unfurled") is None


def test_a_bots_edit_is_none() -> None:
    body = payload("message_changed")
    body["event"]["message"]["bot_id"] = "B7"
    assert heard(body["event"], WATCH) is None


def test_an_edit_elsewhere_counts_only_with_the_bots_name() -> None:
    assert translated("message_changed", channel="C5") is None
    body = event("message_changed", channel="C5")
    body["event"]["message"]["text"] = "<@UBOT> My card was charged three times"
    message = heard(body["event"], WATCH)
    assert message is not None
    assert message.text == "My card was charged three times"


@pytest.mark.parametrize("name", ["message_deleted", "message_tombstone"])
def test_a_deletion_names_the_message_that_is_gone(name: str) -> None:
    message = translated(name)
    assert message is not None
    assert message.kind is MessageKind.DELETE
    assert (message.external_id, message.about, message.text) == (f"{ROOT}/deleted", ROOT, "")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("a &lt; b &amp;&amp; c &gt; d", "a < b && c > d"),
        ("&amp;lt;", "&lt;"),
        ("see <https://shop.example/a?b=1&amp;c=2>", "see https://shop.example/a?b=1&c=2"),
        ("see <https://shop.example/1|order 1>", "see order 1 (https://shop.example/1)"),
        ("<http://shop.example|shop.example>", "http://shop.example"),
        ("<mailto:ana@example.com|ana@example.com>", "ana@example.com"),
        ("<tel:+14155552671|+1 415>", "+1 415 (+14155552671)"),
        ("<@U1> and <@U2|bea>", "@U1 and @bea"),
        ("in <#C1|general> or <#C2>", "in #general or #C2"),
        ("<!channel> <!here|here> <!subteam^S1|@team> <!subteam^S1>", "@channel here @team @subteam"),
        ("<!date^1392734382^{date}^https://shop.example|18 February>", "18 February"),
        ("1 < 2 <b>", "1 < 2 <b>"),
        ("  around  ", "around"),
    ],
)
def test_slacks_writing_becomes_plain_text(written: str, meant: str) -> None:
    assert plain(written) == meant


def test_hostile_texts_cost_no_more_than_their_length() -> None:
    for piece in ("<", "<@", "<a:", "<!", " ", "<@UBOT", "<@UBOT|"):
        text = piece * (40_000 // len(piece))
        plain(without_mention(text, "UBOT"))
        plain(without_mention(text, ""))


def test_what_we_say_pings_nobody() -> None:
    assert escape("<!channel> & <@U1>") == "&lt;!channel&gt; &amp; &lt;@U1&gt;"


@pytest.mark.parametrize("written", ["T1/C1", ROOT, "T1/D1/1.1"])
def test_a_key_is_read_as_it_was_written(written: str) -> None:
    assert keys.key(keys.parse(written)) == written


def test_a_place_has_its_parts() -> None:
    assert keys.parse(ROOT) == Place("T1", "C1", "1795348800.000100")


@pytest.mark.parametrize(
    "written", ["", "T1", "T1/", "T1/C1/", "T1/C1/now", "t1/c1", f"{ROOT}/edit", "ana@example.com"]
)
def test_what_is_no_key_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="no address in Slack"):
        keys.parse(written)


# --- commands


def resolved_by(house: House) -> list[str]:
    return [str(incident["resolved_by"]) for incident in house.incidents()]


def test_an_agent_resolves_by_command(slack: Slack) -> None:
    slack.take("message")
    ticket = slack.only()["ticket_id"]
    assert slack.command(f"{ticket} refunded") == f"{ticket} is resolved."
    assert resolved_by(slack.house) == ["T1/UAGENT"]


def test_the_second_to_resolve_is_told_who_was_first(slack: Slack) -> None:
    slack.take("message")
    ticket = slack.only()["ticket_id"]
    slack.command(ticket)
    assert "T1/UAGENT" in slack.command(ticket)


def test_who_is_no_agent_resolves_nothing_and_is_told_so(slack: Slack) -> None:
    slack.take("message")
    says = slack.command(slack.only()["ticket_id"], user_id="U1")
    assert says == "resolve is for agents, and you are not one of them."
    assert slack.only()["status"] == "open"


def test_an_agents_id_in_another_workspace_is_no_agents(slack: Slack) -> None:
    slack.take("message")
    assert "for agents" in slack.command(slack.only()["ticket_id"], team_id="T2")
    assert slack.only()["status"] == "open"


def test_an_unknown_number_is_told_exactly_and_pings_nobody(slack: Slack) -> None:
    assert "'&lt;!channel&gt;'" in slack.command("&lt;!channel&gt;")


def test_what_is_told_to_one_person_pings_nobody(slack: Slack) -> None:
    slack.take("message")
    line = f"<@UBOT> assign {slack.only()['ticket_id']} &lt;!here&gt;"
    slack.take("app_mention", user="UAGENT", text=line, ts=LATER)
    assert slack.told() == [f"{slack.only()['ticket_id']} is assigned to &lt;!here&gt;."]


def test_a_command_without_a_ticket_says_how_it_is_written(slack: Slack) -> None:
    assert slack.command("") == "Which ticket? resolve TKT-x [note]"


@pytest.mark.parametrize("text", ["", "help"])
def test_the_general_command_lists_what_there_is(slack: Slack, text: str) -> None:
    says = slack.command(text, command="/ticket")
    assert "status [TKT-x]" in says
    assert "resolve TKT-x" in says


def test_a_customer_is_shown_the_commands_of_customers(slack: Slack) -> None:
    says = slack.command("help", command="/ticket", user_id="U1")
    assert "status [TKT-x]" in says
    assert "resolve TKT-x" not in says


def test_a_customer_lists_their_own_tickets(slack: Slack) -> None:
    slack.take("message")
    assert slack.only()["ticket_id"] in slack.command("list", command="/ticket", user_id="U1")
    assert slack.command("list", command="/ticket", user_id="U2") == "There are none."


def test_an_unknown_command_is_told_so(slack: Slack) -> None:
    assert "There is no command" in slack.command("explode", command="/ticket")


def test_another_problem_by_command_is_answered_in_the_direct_message(slack: Slack) -> None:
    assert "direct message" in slack.command("my refund is late", command="/new", user_id="U1")
    slack.house.work()
    assert slack.only()["message"] == "my refund is late"
    assert [to for to, _ in slack.house.chat.sent] == [Address("slack", "T1/D1")]


def test_a_report_is_taken_also_while_slack_does_not_say_which_chat_is_theirs(slack: Slack) -> None:
    slack.api.refuse("conversations.open", "internal_error")
    slack.command("my refund is late", command="/new", user_id="U1")
    slack.house.work()
    assert [to for to, _ in slack.house.chat.sent] == [Address("slack", "T1/U1")]


def test_another_problem_without_a_word_opens_the_form(slack: Slack) -> None:
    assert slack.command("", command="/new") == ""
    (opened,) = slack.api.called("views.open")
    assert view_of(opened)["callback_id"] == "report_incident"


def view_of(opened: dict[str, Any]) -> dict[str, Any]:
    view = opened["view"]
    found: dict[str, Any] = json.loads(view) if isinstance(view, str) else view
    return found


def test_an_agent_resolves_by_calling_the_bot_with_a_number(slack: Slack) -> None:
    slack.take("message")
    ticket = slack.only()["ticket_id"]
    for name in ("message", "app_mention"):
        slack.take(name, user="UAGENT", text=f"<@UBOT> resolve {ticket} refunded", channel="C5", ts=LATER)
    assert resolved_by(slack.house) == ["T1/UAGENT"]
    assert slack.told() == [f"{ticket} is resolved."]
    assert slack.stored() == 1


def test_a_command_in_the_thread_needs_no_number(slack: Slack) -> None:
    slack.take("message")
    thread = {"thread_ts": "1795348800.000100", "ts": LATER, "user": "UAGENT"}
    for name in ("app_mention", "message"):
        slack.take(name, text="<@UBOT> resolve refunded by hand", **thread)
    assert resolved_by(slack.house) == ["T1/UAGENT"]
    assert slack.stored() == 1


def test_a_command_that_slack_sends_again_is_run_once(slack: Slack) -> None:
    slack.take("message")
    ticket = slack.only()["ticket_id"]
    for _ in range(2):
        slack.take("app_mention", user="UAGENT", text=f"<@UBOT> resolve {ticket}", ts=LATER)
    assert slack.told() == [f"{ticket} is resolved."]


def test_a_command_that_is_worded_anew_is_no_customers_problem(slack: Slack) -> None:
    slack.take("app_mention", text="<@UBOT> resolve TKT-0")
    body = payload("message_changed")
    body["event"]["previous_message"]["text"] = "<@UBOT> resolve TKT-0"
    body["event"]["message"]["text"] = "<@UBOT> resolve TKT-1"
    assert slack.event(body).status_code == 200
    assert slack.stored() == 0


def test_a_command_in_the_thread_is_about_what_the_thread_is_about_now(slack: Slack) -> None:
    slack.take("message")
    slack.command(slack.only()["ticket_id"])
    slack.house.work()
    slack.house.later(days=20)
    slack.take("message_reply", text="My account is locked")
    first, second = slack.house.incidents()
    assert first["status"] == "resolved"
    thread = {"thread_ts": "1795348800.000100", "ts": "1797076900.000100", "user": "UAGENT"}
    slack.take("app_mention", text="<@UBOT> resolve", **thread)
    assert slack.told() == [f"{second['ticket_id']} is resolved."]


def test_a_customer_in_a_direct_message_asks_how_it_stands(slack: Slack) -> None:
    slack.take("message_im")
    ticket = slack.only()["ticket_id"]
    slack.take("message_im", ts=LATER, text=f"status {ticket}")
    assert slack.told()[0].startswith(f"{ticket}  open")
    assert slack.stored() == 1


def test_a_customer_who_begins_with_the_word_of_a_command_is_a_customer(slack: Slack) -> None:
    slack.take("app_mention", text="<@UBOT> resolve my double charge please")
    assert slack.only()["message"] == "resolve my double charge please"


@pytest.mark.parametrize(
    ("text", "ticket", "agent", "line"),
    [
        ("resolve TKT-1", None, False, "resolve TKT-1"),
        ("/Resolve tkt-1 done", None, True, "resolve tkt-1 done"),
        ("resolve", "TKT-7", True, "resolve TKT-7"),
        ("resolve", "TKT-7", False, "resolve TKT-7"),
        ("resolve", None, True, None),
        ("note called her", "TKT-7", True, "note TKT-7 called her"),
        ("note called her", "TKT-7", False, None),
        ("reply  two  words", "TKT-7", True, "reply TKT-7 two  words"),
        ("list", None, False, "list"),
        ("list mine", None, True, "list mine"),
        ("list of what was charged twice", None, False, None),
        ("help", None, False, "help"),
        ("help me", None, True, None),
        ("", "TKT-7", True, None),
        ("/", "TKT-7", True, None),
        ("my card was charged twice", "TKT-7", True, None),
    ],
)
def test_a_text_is_a_command_only_if_it_can_be_nothing_else(
    text: str, ticket: str | None, agent: bool, line: str | None
) -> None:
    assert command_in(text, lambda: ticket, lambda: agent) == line


# --- agents in threads


def test_what_an_agent_writes_into_a_customers_thread_is_a_note_and_reopens_nothing(slack: Slack) -> None:
    slack.take("message")
    slack.command(slack.only()["ticket_id"])
    slack.take("message_reply", user="UAGENT", text="I have sent the money back")
    assert slack.only()["status"] == "resolved"
    assert slack.house.said(slack.only()["id"], "note") == ["I have sent the money back"]
    assert slack.stored() == 1


def test_an_agents_note_that_names_the_bot_comes_twice_and_is_one_note(slack: Slack) -> None:
    slack.take("message")
    thread = {"thread_ts": "1795348800.000100", "ts": LATER, "user": "UAGENT"}
    slack.take("app_mention", text="<@UBOT> I have sent it", **thread)
    assert slack.house.said(slack.only()["id"], "note") == []  # both may come at the same moment: one of them counts
    slack.take("message", text="<@UBOT> I have sent it", **thread)
    assert slack.house.said(slack.only()["id"], "note") == ["I have sent it"]


def test_an_agents_edit_in_a_customers_thread_opens_nothing(slack: Slack) -> None:
    slack.take("message")
    slack.take("message_reply", user="UAGENT", text="I have sent it")
    body = payload("message_changed")
    for message in (body["event"]["message"], body["event"]["previous_message"]):
        message |= {"user": "UAGENT", "ts": "1795348860.000200", "thread_ts": "1795348800.000100"}
    assert slack.event(body).status_code == 200
    slack.house.work()
    assert slack.house.said(slack.only()["id"]) == ["My card was charged twice"]


def test_an_agent_who_reports_a_problem_is_a_customer(slack: Slack) -> None:
    slack.take("message", user="UAGENT")
    slack.take("message_reply", user="UAGENT")
    assert slack.house.said(slack.only()["id"]) == ["My card was charged twice", "It was on Monday"]


def card_of(slack: Slack) -> str:
    """Have the incident's card stand in the agents' channel; return its ticket."""
    slack.take("message")
    incident = slack.only()
    State().put("slack/card-of/T1/C9/1795348802.000500", incident["id"])
    return str(incident["ticket_id"])


UNDER_THE_CARD = {"channel": "C9", "thread_ts": "1795348802.000500", "ts": LATER}


def test_what_an_agent_writes_under_a_card_is_a_note(slack: Slack) -> None:
    card_of(slack)
    for _ in range(2):
        slack.take("message_reply", user="UAGENT", text="I call her", **UNDER_THE_CARD)
    assert slack.house.said(slack.only()["id"], "note") == ["I call her"]
    assert slack.stored() == 1


def test_a_command_under_a_card_is_about_its_incident(slack: Slack) -> None:
    ticket = card_of(slack)
    for name in ("message_reply", "app_mention"):
        slack.take(name, user="UAGENT", text="<@UBOT> reply The money is back", **UNDER_THE_CARD)
    assert slack.house.said(slack.only()["id"], "agent") == ["The money is back"]
    assert slack.house.said(slack.only()["id"], "note") == []
    assert ticket in slack.told()[0]


def test_who_is_no_agent_notes_nothing_and_is_told_so(slack: Slack) -> None:
    card_of(slack)
    slack.take("message_reply", user="U5", text="I call her", **UNDER_THE_CARD)
    assert slack.house.said(slack.only()["id"], "note") == []
    assert slack.told() == ["note is for agents, and you are not one of them."]


def test_what_agents_write_among_themselves_is_no_customers_problem(slack: Slack) -> None:
    slack.take("message", channel="C9")
    slack.take("message_reply", channel="C9")
    slack.take("app_mention", channel="C9")
    assert slack.stored() == 0


# --- buttons


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


def test_a_customer_says_by_button_that_it_is_solved(slack: Slack) -> None:
    slack.take("message")
    press(slack, "button_of_a_customer", INCIDENT=slack.only()["id"])
    assert slack.only()["status"] == "resolved"
    assert resolved_by(slack.house) == ["T1/U1"]


def test_a_customer_says_by_button_that_it_is_not_solved(slack: Slack) -> None:
    slack.take("message")
    press(slack, "button_of_a_customer", "not_solved", INCIDENT=slack.only()["id"])
    assert slack.only()["status"] == "open"
    assert "not_solved" in slack.house.events(slack.only()["id"])
    assert slack.told() == ["It stays open, and the agents know."]


def test_a_customer_rates_by_button(slack: Slack) -> None:
    slack.take("message")
    slack.command(slack.only()["ticket_id"])
    press(slack, "button_of_a_customer", "rate-5", INCIDENT=slack.only()["id"])
    assert "rated" in slack.house.events(slack.only()["id"])


def test_somebody_elses_button_is_not_pressed(slack: Slack) -> None:
    slack.take("message")
    press(slack, "button_of_a_customer", user="U5", INCIDENT=slack.only()["id"])
    assert slack.only()["status"] == "open"
    assert slack.told() == ["Only the person who reported this, or an agent, can answer it."]


def test_a_button_that_is_pressed_twice_solves_once_and_says_that_it_is_settled(slack: Slack) -> None:
    slack.take("message")
    for _ in range(2):
        press(slack, "button_of_a_customer", INCIDENT=slack.only()["id"])
    assert slack.house.events(slack.only()["id"]).count("resolved") == 1
    (says,) = slack.told()
    assert "settled" in says


def test_a_button_from_before_the_incident_was_reopened_is_too_late(slack: Slack) -> None:
    slack.take("message")
    ticket = slack.only()["ticket_id"]
    slack.command(ticket)
    slack.house.later(hours=30)
    slack.command(f"reopen {ticket}", command="/ticket")
    press(slack, "button_of_a_customer", **{"INCIDENT": slack.only()["id"], "1795435300.000500": "1795700000.000500"})
    assert slack.only()["status"] == "open"
    assert slack.told() == [f"This question is settled: {ticket} is open now."]


def test_a_button_of_another_turn_is_too_late(slack: Slack) -> None:
    slack.take("message")
    press(slack, "button_of_a_customer", **{"INCIDENT:": f"{slack.only()['id']}:2"})
    assert slack.only()["status"] == "open"


def test_a_button_that_leads_nowhere_says_so(slack: Slack) -> None:
    press(slack, "button_of_a_customer")
    assert slack.told() == ["This button leads nowhere any more. Write here instead."]
    assert slack.stored() == 0


def test_a_button_in_a_direct_message_leads_to_its_incident(slack: Slack) -> None:
    slack.take("message_im")
    body = payload("button_of_a_customer", INCIDENT=slack.only()["id"])
    body["container"] = {"type": "message", "message_ts": "1795435200.000500", "channel_id": "D1"}
    del body["message"]["thread_ts"]
    slack.act(body)
    slack.house.work()
    assert slack.only()["status"] == "resolved"


def test_an_agent_takes_an_incident_by_its_card(slack: Slack) -> None:
    press(slack, "button_of_a_card", TICKET=card_of(slack))
    assert slack.only()["assignee"] == "T1/UAGENT"


def test_an_agent_resolves_and_reopens_by_the_card(slack: Slack) -> None:
    ticket = card_of(slack)
    press(slack, "button_of_a_card", "resolve", TICKET=ticket)
    assert slack.only()["status"] == "resolved"
    press(slack, "button_of_a_card", "reopen", TICKET=ticket)
    assert slack.only()["status"] == "open"


def test_an_agent_says_by_the_menu_what_it_is_about(slack: Slack) -> None:
    press(slack, "menu_of_a_card", TICKET=card_of(slack))
    assert slack.only()["classification"] == Category.REFUND_REQUEST


@pytest.mark.parametrize("action", ["assign", "resolve", "reopen", "reply"])
def test_a_card_is_for_agents(slack: Slack, action: str) -> None:
    press(slack, "button_of_a_card", action, "U5", TICKET=card_of(slack))
    assert (slack.only()["status"], slack.only()["assignee"]) == ("open", None)
    assert slack.told() == [f"{action} is for agents, and you are not one of them."]
    assert slack.api.called("views.open") == []


def test_a_button_that_nobody_knows_is_acknowledged(slack: Slack) -> None:
    press(slack, "button_of_a_card", "a_link")
    assert slack.told() == []


def test_what_slack_does_not_tell_a_person_is_no_failure(slack: Slack) -> None:
    slack.api.refuse("chat.postEphemeral", "user_not_in_channel")
    press(slack, "button_of_a_customer")


# --- forms and shortcuts


def test_an_agent_writes_to_the_customer_by_the_form(slack: Slack) -> None:
    ticket = card_of(slack)
    press(slack, "button_of_a_card", "reply", TICKET=ticket)
    (opened,) = slack.api.called("views.open")
    assert json.loads(view_of(opened)["private_metadata"]) == {"ticket": ticket}
    for _ in range(2):
        assert slack.act(payload("form_of_a_reply", TICKET=ticket)).text == ""
    slack.house.work()
    assert [notice.lead for _, notice in slack.house.chat.sent if notice.kind == "reply"] == [
        "Your money is on its way."
    ]
    assert slack.house.said(slack.only()["id"], "agent") == ["Your money is on its way."]


def test_what_is_wrong_with_a_reply_is_told_in_the_form(slack: Slack) -> None:
    answer = slack.act(payload("form_of_a_reply", TICKET="TKT-0")).json()
    assert answer["response_action"] == "errors"
    assert "TKT-0" in answer["errors"]["text"]


def test_who_is_no_agent_sends_no_reply(slack: Slack) -> None:
    body = payload("form_of_a_reply", TICKET=card_of(slack))
    body["user"]["id"] = "U5"
    assert "for agents" in slack.act(body).json()["errors"]["text"]
    assert slack.house.said(slack.only()["id"], "agent") == []


def test_a_form_that_slack_does_not_open_is_told_of(slack: Slack) -> None:
    ticket = card_of(slack)
    slack.api.refuse("views.open", "expired_trigger_id")
    press(slack, "button_of_a_card", "reply", TICKET=ticket)
    assert slack.told() == ["Slack did not open the form. Try again."]


def test_a_problem_is_reported_by_the_form(slack: Slack) -> None:
    slack.act(payload("global_shortcut"))
    (opened,) = slack.api.called("views.open")
    assert view_of(opened)["callback_id"] == "report_incident"
    for _ in range(2):
        assert slack.act(payload("form_of_a_report")).text == ""
    slack.house.work()
    assert slack.only()["customer_id"] == "T1/U1"
    assert [to for to, _ in slack.house.chat.sent] == [Address("slack", "T1/D1")]
    assert len(slack.house.mails("acknowledgement")) == 1


@pytest.mark.parametrize(("field", "value"), [("text", "  "), ("email", "ana@example.com, bea@example.com")])
def test_what_is_wrong_with_a_report_is_told_at_its_field(slack: Slack, field: str, value: str) -> None:
    body = payload("form_of_a_report")
    body["view"]["state"]["values"][field][field]["value"] = value
    assert list(slack.act(body).json()["errors"]) == [field]
    assert slack.stored() == 0


def test_the_category_of_a_report_is_told_to_the_classifier(slack: Slack) -> None:
    body = payload("form_of_a_report")
    body["view"]["state"]["values"]["category"]["category"]["selected_option"] = {"value": "refund_request"}
    slack.act(body)
    slack.house.work()
    assert slack.only()["message"] == "Refund request: My card was charged twice"


def test_a_message_becomes_its_authors_ticket_by_the_shortcut(slack: Slack) -> None:
    for _ in range(2):
        assert slack.act(payload("message_shortcut")).status_code == 200
        slack.house.work()
    assert slack.only()["customer_id"] == "T1/U1"
    assert [to for to, _ in slack.house.chat.sent] == [Address("slack", "T1/C5/1795348800.000100")]
    assert slack.told() == [
        "It is taken down; the ticket number comes in its thread.",
        "This message is with us already.",
    ]


def test_a_message_between_two_people_is_answered_in_its_authors_chat_with_us(slack: Slack) -> None:
    body = payload("message_shortcut")
    body["channel"] = {"id": "D7", "name": "directmessage"}
    slack.act(body)
    slack.house.work()
    assert [to for to, _ in slack.house.chat.sent] == [Address("slack", "T1/D1")]


def test_a_bots_message_becomes_no_ticket(slack: Slack) -> None:
    body = payload("message_shortcut")
    body["message"]["bot_id"] = "B7"
    slack.act(body)
    assert slack.told() == ["Only what a person wrote can become a ticket."]
    assert slack.stored() == 0


def test_a_thread_is_resolved_by_the_shortcut(slack: Slack) -> None:
    slack.take("message")
    body = {**payload("message_shortcut"), "callback_id": "resolve_ticket", "channel": {"id": "C1"}}
    slack.act(body)
    assert slack.told() == [f"{slack.only()['ticket_id']} is resolved."]


def test_a_thread_that_nobody_knows_is_not_resolved(slack: Slack) -> None:
    slack.act({**payload("message_shortcut"), "callback_id": "resolve_ticket"})
    assert slack.told() == ["No ticket is known for this thread. Name it: /resolve TKT-x"]


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


# --- settings and manifest


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("slack_bot_token", "xapp-1"),
        ("slack_app_token", "xoxb-1"),
        ("slack_support_channels", "#support"),
        ("slack_agents_channel", "D1"),
        ("slack_agents", "clara@shop.example"),
        ("slack_api_url", "slack.com"),
        ("slack_timeout", "0s"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name.upper(), value)
    with pytest.raises(ConfigurationError, match=name.upper()) as refused:
        SlackSettings.read()
    assert "xapp-1" not in str(refused.value)


def test_lists_are_read_with_their_commas(api: SlackApi) -> None:
    read = settings(api, slack_support_channels="C1, G2,", slack_agents="S1,U1, T2/U2")
    assert read.support_channels == {"C1", "G2"}
    assert read.agents == {"S1", "U1", "T2/U2"}


def run_manifest(*arguments: str) -> Any:
    app = typer.Typer()
    app.command()(lambda: None)
    manifest.add_commands(app)
    return CliRunner().invoke(app, ["slack", "manifest", *arguments])


def test_the_manifest_leads_everything_to_one_address() -> None:
    printed = json.loads(run_manifest("--url", "https://support.shop.example/").output)
    where = "https://support.shop.example/slack/events"
    assert printed["settings"]["event_subscriptions"]["request_url"] == where
    assert printed["settings"]["interactivity"]["request_url"] == where
    assert {command["url"] for command in printed["features"]["slash_commands"]} == {where}
    assert printed["settings"]["socket_mode_enabled"] is False


def test_the_manifest_takes_the_public_address_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBLIC_URL", "https://support.shop.example")
    assert "https://support.shop.example/slack/events" in run_manifest().output


def test_the_manifest_of_socket_mode_has_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_APP_TOKEN", "xapp-1")
    printed = run_manifest().output
    assert json.loads(printed)["settings"]["socket_mode_enabled"] is True
    assert "url" not in printed
    assert run_manifest("--socket").output == printed


@pytest.mark.parametrize(("arguments", "says"), [([], "PUBLIC_URL"), (["--url", "http://shop.example"], "https")])
def test_a_manifest_without_a_usable_address_is_refused(arguments: list[str], says: str) -> None:
    refused = run_manifest(*arguments).exception
    assert isinstance(refused, ConfigurationError)
    assert says in str(refused)


def test_every_shortcut_and_command_of_the_manifest_is_one_that_is_answered(slack: Slack) -> None:
    for _, _, callback, _ in manifest.SHORTCUTS:
        assert slack.act({**payload("message_shortcut"), "callback_id": callback}).status_code == 200
    assert len(slack.told()) + len(slack.api.called("views.open")) == len(manifest.SHORTCUTS)
    for command, _, _ in manifest.COMMANDS:
        slack.command("help", command=command)


def test_an_agent_is_an_agent_to_the_core_and_anybody_else_a_customer(house: House, api: SlackApi) -> None:
    from adapters.slack.acts import Acts, Person, Threads, Web
    from adapters.slack.rights import Agents

    core = core_of(house)
    acts = Acts(core, Web(settings(api)), Agents(frozenset({"U1"}), lambda group: [], core.clock), Threads(core.state))
    assert acts.caller(Person("T1", "U1", "T1")) == Caller("T1/U1", Role.AGENT)
    assert acts.caller(Person("T1", "U2", "T1")) == Caller("T1/U2", Role.CUSTOMER, Address("slack", "T1/U2"))
