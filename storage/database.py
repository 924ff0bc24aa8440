"""The one database of a process: connecting, and the two ways to use it (`session` to read, `transaction` to write)."""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from typing import Any

from peewee import SQL, AutoField, DatabaseProxy, InternalError, OperationalError
from playhouse.pool import MaxConnectionsExceeded

from storage import dialect

database: Any = DatabaseProxy()
"""What the tables are bound to; `connect` decides what stands behind it."""


class Turnstile:
    """A lock that serves in the order of arrival.

    SQLite's own busy handler sleeps and tries again, whoever came first, so that a few busy threads starve the others.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._queue: deque[threading.Event] = deque()

    def __enter__(self) -> None:
        mine = threading.Event()
        with self._guard:
            self._queue.append(mine)
            if self._queue[0] is mine:
                return
        mine.wait()

    def __exit__(self, *exc: object) -> None:
        with self._guard:
            self._queue.popleft()
            if self._queue:
                self._queue[0].set()


_turnstile = Turnstile()


def connect(url: str, workers: int = dialect.FEW_WORKERS) -> Any:
    """Bind the tables to the database at `url` and return it (`sqlite:///file`, `postgresql://user:password@host/name`).
    `workers` is how many threads will work at once.

    Nothing is opened yet. Raises ValueError for a URL that names no database that we know.
    """
    opened = dialect.open_url(url, workers)
    database.initialize(opened)
    return opened


def disconnect() -> None:
    """Close every connection of this process."""
    database.close_all()


@contextmanager
def session() -> Iterator[None]:
    """Lend this thread a connection. May be nested. Raises OperationalError if there is none to be had."""
    with _one_name_for_away(), database.connection_context():
        yield


@contextmanager
def transaction(durable: bool = True) -> Iterator[None]:
    """Do everything inside or nothing; nested, a savepoint. Raises OperationalError when the database is away, full or
    locked by somebody else.

    SQLite: begins with the right to write, in the order of arrival. PostgreSQL: any number at once, READ COMMITTED;
    rows are locked in the order that `storage.lanes` gives. No call to the world outside may be made in here: every
    writer of this process waits, or whoever wants the same row.

    Not `durable`: the commit does not wait for the disk. A power cut may undo it, and nothing that was committed before
    it; a process that dies undoes nothing. For what is worth nothing after a power cut, such as a lease.
    """
    if database.in_transaction():
        with database.atomic():
            yield
        return
    with _turn(), _one_name_for_away(), database.connection_context(), database.atomic():
        dialect.begin(database, durable)
        yield
    dialect.settle(database, durable)  # outside: all who wait for the disk do so together, and nobody for them


def _turn() -> AbstractContextManager[None]:
    return nullcontext() if dialect.locks_rows(database) else _turnstile


@contextmanager
def _one_name_for_away() -> Iterator[None]:
    """Raise OperationalError for all that says that the database cannot be had, so that it is caught as such."""
    try:
        yield
    except (MaxConnectionsExceeded, InternalError) as exc:
        if not dialect.means_away(exc):
            raise
        raise OperationalError(str(exc)) from exc


Row = dict[str, Any]


def rows(query: Any) -> list[Row]:
    """Run a select and return its rows."""
    return list(query.dicts())


def first(query: Any) -> Row | None:
    """Run a select and return its first row, if it has one."""
    return next(iter(query.limit(1).dicts()), None)


@cache
def _columns(table: Any) -> tuple[str, tuple[tuple[str, Callable[[Any], Any]], ...]]:
    """The columns of a table for a SELECT written by hand, and what makes a row of them."""
    fields = table._meta.sorted_fields
    return ", ".join(field.column_name for field in fields), tuple((field.name, field.python_value) for field in fields)


def select(table: Any, rest: str, values: Sequence[Any]) -> list[Row]:
    """Read whole rows of a table; `rest` is the end of the SELECT (`FROM …`), written by hand."""
    columns, fields = _columns(table)
    prefix = f"{table._meta.table_name}."
    found = execute(f"SELECT {prefix}{columns.replace(', ', f', {prefix}')} {rest}", values).fetchall()
    return [{name: convert(value) for (name, convert), value in zip(fields, row, strict=True)} for row in found]


def find(table: Any, condition: str, values: Sequence[Any]) -> Row | None:
    """Read the first row that meets a condition (the end of a SELECT, written by hand), if there is one."""
    columns, fields = _columns(table)
    found = execute(f"SELECT {columns} FROM {table._meta.table_name} WHERE {condition} LIMIT 1", values).fetchone()
    if found is None:
        return None
    return {name: convert(value) for (name, convert), value in zip(fields, found, strict=True)}


def update(table: Any, row_id: int, changes: Mapping[str, Any], condition: str = "") -> bool:
    """Change these columns of a row, if the condition (`AND …`, written by hand) holds; say whether it did."""
    fields = table._meta.fields
    places = ", ".join(f"{fields[name].column_name} = ?" for name in changes)
    values = [fields[name].db_value(value) for name, value in changes.items()]
    changed = execute(f"UPDATE {table._meta.table_name} SET {places} WHERE id = ? {condition}", [*values, row_id])
    return bool(changed.rowcount)


def insert(table: Any, values: Sequence[Mapping[str, Any]], unless: str = "") -> int:
    """Insert rows and return how many were. Those that would be the second of their kind in the unique column `unless`
    are passed over; any other conflict is raised (peewee's own spelling passes over every kind on SQLite)."""
    fields = [field for field in table._meta.sorted_fields if not isinstance(field, AutoField)]
    marks = ", ".join([f"({', '.join('?' * len(fields))})"] * len(values))
    end = f" ON CONFLICT ({unless}) DO NOTHING" if unless else ""
    columns = ", ".join(field.column_name for field in fields)
    inserted = execute(
        f"INSERT INTO {table._meta.table_name} ({columns}) VALUES {marks}{end}",
        [field.db_value(row.get(field.name, field.default)) for row in values for field in fields],
    )
    return int(inserted.rowcount)


def literally(column: Any, *values: str) -> Any:
    """The condition that a column has one of these values of ours, written into the statement: SQLite uses an index of
    some rows only where it can see that these are the ones (https://www.sqlite.org/partialindex.html#queries)."""
    written = [f"'{value}'" for value in values]
    return SQL(
        f"{column.column_name} IN ({', '.join(written)})" if written[1:] else f"{column.column_name} = {written[0]}"
    )


def execute(sql: str, values: Sequence[Any] = ()) -> Any:
    """Run one statement written by hand (`?` marks a value) and return its cursor. For the paths where peewee's query
    builder costs more than the database (0.22 ms a row)."""
    return database.execute_sql(sql.replace("?", database.param), values)
