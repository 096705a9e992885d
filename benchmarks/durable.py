"""Counts runs per second: 100 000 runs of a no-op that are due already, in one SQLite file that survives kill -9.

WAL, synchronous=FULL, due order random to key order. The clock starts when the scheduler may first look at them and
stops when the last outcome is on the disk. Expect a bare floor of 40 000-60 000/s (three statements per run, in batches
of 1 000). The scheduler keeps as many rows, with the indexes by which any process finds them, and reaches half of that
when it may hold 1 000 runs: what it decides next is planned, and what it claimed before is called, while SQLite writes.
The second row is of a node that took its schedules out of the garbage collector's way before, as `python -m trioarm
run` does. At the default limits (five runs held) every few runs wait for the disk, so the last row is far lower.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import attrs
import trio

import trioarm
from benchmarks import node
from benchmarks.floors.durable import dispatch_due, due_instants
from benchmarks.measure import Benchmark, Figure, Measurement, OfFloor, rate

LOOK_S = 0.002  # between two looks for the last outcome
PLAIN, FROZEN, FEW_HELD = "durable", "durable, frozen", "durable, default limits"
SHARE = 20  # so many fewer runs at the default limits


def floor(n: int) -> Measurement:
    """Measure `n` runs by a heap and three statements each."""
    with tempfile.TemporaryDirectory() as folder:
        reached = rate(n, dispatch_due(n, Path(folder) / "floor.db"))
    return dict.fromkeys((PLAIN, FROZEN, FEW_HELD), reached)


def subject(n: int) -> Measurement:
    """Measure `n` one-shot schedules that are due when the engine is started."""
    few = max(1, n // SHARE)
    limits = trioarm.SchedulerConfig().scheduler.max_concurrent
    return {
        PLAIN: rate(n, trio.run(_dispatch, n, node.HELD, False)),
        FROZEN: rate(n, trio.run(_dispatch, n, node.HELD, True)),
        FEW_HELD: rate(few, trio.run(_dispatch, few, limits, False)),
    }


async def _dispatch(n: int, held: int, frozen: bool) -> float:
    countdown = node.Countdown(n)
    config = node.config(auto_start=False)
    config = attrs.evolve(config, scheduler=attrs.evolve(config.scheduler, max_concurrent=held))
    with tempfile.TemporaryDirectory() as folder:
        store = f"sqlite:///{folder}/trioarm.db"
        async with trioarm.open_scheduler(store, handlers={"call": countdown.call}, config=config) as scheduler:
            now = time.time_ns() // 1000
            await scheduler.schedules.put_many(node.one_shots([now - n + at for at in due_instants(n)]))
            if frozen:
                node.freeze()
            began = time.perf_counter()
            scheduler.start()
            await countdown.all_called()
            while scheduler.metrics().finished.get(trioarm.State.SUCCEEDED, 0) < n:
                with trio.move_on_after(LOOK_S):  # to be told of every run would cost more than to look
                    await trio.sleep_forever()
            return time.perf_counter() - began


BENCHMARK = Benchmark(
    name="durable",
    figures=(
        Figure(PLAIN, "runs/s", OfFloor(0.5)),
        Figure(FROZEN, "runs/s"),
        Figure(FEW_HELD, "runs/s"),
    ),
    n=100_000,
    n_once=200,
    pairs=5,
    floor=floor,
    subject=subject,
)
