"""Copying a whole database into an empty one of another kind, and making sure that it arrived."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from peewee import AutoField, BlobField, BooleanField

from storage import dialect, search
from storage.tables import ALL, utc_text

AT_ONCE = 500
"""Rows in memory at a time; of those with content in them, which may be megabytes each, ten."""
AT_ONCE_LARGE = 10


class CannotCopy(Exception):
    """Raised when the one database cannot be copied into the other: the text says why, and nothing was changed."""


@dataclass(frozen=True, slots=True)
class Copied:
    """A table that is the same in both: how many rows it has, and the sum of their checksums."""

    table: str
    rows: int
    checksum: str


Progress = Callable[[str, int], None]
"""Is told of a table and how many more of its rows were copied, or compared."""


@contextmanager
def opened(url: str) -> Iterator[Any]:
    """One database beside that of the process, with one connection. Raises what `dialect.open_url` does."""
    found = dialect.open_url(url)
    try:
        with found.connection_context():
            yield found
    finally:
        found.close_all()


def count(source: Any) -> dict[str, int]:
    """How many rows each table has."""
    return {name: _one(source, f"SELECT COUNT(*) FROM {name}") for name in (kind._meta.table_name for kind in ALL)}


def copy(source: Any, target: Any, now: datetime, progress: Progress) -> list[Copied]:
    """Copy every row of every table, and compare what arrived, in one transaction of each database: nobody else writes
    into `source` meanwhile (SQLite), and `target` has all or nothing. Both have the schema of today. Raises
    CannotCopy."""
    with source.atomic(), target.atomic():
        _refuse(source, target, now)
        for kind in ALL:
            _copy_table(kind, source, target, progress)
        search.index_all(target)  # its words are written another way; what it counts, its triggers have counted
        return [_compare(kind, source, target, progress) for kind in ALL]


def _refuse(source: Any, target: Any, now: datetime) -> None:
    mark = source.param
    if _one(source, f"SELECT COUNT(*) FROM lanes WHERE lease_until > {mark}", utc_text(now)):
        raise CannotCopy("somebody is at work on it: stop every process, and wait for some seconds")
    if full := {name: number for name, number in count(target).items() if number}:
        name, number = next(iter(full.items()))
        raise CannotCopy(f"the target is not empty: {name} has {number} row(s)")


def _copy_table(kind: Any, source: Any, target: Any, progress: Progress) -> None:
    fields = kind._meta.sorted_fields
    name, columns = kind._meta.table_name, ", ".join(field.column_name for field in fields)
    insert = f"INSERT INTO {name} ({columns}) VALUES ({', '.join([target.param] * len(fields))})"
    for some in _batches(kind, source):
        values = [[_moved(field, value) for field, value in zip(fields, row, strict=True)] for row in some]
        target.connection().cursor().executemany(insert, values)
        progress(name, len(some))
    if dialect.locks_rows(target) and isinstance(kind._meta.primary_key, AutoField):
        target.execute_sql(
            f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), COALESCE(MAX(id), 1), MAX(id) IS NOT NULL) "
            f"FROM {name}"
        )


def _moved(field: Any, value: Any) -> Any:
    """What one database gave, as the other takes it."""
    if value is None:
        return None
    if isinstance(field, BooleanField):
        return bool(value)
    return bytes(value) if isinstance(field, BlobField) else value


def _compare(kind: Any, source: Any, target: Any, progress: Progress) -> Copied:
    before, after = _sum(kind, source, progress), _sum(kind, target, progress)
    if before != after:
        name = kind._meta.table_name
        raise CannotCopy(f"{name} did not arrive as it was: {before[0]} rows there, {after[0]} here, or changed ones")
    return Copied(kind._meta.table_name, *before)


def _sum(kind: Any, found: Any, progress: Progress) -> tuple[int, str]:
    """Count a table's rows, and add up their checksums, so that it does not matter in which order they come."""
    number, total = 0, 0
    for some in _batches(kind, found):
        for row in some:
            total += int.from_bytes(hashlib.sha256(_canonical(kind, row)).digest(), "big")
        number += len(some)
        progress(kind._meta.table_name, len(some))
    return number, f"{total % 2**256:064x}"


def _canonical(kind: Any, row: Sequence[Any]) -> bytes:
    """A row as bytes that are the same from whichever database it was read."""
    parts = []
    for field, value in zip(kind._meta.sorted_fields, row, strict=True):
        read: Any = None if value is None else field.python_value(value)
        if isinstance(field, BlobField) and read is not None:
            parts.append(bytes(read))
        else:
            parts.append(repr(utc_text(read) if isinstance(read, datetime) else read).encode())
    return b"\x00".join(b"%d:%s" % (len(part), part) for part in parts)


def _batches(kind: Any, found: Any) -> Iterator[list[tuple[Any, ...]]]:
    """Read a table in the order of its key, some rows at a time."""
    key, fields = kind._meta.primary_key.column_name, kind._meta.sorted_fields
    columns, place = ", ".join(field.column_name for field in fields), fields.index(kind._meta.primary_key)
    most = AT_ONCE_LARGE if any(isinstance(field, BlobField) for field in fields) else AT_ONCE
    name, last = kind._meta.table_name, None
    while True:
        where, values = ("", ()) if last is None else (f" WHERE {key} > {found.param}", (last,))
        rows = found.execute_sql(f"SELECT {columns} FROM {name}{where} ORDER BY {key} LIMIT {most}", values).fetchall()
        if not rows:
            return
        yield rows
        last = rows[-1][place]


def _one(found: Any, sql: str, *values: Any) -> int:
    return int(found.execute_sql(sql, values).fetchone()[0])
