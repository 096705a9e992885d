"""Which occurrences are backfilled, which run each of them gets, and where that waits."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.making import HOUR, MINUTE, NOW, a_record, a_run, a_schedule
from trioarm.core.backfilling import (
    AT_ONCE_MAX,
    OCCURRENCES_MAX,
    TIMES_MAX,
    Known,
    backfill,
    check_at_once,
    known,
    lane_of,
    occurrences,
)
from trioarm.core.errors import InvalidSchedule
from trioarm.core.instants import SECOND, render_instant
from trioarm.core.planning import Group, PlanRules, plan
from trioarm.core.run import Origin, Run
from trioarm.core.states import FINAL, Reason, State
from trioarm.core.triggers import After, Cron, Every, Trigger

LANES = [(None, "nightly+backfill/1"), ("disk", "disk")]


def refusal(record: Any, after: int = NOW - HOUR, until: int = NOW) -> str:
    """Return why a range is not backfilled."""
    with pytest.raises(InvalidSchedule) as error:
        occurrences(record, after, until, NOW)
    return str(error.value)


@given(st.integers(-50, 0), st.integers(0, 50), st.sampled_from([Every(60), Cron("*/7 * * * *")]))
def test_they_are_what_the_trigger_yields_after_the_one_and_up_to_the_other(
    first: int, count: int, trigger: Trigger
) -> None:
    """As many as the trigger counts, in order, all of the range."""
    after, until = NOW + (first - count) * MINUTE, NOW + first * MINUTE
    found = occurrences(a_record(a_schedule(trigger=trigger)), after, until, NOW)
    assert len(found) == trigger.count(after, until)
    assert found == sorted(set(found))
    assert all(after < at <= until and trigger.next_after(at - 1) == at for at in found)


def test_none_are_outside_its_start_and_end() -> None:
    """Bounds of a schedule hold, though a pause or max_runs does not."""
    policies = {"start_at": NOW - 4 * MINUTE, "end_at": NOW - 2 * MINUTE, "max_runs": 1}
    record = a_record(a_schedule(**policies), runs=1)
    assert occurrences(record, NOW - HOUR, NOW, NOW) == [NOW - minutes * MINUTE for minutes in (4, 3, 2)]
    assert occurrences(record, NOW - 2 * MINUTE, NOW, NOW) == []
    assert occurrences(a_record(), NOW, NOW, NOW) == occurrences(a_record(), NOW, NOW - HOUR, NOW) == []


def test_a_range_that_has_too_many_is_refused_before_they_are_made() -> None:
    """By the count alone; one fewer is made."""
    record = a_record(a_schedule(trigger=Every(1)))
    at_most = NOW - OCCURRENCES_MAX * SECOND
    assert len(occurrences(record, at_most, NOW, NOW)) == OCCURRENCES_MAX
    assert refusal(record, at_most - SECOND).startswith("nightly has 10001 occurrences in that range: at most 10000")


def test_what_has_nothing_to_backfill_is_refused() -> None:
    """What is to come, what nobody can read, what follows its own runs, what a lane supersedes."""
    assert refusal(a_record(), until=NOW + 1).startswith(f"nightly: {render_instant(NOW + 1)} is still to come")
    bad = a_record()
    bad.trouble = "nonsense"
    assert refusal(bad) == "nightly is in quarantine: put it anew first: nonsense"
    assert "follows the end of its own runs" in refusal(a_record(a_schedule(trigger=After(60))))
    assert "in its lane house only the newest" in refusal(a_record(a_schedule(lane="house", supersede=True)))


def test_what_stands_for_each_occurrence_is_found() -> None:
    """The newest decision that holds, alone or in a range, and each backfilled run; of neighbours, too."""
    record = a_record()
    instants = [NOW + minute * MINUTE for minute in range(4)]
    skipped = {"state": State.SKIPPED, "reason": Reason.PAUSED, "finished_at": NOW}
    across = a_run(record, NOW - HOUR, last_at=NOW + MINUTE, count=62, run_id=1, **skipped)
    ran = a_run(record, NOW + MINUTE, run_id=2)
    voided = a_run(record, NOW + 2 * MINUTE, run_id=3, voided_at=NOW)
    first, second = (
        a_run(record, at, origin=Origin.BACKFILL, run_id=at - NOW + 4) for at in (NOW + MINUTE, NOW + MINUTE + 7)
    )
    before = a_run(record, NOW - 1, origin=Origin.BACKFILL, run_id=12)
    far = a_run(record, NOW + 2 * MINUTE + TIMES_MAX, origin=Origin.BACKFILL, run_id=13)
    manual = a_run(record, NOW + 3 * MINUTE, origin=Origin.MANUAL, run_id=14)
    found = known(instants, [across, ran, voided, first, second, before, far, manual])
    assert [one.decision for one in found] == [across, ran, None, None]
    assert [one.backfills for one in found] == [[], [first, second], [], []]


@pytest.mark.parametrize("state", State)
def test_enough_is_what_is_unfinished_or_went_well(state: State) -> None:
    """The last of those; after anything else the occurrence is backfilled again."""
    good, run = a_run(run_id=1, state=State.SUCCEEDED), a_run(run_id=2, state=state)
    is_enough = state not in FINAL or state is State.SUCCEEDED
    assert Known(None, [run]).enough is (run if is_enough else None)
    assert Known(None, [good, run]).enough is (run if is_enough else good)
    assert Known().enough is None


@pytest.mark.parametrize(("lane", "waits_in"), LANES)
def test_its_run_is_due_since_its_instant_and_points_to_what_was_decided(lane: str | None, waits_in: str) -> None:
    """It is never given up, and the least urgent of all."""
    record = a_record(a_schedule(lane=lane, priority=9))
    record.epoch = 3
    decision = a_run(record, NOW, run_id=7)
    run = backfill(record, NOW, Known(decision), lane_of(record, 5, 2), NOW + HOUR)
    assert (run.nominal_at, run.due_at, run.decided_at, run.lane) == (NOW, NOW, NOW + HOUR, waits_in)
    assert (run.origin, run.state, run.retry_of, run.give_up_at) == (Origin.BACKFILL, State.PENDING, 7, None)
    assert (run.epoch, run.rank, decision.rank) == (3, 1, -9)
    run.state, run.started_at = State.RUNNING, NOW + HOUR
    assert Run.of(run).late_s is None


def test_another_of_the_same_occurrence_is_a_microsecond_later() -> None:
    """Told apart from all before it; where no decision is known, it points to the last of them."""
    record = a_record()
    before = Known(None, [a_run(record, NOW, run_id=1), a_run(record, NOW + 4, run_id=2)])
    run = backfill(record, NOW, before, "own", NOW + HOUR)
    assert (run.nominal_at, run.due_at, run.retry_of) == (NOW + 5, NOW, 2)
    assert backfill(record, NOW, Known(), "own", NOW + HOUR).retry_of is None
    often = Known(None, [a_run(record, NOW + TIMES_MAX - 1)])
    with pytest.raises(InvalidSchedule, match="was backfilled 1000 times already"):
        backfill(record, NOW, often, "own", NOW + HOUR)


def test_as_many_lanes_as_may_run_at_once() -> None:
    """All runs of one backfill are in them, in turn."""
    assert len({lane_of(a_record(), number, 3) for number in range(100)}) == 3
    for at_once in (0, AT_ONCE_MAX + 1, 1.5, True):
        with pytest.raises(InvalidSchedule, match="at_once is"):
            check_at_once(at_once)  # type: ignore[arg-type]
    check_at_once(AT_ONCE_MAX)


def test_a_live_occurrence_does_not_overlap_with_what_is_backfilled() -> None:
    """But with any other unfinished run, among however many that are (S5.3, S5.4)."""
    record = a_record()
    back = [a_run(record, NOW - minute * MINUTE, origin=Origin.BACKFILL) for minute in range(1, 9)]
    [run] = plan(Group((record,), back), NOW, PlanRules()).decided
    assert run.state is State.PENDING
    [run] = plan(Group((record,), [*back, a_run(record, NOW - MINUTE)]), NOW, PlanRules()).decided
    assert (run.state, run.reason) == (State.SKIPPED, Reason.OVERLAP)
