"""Who can be reached where, and how fast: paces, addresses that have blocked us, codes that prove a mail address, and
texts that belong to no incident."""

import re
from typing import Any

from storage.dialect import identity_column, locks_rows

TABLES = """
CREATE TABLE paces (
    key TEXT NOT NULL PRIMARY KEY,
    next_at TIMESTAMPTZ NOT NULL,
    booked_until TIMESTAMPTZ NOT NULL
);

CREATE TABLE unreachable (
    {id},
    channel TEXT NOT NULL,
    key TEXT NOT NULL,
    since TIMESTAMPTZ NOT NULL,
    reason TEXT NOT NULL
);
CREATE UNIQUE INDEX unreachable_channel_key ON unreachable (channel, key);

CREATE TABLE codes (
    {id},
    identity_id BIGINT NOT NULL REFERENCES identities (id),
    email TEXT NOT NULL,
    salt TEXT NOT NULL,
    digest TEXT NOT NULL,
    wrong INTEGER NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    used_at TIMESTAMPTZ
);
CREATE INDEX codes_identity_id ON codes (identity_id, id);
CREATE INDEX codes_email ON codes (LOWER(email), created_at);

ALTER TABLE identities ADD COLUMN email TEXT;
ALTER TABLE notifications ADD COLUMN booked TEXT NOT NULL DEFAULT '[]'
"""

INCIDENT = re.compile(r"(\"?incident_id\"? TEXT) NOT NULL", re.IGNORECASE)


def up(migrator: Any, db: Any) -> None:
    for statement in TABLES.format(id=identity_column(db)).split(";"):
        db.execute_sql(statement)
    if locks_rows(db):
        db.execute_sql("ALTER TABLE notifications ALTER COLUMN incident_id DROP NOT NULL")
    else:
        _texts_of_no_incident(db)


def _texts_of_no_incident(db: Any) -> None:
    """SQLite cannot let go of a NOT NULL but by making the table anew; whatever columns and indexes it has by now."""
    (table,) = db.execute_sql(
        "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = 'notifications'"
    ).fetchone()
    of_it = "SELECT sql FROM sqlite_master WHERE tbl_name = 'notifications' AND type <> 'table' AND sql IS NOT NULL"
    others = [sql for (sql,) in db.execute_sql(f"{of_it} <> 'table'").fetchall()]
    head, _, columns = INCIDENT.sub(r"\1", table, count=1).partition("(")
    db.execute_sql(f"{head.replace('notifications', 'new_notifications')}({columns}")
    db.execute_sql("INSERT INTO new_notifications SELECT * FROM notifications")
    db.execute_sql("DROP TABLE notifications")
    db.execute_sql("ALTER TABLE new_notifications RENAME TO notifications")
    for sql in others:
        db.execute_sql(sql)
