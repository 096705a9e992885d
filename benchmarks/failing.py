"""Counts seconds of real time for a year of an hourly and a daily schedule whose handlers fail, in virtual time.

The hourly handler succeeds at every third call, the daily one never, so that 9 125 occurrences become more than 27 000
attempts with their backoffs. The node's own housekeeping schedules are taken out: two schedules and nothing else. No
wall clock is stepped in virtual time, so the node naps from one due instant to the next. Expect 27 000 wakes of a bare
loop in about a second, and five or six times that of a node that decides, claims, calls, records and retries.
"""

from __future__ import annotations

import time

import trio
from trio.testing import MockClock

import trioarm
from benchmarks import node
from benchmarks.floors import timers
from benchmarks.measure import AtMost, Benchmark, Figure, Measurement
from trioarm.core.instants import DAY, SECOND, parse_instant
from trioarm.engine.clock import VirtualClock
from trioarm.engine.ports import Clock
from trioarm.handlers.housekeeping import OWNER

START_AT = parse_instant("2026-01-01T00:00:00Z")
ATTEMPTS_A_DAY = 24 * 3 + 4
LAST_S = 60.0  # for the last occurrence, which is due in the instant the last day ends


def floor(n: int) -> Measurement:
    """Measure as many wakes of a bare loop as a node makes attempts in `n` days."""
    return {"failing year": timers.minutes(n * ATTEMPTS_A_DAY)}


def subject(n: int) -> Measurement:
    """Measure a node through `n` days."""
    return {"failing year": trio.run(_days, n, clock=MockClock(autojump_threshold=0))}


async def _days(n: int) -> float:
    calls = 0

    async def sometimes(run: trioarm.RunContext) -> None:
        nonlocal calls
        calls += 1
        if calls % 3:
            raise ConnectionError("the line is busy")

    async def never(run: trioarm.RunContext) -> None:
        raise RuntimeError("broken for good")

    container = trioarm.scheduler_components(node.config(), {"sometimes": sometimes, "never": never})
    clock = VirtualClock(START_AT, trio_start=trio.current_time(), check_interval_s=DAY / SECOND)
    container.override(Clock, lambda _: clock)
    async with trioarm.open_scheduler(container=container) as scheduler:
        await scheduler.schedules.sync(OWNER, [])
        await scheduler.schedules.put(trioarm.Schedule("hourly", trioarm.Every(3600), handler="sometimes"))
        daily = trioarm.Schedule("daily", trioarm.Cron("30 2 * * *", "Europe/Prague"), handler="never")
        await scheduler.schedules.put(daily)
        began = time.perf_counter()
        await trio.sleep(n * DAY / SECOND + LAST_S)
        elapsed_s = time.perf_counter() - began
        decided = sum(scheduler.metrics().decided.values())
    if decided < n * 25:
        raise RuntimeError(f"only {decided} occurrences were decided")
    return elapsed_s


BENCHMARK = Benchmark(
    name="failing",
    figures=(Figure("failing year", "s", AtMost(5.0)),),
    n=365,
    n_once=2,
    pairs=3,
    floor=floor,
    subject=subject,
)
