"""Counts what waiting costs: wake-ups and processor time while 100 000 schedules are due in an hour.

A wake-up is a return from the wait for input and timers. The watch lasts one `check_interval`, which is set
to its smallest value. Expect none from bare trio, and at most one from a scheduler that caps every nap at
`check_interval` so as to notice a stepped clock; processor time should be below a millisecond per second.
"""

from __future__ import annotations

import heapq
import time

import trio
import trio.testing

import trioarm
from benchmarks import node
from benchmarks.measure import AtMost, Benchmark, Figure, Measurement

N = 100_000
HOUR_S = 3_600.0
CHECK_INTERVAL_S = 5.0


class WakeCounter(trio.abc.Instrument):
    """Counts the waits of the event loop that had been allowed to take time."""

    def __init__(self) -> None:
        self.wakes = 0

    def after_io_wait(self, timeout: float) -> None:
        """Count a wait that has ended; one that only polls while tasks are ready is not a wake-up."""
        if timeout > 0:
            self.wakes += 1


async def watch(n: int) -> Measurement:
    """Watch the running program for one `check_interval`; for less of it when n is less than `N`."""
    window_s = CHECK_INTERVAL_S * n / N
    await trio.testing.wait_all_tasks_blocked(0.05)
    counter = WakeCounter()
    began_cpu_s = time.process_time()
    trio.lowlevel.add_instrument(counter)
    await trio.sleep(window_s)
    trio.lowlevel.remove_instrument(counter)
    cpu_s = time.process_time() - began_cpu_s
    own = 1  # the sleep above ends by a wake-up too
    return {"idle wakes": max(0, counter.wakes - own), "idle cpu": cpu_s / window_s * 1e3}


def floor(n: int) -> Measurement:
    """Measure a heap of `n` timers and one sleep until the first."""
    return trio.run(_floor, n)


async def _floor(n: int) -> Measurement:
    due = [trio.current_time() + HOUR_S + number for number in range(n)]
    heapq.heapify(due)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep_until, due[0])
        watched = await watch(n)
        nursery.cancel_scope.cancel()
    return watched


def subject(n: int) -> Measurement:
    """Measure a node with `n` schedules that are due in an hour."""
    return trio.run(_idle, n)


async def _idle(n: int) -> Measurement:
    config = node.config(check_interval_s=CHECK_INTERVAL_S)
    async with trioarm.open_scheduler(handlers={"call": node.Countdown(n).call}, config=config) as scheduler:
        first = time.time_ns() // 1000 + round(HOUR_S * 1e6)
        await scheduler.schedules.put_many(node.one_shots([first + number for number in range(n)]))
        return await watch(n)


BENCHMARK = Benchmark(
    name="idle",
    figures=(
        Figure("idle wakes", "per check_interval", AtMost(1)),
        Figure("idle cpu", "ms/s"),
    ),
    n=N,
    n_once=1_000,
    pairs=1,
    floor=floor,
    subject=subject,
)
