"""The channel Slack, both ways."""

from collections.abc import Iterator
from contextlib import contextmanager

from adapters.slack.checks import Checks, looking
from adapters.slack.send import SlackSender
from adapters.slack.settings import SlackSettings
from bot.model import Address, Switch
from bot.ports import Channel, Core, Routes, State
from bot.settings import Settings


class SlackChannel(SlackSender, Channel):
    """Slack in and out."""

    def __init__(self, settings: SlackSettings, state: State, public_url: str | None = None) -> None:
        from adapters.slack.listen import SlackListener

        super().__init__(settings, state)
        told_in = settings.slack_agents_channel
        self.board = None if told_in is None else Address(self.name, f"T/{told_in}")  # whichever workspace it is
        self._listener = SlackListener(settings)
        self._checks = Checks(settings, public_url)

    @contextmanager
    def listening(self, core: Core, web: Routes) -> Iterator[None]:
        """While entered, accept what comes from Slack; what is wrong with the app is found out meanwhile."""
        with looking(self._checks.findings), self._listener.listening(core, web):
            yield


def channels(state: State) -> list[Channel]:
    """Read the settings and return the channel, if there is a token. Raises ConfigurationError."""
    settings = SlackSettings.read()
    if settings.slack_bot_token is None:
        return []
    return [SlackChannel(settings, state, Settings.read().public_url)]


def switches() -> list[Switch]:
    """Say whether Slack is on."""
    settings = SlackSettings.read()
    if settings.slack_bot_token is None:
        return [Switch("slack", False, "SLACK_BOT_TOKEN lets customers write in Slack; see docs/slack.md")]
    return [Switch("slack", True, "by a socket" if settings.slack_app_token else "at /slack/events")]
