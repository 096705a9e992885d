"""Monthly and yearly: fixed times of day on some days of the month, in a zone (S4.2)."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache
from typing import TypeAlias

import attrs

from trioarm.core.errors import InvalidTrigger
from trioarm.core.reading import show
from trioarm.core.triggers.civil import (
    Fold,
    Gap,
    LocalTrigger,
    Timeline,
    find_timeline,
    fold_policy,
    gap_policy,
)
from trioarm.core.triggers.cron_fields import MONTH, WEEKDAY
from trioarm.core.triggers.daytimes import shared_times, times_of_day
from trioarm.core.triggers.months import NTH_LAST, WEEKDAYS_ALL, month_length
from trioarm.core.triggers.timetable import MONTHDAYS_ALL, Days, Timetable, shared_days
from trioarm.core.triggers.wording import MONTHS, WEEKDAYS, ordinal, spell_timetable
from trioarm.core.triggers.zones import zone_name

DAYS_MAX = 100  # of one trigger: more than there are to choose from
TIMETABLES_MAX = 4096  # kept so that equal schedules share them

Day: TypeAlias = int | str

_WEEK = (*range(1, 7), 0)  # a person's week starts on Monday
_PLACES = tuple("last" if place == NTH_LAST else ordinal(place + 1) for place in range(NTH_LAST + 1))
_WORDED = {
    "last": ("from_end", 0),
    "first workday": ("nearest", 1),
    "last workday": ("nearest", 0),
    **{
        f"{name} {WEEKDAYS[weekday]}": ("nth", 7 * place + weekday)
        for place, name in enumerate(_PLACES)
        for weekday in _WEEK
    },
}  # what a day may be called, and its bit in which part of `Days`
_RANKS = {name: rank for rank, name in enumerate(_WORDED)}
_SPOKEN = {"first": "1st", "second": "2nd", "third": "3rd", "fourth": "4th", "fifth": "5th"}
_ALIASES = {"last day": "last", "1st workday": "first workday"}
_WRITE = '1 to 31, "last", "2nd tue", "last fri", "first workday" or "last workday"'


class MonthEnd(StrEnum):
    """What becomes of a day in a month that is too short for it (S4.2)."""

    CLAMP = "clamp"  # its last day
    SKIP = "skip"  # nothing that month


def month_end_policy(value: str) -> MonthEnd:
    """Turn `clamp` or `skip` into a `MonthEnd`.

    Raises:
        InvalidTrigger: it is neither.
    """
    try:
        return MonthEnd(value)
    except ValueError:
        raise InvalidTrigger(f"month_end {value!r} is unknown: write clamp or skip") from None


def days_of_month(value: Day | Iterable[Day]) -> tuple[Day, ...]:
    """Return one or several days of the month in one spelling, sorted and without doubles.

    Raises:
        InvalidTrigger: one is not understood, or there is none, or there are too many.
    """
    items = [value] if isinstance(value, int | str) else list(value) if isinstance(value, Iterable) else []
    if not 1 <= len(items) <= DAYS_MAX:
        raise InvalidTrigger(f"day must be one or more, at most {DAYS_MAX}, of {_WRITE}")
    days = {_day_of_month(item) for item in items}
    return tuple(sorted(days, key=lambda day: day if isinstance(day, int) else 32 + _RANKS[day]))


def _day_of_month(item: object) -> Day:
    if isinstance(item, int) and not isinstance(item, bool) and 1 <= item <= 31:
        return int(item)
    if isinstance(item, str):
        words = [_SPOKEN.get(word, word) for word in item.lower().split()]
        name = " ".join(WEEKDAYS[WEEKDAY.names[word]] if word in WEEKDAY.names else word for word in words)
        name = _ALIASES.get(name, name)
        if name in _WORDED:
            return name
    raise InvalidTrigger(f"{show(item)} is no day of a month: write {_WRITE}")


def months_of_year(value: Day | Iterable[Day] | None) -> tuple[str, ...]:
    """Return one or several months, names or 1 to 12, as their short names in order; None is all of them.

    Raises:
        InvalidTrigger: one is not understood, or there is none.
    """
    if value is None:
        return MONTHS
    items = [value] if isinstance(value, int | str) else list(value) if isinstance(value, Iterable) else []
    if not items:
        raise InvalidTrigger('months must be one or more, such as "jan" or ["jan", "jul"]')
    given = {month_of_year(item) for item in items}
    return tuple(name for name in MONTHS if name in given)


def month_of_year(value: object) -> str:
    """Return a month, a name or 1 to 12, as its short name.

    Raises:
        InvalidTrigger: it is none.
    """
    number = MONTH.names.get(value.strip().lower()) if isinstance(value, str) else value
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= 12:
        raise InvalidTrigger(f"{show(value)} is no month: write jan to dec, or 1 to 12")
    return MONTHS[number - 1]


@lru_cache(maxsize=TIMETABLES_MAX)
def _timetable(day: tuple[Day, ...], months: tuple[str, ...], at: tuple[str, ...], clamp: bool) -> Timetable:
    bits = {"monthdays": 0, "from_end": 0, "nearest": 0, "nth": 0}
    for one in day:
        part, place = ("monthdays", one) if isinstance(one, int) else _WORDED[one]
        bits[part] |= 1 << place
    numbers = [MONTHS.index(name) + 1 for name in months]
    shortest = min(month_length(2027, number) for number in numbers)  # of no leap year
    if clamp and shortest < 31 and bits["monthdays"] >> 31:
        bits["monthdays"] ^= 1 << 31
        bits["from_end"] |= 1
    by_month, by_week = bits["monthdays"] | bits["from_end"] | bits["nearest"], bits["nth"]
    days = Days(
        sum(1 << number for number in numbers),
        bits["monthdays"] if by_month else MONTHDAYS_ALL,
        0 if by_week else WEEKDAYS_ALL,
        either=bool(by_month and by_week),
        from_end=bits["from_end"],
        nearest=bits["nearest"],
        nth=by_week,
        clamp=clamp and bits["monthdays"] >> shortest + 1 > 0,
    )
    if days.next_after(-1) is None:
        raise InvalidTrigger(f"day {day[0]} of {' and '.join(months)} never happens: no such month is that long")
    return Timetable(shared_days(days), shared_times(at))


@attrs.frozen(slots=True, weakref_slot=False)
class Monthly(LocalTrigger):
    """Fixed times of day on days of the month (S4.2, S4.3). Two that mean the same are equal.

    Whoever writes 31 means the last day, so a shorter month has its last day unless `month_end` is `skip`: a house
    that is armed twelve times a year must not be left open five times. Calendars and RRULE skip; cron's `31` does.

    Args:
        day: one or more of 1 to 31, `last`, `2nd tue` (1st to 5th), `last fri`, `first workday`, `last workday`.
        at: one or more times of day, `22:30` or `22:30:15`.
        timezone: a key of the tz database.
        months: the months that count, names such as `jan` or 1 to 12; all by default.
        month_end: what becomes of a numbered day in a month that is too short for it. A month of four tuesdays has
            no `5th tue` in any case.
        gap: what becomes of a time that a change of offset leaves out.
        fold: which pass of a repeated time counts.
        dst: False for standard time all the year (S4.5).

    Raises:
        InvalidTrigger: a day, a month, a time, the zone or a policy is not understood, or it never happens.
    """

    day: tuple[Day, ...] = attrs.field(converter=days_of_month, eq=False)
    at: tuple[str, ...] = attrs.field(converter=times_of_day, eq=False)
    timezone: str = attrs.field(default="UTC", converter=zone_name, eq=False)
    months: tuple[str, ...] = attrs.field(default=None, converter=months_of_year, kw_only=True, eq=False)
    month_end: MonthEnd = attrs.field(default=MonthEnd.CLAMP, converter=month_end_policy, kw_only=True, eq=False)
    gap: Gap = attrs.field(default=Gap.RUN_AFTER, converter=gap_policy, kw_only=True, eq=False)
    fold: Fold = attrs.field(default=Fold.FIRST, converter=fold_policy, kw_only=True, eq=False)
    dst: bool = attrs.field(default=True, kw_only=True, eq=False)
    _times: Timetable = attrs.field(init=False, repr=False)
    _timeline: Timeline = attrs.field(init=False, repr=False)

    @_times.default
    def _compile(self) -> Timetable:
        return _timetable(self.day, self.months, self.at, self.month_end is MonthEnd.CLAMP)

    @_timeline.default
    def _place(self) -> Timeline:
        return find_timeline(self.timezone, self.dst, self.gap, self.fold)

    def describe(self) -> str:
        """Return the rule in plain English, such as `on the 2nd tue of every month at 06:30 in Europe/Prague`."""
        return f"{spell_timetable(self._times)} {self._timeline.describe()}"


@attrs.frozen(slots=True, weakref_slot=False)
class Yearly(LocalTrigger):
    """Fixed times of day on days of one month of the year (S4.2, S4.3). Two that mean the same are equal.

    Args:
        month: a name such as `dec`, or 1 to 12.
        day: one or more, as in `Monthly`.
        at: one or more times of day, `22:30` or `22:30:15`.
        timezone: a key of the tz database.
        month_end: what becomes of 29 February in other years: `clamp` makes it the 28th, `skip` leaves the year out.
        gap: what becomes of a time that a change of offset leaves out.
        fold: which pass of a repeated time counts.
        dst: False for standard time all the year (S4.5).

    Raises:
        InvalidTrigger: the month, a day, a time, the zone or a policy is not understood, or the month never has the
            day: 31 April is a mistake, whatever `month_end` says.
    """

    month: str = attrs.field(converter=month_of_year, eq=False)
    day: tuple[Day, ...] = attrs.field(converter=days_of_month, eq=False)
    at: tuple[str, ...] = attrs.field(converter=times_of_day, eq=False)
    timezone: str = attrs.field(default="UTC", converter=zone_name, eq=False)
    month_end: MonthEnd = attrs.field(default=MonthEnd.CLAMP, converter=month_end_policy, kw_only=True, eq=False)
    gap: Gap = attrs.field(default=Gap.RUN_AFTER, converter=gap_policy, kw_only=True, eq=False)
    fold: Fold = attrs.field(default=Fold.FIRST, converter=fold_policy, kw_only=True, eq=False)
    dst: bool = attrs.field(default=True, kw_only=True, eq=False)
    _times: Timetable = attrs.field(init=False, repr=False)
    _timeline: Timeline = attrs.field(init=False, repr=False)

    @_times.default
    def _compile(self) -> Timetable:
        longest = month_length(2028, MONTHS.index(self.month) + 1)  # of a leap year
        for day in self.day:
            if isinstance(day, int) and day > longest:
                raise InvalidTrigger(f"day {day} of {self.month} never happens: its last is {longest}")
        return _timetable(self.day, (self.month,), self.at, self.month_end is MonthEnd.CLAMP)

    @_timeline.default
    def _place(self) -> Timeline:
        return find_timeline(self.timezone, self.dst, self.gap, self.fold)

    def describe(self) -> str:
        """Return the rule in plain English, such as `on day 24 of dec at 18:00 in Europe/Prague`."""
        return f"{spell_timetable(self._times)} {self._timeline.describe()}"
