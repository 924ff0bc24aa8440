"""What agents have said a message is about, beside what a classifier had said."""

from typing import Any

from storage.dialect import identity_column

TABLE = """
CREATE TABLE reviews (
    {id},
    incident_id TEXT NOT NULL REFERENCES incidents (id),
    text TEXT NOT NULL,
    predicted TEXT NOT NULL,
    confidence DOUBLE PRECISION,
    classified_by TEXT NOT NULL,
    decided TEXT NOT NULL,
    decided_by TEXT NOT NULL,
    decided_at TIMESTAMPTZ NOT NULL
);
CREATE UNIQUE INDEX reviews_incident_id ON reviews (incident_id)
"""


def up(migrator: Any, db: Any) -> None:
    for statement in TABLE.format(id=identity_column(db)).split(";"):
        db.execute_sql(statement)
