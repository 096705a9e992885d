from __future__ import annotations

from datetime import UTC, datetime

import attrs
import pytest

from tests.making import HOUR, MINUTE, NOW, SECOND, a_record, a_run, a_schedule
from trioarm.core.changes import CancelAsked, Change, Finished
from trioarm.core.planning import DECISIONS_MAX, Group, PlanRules, expire, plan, quarantine
from trioarm.core.record import ScheduleRecord, ScheduleState
from trioarm.core.run import Origin, RunRecord
from trioarm.core.schedule import Misfire, Overlap
from trioarm.core.states import Reason, State, Step
from trioarm.core.triggers import After, Every, Once, Weekly

RULES = PlanRules()


def _at(hour: int, minute: int, day: int = 23) -> int:
    return int(datetime(2026, 11, day, hour, minute, tzinfo=UTC).timestamp()) * SECOND


def _plan(record: ScheduleRecord, now: int, *unfinished: RunRecord, rules: PlanRules = RULES) -> Change:
    return plan(Group((record,), unfinished), now, rules)


def _said(change: Change) -> list[tuple[int, int | None, int, State, Reason | None]]:
    return [(run.nominal_at, run.last_at, run.count, run.state, run.reason) for run in change.decided]


def test_nothing_is_decided_before_it_is_due() -> None:
    """Before its instant, while paused, finished, or without an occurrence to come, a schedule yields nothing."""
    record = a_record()
    empty = (record, a_record(), a_record(), a_record())
    empty[1].state, empty[2].state, empty[3].next_due_at = ScheduleState.PAUSED, ScheduleState.FINISHED, None
    for one, now in zip(empty, (NOW - 1, NOW, NOW, NOW), strict=True):
        change = _plan(one, now)
        assert (change.decided, change.moved, change.steps) == ((), (), ())


def test_an_occurrence_on_time_runs() -> None:
    """It is decided pending, due at its nominal instant, and the cursor moves on to now."""
    record = a_record(a_schedule(lane="house"))
    change = _plan(record, NOW + 3 * SECOND)
    (run,), (move,) = change.decided, change.moved
    assert (run.schedule, run.nominal_at, run.due_at, run.decided_at) == (record, NOW, NOW, NOW + 3 * SECOND)
    assert (run.state, run.lane, run.attempt, run.token, run.count) == (State.PENDING, "house", 0, 0, 1)
    assert run.give_up_at is None
    assert (move.record, move.expected_cursor_at, move.expected_revision) == (record, NOW - 1, 1)
    assert (move.cursor_at, move.next_due_at, move.runs) == (NOW + 3 * SECOND, NOW + MINUTE, 1)
    assert (move.state, move.anchor_at) == (ScheduleState.ACTIVE, None)


def test_an_occurrence_belongs_to_the_epoch_of_its_schedule() -> None:
    """After a correction of the clock the same instant is another occurrence (S3.3)."""
    record = a_record()
    record.epoch = 2
    assert [run.epoch for run in _plan(record, NOW).decided] == [2]


def test_only_impatient_handlers_give_up() -> None:
    """A run of a handler that is registered and not patient has an instant at which it gives up; others wait (S2.6)."""
    (run,) = _plan(a_record(), NOW + SECOND, rules=PlanRules(impatient=frozenset({"work"}))).decided
    assert run.give_up_at == NOW + SECOND + RULES.queue_timeout
    (run,) = _plan(a_record(), NOW, rules=PlanRules(impatient=frozenset({"arming"}))).decided
    assert run.give_up_at is None


def test_older_occurrences_are_coalesced() -> None:
    """Of those due in one pass only the newest runs; the others are one row with both ends and a count (S5.2)."""
    change = _plan(a_record(), NOW + 10 * MINUTE)
    assert _said(change) == [
        (NOW, NOW + 9 * MINUTE, 10, State.MISSED, Reason.COALESCED),
        (NOW + 10 * MINUTE, None, 1, State.PENDING, None),
    ]
    assert (change.moved[0].cursor_at, change.moved[0].runs) == (NOW + 10 * MINUTE, 1)
    assert _said(_plan(a_record(), NOW + MINUTE))[0] == (NOW, None, 1, State.MISSED, Reason.COALESCED)


@pytest.mark.parametrize(
    ("policies", "allowed"),
    [
        ({}, HOUR),
        ({"misfire_window_s": 600.0}, 10 * MINUTE),
        ({"misfire_window_s": 0.0}, 5 * MINUTE),
        ({"misfire_window_s": 0.0, "tolerance_s": 7.5}, 7_500_000),
        ({"misfire": "skip"}, 5 * MINUTE),
        ({"misfire": "skip", "tolerance_s": 0.0}, SECOND),  # nothing is noticed in no time at all
        ({"misfire": "skip", "misfire_window_s": 600.0}, 5 * MINUTE),
        ({"misfire": "each"}, HOUR),
    ],
)
def test_how_late_an_occurrence_may_run(policies: dict[str, object], allowed: int) -> None:
    """On time within its tolerance, late within its misfire window unless the policy skips, then missed (S5.2)."""
    schedule = a_schedule(trigger=Every(86400, anchor=NOW), **policies)
    assert _said(_plan(a_record(schedule), NOW + allowed)) == [(NOW, None, 1, State.PENDING, None)]
    missed = _plan(a_record(schedule), NOW + allowed + 1)
    assert _said(missed) == [(NOW, None, 1, State.MISSED, Reason.TOO_LATE)]
    assert (missed.moved[0].runs, missed.moved[0].cursor_at) == (0, NOW + allowed + 1)
    assert missed.decided[0].finished_at == missed.decided[0].decided_at == NOW + allowed + 1
    assert missed.decided[0].waiting_for is None


def test_a_long_range_is_one_row() -> None:
    """Everything missed while the node was down is one row, however much it is."""
    schedule = a_schedule(trigger=Every(1), misfire="skip", tolerance_s=0.5, end_at=NOW + 30 * 86400 * SECOND)
    change = _plan(a_record(schedule), NOW + 60 * 86400 * SECOND)
    assert _said(change) == [(NOW, NOW + 30 * 86400 * SECOND, 30 * 86400 + 1, State.MISSED, Reason.TOO_LATE)]
    assert change.moved[0].state is ScheduleState.FINISHED


def test_overlap_skips_or_allows() -> None:
    """While an earlier run is unfinished the newest occurrence is skipped, unless the schedule allows both (S5.4)."""
    record = a_record()
    change = _plan(record, NOW + MINUTE, a_run(record, NOW - MINUTE))
    assert _said(change) == [
        (NOW, None, 1, State.MISSED, Reason.COALESCED),
        (NOW + MINUTE, None, 1, State.SKIPPED, Reason.OVERLAP),
    ]
    assert change.moved[0].runs == 0
    record = a_record(a_schedule(overlap=Overlap.ALLOW))
    assert _plan(record, NOW, a_run(record, NOW - MINUTE)).decided[0].state is State.PENDING


def test_the_last_run_finishes_a_schedule() -> None:
    """After as many runs as it may have, or when nothing is to come, a schedule is finished and due no more."""
    move = _plan(a_record(a_schedule(max_runs=3), runs=2), NOW).moved[0]
    assert (move.runs, move.state, move.next_due_at) == (3, ScheduleState.FINISHED, None)
    move = _plan(a_record(a_schedule(max_runs=3), runs=1), NOW).moved[0]
    assert (move.runs, move.state, move.next_due_at) == (2, ScheduleState.ACTIVE, NOW + MINUTE)
    move = _plan(a_record(a_schedule(trigger=Once(NOW))), NOW).moved[0]
    assert (move.runs, move.state, move.next_due_at) == (1, ScheduleState.FINISHED, None)
    missed = _plan(a_record(a_schedule(trigger=Once(NOW), max_runs=1)), NOW + 2 * HOUR).moved[0]
    assert (missed.runs, missed.state) == (0, ScheduleState.FINISHED)


def test_start_and_end_bound_what_is_decided() -> None:
    """Nothing before the start or after the end is decided, not even as missed."""
    schedule = a_schedule(start_at=NOW + 2 * MINUTE, end_at=NOW + 5 * MINUTE, misfire="each", overlap="allow")
    change = _plan(a_record(schedule), NOW + HOUR)
    assert [run.nominal_at for run in change.decided] == [NOW + n * MINUTE for n in (2, 3, 4, 5)]
    assert (change.moved[0].state, change.moved[0].cursor_at) == (ScheduleState.FINISHED, NOW + HOUR)


def test_each_decides_every_occurrence() -> None:
    """With `each` those too old are one row, and all younger ones run on their own, oldest first."""
    schedule = a_schedule(misfire="each", overlap="allow", misfire_window_s=180.0, tolerance_s=1.0)
    change = _plan(a_record(schedule), NOW + 10 * MINUTE)
    assert _said(change) == [
        (NOW, NOW + 6 * MINUTE, 7, State.MISSED, Reason.TOO_LATE),
        *((NOW + n * MINUTE, None, 1, State.PENDING, None) for n in (7, 8, 9, 10)),
    ]
    assert (change.moved[0].cursor_at, change.moved[0].runs) == (NOW + 10 * MINUTE, 4)


def test_each_with_nothing_young_enough_is_one_row() -> None:
    """When all are too old nothing runs, and the cursor is at now."""
    schedule = a_schedule(trigger=Every(86400, anchor=NOW), misfire="each")
    now = NOW + 2 * 86400 * SECOND + 2 * HOUR
    change = _plan(a_record(schedule), now)
    assert _said(change) == [(NOW, NOW + 2 * 86400 * SECOND, 3, State.MISSED, Reason.TOO_LATE)]
    assert (change.moved[0].cursor_at, change.moved[0].next_due_at) == (now, NOW + 3 * 86400 * SECOND)


def test_each_counts_nothing_behind_the_end() -> None:
    """When the end lies before what may still run, the row of those too old ends there as well."""
    schedule = a_schedule(misfire="each", end_at=NOW + 2 * MINUTE)
    change = _plan(a_record(schedule), NOW + 7 * HOUR)
    assert _said(change) == [(NOW, NOW + 2 * MINUTE, 3, State.MISSED, Reason.TOO_LATE)]
    assert change.moved[0].state is ScheduleState.FINISHED


def test_each_runs_one_at_a_time_where_runs_must_not_overlap() -> None:
    """The first one runs, and makes those after it overlap."""
    change = _plan(a_record(a_schedule(misfire=Misfire.EACH)), NOW + 2 * MINUTE)
    assert [(run.state, run.reason) for run in change.decided] == [
        (State.PENDING, None),
        (State.SKIPPED, Reason.OVERLAP),
        (State.SKIPPED, Reason.OVERLAP),
    ]


def test_each_is_done_in_chunks() -> None:
    """A pass writes no more than its limit and leaves the cursor there; the next pass goes on behind it (S5.1)."""
    schedule = a_schedule(trigger=Every(1), misfire="each", overlap="allow", misfire_window_s=1e6)
    record, now, decided = a_record(schedule), NOW + 2_500 * SECOND, []
    sizes = []
    while (record.next_due_at or now + 1) <= now:
        change = _plan(record, now)
        (move,) = change.moved
        sizes.append(len(change.decided))
        decided += [run.nominal_at for run in change.decided]
        record.cursor_at, record.next_due_at, record.runs = move.cursor_at, move.next_due_at, move.runs
    assert sizes == [DECISIONS_MAX, DECISIONS_MAX, 501]
    assert decided == [NOW + n * SECOND for n in range(2_501)]
    assert (record.cursor_at, record.runs) == (now, 2_501)


def test_each_stops_at_the_last_allowed_run() -> None:
    """What lies behind the last run of a schedule is outside its range: it is not decided."""
    schedule = a_schedule(misfire="each", overlap="allow", max_runs=3)
    change = _plan(a_record(schedule, runs=1), NOW + 10 * MINUTE)
    assert [run.nominal_at for run in change.decided] == [NOW, NOW + MINUTE]
    (move,) = change.moved
    assert (move.cursor_at, move.next_due_at, move.state) == (NOW + MINUTE, None, ScheduleState.FINISHED)


def test_what_came_due_while_recovery_was_off_is_missed() -> None:
    """Before `recover_from` nothing is caught up, and the reason says so (S8.4); otherwise it is just too late."""
    rules = PlanRules(recover_from=NOW + 5 * MINUTE)
    daily = a_schedule(trigger=Every(86400, anchor=NOW))
    assert _said(_plan(a_record(daily), NOW + 6 * MINUTE, rules=rules)) == [
        (NOW, None, 1, State.MISSED, Reason.RECOVERY_OFF)
    ]
    each = a_schedule(misfire="each", overlap="allow")
    assert _said(_plan(a_record(each), NOW + 6 * MINUTE, rules=rules)) == [
        (NOW, NOW + 4 * MINUTE, 5, State.MISSED, Reason.RECOVERY_OFF),
        (NOW + 5 * MINUTE, None, 1, State.PENDING, None),
        (NOW + 6 * MINUTE, None, 1, State.PENDING, None),
    ]
    late = _plan(a_record(daily), NOW + 3 * HOUR, rules=PlanRules(recover_from=NOW - HOUR))
    assert _said(late) == [(NOW, None, 1, State.MISSED, Reason.TOO_LATE)]


def test_a_fixed_delay_waits_for_the_end_of_its_run() -> None:
    """While it runs nothing is to come, and the schedule stays active (S4.2)."""
    record = a_record(a_schedule(trigger=After(60)), cursor_at=NOW - MINUTE)
    change = _plan(record, NOW + 1)
    assert _said(change) == [(NOW, None, 1, State.PENDING, None)]
    (move,) = change.moved
    assert (move.next_due_at, move.state, move.anchor_at) == (None, ScheduleState.ACTIVE, None)


def test_a_fixed_delay_that_did_not_run_counts_from_now() -> None:
    """Missed or skipped, its next occurrence is one delay from the decision; after its end there is none."""
    now = NOW + 2 * HOUR
    (move,) = _plan(a_record(a_schedule(trigger=After(60)), cursor_at=NOW - MINUTE), now).moved
    assert (move.next_due_at, move.state, move.anchor_at) == (now + MINUTE, ScheduleState.ACTIVE, now)
    record = a_record(a_schedule(trigger=After(60), end_at=now), cursor_at=NOW - MINUTE)
    (move,) = _plan(record, now).moved
    assert (move.next_due_at, move.state) == (None, ScheduleState.FINISHED)


def test_a_fixed_delay_ends_with_its_last_run() -> None:
    """A schedule that may run no more is finished whatever its trigger."""
    record = a_record(a_schedule(trigger=After(60), max_runs=1), cursor_at=NOW - MINUTE)
    (move,) = _plan(record, NOW).moved
    assert (move.next_due_at, move.state) == (None, ScheduleState.FINISHED)


def test_a_run_nobody_started_expires() -> None:
    """A pending run that never began is missed at its instant to give up, and the message says what to do."""
    run = a_run(give_up_at=NOW + 10 * MINUTE, token=3)
    assert expire(run, NOW + 10 * MINUTE - 1, RULES) is None
    step = expire(run, NOW + 10 * MINUTE, RULES)
    assert step is not None
    assert (step.run, step.token, step.step, step.reason) == (run, 3, Step.MISS, Reason.QUEUE_TIMEOUT)
    assert step.error is not None
    assert "for 600 s: raise executor.max_concurrent" in step.error


@pytest.mark.parametrize(
    "fields", [{"give_up_at": None}, {"state": State.CLAIMED}, {"state": State.RUNNING}, {"state": State.MISSED}]
)
def test_other_runs_do_not_expire(fields: dict[str, object]) -> None:
    """A patient run, and one that is held or ended, go on as they are."""
    assert expire(a_run(**{"give_up_at": NOW, **fields}), NOW + HOUR, RULES) is None


def test_a_schedule_nobody_can_plan_is_put_aside() -> None:
    """Quarantine keeps its cursor and takes it out of the due index (S2.6)."""
    record = a_record(runs=4)
    move = quarantine(record)
    assert (move.record, move.expected_cursor_at, move.expected_revision) == (record, NOW - 1, 1)
    assert (move.cursor_at, move.next_due_at, move.runs) == (NOW - 1, None, 4)
    assert move.state is ScheduleState.QUARANTINED


# Superseding lanes


def _house() -> tuple[ScheduleRecord, ScheduleRecord]:
    lane = {"lane": "house", "supersede": True, "handler": "arming"}
    days = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    arm = a_schedule("arm", Weekly(days, "22:00"), misfire_window_s=6 * 3600.0, **lane)
    disarm = a_schedule("disarm", Weekly(days, "06:30"), misfire_window_s=900.0, **lane)
    down_from = _at(21, 50)
    return a_record(arm, key=1, cursor_at=down_from), a_record(disarm, key=2, cursor_at=down_from)


def _names(change: Change) -> list[tuple[str, int, State, Reason | None]]:
    return [(run.schedule.schedule.name, run.nominal_at, run.state, run.reason) for run in change.decided]


def test_back_in_time_for_the_disarm() -> None:
    """The worked timeline, back at 06:33: the arm is superseded and the disarm runs, on time."""
    house, now = _house(), _at(6, 33, 24)
    change = plan(Group(house), now, RULES)
    assert _names(change) == [
        ("arm", _at(22, 0), State.SUPERSEDED, Reason.SUPERSEDED),
        ("disarm", _at(6, 30, 24), State.PENDING, None),
    ]
    assert [(move.record.key, move.cursor_at, move.runs) for move in change.moved] == [(1, now, 0), (2, now, 1)]


def test_back_too_late_for_the_disarm() -> None:
    """The worked timeline, back at 06:50: the disarm is missed and the arm is superseded all the same."""
    change = plan(Group(_house()), _at(6, 50, 24), RULES)
    assert _names(change) == [
        ("arm", _at(22, 0), State.SUPERSEDED, Reason.SUPERSEDED),
        ("disarm", _at(6, 30, 24), State.MISSED, Reason.TOO_LATE),
    ]
    assert [move.runs for move in change.moved] == [0, 0]


def test_back_in_the_night() -> None:
    """The worked timeline, back at 03:00: only the arm is due, five hours late, and it runs."""
    change = plan(Group(_house()), _at(3, 0, 24), RULES)
    assert _names(change) == [("arm", _at(22, 0), State.PENDING, None)]
    assert [move.record.key for move in change.moved] == [1]


def test_nothing_due_in_a_lane_decides_nothing() -> None:
    """A group is planned whole, but only what is due is decided."""
    change = plan(Group(_house()), _at(21, 55), RULES)
    assert (list(change.decided), list(change.moved), list(change.steps)) == ([], [], [])


def test_both_on_time_only_the_last_runs() -> None:
    """In a superseding lane an occurrence on time gives way as well as a late one (S5.5)."""
    lane = {"lane": "house", "supersede": True}
    first = a_record(a_schedule("first", Every(3600, anchor=NOW), **lane), key=1)
    second = a_record(a_schedule("second", Every(60), **lane), key=2)
    change = plan(Group((second, first)), NOW + 2 * MINUTE, RULES)
    assert [
        (run.schedule.schedule.name, *said[1:]) for run, said in zip(change.decided, _said(change), strict=True)
    ] == [
        ("second", NOW + MINUTE, 2, State.SUPERSEDED, Reason.SUPERSEDED),
        ("second", None, 1, State.PENDING, None),
        ("first", None, 1, State.SUPERSEDED, Reason.SUPERSEDED),
    ]


def test_equal_instants_are_ordered_by_priority_then_name() -> None:
    """Of occurrences at one instant the most urgent counts, then the last by name, however they were read (S4.4)."""
    lane = {"lane": "house", "supersede": True}
    high = a_record(a_schedule("a", priority=9, **lane), key=1)
    low = a_record(a_schedule("b", priority=5, **lane), key=2)
    same = a_record(a_schedule("c", priority=5, **lane), key=3)
    for group in ((high, low, same), (same, low, high)):
        change = plan(Group(group), NOW, RULES)
        assert {run.schedule.schedule.name: run.state for run in change.decided} == {
            "a": State.PENDING,
            "b": State.SUPERSEDED,
            "c": State.SUPERSEDED,
        }
    for group in ((low, same), (same, low)):
        change = plan(Group(group), NOW, RULES)
        assert [run.schedule.schedule.name for run in change.decided if run.state is State.PENDING] == ["c"]


def test_precedence_decides_between_priority_and_name() -> None:
    """It breaks the ties of equal instants and equal priority, whatever the names; and nothing else (S4.4)."""

    def winner(*policies: tuple[str, int, int], late: int = 0) -> str:
        records = [
            a_record(a_schedule(name, lane="house", supersede=True, priority=priority, precedence=precedence), key=key)
            for key, (name, priority, precedence) in enumerate(policies)
        ]
        for group in (records, records[::-1]):
            decided = plan(Group(group), NOW + late, RULES).decided
            (ran,) = [run.schedule.schedule.name for run in decided if run.state is State.PENDING]
        return ran

    assert winner(("a", 5, 1), ("b", 5, 0)) == "a"
    assert winner(("a", 5, 0), ("b", 5, 1)) == "b"
    assert winner(("a", 5, 999), ("b", 6, 0)) == "b"
    assert winner(("a", 5, 7), ("b", 5, 7)) == "b"
    assert winner(("a", 5, 7), ("b", 5, 7), ("c", 5, 6), late=HOUR) == "b"


def test_precedence_does_not_make_an_earlier_instant_count() -> None:
    """The last instant counts, and behind a gap the last that was meant, before anything else is compared (S4.4)."""
    lane = {"lane": "house", "supersede": True}
    first, last = _house()
    first.schedule = attrs.evolve(first.schedule, precedence=999)
    change = plan(Group((first, last)), _at(6, 31, 24), RULES)
    assert [run.schedule for run in change.decided if run.state is State.PENDING] == [last]
    early = a_schedule("early", Weekly("sun", "02:15", "Europe/Prague"), precedence=999, **lane)
    late = a_schedule("late", Weekly("sun", "02:45", "Europe/Prague"), **lane)
    before = int(datetime(2026, 3, 29, 0, tzinfo=UTC).timestamp()) * SECOND
    group = [a_record(schedule, key=key, cursor_at=before) for key, schedule in enumerate((early, late), 1)]
    change = plan(Group(group), before + HOUR, RULES)
    assert [run.schedule.schedule.name for run in change.decided if run.state is State.PENDING] == ["late"]


def test_a_gap_keeps_the_order_a_person_meant() -> None:
    """Two times that a spring gap moves to one instant: the one meant later counts (S4.4)."""
    lane = {"lane": "house", "supersede": True}
    early = a_schedule("z-early", Weekly("sun", "02:15", "Europe/Prague"), **lane)
    late = a_schedule("a-late", Weekly("sun", "02:45", "Europe/Prague"), **lane)
    before = int(datetime(2026, 3, 29, 0, tzinfo=UTC).timestamp()) * SECOND
    group = [a_record(schedule, key=key, cursor_at=before) for key, schedule in enumerate((early, late), 1)]
    assert group[0].next_due_at == group[1].next_due_at == before + HOUR
    change = plan(Group(group), before + HOUR, RULES)
    assert [run.schedule.schedule.name for run in change.decided if run.state is State.PENDING] == ["a-late"]


def test_an_occurrence_that_is_noticed_after_a_later_one_gives_way_to_it() -> None:
    """Put for an instant that is over, it does not cancel the run that counts, and is not done after it (S5.5)."""
    _, disarm = _house()
    now = _at(6, 31, 24)
    for state in (State.PENDING, State.RUNNING):
        later = a_run(a_record(a_schedule("arm", lane="house", supersede=True), key=7), now - 1, state=state)
        change = plan(Group((disarm,), (later,)), now, RULES)
        assert [(run.state, run.reason) for run in change.decided] == [(State.SUPERSEDED, Reason.SUPERSEDED)]
        assert list(change.steps) == []
        for other in ({"voided_at": now}, {"origin": Origin.MANUAL}):
            beside = a_run(later.schedule, now - 1, state=state, **other)
            change = plan(Group((disarm,), (beside,)), now, RULES)
            assert [run.state for run in change.decided] == [State.PENDING]
            assert len(change.steps) == 1


def test_older_runs_of_the_lane_give_way() -> None:
    """Waiting ones are superseded, begun ones cancelled, held ones asked to stop, once (S5.5)."""
    _, disarm = _house()
    now = _at(6, 30, 24)
    waiting = a_run(disarm, NOW, token=1)
    begun = a_run(disarm, NOW + 1, attempt=1, token=2, error="no answer")
    held = a_run(disarm, NOW + 2, state=State.RUNNING, token=3)
    asked = a_run(disarm, NOW + 3, state=State.CLAIMED, token=4, cancel=Reason.USER)
    snoozed = a_run(disarm, NOW + 4, token=5, started_at=NOW)
    change = plan(Group((disarm,), (waiting, begun, held, asked, snoozed)), now, RULES)
    first, second, third, fourth = change.steps
    assert isinstance(first, Finished)
    assert (first.run, first.token, first.step, first.reason) == (waiting, 1, Step.SUPERSEDE, Reason.SUPERSEDED)
    assert isinstance(second, Finished)
    assert (second.run, second.token, second.step, second.error) == (begun, 2, Step.CANCEL, "no answer")
    assert isinstance(third, CancelAsked)
    assert (third.run, third.token, third.reason) == (held, 3, Reason.SUPERSEDED)
    assert isinstance(fourth, Finished)
    assert (fourth.run, fourth.step) == (snoozed, Step.CANCEL)
