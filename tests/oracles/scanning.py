"""Scanning: a slow oracle for triggers of local time, that looks at every minute with zoneinfo alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from trioarm.core.instants import instant
from trioarm.core.triggers import Trigger
from trioarm.core.triggers.civil import Fold, Gap

ZONES = (
    "Europe/Prague",
    "America/New_York",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Africa/Casablanca",
    "Antarctica/Troll",
    "America/Santiago",
    "Africa/Cairo",
    "Asia/Kathmandu",
    "Europe/Dublin",
    "Asia/Gaza",
    "Pacific/Kwajalein",
    "America/Noronha",
    "Etc/GMT+5",
)
MINUTE = timedelta(minutes=1)
Matcher = Callable[[datetime], bool]  # does a rule mean this naive local minute?


@cache
def changes(name: str) -> tuple[datetime, ...]:
    """The days, in UTC, before which the zone's offset changed, from 1970 to 2037; at least one day."""
    zone = ZoneInfo(name)
    days = [datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in range(68 * 365)]
    offsets = [day.astimezone(zone).utcoffset() for day in days]
    return tuple(
        day for day, before, after in zip(days[1:], offsets, offsets[1:], strict=False) if before != after
    ) or (datetime(2000, 1, 1, tzinfo=UTC),)


def scan(matches: Matcher, name: str, gap: Gap, fold: Fold, start: datetime, end: datetime) -> list[int]:
    """Every occurrence in `(start, end]`, found by looking at each minute from a day before."""
    zone = ZoneInfo(name)
    found = set()
    at = start - timedelta(days=1, hours=2)
    shown = at.astimezone(zone).replace(tzinfo=None)
    while at <= end:
        at += MINUTE
        before, local = shown + MINUTE, at.astimezone(zone)
        shown = local.replace(tzinfo=None)
        if matches(shown) and passes(local, fold):
            found.add(at)
        if before < shown and gap is not Gap.SKIP:
            for missing in filter(matches, minutes(before, shown)):
                found.add(at if gap is Gap.RUN_AFTER else at + (missing - before))
    return [instant(moment) for moment in sorted(found) if start < moment <= end]


def minutes(start: datetime, end: datetime) -> Iterator[datetime]:
    while start < end:
        yield start
        start += MINUTE


def passes(local: datetime, fold: Fold) -> bool:
    repeated = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
    return not repeated or fold is Fold.BOTH or (local.fold == 0) == (fold is Fold.FIRST)


def stepped(trigger: Trigger, start: int, end: int) -> list[int]:
    found = []
    at = trigger.next_after(start)
    while at is not None and at <= end:
        assert at > (found[-1] if found else start)
        found.append(at)
        at = trigger.next_after(at)
    return found


def stepped_back(trigger: Trigger, start: int, end: int) -> list[int]:
    found = []
    at = trigger.previous_before(end + 1)
    while at is not None and at > start:
        found.append(at)
        at = trigger.previous_before(at)
    return found[::-1]


def agree(trigger: Trigger, expected: list[int], start: int, end: int, middle: int) -> None:
    """Every question a trigger answers gives the expected occurrences."""
    assert stepped(trigger, start, end) == expected
    assert stepped_back(trigger, start, end) == expected
    assert trigger.count(start, end) == len(expected)
    assert trigger.count(start, middle) == sum(1 for at in expected if at <= middle)
    assert trigger.count(middle, end) == sum(1 for at in expected if at > middle)
    assert trigger.next_after(middle) == next((at for at in expected if at > middle), trigger.next_after(end))
    earlier = [at for at in expected if at < middle]
    assert trigger.previous_before(middle) == (earlier[-1] if earlier else trigger.previous_before(start + 1))


@st.composite
def windows(draw: st.DrawFn) -> tuple[str, datetime]:
    name = draw(st.sampled_from(ZONES))
    around = draw(st.sampled_from(changes(name)))
    return name, around + timedelta(minutes=draw(st.integers(-2 * 1440, 1440)))
