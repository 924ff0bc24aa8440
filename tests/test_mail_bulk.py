"""Mail from files and pipes: read piece by piece, taken once, and left to whoever has it when it is not committed."""

import io
import mailbox
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from adapters.mail import bulk
from adapters.mail.cli import add_commands
from adapters.mail.parsed import Envelope
from adapters.mail.ways import Taken
from bot.errors import ConfigurationError, FirstlineError
from bot.settings import Settings
from tests.mail_door import AWAY, TakingDoor

PAYLOADS = Path(__file__).parent / "payloads" / "email"
RAW = (PAYLOADS / "plain.eml").read_bytes()
MOST = 100_000


def mail(number: int, body: bytes = b"Hello\n") -> bytes:
    return b"From: ana@example.org\nSubject: %d\nMessage-ID: <%d@example.org>\n\n" % (number, number) + body


def read(content: bytes, most: int = MOST) -> list[bytes | None]:
    file = io.BytesIO(content)
    return [found.raw for found in bulk.mbox(file, file.readline(bulk.PIECE), most, len(content))]


class Shop:
    """The command, with a door that is opened for it. `opening` is raised instead."""

    def __init__(self) -> None:
        self.door = TakingDoor()
        self.opening: Exception | None = None

    @contextmanager
    def core(self, settings: Settings) -> Iterator["Shop"]:
        if self.opening is not None:
            raise self.opening
        yield self

    def run(self, *words: str | Path, stdin: bytes = b"") -> Result:
        app = typer.Typer()
        add_commands(app)
        return CliRunner().invoke(app, ["mail", "ingest", *map(str, words)], input=stdin, obj=self)


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.setattr("adapters.mail.channel.door_of", lambda core: core.door)
    return Shop()


# --- what a mail server pipes into us


def test_a_mail_that_is_piped_in_is_taken_as_it_is(shop: Shop) -> None:
    done = shop.run("--from", "<ana@example.org>", "--to", "support@example.com", stdin=RAW)
    assert (done.exit_code, done.stdout) == (0, "mail 1 taken.\n")
    assert shop.door.raw == RAW
    assert shop.door.envelope == Envelope("ana@example.org", ("support@example.com",), "pipe")


def test_nobody_told_is_not_the_empty_sender(shop: Shop) -> None:
    shop.run(stdin=mail(1))
    shop.run("--from", "", stdin=mail(2))
    shop.run("--from", "<>", stdin=mail(3))
    assert [envelope.sender for _, envelope in shop.door.mails] == [None, "", ""]


def test_a_mail_server_keeps_what_is_not_committed(shop: Shop) -> None:
    shop.door.failures = [AWAY]
    assert shop.run(stdin=RAW).exit_code == bulk.TRY_AGAIN == 75
    again = shop.run(stdin=RAW)
    assert again.exit_code == 0
    assert shop.door.raw == RAW


@pytest.mark.parametrize(
    "failure", [ConfigurationError("DATABASE_URL: no"), FirstlineError("no"), RuntimeError("secret of the database")]
)
def test_a_mail_server_keeps_the_mail_when_something_is_wrong_with_us(shop: Shop, failure: Exception) -> None:
    shop.opening = failure
    done = shop.run(stdin=RAW)
    assert done.exit_code == 75
    assert "secret" not in done.output
    shop.opening = None
    shop.door.failures = [failure]
    assert shop.run(stdin=RAW).exit_code == 75


def test_a_setting_that_is_wrong_is_no_reason_to_lose_a_mail(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_MAIL", "many")
    done = shop.run(stdin=RAW)
    assert done.exit_code == 75
    assert "MAX_MAIL" in done.output


def test_a_mail_that_is_too_large_is_given_back_and_read_to_its_end(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAX_MAIL", "10000")
    assert shop.run(stdin=mail(1, b"x" * (10_000 - len(mail(1, b""))))).exit_code == 0
    done = shop.run(stdin=mail(1, b"x" * 500_000))
    assert (done.exit_code, done.stdout) == (65, "The mail is larger than 10000 bytes.\n")
    assert shop.run(stdin=b"x" * 10_001).exit_code == 65
    assert shop.run(stdin=b"").exit_code == 65
    assert len(shop.door.mails) == 1


def test_the_line_that_a_mailbox_has_before_a_mail_is_left_away(shop: Shop) -> None:
    shop.run(stdin=b"From ana@example.org Sun Nov 22 12:00:00 2026\n" + RAW)
    assert shop.door.raw == RAW


# --- mbox


def test_what_a_real_writer_puts_into_an_mbox_comes_out_of_it(tmp_path: Path) -> None:
    box = mailbox.mbox(tmp_path / "box")
    bodies = [b"Hello\n", b"From here on\n\nFrom there: it goes\n>From me\n", b"", b"\n\n", "49 €\n".encode()]
    for number, body in enumerate(bodies):
        box.add(mail(number, body))
    box.close()
    found = read((tmp_path / "box").read_bytes())
    assert len(found) == len(bodies)
    for number, raw in enumerate(found):
        assert raw is not None
        assert message_from_bytes(raw, policy=policy.default)["Subject"] == str(number)
    assert found[0] == mail(0, bodies[0])
    assert found[4] == mail(4, bodies[4])


def test_a_line_of_the_text_that_begins_like_a_new_mail_is_none() -> None:
    body = b"one\nFrom within\n\nFrom afar, a sentence.\nIt goes on.\n\nFrom the end\n"
    box = b"From a Sun Nov 22 12:00:00 2026\n" + mail(1, body) + b"\nFrom b Sun Nov 22 12:00:00 2026\n" + mail(2)
    assert read(box) == [mail(1, body), mail(2)]


def test_quoted_lines_are_as_they_were_written() -> None:
    quoted = b"\n>From me\n>>From me\n> From me\nx >From me\n"
    assert read(b"From a\n" + mail(1, quoted)) == [mail(1, b"\nFrom me\n>From me\n> From me\nx >From me\n")]


def test_an_mbox_may_have_other_ends_of_lines_and_no_last_one() -> None:
    first, second = (mail(number).replace(b"\n", b"\r\n") for number in (1, 2))
    assert read(b"From a\r\n" + first + b"\r\nFrom b\r\n" + second) == [first, second]
    assert read(b"From a\n" + mail(1, b"no end")) == [mail(1, b"no end")]
    assert read(b"From a") == [b""]


def test_one_that_is_too_large_does_not_keep_the_others_out() -> None:
    long_line = mail(2, b"\n\n" + b"From " * 40_000 + b"\n>From x\n")
    box = b"".join(b"From a\n" + one + b"\n" for one in (mail(1), long_line, mail(3)))
    assert read(box) == [mail(1), None, mail(3)]
    assert read(box, most=1_000_000) == [mail(1), long_line.replace(b">From x", b"From x"), mail(3)]


def test_an_mbox_is_read_mail_by_mail(tmp_path: Path) -> None:
    with (tmp_path / "box").open("wb") as box:
        for number in range(200):
            box.write(b"From a\n" + mail(number, (b"x" * 990 + b"\n") * 80) + b"\n")
    tracemalloc.start()
    try:
        with (tmp_path / "box").open("rb") as box:
            count = sum(found.raw is not None for found in bulk.mbox(box, box.readline(), MOST, None))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 200
    assert peak < 2_000_000 < (tmp_path / "box").stat().st_size / 5


def test_an_mbox_is_taken_once_however_often_it_is_brought(shop: Shop, tmp_path: Path) -> None:
    box = tmp_path / "box"
    box.write_bytes(b"".join(b"From a\n" + mail(number) + b"\n" for number in (1, 2, 3, 2)))
    assert shop.run(box).stdout == "3 taken, 1 known already.\n"
    assert shop.run("--mbox", box).stdout == "0 taken, 4 known already.\n"
    assert shop.run("--mbox", stdin=box.read_bytes()).stdout == "0 taken, 4 known already.\n"
    assert [raw for raw, _ in shop.door.mails] == [mail(1), mail(2), mail(3)]
    assert {envelope for _, envelope in shop.door.mails} == {Envelope(None, (), "file")}


def test_what_is_not_committed_is_where_the_next_attempt_goes_on(shop: Shop, tmp_path: Path) -> None:
    box = tmp_path / "box"
    box.write_bytes(b"".join(b"From a\n" + mail(number) + b"\n" for number in range(4)))
    take = shop.door.take
    shop.door.take = lambda raw, envelope: _fail_at(2, take, raw, envelope)  # type: ignore[method-assign]
    done = shop.run(box)
    assert done.exit_code == 75
    assert done.stdout == (
        "2 taken, 0 known already; the next one is not stored (the database is locked). "
        "Run it again: what was taken is known.\n"
    )
    shop.door.take = take  # type: ignore[method-assign]
    assert shop.run(box).stdout == "2 taken, 2 known already.\n"


def _fail_at(number: int, take: Any, raw: bytes, envelope: Envelope) -> Taken:
    if b"Subject: %d\n" % number in raw:
        raise AWAY
    taken: Taken = take(raw, envelope)
    return taken


def test_it_can_be_stopped_between_two_mails(shop: Shop, tmp_path: Path) -> None:
    box = tmp_path / "box"
    box.write_bytes(b"".join(b"From a\n" + mail(number) + b"\n" for number in range(4)))
    shop.door.failures = [KeyboardInterrupt()]  # type: ignore[list-item]
    done = shop.run(box)
    assert done.exit_code == 130
    assert "0 taken, 0 known already; stopped. Run it again" in done.stdout
    assert shop.run(box).exit_code == 0


def test_where_there_is_no_mail_none_is_taken(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "cur").mkdir()
    (tmp_path / "cur" / "1").touch()
    (tmp_path / "box").write_bytes(b"From a\n")
    for source in (tmp_path, tmp_path / "box", tmp_path / "cur" / "1"):
        assert shop.run("--mbox", source).stdout == "0 taken, 0 known already.\n"
    assert shop.door.mails == []


# --- one file, and folders


def test_a_file_that_is_one_mail_is_taken_as_one(shop: Shop) -> None:
    assert shop.run(PAYLOADS / "plain.eml").stdout == "mail 1 taken.\n"
    assert shop.door.raw == RAW


def test_a_maildir_is_taken_and_nothing_in_it_is_moved(shop: Shop, tmp_path: Path) -> None:
    box = mailbox.Maildir(tmp_path / "box", create=True)
    for number in range(3):
        box.add(mail(number))
    for number, flags in ((3, "S"), (4, "T"), (5, "DS")):
        message = mailbox.MaildirMessage(mail(number))
        message.set_subdir("cur")
        message.set_flags(flags)
        box.add(message)
    (tmp_path / "box" / "cur" / ".hidden").write_bytes(mail(6))
    (tmp_path / "box" / "new" / "folder").mkdir()
    before = sorted(tmp_path.rglob("*"))
    assert shop.run(tmp_path / "box").stdout == "4 taken, 0 known already.\n"
    assert sorted(raw for raw, _ in shop.door.mails) == [mail(number) for number in range(4)]
    assert sorted(tmp_path.rglob("*")) == before
    assert shop.run(tmp_path / "box").stdout == "0 taken, 4 known already.\n"


def test_a_mail_of_a_maildir_that_is_too_large_is_counted(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAX_MAIL", "10000")
    (tmp_path / "cur").mkdir()
    (tmp_path / "cur" / "1").write_bytes(mail(1, b"x" * 10_000))
    (tmp_path / "cur" / "2").write_bytes(mail(2))
    assert shop.run(tmp_path).stdout == "1 taken, 0 known already, 1 too large.\n"


def test_a_mail_that_somebody_moves_meanwhile_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    for number in (1, 2):
        (tmp_path / "new" / str(number)).write_bytes(mail(number))
    mails = bulk.maildir(tmp_path, MOST)
    assert next(mails).raw == mail(1)
    (tmp_path / "new" / "2").unlink()
    assert list(mails) == []


def test_what_is_no_source_is_told(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear all")
    done = shop.run(tmp_path)
    assert isinstance(done.exception, FirstlineError)
    assert "is no Maildir" in str(done.exception)
    done = shop.run("--mbox", tmp_path / "letter.txt")
    assert isinstance(done.exception, FirstlineError)
    assert "is no mbox" in str(done.exception)
    assert shop.run(tmp_path / "nothing").exit_code == 2
