"""Copies of a whole database in a file, and back."""

import os
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import unquote

SQLITE, POSTGRESQL = b"SQLite format 3\x00", b"PGDMP"
"""How the files begin (sqlite.org/fileformat.html; pg_dump's custom format)."""


class BackupFailed(Exception):
    """Raised when a copy could not be made, or put back: the text says why."""


def save(url: str, path: Path) -> None:
    """Write a copy of the database at `url`, as it is at one moment, while others write into it: to a new file that
    nobody else may read. Raises BackupFailed, and OSError."""
    part = path.with_name(f".{path.name}.part")
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        if (source := sqlite_file(url)) is not None:
            _save_sqlite(source, part)
        else:
            with _service(url) as environment:
                _run(["pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={part}"], environment)
        with part.open("rb") as written:
            os.fsync(written.fileno())
        os.link(part, path)  # unlike a rename, replaces nothing
    finally:
        part.unlink(missing_ok=True)


def restore(path: Path, url: str) -> None:
    """Make the database at `url`, which must be empty, what it was when the copy was made. Raises BackupFailed, and
    OSError."""
    with path.open("rb") as file:
        begins = file.read(len(SQLITE))
    if (target := sqlite_file(url)) is not None:
        if begins != SQLITE:
            raise BackupFailed(f"{path} is no copy of a SQLite database")
        _restore_sqlite(path, target)
    else:
        if not begins.startswith(POSTGRESQL):
            raise BackupFailed(f"{path} is no copy of a PostgreSQL database")
        with _service(url) as environment:
            command = ["pg_restore", "--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction"]
            _run([*command, "--dbname=service=firstline", str(path)], environment)


def sqlite_file(url: str) -> Path | None:
    """The file that a SQLite URL names; None for another kind."""
    scheme, _, rest = url.partition("://")
    return Path(unquote(rest.removeprefix("/"))) if scheme == "sqlite" else None


def _save_sqlite(source: Path, part: Path) -> None:
    if not source.exists():
        raise BackupFailed(f"there is no {source}")
    try:
        with closing(sqlite3.connect(source, timeout=10)) as old, closing(sqlite3.connect(part)) as new:
            old.backup(new, pages=1000)
            new.execute("PRAGMA journal_mode = delete")
            _check(new, source)
    except sqlite3.Error as exc:
        raise BackupFailed(f"{source} cannot be copied ({exc})") from None


def _restore_sqlite(path: Path, target: Path) -> None:
    """Put the copy in its place, whole or not at all."""
    part = target.with_name(f".{target.name}.part")
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as old:
            _check(old, path)
            os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            with closing(sqlite3.connect(part)) as new:
                old.backup(new)
        with part.open("rb") as written:
            os.fsync(written.fileno())
        os.link(part, target)
    except sqlite3.Error as exc:
        raise BackupFailed(f"{path} cannot be read ({exc})") from None
    except FileExistsError:
        raise BackupFailed(f"{target} is there already: a copy is put back where there is nothing") from None
    finally:
        part.unlink(missing_ok=True)


def _check(opened: sqlite3.Connection, name: Path) -> None:
    (found,) = opened.execute("PRAGMA integrity_check(1)").fetchone()
    if found != "ok":
        raise BackupFailed(f"{name} is damaged ({found})")


@contextmanager
def _service(url: str) -> Iterator[Mapping[str, str]]:
    """The environment in which PostgreSQL's programs find this database: by a file, for all can see their arguments
    (PostgreSQL manual, 34.17)."""
    from psycopg.conninfo import conninfo_to_dict

    parts = conninfo_to_dict(url)
    with tempfile.TemporaryDirectory(prefix="firstline-") as folder:
        lines = "".join(f"{name}={value}\n" for name, value in parts.items() if value is not None)
        file = Path(folder) / "services"
        file.touch(0o600)
        file.write_text(f"[firstline]\n{lines}", encoding="utf-8")
        yield {**os.environ, "PGSERVICEFILE": str(file), "PGSERVICE": "firstline", "LC_ALL": "C"}


def _run(command: list[str], environment: Mapping[str, str]) -> None:
    try:
        done = subprocess.run(command, env=dict(environment), capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise BackupFailed(f"{command[0]} is not installed: apt install postgresql-client") from None
    if done.returncode:
        said = [line for line in done.stderr.strip().splitlines() if line]
        raise BackupFailed(said[0] if said else f"{command[0]} ended with {done.returncode}")
