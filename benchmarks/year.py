"""Counts runs per second of real time: one node through a year of a minute schedule in virtual time.

The clock jumps to the next deadline whenever every task sleeps, so this is, 525 600 times, the cost of one
turn of everything a node does: wake, decide, run, record, sleep. Expect 30 000 wakes/s or more of a bare
loop that sleeps and calls, and a third of that from a whole node.
"""

from __future__ import annotations

from benchmarks.floors import timers
from benchmarks.measure import AtLeast, Benchmark, Figure, Measurement, rate


def floor(n: int) -> Measurement:
    """Measure `n` minutes of a bare loop that sleeps and calls."""
    return {"year": rate(n, timers.minutes(n))}


BENCHMARK = Benchmark(
    name="year",
    figures=(Figure("year", "runs/s", AtLeast(10_000)),),
    n=365 * 24 * 60,
    n_once=200,
    pairs=1,  # long enough that the drift of the machine averages out
    floor=floor,
)
