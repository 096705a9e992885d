"""What becomes of schedules that were decided beyond a clock that was set back by more than three hours (S3.3).

Such a clock was wrong before. What was decided later than the corrected now never came due: those decisions are kept,
marked voided, and a new epoch of the schedule begins in which their instants are decided when they come. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs

from trioarm.core.changes import Change, Cut, Finished, Requeued, RunStep, SetBack, Voided
from trioarm.core.course import BACKWARD_MAX
from trioarm.core.ranges import outlook
from trioarm.core.record import Amendment, AmendmentKind, ScheduleRecord, ScheduleState
from trioarm.core.run import Origin, RunRecord
from trioarm.core.states import Reason, State, Step, WaitingFor
from trioarm.core.triggers import After

AUTHOR: Final = "clock"
RAN_ALREADY: Final = "it ran before the clock was set back"
ROWS_MAX: Final = 10_000  # of one schedule beyond now: one with more waits until the clock has caught up
REPEATED_MAX: Final = 1_000  # of its occurrences that ran and must not run again; likewise


@attrs.define(slots=True, eq=False)
class Ahead:
    """A schedule that is decided beyond now, or of which a run waits beyond it.

    Args:
        record: as read.
        runs: its rows of which the wait is later than now, or the occurrence, or the last one of a range, without those
            that are voided already, in order of decision; at most one more than `ROWS_MAX`.
    """

    record: ScheduleRecord
    runs: list[RunRecord]


def is_ahead(run: RunRecord, now: int) -> bool:
    """Whether a row is to be looked at when its schedule is taken back to `now`."""
    ends_at = run.nominal_at if run.last_at is None else run.last_at
    return _waits(run, now) or (ends_at > now and run.voided_at is None)


def waits_beyond(run: RunRecord, now: int) -> bool:
    """Whether a run waits for an instant later than `now` that no person has named: such are meant by the wall."""
    return _waits(run, now) and run.waiting_for is not WaitingFor.POSTPONE


def _waits(run: RunRecord, now: int) -> bool:
    return run.state is State.PENDING and run.due_at > now


def take_back(ahead: Ahead, now: int) -> Change | None:
    """Return the change that takes a schedule back to `now`; None when it has decided too much to be taken back."""
    record, schedule = ahead.record, ahead.record.schedule
    if len(ahead.runs) > ROWS_MAX:
        return None
    if record.cursor_at <= now:  # all that was decided is of its past: only another attempt was planned by that clock
        return Change(steps=[_begin(run, now) for run in ahead.runs if waits_beyond(run, now)])
    steps: list[RunStep] = []
    for run in ahead.runs:
        steps += _steps(run, now)
    voided = [step.run for step in steps if isinstance(step, Voided)]
    begun = [] if schedule.supersede else sorted(run.nominal_at for run in voided if _has_begun(run))
    if len(begun) > REPEATED_MAX:
        return None
    runs = record.runs - sum(1 for run in voided if run.state is State.PENDING and not _has_begun(run))
    anchor_at = min(record.anchor_at, now)
    next_due_at, state = outlook(schedule, runs, now, anchor_at)
    exhausted = schedule.max_runs is not None and runs >= schedule.max_runs
    if isinstance(schedule.trigger, After) and not exhausted and _has_work(ahead.runs, steps):
        next_due_at, state = None, ScheduleState.ACTIVE  # the end of that run makes the next one
    if record.state is ScheduleState.PAUSED or record.state is ScheduleState.QUARANTINED:
        state = record.state
    amendments = _amendments(record, begun, now)
    back = SetBack(
        record,
        record.cursor_at,
        record.revision,
        record.next_due_at,
        now,
        next_due_at,
        runs,
        state,
        anchor_at,
        amendments,
    )
    return Change(steps=steps, schedules=[back])


def plan_by(step: Requeued, now: int) -> None:
    """Let another attempt be as far ahead as it was planned, if the clock that it was planned by was corrected since.

    Args:
        step: not kept yet: what is kept already is taken back with its schedule.
        now: by the clock of now.
    """
    beyond = step.at - now
    if beyond > BACKWARD_MAX:
        step.due_at -= beyond


def _steps(run: RunRecord, now: int) -> list[RunStep]:
    steps = [] if run.voided_at is not None else _voiding(run, now)
    is_over = any(isinstance(step, Finished) for step in steps)
    if waits_beyond(run, now) and not is_over:
        steps.append(_begin(run, now))
    return steps


def _begin(run: RunRecord, now: int) -> Requeued:
    """Return the step by which a run waits for nothing but a worker."""
    begin = Requeued(run, run.token, Step.POSTPONE, now, run.attempt, now, WaitingFor.RETRY, run.reason, run.error)
    if run.give_up_at is not None:  # it may wait from now for as long as it might have
        begin.give_up_at = now + run.give_up_at - run.due_at
    return begin


def _voiding(run: RunRecord, now: int) -> list[RunStep]:
    """Return the steps by which what was decided of instants later than now does not count."""
    if run.origin is Origin.SCHEDULE and run.nominal_at > now:
        voided = Voided(run, run.token, now)
        if run.state is State.PENDING and not _has_begun(run):
            return [voided, Finished(run, run.token, Step.SUPERSEDE, now, Reason.VOIDED)]
        return [voided]
    return [_cut(run, now)] if run.last_at is not None and run.last_at > now else []


def _has_work(runs: Sequence[RunRecord], steps: Sequence[RunStep]) -> bool:
    """Whether a run is unfinished after these steps."""
    ended = [step.run for step in steps if isinstance(step, Finished)]
    return any(run.unfinished and run not in ended for run in runs)


def _has_begun(run: RunRecord) -> bool:
    return run.attempt > 0 or run.started_at is not None


def _cut(run: RunRecord, now: int) -> Cut:
    """End a range before the first occurrence that is later than now."""
    trigger = run.schedule.trigger
    last_at = trigger.previous_before(now + 1)
    if last_at is None or last_at < run.nominal_at:  # the rule was another one then
        return Cut(run, run.token, now, run.nominal_at, 1)
    return Cut(run, run.token, now, last_at, max(1, min(run.count, trigger.count(run.nominal_at - 1, last_at))))


def _amendments(record: ScheduleRecord, begun: Sequence[int], now: int) -> tuple[Amendment, ...]:
    """Return what people said of occurrences, and that those which ran already are skipped when they come again."""
    again = {at: Amendment(AmendmentKind.SKIP, at, None, author=AUTHOR, note=RAN_ALREADY, at=now) for at in begun}
    kept = (one for one in record.amendments if one.over_at > now and one.nominal_at not in again)
    return tuple(sorted((*kept, *again.values()), key=lambda one: one.nominal_at))
