"""The channel e-mail, both ways."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cached_property
from secrets import token_urlsafe
from typing import Literal

from adapters.mail.door import MailDoor
from adapters.mail.parse import content
from adapters.mail.sealed import Tokens
from adapters.mail.send import sender
from adapters.mail.settings import MailInSettings, MailSettings
from adapters.mail.translate import CHANNEL, Own, Reader, file_of
from bot.errors import NotFound, TooLarge, Undeliverable
from bot.model import Address, Fetched, Notice, Sent, Switch
from bot.ports import AtHand, Channel, Core, Originals, Routes, State, Threaded


class MailChannel(Channel, AtHand, Threaded):
    """Mail in and out. Mail goes out also where none comes in."""

    name = CHANNEL
    board: Address | None = None
    threads: Literal[True] = True
    at_hand: Literal[True] = True
    file_deadline = 30.0

    def __init__(self, out: MailSettings, into: MailInSettings, state: State, originals: Originals) -> None:
        self._settings = into
        self._state = state
        self._originals = originals
        self._verp = out.mail_return_path == "verp" or (out.mail_return_path == "auto" and into.plus)
        self._own = Own(into.own(out.mail_from), into.plus)
        self._sender = sender(out, lambda: self._tokens, into.plus)
        self.simulated = self._sender.simulated
        self.deadline = self._sender.deadline

    @cached_property
    def _tokens(self) -> Tokens:
        """Made on first use: it may ask the database for its key."""
        if self._settings.mail_key is not None:
            return Tokens(self._settings.mail_key.get_secret_value())
        return Tokens(self._state.keep("mail/key", token_urlsafe(48)))

    def send(self, to: Address, notice: Notice) -> Sent:
        return self._sender.send(to, notice)

    def find(self, to: Address, notice: Notice) -> Sent | None:
        return self._sender.find(to, notice)

    def close(self) -> None:
        self._sender.close()

    def fetch(self, ref: str, most: int) -> Fetched:
        """Take a file out of the mail that it came in. Raises TooLarge, Undeliverable."""
        number, name = file_of(ref)
        try:
            raw = self._originals.get(self.name, name)
        except NotFound as exc:
            raise Undeliverable(str(exc)) from None
        found = content(raw, number, most)
        if found is None:
            raise TooLarge("The file is larger than what is kept.")
        return Fetched(found)

    def door(self, core: Core) -> MailDoor:
        """Return what takes mail in."""
        reader = Reader(self._own, self._settings.agents, self._tokens)
        return MailDoor(core, reader, self._settings.mail_authserv_id, self._verp)

    @contextmanager
    def _listening(self, core: Core, web: Routes) -> Iterator[None]:
        door, settings = self.door(core), self._settings
        with ExitStack() as entered:
            if settings.listens:
                from adapters.mail.smtpd import SmtpListener

                entered.enter_context(SmtpListener(settings, core.clock).listening(door, web))
            if settings.mailboxes:
                from adapters.mail import imap

                entered.enter_context(imap.listening(settings, door, core.state, core.clock))
            if settings.has_routes:
                from adapters.mail.webhooks import Webhooks

                entered.enter_context(Webhooks(settings, core.clock).listening(door, web))
            yield

    def listening(self, core: Core, web: Routes) -> AbstractContextManager[None]:
        """While entered, every way in that is set takes mail."""
        return self._listening(core, web)


def channels(state: State, originals: Originals) -> list[Channel]:
    """Read the settings and return the channel. Raises ConfigurationError."""
    return [MailChannel(MailSettings.read(), MailInSettings.read(), state, originals)]


def door_of(core: Core) -> MailDoor:
    """Return what takes mail in, for a command. Raises ConfigurationError."""
    return MailChannel(MailSettings.read(), MailInSettings.read(), core.state, core.originals).door(core)


def switches() -> list[Switch]:
    """Say where mail goes, and which ways it comes in."""
    out, into = MailSettings.read(), MailInSettings.read()
    written = f"mails are written to {out.outbox}/; SMTP_HOST sends them"
    through = written if out.smtp_host is None else f"through {out.smtp_host}:{out.port}"
    ways = {
        "MAIL_LISTEN": into.mail_listen,
        "IMAP": into.imap_url,
        "/inbound/email": into.mail_token,
        "Mailgun": into.mailgun_signing_key,
        "SendGrid": into.sendgrid_public_key,
        "Postmark": into.postmark_auth,
        "Amazon SES": into.ses_topics,
    }
    on = [name for name, value in ways.items() if value is not None]
    says = f"by {', '.join(on)}" if on else "IMAP_URL or MAIL_LISTEN lets customers write mails; see docs/email.md"
    return [Switch(CHANNEL, out.smtp_host is not None, through), Switch("mail in", bool(on), says)]
