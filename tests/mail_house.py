"""Firstline with mail both ways, for tests: mails go in as bytes, and what goes out is taken by a real SMTP server."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

from adapters.mail.channel import MailChannel
from adapters.mail.door import MailDoor
from adapters.mail.parsed import Envelope
from adapters.mail.settings import MailInSettings, MailSettings
from adapters.mail.ways import Taken
from bot.originals import Originals
from bot.sealing import Seal
from bot.state import State
from tests.fakes import NOON, TestClock
from tests.house import House
from tests.mailbox import Mailbox

SUPPORT = "support@shop.example"
ANA, BEA, CLERK = "ana@example.com", "bea@example.com", "clerk@shop.example"
KEY = "signs the mails of the tests, and nothing else"
RECEIVER = "mx.shop.example"
"""The name of our own receiving server, whose word on senders counts."""


def channel(mailbox: Mailbox, clock: TestClock, **settings: Any) -> MailChannel:
    """The channel, whose mails go to this server. `settings` are those of mail, in and out."""
    given: dict[str, Any] = {
        "smtp_host": "127.0.0.1",
        "smtp_port": mailbox.port,
        "smtp_tls": "none",
        "mail_from": f"Shop <{SUPPORT}>",
        "mail_key": KEY,
        "mail_plus": True,
        "mail_agents": CLERK,
        "mail_authserv_id": RECEIVER,
        **settings,
    }
    out: Any = {name: value for name, value in given.items() if name in MailSettings.model_fields}
    into: Any = {name: value for name, value in given.items() if name in MailInSettings.model_fields}
    return MailChannel(
        MailSettings(_env_file=None, **out),
        MailInSettings(_env_file=None, **into),
        State(),
        Originals(Seal(), clock),
    )


@dataclass
class Post:
    """A house with mail. `sent` is what it has sent."""

    house: House
    door: MailDoor
    mailbox: Mailbox
    number: int = field(default=0)

    def take(self, mail: EmailMessage | bytes, **envelope: Any) -> Taken:
        """Have a mail come in, and all be done that comes of it."""
        raw = mail if isinstance(mail, bytes) else bytes(mail)
        taken = self.door.take(raw, Envelope(**envelope))
        self.house.settle()
        return taken

    def write(self, text: str, sender: str = ANA, at: datetime | None = None, **headers: str) -> EmailMessage:
        """Write a mail; `headers` with `_` for `-`. Nothing proves who wrote it."""
        self.number += 1
        mail = EmailMessage()
        given = {
            "From": sender,
            "To": SUPPORT,
            "Subject": "A question",
            "Date": format_datetime(at or NOON),
            "Message-ID": f"<{self.number}.{sender}>",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        for name, value in given.items():
            if value:
                mail[name] = value
        mail.set_content(text)
        return mail

    def answer(self, mail: EmailMessage, text: str, sender: str = ANA, **headers: str) -> EmailMessage:
        """Answer a mail of ours, as a mail program does."""
        references = " ".join(filter(None, (mail["References"], mail["Message-ID"])))
        threading = {"In-Reply-To": mail["Message-ID"], "References": references}
        to = str(mail["Reply-To"] or mail["From"])
        return self.write(text, sender, **{"To": to, "Subject": f"Re: {mail['Subject']}", **threading, **headers})

    @property
    def sent(self) -> list[EmailMessage]:
        return self.mailbox.mails()

    def sent_to(self, address: str) -> list[EmailMessage]:
        return [mail for mail in self.sent if address in mail["To"]]

    def incident(self) -> dict[str, Any]:
        (incident,) = self.house.incidents()
        return incident


def proven(mail: EmailMessage) -> EmailMessage:
    """Have our own receiver say that the sender is who it says."""
    domain = mail["From"].rpartition("@")[2].rstrip(">")
    told = EmailMessage()
    told["Authentication-Results"] = f"{RECEIVER}; dmarc=pass header.from={domain}"
    for name, value in mail.items():
        if name.lower() not in ("content-type", "content-transfer-encoding", "mime-version"):
            told[name] = value
    told.set_content(mail.get_content())
    return told


@contextmanager
def with_mail(clock: TestClock, **settings: Any) -> Iterator[Post]:
    """While entered, a house has mail."""
    core = {name: settings.pop(name) for name in ("data_key", "max_file", "max_files") if name in settings}
    board = settings.pop("board", None)
    with Mailbox() as mailbox:
        mail: Any = channel(mailbox, clock, **settings)
        house = House(clock, mail=mail, files=[mail], board=board, **core)
        try:
            yield Post(house, mail.door(house.firstline.core), mailbox)
        finally:
            house.stop()
            mail.close()
