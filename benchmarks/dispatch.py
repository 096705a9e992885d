"""Counts runs per second: 100 000 runs of a no-op that are due already, in memory.

The clock starts when the scheduler may first look at them and stops when the last of them has succeeded.
The state of every run is kept, and every call is in its own cancel scope with a deadline. Expect a bare
floor of 80 000-110 000/s, which spends most of its time in the cancel scopes, and a scheduler with all its
features at 0.4 to 0.6 of that, no slower for a larger n.
"""

from __future__ import annotations

from benchmarks.floors.dispatch import dispatch_due
from benchmarks.measure import Benchmark, Figure, Measurement, OfFloor, rate


def floor(n: int) -> Measurement:
    """Measure `n` runs by a heap, a channel and ten workers."""
    return {"dispatch": rate(n, dispatch_due(n))}


BENCHMARK = Benchmark(
    name="dispatch",
    figures=(Figure("dispatch", "runs/s", OfFloor(0.4)),),
    n=100_000,
    n_once=200,
    pairs=9,
    floor=floor,
)
