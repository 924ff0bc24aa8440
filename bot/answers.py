"""Waiting for the outcome of a message without holding a thread.

The local worker fulfils what it has handled itself; what another process handles is seen by one poller, which asks for
all that is waited for in one query.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

import structlog

from storage import database, inbox

log = structlog.get_logger()

POLL_EVERY = 0.05

Outcome = Mapping[str, Any]


class Answers:
    """Futures of outcomes, by incident id."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waited_for: defaultdict[str, list[Future[Outcome]]] = defaultdict(list)
        self._somebody_waits = threading.Event()
        self._stopping = False

    def expect(self, incident_id: str) -> "Future[Outcome]":
        """Return a future of this message's outcome. Cancel it to stop waiting."""
        answer: Future[Outcome] = Future()
        with self._guard:
            self._waited_for[incident_id].append(answer)
            self._somebody_waits.set()
        return answer

    def fulfil(self, incident_id: str, outcome: Outcome) -> None:
        """Give the outcome to all who wait for it."""
        with self._guard:
            answers = self._waited_for.pop(incident_id, [])
        for answer in answers:
            if answer.set_running_or_notify_cancel():
                answer.set_result(outcome)

    def poll(self) -> None:
        """Look for outcomes in the database until `stop`. For a thread of its own."""
        while not self._stopping:
            self._somebody_waits.wait()
            try:
                self._look()
            except Exception as exc:
                log.error("answers.not_seen", exc_info=exc)
                time.sleep(1)
            time.sleep(POLL_EVERY)

    def _look(self) -> None:
        with self._guard:
            for incident_id in [key for key, all_ in self._waited_for.items() if all(a.cancelled() for a in all_)]:
                del self._waited_for[incident_id]
            wanted = list(self._waited_for)
            if not wanted and not self._stopping:
                self._somebody_waits.clear()
        with database.session():
            found = inbox.outcomes(wanted)
        for incident_id, outcome in found.items():
            self.fulfil(incident_id, outcome)

    def stop(self) -> None:
        self._stopping = True
        self._somebody_waits.set()
