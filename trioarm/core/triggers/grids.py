"""Grids: every nth day or month of the calendar, counted over all of it, so that a restart does not matter (S4.2)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date

import attrs

from trioarm.core.triggers.months import month_length
from trioarm.core.triggers.timetable import FIRST_DAY, LAST_DAY, date_of, day_number

_FIRST_MONTH, _LAST_MONTH = 12, date.max.year * 12 + 11  # months are counted from January of a year 0


@attrs.frozen(slots=True, cache_hash=True, weakref_slot=False)
class DayGrid:
    """Every nth day, an int counted from 1970-01-01, of the years 1 to 9999.

    Args:
        step: days from one to the next, at least 1.
        phase: the first of them that is not before 1970-01-01, below `step`.
    """

    step: int
    phase: int

    def has(self, day: int) -> bool:
        """Return whether `day` is one of them."""
        return FIRST_DAY <= day <= LAST_DAY and (day - self.phase) % self.step == 0

    def next_after(self, day: int) -> int | None:
        """Return the first day later than `day`."""
        earlier = max(day, FIRST_DAY - 1)
        found = earlier + self.step - (earlier - self.phase) % self.step
        return found if found <= LAST_DAY else None

    def previous_before(self, day: int) -> int | None:
        """Return the last day earlier than `day`."""
        latest = min(day, LAST_DAY + 1) - 1
        found = latest - (latest - self.phase) % self.step
        return found if found >= FIRST_DAY else None

    def count(self, first: int, end: int) -> int:
        """Return how many of the days lie in `[first, end)`."""
        first, end = max(first, FIRST_DAY), min(end, LAST_DAY + 1)
        return max(0, (end - 1 - self.phase) // self.step - (first - 1 - self.phase) // self.step)


@attrs.frozen(slots=True, cache_hash=True, weakref_slot=False)
class MonthGrid:
    """A day of every nth month.

    Args:
        step: months from one to the next, at least 1.
        phase: the first of them counted from January of a year 0, below `step`.
        monthday: 1 to 31.
        clamp: whether a month that is shorter has its last day instead, or none.
    """

    step: int
    phase: int
    monthday: int
    clamp: bool

    def has(self, day: int) -> bool:
        """Return whether `day` is one of them."""
        return self.count(day, day + 1) == 1

    def next_after(self, day: int) -> int | None:
        """Return the first day later than `day`."""
        start = _month_of(day)
        months = range(start + (self.phase - start) % self.step, _LAST_MONTH + 1, self.step)
        return next((found for found in self._days(months) if found > day), None)

    def previous_before(self, day: int) -> int | None:
        """Return the last day earlier than `day`."""
        start = _month_of(day)
        months = range(start - (start - self.phase) % self.step, _FIRST_MONTH - 1, -self.step)
        return next((found for found in self._days(months) if found < day), None)

    def count(self, first: int, end: int) -> int:
        """Return how many of the days lie in `[first, end)`."""
        start, last = _month_of(first), _month_of(end - 1)
        months = range(start + (self.phase - start) % self.step, last + 1, self.step)
        return sum(first <= found < end for found in self._days(months))

    def _days(self, months: Iterable[int]) -> Iterator[int]:
        for month in months:
            year, index = divmod(month, 12)
            length = month_length(year, index + 1)
            if self.clamp or self.monthday <= length:
                yield day_number(date(year, index + 1, min(self.monthday, length)))


def _month_of(day: int) -> int:
    """Return the month of a day, counted as a grid does; of one beyond all, the nearest."""
    moment = date_of(min(max(day, FIRST_DAY), LAST_DAY))
    return moment.year * 12 + moment.month - 1
