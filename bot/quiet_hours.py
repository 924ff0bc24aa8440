"""The hours in which nobody is written to: when they end, right through both changes of the clock."""

import re
from bisect import bisect_left
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

HOURS: Final = re.compile(r"\s*([01]?[0-9]|2[0-3]):([0-5][0-9])\s*[-–]\s*([01]?[0-9]|2[0-3]):([0-5][0-9])\s*")


@dataclass(frozen=True, slots=True)
class QuietHours:
    """Every day from `begins` up to, but not including, `ends` (of the next day if that is earlier) by the clocks of
    `zone`. Raises ValueError if both are the same.

    A stretch is never broken in two: on the day on which an hour comes twice it begins with the first and ends with
    the second. A time that the clocks leap over is the moment of the leap.
    """

    begins: time
    ends: time
    zone: ZoneInfo

    def __post_init__(self) -> None:
        if self.begins == self.ends:
            raise ValueError(f"quiet hours that begin and end at {self.begins:%H:%M}: give two different times")

    @classmethod
    def parse(cls, text: str, zone: str) -> "QuietHours":
        """Read hours such as "22:00-07:00" (24-hour clock) and the IANA name of a time zone, such as "Europe/Madrid".
        Raises ValueError with a text that says what is expected."""
        match = HOURS.fullmatch(text)
        if match is None:
            raise ValueError(f"quiet hours {text!r}: write begin and end by the 24-hour clock, as in 22:00-07:00")
        hour, minute, end_hour, end_minute = map(int, match.groups())
        return cls(time(hour, minute), time(end_hour, end_minute), _zone(zone))

    def end(self, now: datetime) -> datetime | None:
        """Return when the quiet hours end (aware, UTC) if `now` (aware) lies in them, else None. Raises ValueError if
        `now` is naive."""
        if now.utcoffset() is None:
            raise ValueError("quiet hours need to know the time zone of `now`: pass an aware datetime")
        end, moment = None, now.astimezone(UTC)
        while (later := self._end_of_stretch(moment)) is not None:  # where clocks leap, one can begin as another ends
            end = moment = later
        return end

    def _end_of_stretch(self, moment: datetime) -> datetime | None:
        today = moment.astimezone(self.zone).date()
        for days in (-1, 0, 1):  # tomorrow's too: clocks that are set back just after midnight show yesterday again
            begin_day = today + timedelta(days=days)
            end_day = begin_day + timedelta(days=self.ends < self.begins)
            begin, _ = self._moments(datetime.combine(begin_day, self.begins, self.zone))
            _, end = self._moments(datetime.combine(end_day, self.ends, self.zone))
            if begin <= moment < end:
                return end
        return None

    def _moments(self, wall: datetime) -> tuple[datetime, datetime]:
        """The first and the last moment at which the clocks show this time, or twice that at which they leap over it.
        What `fold` means is in PEP 495: of a time that is left out, fold=1 gives the earlier moment."""
        first, last = (wall.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
        if first <= last:
            return first, last
        start = last.replace(microsecond=0)
        seconds = range(int((first - start).total_seconds()) + 1)
        leap = start + timedelta(seconds=bisect_left(seconds, True, key=lambda after: self._shows(start, after, wall)))
        return leap, leap

    def _shows(self, start: datetime, after: int, wall: datetime) -> bool:
        """Whether the clocks show `wall` or later, so many seconds after `start`. Within one zone Python compares what
        the clocks show."""
        return (start + timedelta(seconds=after)).astimezone(self.zone) >= wall


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as exc:  # OSError: the name of a folder, such as "Europe"
        raise ValueError(
            f"unknown time zone {name!r}: give an IANA name such as Europe/Madrid or America/New_York"
            " (if that is one, install the newest tzdata: pip install --upgrade tzdata)"
        ) from exc
