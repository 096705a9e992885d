"""Taken back with the clock: what never came due is decided anew, what ran is not repeated, what waits goes on."""

from __future__ import annotations

from typing import Any

import pytest

from tests.making import HOUR, MINUTE, NOW, SECOND, a_record, a_run, a_schedule
from trioarm.core.changes import Change, Cut, Finished, Requeued, SetBack, Voided, apply, apply_set_back
from trioarm.core.correcting import AUTHOR, REPEATED_MAX, ROWS_MAX, Ahead, is_ahead, plan_by, take_back
from trioarm.core.record import Amendment, AmendmentKind, ScheduleRecord, ScheduleState
from trioarm.core.run import Origin, RunRecord
from trioarm.core.states import Reason, State, Step, WaitingFor
from trioarm.core.triggers import After, Every, Once

OLD_NOW = NOW + 5 * HOUR


def hourly(**policies: Any) -> ScheduleRecord:
    """A schedule of every hour that is decided up to the old now."""
    return a_record(a_schedule("hourly", Every(3600), **policies), cursor_at=OLD_NOW, runs=5)


def back(record: ScheduleRecord, *runs: RunRecord, now: int = NOW) -> tuple[Change, SetBack]:
    """Take a schedule back, and return the change and its step for the schedule."""
    change = take_back(Ahead(record, list(runs)), now)
    assert change is not None
    (step,) = change.schedules
    assert isinstance(step, SetBack)
    return change, step


def ran(record: ScheduleRecord, nominal_at: int, **fields: Any) -> RunRecord:
    return a_run(
        record, nominal_at, **{"state": State.SUCCEEDED, "attempt": 1, "token": 1, "waiting_for": None} | fields
    )


def test_the_cursor_goes_back_and_what_follows_is_due_again() -> None:
    """The first occurrence after now, by the rule; a new epoch and revision."""
    record = hourly()
    change, step = back(record)
    assert (step.cursor_at, step.next_due_at, step.state, change.steps) == (NOW, NOW + HOUR, ScheduleState.ACTIVE, [])
    apply_set_back(step)
    assert (record.epoch, record.revision, record.cursor_at, record.next_due_at) == (1, 2, NOW, NOW + HOUR)


def test_what_ran_is_voided_and_skipped_when_its_instant_comes() -> None:
    """By an amendment that says who and why; what a person skipped beyond now is skipped still."""
    record = hourly()
    mine = Amendment(AmendmentKind.SKIP, NOW + 4 * HOUR, None, "eve", "guests", NOW)
    over = Amendment(AmendmentKind.SKIP, NOW - HOUR, None, "eve", "", NOW)
    twice = Amendment(AmendmentKind.POSTPONE, NOW + HOUR, NOW + 2 * HOUR, "eve", "", NOW)
    record.amendments = (over, twice, mine)
    runs = [ran(record, NOW + 2 * HOUR), ran(record, NOW + HOUR, state=State.RUNNING)]
    change, step = back(record, *runs)
    assert [type(one) for one in change.steps] == [Voided, Voided]
    assert [(one.nominal_at, one.author) for one in step.amendments] == [
        (NOW + HOUR, AUTHOR),
        (NOW + 2 * HOUR, AUTHOR),
        (NOW + 4 * HOUR, "eve"),
    ]
    assert step.runs == 5
    for one in change.steps:
        apply(one)
    assert [(run.voided_at, run.state) for run in runs] == [(NOW, State.SUCCEEDED), (NOW, State.RUNNING)]


def test_in_a_superseding_lane_it_may_run_again() -> None:
    """Nothing keeps it from running at its true time."""
    record = hourly(lane="house", supersede=True)
    change, step = back(record, ran(record, NOW + HOUR))
    assert (step.amendments, [type(one) for one in change.steps]) == ((), [Voided])


def test_what_was_never_begun_ends_and_is_decided_anew() -> None:
    """It does not count against the most runs a schedule may have."""
    record = hourly(max_runs=5)
    waiting = a_run(record, NOW + HOUR)
    change, step = back(record, waiting)
    assert (step.runs, step.amendments, step.state) == (4, (), ScheduleState.ACTIVE)
    for one in change.steps:
        apply(one)
    assert (waiting.state, waiting.reason, waiting.voided_at) == (State.SUPERSEDED, Reason.VOIDED, NOW)


def test_what_never_ran_is_voided_alone() -> None:
    """A skip beyond now is decided anew, whatever it was for."""
    record = hourly()
    skipped = a_run(record, NOW + HOUR, state=State.SKIPPED, reason=Reason.OVERLAP, waiting_for=None)
    change, step = back(record, skipped)
    assert ([type(one) for one in change.steps], step.amendments) == ([Voided], ())


def test_what_waits_for_another_attempt_need_not_wait_for_the_old_clock() -> None:
    """It may begin at once, whether its occurrence was before or beyond now; a postponed one keeps to the wall."""
    record = hourly()
    before = a_run(record, NOW - MINUTE, due_at=OLD_NOW, attempt=1, token=1, waiting_for=WaitingFor.RETRY)
    beyond = a_run(record, NOW + HOUR, due_at=OLD_NOW, attempt=1, token=1, waiting_for=WaitingFor.RETRY)
    asked = a_run(record, NOW - SECOND, due_at=NOW + HOUR, waiting_for=WaitingFor.POSTPONE)
    change, _ = back(record, before, beyond, asked)
    assert [type(one) for one in change.steps] == [Requeued, Voided, Requeued]
    for one in change.steps:
        apply(one)
    assert [run.due_at for run in (before, beyond, asked)] == [NOW, NOW, NOW + HOUR]
    assert all(
        isinstance(one, Voided) or one.step is Step.POSTPONE for one in change.steps if isinstance(one, Requeued)
    )


def test_what_waits_for_another_attempt_keeps_what_is_known_of_the_last() -> None:
    """What it said when it failed, or that its node was lost, is no less true by another clock."""
    record = a_record(cursor_at=OLD_NOW)
    known = [("boom", None), (None, Reason.LOST)]
    runs = [
        a_run(record, NOW - MINUTE, due_at=OLD_NOW, attempt=1, token=1, error=error, reason=reason)
        for error, reason in known
    ]
    change = take_back(Ahead(record, runs), NOW)
    assert change is not None
    for step in change.steps:
        apply(step)
    assert [(run.due_at, run.error, run.reason) for run in runs] == [(NOW, *one) for one in known]


def test_what_jitter_keeps_waiting_gives_up_as_long_after_it_may_begin() -> None:
    """It may begin now, and waits for a worker no longer than it would have."""
    record = hourly(jitter_s=600)
    waits = a_run(record, NOW - MINUTE, due_at=NOW + 5 * MINUTE, give_up_at=NOW + 15 * MINUTE)
    change, _ = back(record, waits)
    for step in change.steps:
        apply(step)
    assert (waits.due_at, waits.give_up_at) == (NOW, NOW + 10 * MINUTE)


def test_what_waits_need_not_wait_for_the_next_wrong_clock_either() -> None:
    """A run that was voided by one correction, and waits for another attempt, is taken back by the next one."""
    record = hourly()
    begun = a_run(record, NOW + 3 * HOUR, due_at=OLD_NOW, attempt=1, token=1, waiting_for=WaitingFor.SNOOZE)
    for now in (NOW, NOW - 12 * HOUR):
        change, _ = back(record, begun, now=now)
        for step in change.steps:
            apply(step)
        assert (begun.due_at, begun.voided_at, begun.state) == (now, NOW, State.PENDING)


def test_a_range_ends_before_now() -> None:
    """Where the rule has its last occurrence; of a rule that was another one then, the first is left."""
    record = hourly()
    missed = {"state": State.MISSED, "reason": Reason.TOO_LATE, "waiting_for": None}
    row = a_run(record, NOW - 2 * HOUR, last_at=OLD_NOW, count=8, **missed)
    odd = a_run(record, NOW - 1, last_at=OLD_NOW, count=8, **missed)
    change, _ = back(record, row, odd, now=NOW + 1)
    assert [(one.last_at, one.count) for one in change.steps if isinstance(one, Cut)] == [(NOW, 3), (NOW, 1)]
    other = a_record(a_schedule("once", Once(NOW - HOUR)), cursor_at=OLD_NOW)
    change, _ = back(other, a_run(other, NOW - MINUTE, last_at=OLD_NOW, count=8, **missed))
    assert [(one.last_at, one.count) for one in change.steps if isinstance(one, Cut)] == [(NOW - MINUTE, 1)]


def test_what_was_over_is_to_come_again() -> None:
    """A single occurrence that came due by a wrong clock makes its schedule active again."""
    record = a_record(a_schedule("once", Once(NOW + HOUR)), cursor_at=OLD_NOW)
    record.state, record.next_due_at = ScheduleState.FINISHED, None
    _, step = back(record, ran(record, NOW + HOUR))
    assert (step.state, step.next_due_at) == (ScheduleState.ACTIVE, NOW + HOUR)


@pytest.mark.parametrize("state", [ScheduleState.PAUSED, ScheduleState.QUARANTINED])
def test_what_is_paused_or_quarantined_stays_so(state: ScheduleState) -> None:
    """The clock says nothing about that."""
    record = hourly()
    record.state = state
    _, step = back(record)
    assert step.state is state


def test_a_fixed_delay_counts_from_now_unless_its_run_is_at_work() -> None:
    """The end of that run makes the next one."""
    record = a_record(a_schedule("again", After(60)), cursor_at=OLD_NOW, anchor_at=OLD_NOW - MINUTE)
    _, step = back(record)
    assert (step.anchor_at, step.next_due_at) == (NOW, NOW + MINUTE)
    _, step = back(record, ran(record, NOW + HOUR, state=State.RUNNING))
    assert (step.next_due_at, step.state) == (None, ScheduleState.ACTIVE)


def test_a_fixed_delay_at_its_last_run_is_finished() -> None:
    """The end of that run makes no next one; one that never came due is to come again, and counts from now."""
    record = a_record(a_schedule("once", After(60), max_runs=1), cursor_at=OLD_NOW, anchor_at=OLD_NOW - MINUTE, runs=1)
    record.next_due_at, record.state = None, ScheduleState.FINISHED
    _, step = back(record, ran(record, NOW + HOUR, state=State.RUNNING))
    assert (step.next_due_at, step.state, step.runs) == (None, ScheduleState.FINISHED, 1)
    _, step = back(record, a_run(record, OLD_NOW))
    assert (step.next_due_at, step.state, step.runs) == (NOW + MINUTE, ScheduleState.ACTIVE, 0)


def test_a_fixed_delay_whose_next_run_never_came_due_counts_from_now() -> None:
    """That run ends here, and its end makes no next one: the schedule would have nothing to come for ever."""
    record = a_record(a_schedule("again", After(60)), cursor_at=OLD_NOW, anchor_at=OLD_NOW - MINUTE)
    change, step = back(record, a_run(record, OLD_NOW))
    assert [type(step) for step in change.steps] == [Voided, Finished]
    assert (step.next_due_at, step.state) == (NOW + MINUTE, ScheduleState.ACTIVE)


def test_what_has_decided_too_much_is_left_where_it_is() -> None:
    """Rows without end, or occurrences that ran: nothing runs twice, it waits until the clock has caught up."""
    record = hourly()
    rows = [a_run(record, NOW + number + 1, state=State.SKIPPED, waiting_for=None) for number in range(ROWS_MAX + 1)]
    assert take_back(Ahead(record, rows), NOW) is None
    assert take_back(Ahead(record, rows[:-1]), NOW) is not None
    runs = [ran(record, NOW + number + 1) for number in range(REPEATED_MAX + 1)]
    assert take_back(Ahead(record, runs), NOW) is None
    assert take_back(Ahead(record, runs[1:]), NOW) is not None


def test_manual_runs_are_no_occurrences() -> None:
    """What a person fired stays as it is."""
    record = hourly()
    fired = ran(record, NOW + HOUR, origin=Origin.MANUAL)
    change, _ = back(record, fired)
    assert change.steps == []


def test_what_is_ahead() -> None:
    """Waits later than now, and occurrences and ends of ranges, unless they are voided already."""
    record = hourly()
    beyond = ran(record, NOW + 1)
    assert [is_ahead(a_run(record, NOW), NOW), is_ahead(beyond, NOW)] == [False, True]
    assert is_ahead(a_run(record, NOW - HOUR, last_at=NOW + 1, state=State.MISSED), NOW)
    assert is_ahead(a_run(record, NOW - HOUR, due_at=NOW + 1), NOW)
    assert not is_ahead(a_run(record, NOW - HOUR, due_at=NOW + 1, state=State.SUCCEEDED), NOW)
    apply(Voided(beyond, 0, NOW))
    assert not is_ahead(beyond, NOW)
    begun = a_run(record, NOW + 1, due_at=NOW + MINUTE, attempt=1, token=1, waiting_for=WaitingFor.RETRY)
    apply(Voided(begun, 1, NOW))
    assert is_ahead(begun, NOW)


def test_what_was_decided_before_now_stays_decided_though_an_attempt_waits_beyond() -> None:
    """The attempt may begin; cursor and epoch are as they were, and what is postponed keeps to the wall."""
    record = a_record(cursor_at=NOW - MINUTE)
    waits = a_run(record, NOW - MINUTE, due_at=OLD_NOW, attempt=1, token=1, waiting_for=WaitingFor.SNOOZE)
    asked = a_run(record, NOW - MINUTE, due_at=OLD_NOW, waiting_for=WaitingFor.POSTPONE)
    change = take_back(Ahead(record, [waits, asked]), NOW)
    assert change is not None
    [step] = change.steps
    assert isinstance(step, Requeued)
    assert (step.run, step.due_at, change.schedules) == (waits, NOW, ())


@pytest.mark.parametrize(("back_by", "due_at"), [(4 * HOUR, NOW + HOUR + MINUTE), (2 * HOUR, OLD_NOW + MINUTE)])
def test_another_attempt_is_as_far_ahead_of_a_corrected_clock_as_it_was_planned(back_by: int, due_at: int) -> None:
    """A clock that was set back by less is waited for (S3.3)."""
    step = Requeued(a_run(a_record(), NOW), 1, Step.RETRY, OLD_NOW, 1, OLD_NOW + MINUTE, WaitingFor.RETRY)
    plan_by(step, OLD_NOW - back_by)
    assert step.due_at == due_at
