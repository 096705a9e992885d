"""Intervals of the calendar: every nth day or month, at the same time on the wall."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trioarm.core.errors import InvalidTrigger
from trioarm.core.instants import parse_instant, render_instant
from trioarm.core.triggers import Interval, Trigger
from trioarm.core.triggers.grids import DayGrid, MonthGrid
from trioarm.core.triggers.timetable import FIRST_DAY, LAST_DAY, DaySet, Times, Timetable, day_number
from trioarm.core.triggers.wording import spell_timetable

EPOCH = date(1970, 1, 1)


def instants(trigger: Trigger, start: str, count: int) -> list[str]:
    at, found = parse_instant(start), []
    for _ in range(count):
        following = trigger.next_after(at)
        assert following is not None
        found.append(render_instant(following))
        at = following
    return found


def test_the_time_on_the_wall_stays_when_clocks_are_changed() -> None:
    """Every second day at 22:30 in Prague, over the end of March."""
    trigger = Interval(days=2, at="22:30", start="2026-03-26", timezone="Europe/Prague")
    assert instants(trigger, "2026-03-25T00:00:00Z", 3) == [
        "2026-03-26T21:30:00Z",
        "2026-03-28T21:30:00Z",
        "2026-03-30T20:30:00Z",
    ]


def test_a_short_month_moves_none_of_the_later_ones() -> None:
    """Counted from 31 January, not from the last occurrence."""
    trigger = Interval(months=1, at="12:00", start="2027-01-31")
    assert [text[5:10] for text in instants(trigger, "2027-01-30T00:00:00Z", 4)] == ["01-31", "02-28", "03-31", "04-30"]
    skipping = Interval(months=1, at="12:00", start="2027-01-31", month_end="skip")
    assert [text[5:10] for text in instants(skipping, "2027-01-30T00:00:00Z", 3)] == ["01-31", "03-31", "05-31"]


def test_the_grid_reaches_over_all_time() -> None:
    """What is before its start is counted from it as well, so that nothing depends on when it is asked."""
    trigger = Interval(weeks=2, at="12:00", start="2026-11-23")
    assert trigger.previous_before(parse_instant("2026-11-23T12:00:00Z")) == parse_instant("2026-11-09T12:00:00Z")
    leap = Interval(years=1, at="12:00", start="2028-02-29", month_end="skip")
    assert [text[:10] for text in instants(leap, "2090-01-01T00:00:00Z", 3)] == [
        "2092-02-29",
        "2096-02-29",
        "2104-02-29",
    ]
    assert leap.previous_before(parse_instant("1904-01-01T00:00:00Z")) == parse_instant("1896-02-29T12:00:00Z")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Interval(weeks=2, at="12:00", start="2026-11-23"), Interval(days=14, at=["12:00"], start=date(2026, 12, 7))),
        (Interval(years=1, at="12:00", start="2026-11-23"), Interval(months=12, at="12:00", start="1999-11-23")),
        (
            Interval(months=1, at="12:00", start="2026-11-23"),
            Interval(months=1, at="12:00", start="2026-01-23", month_end="skip"),
        ),
        (
            Interval(years=1, at="12:00", start="2026-12-31"),
            Interval(years=1, at="12:00", start="2026-12-31", month_end="skip"),
        ),
    ],
)
def test_equal_grids_are_equal_triggers(one: Trigger, other: Trigger) -> None:
    """Whatever they are counted in, and wherever their start lies on the grid."""
    assert one == other
    assert hash(one) == hash(other)


def test_what_differs_is_not_equal() -> None:
    """Phases, month ends that matter, zones and policies."""
    trigger = Interval(months=2, at="12:00", start="2026-12-31")
    assert trigger != Interval(months=2, at="12:00", start="2027-01-31")
    assert trigger != Interval(months=2, at="12:00", start="2026-12-31", month_end="skip")
    assert trigger != Interval(months=2, at="12:00", start="2026-12-31", timezone="Europe/Prague")
    assert trigger != Interval(months=2, at="12:00", start="2026-12-31", fold="both")


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({}, "an interval has one of days, weeks, months, years, not none"),
        ({"days": 1, "weeks": 1}, "an interval has one of days, weeks, months, years, not days and weeks"),
        ({"days": 0}, "days of an interval are a whole number from 1 to 36600"),
        ({"weeks": 5201}, "weeks of an interval are a whole number from 1 to 5200"),
        ({"months": 1.5}, "months of an interval are a whole number from 1 to 1200"),
        ({"years": True}, "years of an interval are a whole number from 1 to 100"),
        ({"days": 1, "start": "soon"}, '"soon" is no date: write it like 2026-11-23'),
        ({"days": 1, "start": "2026-02-30"}, '"2026-02-30" is no date'),
        ({"days": 1, "start": "2026-W48-1"}, '"2026-W48-1" is no date'),
        ({"days": 1, "start": datetime.fromisoformat("2026-11-23T00:00")}, "2026-11-23T00:00:00 is no date"),
        ({"days": 1, "start": 10**5000}, "that number is no date"),
        ({"days": 1, "at": "noon"}, "'noon' is no time of day"),
        ({"months": 1, "month_end": "wrap"}, "month_end 'wrap' is unknown"),
    ],
)
def test_what_is_not_understood_is_refused(keywords: dict[str, Any], message: str) -> None:
    """The message quotes the value and shows what would be right."""
    with pytest.raises(InvalidTrigger) as caught:
        Interval(**{"at": "12:00", "start": "2026-11-23", **keywords})
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("keywords", "text"),
    [
        ({"days": 1}, "every day at 22:30 in UTC"),
        ({"days": 2}, "every 2 days at 22:30 in UTC, counted from 2026-11-23"),
        ({"weeks": 1}, "every week on mon at 22:30 in UTC"),
        ({"weeks": 2}, "every 2 weeks on mon at 22:30 in UTC, counted from 2026-11-23"),
        ({"months": 1}, "every month on day 23 at 22:30 in UTC"),
        ({"months": 3}, "every 3 months on day 23 at 22:30 in UTC, counted from 2026-11-23"),
        (
            {"months": 3, "start": "2026-01-31"},
            "every 3 months on day 31 (else the last day) at 22:30 in UTC, counted from 2026-01-31",
        ),
        ({"years": 1}, "every year on day 23 of nov at 22:30 in UTC"),
        ({"years": 4, "start": "2024-02-29"}, "every 4 years on day 29 (else the last day) of feb at 22:30"),
    ],
)
def test_it_reads_as_english(keywords: dict[str, Any], text: str) -> None:
    """How often, when, where, and where it is counted from if that says more."""
    described = Interval(**{"at": "22:30", "start": "2026-11-23", **keywords}).describe()
    assert described.startswith(text)
    assert described.removeprefix(text) in ("", " in UTC, counted from 2024-02-29")


def test_days_of_a_calendar_that_is_not_known_here_are_some_days() -> None:
    """Whoever brings a set of days brings words for it."""
    never = Timetable(_NoDays(), Times(((0,), *((),) * 23)))
    assert spell_timetable(never) == "on some days at 00:00"
    assert never.next_local(0) is None


class _NoDays:
    """The empty set of days."""

    def has(self, day: int) -> bool:
        """No day is."""
        return False

    def next_after(self, day: int) -> int | None:
        """There is none."""

    def previous_before(self, day: int) -> int | None:
        """There is none."""

    def count(self, first: int, end: int) -> int:
        """Nothing to count."""
        return 0


grids = st.builds(
    lambda step, phase: DayGrid(step, phase % step), st.integers(1, 40) | st.just(36_600), st.integers(0, 40_000)
) | st.builds(
    lambda step, phase, monthday, clamp: MonthGrid(step, phase % step, monthday, clamp),
    st.integers(1, 30),
    st.integers(0, 40_000),
    st.integers(1, 28) | st.integers(28, 31),
    st.booleans(),
)


def _expected(grid: DaySet, day: int) -> bool:
    moment = EPOCH + timedelta(days=day)
    match grid:
        case DayGrid(step, phase):
            return (day - phase) % step == 0
        case MonthGrid(step, phase, monthday, clamp):
            if (moment.year * 12 + moment.month - 1 - phase) % step:
                return False
            last = (moment + timedelta(days=1)).month != moment.month
            return moment.day == monthday or (clamp and last and moment.day < monthday)
        case _:
            raise AssertionError(grid)


@settings(max_examples=150, deadline=None)
@given(grid=grids, start=st.integers(-40_000, 40_000), length=st.integers(1, 900))
def test_a_grid_has_the_days_that_a_calendar_leafed_through_has(grid: DaySet, start: int, length: int) -> None:
    """Day by day, forwards, backwards and counted."""
    days = [day for day in range(start, start + length) if _expected(grid, day)]
    assert [day for day in range(start, start + length) if grid.has(day)] == days
    assert grid.count(start, start + length) == len(days)
    assert grid.count(start, start) == grid.count(start + 1, start) == 0
    at, forwards = start - 1, []
    while (following := grid.next_after(at)) is not None and following < start + length:
        forwards.append(following)
        at = following
    assert forwards == days
    at, backwards = start + length, []
    while (earlier := grid.previous_before(at)) is not None and earlier >= start:
        backwards.append(earlier)
        at = earlier
    assert backwards[::-1] == days


@pytest.mark.parametrize(
    "grid", [DayGrid(1, 0), DayGrid(36_600, 5), MonthGrid(1, 0, 31, True), MonthGrid(1200, 7, 29, False)]
)
def test_a_grid_ends_with_the_calendar(grid: DaySet) -> None:
    """Beyond the years 1 to 9999 there is nothing, and nothing fails."""
    for day in (LAST_DAY, 10**9):
        assert grid.next_after(day) is None
        assert not grid.has(day + 1)
    for day in (FIRST_DAY, -(10**9)):
        assert grid.previous_before(day) is None
        assert not grid.has(day - 1)
    first, last = grid.next_after(-(10**9)), grid.previous_before(10**9)
    assert first is not None
    assert last is not None
    assert grid.count(-(10**9), first) == grid.count(last + 1, 10**9) == 0
    assert grid.count(last, 10**9) == grid.count(-(10**9), first + 1) == 1


def test_a_leap_day_of_every_third_year_is_found_over_a_century() -> None:
    """2000 + 3n and leap: the search leaps from year to year, and 2100 is none."""
    grid = MonthGrid(36, (2000 * 12 + 1) % 36, 29, False)
    assert grid.next_after(day_number(date(2096, 2, 29))) == day_number(date(2108, 2, 29))
