"""E-mail in the contract of channels (tests/contract.py), brought over HTTP and by SMTP. Nothing proves who writes: it
is by what they answer that they may."""

import asyncio
import smtplib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import format_datetime
from html.parser import HTMLParser
from typing import Any, Self

import requests
from starlette.applications import Starlette

from bot.model import Address
from bot.ports import Core
from tests.contract import SECONDS, Ground, Posted, Written
from tests.fakes import TestClock
from tests.mail_house import ANA, BEA, KEY, SUPPORT, channel
from tests.mailbox import Mailbox, free_port

USERS = {"ana": ANA, "bea": BEA}
BUSY, NOBODY = "451 4.7.1 Too much mail", "550 5.1.1 There is nobody of that name"
TOKEN = "brings-mail-over-http"
OUR_TAGS = frozenset(["html", "head", "meta", "title", "body", "div", "table", "tr", "td", "bdi", "br", "blockquote"])
"""What a mail of ours is made of, when nothing in it is a link."""


class MailServer(Mailbox):
    """Takes every mail, but for the next one if it was told so: `plan` is how it takes that, and `arrives` whether it
    has it all the same. An address that it does not know it does not know the next time either."""

    def __init__(self) -> None:
        super().__init__()
        self.plan = ""
        self.arrives = False

    def next(self, plan: str, arrives: bool = False) -> None:
        self.plan, self.arrives = plan, arrives

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        if self.plan == NOBODY:
            return NOBODY
        if self.plan == BUSY:
            self.plan = ""
            return BUSY
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        plan, self.plan = self.plan, ""
        if not plan:
            return await super().handle_DATA(server, session, envelope)
        if self.arrives:
            await super().handle_DATA(server, session, envelope)
        if plan == "hang up":
            server.transport.abort()
        else:
            await asyncio.sleep(3600)  # until the other side has gone
        return "250 OK"


class EmailByHttp:
    """Whoever has the mail posts it to us. No address of ours takes +anything here: it is by Message-ID that an answer
    is known."""

    tells_of: frozenset[str] = frozenset()
    keeps_machines = True
    asks_for_patience = False
    repeats = 5
    secrets: Sequence[str] = (KEY, TOKEN)
    by_smtp = False

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.server = MailServer()
        self.port = free_port()
        brief = {"smtp_timeout": timedelta(seconds=SECONDS), "smtp_deadline": timedelta(seconds=SECONDS)}
        way = {"mail_listen": f"smtp://127.0.0.1:{self.port}"} if self.by_smtp else {"mail_token": TOKEN}
        given = {"mail_plus": None, **way, **(brief if ground.hasty else {})}
        self.channel = channel(self.server, TestClock(), **given)
        self.where = Address("email", ANA)
        self._number = 0

    def __enter__(self) -> Self:
        self.server.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self.channel.close()
        self.server.__exit__()

    @contextmanager
    def listening(self, core: Core) -> Iterator[None]:
        self.ground.door.app = app = Starlette()
        with self.channel.listening(core, app):
            yield

    def write(self, text: str, at: datetime, who: str = "ana", under: Written | None = None) -> Written:
        """An answer is one to our last mail, if there is one, as mail programs do it; else one to their own."""
        sender = USERS[who]
        mail = self._mail(text, at, sender)
        if under is not None:
            ours = [mail for to, mail in self._sent() if to == sender]
            theirs = message_from_bytes(under.content, policy=policy.default)
            before: Any = ours[-1] if ours else theirs
            mail.replace_header("To", str(before["Reply-To"] or SUPPORT))
            mail.replace_header("Subject", f"Re: {before['Subject']}")
            mail["In-Reply-To"] = before["Message-ID"]
            mail["References"] = " ".join(filter(None, (before["References"], before["Message-ID"])))
        return Written(bytes(mail), Address("email", sender))

    def edit(self, written: Written, text: str, at: datetime) -> Written:
        raise NotImplementedError("a mail that was sent stays as it is")

    def delete(self, written: Written, at: datetime) -> Written:
        raise NotImplementedError("a mail that was sent stays")

    def press(self, name: str, posted: Posted, incident_id: str, at: datetime) -> Written:
        raise NotImplementedError("the buttons of a mail are links, which lead to a page")

    def write_as_bot(self, text: str, at: datetime, ours: bool) -> Written:
        sender = SUPPORT if ours else "robot@example.com"
        mail = self._mail(text, at, sender)
        if not ours:
            mail["Auto-Submitted"] = "auto-generated"
        return Written(bytes(mail), Address("email", sender))

    def deliver(self, written: Written, patience: float = 15) -> bool:
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "message/rfc822"}
        url = f"{self.ground.door.url}/inbound/email"
        try:
            return requests.post(url, data=written.content, headers=headers, timeout=patience).status_code == 200
        except requests.ReadTimeout:
            return False

    def posted(self) -> list[Posted]:
        return [_posted(to, mail) for to, mail in self._sent()]

    def be_busy(self, seconds: int) -> None:
        self.server.next(BUSY)

    def refuse(self) -> None:
        self.server.next(NOBODY)

    def hang_up(self, arrives: bool) -> None:
        self.server.next("hang up", arrives)

    def fall_silent(self, arrives: bool) -> None:
        self.server.next("fall silent", arrives)

    def _sent(self) -> list[tuple[str, EmailMessage]]:
        """What arrived, but for what agents are told."""
        letters = self.server.letters()
        return [
            (to, message_from_bytes(raw, policy=policy.default))  # type: ignore[misc]
            for _, to, raw in letters
            if to in USERS.values()
        ]

    def _mail(self, text: str, at: datetime, sender: str) -> EmailMessage:
        self._number += 1
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = sender, SUPPORT, "A question"
        mail["Date"] = format_datetime(at)
        mail["Message-ID"] = f"<{self._number}.{sender}>"
        mail.set_content(text)
        return mail


class EmailBySmtp(EmailByHttp):
    """A mail server in front of us brings it. Here an answer goes to an address that names its incident."""

    by_smtp = True
    secrets = (KEY,)

    def deliver(self, written: Written, patience: float = 15) -> bool:
        mail = message_from_bytes(written.content, policy=policy.default)
        sender, to = (mail[name].addresses[0].addr_spec for name in ("From", "To"))
        try:
            with smtplib.SMTP("127.0.0.1", self.port, timeout=patience) as smtp:
                smtp.sendmail(sender, [to], written.content)
        except (smtplib.SMTPDataError, smtplib.SMTPServerDisconnected):  # the latter: not in time
            return False
        return True


class _Tags(HTMLParser):
    """What a page shows beside text: tags that are none of ours, and what leads anywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        leads = any(name in ("href", "src") or name.startswith("on") for name, _ in attrs)
        if tag not in OUR_TAGS or leads:
            self.found.append(self.get_starttag_text() or tag)


def _posted(to: str, mail: EmailMessage) -> Posted:
    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None
    assert html is not None
    tags = _Tags()
    tags.feed(html.get_content())
    return Posted(mail["Message-ID"], Address("email", to), _unflowed(plain.get_content()), tags.found)


def _unflowed(text: str) -> str:
    """The text of lines that go on in the next one where they end with a space (RFC 3676)."""
    lines = [line.removeprefix(" ") for line in text.splitlines()]
    return "".join(line if line.endswith(" ") else f"{line}\n" for line in lines)
