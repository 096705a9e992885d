"""APScheduler 3 on asyncio: in memory, and on SQLite through SQLAlchemy.

It does less: a run leaves no row, and one that is under way when the process dies is forgotten, since its job is moved
on, or deleted, as soon as it is begun. SQLite is left as SQLAlchemy opens it: a rollback journal, synchronised in full.
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

BEAT_S, LEAD_S = 0.01, 1.0
SQLAlchemyJobStore: Any = importlib.import_module("apscheduler.jobstores.sqlalchemy").SQLAlchemyJobStore
AsyncIOScheduler: Any = importlib.import_module("apscheduler.schedulers.asyncio").AsyncIOScheduler
CronTrigger: Any = importlib.import_module("apscheduler.triggers.cron").CronTrigger
late_s: list[float] = []


class Calls:
    """Calls that are waited for."""

    n = 0
    over = asyncio.Event()


async def call(due_at: float) -> None:
    """Note how late it is: the only trace of a run."""
    late_s.append(time.time() - due_at)
    if len(late_s) == Calls.n:
        Calls.over.set()


def scheduler(folder: Path | None) -> Any:
    """Return a scheduler, in memory or on a file, that waits to be told to begin."""
    stores = {} if folder is None else {"default": SQLAlchemyJobStore(f"sqlite:///{folder}/jobs.db")}
    at = AsyncIOScheduler(jobstores=stores, timezone="UTC", job_defaults={"misfire_grace_time": None})
    at.start(paused=True)
    return at


def add(at: Any, instants: list[float]) -> None:
    """Add a job for each instant, in seconds since 1970."""
    for instant in instants:
        at.add_job(call, "date", run_date=datetime.fromtimestamp(instant, UTC), args=[instant])


async def dispatched(n: int, folder: Path | None) -> dict[str, float]:
    """Return how many runs a second there were of what is due when it starts."""
    at = scheduler(folder)
    add(at, [time.time() - number * 1e-6 for number in range(n)])
    began = time.perf_counter()
    at.resume()
    await Calls.over.wait()
    elapsed_s = time.perf_counter() - began
    at.shutdown()
    return {"dispatch": n / elapsed_s, "durable": n / elapsed_s}


async def lateness(n: int) -> dict[str, float]:
    """Return how late calls begin, in milliseconds."""
    scatter = random.Random(1)
    at = scheduler(None)
    began = time.time() + LEAD_S + n * 0.001  # all are added before the first is due
    add(at, [began + (number + scatter.random()) * BEAT_S for number in range(n)])
    at.resume()
    await Calls.over.wait()
    at.shutdown()
    late_s.sort()
    last = n - 1
    return {"lateness p50": late_s[last // 2] * 1e3, "lateness p99": late_s[last * 99 // 100] * 1e3}


async def adding(n: int) -> dict[str, float]:
    """Return how many schedules a second are added, and what each takes, in bytes; triggers are there already."""
    triggers = [CronTrigger(minute=minute % 60, hour=minute // 60, timezone="Europe/Prague") for minute in range(1440)]
    at = scheduler(None)
    before, began = resident_bytes(), time.perf_counter()
    for number in range(n):
        at.add_job(call, triggers[number % 1440], args=[0.0], id=f"daily-{number}")
    elapsed_s = time.perf_counter() - began
    figures = {"adding": n / elapsed_s, "footprint": (resident_bytes() - before) / n}
    at.shutdown()
    return figures


async def restart(n: int, folder: Path) -> dict[str, float]:
    """Return after how many seconds the first run of `n` stored jobs begins."""
    at = scheduler(folder)
    later = time.time() + 3_000
    add(at, [time.time(), *(later + number for number in range(n - 1))])
    at.shutdown()
    began = time.perf_counter()
    at = scheduler(folder)
    at.resume()
    await Calls.over.wait()
    elapsed_s = time.perf_counter() - began
    at.shutdown()
    return {"restart": elapsed_s}


def resident_bytes() -> int:
    """Return how much memory this process has in use."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()


def measure(work: str, n: int, folder: Path) -> dict[str, float]:
    """Return the figures of one kind of work."""
    Calls.n = 1 if work == "restart" else n
    match work:
        case "dispatch":
            return asyncio.run(dispatched(n, None))
        case "durable":
            return asyncio.run(dispatched(n, folder))
        case "lateness":
            return asyncio.run(lateness(n))
        case "adding" | "footprint":
            return asyncio.run(adding(n))
        case "restart":
            return asyncio.run(restart(n, folder))
    return {}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))) + "\n")
