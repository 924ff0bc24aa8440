"""Mail that lies in files, or that a mail server pipes into us: one mail, an mbox, a Maildir. What is brought twice is
known, so that whatever was broken off can be begun again."""

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from adapters.mail.parsed import Envelope
from adapters.mail.ways import Door
from bot.errors import ConfigurationError, FirstlineError, NotCommitted

OK: Final = 0
BAD_DATA: Final = 65
TRY_AGAIN: Final = 75
"""Exit codes that mail servers know (sysexits.h: EX_DATAERR, EX_TEMPFAIL)."""

STOPPED: Final = 130

PIECE: Final = 65536
"""Bytes of a line that are looked at together."""

_HEADER = re.compile(rb"[!-9;-~]+[ \t]*:|>From ")
_QUOTED = re.compile(rb">+From ")
_FROM: Final = b"From "

Doors = Callable[[], AbstractContextManager[Door]]
Passed = Callable[[int, int | None], None]
"""Is told how much is done, and of how much in all, if that is known."""


@dataclass(slots=True)
class Tally:
    """What became of many mails."""

    taken: int = 0
    known: int = 0
    too_large: int = 0

    def __str__(self) -> str:
        more = f", {self.too_large} too large" if self.too_large else ""
        return f"{self.taken} taken, {self.known} known already{more}"


@dataclass(frozen=True, slots=True)
class Found:
    """A mail that was found: None if it is too large. `done` of `total` is how far the reading has come."""

    raw: bytes | None
    done: int
    total: int | None = None


def ingest(door: Door, mails: Iterator[Found], envelope: Envelope, tally: Tally, passed: Passed) -> None:
    """Have all of them taken, one after the other, and count. Raises NotCommitted at the first that cannot be."""
    for found in mails:
        if found.raw is None:
            tally.too_large += 1
        elif not found.raw:
            pass  # an empty file, or a mailbox's line without a mail
        elif door.take(found.raw, envelope).duplicate:
            tally.known += 1
        else:
            tally.taken += 1
        passed(found.done, found.total)


def run(doors: Doors, source: Path | None, is_mbox: bool, envelope: Envelope, most: int, out: Console) -> int:
    """Take what lies in a file or a folder, or comes by the standard input (None); print what was done, and return the
    exit code. `most`: bytes of the largest mail. Raises FirstlineError if the source is none, or what `doors` raises.
    """
    if source is not None and source.is_dir():
        return _many(doors, maildir(source, most), envelope, out)
    with ExitStack() as opened:
        file = sys.stdin.buffer if source is None else opened.enter_context(_open(source))
        total = None if source is None else source.stat().st_size
        first = file.readline(PIECE)
        if is_mbox or (source is not None and first.startswith(_FROM)):
            return _many(doors, mbox(file, first, most, total), envelope, out)
        return _one(doors, _whole(file, first, most), envelope, most, out)


def run_for_a_server(act: Callable[[], int], out: Console) -> int:
    """Do it for a mail server that keeps the mail and comes again unless it is told that this is of no use: whatever is
    wrong with us, and not with the mail, is a reason to come again."""
    try:
        return act()
    except (FirstlineError, ConfigurationError) as exc:
        out.print(f"bot: {exc}")
    except Exception as exc:  # such as the database's
        out.print(f"bot: {type(exc).__name__}")
    return TRY_AGAIN


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as exc:
        raise FirstlineError(f"{path} cannot be read ({exc.strerror}).") from None


def _one(doors: Doors, raw: bytes | None, envelope: Envelope, most: int, out: Console) -> int:
    if not raw:
        out.print(f"The mail is larger than {most} bytes." if raw is None else "There is no mail.")
        return BAD_DATA
    with doors() as door:
        try:
            out.print(f"{door.take(raw, envelope).says}.")
        except NotCommitted as exc:
            out.print(f"The mail is not stored ({exc}). Bring it again.")
            return TRY_AGAIN
    return OK


def _many(doors: Doors, mails: Iterator[Found], envelope: Envelope, out: Console) -> int:
    tally, says, code = Tally(), "", OK
    with doors() as door, _bar() as bar:
        task = bar.add_task("", total=None)

        def passed(done: int, total: int | None) -> None:
            bar.update(task, description=str(tally), completed=done, total=total)

        try:
            ingest(door, mails, envelope, tally, passed)
        except NotCommitted as exc:
            says, code = f"; the next one is not stored ({exc})", TRY_AGAIN
        except KeyboardInterrupt:
            says, code = "; stopped", STOPPED
    again = ". Run it again: what was taken is known" if code else ""
    out.print(f"{tally}{says}{again}.")
    return code


def _bar() -> Progress:
    """Shown on a terminal alone, and gone in the end."""
    out = Console(stderr=True)
    columns = (BarColumn(), TaskProgressColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    return Progress(*columns, console=out, transient=True, disable=not out.is_terminal)


# --- one mail


def _whole(file: BinaryIO, first: bytes, most: int) -> bytes | None:
    """Return the whole mail; None if it is too large. It is read to its end all the same: whoever pipes it into us
    would be told that the pipe broke. A line that a mailbox has before a mail (From_) is left away."""
    head = b"" if first.startswith(_FROM) else first
    raw = head + file.read(most + 1 - min(len(head), most))
    if len(raw) > most:
        while file.read(PIECE):
            pass
        return None
    return raw


# --- many mails


def mbox(file: BinaryIO, first: bytes, most: int, total: int | None) -> Iterator[Found]:
    """Yield the mails of an mbox whose first line is this one. No more than one mail is in memory. A mail begins with
    a line "From …" that has an empty line before it and a header behind it: not every writer quotes a line of a text
    that begins so. Raises FirstlineError if it is no mbox."""
    if not first:
        return
    if not first.startswith(_FROM):
        raise FirstlineError('This is no mbox: it does not begin with "From ".')
    mail, held, done = _Growing(most), b"", len(first)
    was_empty = False
    for piece, begins in _pieces(file, first.endswith(b"\n")):
        if held and _HEADER.match(piece):
            yield Found(mail.whole(), done - len(held), total)
            mail = _Growing(most)
        else:
            mail.add(held)
        held = b""
        done += len(piece)
        if begins and was_empty and piece.startswith(_FROM):
            held = piece
        else:
            mail.add(piece[1:] if begins and _QUOTED.match(piece) else piece)
        was_empty = begins and piece in (b"\n", b"\r\n")
    mail.add(held)
    yield Found(mail.whole(), done, total)


def _pieces(file: BinaryIO, begins: bool) -> Iterator[tuple[bytes, bool]]:
    """Yield the lines of a file, long ones in pieces, and whether each is the beginning of one."""
    while piece := file.readline(PIECE):
        yield piece, begins
        begins = piece.endswith(b"\n")


class _Growing:
    """A mail of which one line after the other is known."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._content = bytearray()
        self._size = 0

    def add(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size <= self._most:
            self._content += piece
        else:
            self._content.clear()

    def whole(self) -> bytes | None:
        """Return it without the empty line that an mbox has behind each mail; None if it is too large."""
        if self._size > self._most:
            return None
        return re.sub(rb"(?<=\n)\r?\n\Z", b"", bytes(self._content))


def maildir(folder: Path, most: int) -> Iterator[Found]:
    """Yield the mails of a Maildir, the new ones first; none is moved. Drafts, and what is marked as deleted, are left
    out. Raises FirstlineError if it is none."""
    paths = [path for name in ("new", "cur") if (folder / name).is_dir() for path in sorted((folder / name).iterdir())]
    if not paths and not (folder / "cur").is_dir():
        raise FirstlineError(f'{folder} is no Maildir: it has no folder "cur".')
    for number, path in enumerate(paths, 1):
        flags = path.name.partition(":2,")[2]
        if path.name.startswith(".") or {"D", "T"} & set(flags):
            continue
        try:
            raw = None if os.path.getsize(path) > most else path.read_bytes()
        except (FileNotFoundError, IsADirectoryError):  # moved by whoever reads it, and no mail
            continue
        except OSError as exc:
            raise FirstlineError(f"{path} cannot be read ({exc.strerror}).") from None
        yield Found(raw, number, len(paths))
