"""Bringing the schema up to date."""

from pathlib import Path

from playhouse.migrations import Runner

from storage.database import database, transaction
from storage.dialect import lock_schema

FOLDER = Path(__file__).parent / "migrations"


def migrate() -> list[str]:
    """Apply what is missing and return the names of it. Two processes may do this at once: the second finds it done."""
    with transaction():
        lock_schema(database)
        return list(Runner(_bound(), str(FOLDER)).up())


def pending() -> list[str]:
    """Name the migrations that have not been applied."""
    with transaction():
        return [step.name for step in Runner(_bound(), str(FOLDER)).status() if step.path and not step.applied]


def _bound() -> object:
    """The database itself: playhouse looks at its class to choose a dialect."""
    return database.obj
