"""Counts milliseconds from when a timer is due to the first line of its handler: 100/s for 10 s.

The timers are scattered, each within its own hundredth of a second, since an even beat would meet the
milliseconds that trio wakes on always in the same place. Expect a median of 0.8-1.1 ms and 1.4-2.2 ms at
the 99th percentile from trio as it is, of which most is the rounding; a node naps by an exact timer and is awake
up to 2 ms before, which at this rate costs a tenth of a processor. The last row is by how much the 99th percentile
grows while another handler is saturated: it has two workers of its own, and a hundred runs that wait for them.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

import attrs
import trio

import trioarm
from benchmarks import node
from benchmarks.floors import timers
from benchmarks.measure import AtMost, Benchmark, Figure, Measurement

BEAT_S = 0.01
BUSY, BUSY_RUNS, BUSY_WORKERS = "busy", 100, 2
GROWS = "lateness p99, grows beside a saturated handler"


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
    measured = percentiles(timers.lateness(offsets_s(n)))
    return {**measured, GROWS: measured["lateness p99"]}


def subject(n: int) -> Measurement:
    """Measure `n` one-shot schedules of a running node."""
    alone, beside = percentiles(trio.run(_lateness, n, 0)), percentiles(trio.run(_lateness, n, BUSY_RUNS))
    return {**alone, GROWS: beside["lateness p99"] - alone["lateness p99"]}


async def _lateness(n: int, busy_runs: int) -> list[float]:
    late_s: list[float] = []
    done = trio.Event()

    async def call(run: trioarm.RunContext) -> None:
        late_s.append(time.time() - run.due_at.timestamp())
        if len(late_s) == n:
            done.set()

    async def busy(run: trioarm.RunContext) -> None:
        await trio.sleep(n * BEAT_S * BUSY_WORKERS / BUSY_RUNS)

    config = attrs.evolve(node.config(), workers={BUSY: BUSY_WORKERS})
    async with trioarm.open_scheduler(handlers={"call": call, BUSY: busy}, config=config) as scheduler:
        now = time.time_ns() // 1000
        await scheduler.schedules.put_many(
            trioarm.Schedule(f"busy-{number}", trioarm.Once(now), handler=BUSY) for number in range(busy_runs)
        )
        began = now + 200_000  # all are put before the first is due
        due_at = [began + round(offset_s * 1e6) for offset_s in offsets_s(n)]
        await scheduler.schedules.put_many(node.one_shots(due_at))
        await done.wait()
    return late_s


BENCHMARK = Benchmark(
    name="lateness",
    figures=(
        Figure("lateness p50", "ms", AtMost(0.4)),
        Figure("lateness p99", "ms", AtMost(0.8)),
        Figure(GROWS, "ms", AtMost(1.0)),
    ),
    n=1_000,
    n_once=20,
    pairs=3,
    floor=floor,
    subject=subject,
)
