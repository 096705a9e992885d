from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.making import HOUR, MINUTE, NOW, a_record, a_run, a_schedule
from trioarm.core.changes import (
    CancelAsked,
    CursorMove,
    Finished,
    RemoveSchedule,
    freed,
    restarted,
)
from trioarm.core.diff import (
    TRIGGERS_MAX,
    FirstPuts,
    cancellation,
    first_put,
    first_records,
    removal,
    revised,
    sync_diff,
    synced_records,
)
from trioarm.core.planning import Group, PlanRules, plan
from trioarm.core.ranges import while_paused
from trioarm.core.record import Pause, ScheduleRecord, ScheduleState, first_record
from trioarm.core.run import Origin
from trioarm.core.schedule import Schedule
from trioarm.core.states import Reason, State, Step
from trioarm.core.triggers import After, Cron, Every, Once, Trigger

BY_SOMEBODY = Pause("somebody", "holiday", NOW)


def _delay(**fields: Any) -> ScheduleRecord:
    """Return a fixed delay of an hour, put now, whose occurrence is still to come."""
    return a_record(a_schedule(trigger=After(3600), **fields), cursor_at=NOW)


def _moved(record: ScheduleRecord, move: CursorMove) -> ScheduleRecord:
    anchor_at = record.anchor_at if move.anchor_at is None else move.anchor_at
    return attrs.evolve(
        record,
        cursor_at=move.cursor_at,
        next_due_at=move.next_due_at,
        state=move.state,
        runs=move.runs,
        anchor_at=anchor_at,
    )


# First puts


def test_who_looks_ahead_sees_what_a_repository_would_keep() -> None:
    """Numbered in order; what is disabled is paused, and what lies in the past is still to be decided."""
    found = first_records([a_schedule("a"), a_schedule("b", Once(NOW - HOUR), enabled=False)], NOW)
    assert [(one.key, one.schedule.name, one.revision, one.state) for one in found] == [
        (1, "a", 1, ScheduleState.ACTIVE),
        (2, "b", 1, ScheduleState.PAUSED),
    ]
    assert [(one.cursor_at, one.next_due_at, one.anchor_at) for one in found] == [
        (NOW, NOW + MINUTE, NOW),
        (NOW - HOUR - 1, NOW - HOUR, NOW),
    ]


@pytest.mark.parametrize(
    ("trigger", "next_due_at"),
    [
        (Every(60), NOW + MINUTE),
        (Cron("0 23 * * *"), NOW + HOUR),
        (After(90), NOW + 90_000_000),
        (Once(NOW + 1), NOW + 1),
    ],
)
def test_a_new_schedule_counts_from_now(trigger: Trigger, next_due_at: int) -> None:
    """Nothing before its put is its business; what comes first after it is due next."""
    put = first_put(a_schedule(trigger=trigger), NOW)
    assert (put.expected_key, put.expected_revision) == (0, 0)
    assert (put.cursor_at, put.anchor_at, put.next_due_at) == (NOW, NOW, next_due_at)
    assert (put.state, put.pause) == (ScheduleState.ACTIVE, None)


def test_a_single_instant_of_the_past_is_decided_late() -> None:
    """It is due at once, so that it runs late or is recorded as missed, instead of never being heard of."""
    put = first_put(a_schedule(trigger=Once(NOW - HOUR)), NOW)
    assert (put.cursor_at, put.next_due_at, put.state) == (NOW - HOUR - 1, NOW - HOUR, ScheduleState.ACTIVE)


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({}, ScheduleState.ACTIVE),
        ({"enabled": False}, ScheduleState.PAUSED),
        ({"end_at": NOW - 1}, ScheduleState.FINISHED),
        ({"trigger": After(3600), "end_at": NOW + MINUTE}, ScheduleState.FINISHED),
        ({"trigger": After(3600), "start_at": NOW + HOUR}, ScheduleState.ACTIVE),
    ],
)
def test_a_new_schedule_is_in_the_state_its_definition_says(fields: dict[str, Any], state: ScheduleState) -> None:
    """Disabled it is paused; without anything to come it is finished."""
    assert first_put(a_schedule(**fields), NOW).state is state


@attrs.frozen(eq=False)
class _Counted(Every):
    """Every minute for an hour; it notes when it is asked."""

    asked: list[int] = attrs.field(factory=list, kw_only=True)

    def next_after(self, instant: int) -> int | None:
        """Return the next minute of the hour, and never after it."""
        self.asked.append(instant)
        return None if instant >= NOW + HOUR else instant - instant % MINUTE + MINUTE


FIRSTS = st.sampled_from(
    [
        a_schedule(trigger=Every(60)),
        a_schedule(trigger=Cron("0 23 * * *"), enabled=False),
        a_schedule(trigger=Every(60), start_at=NOW + HOUR),
        a_schedule(trigger=Every(60), end_at=NOW),
        a_schedule(trigger=After(90)),
        a_schedule(trigger=Once(NOW)),
        a_schedule(trigger=_Counted(60)),
        a_schedule(trigger=_Counted(60), max_runs=1),
    ]
)


def _alone(schedule: Schedule, now: int) -> dict[str, Any]:
    """Return what is kept of a schedule that is put for the first time by itself."""
    [record] = first_records([schedule], now)
    return attrs.asdict(record, recurse=False)


def _together(firsts: FirstPuts, schedules: Sequence[Schedule], now: int) -> list[dict[str, Any]]:
    """Return what is kept of schedules that are put for the first time together, each with the first key."""
    step = firsts.of(schedules, now)
    added = zip(step.schedules, step.next_due_ats, strict=True)
    return [attrs.asdict(first_record(1, one, step.at, due_at), recurse=False) for one, due_at in added]


@given(st.lists(st.tuples(st.lists(FIRSTS, max_size=3), st.integers(NOW - 2 * MINUTE, NOW + 2 * HOUR)), max_size=20))
def test_many_first_puts_are_as_each_alone(asked: list[tuple[list[Schedule], int]]) -> None:
    """Whatever was put before, and whichever way the clock was set."""
    firsts = FirstPuts()
    for schedules, now in asked:
        assert _together(firsts, schedules, now) == [_alone(schedule, now) for schedule in schedules]


def test_first_puts_are_those_of_each_schedule_alone() -> None:
    """Also of one that is disabled, begins later, is over, counts from its put, or came due before it."""
    shared = Every(60)
    schedules = [
        a_schedule(trigger=shared),
        a_schedule(trigger=shared, enabled=False),
        a_schedule(trigger=shared, start_at=NOW + HOUR),
        a_schedule(trigger=shared, end_at=NOW),
        a_schedule(trigger=After(60)),
        a_schedule(trigger=Once(NOW - HOUR)),
        a_schedule(trigger=Once(NOW + HOUR)),
    ]
    assert _together(FirstPuts(), schedules, NOW) == [_alone(schedule, NOW) for schedule in schedules]


def test_a_trigger_that_many_share_is_asked_once() -> None:
    """Again only once its answer is over, or the clock was set back; one that will never come is not asked again."""
    trigger, firsts = _Counted(60), FirstPuts()
    schedules = [a_schedule(f"s{number}", trigger) for number in range(100)]
    instants = [NOW, NOW + 1, NOW + MINUTE - 1, NOW + MINUTE, NOW + HOUR, NOW + 2 * HOUR, NOW]
    for now in instants:
        found = firsts.of(schedules, now)
        assert (set(found.next_due_ats), found.at) == ({_Counted(60).next_after(now)}, now)
    assert trigger.asked == [NOW, NOW + MINUTE, NOW + HOUR, NOW]


def test_what_is_remembered_of_triggers_is_bounded() -> None:
    """The first of very many is asked again: it was forgotten."""
    trigger, firsts = _Counted(60), FirstPuts()
    others = [_Counted(60) for _ in range(TRIGGERS_MAX)]
    firsts.of([a_schedule(trigger=one) for one in (trigger, *others, trigger)], NOW)
    assert (len(trigger.asked), sum(len(one.asked) for one in others)) == (2, TRIGGERS_MAX)


# Revisions


def test_a_revision_is_not_retroactive() -> None:
    """The cursor stays where the old definition has decided to, or moves to now; never back (S5.6)."""
    record = a_record(cursor_at=NOW - HOUR)
    put = revised(record, a_schedule(trigger=Every(7)), NOW, None)
    assert (put.expected_key, put.expected_revision, put.cursor_at) == (1, 1, NOW)
    ahead = attrs.evolve(record, cursor_at=NOW + HOUR)
    assert revised(ahead, a_schedule(trigger=Every(7)), NOW, None).cursor_at == NOW + HOUR


@pytest.mark.parametrize(
    ("runs", "max_runs", "state"),
    [(0, 1, ScheduleState.ACTIVE), (3, 4, ScheduleState.ACTIVE), (3, 3, ScheduleState.FINISHED)],
)
@pytest.mark.parametrize("trigger", [Every(60), After(60)])
def test_runs_are_counted_over_revisions(trigger: Trigger, runs: int, max_runs: int, state: ScheduleState) -> None:
    """A revision that allows no more runs than there were is finished, and one that allows more is not."""
    put = revised(a_record(runs=runs), a_schedule(trigger=trigger, max_runs=max_runs), NOW, None)
    assert put.state is state
    assert (put.next_due_at is None) == (state is ScheduleState.FINISHED)


def test_a_pause_keeps_what_is_to_come() -> None:
    """A paused schedule is not active, but knows its next occurrence, from which the skipped ones are counted."""
    put = revised(a_record(), a_schedule(), NOW, BY_SOMEBODY)
    assert (put.state, put.pause, put.next_due_at) == (ScheduleState.PAUSED, BY_SOMEBODY, NOW + MINUTE)


def test_a_fixed_delay_keeps_counting_over_revisions() -> None:
    """A revision that leaves the delay as it is leaves its occurrence where it is; another delay counts from now."""
    record, later = _delay(), NOW + 10 * MINUTE
    assert revised(record, a_schedule(trigger=After(3600), priority=9), later, None).next_due_at == NOW + HOUR
    put = revised(record, a_schedule(trigger=After(60)), later, None)
    assert (put.anchor_at, put.next_due_at) == (later, later + MINUTE)


@pytest.mark.parametrize("start_at", [None, NOW + HOUR])
def test_a_fixed_delay_counts_from_now_whose_start_came_nearer(start_at: int | None) -> None:
    """Its delay had passed while it waited for the start: it is not at work, and nothing else would make it go on."""
    before = a_schedule(trigger=After(3600), start_at=NOW + 9 * HOUR)
    record = a_record(before, cursor_at=NOW)
    put = revised(record, a_schedule(trigger=After(3600), start_at=start_at), NOW + 2 * HOUR, None)
    assert (put.next_due_at, put.state) == (NOW + 3 * HOUR, ScheduleState.ACTIVE)


def test_a_fixed_delay_whose_run_is_at_work_stays_active() -> None:
    """Nothing is to come until the run ends: that does not finish the schedule, whatever is changed meanwhile."""
    record = _delay()
    (move,) = plan(Group((record,)), NOW + HOUR, PlanRules()).moved
    at_work = _moved(record, move)
    assert at_work.next_due_at is None
    put = revised(at_work, a_schedule(trigger=After(3600), priority=9), NOW + 2 * HOUR, None)
    assert (put.state, put.next_due_at) == (ScheduleState.ACTIVE, None)


# Pauses


def test_paused_time_is_one_row() -> None:
    """Whatever came due while paused is skipped in one row with both ends and a count (S5.3)."""
    record = attrs.evolve(a_record(), state=ScheduleState.PAUSED)
    (row,) = while_paused(record, NOW + 5 * MINUTE + 1, NOW + 5 * MINUTE + 1)
    assert (row.state, row.reason, row.waiting_for) == (State.SKIPPED, Reason.PAUSED, None)
    assert (row.nominal_at, row.last_at, row.count) == (NOW, NOW + 5 * MINUTE, 6)
    assert (row.decided_at, row.finished_at) == (NOW + 5 * MINUTE + 1,) * 2


def test_one_paused_occurrence_is_no_range() -> None:
    """A single skipped occurrence stands for itself."""
    (row,) = while_paused(a_record(), NOW, NOW)
    assert (row.nominal_at, row.last_at, row.count) == (NOW, None, 1)


def test_a_pause_without_occurrences_skips_none() -> None:
    """Nothing due, nothing skipped."""
    assert while_paused(a_record(), NOW - 1, NOW) == []
    assert while_paused(a_record(a_schedule(trigger=Once(NOW - HOUR))), NOW, NOW) == []


def test_a_pause_skips_nothing_after_the_end() -> None:
    """Occurrences after the schedule's end never were."""
    (row,) = while_paused(a_record(a_schedule(end_at=NOW + 2 * MINUTE)), NOW + HOUR, NOW + HOUR)
    assert (row.last_at, row.count) == (NOW + 2 * MINUTE, 3)


def test_a_fixed_delay_goes_on_after_a_pause() -> None:
    """Its occurrence that came due while paused is skipped, and the delay counts from the moment it is resumed."""
    record, later = attrs.evolve(_delay(), state=ScheduleState.PAUSED), NOW + 5 * HOUR
    (row,) = while_paused(record, later, later)
    assert (row.nominal_at, row.count) == (NOW + HOUR, 1)
    put = revised(record, record.schedule, later, None)
    assert (put.state, put.anchor_at, put.next_due_at) == (ScheduleState.ACTIVE, later, later + HOUR)
    early = revised(record, record.schedule, NOW + MINUTE, None)
    assert (early.anchor_at, early.next_due_at) == (NOW, NOW + HOUR)


# Fixed delays


def test_a_fixed_delay_counts_from_the_end_of_its_run() -> None:
    """End plus delay is due next (S4.2)."""
    move = restarted(_delay(), NOW + MINUTE)
    assert move is not None
    assert (move.next_due_at, move.anchor_at, move.state) == (NOW + MINUTE + HOUR, NOW + MINUTE, ScheduleState.ACTIVE)
    assert (move.cursor_at, move.expected_cursor_at, move.runs) == (NOW, NOW, 0)


def test_a_run_that_ends_during_a_pause_still_counts() -> None:
    """The delay counts from its end, so that the schedule has something to come when it is resumed."""
    move = restarted(attrs.evolve(_delay(), state=ScheduleState.PAUSED), NOW + MINUTE)
    assert move is not None
    assert (move.next_due_at, move.state) == (NOW + MINUTE + HOUR, ScheduleState.PAUSED)


def test_a_fixed_delay_that_would_end_too_late_is_finished() -> None:
    """Its last run was the last."""
    move = restarted(_delay(end_at=NOW + HOUR), NOW + MINUTE)
    assert move is not None
    assert (move.next_due_at, move.state) == (None, ScheduleState.FINISHED)


@pytest.mark.parametrize(
    "record",
    [
        a_record(),
        attrs.evolve(_delay(), removed=True),
        attrs.evolve(_delay(), state=ScheduleState.FINISHED),
        attrs.evolve(_delay(), state=ScheduleState.QUARANTINED),
    ],
)
def test_what_counts_from_no_end_is_not_moved(record: ScheduleRecord) -> None:
    """Other triggers know their instants; what is removed, finished or quarantined has none."""
    assert restarted(record, NOW) is None


def test_a_fixed_delay_outlives_a_run_that_is_never_made() -> None:
    """Cancelled or superseded while it waited, a run leaves its schedule counting from then."""
    record = attrs.evolve(_delay(), next_due_at=None)
    move = freed(a_run(record), NOW + MINUTE)
    assert move is not None
    assert move.next_due_at == NOW + MINUTE + HOUR
    assert freed(a_run(record, origin=Origin.MANUAL), NOW) is None
    assert freed(a_run(_delay()), NOW) is None


def test_a_fixed_delay_outlives_giving_way_in_its_lane() -> None:
    """A waiting run that a newer one of its lane supersedes is not the last of its schedule."""
    delay = attrs.evolve(_delay(lane="house", supersede=True), next_due_at=None)
    other = a_record(a_schedule("other", lane="house", supersede=True), key=2)
    change = plan(Group((delay, other), (a_run(delay),)), NOW, PlanRules())
    assert {move.record.key: move.next_due_at for move in change.moved} == {1: NOW + HOUR, 2: NOW + MINUTE}


# Removals and cancellations


def test_removing_a_schedule_cancels_what_waits() -> None:
    """What is held may end; what is pending is cancelled, and says that its schedule is gone."""
    record = a_record()
    waiting, held = a_run(record, error="boom"), a_run(record, NOW + 1, state=State.RUNNING)
    change = removal(record, [waiting, held], NOW - 1)
    (step,) = change.steps
    assert isinstance(step, Finished)
    assert (step.run, step.step, step.reason, step.error) == (waiting, Step.CANCEL, Reason.REMOVED, "boom")
    (gone,) = change.schedules
    assert isinstance(gone, RemoveSchedule)
    assert (gone.record, gone.expected_revision) == (record, 1)


@pytest.mark.parametrize(
    ("state", "reason"), [(ScheduleState.PAUSED, Reason.PAUSED), (ScheduleState.ACTIVE, Reason.REMOVED)]
)
def test_what_came_due_before_a_removal_is_decided_with_it(state: ScheduleState, reason: Reason) -> None:
    """It was paused, or nobody had come to decide it: either way there is a row that says so (S2.1)."""
    record = attrs.evolve(a_record(), state=state)
    (row,) = removal(record, [], NOW + 2 * MINUTE + 1).decided
    assert (row.state, row.reason, row.nominal_at, row.count) == (State.SKIPPED, reason, NOW, 3)
    assert removal(record, [], NOW - 1).decided == []


def test_nobody_knows_what_came_due_of_a_schedule_that_cannot_be_read() -> None:
    """Removing it decides nothing."""
    assert removal(attrs.evolve(a_record(), state=ScheduleState.QUARANTINED), [], NOW + HOUR).decided == []


def test_a_person_cancels_what_waits_at_once() -> None:
    """A pending run is final; a fixed delay goes on from there."""
    change = cancellation(a_run(token=3, error="boom"), NOW)
    (step,) = change.steps
    assert isinstance(step, Finished)
    assert (step.step, step.reason, step.token, step.error) == (Step.CANCEL, Reason.USER, 3, "boom")
    assert list(change.moved) == []
    (move,) = cancellation(a_run(attrs.evolve(_delay(), next_due_at=None)), NOW).moved
    assert move.next_due_at == NOW + HOUR


@pytest.mark.parametrize("state", [State.CLAIMED, State.RUNNING])
def test_a_person_asks_what_works_to_stop(state: State) -> None:
    """A held run is asked, and its schedule waits for its end."""
    change = cancellation(a_run(attrs.evolve(_delay(), next_due_at=None), state=state, token=2), NOW)
    (step,) = change.steps
    assert isinstance(step, CancelAsked)
    assert (step.token, step.reason, list(change.moved)) == (2, Reason.USER, [])


# Declared sets

_sets = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.sampled_from(("x", "y"))), max_size=6, unique_by=lambda one: one[0]
)


@given(
    _sets,
    st.lists(
        st.tuples(st.sampled_from("abcdef"), st.sampled_from(("x", "y")), st.booleans()),
        max_size=6,
        unique_by=lambda one: one[0],
    ),
)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_a_synchronisation_leads_from_what_is_stored_to_what_is_declared(
    declared: list[tuple[str, str]], kept: list[tuple[str, str, bool]]
) -> None:
    """Applied, it leaves the owner with the declared set but for foreign names, and everybody else untouched (S5.8)."""
    wanted = [a_schedule(name, handler=handler, owner="me") for name, handler in declared]
    stored = {name: a_schedule(name, handler=handler, owner="me" if mine else None) for name, handler, mine in kept}
    owned = [name for name, schedule in stored.items() if schedule.owner == "me"]
    present = {one.name: stored[one.name] for one in wanted if one.name in stored}
    diff = sync_diff("me", wanted, present, owned)
    after: dict[str, Schedule] = {name: one for name, one in stored.items() if name not in diff.removed}
    after |= {one.name: one for one in wanted if one.name in diff.added + diff.changed}
    foreign = {name for name, schedule in stored.items() if schedule.owner is None}
    assert set(diff.foreign) == foreign & {one.name for one in wanted}
    assert {name: one for name, one in after.items() if name in foreign} == {name: stored[name] for name in foreign}
    mine = {name: one for name, one in after.items() if name not in foreign}
    assert mine == {one.name: one for one in wanted if one.name not in foreign}
    assert not set(diff.added) & set(stored)
    assert all(stored[name] != after[name] for name in diff.changed)
    said = [*diff.added, *diff.changed, *diff.unchanged, *diff.foreign]
    assert sorted(said) == sorted(one.name for one in wanted)


def test_who_looks_ahead_sees_what_a_synchronisation_would_keep() -> None:
    """New ones from now on, changed ones with their pause, what others stored as it is; nothing stored is changed."""
    same, old, gone = (a_schedule(name, owner="me") for name in ("same", "old", "gone"))
    theirs, foreign = a_schedule("theirs", owner="cli"), a_schedule("foreign", owner="cli")
    paused = attrs.evolve(a_record(old), key=2, pause=BY_SOMEBODY, state=ScheduleState.PAUSED)
    stored = [
        attrs.evolve(a_record(one), key=key) for key, one in ((1, same), (3, gone), (4, theirs), (9, foreign))
    ] + [paused]
    changed = attrs.evolve(old, trigger=Every(90))
    declared = [same, changed, a_schedule("new", owner="me"), a_schedule("foreign", Every(7), owner="me")]
    found = {record.schedule.name: record for record in synced_records("me", declared, stored, NOW)}
    assert list(found) == ["same", "old", "new", "foreign", "theirs"]
    assert [found["same"], found["foreign"], found["theirs"]] == [stored[0], stored[3], stored[2]]
    assert (found["old"].schedule, found["old"].pause, found["old"].key) == (changed, BY_SOMEBODY, 2)
    assert (found["new"].key, found["new"].next_due_at) == (10, first_put(declared[2], NOW).next_due_at)
    assert paused.schedule == old


def test_a_fixed_delay_that_used_up_its_runs_goes_on_once_it_may() -> None:
    """Ended by `max_runs`, it has nothing at work whose end could make the next occurrence: it counts from now."""
    schedule = a_schedule(trigger=After(60), max_runs=1)
    ended = a_record(schedule, anchor_at=NOW - HOUR, runs=1)
    ended.next_due_at, ended.state = None, ScheduleState.FINISHED
    put = revised(ended, attrs.evolve(schedule, max_runs=5), NOW, None)
    assert (put.state, put.next_due_at) == (ScheduleState.ACTIVE, NOW + MINUTE)
    assert revised(ended, schedule, NOW, None).state is ScheduleState.FINISHED


def test_a_diff_names_what_is_new_and_what_others_own() -> None:
    """The latter is left alone."""
    mine, theirs = a_schedule("mine", owner="a"), a_schedule("theirs", owner="b")
    declared = [mine, a_schedule("theirs", owner="a")]
    diff = sync_diff("a", declared, {"theirs": theirs}, [])
    assert (diff.added, diff.foreign, diff.changed, diff.removed) == (("mine",), ("theirs",), (), ())


def test_a_diff_says_which_keys_differ() -> None:
    """In the words of a file; of what is not changed it says nothing."""
    before = a_schedule("one", timeout_s=5, start_at=NOW, owner="a", tags=("x",))
    after = a_schedule("one", Every(90), timeout_s=6, owner="a", tags=("x",))
    same = a_schedule("two", owner="a")
    diff = sync_diff("a", [after, same], {"one": before, "two": same}, ["one", "two"])
    assert (diff.changed, diff.unchanged) == (("one",), ("two",))
    assert diff.keys == {"one": ("trigger", "timeout", "start")}
