"""The reference for idle nodes: no housekeeping without a run of its handler, and nothing else starts a timer (S6.10).

When nothing is left to do in a world, it is watched for a while which tasks of its nodes are woken, and when. A run
that is decided or ends then explains that. Beyond that, the lease is renewed, and the engine looks at the wall clock at
its interval, as it is documented; whoever else wakes has a timer of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import trio

from tests.simulation.course import Course
from trioarm.core.instants import SECOND

IDLE_S = 130.0  # for how long it is watched: two looks at the clock, and some renewals
MOMENT = SECOND // 100  # around an instant, within which all that it explains is over
ENGINE, ENGINE_S = "trioarm.engine.engine.SchedulingEngine.run", 60.0  # its interval, in these worlds
LEASE, LEASE_S = "trioarm.engine.leases.Lease.", 10.0  # its tasks: who renews, and who stops handlers if that fails
PRUNED = "trioarm/prune"


class Watch(trio.abc.Instrument):
    """Notes when which task of a node is woken, as the wall shows."""

    def __init__(self, course: Course) -> None:
        self._course = course
        self._own = trio.lowlevel.current_task()

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """Note that a task goes on."""
        if task is not self._own:
            self._course.wakes[task.name].add(self._course.witness.wall())


@asynccontextmanager
async def watched(course: Course) -> AsyncIterator[None]:
    """Watch all tasks while the context lasts."""
    watch = Watch(course)
    trio.lowlevel.add_instrument(watch)
    try:
        yield
    finally:
        trio.lowlevel.remove_instrument(watch)


def woke_for_nothing(course: Course) -> Iterator[str]:
    """All housekeeping is runs, and nothing else wakes an idle node."""
    rows = [row for row in (*course.rows, *course.rows_when_idle) if row.started_at is not None]
    if course.counts["prune"] and not any(row.schedule.schedule.name == PRUNED for row in rows):
        yield f"the store was pruned {course.counts['prune']} times, and no run of {PRUNED} did"
    explained: set[int] = set()
    for row in course.rows_when_idle:
        instants = (row.decided_at, row.due_at, row.started_at, row.finished_at)
        explained.update(at // MOMENT for at in instants if at is not None)
    unexplained: dict[str, list[int]] = defaultdict(list)
    for name, woken in course.wakes.items():
        for at in sorted(woken):
            if not explained.intersection(range(at // MOMENT - 1, at // MOMENT + 2)):
                unexplained[name].append(at)
    for name, instants in unexplained.items():
        pause_s = ENGINE_S if name == ENGINE else LEASE_S if name.startswith(LEASE) else None
        if pause_s is None:
            yield f"{name} is woken at {instants[0]}, and nothing was to do"
        elif len(instants) > IDLE_S / pause_s + 1:
            yield f"{name} is woken {len(instants)} times in {IDLE_S} s, and nothing was to do"
