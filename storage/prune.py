"""Deleting what is over: whole conversations, all of whose incidents were resolved before a time."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from peewee import ForeignKeyField

from storage import jobs, lanes, search
from storage.database import database, execute
from storage.dialect import text_of_json
from storage.tables import ALL, Incident, utc_text

ABOUT_INCIDENTS: Mapping[str, str] = {
    kind._meta.table_name: field.column_name
    for kind in ALL
    for field in kind._meta.sorted_fields
    if isinstance(field, ForeignKeyField) and field.rel_model is Incident
}
"""The tables whose rows belong to an incident, each with the column that says to which."""

SAID = ("revisions", "originals")
"""The tables whose rows belong to a message, by its channel and external id."""

IDS_AT_ONCE = 500


def over(before: datetime, limit: int = -1) -> list[str]:
    """Name the conversations of which every incident was resolved before this time, and of which nothing waits, the
    oldest first; at most `limit`, if that is not negative."""
    waits = " OR ".join(
        f"EXISTS (SELECT 1 FROM {table} WHERE incident_id = incidents.id AND due_at IS NOT NULL)"
        for table in ("notifications", "follow_ups")
    )
    found = execute(
        "SELECT conversation FROM incidents GROUP BY conversation "
        "HAVING SUM(CASE WHEN status = 'resolved' AND resolved_at < ? AND NOT (" + waits + " OR "
        "EXISTS (SELECT 1 FROM jobs WHERE lane = 'job/' || incidents.id AND due_at IS NOT NULL)) "
        "THEN 0 ELSE 1 END) = 0 ORDER BY MAX(resolved_at), conversation" + (f" LIMIT {limit}" if limit >= 0 else ""),
        (utc_text(before),),
    )
    return [conversation for (conversation,) in found.fetchall()]


def of(conversations: Collection[str]) -> list[str]:
    """Return the ids of the incidents of these conversations."""
    return sorted(_column("SELECT id FROM incidents WHERE conversation IN ({})", sorted(conversations)))


def hold(conversations: Collection[str]) -> None:
    """Let nobody change the incidents of these conversations until this transaction ends."""
    for incident_id in of(conversations):
        lanes.hold(incident_id)


def count(incident_ids: Sequence[str]) -> dict[str, int]:
    """Count what `erase` would delete, by table."""
    found = {"incidents": len(incident_ids)}
    for table, column in ABOUT_INCIDENTS.items():
        found[table] = sum(
            int(execute(f"SELECT COUNT(*) FROM {table} WHERE {column} IN ({marks})", some).fetchone()[0])
            for some, marks in _some(incident_ids)
        )
    said = _said(incident_ids)
    for table in SAID:
        find = f"SELECT COUNT(*) FROM {table} WHERE channel = ? AND external_id = ?"
        found[table] = sum(int(execute(find, one).fetchone()[0]) for one in said)
    found["inbox"] = len(_accepted(incident_ids, said))
    return found


def erase(incident_ids: Sequence[str], conversations: Collection[str]) -> dict[str, int]:
    """Delete these incidents, which are all that these conversations have, with everything that belongs to them; return
    how many rows that were, by table. Call it after `hold`."""
    said, done = _said(incident_ids), {}
    files = _column("SELECT id FROM attachments WHERE incident_id IN ({})", incident_ids)
    theirs = [*(jobs.fetch_lane(file) for file in files), *(f"job/{incident_id}" for incident_id in incident_ids)]
    _delete("jobs", "lane", theirs)
    for table in SAID:
        drop = f"DELETE FROM {table} WHERE channel = ? AND external_id = ?"
        done[table] = sum(execute(drop, one).rowcount for one in said)
    done["inbox"] = _delete("inbox", "id", _accepted(incident_ids, said))
    for table, column in ABOUT_INCIDENTS.items():
        done[table] = _delete(table, column, incident_ids)
    _delete("conversations", "conversation", list(conversations))
    for some, marks in _some(incident_ids):
        execute(f"UPDATE incidents SET continues = NULL WHERE continues IN ({marks})", some)
    search.drop(incident_ids)
    done["incidents"] = _delete("incidents", "id", incident_ids)
    return done


def _said(incident_ids: Sequence[str]) -> list[tuple[str, str]]:
    """The ids of the messages of these incidents, and of their files'."""
    found: set[tuple[str, str]] = set()
    for table in ("messages", "attachments"):
        for some, marks in _some(incident_ids):
            query = f"SELECT channel, external_id FROM {table} WHERE incident_id IN ({marks})"
            found.update((channel, external_id) for channel, external_id in execute(query, some).fetchall())
    return sorted(found)


def _accepted(incident_ids: Sequence[str], said: Sequence[tuple[str, str]]) -> list[int]:
    """The rows of the inbox that were about these incidents, and are done."""
    told = text_of_json("outcome", "incident_id", database)
    found: set[int] = set()
    for some, marks in _some(incident_ids):
        for column in ("incident_id", told):
            query = f"SELECT id FROM inbox WHERE state = 'done' AND {column} IN ({marks})"
            found.update(number for (number,) in execute(query, some).fetchall())
    for one in said:
        query = "SELECT id FROM inbox WHERE state = 'done' AND channel = ? AND external_id = ?"
        found.update(number for (number,) in execute(query, one).fetchall())
    return sorted(found)


def _delete(table: str, column: str, values: Sequence[Any]) -> int:
    done = 0
    for some, marks in _some(values):
        done += execute(f"DELETE FROM {table} WHERE {column} IN ({marks})", some).rowcount
    return done


def _column(query: str, values: Sequence[str]) -> list[Any]:
    return [value for some, marks in _some(values) for (value,) in execute(query.format(marks), some).fetchall()]


def _some(values: Sequence[Any]) -> Iterator[tuple[Sequence[Any], str]]:
    for start in range(0, len(values), IDS_AT_ONCE):
        some = values[start : start + IDS_AT_ONCE]
        yield some, ", ".join("?" * len(some))
