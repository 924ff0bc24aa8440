"""The trace that a piece of work belongs to."""

from typing import Any


def up(migrator: Any, db: Any) -> None:
    for table in ("inbox", "notifications", "jobs"):
        db.execute_sql(f"ALTER TABLE {table} ADD COLUMN trace TEXT")
