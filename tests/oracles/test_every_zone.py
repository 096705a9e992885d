"""Every zone of the tz database, around changes of its clocks from 1970 to 2037, against zoneinfo alone.

A local time happens at the instants that show it; PEP 495 gives both. One that none shows lies in a gap, and a fixed
time runs at the end of it: the moment of the change.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo, available_timezones

from trioarm.core.instants import instant
from trioarm.core.triggers import Cron, Trigger, Weekly

ALL = sorted(available_timezones())
START, END = datetime(1970, 1, 1, tzinfo=UTC), datetime(2038, 1, 1, tzinfo=UTC)
SAMPLE = timedelta(days=21)  # changes that are undone sooner are seen by the tests that look at every day
AROUND, QUARTER = timedelta(hours=2), timedelta(minutes=15)
CLOCK = [f"{quarter // 4:02}:{quarter % 4 * 15:02}" for quarter in range(96)]
SECONDS = 0, 20  # past the quarter, at the first and the second change that is tested
WEEK = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def offset(zone: ZoneInfo, at: datetime) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta(0)


def around_changes(zone: ZoneInfo) -> Iterator[datetime]:
    """The samples before which the zone's offset changed since the sample before."""
    low, before = START, offset(zone, START)
    while low < END:
        high = low + SAMPLE
        after = offset(zone, high)
        if after != before:
            yield high
        low, before = high, after


def change_before(zone: ZoneInfo, sample: datetime) -> datetime:
    """The instant at which the zone's offset changed before a sample, found by halving."""
    left, right = sample - SAMPLE, sample
    before = offset(zone, left)
    while right - left > timedelta(seconds=1):
        middle = left + (right - left) // 2 // timedelta(seconds=1) * timedelta(seconds=1)
        left, right = (middle, right) if offset(zone, middle) == before else (left, middle)
    return right


def expected(
    zone: ZoneInfo, change: datetime, second: int, low: datetime, high: datetime
) -> tuple[list[int], list[int]]:
    """The instants in `(low, high]` of a second of every quarter of an hour: as fixed times, and as a wildcard."""
    offsets = offset(zone, low), offset(zone, high)
    local = (low + min(offsets)).replace(tzinfo=None, minute=0, second=second) - timedelta(hours=1)
    end = (high + max(offsets)).replace(tzinfo=None)
    fixed, wildcard = set(), set()
    while local <= end:
        both = [local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]
        shown = [at for at in both if at.astimezone(zone).replace(tzinfo=None) == local]
        fixed.add(shown[0] if shown else change)
        wildcard.update(shown)
        local += QUARTER
    return tuple(sorted(instant(at) for at in found if low < at <= high) for found in (fixed, wildcard))  # type: ignore[return-value]


def stepped(trigger: Trigger, low: int, high: int) -> list[int]:
    found = []
    at = trigger.next_after(low)
    while at is not None and at <= high:
        found.append(at)
        at = trigger.next_after(at)
    return found


def test_every_zone_keeps_fixed_times_and_follows_elapsed_time() -> None:
    """Around a change no quarter of an hour is lost, doubled or made up, whichever the zone."""
    tested = 0
    for name in ALL:
        zone = ZoneInfo(name)
        found = list(around_changes(zone))
        drawn = Random(name).sample(found, min(len(SECONDS), len(found)))
        changes = [change_before(zone, sample) for sample in drawn] or [END - timedelta(days=3650)]
        for change, second in zip(changes, SECONDS, strict=False):
            low, high = change - AROUND, change + AROUND
            fixed, wildcard = expected(zone, change, second, low, high)
            for trigger, wanted in (
                (Cron(f"{second} 0,15,30,45 0-23 * * *", name), fixed),
                (Weekly(WEEK, [f"{time}:{second:02}" for time in CLOCK], name), fixed),
                (Cron(f"{second} */15 * * * *", name), wildcard),
            ):
                assert stepped(trigger, instant(low), instant(high)) == wanted, (name, change, trigger)
                assert trigger.count(instant(low), instant(high)) == len(wanted), (name, change, trigger)
                assert trigger.previous_before(instant(high) + 1) == wanted[-1], (name, change, trigger)
        tested += 1
    assert tested == len(available_timezones()) > 400
