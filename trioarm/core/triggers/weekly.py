"""Weekly: fixed times of day on some days of the week, in a zone (S4.2)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import attrs

from trioarm.core.errors import InvalidTrigger
from trioarm.core.triggers.civil import (
    Fold,
    Gap,
    LocalTrigger,
    Timeline,
    find_timeline,
    fold_policy,
    gap_policy,
)
from trioarm.core.triggers.daytimes import listed_texts, shared_times, times_of_day
from trioarm.core.triggers.timetable import Days, Timetable, shared_days
from trioarm.core.triggers.wording import WEEKDAYS, spell_timetable
from trioarm.core.triggers.zones import zone_name

TIMETABLES_MAX = 4096  # kept so that equal schedules share them

_WEEK = (*WEEKDAYS[1:], WEEKDAYS[0])  # a person's week starts on Monday
_LONG_NAMES = {"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}


def _to_days(value: Iterable[str]) -> tuple[str, ...]:
    given = {_to_day(name) for name in listed_texts(value, "days", 'write them like ["mon", "tue"]')}
    return tuple(name for name in _WEEK if name in given)


def _to_day(name: str) -> str:
    lowered = name.strip().lower()
    if lowered not in _WEEK and lowered not in _LONG_NAMES:
        raise InvalidTrigger(f"{name[:40]!r} is no day of the week: write mon, tue, wed, thu, fri, sat or sun")
    return lowered[:3]


@lru_cache(maxsize=TIMETABLES_MAX)
def _timetable(days: tuple[str, ...], at: tuple[str, ...]) -> Timetable:
    return Timetable(shared_days(Days(weekdays=weekdays(days))), shared_times(at))


def weekdays(names: Iterable[str]) -> int:
    """Return days of the week as bits, 0 for Sunday.

    Raises:
        InvalidTrigger: a name is none of a day.
    """
    return sum(1 << WEEKDAYS.index(name) for name in _to_days(names))


def weekday_names(bits: int) -> tuple[str, ...]:
    """Return the short names of days of the week, from Monday on."""
    return tuple(name for name in _WEEK if bits >> WEEKDAYS.index(name) & 1)


@attrs.frozen(slots=True, weakref_slot=False)
class Weekly(LocalTrigger):
    """Fixed times of day on days of the week (S4.2, S4.3).

    Args:
        days: names such as `mon` or `Monday`; kept short, sorted and without doubles.
        at: one or more times of day, `22:30` or `22:30:15`; kept sorted and without doubles.
        timezone: a key of the tz database.
        gap: what becomes of a time that a change of offset leaves out.
        fold: which pass of a repeated time counts.
        dst: False for standard time all the year (S4.5).

    Raises:
        InvalidTrigger: a day, a time, the zone or a policy is not understood, or there is none.
    """

    days: tuple[str, ...] = attrs.field(converter=_to_days)
    at: tuple[str, ...] = attrs.field(converter=times_of_day)
    timezone: str = attrs.field(default="UTC", converter=zone_name)
    gap: Gap = attrs.field(default=Gap.RUN_AFTER, converter=gap_policy, kw_only=True)
    fold: Fold = attrs.field(default=Fold.FIRST, converter=fold_policy, kw_only=True)
    dst: bool = attrs.field(default=True, kw_only=True)
    _times: Timetable = attrs.field(init=False, eq=False, repr=False)
    _timeline: Timeline = attrs.field(init=False, eq=False, repr=False)

    @_times.default
    def _compile(self) -> Timetable:
        return _timetable(self.days, self.at)

    @_timeline.default
    def _place(self) -> Timeline:
        return find_timeline(self.timezone, self.dst, self.gap, self.fold)

    def describe(self) -> str:
        """Return the rule in plain English, such as `mon to thu and sun at 22:30 in Europe/Prague`."""
        return f"{spell_timetable(self._times)} {self._timeline.describe()}"
