"""Counts runs per second of real time: one node through a year of a minute schedule in virtual time.

The clock jumps to the next deadline whenever every task sleeps, so this is, 525 600 times, the cost of one
turn of everything a node does: wake, decide, run, record, sleep. Expect 30 000 wakes/s or more of a bare
loop that sleeps and calls, and a sixth of that from a whole node: a bare loop is one task that sleeps, a node three
that take turns, with a cancel scope for each attempt, and half of what a run costs is trio's part in that.
"""

from __future__ import annotations

import time

import trio
from trio.testing import MockClock

import trioarm
from benchmarks import node
from benchmarks.floors import timers
from benchmarks.measure import AtLeast, Benchmark, Figure, Measurement, rate
from trioarm.core.instants import parse_instant
from trioarm.engine.clock import VirtualClock
from trioarm.engine.ports import Clock

START_AT = parse_instant("2026-01-01T00:00:00Z")


def floor(n: int) -> Measurement:
    """Measure `n` minutes of a bare loop that sleeps and calls."""
    return {"year": rate(n, timers.minutes(n))}


def subject(n: int) -> Measurement:
    """Measure a node with one schedule that runs every minute, for `n` minutes."""
    return {"year": rate(n, trio.run(_minutes, n, clock=MockClock(autojump_threshold=0)))}


async def _minutes(n: int) -> float:
    countdown = node.Countdown(n)
    container = trioarm.scheduler_components(node.config(), {"call": countdown.call})
    clock = VirtualClock(START_AT, trio_start=trio.current_time())
    container.override(Clock, lambda _: clock)
    async with trioarm.open_scheduler(container=container) as scheduler:
        began = time.perf_counter()
        await scheduler.schedules.put(trioarm.Schedule("minute", trioarm.Every(60.0), handler="call"))
        await countdown.all_recorded(scheduler, n)
        return time.perf_counter() - began


BENCHMARK = Benchmark(
    name="year",
    figures=(Figure("year", "runs/s", AtLeast(10_000)),),
    n=365 * 24 * 60,
    n_once=200,
    pairs=1,  # long enough that the drift of the machine averages out
    floor=floor,
    subject=subject,
)
