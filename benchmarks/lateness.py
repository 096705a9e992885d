"""Counts milliseconds from when a timer is due to the first line of its handler: 100/s for 10 s.

The timers are scattered, each within its own hundredth of a second, since an even beat would meet the
milliseconds that trio wakes on always in the same place. Expect a median of 0.8-1.1 ms and 1.4-2.2 ms at
the 99th percentile from trio as it is, of which most is the rounding; a node naps by an exact timer and is awake
up to 2 ms before, which at this rate costs a tenth of a processor.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

import trio

import trioarm
from benchmarks import node
from benchmarks.floors import timers
from benchmarks.measure import AtMost, Benchmark, Figure, Measurement

BEAT_S = 0.01


def offsets_s(n: int) -> list[float]:
    """Return when the timers are due, in seconds from the start; the same for both sides and in every run."""
    scatter = random.Random(1)
    return [(number + scatter.random()) * BEAT_S for number in range(n)]


def percentiles(late_s: Sequence[float]) -> Measurement:
    """Return the median and the 99th percentile, in milliseconds."""
    ordered = sorted(late_s)
    last = len(ordered) - 1
    return {"lateness p50": ordered[last // 2] * 1e3, "lateness p99": ordered[last * 99 // 100] * 1e3}


def floor(n: int) -> Measurement:
    """Measure `n` timers by a heap and one sleep."""
    return percentiles(timers.lateness(offsets_s(n)))


def subject(n: int) -> Measurement:
    """Measure `n` one-shot schedules of a running node."""
    return percentiles(trio.run(_lateness, n))


async def _lateness(n: int) -> list[float]:
    late_s: list[float] = []
    done = trio.Event()

    async def call(run: trioarm.RunContext) -> None:
        late_s.append(time.time() - run.due_at.timestamp())
        if len(late_s) == n:
            done.set()

    async with trioarm.open_scheduler(handlers={"call": call}, config=node.config()) as scheduler:
        began = time.time_ns() // 1000 + 200_000  # all are put before the first is due
        due_at = [began + round(offset_s * 1e6) for offset_s in offsets_s(n)]
        await scheduler.schedules.put_many(node.one_shots(due_at))
        await done.wait()
    return late_s


BENCHMARK = Benchmark(
    name="lateness",
    figures=(Figure("lateness p50", "ms", AtMost(0.4)), Figure("lateness p99", "ms", AtMost(0.8))),
    n=1_000,
    n_once=20,
    pairs=3,
    floor=floor,
    subject=subject,
)
