from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
from cronsim import CronSim, CronSimError
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from trioarm.core.errors import InvalidTrigger
from trioarm.core.instants import LATEST, instant, parse_instant
from trioarm.core.triggers import Cron
from trioarm.core.triggers.civil import Fold, Gap
from trioarm.core.triggers.timetable import Days

DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def fields(low: int, high: int, names: tuple[str, ...] = ()) -> st.SearchStrategy[str]:
    """Texts of one field that both cronsim and trioarm define."""
    number = st.integers(low, high).map(str)
    named = st.sampled_from(names) if names else number
    pair = st.tuples(st.integers(low, high), st.integers(low, high)).filter(lambda ends: ends[0] < ends[1])
    step = st.integers(1, high)
    ranges = pair.map(lambda ends: f"{ends[0]}-{ends[1]}")
    stepped = st.tuples(ranges | st.just("*"), step).map(lambda parts: f"{parts[0]}/{parts[1]}")
    item = number | named | ranges | stepped
    return st.just("*") | item | st.lists(item, min_size=2, max_size=4).map(",".join)


@settings(max_examples=150, deadline=None)
@given(
    texts=st.tuples(fields(0, 59), fields(0, 23), fields(1, 31), fields(1, 12, MONTHS), fields(0, 7, DAYS)),
    start=st.datetimes(datetime.fromisoformat("1971-01-01"), datetime.fromisoformat("2090-01-01")),
)
def test_fields_mean_what_cronsim_says(texts: tuple[str, ...], start: datetime) -> None:
    """On naive times the occurrences are those of an independent implementation."""
    expression = " ".join(texts)
    try:
        trigger = Cron(expression)
    except InvalidTrigger as error:
        assume("is outside" not in str(error))
        with pytest.raises((CronSimError, StopIteration)):
            next(CronSim(expression, start))
        return
    at = instant(start.replace(tzinfo=UTC))
    for expected in islice(CronSim(expression, start), 8):
        following = trigger.next_after(at)
        assert following == instant(expected.replace(tzinfo=UTC))
        assert trigger.previous_before(following + 1) == following
        assert trigger.count(at, following) == 1
        at = following


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
    assert trigger.anchored(0) is trigger


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
        ("0 0 L * *", "'l' is not supported yet: L, W, # and \\? come later"),
        ("0 0 15W * *", "'15w' is not supported yet"),
        ("0 0 ? * mon", "'\\?' is not supported yet"),
        ("0 0 * * 5L", "'5l' is not supported yet"),
        ("0 0 * * fri#2", "'fri#2' is not supported yet"),
        ("0 0 12 * * *", "seconds and years are not supported yet: write minute hour day-of-month"),
        ("0 0 12 * * * 2027", "seconds and years are not supported yet"),
        ("0 0 *", "has 3 fields, not 5: write minute hour"),
        ("", "has 0 fields, not 5"),
        ("@reboot", "cron alias '@reboot' is unknown: write @hourly, @daily"),
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
    ],
)
def test_a_cron_trigger_reads_as_english(expression: str, text: str) -> None:
    """Days come first unless it is every day at a steady rate, then times, then the zone."""
    assert Cron(expression, "Europe/Prague").describe() == f"{text} in Europe/Prague"
