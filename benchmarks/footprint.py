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


BENCHMARK = Benchmark(
    name="footprint",
    figures=(Figure("footprint", "bytes/schedule", AtMost(800)),),
    n=100_000,
    n_once=200,
    pairs=1,  # the same to within a page, every time
    floor=floor,
)
