"""Counts resident bytes of a cron schedule with default policies, in memory, over 100 000 of them.

It is what the process grew by while they were added, as the kernel sees it, with garbage collected;
whatever finds and orders schedules is part of it. Expect 350 to 450 bytes from a bare record of twelve
fields with its name, two dict entries and a heap entry, and up to twice that from a scheduler. A small n
measures pages, not schedules.
"""

from __future__ import annotations

import gc
import resource
from pathlib import Path

import trio

import trioarm
from benchmarks import node
from benchmarks.floors import records
from benchmarks.measure import AtMost, Benchmark, Figure, Measurement


def resident_bytes() -> int:
    """Return how much memory this process has in use, with garbage collected. Linux only."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


def floor(n: int) -> Measurement:
    """Measure `n` slotted records in two dicts and a heap."""
    rules = records.daily_rules()
    before = resident_bytes()
    shelf = records.add(n, rules)
    grown = resident_bytes() - before
    del shelf  # not earlier: it is what was measured
    return {"footprint": grown / n}


def subject(n: int) -> Measurement:
    """Measure `n` cron schedules in a running node."""
    return {"footprint": trio.run(_grow, n) / n}


async def _grow(n: int) -> int:
    triggers = [trioarm.Cron(f"{number % 60} {number // 60 % 24} * * *") for number in range(1440)]
    async with trioarm.open_scheduler(config=node.config()) as scheduler:
        before = resident_bytes()
        for start in range(0, n, 1_000):  # what is measured is what stays, not a list of everything
            schedules = [
                trioarm.Schedule(f"daily-{number}", triggers[number % 1440], handler="log")
                for number in range(start, min(start + 1_000, n))
            ]
            await scheduler.schedules.put_many(schedules)
            del schedules
        return resident_bytes() - before


BENCHMARK = Benchmark(
    name="footprint",
    figures=(Figure("footprint", "bytes/schedule", AtMost(800)),),
    n=100_000,
    n_once=200,
    pairs=1,  # the same to within a page, every time
    floor=floor,
    subject=subject,
)
