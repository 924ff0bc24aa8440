"""The command line, as the program that people run: what it prints, what it refuses, and how it ends."""

import json
import os
import re
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, Self

import pytest
import requests

from storage import database, incidents, tables
from storage.migrate import migrate
from tests.desk import LocalDesk
from tests.fakes import NOON
from tests.test_storage import values

BOT = Path(sys.executable).with_name("bot")
NEW = {"customer_id": "C-7", "message": "My card was charged twice", "channel": "email", "email": "berta@example.com"}
COMMANDS = ["list", "resolve TKT-1", "dead retry job-1"]

SECRETS = {
    "GEMINI_API_KEY": "sesame-key-for-the-model",
    "TICKET_API_URL": "http://ana:sesame-of-the-desk@127.0.0.1:9/tickets?key=sesame-in-the-query",
    "TICKET_API_TOKEN": "sesame-token-of-the-desk",
    "SMTP_USER": "firstline",
    "SMTP_PASSWORD": "sesame-of-the-mail-server",
}


def environment(**settings: str) -> dict[str, str]:
    """The settings of a process: none of those of whoever runs the tests."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LD_LIBRARY_PATH") if name in os.environ}
    return {**kept, "COLUMNS": "80", "LANG": "C.UTF-8", **settings}


def bot(*arguments: str | bytes, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run one command in the folder of the test."""
    command = [str(BOT), *arguments]
    return subprocess.run(command, env=environment(**settings), capture_output=True, text=True, timeout=30)


def bots(*commands: str, **settings: str) -> list[subprocess.CompletedProcess[str]]:
    """Run commands side by side, where they do not touch each other."""
    with ThreadPoolExecutor(4) as side_by_side:
        return list(side_by_side.map(lambda command: bot(*command.split(), **settings), commands))


def refusal(done: subprocess.CompletedProcess[str], code: int) -> str:
    """Return the one line with which a command was refused."""
    assert done.returncode == code, done
    assert done.stdout == ""
    assert done.stderr.startswith("bot: ")
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


class Running:
    """A bot that runs until it is told to stop. `output` is all that it has written."""

    def __init__(self, *arguments: str, folder: Path | None = None, **settings: str) -> None:
        self._popen = subprocess.Popen(
            [str(BOT), *arguments],
            cwd=folder,
            env=environment(**{"PORT": "0", **settings}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.output = ""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._popen.stdout is not None
        with self._popen.stdout as lines:
            for line in lines:
                self.output += line

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._popen.kill()
        self._popen.wait()
        self._reader.join()

    def up(self) -> Self:
        """Wait until it has said that it is up, and what to try."""
        wait_until(self._greeted, self)
        return self

    def _greeted(self) -> bool:
        """A process that serves ends its greeting with how to stop it; another says no more than that it is up."""
        serves = " and http" in self.output
        return "Stop it with" in self.output if serves else self.output.endswith("\n\n")

    @property
    def url(self) -> str:
        found = re.search(r" and (http://\S+)\n", self.output)
        assert found, self.output
        return found[1]

    def post(self, **headers: str) -> requests.Response:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return requests.post(f"{self.url}/api/incidents", json=NEW, headers=names, timeout=20)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to stop; return its exit code. It has 20 seconds."""
        self._popen.send_signal(how)
        code = self._popen.wait(20)
        self._reader.join()
        return code


def wait_until(condition: Callable[[], Any], process: Running | None = None, seconds: float = 15) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, process and process.output
        time.sleep(0.02)


def query(sql: str, folder: Path = Path()) -> list[Any]:
    with closing(sqlite3.connect(folder / "incidents.db", timeout=10)) as connection:
        return connection.execute(sql).fetchall()


def mails(folder: Path) -> list[str]:
    return [path.read_text(encoding="utf-8") for path in sorted((folder / "outbox").glob("*.eml"))]


@pytest.fixture
def filled(tmp_path: Path) -> None:
    """A database with three incidents and two dead pieces of work in this folder."""
    database.connect(f"sqlite:///{tmp_path}/incidents.db")
    migrate()
    with database.transaction():
        incidents.open(values(id="i-1", ticket_id="TKT-98042a72", customer_id="C-1042", message=f"{'twice ' * 20}end"))
        incidents.open(values(id="i-2", ticket_id=f"TKT-{'9' * 32}", customer_id="c" * 255, confidence=None))
        incidents.open(values(id="i-3", ticket_id="TKT-1", message="[bold]:warning:[/] 列車は遅れています \x1b[31m \\"))
        incidents.record("i-1", NOON, "clerk", "opened", after="TKT-98042a72")
        work: dict[str, Any] = {"attempts": 24, "due_at": None, "created_at": NOON}
        said = "Undeliverable: 550 no such mailbox \x1b[2J [bold]"
        notice = {
            "channel": "email",
            "recipient": "ana@example.com",
            "kind": "acknowledgement",
            "message": "",
            "notice": {},
        }
        notice |= {"incident": "i-1", "dedupe": "n-1", "lane": "out/email:ana@example.com", "status": "failed"}
        database.insert(tables.Notification, [{**work, **notice, "error": said}])
        job = {"lane": "job/link/i-2", "kind": "link", "payload": {}, "dedupe": "j-1", "state": "dead", "error": "x"}
        database.insert(tables.Job, [{**work, **job}])
    database.disconnect()


class TestTheDatabase:
    """What a command does when there is none yet."""

    def test_is_made_by_migrate_and_only_once(self) -> None:
        first, second = bot("migrate"), bot("migrate")
        assert (first.returncode, first.stdout.splitlines()[0]) == (0, "applied 0001_the_spine")
        assert (second.returncode, second.stdout) == (0, "The schema is up to date.\n")

    def test_that_is_missing_is_said_and_none_is_made(self, tmp_path: Path) -> None:
        for done in bots(*COMMANDS):
            line = refusal(done, 2)
            assert "there is no incidents.db here" in line
            assert "bot migrate" in line
        assert list(tmp_path.iterdir()) == []

    def test_that_was_not_migrated_is_said_with_its_remedy(self) -> None:
        Path("incidents.db").touch()
        for done in bots("list", "web"):
            assert "Apply them: bot migrate" in refusal(done, 2)

    def test_that_is_something_else_is_said(self) -> None:
        Path("incidents.db").write_text("no database at all, but a letter to somebody", encoding="utf-8")
        for done in bots("list", "run"):
            assert "DATABASE_URL: " in refusal(done, 2)


WRONG = [
    ("run", {"PORT": "sesame"}, "PORT: "),
    ("run", {"HOST": "0.0.0.0"}, "HOST: 0.0.0.0 can be reached from other machines"),
    ("run", {"DATABASE_URL": "sesame"}, "DATABASE_URL: a database URL begins with sqlite:///"),
    ("migrate", {"DATABASE_URL": "sqlite:////nowhere/incidents.db"}, "DATABASE_URL: the folder of"),
    ("list", {"DATABASE_URL": "postgresql://ana:sesame@127.0.0.1:9/x"}, "DATABASE_URL: "),
    ("list", {"LOG_LEVEL": "loud", "LEASE": "sesame"}, "; LOG_LEVEL: "),
    ("run", {"TICKET_API_URL": "ftp://ana:sesame@desk.example"}, "TICKET_API_URL: "),
]


def test_a_wrong_setting_is_one_line_that_names_it_and_does_not_show_it() -> None:
    with ThreadPoolExecutor(4) as side_by_side:
        for case, done in zip(WRONG, side_by_side.map(lambda case: bot(case[0], **case[1]), WRONG), strict=True):
            line = refusal(done, 2)
            assert case[2] in line
            assert "sesame" not in line


def test_a_port_that_is_taken_is_said_with_its_remedy() -> None:
    with closing(__import__("socket").create_server(("127.0.0.1", 0))) as taken:
        port = str(taken.getsockname()[1])
        assert "Choose another: PORT=" in refusal(bot("run", PORT=port), 2)


def test_without_a_command_the_commands_are_listed() -> None:
    shown = bot("--help").stdout
    for name in (
        "run",
        "web",
        "worker",
        "clock",
        "migrate",
        "resolve",
        "show",
        "list",
        "stats",
        "train",
        "send",
        "dead",
    ):
        assert re.search(rf"^  {name} +\w", shown, re.MULTILINE), name


def test_training_says_what_it_needs() -> None:
    asked, missing = bots("train --help", "train")
    assert "train.csv" in asked.stdout
    assert missing.returncode == 2
    assert "Missing option '--data'" in missing.stderr


def test_sending_to_nobody_says_what_to_start() -> None:
    assert "Start the bot first: bot run" in refusal(bot("send", "hello", PORT="9"), 1)


def test_sending_to_somebody_else_says_so() -> None:
    with LocalDesk() as desk:
        desk.answer_with(200, b"<html>")
        assert "is not Firstline" in refusal(bot("send", "hello", PORT=str(desk.port)), 1)


@pytest.mark.usefixtures("filled")
class TestLooking:
    """What the tables show, at 80 columns where nothing else is said."""

    def test_the_list_gives_each_incident_a_line_and_cuts_no_ticket_number(self) -> None:
        head, *lines = bot("list").stdout.splitlines()
        assert head.split()[:2] == ["ticket", "status"]
        assert {line.split()[0] for line in lines} == {"TKT-98042a72", "TKT-1", f"TKT-{'9' * 32}"}
        assert max(map(len, lines)) <= 80
        assert {line.split()[1] for line in lines} == {"open"}

    def test_where_there_is_room_the_list_tells_more(self) -> None:
        head, *lines = bot("list", COLUMNS="180").stdout.splitlines()
        assert head.split() == ["ticket", "status", "priority", "about", "sure", "customer", "by", "opened", "message"]
        assert "duplicate_payment  90%" in "".join(lines)
        assert "2026-11-22 12:00" in "".join(lines)

    def test_the_list_can_be_of_one_status_and_short(self) -> None:
        none, short, wrong = bots("list --status resolved", "list --status open --limit 1", "list --status sesame")
        assert none.stdout == "There are no incidents.\n"
        assert len(short.stdout.splitlines()) == 2
        assert wrong.returncode == 2
        assert "'open', 'resolved'" in wrong.stderr

    def test_an_incident_is_shown_by_ticket_or_id_in_any_case_with_its_history(self) -> None:
        shown, by_id = (done.stdout for done in bots("show tkt-98042A72", "show I-1"))
        assert shown == by_id
        assert shown.startswith("TKT-98042a72  open  normal  duplicate_payment  90%\n")
        assert re.search(r"2026-11-22 12:00:00 UTC +clerk +opened +TKT-98042a72", shown)
        flowing = " ".join(shown.split())
        assert "acknowledgement by email to ana@example.com: failed, 24 attempts: Undeliverable: 550" in flowing

    def test_a_customers_text_is_shown_as_it_is_and_cannot_steer_the_terminal(self) -> None:
        shown, *more = (done.stdout for done in bots("show TKT-1", "dead list", "dead show notification-1"))
        assert "[bold]:warning:[/] 列車は遅れています [31m \\\n" in shown
        assert "\x1b" not in "".join([shown, *more])

    def test_what_does_not_exist_is_one_line(self) -> None:
        for done in bots("show TKT-nine", "resolve TKT-nine"):
            assert "TKT-nine" in refusal(done, 1)
        assert "No incident" in refusal(bot("show", b"\xff\xfe"), 1)

    def test_the_figures_are_counted(self) -> None:
        shown = bot("stats").stdout
        assert re.search(r"^total +3 *$", shown, re.MULTILINE)
        assert re.search(r"^by status +open 3 *$", shown, re.MULTILINE)
        assert re.search(r"^median seconds to resolve +- *$", shown, re.MULTILINE)

    def test_resolving_works_once_and_the_second_is_told_who_did_it(self) -> None:
        first, second = bot("resolve", "tkt-98042a72", "refunded"), bot("resolve", "TKT-98042a72")
        assert (first.returncode, first.stdout) == (0, "TKT-98042a72 is resolved.\n")
        assert re.search(
            r"TKT-98042a72 was resolved by command line at 20\d\d-\d\d-\d\d \d\d:\d\d UTC", refusal(second, 1)
        )
        assert query("SELECT after FROM events WHERE name = 'resolved'") == [("refunded",)]

    def test_the_dead_are_listed_with_their_incidents(self) -> None:
        shown = bot("dead", "list").stdout
        assert re.search(r"^notification-1 .*i-1 +Undeliverable: 550", shown, re.MULTILINE)
        assert re.search(r"^job-1 .*i-2 +x", shown, re.MULTILINE)

    def test_one_of_the_dead_is_shown_whole(self) -> None:
        shown = bot("dead", "show", "notification-1").stdout
        assert "recipient  ana@example.com" in shown
        assert "created_at  2026-11-22 12:00:00 UTC" in shown

    def test_one_of_the_dead_is_tried_again_once(self) -> None:
        assert bot("dead", "retry", "notification-1").stdout == "notification-1 is back in its lane.\n"
        assert query("SELECT status, attempts FROM notifications") == [("pending", 0)]
        assert query("SELECT key FROM lanes") == [("out/email:ana@example.com",)]
        assert "notification-1" in refusal(bot("dead", "retry", "notification-1"), 1)

    def test_no_odd_name_finds_a_dead_one(self) -> None:
        for done in bots("dead show job-²", f"dead show job-{'9' * 30}", "dead retry letter-1"):
            assert "Nothing dead" in refusal(done, 1)


def test_an_empty_database_has_nothing_to_show() -> None:
    bot("migrate")
    listed, dead = bots("list", "dead list")
    assert (listed.stdout, dead.stdout) == ("There are no incidents.\n", "Nothing was given up.\n")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, Path]]:
    """`bot run`, for the tests that leave it as it is, and its folder."""
    folder = tmp_path_factory.mktemp("running")
    with Running("run", folder=folder) as process:
        yield process.up(), folder
        assert process.stop() == 0
        assert "Traceback" not in process.output


def test_run_says_where_it_is_what_is_on_and_what_is_off(running: tuple[Running, Path]) -> None:
    shown = running[0].output
    assert re.search(
        r"^Firstline is up: web, worker, clock, on sqlite:///incidents\.db and http://127\.0\.0\.1:\d+$", shown, re.M
    )
    for switch in ("email", "sms", "whatsapp", "gemini", "ticket desk"):
        assert re.search(rf"^  off  {switch} +\w", shown, re.MULTILINE)


def test_the_line_to_try_works_as_it_is_printed(running: tuple[Running, Path]) -> None:
    process, folder = running
    line = process.output.partition("Try it:\n\n")[2].partition("\n\nand, with")[0]
    if shutil.which("curl"):
        said = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=20, check=True).stdout
    else:
        words = shlex.split(line)
        said = requests.post(words[2], data=words[6], headers=dict([words[4].split(": ")]), timeout=20).text
    answer = json.loads(said)
    assert re.fullmatch(r"TKT-[0-9a-f]{8}", answer["ticket_id"])
    assert answer["classification"] == "duplicate_payment"
    wait_until(lambda: any(answer["ticket_id"] in mail for mail in mails(folder)), process)


def test_send_prints_the_running_bots_answer(running: tuple[Running, Path]) -> None:
    process, folder = running
    port = process.url.rpartition(":")[2]
    done = bot("send", "My card was charged twice [bold]", PORT=port, http_proxy="http://127.0.0.1:9")
    assert done.returncode == 0, done.stderr
    ticket = re.search(r"ticket_id  (TKT-[0-9a-f]{8})", done.stdout)
    assert ticket
    assert ticket[1] in bot("list", DATABASE_URL=f"sqlite:///{folder}/incidents.db").stdout


def test_send_says_what_the_bot_refused(running: tuple[Running, Path]) -> None:
    port = running[0].url.rpartition(":")[2]
    assert "email: " in refusal(bot("send", "hello", "--email", "nobody", PORT=port), 1)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_it_finishes_what_is_in_hand_and_ends_well(how: signal.Signals) -> None:
    answers: list[requests.Response] = []
    with LocalDesk() as desk:
        desk.delay(1.0)
        settings = {"TICKET_API_URL": desk.url, "TICKET_WITHIN": "5s", "TICKET_TIMEOUT": "5s"}
        with Running("run", **settings) as process:
            process.up()
            poster = threading.Thread(target=lambda: answers.append(process.post()))
            poster.start()
            wait_until(lambda: desk.requests, process)
            assert process.stop(how) == 0
            poster.join()
    assert answers[0].status_code == 201
    assert query("SELECT external_ticket_id, status FROM incidents") == [("1001", "open")]
    assert query("SELECT state FROM inbox") == [("done",)]
    assert query("SELECT COUNT(*) FROM lanes WHERE owner IS NOT NULL") == [(0,)]
    assert "process.stopped" in process.output
    assert "Traceback" not in process.output


def test_what_it_could_not_begin_before_it_stopped_is_done_when_it_starts_again() -> None:
    with LocalDesk() as desk:
        desk.delay(0.6, times=6)
        settings = {"TICKET_API_URL": desk.url, "TICKET_WITHIN": "5s", "TICKET_TIMEOUT": "5s", "WORKERS": "1"}
        with Running("run", **settings) as process:
            process.up()
            for number in range(6):
                assert process.post(Prefer="respond-async", Idempotency_Key=f"k-{number}").status_code == 202
            wait_until(lambda: desk.requests, process)
            assert process.stop() == 0
        handled = query("SELECT COUNT(*) FROM incidents")[0][0]
        assert 1 <= handled < 6
        with Running("run", **{**settings, "WORKERS": "6"}) as process:
            wait_until(lambda: query("SELECT COUNT(*) FROM incidents") == [(6,)], process.up())
            assert process.stop() == 0
        assert set(desk.creations.values()) == {1}


WHILE_STARTING = """
import os, signal
from bot import __main__, app
serve = app._serve
def late(*arguments):
    os.kill(os.getpid(), signal.SIGTERM)
    serve(*arguments)
app._serve = late
__main__.main()
"""


def test_a_signal_while_it_starts_is_not_lost() -> None:
    command = [sys.executable, "-c", WHILE_STARTING, "run"]
    with subprocess.Popen(
        command, env=environment(PORT="0"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as it:
        try:
            code = it.wait(15)
        except subprocess.TimeoutExpired:
            it.kill()
            code = -9
    assert code == 0


def test_three_processes_do_the_whole_job_on_one_database(tmp_path: Path) -> None:
    bot("migrate")
    settings = {"FOLLOW_UP_AFTER": "1s"}
    with (
        Running("web", **settings) as web,
        Running("worker", **settings) as worker,
        Running("clock", **settings) as clock,
    ):
        for process in (web, worker, clock):
            process.up()
        answer = web.post()
        assert answer.status_code == 201
        ticket = answer.json()["ticket_id"]
        wait_until(lambda: len(mails(tmp_path)) == 2, worker)
        assert all(ticket in mail for mail in mails(tmp_path))
        texts = [("acknowledgement", "simulated"), ("reminder", "simulated")]
        wait_until(lambda: query("SELECT kind, status FROM notifications ORDER BY id") == texts, worker)
        assert query("SELECT reminder_sent FROM incidents") == [(1,)]
        for process in (web, worker, clock):
            assert process.stop() == 0
            assert "Traceback" not in process.output


def test_without_a_worker_a_message_is_received_and_waits(tmp_path: Path) -> None:
    bot("migrate")
    with Running("web", RESPONSE_WAIT="100ms") as web:
        answer = web.up().post()
        assert (answer.status_code, answer.json()["status"]) == (202, "received")
        shown = bot("show", answer.json()["incident_id"]).stdout
        assert web.stop() == 0
    assert "is not handled yet" in shown


def test_no_secret_and_no_address_is_in_any_output() -> None:
    settings = {**SECRETS, "SMTP_HOST": "127.0.0.1", "SMTP_PORT": "9", "SMTP_TLS": "none", "LOG_LEVEL": "DEBUG"}
    settings |= {"GEMINI_BASE_URL": "http://127.0.0.1:9"}
    with Running("run", **settings) as process:
        ticket = process.up().post().json()["ticket_id"]
        wait_until(lambda: "notification.put_off" in process.output, process)
        assert process.stop() == 0
    shown = process.output + "".join(map(str, bots(*COMMANDS, **settings)))
    assert ticket in process.output
    assert "sesame" not in shown
    assert "berta@example.com" not in process.output
