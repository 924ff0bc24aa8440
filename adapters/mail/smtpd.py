"""Mail in by SMTP or LMTP, from a server of ours: Postfix, Exim, a relay in our network. The answer to a mail is given
when it is committed. It takes mail for our own addresses only, and passes none on.

It needs aiosmtpd: import this module only where MAIL_LISTEN is set."""

import asyncio
import re
import socket
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.utils import format_datetime
from functools import partial
from ipaddress import ip_address
from typing import Any, Final

import structlog
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Session
from aiosmtpd.smtp import Envelope as Transaction

from adapters.mail.parsed import Envelope
from adapters.mail.settings import Listen, MailInSettings
from adapters.mail.ways import Door
from bot.errors import ConfigurationError, NotCommitted
from bot.ports import Clock, Routes

RECIPIENTS: Final = 100
"""Of one mail (RFC 5321, 4.5.3.1.8)."""

AT_ONCE: Final = 16
"""Mails that are being committed."""

BACKLOG: Final = 100
BUFFER: Final = 65536
"""Bytes of a connection that are waiting to be looked at, about. A line of a mail may be as long as the mail: RFC 5321
allows 1000 bytes, mail in the wild has more, and Postfix and Sendmail take it."""

END: Final = b"\r\n.\r\n"
LONGEST_COMMAND: Final = 2048
NULL: Final = "<>"
"""How aiosmtpd's transaction has the empty sender: what is empty counts as not told there."""

NOT_TAKEN: Final = "451 4.3.0 The mail is not stored; bring it again"
TOO_LARGE: Final = "552 5.3.4 The mail is larger than we take"
CLOSING: Final = "421 4.3.2 We are closing; come back soon"

_NO_NAME = re.compile(r"[^A-Za-z0-9.:_\[\]-]")
_WITHOUT_CODE = re.compile(rb"(?!220)([245])\d\d (?!\d\.\d+\.\d+ )")
_PATH = re.compile(r"\s*(?:<((?:\"(?:[^\"\\]|\\.)*\"|[^<>\"\s])*)>|([^<>\"\s]+))(.*)", re.DOTALL)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Patience:
    """What clients are allowed: so many connections; to say nothing for `idle` seconds, to take `mail` seconds for the
    text of one mail, and, when we stop, `stop` seconds for finishing the one in hand."""

    connections: int = 50
    idle: float = 300.0  # RFC 5321, 4.5.3.2.7
    mail: float = 600.0
    stop: float = 3.0


class SmtpListener:
    """Listens where MAIL_LISTEN says, on a loop of its own, so that nothing else holds it up."""

    def __init__(self, settings: MailInSettings, clock: Clock, patience: Patience | None = None) -> None:
        self._settings = settings
        self._clock = clock
        self._patience = patience or Patience()

    @contextmanager
    def listening(self, door: Door, web: Routes) -> Iterator[None]:
        """While entered, take mail in. Raises ConfigurationError if an address cannot be had. On leaving, the mails in
        hand are finished and answered."""
        sockets = _bound(self._settings.listens)
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="smtp", daemon=True)
        thread.start()

        def run(act: Coroutine[Any, Any, None]) -> None:
            asyncio.run_coroutine_threadsafe(act, loop).result()

        try:
            with ThreadPoolExecutor(AT_ONCE, "smtp-take") as pool:
                hall = Hall(door, pool, self._clock, self._settings.max_mail, self._patience)
                run(hall.open(sockets))
                try:
                    yield
                finally:
                    run(hall.close())
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()


def _bound(places: tuple[Listen, ...]) -> list[tuple[Listen, socket.socket]]:
    """Bind all of them, or none. Raises ConfigurationError."""
    found: list[tuple[Listen, socket.socket]] = []
    for place in places:
        family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
        # asyncio switches Nagle's algorithm off (40 ms a reply) only where it sees that the protocol is TCP
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.append((place, listener))
        try:
            listener.bind((place.host, place.port))
            listener.listen(BACKLOG)
        except OSError as exc:
            for _, other in found:
                other.close()
            raise ConfigurationError(
                f"MAIL_LISTEN: cannot listen on {place.host}:{place.port} ({exc.strerror or exc}). "
                "Choose another port, or an address of this machine."
            ) from None
        _warn_of(listener.getsockname()[0], place.port)
    return found


def _warn_of(address: str, port: int) -> None:
    """There is neither TLS here nor any defence against senders of junk: that is for the server in front of it."""
    ip = ip_address(address)
    if ip.is_unspecified or ip.is_global:
        log.warning(
            "mail.listens_openly",
            address=address,
            port=port,
            remedy="Let only your own mail server reach this port: the internet brings its mail to that one, not here.",
        )


class Hall:
    """All connections, and what they share. It lives in the loop."""

    def __init__(self, door: Door, pool: ThreadPoolExecutor, clock: Clock, most: int, patience: Patience) -> None:
        self.door = door
        self.pool = pool
        self.clock = clock
        self.most = most
        self.patience = patience
        self.name = socket.gethostname()
        self.present: set[SmtpSession] = set()
        self.is_closing = False
        self._servers: list[asyncio.Server] = []

    async def open(self, sockets: list[tuple[Listen, socket.socket]]) -> None:
        loop = asyncio.get_running_loop()
        for place, listener in sockets:
            kind = LmtpSession if place.protocol == "lmtp" else SmtpSession
            self._servers.append(await loop.create_server(partial(self._enter, kind), sock=listener))
            log.info("mail.listening", protocol=place.protocol, host=place.host, port=place.port)

    def _enter(self, kind: "type[SmtpSession]") -> asyncio.Protocol:
        if self.is_closing or len(self.present) >= self.patience.connections:
            return TurnedAway()
        session = kind(self)
        self.present.add(session)  # not when the connection is made: many are let in before that
        return session

    async def close(self) -> None:
        """Say goodbye to whoever is bringing nothing, and wait for the others; they, too, have to go in the end."""
        self.is_closing = True
        for server in self._servers:
            server.close()
        for session in list(self.present):
            session.leave_if_idle()
        await self._until_empty(self.patience.stop)
        for session in list(self.present):
            session.abort()
        if tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(tasks, timeout=1)
        for server in self._servers:
            await server.wait_closed()

    async def _until_empty(self, within: float) -> None:
        last = time.monotonic() + within
        while self.present and time.monotonic() < last:
            await asyncio.sleep(0.01)


class TurnedAway(asyncio.Protocol):
    """A connection too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(b"421 4.3.2 Too many connections; come back soon\r\n")
        transport.close()


class Answers:
    """What a session of aiosmtpd's asks us. It also looks for methods called `handle_...` here."""

    def __init__(self, hall: Hall) -> None:
        self._hall = hall

    async def handle_EHLO(
        self, server: SMTP, session: Session, transaction: Transaction, host_name: str, replies: list[str]
    ) -> list[str]:
        session.host_name = host_name
        return [*replies[:-1], "250-PIPELINING", "250 ENHANCEDSTATUSCODES"]  # the last one was HELP

    async def handle_RCPT(
        self, server: SMTP, session: Session, transaction: Transaction, address: str, options: list[str]
    ) -> str:
        if len(transaction.rcpt_tos) >= RECIPIENTS:
            return "452 4.5.3 Too many recipients; bring the others afterwards"
        if not _is_plain(address) or not self._hall.door.is_ours(address):
            return "550 5.1.1 There is no such address here"
        transaction.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_exception(self, error: Exception) -> str:
        """Nothing of the error is told to the client."""
        log.error("mail.not_handled", by="smtp", error=type(error).__name__, exc_info=error)
        return "451 4.3.0 Something went wrong here; try again"


def _is_plain(address: str) -> bool:
    """Whether an address has nothing by which older servers were told to pass a mail on: a route of hosts (RFC 5321,
    appendix C), or another address in the part before the @."""
    return not set(address.rpartition("@")[0]) & set("@%!:")


class SmtpSession(SMTP):
    """One connection. What aiosmtpd does is kept, but for: the end of a mail is answered when it is committed, lines
    may be long, every reply has an enhanced status code (RFC 2034), and nobody can log in."""

    command_size_limit = LONGEST_COMMAND
    line_length_limit = BUFFER
    protocol = "SMTP"
    answers_each_recipient = False

    def __init__(self, hall: Hall) -> None:
        self.command_size_limits = defaultdict(lambda: LONGEST_COMMAND)  # aiosmtpd's is shared by all connections
        super().__init__(
            Answers(hall),
            data_size_limit=hall.most,
            enable_SMTPUTF8=True,
            hostname=hall.name,
            ident="Firstline",
            timeout=hall.patience.idle,
            loop=asyncio.get_running_loop(),
        )
        for command in ("AUTH", "STARTTLS", "HELP", "EXPN"):
            self._smtp_methods.pop(command, None)
        self._hall = hall
        self._is_in_mail = False
        self._is_hello = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self._hall.is_closing:
            self._leave(CLOSING)

    def connection_lost(self, error: Exception | None) -> None:
        self._hall.present.discard(self)
        super().connection_lost(error)

    def leave_if_idle(self) -> None:
        if not self._is_in_mail:
            self._leave(CLOSING)

    def abort(self) -> None:
        if isinstance(self.transport, asyncio.WriteTransport):
            self.transport.abort()

    def _leave(self, says: str) -> None:
        if isinstance(self.transport, asyncio.WriteTransport):
            self.transport.write(f"{says}\r\n".encode())
            self.transport.close()

    def _timeout_cb(self) -> None:
        self._leave("421 4.4.2 You have said nothing for too long")
        self.loop.call_later(min(self._hall.patience.idle, 10), self.abort)  # if it does not read either

    async def _handle_client(self) -> None:
        with suppress(ConnectionError):  # it has gone, and there is nobody to tell
            await super()._handle_client()

    async def push(self, status: str | bytes) -> None:
        reply = status.encode("utf-8", "replace") if isinstance(status, str) else status
        await super().push(reply if self._is_hello else _WITHOUT_CODE.sub(rb"\g<0>\g<1>.0.0 ", reply, count=1))

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        """Read a path and what stands behind it. Both are None if it is none. aiosmtpd's way is that of headers, which
        knows comments, and drops routes."""
        match = _PATH.fullmatch(arg)
        if match is None or not arg.isprintable():
            return None, None
        return (NULL if match[1] == "" else match[1] or match[2]), match[3]

    # --- commands

    async def smtp_EHLO(self, hostname: str) -> None:
        await self._hello(super().smtp_EHLO(hostname))

    async def smtp_HELO(self, hostname: str) -> None:
        await self._hello(super().smtp_HELO(hostname))

    async def _hello(self, greet: Coroutine[Any, Any, None]) -> None:
        self._is_hello = True
        try:
            await greet
        finally:
            self._is_hello = False

    async def smtp_VRFY(self, arg: str | None) -> None:
        await self.push("252 2.1.5 Nobody is told who is here; bring the mail")

    async def smtp_DATA(self, arg: str | None) -> None:
        if await self.check_helo_needed():
            return
        assert self.envelope is not None
        if arg or not self.envelope.rcpt_tos:
            await self.push("501 5.5.4 Syntax: DATA" if arg else "503 5.5.1 Name a recipient first")
            return
        self._is_in_mail = True
        try:
            for reply in await self._receive(self.envelope):
                await self.push(reply)
        finally:
            self._is_in_mail = False
        if self._hall.is_closing:
            self._leave(CLOSING)

    async def _receive(self, transaction: Transaction) -> list[str]:
        """Read a mail, have it taken, and return the replies: in LMTP one for each recipient (RFC 2033, 4.2)."""
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        self._reset_timeout(self._hall.patience.mail)
        content = await self._content()
        self._reset_timeout()
        reply = TOO_LARGE if content is None else await self._taken(content, transaction)
        self._set_post_data_state()  # type: ignore[no-untyped-call]
        return [reply] * (len(transaction.rcpt_tos) if self.answers_each_recipient else 1)

    async def _content(self) -> bytes | None:
        """Read up to the lone dot; None if it is too large. A line ends with CR LF and with nothing else: to take a
        bare LF for an end would let a client smuggle mails past a server that does not."""
        longest = 4 * (self._hall.most // 3 + 2)  # what a mail becomes of which each line is a dot, which is doubled
        found, looked_at, is_too_large = bytearray(b"\r\n"), 0, False  # a line had ended before
        while (end := found.find(END, looked_at)) < 0:
            is_too_large = is_too_large or len(found) > longest
            if is_too_large:
                del found[: -len(END)]
            looked_at = max(0, len(found) - len(END))
            found += await self._bytes()
        self._reader.feed_data(bytes(found[end + len(END) :]))  # commands behind the mail; the reader is empty
        content = bytes(found[: end + 2]).replace(b"\r\n.", b"\r\n")[2:]
        return None if is_too_large or len(content) > self._hall.most else content

    async def _bytes(self) -> bytes:
        """Read all that is there. Raises ConnectionError if there will be nothing more."""
        found = await self._reader.read(sys.maxsize)
        if not found:
            raise ConnectionResetError
        return found

    async def _taken(self, content: bytes, transaction: Transaction) -> str:
        sender = transaction.mail_from
        recipients = tuple(dict.fromkeys(transaction.rcpt_tos))
        envelope = Envelope("" if sender == NULL else sender, recipients, self.protocol.lower())
        raw = self._received(transaction.smtp_utf8, recipients) + content
        try:
            taken = await self.loop.run_in_executor(self._hall.pool, self._hall.door.take, raw, envelope)
        except NotCommitted as exc:  # whoever raised it has logged why
            log.warning("mail.not_taken", by=envelope.source, error=str(exc))
            return NOT_TAKEN
        except Exception as exc:
            log.error("mail.not_handled", by=envelope.source, error=type(exc).__name__, exc_info=exc)
            return NOT_TAKEN
        return f"250 2.0.0 {_printable(taken.says) or 'taken'}"

    def _received(self, is_utf8: bool, recipients: tuple[str, ...]) -> bytes:
        """The mark of where it came from (RFC 5321, 4.4). A recipient is told only where there is no other, who might
        not be meant to be known."""
        assert self.session is not None
        host = str(self.session.peer[0]) if self.session.peer else "unknown"
        address = f"[IPv6:{host}]" if ":" in host else f"[{host}]"
        extended = "E" if self.session.extended_smtp and self.protocol == "SMTP" else ""
        how = f"UTF8{self.protocol}" if is_utf8 else f"{extended}{self.protocol}"
        recipient = f"\r\n\tfor <{recipients[0]}>" if len(recipients) == 1 else ""
        return (
            f"Received: from {_NO_NAME.sub('', self.session.host_name or '')[:255] or 'unknown'} ({address})\r\n"
            f"\tby {self._hall.name} (Firstline) with {how}{recipient};\r\n"
            f"\t{format_datetime(self._hall.clock())}\r\n"
        ).encode()


class LmtpSession(LMTP, SmtpSession):
    """The same in LMTP (RFC 2033)."""

    protocol = "LMTP"
    answers_each_recipient = True


def _printable(text: str) -> str:
    """What of a text can stand in a reply: ASCII, in one line."""
    return "".join(char for char in text if char.isascii() and char.isprintable())[:400]
