"""One app in several workspaces: each installs it, has a token of its own, and can take it away again."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import structlog
import typer
from slack_bolt.error import BoltError
from slack_sdk.oauth.installation_store.models import Installation
from starlette.applications import Starlette
from typer.testing import CliRunner

from adapters.slack import cli, oauth
from adapters.slack.channel import SlackChannel, channels, switches
from adapters.slack.checks import Checks, Verdict
from adapters.slack.installations import Installations
from adapters.slack.manifest import SCOPES, manifest
from adapters.slack.oauth import States, Store
from adapters.slack.rights import Agents
from bot import telemetry
from bot.app import ForCommands
from bot.errors import ConfigurationError
from bot.model import Address
from bot.originals import Originals
from bot.sealing import Seal
from bot.state import State
from tests.fakes import TestClock
from tests.house import CLERK, House
from tests.slack_house import (
    SECRET,
    Door,
    Slack,
    Workspace,
    api,
    backend,
    core_of,
    event,
    impatient,
    locked,
    payload,
    settings,
)

__all__ = ["api", "backend", "impatient"]

URL = "https://support.shop.example"
CLIENT, CLIENT_SECRET = "1111.2222", "sesame-secret-of-the-client"
TOKENS = {"T1": "xoxb-1-sesame-of-the-first", "T2": "xoxb-2-sesame-of-the-second", "E1": "xoxb-3-sesame-of-all"}
AGAIN = "xoxb-4-sesame-of-the-re-install"
DATA_KEY = "d" * 32
AGENTS = "T1/UAGENT,T1/S1"


def told(where: str, token: str = "", **more: Any) -> dict[str, Any]:
    """What Slack tells for a code (docs.slack.dev, "oauth.v2.access")."""
    return {
        "ok": True,
        "access_token": token or TOKENS[where],
        "token_type": "bot",
        "scope": ",".join(SCOPES),
        "bot_user_id": "UBOT",
        "app_id": "A1",
        "team": {"id": where, "name": "Shop"},
        "enterprise": None,
        "is_enterprise_install": False,
        "authed_user": {"id": "UADMIN"},
        **more,
    }


class Many(Slack):
    """Slack, with several workspaces. `installations` is what is kept of them."""

    def __init__(self, url: str, api: Workspace, house: House, installations: Installations) -> None:
        super().__init__(url, api, house)
        self.site = url
        self.installations = installations

    def begin(self) -> str:
        """Follow the link; return the state with which Slack is to send the browser back."""
        answer = requests.get(f"{self.site}/slack/install", allow_redirects=False, timeout=10)
        assert answer.status_code == 302
        asked = parse_qs(urlsplit(answer.headers["Location"]).query)
        assert asked["redirect_uri"] == [f"{URL}/slack/oauth_redirect"]
        assert (asked["client_id"], asked["scope"]) == ([CLIENT], [",".join(SCOPES)])
        state = asked["state"][0]
        assert f"slack-app-oauth-state={state}" in answer.headers["Set-Cookie"]
        return state

    def come_back(self, state: str, code: str, cookie: str | None = None, **more: str) -> requests.Response:
        """Arrive from Slack, in the browser that has this cookie."""
        headers = {"Cookie": f"slack-app-oauth-state={state if cookie is None else cookie}"}
        query = {"state": state, "code": code, **more}
        return requests.get(f"{self.site}/slack/oauth_redirect", params=query, headers=headers, timeout=10)

    def install(self, where: str, token: str = "", **more: Any) -> None:
        self.api.codes["code"] = told(where, token, **more)
        self.api.tokens[token or TOKENS[where]] = where
        assert self.come_back(self.begin(), "code").status_code == 200

    def write(self, team: str, number: int = 1, **changes: Any) -> requests.Response:
        """Have somebody write in the workspace's support channel."""
        body = in_team(event("message", channel=f"C{team[1]}", ts=f"1795348800.00{number}100", **changes), team)
        self.api.conversations[f"C{team[1]}"].append(_message(body))
        answer = self.event(body)
        self.house.work()
        return answer

    def leave(self, team: str, name: str, later: int = 0, **more: Any) -> None:
        """Have somebody take the app away."""
        body = in_team({**payload("message"), "event": {"type": name, **more}}, team)
        body["event_time"] = int(self.house.clock().timestamp()) + later
        assert self.event(body).status_code == 200

    def tokens_used(self, channel: str) -> set[str]:
        return {call.token for call in self.api.calls if call.arguments.get("channel") == channel}

    def owed(self) -> list[tuple[str, str]]:
        return [(row["status"], row["error"] or "") for row in self.house.owed("acknowledgement")]


def in_team(body: dict[str, Any], team: str) -> dict[str, Any]:
    body |= {"team_id": team, "context_team_id": team}
    body["authorizations"][0]["team_id"] = team
    if "team" in body["event"]:
        body["event"]["team"] = team
    return body


def _message(body: dict[str, Any]) -> Any:
    from tests.slack_api import Message

    return Message(body["event"]["ts"], body["event"]["text"])


def configured(api: Workspace, **more: Any) -> Any:
    values = {
        "slack_bot_token": None,
        "slack_client_id": CLIENT,
        "slack_client_secret": CLIENT_SECRET,
        "slack_support_channels": "T1/C1,T2/C2",
        "slack_agents_channel": "T1/C9",
        "slack_agents": AGENTS,
        **more,
    }
    return settings(api, **values)


@pytest.fixture
def installations(db: str) -> Installations:
    return Installations(State(Seal((DATA_KEY,))), URL)


@pytest.fixture
def many(impatient: None, api: Workspace, clock: TestClock, door: Door, installations: Installations) -> Iterator[Many]:
    api.tokens = {}
    api.conversations["C2"] = []
    channel: Any = SlackChannel(configured(api), installations.state, URL, installations)
    house = House(clock, chat=channel, board=Address("slack", "T1/C9"))
    door.app = Starlette()
    with channel.listening(core_of(house), door.app):
        yield Many(door.url, api, house, installations)
    house.stop()


# --- installing


def test_two_workspaces_install_it_and_each_is_answered_with_its_own_token(many: Many) -> None:
    many.install("T1")
    many.install("T2")
    assert many.write("T1").status_code == many.write("T2", 2).status_code == 200
    customers = {incident["customer_id"] for incident in many.house.incidents()}
    assert customers == {"T1/U1", "T2/U1"}
    assert [len(many.api.posted(channel)) > 0 for channel in ("C1", "C2")] == [True, True]
    assert many.tokens_used("C1") == {TOKENS["T1"]}
    assert many.tokens_used("C2") == {TOKENS["T2"]}
    assert many.tokens_used("C9") == {TOKENS["T1"]}  # the agents' board is in one of them
    assert len(many.api.posted("C9")) >= 2


def test_what_is_only_told_to_one_person_goes_out_with_the_token_of_the_workspace(many: Many) -> None:
    many.install("T1")
    many.install("T2")
    body = in_team(event("app_mention", text="<@UBOT>", channel="C2"), "T2")
    assert many.event(body).status_code == 200
    command = {"command": "/new", "team_id": "T2", "user_id": "U7"}
    many.command("", **command)
    told = {call.method: call.token for call in many.api.calls if call.method in ("chat.postEphemeral", "views.open")}
    assert told == {"chat.postEphemeral": TOKENS["T2"], "views.open": TOKENS["T2"]}


@pytest.mark.parametrize("code", ["code", "another"])
def test_a_state_that_was_never_given_is_refused(many: Many, code: str) -> None:
    many.api.codes["code"] = told("T1")
    many.api.tokens[TOKENS["T1"]] = "T1"
    assert many.come_back("made-up", code).status_code == 401
    assert not many.api.called("oauth.v2.access")
    assert not many.installations.all()


def test_a_state_is_good_for_once(many: Many) -> None:
    many.api.tokens = {token: team for team, token in TOKENS.items()}
    state = many.begin()
    many.api.codes = {"first": told("T1"), "second": told("T2")}
    assert many.come_back(state, "first").status_code == 200
    assert many.come_back(state, "second").status_code == 401
    assert set(many.installations.all()) == {"T1"}


def test_a_state_is_good_for_ten_minutes(many: Many) -> None:
    many.api.codes["code"] = told("T1")
    many.api.tokens = {token: team for team, token in TOKENS.items()}
    early, late = many.begin(), many.begin()
    many.house.clock.forward(minutes=9)
    assert many.come_back(early, "code").status_code == 200
    many.house.clock.forward(minutes=2)
    many.api.codes["code"] = told("T2")
    assert many.come_back(late, "code").status_code == 401
    assert set(many.installations.all()) == {"T1"}


@pytest.mark.parametrize("cookie", ["", "of-somebody-else"])
def test_a_state_is_good_in_the_browser_that_began_with_it(many: Many, cookie: str) -> None:
    many.api.codes["code"] = told("T1")
    many.api.tokens[TOKENS["T1"]] = "T1"
    assert many.come_back(many.begin(), "code", cookie).status_code == 400
    assert not many.installations.all()


def test_who_denies_it_installs_nothing(many: Many) -> None:
    answer = many.come_back(many.begin(), "", error="access_denied<script>")
    assert "access_denied" in answer.text
    assert "<script>" not in answer.text
    assert not many.api.called("oauth.v2.access")
    assert not many.installations.all()


def test_a_code_that_slack_does_not_know_installs_nothing(many: Many) -> None:
    assert many.come_back(many.begin(), "made-up").status_code == 401
    assert not many.installations.all()


@pytest.mark.parametrize("how", ["drop", "hang"])
def test_who_arrives_while_slack_is_away_is_asked_to_begin_again(
    many: Many, how: str, api: Workspace, door: Door, installations: Installations
) -> None:
    state = many.begin()
    flow = oauth.flow(configured(api, slack_timeout="1s"), installations, many.house.clock)
    door.app = Starlette()
    oauth.add_routes(door.app, flow)
    many.api.codes["code"] = told("T1")
    getattr(many.api, how)("oauth.v2.access", acts=True)
    answer = many.come_back(state, "code")
    assert (answer.status_code, "Begin again" in answer.text) == (503, True)
    assert not many.installations.all()


def test_nobody_can_fill_the_database_by_beginning(
    many: Many, monkeypatch: pytest.MonkeyPatch, installations: Installations
) -> None:
    monkeypatch.setattr(oauth, "MOST", 2)
    many.begin()
    many.begin()
    assert requests.get(f"{many.site}/slack/install", allow_redirects=False, timeout=10).status_code == 503
    many.house.clock.forward(minutes=11)
    many.begin()
    assert len(installations.state.all("slack/oauth-state/")) == 1


def test_pages_of_an_installation_are_kept_by_no_cache(many: Many) -> None:
    answer = requests.get(f"{many.site}/slack/install", allow_redirects=False, timeout=10)
    assert answer.headers["Cache-Control"] == "no-store"


# --- leaving


@pytest.mark.parametrize(
    ("name", "more"), [("app_uninstalled", {}), ("tokens_revoked", {"tokens": {"oauth": [], "bot": ["UBOT"]}})]
)
def test_who_removes_it_is_written_to_no_more_until_it_is_installed_again(
    many: Many, name: str, more: dict[str, Any]
) -> None:
    many.install("T1")
    many.install("T2")
    many.write("T2")
    many.leave("T2", name, **more)
    assert set(many.installations.all()) == {"T1"}
    incident = next(one for one in many.house.incidents() if one["customer_id"] == "T2/U1")
    many.house.commands.resolve(incident["ticket_id"], CLERK)
    many.house.work()
    (owed,) = [row for row in many.house.owed("resolved") if row["channel"] == "slack"]
    assert owed["status"] == "failed"
    assert f"install the app again at {URL}/slack/install" in owed["error"]
    many.house.clock.forward(minutes=1)
    many.install("T2", AGAIN)
    many.write("T2", 3)
    assert many.api.calls[-1].token in (AGAIN, TOKENS["T1"])
    assert AGAIN in many.tokens_used("C2")


def test_a_token_that_slack_refuses_before_it_tells_of_the_removal_names_the_remedy(many: Many) -> None:
    many.install("T1")
    many.api.refuse("chat.postMessage", "token_revoked", times=2)
    many.write("T1")
    (row,) = [row for row in many.house.owed("acknowledgement") if row["channel"] == "slack"]
    assert row["status"] == "pending"
    assert f"(token_revoked): install the app again at {URL}/slack/install" in row["error"]


def test_a_text_waits_while_data_key_does_not_open_the_token(many: Many, monkeypatch: pytest.MonkeyPatch) -> None:
    many.install("T1")
    body = in_team(event("message"), "T1")
    assert many.event(body).status_code == 200
    monkeypatch.setattr(many.installations, "state", State(Seal(("e" * 32,))))
    many.house.work()
    (row,) = [row for row in many.house.owed("acknowledgement") if row["channel"] == "slack"]
    assert row["status"] == "pending"
    assert "DATA_KEY" in row["error"]


def test_a_persons_token_that_is_revoked_leaves_the_apps(many: Many) -> None:
    many.install("T1")
    many.leave("T1", "tokens_revoked", tokens={"oauth": ["UADMIN"], "bot": []})
    assert set(many.installations.all()) == {"T1"}
    assert many.installations.by("T1", "UADMIN") is None


def test_slack_may_tell_of_a_removal_when_it_is_installed_again_already(many: Many) -> None:
    many.install("T1")
    many.house.clock.forward(minutes=5)
    many.install("T1", AGAIN)
    many.leave("T1", "app_uninstalled", later=-60)
    assert many.installations.all()["T1"].get_secret_value() == AGAIN


def test_an_event_from_where_it_is_not_installed_is_acknowledged_and_nothing_is_kept_of_it(many: Many) -> None:
    many.install("T1")
    with structlog.testing.capture_logs() as log:
        assert many.write("T2").status_code == 200
        assert many.command("help", team_id="T2") == ""
    assert many.stored() == 0
    lines = [line for line in log if line["event"] == "slack.not_taken"]
    assert [line["team"] for line in lines] == ["T2", "T2"]
    assert "charged" not in str(log)


def test_an_event_that_comes_while_the_database_is_away_is_not_acknowledged(many: Many, tmp_path: Path) -> None:
    many.install("T1")
    with locked(tmp_path), structlog.testing.capture_logs():  # to write what the database says takes seconds
        assert many.event(in_team(event("message"), "T1")).status_code == 500


def test_an_event_that_cannot_be_read_by_data_key_is_not_acknowledged(
    many: Many, monkeypatch: pytest.MonkeyPatch
) -> None:
    many.install("T1")
    monkeypatch.setattr(many.installations, "state", State(Seal(("e" * 32,))))
    assert many.event(in_team(event("message"), "T1")).status_code == 500
    assert many.stored() == 0


# --- organisations


def test_an_organisation_installs_it_for_all_its_workspaces(many: Many) -> None:
    whole = {"team": None, "enterprise": {"id": "E1", "name": "Shops"}, "is_enterprise_install": True}
    many.install("E1", **whole)
    body = in_team(event("message"), "T1")
    body |= {"enterprise_id": "E1"}
    body["authorizations"][0] |= {"enterprise_id": "E1", "is_enterprise_install": True}
    many.api.conversations["C1"].append(_message(body))
    assert many.event(body).status_code == 200
    many.house.work()
    assert many.tokens_used("C1") == {TOKENS["E1"]}
    gone = {**body, "event": {"type": "app_uninstalled"}, "event_time": int(many.house.clock().timestamp())}
    assert many.event(gone).status_code == 200
    assert many.installations.of("T1") is None


def test_the_store_keeps_what_slacks_library_gives_it(installations: Installations, clock: TestClock) -> None:
    store = Store(installations, clock)
    of_team = Installation(
        team_id="T1", user_id="U1", bot_token=TOKENS["T1"], bot_id="B1", bot_user_id="UBOT", bot_scopes="commands"
    )
    of_all = Installation(enterprise_id="E1", user_id="U2", bot_token=TOKENS["E1"], is_enterprise_install=True)
    store.save(of_team)
    store.save(of_all)
    bot = store.find_bot(enterprise_id=None, team_id="T1")
    assert bot is not None
    assert (bot.bot_token, bot.bot_id, list(bot.bot_scopes)) == (TOKENS["T1"], "B1", ["commands"])
    assert bot.installed_at == clock.now.timestamp()
    found = store.find_installation(enterprise_id="E1", team_id="T9", is_enterprise_install=True)
    assert found is not None
    assert (found.user_id, found.bot_token) == ("U2", TOKENS["E1"])
    assert store.find_installation(enterprise_id=None, team_id="T1", user_id="U9") is None
    assert store.find_installation(enterprise_id=None, team_id="T1", user_id="U1") is not None
    store.delete_bot(enterprise_id=None, team_id="T1")
    assert store.find_bot(enterprise_id=None, team_id="T1") is None
    assert store.find_installation(enterprise_id=None, team_id="T1", user_id="U1") is not None
    store.delete_all(enterprise_id=None, team_id="T1")
    assert store.find_installation(enterprise_id=None, team_id="T1", user_id="U1") is None
    store.delete_all(enterprise_id="E1", team_id=None)
    assert not installations.state.all("slack/inst")


def test_what_has_no_workspace_or_no_token_is_not_kept(installations: Installations, clock: TestClock) -> None:
    for wrong in (Installation(user_id="U1", bot_token="xoxb-1"), Installation(user_id="U1", team_id="T1")):
        with pytest.raises(BoltError):
            Store(installations, clock).save(wrong)


def test_of_two_who_come_with_one_state_one_is_let_in(installations: Installations, clock: TestClock) -> None:
    states = States(installations.state, clock)
    issued = states.issue()
    assert [states.consume(issued) for _ in range(2)] == [True, False]


# --- secrets


def test_no_token_stands_in_the_database_or_in_a_log(
    many: Many, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    telemetry.set_up("DEBUG")
    with structlog.testing.capture_logs() as log:
        many.install("T1")
        state = many.begin()
        many.api.codes["sesame-code"] = told("T2")
        many.api.drop("oauth.v2.access", acts=True)
        many.come_back(state, "sesame-code")
        many.come_back(many.begin(), "sesame-unknown-code")
        many.write("T1")
        many.leave("T1", "app_uninstalled")
        many.write("T1", 2)
    assert any(line["event"] == "slack.installed" for line in log)
    written = capsys.readouterr()
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("incidents.db*"))
    assert b"slack/oauth-state" in kept
    for secret in (*TOKENS.values(), "sesame", state, SECRET, DATA_KEY):
        assert secret.encode() not in kept, secret
        assert secret not in str(log), secret
        assert secret not in written.out + written.err, secret


# --- who is an agent


def test_a_user_group_of_one_workspace_gives_nobody_in_another_rights(clock: TestClock) -> None:
    people = {"T1/S1": ["U1"], "T2/S2": ["U2"]}
    agents = Agents(frozenset(people), lambda group: people[group], clock)
    both = [agents.include("T1/U1", home) for home in ("T1", "T2")]
    assert both == [True, True]  # the same person, wherever they are
    for person, home in (("T2/U1", "T1"), ("T2/U1", "T2"), ("T1/U2", "T1"), ("T1/U2", "T2"), ("T3/U1", "T1")):
        assert not agents.include(person, home), (person, home)


def test_agents_of_one_workspace_resolve_what_customers_of_another_wrote(many: Many) -> None:
    many.install("T1")
    many.install("T2")
    many.write("T2")
    ticket = many.only()["ticket_id"]
    assert "agents" in many.command(ticket, team_id="T2", user_id="UAGENT")
    assert many.only()["status"] == "open"
    many.command(ticket, team_id="T1", user_id="UAGENT")
    many.house.work()
    assert (many.only()["status"], many.only()["resolved_by"]) == ("resolved", "T1/UAGENT")
    asked = {call.token for call in many.api.calls if call.method == "usergroups.users.list"}
    assert asked <= {TOKENS["T1"]}


def test_a_channel_of_the_same_id_in_another_workspace_is_not_the_one_that_is_meant(many: Many) -> None:
    many.install("T1")
    many.install("T2")
    assert many.event(in_team(event("message", channel="C1"), "T2")).status_code == 200
    many.house.work()
    assert many.stored() == 0


def test_a_button_is_of_the_workspace_in_which_its_message_stands(many: Many) -> None:
    many.install("T1")
    many.write("T1")
    incident = many.only()
    body = payload("button_of_a_customer", INCIDENT=incident["id"])
    body["team"]["id"] = body["user"]["team_id"] = "T5"  # a stranger's, in a shared channel
    body["message"]["team"] = "T1"
    assert many.act(body).status_code == 200
    (said,) = many.told()
    assert "Only the person who reported this" in said


# --- settings


GOOD = {
    "SLACK_CLIENT_ID": CLIENT,
    "SLACK_CLIENT_SECRET": CLIENT_SECRET,
    "SLACK_SIGNING_SECRET": SECRET,
    "SLACK_SUPPORT_CHANNELS": "T1/C1",
    "SLACK_AGENTS_CHANNEL": "T1/C9",
    "SLACK_AGENTS": AGENTS,
    "PUBLIC_URL": URL,
    "DATA_KEY": DATA_KEY,
}


def set_to(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    for name, value in {**GOOD, **values}.items():
        monkeypatch.setenv(name, value)


def test_with_all_that_it_needs_it_is_on(monkeypatch: pytest.MonkeyPatch, db: str) -> None:
    set_to(monkeypatch)
    (channel,) = channels(State(Seal((DATA_KEY,))), Originals(Seal(), TestClock()))
    assert channel.board == Address("slack", "T1/C9")
    (switch,) = switches()
    assert (switch.on, f"{URL}/slack/install" in switch.says) == (True, True)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("SLACK_CLIENT_SECRET", "", "SLACK_CLIENT_SECRET is not set"),
        ("SLACK_SIGNING_SECRET", "", "SLACK_SIGNING_SECRET is not set"),
        ("PUBLIC_URL", "", "PUBLIC_URL is not set"),
        ("PUBLIC_URL", "http://shop.example", "PUBLIC_URL is not set to an https address"),
        ("DATA_KEY", "", "DATA_KEY is not set"),
        ("SLACK_BOT_TOKEN", "xoxb-1", "Take SLACK_BOT_TOKEN out"),
        ("SLACK_APP_TOKEN", "xapp-1", "Take SLACK_APP_TOKEN out"),
        ("SLACK_SUPPORT_CHANNELS", "T1/C1,C7", "C7 does not"),
        ("SLACK_AGENTS_CHANNEL", "C9", "C9 does not"),
        ("SLACK_AGENTS", "T1/U1,S7", "S7 does not"),
    ],
)
def test_what_is_missing_or_does_not_go_together_is_said_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    set_to(monkeypatch, **{name: value})
    with pytest.raises(ConfigurationError, match=says):
        channels(State(), Originals(Seal(), TestClock()))


def test_the_manifest_for_several_workspaces_names_the_way_back_and_the_events_of_leaving() -> None:
    made = manifest(URL, in_many=True)
    assert made["oauth_config"]["redirect_urls"] == [f"{URL}/slack/oauth_redirect"]
    assert {"app_uninstalled", "tokens_revoked"} <= set(made["settings"]["event_subscriptions"]["bot_events"])
    assert made["settings"]["token_rotation_enabled"] is False
    one = manifest(URL)
    assert "redirect_urls" not in one["oauth_config"]
    assert "app_uninstalled" not in one["settings"]["event_subscriptions"]["bot_events"]


def test_the_command_prints_the_manifest_for_several_workspaces_if_there_is_a_client_id(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    set_to(monkeypatch)
    app = typer.Typer()
    cli.add_commands(app)
    assert f"{URL}/slack/oauth_redirect" in CliRunner().invoke(app, ["slack", "manifest"]).output


# --- checks


def test_what_an_organisation_lets_us_into_is_looked_at_with_its_token(
    many: Many, installations: Installations
) -> None:
    many.install("E1", team=None, enterprise={"id": "E1"}, is_enterprise_install=True)
    assert installations.admit("T1", "E1")
    many.api.calls.clear()
    list(Checks(configured(many.api), URL, installations).findings())
    assert many.tokens_used("C1") == many.tokens_used("C9") == {TOKENS["E1"]}
    assert not many.tokens_used("C2")


def test_each_workspace_is_looked_at_with_its_own_token(many: Many, installations: Installations) -> None:
    many.install("T1")
    many.install("T2")
    many.api.calls.clear()
    found = list(Checks(configured(many.api), URL, installations).findings())
    assert all(finding.verdict is Verdict.FINE for finding in found), found
    assert (many.tokens_used("C1"), many.tokens_used("C2")) == ({TOKENS["T1"]}, {TOKENS["T2"]})


def test_a_workspace_that_the_settings_name_and_that_lacks_it_is_named(
    many: Many, installations: Installations
) -> None:
    many.install("T1")
    found = list(Checks(configured(many.api), URL, installations).findings())
    (wrong,) = [finding for finding in found if finding.verdict is not Verdict.FINE]
    assert "not installed in T2" in wrong.what
    assert wrong.remedy == f"install the app again at {URL}/slack/install"


def test_the_command_that_checks_reads_the_installations(many: Many, monkeypatch: pytest.MonkeyPatch) -> None:
    many.install("T1")
    set_to(monkeypatch, SLACK_API_URL=many.api.url)
    app = typer.Typer()
    cli.add_commands(app)
    done = CliRunner().invoke(app, ["slack", "check"], obj=ForCommands())
    assert (done.exit_code, "✓ the installation in T1 is of @firstline" in done.output) == (0, True)
