"""News for the people who run Firstline: what they must see to, and what belongs to no incident."""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from bot import outbox, ports, wording
from bot.model import Address
from bot.ports import Clock, Dispatcher
from storage import database

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Operators(ports.Operators):
    """Tells all `agents`: the boards, and the mail address of AGENTS_EMAIL."""

    agents: Sequence[Address]
    clock: Clock
    dispatcher: Dispatcher

    def tell(self, key: str, subject: str, text: str) -> None:
        """Owe them a text, and return once that is committed. With the same `key` once only."""
        with database.transaction():
            lanes = outbox.tell_agents(self.agents, lambda to: wording.news(key, to, subject, text), self.clock())
        log.info("operators.told", news=subject)
        for lane in lanes:
            self.dispatcher.wake(lane)
