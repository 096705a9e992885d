from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trioarm.core.errors import InvalidTrigger
from trioarm.core.instants import DAY, HOUR, LATEST, MINUTE, SECOND, instant, parse_instant, render_instant
from trioarm.core.triggers import Cron
from trioarm.core.triggers.civil import Fold, Gap
from trioarm.core.triggers.timetable import Days, FineTimes, Times


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("0 0 * * *", "@daily"),
        ("@midnight", " @Daily "),
        ("0 * * * *", "@hourly"),
        ("0 0 * * sun", "@weekly"),
        ("0 0 1 * *", "@monthly"),
        ("@yearly", "@annually"),
        ("30 22 * * 1-5", "30 22 * * Monday-FRI"),
        ("0 9 * jan,feb,mar *", "0 9 * 1-3 *"),
        ("0 9 * * 7", "0 9 * * 0"),
        ("0 9 * * 5-7", "0 9 * * fri-sun"),
        ("0 9 * * fri-mon", "0 9 * * 0,1,5,6"),
        ("0 9 * * 7-2", "0 9 * * 0-2"),
        ("0 22-2 * * *", "0 22,23,0,1,2 * * *"),
        ("0 22-4/3 * * *", "0 22,1,4 * * *"),
        ("0 0 30-2 * *", "0 0 30,31,1,2 * *"),
        ("0 0 1 nov-feb *", "0 0 1 11,12,1,2 *"),
        ("10/20 * * * *", "10,30,50 * * * *"),
        ("0 9 * * 1/2", "0 9 * * mon,wed,fri"),
        ("0 9 * * 7/2", "0 9 * * sun"),
        ("5  4\t* * *", "5 4 * * *"),
        ("1,*/30 * * * *", "0,1,30 * * * *"),
        ("0 0 ? * ?", "0 0 * * *"),
        ("0 0 ? * mon", "0 0 * * mon"),
        ("0 0 1 * ?", "0 0 1 * *"),
        ("0 30 22 * * mon", "30 22 * * mon"),
        ("0 30 22 * * mon *", "30 22 * * mon"),
        ("0-59 * * * * *", "* * * * * *"),
        ("0 0 * * 5L", "0 0 * * friday#l"),
        ("0 0 * * 7#2", "0 0 * * SUN#2"),
        ("0 0 *,L,15W * *", "0 0 * * *"),
        ("0 0 * * *,fri#2", "0 0 * * *"),
        ("0 0 0 * * * 2027-2030", "0 0 0 * * * 2027,2028,2029,2030"),
        ("0 0 0 * * * 2197/2", "0 0 0 * * * 2197,2199"),
        ("0 0 * * +mon", "0 0 * * mon"),
    ],
)
def test_different_spellings_are_one_meaning(one: str, other: str) -> None:
    """Triggers compare by what they mean, days and times first."""
    assert Cron(one)._times == Cron(other)._times


def test_equal_meaning_is_an_equal_trigger() -> None:
    """Spelling and stated defaults do not matter; the zone and the policies do."""
    trigger = Cron("0 2 * * mon", "Europe/Prague")
    assert trigger == Cron("00 02 * * 1", "Europe/Prague", gap=Gap.RUN_AFTER, fold=Fold.FIRST)
    assert hash(trigger) == hash(Cron("0 2 * * 1", "Europe/Prague"))
    assert trigger != Cron("0 2 * * mon", "Europe/Vienna")
    assert trigger != Cron("0 2 * * mon", "Europe/Prague", fold=Fold.BOTH)
    assert trigger != Cron("0 2 * * mon", "Europe/Prague", dst=False)


def test_day_of_month_and_day_of_week_are_or_when_both_are_restricted() -> None:
    """The 13th or any Friday; but with a star in front of either, both must hold."""
    start, end = parse_instant("2026-02-01T00:00:00Z"), parse_instant("2026-02-28T23:59:00Z")
    assert Cron("0 12 14 * fri").count(start, end) == 5
    assert Cron("0 12 */13 * fri").count(start, end) == 1  # Friday 27 February
    assert Cron("0 12 14 * *").count(start, end) == 1


def test_a_wildcard_expression_follows_elapsed_time_unless_told_otherwise() -> None:
    """By default minutes that begin with a star are not made up; an explicit policy is stronger."""
    start, end = parse_instant("2026-03-29T00:30:00Z"), parse_instant("2026-03-29T02:00:00Z")  # gap at 01:00Z
    assert Cron("*/30 2 * * *", "Europe/Prague").count(start, end) == 0
    assert Cron("*/30 2 * * *", "Europe/Prague", gap=Gap.RUN_AFTER).count(start, end) == 1
    assert Cron("*/30 2 * * *", "Europe/Prague", gap=Gap.SHIFT).count(start, end) == 2
    assert Cron("0,30 2 * * *", "Europe/Prague").count(start, end) == 1
    fold = parse_instant("2026-10-25T00:00:00Z") - 1, parse_instant("2026-10-25T02:00:00Z") - 1
    assert Cron("*/30 2 * * *", "Europe/Prague").count(*fold) == 4
    assert Cron("*/30 2 * * *", "Europe/Prague", fold=Fold.SECOND).count(*fold) == 2
    assert Cron("0,30 2 * * *", "Europe/Prague").count(*fold) == 2


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("61 * * * *", r"^cron expression '61 \* \* \* \*': minute \(field 1 of 5\): '61' is not within 0 to 59$"),
        ("0 24 * * *", r"hour \(field 2 of 5\): '24' is not within 0 to 23"),
        ("0 0 0 * *", r"day-of-month \(field 3 of 5\): '0' is not within 1 to 31"),
        ("0 0 * foo *", r"month \(field 4 of 5\): 'foo' is not within 1 to 12 or jan to dec"),
        ("0 0 * * 8", r"day-of-week \(field 5 of 5\): '8' is not within 0 to 7 or sun to sat"),
        ("*/90 * * * *", r"step 90 of '\*/90' is outside 1 to 60"),
        ("*/0 * * * *", "step 0 of '\\*/0' is outside 1 to 60"),
        ("1-2-3 * * * *", "'1-2-3' is no value, range or step of 0 to 59"),
        ("1,,2 * * * *", "'' is no value"),
        ("+5 * * * *", r"'\+5' is no value"),
        ("0 0 1-5W * *", r"day-of-month \(field 3 of 5\): '5w' is not within 1 to 31; W follows one day of the month"),
        ("0 0 32W * *", r"day-of-month \(field 3 of 5\): '32' is not within 1 to 31$"),
        ("0 0 0W * *", "'0' is not within 1 to 31"),
        ("0 0 L-31 * *", "'l-31' is not within L-1 to L-30, days before the last of the month"),
        ("0 0 L-0 * *", "'l-0' is not within L-1 to L-30"),
        ("0 0 L/2 * *", "'l' is not within 1 to 31; L is written L, L-3 or LW in day-of-month, friL in day-of-week"),
        (
            "0 0 fri#2 * *",
            "'fri#2' is no value, range or step of 1 to 31; # follows one day of the week in day-of-week",
        ),
        ("0 0 * 15W *", r"month \(field 4 of 5\): '15w' is not within 1 to 12 or jan to dec; W follows"),
        (
            "0 0 * * fri#6",
            r"day-of-week \(field 5 of 5\): 'fri#6' has '6' after its #: write 1 to 5, or L for the last",
        ),
        ("0 0 * * fri#", "'fri#' has '' after its #"),
        ("0 0 * * 8#1", "'8' is not within 0 to 7 or sun to sat"),
        ("0 0 * * 1-5#2", "'1-5#2' is no value, range or step .*; # follows one day of the week"),
        ("0 0 * * L", "'l' follows a day of the week: write sat, or satL for the last sat of the month"),
        ("0 0 * * mon-friL", "'fril' is not within 0 to 7 or sun to sat; L is written"),
        ("0 0 * * +", "'' is no value"),
        ("0 0 * * mon,+fri", r"'\+fri' is no value, .*; \+ begins day-of-week, such as \+fri"),
        ("? 0 * * *", r"minute \(field 1 of 5\): '\?' is no .*; \? stands alone, in day-of-month or day-of-week"),
        ("0 0 1,? * *", r"'\?' is no value, range or step of 1 to 31; \? stands alone"),
        ("60 0 0 * * *", r"second \(field 1 of 6\): '60' is not within 0 to 59$"),
        ("0 60 0 * * *", r"minute \(field 2 of 6\): '60'"),
        ("0 0 0 1 1 * 1969", r"year \(field 7 of 7\): '1969' is not within 1970 to 2199$"),
        ("0 0 0 1 1 * 2028-2027", r"year \(field 7 of 7\): '2028-2027' goes backwards: write 2027-2028"),
        ("0 0 0 29 2 * 2027,2029", "never happens: none of its months, in any of its years, has such a day"),
        ("0 0 0 30W 2 *", "never happens: none of its months has such a day"),
        ("0 0 30 feb +fri", "never happens"),
        ("0 0 *", "has 3 fields, not 5, 6 or 7: write minute hour .*; a field of seconds may come first"),
        ("0 0 0 1 1 * 2027 1", "has 8 fields, not 5, 6 or 7"),
        ("", "has 0 fields, not 5"),
        ("@reboots", "cron alias '@reboots' is unknown: write @hourly, @daily"),
        ("@Reboot", "cron alias '@reboot' is understood but not supported: no instant says when a node starts"),
        ("0 0 30 2 *", "cron expression '0 0 30 2 \\*' never happens"),
        ("0 0 31 4,6,9,11 *", "never happens"),
        ("* " * 300, "has more than 512 characters"),
        (None, "a cron expression is a text of minute hour"),
    ],
)
def test_what_is_not_understood_is_refused_in_one_line(expression: str, message: str) -> None:
    """The message quotes the expression, names the field and its place, and shows what would be right."""
    with pytest.raises(InvalidTrigger, match=message) as info:
        Cron(expression)
    assert "\n" not in str(info.value)


@pytest.mark.parametrize(("gap", "fold"), [("later", None), (None, "third")])
def test_an_unknown_policy_is_refused(gap: Gap | None, fold: Fold | None) -> None:
    """The message names the policies there are."""
    with pytest.raises(InvalidTrigger, match=r"is unknown: write (run_after, shift or skip|first, second or both)"):
        Cron("* * * * *", gap=gap, fold=fold)


def test_a_day_that_no_month_has_is_never_found() -> None:
    """The search ends in both directions, for the calendar repeats after 400 years."""
    days = Days(months=1 << 2, monthdays=1 << 30)
    assert days.next_after(0) is None
    assert days.previous_before(0) is None
    assert days.count(-1_000_000, 1_000_000) == 0


def test_a_leap_day_comes_even_after_eight_years() -> None:
    """29 February is found across 1900 and 2100, which are no leap years."""
    trigger = Cron("0 0 29 2 *")
    assert trigger.next_after(parse_instant("2096-03-01T00:00:00Z")) == parse_instant("2104-02-29T00:00:00Z")
    assert trigger.previous_before(parse_instant("1904-02-29T00:00:00Z")) == parse_instant("1896-02-29T00:00:00Z")
    assert trigger.count(parse_instant("1999-01-01T00:00:00Z"), parse_instant("2400-12-31T00:00:00Z")) == 98


def test_both_a_monthday_and_a_weekday_may_take_decades_to_meet() -> None:
    """29 February on a Sunday, joined by the star, comes every 28 years."""
    trigger = Cron("0 0 29 2 */7")
    assert trigger.next_after(parse_instant("2026-01-01T00:00:00Z")) == parse_instant("2032-02-29T00:00:00Z")
    assert trigger.next_after(parse_instant("2032-02-29T00:00:00Z")) == parse_instant("2060-02-29T00:00:00Z")


@pytest.mark.parametrize("zone", ["UTC", "Europe/Prague", "America/New_York", "Pacific/Kiritimati"])
@pytest.mark.parametrize("expression", ["* * * * *", "0 0 29 2 *", "0 12 1 1 *", "59 23 31 12 *"])
@pytest.mark.parametrize("dst", [True, False])
def test_time_ends_with_the_year_9999_and_begins_with_the_year_1(zone: str, expression: str, dst: bool) -> None:
    """Beyond the years there is nothing, and nothing fails."""
    trigger = Cron(expression, zone, dst=dst)
    assert trigger.next_after(LATEST) is None
    assert trigger.next_after(10**30) is None
    assert trigger.previous_before(-(10**30)) is None
    first, last = trigger.next_after(-(10**30)), trigger.previous_before(10**30)
    assert first is not None
    assert last is not None
    assert trigger.previous_before(first) is None
    assert trigger.next_after(last) is None
    assert trigger.count(last - 1, 10**30) == trigger.count(-(10**30), first) == 1
    assert trigger.count(5, 5) == trigger.count(5, 4) == 0


def _dates(expression: str, start: str, end: str) -> list[str]:
    """The dates, in UTC, of the occurrences from a date up to another, which is left out."""
    trigger, until = Cron(expression), parse_instant(f"{end}T00:00:00Z")
    at, found = trigger.next_after(parse_instant(f"{start}T00:00:00Z") - 1), []
    while at is not None and at < until:
        found.append(render_instant(at)[5:10])
        at = trigger.next_after(at)
    return found


@pytest.mark.parametrize(
    ("expression", "dates"),
    [
        ("0 12 L * *", "01-31 02-28 03-31 04-30 05-31 06-30"),
        ("0 12 L-2 * *", "01-29 02-26 03-29 04-28 05-29 06-28"),
        ("0 12 L-30 * *", "01-01 03-01 05-01"),
        ("0 12 LW * *", "01-30 02-27 03-31 04-30 05-29 06-30"),  # 31 January is a Saturday, 31 May a Sunday
        ("0 12 1W * *", "01-01 02-02 03-02 04-01 05-01 06-01"),  # 1 February and 1 March are Sundays
        ("0 12 15W * *", "01-15 02-16 03-16 04-15 05-15 06-15"),
        ("0 12 31W * *", "01-30 03-31 05-29"),  # months of 30 days have none
        ("0 12 * * fri#5", "01-30 05-29"),
        ("0 12 * * fri#L", "01-30 02-27 03-27 04-24 05-29 06-26"),
        ("0 12 * * fri#1", "01-02 02-06 03-06 04-03 05-01 06-05"),
        ("0 12 13 * +fri", "02-13 03-13"),
        ("0 12 13 2-3 fri#1", "02-06 02-13 03-06 03-13"),
    ],
)
def test_days_are_found_from_the_end_by_place_and_by_nearness(expression: str, dates: str) -> None:
    """The first half of 2026, as a calendar on the wall shows it."""
    assert _dates(expression, "2026-01-01", "2026-07-01") == dates.split()


def test_a_saturday_the_first_gives_way_to_the_monday_after_it() -> None:
    """The nearest workday never lies in another month: 1 August 2026 is a Saturday."""
    assert _dates("0 12 1W * *", "2026-08-01", "2026-09-01") == ["08-03"]


def test_seconds_are_kept_as_a_row_of_their_own() -> None:
    """Every second of a day is two rows of 60, asked in both directions and counted by arithmetic."""
    trigger = Cron("* * * * * *")
    day = parse_instant("2026-11-23T00:00:00Z")
    assert trigger.next_after(day) == day + SECOND
    assert trigger.previous_before(day) == day - SECOND
    assert trigger.count(day, day + 1000 * DAY) == 86_400_000
    times = trigger._times.times
    assert isinstance(times, FineTimes)
    assert len(times.seconds) == 60
    assert {len(row) for row in times.minutes.hours} == {60}


@settings(max_examples=100, deadline=None)
@given(
    seconds=st.frozensets(st.integers(0, 59), min_size=1, max_size=5),
    minutes=st.frozensets(st.integers(0, 59), min_size=1, max_size=3),
    hours=st.frozensets(st.integers(0, 23), min_size=1, max_size=3),
    at=st.integers(0, DAY - 1),
)
def test_two_rows_hold_the_times_that_one_would(
    seconds: frozenset[int], minutes: frozenset[int], hours: frozenset[int], at: int
) -> None:
    """Whatever is asked of fine times, a list of all of them says the same."""
    every = sorted(h * HOUR + m * MINUTE + s * SECOND for h in hours for m in minutes for s in seconds)
    rows = tuple(tuple(m * MINUTE for m in sorted(minutes)) if hour in hours else () for hour in range(24))
    times = FineTimes(Times(rows), tuple(s * SECOND for s in sorted(seconds)))
    assert (times.first, times.last, times.per_day) == (every[0], every[-1], len(every))
    for time in (at, every[len(every) // 2], every[0], every[-1], max(every[-1] - 1, 0)):
        assert times.next_after(time) == next((one for one in every if one > time), None)
        assert times.previous_before(time) == next((one for one in reversed(every) if one < time), None)
        assert times.up_to(time) == sum(one <= time for one in every)


def test_years_far_apart_are_found_at_once_and_end() -> None:
    """A list of years is leapt over, both ways, and after the last one there is nothing."""
    trigger = Cron("0 0 12 31 12 ? 1970,2027,2199")
    at, found = parse_instant("0001-01-01T00:00:00Z"), []
    while (following := trigger.next_after(at)) is not None:
        assert trigger.previous_before(following) == (found[-1] if found else None)
        found.append(following)
        at = following
    assert [render_instant(one) for one in found] == [f"{year}-12-31T12:00:00Z" for year in (1970, 2027, 2199)]
    assert trigger.previous_before(LATEST) == found[-1]
    assert trigger.count(parse_instant("1970-01-01T00:00:00Z"), parse_instant("2200-01-01T00:00:00Z")) == 3


def test_a_year_that_is_over_is_no_mistake() -> None:
    """It happened, and will not again."""
    trigger = Cron("0 0 0 1 1 * 1970", "Europe/Prague")
    assert trigger.next_after(0) is None
    assert trigger.previous_before(0) == -HOUR


@pytest.mark.parametrize("expression", ["* 0 2 * * *", "*/10 0 2 * * *"])
def test_seconds_never_make_a_wildcard(expression: str) -> None:
    """Minute and hour alone say whether elapsed time is followed (S4.3)."""
    assert (Cron(expression)._timeline.gap, Cron(expression)._timeline.fold) == (Gap.RUN_AFTER, Fold.FIRST)
    assert Cron("0 * 2 * * *")._timeline.fold is Fold.BOTH
    assert Cron("0 0 * * * *")._timeline.fold is Fold.BOTH


def test_a_century_is_counted_without_stepping() -> None:
    """Every minute of a hundred years in Prague is all the minutes there are."""
    start = datetime(1970, 1, 1, tzinfo=UTC)
    end = start + timedelta(days=36_525)
    assert Cron("* * * * *", "Europe/Prague").count(instant(start), instant(end)) == 36_525 * 1440


def test_an_instance_is_small_and_shares_the_rest() -> None:
    """A schedule's own cron trigger takes less than 120 bytes; expression, zone and calendar are shared."""
    expression = "".join(["15 6 ", "* * mon-fri"])
    one, other = Cron(expression, "Europe/Prague"), Cron("15 6 * * " + "mon-fri", "Europe/" + "Prague"[:])
    assert sys.getsizeof(one) < 120
    assert one.expression is other.expression
    assert one.timezone is other.timezone
    assert one._times is other._times
    assert one._timeline is other._timeline


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("30 2 * * *", "every day at 02:30"),
        ("30 6,22 * * mon-fri", "mon to fri at 06:30 and 22:30"),
        ("* * * * *", "every minute"),
        ("*/5 * * * *", "every 5 minutes"),
        ("0 * * * *", "every hour"),
        ("30 * * * *", "every day at minute 30 of every hour"),
        ("0 */2 * * *", "every 2 hours"),
        ("*/15 9-17 * * 1-5", "mon to fri every 15 minutes from 09:00 to 17:45"),
        ("0 9-17 * * 1-5", "mon to fri every hour from 09:00 to 17:00"),
        ("* 5 * * *", "every minute from 05:00 to 05:59"),
        ("10,20 */2 * * *", "every day at minutes 10 and 20 of every 2nd hour"),
        ("10,20 */6 * * *", "every day at minutes 10 and 20 of every 6th hour"),
        ("1-5,9 8-12,20 * * *", "every day at minutes 1 to 5 and 9 of hours 8 to 12 and 20"),
        ("*/7 8 * * *", "every day at minutes 0, 7, 14, 21, 28, 35, 42, 49 and 56 of hour 8"),
        ("0 0 1 * *", "on day 1 of every month at 00:00"),
        ("0 0 1,15 jan-mar,dec *", "on days 1 and 15 of jan to mar and dec at 00:00"),
        ("0 0 * 7 *", "every day of jul at 00:00"),
        ("0 0 * 7,8 sat", "sat in jul and aug at 00:00"),
        ("0 0 13 * fri", "on day 13 of every month or on fri at 00:00"),
        ("0 0 */13 * fri", "on days 1, 14 and 27 of every month if it is fri at 00:00"),
        ("0 0 13 * +fri", "on day 13 of every month if it is fri at 00:00"),
        ("0 0 L * *", "on the last day of every month at 00:00"),
        ("0 0 L-1,L-3,15 feb ?", "on day 15, the day before the last and 3 days before the last of feb at 00:00"),
        ("0 0 LW * *", "on the last workday of every month at 00:00"),
        ("0 0 15W * *", "on the workday nearest to day 15 of every month at 00:00"),
        (
            "0 0 1W,15W,20W * *",
            "on the workdays nearest to days 15 and 20 and the first workday of every month at 00:00",
        ),
        ("0 0 * * tue#2", "on the 2nd tue of every month at 00:00"),
        ("0 0 * jan mon,tue#1,tue#4,friL", "on mon, the 1st tue, the 4th tue and the last fri of jan at 00:00"),
        ("0 0 L * tue#2", "on the last day of every month or on the 2nd tue at 00:00"),
        ("* * * * * *", "every second"),
        ("*/10 * * * * *", "every 10 seconds"),
        ("30 * * * * *", "every day at second 30 of every minute"),
        ("15 0 12 * * *", "every day at 12:00:15"),
        ("*/10 * 9-17 * * mon", "mon every 10 seconds from 09:00 to 17:59"),
        ("5,20 */5 * * * *", "every 5 minutes, at seconds 5 and 20"),
        ("*/10 0,30 9-17 * * mon", "mon every 30 minutes from 09:00 to 17:30, for a minute every 10 seconds"),
        ("*/5 0 12 * * *", "every day at 12:00, for a minute every 5 seconds"),
        ("0 0 0 1 1 ? 2027,2028", "on day 1 of jan in 2027 and 2028 at 00:00"),
        ("0 * * * * * 2027-2040", "every day in 2027 to 2040 every minute"),
        ("0 0 0 * * sun */2", "sun in 115 years from 1970 to 2198 at 00:00"),
    ],
)
def test_a_cron_trigger_reads_as_english(expression: str, text: str) -> None:
    """Days come first unless it is every day at a steady rate, then times, then the zone."""
    assert Cron(expression, "Europe/Prague").describe() == f"{text} in Europe/Prague"


def test_what_becomes_of_gaps_and_folds_is_known() -> None:
    """By kind where nothing is said (S4.3), else as it is said."""
    assert Cron("*/5 * * * *").policies == (Gap.SKIP, Fold.BOTH)
    assert Cron("5 2 * * *").policies == (Gap.RUN_AFTER, Fold.FIRST)
    assert Cron("5 2 * * *", gap="shift", fold="second").policies == (Gap.SHIFT, Fold.SECOND)
