"""Year days: which days of a year the parts of a recurrence rule mean, all of them at once, as bits of an int.

Bit 0 is 1 January. Years are computed, not looked up, so that those beyond 1 to 9999 have neighbours, too. What
INTERVAL leaves out, and what time it is, does not matter here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import Final

import attrs

SHAPES_KEPT_MAX: Final = 8192  # years of day filters that are kept, 100 bytes each; a filter knows about 30 of them

_BEFORE_1970 = 719_162  # days from 0001-01-01 to 1970-01-01
_MONTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_STARTS = tuple(accumulate(_MONTHS, initial=0))
_STARTS_LEAP = tuple(start + (month > 1) for month, start in enumerate(_STARTS))
_THURSDAY = 3  # a week belongs to the year that has its fourth day, and so most of its days


@attrs.frozen(slots=True, cache_hash=True, weakref_slot=False)
class DayFilter:
    """The days that all parts of a rule allow; a part that is empty allows all of them.

    Args:
        months: 1 to 12.
        weeks: 1 to 53, or -1 to -53 from the last one; week 1 is the first that has four of its days in the year.
        yeardays: 1 to 366, or -1 to -366 from the last one.
        monthdays: 1 to 31, or -1 to -31 from the last one.
        weekdays: pairs of a place and a day of the week, 0 (Monday) to 6; place 0 for all, 2 for the second, -1 for
            the last.
        by_month: whether places count within each month, else within the year.
        wkst: the day that a week begins with, 0 (Monday) to 6.
    """

    months: tuple[int, ...] = ()
    weeks: tuple[int, ...] = ()
    yeardays: tuple[int, ...] = ()
    monthdays: tuple[int, ...] = ()
    weekdays: tuple[tuple[int, int], ...] = ()
    by_month: bool = False
    wkst: int = 0

    def in_year(self, year: int) -> int:
        """Return the days of a year."""
        return _in_shape(self, weekday_of(new_year(year)), *(year_length(near) for near in (year - 1, year, year + 1)))


def new_year(year: int) -> int:
    """Return 1 January as days since 1970."""
    before = year - 1
    return 365 * before + before // 4 - before // 100 + before // 400 - _BEFORE_1970


def year_length(year: int) -> int:
    """Return how many days a year has."""
    return 365 + (year % 4 == 0 and (year % 100 != 0 or year % 400 == 0))


def weekday_of(day: int) -> int:
    """Return the day of the week, 0 (Monday) to 6, of a day counted from 1970."""
    return (day + _THURSDAY) % 7


def month_starts(length: int) -> Sequence[int]:
    """Return the day of the year on which each month begins, and the length of the year."""
    return _STARTS if length == 365 else _STARTS_LEAP


def places(bits: int) -> Iterator[int]:
    """Yield the places of the bits that are set, lowest first."""
    while bits:
        yield (bits & -bits).bit_length() - 1
        bits &= bits - 1


@lru_cache(maxsize=SHAPES_KEPT_MAX)
def _in_shape(wanted: DayFilter, weekday: int, before: int, length: int, after: int) -> int:
    """Return the days of a year by its first day of the week, its length and those of its neighbours."""
    starts = month_starts(length)
    months = [range(start, end) for start, end in pairwise(starts)]
    found = (1 << length) - 1
    if wanted.months:
        found &= _bits(day for month in wanted.months for day in months[month - 1])
    if wanted.yeardays:
        found &= _bits(_chosen(range(length), wanted.yeardays))
    if wanted.monthdays:
        found &= _bits(day for month in months for day in _chosen(month, wanted.monthdays))
    if wanted.weeks:
        found &= _in_weeks(wanted, weekday, before, length, after)
    if wanted.weekdays:
        found &= _on_weekdays(wanted, weekday, months if wanted.by_month else [range(length)])
    return found


def _bits(days: Iterable[int]) -> int:
    found = 0
    for day in days:
        found |= 1 << day
    return found


def _chosen(days: Sequence[int], numbers: Iterable[int]) -> Iterator[int]:
    """Yield the days that are numbered, from 1 on, or from -1 backwards, as far as there are so many."""
    for number in numbers:
        if abs(number) <= len(days):
            yield days[number - 1 if number > 0 else number]


def _on_weekdays(wanted: DayFilter, weekday: int, scopes: Iterable[range]) -> int:
    found = 0
    for scope in scopes:
        for place, day in wanted.weekdays:
            such = range(scope.start + (day - weekday - scope.start) % 7, scope.stop, 7)
            found |= _bits(_chosen(such, (place,)) if place else such)
    return found


def _in_weeks(wanted: DayFilter, weekday: int, before: int, length: int, after: int) -> int:
    """Return the days of numbered weeks; at both ends of a year they may be weeks of its neighbours."""
    found = 0
    for start in range(-((weekday - wanted.wkst) % 7), length, 7):
        if start + _THURSDAY < 0:
            first, size, at = (weekday - before) % 7, before, start + before
        elif start + _THURSDAY < length:
            first, size, at = weekday, length, start
        else:
            first, size, at = (weekday + length) % 7, after, start - length
        fourths = range((wanted.wkst + _THURSDAY - first) % 7, size, 7)
        number = fourths.index(at + _THURSDAY) + 1
        if number in wanted.weeks or number - len(fourths) - 1 in wanted.weeks:
            found |= _bits(day for day in range(start, start + 7) if 0 <= day < length)
    return found
