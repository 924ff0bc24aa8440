"""`bot backup` and `bot restore`, on both databases."""

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.__main__ import app
from bot.errors import ConfigurationError, FirstlineError
from storage import copy, database
from storage.migrate import migrate
from storage.tables import ALL, State
from tests.filled import ROWS, fill
from tests.postgres import Server


def run(*arguments: str) -> str:
    done = CliRunner().invoke(app, arguments)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.output


@pytest.fixture
def full(db: str, backend: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a database that is full, and that DATABASE_URL names."""
    if backend == "postgresql" and shutil.which("pg_dump") is None:
        pytest.skip("pg_dump is not installed: apt install postgresql-client")
    fill()
    monkeypatch.setenv("DATABASE_URL", db)
    return db


@pytest.fixture
def other(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database that there is not yet (SQLite), or that is empty."""
    if backend == "sqlite":
        yield f"sqlite:///{tmp_path}/restored.db"
        return
    server: Server = request.getfixturevalue("postgresql")
    name = server.create(migrated=False)
    yield server.url(name)
    database.disconnect()
    server.drop(name)


def test_what_was_backed_up_is_restored_row_by_row(
    full: str, other: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "copy.backup"
    assert "bytes" in run("backup", str(file))
    assert file.stat().st_mode & 0o777 == 0o600
    with database.transaction():
        State.delete().execute()  # what happens afterwards is not in it
    monkeypatch.setenv("DATABASE_URL", other)
    run("restore", str(file))
    with copy.opened(other) as restored:
        assert copy.count(restored) == {kind._meta.table_name: ROWS for kind in ALL}
        with copy.opened(full) as before:
            for kind in set(ALL) - {State}:
                same = [copy._sum(kind, found, lambda *_: None) for found in (restored, before)]
                assert same[0] == same[1], kind
    database.disconnect()
    database.connect(other)
    assert migrate() == []
    with database.transaction():
        State.insert({"key": "k", "value": "v"}).execute()


def test_a_backup_while_somebody_writes_is_that_of_one_moment(
    full: str, other: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two rows are always written together."""
    enough, written = threading.Event(), []

    def write() -> None:
        while not enough.is_set():
            with database.transaction():
                for side in "ab":
                    State.insert({"key": f"{side}{len(written):06}", "value": "x" * 1000}).execute()
            written.append(None)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        run("backup", str(tmp_path / "copy.backup"))
    finally:
        enough.set()
        thread.join()
    monkeypatch.setenv("DATABASE_URL", other)
    run("restore", str(tmp_path / "copy.backup"))
    with copy.opened(other) as restored:
        keys = [key for (key,) in restored.execute_sql("SELECT key FROM state").fetchall()]
    sides = [{key[1:] for key in keys if key[0] == side and key[1:].isdigit()} for side in "ab"]
    assert sides[0] == sides[1]


def test_neither_replaces_anything(full: str, tmp_path: Path) -> None:
    file = tmp_path / "copy.backup"
    run("backup", str(file))
    with pytest.raises(FirstlineError, match=r"There is no backup: .*exists"):
        run("backup", str(file))
    with pytest.raises(FirstlineError, match=r"Nothing was restored: .*(already|exists)"):
        run("restore", str(file))
    assert [path for path in tmp_path.iterdir() if path.name.endswith(".part")] == []
    with copy.opened(full) as found:
        assert copy.count(found) == {kind._meta.table_name: ROWS for kind in ALL}


def test_a_file_that_is_no_backup_of_this_kind_is_refused(
    full: str, other: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "other"
    file.write_bytes(b"PK\x03\x04 something else")
    monkeypatch.setenv("DATABASE_URL", other)
    with pytest.raises(FirstlineError, match="is no copy of a"):
        run("restore", str(file))


def test_a_damaged_backup_is_not_put_in_place(
    full: str, other: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "copy.backup"
    run("backup", str(file))
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    monkeypatch.setenv("DATABASE_URL", other)
    with pytest.raises(FirstlineError, match="Nothing was restored"):
        run("restore", str(file))
    if other.startswith("sqlite"):
        assert not (tmp_path / "restored.db").exists()


def test_no_empty_database_is_made_to_be_backed_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/mistyped.db")
    with pytest.raises(ConfigurationError, match=r"There is no .*mistyped\.db here"):
        run("backup", str(tmp_path / "copy"))
    assert list(tmp_path.iterdir()) == []
