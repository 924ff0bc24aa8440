"""Mail out: over SMTP when a server is configured, else into a folder of `.eml` files.

A mail that may or may not have arrived is sent again under the same Message-ID, by which the receiver can spot it.
"""

import os
import ssl
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import structlog

from adapters.mail.compose import addr_spec, compose, message_id, safe_key, split_sender
from adapters.mail.session import ConnectionLost, Mail, Session, announce, hand_over, why
from adapters.mail.settings import MailSettings
from bot.errors import CannotTell, ConfigurationError, DeliveryFailed, TryLater, Undeliverable
from bot.model import Address, Notice, Sent, Switch
from bot.ports import Sender

REPEATS = 5

log = structlog.get_logger()


def sender(settings: MailSettings) -> Sender:
    """Return the way out for mail. Raises ConfigurationError if SMTP_CA_FILE holds no certificates."""
    return EmlSender(settings) if settings.smtp_host is None else SmtpSender(settings)


def senders() -> list[Sender]:
    """Read the settings and return the way out that they give."""
    return [sender(MailSettings.read())]


def switches() -> list[Switch]:
    """Say where mail goes."""
    settings = MailSettings.read()
    if settings.smtp_host is None:
        return [Switch("email", False, f"mails are written to {settings.outbox}/; SMTP_HOST sends them")]
    return [Switch("email", True, f"through {settings.smtp_host}:{settings.port}")]


class SmtpSender:
    """Sends over a few SMTP connections (RFC 5321) that are kept open and used again.

    A connection that was idle for `idle_for` seconds is not used again. `close` says goodbye to those that are idle.
    """

    name = "email"
    simulated = False

    def __init__(self, settings: MailSettings, idle_for: float = 60.0) -> None:
        self.deadline = settings.smtp_deadline.total_seconds()
        self._settings = settings
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
        mail = _mail(to, notice, self._settings.mail_from)
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
            announce(session, mail)
            hand_over(session, mail.data)
        except DeliveryFailed:
            session.reset()
            raise
        except BaseException:
            session.close()
            raise
        finally:
            if session.sock is not None:
                self._keep(session)

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

    def __init__(self, settings: MailSettings) -> None:
        self.deadline = settings.smtp_deadline.total_seconds()
        self._sender = settings.mail_from
        self._outbox = settings.outbox

    def send(self, to: Address, notice: Notice) -> Sent:
        """Write the file and return the Message-ID. Raises TryLater if it cannot be written, Undeliverable if the
        address is none."""
        mail = _mail(to, notice, self._sender)
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
        return Sent(message_id(notice.key, self._sender))

    def _path(self, notice: Notice) -> Path:
        return self._outbox / f"{safe_key(notice.key)}.eml"

    def close(self) -> None:
        """Nothing is held."""


def _mail(to: Address, notice: Notice, mail_from: str) -> Mail:
    try:
        recipient = addr_spec(to.key)
    except ValueError as exc:
        raise Undeliverable(str(exc)) from None
    return Mail(
        # The envelope sender is a real address, not the empty one of RFC 3834: a bounce must come back, to be read.
        # What keeps other automatons from answering is Auto-Submitted and Precedence.
        sender=split_sender(mail_from)[1],
        recipient=recipient,
        message_id=message_id(notice.key, mail_from),
        data=compose(notice, recipient, mail_from),
    )


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
