"""The lanes of jobs: what has no row of its own."""

from collections.abc import Mapping
from dataclasses import dataclass

from bot.errors import Undeliverable
from bot.lanes import Handler, Lease


@dataclass(frozen=True, slots=True)
class Jobs:
    """Handles the lanes of jobs. `handlers` says what to do with each kind; whatever one raises is tried again."""

    handlers: Mapping[str, Handler]

    def handle(self, lease: Lease) -> None:
        """Do the job at the head of the lane."""
        kind = lease.row["kind"]
        if kind not in self.handlers:
            raise Undeliverable(f"this version knows no job of the kind {kind!r}")
        self.handlers[kind](lease)
