"""What messages were made of, as it came: compressed, encrypted when DATA_KEY is set, deleted after RAW_KEPT. Nobody
searches it. That of which no message could be made is dead, and is kept until a person has seen to it."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bot import ports
from bot.errors import NotFound
from bot.model import DeadLetter, tidy
from bot.ports import Clock
from bot.sealing import Seal
from storage import database, originals, privacy

EXPIRED_AT_ONCE = 100
"""Contents that are deleted in one look: each may be megabytes."""

LEVEL = 1
"""Of compression: the higher ones cost ten times as much for a tenth of the size (mails: base64 above all)."""


@dataclass(frozen=True, slots=True)
class Originals(ports.Originals):
    seal: Seal
    clock: Clock

    def get(self, channel: str, external_id: str) -> bytes:
        """Return what a message was made of. Raises NotFound if that is not kept, or not any more."""
        with database.session():
            kept = originals.content(channel, external_id)
        if kept is None:
            raise NotFound("What this message was made of is not kept any more (RAW_KEPT).")
        return zlib.decompress(self.seal.open(kept))

    def lay_aside(self, channel: str, external_id: str, content: bytes, why: str) -> bool:
        """Commit something of which no message can be made; `why` is for people. False if it was here already."""
        row = as_row(self.seal, channel, external_id, content, self.clock())
        with database.transaction():
            return originals.add([{**row, "state": "dead", "reason": tidy(why)[:300]}]) > 0

    def laid_aside(self, channel: str) -> list[DeadLetter]:
        """List what waits for a person, the oldest first."""
        with database.session():
            return [_dead(row) for row in originals.dead(channel)]

    def dead(self, channel: str, number: int) -> tuple[DeadLetter, bytes]:
        """Return one of these, with what came. Raises NotFound."""
        with database.session():
            row = originals.by_number(channel, number)
        if row is None or row["state"] != "dead":
            raise NotFound(f"No dead letter has the number {number}.")
        return _dead(row), self.get(channel, row["external_id"])

    def revived(self, number: int) -> bool:
        """Say that a message was made of it after all; False if somebody was quicker."""
        with database.transaction():
            return originals.revive(number)

    def expire(self, kept_for: timedelta) -> int:
        """Delete the contents whose time is over, some at a time; return how many."""
        with database.transaction():
            privacy.overwrite()
            return originals.expire(self.clock() - kept_for, EXPIRED_AT_ONCE)


def as_row(seal: Seal, channel: str, external_id: str, content: bytes, at: datetime) -> dict[str, Any]:
    """The row of an original."""
    return {
        "channel": channel,
        "external_id": external_id,
        "content": seal.close(zlib.compress(content, LEVEL)),
        "size": len(content),
        "received_at": at,
    }


def _dead(row: Mapping[str, Any]) -> DeadLetter:
    return DeadLetter(row["id"], row["external_id"], row["size"], row["reason"] or "", row["received_at"])
