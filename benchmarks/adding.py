"""Counts schedules added per second: 100 000 cron schedules, in memory, in one call.

Making the values counts too, on both sides: nobody adds a schedule without making it. Parsed cron rules are
ready before the clock starts. Expect a bare floor of 300 000/s or more; a scheduler that validates each of
them and tells when it is due next, 0.4 of that.
"""

from __future__ import annotations

import time

from benchmarks.floors import records
from benchmarks.measure import Benchmark, Figure, Measurement, OfFloor, rate


def floor(n: int) -> Measurement:
    """Measure `n` slotted records put into two dicts and a heap."""
    rules = records.daily_rules()
    began = time.perf_counter()
    shelf = records.add(n, rules)
    elapsed_s = time.perf_counter() - began
    if not len(shelf.by_key) == len(shelf.by_name) == len(shelf.due) == n:
        raise RuntimeError("the floor lost a record")
    return {"adding": rate(n, elapsed_s)}


BENCHMARK = Benchmark(
    name="adding",
    figures=(Figure("adding", "schedules/s", OfFloor(0.4)),),
    n=100_000,
    n_once=200,
    pairs=9,
    floor=floor,
)
