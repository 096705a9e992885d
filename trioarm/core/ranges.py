"""Ranges of occurrences that do not run, as rows: one for many, except where a person named one of them (S2.1, S5.7).

What a person skipped is skipped because they said so, whatever else is true of the range it lies in: it would not have
run in the best of worlds, so nobody is told that it was missed. It stands alone, and the range around it is cut.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from trioarm.core.changes import Change, CursorMove
from trioarm.core.record import AmendmentKind, ScheduleRecord, ScheduleState
from trioarm.core.run import RunRecord
from trioarm.core.schedule import Schedule
from trioarm.core.states import Reason, State
from trioarm.core.triggers import After, Trigger
from trioarm.core.triggers.algebra import Looks, tally

AT_LEAST: Final = "there are at least so many: parts of its trigger come due too often to look which coincide"


def skips(record: ScheduleRecord, trigger: Trigger, first: int, last: int) -> tuple[int, ...]:
    """Return the occurrences from `first` to `last` that a person skipped, in order."""
    if not record.amendments:
        return ()
    named = sorted(one.nominal_at for one in record.amendments if one.kind is AmendmentKind.SKIP)
    return tuple(at for at in named if first <= at <= last and trigger.next_after(at - 1) == at)


def stretches(trigger: Trigger, first: int, last: int, apart: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Cut the occurrences from `first` to `last` into ranges, by their ends, with those of `apart` alone.

    Args:
        trigger: of which `first`, `last` and all of `apart` are occurrences.
        apart: in order.
    """
    for at in apart:
        if first < at:
            before = trigger.previous_before(at)
            yield first, first if before is None else before
        yield at, at
        following = trigger.next_after(at)
        if following is None or following > last:
            return
        first = following
    yield first, last


def not_run(
    record: ScheduleRecord, trigger: Trigger, ends: tuple[int, int], state: State, reason: Reason, now: int
) -> RunRecord:
    """Return one row for the occurrences between two ends, both included: a skip is data (S2.1)."""
    first, last = ends
    lane = record.schedule.lane
    row = RunRecord(record, first, first, now, lane, state=state, reason=reason, waiting_for=None, finished_at=now)
    row.epoch = record.epoch
    if last != first:
        row.last_at = last
        count, may_be_more = tally(trigger, first - 1, last, Looks())
        row.count = max(2, count)  # both ends
        if may_be_more:
            row.error = AT_LEAST
    return row


def none_run(
    record: ScheduleRecord, trigger: Trigger, ends: tuple[int, int], state: State, reason: Reason, now: int
) -> list[RunRecord]:
    """Return the rows for occurrences of which none runs: one, unless a person skipped some of them."""
    if not record.amendments:
        return [not_run(record, trigger, ends, state, reason, now)]
    named = skips(record, trigger, *ends)
    return [
        not_run(record, trigger, stretch, State.SKIPPED, Reason.USER, now)
        if stretch[0] in named
        else not_run(record, trigger, stretch, state, reason, now)
        for stretch in stretches(trigger, *ends, named)
    ]


def while_paused(record: ScheduleRecord, until: int, now: int) -> list[RunRecord]:
    """Return the one row for all occurrences up to `until` that came due while a schedule was paused (S5.3).

    They are never caught up, not even those that somebody had postponed to an instant after the pause.
    """
    return _passed_over(record, until, Reason.PAUSED, now)


def left_behind(record: ScheduleRecord, now: int) -> list[RunRecord]:
    """Return the one row for all occurrences that came due and were not decided before their schedule is removed.

    One that cannot be read says nothing of what came due.
    """
    if record.state is ScheduleState.QUARANTINED:
        return []
    paused = record.state is ScheduleState.PAUSED
    return _passed_over(record, now, Reason.PAUSED if paused else Reason.REMOVED, now)


def _passed_over(record: ScheduleRecord, until: int, reason: Reason, now: int) -> list[RunRecord]:
    first = record.next_due_at
    if first is None or first > until:
        return []
    trigger, end_at = record.trigger, record.schedule.end_at
    last = trigger.previous_before((until if end_at is None else min(until, end_at)) + 1)
    ends = (first, first if last is None else max(first, last))
    return none_run(record, trigger, ends, State.SKIPPED, reason, now)


def end_of_pause(record: ScheduleRecord, until_at: int, now: int) -> Change:
    """Return the change that resumes a schedule whose pause was to last until `until_at`, which has come.

    What is due at that very instant is paused no more. A fixed delay that came due before counts from it.
    """
    skipped = while_paused(record, until_at - 1, now)
    cursor_at = max(record.cursor_at, until_at - 1)
    anchor_at = until_at if came_due(record, until_at - 1) else record.anchor_at
    next_due_at, state = outlook(record.schedule, record.runs, cursor_at, anchor_at)
    move = CursorMove(
        record, record.cursor_at, record.revision, cursor_at, next_due_at, record.runs, state, anchor_at, resumed=True
    )
    return Change(skipped, [move])


def came_due(record: ScheduleRecord, until: int) -> bool:
    """Whether the next occurrence of a paused schedule came due up to `until`, or it has ended before.

    One with nothing to come has ended, or it is a fixed delay whose run is at work.
    """
    if record.next_due_at is not None:
        return record.next_due_at <= until
    schedule = record.schedule
    if schedule.max_runs is not None and record.runs >= schedule.max_runs:
        return True
    return schedule.next_after(record.anchor_at, record.trigger) is None


def outlook(schedule: Schedule, runs: int, cursor_at: int, anchor_at: int) -> tuple[int | None, ScheduleState]:
    """Return the first occurrence after a cursor, and the state of a schedule that nobody pauses."""
    exhausted = schedule.max_runs is not None and runs >= schedule.max_runs
    trigger = schedule.anchored(anchor_at)
    next_due_at = None if exhausted else schedule.next_after(cursor_at, trigger)
    # The occurrence of a fixed delay that is over already is a run at work: its end makes the next one.
    at_work = isinstance(schedule.trigger, After) and trigger.next_after(cursor_at) is None
    over = next_due_at is None and (exhausted or not at_work)
    return next_due_at, ScheduleState.FINISHED if over else ScheduleState.ACTIVE
