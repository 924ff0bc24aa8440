"""The one way in: mask the message, commit it, wake its lane. Only then may the platform be told "received"."""

import queue
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any

import structlog
from peewee import OperationalError

from bot import measure, ports
from bot.errors import NotCommitted
from bot.ids import new_id
from bot.masking import mask
from bot.measure import span
from bot.model import Accepted, InboundMessage, Proof, file_name, tidy
from bot.originals import as_row
from bot.ports import Clock, Dispatcher
from bot.sealing import Seal
from storage import database, inbox, originals, traces

log = structlog.get_logger()

LARGEST_BATCH = 256

UNSEALED = Seal()


@dataclass(frozen=True, slots=True)
class Submission:
    """A message on its way into the database."""

    incident_id: str
    committed: "Future[Accepted]"
    row: inbox.NewMessage
    original: Mapping[str, Any] | None = None


class Intake(ports.Intake):
    """Commits messages in groups: one thread writes all that has come in while the last commit was under way, because a
    commit costs a wait for the disk, however many rows it holds."""

    def __init__(self, dispatcher: Dispatcher, clock: Clock, seal: Seal = UNSEALED) -> None:
        self._dispatcher = dispatcher
        self._clock = clock
        self._seal = seal
        self._waiting: queue.SimpleQueue[Submission | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="intake", daemon=True)
        self._thread.start()

    def accept(self, message: InboundMessage, original: bytes = b"") -> Accepted:
        """Commit the message, and what it was made of, and return its receipt. Raises NotCommitted: then the platform
        must send it again."""
        return self.submit(message, original).committed.result()

    def submit(self, message: InboundMessage, original: bytes = b"") -> Submission:
        """The same without waiting; `committed` has the receipt or NotCommitted."""
        incident_id = new_id()
        external_id = message.external_id or incident_id
        lane = message.lane or f"{message.channel}/{incident_id}"  # what follows in its conversation waits there, too
        if message.attachments:
            files = tuple(replace(file, name=mask(file_name(file.name))) for file in message.attachments)
            message = replace(message, attachments=files)
        masked = {"external_id": external_id, "lane": lane, "text": mask(tidy(message.text))}
        if message.proof is not Proof.PLACE:
            masked |= {"subject": mask(tidy(message.subject)), "whole": mask(tidy(message.whole))}
        now = self._clock()
        with span("accept", channel=message.channel):
            trace = traces.current()
        row = inbox.NewMessage(
            channel=message.channel,
            external_id=external_id,
            incident_id=incident_id,
            lane=f"in/{lane}",
            payload=message.to_json() | masked,
            fingerprint=message.fingerprint,
            received_at=now,
            trace=trace,
        )
        kept = as_row(self._seal, message.channel, external_id, original, now) if original else None
        submission = Submission(incident_id, Future(), row, kept)
        self._waiting.put(submission)
        return submission

    def close(self) -> None:
        """Commit what has been submitted, and end."""
        self._waiting.put(None)
        self._thread.join()

    def _write(self) -> None:
        while batch := self._next_batch():
            self._store(batch)

    def _store(self, batch: list[Submission]) -> None:
        try:
            receipts = self._commit(batch)
        except Exception as exc:
            self._recover(batch, exc)
        else:
            self._announce(batch, receipts)

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

    def _commit(self, batch: list[Submission]) -> list[Accepted]:
        with database.transaction():
            new = inbox.add([submission.row for submission in batch])
            for submission in batch:
                if submission.original is not None and submission.incident_id in new:
                    originals.add([submission.original])
            return [_receipt(submission, new) for submission in batch]

    def _announce(self, batch: list[Submission], receipts: list[Accepted]) -> None:
        for submission, receipt in zip(batch, receipts, strict=True):
            channel, incident_id = submission.row.channel, receipt.incident_id
            measure.messages.labels(channel, str(receipt.duplicate).lower()).inc()
            log.info("message.accepted", channel=channel, incident_id=incident_id, duplicate=receipt.duplicate)
            if submission.committed.set_running_or_notify_cancel():  # else nobody waits any more
                submission.committed.set_result(receipt)
            if not receipt.duplicate:
                self._dispatcher.wake(submission.row.lane)

    def _recover(self, batch: list[Submission], exc: Exception) -> None:
        """One row that cannot be stored must not keep the others out, so each is tried alone. A database that is ill
        (locked, full, away) is not asked again: all are refused, and sent again by their platforms."""
        if len(batch) > 1 and not isinstance(exc, OperationalError):
            for submission in batch:
                self._store([submission])
            return
        log.error("intake.not_committed", messages=len(batch), exc_info=exc)
        for submission in batch:
            if submission.committed.set_running_or_notify_cancel():
                submission.committed.set_exception(NotCommitted("The message could not be stored. Send it again."))


def _receipt(submission: Submission, new: set[str]) -> Accepted:
    row = submission.row
    if submission.incident_id in new:
        return Accepted(submission.incident_id, False, row.fingerprint)
    incident_id, fingerprint = inbox.first_delivery(row.channel, row.external_id)
    return Accepted(incident_id, True, fingerprint)
