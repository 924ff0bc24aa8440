"""The one way in: mask the message, commit it, wake its lane. Only then may the platform be told "received"."""

import queue
import threading
import uuid
from concurrent.futures import Future
from dataclasses import dataclass, replace

import structlog
from peewee import OperationalError

from bot import ports
from bot.errors import NotCommitted
from bot.masking import mask
from bot.model import Accepted, InboundMessage, tidy
from bot.ports import Clock, Dispatcher
from storage import database, inbox, lanes

log = structlog.get_logger()

LARGEST_BATCH = 256


@dataclass(frozen=True, slots=True)
class Submission:
    """A message on its way into the database."""

    incident_id: str
    committed: "Future[Accepted]"
    row: inbox.NewMessage


class Intake(ports.Intake):
    """Commits messages in groups: one thread writes all that has come in while the last commit was under way, because a
    commit costs a wait for the disk, however many rows it holds."""

    def __init__(self, dispatcher: Dispatcher, clock: Clock) -> None:
        self._dispatcher = dispatcher
        self._clock = clock
        self._waiting: queue.SimpleQueue[Submission | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="intake", daemon=True)
        self._thread.start()

    def accept(self, message: InboundMessage) -> Accepted:
        """Commit the message and return its receipt. Raises NotCommitted: then the platform must send it again."""
        return self.submit(message).committed.result()

    def submit(self, message: InboundMessage) -> Submission:
        """The same without waiting; `committed` has the receipt or NotCommitted."""
        incident_id = str(uuid.uuid4())
        masked = replace(message, text=mask(tidy(message.text)))
        row = inbox.NewMessage(
            channel=message.channel,
            external_id=message.external_id,
            incident_id=incident_id,
            lane=f"in/{message.lane}",
            payload=masked.to_json(),
            fingerprint=message.fingerprint,
            received_at=self._clock(),
        )
        submission = Submission(incident_id, Future(), row)
        self._waiting.put(submission)
        return submission

    def close(self) -> None:
        """Commit what has been submitted, and end."""
        self._waiting.put(None)
        self._thread.join()

    def _write(self) -> None:
        while batch := self._next_batch():
            try:
                self._commit(batch)
            except Exception as exc:
                log.error("intake.batch_failed", messages=len(batch), exc_info=exc)
                self._commit_one_by_one(batch)

    def _next_batch(self) -> list[Submission]:
        """Wait for a message and take all that are there; an empty list is the end."""
        batch: list[Submission] = []
        while len(batch) < LARGEST_BATCH and (not batch or not self._waiting.empty()):
            submission = self._waiting.get()
            if submission is None:
                if batch:
                    self._waiting.put(None)
                break
            batch.append(submission)
        return batch

    def _commit(self, batch: list[Submission]) -> None:
        receipts = []
        with database.transaction():
            new = inbox.add([submission.row for submission in batch])
            lanes.wake({s.row.lane: s.row.received_at for s in batch if s.incident_id in new})
            for submission in batch:
                receipts.append(self._receipt(submission, new))
        for submission, receipt in zip(batch, receipts, strict=True):
            log.info("message.accepted", channel=submission.row.channel, **_summary(receipt))
            submission.committed.set_result(receipt)
            if not receipt.duplicate:
                self._dispatcher.wake(submission.row.lane)

    def _receipt(self, submission: Submission, new: set[str]) -> Accepted:
        row = submission.row
        if submission.incident_id in new:
            return Accepted(submission.incident_id, False, row.fingerprint)
        incident_id, fingerprint = inbox.first_delivery(row.channel, row.external_id)
        return Accepted(incident_id, True, fingerprint)

    def _commit_one_by_one(self, batch: list[Submission]) -> None:
        """One row that cannot be stored must not keep the others out; a database that is ill fails all, at once."""
        ill: Exception | None = None
        for submission in batch:
            try:
                if ill is None:
                    self._commit([submission])
                    continue
            except Exception as exc:
                ill = exc if isinstance(exc, OperationalError) else None
                log.error("message.not_committed", channel=submission.row.channel, exc_info=exc)
            submission.committed.set_exception(NotCommitted("The message could not be stored. Send it again."))


def _summary(receipt: Accepted) -> dict[str, object]:
    return {"incident_id": receipt.incident_id, "duplicate": receipt.duplicate}
