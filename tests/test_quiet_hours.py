"""Quiet hours, by table and by property."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bot.quiet_hours import QuietHours

MADRID, NEW_YORK = "Europe/Madrid", "America/New_York"


def at(text: str, zone: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)


@pytest.mark.parametrize(
    ("text", "begins", "ends"),
    [
        ("22:00-07:00", time(22), time(7)),
        ("9:30-17:05", time(9, 30), time(17, 5)),
        (" 22:00 – 07:00 ", time(22), time(7)),
        ("00:00-23:59", time(0), time(23, 59)),
    ],
)
def test_hours_are_read(text: str, begins: time, ends: time) -> None:
    assert QuietHours.parse(text, MADRID) == QuietHours(begins, ends, ZoneInfo(MADRID))


@pytest.mark.parametrize(
    "text",
    ["", "22-7", "22:00", "24:00-07:00", "22:60-07:00", "10pm-7am", "22:00-07:00-08:00", "٢٢:٠٠-٠٧:٠٠"],
)
def test_what_is_no_hours_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="as in 22:00-07:00"):
        QuietHours.parse(text, MADRID)


def test_hours_that_end_when_they_begin_are_refused() -> None:
    with pytest.raises(ValueError, match="two different times"):
        QuietHours.parse("07:00-7:00", MADRID)


@pytest.mark.parametrize(
    "zone", ["", "Madrid", "Europe", "Europe/Madri", "/etc/passwd", "../UTC", "a\0b", "x" * 5000, "GMT+", "\ud800"]
)
def test_an_unknown_zone_is_refused_with_a_remedy(zone: str) -> None:
    with pytest.raises(ValueError, match="IANA name such as Europe/Madrid"):
        QuietHours.parse("22:00-07:00", zone)


def test_a_moment_without_a_zone_is_refused() -> None:
    naive = at("2026-01-01T00:00", MADRID).replace(tzinfo=None)
    with pytest.raises(ValueError, match="aware"):
        QuietHours.parse("22:00-07:00", MADRID).end(naive)


@pytest.mark.parametrize(
    ("hours", "now", "end"),
    [
        ("22:00-07:00", "2026-01-14T21:59:59", None),
        ("22:00-07:00", "2026-01-14T22:00", "2026-01-15T07:00"),
        ("22:00-07:00", "2026-01-15T00:00", "2026-01-15T07:00"),
        ("22:00-07:00", "2026-01-15T06:59:59.999999", "2026-01-15T07:00"),
        ("22:00-07:00", "2026-01-15T07:00", None),
        ("22:00-07:00", "2026-12-31T23:30", "2027-01-01T07:00"),
        ("13:00-15:30", "2026-01-14T12:59", None),
        ("13:00-15:30", "2026-01-14T13:00", "2026-01-14T15:30"),
        ("13:00-15:30", "2026-01-14T15:30", None),
        ("00:00-08:00", "2026-01-14T00:00", "2026-01-14T08:00"),
        ("22:00-00:00", "2026-01-14T23:59", "2026-01-15T00:00"),
        ("22:00-00:00", "2026-01-15T00:00", None),
        ("07:01-07:00", "2026-01-14T07:00", None),
        ("07:01-07:00", "2026-01-14T07:01", "2026-01-15T07:00"),
    ],
)
@pytest.mark.parametrize("zone", [MADRID, NEW_YORK, "Asia/Kolkata", "UTC"])
def test_on_an_ordinary_day_they_end_by_the_clock(zone: str, hours: str, now: str, end: str | None) -> None:
    assert QuietHours.parse(hours, zone).end(at(now, zone)) == (end and at(end, zone).astimezone(UTC))


def test_the_end_is_told_in_utc() -> None:
    end = QuietHours.parse("22:00-07:00", MADRID).end(at("2026-07-14T23:00", MADRID))
    assert end is not None
    assert (end.tzinfo, end.isoformat()) == (UTC, "2026-07-15T05:00:00+00:00")


def test_now_may_be_given_in_another_zone() -> None:
    quiet = QuietHours.parse("22:00-07:00", MADRID)
    assert quiet.end(at("2026-01-14T16:30", NEW_YORK)) == at("2026-01-15T07:00", MADRID)


# Madrid: 2026-03-29, 02:00 becomes 03:00; 2026-10-25, 03:00 becomes 02:00.
# New York: 2026-03-08, 02:00 becomes 03:00; 2026-11-01, 02:00 becomes 01:00.
@pytest.mark.parametrize(
    ("zone", "hours", "now", "end"),
    [
        (MADRID, "22:00-07:00", "2026-03-28T21:00+00:00", "2026-03-29T05:00+00:00"),  # a night of eight hours
        (MADRID, "22:00-07:00", "2026-10-24T20:00+00:00", "2026-10-25T06:00+00:00"),  # a night of ten hours
        (NEW_YORK, "22:00-07:00", "2026-03-08T03:00+00:00", "2026-03-08T11:00+00:00"),
        (NEW_YORK, "22:00-07:00", "2026-11-01T02:00+00:00", "2026-11-01T12:00+00:00"),
        # an end that the clocks leap over is the leap
        (MADRID, "22:00-02:30", "2026-03-29T00:59+00:00", "2026-03-29T01:00+00:00"),
        (MADRID, "22:00-02:30", "2026-03-29T01:00+00:00", None),
        (NEW_YORK, "22:00-02:30", "2026-03-08T06:59+00:00", "2026-03-08T07:00+00:00"),
        (NEW_YORK, "22:00-02:30", "2026-03-08T07:00+00:00", None),
        # so is a begin
        (MADRID, "02:30-07:00", "2026-03-29T00:59+00:00", None),
        (MADRID, "02:30-07:00", "2026-03-29T01:00+00:00", "2026-03-29T05:00+00:00"),
        # what is leapt over whole does not take place
        (MADRID, "02:10-02:50", "2026-03-29T01:00+00:00", None),
        # an end that comes twice is the second
        (MADRID, "22:00-02:30", "2026-10-25T00:15+00:00", "2026-10-25T01:30+00:00"),
        (MADRID, "22:00-02:30", "2026-10-25T00:45+00:00", "2026-10-25T01:30+00:00"),
        (MADRID, "22:00-02:30", "2026-10-25T01:30+00:00", None),
        (NEW_YORK, "22:00-01:30", "2026-11-01T05:45+00:00", "2026-11-01T06:30+00:00"),
        (NEW_YORK, "22:00-01:30", "2026-11-01T06:30+00:00", None),
        # a begin that comes twice is the first
        (MADRID, "02:30-07:00", "2026-10-25T00:29+00:00", None),
        (MADRID, "02:30-07:00", "2026-10-25T00:30+00:00", "2026-10-25T06:00+00:00"),
        (MADRID, "02:30-07:00", "2026-10-25T01:10+00:00", "2026-10-25T06:00+00:00"),
        # two stretches that touch on such a day are one
        (MADRID, "02:45-02:15", "2026-10-24T12:00+00:00", "2026-10-26T01:15+00:00"),
        (MADRID, "02:45-02:15", "2026-03-28T12:00+00:00", "2026-03-30T00:15+00:00"),
        # set back at 00:01 to 23:01: what begins at midnight has begun although it is yesterday again
        ("America/St_Johns", "00:00-07:00", "2010-11-07T03:00+00:00", "2010-11-07T10:30+00:00"),
        # Samoa left out the whole of 2011-12-30
        ("Pacific/Apia", "22:00-07:00", "2011-12-30T09:30+00:00", "2011-12-30T17:00+00:00"),
    ],
)
def test_when_the_clocks_change(zone: str, hours: str, now: str, end: str | None) -> None:
    expected = end and datetime.fromisoformat(end)
    assert QuietHours.parse(hours, zone).end(datetime.fromisoformat(now)) == expected


ZONES = [MADRID, NEW_YORK, "UTC", "Australia/Lord_Howe", "America/St_Johns", "Pacific/Apia", "Asia/Kathmandu"]
TIMES = st.builds(time, st.integers(0, 23), st.integers(0, 59))
CHANGES = [  # the hours around which clocks change, so that one example in two is near one
    at(text, zone)
    for text, zone in [
        ("2026-03-29T02:00", MADRID),
        ("2026-10-25T02:00", MADRID),
        ("2026-03-08T02:00", NEW_YORK),
        ("2026-11-01T01:00", NEW_YORK),
        ("2026-04-05T01:30", "Australia/Lord_Howe"),
        ("2010-11-07T00:00", "America/St_Johns"),
        ("2011-12-29T23:00", "Pacific/Apia"),
    ]
]
NEAR = st.builds(
    lambda change, minutes: change.astimezone(UTC) + timedelta(minutes=minutes),
    st.sampled_from(CHANGES),
    st.integers(-2000, 2000),
)
MOMENTS = NEAR | st.datetimes(datetime(2000, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@st.composite
def quiet_hours(draw: st.DrawFn) -> QuietHours:
    begins, ends = draw(TIMES), draw(TIMES)
    assume(begins != ends)
    return QuietHours(begins, ends, ZoneInfo(draw(st.sampled_from(ZONES))))


@given(quiet=quiet_hours(), now=MOMENTS)
def test_the_end_is_later_and_itself_not_quiet(quiet: QuietHours, now: datetime) -> None:
    end = quiet.end(now)
    if end is not None:
        assert end > now
        assert quiet.end(end) is None


@given(quiet=quiet_hours(), now=MOMENTS)
def test_it_is_quiet_whenever_the_clock_says_so(quiet: QuietHours, now: datetime) -> None:
    shown = now.astimezone(quiet.zone).time()
    over_midnight = quiet.ends < quiet.begins
    inside = shown >= quiet.begins or shown < quiet.ends if over_midnight else quiet.begins <= shown < quiet.ends
    assume(inside)
    assert quiet.end(now) is not None


@given(quiet=quiet_hours(), now=MOMENTS)
def test_all_moments_of_a_stretch_have_one_end(quiet: QuietHours, now: datetime) -> None:
    end = quiet.end(now)
    if end is not None:
        assert quiet.end(now + (end - now) / 2) == end
