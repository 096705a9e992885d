"""More than anybody has: `python -m tests.crash.flood due --rows 10000000 --seconds 60` starts the real program on a
store in which so many schedules are due, and `... put --rows 1000000` puts so many in one call, a bad one among them.

Of a node on a flood it says how much memory it takes, how long `trioarm status` takes beside it, and how far it has
come, all the while; and whether each schedule is in the store once, decided with its run or due as before. Of a call it
says what became of it, for how long it held up the loop, and for how much memory. It ends with 1 when memory grew, a
command was not answered, the loop was held up, or something is not as it should be.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import attrs
import trio

from benchmarks.filling import fill
from benchmarks.footprint import resident_bytes
from tests.cli.programs import environment
from tests.crash.fragile import on_the_disk
from tests.crash.torture import SHOWN_MAX, say
from trioarm import Every, Once, Schedule, open_scheduler
from trioarm.core.instants import LATEST
from trioarm.engine.put_results import PutResult
from trioarm.repositories.sqlite.recall import REMEMBERED_MAX

MIB: Final = 2**20
CACHES: Final = 64 * MIB  # of pages, of both connections to a file
REMEMBERED: Final = REMEMBERED_MAX * 1_300  # bytes: a record, its definition, and where they are found
GROWN_MAX: Final = CACHES + REMEMBERED  # of a node, and no more however long it goes on
READY_S: Final = 120.0  # for a start, and for an end, on a machine that is busy with other things
ANSWER_S: Final = 60.0  # for a command; it is a second or two on a machine that is not
HELD_UP_S: Final = 10.0  # of processor time between two turns of the loop
ROOM: Final = 2_000  # bytes that may be taken for each schedule put: what it is, its name, and its result
PAUSE_S: Final = 2.0  # between two looks


# A node on a store in which all is due


@attrs.frozen
class Seen:
    """A look at a node: its memory, and how far it has come.

    Args:
        resident: bytes.
        took_s: how long `trioarm status` took.
        line: of what it said, that of schedules.
    """

    resident: int
    took_s: float
    line: str


def flooded(folder: Path, rows: int, seconds: float) -> Iterator[str]:
    """Yield what is wrong with a node that works for so long on a store in which so many schedules are due."""
    store = folder / "trioarm.db"
    (folder / "scheduler.toml").touch()
    began = time.monotonic()
    fill(store, rows, due=rows, now_s=int(time.time()), handler="log")
    say(f"{rows} due schedules in {store.stat().st_size / MIB:.0f} MiB, filled in {time.monotonic() - began:.0f} s")
    with (folder / "log").open("wb") as log:
        node = subprocess.Popen(_trioarm("run"), cwd=folder, env=environment({}), stdout=log, stderr=log)
    try:
        yield from _watched(node, folder, store, seconds)
    finally:
        node.kill()
        node.wait()
    yield from _kept(store, rows)


def _watched(node: subprocess.Popen[bytes], folder: Path, store: Path, seconds: float) -> Iterator[str]:
    began = time.monotonic()
    while not (decided := _count(store, "runs")):
        if node.poll() is not None or time.monotonic() - began > READY_S:
            yield f"it did not begin: {(folder / 'log').read_text()[-500:]}"
            return
        time.sleep(PAUSE_S / 10)
    say(f"the first {decided} were decided {time.monotonic() - began:.1f} s after the start of the program")
    seen = list(_looks(node.pid, folder, seconds))
    grown = seen[-1].resident - seen[0].resident
    if grown > GROWN_MAX:
        yield f"its memory grew by {grown / MIB:.0f} MiB"
    if not any("finished" in one.line for one in seen):
        yield f"status does not say how far it has come: {seen[-1].line}"
    began = time.monotonic()
    node.send_signal(signal.SIGTERM)
    code = node.wait(READY_S)
    say(f"it ended with {code} after {time.monotonic() - began:.1f} s, and said:")
    say("  " + (folder / "log").read_text().splitlines()[-1])
    if code:
        yield f"it ended with {code}"


def _looks(pid: int, folder: Path, seconds: float) -> Iterator[Seen]:
    until = time.monotonic() + seconds
    while True:
        began = time.monotonic()
        said = subprocess.run(
            _trioarm("status"), cwd=folder, env=environment({}), capture_output=True, text=True, timeout=ANSWER_S
        )
        took_s = time.monotonic() - began
        lines = [line.strip() for line in said.stdout.splitlines()]
        line = next((line for line in lines if line.startswith("schedules")), said.stderr)
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
        yield (seen := Seen(pages * 4096, took_s, line))
        say(f"  {seen.resident / MIB:.0f} MiB; status took {seen.took_s:.1f} s: {seen.line}")
        if time.monotonic() > until:
            return
        time.sleep(PAUSE_S)


def _kept(store: Path, rows: int) -> Iterator[str]:
    """Yield what is wrong with what the store has: each schedule is due as before, or decided, with one run."""
    decided = _count(store, "cursors WHERE wake_at IS NULL AND state = 'finished' AND key <= ?", rows)
    due = _count(store, "cursors WHERE wake_at IS NOT NULL AND key <= ?", rows)
    [(runs, of)] = on_the_disk(store, f"SELECT count(*), count(DISTINCT key) FROM runs WHERE key <= {rows}")
    say(f"{decided} decided, {due} due as before; {runs} runs of {of} schedules")
    if decided + due != rows:
        yield f"{rows - decided - due} schedules are neither due nor decided"
    if not runs == of == decided:
        yield f"{decided} were decided, with {runs} runs of {of}"


def _count(store: Path, what: str, *values: int) -> int:
    said = what if not values else what.replace("?", str(values[0]))
    [(count,)] = on_the_disk(store, f"SELECT count(*) FROM {said}")
    return int(str(count))


def _trioarm(*words: str) -> Sequence[str]:
    return (sys.executable, "-m", "trioarm", *words)


# One call


class Broken(Once):
    """A trigger whose author made a mistake."""

    def next_after(self, instant: int) -> int | None:
        """Fail."""
        raise ZeroDivisionError("a mistake")


async def put(folder: Path, rows: int) -> list[str]:
    """Return what is wrong with a call that puts so many schedules, of which one cannot be put."""
    wrong: list[str] = []
    place = rows * 2 // 3
    async with open_scheduler(f"sqlite:///{folder}/trioarm.db") as scheduler, trio.open_nursery() as nursery:
        held_up: list[float] = [0.0]
        nursery.start_soon(_turn, held_up)
        schedules = [Schedule(f"s{number}", Every(3_600.0), handler="log") for number in range(rows)]
        schedules[place] = Schedule("bad", Broken(LATEST), handler="log")
        before, began, held_up[0] = resident_bytes(), time.monotonic(), 0.0
        results = await scheduler.schedules.put_many(schedules)
        took_s, grown = time.monotonic() - began, resident_bytes() - before
        wrong += _refused(results, place)
        say(f"{Counter(str(result.outcome) for result in results)} in {took_s:.0f} s")
        say(f"the loop was held up for {held_up[0]:.2f} s of processor time, {grown / MIB:.0f} MiB were taken")
        counted = sum((await scheduler.statistics()).schedules.values())
        nursery.cancel_scope.cancel()
    if held_up[0] > HELD_UP_S:
        wrong.append("the loop was held up")
    if grown > GROWN_MAX + rows * ROOM:
        wrong.append(f"{grown / MIB:.0f} MiB were taken")
    if counted < rows - 1:
        wrong.append(f"{counted} are stored of {rows - 1}")
    return wrong


def _refused(results: Sequence[PutResult], place: int) -> Iterator[str]:
    """Yield what is wrong with results of which only that of one place may say that it was refused."""
    for number, result in enumerate(results):
        if (result.error is not None) != (number == place):
            yield f"number {number}, {result.name}: {result.error}"
    say(f"number {place}, {results[place].name}: {results[place].error}")


async def _turn(held_up: list[float]) -> None:
    """Note the most processor time between two turns of the loop, in seconds."""
    last = time.thread_time()
    while True:
        with trio.move_on_after(0.01):
            await trio.sleep_forever()
        now = time.thread_time()
        held_up[0], last = max(held_up[0], now - last), now


def main() -> int:
    """Run as a program; 0 when nothing was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash.flood", description=__doc__)
    parser.add_argument("kind", choices=["due", "put"])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=60.0, help="for how long a node works")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if arguments.kind == "due":
            wrong = list(flooded(folder, arguments.rows, arguments.seconds))
        else:
            wrong = trio.run(put, folder, arguments.rows)
    for text in wrong[:SHOWN_MAX]:
        say(f"VIOLATION: {text}")
    say(f"{len(wrong)} violations")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
