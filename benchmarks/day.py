"""Counts what a busy node keeps in memory that it did not keep before: 24 virtual hours on a real SQLite file.

Ten schedules run every twenty seconds: some fail and are retried, some share a lane, some supersede each other, one
returns a result; housekeeping runs as in any node. What the interpreter has handed out is asked of tracemalloc after
every ten minutes. It grows at first, until caches are full; what it grows by from the first sixth of the day to the
end is a leak or is not. Expect nothing but noise: a few kilobytes, as from a bare loop that sleeps. The peak is what a
node of that size needs at most, Python's modules left out.
"""

from __future__ import annotations

import gc
import logging
import tempfile
import tracemalloc
from pathlib import Path

import trio

import trioarm
from benchmarks import node
from benchmarks.floors import timers
from benchmarks.measure import AtMost, Benchmark, Figure, Measurement
from trioarm.testing import FileStore, a_world, in_virtual_time

STRETCH_S = 600.0
EVERY_S = 20.0
KIB = 1_024
GROWN, PEAK = "day, grown", "day, peak"
MINUTES = 10  # of a stretch


def floor(n: int) -> Measurement:
    """Measure a bare loop that sleeps and calls for `n` stretches of ten minutes."""
    tracemalloc.start()
    timers.minutes(n * MINUTES)
    before = kept()
    timers.minutes(n * MINUTES)
    return {GROWN: (kept() - before) / KIB, PEAK: tracemalloc.get_traced_memory()[1] / KIB}


def subject(n: int) -> Measurement:
    """Measure a node for `n` stretches of ten minutes."""
    logging.disable(logging.WARNING)  # half of what it does fails
    tracemalloc.start()
    after = in_virtual_time(_stretches, n)
    settled = after[max(0, len(after) // 6 - 1)]
    return {GROWN: (after[-1] - settled) / KIB, PEAK: tracemalloc.get_traced_memory()[1] / KIB}


def kept() -> int:
    """Return the bytes that are in use, with garbage collected."""
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


async def _stretches(n: int) -> list[int]:
    """Let a node live, and return what it had in use after each stretch."""
    after: list[int] = []
    with tempfile.TemporaryDirectory() as folder:
        async with a_world(FileStore(Path(folder) / "day.db"), housekeeping=True) as world:
            living = await world.start({"work": _work}, node.config())
            await living.scheduler.schedules.put_many(schedules())
            for _ in range(n):
                await trio.sleep(STRETCH_S)
                after.append(kept())
    return after


def schedules() -> list[trioarm.Schedule]:
    """Return ten schedules that are never idle for long."""
    plain = [trioarm.Schedule(f"plain-{number}", trioarm.Every(EVERY_S), handler="work") for number in range(4)]
    lane = [trioarm.Schedule(f"lane-{number}", trioarm.Every(EVERY_S), handler="work", lane="a") for number in range(2)]
    door = [
        trioarm.Schedule(f"door-{number}", trioarm.Every(EVERY_S), handler="work", lane="door", supersede=True)
        for number in range(2)
    ]
    retry = trioarm.RetryPolicy(2, 1.0)
    failing = [
        trioarm.Schedule(f"fails-{fails}", trioarm.Every(EVERY_S), handler="work", args={"fails": fails}, retry=retry)
        for fails in (1, 9)
    ]
    return [*plain, *lane, *door, *failing]


async def _work(run: trioarm.RunContext) -> str:
    fails = run.args.get("fails", 0)
    if isinstance(fails, int) and run.attempt <= fails:
        raise OSError("as its arguments say")
    return run.id


BENCHMARK = Benchmark(
    name="day",
    figures=(Figure(GROWN, "KiB", AtMost(64.0)), Figure(PEAK, "KiB")),
    n=144,
    n_once=1,
    pairs=1,  # what is handed out is counted, not measured
    floor=floor,
    subject=subject,
)
