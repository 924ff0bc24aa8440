"""A day later: still open, a reminder; resolved, nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from bot import measure, outbox, wording
from bot.model import Address, Incident, Notice
from bot.ports import Clock, Dispatcher
from storage import database, follow_ups, incidents, notifications

log = structlog.get_logger()

AT_ONCE = 200
"""Follow-ups in one transaction: long enough to be quick, short enough not to keep others from writing."""


@dataclass(frozen=True, slots=True)
class FollowUps:
    """Handles the follow-ups that are due. `clock` tells which those are."""

    clock: Clock
    dispatcher: Dispatcher

    def work(self) -> None:
        """Handle everything that is due, `AT_ONCE` at a time. Several processes may do this at once."""
        while self._some():
            pass

    def _some(self) -> int:
        """Claim some, and settle them in the same transaction: a crash leaves them due as before."""
        with database.transaction():
            now = self.clock()
            claimed = follow_ups.claim(now, AT_ONCE)
            if not claimed:
                return 0
            log.info("follow_up.claimed", number=len(claimed))
            lanes = self._settle(claimed, now)
        measure.reminders.inc(len(lanes))
        log.info("reminder.stored", number=len(lanes), follow_ups=len(claimed))
        for lane in lanes:
            self.dispatcher.wake(lane)
        return len(claimed)

    def _settle(self, claimed: Sequence[tuple[int, str]], now: datetime) -> list[str]:
        still_open = follow_ups.mark_reminded([incident_id for _, incident_id in claimed])
        reminded = {incident_id: row_id for row_id, incident_id in claimed if incident_id in still_open}
        follow_ups.settle([row_id for row_id, incident_id in claimed if incident_id in still_open], "reminded", now)
        follow_ups.settle(
            [row_id for row_id, incident_id in claimed if incident_id not in still_open], "nothing_to_do", now
        )
        incidents.record_many([_event(incident_id, now) for incident_id in reminded])
        return outbox.owe(self._reminders(reminded, now), now)

    def _reminders(self, reminded: dict[str, int], now: datetime) -> list[tuple[Address, Notice]]:
        """Write to the addresses to which the acknowledgement went."""
        opened = {row["id"]: row for row in incidents.many(list(reminded))}
        owed = []
        for told in notifications.acknowledged(list(reminded)):
            to = Address(told["channel"], told["recipient"])
            try:
                incident = Incident.of(opened[told["incident"]])
                owed.append((to, wording.reminder(incident, to, reminded[incident.id], now)))
            except ValueError as exc:  # a row that cannot be read must not keep all others from being reminded of
                log.error("reminder.failed", incident_id=told["incident"], exc_info=exc)
        return owed


def _event(incident_id: str, now: datetime) -> database.Row:
    return {"incident": incident_id, "at": now, "actor": "clock", "name": "reminded", "before": None, "after": None}
