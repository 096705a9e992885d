"""Calendars: which days are worked and which are holidays, and the sets of days that come of it (S4.2).

A holiday is a public one of a country, or a date of one's own. A workday is one of the weekdays that are worked and no
holiday; every other day is a day off. Sets of days know no zone: `spans` says when a day begins.
"""

from __future__ import annotations

from calendar import isleap
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from enum import StrEnum
from functools import lru_cache
from typing import Final

import attrs

from trioarm.core.errors import InvalidTrigger
from trioarm.core.reading import show
from trioarm.core.triggers.dates import DateTable, date_table, own_dates
from trioarm.core.triggers.holidays import country_code, known_years, public_holidays, subdivision_code
from trioarm.core.triggers.spans import DaySpans
from trioarm.core.triggers.weekly import weekday_names, weekdays
from trioarm.core.triggers.wording import spell_weekdays

WORKED: Final = ("mon", "tue", "wed", "thu", "fri")
YEARS_KEPT_MAX: Final = 4096  # years of sets of days that are kept, 100 bytes each: most questions are about this year
DATES_SPELT_MAX: Final = 3  # more dates of one's own are counted, because nobody reads on

_EPOCH = date(1970, 1, 1).toordinal()
_FIRST, _LAST = date.min.toordinal() - _EPOCH, date.max.toordinal() - _EPOCH
_WEEKS = sum(1 << 7 * week for week in range(53))


class DayKind(StrEnum):
    """Which days of a calendar are meant."""

    WORKDAY = "workday"
    HOLIDAY = "holiday"
    DAY_OFF = "day_off"  # no workday: a holiday, or a weekday that is not worked
    BEFORE_WORKDAY = "before_workday"
    BEFORE_HOLIDAY = "before_holiday"

    @property
    def of_holidays(self) -> bool:
        """Whether holidays alone decide, whatever weekdays are worked."""
        return self in (DayKind.HOLIDAY, DayKind.BEFORE_HOLIDAY)


_WORDS: Final = {
    DayKind.WORKDAY: "workdays",
    DayKind.HOLIDAY: "holidays",
    DayKind.DAY_OFF: "days off",
    DayKind.BEFORE_WORKDAY: "days before a workday",
    DayKind.BEFORE_HOLIDAY: "days before a holiday",
}


def day_kind(value: str) -> DayKind:
    """Turn `workday`, `holiday`, `day_off`, `before_workday` or `before_holiday` into a `DayKind`.

    Raises:
        InvalidTrigger: it is none of them.
    """
    try:
        return DayKind(value)
    except ValueError:
        raise InvalidTrigger(f"days {show(value)} are unknown: write {', '.join(DayKind)}") from None


def _to_weekdays(value: Iterable[str]) -> tuple[str, ...]:
    return weekday_names(weekdays(value))


@attrs.frozen(slots=True, cache_hash=True, weakref_slot=False)
class DayCalendar:
    """Holidays, and the weekdays that are worked.

    Args:
        country: whose public holidays, by its ISO 3166 code, such as `CZ`; None for none.
        subdivision: the code of a part of the country that has holidays of its own, such as `BY` of `DE`.
        dates: holidays of one's own, such as `2026-12-24`, `2026-12-27/2027-01-02` or `12-24`; kept sorted.
        weekdays: worked where there is no holiday; kept short, from Monday on.
        working: dates that are workdays whatever else they are, written like holidays of one's own.

    Raises:
        InvalidTrigger: a value is not understood, there are no holidays, or the library holidays is not installed.
    """

    country: str | None = attrs.field(default=None, converter=attrs.converters.optional(country_code))
    subdivision: str | None = attrs.field(default=None, kw_only=True)
    dates: tuple[str, ...] = attrs.field(default=(), converter=own_dates, kw_only=True)
    weekdays: tuple[str, ...] = attrs.field(default=WORKED, converter=_to_weekdays, kw_only=True)
    working: tuple[str, ...] = attrs.field(default=(), converter=own_dates, kw_only=True)
    _worked: int = attrs.field(init=False, eq=False, repr=False)
    _own: DateTable = attrs.field(init=False, eq=False, repr=False)
    _working: DateTable = attrs.field(init=False, eq=False, repr=False)

    @_worked.default
    def _as_bits(self) -> int:
        return weekdays(self.weekdays)

    @_own.default
    def _arrange(self) -> DateTable:
        return date_table(self.dates)

    @_working.default
    def _arrange_working(self) -> DateTable:
        return date_table(self.working)

    def __attrs_post_init__(self) -> None:
        if self.country is None and not self.dates:
            raise InvalidTrigger('there are no holidays without a country or dates: write them, like country = "CZ"')
        if self.subdivision is not None:
            self._check_subdivision(self.subdivision)

    def _check_subdivision(self, subdivision: str) -> None:
        if self.country is None:
            raise InvalidTrigger(f"subdivision {show(subdivision)} is a part of no country: say which")
        code = subdivision_code(self.country, subdivision)
        if code != subdivision:
            raise InvalidTrigger(f"subdivision {show(subdivision)} is not written by its code: write {code}")

    def holidays(self, year: int) -> int:
        """Return the holidays of a year as bits, bit 0 for 1 January."""
        public = 0
        if self.country is not None and year in known_years(self.country):
            public = public_holidays(self.country, self.subdivision, year)
        return (public | self._own.in_year(year)) & ~self._working.in_year(year)

    def workdays(self, year: int) -> int:
        """Return the workdays of a year as bits."""
        first = date(year, 1, 1).toordinal() % 7  # ordinal 1 was a Monday, so Sunday is 0
        week = (self._worked >> first | self._worked << 7 - first) & 0b111_1111
        return week * _WEEKS & all_days(year) & ~self.holidays(year) | self._working.in_year(year)


def all_days(year: int) -> int:
    """Return all days of a year as bits."""
    return (1 << 365 + isleap(year)) - 1


@attrs.frozen(slots=True, cache_hash=True, weakref_slot=False)
class CalendarDays:
    """The days of one kind: a `DaySet` (see `timetable`) of the years 1 to 9999.

    Args:
        kind: which days.
        calendar: of what. Where holidays alone decide, it has no weekdays of its own.

    Raises:
        InvalidTrigger: the kind is unknown, or does not go with the weekdays.
    """

    kind: DayKind = attrs.field(converter=day_kind)
    calendar: DayCalendar

    def __attrs_post_init__(self) -> None:
        if self.kind.of_holidays and self.calendar.weekdays != WORKED:
            raise InvalidTrigger(f"a {self.kind} is one whatever weekdays are worked: leave them out")

    def has(self, day: int) -> bool:
        """Return whether `day` is one of them."""
        day += self._ahead
        if not _FIRST <= day <= _LAST:
            return False
        moment = date.fromordinal(day + _EPOCH)
        return bool(_in_year(self, moment.year) >> day - _new_year(moment.year) & 1)

    def next_after(self, day: int) -> int | None:
        """Return the first day later than `day`."""
        start = max(day + 1 + self._ahead, _FIRST)
        if start > _LAST:
            return None
        for year in range(date.fromordinal(start + _EPOCH).year, 10_000):
            past = max(start - _new_year(year), 0)
            found = _in_year(self, year) >> past << past
            if found:
                return _new_year(year) + (found & -found).bit_length() - 1 - self._ahead
        return None

    def previous_before(self, day: int) -> int | None:
        """Return the last day earlier than `day`."""
        start = min(day - 1 + self._ahead, _LAST)
        if start < _FIRST:
            return None
        for year in range(date.fromordinal(start + _EPOCH).year, 0, -1):
            found = _in_year(self, year) & (2 << min(start - _new_year(year), 365)) - 1
            if found:
                return _new_year(year) + found.bit_length() - 1 - self._ahead
        return None

    def count(self, first: int, end: int) -> int:
        """Return how many of the days lie in `[first, end)`, in time linear in the years between."""
        first, end = max(first + self._ahead, _FIRST), min(end + self._ahead, _LAST + 1)
        return sum(part.bit_count() for part in self._parts(first, end)) if first < end else 0

    def describe(self) -> str:
        """Return which days in plain English, such as `holidays of CZ`."""
        own, spelt = len(self.calendar.dates), _spelt(self.calendar.dates)
        if self.kind is DayKind.HOLIDAY and self.calendar.country is None and not self.calendar.working:
            return spelt
        words = _WORDS[self.kind]
        if self.calendar.weekdays != WORKED:
            words += f" ({spell_weekdays(weekdays(self.calendar.weekdays))})"
        place = "-".join(filter(None, (self.calendar.country, self.calendar.subdivision)))
        words += (f" of {place}" if place else "") + (f" with holidays on {spelt}" if own else "")
        return words + (f" with work on {_spelt(self.calendar.working)}" if self.calendar.working else "")

    @property
    def _ahead(self) -> int:
        """How many days later the day lies that decides."""
        return int(self.kind in (DayKind.BEFORE_WORKDAY, DayKind.BEFORE_HOLIDAY))

    def _parts(self, first: int, end: int) -> Iterator[int]:
        years = (date.fromordinal(day + _EPOCH).year for day in (first, end - 1))
        for year in range(next(years), next(years) + 1):
            past, length = max(first - _new_year(year), 0), min(end - _new_year(year), 366)
            yield (_in_year(self, year) & (1 << length) - 1) >> past


def _spelt(dates: Sequence[str]) -> str:
    return " and ".join(dates) if len(dates) <= DATES_SPELT_MAX else f"{len(dates)} dates"


@lru_cache(maxsize=YEARS_KEPT_MAX)
def _in_year(days: CalendarDays, year: int) -> int:
    """Return the days of a year that decide, as bits."""
    if days.kind.of_holidays:
        return days.calendar.holidays(year)
    workdays = days.calendar.workdays(year)
    return all_days(year) & ~workdays if days.kind is DayKind.DAY_OFF else workdays


def calendar_spans(kind: DayKind | str, calendar: DayCalendar, timezone: str) -> DaySpans:
    """Return the days of one kind as stretches of time in a zone."""
    kind = day_kind(kind)
    days = CalendarDays(kind, attrs.evolve(calendar, weekdays=WORKED) if kind.of_holidays else calendar)
    return DaySpans(days, timezone, words=days.describe())


def _new_year(year: int) -> int:
    return date(year, 1, 1).toordinal() - _EPOCH
