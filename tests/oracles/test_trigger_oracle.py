"""Local-time triggers against a slow oracle that looks at every minute: see `scanning`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracles.scanning import MINUTE, ZONES, agree, changes, minutes, scan, stepped, stepped_back, windows
from trioarm.core.instants import instant
from trioarm.core.triggers import Cron, Weekly
from trioarm.core.triggers.civil import Fold, Gap, resolve
from trioarm.core.triggers.zones import ERA, find_zone


def values(low: int, high: int) -> st.SearchStrategy[frozenset[int] | None]:
    """None for `*`, or what a list of numbers holds."""
    few = st.frozensets(st.integers(low, high), min_size=1, max_size=4)
    return st.none() | few | st.sampled_from([frozenset(range(low, high + 1)), frozenset(range(low, high + 1, 7))])


def text(field: frozenset[int] | None) -> str:
    return "*" if field is None else ",".join(map(str, sorted(field)))


@st.composite
def borders(draw: st.DrawFn) -> tuple[str, datetime]:
    """Changes of offset that lie where one era's segments end and the next one's begin."""
    found = [
        (name, change)
        for name in ZONES
        for change in changes(name)
        if not 5 * 86_400_000_000 < (instant(change) % ERA) < ERA - 5 * 86_400_000_000
    ]
    name, change = draw(st.sampled_from(found))
    return name, change + timedelta(minutes=draw(st.integers(-3 * 1440, 1440)))


def within(field: frozenset[int] | None, value: int) -> bool:
    return field is None or value in field


@settings(max_examples=150, deadline=None)
@given(
    window=windows() | borders(),
    minute=values(0, 59),
    hour=values(0, 23),
    monthday=st.none() | values(1, 31),
    weekday=st.none() | values(0, 6),
    policies=st.none() | st.tuples(st.sampled_from(Gap), st.sampled_from(Fold)),
    middle=st.integers(1, 3 * 1440),
)
def test_a_cron_expression_has_the_occurrences_that_a_scan_of_every_minute_finds(
    window: tuple[str, datetime],
    minute: frozenset[int] | None,
    hour: frozenset[int] | None,
    monthday: frozenset[int] | None,
    weekday: frozenset[int] | None,
    policies: tuple[Gap, Fold] | None,
    middle: int,
) -> None:
    """Nothing is skipped or made up around a change of offset, forwards, backwards and counted."""
    name, start = window
    end = start + timedelta(days=3)

    def matches(local: datetime) -> bool:
        if not (within(minute, local.minute) and within(hour, local.hour)):
            return False
        by_monthday, by_weekday = within(monthday, local.day), within(weekday, local.isoweekday() % 7)
        either = monthday is not None and weekday is not None
        return by_monthday or by_weekday if either else by_monthday and by_weekday

    expression = f"{text(minute)} {text(hour)} {text(monthday)} * {text(weekday)}"
    wildcard = minute is None or hour is None
    gap, fold = policies or ((Gap.SKIP, Fold.BOTH) if wildcard else (Gap.RUN_AFTER, Fold.FIRST))
    trigger = Cron(expression, name, gap=policies and gap, fold=policies and fold)
    expected = scan(matches, name, gap, fold, start, end)
    agree(trigger, expected, instant(start), instant(end), instant(start + timedelta(minutes=middle)))


@settings(max_examples=60, deadline=None)
@given(
    window=windows() | borders(),
    days=st.frozensets(st.sampled_from(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]), min_size=4),
    at=st.frozensets(st.integers(0, 1439) | st.integers(0, 240), min_size=1, max_size=5),
    gap=st.sampled_from(Gap),
    fold=st.sampled_from(Fold),
    middle=st.integers(1, 3 * 1440),
)
def test_a_weekly_trigger_has_the_occurrences_that_a_scan_of_every_minute_finds(
    window: tuple[str, datetime],
    days: frozenset[str],
    at: frozenset[int],
    gap: Gap,
    fold: Fold,
    middle: int,
) -> None:
    """Fixed times on days of the week are found under every policy, forwards, backwards and counted."""
    name, start = window
    end = start + timedelta(days=3)

    def matches(local: datetime) -> bool:
        return local.hour * 60 + local.minute in at and local.strftime("%a").lower() in days

    clock = [f"{time // 60:02}:{time % 60:02}" for time in at]
    trigger = Weekly(sorted(days), clock, name, gap=gap, fold=fold)
    expected = scan(matches, name, gap, fold, start, end)
    agree(trigger, expected, instant(start), instant(end), instant(start + timedelta(minutes=middle)))


@settings(max_examples=60, deadline=None)
@given(window=windows(), minute=values(0, 59), hour=values(0, 23))
def test_without_daylight_saving_a_local_time_is_standard_time_all_the_year(
    window: tuple[str, datetime], minute: frozenset[int] | None, hour: frozenset[int] | None
) -> None:
    """With the DST feature off the smaller offset of 1 January and 1 July holds all the year (S4.5)."""
    name, start = window
    if (start.month == 12 and start.day > 26) or (start.month == 1 and start.day < 3):
        start += timedelta(days=10)
    end = start + timedelta(days=2)
    zone = ZoneInfo(name)
    offset = min(datetime(start.year, month, 1, 12, tzinfo=zone).utcoffset() or timedelta(0) for month in (1, 7))
    expected = [
        instant(moment)
        for moment in minutes(start + MINUTE, end + MINUTE)
        if within(minute, (moment + offset).minute) and within(hour, (moment + offset).hour)
    ]
    trigger = Cron(f"{text(minute)} {text(hour)} * * *", name, dst=False)
    agree(trigger, expected, instant(start), instant(end), instant(start + timedelta(days=1)))


@settings(max_examples=100, deadline=None)
@given(
    name=st.sampled_from(ZONES),
    start=st.datetimes(datetime.fromisoformat("1880-01-01"), datetime.fromisoformat("2100-01-01")),
    days=st.integers(1, 1500),
    gap=st.sampled_from(Gap),
    fold=st.sampled_from(Fold),
)
def test_a_count_over_years_is_the_number_of_steps(name: str, start: datetime, days: int, gap: Gap, fold: Fold) -> None:
    """Counting is arithmetic, and still agrees with stepping through every occurrence."""
    trigger = Weekly(["mon", "wed", "sun"], ["00:15", "02:30:15"], name, gap=gap, fold=fold)
    after = instant(start.replace(tzinfo=UTC))
    until = after + days * 86_400_000_000
    found = stepped(trigger, after, until)
    assert trigger.count(after, until) == len(found)
    assert stepped_back(trigger, after, until) == found


@pytest.mark.parametrize("name", ZONES)
def test_the_instants_of_a_local_time_are_those_that_show_it(name: str) -> None:
    """What `resolve` gives shows that local time on the wall, and is earliest first."""
    zone, epoch = find_zone(name), datetime.fromisoformat("1970-01-01")
    for change in changes(name)[-40:]:
        for step in range(-24 * 4, 4):
            local = (change.replace(tzinfo=None) + timedelta(minutes=30 * step) - epoch) // timedelta(microseconds=1)
            both = resolve(zone, local, Gap.SKIP, Fold.BOTH)
            assert [zone.to_local(at) for at in both] == [local] * len(both)
            assert list(both) == sorted(set(both))
            assert resolve(zone, local, Gap.SKIP, Fold.FIRST) == both[:1]
            assert resolve(zone, local, Gap.SKIP, Fold.SECOND) == both[-1:]
            assert len(resolve(zone, local, Gap.RUN_AFTER, Fold.BOTH)) == max(1, len(both))
            assert len(resolve(zone, local, Gap.SHIFT, Fold.FIRST)) == 1
