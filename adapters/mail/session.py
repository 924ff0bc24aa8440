"""One SMTP connection and what is said over it (RFC 5321): we drive MAIL, RCPT and DATA ourselves, so that at every
moment it is known whether the server may have taken the mail."""

import io
import re
import smtplib
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

from adapters.mail.compose import one_line
from bot.errors import DeliveryFailed, TryLater, Uncertain, Undeliverable

PIECE = 16_384  # bytes that are written under one time-out

ADDRESSES = re.compile(r"<?[^\s<>]+@[^\s<>]+>?")

DONE = range(200, 300)
GO_ON = range(354, 355)
SHUTTING_DOWN = 421
TOO_LARGE = 552
NOT_AUTHENTICATED = frozenset({530, 534, 535, 538})  # RFC 4954, 6; 530 is also "STARTTLS first" (RFC 3207)


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail in its envelope."""

    sender: str
    recipient: str
    message_id: str
    data: bytes

    def options(self, session: smtplib.SMTP) -> list[str]:
        """Return what MAIL says beside the address (RFC 1870, RFC 6531). Raises Undeliverable without SMTPUTF8."""
        options = [f"SIZE={len(self.data)}"] if session.has_extn("size") else []
        if self.recipient.isascii():
            return options
        if not session.has_extn("smtputf8"):
            raise Undeliverable("the mail server cannot write to an address with letters beyond ASCII (no SMTPUTF8)")
        return [*options, "SMTPUTF8", "BODY=8BITMIME"]


class ConnectionLost(TryLater):
    """Raised when the connection ended before any of the message went out; on a fresh one it may go well at once."""


class Session(smtplib.SMTP):
    """smtplib's client, held to a deadline.

    smtplib itself gives every *piece* that it receives a time-out of its own, and every address of a host too: a server
    that drips could hold a worker for hours. Here each wait is `step` seconds at most and ends at `until` (monotonic).
    Out of reach are the look-up of the host's name, which the resolver bounds, and what a TLS handshake reads.
    """

    def __init__(self, step: float, until: float, tls: ssl.SSLContext | None) -> None:
        super().__init__(local_hostname=_own_name())  # no host yet: this does not connect
        self.until = until
        self.idle_since = 0.0
        self._step = step
        self._tls = tls

    def open(self, host: str, port: int) -> None:
        """Connect and read the greeting. Raises OSError."""
        self._host = host  # the name that `starttls` checks the certificate against; set by the constructor otherwise
        code, text = self.connect(host, port)
        if code not in DONE:
            raise smtplib.SMTPConnectError(code, text)

    def reset(self) -> None:
        """Forget the transaction under way; close the connection if that cannot be done."""
        if self.sock is None:
            return
        try:
            code, _ = self.rset()
        except OSError:
            code = -1
        if code not in DONE:
            self.close()

    def leave(self) -> None:
        """Say goodbye without waiting for the answer, and close."""
        self.until = time.monotonic() + 1
        with suppress(OSError):
            self.putcmd("QUIT")
        self.close()

    def send(self, s: Any) -> None:
        data = s.encode(self.command_encoding) if isinstance(s, str) else s
        for start in range(0, len(data), PIECE):
            if self.sock is not None:
                self.limit(self.sock)
            super().send(data[start : start + PIECE])

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None:
            self.file = io.BufferedReader(_Incoming(self))
        return super().getreply()

    def limit(self, sock: socket.socket) -> socket.socket:
        """Give the next wait on this socket its time-out. Closes and raises TimeoutError when no time is left."""
        left = self.until - time.monotonic()
        if left <= 0:
            self.close()
            raise TimeoutError("the deadline for sending a mail has passed")
        sock.settimeout(min(self._step, left))
        return sock

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        """smtplib's own hook, which its SMTP_SSL uses too. Tries each address of the host, the deadline in mind."""
        failure: Exception = OSError("the mail server's name has no address")
        for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            sock = socket.socket(family, kind, protocol)
            try:
                self.limit(sock).connect(address)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return sock if self._tls is None else self._tls.wrap_socket(self.limit(sock), server_hostname=host)
            except (OSError, ValueError) as exc:  # a ValueError: a name that no certificate can have
                sock.close()
                failure = exc
        raise failure


class _Incoming(io.RawIOBase):
    """What the server says, read under the session's deadline."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._session.sock is None:
            raise ConnectionError("not connected")
        return self._session.limit(self._session.sock).recv_into(buffer)


class SenderRefused(TryLater):
    """Raised when the server refuses the envelope sender for good. An operator can put that right, or another one."""


def announce(session: Session, mail: Mail) -> None:
    """Go as far as the server's "start mail input". Nothing of the message has gone out yet, so whatever happens here
    is no unknown outcome. Raises ConnectionLost, SenderRefused, TryLater or Undeliverable."""
    options = mail.options(session)
    _ask(session, "MAIL", lambda: session.mail(mail.sender, options))
    _ask(session, "RCPT", lambda: session.rcpt(mail.recipient))
    # Not smtplib's `data`, which sends the message as well: one could not tell on which side of it a failure lies.
    _ask(session, "DATA", lambda: session.docmd("DATA"), GO_ON)


def hand_over(session: Session, data: bytes) -> None:
    """Send the message and read the verdict. Raises Uncertain where there is none (RFC 5321, 4.5.3.2.6: a server may
    have accepted a mail whose sender never saw the answer), otherwise TryLater or Undeliverable."""
    try:
        session.send(re.sub(rb"(?m)^\.", b"..", data) + b".\r\n")
        code, text = session.getreply()
    except OSError as exc:
        session.close()
        raise Uncertain(f"no answer to the message: {why(exc)}") from exc
    if code in DONE:
        return
    if code == SHUTTING_DOWN or not 400 <= code < 600:
        session.close()
    if not 400 <= code < 600:
        raise Uncertain(f"the mail server's answer to the message makes no sense: {_reply(code, text)}")
    raise _refusal("the message", code, text)


def _ask(session: Session, step: str, command: Callable[[], tuple[int, bytes]], good: range = DONE) -> None:
    try:
        code, text = command()
    except OSError as exc:
        session.close()
        raise ConnectionLost(f"the connection to the mail server was lost at {step}: {why(exc)}") from exc
    if code in good:
        return
    if code == SHUTTING_DOWN or not 400 <= code < 600:
        session.close()
        raise ConnectionLost(f"the mail server ended the session at {step}: {_reply(code, text)}")
    raise _refusal(step, code, text)


def _refusal(step: str, code: int, text: bytes) -> DeliveryFailed:
    """5xx is final (RFC 5321, 4.2.1), unless it is us whom the server refuses: then an operator can put it right."""
    reason = f"the mail server refused {step}: {_reply(code, text)}"
    if code < 500 or code in NOT_AUTHENTICATED:
        return TryLater(reason)
    return SenderRefused(reason) if step == "MAIL" and code != TOO_LARGE else Undeliverable(reason)


def why(exc: Exception) -> str:
    if isinstance(exc, smtplib.SMTPResponseException):
        return _reply(exc.smtp_code, exc.smtp_error)
    return one_line(str(exc))[:200] or type(exc).__name__


def _reply(code: int, text: bytes | str) -> str:
    words = one_line(text.decode("utf-8", "replace") if isinstance(text, bytes) else text)
    words = ADDRESSES.sub("<…>", words)  # servers repeat the customer's address; errors end up in logs
    return f"{code} {words[:200]}".strip()


@cache
def _own_name() -> str:
    """smtplib's default, without its look-ups in the DNS, which can take half a minute for every connection."""
    name = socket.gethostname()
    return name if "." in name and name.isascii() else "[127.0.0.1]"
