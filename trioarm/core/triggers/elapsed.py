"""Triggers of elapsed time: once, every, after. They never see a zone (S4.2)."""

from __future__ import annotations

from datetime import datetime
from typing import Self

import attrs

from trioarm.core.errors import InvalidTrigger
from trioarm.core.instants import EARLIEST, LATEST, microseconds, render_instant
from trioarm.core.instants import instant as to_instant
from trioarm.core.triggers.wording import spell_duration

PERIOD_S_MIN = 0.001  # trio wakes on whole milliseconds
PERIOD_S_MAX = 3660 * 86_400.0  # ten years: what is rarer is a date, not a rate
SHOWN_MAX = 40  # characters of a mistaken value that are quoted


def _to_period(value: float) -> float:
    if not _is_number(value) or not PERIOD_S_MIN <= value <= PERIOD_S_MAX:  # NaN is not between anything
        bounds = f"from {PERIOD_S_MIN} to {PERIOD_S_MAX:.0f} (ten years)"
        raise InvalidTrigger(f"{_shorten(value)} is no duration in seconds {bounds}")
    return float(value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shorten(value: object) -> str:
    try:
        text = repr(value)
    except ValueError:  # an int of more than 4300 digits
        return "that number"
    return text if len(text) <= SHOWN_MAX else text[:SHOWN_MAX] + "..."


@attrs.frozen(slots=True, weakref_slot=False)
class Once:
    """One occurrence.

    Args:
        at: an aware datetime, or an instant.

    Raises:
        InvalidInstant: the datetime is naive.
    """

    at: int = attrs.field(converter=to_instant)

    def next_after(self, instant: int) -> int | None:
        """Return the occurrence if it is later than `instant` (S4.1)."""
        return self.at if instant < self.at else None

    def previous_before(self, instant: int) -> int | None:
        """Return the occurrence if it is earlier than `instant` (S4.1)."""
        return self.at if instant > self.at else None

    def count(self, after: int, until: int) -> int:
        """Return 1 if the occurrence lies in `(after, until]`, else 0."""
        return int(after < self.at <= until)

    def shift_at(self, instant: int) -> int:
        """Return 0: an instant has no gap to fall into."""
        return 0

    def describe(self) -> str:
        """Return the rule in plain English."""
        return f"once at {render_instant(self.at)}"


def _to_anchor(value: datetime | int | None) -> int:
    return 0 if value is None else to_instant(value)


@attrs.frozen(slots=True, weakref_slot=False)
class Every:
    """A fixed rate on a grid that reaches over all time, in UTC (S4.2).

    The grid depends on the definition alone, so it is the same after a restart. Two triggers whose grids are
    the same are equal, whatever their anchors.

    Args:
        period_s: seconds between occurrences, rounded to whole microseconds, from 0.001 to ten years.
        anchor: any point of the grid, an aware datetime or an instant; 1970-01-01T00:00Z by default.

    Raises:
        InvalidTrigger: the period is outside its bounds.
        InvalidInstant: the anchor is naive.
    """

    period_s: float = attrs.field(converter=_to_period, eq=False)
    anchor: int = attrs.field(default=None, converter=_to_anchor, kw_only=True, eq=False)
    _period: int = attrs.field(init=False, repr=False)
    _phase: int = attrs.field(init=False, repr=False)

    @_period.default
    def _measure(self) -> int:
        return microseconds(self.period_s)

    @_phase.default
    def _place(self) -> int:
        return self.anchor % self._period

    def next_after(self, instant: int) -> int | None:
        """Return the first occurrence later than `instant` (S4.1)."""
        earlier = max(instant, EARLIEST - 1)
        found = earlier + self._period - (earlier - self._phase) % self._period
        return found if found <= LATEST else None

    def previous_before(self, instant: int) -> int | None:
        """Return the last occurrence earlier than `instant` (S4.1)."""
        latest = min(instant, LATEST + 1) - 1
        found = latest - (latest - self._phase) % self._period
        return found if found >= EARLIEST else None

    def count(self, after: int, until: int) -> int:
        """Return how many occurrences lie in `(after, until]` (S4.1)."""
        first, last = max(after, EARLIEST - 1), min(until, LATEST)
        if last <= first:
            return 0
        return (last - self._phase) // self._period - (first - self._phase) // self._period

    def shift_at(self, instant: int) -> int:
        """Return 0: intervals never see zones."""
        return 0

    def describe(self) -> str:
        """Return the rule in plain English."""
        grid = f" counted from {render_instant(self.anchor)}" if self._phase else ""
        return f"every {spell_duration(self._period)}{grid}"


@attrs.frozen(slots=True, weakref_slot=False)
class After:
    """A fixed delay: the end of the previous run, or the moment the schedule was put, plus the delay (S4.2).

    Without an anchor it has no occurrences. `anchored` gives the one that follows.

    Args:
        delay_s: seconds, rounded to whole microseconds, from 0.001 to ten years.

    Raises:
        InvalidTrigger: the delay is outside its bounds.
    """

    delay_s: float = attrs.field(converter=_to_period)

    def next_after(self, instant: int) -> int | None:
        """Return None: only the end of a run starts the delay."""
        return None

    def previous_before(self, instant: int) -> int | None:
        """Return None: only the end of a run starts the delay."""
        return None

    def count(self, after: int, until: int) -> int:
        """Return 0: only the end of a run starts the delay."""
        return 0

    def shift_at(self, instant: int) -> int:
        """Return 0: delays never see zones."""
        return 0

    def anchored(self, anchor_at: int) -> Once | Self:
        """Return the one occurrence that follows `anchor_at`; after the year 9999 the trigger itself: none."""
        due_at = anchor_at + microseconds(self.delay_s)
        return Once(due_at) if due_at <= LATEST else self

    def describe(self) -> str:
        """Return the rule in plain English."""
        return f"{spell_duration(microseconds(self.delay_s))} after the previous run ends"
