"""What happens a while ahead of something else: a warning before the house is armed (S4.2)."""

from __future__ import annotations

from typing import Final

import attrs

from trioarm.core.errors import InvalidTrigger
from trioarm.core.instants import EARLIEST, LATEST, microseconds
from trioarm.core.triggers.base import Trigger, own_zone
from trioarm.core.triggers.elapsed import After
from trioarm.core.triggers.wording import spell_duration
from trioarm.core.triggers.zones import Zone

AHEAD_S_MIN: Final = 0.001
AHEAD_S_MAX: Final = 31 * 86_400.0


def _foreseeable(_: object, __: object, value: Trigger) -> None:
    if isinstance(value, After):
        raise InvalidTrigger("ahead: when a fixed delay is over depends on the run before, so nothing lies ahead of it")


def _span(_: object, __: object, value: float) -> None:
    if not AHEAD_S_MIN <= value <= AHEAD_S_MAX:  # NaN is not between anything
        raise InvalidTrigger(f"ahead by {value!r} seconds: it must lie between {AHEAD_S_MIN} and {AHEAD_S_MAX:.0f}")


@attrs.frozen(slots=True, weakref_slot=False)
class Ahead:
    """Every occurrence of another trigger, so much earlier.

    Args:
        of: the other one.
        by_s: elapsed seconds, up to 31 days: fifteen minutes before are fifteen minutes before, whatever clocks show.

    Raises:
        InvalidTrigger: the other one is a fixed delay, or the time is out of its bounds.
    """

    of: Trigger = attrs.field(validator=_foreseeable)
    by_s: float = attrs.field(converter=float, validator=_span)
    _by: int = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "_by", microseconds(self.by_s))

    @property
    def zone(self) -> Zone | None:
        """The zone of the other one; None where it has none."""
        return own_zone(self.of)

    def next_after(self, instant: int) -> int | None:
        """Return the first occurrence later than `instant` (S4.1)."""
        found = self.of.next_after(max(instant, EARLIEST - 1) + self._by)
        return None if found is None else found - self._by

    def previous_before(self, instant: int) -> int | None:
        """Return the last occurrence earlier than `instant` (S4.1)."""
        found = self.of.previous_before(min(instant, LATEST) + self._by)
        return None if found is None or found - self._by < EARLIEST else found - self._by

    def count(self, after: int, until: int) -> int:
        """Return how many occurrences lie in `(after, until]` (S4.1)."""
        return self.of.count(max(after, EARLIEST - 1) + self._by, until + self._by)

    def shift_at(self, instant: int) -> int:
        """Return by how much a gap moved what this lies ahead of (S4.1)."""
        return self.of.shift_at(instant + self._by)

    def describe(self) -> str:
        """Return the rule in plain English."""
        return f"{spell_duration(self._by)} ahead of what happens {self.of.describe()}"
