"""Gathering decisions of many schedules, and taking them apart again."""

from __future__ import annotations

from tests.making import NOW, a_record, a_run, a_schedule
from trioarm.core.changes import Change, CursorMove
from trioarm.core.gathering import apart, gathered
from trioarm.core.planning import Group, PlanRules, plan
from trioarm.core.run import RunRecord
from trioarm.core.states import State


def a_decision(key: int, **fields: object) -> Change:
    """Return the decision of one schedule that is due."""
    record = a_record(a_schedule(f"s{key}"), key=key)
    change = plan(Group((record,)), NOW, PlanRules())
    for run in change.decided:
        for name, value in fields.items():
            setattr(run, name, value)
    return change


def parts_of(change: Change) -> tuple[list[RunRecord], list[CursorMove]]:
    """Return what a change decides and moves."""
    return list(change.decided), list(change.moved)


def test_decisions_in_a_row_become_one_change() -> None:
    """In order, each run with the move of its schedule; what says something else stands between them."""
    missed = a_decision(3, state=State.MISSED)
    changes = [a_decision(1), a_decision(2), missed, Change(), a_decision(4), a_decision(5), a_decision(6)]
    first, second, third, last = gathered(changes)
    assert [run.schedule.key for run in first.decided] == [move.record.key for move in first.moved] == [1, 2]
    assert second is missed
    assert third is changes[3]
    assert [run.schedule.key for run in last.decided] == [move.record.key for move in last.moved] == [4, 5, 6]


def test_a_decision_that_stands_alone_stays_what_it_is() -> None:
    """It is made into no other change, and nothing is made of nothing."""
    alone = a_decision(1)
    assert gathered([alone]) == [alone]
    assert gathered([]) == []


def test_what_was_gathered_comes_apart_even_once_it_is_claimed() -> None:
    """Each schedule has a change of its own then."""
    changes = [a_decision(key) for key in (1, 2, 3)]
    [one] = gathered(changes)
    one.decided[0].state = State.CLAIMED
    assert [parts_of(part) for part in apart(one)] == [parts_of(change) for change in changes]


def test_what_was_decided_together_never_comes_apart() -> None:
    """The cursors of a lane advance together, and a run may stand beside the cursor of another schedule (S5.1)."""
    first, second = (a_record(a_schedule(f"s{key}"), key=key) for key in (1, 2))
    moves = [a_decision(key).moved[0] for key in (1, 2)]
    group = Change([a_run(second), a_run(first, state=State.SUPERSEDED)], moves)
    assert apart(group) == [group]
