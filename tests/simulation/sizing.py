"""The reference for pools that are given another size while they work: nothing is interrupted, no more than fit (S6.1).

Nodes read a file that somebody changes. What it says holds from when a node was told to read it again, at the latest
once it has answered; of a node that is started, at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from pathlib import Path

from tests.simulation.course import Course, Size
from tests.simulation.witness import STUBBORN, Call
from trioarm import SchedulerConfig
from trioarm.core.run import RunRecord
from trioarm.core.states import Reason

MOMENT_S = 0.01  # within which what happens at once is over
EXPLAINED = (Reason.USER, Reason.OVERLAP, Reason.SUPERSEDED)  # why a handler may be cancelled at any time
TEXT = """
[scheduler]
store = "memory://"
max_concurrent = {held}
drain = "5s"
health_check_interval = "1h"

[executor]
max_concurrent = {workers}

[resource.nas]
limit = 1

[resource.mail]
gap = "2s"
breaker = {{ failures = 3, pause = "30s" }}
"""


def told(folder: Path, workers: int, spare: int) -> SchedulerConfig:
    """Change the file that nodes read, and return what it says."""
    path = folder / "scheduler.toml"
    path.write_text(TEXT.format(held=workers + spare, workers=workers), encoding="utf-8")
    return SchedulerConfig.from_file(path, environ={})


def sized_wrongly(course: Course) -> Iterator[str]:
    """Never does a node begin a run when as many work as it has workers, and no run ends because those change."""
    for life in course.lives:
        calls = [call for of_run in course.witness.calls.values() for call in of_run if call.node == life.node]
        yield from _too_many(sorted(calls, key=_in_turn), course.sizes[life.node])
    for row in course.rows:
        for call in course.witness.calls.get(row.run_id, ()):
            yield from _interrupted(call, row, course)


def _in_turn(call: Call) -> tuple[float, float]:
    """Of what begins at one moment, what is over in it comes first: it made room for the other."""
    return (call.began_at, call.ended_at or inf)


def _too_many(calls: list[Call], sizes: list[Size]) -> Iterator[str]:
    """A handler that ignores its cancellation is replaced: it does not count."""
    working: list[Call] = []
    for call in calls:
        if call.behaviour == STUBBORN:
            continue
        working = [other for other in working if (other.ended_at or inf) > call.began_at]
        working.append(call)
        most = max(size.workers for size in sizes_at(sizes, call.began_at, call.began_at))
        if len(working) > most:
            yield f"{call.run} is called on {call.node} as number {len(working)}, which has {most} workers"


def sizes_at(sizes: list[Size], since: float, until: float) -> list[Size]:
    """Return the sizes that a pool may have had between two times."""
    ends = [size.known_at for size in sizes[1:]] + [inf]
    return [
        size
        for size, end in zip(sizes, ends, strict=True)
        if size.asked_at - MOMENT_S <= until and since <= end + MOMENT_S
    ]


def _interrupted(call: Call, row: RunRecord, course: Course) -> Iterator[str]:
    if call.raised != "Cancelled" or course.disturbed or row.reason in EXPLAINED:
        return
    ended_at, timeout_s = call.ended_at or inf, row.schedule.schedule.timeout_s or inf
    if ended_at >= call.began_at + timeout_s - MOMENT_S:
        return
    if any(life.node == call.node and (life.told_at or inf) <= ended_at for life in course.lives):
        return  # its node is stopped
    for size in course.sizes[call.node][1:]:
        if size.asked_at <= ended_at <= size.known_at + MOMENT_S:
            yield f"{call.run}: was interrupted on {call.node} when that was told to have {size.workers} workers"
