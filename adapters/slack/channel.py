"""The channel Slack, both ways."""

from collections.abc import Iterator
from contextlib import contextmanager

from adapters.slack.checks import Checks, looking
from adapters.slack.files import SlackFiles
from adapters.slack.installations import INSTALL, OneToken, Tokens, tokens
from adapters.slack.send import HOME, SlackSender
from adapters.slack.settings import SlackSettings
from bot.model import Address, Fetched, Switch
from bot.ports import Channel, Core, FileSource, Originals, Routes, State
from bot.settings import Settings


class SlackChannel(SlackSender, Channel, FileSource):
    """Slack in and out."""

    def __init__(
        self, settings: SlackSettings, state: State, public_url: str | None = None, tokens: Tokens | None = None
    ) -> None:
        from adapters.slack.listen import SlackListener

        tokens = tokens or OneToken.set_in(settings)
        super().__init__(settings, state, tokens)
        told_in = settings.slack_agents_channel
        self.board = None if told_in is None else Address(self.name, told_in if "/" in told_in else f"{HOME}/{told_in}")
        self._listener = SlackListener(settings, tokens)
        self._checks = Checks(settings, public_url, tokens)
        self._files = SlackFiles(settings, tokens.of)
        self.file_deadline = self._files.deadline

    @contextmanager
    def listening(self, core: Core, web: Routes) -> Iterator[None]:
        """While entered, accept what comes from Slack; what is wrong with the app is found out meanwhile."""
        with looking(self._checks.findings), self._listener.listening(core, web):
            yield

    def fetch(self, ref: str, most: int) -> Fetched:
        return self._files.fetch(ref, most)


def channels(state: State, originals: Originals) -> list[Channel]:
    """Read the settings and return the channel, if it is on. Raises ConfigurationError."""
    settings = SlackSettings.read()
    if not settings.is_on:
        return []
    core = Settings.read()
    return [SlackChannel(settings, state, core.public_url, tokens(settings, core, state))]


def switches() -> list[Switch]:
    """Say whether Slack is on."""
    settings = SlackSettings.read()
    if settings.slack_client_id is not None:
        return [Switch("slack", True, f"in each workspace that installs it at {Settings.read().public_url}{INSTALL}")]
    if settings.slack_bot_token is None:
        return [Switch("slack", False, "SLACK_BOT_TOKEN lets customers write in Slack; see docs/slack.md")]
    return [Switch("slack", True, "by a socket" if settings.slack_app_token else "at /slack/events")]
