"""Spans: stretches of instants, such as all working days, that triggers are limited to or kept out of (S4.2).

A span has a first instant and an end. What is asked is only how far it is to the next instant inside, or outside.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, Protocol

import attrs

from trioarm.core.instants import DAY, EARLIEST, LATEST
from trioarm.core.triggers.civil import Fold, Gap, Timeline, find_timeline
from trioarm.core.triggers.timetable import DaySet
from trioarm.core.triggers.zones import Zone, zone_name

RUN_MAX: Final = 3_700  # days of one sort in a row that are looked through: ten years, then there is no end to them


MIDNIGHTS_MAX: Final = 8_192  # kept: those of the days around now, in a few zones


class Spans(Protocol):
    """A set of stretches of instants (int microseconds since 1970 UTC); bounded in work, None for "never"."""

    def inside_from(self, instant: int) -> int | None:
        """Return the first instant inside, not earlier than `instant`."""

    def outside_from(self, instant: int) -> int | None:
        """Return the first instant outside, not earlier than `instant`."""

    def inside_until(self, instant: int) -> int | None:
        """Return the last instant inside, not later than `instant`."""

    def outside_until(self, instant: int) -> int | None:
        """Return the last instant outside, not later than `instant`."""

    def describe(self) -> str:
        """Return what they are in plain English, such as `working days in Europe/Prague`."""


@lru_cache(maxsize=MIDNIGHTS_MAX)
def _midnight(timeline: Timeline, day: int) -> int:
    return timeline.resolve(day * DAY)[0]


@attrs.frozen(slots=True, cache_hash=True, weakref_slot=False)
class DaySpans:
    """Whole days of local time in a zone, from one midnight to the next (S4.7).

    A midnight that a gap leaves out is the first instant after the gap.

    Args:
        days: which.
        timezone: a key of the tz database: where a day begins.
        words: what they are in plain English, such as `holidays of CZ`.

    Raises:
        InvalidTrigger: there is no such zone.
    """

    days: DaySet
    timezone: str = attrs.field(default="UTC", converter=zone_name)
    words: str = attrs.field(kw_only=True)
    _timeline: Timeline = attrs.field(init=False, eq=False, repr=False)

    @_timeline.default
    def _place(self) -> Timeline:
        return find_timeline(self.timezone, True, Gap.RUN_AFTER, Fold.FIRST)

    @property
    def zone(self) -> Zone:
        """The zone of its days."""
        return self._timeline.zone

    def inside_from(self, instant: int) -> int | None:
        """Return the first instant of one of the days, not earlier than `instant`."""
        day = self._day_of(instant)
        if self.days.has(day):
            return instant
        later = self.days.next_after(day)
        while later is not None and self._is_left_out(later):
            later = self.days.next_after(later)
        return None if later is None else self._start(later)

    def outside_from(self, instant: int) -> int | None:
        """Return the first instant of another day, not earlier than `instant`."""
        day = self._day_of(instant)
        if not self.days.has(day):
            return instant
        for later in range(day + 1, day + RUN_MAX):
            if not self.days.has(later) and not self._is_left_out(later):
                return self._start(later)
        return None

    def inside_until(self, instant: int) -> int | None:
        """Return the last instant of one of the days, not later than `instant`."""
        day = self._day_of(instant)
        if self.days.has(day):
            return instant
        earlier = self.days.previous_before(day)
        while earlier is not None and self._is_left_out(earlier):
            earlier = self.days.previous_before(earlier)
        return None if earlier is None else self._start(earlier + 1) - 1

    def outside_until(self, instant: int) -> int | None:
        """Return the last instant of another day, not later than `instant`."""
        day = self._day_of(instant)
        if not self.days.has(day):
            return instant
        for earlier in range(day - 1, day - RUN_MAX, -1):
            if not self.days.has(earlier) and not self._is_left_out(earlier):
                return self._start(earlier + 1) - 1
        return None

    def describe(self) -> str:
        """Return which days, and where they begin, such as `on sat and sun in Europe/Prague`."""
        return f"on {self.words} {self._timeline.describe()}"

    def _start(self, day: int) -> int:
        return _midnight(self._timeline, day)

    def _is_left_out(self, day: int) -> bool:
        """Whether a change of offset leaves out the whole day, as in Pacific/Apia 2011-12-30."""
        return self._start(day) == self._start(day + 1)

    def _day_of(self, instant: int) -> int:
        """Return the day that an instant belongs to. Where clocks go back over midnight, the new day has begun."""
        at = min(max(instant, EARLIEST + DAY), LATEST - DAY)
        day = self.zone.to_local(at) // DAY
        while self._start(day + 1) <= at:
            day += 1
        return day
