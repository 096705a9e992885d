"""Changes as rows: the values of each statement, from what a change says. It needs no file.

What is changed most has fewer values: see `lines`.
"""

from __future__ import annotations

from typing import Final, TypeAlias, assert_never

from trioarm.core.changes import (
    CancelAsked,
    Claim,
    CursorMove,
    Cut,
    Finished,
    Progressed,
    PutSchedule,
    Requeued,
    RunStep,
    SetBack,
    Started,
    Voided,
)
from trioarm.core.jsonable import write_json
from trioarm.core.record import wakes_at
from trioarm.core.run import RunRecord
from trioarm.core.schedule import Schedule
from trioarm.core.states import TABLE, Step, WaitingFor
from trioarm.repositories.sqlite import statements
from trioarm.repositories.sqlite.rows import optional_json, write_amendments, write_definition, write_pause
from trioarm.repositories.sqlite.statements import ForRows

Values: TypeAlias = tuple[object, ...]

_SOURCES: Final = {step: [state.value for state, steps in TABLE.items() if step in steps] for step in Step}
_TARGETS: Final = {step: steps[step].value for steps in TABLE.values() for step in steps}

# Steps of runs

_STEP_STATEMENTS: Final[dict[type, ForRows]] = {
    Claim: statements.CLAIM,
    Started: statements.START,
    Progressed: statements.PROGRESS,
    CancelAsked: statements.ASK,
    Finished: statements.FINISH,
    Requeued: statements.REQUEUE,
    Voided: statements.VOID,
    Cut: statements.CUT,
}


def statement_of(step: RunStep) -> ForRows:
    """Return the statement that writes a step, whatever it says."""
    return _STEP_STATEMENTS[type(step)]


def step_values(step: RunStep) -> Values:
    """Return the values of a step for its statement."""
    run_id, token = step.run.run_id, step.token
    match step:
        case Finished():
            reason = None if step.reason is None else step.reason.value
            sources = _SOURCES[step.step]
            first, second, third = sources[0], sources[len(sources) // 2], sources[-1]
            result = optional_json(step.result)
            return (
                _TARGETS[step.step], reason, step.error, result, step.at, step.started_at,
                run_id, token, first, second, third,
            )  # fmt: skip
        case Claim():
            return (step.node, run_id, token)
        case Started():
            return (step.at, run_id, token)
        case Progressed():
            return (optional_json(step.value), run_id, token)
        case CancelAsked():
            return (step.reason.value, run_id, token)
        case Voided():
            return (step.at, run_id, token)
        case Cut():
            return (step.last_at, step.count, run_id, token)
        case Requeued():
            reason = None if step.reason is None else step.reason.value
            sources = _SOURCES[step.step]
            return (
                reason, step.error, step.attempt, step.due_at, step.waiting_for.value, step.give_up_at, step.started_at,
                run_id, token, sources[0], sources[-1],
            )  # fmt: skip
        case _:
            assert_never(step)


def is_plain(run: RunRecord) -> bool:
    """Whether there is no more to say of a decided run than when it is due and where it is."""
    begins = run.finished_at is None and run.started_at is None and run.args is None and run.reason is None
    return begins and run.retry_of is None and run.error is None and run.cancel is None and run.epoch == 0


def run_values(statement: ForRows, run: RunRecord) -> Values:
    """Return the values of a decided run for one of the statements that insert runs; its number follows later."""
    schedule = run.schedule.schedule
    return _plain_values(run, schedule) if statement is statements.INSERT_PLAIN_RUN else _all_values(run, schedule)


def _plain_values(run: RunRecord, schedule: Schedule) -> Values:
    return (
        0, run.schedule.key, run.nominal_at, run.origin._value_, run.due_at, run.decided_at, or_null(run.lane),
        run.state._value_, or_null(_waits_for(run)), or_null(run.give_up_at), run.attempt, run.token,
        or_null(run.node), schedule.handler, run.rank,
    )  # fmt: skip


def or_null(value: object) -> object:
    """Return a value, or what stands for None where a statement takes that for NULL."""
    return statements.NULL if value is None else value


def _all_values(run: RunRecord, schedule: Schedule) -> Values:
    return (
        0, run.schedule.key, run.epoch, run.nominal_at, run.origin.value, run.due_at, run.decided_at, run.lane,
        run.state.value, None if run.reason is None else run.reason.value, run.last_at, run.count,
        _waits_for(run), run.give_up_at, run.attempt, run.token, run.node,
        None if run.args is None else write_json(run.args), run.started_at, run.finished_at,
        None if run.cancel is None else run.cancel.value, run.error, optional_json(run.result), run.retry_of,
        schedule.handler, run.rank,
    )  # fmt: skip


def _waits_for(run: RunRecord) -> str | None:
    """Return what a run waits for, in the word by which the index of what waits for time leaves it out."""
    if run.waiting_for is None:
        return None
    waiting_for = WaitingFor.HANDLER if run.due_at <= run.decided_at else run.waiting_for
    return waiting_for.value


def move_values(move: CursorMove) -> Values:
    """Return the values of `MOVE`."""
    return (
        move.cursor_at, move.next_due_at, _moved_to(move), move.runs, move.state.value, move.resumed, move.anchor_at,
        move.record.key, move.expected_cursor_at, move.expected_revision, move.expected_next_due_at,
    )  # fmt: skip


def _moved_to(move: CursorMove) -> int | None:
    record = move.record
    return wakes_at(move.state, move.next_due_at, None if move.resumed else record.pause, record.schedule)


def set_back_values(step: SetBack) -> Values:
    """Return the values of `SET_BACK`."""
    record = step.record
    wake_at = wakes_at(step.state, step.next_due_at, record.pause, record.schedule)
    return (
        step.cursor_at, step.next_due_at, wake_at, step.runs, step.state.value, step.anchor_at,
        record.key, step.expected_cursor_at, step.expected_revision, step.expected_next_due_at,
    )  # fmt: skip


# Schedules


def schedule_values(put: PutSchedule) -> Values:
    """Return the values of `INSERT_SCHEDULE` and `REVISE`.

    Raises:
        InvalidSchedule: it has no form in a file.
    """
    schedule = put.schedule
    return (
        write_definition(schedule), write_amendments(put.amendments), schedule.owner, schedule.handler, schedule.lane,
        int(schedule.supersede), schedule.name,
    )  # fmt: skip


def cursor_values(put: PutSchedule, key: int) -> Values:
    """Return the values of `PUT_CURSOR`."""
    wake_at = wakes_at(put.state, put.next_due_at, put.pause, put.schedule)
    return (
        key, put.expected_revision + 1, put.cursor_at, put.next_due_at, wake_at, -put.schedule.priority, put.anchor_at,
        put.state.value, write_pause(put.pause), put.expected_cursor_at, put.expected_next_due_at,
    )  # fmt: skip
