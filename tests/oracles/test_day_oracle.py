"""Days found by place, from the end, by nearness and by counting, against a calendar and a scan of every minute."""

from __future__ import annotations

import calendar
from collections.abc import Callable
from datetime import date, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracles.scanning import agree, scan, windows
from trioarm.core.errors import InvalidTrigger
from trioarm.core.instants import instant
from trioarm.core.triggers import Cron, Interval, Monthly, Trigger, Yearly
from trioarm.core.triggers.civil import Fold, Gap

DayMatcher = Callable[[date], bool]
NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")  # as `date.weekday` counts
Rule = tuple[str, str, object, DayMatcher]  # the field of cron it stands in, its text there, its day in `Monthly`


def length(day: date) -> int:
    return calendar.monthrange(day.year, day.month)[1]


def column(day: date, weekday: int) -> list[int]:
    """The days of the month on one day of the week, as a calendar on the wall has them in a column."""
    weeks = calendar.monthcalendar(day.year, day.month)
    return [week[weekday] for week in weeks if week[weekday]]


def workday_near(day: date, number: int) -> int:
    """Of all workdays of the month the one with the smallest distance; no two have the same."""
    workdays = [one for week in calendar.monthcalendar(day.year, day.month) for one in week[:5] if one]
    return min(workdays, key=lambda one: abs(one - number))


def rules(day: date) -> list[Rule]:
    """Rules of all sorts that have something to do with a day: most of them mean it, some the day beside it."""
    back, weekday, place = length(day) - day.day, day.weekday(), (day.day + 6) // 7
    near = min(day.day + 1, 31)
    return [
        ("day", str(day.day), day.day, lambda one: one.day == day.day),
        ("day", f"{day.day}W", None, lambda one: day.day <= length(one) and one.day == workday_near(one, day.day)),
        ("day", f"{near}W", None, lambda one: near <= length(one) and one.day == workday_near(one, near)),
        ("day", "L", "last", lambda one: one.day == length(one)),
        ("day", f"L-{max(back, 1)}", None, lambda one: one.day == length(one) - max(back, 1)),
        ("day", "LW", "last workday", lambda one: one.day == workday_near(one, length(one))),
        ("day", "1W", "first workday", lambda one: one.day == workday_near(one, 1)),
        ("week", NAMES[weekday], None, lambda one: one.weekday() == weekday),
        (
            "week",
            f"{NAMES[weekday]}#{place}",
            f"{(*'0', '1st', '2nd', '3rd', '4th', '5th')[place]} {NAMES[weekday]}",
            lambda one: one.day in column(one, weekday)[place - 1 : place],
        ),
        ("week", f"{NAMES[weekday]}L", f"last {NAMES[weekday]}", lambda one: one.day == column(one, weekday)[-1]),
    ]


@st.composite
def ruled_windows(draw: st.DrawFn) -> tuple[str, datetime, list[Rule]]:
    """A window around a change of offset, and up to four rules that mean days in it or near it."""
    name, start = draw(windows())
    near = draw(st.lists(st.integers(-1, 4), min_size=1, max_size=2))
    offered = [rule for days in near for rule in rules((start + timedelta(days=days)).date())]
    return name, start, draw(st.lists(st.sampled_from(offered), min_size=1, max_size=4))


CLOCKS = st.frozensets(st.integers(0, 1439) | st.integers(0, 240), min_size=1, max_size=4)


def clock_of(at: frozenset[int]) -> list[str]:
    return [f"{time // 60:02}:{time % 60:02}" for time in at]


def agree_with_scan(trigger: Trigger, days: DayMatcher, at: frozenset[int], window: tuple[str, datetime]) -> None:
    """What a trigger of fixed times answers over three days is what a scan of every minute finds."""
    name, start = window
    end = start + timedelta(days=3)
    expected = scan(
        lambda local: local.hour * 60 + local.minute in at and days(local.date()),
        name,
        Gap.RUN_AFTER,
        Fold.FIRST,
        start,
        end,
    )
    agree(trigger, expected, instant(start), instant(end), instant(start + timedelta(hours=31)))


@settings(max_examples=70, deadline=None)
@given(
    window=ruled_windows(),
    minutes=st.frozensets(st.integers(0, 59), min_size=1, max_size=3),
    hours=st.frozensets(st.integers(0, 3) | st.integers(0, 23), min_size=1, max_size=3),
    both=st.booleans(),
)
def test_days_from_the_end_by_place_and_by_nearness_are_those_of_a_calendar(
    window: tuple[str, datetime, list[Rule]], minutes: frozenset[int], hours: frozenset[int], both: bool
) -> None:
    """L, L-n, LW, nW, # and lists of them, joined by OR or by `+`: as a calendar on the wall shows them."""
    name, start, drawn = window
    by_day = [rule for rule in drawn if rule[0] == "day"]
    by_week = [rule for rule in drawn if rule[0] == "week"]
    day, week = (",".join(rule[1] for rule in some) or "*" for some in (by_day, by_week))

    def days(one: date) -> bool:
        each = [any(rule[3](one) for rule in some) for some in (by_day, by_week) if some]
        return all(each) if both else any(each)

    at = frozenset(hour * 60 + minute for hour in hours for minute in minutes)
    minute, hour = (",".join(map(str, sorted(some))) for some in (minutes, hours))
    expression = f"{minute} {hour} {day} * {'+' if both else ''}{week}"
    try:
        trigger = Cron(expression, name)
    except InvalidTrigger:  # such as a workday that is a Sunday: calendars repeat every 28 years in these centuries
        assert not any(days(start.date() + timedelta(days=later)) for later in range(28 * 366))
        return
    agree_with_scan(trigger, days, at, (name, start))


@settings(max_examples=60, deadline=None)
@given(window=ruled_windows(), at=CLOCKS, clamp=st.booleans(), apart=st.booleans())
def test_a_monthly_or_yearly_trigger_has_the_days_of_a_calendar(
    window: tuple[str, datetime, list[Rule]], at: frozenset[int], clamp: bool, apart: bool
) -> None:
    """Days by number, name and place, in every month or in one, with both policies for the end of the month."""
    name, start, drawn = window
    month = (start + timedelta(days=2)).month
    chosen = [rule[2] for rule in drawn if rule[2] is not None] or ["last"]
    numbers = [day for day in chosen if isinstance(day, int)]
    matchers = [rule[3] for rule in drawn if rule[2] is not None] or [lambda one: one.day == length(one)]

    def days(one: date) -> bool:
        clamped = clamp and one.day == length(one) and any(number > one.day for number in numbers)
        return (not apart or one.month == month) and (clamped or any(matcher(one) for matcher in matchers))

    policy = "clamp" if clamp else "skip"
    if apart and all(number <= 28 for number in numbers):
        trigger: Trigger = Yearly(month, chosen, clock_of(at), name, month_end=policy)
    elif apart:
        chosen, numbers = [*chosen, 28], [*numbers, 28]
        matchers.append(lambda one: one.day == 28)
        trigger = Monthly(chosen, clock_of(at), name, months=month, month_end=policy)
    else:
        trigger = Monthly(chosen, clock_of(at), name, month_end=policy)
    agree_with_scan(trigger, days, at, (name, start))


@settings(max_examples=60, deadline=None)
@given(
    window=windows(),
    at=CLOCKS,
    unit=st.sampled_from(["days", "weeks", "months", "years"]),
    count=st.integers(1, 4),
    turns=st.integers(-50, 50),
    near=st.integers(-1, 4),
    clamp=st.booleans(),
)
def test_an_interval_has_the_days_that_counting_from_its_start_gives(
    window: tuple[str, datetime], at: frozenset[int], unit: str, count: int, turns: int, near: int, clamp: bool
) -> None:
    """Its start lies years away, and the days it counts to are those of the calendar."""
    name, begin = window
    day = (begin + timedelta(days=near)).date()
    if unit in ("days", "weeks"):
        step = count * (7 if unit == "weeks" else 1)
        start = day + timedelta(days=step * turns)
    else:
        step = count * (12 if unit == "years" else 1)
        index = day.year * 12 + day.month - 1 + step * turns
        year, month = index // 12, index % 12 + 1
        start = date(year, month, min(31 if day.day == length(day) else day.day, length(date(year, month, 1))))

    def days(one: date) -> bool:
        if unit in ("days", "weeks"):
            return (one - start).days % step == 0
        if ((one.year - start.year) * 12 + one.month - start.month) % step:
            return False
        return one.day == (min(start.day, length(one)) if clamp else start.day)

    trigger = Interval(
        **{unit: count},
        at=clock_of(at),
        start=start,
        timezone=name,
        month_end="clamp" if clamp else "skip",
    )
    agree_with_scan(trigger, days, at, window)
