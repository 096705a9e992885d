"""From what is stored to what is wanted: first puts, revisions, pauses, and a declared set as a whole (S5.6-S5.8)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import attrs

from trioarm.core.changes import (
    CancelAsked,
    Change,
    CursorMove,
    Finished,
    PutSchedule,
    RemoveSchedule,
    RunStep,
    freed,
    restarted,
)
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
    anchor_at, cursor_at = record.anchor_at, max(record.cursor_at, now)
    came_due = _is_over(record) if record.next_due_at is None else record.next_due_at <= now
    if came_due or schedule.trigger != record.schedule.trigger:
        anchor_at = cursor_at  # a fixed delay that came due while paused did not run, so it counts from now
    return _put(schedule, record, cursor_at, anchor_at, pause)


def _is_over(record: ScheduleRecord) -> bool:
    """Whether a schedule with nothing to come has ended; else it is a fixed delay whose run is at work."""
    schedule = record.schedule
    if schedule.max_runs is not None and record.runs >= schedule.max_runs:
        return True
    return schedule.next_after(record.anchor_at, record.trigger) is None


def _put(
    schedule: Schedule, record: ScheduleRecord | None, cursor_at: int, anchor_at: int, pause: Pause | None
) -> PutSchedule:
    key, revision, runs = (0, 0, 0) if record is None else (record.key, record.revision, record.runs)
    exhausted = schedule.max_runs is not None and runs >= schedule.max_runs
    trigger = schedule.anchored(anchor_at)
    next_due_at = None if exhausted else schedule.next_after(cursor_at, trigger)
    # The occurrence of a fixed delay that is over already is a run at work: its end makes the next one.
    at_work = isinstance(schedule.trigger, After) and trigger.next_after(cursor_at) is None
    if pause is not None or not schedule.enabled:
        state = ScheduleState.PAUSED
    elif next_due_at is None and (exhausted or not at_work):
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
    return restarted(run.schedule, ended_at)


def removal(record: ScheduleRecord, unfinished: Iterable[RunRecord], now: int) -> Change:
    """Return the change that removes a schedule: what waits is cancelled, what works may end."""
    steps: list[RunStep] = [
        Finished(run, run.token, Step.CANCEL, now, Reason.REMOVED, run.error)
        for run in unfinished
        if run.state is State.PENDING
    ]
    return Change(steps=steps, schedules=[RemoveSchedule(record, record.revision)])


def cancellation(run: RunRecord, now: int) -> Change:
    """Return the change by which a person cancels an unfinished run; a fixed delay goes on from here."""
    if run.state is not State.PENDING:
        return Change(steps=[CancelAsked(run, run.token, Reason.USER, now)])
    move = freed(run, now)
    step = Finished(run, run.token, Step.CANCEL, now, Reason.USER, run.error)
    return Change(steps=[step], moved=[] if move is None else [move])


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
