"""A house that is reached by SMS or WhatsApp: the channel over real HTTP, with the core behind it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
from starlette.applications import Starlette

from adapters.twilio.channel import TwilioChannel
from adapters.twilio.settings import TwilioSettings
from bot.model import Address
from bot.state import State
from storage.tables import InboxMessage
from tests.door import Door
from tests.fakes import TestClock
from tests.house import House
from tests.twilio_api import ACCOUNT, ANA, SHOP, SHOP_WHATSAPP, TOKEN, Message, TwilioApi

CHANNELS = ("sms", "whatsapp")


def configured(api: TwilioApi, **more: Any) -> TwilioSettings:
    values: dict[str, Any] = {
        "twilio_account_sid": ACCOUNT,
        "twilio_auth_token": TOKEN,
        "twilio_sms_from": SHOP,
        "twilio_whatsapp_from": SHOP_WHATSAPP,
        "twilio_api_url": api.url,
        **more,
    }
    return TwilioSettings(_env_file=None, **values)


class Phones:
    """Twilio, and the house behind it. `name` is the channel that the house is on."""

    def __init__(self, name: str, api: TwilioApi, house: House, url: str) -> None:
        self.name = name
        self.api = api
        self.house = house
        self.url = f"{url}/twilio/{name}"
        self.ana = Address(name, ANA)

    def bring(self, fields: dict[str, str]) -> requests.Response:
        return self.api.bring(self.url, fields)

    def say(self, text: str, who: str = ANA, **more: str) -> str:
        """Have a customer write, and all be done that comes of it; return what Twilio is told."""
        answer = self.bring(self.api.says(text, who, self.name, **more))
        assert answer.status_code == 200
        self.house.settle()
        return answer.text

    def became(self, message: Message, status: str, code: int = 0) -> None:
        """Have Twilio tell what became of a text, and all be done that comes of it."""
        answer = self.api.bring(message.callback, self.api.became(message, status, code))
        assert answer.status_code == 200
        self.house.settle()

    def texts(self) -> list[str]:
        return [one.body for one in self.api.sent]

    def stored(self) -> int:
        return len(self.house.all(InboxMessage))

    def only(self) -> dict[str, Any]:
        (incident,) = self.house.incidents()
        return incident


@contextmanager
def on_the_phone(
    name: Any, api: TwilioApi, clock: TestClock, door: Door, board: Address | None = None, **more: Any
) -> Iterator[Phones]:
    """While entered, a house is on SMS or WhatsApp."""
    api.clock = clock
    channel = TwilioChannel(name, configured(api, **more), State(), door.url, clock)
    house = House(clock, chat=channel, files=[channel], board=board)
    door.app = Starlette()
    try:
        with channel.listening(house.firstline.core, door.app):
            yield Phones(name, api, house, door.url)
    finally:
        channel.close()
        house.stop()
