"""The channel Slack, both ways."""

from contextlib import AbstractContextManager

from adapters.slack.files import SlackFiles
from adapters.slack.send import SlackSender
from adapters.slack.settings import SlackSettings
from bot.model import Address, Fetched, Switch
from bot.ports import Channel, Core, FileSource, Routes, State


class SlackChannel(SlackSender, Channel, FileSource):
    """Slack in and out."""

    def __init__(self, settings: SlackSettings, state: State) -> None:
        from adapters.slack.listen import SlackListener

        super().__init__(settings, state)
        told_in = settings.slack_agents_channel
        self.board = None if told_in is None else Address(self.name, f"T/{told_in}")  # whichever workspace it is
        self._listener = SlackListener(settings)
        token = settings.slack_bot_token
        self._files = SlackFiles(settings, lambda team: token)
        self.file_deadline = self._files.deadline

    def listening(self, core: Core, web: Routes) -> AbstractContextManager[None]:
        return self._listener.listening(core, web)

    def fetch(self, ref: str, most: int) -> Fetched:
        return self._files.fetch(ref, most)


def channels(state: State) -> list[Channel]:
    """Read the settings and return the channel, if there is a token. Raises ConfigurationError."""
    settings = SlackSettings.read()
    return [] if settings.slack_bot_token is None else [SlackChannel(settings, state)]


def switches() -> list[Switch]:
    """Say whether Slack is on."""
    settings = SlackSettings.read()
    if settings.slack_bot_token is None:
        return [Switch("slack", False, "SLACK_BOT_TOKEN lets customers write in Slack; see docs/slack.md")]
    return [Switch("slack", True, "by a socket" if settings.slack_app_token else "at /slack/events")]
