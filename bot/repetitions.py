"""Requests that may come twice: each is known again by the key that its caller gives it, for a day
(draft-ietf-httpapi-idempotency-key-header)."""

from dataclasses import dataclass
from datetime import timedelta

from bot.errors import KeyReused, StillRunning
from bot.model import Kept
from bot.ports import Clock
from storage import database, repetitions

KEPT = timedelta(hours=24)

GIVEN_UP = timedelta(minutes=1)
"""Time after which nobody works on a request any more: its process has died, and a repetition takes its place."""


@dataclass(frozen=True, slots=True)
class Repetitions:
    """What was answered to whom. A `key` names the caller as well."""

    clock: Clock

    def begin(self, key: str, fingerprint: str) -> Kept | None:
        """Return the answer that was given under this key; None: it is new, or was never answered, and its answer is
        to be kept. Raises KeyReused if it was another request, StillRunning if it is not answered yet."""
        now = self.clock()
        with database.transaction():
            repetitions.forget(now - KEPT, key)
            if repetitions.begin(key, fingerprint, now):
                return None
            row = repetitions.get(key)
            if row["fingerprint"] != fingerprint:
                raise KeyReused("Idempotency-Key: it was used before, for another request.")
            if row["status"] is not None:
                return Kept(row["status"], row["headers"], row["body"])
            if not repetitions.take_over(key, now - GIVEN_UP, now):
                raise StillRunning("The first request under this Idempotency-Key is still being handled. Ask again.")
        return None

    def end(self, key: str, answer: Kept | None) -> None:
        """Keep the answer of what was begun; None: forget that it was, so that a repetition is handled anew."""
        with database.transaction():
            if answer is None:
                repetitions.drop(key)
            else:
                repetitions.end(key, answer.status, answer.headers, answer.body)

    def expire(self) -> None:
        """Forget what is older than a day."""
        with database.transaction():
            repetitions.forget(self.clock() - KEPT)
