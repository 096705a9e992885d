"""Recurrence times: when in a day a recurrence rule means something, shared by the days on which it is the same.

Periods shorter than a day go on over midnight, so that their times differ from day to day; but a day has only as many
kinds of times as INTERVAL has rests, and its hours no more.
"""

from __future__ import annotations

from functools import lru_cache
from math import gcd
from typing import Final, TypeAlias

import attrs

from trioarm.core.instants import DAY, HOUR, SECOND
from trioarm.core.triggers.timetable import Times

TIMES_KEPT_MAX: Final = 1024  # sets of times of day that rules share, two kilobytes each
ROWS_KEPT_MAX: Final = 1024  # hours of them, up to 30 kilobytes each where every second counts

_SECONDS = tuple(range(0, HOUR, SECOND))  # so that equal values in many rows are one object

Row: TypeAlias = tuple[int, ...]  # microseconds into an hour, rising


@attrs.frozen(slots=True, cache_hash=True, weakref_slot=False)
class Pulse:
    """The periods of a rule that are shorter than a day, and what happens in each.

    Args:
        interval: only every nth period counts.
        unit: the length of a period in microseconds.
        hours: the hours whose periods count.
        within: the periods of an hour that count, as their number in it.
        offsets: when in a period something happens, in microseconds from its start.
    """

    interval: int
    unit: int
    hours: tuple[int, ...]
    within: tuple[int, ...]
    offsets: Row

    def phase(self, start: int, day: int) -> int:
        """Return the number in its day, or beyond, of the first period that counts, the one of `start` being one."""
        return (start // self.unit - day * (DAY // self.unit)) % self.interval

    def cycle(self, start: int) -> str:
        """Return on which days something happens, a character each, from 1970-01-01 until they repeat."""
        if not self.offsets:
            return "0"
        per_hour = HOUR // self.unit
        happens = {(hour * per_hour + at) % self.interval for hour in self.hours for at in self.within}
        days = range(self.interval // gcd(self.interval, DAY // self.unit))
        return "".join("01"[self.phase(start, day) in happens] for day in days)


@lru_cache(maxsize=ROWS_KEPT_MAX)
def row_of(minutes: tuple[int, ...], seconds: tuple[int, ...]) -> Row:
    """Return all seconds of all minutes."""
    return tuple(_SECONDS[minute * 60 + second] for minute in minutes for second in seconds)


@lru_cache(maxsize=ROWS_KEPT_MAX)
def numbers_of(row: Row) -> tuple[int, ...]:
    """Return which seconds of the hour a row has."""
    return tuple(at // SECOND for at in row)


@lru_cache(maxsize=TIMES_KEPT_MAX)
def times_by_hour(hours: tuple[int, ...], row: Row) -> Times:
    """Return the times of day that are the same in some hours."""
    return Times(tuple(row if hour in hours else () for hour in range(24)))


@lru_cache(maxsize=TIMES_KEPT_MAX)
def times_of(listed: tuple[int, ...]) -> Times:
    """Return times of day that are listed in microseconds, rising, at least one."""
    rows: list[list[int]] = [[] for _ in range(24)]
    for at in listed:
        rows[at // HOUR].append(at % HOUR)
    return Times(tuple(map(tuple, rows)))


@lru_cache(maxsize=TIMES_KEPT_MAX)
def times_at(pulse: Pulse, phase: int) -> Times:
    """Return the times of a day whose first period that counts has that number; there is at least one."""
    per_hour = HOUR // pulse.unit
    phases = [(phase - hour * per_hour) % pulse.interval for hour in range(24)]
    return Times(tuple(_row_at(pulse, at) if hour in pulse.hours else () for hour, at in enumerate(phases)))


@lru_cache(maxsize=ROWS_KEPT_MAX)
def _row_at(pulse: Pulse, phase: int) -> Row:
    counting = (at * pulse.unit for at in pulse.within if (at - phase) % pulse.interval == 0)
    return tuple(_SECONDS[(start + offset) // SECOND] for start in counting for offset in pulse.offsets)
