"""The files of customers' messages. What is read of many has no content in it: that may be megabytes each."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from storage.database import Row, database, execute, first, insert, rows, update
from storage.dialect import lock_these, skip_locked
from storage.tables import Attachment, utc_text

_SEEN = [field for field in Attachment._meta.sorted_fields if field.name != "content"]


def add(values: Mapping[str, Any]) -> int:
    """Insert a file, and return its number."""
    return int(Attachment.insert(**values).execute())


def add_kept(values: Mapping[str, Any]) -> None:
    """Insert a file of which all is known already."""
    insert(Attachment, [values])


def get(file_id: int) -> Row | None:
    return first(Attachment.select(*_SEEN).where(Attachment.id == file_id))


def content(file_id: int) -> bytes | None:
    """Read the sealed content, if there is any."""
    found = execute("SELECT content FROM attachments WHERE id = ?", (file_id,)).fetchone()
    return None if found is None or found[0] is None else bytes(found[0])


def of_incident(incident_id: str) -> list[Row]:
    return rows(Attachment.select(*_SEEN).where(Attachment.incident == incident_id).order_by(Attachment.id))


def of_message(channel: str, external_id: str) -> list[Row]:
    return rows(_of(channel, external_id))


def hold_message(incident_id: str, channel: str, external_id: str) -> list[Row]:
    """Read the files of a message, and let nobody else change them, or their incident, until the transaction ends. The
    incident is locked first, as by everybody (storage/lanes.py)."""
    execute("SELECT 1 FROM incidents WHERE id = ?" + lock_these(database), (incident_id,)).fetchall()
    condition = "channel = ? AND external_id = ? ORDER BY id" + lock_these(database)
    execute(f"SELECT 1 FROM attachments WHERE {condition}", (channel, external_id)).fetchall()
    return of_message(channel, external_id)


def _of(channel: str, external_id: str) -> Any:
    of_it = (Attachment.channel == channel) & (Attachment.external_id == external_id)
    return Attachment.select(*_SEEN).where(of_it).order_by(Attachment.id)


def keep(file_id: int, sealed: bytes, media_type: str, size: int, at: datetime) -> None:
    changes = {"content": sealed, "media_type": media_type, "size": size, "state": "kept", "kept_at": at}
    update(Attachment, file_id, {**changes, "refusal": None, "reason": None})


def refuse(file_id: int, refusal: str, reason: str) -> None:
    update(Attachment, file_id, {"state": "refused", "refusal": refusal, "reason": reason})


def tell(file_ids: Collection[int], at: datetime) -> None:
    """Remember that the customer was told which files were not taken."""
    for file_id in sorted(file_ids):
        update(Attachment, file_id, {"told_at": at})


def expire(kept_before: datetime, limit: int, reason: str) -> int:
    """Delete the contents of files that were kept before a time, at most so many; return how many. Their rows stay.
    Several processes may do this at once: they share them."""
    found = execute(
        "SELECT id FROM attachments WHERE state = 'kept' AND kept_at < ? ORDER BY kept_at LIMIT ?"
        + skip_locked(database),
        (utc_text(kept_before), limit),
    )
    ids = [file_id for (file_id,) in found.fetchall()]
    for file_id in ids:
        update(Attachment, file_id, {"content": None, "ref": "", "state": "expired", "reason": reason})
    return len(ids)


def withdraw(channel: str, external_id: str, reason: str, name: str) -> None:
    """Delete the files of a message, and their names: `name` is what they are called from now on. Whoever is just
    fetching one finds out when done."""
    execute(
        "UPDATE attachments SET content = NULL, ref = '', name = ?, state = 'expired', refusal = NULL, reason = ? "
        "WHERE channel = ? AND external_id = ?",
        (name, reason, channel, external_id),
    )
