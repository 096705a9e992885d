from __future__ import annotations

from itertools import product

import pytest

from trioarm.core.errors import InvalidTransition
from trioarm.core.states import ACTIVE, NEVER_RAN, TABLE, State, Step, advance

ALLOWED = {
    State.PENDING: {
        "claim": State.CLAIMED,
        "postpone": State.PENDING,
        "cancel": State.CANCELLED,
        "fail": State.FAILED,
        "skip": State.SKIPPED,
        "miss": State.MISSED,
        "supersede": State.SUPERSEDED,
    },
    State.CLAIMED: {
        "start": State.RUNNING,
        "retry": State.PENDING,
        "snooze": State.PENDING,
        "give_back": State.PENDING,
        "succeed": State.SUCCEEDED,
        "fail": State.FAILED,
        "cancel": State.CANCELLED,
        "time_out": State.TIMED_OUT,
        "override": State.OVERRIDDEN,
        "lose": State.UNKNOWN,
    },
    State.RUNNING: {
        "retry": State.PENDING,
        "snooze": State.PENDING,
        "give_back": State.PENDING,
        "succeed": State.SUCCEEDED,
        "fail": State.FAILED,
        "cancel": State.CANCELLED,
        "time_out": State.TIMED_OUT,
        "override": State.OVERRIDDEN,
        "lose": State.UNKNOWN,
    },
}


@pytest.mark.parametrize(("state", "step"), list(product(State, Step)))
def test_every_pair_is_in_the_table_or_raises(state: State, step: Step) -> None:
    """A step leads where S6.2 says, and a step a state does not allow is refused by name."""
    expected = ALLOWED.get(state, {}).get(step)
    if expected is None:
        with pytest.raises(InvalidTransition, match=f"that is {state} cannot {step.replace('_', ' ')}"):
            advance(state, step)
    else:
        assert advance(state, step) is expected


def test_final_states_have_no_way_out() -> None:
    """Whatever is not active is final."""
    assert {state for state in State if TABLE[state]} == ACTIVE
    assert not NEVER_RAN & ACTIVE


def test_every_state_can_be_reached() -> None:
    """Each state is the end of some path from pending: none is there for nothing."""
    reached, seen = {State.PENDING}, set()
    while reached - seen:
        state = (reached - seen).pop()
        seen.add(state)
        reached |= set(TABLE[state].values())
    assert reached == set(State)


def test_what_never_ran_never_was_claimed() -> None:
    """Skipped, missed and superseded are reached from pending alone: work that began cannot have never run."""
    for state in (State.CLAIMED, State.RUNNING):
        assert not NEVER_RAN & set(TABLE[state].values())
