"""What the contract does to a repository, each act checked and its outcome read again."""

from __future__ import annotations

from typing import Any

from tests.making import NOW, a_run, a_schedule
from trioarm.core.changes import Change, Claim, CursorMove, Finished, PutSchedule, RemoveSchedule, Requeued, Verdict
from trioarm.core.record import Amendment, Pause, ScheduleRecord, ScheduleState
from trioarm.core.run import RunRecord
from trioarm.core.schedule import Schedule
from trioarm.core.states import Step, WaitingFor
from trioarm.core.triggers import Trigger
from trioarm.engine.ports import ScheduleRepository

_WAITING_AFTER = {
    Step.RETRY: WaitingFor.RETRY,
    Step.SNOOZE: WaitingFor.SNOOZE,
    Step.POSTPONE: WaitingFor.POSTPONE,
}


async def verdict_of(repository: ScheduleRepository, **parts: Any) -> Verdict:
    """Commit one change with these parts and return what became of it."""
    (verdict,) = await repository.commit([Change(**parts)])
    return verdict


async def keep(repository: ScheduleRepository, **parts: Any) -> None:
    """Commit one change that must be kept."""
    assert await verdict_of(repository, **parts) is Verdict.DONE


async def refuse(repository: ScheduleRepository, **parts: Any) -> None:
    """Commit one change that must be refused."""
    assert await verdict_of(repository, **parts) is Verdict.REFUSED


def putting(
    schedule: Schedule,
    revision: int = 0,
    key: int = 0,
    *,
    next_due_at: int | None = NOW,
    cursor_at: int = NOW - 1,
    was: tuple[int | None, int | None] = (None, None),
    state: ScheduleState = ScheduleState.ACTIVE,
    pause: Pause | None = None,
    amendments: tuple[Amendment, ...] = (),
) -> PutSchedule:
    """Return the step that puts a schedule, due now unless said otherwise, wherever its cursor was."""
    return PutSchedule(schedule, key, revision, *was, cursor_at, next_due_at, state, pause, cursor_at, amendments)


async def put(
    repository: ScheduleRepository,
    name: str = "nightly",
    trigger: Trigger | None = None,
    *,
    next_due_at: int | None = NOW,
    state: ScheduleState = ScheduleState.ACTIVE,
    **policies: Any,
) -> ScheduleRecord:
    """Put a new schedule and return it as it is kept."""
    schedule = a_schedule(name, trigger, **policies)
    await keep(repository, schedules=[putting(schedule, next_due_at=next_due_at, state=state)])
    return await schedule_of(repository, name)


async def revise(
    repository: ScheduleRepository, record: ScheduleRecord, *, at: int = NOW, **policies: Any
) -> ScheduleRecord:
    """Put the next revision of a schedule at an instant, with the same trigger, and return it as it is kept."""
    schedule = a_schedule(record.schedule.name, record.schedule.trigger, **policies)
    cursor_at = max(record.cursor_at, at)
    was = (record.cursor_at, record.next_due_at)
    step = putting(schedule, record.revision, record.key, next_due_at=was[1], cursor_at=cursor_at, was=was)
    await keep(repository, schedules=[step])
    return await schedule_of(repository, schedule.name)


async def remove(repository: ScheduleRepository, record: ScheduleRecord) -> None:
    """Remove a schedule."""
    await keep(repository, schedules=[RemoveSchedule(record, record.revision)])


async def schedule_of(repository: ScheduleRepository, name: str) -> ScheduleRecord:
    """Return the schedule of that name, which must be there."""
    record = await repository.get_schedule(name)
    assert record is not None
    return record


async def run_of(repository: ScheduleRepository, run: RunRecord) -> RunRecord:
    """Return a run as it is kept now; it must be there."""
    kept = await repository.get_run(run.run_id)
    assert kept is not None
    assert kept.run_id == run.run_id
    return kept


async def decide(
    repository: ScheduleRepository, record: ScheduleRecord, nominal_at: int = NOW, **fields: Any
) -> RunRecord:
    """Keep one decision and return its run as it is kept."""
    run = a_run(record, nominal_at, **fields)
    await keep(repository, decided=[run])
    assert run.run_id > 0
    return await run_of(repository, run)


async def claim(repository: ScheduleRepository, run: RunRecord, node: str = "n1", at: int = NOW) -> RunRecord:
    """Claim a pending run and return it as it is kept."""
    await keep(repository, steps=[Claim(run, run.token, node, at)])
    return await run_of(repository, run)


async def finish(
    repository: ScheduleRepository, run: RunRecord, step: Step = Step.SUCCEED, at: int = NOW, **fields: Any
) -> RunRecord:
    """Take the last step of a run and return it as it is kept."""
    await keep(repository, steps=[Finished(run, run.token, step, at, **fields)])
    return await run_of(repository, run)


async def requeue(
    repository: ScheduleRepository,
    run: RunRecord,
    step: Step = Step.RETRY,
    *,
    attempt: int = 1,
    due_at: int = NOW,
    at: int = NOW,
    give_up_at: int | None = None,
) -> RunRecord:
    """Make a held run wait again, or postpone one that waits, and return it as it is kept."""
    waiting_for = _WAITING_AFTER.get(step, WaitingFor.DUE)
    requeued = Requeued(run, run.token, step, at, attempt, due_at, waiting_for, give_up_at=give_up_at)
    await keep(repository, steps=[requeued])
    return await run_of(repository, run)


def moving(record: ScheduleRecord, cursor_at: int, next_due_at: int | None, **fields: Any) -> CursorMove:
    """Return the move of a schedule's cursor, as read."""
    fields = {"runs": record.runs, "state": ScheduleState.ACTIVE} | fields
    return CursorMove(record, record.cursor_at, record.revision, cursor_at, next_due_at, **fields)


async def ready_ids(repository: ScheduleRepository, *handlers: str, limit: int = 100) -> list[int]:
    """Return the numbers of the runs that wait for nothing but a worker."""
    return [run.run_id for run in await repository.read_ready(handlers or ("work",), limit)]


async def is_busy(repository: ScheduleRepository, lane: str) -> bool:
    """Return whether planning a schedule of that lane would learn that a run holds it."""
    looker = await put(repository, "looker", next_due_at=NOW, lane=lane)
    busy = lane in (await repository.read_due(NOW, 100)).busy_lanes
    await remove(repository, looker)
    return busy


async def due_names(repository: ScheduleRepository, now: int = NOW, limit: int = 100) -> list[list[str]]:
    """Return the names of the schedules due, group by group."""
    view = await repository.read_due(now, limit)
    return [[record.schedule.name for record in group.schedules] for group in view.groups]
