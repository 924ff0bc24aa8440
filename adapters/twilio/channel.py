"""The channels SMS and WhatsApp, both ways. Without an account and a number the texts are shown on the console, and
said to be simulated."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from typing import Final

import structlog

from adapters.twilio.api import TwilioApi
from adapters.twilio.files import TwilioFiles
from adapters.twilio.send import TwilioSender
from adapters.twilio.settings import Channel as Name
from adapters.twilio.settings import TwilioSettings
from bot.model import Address, Fetched, Notice, Sent, Switch
from bot.ports import Channel, Clock, Core, FileSource, Originals, Routes, State
from bot.settings import Settings

NAMES: Final[tuple[Name, ...]] = ("sms", "whatsapp")

log = structlog.get_logger()


class TwilioChannel(TwilioSender, Channel, FileSource):
    """SMS, or WhatsApp, in and out. `public_url`: where Twilio reaches us, if it does."""

    board = None

    def __init__(
        self,
        name: Name,
        settings: TwilioSettings,
        state: State,
        public_url: str | None,
        clock: Clock = lambda: datetime.now(UTC),
    ) -> None:
        from adapters.twilio.listen import TwilioListener

        api = TwilioApi(settings)
        super().__init__(name, settings, state, api, public_url, clock)
        self._listener = TwilioListener(name, settings, public_url, api)
        self._files = TwilioFiles(settings, api)
        self.file_deadline = self._files.deadline

    def listening(self, core: Core, web: Routes) -> AbstractContextManager[None]:
        return self._listener.listening(core, web)

    def fetch(self, ref: str, most: int) -> Fetched:
        return self._files.fetch(ref, most)


class ConsoleChannel(Channel):
    """Shows what would be sent, and hears nothing."""

    simulated = True
    deadline = 5.0
    board = None

    def __init__(self, name: str) -> None:
        self.name = name

    def send(self, to: Address, notice: Notice) -> Sent:
        log.info("text.shown", channel=to.channel, to=f"…{to.key[-2:]}", text=f"{notice.lead} {notice.closing}")
        return Sent(notice.key)

    def find(self, to: Address, notice: Notice) -> Sent | None:
        """What was shown before a crash may be shown again."""
        return None

    def close(self) -> None:
        pass

    @contextmanager
    def listening(self, core: Core, web: Routes) -> Iterator[None]:
        yield


def channels(state: State, originals: Originals) -> list[Channel]:
    """Read the settings and return both channels: real where they have a number, else simulated. Raises
    ConfigurationError for half an account."""
    settings, public_url = TwilioSettings.read(), Settings.read().public_url
    return [
        ConsoleChannel(name) if settings.number_of(name) is None else TwilioChannel(name, settings, state, public_url)
        for name in NAMES
    ]


def switches() -> list[Switch]:
    """Say of both whether they are on."""
    settings, public_url = TwilioSettings.read(), Settings.read().public_url
    return [_switch(name, settings.number_of(name), public_url) for name in NAMES]


def _switch(name: str, number: str | None, public_url: str | None) -> Switch:
    if number is None:
        return Switch(name, False, f"shown here, not sent; see TWILIO_{name.upper()}_FROM in docs/sms-whatsapp.md")
    here = f"/twilio/{name}" if public_url is not None else "out only: PUBLIC_URL is not set"
    return Switch(name, True, f"from {number}, {here}")
