"""SMS and WhatsApp. Without a provider's credentials the texts are shown on the console, not sent."""

import structlog

from bot.model import Address, Notice, Sent, Switch
from bot.ports import Sender

log = structlog.get_logger()


class ConsoleSender(Sender):
    """Shows what would be sent."""

    simulated = True
    deadline = 5.0

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


def senders() -> list[Sender]:
    return [ConsoleSender("sms"), ConsoleSender("whatsapp")]


def switches() -> list[Switch]:
    return [Switch(name, False, "shown here, not sent") for name in ("sms", "whatsapp")]
