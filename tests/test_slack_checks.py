"""What is wrong with an app in Slack is found out, and said with its remedy."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
import typer
from click.testing import Result
from typer.testing import CliRunner

from adapters.slack import cli
from adapters.slack.channel import SlackChannel
from adapters.slack.checks import TOKEN as TOKEN_REMEDIES
from adapters.slack.checks import WITHOUT, Checks, Finding, Verdict, looking
from adapters.slack.manifest import SCOPES
from adapters.slack.settings import SlackSettings
from bot.state import State
from tests.mailbox import free_port
from tests.slack_api import TOKEN, SlackApi
from tests.slack_house import APP_TOKEN, SECRET, Workspace, api, backend, house, impatient, settings, slack

__all__ = ["api", "backend", "house", "impatient", "slack"]

URL = "https://support.shop.example"


def look(settings: SlackSettings, public_url: str | None = URL) -> list[Finding]:
    return list(Checks(settings, public_url).findings())


def amiss(found: list[Finding]) -> list[Finding]:
    return [finding for finding in found if finding.verdict is not Verdict.FINE]


def only(found: list[Finding]) -> Finding:
    (finding,) = amiss(found)
    return finding


def test_of_an_app_that_is_as_it_should_be_nothing_is_amiss(api: Workspace) -> None:
    found = look(settings(api))
    assert not amiss(found)
    assert {called.method for called in api.calls} == {"auth.test", "conversations.info", "usergroups.users.list"}
    assert any("@firstline in Shop (T1)" in finding.what for finding in found)


@pytest.mark.parametrize("error", sorted(TOKEN_REMEDIES))
def test_a_token_that_slack_refuses_is_named_with_its_remedy(api: Workspace, error: str) -> None:
    api.refuse("auth.test", error)
    finding = only(look(settings(api)))
    assert finding.verdict is Verdict.WRONG
    assert (error in finding.what, finding.remedy) == (True, TOKEN_REMEDIES[error])


def test_what_a_token_leads_to_is_not_looked_at_when_the_token_is_wrong(api: Workspace) -> None:
    api.refuse("auth.test", "invalid_auth")
    look(settings(api))
    assert [called.method for called in api.calls] == ["auth.test"]


def test_a_persons_token_is_found_out(api: Workspace) -> None:
    api.answer_with("auth.test", {"ok": True, "team_id": "T1", "user_id": "U1"})
    assert "no bot's" in only(look(settings(api))).what


def test_each_missing_scope_is_named_with_what_does_not_work_without_it(api: Workspace) -> None:
    api.scopes = tuple(scope for scope in SCOPES if scope not in ("reactions:write", "chat:write"))
    found = amiss(look(settings(api)))
    assert [finding.what for finding in found] == [
        "the scope chat:write is missing: nobody is answered",
        "the scope reactions:write is missing: only the 👀 and the ✅ at customers' messages are missed",
    ]
    assert all("OAuth & Permissions" in finding.remedy for finding in found)


def test_of_every_scope_it_is_known_what_it_is_for() -> None:
    assert set(WITHOUT) == set(SCOPES)


@pytest.mark.parametrize(("agents", "missed"), [("S1", True), ("U1,T2/U2", False)])
def test_the_scope_for_user_groups_is_missed_if_a_group_is_named(api: Workspace, agents: str, missed: bool) -> None:
    api.scopes = tuple(scope for scope in SCOPES if scope != "usergroups:read")
    found = amiss(look(settings(api, slack_agents=agents)))
    assert any("usergroups:read" in finding.what for finding in found) is missed


def test_scopes_that_slack_does_not_name_could_not_be_asked(api: Workspace) -> None:
    api.scopes = None
    assert only(look(settings(api))).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("told", "says", "remedy"),
    [
        ({"is_member": False}, "C1: the bot is not in it", "/invite @firstline"),
        ({"is_archived": True}, "C1 is archived", "unarchive it"),
    ],
)
def test_a_channel_that_is_of_no_use_is_named(api: Workspace, told: dict[str, Any], says: str, remedy: str) -> None:
    api.channels["C1"] = told
    finding = only(look(settings(api)))
    assert (says in finding.what, remedy in finding.remedy) == (True, True)


@pytest.mark.parametrize("setting", ["slack_support_channels", "slack_agents_channel"])
def test_a_channel_that_does_not_exist_is_named(api: Workspace, setting: str) -> None:
    finding = only(look(settings(api, **{setting: "C404"})))
    assert finding.what.startswith(f"{setting.upper()}: C404 does not exist")


@pytest.mark.parametrize("how", ["is_ext_shared", "is_pending_ext_shared"])
def test_the_agents_channel_may_not_be_shared_with_strangers(api: Workspace, how: str) -> None:
    api.channels = {"C1": {how: True}, "C9": {how: True}}
    finding = only(look(settings(api)))
    assert finding.verdict is Verdict.WRONG
    assert "C9 is shared with another organisation" in finding.what


def test_a_group_in_which_nobody_is_or_that_cannot_be_read_is_named(api: Workspace) -> None:
    api.answer_with("usergroups.users.list", {"ok": True, "users": []})
    api.refuse("usergroups.users.list", "no_such_subteam")
    api.refuse("usergroups.users.list", "missing_scope", needed="usergroups:read")
    empty, unknown, refused = amiss(look(settings(api, slack_agents="S1,S2,S3,U1")))
    assert "nobody is in the user group S1" in empty.what
    assert "S2" in unknown.what
    assert "ids (S…) of user groups that exist" in unknown.remedy
    assert "add the scope usergroups:read" in refused.remedy


def test_the_token_of_the_socket_must_open_one(api: Workspace) -> None:
    by_socket = settings(api, slack_app_token=APP_TOKEN)
    assert not amiss(look(by_socket, None))
    api.refuse("apps.connections.open", "missing_scope", needed="connections:write")
    assert "connections:write" in only(look(by_socket, None)).remedy


def test_what_is_perhaps_not_meant_is_hinted_at(api: Workspace) -> None:
    found = amiss(look(settings(api, slack_agents=""), None))
    assert [finding.verdict for finding in found] == [Verdict.HINT, Verdict.HINT]
    assert ["SLACK_AGENTS" in found[0].what, "PUBLIC_URL" in found[1].what] == [True, True]


def test_what_slack_is_too_busy_for_could_not_be_asked_and_the_rest_is(api: Workspace) -> None:
    api.rate_limit("conversations.info", 30)
    api.channels["C9"] = {"is_member": False}
    unknown, wrong = amiss(look(settings(api)))
    assert (unknown.verdict, unknown.what) == (Verdict.UNKNOWN, "C1 could not be asked: Slack said ratelimited")
    assert "C9" in wrong.what


@pytest.mark.parametrize("how", ["away", "silent", "gone", "failing", "another"])
def test_a_slack_that_cannot_be_asked_is_no_failure_of_the_settings(api: Workspace, how: str) -> None:
    if how == "silent":
        api.hang("auth.test", acts=False)
    elif how == "gone":
        api.drop("auth.test", acts=False)
    elif how != "away":
        api.answer_with("auth.test", b"<html>sesame</html>", 502 if how == "failing" else 200)
    where = {"slack_api_url": f"http://127.0.0.1:{free_port()}/api/"} if how == "away" else {}
    finding = only(look(settings(api, slack_timeout="0.2s", **where)))
    assert finding.verdict is Verdict.UNKNOWN
    assert "could not be asked" in finding.what
    assert "sesame" not in finding.what


def test_what_is_in_another_workspace_than_the_token_is_named(api: Workspace) -> None:
    finding = only(look(settings(api, slack_support_channels="T1/C1,T2/C1", slack_agents="T1/S1,T2/U1")))
    assert "T2/C1 is in another workspace than the token, which is of T1" in finding.what


# --- in the background


@pytest.fixture
def log() -> Iterator[list[Any]]:
    with structlog.testing.capture_logs() as log:
        yield log


def wait_for(log: list[Any], event: str) -> Any:
    """Wait until an event is logged."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        for line in list(log):
            if line["event"] == event:
                return line
        time.sleep(0.01)
    raise AssertionError(f"{event} is not among {log}")


def test_when_the_bot_starts_it_says_what_is_wrong_and_what_to_do(house: Any, api: Workspace, log: list[Any]) -> None:
    from starlette.applications import Starlette

    from tests.slack_house import core_of

    api.channels["C1"] = {"is_member": False}
    channel = SlackChannel(settings(api), State(), URL)
    with channel.listening(core_of(house), Starlette()):
        line = wait_for(log, "slack.check_failed")
    assert "C1: the bot is not in it" in line["what"]
    assert "/invite @firstline" in line["remedy"]
    assert not any(secret in str(log) for secret in (TOKEN, SECRET))


def test_nobody_waits_for_a_slack_that_does_not_answer(api: Workspace, log: list[Any]) -> None:
    api.hang("auth.test", acts=False)
    began = time.monotonic()
    with looking(Checks(settings(api, slack_timeout="30s"), URL).findings):
        pass
    assert time.monotonic() - began < 15
    assert not log


def test_that_slack_could_not_be_asked_at_the_start_is_no_warning(api: Workspace, log: list[Any]) -> None:
    api.rate_limit("auth.test", 30)
    with looking(Checks(settings(api), URL).findings):
        assert wait_for(log, "slack.not_checked")["log_level"] == "info"


# --- the command


def run_check(monkeypatch: pytest.MonkeyPatch, api: SlackApi, **values: str) -> Result:
    set_to = {
        "SLACK_BOT_TOKEN": TOKEN,
        "SLACK_SIGNING_SECRET": SECRET,
        "SLACK_AGENTS": "S1",
        "SLACK_SUPPORT_CHANNELS": "C1",
        "SLACK_API_URL": api.url,
        "PUBLIC_URL": URL,
        **values,
    }
    for name, value in set_to.items():
        monkeypatch.setenv(name, value)
    app = typer.Typer()
    cli.add_commands(app)
    return CliRunner().invoke(app, ["slack", "check"])


def test_the_command_lists_what_is_well(monkeypatch: pytest.MonkeyPatch, api: Workspace) -> None:
    done = run_check(monkeypatch, api)
    assert done.exit_code == 0
    assert all(line.startswith("✓ ") for line in done.output.splitlines())
    assert len(done.output.splitlines()) == 4


def test_the_command_fails_and_names_the_remedy_when_something_is_wrong(
    monkeypatch: pytest.MonkeyPatch, api: Workspace
) -> None:
    api.channels["C1"] = {"is_archived": True}
    done = run_check(monkeypatch, api)
    assert done.exit_code == 1
    assert "✗ SLACK_SUPPORT_CHANNELS: C1 is archived\n    unarchive it" in done.output
    assert not any(secret in done.output for secret in (TOKEN, SECRET))


def test_the_command_does_not_pass_what_it_could_not_ask(monkeypatch: pytest.MonkeyPatch, api: Workspace) -> None:
    api.rate_limit("conversations.info", 30)
    assert run_check(monkeypatch, api).exit_code == 1


def test_a_hint_is_no_failure(monkeypatch: pytest.MonkeyPatch, api: Workspace) -> None:
    done = run_check(monkeypatch, api, SLACK_AGENTS="")
    assert done.exit_code == 0
    assert "! SLACK_AGENTS is empty" in done.output


def test_the_command_says_that_slack_is_off(monkeypatch: pytest.MonkeyPatch, api: Workspace) -> None:
    assert "SLACK_BOT_TOKEN is not set" in str(run_check(monkeypatch, api, SLACK_BOT_TOKEN="").exception)
