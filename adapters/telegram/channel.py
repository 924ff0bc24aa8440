"""The channel Telegram, both ways."""

from contextlib import AbstractContextManager

from adapters.telegram.api import BotApi
from adapters.telegram.files import TelegramFiles
from adapters.telegram.send import TelegramSender
from adapters.telegram.settings import TelegramSettings
from bot.model import Address, Fetched, Switch
from bot.ports import Channel, Core, FileSource, Originals, Routes, State
from bot.settings import Settings


class TelegramChannel(TelegramSender, Channel, FileSource):
    """Telegram in and out. `public_url`: where others reach us, if they do."""

    def __init__(self, settings: TelegramSettings, state: State, public_url: str | None) -> None:
        from adapters.telegram.listen import TelegramListener

        api = BotApi(settings)
        super().__init__(settings, state, api)
        group = settings.telegram_agents_group
        self.board = None if group is None else Address(self.name, str(group))
        self._listener = TelegramListener(settings, public_url, api)
        self._files = TelegramFiles(settings, api.call)
        self.file_deadline = self._files.deadline

    def listening(self, core: Core, web: Routes) -> AbstractContextManager[None]:
        return self._listener.listening(core, web)

    def fetch(self, ref: str, most: int) -> Fetched:
        return self._files.fetch(ref, most)


def channels(state: State, originals: Originals) -> list[Channel]:
    """Read the settings and return the channel, if there is a token. Raises ConfigurationError."""
    settings = TelegramSettings.read()
    if settings.telegram_bot_token is None:
        return []
    return [TelegramChannel(settings, state, Settings.read().public_url)]


def switches() -> list[Switch]:
    """Say whether Telegram is on."""
    if TelegramSettings.read().telegram_bot_token is None:
        return [Switch("telegram", False, "TELEGRAM_BOT_TOKEN lets customers write on Telegram; see docs/telegram.md")]
    return [Switch("telegram", True, "by polling" if Settings.read().public_url is None else "at /telegram/events")]
