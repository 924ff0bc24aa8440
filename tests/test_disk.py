"""What is committed is on the disk before anybody is told so; and those who wait for the disk wait together."""

import os
import threading
import time
from pathlib import Path

import pytest
from peewee import OperationalError

from storage import database, disk, state
from storage.disk import WriteAheadLog
from tests.postgres import ON_SQLITE


class Disk:
    """Counts what it is asked to write, and is slow or ill as it is told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.times = 0
        self.takes = 0.0
        self.is_ill = False
        monkeypatch.setattr(disk, "_sync", self.sync)

    def sync(self, file: int) -> None:
        self.times += 1
        time.sleep(self.takes)
        if self.is_ill:
            raise OSError(5, "Input/output error")
        os.fsync(file)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def put(number: int, durable: bool = True) -> None:
    with database.transaction(durable):
        state.put(f"number/{number}", "x")


@ON_SQLITE
def test_a_transaction_ends_once_it_is_on_the_disk(db: str, written: Disk) -> None:
    put(1)
    put(2)
    assert written.times == 2


@ON_SQLITE
def test_one_that_need_not_be_durable_does_not_wait(db: str, written: Disk) -> None:
    put(1, durable=False)
    assert written.times == 0
    with database.session():
        assert state.get("number/1") == "x"


@ON_SQLITE
def test_a_savepoint_does_not_wait(db: str, written: Disk) -> None:
    with database.transaction():
        put(1)
        assert written.times == 0
    assert written.times == 1


@ON_SQLITE
def test_those_who_wait_at_the_same_time_wait_once(db: str, written: Disk) -> None:
    written.takes = 0.2
    threads = [threading.Thread(target=put, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert written.times < 10
    with database.session():
        assert len(state.beginning("number/")) == 20


@ON_SQLITE
def test_nobody_is_told_that_it_is_on_a_disk_that_has_not_taken_it(db: str, written: Disk) -> None:
    written.is_ill = True
    with pytest.raises(OperationalError, match="disk did not take"):
        put(1)
    written.is_ill = False
    put(2)


@ON_SQLITE
def test_what_is_rolled_back_waits_for_nothing(db: str, written: Disk) -> None:
    with pytest.raises(ZeroDivisionError), database.transaction():
        raise ZeroDivisionError
    assert written.times == 0


def test_whoever_asks_while_the_disk_is_at_it_waits_for_the_next_time(tmp_path: Path, written: Disk) -> None:
    """What they wrote may not have been there yet when it began."""
    (tmp_path / "x.db-wal").touch()
    log, written.takes = WriteAheadLog(str(tmp_path / "x.db")), 0.3
    first = threading.Thread(target=log.flush)
    first.start()
    time.sleep(0.1)
    began = time.monotonic()
    log.flush()
    first.join()
    assert time.monotonic() - began >= 0.4
    assert written.times == 2


def test_without_a_log_everything_is_in_the_database(tmp_path: Path, written: Disk) -> None:
    WriteAheadLog(str(tmp_path / "x.db")).flush()
    assert written.times == 0
