"""Mail in by IMAP, from a real Dovecot: what is in a mailbox is taken, whatever happens to the connection."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
import typer
from typer.testing import CliRunner

from adapters.mail import cli, folder, imap
from adapters.mail.imap import ImapReader, listening
from adapters.mail.look import check
from adapters.mail.parsed import Envelope
from adapters.mail.settings import ImapMailbox, MailInSettings
from adapters.mail.ways import Taken
from bot.errors import ConfigurationError, FirstlineError, NotCommitted
from bot.ports import State
from tests.fakes import TestClock
from tests.mail_rig import JÜRGEN, UMLAUTS, Line, MailServer, a_mail
from tests.mailbox import wait_until

ROOT = Path(__file__).parent.parent
PATIENCE = 30
Log = list[MutableMapping[str, Any]]


class Letters:
    """A door that keeps what it takes, and takes it once. `closed`: subjects that it cannot commit now."""

    def __init__(self) -> None:
        self.closed: set[str] = set()
        self.offered: list[str] = []
        self.subjects: list[str] = []
        self.bodies: list[bytes] = []
        self._lock = threading.Lock()

    def take(self, raw: bytes, envelope: Envelope) -> Taken:
        assert envelope == Envelope(source="imap")
        subject = subject_of(raw)
        with self._lock:
            self.offered.append(subject)
            if subject in self.closed:
                raise NotCommitted("the database is away")
            if subject in self.subjects:
                return Taken("taken before", duplicate=True)
            self.subjects.append(subject)
            self.bodies.append(raw)
            return Taken("taken")

    def is_ours(self, address: str) -> bool:
        return False


class Shelf(State):
    """A State in memory, or in a file."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._values: dict[str, str] = json.loads(path.read_text()) if path is not None and path.exists() else {}

    def get(self, key: str) -> str | None:
        return self._values.get(key)

    def put(self, key: str, value: str) -> None:
        self._values[key] = value
        if self._path is not None:
            self._path.write_text(json.dumps(self._values))

    def all(self, beginning: str) -> dict[str, str]:
        return {key: value for key, value in self._values.items() if key.startswith(beginning)}


def subject_of(raw: bytes) -> str:
    found = re.search(rb"(?m)^Subject: (.*?)\r$", raw)
    assert found
    return found[1].decode()


def configured(*urls: str, **settings: Any) -> MailInSettings:
    return MailInSettings(**{"_env_file": None, "imap_url": " ".join(urls), **settings})


@contextmanager
def reading(*urls: str, door: Letters, state: State | None = None, **settings: Any) -> Iterator[None]:
    with listening(configured(*urls, **settings), door, state or Shelf(), TestClock()):
        yield


def events(log: Log, event: str) -> Log:
    return [entry for entry in log if entry["event"] == event]


def wait_for(log: Log, event: str, times: int = 1) -> None:
    wait_until(lambda: len(events(log, event)) >= times, PATIENCE, f"no {event} but {log}")


def wait_taken(door: Letters, *subjects: str) -> None:
    wait_until(lambda: len(door.subjects) >= len(subjects), PATIENCE, f"taken: {door.subjects}")
    assert sorted(door.subjects) == sorted(subjects)


def wait_seen(dovecot: MailServer, user: str, mails: int, folder: str = "INBOX") -> None:
    with dovecot.client(user) as client:
        wait_until(lambda: list(client.flags(folder).values()) == [{"\\Seen"}] * mails, PATIENCE)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Come back from trouble at once, and see at once that it is time to stop."""
    monkeypatch.setattr(folder, "GLANCE", 0.02)
    for name in ("SHORTEST_PAUSE", "LONGEST_PAUSE", "FIRST_PAUSE_OUTSIDE"):
        monkeypatch.setattr(imap, name, 0.05)


@pytest.fixture
def door() -> Letters:
    return Letters()


@pytest.fixture
def log() -> Iterator[Log]:
    with structlog.testing.capture_logs() as entries:
        yield entries


@pytest.fixture
def user(dovecot: MailServer) -> str:
    return dovecot.new_user()


# What is taken


def test_mail_that_arrives_is_taken_at_once_and_marked_as_seen(
    dovecot: MailServer, user: str, door: Letters, log: Log
) -> None:
    with reading(dovecot.url(user), door=door):
        wait_for(log, "imap.connected")
        dovecot.deliver(a_mail("My card was charged twice"), to=user)
        wait_taken(door, "My card was charged twice")
        wait_seen(dovecot, user, 1)

    assert b"\r\n\r\nMy card was charged twice\r\n" in door.bodies[0]


def test_mail_is_taken_at_once_whenever_it_arrives(dovecot: MailServer, user: str, door: Letters, log: Log) -> None:
    """Also between a search and IDLE, which tells of nothing that came before it."""
    subjects = [f"Mail {number}" for number in range(60)]
    with reading(dovecot.url(user), door=door):
        wait_for(log, "imap.connected")
        for number, subject in enumerate(subjects):
            dovecot.deliver(a_mail(subject), to=user)
            time.sleep(number % 7 / 1000)
        wait_taken(door, *subjects)

    assert sorted(door.offered) == sorted(subjects)  # two that come at the same moment Dovecot may number either way


def test_the_first_look_takes_what_nobody_has_opened_and_from_then_on_all_is_taken(
    dovecot: MailServer, user: str, door: Letters, log: Log
) -> None:
    with dovecot.client(user) as client:
        for subject, flags in (("Old", "\\Seen"), ("Unread", ""), ("Thrown away", "\\Deleted"), ("Read", "\\Seen")):
            client.put(a_mail(subject), flags=flags)
        with reading(dovecot.url(user), door=door):
            wait_for(log, "imap.connected")
            assert door.subjects == ["Unread"]
            client.put(a_mail("New, and opened by a person before us"), flags="\\Seen")
            wait_taken(door, "Unread", "New, and opened by a person before us")


def test_a_first_look_that_is_broken_off_still_leaves_what_was_read_before(
    dovecot: MailServer, user: str, door: Letters, log: Log
) -> None:
    state = Shelf()
    with dovecot.client(user) as client:
        for subject, flags in (("Unread 1", ""), ("Old", "\\Seen"), ("Unread 2", ""), ("Read", "\\Seen")):
            client.put(a_mail(subject), flags=flags)
    door.closed = {"Unread 2"}
    with reading(dovecot.url(user), door=door, state=state):
        wait_for(log, "imap.not_taken")
    door.closed.clear()
    with reading(dovecot.url(user), door=door, state=state):
        wait_for(log, "imap.connected")

    assert door.subjects == ["Unread 1", "Unread 2"]


def test_what_came_while_we_were_away_is_taken_also_if_a_person_has_opened_it(
    dovecot: MailServer, user: str, door: Letters, log: Log
) -> None:
    state = Shelf()
    with reading(dovecot.url(user), door=door, state=state):
        wait_for(log, "imap.connected")
    with dovecot.client(user) as client:
        client.put(a_mail("Opened"), flags="\\Seen")
        client.put(a_mail("Not opened"))
    with reading(dovecot.url(user), door=door, state=state):
        wait_taken(door, "Opened", "Not opened")

    assert list(state.all("")) == [f"mail/imap/{user}@127.0.0.1/INBOX"]


def test_thousands_of_mails_that_wait_are_taken_in_their_order(dovecot: MailServer, user: str, door: Letters) -> None:
    subjects = [f"Mail {number}" for number in range(1500)]
    dovecot.fill(user, map(a_mail, subjects))
    with reading(dovecot.url(user), door=door):
        wait_until(lambda: len(door.subjects) == 1500, 120)
    # it may be stopped before the last of them are marked; then they are offered again
    assert door.offered == subjects
    with dovecot.client(user) as client:
        assert list(client.flags().values()).count({"\\Seen"}) > 1500 - imap.BATCH


def test_two_mailboxes_are_read_and_a_folder_may_have_any_name(dovecot: MailServer, door: Letters, log: Log) -> None:
    ann, ben = dovecot.new_user(), dovecot.new_user()
    with dovecot.client(ben) as client:
        client.make("Kunden/Anfragen für später")
        with reading(dovecot.url(ann), dovecot.url(ben, "Kunden/Anfragen für später"), door=door):
            wait_for(log, "imap.connected", 2)
            dovecot.deliver(a_mail("To Ann"), to=ann)
            dovecot.deliver(a_mail("To Ben's inbox"), to=ben)
            client.put(a_mail("To Ben's folder"), "Kunden/Anfragen für später")
            wait_taken(door, "To Ann", "To Ben's folder")


def test_two_processes_may_read_one_mailbox(dovecot: MailServer, user: str, door: Letters, log: Log) -> None:
    subjects = [f"Mail {number}" for number in range(20)]
    with reading(dovecot.url(user), door=door), reading(dovecot.url(user), door=door):
        wait_for(log, "imap.connected", 2)
        dovecot.deliver(*map(a_mail, subjects), to=user)
        wait_taken(door, *subjects)
        wait_seen(dovecot, user, 20)


def test_of_a_mail_that_is_too_large_the_beginning_is_taken(
    dovecot: MailServer, user: str, door: Letters, log: Log
) -> None:
    large = a_mail("Large").replace(b"\r\n\r\nLarge", b"\r\n\r\nHelp!\r\n" + b"0123456789\r\n" * 5000)
    dovecot.deliver(large, a_mail("Small"), to=user)
    with reading(dovecot.url(user), door=door, max_mail=10_000):
        wait_taken(door, "Large", "Small")

    assert len(door.bodies[0]) == 10_000
    assert b"\r\n\r\nHelp!\r\n" in door.bodies[0]
    [cut] = events(log, "imap.mail_cut")
    assert (cut["size"] > 60_000, cut["kept"]) == (True, 10_000)


def test_a_mail_that_the_server_does_not_hand_out_holds_up_the_others_only_for_some_time(
    dovecot: MailServer, user: str, door: Letters, log: Log
) -> None:
    subjects = ["First", "Ill", "Last"]
    dovecot.fill(user, map(a_mail, subjects))
    [ill] = [path for path in (dovecot.folder / "mail" / user / "new").iterdir() if b"Ill" in path.read_bytes()]
    ill.chmod(0)
    with reading(dovecot.url(user), door=door):
        wait_taken(door, "First", "Last")

    [left] = events(log, "imap.mail_left")
    assert left["uid"] == 2


# What becomes of it in the mailbox


@contextmanager
def able_to(capability: str, dovecot: MailServer) -> Iterator[None]:
    """While entered, the server says that it can do no more than this."""
    with dovecot.stopped():
        dovecot.configure(capability)
    try:
        yield
    finally:
        with dovecot.stopped():
            dovecot.configure()


DONE = "Erledigt/Übernommen"


def look_at_what_is_moved(server: MailServer, user: str, door: Letters) -> dict[int, set[str]]:
    """Have a mail moved, and return what is left: another that a person has marked as deleted, and maybe more."""
    with server.client(user) as client:
        client.put(a_mail("Thrown away by a person"), flags="\\Seen \\Deleted")
        with reading(server.url(user), door=door, imap_done=DONE):
            server.deliver(a_mail("To be moved"), to=user)
            wait_until(lambda: DONE in client.folders() or DONE.encode("utf-7").decode(), PATIENCE)
            wait_until(lambda: has(client, DONE), PATIENCE)
            wait_until(lambda: 1 in client.flags(), PATIENCE)
        assert [mail["Subject"] for mail in client.mails(DONE)] == ["To be moved"]
        assert list(client.flags(DONE).values()) == [{"\\Seen"}]
        return client.flags()


def has(client: Any, folder: str) -> bool:
    try:
        return bool(client.mails(folder))
    except AssertionError:
        return False


def test_with_imap_done_it_is_moved_and_nothing_else_is_deleted(dovecot: MailServer, user: str, door: Letters) -> None:
    left = look_at_what_is_moved(dovecot, user, door)

    assert left == {1: {"\\Seen", "\\Deleted"}}


def test_a_server_that_cannot_move_copies_and_deletes_that_one(dovecot: MailServer, user: str, door: Letters) -> None:
    with able_to("IMAP4rev1 IDLE UIDPLUS", dovecot):
        assert look_at_what_is_moved(dovecot, user, door) == {1: {"\\Seen", "\\Deleted"}}


def test_a_server_that_can_do_least_is_looked_at_now_and_then_and_the_mail_stays_marked_as_deleted(
    dovecot: MailServer, user: str, door: Letters, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imap, "LOOK_EVERY", 0.1)
    with able_to("IMAP4rev1", dovecot):
        left = look_at_what_is_moved(dovecot, user, door)

    assert left == {1: {"\\Seen", "\\Deleted"}, 2: {"\\Seen", "\\Deleted"}}
    assert not events(log, "imap.connected")[0]["idle"]


def test_where_moving_is_refused_mail_is_taken_all_the_same(
    dovecot: MailServer, user: str, door: Letters, log: Log
) -> None:
    dovecot.deliver(a_mail("Stays"), to=user)
    with reading(dovecot.url(user), door=door, imap_done="no//such"):
        wait_taken(door, "Stays")
        wait_for(log, "imap.not_marked")
        wait_for(log, "imap.connected")
        wait_seen(dovecot, user, 1)


# Trouble


def test_what_cannot_be_committed_stays_unseen_and_is_tried_again_before_what_is_behind_it(
    dovecot: MailServer, user: str, door: Letters, log: Log
) -> None:
    door.closed = {"Second"}
    with dovecot.client(user) as client, reading(dovecot.url(user), door=door):
        wait_for(log, "imap.connected")
        dovecot.deliver(a_mail("First"), a_mail("Second"), a_mail("Third"), to=user)
        wait_until(lambda: door.offered.count("Second") > 2, PATIENCE)
        assert client.flags() == {1: {"\\Seen"}, 2: set(), 3: set()}
        assert len(events(log, "imap.not_taken")) == 1
        door.closed.clear()
        wait_taken(door, "First", "Second", "Third")
        wait_seen(dovecot, user, 3)

    assert door.subjects == ["First", "Second", "Third"]
    assert door.offered.count("First") == 1


def die_after_the_commit(url: str, folder: Path) -> None:
    """In a process of its own: take one mail, commit it, and be killed before anything else."""

    class LastWill(Letters):
        def take(self, raw: bytes, envelope: Envelope) -> Taken:
            (folder / "committed").write_bytes(raw)
            os.kill(os.getpid(), signal.SIGKILL)
            return Taken("never said")

    with reading(url, door=LastWill(), state=Shelf(folder / "state")):
        time.sleep(60)


def test_killed_between_commit_and_mark_it_is_taken_again_and_then_marked(
    dovecot: MailServer, user: str, door: Letters, tmp_path: Path
) -> None:
    dovecot.deliver(a_mail("Committed"), a_mail("Not yet"), to=user)
    program = (
        "import sys, pathlib; from tests.test_mail_imap import die_after_the_commit as die; "
        "die(sys.argv[1], pathlib.Path(sys.argv[2]))"
    )
    command = [sys.executable, "-c", program, dovecot.url(user), str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    with dovecot.client(user) as client:
        assert client.flags() == {1: set(), 2: set()}
    door.take((tmp_path / "committed").read_bytes(), Envelope(source="imap"))

    with reading(dovecot.url(user), door=door, state=Shelf(tmp_path / "state")):
        wait_taken(door, "Committed", "Not yet")
        wait_seen(dovecot, user, 2)

    assert door.offered == ["Committed", "Committed", "Not yet"]


def test_a_connection_that_is_cut_loses_nothing(dovecot: MailServer, user: str, door: Letters, log: Log) -> None:
    with Line(dovecot.port) as line, reading(dovecot.url(user, port=line.port), door=door):
        wait_for(log, "imap.connected")
        line.cut()
        dovecot.deliver(a_mail("While it was cut"), to=user)
        wait_taken(door, "While it was cut")
        wait_seen(dovecot, user, 1)

    assert line.connections == 2
    assert door.offered == ["While it was cut"]


def test_a_connection_that_is_cut_again_and_again_loses_nothing(
    dovecot: MailServer, user: str, door: Letters, log: Log
) -> None:
    subjects = [f"Mail {number}" for number in range(40)]
    with Line(dovecot.port) as line, reading(dovecot.url(user, port=line.port), door=door):
        for number, subject in enumerate(subjects):
            dovecot.deliver(a_mail(subject), to=user)
            if number % 4 == 3:
                line.cut()
        wait_taken(door, *subjects)
        wait_seen(dovecot, user, 40)

    assert door.subjects == subjects


def test_a_server_that_restarts_is_found_again(dovecot: MailServer, user: str, door: Letters, log: Log) -> None:
    with reading(dovecot.url(user), door=door):
        wait_for(log, "imap.connected")
        with dovecot.stopped():
            wait_for(log, "imap.not_connected")
        dovecot.deliver(a_mail("After the restart"), to=user)
        wait_taken(door, "After the restart")
        wait_for(log, "imap.connected", 2)

    assert len(events(log, "imap.not_connected")) == 1


def test_a_server_that_goes_silent_is_given_up_and_connected_to_anew(
    dovecot: MailServer, user: str, door: Letters, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imap, "RENEW", 0.3)
    url, brief = dovecot.url(user), timedelta(seconds=2)
    with (
        Line(dovecot.port) as line,
        reading(url.replace(str(dovecot.port), str(line.port)), door=door, imap_timeout=brief),
    ):
        wait_for(log, "imap.connected")
        line.silent = True
        dovecot.deliver(a_mail("Told to nobody"), to=user)
        wait_for(log, "imap.not_connected")
        assert door.subjects == []
        line.silent = False
        wait_taken(door, "Told to nobody")

    assert "timed out" in events(log, "imap.not_connected")[0]["reason"]


def test_a_folder_that_was_made_anew_is_offered_again_as_a_whole(
    dovecot: MailServer, user: str, door: Letters, log: Log
) -> None:
    state, subjects = Shelf(), ["Read before us", "Taken 1", "Taken 2"]
    url = dovecot.url(user, "Support")
    with dovecot.client(user) as client:
        client.make("Support")
        client.put(a_mail("Read before us"), "Support", "\\Seen")
        with reading(url, door=door, state=state):
            wait_for(log, "imap.connected")
            for subject in subjects[1:]:
                client.put(a_mail(subject), "Support")
            wait_taken(door, *subjects[1:])
            wait_until(lambda: len(client.flags("Support")) == 3)
        client.delete("Support")
        client.make("Support")
        for subject in ("New", *subjects[1:]):
            client.put(a_mail(subject), "Support", "\\Seen")
        door.offered.clear()
        with reading(url, door=door, state=state):
            wait_taken(door, *subjects[1:], "New")
            wait_for(log, "imap.connected", 2)

    assert door.offered == ["New", *subjects[1:]]
    assert len(events(log, "imap.uids_changed")) == 1


def test_a_folder_that_is_made_anew_under_us_is_read_on(
    dovecot: MailServer, user: str, door: Letters, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imap, "RENEW", 0.2)
    with dovecot.client(user) as client:
        client.make("Support")
        with reading(dovecot.url(user, "Support"), door=door):
            client.put(a_mail("Before"), "Support")
            wait_taken(door, "Before")
            client.delete("Support")
            wait_for(log, "imap.folder_not_opened")
            client.make("Support")
            client.put(a_mail("Behind"), "Support")
            wait_taken(door, "Before", "Behind")


def test_a_wrong_password_is_told_once_with_a_remedy_and_tried_ever_more_rarely(
    dovecot: MailServer, user: str, door: Letters, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imap, "FIRST_PAUSE_OUTSIDE", 0.2)
    began = time.monotonic()
    with Line(dovecot.port) as line, reading(dovecot.url(user, port=line.port, password="hunter2!"), door=door):
        wait_until(lambda: line.connections == 3, PATIENCE)
        assert time.monotonic() - began > 0.75 * (0.2 + 0.4)

    [told] = events(log, "imap.not_let_in")
    assert (told["log_level"], "app password" in told["remedy"]) == ("error", True)
    assert "hunter2" not in str(log)


def test_the_pause_after_a_wrong_password_is_five_minutes_at_most_and_never_a_second() -> None:
    reader_pauses = imap._pauses(imap.NotLetIn("no"))

    assert reader_pauses[1] == 300
    assert imap._pauses(NotCommitted("ill"))[1] < 61


def test_a_folder_that_there_is_not_is_told_with_a_remedy(
    dovecot: MailServer, user: str, door: Letters, log: Log
) -> None:
    with dovecot.client(user) as client, reading(dovecot.url(user, "Nowhere"), door=door):
        wait_for(log, "imap.folder_not_opened")
        client.make("Nowhere")
        client.put(a_mail("Now it is there"), "Nowhere")
        wait_taken(door, "Now it is there")

    [told] = events(log, "imap.folder_not_opened")
    assert "exist" in told["remedy"]


def test_it_stops_at_once_while_it_waits_for_mail(dovecot: MailServer, user: str, door: Letters, log: Log) -> None:
    with reading(dovecot.url(user), door=door):
        wait_for(log, "imap.connected")
        began = time.monotonic()
    assert time.monotonic() - began < 30  # IDLE goes on for ten minutes

    assert not [thread for thread in threading.enumerate() if thread.name.startswith("imap-")]


def test_it_stops_at_once_while_the_server_is_silent(
    dovecot: MailServer, user: str, door: Letters, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imap, "RENEW", 0.1)
    long = timedelta(minutes=5)
    with Line(dovecot.port) as line:
        with reading(dovecot.url(user, port=line.port), door=door, imap_timeout=long):
            wait_for(log, "imap.connected")
            line.silent = True
            time.sleep(0.3)  # by now it has asked something and waits for the answer
            began = time.monotonic()
        assert time.monotonic() - began < 30
        wait_until(lambda: not [one for one in threading.enumerate() if one.name.startswith("imap-")])


# What a server may say


class Script:
    """An IMAP server that has no mail at first, and one from its first IDLE or, with `early`, its first search on.
    `idle` is what it says when it is asked to idle, in one piece. A context manager."""

    def __init__(self, idle: bytes = b"+ idling\r\n", early: bool = False, refuses: bool = False) -> None:
        self._idle = idle
        self._early = early
        self._refuses = refuses
        self._has_mail = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"imap+plain://ann:hunter2!@127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> "Script":
        self._thread.start()
        return self

    def __exit__(self, *args: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                with connection, connection.makefile("rwb") as lines:
                    self._talk(lines)

    def _talk(self, lines: Any) -> None:
        answer = b"* OK here\r\n"
        while True:
            lines.write(answer)
            lines.flush()
            if not (line := lines.readline()):
                return
            answer = self._answer(*line.split(maxsplit=1))

    def _answer(self, tag: bytes, command: bytes = b"") -> bytes:
        if tag == b"DONE":
            return self._idling + b" OK done\r\n"
        if command.startswith(b"LOGIN") and self._refuses:
            return tag + b" NO I do not like " + command
        if command.startswith(b"IDLE"):
            self._idling, self._has_mail = tag, True
            return self._idle
        said = {
            b"CAPABILITY": b"* CAPABILITY IMAP4rev1 IDLE\r\n",
            b"SELECT": b"* 0 EXISTS\r\n* OK [UIDVALIDITY 7] valid\r\n",
            b"UID SEARCH UID": self._found(),
            b"UID SEARCH ALL": b"* SEARCH\r\n",
            b"UID FETCH": self._fetched(command),
        }
        found = next((answer for name, answer in said.items() if command.startswith(name)), b"")
        if command.startswith(b"UID SEARCH UID") and self._early and not self._has_mail:
            self._has_mail = True
            found += b"* 1 EXISTS\r\n"
        return found + tag + b" OK done\r\n"

    def _found(self) -> bytes:
        return b"* SEARCH 1\r\n" if self._has_mail else b"* SEARCH\r\n"

    def _fetched(self, command: bytes) -> bytes:
        mail = a_mail("Hello")
        if b"BODY" not in command:
            return b"* 1 FETCH (RFC822.SIZE %d UID 1)\r\n" % len(mail)
        return b"* 2 FETCH (FLAGS (\\Seen))\r\n* 1 FETCH (BODY[] {%d}\r\n%s UID 1)\r\n" % (len(mail), mail)


@pytest.mark.parametrize(
    "idle",
    [b"+ idling\r\n* 1 EXISTS\r\n", b"* 1 EXISTS\r\n+ idling\r\n", b"* OK hm\r\n* 1 EXISTS\r\n+ idling\r\n* OK so\r\n"],
)
def test_news_that_come_together_with_the_beginning_of_idle_are_not_overlooked(
    idle: bytes, door: Letters, log: Log
) -> None:
    with Script(idle) as server, reading(server.url, door=door):
        wait_taken(door, "Hello")

    assert not events(log, "imap.not_connected")


def test_news_that_come_together_with_the_end_of_a_search_are_not_overlooked(door: Letters) -> None:
    """The search did not see them, and IDLE, which is silent here, will not tell of them again."""
    with Script(early=True) as server, reading(server.url, door=door):
        wait_taken(door, "Hello")


def test_a_server_that_repeats_the_password_is_not_quoted(door: Letters, log: Log) -> None:
    with Script(refuses=True) as server, reading(server.url, door=door):
        wait_for(log, "imap.not_let_in")

    assert "I do not like" in events(log, "imap.not_let_in")[0]["reason"]
    assert "hunter2" not in str(log)


# Encryption, and logging in


@pytest.mark.parametrize("scheme", ["imaps", "imap"])
def test_mailboxes_are_read_over_tls_from_a_server_that_somebody_vouches_for(
    dovecot: MailServer, user: str, door: Letters, log: Log, scheme: str
) -> None:
    with reading(dovecot.url(user, scheme=scheme), door=door, imap_ca_file=dovecot.certificate):
        wait_for(log, "imap.connected")
        dovecot.deliver(a_mail("In secret"), to=user)
        wait_taken(door, "In secret")


@pytest.mark.parametrize("scheme", ["imaps", "imap"])
def test_a_server_that_nobody_vouches_for_is_not_told_the_password(
    dovecot: MailServer, user: str, door: Letters, log: Log, scheme: str
) -> None:
    with reading(dovecot.url(user, scheme=scheme), door=door):
        wait_for(log, "imap.not_connected")

    assert "CERTIFICATE_VERIFY_FAILED" in events(log, "imap.not_connected")[0]["reason"]
    assert f"user=<{user}>" not in dovecot.log()


def test_a_password_may_have_letters_beyond_ascii(dovecot: MailServer, door: Letters, log: Log) -> None:
    with reading(dovecot.url(JÜRGEN, password=UMLAUTS), door=door):
        wait_for(log, "imap.connected")


@pytest.mark.parametrize(("host", "warned"), [("127.0.0.1", 0), ("localhost", 0), ("[::1]", 0), ("192.0.2.1", 1)])
def test_a_password_in_the_clear_is_warned_of_unless_it_stays_on_this_machine(
    door: Letters, log: Log, host: str, warned: int
) -> None:
    settings = configured(f"imap+plain://ann:hunter2@{host}:1/", imap_timeout=timedelta(seconds=0.1))
    reader = ImapReader(settings.mailboxes[0], settings, door, Shelf(), TestClock())
    reader.ask_to_stop()
    reader.start()
    reader.wait_stopped(5)

    assert len(events(log, "imap.password_in_the_clear")) == warned


def test_a_file_without_certificates_is_named(tmp_path: Path, door: Letters) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")

    with (
        pytest.raises(ConfigurationError, match="IMAP_CA_FILE"),
        reading("imaps://a:b@mx.test", door=door, imap_ca_file=tmp_path / "ca.pem"),
    ):
        pass


# `bot mail check`


def test_the_check_says_what_is_well(dovecot: MailServer, user: str) -> None:
    dovecot.deliver(a_mail("One"), a_mail("Two"), to=user)
    with dovecot.client(user) as client:
        client.flag(1, "\\Seen")
    found = list(check(configured(dovecot.url(user), imap_done="Done")))

    assert all(finding.well for finding in found)
    assert "of 2 mails 1 have not been seen" in found[0].says
    assert "IDLE" in found[1].says
    assert "Done (by MOVE), which is made" in found[2].says
    with dovecot.client(user) as client:
        assert client.flags() == {1: {"\\Seen"}, 2: set()}


def test_the_check_says_what_to_do_about_what_is_not_well(dovecot: MailServer, user: str) -> None:
    urls = [
        dovecot.url(user, password="hunter2!"),
        dovecot.url(user, "Nowhere"),
        "imap+plain://ann:hunter2!@127.0.0.1:1/",
    ]
    found = list(check(configured(*urls)))

    assert [(finding.well, finding.remedy.split(",")[0].split("?")[0]) for finding in found] == [
        (False, "is the user and the password of IMAP_URL right"),
        (False, "does the folder of IMAP_URL exist"),
        (False, "is HOST right in IMAP_URL"),
    ]
    assert "hunter2" not in str(found)


def test_the_command_prints_it(dovecot: MailServer, user: str, monkeypatch: pytest.MonkeyPatch) -> None:
    app = typer.Typer()
    cli.add_commands(app)
    monkeypatch.setenv("IMAP_URL", dovecot.url(user))
    well = CliRunner().invoke(app, ["mail", "check"])
    assert (well.exit_code, "ok   INBOX at 127.0.0.1" in well.output) == (0, True)

    monkeypatch.setenv("IMAP_URL", dovecot.url(user, password="wrong"))
    ill = CliRunner().invoke(app, ["mail", "check"])
    assert isinstance(ill.exception, FirstlineError)
    assert "→ is the user" in ill.output


# The settings


def test_a_mailbox_is_written_as_one_address() -> None:
    [plain, full, secret] = configured(
        "imaps://ann@shop.example:pw@imap.example.com imap://ann:p%40s%3As%2F%25@[2001:db8::1]:1143/Anfragen%20%C3%BC/A",
        "imap+plain://b:c@localhost/inbox",
    ).mailboxes

    assert plain == ImapMailbox("imaps", "imap.example.com", 993, "ann@shop.example", "pw", "INBOX")
    assert full == ImapMailbox("imap", "2001:db8::1", 1143, "ann", "p@s:s/%", "Anfragen ü/A")
    assert (secret.port, secret.folder, secret.name) == (143, "INBOX", "b@localhost/INBOX")
    assert "p@s" not in repr(full)


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"IMAP_URL": "imap.example.com"}, "IMAP_URL: is not written imaps://USER:PASSWORD@HOST:PORT/FOLDER"),
        ({"IMAP_URL": "https://ann:hunter2@mx.test"}, "IMAP_URL: is not written"),
        ({"IMAP_URL": "imaps://ann@mx.test"}, "IMAP_URL: is not written"),
        ({"IMAP_URL": "imaps://ann:hunter2/x@mx.test"}, "IMAP_URL: is not written"),
        ({"IMAP_URL": "imaps://ann:hunt@er2/x@mx.test"}, "IMAP_URL: is not written"),
        ({"IMAP_URL": "imaps://ann:hunter2@mx.test:99999"}, "IMAP_URL: has a port"),
        ({"IMAP_URL": "imaps://ann:hunter2%0d%0aX@mx.test"}, "IMAP_URL: has .*control characters"),
        ({"IMAP_URL": "imaps://ann:hunter2%ff@mx.test"}, "IMAP_URL: has a %"),
        ({"IMAP_URL": "imaps://a:b@mx.test imaps:hunter2"}, "IMAP_URL: mailbox 2 is not written"),
        ({"IMAP_URL": "imaps://a:hunter2@mx.test imaps://a:hunter2@mx.test/inbox"}, "mailbox 2 is there already"),
        ({"IMAP_URL": "imaps://a:hunter2@mx.test", "IMAP_DONE": "Inbox"}, "IMAP_DONE: .*go round"),
        ({"IMAP_URL": "imaps://a:hunter2@mx.test", "IMAP_DONE": "a\nb"}, "IMAP_DONE: .*control"),
    ],
)
def test_an_address_that_cannot_be_used_is_named_without_its_password(
    environment: dict[str, str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)

    with pytest.raises(ConfigurationError, match=message) as caught:
        MailInSettings.read()

    assert "hunt" not in str(caught.value)
    assert "er2" not in str(caught.value)


def test_every_password_of_a_mailbox_is_kept_out_of_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    from bot.telemetry import redact_text

    monkeypatch.setenv("IMAP_URL", "imaps://a:correct%20horse@mx.test imap+plain://b:battery@mx.test")
    MailInSettings.read()

    assert redact_text("correct horse, correct%20horse and battery") == "[secret], [secret] and [secret]"
