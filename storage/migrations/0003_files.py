"""The files that came with customers' messages."""

from typing import Any

from storage.dialect import bytes_column, identity_column

TABLE = """
CREATE TABLE attachments (
    {id},
    incident_id TEXT NOT NULL REFERENCES incidents (id),
    channel TEXT NOT NULL,
    external_id TEXT NOT NULL,
    name TEXT NOT NULL,
    media_type TEXT NOT NULL,
    size BIGINT,
    ref TEXT NOT NULL,
    {content},
    state TEXT NOT NULL,
    refusal TEXT,
    reason TEXT,
    told_at TIMESTAMPTZ,
    created_at TIMESTAMPTZ NOT NULL,
    kept_at TIMESTAMPTZ
);
CREATE INDEX attachments_incident_id ON attachments (incident_id);
CREATE INDEX attachments_channel_external_id ON attachments (channel, external_id);
CREATE INDEX attachments_kept_at ON attachments (kept_at) WHERE state = 'kept'
"""


def up(migrator: Any, db: Any) -> None:
    for statement in TABLE.format(id=identity_column(db), content=bytes_column("content", db)).split(";"):
        db.execute_sql(statement)
