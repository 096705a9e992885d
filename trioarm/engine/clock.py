"""Clocks: the wall clock that says what is due, and the one for tests that follows trio's (S3.2)."""

from __future__ import annotations

import time
from typing import Final

import trio

from trioarm.core.instants import SECOND

CHECK_INTERVAL_S: Final = 60.0


class SystemClock:
    """The machine's clock. Naps are monotonic, and never longer than `check_interval_s`, whatever the wall clock does.

    Args:
        check_interval_s: the longest nap, in seconds; may be changed while naps are taken.
    """

    def __init__(self, check_interval_s: float = CHECK_INTERVAL_S) -> None:
        self.check_interval_s = check_interval_s

    def now(self) -> int:
        """Return the wall clock in microseconds since 1970 UTC."""
        return time.time_ns() // 1000

    def nap_until(self, due_at: int | None, *, at_least_s: float = 0.0) -> trio.CancelScope:
        """Return a cancel scope that ends at `due_at`, and in any case after `check_interval_s`."""
        nap_s = self.check_interval_s
        if due_at is not None:
            nap_s = max(at_least_s, min(nap_s, (due_at - self.now()) / SECOND))
        return trio.move_on_after(max(0.0, nap_s))


class VirtualClock(SystemClock):
    """A wall clock that follows trio's own, so that under `trio.testing.MockClock` a year takes seconds.

    Args:
        start_at: the wall clock, in microseconds since 1970 UTC, when trio's clock shows `trio_start`.
        trio_start: a reading of `trio.current_time()`.
        check_interval_s: the longest nap, in seconds.
    """

    def __init__(self, start_at: int, *, trio_start: float = 0.0, check_interval_s: float = CHECK_INTERVAL_S) -> None:
        super().__init__(check_interval_s)
        self._offset = start_at - round(trio_start * SECOND)

    def now(self) -> int:
        """Return the wall clock in microseconds since 1970 UTC."""
        return self._offset + round(trio.current_time() * SECOND)

    def step(self, seconds: float) -> None:
        """Set the wall clock forward, or back, as an operator or a time server would."""
        self._offset += round(seconds * SECOND)
