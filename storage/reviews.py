"""What agents have said messages are about: the labelled set that classifiers are judged by, and learn from."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from storage.database import Row, execute, insert, rows
from storage.tables import Review


def keep(values: Mapping[str, Any]) -> None:
    """Keep the first decision about an incident, with what had been predicted; does nothing if there is one."""
    insert(Review, [values], unless="incident_id")


def change(incident_id: str, decided: str, by: str, at: datetime) -> None:
    """Replace the decision about an incident, if there is one; what had been predicted stays."""
    changes = {"decided": decided, "decided_by": by, "decided_at": at}
    Review.update(**changes).where(Review.incident == incident_id).execute()


def of_incident(incident_id: str) -> list[Row]:
    return rows(Review.select().where(Review.incident == incident_id))


def all_of_them() -> list[Row]:
    return rows(Review.select().order_by(Review.id))


def drop(incident_id: str) -> None:
    """Drop the decision about an incident: it has the customer's words."""
    execute("DELETE FROM reviews WHERE incident_id = ?", (incident_id,))
