"""Mails a second, from their bytes to a committed incident with its classification, its file kept and its answer
sent, against django-helpdesk's `get_email` on the same folder.

    python benchmarks/mail.py [rounds] [mails]

Both on SQLite on the same disk, both send their answers to an SMTP server on loopback, both on the same cores, in
turns. Each mail has 20 KB: text, HTML and an attachment. Both are installed into virtual environments of their own,
without what they do not need.
"""

import json
import random
import subprocess
import sys
import tempfile
import urllib.request
import venv
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from harness import ROOT, Figures, plain_environment, process, read_until

HERE = Path(__file__).parent
HELPDESK = ROOT / ".venv-helpdesk"
PLAIN = ROOT / ".venv-plain"
VERSION = "django-helpdesk==2.6.1"
SETTINGS = {"MAIL_FROM": "Shop <support@shop.example>", "SMTP_HOST": "127.0.0.1", "SMTP_TLS": "none"}
SAID = (
    "My card was charged twice for order {n}, please look at it.",
    "I cannot log in, my account has been locked since {n} o'clock.",
    "There is a payment of {n} euros on my statement that I never made.",
    "I sent the shoes back {n} days ago and still wait for my refund.",
    "The payment for order {n} failed, but the money is gone.",
)
MORE = (
    "I have been a customer of yours for a long time and never had any trouble.",
    "Nobody answered when I called, so I write to you instead.",
    "Please tell me what you need from me, and I will send it at once.",
    "A picture of what I see on my screen is attached to this message.",
    "It would be kind if somebody could look at this before the weekend.",
)


def main() -> None:
    given = [int(argument) for argument in sys.argv[1:3]]
    rounds, mails = [*given, *(5, 200)[len(given) :]]
    ours_python, python = plain(), helpdesk()
    rate, memory = Figures("mails a second: ours / django-helpdesk's"), Figures("peak memory: ours / django-helpdesk's")
    for number in range(rounds):
        with tempfile.TemporaryDirectory() as place:
            ours = contender([ours_python, str(HERE / "mail_ours.py")], Path(place) / "ours", mails, number)
            theirs = contender([python, str(HERE / "mail_helpdesk.py")], Path(place) / "theirs", mails // 4, number)
        assert ours["done"] == ours["sent"] == ours["kept"] == ours["taken"] == mails, ours
        assert theirs["done"] == theirs["taken"] == mails // 4, theirs
        fast, slow = mails / ours["seconds"], (mails // 4) / theirs["seconds"]
        print(
            f"ours {fast:.0f}/s (committed at {mails / ours['committed']:.0f}/s), {ours['peak_kb'] // 1024} MB; "
            f"django-helpdesk {slow:.1f}/s, {theirs['peak_kb'] // 1024} MB",
            flush=True,
        )
        rate.values.append(fast / slow)
        memory.values.append(ours["peak_kb"] / theirs["peak_kb"])
    good = rate.say("at least 12", lambda ratio: ratio >= 12)
    good &= memory.say("at most 1", lambda ratio: ratio <= 1)
    sys.exit(not good)


def plain() -> str:
    """Install this project as `make run` does, without what only tests and PostgreSQL need; return its interpreter."""
    subprocess.run(["make", "--silent", f"VENV={PLAIN}", f"{PLAIN}/ready"], cwd=ROOT, check=True, stdout=sys.stderr)
    return str(PLAIN / "bin" / "python")


def helpdesk() -> str:
    """Install django-helpdesk, once, and return its interpreter."""
    python = HELPDESK / "bin" / "python"
    if not python.exists():
        venv.create(HELPDESK, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", VERSION], check=True)
    return str(python)


def contender(command: list[str], place: Path, mails: int, seed: int) -> dict[str, Any]:
    """Let one of the two take a folder of mails in; return its figures."""
    folder, workspace = place / "mails", place / "work"
    folder.mkdir(parents=True)
    workspace.mkdir()
    for number in range(mails):
        (folder / f"{number:05}.eml").write_bytes(mail(number, seed))
    with process([sys.executable, str(HERE / "outside.py")], HERE, {}, core=None) as outside:
        _, smtp, http = read_until(outside, "ready").split()
        done = subprocess.run(
            [*command, str(folder), str(workspace)],
            env={**plain_environment(), **SETTINGS, "SMTP_PORT": smtp},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=True,
            timeout=600,
        )
        with urllib.request.urlopen(f"http://127.0.0.1:{http}/mails", timeout=10) as answer:
            taken = json.load(answer)["taken"]
    figures: dict[str, Any] = {**json.loads(done.stdout.splitlines()[-1]), "taken": taken}
    return figures


def mail(number: int, seed: int) -> bytes:
    """A mail of 20 KB from somebody who writes for the first time."""
    chance = random.Random(seed * 1_000_000 + number)
    said = SAID[number % len(SAID)].format(n=chance.randrange(100, 999))
    lines = [said, "", *chance.choices(MORE, k=25)]
    written = EmailMessage()
    written["From"] = f"Customer {number} <customer{number}@example.com>"
    written["To"] = "support@shop.example"
    written["Subject"] = f"Question {number}"
    written["Date"] = "Tue, 24 Nov 2026 10:00:00 +0000"
    written["Message-ID"] = f"<{seed}.{number}@example.com>"
    written.set_content("\n".join(lines))
    written.add_alternative("".join(f"<p>{line}</p>\n" for line in lines), subtype="html")
    image = b"\x89PNG\r\n\x1a\n" + chance.randbytes(12_000)
    written.add_attachment(image, maintype="image", subtype="png", filename="screenshot.png")
    return written.as_bytes()


main()
