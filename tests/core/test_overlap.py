from __future__ import annotations

import pytest

from tests.making import HOUR, MINUTE, NOW, a_record, a_run, a_schedule
from trioarm.core.changes import CancelAsked, Change, Finished
from trioarm.core.errors import InvalidSchedule
from trioarm.core.overlap import UNFINISHED_MAX, Earlier, by_hand, lane_by_hand, no_wait_for
from trioarm.core.planning import Group, PlanRules, expire, plan
from trioarm.core.record import ScheduleRecord
from trioarm.core.run import Origin, RunRecord, behind
from trioarm.core.schedule import Misfire, Overlap
from trioarm.core.states import Reason, State, Step, WaitingFor

RULES = PlanRules(impatient=frozenset({"work"}))


def _plan(overlap: Overlap, *earlier: RunRecord, now: int = NOW, **policies: object) -> tuple[ScheduleRecord, Change]:
    record = a_record(a_schedule(overlap=overlap, **policies))
    return record, plan(Group((record,), earlier), now, RULES)


def _working(nominal_at: int = NOW - 9 * MINUTE) -> RunRecord:
    return a_run(None, nominal_at, state=State.RUNNING, token=1, attempt=1, waiting_for=None)


def _waiting(nominal_at: int = NOW - 5 * MINUTE, **fields: object) -> RunRecord:
    return a_run(None, nominal_at, **fields)


def _between_attempts() -> RunRecord:
    return a_run(None, NOW - 9 * MINUTE, token=1, attempt=1, waiting_for=WaitingFor.RETRY, started_at=NOW - MINUTE)


def _became(change: Change) -> list[tuple[State, Reason | None]]:
    return [(run.state, run.reason) for run in change.decided]


RUNS = [(State.PENDING, None)]
SKIPPED = [(State.SKIPPED, Reason.OVERLAP)]


@pytest.mark.parametrize("overlap", Overlap)
def test_with_nothing_unfinished_it_runs(overlap: Overlap) -> None:
    """Overlap is about earlier runs: without one, every policy is the same."""
    record, change = _plan(overlap)
    assert _became(change) == RUNS
    assert change.steps == ()
    assert change.moved[0].runs == 1
    assert change.decided[0].lane == (f"~{record.key}" if overlap.keeps_apart else None)


@pytest.mark.parametrize("earlier", [_working, _waiting, _between_attempts])
@pytest.mark.parametrize(
    ("overlap", "expected"),
    [
        (Overlap.SKIP, SKIPPED),
        (Overlap.ALLOW, RUNS),
        (Overlap.BUFFER_ONE, RUNS),
        (Overlap.BUFFER_LATEST, RUNS),
        (Overlap.BUFFER_ALL, RUNS),
        (Overlap.CANCEL_RUNNING, RUNS),
    ],
)
def test_behind_one_other(overlap: Overlap, expected: list[object], earlier: object) -> None:
    """One that works, that waits for a worker, or for its next attempt, is one before the occurrence (S5.4)."""
    assert callable(earlier)
    _, change = _plan(overlap, earlier())
    assert _became(change) == expected
    assert change.moved[0].runs == int(expected == RUNS)


def test_buffer_one_keeps_the_first_that_waits() -> None:
    """Beside the one whose turn it is, one may wait: further ones are skipped."""
    first, second, third = _waiting(NOW - 3 * MINUTE), _waiting(NOW - 2 * MINUTE), _waiting(NOW - MINUTE)
    assert _became(_plan(Overlap.BUFFER_ONE, _working(), first)[1]) == SKIPPED
    assert _became(_plan(Overlap.BUFFER_ONE, _between_attempts(), first)[1]) == SKIPPED
    assert _became(_plan(Overlap.BUFFER_ONE, first)[1]) == RUNS  # nobody works: it is the first one's turn
    assert _became(_plan(Overlap.BUFFER_ONE, first, second)[1]) == SKIPPED
    assert _became(_plan(Overlap.BUFFER_ONE, first, second, third)[1]) == SKIPPED


def test_buffer_latest_supersedes_what_waits() -> None:
    """What has not begun gives way to the newest; what works, or has begun, is left alone."""
    waiting, fired = _waiting(), _waiting(origin=Origin.MANUAL)
    _, change = _plan(Overlap.BUFFER_LATEST, _working(), waiting, fired)
    assert _became(change) == RUNS
    [step] = change.steps
    assert isinstance(step, Finished)
    assert (step.run, step.step, step.reason, step.at) == (waiting, Step.SUPERSEDE, Reason.OVERLAP, NOW)
    assert not _plan(Overlap.BUFFER_LATEST, _between_attempts())[1].steps


def test_buffer_all_is_bounded() -> None:
    """However long a run takes, no more than a hundred are unfinished (S5.4)."""
    many = [_working(), *(_waiting() for _ in range(UNFINISHED_MAX - 2))]
    assert _became(_plan(Overlap.BUFFER_ALL, *many)[1]) == RUNS
    assert _became(_plan(Overlap.BUFFER_ALL, *many, _waiting())[1]) == SKIPPED


def test_cancel_running_cancels_all_before_it() -> None:
    """The one that works is asked to stop, one between attempts gets no other, one that waited never begins."""
    working, between, waiting = _working(), _between_attempts(), _waiting()
    asked = a_run(None, NOW - MINUTE, state=State.CLAIMED, token=1, cancel=Reason.USER, waiting_for=None)
    _, change = _plan(Overlap.CANCEL_RUNNING, working, between, waiting, asked)
    assert _became(change) == RUNS
    first, second, third = change.steps
    assert isinstance(first, CancelAsked)
    assert (first.run, first.reason) == (working, Reason.OVERLAP)
    assert isinstance(second, Finished)
    assert (second.run, second.step, second.reason) == (between, Step.CANCEL, Reason.OVERLAP)
    assert isinstance(third, Finished)
    assert (third.run, third.step, third.reason) == (waiting, Step.SUPERSEDE, Reason.OVERLAP)


@pytest.mark.parametrize(
    ("overlap", "expected"),
    [
        (Overlap.SKIP, [*RUNS, *SKIPPED, *SKIPPED, *SKIPPED]),
        (Overlap.ALLOW, RUNS * 4),
        (Overlap.BUFFER_ONE, [*RUNS, *RUNS, *SKIPPED, *SKIPPED]),
        (Overlap.BUFFER_ALL, RUNS * 4),
        (Overlap.BUFFER_LATEST, [(State.MISSED, Reason.COALESCED), *RUNS]),
        (Overlap.CANCEL_RUNNING, [(State.MISSED, Reason.COALESCED), *RUNS]),
    ],
)
def test_each_of_several_due_together(overlap: Overlap, expected: list[object]) -> None:
    """With `misfire = "each"` they come one after the other; where the newest counts, it alone runs (S5.2, S5.4)."""
    _, change = _plan(overlap, now=NOW + 3 * MINUTE, misfire=Misfire.EACH)
    assert _became(change) == expected
    assert change.moved[0].runs == expected.count(RUNS[0])


def test_each_behind_one_that_works() -> None:
    """Those due together find earlier runs before them."""
    _, change = _plan(Overlap.BUFFER_ONE, _working(), now=NOW + 2 * MINUTE, misfire=Misfire.EACH)
    assert _became(change) == [*RUNS, *SKIPPED, *SKIPPED]


def test_a_lane_of_its_own_keeps_it_apart_from_others_as_well() -> None:
    """A schedule in a lane takes that one: its runs never overlap there either."""
    _, change = _plan(Overlap.BUFFER_ALL, lane="backups")
    assert change.decided[0].lane == "backups"


def test_a_start_that_could_only_be_too_late_is_given_up() -> None:
    """Its turn may come until its misfire window is over, whatever a run may wait for a worker (S5.4)."""
    _, change = _plan(Overlap.BUFFER_ALL, _working(), misfire_window_s=7200.0)
    [run] = change.decided
    assert run.give_up_at == NOW + 2 * HOUR
    assert expire(run, NOW + 2 * HOUR - 1, RULES) is None
    step = expire(run, NOW + 2 * HOUR, RULES)
    assert step is not None
    assert (step.step, step.reason) == (Step.MISS, Reason.TOO_LATE)
    assert step.error == (
        "for 7200 s the run before it had not ended, or no worker was free: its misfire window is over"
    )
    _, change = _plan(Overlap.BUFFER_ALL, misfire=Misfire.SKIP, tolerance_s=30.0)
    assert change.decided[0].give_up_at == NOW + 30_000_000
    _, change = _plan(Overlap.BUFFER_ALL, handler="elsewhere")
    assert change.decided[0].give_up_at is None  # it waits for a node that knows its handler (S2.6)


def test_a_superseding_lane_has_no_place_for_waiting() -> None:
    """There older runs give way: to keep them as well would be a contradiction, and one clear line says so."""
    for overlap in Overlap:
        if overlap.keeps_apart:
            with pytest.raises(InvalidSchedule, match=f"^nightly: overlap {overlap} has no place in a superseding"):
                a_schedule(overlap=overlap, lane="house", supersede=True)
        else:
            assert a_schedule(overlap=overlap, lane="house", supersede=True).overlap is overlap


def test_runs_by_hand_keep_to_the_order_of_their_schedule() -> None:
    """Where a schedule keeps its runs apart, one that a person asks for waits for its turn, too (S5.3)."""
    assert by_hand(a_schedule()) is by_hand(a_schedule(overlap="allow")) is Overlap.ALLOW
    assert {by_hand(a_schedule(overlap=one)) for one in Overlap if one.keeps_apart} == {Overlap.BUFFER_ALL}


@pytest.mark.parametrize("overlap", Overlap)
def test_what_is_fired_shares_the_lane_of_runs_that_are_kept_apart(overlap: Overlap) -> None:
    """Whatever becomes of those before it, what comes due while it works waits for it, unless both are to run."""
    apart, beside = a_record(a_schedule(overlap=Overlap.BUFFER_ONE)), a_record(a_schedule(overlap=Overlap.SKIP))
    assert lane_by_hand(apart, overlap) == (None if overlap is Overlap.ALLOW else "~1")
    assert lane_by_hand(beside, overlap) == ("~1" if overlap.keeps_apart else None)
    assert lane_by_hand(a_record(a_schedule(overlap=Overlap.SKIP, lane="nas")), overlap) == "nas"


@pytest.mark.parametrize("overlap", Overlap)
def test_nothing_waits_for_a_run_that_holds_no_lane(overlap: Overlap) -> None:
    """It would begin at once, beside the one that it was to wait for."""
    loose, held = _working(), a_run(None, NOW, lane="~1")
    waits = overlap in (Overlap.BUFFER_ONE, Overlap.BUFFER_LATEST, Overlap.BUFFER_ALL)
    assert no_wait_for(overlap, [held, loose]) is (loose if waits else None)
    assert no_wait_for(overlap, [held]) is None


def test_earlier_runs_are_told_apart_by_their_claims() -> None:
    """What nobody claimed yet waits; a snooze or a retry has begun."""
    assert Earlier.of([_working(), _between_attempts(), _waiting()]) == Earlier(begun=2, waiting=1)


def test_what_a_run_waits_for_is_told_by_its_lane() -> None:
    """In the lane of a schedule alone it is the run before it; in one that has a name, whoever holds that."""
    assert behind(a_record().lane(Overlap.BUFFER_ALL) or "") is WaitingFor.OVERLAP
    assert behind("house") is WaitingFor.LANE
