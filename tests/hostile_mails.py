"""Mails that were made to hurt, mails that others test with, and mails broken at random: for tests of all that mail
goes through."""

import base64
import gzip
import importlib.util
import io
import random
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from urllib.parse import quote

import pytest

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


INJECTION = b"=?utf-8?q?hi=0D=0ABcc:_all@victim.example=0D=0A=0D=0ASend_your_PIN=00=1B[31m?="
NAMES = (
    "\u202egpj.exe", "../../../etc/passwd", "..\\..\\boot.ini", "a\x00b.pdf", "x" * 10_000 + ".pdf", "CON", "nul.txt",
    "C:\\a", "a.pdf\r\nBcc: all@victim.example", '"; filename="b.exe', "<img src=x onerror=alert(1)>.png", "=1+1.csv",
    "", ".", "~", "\U0001f600" * 300,
)  # fmt: skip
"""What nobody's file is called."""


def injected(size: int) -> bytes:
    """Line ends, and whole headers, wherever encoded words are read."""
    forged = (b"From", b"Reply-To", b"Cc")
    boxes = b"".join(b"%b: %b <ana@example.com>, %b@example.com\r\n" % (name, INJECTION, INJECTION) for name in forged)
    ids = b"".join(b"%b: <%b@x.example>\r\n" % (name, INJECTION) for name in (b"Message-ID", b"References"))
    return boxes + ids + b"Subject: " + fill(INJECTION + b" ", min(size, 8000)) + b"\r\n" + TEXT


def ids(size: int) -> bytes:
    """Long ids of letters that take four bytes each, no two alike."""
    dice = random.Random(size)
    made = "".join(chr(dice.randrange(0x10000, 0x1F000)) for _ in range(900))
    name = f"<{made[:450]}@{made[450:]}>".encode()
    return b"Message-ID: " + name + b"\r\nReferences: " + name.replace(b"<", b"<a") + b"\r\n" + TOP + TEXT


def named(size: int) -> bytes:
    """Files with names that nobody's file has: raw, in quotes, and encoded as RFC 2231 has it."""
    raw = (name.replace("\r\n", " ").replace('"', "'").encode() for name in NAMES)
    heads = [b'filename="%b"' % name for name in raw] + [b"filename*=utf-8''" + quote(name).encode() for name in NAMES]
    parts = (b"--b\r\nContent-Disposition: attachment; " + head + b"\r\n\r\nx\r\n" for head in heads)
    return MIXED + b"--b\r\n" + TEXT + b"".join(parts)


@cache
def bomb(levels: int = 2) -> bytes:
    """Return an archive of archives: some kilobytes that, unpacked, are 100 MB at each place, and 2 GB in all."""
    inner, names = b"\0" * 100_000_000, ["0"]
    for _ in range(levels):
        with io.BytesIO() as written:
            with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
                for name in names:
                    archive.writestr(name, inner)
            inner, names = written.getvalue(), [f"{number}.zip" for number in range(20)]
    return inner


def bombed(size: int) -> bytes:
    """Archives of all kinds that grow when they are opened, by their names and types as harmless as can be."""
    packed = {
        "photos.zip": bomb(), "invoice.docx": bomb(1), "log.txt.gz": gzip.compress(b"\0" * 10_000_000),
        "a.png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\x7f\xff\xff\xff\x7f\xff\xff\xff\x08\x06\0\0\0",
        "a.svg": b'<!DOCTYPE a [<!ENTITY b "bbbbbbbb"><!ENTITY c "&b;&b;&b;&b;">]><svg>&c;</svg>',
    }  # fmt: skip
    head = b"--b\r\nContent-Disposition: attachment; filename=%b\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    parts = (head % name.encode() + base64.encodebytes(content) for name, content in packed.items())
    return MIXED + b"--b\r\n" + TEXT + b"".join(parts)


HOSTILE: dict[str, Callable[[int], bytes]] = {
    "injected headers": injected,
    "ids of 3,600 bytes": ids,
    "names of files": named,
    "archives that grow": bombed,
    "a boundary that begins another": lambda size: MIXED + fill(
        b"--b\r\nContent-Type: multipart/mixed; boundary=bb\r\n\r\n--bb\r\n\r\nx\r\n--bb--\r\n", size),
    "two boundaries": lambda size: MIXED.replace(b'"b"', b'"b"; boundary="c"') + fill(b"--b\r\n\r\nx\r\n--c\r\n", size),
    "an empty boundary": lambda size: MIXED.replace(b'"b"', b'""') + fill(b"--\r\n\r\nx\r\n", size),
    "a boundary as long as the mail": lambda size: MIXED.replace(b'"b"', b'"%b"' % (b"b" * size)) + b"--" + b"b" * size,
    "charsets that are none": lambda size: MIXED + fill(
        b"--b\r\nContent-Type: text/plain; charset=\x00\xff../rot13\r\n\r\n\xff\xfe\x00x\r\n", size),
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

FIXED: dict[str, Callable[[], bytes]] = {
    "50,000 parts": lambda: MIXED + b"--b\r\n\r\nx\r\n" * 50_000,
    "50,000 files": lambda: MIXED + b"--b\r\n" + TEXT + b"--b\r\nContent-Disposition: attachment\r\n\r\nx\r\n" * 50_000,
    "600 levels": lambda: nested(36_000) + b"Content-Type: text/plain\r\n\r\nat the bottom",
    "600 mails, each attached to the next": lambda: TOP
    + b"Content-Type: message/rfc822\r\n\r\nSubject: x\r\n" * 600 + TEXT,
    "nothing": lambda: b"",
    "an empty line": lambda: b"\r\n",
}  # fmt: skip
"""Hostile mails of one size."""


def hostile(size: int) -> dict[str, bytes]:
    """All of them, those that can be of this size, by their names."""
    return {kind: one(kind, size) for kind in (*HOSTILE, *FIXED)}


def one(kind: str, size: int) -> bytes:
    """One of them. Its subject is its name: else some that differ in white space alone would be one mail."""
    raw = FIXED[kind]() if kind in FIXED else HOSTILE[kind](size)
    return raw.replace(b"Subject: hi\r\n", f"Subject: {kind}\r\n".encode(), 1)


# --- mails that others test with


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


def of_talons(folder: Path) -> list[bytes]:
    """Return the mails with which talon, a library that takes quotes from mails, is tested: they are in its source,
    which is put into this folder."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
    done = subprocess.run(
        [*pip, "--no-binary=:all:", "--dest", str(folder), "talon==1.4.4"], capture_output=True, timeout=300
    )
    if done.returncode:
        pytest.skip("talon's source cannot be had from here")
    mails = []
    with tarfile.open(next(folder.glob("talon-*.tar.gz"))) as archive:
        for member in archive:
            file = archive.extractfile(member) if "/tests/fixtures/" in member.name else None
            mails += [file.read()] if file and member.size else []
    assert len(mails) > 20
    return mails


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
