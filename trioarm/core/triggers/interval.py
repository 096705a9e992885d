"""Intervals of the calendar: every few days, weeks, months or years, always at the same time on the wall (S4.2).

`elapsed.Every` counts real time instead, and does not know what a day is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime

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
from trioarm.core.triggers.daytimes import shared_times, times_of_day
from trioarm.core.triggers.grids import DayGrid, MonthGrid
from trioarm.core.triggers.monthly import MonthEnd, month_end_policy
from trioarm.core.triggers.months import month_length
from trioarm.core.triggers.timetable import DaySet, Timetable, day_number
from trioarm.core.triggers.wording import spell_timetable
from trioarm.core.triggers.zones import zone_name

STEPS_MAX = {"days": 36_600, "weeks": 5_200, "months": 1_200, "years": 100}  # a century: what is rarer is a date
UNITS = tuple(STEPS_MAX)

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def start_date(value: object) -> date:
    """Return a date, or ISO 8601 text of one, as a date.

    Raises:
        InvalidTrigger: it is none.
    """
    found = value
    if isinstance(value, str) and _DATE.fullmatch(value):
        try:
            found = date.fromisoformat(value)
        except ValueError:
            found = None
    if isinstance(found, date) and not isinstance(found, datetime):
        return found
    raise InvalidTrigger(f"{show(value)} is no date: write it like 2026-11-23")


@attrs.frozen(slots=True, weakref_slot=False, kw_only=True)
class Interval(LocalTrigger):
    """Fixed times of day every few days, weeks, months or years (S4.2, S4.3). Two that mean the same are equal.

    The grid reaches over all time and depends on the definition alone, so it is the same after a restart.

    Args:
        days: from one day to the next; or
        weeks: of which each begins with the weekday of `start`; or
        months: each on the day of `start`, counted from it, so that a short month moves none of the later ones; or
        years: likewise.
        at: one or more times of day, `22:30` or `22:30:15`.
        start: a local date of the grid, such as `2026-11-23`.
        timezone: a key of the tz database.
        month_end: what becomes of the day of `start` in a month that is too short for it.
        gap: what becomes of a time that a change of offset leaves out.
        fold: which pass of a repeated time counts.
        dst: False for standard time all the year (S4.5).

    Raises:
        InvalidTrigger: none or several of the four are given, or one of all these is not understood.
    """

    days: int | None = attrs.field(default=None, eq=False)
    weeks: int | None = attrs.field(default=None, eq=False)
    months: int | None = attrs.field(default=None, eq=False)
    years: int | None = attrs.field(default=None, eq=False)
    at: tuple[str, ...] = attrs.field(converter=times_of_day, eq=False)
    start: date = attrs.field(converter=start_date, eq=False)
    timezone: str = attrs.field(default="UTC", converter=zone_name, eq=False)
    month_end: MonthEnd = attrs.field(default=MonthEnd.CLAMP, converter=month_end_policy, eq=False)
    gap: Gap = attrs.field(default=Gap.RUN_AFTER, converter=gap_policy, eq=False)
    fold: Fold = attrs.field(default=Fold.FIRST, converter=fold_policy, eq=False)
    dst: bool = attrs.field(default=True, eq=False)
    _times: Timetable = attrs.field(init=False, repr=False)
    _timeline: Timeline = attrs.field(init=False, repr=False)

    @property
    def step(self) -> tuple[str, int]:
        """The unit that is given, and how many of it.

        Raises:
            InvalidTrigger: none is given, or several, or how many is out of bounds.
        """
        given = dict(self._given())
        if len(given) != 1:
            raise InvalidTrigger(f"an interval has one of {', '.join(UNITS)}, not {' and '.join(given) or 'none'}")
        ((unit, count),) = given.items()
        if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= STEPS_MAX[unit]:
            raise InvalidTrigger(f"{unit} of an interval are a whole number from 1 to {STEPS_MAX[unit]}")
        return unit, count

    def _given(self) -> Iterator[tuple[str, int]]:
        for unit, count in zip(UNITS, (self.days, self.weeks, self.months, self.years), strict=True):
            if count is not None:
                yield unit, count

    @_times.default
    def _compile(self) -> Timetable:
        return Timetable(self._grid(*self.step), shared_times(self.at))

    def _grid(self, unit: str, count: int) -> DaySet:
        match unit:
            case "days" | "weeks":
                step = count * (7 if unit == "weeks" else 1)
                return DayGrid(step, day_number(self.start) % step)
            case _:
                step = count * (12 if unit == "years" else 1)
                phase = (self.start.year * 12 + self.start.month - 1) % step
                months = {(phase + step * turn) % 12 + 1 for turn in range(12)}
                shortest = min(month_length(2027, month) for month in months)  # of no leap year
                clamp = self.month_end is MonthEnd.CLAMP and self.start.day > shortest
                return MonthGrid(step, phase, self.start.day, clamp)

    @_timeline.default
    def _place(self) -> Timeline:
        return find_timeline(self.timezone, self.dst, self.gap, self.fold)

    def describe(self) -> str:
        """Return the rule in plain English, such as `every 2 days at 22:30 in UTC, counted from 2026-11-23`."""
        counted = "" if self.step[1] == 1 else f", counted from {self.start}"
        return f"{spell_timetable(self._times)} {self._timeline.describe()}{counted}"
