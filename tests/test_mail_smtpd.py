"""Mail that comes by SMTP and LMTP: real clients, and raw sockets where a client would not do what is to be tested."""

import email
import logging
import smtplib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import structlog

from adapters.mail.settings import Listen, MailInSettings
from adapters.mail.smtpd import Patience, SmtpListener
from bot.errors import ConfigurationError
from tests.fakes import TestClock
from tests.mail_door import AWAY, TakingDoor
from tests.mailbox import free_port, wait_until

MAIL = b"From: Ana <ana@example.com>\r\nSubject: Charged twice\r\nMessage-ID: <1@example.com>\r\n\r\nTwice!\r\n"
OURS = "support@example.com"


class Site:
    """A listener that is up, and its door."""

    def __init__(self, door: TakingDoor, ports: dict[str, int]) -> None:
        self.door = door
        self.ports = ports

    def smtp(self) -> smtplib.SMTP:
        return smtplib.SMTP("127.0.0.1", self.ports["smtp"], local_hostname="relay.example.com", timeout=10)

    def lmtp(self) -> smtplib.LMTP:
        return smtplib.LMTP("127.0.0.1", self.ports["lmtp"], local_hostname="relay.example.com", timeout=10)

    def wire(self, protocol: str = "smtp") -> "Wire":
        return Wire(self.ports[protocol])


class Wire:
    """A client that says what it is told to, byte by byte. A context manager."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 10)
        self._file = self.socket.makefile("rb")

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *exc: object) -> None:
        self._file.close()
        self.socket.close()

    def say(self, data: bytes) -> None:
        self.socket.sendall(data)

    def reply(self) -> str:
        """One reply: its last line. Empty if the connection has ended."""
        while True:
            line = self._file.readline().decode()
            if line[3:4] != "-":
                return line.rstrip()

    def begin(self, recipients: int = 1, hello: str = "EHLO") -> None:
        """Go as far as the 354."""
        assert self.reply().startswith("220 ")
        self.say(f"{hello} relay.example.com\r\nMAIL FROM:<ana@example.com>\r\n".encode())
        self.say(f"RCPT TO:<{OURS}>\r\n".encode() * recipients + b"DATA\r\n")
        replies = [self.reply() for _ in range(recipients + 3)]
        assert replies[-1].startswith("354 "), replies


@contextmanager
def site(patience: Patience | None = None, door: TakingDoor | None = None, **settings: Any) -> Iterator[Site]:
    door, ports = door or TakingDoor(), {"smtp": free_port(), "lmtp": free_port()}
    where = ",".join(f"{protocol}://127.0.0.1:{port}" for protocol, port in ports.items())
    read = MailInSettings(_env_file=None, mail_listen=where, **settings)  # type: ignore[call-arg]
    with SmtpListener(read, TestClock(), patience).listening(door, None):  # type: ignore[arg-type]
        yield Site(door, ports)


@pytest.fixture(scope="module")
def listener() -> Iterator[Site]:
    logging.getLogger("mail.log").setLevel(logging.ERROR)
    with site(max_mail=300_000) as found:
        yield found


@pytest.fixture
def up(listener: Site) -> Site:
    """The listener that the tests share, whose door has taken nothing yet."""
    listener.door.begin(OURS, "hilfe@example.com", "hilfe@bücher.example")
    return listener


def test_a_mail_is_taken_with_its_envelope_before_its_sender_is_told(up: Site) -> None:
    with up.smtp() as client:
        client.sendmail("ana@example.com", [OURS], MAIL)
    assert up.door.raw.endswith(MAIL)
    assert up.door.envelope.sender == "ana@example.com"
    assert up.door.envelope.recipients == (OURS,)
    assert up.door.envelope.source == "smtp"


def test_a_mail_that_is_not_committed_is_left_to_its_sender(up: Site) -> None:
    up.door.failures = [AWAY, RuntimeError("a mistake of ours, with ana@example.com in it")]
    with up.smtp() as client:
        for _ in range(2):
            with pytest.raises(smtplib.SMTPDataError) as refused:
                client.sendmail("ana@example.com", [OURS], MAIL)
            assert refused.value.smtp_code == 451
            assert b"ana@" not in refused.value.smtp_error  # type: ignore[operator]
        assert up.door.mails == []
        client.sendmail("ana@example.com", [OURS], MAIL)
    assert len(up.door.mails) == 1


def test_the_mark_of_the_way_names_the_client_and_the_one_recipient(up: Site) -> None:
    with up.smtp() as client:
        client.sendmail("ana@example.com", [OURS], MAIL)
        client.sendmail("ana@example.com", [OURS, "hilfe@example.com"], MAIL)
    one, both = (email.message_from_bytes(raw)["Received"] for raw, _ in up.door.mails)
    assert "from relay.example.com ([127.0.0.1])" in one
    assert "with ESMTP" in one
    assert f"for <{OURS}>" in one
    assert one.endswith("Sun, 22 Nov 2026 12:00:00 +0000")
    assert OURS not in both


def test_a_mail_to_several_of_our_addresses_is_one_mail(up: Site) -> None:
    with up.smtp() as client:
        client.sendmail("ana@example.com", [OURS, "hilfe@example.com", OURS], MAIL)
    assert up.door.envelope.recipients == (OURS, "hilfe@example.com")


@pytest.mark.parametrize(
    "recipient",
    [
        "<ana@elsewhere.example>",
        "<@relay.example,@other.example:support@example.com>",
        "<@relay.example:ana@elsewhere.example>",
        "<ana%elsewhere.example@example.com>",
        "<support+ana%elsewhere.example@example.com>",
        "<elsewhere.example!ana@example.com>",
        '<"ana@elsewhere.example"@example.com>',
        "<>",
        "<postmaster>",
        "ana@elsewhere.example",
    ],
)
def test_it_is_no_relay(up: Site, recipient: str) -> None:
    with up.smtp() as client:
        client.ehlo()
        client.mail("ana@example.com")
        code, says = client.docmd("RCPT", f"TO:{recipient}")
        assert (code, says[:5]) == (550, b"5.1.1")
        assert client.docmd("DATA")[0] == 503


@pytest.mark.parametrize("recipient", ["<support@example.com", "<sup port@example.com>", "< >", ""])
def test_what_is_no_address_is_refused(up: Site, recipient: str) -> None:
    with up.smtp() as client:
        client.ehlo()
        client.mail("ana@example.com")
        assert client.docmd("RCPT", f"TO:{recipient}")[0] == 553


def test_the_empty_sender_of_a_bounce_is_taken(up: Site) -> None:
    with up.smtp() as client:
        client.sendmail("", ["support+t0k3n@example.com"], MAIL)
    assert up.door.envelope.sender == ""
    assert up.door.envelope.recipients == ("support+t0k3n@example.com",)


def test_a_client_cannot_write_into_the_mark_of_the_way(up: Site) -> None:
    with up.smtp() as client:
        client.ehlo("x (y)\tby forged;")
        client.sendmail("ana@example.com", [OURS], MAIL)
    assert b"Received: from xybyforged ([127.0.0.1])\r\n\tby " in up.door.raw


def test_a_mistake_of_ours_is_no_reason_to_refuse_an_address(up: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def mistaken(address: str) -> bool:
        raise RuntimeError(address)

    monkeypatch.setattr(up.door, "is_ours", mistaken)
    with up.smtp() as client:
        client.ehlo()
        client.mail("ana@example.com")
        assert client.rcpt(OURS) == (451, b"4.3.0 Something went wrong here; try again")


def test_more_recipients_than_a_hundred_are_put_off(up: Site) -> None:
    with up.smtp() as client:
        client.ehlo()
        client.mail("ana@example.com")
        codes = [client.rcpt(f"support+{number}@example.com")[0] for number in range(101)]
    assert codes == [250] * 100 + [452]


def test_a_mail_that_is_too_large_is_refused_when_it_is_announced_and_when_it_is_not(up: Site) -> None:
    large = MAIL + b"x" * 76 * 5000
    with up.smtp() as client:
        client.ehlo()
        assert client.esmtp_features["size"] == "300000"
        with pytest.raises(smtplib.SMTPSenderRefused) as announced:
            client.sendmail("ana@example.com", [OURS], large)
        assert announced.value.smtp_code == 552
        client.mail("ana@example.com")
        client.rcpt(OURS)
        code, says = client.data(large)
        assert (code, says[:5]) == (552, b"5.3.4")
        client.sendmail("ana@example.com", [OURS], MAIL)
    assert up.door.raw.endswith(MAIL)


def test_long_lines_and_eight_bits_arrive_as_they_are(up: Site) -> None:
    mail = (
        MAIL
        + ("ü" * 70_000 + "\r\n" + "." * 66_000 + "\r\n").encode()
        + b"\r\n\xff\xfe\x00 bare\rCR bare\nLF\r\n.\r\n.."
    )
    with up.smtp() as client:
        client.sendmail("ana@example.com", [OURS], mail, ["BODY=8BITMIME"])
    assert up.door.raw.endswith(b"+0000\r\n" + mail + b"\r\n")


def test_every_byte_between_two_ends_of_lines_arrives(up: Site) -> None:
    content = MAIL + b"a\x00b\rc\nd\r\r\n..\r\n" + b"." * 200 + b"e" * 65_534 + b"\r\n" + b"f" * 65_535 + b"\r\n"
    with up.wire() as wire:
        wire.begin()
        wire.say(content.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        assert wire.reply().startswith("250 2.0.0 ")
    assert up.door.raw.endswith(b"+0000\r\n" + content)


def test_a_mail_may_come_byte_by_byte(up: Site) -> None:
    with up.wire() as wire:
        wire.begin()
        wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in MAIL + b"..\r\n\r\n\r\n.x\r\n.\r\nNOOP\r\n":
            wire.say(bytes([byte]))
            time.sleep(0.0005)
        assert wire.reply().startswith("250 2.0.0 mail 1 ")
        assert wire.reply().startswith("250 2.0.0 OK")
    assert up.door.raw.endswith(MAIL + b".\r\n\r\n\r\nx\r\n")


@pytest.mark.parametrize("content", [b"", b".\r\n", b"\r\n", b"x\r\n"])
def test_a_mail_may_be_next_to_nothing(up: Site, content: bytes) -> None:
    with up.wire() as wire:
        wire.begin()
        wire.say(content.replace(b".", b"..") + b".\r\n")
        assert wire.reply().startswith("250 ")
    assert up.door.raw.endswith(b"+0000\r\n" + content)


@pytest.mark.parametrize("line", [b"..\r\n", b"x" * 1000 + b"\r\n", b"\r\n"])
def test_the_limit_is_that_of_the_mail_and_not_of_how_it_is_sent(up: Site, line: bytes) -> None:
    sent = line * (300_000 // len(line.replace(b"..", b".")))
    with up.wire() as wire:
        wire.begin()
        wire.say(sent + b".\r\nMAIL FROM:<>\r\n" + f"RCPT TO:<{OURS}>\r\nDATA\r\n".encode())
        assert [wire.reply()[:3] for _ in range(4)] == ["250", "250", "250", "354"]
        wire.say(sent + line * 2 + b".\r\nNOOP\r\n")
        assert [wire.reply()[:3] for _ in range(2)] == ["552", "250"]
    assert up.door.raw.endswith(b"+0000\r\n" + sent.replace(b"..", b"."))


def test_addresses_in_other_scripts_are_taken(up: Site) -> None:
    with up.smtp() as client:
        client.ehlo()
        assert client.has_extn("smtputf8")
        client.sendmail("josé@bücher.example", ["hilfe@bücher.example"], MAIL, ["SMTPUTF8"])
    assert up.door.envelope.sender == "josé@bücher.example"
    assert "with UTF8SMTP" in up.door.raw.decode()
    assert "for <hilfe@bücher.example>" in up.door.raw.decode()


@pytest.mark.parametrize(
    "end", [b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\n", b"\r.\r\n", b"\n.\r", b"\r\n.\r", b"\0.\r\n"]
)
def test_no_mail_can_be_smuggled_in_behind_something_that_only_resembles_an_end(up: Site, end: bytes) -> None:
    smuggled = end + b"MAIL FROM:<admin@example.com>\r\nRCPT TO:<" + OURS.encode() + b">\r\nDATA\r\nsmuggled\r\n"
    with up.wire() as wire:
        wire.begin()
        wire.say(MAIL + b"more" + smuggled + b".\r\nQUIT\r\n")
        assert wire.reply().startswith("250 2.0.0 mail 1 ")
        assert wire.reply().startswith("221 ")
        assert wire.reply() == ""
    assert up.door.envelope.sender == "ana@example.com"
    assert up.door.raw.endswith((MAIL + b"more" + smuggled).replace(b"\r\n.", b"\r\n"))


def test_a_client_may_say_everything_at_once(up: Site) -> None:
    one = f"MAIL FROM:<ana@example.com>\r\nRCPT TO:<{OURS}>\r\nRCPT TO:<no@example.com>\r\nDATA\r\n".encode()
    with up.wire() as wire:
        wire.say(b"EHLO relay.example.com\r\n" + (one + MAIL + b".\r\n") * 2 + b"QUIT\r\n")
        codes = [wire.reply()[:3] for _ in range(13)]
    assert codes == ["220", "250", *["250", "250", "550", "354", "250"] * 2, "221"]
    assert len(up.door.mails) == 1  # the second was the same


def test_a_client_that_hangs_up_in_the_middle_has_brought_nothing(up: Site) -> None:
    with up.wire() as wire:
        wire.begin()
        wire.say(MAIL)
    with up.smtp() as client:
        client.sendmail("ana@example.com", [OURS], MAIL + b"whole")
    assert up.door.raw.endswith(b"whole\r\n")


def test_a_mail_is_taken_though_its_client_does_not_wait_for_the_answer(up: Site) -> None:
    up.door.gate.clear()
    with up.wire() as wire:
        wire.begin()
        wire.say(MAIL + b".\r\n")
        assert up.door.waiting.wait(10)
    up.door.gate.set()
    wait_until(lambda: len(up.door.mails) == 1)


def test_nobody_can_log_in_and_nobody_is_told_who_is_here(up: Site) -> None:
    with up.smtp() as client:
        client.ehlo()
        assert not {"auth", "starttls"} & set(client.esmtp_features)
        assert client.docmd("AUTH", "PLAIN AGFuYQBzZWNyZXQ=")[0] == 500
        assert client.docmd("STARTTLS")[0] == 500
        assert client.vrfy(OURS)[0] == client.vrfy("nobody@example.com")[0] == client.docmd("VRFY")[0] == 252
        assert client.expn(OURS)[0] == 500


def test_every_reply_has_an_enhanced_status_code_but_those_to_a_greeting(up: Site) -> None:
    with up.wire() as wire:
        assert wire.reply().startswith("220 ")
        wire.say(
            b"HELO relay.example.com\r\nNOOP\r\nRSET\r\nMAIL FROM:<a@b.example>\r\nMAIL FROM:<a@b.example>\r\nODD\r\n"
        )
        assert " Firstline" not in (hello := wire.reply())
        assert hello.startswith("250 ")
        assert hello[4:6] != "2."
        assert [wire.reply()[:10] for _ in range(5)] == [
            "250 2.0.0 ",
            "250 2.0.0 ",
            "250 2.0.0 ",
            "503 5.0.0 ",
            "500 5.0.0 ",
        ]


@pytest.mark.parametrize(
    "line", [b"x" * 100_000, b"MAIL FROM:<" + b"x" * 5000 + b">", b"\xff\xfe\r\nRCPT TO:<\xff@a.b>"]
)
def test_what_makes_no_sense_is_refused_and_the_connection_goes_on(up: Site, line: bytes) -> None:
    with up.wire() as wire:
        assert wire.reply().startswith("220 ")
        wire.say(b"EHLO relay.example.com\r\n" + line + b"\r\n")
        assert wire.reply().startswith("250")
        assert wire.reply().startswith("5")
        wire.say(b"QUIT\r\n")
        wait_until(lambda: wire.reply().startswith("221"))


def test_many_clients_at_once_are_all_heard(up: Site) -> None:
    def bring(number: int) -> None:
        with up.smtp() as client:
            client.sendmail("ana@example.com", [OURS], MAIL + b"%d" % number)

    clients = [threading.Thread(target=bring, args=(number,)) for number in range(30)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert len(up.door.mails) == 30


# --- LMTP


def test_lmtp_answers_for_each_recipient_and_the_mail_is_one(up: Site) -> None:
    with up.wire("lmtp") as wire:
        wire.begin(recipients=3, hello="LHLO")
        wire.say(MAIL + b".\r\nNOOP\r\n")
        assert [wire.reply()[:15] for _ in range(3)] == ["250 2.0.0 mail "] * 3
        assert wire.reply() == "250 2.0.0 OK"
    assert up.door.envelope.recipients == (OURS,)
    assert up.door.envelope.source == "lmtp"
    assert b"with LMTP" in up.door.raw


def test_lmtp_answers_only_for_the_recipients_that_it_took(up: Site) -> None:
    with up.wire("lmtp") as wire:
        wire.say(b"LHLO relay.example.com\r\nMAIL FROM:<ana@example.com>\r\nRCPT TO:<support@example.com>\r\n")
        wire.say(b"RCPT TO:<no@example.com>\r\nRCPT TO:<hilfe@example.com>\r\nDATA\r\n")
        wire.say(MAIL + b".\r\nQUIT\r\n")
        codes = [wire.reply()[:3] for _ in range(10)]
    assert codes == ["220", "250", "250", "250", "550", "250", "354", "250", "250", "221"]
    assert up.door.envelope.recipients == (OURS, "hilfe@example.com")


def test_lmtp_tells_each_recipient_of_a_failure(up: Site) -> None:
    up.door.failures = [AWAY]
    with up.wire("lmtp") as wire:
        wire.begin(recipients=2, hello="LHLO")
        wire.say(MAIL + b".\r\n")
        assert [wire.reply()[:9] for _ in range(2)] == ["451 4.3.0"] * 2


def test_lmtp_has_its_own_greeting_and_what_it_must_have(up: Site) -> None:
    with up.lmtp() as client:
        assert client.docmd("HELO", "relay.example.com")[0] == client.docmd("EHLO", "relay.example.com")[0] == 500
        client.ehlo()  # smtplib says LHLO
        assert {"pipelining", "enhancedstatuscodes", "8bitmime", "size"} <= set(client.esmtp_features)


# --- limits, and stopping


def test_a_client_that_says_nothing_is_sent_away() -> None:
    with site(Patience(idle=0.2)) as here, here.wire() as wire:
        assert wire.reply().startswith("220 ")
        assert wire.reply().startswith("421 4.4.2 ")
        assert wire.reply() == ""


def test_a_client_that_does_not_read_what_it_is_told_is_sent_away() -> None:
    def is_let_in() -> bool:
        with here.wire() as again:
            return again.reply().startswith("220 ")

    with site(Patience(idle=0.2, connections=1)) as here, socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", here.ports["smtp"]))
        deaf.settimeout(0.2)
        with suppress(OSError):
            while deaf.send(b"EHLO relay.example.com\r\n" * 500):
                pass
        wait_until(is_let_in)


def test_a_client_that_never_ends_its_mail_is_sent_away() -> None:
    with site(Patience(mail=0.3)) as here, here.wire() as wire:
        wire.begin()
        wire.say(MAIL)
        assert wire.reply().startswith("421 4.4.2 ")
        assert wire.reply() == ""
        assert here.door.mails == []


def test_a_connection_too_many_is_turned_away_until_another_ends() -> None:
    with site(Patience(connections=2)) as here:
        with here.wire() as one, here.wire() as two, here.wire() as three:
            assert one.reply().startswith("220 ")
            assert two.reply().startswith("220 ")
            assert three.reply().startswith("421 4.3.2 ")
            assert three.reply() == ""

        def is_let_in() -> bool:
            with here.wire() as again:
                return again.reply().startswith("220 ")

        wait_until(is_let_in)


def test_a_mail_in_hand_is_finished_and_answered_when_we_stop() -> None:
    door = TakingDoor()
    door.gate.clear()
    left = threading.Event()

    def run() -> None:
        with site(door=door) as here:
            sites.append(here)
            left.wait(10)

    sites: list[Site] = []
    thread = threading.Thread(target=run)
    thread.start()
    wait_until(lambda: sites)
    with sites[0].wire() as busy, sites[0].wire() as idle:
        assert idle.reply().startswith("220 ")
        busy.begin()
        busy.say(MAIL + b".\r\n")
        assert door.waiting.wait(10)
        left.set()
        assert idle.reply().startswith("421 4.3.2 ")
        door.gate.set()
        assert busy.reply().startswith("250 2.0.0 mail 1 ")
        assert busy.reply().startswith("421 4.3.2 ")
        assert busy.reply() == ""
    thread.join(10)
    assert not thread.is_alive()
    assert door.raw.endswith(MAIL)


def test_a_client_that_never_ends_does_not_keep_us_from_stopping() -> None:
    began = time.monotonic()
    with site(Patience(stop=0.2)) as here:
        wire = here.wire()
        wire.begin()
        wire.say(MAIL)
    with wire:
        assert time.monotonic() - began < 60
        assert here.door.mails == []


def test_an_address_that_cannot_be_had_is_told_and_the_others_are_given_back() -> None:
    free = free_port()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = f"smtp://127.0.0.1:{free}, lmtp://127.0.0.1:{taken.getsockname()[1]}"
        settings = MailInSettings(_env_file=None, mail_listen=where)  # type: ignore[call-arg]
        with (
            pytest.raises(ConfigurationError, match="MAIL_LISTEN: cannot listen on 127"),
            SmtpListener(settings, TestClock()).listening(TakingDoor(), None),  # type: ignore[arg-type]
        ):
            pass
    socket.create_server(("127.0.0.1", free)).close()


@pytest.mark.parametrize(("host", "warns"), [("0.0.0.0", True), ("127.0.0.1", False), ("localhost", False)])
def test_to_listen_to_everybody_is_warned_of(host: str, warns: bool) -> None:
    settings = MailInSettings(_env_file=None, mail_listen=f"smtp://{host}:{free_port()}")  # type: ignore[call-arg]
    with (
        structlog.testing.capture_logs() as said,
        SmtpListener(settings, TestClock()).listening(TakingDoor(), None),  # type: ignore[arg-type]
    ):
        pass
    assert any(line["event"] == "mail.listens_openly" for line in said) is warns


# --- settings


def test_where_to_listen_can_be_said_several_times() -> None:
    where = "smtp://127.0.0.1:2525, lmtp://[::1]:2424"
    settings = MailInSettings(_env_file=None, mail_listen=where)  # type: ignore[call-arg]
    assert settings.listens == (Listen("smtp", "127.0.0.1", 2525), Listen("lmtp", "::1", 2424))
    assert MailInSettings(_env_file=None).listens == ()  # type: ignore[call-arg]


@pytest.mark.parametrize(
    "where", ["2525", "127.0.0.1:2525", "smtp://127.0.0.1", "smtps://127.0.0.1:465", "smtp://a:99999"]
)
def test_what_is_no_place_to_listen_at_is_told(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAIL_LISTEN", where)
    with pytest.raises(ConfigurationError, match="MAIL_LISTEN: write smtp://"):
        MailInSettings.read()
