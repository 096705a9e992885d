"""`python -m benchmarks.growth`: what one run costs with ever more schedules stored, and with ever more history.

One row for each number of schedules, 10^3 to 10^6. A run is a call of a no-op, decided, begun and recorded; 1 000 of
them are due, spread over all that is stored, and only they are measured. What is counted is the processor's time, since
neighbours and the disk say nothing about growth: microseconds per run in memory and on a SQLite file, beside what a
bare heap and a bare table take for it; with as many runs of history in the file as schedules; seconds from opening the
file to the first run; and the memory that a process has in use, in MiB, by the store it works on.

Expect the cost of a run to grow like the depth of a heap and of an index, which is by less than half from the first row
to the last, and not at all with history; a restart, and the memory of a node on a file, not to grow once there are more
schedules than it remembers. In memory there is one record for each, which is what `footprint` counts. The processor's
caches do grow dear: the floors show by how much.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Final

import trio

import trioarm
from benchmarks import node
from benchmarks.filling import LATER_S, fill
from benchmarks.floors import growth as floors
from benchmarks.footprint import resident_bytes
from benchmarks.measure import Measurement, apart
from benchmarks.restart import restarted

SIZES: Final = (1_000, 10_000, 100_000, 1_000_000)
ONCE: Final = (200,)
ROUNDS: Final = 3
DUE: Final = 1_000  # runs that are measured
CHUNK: Final = 10_000  # schedules put in one call
LOOK_S: Final = 0.002
MIB: Final = 2**20

MEMORY, HEAP, MEMORY_MIB = "memory us", "heap us", "memory MiB"
FILE, TABLE, HISTORY, FILE_MIB, RESTART = "SQLite us", "table us", "history us", "SQLite MiB", "restart s"
COLUMNS: Final = (MEMORY, HEAP, FILE, TABLE, HISTORY, RESTART, MEMORY_MIB, FILE_MIB)


def in_memory(n: int) -> Measurement:
    """Measure runs of a node with `n` schedules in memory."""
    return trio.run(_in_memory, n)


async def _in_memory(n: int) -> Measurement:
    due = min(DUE, n)
    now = time.time_ns() // 1000
    countdown = node.Countdown(due)
    async with trioarm.open_scheduler(
        handlers={"call": countdown.call}, config=node.config(auto_start=False)
    ) as scheduler:
        for start in range(0, n, CHUNK):
            numbers = range(start, min(start + CHUNK, n))
            await scheduler.schedules.put_many([_one_shot(number, n, due, now) for number in numbers])
        used_us = await _dispatch(scheduler, countdown, due)
        return {MEMORY: used_us, MEMORY_MIB: resident_bytes() / MIB}


def _one_shot(number: int, n: int, due: int, now: int) -> trioarm.Schedule:
    is_due = number % (n // due) == 0 and number // (n // due) < due
    at = now - number if is_due else now + LATER_S * 1_000_000 + number * floors.SCATTER % n
    return trioarm.Schedule(f"once-{number}", trioarm.Once(at), handler="call")


async def _dispatch(scheduler: trioarm.Scheduler, countdown: node.Countdown, due: int) -> float:
    """Let a node do what is due, and return the processor's microseconds for each run."""
    node.freeze()
    began = time.process_time()
    scheduler.start()
    await countdown.all_called()
    while scheduler.metrics().finished.get(trioarm.State.SUCCEEDED, 0) < due:
        with trio.move_on_after(LOOK_S):  # to be told of every run would cost more than to look
            await trio.sleep_forever()
    return (time.process_time() - began) / due * 1e6


def on_a_file(n: int) -> Measurement:
    """Measure runs of a node with `n` schedules on a file, and how soon it begins the next when it is started anew."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trioarm.db"
        fill(path, n, due=min(DUE, n), now_s=int(time.time()))
        used_us, resident = trio.run(_on_a_file, path, n)
        return {FILE: used_us, RESTART: trio.run(restarted, f"sqlite:///{path}"), FILE_MIB: resident / MIB}


def with_history(n: int) -> Measurement:
    """Measure runs of a node with few schedules, and `n` runs of them in the past."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trioarm.db"
        few = min(DUE, n)
        fill(path, few, due=few, now_s=int(time.time()), runs=n)
        return {HISTORY: trio.run(_on_a_file, path, few)[0]}


async def _on_a_file(path: Path, n: int) -> tuple[float, int]:
    due = min(DUE, n)
    countdown = node.Countdown(due)
    config = node.config(auto_start=False)
    async with trioarm.open_scheduler(
        f"sqlite:///{path}", handlers={"call": countdown.call}, config=config
    ) as scheduler:
        used_us, resident = await _dispatch(scheduler, countdown, due), resident_bytes()
        await scheduler.schedules.put(trioarm.Schedule("next", trioarm.Once(time.time_ns() // 1000), handler="call"))
    return used_us, resident


def bare(n: int) -> Measurement:
    """Measure a heap of `n` entries, and a table of `n` rows."""
    with tempfile.TemporaryDirectory() as folder:
        return {HEAP: floors.heap_us(n, DUE), TABLE: floors.file_us(Path(folder) / "floor.db", n, min(DUE, n))}


SIDES: Final[tuple[Callable[[int], Measurement], ...]] = (in_memory, bare, on_a_file, with_history)


def measure(n: int) -> Measurement:
    """Measure everything once for a number of schedules, each side in a process of its own."""
    return {name: value for side in SIDES for name, value in apart(side, n).items()}


def main(arguments: Sequence[str]) -> int:
    """Measure all sizes in turn, and print the medians of the rounds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description="Show how trioarm grows.")
    parser.add_argument("--json", action="store_true", help="print one line of JSON per size")
    parser.add_argument("--once", action="store_true", help="one tiny iteration, to prove that it runs")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often each size is measured (default: 3)")
    parser.add_argument("--most", type=int, default=SIZES[-1], help="the greatest number of schedules")
    options = parser.parse_args(arguments)
    sizes = ONCE if options.once else [n for n in SIZES if n <= options.most]
    taken: dict[int, list[Measurement]] = {n: [] for n in sizes}
    for _ in range(1 if options.once else options.rounds):
        for n in sizes:
            taken[n].append(measure(n))
    if not options.json:
        print(f"{'schedules':>10}" + "".join(f"{column:>12}" for column in COLUMNS))
    for n, rounds in taken.items():
        row = {column: median(one[column] for one in rounds) for column in COLUMNS}
        print(json.dumps({"schedules": n, **row}) if options.json else _line(n, row))
    return 0


def _line(n: int, row: Measurement) -> str:
    return f"{n:>10,}" + "".join(f"{row[column]:>12.3g}" for column in COLUMNS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
