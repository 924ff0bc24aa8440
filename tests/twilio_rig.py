"""SMS and WhatsApp in the contract of channels (tests/contract.py)."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Self

import requests
from starlette.applications import Starlette

from adapters.twilio import keys
from adapters.twilio.channel import TwilioChannel
from bot.model import Address
from bot.ports import Core
from bot.state import State
from tests.contract import SECONDS, Ground, Posted, Written
from tests.fakes import NOON, TestClock
from tests.twilio_api import ANA, BEA, SHOP, SHOP_WHATSAPP, TOKEN, TwilioApi
from tests.twilio_house import configured

PEOPLE = {"ana": ANA, "bea": BEA}


class Sms:
    """Twilio brings what people write, each from their own telephone."""

    tells_of: frozenset[str] = frozenset()
    keeps_machines = False
    asks_for_patience = True
    repeats = 0
    secrets: Sequence[str] = (TOKEN,)
    name: Any = "sms"

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.api = TwilioApi()
        self.api.clock = clock = TestClock()
        brief = {"twilio_timeout": timedelta(seconds=SECONDS), "twilio_deadline": timedelta(seconds=SECONDS)}
        settings = configured(self.api, **(brief if ground.hasty else {}))
        self.channel = TwilioChannel(self.name, settings, State(), ground.door.url, clock)
        self.where = Address(self.name, ANA)

    def __enter__(self) -> Self:
        self.api.__enter__()
        State().put(keys.heard(self.where), NOON.isoformat())
        return self

    def __exit__(self, *exc: object) -> None:
        self.channel.close()
        self.api.__exit__()

    @contextmanager
    def listening(self, core: Core) -> Iterator[None]:
        self.ground.door.app = app = Starlette()
        with self.channel.listening(core, app):
            yield

    def write(self, text: str, at: datetime, who: str = "ana", under: Written | None = None) -> Written:
        before = {} if under is None else {"OriginalRepliedMessageSid": self.posted()[-1].name}
        number = PEOPLE[who]
        more = before if self.name == "whatsapp" else {}
        return Written(self.api.says(text, number, self.name, **more), Address(self.name, number))

    def edit(self, written: Written, text: str, at: datetime) -> Written:
        raise NotImplementedError("Twilio tells nobody of edits")

    def delete(self, written: Written, at: datetime) -> Written:
        raise NotImplementedError("Twilio tells nobody of deletions")

    def press(self, name: str, posted: Posted, incident_id: str, at: datetime) -> Written:
        raise NotImplementedError("an SMS has no buttons")

    def write_as_bot(self, text: str, at: datetime, ours: bool) -> Written:
        return Written(self.api.says(text, SHOP if ours else "72645", self.name), self.where)

    def deliver(self, written: Written, patience: float = 15) -> bool:
        try:
            url = f"{self.ground.door.url}/twilio/{self.name}"
            return self.api.bring(url, written.content, patience).status_code == 200
        except requests.ReadTimeout:
            return False

    def posted(self) -> list[Posted]:
        """A text on a telephone has no marks: nobody can be mentioned, and no link has a name of its own."""
        return [
            Posted(one.sid, Address(self.name, one.to.removeprefix("whatsapp:")), one.body, ())
            for one in list(self.api.sent)
        ]

    def be_busy(self, seconds: int) -> None:
        self.api.refuse(429, 20429, Retry_After=str(seconds))

    def refuse(self) -> None:
        self.api.refuse(400, 21211)

    def hang_up(self, arrives: bool) -> None:
        self.api.drop(arrives)

    def fall_silent(self, arrives: bool) -> None:
        self.api.hang(arrives)


class WhatsApp(Sms):
    """The same, with the buttons of templates."""

    tells_of = frozenset({"buttons"})
    name = "whatsapp"

    def press(self, name: str, posted: Posted, incident_id: str, at: datetime) -> Written:
        who = posted.address.key
        more = {"ButtonPayload": name, "ButtonText": "Yes", "OriginalRepliedMessageSid": posted.name}
        return Written(self.api.says("Yes", who, self.name, **more), posted.address)

    def write_as_bot(self, text: str, at: datetime, ours: bool) -> Written:
        return Written(self.api.says(text, SHOP_WHATSAPP if ours else "72645", self.name), self.where)
