"""Waiting for the disk, together. SQLite can wait at each commit (`synchronous=FULL`), while it keeps all other writers
out; here commits do not wait (`NORMAL`), and whoever needs theirs to be durable waits afterwards, so that all who wait
at the same time wait for the disk once.

What is committed stands in the write-ahead log, in order, with checksums that follow from each other; once the log is
on the disk up to a commit, no power cut undoes it, nor anything before it (https://www.sqlite.org/wal.html,
https://www.sqlite.org/pragma.html#pragma_synchronous). A checkpoint waits for the disk by itself.
"""

import os
import threading
from pathlib import Path

_sync = getattr(os, "fdatasync", os.fsync)


class WriteAheadLog:
    """The log beside one database file."""

    def __init__(self, database: str) -> None:
        self._path = Path(f"{database}-wal")
        self._guard = threading.Lock()
        self._turn = threading.Lock()
        self._asked = self._flushed = 0
        self._known: int | None = None

    def flush(self) -> None:
        """Return once all that is committed by now is on the disk. Raises OSError if the disk does not take it."""
        with self._guard:
            self._asked += 1
            mine = self._asked
        with self._turn:
            if self._flushed >= mine:
                return
            with self._guard:
                upto = self._asked
            self._wait_for_the_disk()
            self._flushed = upto

    def _wait_for_the_disk(self) -> None:
        try:
            log = os.open(self._path, os.O_RDWR)
        except FileNotFoundError:  # the last connection was closed, which brings everything into the database itself
            return
        try:
            _sync(log)
            number = os.fstat(log).st_ino
        finally:
            os.close(log)
        if number != self._known:
            _sync_folder(self._path.parent)
            self._known = number


def _sync_folder(folder: Path) -> None:
    """Have a new file be there under its name."""
    if os.name == "nt":  # there a folder cannot be opened
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
