"""What runs amount to: counts per state and group, rates, quantiles within two in a hundred, the last failure."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.making import NOW, SECOND, a_record, a_run, a_schedule
from trioarm.core import run_statistics
from trioarm.core.instants import as_datetime
from trioarm.core.run import Origin, RunRecord
from trioarm.core.run_statistics import (
    FINENESS,
    LEAST_S,
    GroupBy,
    GroupStatistics,
    LastFailure,
    RunStatistics,
    Spread,
    Tally,
)
from trioarm.core.states import Reason, State


def ended(
    state: State = State.SUCCEEDED, late_s: float = 0.0, took_s: float = 1.0, name: str = "nightly", **fields: Any
) -> RunRecord:
    """Return a run that began so late and took so long."""
    policies = {key: fields.pop(key) for key in ("owner", "tags", "handler") if key in fields}
    started_at = NOW + round(late_s * SECOND)
    finished_at = started_at + round(took_s * SECOND)
    fields = {"started_at": started_at, "finished_at": finished_at, "state": state, **fields}
    return a_run(a_record(a_schedule(name, **policies)), **fields)


def counted(*runs: RunRecord, by: GroupBy = GroupBy.ALL) -> RunStatistics:
    """Return what these amount to."""
    tally = Tally(by)
    for run in runs:
        tally.add(run)
    return tally.statistics(complete=True)


def alone(*runs: RunRecord) -> GroupStatistics:
    """Return what these amount to together."""
    [group] = counted(*runs).groups
    return group


def test_occurrences_are_counted_by_state() -> None:
    """A range counts all it stands for; rates are of what ended well or badly alone."""
    never = {"started_at": None, "finished_at": NOW, "reason": Reason.PAUSED}
    skipped = a_run(state=State.SKIPPED, last_at=NOW + SECOND, count=7, **never)
    waiting = a_run(started_at=NOW)  # for its next attempt
    found = counted(ended(), ended(), ended(State.FAILED), ended(State.CANCELLED), skipped, waiting)
    [group] = found.groups
    assert (found.runs, found.complete) == (6, True)
    states = {State.SUCCEEDED: 2, State.FAILED: 1, State.CANCELLED: 1, State.SKIPPED: 7, State.PENDING: 1}
    assert group.states == states
    assert (group.failures, group.success_rate) == (1, 2 / 3)
    assert alone(skipped).success_rate is None
    assert alone(ended(State.UNKNOWN), ended(State.TIMED_OUT), ended()).success_rate == 1 / 3
    assert counted().groups == ()


def test_only_what_a_trigger_made_is_late_and_only_what_is_over_took_time() -> None:
    """What waits again is not late yet; what was fired, retried or backfilled never is."""
    fields = {"finished_at": None, "state": State.RUNNING}
    assert alone(ended(late_s=3, **fields)).late == Spread(pytest.approx(3, rel=0.02), pytest.approx(3, rel=0.02), 3.0)
    assert alone(ended(late_s=3, **fields)).took == Spread()
    for origin in (Origin.MANUAL, Origin.RETRY, Origin.BACKFILL):
        assert alone(ended(late_s=3, origin=origin)).late == Spread()
    assert alone(ended(State.PENDING, late_s=3, finished_at=None)).late == Spread()
    assert alone(ended(late_s=-30)).late == Spread(0.0, 0.0, 0.0)
    assert alone(ended(took_s=5)).took.longest == 5


@given(st.lists(st.floats(0.001, 1e5), min_size=1, max_size=60))
def test_quantiles_are_at_most_two_in_a_hundred_too_high(took: list[float]) -> None:
    """Against all of them sorted, each rounded to a microsecond as instants are."""
    spread = alone(*(ended(took_s=seconds) for seconds in took)).took
    exact = sorted(round(seconds * SECOND) / SECOND for seconds in took)
    for share, quantile in ((50, spread.p50), (95, spread.p95)):
        right = exact[-(-share * len(exact) // 100) - 1]
        assert quantile is not None
        assert right * 0.999999 <= quantile <= right * FINENESS * 1.000001
    assert spread.longest == exact[-1]


def test_what_takes_no_time_is_told_as_such() -> None:
    """Below a tenth of a millisecond all is the same, and no more than the longest."""
    assert alone(ended(took_s=0)).took == Spread(0.0, 0.0, 0.0)
    assert alone(ended(took_s=0), ended(took_s=LEAST_S / 2)).took == Spread(LEAST_S / 2, LEAST_S / 2, LEAST_S / 2)


GROUPS = [
    (GroupBy.SCHEDULE, ["a", "b"]),
    (GroupBy.HANDLER, ["work", "arm"]),
    (GroupBy.OWNER, ["(none)", "app"]),
    (GroupBy.TAG, ["x", "(none)", "y"]),
    (GroupBy.ALL, ["all"]),
]


@pytest.mark.parametrize(("by", "names"), GROUPS)
def test_groups_are_told_apart_and_the_largest_comes_first(by: GroupBy, names: list[str]) -> None:
    """A run counts for each tag of its schedule, and is one run."""
    runs = [ended(name="a", tags=("x", "y")), ended(name="a", tags=("x",)), ended(name="b", owner="app", handler="arm")]
    found = counted(*runs, by=by)
    assert [group.name for group in found.groups] == names
    assert found.runs == 3


def test_what_is_beyond_so_many_groups_is_counted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory does not grow with what people name."""
    monkeypatch.setattr(run_statistics, "GROUPS_MAX", 2)
    found = counted(*(ended(name=name) for name in "abcdcb"), by=GroupBy.SCHEDULE)
    assert {group.name: group.states[State.SUCCEEDED] for group in found.groups} == {"(others)": 3, "b": 2, "a": 1}


def test_the_last_failure_is_the_one_decided_last() -> None:
    """In whatever order they are counted; what was cancelled did not fail."""
    fields = {"error": "late", "run_id": 5, "nominal_at": NOW + SECOND}
    first, last = ended(State.FAILED, run_id=3, error="early"), ended(State.TIMED_OUT, **fields)
    wanted = LastFailure("nightly@2026-11-23T22:00:01Z", as_datetime(last.finished_at or 0), "late")
    assert alone(last, first).last_failure == alone(first, last).last_failure == wanted
    assert alone(ended(State.CANCELLED)).last_failure is None
