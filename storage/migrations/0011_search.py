"""Lists, search and figures that stay quick: the place of each incident in every list, the indexes of what lists are
narrowed by, the words of incidents, and the tallies of what is counted."""

from typing import Any

from storage.dialect import bytewise, identity_column, locks_rows, search_table
from storage.search import LAST, first_number, index_all
from storage.tables import from_utc_text

AT_ONCE = 500

INDEXES = """
CREATE UNIQUE INDEX incidents_number ON incidents (number);
CREATE INDEX incidents_status ON incidents (status, number);
CREATE INDEX incidents_classification ON incidents (classification, number);
CREATE INDEX incidents_channel ON incidents (channel, number);
CREATE INDEX incidents_assignee ON incidents (assignee, number);
CREATE INDEX incidents_unsure ON incidents (number)
    WHERE reviewed_by IS NULL AND (confidence IS NULL OR confidence < 0.8);
CREATE INDEX incidents_open ON incidents (classification, assignee, number) WHERE status = 'open';
CREATE INDEX incidents_resolved_at ON incidents (resolved_at, created_at) WHERE resolved_at IS NOT NULL;
CREATE INDEX incidents_ticket_beginning ON incidents ((LOWER(ticket_id){bytewise}));
DROP INDEX incidents_created_at;
CREATE INDEX identities_external_id ON identities (external_id);
CREATE INDEX events_of_nothing ON events (id) WHERE incident_id IS NULL AND customer IS NULL;
CREATE INDEX events_customer ON events (customer, id) WHERE customer IS NOT NULL;
CREATE INDEX inbox_quarantined ON inbox (id) WHERE state = 'quarantined'
"""

TALLIES = """
CREATE TABLE tallies (
    {id},
    subject TEXT NOT NULL,
    status TEXT NOT NULL,
    category TEXT NOT NULL,
    channel TEXT NOT NULL,
    number BIGINT NOT NULL,
    measured BIGINT NOT NULL,
    amount DOUBLE PRECISION NOT NULL,
    reminded BIGINT NOT NULL
);
INSERT INTO tallies (subject, status, category, channel, number, measured, amount, reminded)
    SELECT 'incident', status, classification, channel, COUNT(*), COUNT(confidence), COALESCE(SUM(confidence), 0),
    COUNT(CASE WHEN reminder_sent THEN 1 END) FROM incidents GROUP BY status, classification, channel;
INSERT INTO tallies (subject, status, category, channel, number, measured, amount, reminded)
    SELECT 'notification', status, '', '', COUNT(*), 0, 0, 0 FROM notifications WHERE due_at IS NULL GROUP BY status;
INSERT INTO tallies (subject, status, category, channel, number, measured, amount, reminded)
    SELECT 'rating', '', '', '', COUNT(*), 0, COALESCE(SUM(score), 0), 0 FROM ratings
"""

INCIDENT = (
    "SELECT 'incident', {row}.status, {row}.classification, {row}.channel, {sign}1, "
    "{sign}(CASE WHEN {row}.confidence IS NULL THEN 0 ELSE 1 END), {sign}COALESCE({row}.confidence, 0), "
    "{sign}(CASE WHEN {row}.reminder_sent THEN 1 ELSE 0 END)"
)
NOTIFICATION = "SELECT 'notification', {row}.status, '', '', {sign}1, 0, 0, 0 WHERE {row}.due_at IS NULL"
RATING = "SELECT 'rating', '', '', '', {sign}1, 0, {sign}{row}.score, 0"

COUNTED = {
    "incidents": (INCIDENT, ("status", "classification", "channel", "confidence", "reminder_sent")),
    "notifications": (NOTIFICATION, ("status", "due_at")),
    "ratings": (RATING, ("score",)),
}
"""What of each table is counted, and the columns that change it. A change adds lines to the tallies and changes none,
so that nobody waits for another who counts the same; the clock adds them up (storage/stats.py)."""


def up(migrator: Any, db: Any) -> None:
    db.execute_sql("ALTER TABLE incidents ADD COLUMN number BIGINT")
    _number_the_incidents(db)
    _run(db, INDEXES.format(bytewise=bytewise(db)))
    _run(db, search_table(db))
    index_all(db)
    _run(db, TALLIES.format(id=identity_column(db)))
    for table, (counted, columns) in COUNTED.items():
        for statement in _triggers(db, table, counted, columns):
            db.execute_sql(statement)


def _run(db: Any, statements: str) -> None:
    for statement in statements.split(";"):
        db.execute_sql(statement)


def _number_the_incidents(db: Any) -> None:
    mark, last = db.param, -LAST
    after: tuple[Any, str] | None = None
    while True:
        where = f"WHERE (created_at, id) > ({mark}, {mark})" if after else ""
        found = db.execute_sql(
            f"SELECT created_at, id FROM incidents {where} ORDER BY created_at, id LIMIT {AT_ONCE}", after or ()
        ).fetchall()
        for at, incident_id in found:
            last = max(last + 1, first_number(from_utc_text(at)))
            db.execute_sql(f"UPDATE incidents SET number = {mark} WHERE id = {mark}", (last, incident_id))
        if len(found) < AT_ONCE:
            return
        after = tuple(found[-1])


def _triggers(db: Any, table: str, counted: str, columns: tuple[str, ...]) -> list[str]:
    """What counts a row in, out and anew."""
    into = "INSERT INTO tallies (subject, status, category, channel, number, measured, amount, reminded)"
    new = f"{into} {counted.format(row='NEW', sign='')};"
    old = f"{into} {counted.format(row='OLD', sign='-')};"
    differs = "IS DISTINCT FROM" if locks_rows(db) else "IS NOT"
    changed = " OR ".join(f"OLD.{column} {differs} NEW.{column}" for column in columns)
    events = {
        "INSERT": ("", new),
        "DELETE": ("", old),
        f"UPDATE OF {', '.join(columns)}": (f"WHEN ({changed})", old + new),
    }
    statements = []
    for event, (condition, body) in events.items():
        name = f"tally_{table}_{event.split()[0].lower()}"
        head = f"CREATE TRIGGER {name} AFTER {event} ON {table} FOR EACH ROW {condition}"
        if locks_rows(db):
            body = f"BEGIN {body} RETURN NULL; END"
            statements.append(f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$")
            statements.append(f"{head} EXECUTE FUNCTION {name}()")
        else:
            statements.append(f"{head} BEGIN {body} END")
    return statements
