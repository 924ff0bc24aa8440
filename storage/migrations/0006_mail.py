"""Mail: what a message was made of, its subject, who else got it, and what waits for a person to decide."""

from typing import Any

from storage.dialect import bytes_column, identity_column

TABLES = """
CREATE TABLE originals (
    {id},
    channel TEXT NOT NULL,
    external_id TEXT NOT NULL,
    {content},
    size BIGINT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT,
    received_at TIMESTAMPTZ NOT NULL
);
CREATE UNIQUE INDEX originals_channel_external_id ON originals (channel, external_id);
CREATE INDEX originals_received_at ON originals (received_at) WHERE state = 'kept';
CREATE INDEX originals_dead ON originals (id) WHERE state = 'dead';

CREATE TABLE participants (
    {id},
    incident_id TEXT NOT NULL REFERENCES incidents (id),
    channel TEXT NOT NULL,
    key TEXT NOT NULL
);
CREATE UNIQUE INDEX participants_incident_id_channel_key ON participants (incident_id, channel, key);

ALTER TABLE incidents ADD COLUMN subject TEXT NOT NULL DEFAULT '';
ALTER TABLE messages ADD COLUMN whole TEXT;
ALTER TABLE inbox ADD COLUMN quarantined_on TEXT;
CREATE INDEX notifications_to_mail ON notifications (recipient, created_at) WHERE channel = 'email';
CREATE INDEX inbox_quarantined_on ON inbox (quarantined_on) WHERE quarantined_on IS NOT NULL
"""


def up(migrator: Any, db: Any) -> None:
    for statement in TABLES.format(id=identity_column(db), content=bytes_column("content", db)).split(";"):
        db.execute_sql(statement)
