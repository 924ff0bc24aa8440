"""Mail over real SMTP on loopback: what each of a server's answers, silences and disappearances means to us."""

import asyncio
import email
import os
import resource
import socket
import socketserver
import ssl
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import default
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import dkim
import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from structlog.testing import capture_logs

from adapters.mail.sealed import Sealed, Tokens, digest_of
from adapters.mail.send import EmlSender, SmtpSender, sender
from adapters.mail.settings import MailSettings
from bot.errors import CannotTell, ConfigurationError, TryLater, Uncertain, Undeliverable
from bot.model import Address, Notice, NoticeKind

ANN = Address("email", "ann@example.com")
NOTICE = Notice(
    key="ack-7",
    kind=NoticeKind.ACKNOWLEDGEMENT,
    incident_id="0f8fad5b",
    ticket_id="TKT-98042a72",
    subject="We have your message: TKT-98042a72",
    greeting="Hello,",
    lead="We have opened an incident.",
    facts=(("Category", "Duplicate payment"),),
    quote="I was charged twice\n.a line with a dot",
    closing="Kind regards",
)
PASSWORD = "correct-horse-battery"
DROP = object()
Answer = str | float | object | Callable[[], Any]


def configured(**settings: Any) -> MailSettings:
    return MailSettings(**{"_env_file": None, **settings})


def abort(server: SMTP) -> None:
    """End the connection at once."""
    assert isinstance(server.transport, asyncio.Transport)
    server.transport.abort()


class Handler:
    """A mail server's behaviour. Each step is answered "250 OK", or with a text, after a pause (float), not at all
    (DROP: the connection ends), or with what a function returns."""

    def __init__(self, **answers: Answer) -> None:
        self.answers = answers
        self.received: list[Envelope] = []

    async def answer(self, server: SMTP, step: str) -> str:
        answer = self.answers.get(step, "250 OK")
        answer = answer() if callable(answer) else answer
        if isinstance(answer, float):
            await asyncio.sleep(answer)
            answer = "250 OK"
        if answer is DROP:
            abort(server)
        return str(answer)

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return await self.answer(server, "mail")

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = await self.answer(server, "rcpt")
        if answer.startswith("2"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        answer = await self.answer(server, "data")
        if answer.startswith("2"):
            self.received.append(envelope)
        return answer


class Server:
    """A mail server on loopback that counts its connections."""

    def __init__(self, handler: Handler, tls: ssl.SSLContext | None = None, **options: Any) -> None:
        self.handler = handler
        self.port = 0
        self.connections = self.open_now = self.most_open = 0
        self._loop = asyncio.new_event_loop()
        self._live: set[Counted] = set()
        self._tls = tls
        self._options = {"enable_SMTPUTF8": True, **options}

    def protocol(self) -> "Counted":
        return Counted(self, self.handler, loop=self._loop, hostname="mx.test", **self._options)

    def opened(self, protocol: "Counted") -> None:
        self.connections += 1
        self._live.add(protocol)
        self.open_now = len(self._live)
        self.most_open = max(self.most_open, self.open_now)

    def closed(self, protocol: "Counted") -> None:
        self._live.discard(protocol)
        self.open_now = len(self._live)

    def hang_up(self) -> None:
        """Close every connection, as a server does that restarts."""
        asyncio.run_coroutine_threadsafe(self._abort_all(), self._loop).result(5)

    async def _abort_all(self) -> None:
        for protocol in list(self._live):
            abort(protocol)
        while self._live:
            await asyncio.sleep(0.001)

    async def _stop(self) -> None:
        await self._abort_all()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @contextmanager
    def running(self) -> Iterator["Server"]:
        thread = threading.Thread(target=self._loop.run_forever)
        thread.start()
        starting = self._loop.create_server(self.protocol, "127.0.0.1", 0, ssl=self._tls)
        listener = asyncio.run_coroutine_threadsafe(starting, self._loop).result(5)
        self.port = listener.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            self._loop.call_soon_threadsafe(listener.close)
            asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(5)
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join()
            self._loop.close()


class Counted(SMTP):
    def __init__(self, server: Server, handler: Handler, **options: Any) -> None:
        super().__init__(handler, **options)
        self.server = server

    def connection_made(self, transport: Any) -> None:
        if self.transport is None:  # after STARTTLS it is called once more
            self.server.opened(self)
        super().connection_made(transport)
        if self.server.handler.answers.get("connect") is DROP:
            transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        self.server.closed(self)
        super().connection_lost(error)

    async def smtp_DATA(self, arg: str) -> None:
        handler = self.server.handler
        if "before_354" in handler.answers:
            await self.push(await handler.answer(self, "before_354"))
        elif handler.answers.get("middle") is DROP:
            await self.push("354 go on")
            await self._reader.readline()
            abort(self)
        else:
            await super().smtp_DATA(arg)


@contextmanager
def scripted(*replies: bytes, pause: float = 0.0) -> Iterator[int]:
    """A server that says these replies, one after each line that it reads, byte by byte if there is a pause."""

    class Script(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            for reply in replies:
                for piece in [reply] if not pause else [reply[i : i + 1] for i in range(len(reply))]:
                    time.sleep(pause)
                    try:
                        self.wfile.write(piece)
                    except OSError:
                        return
                line = self.rfile.readline()
                while reply.startswith(b"354") and line not in (b".\r\n", b""):
                    line = self.rfile.readline()

    with socketserver.TCPServer(("127.0.0.1", 0), Script) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def sending(
    port: int, idle_for: float = 60.0, tokens: Callable[[], Tokens] | None = None, plus: bool = False, **settings: Any
) -> Iterator[SmtpSender]:
    """A sender to this port; in clear text, with short time-outs, if not told otherwise."""
    options = {
        "smtp_tls": "none", "smtp_timeout": timedelta(seconds=5), "mail_from": "Firstline <support@firstline.example>",
    }  # fmt: skip
    given = configured(smtp_host="127.0.0.1", smtp_port=port, **{**options, **settings})
    smtp = SmtpSender(given, idle_for, tokens, plus)
    try:
        yield smtp
    finally:
        smtp.close()


@contextmanager
def talking_to(handler: Handler, **settings: Any) -> Iterator[tuple[SmtpSender, Server]]:
    with Server(handler).running() as server, sending(server.port, **settings) as smtp:
        yield smtp, server


def read(raw: bytes | str | None) -> EmailMessage:
    assert isinstance(raw, bytes)
    message = email.message_from_bytes(raw, policy=default)
    assert isinstance(message, EmailMessage)
    return message


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 3
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    return condition()


def one_by_one(*answers: Answer) -> Callable[[], Any]:
    """Answers in this order, then "250 OK"."""
    left = iter(answers)
    return lambda: next(left, "250 OK")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1 with its key, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key(), serial_number=7)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(pem + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def server_tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def only_ann(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: LoginPassword) -> AuthResult:
    known = data.login == b"ann" and data.password == PASSWORD.encode()
    return AuthResult(success=known, handled=False)


# Sending


def test_a_mail_arrives_whole_and_its_receipt_is_its_message_id() -> None:
    with talking_to(Handler()) as (smtp, server):
        sent = smtp.send(ANN, NOTICE)

    [envelope] = server.handler.received
    mail = read(envelope.content)
    body = mail.get_body(("plain",))
    assert (envelope.mail_from, envelope.rcpt_tos) == ("<>", ["ann@example.com"])
    assert sent.provider_id == mail["Message-ID"] == "<ack-7@firstline.example>"
    assert body is not None
    assert body.get_content().replace("\r\n", "\n").rstrip("\n") == NOTICE.text


def test_a_line_that_begins_with_a_dot_keeps_it() -> None:
    with talking_to(Handler()) as (smtp, server):
        smtp.send(ANN, replace(NOTICE, greeting=".hello\n..dots\n."))

    content = server.handler.received[0].content
    assert isinstance(content, bytes)
    assert b"\r\n.hello\r\n..dots\r\n" in content


def test_a_long_mail_arrives_whole() -> None:
    quote = "\n".join(f".{n:05}" for n in range(20_000))
    with talking_to(Handler()) as (smtp, server):
        smtp.send(ANN, replace(NOTICE, quote=quote))

    body = read(server.handler.received[0].content).get_body(("plain",))
    assert body is not None
    assert body.get_content().count("\r\n> .") == 20_000


def test_a_repetition_has_the_same_message_id() -> None:
    with talking_to(Handler()) as (smtp, server):
        assert smtp.send(ANN, NOTICE) == smtp.send(ANN, NOTICE)

    assert len({read(envelope.content)["Message-ID"] for envelope in server.handler.received}) == 1


def test_smtp_cannot_be_asked_what_became_of_a_mail_but_it_may_be_repeated() -> None:
    with sending(9) as smtp, pytest.raises(CannotTell) as caught:
        smtp.find(ANN, NOTICE)

    assert caught.value.repeats == 5


def test_what_is_no_address_is_undeliverable_without_asking_a_server() -> None:
    with talking_to(Handler()) as (smtp, server), pytest.raises(Undeliverable, match="not a mail address"):
        smtp.send(Address("email", "ann@x, eve@evil.example"), NOTICE)

    assert server.connections == 0


# What the server's answers mean


@pytest.mark.parametrize(
    ("step", "answer", "error"),
    [
        ("mail", "451 try again", TryLater),
        ("mail", "550 sender not allowed", TryLater),
        ("mail", "552 too large", Undeliverable),
        ("mail", "530 5.7.0 authentication required", TryLater),
        ("rcpt", "450 greylisted", TryLater),
        ("rcpt", "550 5.1.1 no such user", Undeliverable),
        ("rcpt", "421 closing", TryLater),
        ("rcpt", "530 authentication required", TryLater),
        ("before_354", "451 no disk", TryLater),
        ("before_354", "554 no valid recipients", Undeliverable),
        ("data", "452 no disk", TryLater),
        ("data", "554 5.7.1 spam", Undeliverable),
        ("data", "421 closing", TryLater),
        ("data", "299 odd but fine", None),
    ],
)
def test_a_refusal_is_final_or_not_and_its_text_is_passed_on(
    step: str, answer: str, error: type[Exception] | None
) -> None:
    with talking_to(Handler(**{step: answer})) as (smtp, server):
        if error is None:
            smtp.send(ANN, NOTICE)
            return
        with pytest.raises(error, match=answer):
            smtp.send(ANN, NOTICE)

    assert server.connections == 1


@pytest.mark.parametrize(
    ("step", "error"),
    [
        ("connect", TryLater),
        ("mail", TryLater),
        ("rcpt", TryLater),
        ("before_354", TryLater),
        ("middle", Uncertain),
        ("data", Uncertain),
    ],
)
def test_a_connection_that_is_lost_leaves_doubt_only_once_the_message_was_on_its_way(
    step: str, error: type[Exception]
) -> None:
    with talking_to(Handler(**{step: DROP})) as (smtp, server), pytest.raises(error):
        smtp.send(ANN, NOTICE)

    assert server.connections == 1


@pytest.mark.parametrize(("step", "error"), [("mail", TryLater), ("rcpt", TryLater), ("data", Uncertain)])
def test_a_server_that_falls_silent_is_waited_for_one_network_step(step: str, error: type[Exception]) -> None:
    with talking_to(Handler(**{step: 30.0}), smtp_timeout=timedelta(seconds=0.2)) as (smtp, _):
        started = time.monotonic()
        with pytest.raises(error, match="timed out"):
            smtp.send(ANN, NOTICE)

    assert time.monotonic() - started < 2


def test_a_server_that_drips_is_waited_for_until_the_deadline() -> None:
    with scripted(b"220 welcome\r\n", pause=0.05) as port, sending(port, smtp_deadline=timedelta(seconds=0.3)) as smtp:
        started = time.monotonic()
        with pytest.raises(TryLater):
            smtp.send(ANN, NOTICE)

        assert 0.25 < time.monotonic() - started < 1


@pytest.mark.parametrize("greeting", [b"554 no service\r\n", b"SSH-2.0-OpenSSH\r\n", b"", b"220 " + b"x" * 9000])
def test_a_server_that_does_not_greet_is_tried_later(greeting: bytes) -> None:
    with (
        scripted(greeting) as port,
        sending(port, smtp_timeout=timedelta(seconds=0.2)) as smtp,
        pytest.raises(TryLater, match="cannot connect"),
    ):
        smtp.send(ANN, NOTICE)


def test_a_host_where_nobody_listens_is_tried_later() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with sending(taken.getsockname()[1]) as smtp, pytest.raises(TryLater, match="refused"):
            smtp.send(ANN, NOTICE)


def test_an_answer_to_the_message_that_makes_no_sense_leaves_doubt() -> None:
    replies = (b"220 hi\r\n", b"250 hi\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go on\r\n", b"what?\r\n")
    with scripted(*replies) as port, sending(port) as smtp, pytest.raises(Uncertain):
        smtp.send(ANN, NOTICE)


def test_a_servers_long_answer_is_cut_to_one_short_line() -> None:
    wordy = Handler(rcpt="550-no\r\n550 " + "such user " * 40)
    with talking_to(wordy) as (smtp, _), pytest.raises(Undeliverable) as caught:
        smtp.send(ANN, NOTICE)

    assert "550 no such user such" in str(caught.value)
    assert len(str(caught.value)) < 260
    assert str(caught.value).isprintable()


def test_a_servers_answer_is_passed_on_without_the_customers_address() -> None:
    refusal = Handler(rcpt="550 5.1.1 <ann@example.com>: no such user")
    with talking_to(refusal) as (smtp, _), pytest.raises(Undeliverable, match=r"550 5\.1\.1 <…>: no such user"):
        smtp.send(ANN, NOTICE)


def test_a_mail_larger_than_the_server_takes_is_undeliverable() -> None:
    with (
        Server(Handler(), data_size_limit=500).running() as server,
        sending(server.port) as smtp,
        pytest.raises(Undeliverable, match="552"),
    ):
        smtp.send(ANN, NOTICE)


def test_an_address_beyond_ascii_is_written_to_where_the_server_can() -> None:
    with talking_to(Handler()) as (smtp, server):
        smtp.send(Address("email", "jürgen@straße.example"), NOTICE)
        smtp.send(ANN, NOTICE)

    international, plain = server.handler.received
    assert international.rcpt_tos == ["jürgen@xn--strae-oqa.example"]
    assert {"SMTPUTF8", "BODY=8BITMIME"} <= set(international.mail_options)
    assert "SMTPUTF8" not in plain.mail_options


def test_an_address_beyond_ascii_is_undeliverable_where_the_server_cannot_and_others_are_not() -> None:
    with Server(Handler(), enable_SMTPUTF8=False).running() as server, sending(server.port) as smtp:
        with pytest.raises(Undeliverable, match="SMTPUTF8"):
            smtp.send(Address("email", "jürgen@example.com"), NOTICE)
        smtp.send(ANN, NOTICE)

    assert server.connections == 1


# Connections


def test_a_connection_serves_many_mails() -> None:
    with talking_to(Handler()) as (smtp, server):
        for n in range(20):
            smtp.send(ANN, replace(NOTICE, key=f"ack-{n}"))

    assert (server.connections, len(server.handler.received)) == (1, 20)


@pytest.mark.parametrize("step", ["mail", "rcpt", "before_354", "data"])
def test_a_refusal_costs_no_connection(step: str) -> None:
    handler = Handler(**{step: "451 not now"})
    with talking_to(handler) as (smtp, server):
        with pytest.raises(TryLater):
            smtp.send(ANN, NOTICE)
        handler.answers.clear()
        smtp.send(ANN, NOTICE)

    assert server.connections == 1


def test_a_connection_that_the_server_closed_meanwhile_is_replaced_unnoticed() -> None:
    with talking_to(Handler()) as (smtp, server):
        smtp.send(ANN, NOTICE)
        server.hang_up()
        smtp.send(ANN, NOTICE)

    assert (server.connections, len(server.handler.received)) == (2, 2)


@pytest.mark.parametrize("step", ["mail", "rcpt", "before_354"])
@pytest.mark.parametrize("answer", [DROP, "421 enough for today"])
def test_a_used_connection_that_fails_before_the_message_is_replaced_once(step: str, answer: Answer) -> None:
    handler = Handler()
    with talking_to(handler) as (smtp, server):
        smtp.send(ANN, NOTICE)
        handler.answers[step] = answer
        with pytest.raises(TryLater):
            smtp.send(ANN, NOTICE)

    assert server.connections == 2


def test_a_used_connection_that_fails_after_the_message_is_not_replaced() -> None:
    handler = Handler(data=one_by_one("250 OK", DROP))
    with talking_to(handler) as (smtp, server):
        smtp.send(ANN, NOTICE)
        with pytest.raises(Uncertain):
            smtp.send(ANN, NOTICE)

    assert (server.connections, len(handler.received)) == (1, 1)


def test_a_connection_that_was_idle_for_long_is_let_go() -> None:
    with talking_to(Handler(), idle_for=0.02) as (smtp, server):
        smtp.send(ANN, NOTICE)
        time.sleep(0.05)
        smtp.send(ANN, NOTICE)

        assert eventually(lambda: server.open_now == 1)
    assert server.connections == 2


def test_closing_the_sender_closes_its_connections() -> None:
    with talking_to(Handler()) as (smtp, server):
        smtp.send(ANN, NOTICE)
        smtp.close()

        assert eventually(lambda: server.open_now == 0)


def test_many_threads_share_few_connections() -> None:
    with talking_to(Handler(data=0.005), smtp_connections=4) as (smtp, server), ThreadPoolExecutor(32) as threads:
        list(threads.map(lambda n: smtp.send(ANN, replace(NOTICE, key=f"ack-{n}")), range(200)))

    ids = {read(envelope.content)["Message-ID"] for envelope in server.handler.received}
    assert len(ids) == len(server.handler.received) == 200
    assert server.connections == server.most_open == 4


def test_the_limit_on_connections_holds_while_they_break() -> None:
    answers = [DROP, "250 OK", "451 later", "250 OK", "421 closing"] * 40
    with talking_to(Handler(rcpt=one_by_one(*answers)), smtp_connections=4) as (smtp, server):

        def attempt(n: int) -> bool:
            try:
                smtp.send(ANN, replace(NOTICE, key=f"ack-{n}"))
            except TryLater:
                return False
            return True

        with ThreadPoolExecutor(32) as threads:
            delivered = sum(threads.map(attempt, range(200)))

    assert delivered == len(server.handler.received)
    assert 0 < delivered < 200
    assert server.most_open <= 2 * 4  # it may see each new connection before it sees the end of an old one


def test_who_finds_all_connections_busy_waits_one_step_and_comes_back_later() -> None:
    slow = Handler(mail=0.3, rcpt=0.3, data=0.3)
    with (
        talking_to(slow, smtp_connections=1, smtp_timeout=timedelta(seconds=0.6)) as (smtp, server),
        ThreadPoolExecutor(1) as threads,
    ):
        first = threads.submit(smtp.send, ANN, NOTICE)
        assert eventually(lambda: server.connections == 1)
        with pytest.raises(TryLater, match="busy"):
            smtp.send(ANN, NOTICE)
        first.result()


# Where bounces go


AUTOMATIC = replace(NOTICE, incident_id="01a20aa6-fe10-7546-96ca-4f715fe2fe96")
BY_AN_AGENT = replace(AUTOMATIC, key="reply-1", kind=NoticeKind.REPLY)
TOKENS = Tokens("k" * 32)
OWN = "support@firstline.example"
VERP = "support+"


@pytest.mark.parametrize(
    ("return_path", "plus", "automatic", "by_an_agent"),
    [
        ("auto", True, VERP, VERP),
        ("auto", False, "<>", OWN),
        ("verp", True, VERP, VERP),
        ("verp", False, VERP, VERP),
        ("null", True, "<>", OWN),
        ("null", False, "<>", OWN),
        ("from", True, OWN, OWN),
    ],
)
def test_a_bounce_goes_where_it_is_read_and_that_of_automatic_mail_may_go_nowhere(
    return_path: str, plus: bool, automatic: str, by_an_agent: str
) -> None:
    with talking_to(Handler(), tokens=lambda: TOKENS, plus=plus, mail_return_path=return_path) as (smtp, server):
        smtp.send(ANN, AUTOMATIC)
        smtp.send(ANN, BY_AN_AGENT)

    assert [_kind_of(envelope) for envelope in server.handler.received] == [automatic, by_an_agent]


def _kind_of(envelope: Envelope) -> str:
    """`VERP` for a return address of ours with a good token, else the address as it is."""
    assert envelope.mail_from is not None
    sealed = TOKENS.read_address(envelope.mail_from)
    return VERP if sealed is not None and sealed.kind == "bounce" else envelope.mail_from


def test_a_signed_return_address_says_which_mail_came_back() -> None:
    with talking_to(Handler(), tokens=lambda: TOKENS, plus=True) as (smtp, server):
        sent = smtp.send(ANN, AUTOMATIC)

    [envelope] = server.handler.received
    assert TOKENS.read_address(str(envelope.mail_from)) == Sealed(
        AUTOMATIC.incident_id, "customer", "bounce", digest_of("ack-7")
    )
    assert sent.provider_id == read(envelope.content)["Message-ID"]
    assert TOKENS.read_message_id(sent.provider_id) is not None


def test_without_tokens_there_is_no_signed_return_address() -> None:
    with talking_to(Handler(), mail_return_path="verp") as (smtp, server):
        smtp.send(ANN, NOTICE)

    assert server.handler.received[0].mail_from == OWN


class OnlyOwn(Handler):
    """A server that lets nobody be another envelope sender than `support@firstline.example`, and says so at a step."""

    def __init__(self, step: str, refusal: str = "553 5.7.1 sender address rejected") -> None:
        super().__init__()
        self.step, self.refusal = step, refusal
        self.refused = 0
        self._path: str | None = None

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self._path = address
        return await super().handle_MAIL(server, session, envelope, address, options)

    async def answer(self, server: SMTP, step: str) -> str:
        if step == self.step and self._path != OWN:
            self.refused += 1
            return self.refusal
        return await super().answer(server, step)


@pytest.mark.parametrize("step", ["mail", "rcpt", "data"])
@pytest.mark.parametrize("plus", [True, False])
def test_where_only_mail_from_may_send_it_sends_and_an_operator_is_told_once(step: str, plus: bool) -> None:
    handler = OnlyOwn(step)
    with capture_logs() as logs, talking_to(handler, tokens=lambda: TOKENS, plus=plus) as (smtp, server):
        for n in range(3):
            smtp.send(ANN, replace(AUTOMATIC, key=f"ack-{n}"))

    assert [envelope.mail_from for envelope in handler.received] == [OWN] * 3
    assert (handler.refused, server.connections) == (1, 1)
    [warning] = [entry for entry in logs if entry["event"] == "smtp.return_path_refused"]
    assert "MAIL_RETURN_PATH" in warning["remedy"]
    assert warning["log_level"] == "warning"


def test_where_the_server_hangs_up_on_a_sender_the_next_attempt_is_mail_from() -> None:
    with (
        capture_logs() as logs,
        scripted(b"220 hi\r\n", b"250 hi\r\n", b"550 no empty senders\r\n") as port,
        sending(port) as smtp,
        pytest.raises(TryLater, match="no empty senders"),
    ):
        smtp.send(ANN, NOTICE)

    assert [entry["event"] for entry in logs] == ["smtp.return_path_refused"]


def test_a_customer_who_is_refused_under_either_sender_is_undeliverable_and_nothing_is_learnt() -> None:
    handler = Handler(rcpt=one_by_one("550 5.1.1 no such user", "550 5.1.1 no such user"))
    with capture_logs() as logs, talking_to(handler) as (smtp, _):
        with pytest.raises(Undeliverable, match="no such user"):
            smtp.send(ANN, NOTICE)
        smtp.send(ANN, NOTICE)

    assert [envelope.mail_from for envelope in handler.received] == ["<>"]
    assert logs == []


def test_where_the_empty_sender_has_worked_a_refused_customer_is_not_asked_for_twice() -> None:
    handler = Handler(rcpt=one_by_one("250 OK", "550 5.1.1 no such user"))
    with talking_to(handler) as (smtp, _):
        smtp.send(ANN, NOTICE)
        with pytest.raises(Undeliverable):
            smtp.send(ANN, NOTICE)
        smtp.send(ANN, NOTICE)

    assert [envelope.mail_from for envelope in handler.received] == ["<>", "<>"]


def test_a_server_that_takes_the_empty_sender_no_more_gets_mail_from() -> None:
    handler = Handler(mail=one_by_one("250 OK", "550 5.1.8 no empty senders"))
    with talking_to(handler) as (smtp, _):
        for _ in range(3):
            smtp.send(ANN, NOTICE)

    assert [envelope.mail_from for envelope in handler.received] == ["<>", OWN, OWN]


@pytest.mark.parametrize("step", ["mail", "rcpt", "data"])
def test_a_refusal_for_now_says_nothing_of_the_sender(step: str) -> None:
    handler = OnlyOwn(step, "451 later")
    with talking_to(handler) as (smtp, _):
        for _ in range(2):
            with pytest.raises(TryLater):
                smtp.send(ANN, NOTICE)

    assert handler.refused == 2


def test_no_answer_to_the_message_is_never_followed_by_the_same_mail_from_another_sender() -> None:
    handler = Handler(data=one_by_one(DROP))
    with talking_to(handler) as (smtp, server), pytest.raises(Uncertain):
        smtp.send(ANN, NOTICE)

    assert (server.connections, handler.received) == (1, [])


# Signatures (DKIM)


@pytest.fixture(scope="module")
def dkim_key(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """A file with a private key, and what the DNS says of it."""
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    der = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    path = tmp_path_factory.mktemp("dkim") / "dkim.pem"
    path.write_bytes(pem)
    return path, b"v=DKIM1; k=rsa; p=" + b64encode(der)


def test_a_mail_is_signed_and_arrives_as_it_was_signed(dkim_key: tuple[Path, bytes]) -> None:
    path, record = dkim_key
    asked: list[bytes] = []

    def dns(name: bytes, timeout: float = 5) -> bytes:
        asked.append(name)
        return record

    notice = replace(AUTOMATIC, quote="dots\n.\n..\nümlaut", topic="Zweimal bezahlt, 10 €", references=("<c1@x>",))
    signing: dict[str, Any] = {"mail_dkim_key": path, "mail_dkim_selector": "s2026"}
    with talking_to(Handler(), tokens=lambda: TOKENS, plus=True, **signing) as (smtp, server):
        smtp.send(ANN, notice)

    content = server.handler.received[0].content
    assert isinstance(content, bytes)
    assert dkim.verify(content, dnsfunc=dns)
    assert asked == [b"s2026._domainkey.firstline.example."]
    for said, forgery in (
        (b"<c1@x>", b"<c2@x>"),
        (b"TKT-98042a72=5D", b"TKT-98042a73=5D"),
        (b"an incident", b"no incident"),
    ):
        forged = content.replace(said, forgery)
        assert forged != content
        assert not dkim.verify(forged, dnsfunc=dns)


def test_files_are_signed_too(dkim_key: tuple[Path, bytes], tmp_path: Path) -> None:
    path, record = dkim_key
    files = EmlSender(configured(outbox=tmp_path, mail_from=OWN, mail_dkim_key=path, mail_dkim_selector="s2026"))
    files.send(ANN, NOTICE)

    assert dkim.verify((tmp_path / "ack-7.eml").read_bytes(), dnsfunc=lambda name, timeout=5: record)


def test_a_file_that_is_no_key_is_named_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("not a key: hunter2")

    with pytest.raises(ConfigurationError, match="MAIL_DKIM_KEY") as caught:
        sender(configured(mail_dkim_key=tmp_path / "key.pem", mail_dkim_selector="s2026"))

    assert "hunter2" not in str(caught.value)


# Encryption and logging in


@contextmanager
def logging_in(server_tls: ssl.SSLContext, ca: Path, password: str) -> Iterator[tuple[SmtpSender, Server]]:
    """A server that demands STARTTLS and a login, and a sender with this password."""
    demands: dict[str, Any] = {"require_starttls": True, "auth_required": True, "authenticator": only_ann}
    login: dict[str, Any] = {"smtp_user": "ann", "smtp_password": password}
    with (
        Server(Handler(), tls_context=server_tls, **demands).running() as server,
        sending(server.port, smtp_tls="starttls", smtp_ca_file=ca, **login) as smtp,
    ):
        yield smtp, server


def test_mail_goes_out_encrypted_and_logged_in(certificate: Path, server_tls: ssl.SSLContext) -> None:
    with logging_in(server_tls, certificate, PASSWORD) as (smtp, server):
        smtp.send(ANN, NOTICE)
        smtp.send(ANN, NOTICE)

    assert (server.connections, len(server.handler.received)) == (1, 2)


def test_a_wrong_password_is_tried_later_and_told_to_nobody(certificate: Path, server_tls: ssl.SSLContext) -> None:
    with (
        logging_in(server_tls, certificate, "wrong-horse") as (smtp, _),
        pytest.raises(TryLater, match="535") as caught,
    ):
        smtp.send(ANN, NOTICE)

    assert "wrong-horse" not in f"{caught.value!r} {caught.value.__cause__!r}"


def test_mail_goes_out_over_tls_from_the_first_byte(certificate: Path, server_tls: ssl.SSLContext) -> None:
    with (
        Server(Handler(), tls=server_tls).running() as server,
        sending(server.port, smtp_tls="tls", smtp_ca_file=certificate) as smtp,
    ):
        smtp.send(ANN, NOTICE)

    assert len(server.handler.received) == 1


@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_a_certificate_that_nobody_vouches_for_is_not_trusted(tls: str, server_tls: ssl.SSLContext) -> None:
    outer = server_tls if tls == "tls" else None
    inner = server_tls if tls == "starttls" else None
    with (
        Server(Handler(), tls=outer, tls_context=inner).running() as server,
        sending(server.port, smtp_tls=tls) as smtp,
        pytest.raises(TryLater, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        smtp.send(ANN, NOTICE)

    assert server.handler.received == []


def test_a_server_without_starttls_gets_nothing() -> None:
    with talking_to(Handler(), smtp_tls="starttls") as (smtp, server), pytest.raises(TryLater, match="STARTTLS"):
        smtp.send(ANN, NOTICE)

    assert server.handler.received == []


def test_a_server_without_login_gets_no_password_and_no_mail() -> None:
    login = {"smtp_user": "ann", "smtp_password": PASSWORD}
    with talking_to(Handler(), **login) as (smtp, server), pytest.raises(TryLater, match="AUTH"):
        smtp.send(ANN, NOTICE)

    assert server.handler.received == []


# Files


def outbox(folder: Path) -> EmlSender:
    return EmlSender(configured(outbox=folder, mail_from="support@firstline.example"))


def test_without_a_server_a_mail_becomes_a_file(tmp_path: Path) -> None:
    sent = outbox(tmp_path / "new" / "outbox").send(ANN, NOTICE)

    mail = read((tmp_path / "new" / "outbox" / "ack-7.eml").read_bytes())
    assert (mail["To"], mail["Subject"]) == ("ann@example.com", NOTICE.subject)
    assert sent.provider_id == mail["Message-ID"]


def test_a_repetition_overwrites_the_file(tmp_path: Path) -> None:
    outbox(tmp_path).send(ANN, NOTICE)
    outbox(tmp_path).send(ANN, replace(NOTICE, subject="Once more"))

    [file] = tmp_path.iterdir()
    assert read(file.read_bytes())["Subject"] == "Once more"


def test_many_threads_writing_one_file_leave_one_whole_file(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: outbox(tmp_path).send(ANN, NOTICE), range(40)))

    [file] = tmp_path.iterdir()
    assert file.read_bytes().endswith(b"--\r\n")


def test_the_outbox_can_tell_whether_a_mail_is_there(tmp_path: Path) -> None:
    files = outbox(tmp_path / "outbox")

    assert files.find(ANN, NOTICE) is None
    sent = files.send(ANN, NOTICE)
    assert files.find(ANN, NOTICE) == sent
    assert files.find(ANN, replace(NOTICE, key="ack-8")) is None


@pytest.mark.parametrize("key", ["../../evil", "/etc/passwd", "..", "", "a\x00b", "C:\\x", "x" * 5000])
def test_no_key_leads_out_of_the_folder(tmp_path: Path, key: str) -> None:
    (tmp_path / "outbox").mkdir()
    outbox(tmp_path / "outbox").send(ANN, replace(NOTICE, key=key))

    assert os.listdir(tmp_path) == ["outbox"]
    assert len(os.listdir(tmp_path / "outbox")) == 1


def test_a_folder_that_cannot_be_made_is_tried_later(tmp_path: Path) -> None:
    (tmp_path / "outbox").write_text("a file")

    with pytest.raises(TryLater, match="OUTBOX: File exists"):
        outbox(tmp_path / "outbox").send(ANN, NOTICE)


def test_a_file_that_cannot_be_written_whole_is_tried_later_and_leaves_nothing(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, hard))
    try:
        with pytest.raises(TryLater, match="OUTBOX: File too large"):
            outbox(tmp_path).send(ANN, NOTICE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert os.listdir(tmp_path) == []


def test_a_file_for_what_is_no_address_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(Undeliverable):
        outbox(tmp_path).send(Address("email", "nobody"), NOTICE)

    assert os.listdir(tmp_path) == []


# Settings


@pytest.fixture
def no_env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.chdir(tmp_path)
    return monkeypatch


def test_mail_is_simulated_until_a_server_is_named() -> None:
    simulated, real = sender(configured()), sender(configured(smtp_host="mail.example.com"))

    assert (simulated.name, simulated.simulated, simulated.deadline) == ("email", True, 30)
    assert (real.name, real.simulated, real.deadline) == ("email", False, 30)


@pytest.mark.parametrize(("tls", "port"), [("starttls", 587), ("tls", 465), ("none", 25)])
def test_the_port_follows_from_the_encryption(no_env_file: pytest.MonkeyPatch, tls: str, port: int) -> None:
    no_env_file.setenv("SMTP_TLS", tls)
    assert MailSettings.read().port == port

    no_env_file.setenv("SMTP_PORT", "2525")
    assert MailSettings.read().port == 2525


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"SMTP_HOST": "mx.test", "SMTP_USER": "ann"}, "SMTP_PASSWORD: .*SMTP_USER is set"),
        ({"SMTP_HOST": "mx.test", "SMTP_PASSWORD": "hunter2"}, "SMTP_PASSWORD: .*set SMTP_USER"),
        ({"SMTP_USER": "ann", "SMTP_PASSWORD": "hunter2"}, "SMTP_USER: .*set SMTP_HOST"),
        ({"SMTP_HOST": "mx.test", "SMTP_USER": "ann", "SMTP_PASSWORD": "hunter2é"}, "SMTP_PASSWORD: .*ASCII"),
        ({"SMTP_HOST": "mx.test:587"}, "SMTP_HOST: .*SMTP_PORT"),
        ({"SMTP_HOST": "smtp://mx.test"}, "SMTP_HOST: "),
        ({"SMTP_TLS": "ssl"}, "SMTP_TLS: "),
        ({"SMTP_CA_FILE": "/nowhere/ca.pem"}, "SMTP_CA_FILE: "),
        ({"SMTP_TIMEOUT": "0s"}, "SMTP_TIMEOUT: "),
        ({"MAIL_FROM": "Firstline"}, "MAIL_FROM: .*no mail address"),
        ({"MAIL_FROM": "Firstline <support@a.test> <b@a.test>"}, "MAIL_FROM: .*no mail address"),
        ({"MAIL_FROM": "jürgen@a.test"}, "MAIL_FROM: .*ASCII"),
        ({"MAIL_RETURN_PATH": "bounce@a.test"}, "MAIL_RETURN_PATH: "),
        ({"MAIL_DKIM_KEY": "/nowhere/key.pem"}, "MAIL_DKIM_KEY: "),
        ({"MAIL_DKIM_KEY": __file__}, "MAIL_DKIM_SELECTOR: .*MAIL_DKIM_KEY is set"),
        ({"MAIL_DKIM_SELECTOR": "s2026"}, "MAIL_DKIM_SELECTOR: .*set MAIL_DKIM_KEY"),
        ({"MAIL_DKIM_KEY": __file__, "MAIL_DKIM_SELECTOR": "s;2026"}, "MAIL_DKIM_SELECTOR: .*not a selector"),
    ],
)
def test_a_half_configuration_is_named_without_its_secret(
    no_env_file: pytest.MonkeyPatch, environment: dict[str, str], message: str
) -> None:
    for variable, value in environment.items():
        no_env_file.setenv(variable, value)

    with pytest.raises(ConfigurationError, match=message) as caught:
        MailSettings.read()

    assert "hunter2" not in str(caught.value)
    assert str(caught.value).count("\n") == 1


def test_a_file_without_certificates_is_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")

    with pytest.raises(ConfigurationError, match="SMTP_CA_FILE"):
        sender(configured(smtp_host="mx.test", smtp_ca_file=tmp_path / "ca.pem"))


def test_every_setting_is_described() -> None:
    assert all(field.description for field in MailSettings.model_fields.values())
