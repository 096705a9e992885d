"""Questions are bounded: nobody is handed a whole history at once."""

from __future__ import annotations

import attrs
import pytest

from trioarm.core.queries import PAGE_MAX, Kept, Retention, RunQuery, ScheduleQuery
from trioarm.core.states import FINAL, State


@pytest.mark.parametrize("limit", [0, -1, PAGE_MAX + 1])
@pytest.mark.parametrize("query", [RunQuery, ScheduleQuery])
def test_a_page_has_a_limit(query: type[RunQuery] | type[ScheduleQuery], limit: int) -> None:
    """The bounds themselves are allowed."""
    with pytest.raises(ValueError, match=f"limit is {limit}: it must lie between 1 and {PAGE_MAX}"):
        query(limit=limit)
    assert (query(limit=1).limit, query(limit=PAGE_MAX).limit) == (1, PAGE_MAX)


DEFAULT = Retention(runs_before=100, runs_max=10, schedules_before=0)


def test_what_nothing_is_said_of_is_kept_by_default() -> None:
    """All final states together, or those that are left when something else is said of some."""
    failed = Kept(frozenset({State.FAILED}), 50, 5)
    assert DEFAULT.kept == (Kept(FINAL, 100, 10),)
    assert attrs.evolve(DEFAULT, apart=(failed,)).kept == (failed, Kept(FINAL - {State.FAILED}, 100, 10))
    each = tuple(Kept(frozenset({state}), 1, 1) for state in sorted(FINAL))
    assert attrs.evolve(DEFAULT, apart=each).kept == each


@pytest.mark.parametrize("states", [[State.FAILED, State.FAILED], [State.PENDING], [State.FAILED, State.RUNNING]])
def test_a_state_is_kept_by_one_rule_and_is_final(states: list[State]) -> None:
    """What is not over is not forgotten, and two rules for one state would be none."""
    with pytest.raises(ValueError, match="apart: each state must be final, and in one of them"):
        attrs.evolve(DEFAULT, apart=tuple(Kept(frozenset({state}), 1, 1) for state in states))
