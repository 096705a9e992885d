"""Weekly: fixed times of day on some days of the week, in a zone (S4.2)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

import attrs

from trioarm.core.errors import InvalidTrigger
from trioarm.core.instants import MINUTE, SECOND
from trioarm.core.triggers.civil import (
    Fold,
    Gap,
    LocalTrigger,
    Timeline,
    find_timeline,
    fold_policy,
    gap_policy,
)
from trioarm.core.triggers.timetable import Days, Times, Timetable
from trioarm.core.triggers.wording import WEEKDAYS, spell_timetable
from trioarm.core.triggers.zones import zone_name

TIMES_MAX = 1440  # one a minute: who wants more wants another trigger
TIMETABLES_MAX = 4096  # kept so that equal schedules share them, about a kilobyte each

_TIME = re.compile(r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?")
_WEEK = (*WEEKDAYS[1:], WEEKDAYS[0])  # a person's week starts on Monday
_LONG_NAMES = {"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}


def _to_days(value: Iterable[str]) -> tuple[str, ...]:
    given = {_to_day(name) for name in _listed(value, "days", 'write them like ["mon", "tue"]')}
    return tuple(name for name in _WEEK if name in given)


def _to_day(name: str) -> str:
    lowered = name.strip().lower()
    if lowered not in _WEEK and lowered not in _LONG_NAMES:
        raise InvalidTrigger(f"{name[:40]!r} is no day of the week: write mon, tue, wed, thu, fri, sat or sun")
    return lowered[:3]


def _to_times(value: Iterable[str]) -> tuple[str, ...]:
    listed = _listed(value, "at", 'write it like "22:30" or ["06:30", "22:30:15"]')
    if len(listed) > TIMES_MAX:
        raise InvalidTrigger(f"{len(listed)} times a day are too many: at most {TIMES_MAX}")
    return tuple(sorted({time_of_day(text) for text in listed}))


def time_of_day(text: str) -> str:
    """Return a time of day as `22:30`, or `22:30:15` where it has seconds.

    Raises:
        InvalidTrigger: it is none.
    """
    found = _TIME.fullmatch(text.strip())
    hour, minute, second = (int(part or 0) for part in found.groups()) if found else (24, 0, 0)
    if hour > 23 or minute > 59 or second > 59:
        raise InvalidTrigger(f"{text[:40]!r} is no time of day: write it like 22:30 or 22:30:15")
    return f"{hour:02}:{minute:02}" + (f":{second:02}" if second else "")


def _listed(value: object, field: str, hint: str) -> list[str]:
    """Return one or several texts as a list, so that a lone text is not read letter by letter."""
    items = [value] if isinstance(value, str) else list(value) if isinstance(value, Iterable) else []
    texts = [item for item in items if isinstance(item, str)]
    if not texts or len(texts) != len(items):
        raise InvalidTrigger(f"{field} must be one or more texts: {hint}")
    return texts


@lru_cache(maxsize=TIMETABLES_MAX)
def _timetable(days: tuple[str, ...], at: tuple[str, ...]) -> Timetable:
    rows: list[list[int]] = [[] for _ in range(24)]
    for text in at:
        hour, minute, second = (*map(int, text.split(":")), 0)[:3]
        rows[hour].append(minute * MINUTE + second * SECOND)
    return Timetable(Days(weekdays=weekdays(days)), Times(tuple(map(tuple, rows))))


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
    at: tuple[str, ...] = attrs.field(converter=_to_times)
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
