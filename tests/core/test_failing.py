"""When a schedule has failed once too often, and the change that pauses it, as pure functions (S5.9)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.making import MINUTE, NOW, a_record, a_run, a_schedule
from trioarm.core.alerts import raised_by
from trioarm.core.changes import Change, Finished, PutSchedule, Started, restarted
from trioarm.core.codec import InvalidDefinition, structure_schedule, unstructure_schedule
from trioarm.core.errors import InvalidSchedule
from trioarm.core.failing import failure_in, one_too_many, pause_with, runs_before
from trioarm.core.record import ScheduleRecord, ScheduleState
from trioarm.core.run import RunRecord
from trioarm.core.states import Reason, State, Step, WaitingFor
from trioarm.core.triggers import After

RECORD = a_record(a_schedule(pause_after_failures=3))


def ended(minute: int, state: State = State.FAILED, record: ScheduleRecord = RECORD, **fields: Any) -> RunRecord:
    """Return a run that ended at a minute."""
    return a_run(record, state=state, finished_at=NOW + minute * MINUTE, **{"run_id": minute, **fields})


def failing(record: ScheduleRecord = RECORD, step: Step = Step.FAIL) -> tuple[Change, Finished]:
    """Return the change by which a run fails, and its step."""
    run = a_run(record, state=State.RUNNING, run_id=9, attempt=1, token=1)
    failure = Finished(run, 1, step, NOW + MINUTE, Reason.ERROR, "OSError: down")
    return Change(steps=[failure]), failure


@pytest.mark.parametrize("step", list(Step))
def test_failures_are_the_ends_for_which_no_retry_is_left(step: Step) -> None:
    """A run that fails or times out; only of a schedule that says so, and whatever else the change has."""
    change, failure = failing(step=step)
    fails = step in (Step.FAIL, Step.TIME_OUT)
    assert failure_in(change) is (failure if fails else None)
    assert failure_in(Change(steps=[Started(failure.run, 1, NOW), failure])) is (failure if fails else None)
    assert failure_in(failing(a_record(), step)[0]) is None


def test_the_row_counts_back_from_the_run_that_fails_now() -> None:
    """By when runs ended, up to the first success; runs of a removed schedule of the same name do not count."""
    _, failure = failing()
    older = a_record(a_schedule(pause_after_failures=3), key=7)
    for expected, before in (
        (True, [ended(1), ended(2, State.TIMED_OUT)]),
        (True, [ended(3), ended(2), ended(1, State.SUCCEEDED)]),
        (False, [ended(1)]),
        (False, [ended(3), ended(2, State.SUCCEEDED), ended(1)]),
        (False, [ended(1), ended(2), ended(3, State.SUCCEEDED)]),
        (False, [ended(2), ended(1, record=older)]),
        (False, [ended(2), ended(9)]),  # that is the run itself
    ):
        assert one_too_many(RECORD, failure.run, before, 3) is expected
    assert one_too_many(RECORD, failure.run, [ended(1, State.SUCCEEDED)], 1)
    query = runs_before(RECORD, 3)
    assert (query.schedule, query.descending, query.limit) == ("nightly", True, 6)
    assert query.states == {State.SUCCEEDED, State.FAILED, State.TIMED_OUT}


def test_the_change_pauses_from_the_cursor_on() -> None:
    """What came due and is not decided yet is skipped with the pause; what was postponed into it is skipped now."""
    change, failure = failing()
    waiting = a_run(RECORD, run_id=3, waiting_for=WaitingFor.POSTPONE, due_at=NOW + 5 * MINUTE)
    pause_with(change, failure, RECORD, [failure.run, waiting])
    [put] = change.schedules
    assert isinstance(put, PutSchedule)
    assert put.pause is not None
    assert (put.state, put.cursor_at, put.next_due_at) == (ScheduleState.PAUSED, RECORD.cursor_at, RECORD.next_due_at)
    assert (put.pause.author, put.pause.since_at) == ("trioarm", NOW + MINUTE)
    assert put.pause.note == "3 failed in a row, the last one nightly@2026-11-23T22:00:00Z: OSError: down"
    first, second = change.steps
    assert first is failure
    assert isinstance(second, Finished)
    assert (second.run, second.step, second.reason) == (waiting, Step.SKIP, Reason.PAUSED)
    [alert] = raised_by(change.documents)
    assert alert.id == "schedule/nightly:paused#1@2026-11-23T22:00:00Z"
    assert len(change.journal) == 1


def test_a_fixed_delay_counts_from_the_end_of_the_run() -> None:
    """The move of its cursor becomes part of the pause: both would each refuse the other."""
    record = a_record(a_schedule(trigger=After(60), pause_after_failures=1))
    change, failure = failing(record)
    move = restarted(record, failure.at)
    assert move is not None
    other = restarted(a_record(a_schedule("other", After(60)), key=2), failure.at)
    assert other is not None
    change.moved = [move, other]
    pause_with(change, failure, record, [])
    [put] = change.schedules
    assert isinstance(put, PutSchedule)
    assert (put.anchor_at, put.next_due_at) == (failure.at, failure.at + MINUTE)
    assert change.moved == [other]


def test_a_long_error_does_not_make_the_pause_invalid() -> None:
    """Notes are bounded, errors may be as long."""
    change, failure = failing()
    failure.error = "x" * 2_000
    pause_with(change, failure, RECORD, [])
    [put] = change.schedules
    assert isinstance(put, PutSchedule)
    assert put.pause is not None
    assert len(put.pause.note) == 1_000


def test_how_many_is_bounded_and_kept() -> None:
    """From one to a hundred, off by default; in files it has the same name."""
    schedule = a_schedule(pause_after_failures=100)
    assert structure_schedule(unstructure_schedule(schedule)) == schedule
    assert a_schedule().pause_after_failures is None
    for wrong in (0, 101, True, "3"):
        with pytest.raises(InvalidSchedule, match="nightly: pause_after_failures is"):
            a_schedule(pause_after_failures=wrong)
    with pytest.raises(InvalidDefinition, match=r"pause_after_failures: 101 is outside 1 to 100"):
        structure_schedule({"name": "a", "every": "1s", "handler": "b", "pause_after_failures": 101})
