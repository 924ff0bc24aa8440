"""What becomes of texts after a platform has taken them, as far as it tells: on its way, delivered, read, failed.

That one was not delivered is besides a report like any other (see `bounces`), which agents are told of.
"""

from dataclasses import dataclass

import structlog

from bot import ports
from bot.bounces import digest
from storage import database, notifications

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Deliveries(ports.Deliveries):
    """Notes it on the notification."""

    def told(self, incident_id: str, channel: str, about: str, state: str) -> bool:
        """Note how far a text has come, unless it is known to have come further. `about` is how the SHA-256 of its key
        begins, in hex. False: there is no such text, or nothing has changed."""
        with database.transaction(durable=False):  # the platform is asked for nothing that it would not say again
            found = [row for row in notifications.of_incident(incident_id) if row["channel"] == channel]
            row = next((row for row in found if about and digest(row["dedupe"]).startswith(about)), None)
            changed = row is not None and notifications.progress(row["id"], state)
        log.info("notification.delivery", incident_id=incident_id, channel=channel, state=state, new=changed)
        return changed
