"""Idleness: when a node has nothing left to do, and nothing to come soon."""

from __future__ import annotations

from typing import Final

import trio

from trioarm.cli.outcomes import HOUSEKEEPING
from trioarm.container import Container
from trioarm.core.events import RunDecided, RunFinished, ScheduleChanged
from trioarm.core.instants import microseconds
from trioarm.core.queries import RunQuery, ScheduleQuery
from trioarm.core.record import ScheduleState
from trioarm.core.states import ACTIVE
from trioarm.engine.ports import Clock
from trioarm.engine.scheduler import Scheduler

LOOKED_AT: Final = 100  # rows of a question; housekeeping, which does not count, has only a few of them


async def wait_until_idle(scheduler: Scheduler, container: Container, soon_s: float) -> None:
    """Return once every run is final and no schedule is due within `soon_s`; housekeeping does not count."""
    with scheduler.subscribe(RunDecided, RunFinished, ScheduleChanged) as events:
        if await _is_idle(scheduler, container.get(Clock), soon_s):
            return
        async for _ in events:
            if await _is_idle(scheduler, container.get(Clock), soon_s):
                break
    await trio.lowlevel.checkpoint()  # so that whoever logs the last event has done so before this is acted on


async def _is_idle(scheduler: Scheduler, clock: Clock, soon_s: float) -> bool:
    """Ask for schedules first: what is decided between the two questions is a run by the second."""
    soon = clock.now() + microseconds(soon_s)
    active = frozenset({ScheduleState.ACTIVE})
    due = await scheduler.schedules.find(ScheduleQuery(states=active, due_until=soon, limit=LOOKED_AT))
    if any(not schedule.name.startswith(HOUSEKEEPING) for schedule in due.rows):
        return False
    runs = await scheduler.runs.find(RunQuery(states=ACTIVE, limit=LOOKED_AT))
    return all(run.schedule.startswith(HOUSEKEEPING) for run in runs.rows)
