"""Pausing what keeps failing (S5.9): with the outcome that was one too many, in one change.

Nobody counts: how many runs failed in a row is asked of the history, which cannot be wrong about it after a crash.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from trioarm.core.alerts import Alert, Fact, Severity, raising_about
from trioarm.core.amending import pausing
from trioarm.core.bounds import NOTE_MAX
from trioarm.core.changes import Change, Finished
from trioarm.core.operations import Operation, Verb, entry
from trioarm.core.queries import RunQuery
from trioarm.core.record import Pause, ScheduleRecord, ScheduleState
from trioarm.core.run import RunRecord
from trioarm.core.states import FAILURES, State, Step

AUTHOR: Final = "trioarm"  # who pauses: nobody else did
KIND: Final = "paused"  # of the alert
ENDED: Final = FAILURES | {State.SUCCEEDED}  # what makes or ends a row of failures; what never ran does neither


def subject_of(schedule: str) -> str:
    """Return what alerts about a schedule name as their subject."""
    return f"schedule/{schedule}"


def failure_in(change: Change) -> Finished | None:
    """Return the step of a change by which a run fails whose schedule is paused after some failures; None for none."""
    for step in change.steps:
        if isinstance(step, Finished) and _fails(step) and step.run.schedule.schedule.pause_after_failures:
            return step
    return None


def _fails(step: Finished) -> bool:
    return step.step is Step.FAIL or step.step is Step.TIME_OUT


def runs_before(record: ScheduleRecord, most: int) -> RunQuery:
    """Return the question for the runs among which those are that ended last, before the one that fails now."""
    return RunQuery(schedule=record.schedule.name, states=ENDED, descending=True, limit=looked_at(most))


def looked_at(most: int) -> int:
    """Return how many of the newest runs that ended tell whether so many failed in a row; they are not forgotten.

    Twice as many as count: where runs overlap, they do not end in the order in which they were decided.
    """
    return 2 * most


def one_too_many(record: ScheduleRecord, failed: RunRecord, before: Iterable[RunRecord], most: int) -> bool:
    """Whether a run that fails now is the last of so many in a row.

    Args:
        record: its schedule; earlier ones of the same name do not count.
        failed: the run.
        before: what `runs_before` found.
        most: how many it takes.
    """
    others = [run for run in before if run.schedule.key == record.key and run.run_id != failed.run_id]
    last = sorted(others, key=lambda run: run.finished_at or 0, reverse=True)[: most - 1]
    return len(last) == most - 1 and all(run.state in FAILURES for run in last)


def pause_with(change: Change, failure: Finished, record: ScheduleRecord, unfinished: Sequence[RunRecord]) -> None:
    """Let a change pause the schedule of the run that fails by it, say why in the journal, and raise an alert.

    What came due since the last decision is skipped with all else that comes due in the pause: its cursor stays.

    Args:
        change: by which the run fails.
        failure: the step.
        record: the schedule, which is active.
        unfinished: its runs.
    """
    run, at, schedule = failure.run, failure.at, record.schedule
    last = f"the last one {run.readable_id}: {failure.error}"
    said = f"{schedule.pause_after_failures} failed in a row, {last}"[:NOTE_MAX]
    others = [one for one in unfinished if one.run_id != run.run_id]
    put, skipped = pausing(record, others, Pause(AUTHOR, said, at), record.cursor_at)
    for move in change.moved:  # a fixed delay counts from the end of this run, paused or not
        if move.record.key == record.key and move.anchor_at is not None:
            put.next_due_at, put.anchor_at = move.next_due_at, move.anchor_at
    operation = Operation(AUTHOR, Verb.PAUSE, schedule.name, said, revision=record.revision + 1)
    alert = Alert(
        subject=subject_of(schedule.name),
        kind=KIND,
        severity=Severity.ERROR,
        text=f"it is paused: {said}",
        advice=f"remove the cause, then `trioarm schedules resume {schedule.name}`",
        raised_at=at,
        run=run.readable_id,
        settled_by=ScheduleState.ACTIVE.value,
        facts=(Fact("failures", str(schedule.pause_after_failures)),),
    )
    change.moved = [move for move in change.moved if move.record.key != record.key]
    change.steps = [*change.steps, *skipped]
    change.schedules = [*change.schedules, put]
    change.documents = [*change.documents, raising_about(run, alert)]
    change.journal = [*change.journal, entry(operation, at)]
