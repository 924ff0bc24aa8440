"""What people in Slack are called. A name is only shown: who somebody is, their key says."""

import re
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import structlog

from bot.model import tidy

Profile = Callable[[str], Mapping[str, Any]]
"""Answers the `user` of Slack's users.info, by a user's id. May raise what it likes."""

HOLDS_FOR: Final = 3600.0
AGAIN_AFTER: Final = 60.0
"""Seconds after which a name is asked for again: one that is known, and one that Slack did not say."""

WAIT: Final = 1.0
"""Seconds that whoever asks waits: Slack gives a request three for everything."""

AT_ONCE: Final = 4
KEPT: Final = 2000
"""People whose names are kept."""

LONGEST: Final = 80

PERSON: Final = re.compile(r"[TE][A-Z0-9]{1,31}/[UW][A-Z0-9]{0,31}")
NO_SUCH_PERSON: Final = frozenset({"user_not_found", "user_not_visible", "users_not_found"})
"""Slack's words for what is wrong with one person, and no reason to ask for nobody."""

_DIRECTIONS: Final = dict.fromkeys([0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)])
"""Marks that would turn round what stands beside the name (UAX #9)."""

log = structlog.get_logger()


class People:
    """The names of people, as far as Slack says them in time. Nothing raises, and nobody waits longer than they say:
    what comes later is there the next time.

    What Slack does not say is not asked for again for a minute; while it says nothing at all, nobody's name is.
    """

    def __init__(self, profile: Profile, seconds: Callable[[], float] = time.monotonic) -> None:
        self._profile = profile
        self._seconds = seconds
        self._names: OrderedDict[str, tuple[str | None, float]] = OrderedDict()
        self._asked: set[str] = set()
        self._waiting: deque[str] = deque()
        self._threads = 0
        self._quiet_until = float("-inf")
        self._changed = threading.Condition()

    def name(self, person: str, within: float = WAIT) -> str | None:
        """Return the name of a person (a key such as T1/U1), of at most 80 characters in one line; None: not known."""
        return self.names([person], within).get(person)

    def names(self, people: Iterable[str], within: float = WAIT) -> dict[str, str]:
        """Return the names, by their keys, of those whose names are known within these seconds. What is no person's
        key has none."""
        wanted = {person for person in people if PERSON.fullmatch(person)}
        with self._changed:
            self._ask(sorted(person for person in wanted if self._is_due(person)))
            self._changed.wait_for(lambda: self._asked.isdisjoint(wanted), within)
            known = {person: self._names[person][0] for person in wanted if person in self._names}
        return {person: name for person, name in known.items() if name is not None}

    def _is_due(self, person: str) -> bool:
        now = self._seconds()
        _, until = self._names.get(person, (None, now))
        return until <= now and now >= self._quiet_until and person not in self._asked

    def _ask(self, people: list[str]) -> None:
        self._asked.update(people)
        self._waiting.extend(people)
        for _ in range(min(len(self._waiting), AT_ONCE) - self._threads):
            self._threads += 1
            threading.Thread(target=self._work, name="slack-names", daemon=True).start()

    def _work(self) -> None:
        """Ask for names until none is waited for."""
        while True:
            with self._changed:
                if not self._waiting:
                    self._threads -= 1
                    return
                person = self._waiting.popleft()
            try:
                name, failed = _name_of(person, self._profile(person.partition("/")[2])), ""
            except Exception as exc:  # the library lets through whatever sockets, TLS and JSON raise
                name, failed = None, _why(exc)
            with self._changed:
                self._keep(person, name, failed)
                self._changed.notify_all()

    def _keep(self, person: str, name: str | None, failed: str) -> None:
        """Remember what Slack said. A name that was known stays, as long as Slack says nothing else."""
        now = self._seconds()
        self._asked.discard(person)
        if failed:
            log.warning("slack.name_not_read", person=person, reason=failed)
            name, _ = self._names.get(person, (None, 0.0))
        if failed and failed not in NO_SUCH_PERSON:
            self._quiet_until = now + AGAIN_AFTER
            self._asked.difference_update(self._waiting)
            self._waiting.clear()
        self._names[person] = (name, now + (HOLDS_FOR if name and not failed else AGAIN_AFTER))
        self._names.move_to_end(person)
        while len(self._names) > KEPT:
            self._names.popitem(last=False)


def _name_of(person: str, user: Mapping[str, Any]) -> str | None:
    """The name that people know somebody by; None if this user is of another workspace than the person."""
    teams = {user.get("team_id"), *((user.get("enterprise_user") or {}).get("teams") or ())} - {None}
    if teams and person.partition("/")[0] not in teams:
        return None
    profile = user.get("profile") or {}
    written = (profile.get("display_name"), profile.get("real_name"), user.get("real_name"), user.get("name"))
    return next((name for name in map(_tidied, written) if name), None)


def _tidied(name: object) -> str:
    """A name in one line, without marks of direction, cut where it is too long."""
    words = " ".join(tidy(name).translate(_DIRECTIONS).split()) if isinstance(name, str) else ""
    return words if len(words) <= LONGEST else f"{words[: LONGEST - 1]}…"


def _why(exc: Exception) -> str:
    """Slack's word for what went wrong, or the kind of the error: its text may hold what was sent."""
    from slack_sdk.errors import SlackApiError

    error = str(exc.response.get("error") or "") if isinstance(exc, SlackApiError) else ""
    return error if re.fullmatch("[a-z_]{1,64}", error) else type(exc).__name__
