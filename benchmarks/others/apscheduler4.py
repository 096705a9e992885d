"""APScheduler 4 (an alpha): in memory on trio, on SQLite through SQLAlchemy and aiosqlite, which need asyncio.

It is the nearest to trioarm: schedules and jobs are rows, and a job that lost its worker is begun again. It keeps no
history: the row of a job goes when it ends. SQLite is left as SQLAlchemy opens it: a rollback journal, synchronised in
full. A schedule is added in a call of its own; there is no other way. It may begin 1 000 jobs at once.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import random
import resource
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import trio

HELD = 1_000
BEAT_S, LEAD_S = 0.01, 1.0
AsyncScheduler: Any = importlib.import_module("apscheduler").AsyncScheduler
MemoryDataStore: Any = importlib.import_module("apscheduler.datastores.memory").MemoryDataStore
SQLAlchemyDataStore: Any = importlib.import_module("apscheduler.datastores.sqlalchemy").SQLAlchemyDataStore
CronTrigger: Any = importlib.import_module("apscheduler.triggers.cron").CronTrigger
DateTrigger: Any = importlib.import_module("apscheduler.triggers.date").DateTrigger
late_s: list[float] = []


class Calls:
    """Calls that are waited for."""

    n = 0
    over: Any = None  # an event, of trio or of asyncio


def expect(n: int, over: Any) -> Any:
    """Let an event be set once there were so many calls, and return it."""
    Calls.n, Calls.over = n, over
    return over


async def call(due_at: float) -> None:
    """Note how late it is: the only trace of a run."""
    late_s.append(time.time() - due_at)
    if len(late_s) == Calls.n:
        Calls.over.set()


def scheduler(store: Any) -> Any:
    """Return a scheduler on a store."""
    return AsyncScheduler(store, max_concurrent_jobs=HELD)


def on_a_file(folder: Path) -> Any:
    """Return a store in a file."""
    return SQLAlchemyDataStore(f"sqlite+aiosqlite:///{folder}/jobs.db")


async def add(at: Any, instants: list[float]) -> None:
    """Add a schedule for each instant, in seconds since 1970."""
    for instant in instants:
        trigger = DateTrigger(datetime.fromtimestamp(instant, UTC))
        await at.add_schedule(call, trigger, args=[instant], misfire_grace_time=None)


async def dispatched(store: Any, n: int, over: Any) -> dict[str, float]:
    """Return how many runs a second there were of what is due when it starts."""
    async with scheduler(store) as at:
        await add(at, [time.time() - number * 1e-6 for number in range(n)])
        expect(n, over)
        began = time.perf_counter()
        await at.start_in_background()
        await over.wait()
        elapsed_s = time.perf_counter() - began
        await at.stop()
    return {"dispatch": n / elapsed_s, "durable": n / elapsed_s}


async def lateness(n: int) -> dict[str, float]:
    """Return how late calls begin, in milliseconds."""
    scatter, over = random.Random(1), expect(n, trio.Event())
    async with scheduler(MemoryDataStore()) as at:
        await at.start_in_background()
        began = time.time() + LEAD_S + n * 0.001  # all are added before the first is due
        await add(at, [began + (number + scatter.random()) * BEAT_S for number in range(n)])
        await over.wait()
        await at.stop()
    late_s.sort()
    last = n - 1
    return {"lateness p50": late_s[last // 2] * 1e3, "lateness p99": late_s[last * 99 // 100] * 1e3}


async def adding(n: int) -> dict[str, float]:
    """Return how many schedules a second are added, and what each takes, in bytes.

    Triggers are made before the clock starts, one for each, since they have a state.
    """
    async with scheduler(MemoryDataStore()) as at:
        before = resident_bytes()
        times = [(number % 60, number // 60 % 24) for number in range(n)]
        triggers = [CronTrigger(minute=minute, hour=hour, timezone="Europe/Prague") for minute, hour in times]
        began = time.perf_counter()
        for number, trigger in enumerate(triggers):
            await at.add_schedule(call, trigger, args=[0.0], id=f"daily-{number}")
        elapsed_s = time.perf_counter() - began
        return {"adding": n / elapsed_s, "footprint": (resident_bytes() - before) / n}


async def restart(n: int, folder: Path) -> dict[str, float]:
    """Return after how many seconds the first run of `n` stored schedules begins."""
    async with scheduler(on_a_file(folder)) as at:
        later = time.time() + 3_000
        await add(at, [time.time(), *(later + number for number in range(n - 1))])
    over = expect(1, asyncio.Event())
    began = time.perf_counter()
    async with scheduler(on_a_file(folder)) as at:
        await at.start_in_background()
        await over.wait()
        elapsed_s = time.perf_counter() - began
        await at.stop()
    return {"restart": elapsed_s}


def resident_bytes() -> int:
    """Return how much memory this process has in use."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()


def measure(work: str, n: int, folder: Path) -> dict[str, float]:
    """Return the figures of one kind of work."""
    match work:
        case "dispatch":
            return trio.run(dispatched, MemoryDataStore(), n, trio.Event())
        case "durable":
            return asyncio.run(dispatched(on_a_file(folder), n, asyncio.Event()))
        case "lateness":
            return trio.run(lateness, n)
        case "adding" | "footprint":
            return trio.run(adding, n)
        case "restart":
            return asyncio.run(restart(n, folder))
    return {}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))) + "\n")
