"""Incidents, their messages and audit trail; the three queues; follow-ups; lanes."""

from typing import Any

from storage.dialect import identity_column

TABLES = """
CREATE TABLE incidents (
    id TEXT NOT NULL PRIMARY KEY,
    customer_id TEXT NOT NULL,
    channel TEXT NOT NULL,
    message TEXT NOT NULL,
    classification TEXT NOT NULL,
    confidence DOUBLE PRECISION,
    reason TEXT NOT NULL,
    classified_by TEXT NOT NULL,
    ticket_id TEXT NOT NULL,
    external_ticket_id TEXT,
    status TEXT NOT NULL,
    assignee TEXT,
    created_at TIMESTAMPTZ NOT NULL,
    resolved_at TIMESTAMPTZ,
    resolved_by TEXT,
    reminder_sent BOOLEAN NOT NULL
);
CREATE UNIQUE INDEX incidents_ticket_id ON incidents (ticket_id);
CREATE INDEX incidents_ticket_id_lower ON incidents (LOWER(ticket_id));
CREATE INDEX incidents_customer_id ON incidents (customer_id);
CREATE INDEX incidents_created_at ON incidents (created_at);

CREATE TABLE messages (
    {id},
    incident_id TEXT NOT NULL REFERENCES incidents (id),
    channel TEXT NOT NULL,
    external_id TEXT NOT NULL,
    direction TEXT NOT NULL,
    author TEXT NOT NULL,
    text TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
);
CREATE UNIQUE INDEX messages_channel_external_id ON messages (channel, external_id);
CREATE INDEX messages_incident_id ON messages (incident_id);

CREATE TABLE events (
    {id},
    incident_id TEXT NOT NULL REFERENCES incidents (id),
    at TIMESTAMPTZ NOT NULL,
    actor TEXT NOT NULL,
    name TEXT NOT NULL,
    before TEXT,
    after TEXT
);
CREATE INDEX events_incident_id ON events (incident_id);

CREATE TABLE inbox (
    {id},
    channel TEXT NOT NULL,
    external_id TEXT NOT NULL,
    incident_id TEXT NOT NULL,
    lane TEXT NOT NULL,
    payload TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    received_at TIMESTAMPTZ NOT NULL,
    state TEXT NOT NULL,
    due_at TIMESTAMPTZ,
    attempts INTEGER NOT NULL,
    error TEXT,
    outcome TEXT
);
CREATE UNIQUE INDEX inbox_channel_external_id ON inbox (channel, external_id);
CREATE UNIQUE INDEX inbox_incident_id ON inbox (incident_id);
CREATE INDEX inbox_waiting ON inbox (lane, id) WHERE due_at IS NOT NULL;
CREATE INDEX inbox_dead ON inbox (id) WHERE state = 'dead';

CREATE TABLE notifications (
    {id},
    incident_id TEXT NOT NULL REFERENCES incidents (id),
    channel TEXT NOT NULL,
    recipient TEXT NOT NULL,
    kind TEXT NOT NULL,
    message TEXT NOT NULL,
    notice TEXT NOT NULL,
    dedupe TEXT NOT NULL,
    lane TEXT NOT NULL,
    status TEXT NOT NULL,
    due_at TIMESTAMPTZ,
    attempts INTEGER NOT NULL,
    repeats INTEGER NOT NULL,
    error TEXT,
    provider_id TEXT,
    created_at TIMESTAMPTZ NOT NULL,
    sent_at TIMESTAMPTZ
);
CREATE UNIQUE INDEX notifications_dedupe ON notifications (dedupe);
CREATE INDEX notifications_incident_id ON notifications (incident_id);
CREATE INDEX notifications_waiting ON notifications (lane, id) WHERE due_at IS NOT NULL;
CREATE INDEX notifications_dead ON notifications (id) WHERE status IN ('failed', 'uncertain');

CREATE TABLE jobs (
    {id},
    lane TEXT NOT NULL,
    kind TEXT NOT NULL,
    payload TEXT NOT NULL,
    dedupe TEXT NOT NULL,
    state TEXT NOT NULL,
    due_at TIMESTAMPTZ,
    attempts INTEGER NOT NULL,
    error TEXT,
    created_at TIMESTAMPTZ NOT NULL
);
CREATE UNIQUE INDEX jobs_dedupe ON jobs (dedupe);
CREATE INDEX jobs_waiting ON jobs (lane, id) WHERE due_at IS NOT NULL;
CREATE INDEX jobs_dead ON jobs (id) WHERE state = 'dead';

CREATE TABLE follow_ups (
    {id},
    incident_id TEXT NOT NULL REFERENCES incidents (id),
    opened_at TIMESTAMPTZ NOT NULL,
    due_at TIMESTAMPTZ,
    state TEXT NOT NULL,
    done_at TIMESTAMPTZ
);
CREATE INDEX follow_ups_incident_id ON follow_ups (incident_id);
CREATE INDEX follow_ups_waiting ON follow_ups (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE lanes (
    key TEXT NOT NULL PRIMARY KEY,
    due_at TIMESTAMPTZ NOT NULL,
    lease_until TIMESTAMPTZ,
    owner TEXT
);
CREATE INDEX lanes_due_at ON lanes (due_at);
"""


def up(migrator: Any, db: Any) -> None:
    for statement in TABLES.format(id=identity_column(db)).split(";"):
        if statement.strip():
            db.execute_sql(statement)
