"""Conversations, customers, revisions, ratings, tokens; what an incident must know to be reopened."""

import json
from typing import Any
from uuid import uuid4

from storage.dialect import identity_column, locks_rows

TABLES = """
CREATE TABLE customers (
    id TEXT NOT NULL PRIMARY KEY,
    created_at TIMESTAMPTZ NOT NULL,
    merged_into TEXT,
    forgotten_at TIMESTAMPTZ
);

CREATE TABLE identities (
    {id},
    channel TEXT NOT NULL,
    external_id TEXT NOT NULL,
    customer_id TEXT NOT NULL REFERENCES customers (id),
    first_seen_at TIMESTAMPTZ NOT NULL
);
CREATE UNIQUE INDEX identities_channel_external_id ON identities (channel, external_id);
CREATE INDEX identities_customer_id ON identities (customer_id);

CREATE TABLE revisions (
    {id},
    channel TEXT NOT NULL,
    external_id TEXT NOT NULL,
    text TEXT NOT NULL,
    deleted BOOLEAN NOT NULL,
    written_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX revisions_channel_external_id ON revisions (channel, external_id);

CREATE TABLE conversations (
    {id},
    channel TEXT NOT NULL,
    key TEXT NOT NULL,
    conversation TEXT NOT NULL
);
CREATE UNIQUE INDEX conversations_channel_key ON conversations (channel, key);
CREATE INDEX conversations_conversation ON conversations (conversation);

CREATE TABLE ratings (
    {id},
    incident_id TEXT NOT NULL REFERENCES incidents (id),
    resolution INTEGER NOT NULL,
    score INTEGER NOT NULL,
    rated_at TIMESTAMPTZ NOT NULL
);
CREATE UNIQUE INDEX ratings_incident_id_resolution ON ratings (incident_id, resolution);

CREATE TABLE tokens (
    jti TEXT NOT NULL PRIMARY KEY,
    subject TEXT NOT NULL,
    role TEXT NOT NULL,
    issued_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    revoked_at TIMESTAMPTZ
);

CREATE TABLE state (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

ALTER TABLE incidents ADD COLUMN identity_id BIGINT REFERENCES identities (id);
ALTER TABLE incidents ADD COLUMN reporter TEXT NOT NULL DEFAULT '';
ALTER TABLE incidents ADD COLUMN conversation TEXT NOT NULL DEFAULT '';
ALTER TABLE incidents ADD COLUMN chat TEXT NOT NULL DEFAULT '';
ALTER TABLE incidents ADD COLUMN continues TEXT;
ALTER TABLE incidents ADD COLUMN addresses TEXT NOT NULL DEFAULT '[]';
ALTER TABLE incidents ADD COLUMN language TEXT NOT NULL DEFAULT 'en';
ALTER TABLE incidents ADD COLUMN openings INTEGER NOT NULL DEFAULT 1;
ALTER TABLE incidents ADD COLUMN resolutions INTEGER NOT NULL DEFAULT 0;
ALTER TABLE incidents ADD COLUMN last_opened_at TIMESTAMPTZ NOT NULL DEFAULT '1970-01-01T00:00:00.000000Z';
ALTER TABLE incidents ADD COLUMN touched_at TIMESTAMPTZ;
UPDATE incidents SET conversation = id, last_opened_at = created_at;
UPDATE incidents SET resolutions = 1 WHERE status = 'resolved';
CREATE UNIQUE INDEX incidents_open_in_conversation ON incidents (conversation) WHERE status = 'open';
CREATE INDEX incidents_conversation ON incidents (conversation, created_at);
CREATE INDEX incidents_identity_id ON incidents (identity_id, created_at);

ALTER TABLE messages ADD COLUMN identity_id BIGINT REFERENCES identities (id);
ALTER TABLE messages ADD COLUMN written_at TIMESTAMPTZ NOT NULL DEFAULT '1970-01-01T00:00:00.000000Z';
ALTER TABLE messages ADD COLUMN edited_at TIMESTAMPTZ;
ALTER TABLE messages ADD COLUMN deleted_at TIMESTAMPTZ;
UPDATE messages SET written_at = created_at;
CREATE INDEX messages_identity_id ON messages (identity_id);

ALTER TABLE follow_ups ADD COLUMN kind TEXT NOT NULL DEFAULT 'reminder';

ALTER TABLE events ADD COLUMN customer TEXT;

UPDATE lanes SET key = 'job/' || SUBSTR(key, 10) WHERE SUBSTR(key, 1, 9) = 'job/link/';
UPDATE jobs SET lane = 'job/' || SUBSTR(lane, 10), dedupe = SUBSTR(dedupe, 5) || '/0'
    WHERE SUBSTR(lane, 1, 9) = 'job/link/';
INSERT INTO conversations (channel, key, conversation) SELECT 'web', id, id FROM incidents;
INSERT INTO conversations (channel, key, conversation) SELECT channel, external_id, incident_id FROM messages
    WHERE external_id <> incident_id
"""

EVENTS_OF_NO_INCIDENT = """
CREATE TABLE new_events (
    {id},
    incident_id TEXT REFERENCES incidents (id),
    at TIMESTAMPTZ NOT NULL,
    actor TEXT NOT NULL,
    name TEXT NOT NULL,
    before TEXT,
    after TEXT,
    customer TEXT
);
INSERT INTO new_events (id, incident_id, at, actor, name, before, after)
    SELECT id, incident_id, at, actor, name, before, after FROM events;
DROP TABLE events;
ALTER TABLE new_events RENAME TO events;
CREATE INDEX events_incident_id ON events (incident_id)
"""
"""SQLite cannot let go of a NOT NULL but by making the table anew."""


def up(migrator: Any, db: Any) -> None:
    _run(db, TABLES)
    if locks_rows(db):
        _run(db, "ALTER TABLE events ALTER COLUMN incident_id DROP NOT NULL")
    else:
        _run(db, EVENTS_OF_NO_INCIDENT)
    _name_the_customers(db)
    _keep_the_addresses(db)
    _name_the_reporter(db)


def _run(db: Any, statements: str) -> None:
    for statement in statements.format(id=identity_column(db)).split(";"):
        if statement.strip():
            db.execute_sql(statement)


def _name_the_customers(db: Any) -> None:
    """Until now every message came over HTTP from this machine, under the caller's name of the customer."""
    mark = db.param
    first_seen = db.execute_sql("SELECT customer_id, MIN(created_at) FROM incidents GROUP BY customer_id").fetchall()
    for name, at in first_seen:
        customer_id = str(uuid4())
        db.execute_sql(f"INSERT INTO customers (id, created_at) VALUES ({mark}, {mark})", (customer_id, at))
        db.execute_sql(
            "INSERT INTO identities (channel, external_id, customer_id, first_seen_at) "
            f"VALUES ({', '.join([mark] * 4)})",
            ("web", f"loopback:{name}", customer_id, at),
        )
    db.execute_sql("UPDATE incidents SET reporter = 'loopback'")
    db.execute_sql(
        "UPDATE incidents SET identity_id = (SELECT identities.id FROM identities "
        "WHERE identities.channel = 'web' AND identities.external_id = 'loopback:' || incidents.customer_id)"
    )
    db.execute_sql(
        "UPDATE messages SET identity_id = "
        "(SELECT identity_id FROM incidents WHERE incidents.id = messages.incident_id)"
    )


def _name_the_reporter(db: Any) -> None:
    """What waits in the inbox came from the same caller."""
    mark = db.param
    for row_id, payload in db.execute_sql("SELECT id, payload FROM inbox WHERE state <> 'done'").fetchall():
        said = json.dumps({**json.loads(payload), "reporter": "loopback"}, ensure_ascii=False)
        db.execute_sql(f"UPDATE inbox SET payload = {mark} WHERE id = {mark}", (said, row_id))


def _keep_the_addresses(db: Any) -> None:
    told: dict[str, list[dict[str, str]]] = {}
    for incident_id, channel, key in db.execute_sql(
        "SELECT incident_id, channel, recipient FROM notifications WHERE kind = 'acknowledgement' ORDER BY id"
    ).fetchall():
        told.setdefault(incident_id, []).append({"channel": channel, "key": key})
    for incident_id, addresses in told.items():
        db.execute_sql(
            f"UPDATE incidents SET addresses = {db.param} WHERE id = {db.param}",
            (json.dumps(addresses, ensure_ascii=False), incident_id),
        )
