"""What differs between SQLite and PostgreSQL, and nothing else."""

from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from playhouse.pool import PooledSqliteDatabase

SQLITE_PRAGMAS = {
    "journal_mode": "wal",
    "synchronous": "full",  # what was acknowledged survives a power cut
    "foreign_keys": 1,
}
BUSY_TIMEOUT = 10.0
"""Seconds to wait for another process's write transaction."""

CONNECTIONS = 64


def open_url(url: str) -> Any:
    """Build the pooled database that a URL names. Raises ValueError."""
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite":
        return _sqlite(rest)
    if scheme in ("postgresql", "postgres"):
        return _postgresql(url)
    raise ValueError("a database URL begins with sqlite:/// or postgresql://")


def _sqlite(rest: str) -> Any:
    path = unquote(rest.removeprefix("/"))
    if not path or path == ":memory:":
        raise ValueError("SQLite needs a file, as in sqlite:///incidents.db (an absolute path has four slashes)")
    if not Path(path).resolve().parent.is_dir():
        raise ValueError(f"the folder of {path} does not exist")
    return PooledSqliteDatabase(
        path,
        # the pool takes `timeout` for its own, the wait for a free connection: SQLite's is a pragma
        pragmas={**SQLITE_PRAGMAS, "busy_timeout": int(BUSY_TIMEOUT * 1000)},
        timeout=BUSY_TIMEOUT,
        lock_type="IMMEDIATE",  # a deferred transaction that reads first and then writes fails at once
        max_connections=CONNECTIONS,
        check_same_thread=False,  # the pool lends a connection to one thread at a time
        autoconnect=False,
    )


def _postgresql(url: str) -> Any:
    from playhouse.pool import PooledPostgresqlDatabase

    parts = urlsplit(url)
    options: dict[str, Any] = {"host": parts.hostname, "port": parts.port, "user": parts.username}
    if parts.password:
        options["password"] = unquote(parts.password)
    return PooledPostgresqlDatabase(
        parts.path.removeprefix("/"),
        prefer_psycopg3=True,
        max_connections=CONNECTIONS,
        timeout=BUSY_TIMEOUT,
        autoconnect=False,
        connect_timeout=int(BUSY_TIMEOUT),
        **{key: value for key, value in options.items() if value is not None},
    )


def locks_rows(database: Any) -> bool:
    """Whether rows are locked one by one (PostgreSQL), or the whole database is by whoever writes (SQLite)."""
    return not isinstance(getattr(database, "obj", database), PooledSqliteDatabase)


def skip_locked(database: Any) -> str:
    """End of a SELECT that claims rows, so that several claimers share them instead of waiting for each other."""
    return " FOR UPDATE SKIP LOCKED" if locks_rows(database) else ""


def identity_column(database: Any) -> str:
    """The column of a table's own counted id, for a CREATE TABLE written by hand."""
    kind = "BIGSERIAL" if locks_rows(database) else "INTEGER"
    return f"id {kind} NOT NULL PRIMARY KEY"


def lock_schema(database: Any) -> None:
    """Keep other processes from changing the schema until this transaction ends."""
    if locks_rows(database):  # SQLite: the transaction itself does
        database.execute_sql("SELECT pg_advisory_xact_lock(4077001)")
