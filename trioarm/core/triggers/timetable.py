"""Timetables: which days and what times of day, on a calendar without zones (S4.1).

A timetable yields naive local times by arithmetic on months and hours and never steps from day to day. What a
local time means as an instant is `civil`'s business, how a person writes days and times that of each trigger.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from datetime import date
from functools import lru_cache
from itertools import accumulate
from typing import Protocol, TypeAlias

import attrs

from trioarm.core.instants import DAY, HOUR, MINUTE
from trioarm.core.triggers.months import WEEKDAYS_ALL, from_end, month_length, nearest, nth, on_weekdays

MONTHS_ALL = 0b1_1111_1111_1110  # bits 1 to 12
MONTHDAYS_ALL = 0xFFFF_FFFE  # bits 1 to 31
YEARS_ALL = -1  # every bit there is: bit 2027 stands for the year 2027

DAYS_KEPT_MAX = 4096  # sets of days that are shared, 200 bytes each
MONTHS_KEPT_MAX = 8192  # months of sets of days that are kept, 200 bytes each: most questions are about this month

_CYCLE_MONTHS = 400 * 12  # calendar and weekdays repeat after 400 years: what is not there never comes

_EPOCH = date(1970, 1, 1).toordinal()
FIRST_DAY, LAST_DAY = date.min.toordinal() - _EPOCH, date.max.toordinal() - _EPOCH


class DaySet(Protocol):
    """A set of days, each an int counted from 1970-01-01: bounded in work, None for "never". Compares and hashes."""

    def has(self, day: int) -> bool:
        """Return whether `day` is one of them."""

    def next_after(self, day: int) -> int | None:
        """Return the first day later than `day`."""

    def previous_before(self, day: int) -> int | None:
        """Return the last day earlier than `day`."""

    def count(self, first: int, end: int) -> int:
        """Return how many of the days lie in `[first, end)`."""


@attrs.frozen(slots=True, cache_hash=True, weakref_slot=False)
class Days:
    """A set of days, each an int counted from 1970-01-01, of the years 1 to 9999.

    A day of the month is meant by `monthdays`, `from_end` or `nearest`, a day of the week by `weekdays` or `nth`. A
    day that is meant in both ways, or in one of them if `either`, is in the set where its month and year are.

    Args:
        months: bits 1 to 12.
        monthdays: bits 1 to 31.
        weekdays: bits 0 (Sunday) to 6.
        either: whether day of month or day of week is enough, as in cron when both are restricted (S4.2).
        from_end: bits 0 (the last day of the month) to 30 (30 days before it).
        nearest: bits 1 to 31: the workday, Monday to Friday, nearest to that day, never in another month; bit 0: the
            workday nearest to the last day.
        nth: seven bits, as in `weekdays`, each for the first to the fifth such day of the month, and for the last.
        years: bit 2027 for the year 2027.
        clamp: whether a month that is shorter than one of `monthdays` has its last day instead.
    """

    months: int = MONTHS_ALL
    monthdays: int = MONTHDAYS_ALL
    weekdays: int = WEEKDAYS_ALL
    either: bool = False
    from_end: int = attrs.field(default=0, kw_only=True)
    nearest: int = attrs.field(default=0, kw_only=True)
    nth: int = attrs.field(default=0, kw_only=True)
    years: int = attrs.field(default=YEARS_ALL, kw_only=True)
    clamp: bool = attrs.field(default=False, kw_only=True)
    every: bool = attrs.field(init=False, eq=False, repr=False)
    plain: bool = attrs.field(init=False, eq=False, repr=False)

    @every.default
    def _is_every(self) -> bool:
        whole = (self.monthdays == MONTHDAYS_ALL, self.weekdays == WEEKDAYS_ALL)
        always = self.months == MONTHS_ALL and self.years == YEARS_ALL
        return always and (any(whole) if self.either else all(whole))

    @plain.default
    def _is_plain(self) -> bool:
        """Whether days are meant by number and weekday alone: most are, and cost no more for what others may say."""
        return not (self.from_end or self.nearest or self.nth or self.clamp)

    def has(self, day: int) -> bool:
        """Return whether `day` is one of them."""
        if not FIRST_DAY <= day <= LAST_DAY:
            return False
        if self.every:
            return True
        moment = date.fromordinal(day + _EPOCH)
        return bool(_in_month(self, moment.year, moment.month) >> moment.day & 1)

    def next_after(self, day: int) -> int | None:
        """Return the first day later than `day`."""
        if day >= LAST_DAY:
            return None
        start = max(day + 1, FIRST_DAY)
        if self.every:
            return start
        moment = date.fromordinal(start + _EPOCH)
        year, month = moment.year, moment.month
        found = _in_month(self, year, month) >> moment.day << moment.day
        for _ in range(_CYCLE_MONTHS):
            if found:
                return _day(year, month, (found & -found).bit_length() - 1)
            year, month = (year, month + 1) if month < 12 else (self._year_from(year + 1), 1)
            if year > 9999:
                break
            found = _in_month(self, year, month)
        return None

    def previous_before(self, day: int) -> int | None:
        """Return the last day earlier than `day`."""
        if day <= FIRST_DAY:
            return None
        start = min(day - 1, LAST_DAY)
        if self.every:
            return start
        moment = date.fromordinal(start + _EPOCH)
        year, month = moment.year, moment.month
        found = _in_month(self, year, month) & (2 << moment.day) - 1
        for _ in range(_CYCLE_MONTHS):
            if found:
                return _day(year, month, found.bit_length() - 1)
            year, month = (year, month - 1) if month > 1 else (self._year_until(year - 1), 12)
            if year < 1:
                break
            found = _in_month(self, year, month)
        return None

    def count(self, first: int, end: int) -> int:
        """Return how many of the days lie in `[first, end)`."""
        first, end = max(first, FIRST_DAY), min(end, LAST_DAY + 1)
        if first >= end:
            return 0
        if self.every:
            return end - first
        moment, last = date.fromordinal(first + _EPOCH), date.fromordinal(end - 1 + _EPOCH)
        months = range(moment.year * 12 + moment.month - 1, last.year * 12 + last.month)
        whole = sum(_in_month(self, index // 12, index % 12 + 1).bit_count() for index in months)
        before = _in_month(self, moment.year, moment.month) & (1 << moment.day) - 1
        beyond = _in_month(self, last.year, last.month) >> last.day + 1
        return whole - before.bit_count() - beyond.bit_count()

    def _year_from(self, year: int) -> int:
        """Return the first of the years not earlier than `year`; one beyond all when there is none."""
        rest = self.years >> year
        return year + (rest & -rest).bit_length() - 1 if rest else date.max.year + 1

    def _year_until(self, year: int) -> int:
        """Return the last of the years not later than `year`; one before all when there is none."""
        return (self.years & (2 << year) - 1).bit_length() - 1


@lru_cache(maxsize=DAYS_KEPT_MAX)
def shared_days(days: Days) -> Days:
    """Return the set that stands for all equal ones, so that what is kept of a month is found without comparing."""
    return days


@lru_cache(maxsize=MONTHS_KEPT_MAX)
def _in_month(days: Days, year: int, month: int) -> int:
    """Return the matching days of one month, as bits 1 to 31."""
    if not (days.months >> month & 1 and days.years >> year & 1):
        return 0
    length = month_length(year, month)
    whole = (2 << length) - 2
    first = date(year, month, 1).toordinal() % 7  # ordinal 1 was a Monday, so Sunday is 0 as in cron
    by_monthday, by_weekday = days.monthdays, on_weekdays(days.weekdays, first)
    if not days.plain:
        last = 1 << length if days.clamp and days.monthdays >> length + 1 else 0
        by_monthday |= last | from_end(days.from_end, length) | nearest(days.nearest, first, length)
        by_weekday |= nth(days.nth, first, length)
    return whole & (by_monthday | by_weekday if days.either else by_monthday & by_weekday)


def day_number(moment: date) -> int:
    """Return a date as days since 1970-01-01."""
    return moment.toordinal() - _EPOCH


def date_of(day: int) -> date:
    """Return the date of a day between `FIRST_DAY` and `LAST_DAY`."""
    return date.fromordinal(day + _EPOCH)


def _day(year: int, month: int, monthday: int) -> int:
    return date(year, month, monthday).toordinal() - _EPOCH


@attrs.frozen(slots=True, cache_hash=True, weakref_slot=False)
class Times:
    """A set of times of day, at least one.

    Args:
        hours: 24 rows, each the microseconds into that hour, rising. Equal rows may be one object.
    """

    hours: tuple[tuple[int, ...], ...]
    first: int = attrs.field(init=False, eq=False, repr=False)
    last: int = attrs.field(init=False, eq=False, repr=False)
    _before: tuple[int, ...] = attrs.field(init=False, eq=False, repr=False)

    @first.default
    def _find_first(self) -> int:
        return next(hour * HOUR + row[0] for hour, row in enumerate(self.hours) if row)

    @last.default
    def _find_last(self) -> int:
        return max(hour * HOUR + row[-1] for hour, row in enumerate(self.hours) if row)

    @_before.default
    def _accumulate(self) -> tuple[int, ...]:
        return tuple(accumulate(map(len, self.hours), initial=0))

    @property
    def per_day(self) -> int:
        """How many there are."""
        return self._before[24]

    def next_after(self, time: int) -> int | None:
        """Return the first time of day later than `time`."""
        if time < self.first:
            return self.first
        if time >= self.last:
            return None
        hour, rest = divmod(time, HOUR)
        row = self.hours[hour]
        if row and rest < row[-1]:
            return hour * HOUR + row[bisect_right(row, rest)]
        return next(later * HOUR + self.hours[later][0] for later in range(hour + 1, 24) if self.hours[later])

    def previous_before(self, time: int) -> int | None:
        """Return the last time of day earlier than `time`."""
        if time > self.last:
            return self.last
        if time <= self.first:
            return None
        hour, rest = divmod(time, HOUR)
        row = self.hours[hour]
        if row and rest > row[0]:
            return hour * HOUR + row[bisect_left(row, rest) - 1]
        return next(
            earlier * HOUR + self.hours[earlier][-1] for earlier in range(hour - 1, -1, -1) if self.hours[earlier]
        )

    def up_to(self, time: int) -> int:
        """Return how many of the times of day are not later than `time`."""
        hour, rest = divmod(time, HOUR)
        return self._before[hour] + bisect_right(self.hours[hour], rest)


@attrs.frozen(slots=True, cache_hash=True, weakref_slot=False)
class FineTimes:
    """The same seconds of each of some minutes, kept as two short rows: a day may have 86 400 such times.

    Args:
        minutes: whole minutes.
        seconds: microseconds into each, rising, at least one.
    """

    minutes: Times
    seconds: tuple[int, ...]

    @property
    def first(self) -> int:
        """The earliest."""
        return self.minutes.first + self.seconds[0]

    @property
    def last(self) -> int:
        """The latest."""
        return self.minutes.last + self.seconds[-1]

    @property
    def per_day(self) -> int:
        """How many there are."""
        return self.minutes.per_day * len(self.seconds)

    def next_after(self, time: int) -> int | None:
        """Return the first time of day later than `time`."""
        rest = time % MINUTE
        minute = time - rest
        if rest < self.seconds[-1] and self._has(minute):
            return minute + self.seconds[bisect_right(self.seconds, rest)]
        later = self.minutes.next_after(minute)
        return None if later is None else later + self.seconds[0]

    def previous_before(self, time: int) -> int | None:
        """Return the last time of day earlier than `time`."""
        rest = time % MINUTE
        minute = time - rest
        if rest > self.seconds[0] and self._has(minute):
            return minute + self.seconds[bisect_left(self.seconds, rest) - 1]
        earlier = self.minutes.previous_before(minute)
        return None if earlier is None else earlier + self.seconds[-1]

    def up_to(self, time: int) -> int:
        """Return how many of the times of day are not later than `time`."""
        rest = time % MINUTE
        minute = time - rest
        whole = self.minutes.up_to(minute) * len(self.seconds)
        return whole - (len(self.seconds) - bisect_right(self.seconds, rest)) * self._has(minute)

    def _has(self, minute: int) -> bool:
        return self.minutes.next_after(minute - 1) == minute


TimeSet: TypeAlias = Times | FineTimes


@attrs.frozen(slots=True, cache_hash=True, weakref_slot=False)
class Timetable:
    """Days and times of day: every time on every day."""

    days: DaySet
    times: TimeSet

    def next_local(self, local: int) -> int | None:
        """Return the first local time later than `local`."""
        day, time = divmod(local, DAY)
        if self.days.has(day):
            found = self.times.next_after(time)
            if found is not None:
                return day * DAY + found
        later = self.days.next_after(day)
        return None if later is None else later * DAY + self.times.first

    def previous_local(self, local: int) -> int | None:
        """Return the last local time earlier than `local`."""
        day, time = divmod(local, DAY)
        if self.days.has(day):
            found = self.times.previous_before(time)
            if found is not None:
                return day * DAY + found
        earlier = self.days.previous_before(day)
        return None if earlier is None else earlier * DAY + self.times.last

    def count_local(self, after: int, until: int) -> int:
        """Return how many local times lie in `(after, until]`, where `after` is not later than `until`."""
        first, end = after // DAY, until // DAY
        days = self.days.count(first, end)
        return days * self.times.per_day + self._of_day_up_to(until) - self._of_day_up_to(after)

    def _of_day_up_to(self, local: int) -> int:
        day, time = divmod(local, DAY)
        return self.times.up_to(time) if self.days.has(day) else 0
