"""The rules of amending, as pure functions: what is meant, and what a change of it keeps (S5.7)."""

from __future__ import annotations

import re
from typing import Any

import attrs
import pytest

from tests.making import HOUR, MINUTE, NOW, a_record, a_run, a_schedule
from trioarm.core.amending import (
    POSTPONED_TIMES_MAX,
    amendment_of,
    meant,
    overtaken_at,
    paused,
    postponed,
    postponement,
    revision,
    skipped,
    to_come,
    undone,
)
from trioarm.core.changes import Change, Finished, PutSchedule, Requeued
from trioarm.core.diff import revised
from trioarm.core.errors import InvalidSchedule
from trioarm.core.planning import PlanRules
from trioarm.core.record import AMENDMENTS_MAX, Amendment, AmendmentKind, Pause, ScheduleRecord, ScheduleState, wakes_at
from trioarm.core.run import Origin, RunRecord
from trioarm.core.states import Reason, State, Step, WaitingFor
from trioarm.core.triggers import After, Every

UNTIL = Pause("somebody", "", NOW, NOW + HOUR)


def _postponed(minute: int, until: int) -> Amendment:
    at = NOW + minute * MINUTE
    return Amendment(AmendmentKind.POSTPONE, at, NOW + until * MINUTE, "somebody", "", NOW, 1)


def _put(change: Change | None) -> PutSchedule:
    assert change is not None
    [put] = change.schedules
    assert isinstance(put, PutSchedule)
    return put


def _waiting(record: ScheduleRecord, **fields: Any) -> RunRecord:
    return a_run(record, NOW - MINUTE, **{"due_at": NOW + HOUR, "waiting_for": WaitingFor.POSTPONE, **fields})


@pytest.mark.parametrize("until_at", [None, NOW, NOW - 1])
def test_what_is_postponed_is_postponed_to_later(until_at: int | None) -> None:
    """An amendment that exists is valid."""
    with pytest.raises(InvalidSchedule, match=r"^an occurrence is postponed to an instant later than its own$"):
        Amendment(AmendmentKind.POSTPONE, NOW, until_at, "somebody", "", NOW)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, NOW),
        ({"next_due_at": None}, None),
        ({"state": ScheduleState.PAUSED, "pause": UNTIL}, NOW + HOUR),
        ({"state": ScheduleState.PAUSED, "pause": Pause("somebody", "", NOW)}, None),
        ({"state": ScheduleState.PAUSED}, None),
        ({"state": ScheduleState.PAUSED, "pause": UNTIL, "schedule": a_schedule(enabled=False)}, None),
        ({"state": ScheduleState.FINISHED}, None),
        ({"state": ScheduleState.QUARANTINED, "pause": UNTIL}, None),
    ],
)
def test_when_time_alone_makes_a_schedule_due(fields: dict[str, Any], expected: int | None) -> None:
    """At its next occurrence while it is active, at the end of its pause while it is paused until then, else never."""
    record = attrs.evolve(a_record(), **fields)
    assert record.wakes_at == expected
    assert wakes_at(record.state, record.next_due_at, record.pause, record.schedule) == expected


def test_what_is_to_come_lies_behind_pauses_and_decisions() -> None:
    """Nothing that is decided, or paused, is to come."""
    record = a_record(cursor_at=NOW)
    assert to_come(record, NOW - HOUR) == NOW + MINUTE
    assert to_come(record, NOW + 5 * MINUTE) == NOW + 6 * MINUTE
    until = attrs.evolve(record, state=ScheduleState.PAUSED, pause=UNTIL)
    assert to_come(until, NOW) == NOW + HOUR
    assert to_come(attrs.evolve(until, pause=None), NOW) is None
    assert overtaken_at([until, attrs.evolve(until, pause=None), record], NOW + 2 * MINUTE) == NOW + 3 * MINUTE
    assert overtaken_at([], NOW) is None


def test_only_what_nobody_has_begun_is_meant() -> None:
    """Neither a manual run, nor one that waits for its next attempt, nor one that is held."""
    record = a_record(cursor_at=NOW)
    waiting = _waiting(record)
    assert meant(record, [waiting], None) is waiting
    assert meant(record, [waiting], NOW - MINUTE) is waiting
    assert meant(record, [_waiting(record, origin=Origin.MANUAL)], None) == NOW + MINUTE
    assert meant(record, [_waiting(record, waiting_for=WaitingFor.HANDLER)], None) == NOW + MINUTE
    for run, what in (
        (_waiting(record, token=1), "pending"),
        (_waiting(record, state=State.CLAIMED, token=1), "claimed"),
        (_waiting(record, origin=Origin.MANUAL), "decided"),
    ):
        with pytest.raises(InvalidSchedule, match=f"is {what} already: too late to change it"):
            meant(record, [run], NOW - MINUTE)


def test_a_fixed_delay_may_end_with_what_is_skipped() -> None:
    """Its run will never be made, and what would follow lies behind its end."""
    schedule = a_schedule(trigger=After(3600), end_at=NOW + MINUTE)
    record = attrs.evolve(a_record(schedule, cursor_at=NOW), next_due_at=None)
    put = _put(skipped(record, _waiting(record), "somebody", "", NOW))
    assert (put.state, put.next_due_at, put.anchor_at) == (ScheduleState.FINISHED, None, NOW)
    put = _put(paused(record, [_waiting(record)], Pause("somebody", "", NOW), NOW))
    assert (put.state, put.next_due_at, put.anchor_at) == (ScheduleState.PAUSED, None, NOW)


def test_a_pause_takes_what_waits_with_it() -> None:
    """What is postponed into it, and what was said of that; what waits for a worker, or has begun, goes on."""
    record = a_record(cursor_at=NOW)
    record.amendments = (_postponed(-1, 60), _postponed(5, 6))
    runs = [_waiting(record), a_run(record, NOW - 2), a_run(record, NOW - 3, token=1)]
    change = paused(record, runs, Pause("somebody", "", NOW), NOW)
    [step] = change.steps
    assert isinstance(step, Finished)
    assert (step.run, step.step, step.reason) == (runs[0], Step.SKIP, Reason.PAUSED)
    assert _put(change).amendments == (_postponed(5, 6),)
    change = paused(record, runs, UNTIL, NOW)
    assert (list(change.steps), _put(change).amendments) == ([], record.amendments)


def test_what_is_over_cannot_be_undone() -> None:
    """The instant it was postponed to has come, or its run has ended meanwhile."""
    record = a_record(cursor_at=NOW)
    record.amendments = (_postponed(-1, 60),)
    with pytest.raises(InvalidSchedule, match=r"is skipped or postponed$"):
        undone(record, [_waiting(record)], None, NOW + HOUR, PlanRules())
    with pytest.raises(InvalidSchedule, match=r"is decided already: too late to change it$"):
        undone(record, [], None, NOW, PlanRules())


def test_a_revision_keeps_what_still_means_something() -> None:
    """What is ahead and the new trigger yields, and what is postponed to an instant that is still to come."""
    ahead = Amendment(AmendmentKind.SKIP, NOW + HOUR, None, "somebody", "", NOW)
    behind = Amendment(AmendmentKind.SKIP, NOW - HOUR, None, "somebody", "", NOW)
    gone = Amendment(AmendmentKind.SKIP, NOW + MINUTE, None, "somebody", "", NOW)
    record = a_record(cursor_at=NOW)
    record.amendments = (behind, _postponed(-9, -1), _postponed(-8, 1), gone, ahead)
    assert record.amended == (_postponed(-8, 1), gone, ahead)
    hourly = a_schedule(trigger=Every(3600))
    assert revised(record, hourly, NOW, None).amendments == (_postponed(-8, 1), ahead)
    assert revised(record, a_schedule(trigger=Every(3600), end_at=NOW + 2 * MINUTE), NOW, None).amendments == (
        _postponed(-8, 1),
    )


def test_a_revision_ends_a_pause_that_is_over() -> None:
    """Nobody is paused by what has ended, though nobody looked when it did."""
    record = attrs.evolve(a_record(), state=ScheduleState.PAUSED, pause=UNTIL)
    assert revised(record, record.schedule, NOW + HOUR - 1, UNTIL).pause == UNTIL
    put = revised(record, record.schedule, NOW + HOUR, UNTIL)
    assert (put.pause, put.state) == (None, ScheduleState.ACTIVE)


SAID = ("somebody", "guests", NOW)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        (
            {"state": ScheduleState.PAUSED, "schedule": a_schedule(enabled=False)},
            "nightly is disabled by its definition: nothing of it is to come",
        ),
        ({"state": ScheduleState.PAUSED}, "nightly is paused: resume it first"),
        ({"next_due_at": None}, "nothing of nightly is to come until the run that is at work ends"),
        ({"state": ScheduleState.FINISHED}, "nightly is finished: nothing of it is to come"),
    ],
)
@pytest.mark.parametrize("nominal_at", [None, NOW + HOUR])
def test_why_nothing_is_to_come(fields: dict[str, Any], why: str, nominal_at: int | None) -> None:
    """Whoever names an occurrence is told why there is none."""
    record = attrs.evolve(a_record(cursor_at=NOW), **fields)
    with pytest.raises(InvalidSchedule, match=f"^{re.escape(why)}$"):
        meant(record, [], nominal_at)


def test_an_instant_that_is_no_occurrence_is_not_meant() -> None:
    """Whoever names it is told which one is next."""
    record = a_record(cursor_at=NOW)
    assert meant(record, [], NOW + 2 * MINUTE) == NOW + 2 * MINUTE
    with pytest.raises(
        InvalidSchedule, match=r"no occurrence at 2026-11-23T22:00:00.000001Z: its next one is at .*1:00Z$"
    ):
        meant(record, [], NOW + 1)


def test_what_is_to_come_is_skipped_once() -> None:
    """Who said so is kept; asked again nothing changes, and it can be undone."""
    record = a_record(cursor_at=NOW)
    put = _put(skipped(record, NOW + MINUTE, "somebody", "guests", NOW))
    [amendment] = put.amendments
    assert amendment == Amendment(AmendmentKind.SKIP, NOW + MINUTE, None, "somebody", "guests", NOW)
    record.amendments = put.amendments
    assert amendment_of(record, NOW + MINUTE) == amendment
    assert skipped(record, NOW + MINUTE, "another", "", NOW) is None
    found, change = undone(record, [], None, NOW, PlanRules())
    assert (found, _put(change).amendments, list(change.steps)) == (amendment, (), [])


def test_nothing_is_said_of_too_many_occurrences() -> None:
    """What was said of others is kept in one row, so it has a limit."""
    record = a_record(cursor_at=NOW)
    ahead = [NOW + minute * MINUTE for minute in range(1, AMENDMENTS_MAX + 1)]
    record.amendments = tuple(Amendment(AmendmentKind.SKIP, at, None, "somebody", "", NOW) for at in ahead)
    with pytest.raises(InvalidSchedule, match=f"has {AMENDMENTS_MAX} occurrences that were skipped or postponed"):
        skipped(record, ahead[-1] + MINUTE, "somebody", "", NOW)


@pytest.mark.parametrize(
    ("until_at", "overtaken_at", "why"),
    [
        (NOW, None, "that is not later than 2026-11-23T22:01:00Z"),
        (NOW + MINUTE, None, "that is not later than 2026-11-23T22:01:00Z"),
        (NOW + 2 * HOUR + 2 * MINUTE, None, "at most 2h after its time, 2026-11-24T00:01:00Z"),
        (NOW + HOUR, NOW + HOUR, "the next occurrence is at 2026-11-23T23:00:00Z"),
    ],
)
def test_how_far_an_occurrence_may_be_postponed(until_at: int, overtaken_at: int | None, why: str) -> None:
    """Later than it is, at most two hours, and never past the next one (A4.2)."""
    named = "nightly@2026-11-23T22:01:00Z cannot be postponed to "
    with pytest.raises(InvalidSchedule, match=f"^{re.escape(named)}.*: {re.escape(why)}$"):
        postponement(a_record(cursor_at=NOW), NOW + MINUTE, until_at, overtaken_at, SAID)


def test_how_often_an_occurrence_may_be_postponed() -> None:
    """Three times to a later instant; to an earlier one again always, which counts as none."""
    record, at = a_record(cursor_at=NOW), NOW + MINUTE
    for times in range(1, POSTPONED_TIMES_MAX + 1):
        amendment = postponement(record, at, at + times * MINUTE, None, SAID)
        assert (amendment.times, amendment.until_at) == (times, at + times * MINUTE)
        record.amendments = _put(postponed(record, at, amendment, NOW, PlanRules())).amendments
        assert record.amendments == (amendment,)
    with pytest.raises(InvalidSchedule, match=f"it was postponed {POSTPONED_TIMES_MAX} times already$"):
        postponement(record, at, at + HOUR, None, SAID)
    assert postponement(record, at, at + MINUTE, None, SAID).times == POSTPONED_TIMES_MAX
    record.amendments = (Amendment(AmendmentKind.SKIP, at, None, "somebody", "", NOW),)
    assert postponement(record, at, at + MINUTE, NOW + HOUR, SAID).times == 1


def test_a_run_that_waits_is_postponed_and_may_start_at_once_again() -> None:
    """What is decided already is not decided anew: its run waits on (S5.7)."""
    record = a_record(cursor_at=NOW)
    run = _waiting(record)
    amendment = postponement(record, run.nominal_at, NOW + HOUR, None, SAID)
    change = postponed(record, run, amendment, NOW, PlanRules())
    [step] = change.steps
    assert isinstance(step, Requeued)
    assert (step.run, step.step, step.due_at, step.waiting_for) == (run, Step.POSTPONE, NOW + HOUR, WaitingFor.POSTPONE)
    record.amendments = _put(change).amendments
    found, change = undone(record, [run], run.nominal_at, NOW + MINUTE, PlanRules())
    [step] = change.steps
    assert isinstance(step, Requeued)
    assert (found, step.due_at, step.waiting_for) == (amendment, NOW + MINUTE, WaitingFor.DUE)
    assert _put(change).amendments == ()


def test_a_pause_ends_later_than_it_begins() -> None:
    """One that is over is refused."""
    with pytest.raises(InvalidSchedule, match=r"^nightly cannot be paused until 2026-11-23T22:00:00Z: that is over$"):
        paused(a_record(cursor_at=NOW), [], Pause("somebody", "", NOW, NOW), NOW)


def test_the_end_of_a_pause_has_a_row_for_what_came_due() -> None:
    """What a pause skipped is data (S5.3)."""
    record = attrs.evolve(a_record(cursor_at=NOW), state=ScheduleState.PAUSED, pause=Pause("somebody", "", NOW))
    change = revision(record, record.schedule, NOW + 3 * MINUTE, None)
    [row] = change.decided
    assert (row.state, row.reason, row.count) == (State.SKIPPED, Reason.PAUSED, 3)
    assert (_put(change).state, _put(change).cursor_at) == (ScheduleState.ACTIVE, NOW + 3 * MINUTE)
