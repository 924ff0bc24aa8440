"""Who is an agent: people and user groups that the settings list, and nobody for any other reason (being in a channel,
having a certain mail address)."""

import threading
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

import structlog

from adapters.slack.settings import in_team
from bot.ports import Clock

log = structlog.get_logger()

HOLDS_FOR = timedelta(minutes=5)
AGAIN_AFTER = timedelta(seconds=10)
"""When a group is read again that could not be."""

WAIT = 1.0
"""Seconds that a request waits for the groups: Slack gives it three for everything."""

REMEDY = "give the app the scope usergroups:read, and SLACK_AGENTS ids of user groups that exist"


def is_group(listed: str) -> bool:
    """Whether an entry of SLACK_AGENTS is a user group."""
    return listed.rpartition("/")[2].startswith("S")


class Agents:
    """The agents. `listed` is what SLACK_AGENTS lists, `members` asks Slack for the people of a user group (S1, or
    T1/S1); it may raise, and then those whom it named last are agents still."""

    def __init__(self, listed: frozenset[str], members: Callable[[str], Iterable[str]], clock: Clock) -> None:
        self._people = frozenset(name for name in listed if not is_group(name))
        self._groups = sorted(listed - self._people)
        self._members = members
        self._clock = clock
        self._known: dict[str, frozenset[str]] = {}
        self._read_again_at: datetime | None = None
        self._lock = threading.Lock()
        self._reading: threading.Event | None = None

    def include(self, person: str, home: str) -> bool:
        """Whether a person (a key such as T1/U1) is an agent. `home` is the team that the app is installed in: an id
        without a team is of that one, and so are the people of a group without a team. The people of any other group
        are of the group's team."""
        team, _, user = person.partition("/")
        if person in self._people or (team == home and user in self._people):
            return True
        groups = [group for group in self._groups if in_team(group, team) and (team == home or "/" in group)]
        if not groups:
            return False
        known = self._groups_now()
        return any(user in known.get(group, ()) for group in groups)

    def _groups_now(self) -> dict[str, frozenset[str]]:
        """The groups' people, as fresh as can be had within a second."""
        if not self._groups:
            return {}
        with self._lock:
            due = self._read_again_at is None or self._clock() >= self._read_again_at
            if due and self._reading is None:
                self._reading = threading.Event()
                threading.Thread(target=self._read, args=(self._reading,), name="slack-groups", daemon=True).start()
            reading = self._reading
        if reading is not None:
            reading.wait(WAIT)
        return self._known

    def _read(self, done: threading.Event) -> None:
        known, again = dict(self._known), HOLDS_FOR
        for group in self._groups:
            try:
                known[group] = frozenset(self._members(group))
            except Exception as exc:
                again = AGAIN_AFTER
                log.warning("slack.group_not_read", group=group, error=type(exc).__name__, remedy=REMEDY)
        with self._lock:
            self._known, self._read_again_at, self._reading = known, self._clock() + again, None
        done.set()
