"""A house that is on Telegram: the channel over real HTTP, by webhook or by polling, with the core behind it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from starlette.applications import Starlette

from adapters.telegram import listen
from adapters.telegram.channel import TelegramChannel
from adapters.telegram.settings import TelegramSettings
from bot.state import State
from storage.tables import InboxMessage
from tests.door import Door
from tests.fakes import TestClock
from tests.house import House
from tests.telegram_api import BOARD, KIM, SECRET, TOKEN, Json, TelegramApi

MODES = ("webhook", "polling")


def configured(api: TelegramApi, **more: Any) -> TelegramSettings:
    values: dict[str, Any] = {
        "telegram_bot_token": TOKEN,
        "telegram_webhook_secret": SECRET,
        "telegram_agents": str(KIM),
        "telegram_agents_group": BOARD,
        "telegram_api_url": api.url,
        **more,
    }
    return TelegramSettings(_env_file=None, **values)


def wait_for(true: Callable[[], Any], seconds: float = 10) -> Any:
    """Wait until something is so, and return it."""
    until = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < until, "it did not become so"
        time.sleep(0.01)
    return found


class Telegram:
    """Telegram, and the house behind it."""

    def __init__(self, api: TelegramApi, house: House, mode: str) -> None:
        self.api = api
        self.house = house
        self.mode = mode

    def arrive(self) -> list[int]:
        """Have all updates that wait arrive, and be committed."""
        if self.mode == "webhook":
            return self.api.bring()
        wait_for(lambda: not self.api.waiting)
        return []

    def take(self) -> None:
        """Have all updates arrive, and all be done that comes of them."""
        arrived = self.arrive()
        assert set(arrived) <= {200}
        self.house.settle()

    def say(self, text: str = "", *args: Any, **more: Any) -> Json:
        """Have a person write something, and all be done that comes of it."""
        update = self.api.say(text, *args, **more)
        self.take()
        return update

    def press(self, label: str, *args: Any, **more: Any) -> str:
        """Have a person press a button, and return what they are told."""
        self.api.press(label, *args, **more)
        self.take()
        return self.api.told[-1]

    def stored(self) -> int:
        return len(self.house.all(InboxMessage))

    def only(self) -> dict[str, Any]:
        (incident,) = self.house.incidents()
        return incident


@contextmanager
def on_telegram(
    api: TelegramApi, clock: TestClock, door: Door, mode: str, board: bool = False, **more: Any
) -> Iterator[Telegram]:
    """While entered, a house is on Telegram. `board`: whether it shows every incident in the agents' group."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(listen, "SHORTEST_PAUSE", 0.02)
        state = State()
        channel = TelegramChannel(configured(api, **more), state, door.url if mode == "webhook" else None)
        if not board:
            channel.board = None
        house = House(clock, chat=channel, files=[channel])
        core = replace(house.firstline.core, state=state)
        door.app = Starlette()
        try:
            with channel.listening(core, door.app):
                wait_for(lambda: state.get(f"telegram/commands/{configured(api).bot_id}"))
                yield Telegram(api, house, mode)
        finally:
            channel.close()
            house.stop()
