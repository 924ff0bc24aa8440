"""The commands about the database as a whole: copy, back up, restore, delete what is over."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bot.errors import ConfigurationError, FirstlineError

db = typer.Typer(no_args_is_help=True, help="The database as a whole.")

FileArgument = Annotated[Path, typer.Argument(metavar="FILE")]


def add_commands(app: typer.Typer) -> None:
    """Add them to the command line."""
    app.add_typer(db, name="db")
    for command in (backup, restore, prune):
        app.command()(command)


@db.command()
def copy(
    source: Annotated[str, typer.Argument(metavar="FROM", help="Such as sqlite:///incidents.db; stop the bot first.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="An empty one: postgresql://user:password@host/name.")],
) -> None:
    """Copy a SQLite database into an empty PostgreSQL one, and compare what arrived."""
    from bot.app import utc_now
    from storage import copy as copying
    from storage import database

    if not source.startswith("sqlite:") or not target.startswith(("postgresql:", "postgres:")):
        raise FirstlineError("FROM must be a sqlite:///… and TO a postgresql://… address.")
    _existing(source)
    for url, migrating in ((source, False), (target, True)):
        _open(url, migrating)
        database.disconnect()
    try:
        with copying.opened(source) as old, copying.opened(target) as new:
            rows = sum(copying.count(old).values())
            with _progress("copying", 3 * rows) as step:  # read and written, then read on either side
                tables = copying.copy(old, new, utc_now(), lambda table, number: step(number))
    except copying.CannotCopy as exc:
        raise FirstlineError(f"Nothing was copied: {exc}.") from None
    except _database_errors() as exc:
        raise FirstlineError(f"Nothing was copied: {str(exc).splitlines()[0]}") from None
    out = _out()
    for table in tables:
        out.print(f"{table.table:<16} {table.rows:>9} rows  sum {table.checksum[:16]}")
    out.print(f"{sum(table.rows for table in tables)} rows are the same in both. Set DATABASE_URL to the new one.")


def backup(file: FileArgument) -> None:
    """Write a copy of the database as it is now into a new file, for you alone. The bot may go on working."""
    from bot.settings import Settings
    from storage import backup as backups

    url = Settings.read().database_url
    _existing(url)
    try:
        backups.save(url, file)
    except (backups.BackupFailed, OSError) as exc:
        raise FirstlineError(f"There is no backup: {_why(exc)}.") from None
    _out().print(f"{file} has {file.stat().st_size} bytes. Keep DATA_KEY and LINK_KEY as well: they are not in it.")


def restore(file: FileArgument) -> None:
    """Put a backup into the database of DATABASE_URL, which must be empty."""
    from bot.settings import Settings
    from storage import backup as backups

    try:
        backups.restore(file, Settings.read().database_url)
    except (backups.BackupFailed, OSError) as exc:
        raise FirstlineError(f"Nothing was restored: {_why(exc)}.") from None
    _out().print("The database is what it was. If this is a newer version of Firstline: bot migrate")


def prune(
    older_than: Annotated[
        str | None, typer.Option("--older-than", metavar="TIME", help="Such as 730d. Not given: RETAIN.")
    ] = None,
    delete: Annotated[bool, typer.Option("--delete", help="Delete it, and do not only say what there is.")] = False,
) -> None:
    """Say what was resolved so long ago that it may be deleted; with --delete, do it. There is no way back."""
    from bot.app import utc_now
    from bot.prune import Prune
    from bot.settings import Settings

    settings = Settings.read()
    retain = settings.retain if older_than is None else _duration(older_than)
    if retain is None:
        raise FirstlineError("Say what is old: --older-than 730d, or set RETAIN.")
    _existing(settings.database_url)
    _open(settings.database_url, migrating=False)
    job = Prune(utc_now, retain)
    found = job.work() if delete else job.rehearse()
    out = _out()
    if not found:
        out.print(f"Nothing was resolved longer than {retain.days} days ago.")
        return
    _print_counts(out, found)
    out.print("Deleted." if delete else "Nothing was deleted. To delete it: the same with --delete")


def _print_counts(out: Console, found: Mapping[str, int]) -> None:
    for table, number in sorted(found.items(), key=lambda one: (-one[1], one[0])):
        if number:
            out.print(f"{number:>9} {table.replace('_', ' ')}")


def _duration(text: str) -> timedelta:
    from bot.settings import parse_duration

    try:
        length: timedelta = parse_duration(text)
    except ValueError as exc:
        raise FirstlineError(f"--older-than: {exc}.") from None
    return length


def _existing(url: str) -> None:
    from storage.backup import sqlite_file

    path = sqlite_file(url)
    if path is not None and not path.exists():
        raise ConfigurationError(f"There is no {path} here.")


def _open(url: str, migrating: bool) -> None:
    from bot.app import open_database
    from bot.settings import Settings

    open_database(Settings.read().model_copy(update={"database_url": url}), migrating)


def _database_errors() -> tuple[type[Exception], ...]:
    """What both databases raise, wrapped by peewee or not."""
    from peewee import PeeweeException
    from psycopg import Error

    return (PeeweeException, Error)


def _why(exc: Exception) -> str:
    if isinstance(exc, OSError):
        return f"{exc.filename2 or exc.filename}: {exc.strerror}"
    return str(exc).rstrip(".")


@contextmanager
def _progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show on stderr how far we are, if that is a terminal; yield what is told of each step's length."""
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=total)
        yield lambda number: bar.advance(task, number)


def _out() -> Console:
    return Console(highlight=False, markup=False, emoji=False)
