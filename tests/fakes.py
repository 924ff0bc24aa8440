"""Small real things that stand at the seams which the core owns: a clock, a sender, a dispatcher."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import structlog

from bot.commands import Commands
from bot.errors import CannotTell, TooLarge, TryLater, Uncertain, Undeliverable
from bot.life import Life
from bot.links import Links
from bot.model import Address, Caller, Fetched, Notice, Role, Sent
from bot.policy import Policy
from bot.ports import Dispatcher

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
        self.board: Address | None = None
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


class Cupboard:
    """A channel's files: `files` has the content of each ref, or what is raised for it. `fetched` are the refs that
    were asked for, in order."""

    file_deadline = 5.0

    def __init__(self, name: str = "chat", **files: bytes | BaseException) -> None:
        self.name = name
        self.files = files
        self.fetched: list[str] = []

    def fetch(self, ref: str, most: int) -> Fetched:
        self.fetched.append(ref)
        found = self.files[ref]
        if isinstance(found, BaseException):
            raise found
        if len(found) > most:
            raise TooLarge("too large")
        return Fetched(found)


class Died(BaseException):
    """Raised where the process is said to die: nothing of ours may catch it."""


class Fuse:
    """Has the process die at the n-th point from now on: a line of the log, a look at the clock, a touch of the world
    outside. It burns only inside `with fuse`. It is a structlog processor as well; nothing is logged."""

    def __init__(self) -> None:
        self.left = 0
        self._burns = False

    def __enter__(self) -> None:
        self._burns = True

    def __exit__(self, *exc: object) -> None:
        self._burns = False

    def __call__(self, logger: Any, method: str, values: Any) -> Any:
        self.point(values["event"])
        raise structlog.DropEvent

    def point(self, name: str) -> None:
        """Die here, if it is time. Raises Died. The thread of the intake is left alone: whoever waits for it would wait
        for ever, and to die there is to die before or after the commit."""
        if self._burns and self.left and threading.current_thread().name != "intake":
            self.left -= 1
            if not self.left:
                raise Died(name)


class FusedClock(TestClock):
    """A clock at which the process may die: every transaction looks at it, inside."""

    __test__ = False

    def __init__(self, fuse: Fuse) -> None:
        super().__init__()
        self._fuse = fuse

    def __call__(self) -> datetime:
        self._fuse.point("a look at the clock")
        return self.now


class Mood(StrEnum):
    """How an outside system takes what it is asked."""

    WELL = "well"
    BUSY = "busy"
    SILENT = "silent"  # it did nothing, and did not say so
    DONE_SILENTLY = "done silently"
    REFUSES = "refuses"


class MoodySender(RecordingSender):
    """Takes each text as its next mood tells; the process may die just before and just after. `refused` and `unclear`
    are the keys of the texts that it refused, and of those whose sender cannot know what became of them."""

    def __init__(self, name: str, can_look: bool, fuse: Fuse, watch: Callable[[Notice], None]) -> None:
        super().__init__(name)
        self.can_look = can_look
        self.moods: list[Mood] = []
        self.refused: set[str] = set()
        self.unclear: set[str] = set()
        self._fuse = fuse
        self._watch = watch

    def send(self, to: Address, notice: Notice) -> Sent:
        mood = self.moods.pop(0) if self.moods else Mood.WELL
        self._fuse.point("before a text is taken")
        self._watch(notice)
        if mood in (Mood.WELL, Mood.DONE_SILENTLY):
            self.sent.append((to, notice))
        self._fuse.point("after a text was taken")
        match mood:
            case Mood.BUSY:
                raise TryLater("busy", retry_after=3)
            case Mood.SILENT | Mood.DONE_SILENTLY:
                self.unclear.add(notice.key)
                raise Uncertain("no answer")
            case Mood.REFUSES:
                self.refused.add(notice.key)
                raise Undeliverable("no such address")
        return Sent(f"id-{notice.key}")

    def times(self, key: str) -> int:
        """How often a text arrived."""
        return sum(notice.key == key for _, notice in self.sent)


class MoodyDesk:
    """A ticket desk that takes each request as its next mood tells. `tickets` is the number of each incident's ticket,
    `statuses` how each ticket stands; `number` says what the n-th is called."""

    def __init__(self, number: Callable[[int], str], fuse: Fuse) -> None:
        self.moods: list[Mood] = []
        self.refused: set[str] = set()
        self.tickets: dict[str, str] = {}
        self.statuses: dict[str, str] = {}
        self._number = number
        self._fuse = fuse
        self._changes: set[str] = set()

    def open(self, incident_id: str, category: str, message: str) -> str:
        def make() -> None:
            number = self.tickets.setdefault(incident_id, self._number(len(self.tickets) + 1))
            self.statuses.setdefault(number, "open")

        self._take(make, incident_id)
        return self.tickets[incident_id]

    def update(self, external_id: str, status: str, note: str, key: str) -> None:
        def change() -> None:
            if key not in self._changes:
                self._changes.add(key)
                self.statuses[external_id] = status

        self._take(change, key)

    def _take(self, act: Callable[[], None], what: str) -> None:
        mood = self.moods.pop(0) if self.moods else Mood.WELL
        self._fuse.point("before the desk acts")
        if mood in (Mood.WELL, Mood.DONE_SILENTLY):
            act()
        self._fuse.point("after the desk has acted")
        if mood is Mood.REFUSES:
            self.refused.add(what)
            raise Undeliverable("refused")
        if mood is not Mood.WELL:
            raise TryLater("busy" if mood is Mood.BUSY else "no answer")


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


CLERK = Caller("clerk", Role.AGENT)
LIFE = Life(Policy(), Links())
"""A house with its usual rules, nobody to alert, and no links."""


def commands(clock: Callable[[], datetime], wakes: Dispatcher | None = None, life: Life = LIFE) -> Commands:
    """The commands over the test's database."""
    return Commands(clock, wakes or WakeList(), life)
