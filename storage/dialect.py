"""What differs between SQLite and PostgreSQL, and nothing else."""

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from peewee import OperationalError, Psycopg3Adapter
from playhouse.pool import MaxConnectionsExceeded, PooledPostgresqlDatabase, PooledSqliteDatabase

from storage.disk import WriteAheadLog

SQLITE_PRAGMAS = {
    "journal_mode": "wal",
    "synchronous": "normal",  # `settle` waits for the disk
    "foreign_keys": 1,
    "wal_autocheckpoint": 8000,
    "cache_size": -512,  # KiB, of each connection: the system keeps the file in memory as well
}
BUSY_TIMEOUT = 10.0
"""Seconds to wait for what somebody else holds: SQLite's right to write, a row of PostgreSQL's, a free connection."""

STATEMENT_TIMEOUT = 60.0
"""Seconds that one statement may take on PostgreSQL, or that a process may dawdle inside a transaction: a process that
hangs there must not keep its locks for ever."""

SQLITE_CONNECTIONS = 64
POSTGRESQL_CONNECTIONS = 24
"""Connections that one process may have: a server takes 100 by default, and there are several processes. Each worker
above `FEW_WORKERS` has one more."""

FEW_WORKERS = 16

PERISHED = frozenset({"25006", "25P03"})
"""SQLSTATEs that drivers count as mistakes of ours, and that say that the database is away: it has become a read-only
standby; it ended a transaction that had dawdled (PostgreSQL manual, appendix A)."""

ENCODED = "user and password of a URL are percent-encoded: @ is %40, / is %2F, : is %3A"


def open_url(url: str, workers: int = FEW_WORKERS) -> Any:
    """Build the pooled database that a URL names, with enough connections for so many threads that work; nothing is
    connected yet.

    `sqlite:///file`, or what libpq takes: `postgresql://user:password@host:port/name?sslmode=require`, and for a Unix
    socket `postgresql:///name?host=/folder` (PostgreSQL manual, 34.1.1.2). Raises ValueError, which shows no password,
    or ImportError without psycopg.
    """
    scheme, _, rest = url.partition("://")
    more = max(0, workers - FEW_WORKERS)
    if scheme == "sqlite":
        return _sqlite(rest, SQLITE_CONNECTIONS + more)
    if scheme in ("postgresql", "postgres"):
        return _postgresql(url, POSTGRESQL_CONNECTIONS + more)
    raise ValueError("a database URL begins with sqlite:/// or postgresql://")


def _sqlite(rest: str, connections: int) -> Any:
    path = unquote(rest.removeprefix("/"))
    if not path or path == ":memory:":
        raise ValueError("SQLite needs a file, as in sqlite:///incidents.db (an absolute path has four slashes)")
    if not Path(path).resolve().parent.is_dir():
        raise ValueError(f"the folder of {path} does not exist")
    return SQLite(
        path,
        # the pool takes `timeout` for its own, the wait for a free connection: SQLite's is a pragma
        pragmas={**SQLITE_PRAGMAS, "busy_timeout": int(BUSY_TIMEOUT * 1000)},
        timeout=BUSY_TIMEOUT,
        lock_type="IMMEDIATE",  # a deferred transaction that reads first and then writes fails at once
        max_connections=connections,
        check_same_thread=False,  # the pool lends a connection to one thread at a time
        autoconnect=False,
    )


def _postgresql(url: str, connections: int) -> Any:
    given = _parts(url)
    options = {
        "application_name": "firstline",
        "connect_timeout": max(2, int(BUSY_TIMEOUT)),  # in whole seconds; 0 is for ever
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": int(BUSY_TIMEOUT * 1000),
        **given,
    }
    return PostgreSQL(
        options.pop("dbname"),
        prefer_psycopg3=True,
        prepare_threshold=None,  # behind PgBouncer, the next transaction may run on another connection
        max_connections=connections,
        timeout=BUSY_TIMEOUT,
        autoconnect=False,
        **options,
    )


def _parts(url: str) -> dict[str, Any]:
    """Read the URL as libpq does. A password with raw special characters ends up in the other parts, and from there in
    error messages: so those are looked at."""
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        parts = conninfo_to_dict(url)
    except ProgrammingError:
        raise ValueError(f"this is no PostgreSQL URL ({ENCODED})") from None
    name, host, port = (str(parts.get(key) or "") for key in ("dbname", "host", "port"))
    if "@" in name + host or not all(number.isdigit() or not number for number in port.split(",")):
        raise ValueError(f"host, port or name cannot be right ({ENCODED})")
    if not name:
        raise ValueError("PostgreSQL needs the name of a database, as in postgresql://host/firstline")
    return parts


class SQLite(PooledSqliteDatabase):  # type: ignore[misc]
    """A file of SQLite's, with the log beside it."""

    def __init__(self, path: str, **options: Any) -> None:
        super().__init__(path, **options)
        self.log = WriteAheadLog(path)


class _Psycopg(Psycopg3Adapter):
    """Connects, and gives each new connection its time-outs and its time zone."""

    def connect(self, db: "PostgreSQL", **params: Any) -> Any:
        import psycopg

        if db.failed_at > db.asking.since:
            raise psycopg.OperationalError(db.failure)
        try:
            connection = psycopg.connect(dbname=db.database, autocommit=True, **params)
        except psycopg.OperationalError as exc:
            db.failed_at, db.failure = time.monotonic(), str(exc)
            raise
        connection.execute(_at_connecting(connection.info, db.limits).encode())
        return connection


def _at_connecting(info: Any, limits: dict[str, int]) -> str:
    """Set the limits for reads, which run outside transactions; but not through PgBouncer (the server's process is not
    the one that greeted us), which would hand them on to whoever comes next."""
    settings = ", ".join(f"set_config('{name}', '{value}', false)" for name, value in limits.items())
    zone = "" if info.parameter_status("TimeZone") == "UTC" else "SET TIME ZONE 'UTC'; "
    return f"{zone}SELECT {settings} WHERE pg_backend_pid() = {info.backend_pid}"


class PostgreSQL(PooledPostgresqlDatabase):  # type: ignore[misc]  # peewee has no types
    """A pool of connections to PostgreSQL, in which a stuck lock or a dead connection is an error, and not for ever."""

    psycopg3_adapter = _Psycopg

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.limits = {
            "lock_timeout": int(BUSY_TIMEOUT * 1000),
            "statement_timeout": int(STATEMENT_TIMEOUT * 1000),
            "idle_in_transaction_session_timeout": int(STATEMENT_TIMEOUT * 1000),
        }
        self._begin = "BEGIN ISOLATION LEVEL READ COMMITTED" + "".join(
            f"; SET LOCAL {name} = {value}" for name, value in self.limits.items()
        )
        self.asking = threading.local()
        self.failed_at, self.failure = float("-inf"), ""
        super().__init__(*args, **kwargs)

    def connect(self, reuse_if_open: bool = False) -> bool:
        """Lend this thread a connection. New ones are made one at a time; those who waited while one could not be made
        share its failure, else the last of them would wait for as many time-outs as there are threads."""
        self.asking.since = time.monotonic()
        return bool(super().connect(reuse_if_open))

    def begin(self, isolation_level: Any = None) -> None:
        """Begin with limits that end with the transaction, in one round trip: PgBouncer lends us a connection for just
        as long. READ COMMITTED, whatever the server's default is: every statement sees what is committed by then."""
        self.execute_sql(self._begin)

    def _is_closed(self, connection: Any) -> bool:
        """Probe a connection before it is lent. If one is dead, so may all be that lay idle beside it: none is probed,
        a time-out each."""
        dead = bool(super()._is_closed(connection))
        if dead:
            self.close_idle()
        return dead


def means_away(exc: BaseException) -> bool:
    """Whether this error, which is no OperationalError, says that the database cannot be had just now."""
    driver_error = getattr(exc, "orig", None)
    return isinstance(exc, MaxConnectionsExceeded) or getattr(driver_error, "sqlstate", None) in PERISHED


def locks_rows(database: Any) -> bool:
    """Whether rows are locked one by one (PostgreSQL), or the whole database is by whoever writes (SQLite)."""
    return not isinstance(getattr(database, "obj", database), PooledSqliteDatabase)


def skip_locked(database: Any) -> str:
    """End of a SELECT that claims rows, so that several claimers share them instead of waiting for each other."""
    return " FOR UPDATE SKIP LOCKED" if locks_rows(database) else ""


def lock_these(database: Any) -> str:
    """End of a SELECT whose rows nobody else may change until the transaction ends."""
    return " FOR UPDATE" if locks_rows(database) else ""


def identity_column(database: Any) -> str:
    """The column of a table's own counted id, for a CREATE TABLE written by hand."""
    kind = "BIGSERIAL" if locks_rows(database) else "INTEGER"
    return f"id {kind} NOT NULL PRIMARY KEY"


def bytes_column(name: str, database: Any) -> str:
    """A column of raw bytes, for a CREATE TABLE written by hand."""
    return f"{name} {'BYTEA' if locks_rows(database) else 'BLOB'}"


def bytewise(database: Any) -> str:
    """Behind an expression: it is compared byte by byte, which PostgreSQL's collation may not do."""
    return ' COLLATE "C"' if locks_rows(database) else ""


def search_table(database: Any) -> str:
    """The table of words, for a migration: FTS5, or a `tsvector` with a GIN index. What is written there is words
    already (see storage/search.py), so that FTS5's plainest tokenizer will do: it ends a word at a blank."""
    if locks_rows(database):
        return (
            "CREATE TABLE search (rowid BIGINT NOT NULL PRIMARY KEY, words TSVECTOR NOT NULL); "
            "CREATE INDEX search_words ON search USING GIN (words)"
        )
    return """CREATE VIRTUAL TABLE search USING fts5(words, tokenize = "ascii tokenchars '_'", columnsize = 0)"""


def put_words(database: Any) -> str:
    """The statement that writes a document under its number, whether there is one or not."""
    if locks_rows(database):
        return (
            "INSERT INTO search (rowid, words) VALUES (?, ?::tsvector) "
            "ON CONFLICT (rowid) DO UPDATE SET words = excluded.words"
        )
    return "INSERT OR REPLACE INTO search (rowid, words) VALUES (?, ?)"


def as_document(database: Any, words: Sequence[str]) -> str:
    """Write words down as `put_words` takes them."""
    if not locks_rows(database):
        return " ".join(words)
    places: dict[str, list[str]] = {}
    for place, word in enumerate(words, start=1):
        places.setdefault(word, []).append(str(place))
    return " ".join(f"'{word}':{','.join(found[:MOST_PLACES])}" for word, found in places.items())


MOST_PLACES = 255
"""Places of a word that a `tsvector` knows."""


def as_query(database: Any, alternatives: Sequence[Any]) -> str:
    """Write down what is asked for, for FTS5's MATCH or as a `tsquery`. `alternatives`: storage.search.Alternative.
    Words have letters, digits and marks only, so that nothing in them can mean anything else."""
    if locks_rows(database):
        found = [
            [*map(_tsquery, one.wanted), *(f"!{_tsquery(phrase)}" for phrase in one.unwanted)] for one in alternatives
        ]
        return " | ".join(f"({' & '.join(parts)})" for parts in found)
    return " OR ".join(f"({' NOT '.join([_all_of(one.wanted), *map(_fts5, one.unwanted)])})" for one in alternatives)


def _tsquery(phrase: Any) -> str:
    words = " <-> ".join(f"'{word}'" for word in phrase.words)
    return f"({words}{':*' if phrase.beginning else ''})"


def _all_of(phrases: Sequence[Any]) -> str:
    return f"({' AND '.join(map(_fts5, phrases))})"


def _fts5(phrase: Any) -> str:
    return f'"{" ".join(phrase.words)}"{" *" if phrase.beginning else ""}'


def lock_schema(database: Any) -> None:
    """Keep other processes from changing the schema until this transaction ends. Waits for as long as another is at
    it; and a change may take as long as it takes."""
    if locks_rows(database):  # SQLite: the transaction itself does
        database.execute_sql("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0")
        database.execute_sql("SELECT pg_advisory_xact_lock(4077001)")
        database.execute_sql(f"SET LOCAL lock_timeout = {int(BUSY_TIMEOUT * 1000)}")


def begin(database: Any, durable: bool) -> None:
    """Say, at the beginning of a transaction, whether its commit is to wait for the disk."""
    if not durable and locks_rows(database):
        database.execute_sql("SET LOCAL synchronous_commit = off")


def settle(database: Any, durable: bool) -> None:
    """Wait, after a commit that is to be `durable`, until it is on the disk. PostgreSQL has waited. Raises
    OperationalError if the disk does not take it."""
    if not durable or locks_rows(database):
        return
    try:
        getattr(database, "obj", database).log.flush()
    except OSError as exc:
        raise OperationalError(f"the disk did not take what was written: {exc.strerror}") from exc


def text_of_json(column: str, name: str, database: Any) -> str:
    """A text in an object that a column holds as JSON, for a query written by hand."""
    return f"({column}::json->>'{name}')" if locks_rows(database) else f"json_extract({column}, '$.{name}')"
