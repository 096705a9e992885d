"""Counts seconds: from opening a store with 100 000 schedules in it to the first run, which is due by then.

A store is filled once, outside of the clock, on both sides. Expect a bare floor of about a millisecond (open the file
and ask an index for the first instant), and less than 0.1 s of a scheduler, however many schedules are stored.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from pathlib import Path

import trio

import trioarm
from benchmarks import node
from benchmarks.measure import AtMost, Benchmark, Figure, Measurement

LATER_S = 3_000.0  # until all but the first of them are due


def floor(n: int) -> Measurement:
    """Measure how long it takes to open a file and find the first of `n` instants by an index."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "floor.db"
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE schedules (key INTEGER PRIMARY KEY, due_at INTEGER)")
            connection.execute("CREATE INDEX due ON schedules (due_at)")
            connection.executemany("INSERT INTO schedules VALUES (?, ?)", ((key, key) for key in range(n)))
        connection.close()
        began = time.perf_counter()
        connection = sqlite3.connect(path)
        connection.execute("SELECT key, due_at FROM schedules ORDER BY due_at LIMIT 1").fetchone()
        elapsed_s = time.perf_counter() - began
        connection.close()
    return {"restart": elapsed_s}


def subject(n: int) -> Measurement:
    """Measure a node on a store with `n` schedules, of which one is due."""
    with tempfile.TemporaryDirectory() as folder:
        store = f"sqlite:///{folder}/trioarm.db"
        trio.run(_fill, store, n)
        return {"restart": trio.run(restarted, store)}


async def _fill(store: str, n: int) -> None:
    now = time.time_ns() // 1000
    later = now + round(LATER_S * 1e6)
    config = node.config(auto_start=False)
    async with trioarm.open_scheduler(store, handlers={"call": node.Countdown(1).call}, config=config) as scheduler:
        await scheduler.schedules.put_many(node.one_shots([now, *(later + number for number in range(n - 1))]))


async def restarted(store: str) -> float:
    """Open a store, and return after how many seconds the first handler is called."""
    countdown = node.Countdown(1)
    began = time.perf_counter()
    async with trioarm.open_scheduler(store, handlers={"call": countdown.call}, config=node.config()):
        await countdown.all_called()
        return time.perf_counter() - began


BENCHMARK = Benchmark(
    name="restart",
    figures=(Figure("restart", "s", AtMost(0.1)),),
    n=100_000,
    n_once=200,
    pairs=3,
    floor=floor,
    subject=subject,
)
