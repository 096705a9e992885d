"""The rules of amending, as pure functions: what is meant, and what a change of it keeps (S5.7)."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from tests.making import HOUR, MINUTE, NOW, a_record, a_run, a_schedule
from trioarm.core.amending import meant, overtaken_at, paused, skipped, to_come, undone
from trioarm.core.changes import Change, Finished, PutSchedule
from trioarm.core.diff import revised
from trioarm.core.errors import InvalidSchedule
from trioarm.core.planning import PlanRules
from trioarm.core.run import Origin, RunRecord
from trioarm.core.schedule import Amendment, AmendmentKind, Pause, ScheduleRecord, ScheduleState
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
    ("fields", "wakes_at"),
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
def test_when_time_alone_makes_a_schedule_due(fields: dict[str, Any], wakes_at: int | None) -> None:
    """At its next occurrence while it is active, at the end of its pause while it is paused until then, else never."""
    assert attrs.evolve(a_record(), **fields).wakes_at == wakes_at


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
