"""Mails that were made to hurt, and many that were broken at random: each is read or refused, in little time."""

import random
import resource
import subprocess
import sys
import time
import unicodedata
from collections.abc import Iterable
from pathlib import Path

import pytest

from adapters.mail.parse import content, parse
from adapters.mail.parsed import Mail, Mailbox, Unreadable
from tests.hostile_mails import HOSTILE, TEXT, TOP, broken, nested, of_cpython, of_talons, ours
from tests.test_mail_parse import MAILS, payload


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


def break_mails(mails: list[bytes], count: int, seed: int) -> None:
    dice = random.Random(seed)
    for number in range(count):
        raw = broken(dice.choice(mails), dice)
        try:
            read_or_refused(raw)
        except Exception as exc:
            raise AssertionError(f"seed {seed}, mail {number}: {raw[:3000]!r}") from exc


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
    mails = of_talons(tmp_path)
    assert all(isinstance(read_or_refused(raw), Mail) for raw in mails)
    break_mails(mails, 10_000, seed=12)
