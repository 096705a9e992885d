"""Counts schedules added per second: 100 000 cron schedules, in one call, in memory and in one SQLite file.

Making the values counts too, on both sides: nobody adds a schedule without making it. Parsed cron rules are
ready before the clock starts. Expect a bare floor of 300 000/s or more in memory and half of that in a file (a row,
a unique name and an entry of a due index each, in batches of 1 000); a scheduler that validates each of them, writes
what it is and tells when it is due next, 0.4 of that.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import trio

import trioarm
from benchmarks import node
from benchmarks.floors import records, stored
from benchmarks.measure import Benchmark, Figure, Measurement, OfFloor, rate

MEMORY, FILE = "adding", "adding, in a file"


def floor(n: int) -> Measurement:
    """Measure `n` slotted records put into two dicts and a heap, and `n` rows."""
    rules = records.daily_rules()
    began = time.perf_counter()
    shelf = records.add(n, rules)
    elapsed_s = time.perf_counter() - began
    if not len(shelf.by_key) == len(shelf.by_name) == len(shelf.due) == n:
        raise RuntimeError("the floor lost a record")
    with tempfile.TemporaryDirectory() as folder:
        return {MEMORY: rate(n, elapsed_s), FILE: rate(n, stored.add(n, Path(folder) / "floor.db"))}


def subject(n: int) -> Measurement:
    """Measure `n` cron schedules put in one call."""
    in_memory = rate(n, trio.run(_add, n, "memory://"))
    with tempfile.TemporaryDirectory() as folder:
        return {MEMORY: in_memory, FILE: rate(n, trio.run(_add, n, f"sqlite:///{folder}/trioarm.db"))}


async def _add(n: int, store: str) -> float:
    triggers = [trioarm.Cron(f"{number % 60} {number // 60 % 24} * * *") for number in range(1440)]
    async with trioarm.open_scheduler(store, config=node.config()) as scheduler:
        began = time.perf_counter()
        schedules = [trioarm.Schedule(f"daily-{number}", triggers[number % 1440], handler="log") for number in range(n)]
        results = await scheduler.schedules.put_many(schedules)
        elapsed_s = time.perf_counter() - began
    if any(result.outcome != "added" for result in results):
        raise RuntimeError("a schedule was not added")
    return elapsed_s


BENCHMARK = Benchmark(
    name="adding",
    figures=(Figure(MEMORY, "schedules/s", OfFloor(0.4)), Figure(FILE, "schedules/s", OfFloor(0.4))),
    n=100_000,
    n_once=200,
    pairs=9,
    floor=floor,
    subject=subject,
)
