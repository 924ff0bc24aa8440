"""Mail from a customer's mailbox to ours and back, with everything real: Postfix, Dovecot, Firstline as a process."""

import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from email.message import EmailMessage
from email.utils import make_msgid
from pathlib import Path
from typing import Any

import pytest

from tests.mail_rig import Line, MailServer, PostOffice, a_mail
from tests.mailbox import wait_until
from tests.process import Process

PATIENCE = 60
TWICE, MORE = "My card was charged twice", "It was on Monday"


class Correspondence:
    """A customer, and the address at which Firstline reads mail; everybody has a mailbox of their own."""

    def __init__(self, dovecot: MailServer, postfix: PostOffice, folder: Path) -> None:
        self.dovecot = dovecot
        self.postfix = postfix
        self.folder = folder
        self.support, self.ann = dovecot.new_user(), dovecot.new_user()

    def environment(self, port: int | None = None, **more: str) -> dict[str, str]:
        """Firstline's settings; it reads by this port, which may be that of a line."""
        return {
            "IMAP_URL": self.dovecot.url(self.support, port=port),
            "MAIL_FROM": f"Support <{self.support}>",
            "LEASE": "1s",
            **self.postfix.environment(),
            **more,
        }

    @contextmanager
    def firstline(self, port: int | None = None, at: str = "", **more: str) -> Iterator[Process]:
        """Firstline as a process that waits for mail; `at` names the event at which it kills itself."""
        with Process(self.folder, self.environment(port, **more), at=at) as process:
            process.wait_up()
            if not at:
                self.wait_said(process, "imap.connected")
            yield process

    def wait_said(self, process: Process, event: str, times: int = 1) -> None:
        said = f'"event": "{event}"'
        wait_until(lambda: sum(said in line for line in process.output) >= times, PATIENCE, "".join(process.output))

    def write(self, text: str, to: str = "", sender: str = "", **headers: str) -> str:
        """Have the customer write, and return the Message-ID."""
        name = make_msgid(domain="example.test")
        mail = a_mail(text, sender or f"Ann <{self.ann}>", To=to or self.support, Message_ID=name, **headers)
        self.postfix.send(self.ann, to or self.support, mail)
        return name

    def answers(self, number: int) -> list[EmailMessage]:
        """Wait until so many mails have come into the customer's mailbox, and return what is there."""
        with self.dovecot.client(self.ann) as client:
            wait_until(lambda: len(client.mails()) >= number, PATIENCE, f"of {number} answers some did not come")
            return client.mails()

    def wait_marked(self, number: int) -> None:
        """Wait until so many mails are in our mailbox, all marked as seen."""
        with self.dovecot.client(self.support) as client:
            wait_until(lambda: list(client.flags().values()) == [{"\\Seen"}] * number, PATIENCE)

    def said(self) -> list[list[str]]:
        """What the customer said, by incident: the first line of each message."""
        query = "SELECT incident_id, text FROM messages WHERE direction = 'customer' ORDER BY id"
        found: dict[Any, list[str]] = {}
        with closing(sqlite3.connect(self.folder / "incidents.db")) as connection:
            for incident, text in connection.execute(query):
                found.setdefault(incident, []).append(text.partition("\n")[0])
        return list(found.values())


@pytest.fixture
def mail(dovecot: MailServer, postfix: PostOffice, tmp_path: Path) -> Correspondence:
    return Correspondence(dovecot, postfix, tmp_path)


@pytest.mark.parametrize("plus", ["false", "true"], ids=["known by its Message-ID", "known by its address"])
def test_a_mail_is_answered_in_its_thread_and_the_answer_to_that_joins_the_incident(
    mail: Correspondence, plus: str
) -> None:
    with mail.firstline(MAIL_PLUS=plus):
        name = mail.write(TWICE)
        [ours] = mail.answers(1)
        assert ours["In-Reply-To"] == ours["References"] == name
        assert "TKT-" in ours["Subject"]

        to = str(ours["Reply-To"] or ours["From"]).partition("<")[2].rstrip(">")
        assert ("+" in to) == (plus == "true")
        threading = {} if plus == "true" else {"In_Reply_To": ours["Message-ID"]}
        mail.write(MORE, to, Subject=f"Re: {ours['Subject']}", **threading)
        wait_until(lambda: mail.said() == [[TWICE, MORE]], PATIENCE, f"{mail.said()}")
        mail.wait_marked(2)


@pytest.mark.parametrize("event", ["imap.mail_cut", "imap.taken"], ids=["before the commit", "behind it"])
def test_killed_between_fetching_a_mail_and_marking_it_nothing_is_lost_and_nothing_done_twice(
    mail: Correspondence, event: str
) -> None:
    """That a mail is too large is told between fetching and committing it."""
    settings = {"MAX_MAIL": "10000"} if event == "imap.mail_cut" else {}
    with mail.firstline(at=event, **settings) as doomed:
        text = TWICE if event != "imap.mail_cut" else f"{TWICE}\n\n-- \n" + "0123456789\n" * 2000
        mail.write(text, Subject="A charge")
        assert doomed.wait_dead(PATIENCE) == -9, "".join(doomed.output)
    with mail.dovecot.client(mail.support) as client:
        assert client.flags() == {1: set()}

    with mail.firstline(**settings) as second:
        mail.wait_marked(1)
        mail.answers(1)
        mail.write("The refund failed", Subject="Another matter")  # once this is done, so is all before it
        answers = mail.answers(2)
        second.terminate()
    assert len(answers) == 2
    assert mail.said() == [[TWICE], ["The refund failed"]]


def test_what_is_written_while_the_connection_is_cut_is_answered(mail: Correspondence) -> None:
    with Line(mail.dovecot.port) as line, mail.firstline(line.port):
        for text in (TWICE, "The refund failed"):
            line.cut()
            mail.write(text)
        assert len(mail.answers(2)) == 2
        mail.wait_marked(2)

    assert sorted(mail.said()) == [[TWICE], ["The refund failed"]]


@pytest.mark.soak
def test_killed_again_and_again_while_mail_comes_in_every_mail_is_one_incident_and_answered(
    mail: Correspondence,
) -> None:
    chance = random.Random(7)
    texts = [f"My card was charged {number} times" for number in range(2, 62)]
    for start in range(0, 60, 5):
        with Process(mail.folder, mail.environment()) as doomed:
            doomed.wait_up()
            for text in texts[start : start + 5]:
                mail.write(text, sender=mail.ann.replace("@", f"+{text.split()[4]}@"))
                time.sleep(chance.random() / 4)
            time.sleep(chance.random())
            doomed.kill()
    with mail.firstline() as process:
        mail.wait_marked(60)
        with mail.dovecot.client(mail.ann) as client:
            wait_until(lambda: len({one["Message-ID"] for one in client.mails()}) == 60, 120, "".join(process.output))
        assert process.terminate() == 0
    assert sorted(mail.said()) == sorted([text] for text in texts)
