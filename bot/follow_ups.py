"""A day later: still open, a reminder; resolved, nothing. Two days later, untouched by agents: an escalation."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from bot import measure, outbox, reach, wording
from bot.life import Life
from bot.model import Address, Incident, Notice
from bot.ports import Clock, Dispatcher
from storage import database, follow_ups, incidents
from storage.follow_ups import Claimed

log = structlog.get_logger()

AT_ONCE = 200
"""Follow-ups in one transaction: long enough to be quick, short enough not to keep others from writing."""

ANSWERS = ("solved", "not_solved")


@dataclass(frozen=True, slots=True)
class FollowUps:
    """Handles the follow-ups that are due. `clock` tells which those are."""

    clock: Clock
    dispatcher: Dispatcher
    life: Life

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
            reminded, lanes = self._remind([one for one in claimed if one.kind == "reminder"], now)
            lanes += self._escalate([one for one in claimed if one.kind == "escalation"], now)
        measure.reminders.inc(reminded)
        log.info("reminder.stored", number=reminded, follow_ups=len(claimed))
        for lane in lanes:
            self.dispatcher.wake(lane)
        return len(claimed)

    def _remind(self, claimed: Sequence[Claimed], now: datetime) -> tuple[int, list[str]]:
        """Remind the customers of what is open, unless it is their night: then when that is over."""
        quiet = self.life.policy.quiet
        morning = None if quiet is None else quiet.end(now)
        if morning is not None:
            follow_ups.put_off([one.id for one in claimed], morning)
            return 0, []
        still_open = follow_ups.mark_reminded([one.incident_id for one in claimed])
        due = _settle(claimed, still_open, "reminded", now)
        told: list[tuple[Address, Notice]] = []
        agents: list[tuple[Address, Notice]] = []
        said = []
        marked = reach.lost(to for _, incident in due for to in incident.addresses)
        for one, incident in due:
            shown, *owed = self._reminders(one, incident, marked, now)
            told += owed
            agents += [(to, wording.agents_reminder(incident, to, one.id, now)) for to in self.life.policy.agents]
            said.append(outbox.on_timeline(incident, shown[1], now))
        if said:
            incidents.say(said)
        return len(due), outbox.owe(told, now) + outbox.owe(agents, now)

    def _reminders(
        self, one: Claimed, incident: Incident, marked: set[Address], now: datetime
    ) -> list[tuple[Address, Notice]]:
        """Word a reminder for the timeline and for every address of the customer at which we are not blocked."""
        actions = self.life.links.actions(incident, ANSWERS, incident.openings, now)
        places = (Address("web", incident.id), *reach.places(incident, marked, now))
        return [(to, wording.reminder(incident, to, one.id, now, actions)) for to in places]

    def _escalate(self, claimed: Sequence[Claimed], now: datetime) -> list[str]:
        """Tell the agents what none of them has touched."""
        untouched = follow_ups.untouched([one.incident_id for one in claimed])
        due = _settle(claimed, untouched, "escalated", now)
        agents = self.life.policy.agents
        return outbox.owe(
            [(to, wording.escalation(incident, to, one.id, now)) for one, incident in due for to in agents], now
        )


def _settle(claimed: Sequence[Claimed], meant: set[str], state: str, now: datetime) -> list[tuple[Claimed, Incident]]:
    """End follow-ups: in this state if their incident is one of those that are meant. Return these, each with its
    incident, but for those that cannot be read: they must not keep all others from being followed up."""
    due = [one for one in claimed if one.incident_id in meant]
    follow_ups.settle([one.id for one in due], state, now)
    follow_ups.settle([one.id for one in claimed if one.incident_id not in meant], "nothing_to_do", now)
    incidents.record_many([_event(one.incident_id, state, now) for one in due])
    rows = {row["id"]: row for row in incidents.many([one.incident_id for one in due])}
    read = []
    for one in due:
        try:
            read.append((one, Incident.of(rows[one.incident_id])))
        except ValueError as exc:
            log.error("reminder.failed", incident_id=one.incident_id, exc_info=exc)
    return read


def _event(incident_id: str, name: str, now: datetime) -> database.Row:
    return {"incident": incident_id, "at": now, "actor": "clock", "name": name, "before": None, "after": None}
