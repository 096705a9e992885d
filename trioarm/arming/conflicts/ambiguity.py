"""Ambiguity: times shortly after midnight on some days of the week, which people mean otherwise than they say (A4.4).

Friday 00:30 is in the night that begins on Thursday, but who goes to bed on Friday means the one after it. Nobody can
tell from the schedule, so it is shown, with the next date, and whoever meant the other night changes the day. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final

import attrs

from trioarm.core.forecast import Foreseen, local_time
from trioarm.core.instants import DAY
from trioarm.core.schedule import Schedule
from trioarm.core.triggers import Excepted, own_zone

MORNING: Final = 4  # o'clock: until then people say that it is still night
LOOKED: Final = 28 * DAY  # ahead: four of each day of the week
WEEKLY_MIN: Final = 3  # of the four, so that a holiday or a change of the clocks leaves a day what it is
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LOOKED_AT_MAX: Final = 1_000  # occurrences of one schedule: what comes so often is of every night


@attrs.frozen(slots=True)
class Ambiguous:
    """A time of day after midnight that a schedule has on some days of the week and not on others.

    Args:
        at: such as `00:30`.
        days: of the week, 0 for Monday.
        next_at: when it comes next, on the wall.
    """

    at: str
    days: tuple[int, ...]
    next_at: datetime

    def __str__(self) -> str:
        """Say it: which nights these are, the next of them, and what to write for the others."""
        said, others = _listed(self.days), _listed((day + 1) % 7 for day in self.days)
        return (
            f"{self.at} on {said} is in the night before that day: next {self.next_at:%Y-%m-%d %H:%M}, "
            f"in {night_of(self.next_at)}; if the nights after are meant, say {others}"
        )


def ambiguous(schedule: Schedule, now: int) -> Iterator[Ambiguous]:
    """Yield the times of a schedule that may be meant for another night, by what it yields from now on.

    Args:
        schedule: with the trigger that somebody declared.
        now: microseconds since 1970 UTC.
    """
    found: dict[str, list[datetime]] = {}
    for local_at in _after_midnight(schedule, now):
        found.setdefault(_time_of(local_at), []).append(local_at)
    for at, instants in sorted(found.items()):
        days = [one.weekday() for one in instants]
        weekly = tuple(day for day in range(7) if days.count(day) >= WEEKLY_MIN)
        if weekly and len({*days}) < 7:
            yield Ambiguous(at, weekly, next(one for one in instants if one.weekday() in weekly))


class Nights:
    """Tells of which night what is foreseen is, where that is ambiguous.

    Args:
        schedules: of the engine; those that arm nothing have their times as they say.
        now: microseconds since 1970 UTC.
    """

    def __init__(self, schedules: Iterable[Schedule], now: int) -> None:
        arming = [one for one in schedules if "target" in one.args and "exception" not in one.args]
        self._times = {one.name: {found.at for found in ambiguous(_as_ever(one), now)} for one in arming}

    def of(self, item: Foreseen) -> str | None:
        """Return the night in words; None where everybody means the same."""
        zone = own_zone(item.schedule.trigger)
        if zone is None or not self._times.get(item.schedule.name):
            return None
        local_at = local_time(item.nominal_at, zone)
        return night_of(local_at) if _time_of(local_at) in self._times[item.schedule.name] else None


def _as_ever(schedule: Schedule) -> Schedule:
    """Return a schedule without what is left out of it for some days."""
    trigger = schedule.trigger
    return attrs.evolve(schedule, trigger=trigger.of) if isinstance(trigger, Excepted) else schedule


def _time_of(local_at: datetime) -> str:
    return f"{local_at:%H:%M:%S}".removesuffix(":00")


def night_of(local_at: datetime) -> str:
    """Return the night that a time shortly after midnight lies in, in words."""
    return f"the night from {local_at - timedelta(days=1):%A} to {local_at:%A}"


def _after_midnight(schedule: Schedule, now: int) -> Iterator[datetime]:
    zone = own_zone(schedule.trigger)
    if zone is None or not schedule.enabled:
        return
    start = now if schedule.start_at is None else max(now, schedule.start_at - 1)
    at = schedule.next_after(start, schedule.trigger)
    for _ in range(LOOKED_AT_MAX):
        if at is None or at > start + LOOKED:
            return
        local_at = local_time(at, zone)
        if local_at.hour < MORNING:
            yield local_at
        at = schedule.next_after(at, schedule.trigger)


def _listed(days: Iterable[int]) -> str:
    return ", ".join(DAYS[day] for day in days)
