"""Answers to requests that may come twice."""

from typing import Any

TABLE = """
CREATE TABLE repetitions (
    key TEXT NOT NULL PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    begun_at TIMESTAMPTZ NOT NULL,
    status INTEGER,
    headers TEXT,
    body TEXT
);
CREATE INDEX repetitions_begun_at ON repetitions (begun_at)
"""


def up(migrator: Any, db: Any) -> None:
    for statement in TABLE.split(";"):
        db.execute_sql(statement)
