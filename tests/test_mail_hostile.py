"""Mails that were made to hurt, and many that were broken at random: each is read or refused, in little time."""

import base64
import importlib.util
import random
import resource
import subprocess
import sys
import tarfile
import time
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from adapters.mail.parse import content, parse
from adapters.mail.parsed import Mail, Mailbox, Unreadable
from tests.test_mail_parse import MAILS, payload

TOP = b"From: Ana <ana@example.com>\r\nTo: support@firstline.example\r\nSubject: hi\r\n"
MIXED = TOP + b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
ALTERNATIVE = MIXED.replace(b"mixed", b"alternative") + b"--b\r\n\r\nhi\r\n--b\r\nContent-Type: text/html\r\n\r\n"
HTML = TOP + b"Content-Type: text/html\r\n\r\n"
TEXT = b"\r\nMy card was charged twice.\r\n"


def encoded(encoding: bytes) -> bytes:
    return TOP + b"Content-Transfer-Encoding: " + encoding + b"\r\n\r\n"


def charset(name: bytes) -> bytes:
    return TOP + b"Content-Type: text/plain; charset=" + name + b"\r\n\r\n"


def fill(pattern: bytes, size: int) -> bytes:
    """Repeat the pattern up to about this size."""
    return pattern * (size // len(pattern))


def nested(size: int) -> bytes:
    levels = range(size // 60)
    return TOP + b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in levels)


def recipients(size: int) -> bytes:
    return TOP + b"Cc: " + b", ".join(b"u%d@x.example" % number for number in range(size // 16)) + b"\r\n" + TEXT


def many(header: bytes) -> Callable[[int], bytes]:
    """Eight headers of 8 KB, which is all that is read."""
    return lambda size: fill(header[: header.index(b":") + 1] + fill(header[header.index(b":") + 1 :], 8100) + b"\r\n",
                             min(size, 64_000)) + TOP + TEXT  # fmt: skip


HOSTILE: dict[str, Callable[[int], bytes]] = {
    "parts": lambda size: MIXED + fill(b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n", size),
    "parts without anything": lambda size: MIXED + fill(b"--b\r\n", size),
    "levels": nested,
    "levels of one boundary": lambda size: MIXED + fill(
        b"--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n", size),
    "multiparts without a boundary": lambda size: MIXED + fill(b"--b\r\nContent-Type: multipart/mixed\r\n\r\n", 60_000)
    + fill(b"x", size),
    "lines like boundaries": lambda size: MIXED + fill(b"--\r\n", size),
    "a boundary that never comes": lambda size: MIXED + fill(b"--bb \t", size),
    "a boundary with spaces": lambda size: MIXED.replace(b'; boundary="b"', b"") + b"\n--a" + fill(b" ", size),
    "attached mails": lambda size: MIXED + fill(
        b"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: " + b"=?utf-8?q?a?= " * 600 + b"\r\n\r\nx\r\n", size),
    "an empty first part": lambda size: ALTERNATIVE + fill(b"<style></style>", size) + b"\r\n--b--",
    "alternatives": lambda size: MIXED + fill(
        b"--b\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n--c\r\n\r\nx\r\n--c--\r\n", size),
    "encoded words": lambda size: b"Subject: " + fill(b"=?utf-8?q?a=20b?= ", size) + b"\r\n" + TOP + TEXT,
    "encoded words that do not end": many(b"Subject: =?a?q?"),
    "encoded words in a From": many(b"From: =?a?q?b?="),
    "recipients": recipients,
    "parentheses": many(b"From: ("),
    "parentheses that end": lambda size: b"From: " + b"(" * 3000 + b")" * 3000 + b" <a@x.example>\r\n" + TEXT,
    "quotes": many(b'To: "\\'),
    "more quotes": many(b'To: "'),
    "angles": many(b"To: <"),
    "colons and commas": many(b"To: :,;"),
    "at signs": many(b"To: @"),
    "names in other letters": lambda size: b"To: " + b", ".join(
        f"a@ü{number}.example".encode() for number in range(450)) + b"\r\n" + TOP + TEXT,
    "a domain of 2,000 labels": lambda size: b"To: a@" + "ü.".encode() * 2000 + b"x\r\n" + TOP + TEXT,
    "ids": many(b"References: <a@"),
    "a date": many(b"Date: 1 "),
    "headers": lambda size: TOP + fill(b"a:\r\n", size) + TEXT,
    "a header": lambda size: TOP + b"X-A: " + fill(b"a", size) + b"\r\n" + TEXT,
    "a header of many lines": lambda size: TOP + b"X-A: a" + fill(b"\r\n a", size) + b"\r\n" + TEXT,
    "lines that are no header": lambda size: b"X-A: b\r\nDate: x\r\n" + fill(b"garbage\r\n", size) + TOP + TEXT,
    "parameters": lambda size: TOP + b"Content-Type: text/plain" + fill(b";a*1*=x", size) + b"\r\n" + TEXT,
    "parameters in 200 parts": lambda size: MIXED + fill(
        b"--b\r\nContent-Type: text/plain" + b';a*0*="\\' * 500 + b"\r\nContent-Disposition: x" + b";;a" * 500
        + b"\r\n\r\nx\r\n", size),
    "nothing but NUL": lambda size: fill(b"\x00", size),
    "NUL in a text": lambda size: TOP + b"\r\n" + fill(b"a\x00", size),
    "no headers": lambda size: fill(b"My card was charged twice\n", size),
    "any bytes": lambda size: fill(bytes(range(256)), size),
    "one line": lambda size: TOP + b"\r\n" + fill(b"a", size),
    "carriage returns": lambda size: TOP + b"\r\n" + fill(b"\r", size),
    "line feeds": lambda size: TOP + b"\r\n" + fill(b"\n", size),
    "vertical tabs": lambda size: TOP + b"\r\n" + fill(b"\x0b", size),
    "spaces": lambda size: TOP + b"\r\n" + fill(b" ", size),
    "base64": lambda size: encoded(b"base64") + base64.encodebytes(fill(b"hello world ", size * 3 // 4)),
    "base64 with an end in every letter": lambda size: encoded(b"base64") + fill(b"A=", size),
    "base64 with spaces": lambda size: encoded(b"base64") + fill(b"a ", size),
    "quoted-printable": lambda size: encoded(b"quoted-printable") + fill(b"=", size),
    "utf-7": lambda size: charset(b"utf-7") + fill(b"+AAA", size),
    "iso-2022-jp": lambda size: charset(b"iso-2022-jp") + fill(b"\x1b$B", size),
    "utf-16": lambda size: charset(b"utf-16") + fill(b"\x00\xd8", size),
    "gb18030": lambda size: charset(b"gb18030") + fill(b"\x81", size),
    "flowed": lambda size: TOP + b"Content-Type: text/plain; format=flowed\r\n\r\n" + fill(b"> a \r\n", size),
    "flowed quotes": lambda size: TOP + b"Content-Type: text/plain; format=flowed\r\n\r\n" + fill(b">", size),
    "a report": lambda size: MIXED.replace(b"mixed", b"report")
        + b"--b\r\nContent-Type: message/delivery-status\r\n\r\n"
        + fill(b"Final-Recipient: rfc822; a@x.example\r\n\r\n", size),
    **{
        f"html: {pattern!r}": lambda size, pattern=pattern: HTML + fill(pattern, size)  # type: ignore[misc]
        for pattern in (
            b"<", b"<a ", b"<a", b"<!", b"<!--", b"</", b"<![CDATA[", b"<style>", b"<style><", b"&", b"&#", b"&a",
            b"&nbsp;", b"<b>", b"<div>x", b"</div>", b"<blockquote>x", b"<table><tr><td>x", b"<tr><td>x", b"<ul><li>x",
            b"<p>", b"<br>", b"<a href='https://x.example'>x", b"<div style='", b'<a x="> "', b"<meta ", b"<pre>\n",
            b"<div style='display:none'>x", b"<img alt='x '>", b"a\n", b"<div id=divRplyFwdMsg>x", b"<span></div>",
            b"<div class=yahoo_quoted>x", b"<script></", b"a=", b"<td>",
        )
    },
    "html: a tag of a million attributes": lambda size: HTML + b"<a " + fill(b"x='y' ", size) + b">",
    "html: a number of a million digits": lambda size: HTML + b"<b>&#" + fill(b"9", size) + b";",
}  # fmt: skip


def read_or_refused(raw: bytes) -> Mail | Unreadable:
    """Parse a mail, and look at what comes out. A refusal is one that was meant, and not a failure of ours."""
    try:
        mail = parse(raw)
    except Unreadable as exc:
        if exc.__cause__:
            raise exc.__cause__ from None
        return exc
    is_sound(mail)
    for part in mail.parts:
        data = content(raw, part.index, 10**8)
        assert data is not None
        assert len(data) == part.size
    return mail


def is_sound(mail: Mail) -> None:
    """Assert what parsed.py promises of every mail."""
    assert not controls(mail.text.replace("\n", "").replace("\t", ""))
    lines = [value for values in [*mail.headers.values(), *mail.returned.values()] for value in values]
    lines += [value for block in mail.report for value in block.values()]
    lines += [mail.subject, mail.message_id, mail.media_type, *mail.references, *mail.in_reply_to]
    lines += [text for part in mail.parts for text in (part.name, part.media_type)]
    boxes: Iterable[Mailbox] = (mail.sender, *mail.reply_to, *mail.to, *mail.cc)
    lines += [text for box in boxes for text in (box.name, box.address)]
    assert not controls("".join(lines))
    assert all(name == name.lower() for name in mail.headers)
    assert all(box.address.count("@") == 1 and " " not in box.address for box in boxes if box.address)
    assert mail.date is None or mail.date.utcoffset() is not None
    assert len(mail.digest) == 64
    assert all(part.name and "/" not in part.name for part in mail.parts)


def controls(text: str) -> set[str]:
    return {sign for sign in set(text) if unicodedata.category(sign) in ("Cc", "Cs") or sign in "\u2028\u2029"}


def outcome(raw: bytes) -> Mail | None:
    try:
        return parse(raw)
    except Unreadable:
        return None


def measure(size: int, room: int) -> None:
    """Print the seconds of CPU for each kind of hostile mail of this size, in a process that may take `room` bytes more
    for it than it has: what takes more ends it with a MemoryError."""
    for kind, make in HOSTILE.items():
        raw = make(size)
        outcome(TOP + TEXT)
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + room, resource.RLIM_INFINITY))
        begun = time.thread_time()
        outcome(raw)
        print(f"{time.thread_time() - begun:.3f} {kind}")
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def measured(size: int, room: int) -> dict[str, float]:
    program = f"from tests.test_mail_hostile import measure; measure({size}, {room})"
    root = Path(__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout[-100:] + done.stderr[-2000:]
    return {kind: float(taken) for taken, kind in (line.split(" ", 1) for line in done.stdout.splitlines())}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_mail_is_read_or_refused(kind: str) -> None:
    read_or_refused(HOSTILE[kind](60_000))


needs_proc = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="this system does not limit memory so")


@needs_proc
def test_a_hostile_mail_takes_no_time_and_no_memory() -> None:
    seconds = measured(200_000, 50_000_000)
    assert len(seconds) == len(HOSTILE)
    assert not {kind: taken for kind, taken in seconds.items() if taken > 1}


@needs_proc
@pytest.mark.soak
def test_a_hostile_mail_of_ten_million_bytes_takes_little() -> None:
    seconds = measured(10_000_000, 200_000_000)
    assert len(seconds) == len(HOSTILE)
    assert not {kind: taken for kind, taken in seconds.items() if taken > 2}


@pytest.mark.parametrize("kind", [kind for kind in HOSTILE if TEXT in HOSTILE[kind](10_000)])
def test_what_the_customer_wrote_below_hostile_headers_is_read(kind: str) -> None:
    mail = read_or_refused(HOSTILE[kind](100_000))
    assert isinstance(mail, Mail)
    assert mail.text.strip().endswith("My card was charged twice.")


def test_a_mail_with_more_levels_than_anybody_reads_is_refused_and_says_so() -> None:
    refused = read_or_refused(nested(500_000) + b"Content-Type: text/plain\r\n\r\nat the bottom")
    assert str(refused) == "the mail has more parts, one inside the other, than anybody could read"


# --- broken at random

PIECES = [
    b"\x00", b"\r", b"\n", b"\r\n\r\n", b"\xff", b"\xc3", b"\x1b$B", b"=", b"=?utf-8?b?", b"?=", b"--", b"--\n", b'"',
    b"(", b"<", b">", b";", b":", b"%", b"*0*=", b"@", b"utf-16", b"utf-7", b"hz", b"multipart/report", b"<blockquote>",
    b"<!--", b"&#x110000;", "\u2028\u202e\ufeff".encode(), b"\xed\xa0\x80", b"9" * 5000, b"(" * 2000,
    b"\nContent-Type: multipart/mixed; boundary=", b"\nContent-Type: multipart/alternative",
    b"\nContent-Type: text/html", b"\nContent-Type: message/rfc822\n\n", b"\nContent-Type: text/plain; charset=",
    b"\nContent-Transfer-Encoding: base64\n", b"\nContent-Transfer-Encoding: quoted-printable\n", b"\nFrom: ",
    b"\nTo: ", b"\nSubject: ", b"\nDate: ", b"\nReferences: <",
]  # fmt: skip


def broken(raw: bytes, dice: random.Random) -> bytes:
    """Return a mail with some bytes of it changed, lost, doubled or moved, or with something put into it."""
    data = bytearray(raw)
    for _ in range(dice.randint(1, 8)):
        at, length = dice.randrange(len(data) + 1), dice.choice((1, 4, 30, 400))
        match dice.randrange(7):
            case 0:
                data[at : at + length] = dice.randbytes(length)
            case 1:
                del data[at : at + length]
            case 2:
                data[at:at] = data[at : at + length]
            case 3:
                other = dice.randrange(len(data) + 1)
                data[at:at] = data[other : other + length]
            case 4:
                data[at : at + dice.choice((0, 1, 20))] = dice.choice(PIECES)
            case 5:
                ends = data.find(b"\n", at)
                data[ends + 1 : ends + 1] = dice.choice(PIECES)
            case _:
                if dice.random() < 0.2:
                    del data[at:]
    return bytes(data)


def break_mails(mails: list[bytes], count: int, seed: int) -> None:
    dice = random.Random(seed)
    for number in range(count):
        raw = broken(dice.choice(mails), dice)
        try:
            read_or_refused(raw)
        except Exception as exc:
            raise AssertionError(f"seed {seed}, mail {number}: {raw[:3000]!r}") from exc


def ours() -> list[bytes]:
    return [payload(name) for name in MAILS]


def of_cpython() -> list[bytes]:
    """Return the mails with which CPython tests its own parser, if this Python has come with its tests."""
    found = importlib.util.find_spec("test.test_email")
    folder = Path(((found and found.submodule_search_locations) or ["nowhere"])[0]) / "data"
    mails = [path.read_bytes() for path in sorted(folder.glob("msg_*.txt"))]
    if not mails:
        pytest.skip("this Python has come without its own tests")
    return mails


def test_300_broken_mails_are_read_or_refused() -> None:
    break_mails(ours(), 300, seed=8)


def test_300_broken_mails_of_cpythons_are_read_or_refused() -> None:
    break_mails(of_cpython(), 300, seed=9)


def test_cpythons_own_mails_are_all_read() -> None:
    for raw in of_cpython():
        assert isinstance(read_or_refused(raw), Mail)


@pytest.mark.parametrize("name", MAILS)
def test_a_stray_header_costs_no_text(name: str) -> None:
    dice = random.Random(name)
    raw = payload(name)
    headers = raw.index(b"\n\n") + 1
    places = [
        at + 1 for at in range(headers) if raw[at : at + 1] == b"\n" and raw[at + 1 : at + 2] not in (b" ", b"\t")
    ]
    for _ in range(30):
        at = dice.choice(places)
        junk = bytes(byte for byte in dice.randbytes(100) if byte not in b"\r\n")
        assert parse(raw[:at] + b"X-Junk: " + junk + b"\n" + raw[at:]).text == parse(raw).text


def test_a_few_broken_bytes_cost_no_more_than_the_words_that_they_are_in() -> None:
    dice = random.Random(10)
    words = [f"word{number}" for number in range(300)]
    raw = TOP + b"\r\n" + " ".join(words).encode()
    for _ in range(100):
        data = bytearray(raw)
        for at in dice.sample(range(len(TOP) + 2, len(raw)), 20):
            data[at] = dice.randrange(256)
        assert len(set(words) - set(parse(bytes(data)).text.split())) <= 40


@pytest.mark.soak
def test_10_000_broken_mails_are_read_or_refused() -> None:
    break_mails(ours() + of_cpython(), 10_000, seed=11)


@pytest.mark.soak
def test_10_000_broken_mails_of_talons_are_read_or_refused(tmp_path: Path) -> None:
    """talon is a library that takes quotes from mails; the mails that it is tested with are in its source."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
    done = subprocess.run(
        [*pip, "--no-binary=:all:", "--dest", str(tmp_path), "talon==1.4.4"], capture_output=True, timeout=300
    )
    if done.returncode:
        pytest.skip("talon's source cannot be had from here")
    mails = []
    with tarfile.open(next(tmp_path.glob("talon-*.tar.gz"))) as archive:
        for member in archive:
            file = archive.extractfile(member) if "/tests/fixtures/" in member.name else None
            mails += [file.read()] if file and member.size else []
    assert len(mails) > 20
    assert all(isinstance(read_or_refused(raw), Mail) for raw in mails)
    break_mails(mails, 10_000, seed=12)
