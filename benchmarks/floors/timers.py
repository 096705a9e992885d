"""The floors of waiting: a heap and one sleep, on the real clock and in virtual time."""

from __future__ import annotations

import heapq
import time
from collections.abc import Sequence

import trio
import trio.testing

LEAD_S = 0.1  # the first timer is set before it is due
MINUTE_S = 60.0


def lateness(offsets_s: Sequence[float]) -> list[float]:
    """Call a no-op at each offset from now; return how late each call began, in seconds."""
    return trio.run(_lateness, offsets_s)


async def _lateness(offsets_s: Sequence[float]) -> list[float]:
    start = trio.current_time() + LEAD_S
    due = [start + offset_s for offset_s in offsets_s]
    heapq.heapify(due)
    late_s: list[float] = []
    while due:
        await trio.sleep_until(due[0])
        due_at = heapq.heappop(due)
        late_s.append(trio.current_time() - due_at)
        await _handle()
    return late_s


def minutes(n: int) -> float:
    """Sleep through `n` minutes of virtual time with a call at each; return the real seconds that it took."""
    return trio.run(_minutes, n, clock=trio.testing.MockClock(autojump_threshold=0))


async def _minutes(n: int) -> float:
    began = time.perf_counter()
    for _ in range(n):
        await trio.sleep(MINUTE_S)
        await _handle()
    return time.perf_counter() - began


async def _handle() -> None:
    """Do nothing."""
