"""Recurrence: the local times that one rule of RFC 5545 means, found by arithmetic (S4.1).

Days and times of day are kept apart. Which days the parts of a rule allow is a pattern of bits over a year, of which
there are few kinds; what INTERVAL allows is another, over a cycle of days. Both together are the days of a year, so
nothing steps from day to day, still less from second to second, and a year in which nothing happens is left behind
at once. A search ends where everything repeats, or with the year 9999, as the calendar does: "never" is exact. Text,
zones, UNTIL and COUNT do not matter here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from enum import IntEnum
from functools import lru_cache
from itertools import pairwise
from math import lcm
from typing import Final

import attrs

from trioarm.core.instants import DAY, HOUR, LATEST, MINUTE, SECOND
from trioarm.core.triggers.recurrence_times import Pulse, numbers_of, row_of, times_at, times_by_hour, times_of
from trioarm.core.triggers.timetable import Times
from trioarm.core.triggers.year_days import DayFilter, month_starts, new_year, places, weekday_of, year_length

PAGES_MAX: Final = 4096  # years of rules that are kept, most of them 300 bytes: a question is about one or two of them

_EPOCH = date(1970, 1, 1).toordinal()
_LAST_YEAR = date.max.year
_ALIKE: Mapping[int, Times] = {}
_CALENDAR_YEARS, _CALENDAR_DAYS = 400, 146_097  # after which the calendar repeats, days of the week and all
_WEEK = 7
_YEAR_MAX = 366


class Freq(IntEnum):
    """How long the periods of a rule are, the shortest first."""

    SECONDLY = 0
    MINUTELY = 1
    HOURLY = 2
    DAILY = 3
    WEEKLY = 4
    MONTHLY = 5
    YEARLY = 6


@attrs.frozen(slots=True, weakref_slot=False)
class Page:
    """One year of a rule.

    Args:
        first: 1 January as days since 1970.
        days: the days on which something happens, bit 0 for 1 January.
        picked: their times of day, where BYSETPOS makes them differ.
    """

    first: int
    days: int
    picked: Mapping[int, Times] = _ALIKE


@attrs.frozen(slots=True, cache_hash=True, weakref_slot=False)
class Recurrence:
    """A rule, complete: what its text leaves to DTSTART is filled in.

    Args:
        freq: the length of a period.
        interval: only every nth period counts, beginning with the one of `start`.
        start: DTSTART, a local time. Nothing is earlier; it happens itself only if the rule means it.
        filter: the days that count.
        hours: of the day that count, rising, and so on.
        minutes: of the hour.
        seconds: of the minute.
        positions: which of a period's local times count, from 1 on, or from -1 backwards; empty for all (BYSETPOS).
        wkst: the day that a week begins with, 0 (Monday) to 6.
    """

    freq: Freq
    interval: int
    start: int
    filter: DayFilter
    hours: tuple[int, ...]
    minutes: tuple[int, ...]
    seconds: tuple[int, ...]
    positions: tuple[int, ...] = ()
    wkst: int = 0
    _pulse: Pulse | None = attrs.field(init=False, eq=False, repr=False)
    _times: Times | None = attrs.field(init=False, eq=False, repr=False)  # of every day, unless days differ
    _cycle: tuple[int, int] = attrs.field(init=False, eq=False, repr=False)
    _repeats: int = attrs.field(init=False, eq=False, repr=False)

    @_pulse.default
    def _divide(self) -> Pulse | None:
        row = row_of(self.minutes, self.seconds)
        match self.freq:
            case Freq.HOURLY:
                return Pulse(self.interval, HOUR, self.hours, (0,), self._positioned(row))
            case Freq.MINUTELY:
                offsets = self._positioned(row_of((0,), self.seconds))
                return Pulse(self.interval, MINUTE, self.hours, self.minutes, offsets)
            case Freq.SECONDLY:
                return Pulse(self.interval, SECOND, self.hours, numbers_of(row), self._positioned((0,)))
            case _:
                return None

    @_times.default
    def _share(self) -> Times | None:
        if self._pulse is not None or (self.positions and self.freq > Freq.DAILY):
            return None
        if not self.positions:
            return times_by_hour(self.hours, row_of(self.minutes, self.seconds))
        picked = tuple(self._nth_time(index) for index in self._indices(self._per_day))
        return times_of(picked) if picked else None

    @_cycle.default
    def _stretch(self) -> tuple[int, int]:
        """Return how many days the cycle has, and its bits from 1970-01-01 on, wherever in it a year begins."""
        pattern = self._pattern()
        stretched = (pattern * (_YEAR_MAX // len(pattern) + 2))[: len(pattern) + _YEAR_MAX]
        return len(pattern), int(stretched[::-1], 2)

    @_repeats.default
    def _find_repetition(self) -> int:
        """Return after how many years all days repeat: nothing in so many years is nothing for ever."""
        match self.freq:
            case Freq.YEARLY:
                return lcm(_CALENDAR_YEARS, self.interval)
            case Freq.MONTHLY:
                return lcm(_CALENDAR_YEARS * 12, self.interval) // 12
            case _:
                return lcm(_CALENDAR_DAYS, self._cycle[0]) // _CALENDAR_DAYS * _CALENDAR_YEARS

    def _pattern(self) -> str:
        """Return which days INTERVAL allows, a character each, from 1970-01-01 until they repeat."""
        day = self.start // DAY
        if self._pulse is not None:
            return self._pulse.cycle(self.start)
        match self.freq:
            case Freq.WEEKLY:
                first, size = day - (weekday_of(day) - self.wkst) % _WEEK, _WEEK * self.interval
                enough = self._nearest <= len(self.filter.weekdays) * self._per_day
                allowed = "01"[enough] * _WEEK
            case Freq.DAILY:
                first, allowed, size = day, "01"[self._times is not None], self.interval
            case _:
                return "1"
        pattern = allowed + "0" * (size - len(allowed))
        turn = -first % size
        return pattern[turn:] + pattern[:turn]

    def next_local(self, local: int) -> int | None:
        """Return the first local time later than `local`."""
        at = max(local + 1, self.start)
        if at > LATEST:
            return None
        day, time = divmod(at, DAY)
        year = _year_of(day)
        page = _page(self, year)
        place = day - page.first
        if page.days >> place & 1:
            found = self._times_on(page, place).next_after(time - 1)
            if found is not None:
                return day * DAY + found
        later = page.days >> place + 1 << place + 1
        final = min(year + self._repeats, _LAST_YEAR)
        while not later:
            if year == final:
                return None
            year += 1
            page = _page(self, year)
            later = page.days
        place = (later & -later).bit_length() - 1
        return (page.first + place) * DAY + self._times_on(page, place).first

    def previous_local(self, local: int) -> int | None:
        """Return the last local time earlier than `local`."""
        at = min(local - 1, LATEST)
        if at < self.start:
            return None
        day, time = divmod(at, DAY)
        year = _year_of(day)
        page = _page(self, year)
        place = day - page.first
        found = self._times_on(page, place).previous_before(time + 1) if page.days >> place & 1 else None
        if found is None:
            earlier = page.days & (1 << place) - 1
            final = max(year - self._repeats, _year_of(self.start // DAY))
            while not earlier:
                if year == final:
                    return None
                year -= 1
                page = _page(self, year)
                earlier = page.days
            place = earlier.bit_length() - 1
            found = self._times_on(page, place).last
        found += (page.first + place) * DAY
        return found if found >= self.start else None

    def count_local(self, after: int, until: int) -> int:
        """Return how many local times lie in `(after, until]`: arithmetic, but for days that differ, one by one."""
        first, last = max(after + 1, self.start), min(until, LATEST)
        if last < first:
            return 0
        whole = sum(self._count_on(_page(self, year), _YEAR_MAX) for year in range(*map(_year_at, (first, last))))
        return whole + self._count_up_to(last) - self._count_up_to(first - 1, _year_at(first))

    def has(self, local: int) -> bool:
        """Return whether `local` is one of the local times."""
        return self.next_local(local - 1) == local

    def _count_up_to(self, local: int, year: int | None = None) -> int:
        """Return how many local times of a year, by default that of `local`, are not later than `local`."""
        day, time = divmod(local, DAY)
        page = _page(self, _year_of(day) if year is None else year)
        place = day - page.first
        if place < 0:
            return 0
        today = self._times_on(page, place).up_to(time) if page.days >> place & 1 else 0
        return self._count_on(page, place) + today

    def _count_on(self, page: Page, end: int) -> int:
        """Return how many local times lie on the first days of a page."""
        days = page.days & (1 << end) - 1
        if self._times is not None:
            return days.bit_count() * self._times.per_day
        return sum(self._times_on(page, place).per_day for place in places(days))

    def _times_on(self, page: Page, place: int) -> Times:
        if self._times is not None:
            return self._times
        if self._pulse is not None:
            return times_at(self._pulse, self._pulse.phase(self.start, page.first + place))
        return page.picked[place]

    def days_of(self, year: int) -> int:
        """Return the days of a year that count, whatever BYSETPOS chooses of them."""
        start = date.fromordinal(self.start // DAY + _EPOCH)
        size, cycle = self._cycle
        days = self.filter.in_year(year) & cycle >> new_year(year) % size
        match self.freq:
            case Freq.YEARLY:
                return 0 if (year - start.year) % self.interval else days
            case Freq.MONTHLY if days and self.interval > 1:
                months = list(pairwise(month_starts(year_length(year))))
                first = ((start.year - year) * 12 + start.month - 1) % self.interval
                return days & sum((1 << end) - (1 << begin) for begin, end in months[first :: self.interval])
            case _:
                return days

    def pick(self, year: int) -> dict[int, Times]:
        """Return the times that BYSETPOS chooses, by the day of the year."""
        length = year_length(year)
        near = self.days_of(year) << _WEEK
        if self.freq is Freq.WEEKLY:  # weeks reach over both ends of a year
            near |= self.days_of(year - 1) >> year_length(year - 1) - _WEEK | self.days_of(year + 1) << _WEEK + length
        least, per_day = self._nearest, self._per_day
        if near.bit_count() * per_day < least:
            return {}
        picked: dict[int, list[int]] = {}
        for begin, end in self._periods(year):
            days = near >> begin + _WEEK & (1 << end - begin) - 1
            size = days.bit_count() * per_day
            listed = [begin + place for place in places(days)] if size >= least else []
            for index in self._indices(size) if listed else ():
                picked.setdefault(listed[index // per_day], []).append(self._nth_time(index % per_day))
        return {day: times_of(tuple(times)) for day, times in picked.items() if 0 <= day < length}

    def _periods(self, year: int) -> Iterable[tuple[int, int]]:
        """Return where the periods that touch a year begin and end, as days of that year."""
        length = year_length(year)
        match self.freq:
            case Freq.WEEKLY:
                first = -((weekday_of(new_year(year)) - self.wkst) % _WEEK)
                return ((begin, begin + _WEEK) for begin in range(first, length, _WEEK))
            case Freq.MONTHLY:
                return pairwise(month_starts(length))
            case _:
                return ((0, length),)

    @property
    def _nearest(self) -> int:
        """How many local times a period needs for BYSETPOS to choose one."""
        return min(map(abs, self.positions), default=1)

    @property
    def _per_day(self) -> int:
        return len(self.hours) * len(self.minutes) * len(self.seconds)

    def _nth_time(self, index: int) -> int:
        row = row_of(self.minutes, self.seconds)
        return self.hours[index // len(row)] * HOUR + row[index % len(row)]

    def _positioned(self, offsets: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(offsets[index] for index in self._indices(len(offsets))) if self.positions else offsets

    def _indices(self, size: int) -> list[int]:
        """Return which of so many, counted from 0, BYSETPOS chooses, rising."""
        return sorted({place - 1 if place > 0 else size + place for place in self.positions if abs(place) <= size})


@lru_cache(maxsize=PAGES_MAX)
def _page(rule: Recurrence, year: int) -> Page:
    if not rule.positions or rule.freq <= Freq.DAILY:
        return Page(new_year(year), rule.days_of(year))
    picked = rule.pick(year)
    return Page(new_year(year), sum(1 << day for day in picked), picked)


def _year_at(local: int) -> int:
    return _year_of(local // DAY)


def _year_of(day: int) -> int:
    return date.fromordinal(day + _EPOCH).year
