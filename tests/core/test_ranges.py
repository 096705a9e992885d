"""What becomes of occurrences that people skipped or postponed, and of what came due during a pause (S5.3, S5.7)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.making import HOUR, MINUTE, NOW, SECOND, a_record, a_run, a_schedule
from trioarm.core.changes import Change, Finished
from trioarm.core.planning import Group, PlanRules, plan
from trioarm.core.record import Amendment, AmendmentKind, Pause, ScheduleRecord, ScheduleState
from trioarm.core.run import Origin, RunRecord
from trioarm.core.schedule import Overlap
from trioarm.core.states import Reason, State, Step, WaitingFor
from trioarm.core.triggers import After, Every, Once, Trigger

RULES = PlanRules()
EACH = {"misfire": "each", "overlap": "allow"}

SKIPPED = (State.SKIPPED, Reason.USER)
PAUSED = (State.SKIPPED, Reason.PAUSED)
RUNS = (State.PENDING, None)
LATE = (State.MISSED, Reason.TOO_LATE)
COALESCED = (State.MISSED, Reason.COALESCED)
SUPERSEDED = (State.SUPERSEDED, Reason.SUPERSEDED)


def skip(minute: int) -> Amendment:
    """Return the amendment that skips the occurrence so many minutes after NOW."""
    return Amendment(AmendmentKind.SKIP, NOW + minute * MINUTE, None, "somebody", "", NOW)


def postpone(minute: int, by: int) -> Amendment:
    """Return the amendment that postpones the occurrence so many minutes after NOW by some minutes."""
    nominal_at = NOW + minute * MINUTE
    return Amendment(AmendmentKind.POSTPONE, nominal_at, nominal_at + by * MINUTE, "somebody", "", NOW, 1)


def amended(*amendments: Amendment, trigger: Trigger | None = None, **policies: Any) -> ScheduleRecord:
    """Return a schedule of every minute from NOW on, with these amendments."""
    record = a_record(a_schedule(trigger=trigger, **policies))
    record.amendments = amendments
    return record


def planned(record: ScheduleRecord, minute: int, *unfinished: RunRecord) -> Change:
    """Plan a schedule so many minutes after NOW."""
    return plan(Group((record,), unfinished), NOW + minute * MINUTE, RULES)


def said(change: Change) -> list[tuple[int, int, tuple[State, Reason | None]]]:
    """Return first and last minute of each row, and what became of it."""
    return [
        (
            (row.nominal_at - NOW) // MINUTE,
            ((row.last_at or row.nominal_at) - NOW) // MINUTE,
            (row.state, row.reason),
        )
        for row in change.decided
    ]


# Skipped


def test_what_a_person_skipped_does_not_run() -> None:
    """It is skipped because they said so, counts as no run, and the rhythm goes on."""
    change = planned(amended(skip(0)), 0)
    assert said(change) == [(0, 0, SKIPPED)]
    (row,), (move,) = change.decided, change.moved
    assert (row.due_at, row.finished_at, row.waiting_for, row.count) == (NOW, NOW, None, 1)
    assert (move.cursor_at, move.next_due_at, move.runs, move.state) == (NOW, NOW + MINUTE, 0, ScheduleState.ACTIVE)


def test_a_skip_is_not_swallowed_by_what_was_missed() -> None:
    """After downtime it stands alone: nobody missed what nobody wanted. The range around it is cut."""
    change = planned(amended(skip(3), skip(4), skip(0)), 10)
    assert said(change) == [
        (0, 0, SKIPPED),
        (1, 2, COALESCED),
        (3, 3, SKIPPED),
        (4, 4, SKIPPED),
        (5, 9, COALESCED),
        (10, 10, RUNS),
    ]
    assert [row.count for row in change.decided] == [1, 2, 1, 1, 5, 1]
    late = planned(amended(skip(3), tolerance_s=0.0, misfire_window_s=0.0, trigger=Every(60, anchor=NOW)), 5)
    assert said(late)[:3] == [(0, 2, COALESCED), (3, 3, SKIPPED), (4, 4, COALESCED)]


def test_a_skipped_occurrence_is_no_newer_one() -> None:
    """What was due before it runs late, as if the skipped one did not exist; those behind it are not forgotten."""
    change = planned(amended(skip(9), skip(10)), 10)
    assert said(change) == [(0, 7, COALESCED), (8, 8, RUNS), (9, 9, SKIPPED), (10, 10, SKIPPED)]
    assert (change.moved[0].runs, change.moved[0].next_due_at) == (1, NOW + 11 * MINUTE)


def test_what_is_too_late_is_judged_without_the_skipped() -> None:
    """The newest that counts is older than its window: all is missed but what was skipped."""
    change = planned(amended(skip(9), skip(10), misfire="skip", tolerance_s=60.0), 10)
    assert said(change) == [(0, 8, LATE), (9, 9, SKIPPED), (10, 10, SKIPPED)]


def test_where_all_are_skipped_nothing_runs() -> None:
    """A range of skipped occurrences is a row for each, and the schedule may end with them."""
    change = planned(amended(skip(0), skip(1), skip(2), end_at=NOW + 2 * MINUTE), 30)
    assert said(change) == [(0, 0, SKIPPED), (1, 1, SKIPPED), (2, 2, SKIPPED)]
    assert (change.moved[0].state, change.moved[0].runs) == (ScheduleState.FINISHED, 0)


def test_a_skip_is_no_overlap() -> None:
    """It would not have run with nothing at work either; the one before it is the one that overlaps."""
    record = amended(skip(1))
    assert said(planned(record, 1, a_run(record, NOW - HOUR))) == [
        (0, 0, (State.SKIPPED, Reason.OVERLAP)),
        (1, 1, SKIPPED),
    ]


def test_each_leaves_out_what_was_skipped() -> None:
    """Where every occurrence runs late, the skipped ones do not, wherever they lie (S5.2)."""
    record = amended(skip(0), skip(57), skip(63), skip(70), **EACH)
    change = planned(record, 70)
    assert said(change)[:4] == [(0, 0, SKIPPED), (1, 9, LATE), (10, 10, RUNS), (11, 11, RUNS)]
    assert [row.nominal_at for row in change.decided if row.reason is Reason.USER] == [
        NOW + minute * MINUTE for minute in (0, 57, 63, 70)
    ]
    assert change.moved[0].runs == 61 - 3


def test_what_is_skipped_counts_as_no_run() -> None:
    """A schedule that may run twice runs twice, whatever was skipped between."""
    change = planned(amended(skip(1), skip(2), max_runs=2, **EACH), 10)
    assert said(change) == [(0, 0, RUNS), (1, 1, SKIPPED), (2, 2, SKIPPED), (3, 3, RUNS)]
    assert (change.moved[0].state, change.moved[0].cursor_at) == (ScheduleState.FINISHED, NOW + 3 * MINUTE)


def test_a_skipped_fixed_delay_counts_from_now() -> None:
    """It did not run, so there is no end to count from (S4.2)."""
    record = a_record(a_schedule(trigger=After(60)), cursor_at=NOW - MINUTE)
    record.amendments = (skip(0),)
    move = planned(record, 1).moved[0]
    assert (move.anchor_at, move.next_due_at) == (NOW + MINUTE, NOW + 2 * MINUTE)


def test_an_instant_that_is_no_occurrence_changes_nothing() -> None:
    """An amendment that the trigger no longer yields is passed over: a fixed delay may have moved on."""
    beside = Amendment(AmendmentKind.SKIP, NOW + SECOND, None, "somebody", "", NOW)
    late = Amendment(AmendmentKind.POSTPONE, NOW + SECOND, NOW + HOUR, "somebody", "", NOW, 1)
    for amendment in (beside, late):
        assert said(planned(amended(amendment), 1)) == [(0, 0, COALESCED), (1, 1, RUNS)]
        assert said(planned(amended(amendment, **EACH), 90))[0] == (0, 29, LATE)


# Postponed


def test_a_postponed_occurrence_waits() -> None:
    """It is decided when it comes due, keeps its identity, and may start, and gives up, later (S5.7)."""
    record = amended(postpone(0, 30), trigger=Every(3600))
    change = plan(Group((record,)), NOW, PlanRules(impatient=frozenset({"work"})))
    (run,), (move,) = change.decided, change.moved
    assert (run.state, run.waiting_for, run.nominal_at, run.due_at) == (
        State.PENDING, WaitingFor.POSTPONE, NOW, NOW + 30 * MINUTE,
    )  # fmt: skip
    assert run.give_up_at == NOW + 30 * MINUTE + RULES.queue_timeout
    assert (move.cursor_at, move.next_due_at, move.runs) == (NOW, NOW + HOUR, 1)


@pytest.mark.parametrize(("minute", "outcome"), [(29, RUNS), (35, RUNS), (36, LATE)])
@pytest.mark.parametrize("misfire", ["latest", "skip", "each"])
def test_lateness_is_judged_by_the_new_instant(minute: int, outcome: Any, misfire: str) -> None:
    """Half an hour behind its own instant, it is on time still: five minutes count from where it was postponed to."""
    policies = {"misfire": misfire, "misfire_window_s": 300.0, "trigger": Every(86_400, anchor=NOW)}
    change = planned(amended(postpone(0, 30), **policies), minute)
    assert said(change) == [(0, 0, outcome)]
    if outcome == RUNS:
        waits = minute < 30
        assert change.decided[0].waiting_for is (WaitingFor.POSTPONE if waits else WaitingFor.DUE)


def test_each_runs_a_postponed_one_that_is_not_late() -> None:
    """Its own instant lies in what is missed, the one it was postponed to does not."""
    window = {"misfire_window_s": 300.0, "trigger": Every(600, anchor=NOW), **EACH}
    assert said(planned(amended(postpone(20, 9), **window), 32)) == [(0, 10, LATE), (20, 20, RUNS), (30, 30, RUNS)]
    assert said(planned(amended(postpone(20, 5), **window), 32)) == [(0, 20, LATE), (30, 30, RUNS)]
    whole = planned(amended(postpone(0, 31), postpone(10, 22), **window), 32)
    assert said(whole) == [(0, 0, RUNS), (10, 10, RUNS), (20, 20, LATE), (30, 30, RUNS)]


def test_what_came_due_before_recovery_may_be_postponed_beyond_it() -> None:
    """With recovery off, what may start after the node did is not caught up, it is due (S8.4)."""
    rules = PlanRules(recover_from=NOW + 10 * MINUTE)
    for by, outcome in ((9, (State.MISSED, Reason.RECOVERY_OFF)), (10, RUNS)):
        record = amended(postpone(0, by), trigger=Once(NOW))
        assert said(plan(Group((record,)), NOW + 11 * MINUTE, rules)) == [(0, 0, outcome)]


def test_a_later_occurrence_overtakes_a_postponed_one() -> None:
    """A definition that changed may yield one before it: noticed together only the newest runs (S5.2)."""
    assert said(planned(amended(postpone(0, 30)), 1)) == [(0, 0, COALESCED), (1, 1, RUNS)]


def test_a_postponed_run_overlaps_what_follows() -> None:
    """Until it has run the schedule has an unfinished run (S5.4)."""
    for overlap, outcome in ((Overlap.SKIP, (State.SKIPPED, Reason.OVERLAP)), (Overlap.ALLOW, RUNS)):
        record = amended(postpone(0, 30), overlap=overlap)
        (waiting,) = planned(record, 0).decided
        record.next_due_at, record.cursor_at = NOW + MINUTE, NOW
        assert said(planned(record, 1, waiting)) == [(1, 1, outcome)]


# In a superseding lane


def _lane(*minutes: int) -> list[ScheduleRecord]:
    """Return single instants of one superseding lane, so many minutes after NOW."""
    records = []
    for key, minute in enumerate(minutes, 1):
        trigger = Once(NOW + minute * MINUTE)
        records.append(a_record(a_schedule(f"s{key}", trigger, lane="house", supersede=True), key=key))
    return records


def test_a_skipped_occurrence_supersedes_nothing() -> None:
    """The older one runs as if it were alone, and a run at work may go on (S5.5)."""
    older, newer = _lane(0, 2)
    newer.amendments = (skip(2),)
    change = plan(Group((older, newer)), NOW + 3 * MINUTE, RULES)
    assert said(change) == [(0, 0, RUNS), (2, 2, SKIPPED)]
    older.next_due_at = None
    change = plan(Group((older, newer), [a_run(older)]), NOW + 3 * MINUTE, RULES)
    assert (said(change), change.steps) == ([(2, 2, SKIPPED)], ())


def test_a_superseded_skip_was_skipped() -> None:
    """It would not have run alone either."""
    older, newer = _lane(0, 2)
    older.amendments = (skip(0),)
    assert said(plan(Group((older, newer)), NOW + 3 * MINUTE, RULES)) == [(0, 0, SKIPPED), (2, 2, RUNS)]


def test_a_later_occurrence_supersedes_a_postponed_one() -> None:
    """Noticed together or waiting already: the lane belongs to the later nominal instant (S5.5)."""
    older, newer = _lane(0, 20)
    older.amendments = (postpone(0, 30),)
    together = plan(Group((older, newer)), NOW + 21 * MINUTE, RULES)
    assert said(together) == [(0, 0, SUPERSEDED), (20, 20, RUNS)]
    first = plan(Group((older, newer)), NOW + MINUTE, RULES)
    assert said(first) == [(0, 0, RUNS)]
    (waiting,) = first.decided
    older.next_due_at = None
    then = plan(Group((older, newer), [waiting]), NOW + 20 * MINUTE, RULES)
    assert said(then) == [(20, 20, RUNS)]
    (step,) = then.steps
    assert isinstance(step, Finished)
    assert (step.run, step.step, step.reason) == (waiting, Step.SUPERSEDE, Reason.SUPERSEDED)


def test_what_came_due_together_is_no_older() -> None:
    """A run that supersedes nothing gives way to a later occurrence of its lane, not to one of its instant (S5.5)."""
    (newer,) = _lane(20)
    other = a_record(a_schedule("other", Once(NOW), lane="house"), key=2)
    for minute, gives_way in ((0, True), (20, False), (21, False)):
        waiting = a_run(other, NOW + minute * MINUTE, due_at=NOW + HOUR)
        change = plan(Group((newer,), [waiting]), NOW + 20 * MINUTE, RULES)
        assert (said(change), len(change.steps)) == ([(20, 20, RUNS)], gives_way)
    rival = a_run(newer, NOW + 20 * MINUTE, origin=Origin.MANUAL)
    assert len(plan(Group((newer,), [rival]), NOW + 20 * MINUTE, RULES).steps) == 1


# Paused


def _paused(until: int | None, *amendments: Amendment, **policies: Any) -> ScheduleRecord:
    record = amended(*amendments, **policies)
    record.state = ScheduleState.PAUSED
    record.pause = Pause("somebody", "", NOW - 1, None if until is None else NOW + until * MINUTE)
    return record


def test_a_pause_ends_by_itself() -> None:
    """What came due before is one skipped row, what is due at its very end runs, in the pass that follows (S5.3)."""
    record = _paused(10)
    assert planned(record, 9).moved == ()
    change = planned(record, 10)
    assert said(change) == [(0, 9, PAUSED)]
    (move,) = change.moved
    assert (move.expected_cursor_at, move.expected_revision, move.resumed) == (NOW - 1, 1, True)
    assert (move.cursor_at, move.next_due_at) == (NOW + 10 * MINUTE - 1, NOW + 10 * MINUTE)
    assert (move.state, move.runs) == (ScheduleState.ACTIVE, 0)


def test_a_pause_that_ended_while_nobody_looked_ended_then() -> None:
    """Downtime behind it is downtime: it is not paused, it is missed or late like any other."""
    (move,) = planned(_paused(10), 600).moved
    assert (move.cursor_at, move.next_due_at, move.resumed) == (NOW + 10 * MINUTE - 1, NOW + 10 * MINUTE, True)


def test_only_a_pause_with_an_end_ends() -> None:
    """Not one that lasts until it is resumed, nor what its definition disables."""
    assert planned(_paused(None), 600).moved == ()
    assert planned(_paused(10, enabled=False), 600).moved == ()


def test_a_skip_within_a_pause_is_the_persons() -> None:
    """The one row of the pause is cut by what somebody named."""
    assert said(planned(_paused(10, skip(3)), 10)) == [(0, 2, PAUSED), (3, 3, SKIPPED), (4, 9, PAUSED)]


def test_what_was_postponed_beyond_a_pause_is_paused() -> None:
    """It came due while nothing of its schedule was to run; paused time is never caught up."""
    assert said(planned(_paused(10, postpone(9, 30)), 10)) == [(0, 9, PAUSED)]


@pytest.mark.parametrize(
    ("policies", "next_due_at", "state"),
    [
        ({"end_at": NOW + 5 * MINUTE}, None, ScheduleState.FINISHED),
        ({"trigger": Once(NOW + HOUR)}, NOW + HOUR, ScheduleState.ACTIVE),
        ({"trigger": Once(NOW)}, None, ScheduleState.FINISHED),
    ],
)
def test_what_is_to_come_after_a_pause(policies: Any, next_due_at: int | None, state: ScheduleState) -> None:
    """Something, or nothing: then it is finished."""
    (move,) = planned(_paused(10, **policies), 10).moved
    assert (move.next_due_at, move.state, move.resumed) == (next_due_at, state, True)


def test_a_fixed_delay_counts_from_the_end_of_its_pause() -> None:
    """When it came due meanwhile; one that did not counts on, and one whose run is at work waits for its end."""
    record = _paused(10, trigger=After(60))
    record.anchor_at, record.next_due_at = NOW - MINUTE, NOW
    (move,) = planned(record, 12).moved
    assert (move.anchor_at, move.next_due_at) == (NOW + 10 * MINUTE, NOW + 11 * MINUTE)
    record.anchor_at, record.next_due_at = NOW + 9 * MINUTE + 1, NOW + 10 * MINUTE + 1
    (move,) = planned(record, 12).moved
    assert (move.anchor_at, move.next_due_at) == (NOW + 9 * MINUTE + 1, NOW + 10 * MINUTE + 1)
    record.anchor_at, record.next_due_at = NOW - 2 * MINUTE, None
    (move,) = planned(record, 12).moved
    assert (move.next_due_at, move.state) == (None, ScheduleState.ACTIVE)
    record.schedule = a_schedule(trigger=After(60), max_runs=1)
    record.runs = 1
    (move,) = planned(record, 12).moved
    assert (move.next_due_at, move.state) == (None, ScheduleState.FINISHED)


def test_a_lane_is_whole_again_before_it_is_planned() -> None:
    """A pass that ends a pause ends nothing else: else an older occurrence, coming back, would beat a newer one."""
    arm, disarm = _lane(20, 30)
    arm.state, arm.pause = ScheduleState.PAUSED, Pause("somebody", "", NOW, NOW + 10 * MINUTE)
    change = plan(Group((arm, disarm)), NOW + 31 * MINUTE, RULES)
    assert change.decided == []
    (move,) = change.moved
    arm.state, arm.pause, arm.cursor_at, arm.next_due_at = move.state, None, move.cursor_at, move.next_due_at
    assert said(plan(Group((arm, disarm)), NOW + 31 * MINUTE, RULES)) == [(20, 20, SUPERSEDED), (30, 30, RUNS)]
