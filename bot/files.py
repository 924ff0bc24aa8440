"""The files that come with a customer's message: taken down with it, fetched in the background, kept with its incident.

new → kept → expired     its content is deleted after RAW_KEPT, or with its message
    → refused            too large, too many, or not to be had: the customer is told which, and why
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Any

import structlog

from bot import measure, outbox, wording
from bot.deadline import DeadlinePassed, within
from bot.errors import TooLarge, TryLater, Undeliverable
from bot.lanes import Lease, describe
from bot.life import current
from bot.model import Attachment, Fetched, InboundMessage, Incident
from bot.policy import Limits
from bot.ports import AtHand, Clock, Dispatcher, FileSource
from bot.sealing import Seal
from storage import attachments, database, incidents, jobs, lanes, privacy
from storage.database import Row

log = structlog.get_logger()

MARGIN = 1.0
"""Seconds beyond a source's own deadline: it knows better than we do what to make of the end of it."""

MOST_TAKEN_DOWN = 100
"""Files of one message that are listed at all, kept or not."""

EXPIRED_AT_ONCE = 100
"""Contents that are deleted in one look: each may be megabytes."""

WAITING = frozenset({"new", "refused"})
"""States from which a file may still be kept: of one that was given up, a person may have the fetching retried."""

EXPIRED = "Its content was deleted when its time was over (RAW_KEPT)."
DELETED = "Its author has deleted the message."
WITHDRAWN_NAME = "(deleted by its author)"

UNKNOWN_TYPE = "application/octet-stream"
BINARY = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f]")
SURE = 0.4
"""How sure of its signature must be what looks like a text: short ones are the beginnings of words as well."""


SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
    b"%PDF-": "application/pdf",
}
"""Of what customers send most (WHATWG, MIME Sniffing, 6): the list of all that there are is long."""

ZIP = b"PK\x03\x04"
OPEN_XML = "application/vnd.openxmlformats-officedocument"
OFFICE = {
    b"word/document.xml": "wordprocessingml.document",
    b"xl/workbook.xml": "spreadsheetml.sheet",
    b"ppt/presentation.xml": "presentationml.presentation",
}
"""What is in a document of the office's that is in no other archive, and what it is called (ECMA-376)."""


class Refusal(StrEnum):
    """Why a file was not taken. The catalogues have a word for each, for customers."""

    TOO_LARGE = "too_large"
    TOO_MANY = "too_many"
    TOO_MUCH = "too_much"
    UNAVAILABLE = "unavailable"


def judge(files: Iterable[Attachment], limits: Limits) -> Iterator[tuple[Attachment, Refusal | None]]:
    """Say of every file whether it is refused for what its sender tells of it; None: it is not."""
    number = together = 0
    for file in files:
        size = file.size or 0
        if size > limits.largest:
            yield file, Refusal.TOO_LARGE
        elif number >= limits.number:
            yield file, Refusal.TOO_MANY
        elif together + size > limits.together:
            yield file, Refusal.TOO_MUCH
        else:
            number, together = number + 1, together + size
            yield file, None


def take(
    incident: Incident, message: InboundMessage, limits: Limits, found: "Mapping[str, End]", now: datetime
) -> list[str]:
    """Take down the files of a message that has just been put on its incident, inside the caller's transaction: those
    that were `found` at hand (by their `ref`) with what became of them; owe the fetching of each other one, and tell
    the customer of those that are refused. Return the lanes to wake. Of a message that its author has deleted already
    there are none."""
    said = incidents.message(message.channel, message.external_id)
    if said is None or said["deleted_at"] is not None:
        return []
    woken, refused = [], False
    for file, refusal in judge(message.attachments[:MOST_TAKEN_DOWN], limits):
        row, end = _row(incident, message, file, refusal, limits, now), found.get(file.ref)
        refused |= refusal is not None or isinstance(end, _Refused)
        if end is not None:
            attachments.add_kept({**row, **end.columns(now)})
            measure.files.labels(message.channel, end.outcome).inc()
            continue
        file_id = attachments.add(row)
        if refusal is None:
            woken.append(jobs.add_fetch(file_id, incident.id, {"tell": not message.unanswered}, now))
        else:
            measure.files.labels(message.channel, refusal).inc()
    return woken + (
        [] if message.unanswered or not refused else _tell(incident, message.channel, message.external_id, now)
    )


def _row(
    incident: Incident,
    message: InboundMessage,
    file: Attachment,
    refusal: Refusal | None,
    limits: Limits,
    now: datetime,
) -> dict[str, Any]:
    return {
        "incident": incident.id,
        "channel": message.channel,
        "external_id": message.external_id,
        "name": file.name,
        "media_type": file.media_type[:100],
        "size": file.size,
        "ref": file.ref,
        "state": "new" if refusal is None else "refused",
        "refusal": refusal,
        "reason": None if refusal is None else _why(refusal, limits),
        "created_at": now,
    }


def _why(refusal: Refusal, limits: Limits) -> str:
    """Say for agents why a file is refused."""
    match refusal:
        case Refusal.TOO_LARGE:
            return f"It is larger than {limits.largest} bytes (MAX_FILE)."
        case Refusal.TOO_MANY:
            return f"The message has more than {limits.number} files (MAX_FILES)."
        case Refusal.TOO_MUCH:
            return f"The message's files are larger than {limits.together} bytes together (MAX_FILES_SIZE)."
    return "It could not be fetched."


def _tell(incident: Incident, channel: str, external_id: str, now: datetime) -> list[str]:
    """Tell the customer, in one text, which files of a message were not taken, unless they know."""
    refused = [
        row
        for row in attachments.of_message(channel, external_id)
        if row["state"] == "refused" and row["told_at"] is None
    ]
    if not refused:
        return []
    attachments.tell([row["id"] for row in refused], now)
    named = [(row["name"], row["refusal"]) for row in refused]
    return outbox.tell(incident, lambda to: wording.files_refused(incident, to, refused[0]["id"], named), now)


def withdraw(channel: str, external_id: str) -> None:
    """Delete the files of a message that its author has deleted."""
    attachments.withdraw(channel, external_id, DELETED, WITHDRAWN_NAME)


def expire(clock: Clock, kept_for: timedelta) -> int:
    """Delete the contents of files whose time is over, some at a time; return how many."""
    with database.transaction():
        privacy.overwrite()
        return attachments.expire(clock() - kept_for, EXPIRED_AT_ONCE, EXPIRED)


@dataclass(frozen=True)
class Files:
    """Handles the jobs that fetch files; each lies in a lane of its own. `sources` are the channels that can fetch, by
    name; `attempts` is how often one is tried."""

    sources: Mapping[str, FileSource]
    seal: Seal
    limits: Limits
    attempts: int
    dispatcher: Dispatcher

    @cached_property
    def at_once(self) -> frozenset[str]:
        """The channels whose files are here already; remembered, for asking costs more than getting a small file."""
        return frozenset(name for name, source in self.sources.items() if isinstance(source, AtHand))

    def at_hand(self, message: InboundMessage) -> "Mapping[str, End]":
        """Get the files of a message that are here already, and say what becomes of each, by its `ref`. What cannot be
        said now is left to `fetch`."""
        if not message.attachments or message.channel not in self.at_once:
            return {}
        found: dict[str, End] = {}
        for file, refusal in judge(message.attachments[:MOST_TAKEN_DOWN], self.limits):
            if refusal is not None:
                continue
            kept = sum(end.size for end in found.values() if isinstance(end, _Kept))
            most = max(0, min(self.limits.largest, self.limits.together - kept))
            try:
                found[file.ref] = self._try({"channel": message.channel, "ref": file.ref}, most, is_last=False)
            except Exception as exc:
                log.warning("file.not_at_hand", channel=message.channel, reason=describe(exc))
        return found

    def fetch(self, lease: Lease) -> None:
        """Fetch the file that a job is about, and keep it, or refuse it. What may be had later is raised, and tried
        again; in the end it is refused, and its job is among the dead, so that a person can have it retried."""
        job = lease.row
        with database.session():
            file = attachments.get(job["payload"]["file"])
            if file is None:
                raise Undeliverable("the file's row is gone")
            most = self._room(attachments.of_message(file["channel"], file["external_id"]))
        if file["state"] not in WAITING:
            with lease.finishing():
                jobs.done(job["id"])
            return
        self._end(lease, file, self._try(file, most, is_last=job["attempts"] + 1 >= self.attempts))

    def _try(self, file: Row, most: int, is_last: bool) -> "End":
        """Fetch a file once, and say what becomes of it. Raises what may be otherwise at the next attempt."""
        try:
            content = self._get(file, most).content
        except TooLarge:
            refusal = Refusal.TOO_LARGE if most == self.limits.largest else Refusal.TOO_MUCH
            return _Refused(refusal, _why(refusal, self.limits))
        except Undeliverable as exc:
            return _Refused(Refusal.UNAVAILABLE, str(exc))
        except Exception as exc:
            if not is_last:
                raise
            said = str(exc) if isinstance(exc, TryLater | DeadlinePassed) else _why(Refusal.UNAVAILABLE, self.limits)
            return _Refused(Refusal.UNAVAILABLE, said, gave_up=describe(exc))
        return _Kept(self.seal.close(content), sniff(content), len(content))

    def _room(self, siblings: Sequence[Row]) -> int:
        """How many bytes a file may have beside those of its message that are kept already."""
        kept = sum(int(row["size"]) for row in siblings if row["state"] == "kept")
        return max(0, min(self.limits.largest, self.limits.together - kept))

    def _get(self, file: Row, most: int) -> Fetched:
        source = self.sources.get(file["channel"])
        if source is None:
            raise TryLater(f"the channel {file['channel']} is not switched on")
        if file["channel"] in self.at_once:
            return source.fetch(file["ref"], most)
        return within(source.file_deadline + MARGIN, lambda: source.fetch(file["ref"], most))

    def _end(self, lease: Lease, file: Row, end: "End") -> None:
        """End a job with what becomes of its file. When no file of the message waits any more, the customer is told of
        all that were refused."""
        job = lease.row
        names = (file["incident"], file["channel"], file["external_id"])
        with lease.finishing() as now:
            siblings = attachments.hold_message(*names)
            outcome = self._settle(file["id"], end, siblings, now)
            others_wait = any(row["state"] == "new" for row in siblings if row["id"] != file["id"])
            woken = [] if others_wait or not job["payload"]["tell"] else _tell(current(names[0]), *names[1:], now)
            if isinstance(end, _Refused) and end.gave_up:
                lanes.bury(lanes.queue_of(lease.lane), job["id"], job["attempts"] + 1, end.gave_up)
            else:
                jobs.done(job["id"])
        measure.files.labels(file["channel"], outcome).inc()
        log.info("file.fetched", incident_id=names[0], channel=names[1], outcome=outcome)
        for lane in woken:
            self.dispatcher.wake(lane)

    def _settle(self, file_id: int, end: "End", siblings: Sequence[Row], now: datetime) -> str:
        """Write what becomes of a file, given all those of its message as they are now; return it in one word."""
        if not any(row["id"] == file_id and row["state"] in WAITING for row in siblings):
            return "withdrawn"  # its message was deleted meanwhile
        if isinstance(end, _Kept) and end.size > self._room(siblings):  # others were fetched meanwhile
            end = _Refused(Refusal.TOO_MUCH, _why(Refusal.TOO_MUCH, self.limits))
        if isinstance(end, _Refused):
            attachments.refuse(file_id, end.refusal, end.reason)
            return end.refusal.value
        attachments.keep(file_id, end.sealed, end.media_type, end.size, now)
        return "kept"


@dataclass(frozen=True, slots=True)
class _Kept:
    """A file that is here."""

    sealed: bytes = field(repr=False)
    media_type: str
    size: int
    outcome = "kept"

    def columns(self, now: datetime) -> dict[str, Any]:
        found = {"content": self.sealed, "media_type": self.media_type, "size": self.size}
        return {**found, "state": "kept", "kept_at": now}


@dataclass(frozen=True, slots=True)
class _Refused:
    """A file that is not taken. `gave_up`: what it failed of, if it may be had some other time."""

    refusal: Refusal
    reason: str
    gave_up: str = ""

    @property
    def outcome(self) -> str:
        return self.refusal.value

    def columns(self, now: datetime) -> dict[str, Any]:
        return {"state": "refused", "refusal": self.refusal, "reason": self.reason}


End = _Kept | _Refused
"""What becomes of a file."""


def sniff(content: bytes) -> str:
    """Say what kind of file it is by its bytes alone."""
    known = next((kind for signature, kind in SIGNATURES.items() if content.startswith(signature)), None)
    if known is not None:
        return known
    import puremagic

    try:
        found = puremagic.magic_string(content)
    except (puremagic.PureError, ValueError):  # nothing known, or nothing in it
        found = []
    if content.startswith(ZIP) and not any(len(one.byte_match) > len(ZIP) for one in found):
        return _of_archive(content)
    is_text = _is_text(content)
    sure = [one.mime_type for one in found if one.mime_type and (one.confidence >= SURE or not is_text)]
    if sure and re.fullmatch(r"[a-z]+/[\w.+-]{1,80}", sure[0]):
        return str(sure[0])
    return "text/plain" if is_text and content else UNKNOWN_TYPE


def _of_archive(content: bytes) -> str:
    """Tell the office's documents, which are archives, from others by the names of what is in them."""
    kinds = [kind for folder, kind in OFFICE.items() if folder in content]
    return f"{OPEN_XML}.{kinds[0]}" if kinds and b"[Content_Types].xml" in content else "application/zip"


def _is_text(content: bytes) -> bool:
    try:
        return BINARY.search(content.decode()) is None
    except UnicodeDecodeError:
        return False
