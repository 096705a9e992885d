"""Dates: days that a person lists, of one year or of every year, alone or in ranges.

A date is kept as text: `2026-12-24`, `2026-12-27/2027-01-02` with both ends included, `12-24` for every year,
`12-27/01-02` over its turn. `02-29` is there in leap years only.
"""

from __future__ import annotations

import re
from calendar import isleap
from collections.abc import Iterable
from datetime import date
from functools import lru_cache
from typing import Final

import attrs

from trioarm.core.errors import InvalidTrigger
from trioarm.core.reading import show

DATES_MAX: Final = 1000  # of one list: the closed days of a generation
RANGE_DAYS_MAX: Final = 366  # a longer range is most likely a slip of the year
LISTS_KEPT_MAX: Final = 1024  # kept so that equal calendars share them, a few kilobytes each

_DATE = re.compile(r"(?:([0-9]{4})-)?([0-9]{2})-([0-9]{2})")
_HINT: Final = "write it like 2026-12-24, 2026-12-27/2027-01-02, or 12-24 for every year"
_LEAP_DAY: Final = "02-29"
_LEAP, _COMMON = 2000, 2001  # years whose days stand for those of all leap, and all other, years


@attrs.frozen(slots=True, weakref_slot=False)
class DateTable:
    """Listed days, ready to be asked for by year.

    Args:
        dated: bits by year, for days of one year alone.
        common: bits of the days of every year that is no leap year.
        leap: the same for leap years.
    """

    dated: dict[int, int]
    common: int
    leap: int

    def in_year(self, year: int) -> int:
        """Return the days of a year as bits, bit 0 for 1 January."""
        return self.dated.get(year, 0) | (self.leap if isleap(year) else self.common)


def own_dates(texts: Iterable[str]) -> tuple[str, ...]:
    """Return listed dates sorted and without doubles.

    Raises:
        InvalidTrigger: one is no date or range of them, or there are more than 1000.
    """
    listed = [texts] if isinstance(texts, str) else list(texts)
    if len(listed) > DATES_MAX:
        raise InvalidTrigger(f"{len(listed)} dates are too many: at most {DATES_MAX}")
    return tuple(sorted({_checked(text) for text in listed}))


@lru_cache(maxsize=LISTS_KEPT_MAX)
def date_table(dates: tuple[str, ...]) -> DateTable:
    """Return what dates from `own_dates` mean."""
    dated: dict[int, int] = {}
    common = leap = 0
    for text in dates:
        first, last = _ends(text)
        if len(first) == len("12-24"):
            common |= _yearly(first, last, _COMMON)
            leap |= _yearly(first, last, _LEAP)
            continue
        start, end = date.fromisoformat(first), date.fromisoformat(last)
        for year in range(start.year, end.year + 1):
            new_year = date(year, 1, 1)
            since = (max(start, new_year) - new_year).days
            until = (min(end, date(year, 12, 31)) - new_year).days
            dated[year] = dated.get(year, 0) | _bits(since, until)
    return DateTable(dated, common, leap)


def _ends(text: str) -> tuple[str, str]:
    first, _, last = text.partition("/")
    return first, last or first


def _checked(text: object) -> str:
    """Return a date or a range as it is kept."""
    if not isinstance(text, str):
        raise InvalidTrigger(f"{show(text)} is no date: {_HINT}")
    parts = [part.strip() for part in text.split("/", 2)]
    if len(parts) > 2 or not all(_exists(part) for part in parts):
        raise InvalidTrigger(f"{show(text)} is no date: {_HINT}")
    first, last = parts[0], parts[-1]
    if len(first) != len(last):
        raise InvalidTrigger(f"{show(text)} begins in one year and ends in every year: {_HINT}")
    if len(first) > len("12-24"):
        days = (date.fromisoformat(last) - date.fromisoformat(first)).days + 1
        if days < 1:
            raise InvalidTrigger(f"{show(text)} ends before it begins")
        if days > RANGE_DAYS_MAX:
            raise InvalidTrigger(f"{show(text)} has {days} days: at most {RANGE_DAYS_MAX}")
    return first if first == last else f"{first}/{last}"


def _exists(text: str) -> bool:
    found = _DATE.fullmatch(text)
    if found is None:
        return False
    year, month, day = found.groups()
    try:
        date(_LEAP if year is None else int(year), int(month), int(day))
    except ValueError:
        return False
    return True


def _yearly(first: str, last: str, year: int) -> int:
    """Return the days of a year from one month and day to another, over the end of the year if that comes first."""
    start = _day_of_year(first, year)
    end = _day_of_year(last, year) - (last == _LEAP_DAY and not isleap(year))
    return _bits(start, end) if first <= last else _bits(start, 364 + isleap(year)) | _bits(0, end)


def _bits(first: int, last: int) -> int:
    """Return the bits of days of a year, both ends included; none if `last` is the day before `first`."""
    return (2 << last) - (1 << first)


def _day_of_year(text: str, year: int) -> int:
    """Return the day, from 0 on; for 29 February of a year without one the day after."""
    month, day = map(int, text.split("-"))
    return (date(year, month, 1) - date(year, 1, 1)).days + day - 1
