"""Counts runs per second: 100 000 runs of a no-op that are due already, in memory.

The clock starts when the scheduler may first look at them and stops when the last of them has succeeded.
The state of every run is kept, and every call is in its own cancel scope with a deadline. Expect a bare
floor of 80 000-110 000/s, which spends most of its time in the cancel scopes, and a scheduler with all its
features at 0.4 to 0.6 of that, no slower for a larger n.
"""

from __future__ import annotations

import time

import trio

import trioarm
from benchmarks import node
from benchmarks.floors.dispatch import dispatch_due
from benchmarks.measure import Benchmark, Figure, Measurement, OfFloor, rate


def floor(n: int) -> Measurement:
    """Measure `n` runs by a heap, a channel and ten workers."""
    return {"dispatch": rate(n, dispatch_due(n))}


def subject(n: int) -> Measurement:
    """Measure `n` one-shot schedules that are due when the engine is started."""
    return {"dispatch": rate(n, trio.run(_dispatch, n))}


async def _dispatch(n: int) -> float:
    countdown = node.Countdown(n)
    async with trioarm.open_scheduler(
        handlers={"call": countdown.call}, config=node.config(auto_start=False)
    ) as scheduler:
        now = time.time_ns() // 1000
        await scheduler.schedules.put_many(node.one_shots([now - n + number for number in range(n)]))
        began = time.perf_counter()
        scheduler.start()
        await countdown.all_recorded(scheduler, n)
        return time.perf_counter() - began


BENCHMARK = Benchmark(
    name="dispatch",
    figures=(Figure("dispatch", "runs/s", OfFloor(0.4)),),
    n=100_000,
    n_once=200,
    pairs=9,
    floor=floor,
    subject=subject,
)
