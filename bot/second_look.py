"""Looking again at what an incident is about, once the better classifier is back that did not answer when it was
opened.

A job of the kind `reclassify`, in a lane of its own: what is owed to the desk must not wait for a model. However long
the model is away, no attempt is counted as long as nobody was asked.
"""

import random
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import structlog

from bot import routing, wording
from bot.board import Line
from bot.breaker import CircuitOpen
from bot.errors import ClassificationFailed, Rerouted
from bot.lanes import Lease
from bot.life import Life, current
from bot.model import Classification, Incident
from bot.ports import Classifier, Clock, Dispatcher
from storage import database, incidents, jobs, lanes
from storage.privacy import FORGOTTEN

log = structlog.get_logger()

SOONEST: Final = 60.0
LATEST: Final = 600.0
"""Seconds between two looks: as long as the job is old, within these bounds. After an hour without Gemini everything is
asked within ten minutes of its return, and ten thousand waiting jobs cost the database 17 changes a second."""

MOST_ASKED: Final = 24
"""Questions that may go unanswered, as when the model refuses this one text; then the local model's word stays."""


@dataclass(frozen=True, slots=True)
class SecondLook:
    """Does these jobs. `classifier` is the first rung of the ladder; `turns` is how many may be at it at once, so that
    what has piled up does not keep messages waiting that come in now."""

    classifier: Classifier
    life: Life
    dispatcher: Dispatcher
    clock: Clock
    turns: threading.Semaphore

    def look(self, lease: Lease) -> None:
        """Ask again, and take the answer for the incident's, unless a person has decided; or put it off."""
        if not self.turns.acquire(blocking=False):
            _put_off(lease, random.uniform(1, 10), asked=False)
            return
        try:
            self._look(lease)
        finally:
            self.turns.release()

    def _look(self, lease: Lease) -> None:
        for tries_left in (2, 1, 0):
            incident = _incident(lease)
            if incident is None or is_decided(incident):
                return _end(lease)
            try:
                return self._take(lease, incident, self.classifier(incident.message))
            except ClassificationFailed as exc:
                return self._fail(lease, exc)
            except Rerouted:  # the customer has changed the text meanwhile
                if not tries_left:
                    raise
        return None

    def _take(self, lease: Lease, asked: Incident, said: Classification) -> None:
        woken: list[str] = []
        with lease.finishing() as now:
            lanes.hold(asked.id)
            incident = current(asked.id)
            if incident.message != asked.message:
                raise Rerouted("the text changed while the model read it")
            if not is_decided(incident) and _counts(lease.row["payload"], incident, said):
                woken = self._reclassify(incident, said, now)
            jobs.done(lease.row["id"])
        for lane in woken:
            self.dispatcher.wake(lane)
        log.info("incident.reclassified", incident_id=asked.id, category=said.category, by=said.classified_by)

    def _reclassify(self, incident: Incident, said: Classification, now: datetime) -> list[str]:
        woken = self.life.reclassify(incident, said, said.classified_by, now)
        word = wording.category_word(said.category, "en")
        lines = [Line("category", said.classified_by, word)] if said.category != incident.category else []
        return woken + self.life.show(incident.id, now, *lines)

    def _fail(self, lease: Lease, exc: ClassificationFailed) -> None:
        asked = not isinstance(exc.__cause__, CircuitOpen)
        if asked and lease.row["attempts"] + 1 >= MOST_ASKED:
            log.warning("incident.not_reclassified", reason=str(exc))
            return _end(lease)
        age = (self.clock() - lease.row["created_at"]).total_seconds()
        return _put_off(lease, min(max(age, SOONEST), LATEST) * random.uniform(0.8, 1), asked)


def owe(incident_id: str, said: Classification, now: datetime) -> None:
    """Have somebody look again. Inside the transaction that opens the incident, before its row is written."""
    payload = {"category": said.category, "by": said.classified_by}
    jobs.add_reclassify(incident_id, payload, now + timedelta(seconds=SOONEST), now)


def is_decided(incident: Incident) -> bool:
    """Whether a person has said what the incident is about, or has acted on it, or it is erased."""
    return incident.reviewed_by is not None or incident.touched_at is not None or incident.message == FORGOTTEN


def _counts(payload: dict[str, Any], incident: Incident, said: Classification) -> bool:
    """Whether the answer is to be taken. Where a later message has made the incident more urgent meanwhile, only if it
    makes it more urgent still."""
    as_it_was = (incident.category, incident.classified_by) == (payload.get("category"), payload.get("by"))
    return as_it_was or routing.is_more_urgent(incident, said)


def _incident(lease: Lease) -> Incident | None:
    with database.session():
        row = incidents.get(lease.lane.rpartition("/")[2])
    return None if row is None else Incident.of(row)


def _end(lease: Lease) -> None:
    with lease.finishing():
        jobs.done(lease.row["id"])


def _put_off(lease: Lease, seconds: float, asked: bool) -> None:
    row = lease.row
    with lease.finishing() as now:
        jobs.put_off(row["id"], row["attempts"] + asked, now + timedelta(seconds=seconds))
