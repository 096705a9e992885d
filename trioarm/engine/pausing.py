"""Pausing what keeps failing (S5.9): the questions that the pure rule needs answered before an outcome is committed."""

from __future__ import annotations

from trioarm.core.changes import Change, PutSchedule
from trioarm.core.events import ScheduleChange, ScheduleChanged
from trioarm.core.failing import failure_in, one_too_many, pause_with, runs_before
from trioarm.core.record import ScheduleState
from trioarm.engine.ports import ScheduleRepository


async def pause_what_keeps_failing(repository: ScheduleRepository, change: Change) -> bool:
    """Let a change by which a run fails pause its schedule, if that was one failure too many; return whether it does.

    Raises:
        RepositoryError: the history cannot be asked.
    """
    failure = failure_in(change)
    if failure is None:
        return False
    record = await repository.get_schedule(failure.run.schedule.schedule.name)
    if record is None or record.key != failure.run.schedule.key or record.state is not ScheduleState.ACTIVE:
        return False
    most = record.schedule.pause_after_failures
    if most is None:
        return False
    before = await repository.find_runs(runs_before(record, most))
    if not one_too_many(record, failure.run, before.rows, most):
        return False
    pause_with(change, failure, record, await repository.unfinished_runs(schedule=record))
    return True


def paused_by(change: Change) -> ScheduleChanged | None:
    """Return what there is to tell of a kept change by which a schedule was paused here; None for any other."""
    if not change.schedules or failure_in(change) is None:
        return None
    [put] = change.schedules
    if not isinstance(put, PutSchedule) or put.pause is None:
        raise AssertionError("what ends a run in failure changes its schedule in no other way")
    return ScheduleChanged(put.schedule.name, ScheduleChange.PAUSED, put.pause.note)
