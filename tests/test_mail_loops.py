"""Two instances of the bot and a robot that answers whatever it gets write to each other, and it ends by itself (CASES
2)."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from storage import database
from storage.migrate import migrate
from storage.tables import Incident, Message
from tests.fakes import TestClock
from tests.mail_house import Post, with_mail

ROUNDS, MOST = 200, 10
ONE, TWO, ROBOT = "support@one.example", "support@two.example", "away@robot.example"
MARKS = ("Auto-Submitted", "X-Auto-Response-Suppress", "Precedence", "X-Firstline-Ticket", "X-Firstline-Notice")
THREAD = ("In-Reply-To", "References", "Reply-To")
AWAY = "I am away until Monday."

Letter = tuple[str, str, EmailMessage]
"""The envelope's sender and recipient, and what is in it."""

RobotsWay = Callable[[Letter, EmailMessage, int], str]
"""Writes the answer to a letter into a mail, the n-th of all, whose From, To, Subject and Message-ID are done; returns
the envelope's sender."""

Gateway = Callable[[EmailMessage], None]
"""What is done to a mail on its way between the two instances."""


@dataclass
class Instance:
    """A bot with a database of its own: before anything is done in it, `enter` it, for a process has one database."""

    address: str
    post: Post
    database: Any
    carried: int = 0

    def enter(self) -> None:
        database.database.initialize(self.database)

    def takes(self, letter: Letter) -> None:
        sender, recipient, mail = letter
        self.enter()
        self.post.take(mail, sender=sender, recipients=(recipient,), source="smtp")

    def brings(self) -> list[Letter]:
        """What it has sent since it was last asked; not what it writes to its agents."""
        letters = self.post.mailbox.letters()
        new, self.carried = letters[self.carried :], len(letters)
        read = [(sender, to, message_from_bytes(raw, policy=policy.default)) for sender, to, raw in new]
        return [(sender, to, mail) for sender, to, mail in read if not to.startswith("agents@")]  # type: ignore[misc]

    def sent(self) -> Counter[str]:
        """How many mails it has sent to whom."""
        return Counter(_plain(to) for _, to, _ in self.post.mailbox.letters() if not to.startswith("agents@"))

    def kept(self) -> set[str]:
        """The ids of what stands on its incidents."""
        self.enter()
        with database.session():
            found = Message.select(Message.external_id).join(Incident).where(Message.direction == "customer")
            return {row.external_id for row in found}


@dataclass
class Robot:
    """Answers every mail. `wrote` are the ids of what it has written to whom."""

    answer: RobotsWay
    wrote: dict[str, list[str]] = field(default_factory=lambda: {ONE: [], TWO: []})

    def writes(self, to: str, text: str) -> Letter:
        mail = self._mail(to, "Hello")
        mail.set_content(text)
        return ROBOT, to, mail

    def answers(self, letter: Letter) -> Letter:
        theirs = letter[2]
        mail = self._mail(str(theirs["From"].addresses[0].addr_spec), f"Re: {theirs['Subject']}")
        envelope_from = self.answer(letter, mail, self.count)
        return envelope_from, mail["To"].addresses[0].addr_spec, mail

    def _mail(self, to: str, subject: str) -> EmailMessage:
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = ROBOT, to, subject
        mail["Message-ID"] = f"<{self.count}@robot.example>"
        self.wrote[ONE if "@one." in to else TWO].append(mail["Message-ID"])
        return mail

    @property
    def count(self) -> int:
        return sum(map(len, self.wrote.values()))


def honest(letter: Letter, mail: EmailMessage, number: int) -> str:
    """As RFC 3834 has it: it says what it is, and goes to where bounces go, from nowhere."""
    sender, _, theirs = letter
    mail.replace_header("To", sender or mail["To"])
    mail["Auto-Submitted"] = "auto-replied"
    mail["In-Reply-To"] = mail["References"] = theirs["Message-ID"]
    mail.set_content(AWAY)
    return ""


def mute(letter: Letter, mail: EmailMessage, number: int) -> str:
    """It does not say what it is, and always says the same. It answers as a mail program does."""
    theirs = letter[2]
    mail.replace_header("To", theirs["Reply-To"] or theirs["From"])
    mail["In-Reply-To"] = mail["References"] = theirs["Message-ID"]
    mail.set_content(AWAY)
    return ROBOT


def forgetful(letter: Letter, mail: EmailMessage, number: int) -> str:
    """The same, but it does not say what it answers either."""
    mail.replace_header("Subject", "Away")
    mail.set_content(AWAY)
    return ROBOT


def inventive(letter: Letter, mail: EmailMessage, number: int) -> str:
    """The same, and it says something else each time."""
    mail.replace_header("Subject", f"Away {number}")
    mail.set_content(f"I was charged twice, and it is the mail number {number} that I write about it.")
    return ROBOT


def faithful(mail: EmailMessage) -> None:
    """Carries a mail as it is."""


def without_marks(mail: EmailMessage) -> None:
    """A gateway that drops all that says that a machine wrote it, the return path included."""
    for name in MARKS:
        del mail[name]


def without_anything(mail: EmailMessage) -> None:
    """One that also drops what it answers, and to which address its answer would go."""
    for name in (*MARKS, *THREAD):
        del mail[name]
    mail.replace_header("Subject", "A mail")


def _plain(address: str) -> str:
    """An address without what stands behind its +."""
    local, _, domain = address.rpartition("@")
    return f"{local.partition('+')[0]}@{domain}"


@pytest.fixture
def instances(clock: TestClock, tmp_path: Path) -> Iterator[dict[str, Instance]]:
    with ExitStack() as entered:
        made = {}
        for number, address in enumerate((ONE, TWO)):
            opened = database.connect(f"sqlite:///{tmp_path}/{number}.db")
            entered.callback(opened.close_all)
            migrate()
            post = entered.enter_context(with_mail(clock, mail_from=f"Shop <{address}>", mail_key=address * 3))
            made[address] = Instance(address, post, opened)
        yield made


def carry(instances: dict[str, Instance], robot: Robot, gateway: Gateway, clock: TestClock) -> int:
    """Carry all mail for 200 rounds of a minute each; return in how many of them there was any."""
    one, two = instances.values()
    waiting = [robot.writes(address, "My card was charged twice") for address in instances]
    waiting.append((TWO, ONE, one.post.write("The refund failed", TWO, To=ONE)))
    busy = 0
    for _ in range(ROUNDS):
        busy += bool(waiting)
        answers = [robot.answers(letter) for letter in waiting if letter[1] == ROBOT]
        for letter in waiting:
            if letter[1] != ROBOT:
                instances[_plain(letter[1])].takes(letter)
        waiting = answers
        for instance in (one, two):
            instance.enter()
            instance.post.house.settle()
            waiting += [_passed(letter, gateway) for letter in instance.brings()]
        clock.forward(minutes=1)
    return busy


def _passed(letter: Letter, gateway: Gateway) -> Letter:
    """What the gateway between the two instances makes of a mail."""
    sender, to, mail = letter
    if to == ROBOT:
        return letter
    gateway(mail)
    return (sender if gateway is faithful else str(mail["From"].addresses[0].addr_spec)), to, mail


WAYS = {
    "a robot that says what it is": (honest, faithful, 1),
    "one that says the same again": (mute, faithful, 2),
    "one that does not say what it answers": (forgetful, faithful, 2),
    "one that says something else each time": (inventive, faithful, MOST),
    "a gateway that takes the marks of machines off": (inventive, without_marks, MOST),
    "one that takes all off by which an answer is known": (inventive, without_anything, MOST),
}
"""Also how many mails a bot sends the robot at most."""


@pytest.mark.parametrize(("robot", "gateway", "most"), WAYS.values(), ids=WAYS)
def test_it_ends_by_itself(
    instances: dict[str, Instance], clock: TestClock, robot: RobotsWay, gateway: Gateway, most: int
) -> None:
    there = Robot(robot)
    busy = carry(instances, there, gateway, clock)
    assert busy <= 2 * MOST + 1
    for address, instance in instances.items():
        assert 1 <= instance.sent()[ROBOT] <= most
        assert max(instance.sent().values()) <= MOST
        assert set(there.wrote[address]) <= instance.kept()
