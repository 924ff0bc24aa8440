"""Deleting what is over: conversations that were resolved long ago, with all that belongs to them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from bot.ports import Clock
from storage import database, privacy, prune

log = structlog.get_logger()

AT_ONCE = 100
"""Conversations in one transaction: others want to write in between."""


@dataclass(frozen=True, slots=True)
class Prune:
    """Deletes what was resolved longer ago than `retain`."""

    clock: Clock
    retain: timedelta

    def rehearse(self) -> Mapping[str, int]:
        """Count what `work` would delete, by table; change nothing."""
        found: Counter[str] = Counter()
        with database.session():
            conversations = prune.over(self._before())
            for start in range(0, len(conversations), AT_ONCE):
                found.update(prune.count(prune.of(conversations[start : start + AT_ONCE])))
        return found

    def work(self) -> Mapping[str, int]:
        """Delete it, some at a time; return how many rows that were, by table. What is answered or reopened meanwhile
        stays."""
        done: Counter[str] = Counter()
        before = self._before()
        while some := self._some(before):
            done.update(some)
        if done:
            log.info("incidents.pruned", number=done["incidents"])
        return done

    def _before(self) -> datetime:
        return self.clock() - self.retain

    def _some(self, before: datetime) -> Mapping[str, int]:
        with database.transaction():
            privacy.overwrite()
            named = prune.over(before, AT_ONCE)
            prune.hold(named)
            conversations = sorted({*named} & {*prune.over(before, AT_ONCE)})  # as they are now that they are held
            return prune.erase(prune.of(conversations), conversations) if conversations else {}
