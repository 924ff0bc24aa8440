"""A database in which every table has rows, with the values that are hard to carry over."""

from datetime import timedelta
from typing import Any

from peewee import AutoField, BlobField, BooleanField, DoubleField, ForeignKeyField, IntegerField

from storage import database
from storage.tables import ALL, JSONTextField, UTCDateTimeField
from tests.fakes import NOON

ROWS = 5


def fill() -> None:
    """Put `ROWS` rows into each table of the database of this process."""
    with database.transaction():
        for kind in ALL:
            for number in range(1, ROWS + 1):
                row = {field.name: _value(field, number) for field in kind._meta.sorted_fields}
                kind.insert(row).execute()


def _value(field: Any, number: int) -> Any:
    if field.null and number == ROWS:
        return None
    match field:
        case ForeignKeyField():
            return _value(field.rel_field, number)
        case AutoField():
            return number * 7  # with gaps
        case BooleanField():
            return number % 2 == 0
        case DoubleField():
            return number / 7
        case IntegerField():
            return number
        case UTCDateTimeField():
            return NOON + timedelta(hours=-number, microseconds=number)
        case JSONTextField() if field.name == "addresses":  # which are read, to be searched for
            return [{"channel": "email", "key": "é\n\"'"}]
        case JSONTextField():
            return {"text": "é\n\"'", "number": number, "none": None}
        case BlobField():
            return bytes(range(256)) * number
    return f"{field.column_name} {number}: ünïcödé 🙂 'quoted' \"twice\" \\ %s ?\n"
