"""Small real things that stand at the seams which the core owns: a clock, a sender, a dispatcher."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from bot.errors import CannotTell
from bot.model import Address, Notice, Sent

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


class TestClock:
    """Stands still until it is told to go on."""

    __test__ = False

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **length: float) -> None:
        self.now += timedelta(**length)


class RecordingSender:
    """Keeps what it is given to send; fails as it is told to, with one exception for each send."""

    simulated = False
    deadline = 5.0

    def __init__(self, name: str = "email", failures: list[Exception] | None = None) -> None:
        self.name = name
        self.failures = failures or []
        self.arrives_all_the_same = False
        self.can_look = True
        self.sent: list[tuple[Address, Notice]] = []
        self._guard = threading.Lock()

    def send(self, to: Address, notice: Notice) -> Sent:
        with self._guard:
            failure = self.failures.pop(0) if self.failures else None
            if failure is None or self.arrives_all_the_same:
                self.sent.append((to, notice))
        if failure is not None:
            raise failure
        return Sent(f"id-{notice.key}")

    def find(self, to: Address, notice: Notice) -> Sent | None:
        if not self.can_look:
            raise CannotTell("there is no way to look", repeats=1)
        arrived = any(notice.key == other.key for _, other in self.sent)
        return Sent(f"id-{notice.key}") if arrived else None

    def close(self) -> None:
        pass


class WakeList:
    """A dispatcher that remembers which lanes were woken, for a test that runs them itself."""

    def __init__(self) -> None:
        self.woken: list[str] = []

    def wake(self, lane: str) -> None:
        self.woken.append(lane)

    def run_all(self, run: Callable[[str], None]) -> None:
        """Run the woken lanes, and those that they wake, until none is left."""
        while self.woken:
            run(self.woken.pop(0))
