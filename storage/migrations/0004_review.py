"""Who has confirmed or changed a category."""

from typing import Any


def up(migrator: Any, db: Any) -> None:
    db.execute_sql("ALTER TABLE incidents ADD COLUMN reviewed_by TEXT")
