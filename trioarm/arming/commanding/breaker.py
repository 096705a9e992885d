"""The breaker of a physical panel: one that does not answer is not asked again by every run of every partition. Pure.

It counts and says when to ask again; it asks nothing. It lives as long as its process, and by a clock that nobody sets.
"""

from __future__ import annotations

from typing import Final

import attrs

FAILURES_MAX: Final = 5  # in a row without an answer: one packet lost, or one restart of a bridge, is fewer
PAUSE_S: Final = 10.0  # of the first pause: a bridge that restarts is back by then
PAUSE_S_MAX: Final = 120.0  # of those that follow: a run puts itself off 1 000 times at most, and those are over a day
GROWTH: Final = 2.0


@attrs.define(slots=True)
class Breaker:
    """Whether a panel is asked, or left alone until an instant. Instants are seconds of a clock that is never set.

    Attributes:
        failures: times in a row that it gave no answer, whoever asked.
        asking: questions that are under way.
        pause_s: how long it was last left alone; 0 while it answers.
        open_until: when it is asked again; None while it answers.
    """

    failures: int = 0
    asking: int = 0
    pause_s: float = 0.0
    open_until: float | None = None

    def answered(self) -> bool:
        """Heed an answer, whatever it says; return whether that closes the breaker."""
        was_open = self.open_until is not None
        self.failures, self.pause_s, self.open_until = 0, 0.0, None
        return was_open

    def failed(self, now: float) -> bool:
        """Heed that there was no answer; return whether that opens the breaker, which was closed.

        While it is left alone, others who ask all the same, as people may, make the pause no longer.
        """
        self.failures += 1
        if self.failures < FAILURES_MAX or (self.open_until is not None and now < self.open_until):
            return False
        was_closed = self.open_until is None
        self.pause_s = PAUSE_S if was_closed else min(PAUSE_S_MAX, self.pause_s * GROWTH)
        self.open_until = now + self.pause_s
        return was_closed

    @property
    def failed_at(self) -> float | None:
        """When the answer failed to come for which it is left alone; None while it answers."""
        return None if self.open_until is None else self.open_until - self.pause_s

    def wait_s(self, now: float) -> float:
        """Return for how many seconds a run leaves it alone; 0 where it may ask now.

        When a pause is over one asks, and the others leave it alone for as long as the next pause would be, should
        that be in vain.
        """
        if self.open_until is None:
            return 0.0
        if now < self.open_until:
            return self.open_until - now
        return min(PAUSE_S_MAX, self.pause_s * GROWTH) if self.asking else 0.0
