"""Mail out: over SMTP when a server is configured, else into a folder of `.eml` files.

A mail that may or may not have arrived is sent again under the same Message-ID, by which the receiver can spot it.
"""

import os
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import structlog

from adapters.mail.compose import addr_spec, audience, compose, is_automatic, message_id, safe_key, split_sender
from adapters.mail.sealed import Tokens
from adapters.mail.session import ConnectionLost, Mail, SenderRefused, Session, announce, hand_over, why
from adapters.mail.settings import MailSettings
from bot.errors import CannotTell, ConfigurationError, DeliveryFailed, TryLater, Undeliverable
from bot.model import Address, Notice, Sent
from bot.ports import Sender

REPEATS = 5

log = structlog.get_logger()


def sender(settings: MailSettings, tokens: Callable[[], Tokens] | None = None, plus: bool = False) -> Sender:
    """Return the way out for mail. `tokens` sign its Message-IDs and, with `plus`, the addresses that answers and
    bounces go to. Raises ConfigurationError if SMTP_CA_FILE holds no certificates, or MAIL_DKIM_KEY no key."""
    if settings.smtp_host is None:
        return EmlSender(settings, tokens, plus)
    return SmtpSender(settings, tokens=tokens, plus=plus)


class SmtpSender:
    """Sends over a few SMTP connections (RFC 5321) that are kept open and used again.

    A connection that was idle for `idle_for` seconds is not used again. `close` says goodbye to those that are idle.

    Where the server takes no envelope sender but MAIL_FROM, it is MAIL_FROM from then on.
    """

    name = "email"
    simulated = False

    def __init__(
        self,
        settings: MailSettings,
        idle_for: float = 60.0,
        tokens: Callable[[], Tokens] | None = None,
        plus: bool = False,
    ) -> None:
        self.deadline = settings.smtp_deadline.total_seconds()
        self._settings = settings
        self._writer = Writer(settings, tokens, plus)
        self._own_path = split_sender(settings.mail_from)[1]
        self._other_paths_work = False
        self._only_own_path = False
        self._step = settings.smtp_timeout.total_seconds()
        self._tls = None if settings.smtp_tls == "none" else _trust(settings.smtp_ca_file)
        self._turns = threading.BoundedSemaphore(settings.smtp_connections)
        self._idle_for = idle_for
        self._idle: list[Session] = []
        self._lock = threading.Lock()
        if self._tls is None and settings.smtp_user is not None:
            log.warning("smtp.password_in_the_clear", remedy="set SMTP_TLS to starttls or tls")

    def send(self, to: Address, notice: Notice) -> Sent:
        """Hand the mail to the server and return its Message-ID. Raises TryLater, Undeliverable or Uncertain."""
        until = time.monotonic() + self.deadline
        mail = self._writer.write(to, notice)
        with self._turn(until):
            self._deliver(mail, until)
        return Sent(mail.message_id)

    def find(self, to: Address, notice: Notice) -> Sent | None:
        """Raise CannotTell: SMTP cannot be asked what became of a mail, but the Message-ID shows a repetition."""
        raise CannotTell("SMTP has no way to look for a mail; it may be repeated under its Message-ID", REPEATS)

    def close(self) -> None:
        """Close the idle connections."""
        with self._lock:
            idle, self._idle = self._idle, []
        for session in idle:
            session.leave()

    @contextmanager
    def _turn(self, until: float) -> Iterator[None]:
        """Whoever holds a turn has at most one connection open, and the idle ones came from turns that ended: there
        are never more connections than turns."""
        if not self._turns.acquire(timeout=max(0.0, min(self._step, until - time.monotonic()))):
            raise TryLater(f"all {self._settings.smtp_connections} connections to the mail server are busy")
        try:
            yield
        finally:
            self._turns.release()

    def _deliver(self, mail: "Mail", until: float) -> None:
        session = self._reusable()
        if session is not None:
            try:
                return self._exchange(session, mail, until)
            except ConnectionLost:
                self.close()  # the server has restarted or hung up on us: the other idle ones went the same way
        return self._exchange(self._connect(until), mail, until)

    def _exchange(self, session: "Session", mail: "Mail", until: float) -> None:
        """Send one mail on this session, then keep it if it is still good."""
        session.until = until
        try:
            self._transact(session, mail)
        except DeliveryFailed:
            session.reset()
            raise
        except BaseException:
            session.close()
            raise
        finally:
            if session.sock is not None:
                self._keep(session)

    def _transact(self, session: "Session", mail: "Mail") -> None:
        """Go through MAIL, RCPT and DATA. What is refused for good under another envelope sender than MAIL_FROM is said
        once more under MAIL_FROM, unless others have worked here: Postfix, for one, refuses a sender only at RCPT."""
        own = replace(mail, sender=self._own_path)
        if mail.sender == self._own_path or self._only_own_path:
            return _say(session, own)
        try:
            _say(session, mail)
        except (SenderRefused, Undeliverable) as refused:
            if self._other_paths_work and isinstance(refused, Undeliverable):
                raise
            session.reset()
            if session.sock is None:  # it has hung up as well: the next attempt is under MAIL_FROM
                if isinstance(refused, SenderRefused):
                    self._keep_to_own_path(str(refused))
                raise
            _say(session, own)
            self._keep_to_own_path(str(refused))
        else:
            self._other_paths_work = True
        return None

    def _keep_to_own_path(self, refusal: str) -> None:
        with self._lock:
            is_news, self._only_own_path = not self._only_own_path, True
        if is_news:
            log.warning(
                "smtp.return_path_refused",
                reason=refusal,
                remedy="bounces go to MAIL_FROM now: set MAIL_RETURN_PATH to from, or have the mail server take others",
            )

    def _keep(self, session: "Session") -> None:
        session.idle_since = time.monotonic()
        with self._lock:
            self._idle.append(session)

    def _reusable(self) -> "Session | None":
        """Take the idle connection that was used last, so that the others can grow old; let go of those that did."""
        oldest = time.monotonic() - self._idle_for
        with self._lock:
            old = [session for session in self._idle if session.idle_since < oldest]
            self._idle = [session for session in self._idle if session.idle_since >= oldest]
            session = self._idle.pop() if self._idle else None
        for each in old:
            each.leave()
        return session

    def _connect(self, until: float) -> "Session":
        """Connect, encrypt and log in. Whatever fails here is not the customer's fault: TryLater."""
        session = Session(self._step, until, self._tls if self._settings.smtp_tls == "tls" else None)
        try:
            session.open(self._settings.smtp_host or "", self._settings.port)
            if self._settings.smtp_tls == "starttls":
                session.starttls(context=self._tls)
            session.ehlo_or_helo_if_needed()
            self._log_in(session)
        except (OSError, ValueError) as exc:  # smtplib's errors are OSErrors; a broken AUTH challenge is a ValueError
            session.close()
            raise TryLater(f"cannot connect to the mail server: {why(exc)}") from exc
        return session

    def _log_in(self, session: "Session") -> None:
        user, password = self._settings.smtp_user, self._settings.smtp_password
        if user is not None and password is not None:
            session.login(user, password.get_secret_value())


class EmlSender:
    """Writes each mail to a file in the folder OUTBOX, for want of a mail server. The same notice is the same file."""

    name = "email"
    simulated = True

    def __init__(self, settings: MailSettings, tokens: Callable[[], Tokens] | None = None, plus: bool = False) -> None:
        self.deadline = settings.smtp_deadline.total_seconds()
        self._writer = Writer(settings, tokens, plus)
        self._outbox = settings.outbox

    def send(self, to: Address, notice: Notice) -> Sent:
        """Write the file and return the Message-ID. Raises TryLater if it cannot be written, Undeliverable if the
        address is none."""
        mail = self._writer.write(to, notice)
        try:
            self._outbox.mkdir(parents=True, exist_ok=True)
            _write_whole(self._path(notice), mail.data)
        except OSError as exc:
            raise TryLater(f"cannot write to the folder OUTBOX: {exc.strerror or type(exc).__name__}") from exc
        return Sent(mail.message_id)

    def find(self, to: Address, notice: Notice) -> Sent | None:
        """Look for the file: it is there whole, or not at all. Raises CannotTell if the folder cannot be read."""
        try:
            self._path(notice).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as exc:
            raise CannotTell(f"cannot read the folder OUTBOX: {exc.strerror or type(exc).__name__}", REPEATS) from exc
        return Sent(self._writer.message_id(notice))

    def _path(self, notice: Notice) -> Path:
        return self._outbox / f"{safe_key(notice.key)}.eml"

    def close(self) -> None:
        """Nothing is held."""


class Writer:
    """Writes notices as mails in their envelopes."""

    def __init__(self, settings: MailSettings, tokens: Callable[[], Tokens] | None, plus: bool) -> None:
        self._from = settings.mail_from
        self._given = tokens
        self._plus = plus
        self._path = settings.mail_return_path
        if self._path == "auto":
            self._path = "verp" if plus else "null"
        self._sign = _signer(settings)

    @property
    def _tokens(self) -> Tokens | None:
        return None if self._given is None else self._given()

    def write(self, to: Address, notice: Notice) -> Mail:
        """Return the mail. Raises Undeliverable if the address is none."""
        try:
            recipient = addr_spec(to.key)
        except ValueError as exc:
            raise Undeliverable(str(exc)) from None
        return Mail(
            sender=self.return_path(notice),
            recipient=recipient,
            message_id=self.message_id(notice),
            data=self._sign(compose(notice, recipient, self._from, tokens=self._tokens, plus=self._plus)),
        )

    def message_id(self, notice: Notice) -> str:
        return message_id(notice, self._from, self._tokens)

    def return_path(self, notice: Notice) -> str:
        """Return the envelope sender, where a bounce goes to. The empty one, which RFC 3834, 3.3 wants for automatic
        mail, is none for what a person has written: they must learn that it did not arrive."""
        address = split_sender(self._from)[1]
        if self._path == "verp" and self._tokens is not None:
            return self._tokens.bounce_address(address, notice.key, notice.incident_id, audience(notice))
        return "" if self._path == "null" and is_automatic(notice) else address


def _say(session: Session, mail: Mail) -> None:
    announce(session, mail)
    hand_over(session, mail.data)


def _signer(settings: MailSettings) -> Callable[[bytes], bytes]:
    """Return what signs a mail, if there is a key. Raises ConfigurationError if it cannot be used."""
    path, selector = settings.mail_dkim_key, settings.mail_dkim_selector
    if path is None or selector is None:
        return lambda mail: mail
    from adapters.mail.dkim_sign import sign, usable

    try:
        key = path.read_bytes()
    except OSError as exc:
        raise ConfigurationError(f"MAIL_DKIM_KEY: cannot be read: {exc.strerror or type(exc).__name__}") from exc
    usable(key)
    domain = split_sender(settings.mail_from)[1].rpartition("@")[2]
    return lambda mail: sign(mail, key, selector, domain)


def _trust(ca_file: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except OSError as exc:  # ssl.SSLError is one
            raise ConfigurationError("SMTP_CA_FILE: not a file of certificates in PEM form that can be read") from exc
    return context


def _write_whole(path: Path, data: bytes) -> None:
    """Write the file so that under its name it is there whole or not at all, whenever the power fails."""
    handle, part = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
    try:
        with open(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(part)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # there a folder cannot be opened
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
