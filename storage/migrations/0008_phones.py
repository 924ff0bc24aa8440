"""What became of a text after its platform had taken it."""

from typing import Any


def up(migrator: Any, db: Any) -> None:
    db.execute_sql("ALTER TABLE notifications ADD COLUMN delivery TEXT")
