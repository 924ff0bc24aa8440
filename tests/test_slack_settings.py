"""The settings of Slack, and the manifest that is made of them."""

import json
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from adapters.slack import cli, manifest
from adapters.slack.settings import SlackSettings
from bot.errors import ConfigurationError
from tests.slack_api import SlackApi
from tests.slack_house import Slack, api, backend, house, impatient, payload, settings, slack

__all__ = ["api", "backend", "house", "impatient", "slack"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("slack_bot_token", "xapp-1"),
        ("slack_app_token", "xoxb-1"),
        ("slack_support_channels", "#support"),
        ("slack_agents_channel", "D1"),
        ("slack_support_channels", "C1/T1"),
        ("slack_agents_channel", "T1/D1"),
        ("slack_agents", "T1/C1"),
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
    cli.add_commands(app)
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
