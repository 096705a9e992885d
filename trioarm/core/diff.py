"""From what is stored to what is wanted: first puts, revisions, pauses, and a declared set as a whole (S5.6-S5.8)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import attrs

from trioarm.core.changes import CancelAsked, Change, CursorMove, Finished, PutSchedule, RemoveSchedule, RunStep
from trioarm.core.run import RunRecord
from trioarm.core.schedule import Pause, Schedule, ScheduleRecord, ScheduleState
from trioarm.core.states import Reason, State, Step
from trioarm.core.triggers import After, Once


def first_put(schedule: Schedule, now: int) -> PutSchedule:
    """Return the step that stores a schedule for the first time.

    Its occurrences count from now on. A single instant that lies in the past already is decided like any other that was
    noticed late, instead of never being heard of.
    """
    cursor_at = now
    if isinstance(schedule.trigger, Once):
        cursor_at = min(now, schedule.trigger.at - 1)
    return _put(schedule, None, cursor_at, now, None)


def revised(record: ScheduleRecord, schedule: Schedule, now: int, pause: Pause | None) -> PutSchedule:
    """Return the step that makes `schedule` the next revision of `record`: nothing retroactive (S5.6).

    Everything due until now must have been decided by the old definition before.
    """
    anchor_at = record.anchor_at if schedule.trigger == record.schedule.trigger else now
    return _put(schedule, record, max(record.cursor_at, now), anchor_at, pause)


def _put(
    schedule: Schedule, record: ScheduleRecord | None, cursor_at: int, anchor_at: int, pause: Pause | None
) -> PutSchedule:
    key, revision, runs = (0, 0, 0) if record is None else (record.key, record.revision, record.runs)
    exhausted = schedule.max_runs is not None and runs >= schedule.max_runs
    next_due_at = None if exhausted else schedule.next_after(cursor_at, schedule.anchored(anchor_at))
    if pause is not None or not schedule.enabled:
        state = ScheduleState.PAUSED
    elif next_due_at is None and (exhausted or not isinstance(schedule.trigger, After)):
        state = ScheduleState.FINISHED
    else:
        state = ScheduleState.ACTIVE
    return PutSchedule(schedule, key, revision, cursor_at, next_due_at, state, pause, anchor_at)


def while_paused(record: ScheduleRecord, now: int) -> list[RunRecord]:
    """Return the one row for all occurrences that came due while a schedule was paused: never caught up (S5.3)."""
    first = record.next_due_at
    if first is None or first > now:
        return []
    trigger = record.trigger
    end_at = record.schedule.end_at
    last = trigger.previous_before((now if end_at is None else min(now, end_at)) + 1)
    row = RunRecord(record, first, first, now, record.schedule.lane, state=State.SKIPPED, reason=Reason.PAUSED)
    row.waiting_for, row.finished_at = None, now
    if last is not None and last > first:
        row.last_at, row.count = last, trigger.count(first - 1, last)
    return [row]


def after_end(run: RunRecord, ended_at: int) -> CursorMove | None:
    """Return the move that sets the next occurrence of a fixed delay: the end of its run plus the delay (S4.2)."""
    record = run.schedule
    schedule = record.schedule
    if not isinstance(schedule.trigger, After) or record.state is not ScheduleState.ACTIVE or record.removed:
        return None
    next_due_at = schedule.next_after(record.cursor_at, schedule.anchored(ended_at))
    state = ScheduleState.FINISHED if next_due_at is None else ScheduleState.ACTIVE
    return CursorMove(
        record, record.cursor_at, record.revision, record.cursor_at, next_due_at, record.runs, state, ended_at
    )


def removal(record: ScheduleRecord, unfinished: Iterable[RunRecord], now: int) -> Change:
    """Return the change that removes a schedule: what waits is cancelled, what works may end."""
    steps: list[RunStep] = [
        Finished(run, run.token, Step.CANCEL, now, Reason.REMOVED, run.error)
        for run in unfinished
        if run.state is State.PENDING
    ]
    return Change(steps=steps, schedules=[RemoveSchedule(record, record.revision)])


def cancellation(run: RunRecord, now: int) -> RunStep:
    """Return the step by which a person cancels an unfinished run."""
    if run.state is State.PENDING:
        return Finished(run, run.token, Step.CANCEL, now, Reason.USER, run.error)
    return CancelAsked(run, run.token, Reason.USER, now)


@attrs.frozen(slots=True)
class SyncDiff:
    """What a synchronisation would do, by name, and who else owns a name that was declared.

    Args:
        added: declared, not stored.
        changed: stored by the same owner with another definition.
        removed: stored by the same owner, no longer declared.
        unchanged: stored as declared.
        foreign: declared, but stored by somebody else; left alone.
    """

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    unchanged: tuple[str, ...]
    foreign: tuple[str, ...]


def sync_diff(
    owner: str, declared: Sequence[Schedule], stored: Mapping[str, Schedule], owned: Iterable[str]
) -> SyncDiff:
    """Compare a declared set with what is stored (S5.8).

    Args:
        owner: whose set it is.
        declared: the whole set.
        stored: what is stored under the declared names.
        owned: all names this owner has stored.
    """
    names = {schedule.name for schedule in declared}
    added, changed, unchanged, foreign = [], [], [], []
    for schedule in declared:
        present = stored.get(schedule.name)
        if present is None:
            added.append(schedule.name)
        elif present.owner != owner:
            foreign.append(schedule.name)
        elif present == schedule:
            unchanged.append(schedule.name)
        else:
            changed.append(schedule.name)
    removed = sorted(name for name in owned if name not in names)
    return SyncDiff(tuple(added), tuple(changed), tuple(removed), tuple(unchanged), tuple(foreign))
