"""Telegram in the contract of channels (tests/contract.py), told of things by webhook and by polling."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Self

import pytest
import requests
from starlette.applications import Starlette

from adapters.telegram import keys, listen
from adapters.telegram.channel import TelegramChannel
from bot.model import Address
from bot.ports import Core
from bot.state import State
from tests.contract import SECONDS, Ground, Posted, Written
from tests.telegram_api import ANA, BEN, BOT, SECRET, TOKEN, Said, TelegramApi
from tests.telegram_house import configured, wait_for

USERS = {"ana": ANA, "bea": BEN}


class TelegramByWebhook:
    """Telegram brings what people write to the bot, each in a private chat."""

    tells_of = frozenset({"edits", "buttons"})
    keeps_machines = False
    asks_for_patience = True
    repeats = 1
    secrets: Sequence[str] = (TOKEN, SECRET)
    by_webhook = True

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.api = TelegramApi()
        self.api.holds_back = True  # nothing is delivered before the test says so
        brief = {"telegram_timeout": timedelta(seconds=SECONDS), "telegram_deadline": timedelta(seconds=SECONDS)}
        settings = configured(self.api, telegram_agents_group=None, **(brief if ground.hasty else {}))
        self.channel = TelegramChannel(settings, State(), ground.door.url if self.by_webhook else None)
        self.where = Address("telegram", str(ANA))

    def __enter__(self) -> Self:
        self.api.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self.channel.close()
        self.api.__exit__()

    @contextmanager
    def listening(self, core: Core) -> Iterator[None]:
        self.ground.door.app = app = Starlette()
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(listen, "SHORTEST_PAUSE", 0.02)
            with self.channel.listening(core, app):
                wait_for(lambda: core.state.get(f"telegram/commands/{BOT}"))
                yield

    def write(self, text: str, at: datetime, who: str = "ana", under: Written | None = None) -> Written:
        chat = USERS[who]
        before = {} if under is None else {"reply_to_message": _message(under)}
        update = self.api.say(text, chat, date=int(at.timestamp()), **before)
        return _written(update, chat)

    def edit(self, written: Written, text: str, at: datetime) -> Written:
        update = self.api.edit(written.content, text, int(at.timestamp()))
        return _written(update, _message(written)["chat"]["id"])

    def delete(self, written: Written, at: datetime) -> Written:
        raise NotImplementedError("Telegram tells nobody of deletions")

    def press(self, name: str, posted: Posted, incident_id: str, at: datetime) -> Written:
        chat = int(posted.address.key)
        said = next(one for one in self.api.said if _name(one) == posted.name)
        said.buttons = [{"text": name, "callback_data": f"{name}:{incident_id}:"}]
        return _written(self.api.press(name, chat, said, int(at.timestamp())), chat)

    def write_as_bot(self, text: str, at: datetime, ours: bool) -> Written:
        who = {"id": BOT if ours else BOT + 1, "is_bot": True, "first_name": "A bot"}
        return _written(self.api.say(text, ANA, date=int(at.timestamp()), **{"from": who}), ANA)

    def deliver(self, written: Written, patience: float = 15) -> bool:
        try:
            headers = {"X-Telegram-Bot-Api-Secret-Token": SECRET}
            url = self.api.webhook["url"]
            return requests.post(url, json=written.content, headers=headers, timeout=patience).status_code == 200
        except requests.ReadTimeout:
            return False

    def posted(self) -> list[Posted]:
        return [
            Posted(_name(one), Address("telegram", str(one.chat)), one.text, one.marks) for one in list(self.api.said)
        ]

    def be_busy(self, seconds: int) -> None:
        self.api.refuse("sendMessage", 429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)

    def refuse(self) -> None:
        self.api.refuse("sendMessage", 403, "Forbidden: bot was blocked by the user")

    def hang_up(self, arrives: bool) -> None:
        self.api.drop("sendMessage", arrives)

    def fall_silent(self, arrives: bool) -> None:
        self.api.hang("sendMessage", arrives)


class TelegramByPolling(TelegramByWebhook):
    """We go and fetch."""

    by_webhook = False
    secrets = (TOKEN,)

    def deliver(self, written: Written, patience: float = 15) -> bool:
        self.api.again(written.content)
        until = time.monotonic() + patience
        while self.api.waiting and time.monotonic() < until:
            time.sleep(0.01)
        return not self.api.waiting


def _written(update: dict[str, Any], chat: int) -> Written:
    return Written(update, Address("telegram", str(chat)))


def _message(written: Written) -> dict[str, Any]:
    message: dict[str, Any] = next(part for name, part in written.content.items() if name != "update_id")
    return message


def _name(said: Said) -> str:
    return keys.message(BOT, said.chat, said.number)
