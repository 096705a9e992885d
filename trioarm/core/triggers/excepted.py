"""Excepted: a trigger of which a few stretches of time are left out, or of which only those are kept (S4.2).

It is how a change of plan for some days is kept: the rule stays whole, and beside it stands what is otherwise, and why.
Unlike what is excluded by rule, nothing may be left of it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from itertools import pairwise
from typing import Final

import attrs

from trioarm.core.errors import InvalidTrigger
from trioarm.core.instants import instant as to_instant
from trioarm.core.triggers.base import Trigger, own_zone
from trioarm.core.triggers.elapsed import After
from trioarm.core.triggers.zones import Zone

STRETCHES_MAX: Final = 1_000
WHY_LENGTH_MAX: Final = 1_200  # characters: an author and a note
WHYS_SPELT_MAX: Final = 3  # more reasons are counted, because nobody reads on


def _why(value: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= WHY_LENGTH_MAX:
        raise InvalidTrigger(f"a stretch says why it is one, in 1 to {WHY_LENGTH_MAX} characters")
    return value


@attrs.frozen(slots=True, weakref_slot=False)
class Stretch:
    """A stretch of time in which something is otherwise.

    Args:
        start: its first instant.
        end: the first instant after it.
        why: in a few words.

    Raises:
        InvalidTrigger: it ends before it begins, or does not say why.
        InvalidInstant: an instant lies outside the years 1 to 9999.
    """

    start: int = attrs.field(converter=to_instant)
    end: int = attrs.field(converter=to_instant)
    why: str = attrs.field(converter=_why)

    def __attrs_post_init__(self) -> None:
        if self.end <= self.start:
            raise InvalidTrigger("a stretch ends later than it begins")


def _stretches(values: Iterable[Stretch]) -> tuple[Stretch, ...]:
    found = tuple(sorted(values, key=lambda one: one.start))
    if not 1 <= len(found) <= STRETCHES_MAX:
        raise InvalidTrigger(f"excepted: {len(found)} stretches, but there are 1 to {STRETCHES_MAX}")
    if any(before.end > after.start for before, after in pairwise(found)):
        raise InvalidTrigger("excepted: two stretches overlap")
    return found


def _foreseeable(_: object, __: object, value: Trigger) -> None:
    if isinstance(value, After):
        raise InvalidTrigger("excepted: a fixed delay depends on the run before, so no stretch of it can be named")


@attrs.frozen(slots=True, weakref_slot=False)
class Excepted:
    """The occurrences of another trigger outside some stretches, or inside them alone.

    Args:
        of: the other one.
        stretches: 1 to 1 000 that do not overlap, in any order.
        inside: true to keep what lies inside them.

    Raises:
        InvalidTrigger: the other one is a fixed delay, or the stretches are too many or overlap.
    """

    of: Trigger = attrs.field(validator=_foreseeable)
    stretches: tuple[Stretch, ...] = attrs.field(converter=_stretches)
    inside: bool = attrs.field(default=False, kw_only=True)
    _starts: list[int] = attrs.field(init=False, eq=False, repr=False)

    @_starts.default
    def _list_starts(self) -> list[int]:
        return [stretch.start for stretch in self.stretches]

    @property
    def zone(self) -> Zone | None:
        """The zone of the other one; None where it has none."""
        return own_zone(self.of)

    def next_after(self, instant: int) -> int | None:
        """Return the first occurrence later than `instant` (S4.1)."""
        if self.inside:
            return self._next_inside(instant)
        at = self.of.next_after(instant)
        while at is not None and (stretch := self.stretch_at(at)) is not None:
            at = self.of.next_after(stretch.end - 1)
        return at

    def previous_before(self, instant: int) -> int | None:
        """Return the last occurrence earlier than `instant` (S4.1)."""
        if self.inside:
            return self._previous_inside(instant)
        at = self.of.previous_before(instant)
        while at is not None and (stretch := self.stretch_at(at)) is not None:
            at = self.of.previous_before(stretch.start)
        return at

    def count(self, after: int, until: int) -> int:
        """Return how many occurrences lie in `(after, until]` (S4.1)."""
        within = sum(
            self.of.count(max(after, one.start - 1), min(until, one.end - 1))
            for one in self.stretches
            if one.end - 1 > after and one.start <= until
        )
        return within if self.inside else max(0, self.of.count(after, until) - within)

    def shift_at(self, instant: int) -> int:
        """Return by how much a gap moved the occurrence of the other one (S4.1)."""
        return self.of.shift_at(instant)

    def describe(self) -> str:
        """Return the rule in plain English: that of the other one, and why it is not all."""
        whys = list(dict.fromkeys(stretch.why for stretch in self.stretches))
        more = [f"{len(whys) - WHYS_SPELT_MAX} more"] if len(whys) > WHYS_SPELT_MAX else []
        spelt = " and ".join([*whys[:WHYS_SPELT_MAX], *more])
        return f"{self.of.describe()}, {'only by' if self.inside else 'but for'} {spelt}"

    def stretch_at(self, instant: int) -> Stretch | None:
        """Return the stretch that an instant lies in; None outside of all."""
        place = bisect_right(self._starts, instant) - 1
        return self.stretches[place] if place >= 0 and instant < self.stretches[place].end else None

    def left_out(self, instant: int) -> tuple[int, str] | None:
        """Return the next occurrence of the other one, and why it is left out; None when it is not."""
        at = None if self.inside else self.of.next_after(instant)
        stretch = None if at is None else self.stretch_at(at)
        return None if at is None or stretch is None else (at, stretch.why)

    def _next_inside(self, instant: int) -> int | None:
        place = max(0, bisect_right(self._starts, instant) - 1)
        for stretch in self.stretches[place:]:
            at = self.of.next_after(max(instant, stretch.start - 1))
            if at is None or at < stretch.end:
                return at
        return None

    def _previous_inside(self, instant: int) -> int | None:
        for stretch in reversed(self.stretches[: bisect_right(self._starts, instant - 1)]):
            at = self.of.previous_before(min(instant, stretch.end))
            if at is None or at >= stretch.start:
                return at
        return None
