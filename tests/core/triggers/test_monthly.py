"""Monthly and yearly: days of the month by number, from its end, by place, and what a short month does."""

from __future__ import annotations

from typing import Any

import pytest

from trioarm.core.errors import InvalidTrigger
from trioarm.core.instants import parse_instant, render_instant
from trioarm.core.triggers import Cron, Fold, Gap, MonthEnd, Monthly, Trigger, Yearly

ANY_DAY = '1 to 31, "last", "2nd tue", "last fri", "first workday" or "last workday"'


def dates(trigger: Trigger, start: str, count: int) -> str:
    """The dates, in UTC, of the next occurrences."""
    at, found = parse_instant(f"{start}T00:00:00Z"), []
    for _ in range(count):
        following = trigger.next_after(at)
        assert following is not None
        assert trigger.previous_before(following + 1) == following
        found.append(render_instant(following)[:10])
        at = following
    return " ".join(found)


@pytest.mark.parametrize(
    ("trigger", "expected"),
    [
        (Monthly(31, "12:00"), "2027-01-31 2027-02-28 2027-03-31 2027-04-30"),
        (Monthly(30, "12:00"), "2027-01-30 2027-02-28 2027-03-30 2027-04-30"),
        (Monthly(31, "12:00", month_end="skip"), "2027-01-31 2027-03-31 2027-05-31 2027-07-31"),
        (Monthly([29, 31], "12:00"), "2027-01-29 2027-01-31 2027-02-28 2027-03-29"),
        (Monthly("last", "12:00"), "2027-01-31 2027-02-28 2027-03-31 2027-04-30"),
        (Monthly("2nd tue", "12:00"), "2027-01-12 2027-02-09 2027-03-09 2027-04-13"),
        (Monthly("5th fri", "12:00"), "2027-01-29 2027-04-30 2027-07-30 2027-10-29"),
        (Monthly("last fri", "12:00"), "2027-01-29 2027-02-26 2027-03-26 2027-04-30"),
        (Monthly("first workday", "12:00", months=["may", 8]), "2027-05-03 2027-08-02 2028-05-01 2028-08-01"),
        (Monthly("last workday", "12:00"), "2027-01-29 2027-02-26 2027-03-31 2027-04-30"),
        (Monthly([15, "1st mon"], "12:00"), "2027-01-04 2027-01-15 2027-02-01 2027-02-15"),
        (Yearly("dec", 24, "12:00"), "2027-12-24 2028-12-24 2029-12-24 2030-12-24"),
        (Yearly("nov", "4th thu", "12:00"), "2027-11-25 2028-11-23 2029-11-22 2030-11-28"),
        (Yearly(2, 29, "12:00"), "2027-02-28 2028-02-29 2029-02-28 2030-02-28"),
        (Yearly("feb", 29, "12:00", month_end="skip"), "2028-02-29 2032-02-29 2036-02-29 2040-02-29"),
    ],
)
def test_days_are_those_of_the_calendar(trigger: Trigger, expected: str) -> None:
    """As the calendars of 2027 and later years show them."""
    assert dates(trigger, "2027-01-01", 4) == expected


def test_a_short_month_has_its_last_day_unless_told_otherwise() -> None:
    """Who writes 31 means the last day: the default is to clamp."""
    assert Monthly(31, "12:00").month_end is MonthEnd.CLAMP
    year = parse_instant("2027-01-01T00:00:00Z"), parse_instant("2028-01-01T00:00:00Z") - 1
    assert Monthly(31, "12:00").count(*year) == 12
    assert Monthly(31, "12:00", month_end="skip").count(*year) == 7


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Monthly(31, "12:00"), Monthly("last day", "12:00")),
        (Monthly([15, 15, 1], "12:00"), Monthly((1, 15), ["12:00", "12:00:00"], month_end="skip")),
        (Monthly("second TUESDAY", "6:30"), Monthly("2nd tue", "06:30")),
        (Monthly("1st workday", "06:30"), Monthly(["first  workday"], "06:30")),
        (Monthly(30, "06:30", months="jan"), Monthly(30, "06:30", months=[1], month_end="skip")),
        (Yearly("December", 24, "18:00"), Yearly(12, [24], "18:00", gap=Gap.RUN_AFTER, fold=Fold.FIRST)),
        (Yearly("dec", 31, "18:00"), Yearly("dec", 31, "18:00", month_end="skip")),
    ],
)
def test_equal_meaning_is_an_equal_trigger(one: Trigger, other: Trigger) -> None:
    """However days, months and times are written."""
    assert one == other
    assert hash(one) == hash(other)


def test_what_differs_is_not_equal() -> None:
    """Days, month ends that matter, zones and policies."""
    trigger = Monthly(30, "02:30", "Europe/Prague")
    assert trigger != Monthly(30, "02:30", "Europe/Prague", month_end="skip")
    assert trigger != Monthly(30, "02:30", "Europe/Vienna")
    assert trigger != Monthly(30, "02:30", "Europe/Prague", gap="skip")
    assert trigger != Monthly(30, "02:30", "Europe/Prague", dst=False)
    assert trigger != Monthly(29, "02:30", "Europe/Prague")
    assert Monthly(30, "02:30", months="dec") != Yearly("dec", 30, "02:30")


def test_days_are_kept_sorted_in_one_spelling() -> None:
    """Numbers first, then what is named, the week beginning on Monday."""
    trigger = Monthly(["last fri", "first Sunday", 31, "First Monday", 2, "last workday", "last"], "12:00")
    assert trigger.day == (2, 31, "last", "last workday", "1st mon", "1st sun", "last fri")
    assert Monthly(1, "12:00", months=["dec", "January", 2]).months == ("jan", "feb", "dec")


def test_fixed_times_meet_gaps_and_folds() -> None:
    """The last Sunday of March has no 02:30 in Prague, that of October has two."""
    trigger = Monthly("last sun", "02:30", "Europe/Prague", months=["mar", "oct"])
    gap = trigger.next_after(parse_instant("2026-03-01T00:00:00Z"))
    fold = trigger.next_after(parse_instant("2026-10-01T00:00:00Z"))
    assert render_instant(gap or 0) == "2026-03-29T01:00:00Z"
    assert render_instant(fold or 0) == "2026-10-25T00:30:00Z"
    assert trigger.shift_at(gap or 0) == -30 * 60_000_000
    assert trigger == Monthly("last sun", "02:30", "Europe/Prague", months=["mar", "oct"], gap="run_after")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((0,), "12:00"), f"0 is no day of a month: write {ANY_DAY}"),
        (((32,), "12:00"), f"32 is no day of a month: write {ANY_DAY}"),
        ((10**5000, "12:00"), "that number is no day of a month"),
        ((True, "12:00"), "true is no day of a month"),
        (("15", "12:00"), '"15" is no day of a month'),
        (("6th fri", "12:00"), '"6th fri" is no day of a month'),
        (("2nd workday", "12:00"), '"2nd workday" is no day of a month'),
        (([1.5], "12:00"), "1.5 is no day of a month"),
        ((None, "12:00"), f"day must be one or more, at most 100, of {ANY_DAY}"),
        (([], "12:00"), "day must be one or more"),
        (([1] * 101, "12:00"), "day must be one or more, at most 100"),
        ((1, "25:00"), "'25:00' is no time of day"),
        ((1, "12:00", "Mars/Olympus"), "time zone 'Mars/Olympus' is unknown"),
    ],
)
def test_what_is_not_understood_is_refused(arguments: tuple[Any, ...], message: str) -> None:
    """The message quotes the value and shows what would be right."""
    with pytest.raises(InvalidTrigger) as caught:
        Monthly(*arguments)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"months": []}, 'months must be one or more, such as "jan" or ["jan", "jul"]'),
        ({"months": 13}, "13 is no month: write jan to dec, or 1 to 12"),
        ({"months": ["juli"]}, '"juli" is no month'),
        ({"months": [True]}, "true is no month"),
        ({"months": 1.5}, "months must be one or more"),
        ({"month_end": "wrap"}, "month_end 'wrap' is unknown: write clamp or skip"),
        ({"months": "feb", "month_end": "skip"}, "day 30 of feb never happens: no such month is that long"),
    ],
)
def test_a_mistaken_month_or_policy_is_refused(keywords: dict[str, Any], message: str) -> None:
    """So is a day that none of the months has."""
    with pytest.raises(InvalidTrigger) as caught:
        Monthly(30, "12:00", **keywords)
    assert message in str(caught.value)


@pytest.mark.parametrize(("month", "day", "last"), [("feb", 30, 29), ("apr", 31, 30)])
def test_a_date_that_is_in_no_calendar_is_refused(month: str, day: int, last: int) -> None:
    """31 April is a mistake, and no way to write its last day."""
    with pytest.raises(InvalidTrigger, match=f"day {day} of {month} never happens: its last is {last}"):
        Yearly(month, day, "12:00")


@pytest.mark.parametrize(
    ("trigger", "text"),
    [
        (Monthly(31, "22:30"), "on the last day of every month at 22:30"),
        (Monthly(31, "22:30", month_end="skip"), "on day 31 of every month at 22:30"),
        (Monthly([29, 30], "22:30"), "on days 29 and 30 (else the last day) of every month at 22:30"),
        (Monthly("2nd tue", ["06:30", "22:30"]), "on the 2nd tue of every month at 06:30 and 22:30"),
        (Monthly([1, "last fri"], "06:30"), "on day 1 of every month or on the last fri at 06:30"),
        (Monthly("first workday", "06:30", months=["jan", "jul"]), "on the first workday of jan and jul at 06:30"),
        (Yearly("dec", 24, "18:00"), "on day 24 of dec at 18:00"),
        (Yearly("feb", 29, "18:00"), "on day 29 (else the last day) of feb at 18:00"),
    ],
)
def test_it_reads_as_english(trigger: Trigger, text: str) -> None:
    """Days first, then times, then the zone."""
    assert trigger.describe() == f"{text} in UTC"


def test_cron_says_the_same_in_its_own_words() -> None:
    """A monthly trigger and the cron expression for it share their days."""
    assert Monthly("2nd tue", "06:30")._times.days == Cron("30 6 * * tue#2")._times.days
    assert Monthly("last workday", "06:30")._times.days == Cron("30 6 LW * *")._times.days
    assert Monthly("first workday", "06:30")._times.days == Cron("30 6 1W * *")._times.days
    assert Yearly("jan", [1, "1st mon"], "06:30")._times.days == Cron("30 6 1 1 mon#1")._times.days
