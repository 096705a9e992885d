from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime
from itertools import pairwise

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.making import HOUR, MINUTE, SECOND, a_record, a_run, a_schedule
from trioarm.core.changes import CursorMove
from trioarm.core.planning import DECISIONS_MAX, Group, PlanRules, plan
from trioarm.core.run import RunRecord
from trioarm.core.schedule import Misfire, Overlap, Schedule, ScheduleRecord, ScheduleState
from trioarm.core.states import Reason, State
from trioarm.core.triggers import After, Cron, Every, Once, Trigger, Weekly

BEGIN = int(datetime(2026, 3, 28, 22, tzinfo=UTC).timestamp()) * SECOND  # five hours before the gap in Prague
SPAN_MAX = 36 * HOUR
RULES = PlanRules()

_offsets = st.integers(-HOUR, SPAN_MAX)
_times = st.lists(
    st.sampled_from(("01:59", "02:00", "02:15", "02:30", "03:00", "06:30", "22:00")), min_size=1, max_size=3
)
_zones = st.sampled_from(("UTC", "Europe/Prague", "America/New_York"))
_triggers = st.one_of(
    st.builds(lambda offset: Once(BEGIN + offset), _offsets),
    st.builds(Every, st.sampled_from((60.0, 90.5, 900.0, 86400.0)), anchor=st.just(BEGIN)),
    st.builds(
        Weekly, st.just(("sat", "sun", "mon")), _times, _zones, fold=st.sampled_from(("first", "second", "both"))
    ),
    st.builds(Cron, st.sampled_from(("*/15 * * * *", "30 2 * * *", "0 */2 * * *", "5 1-3 * * *")), _zones),
    st.builds(After, st.sampled_from((30.0, 600.0, 7200.0))),
)


@st.composite
def _schedules(draw: st.DrawFn, name: str = "drawn", **fixed: object) -> Schedule:
    start_at = draw(st.none() | _offsets.map(lambda offset: BEGIN + offset))
    end_at = draw(st.none() | st.integers(0, SPAN_MAX).map(lambda offset: (start_at or BEGIN) + offset))
    return a_schedule(
        name,
        draw(_triggers),
        misfire=draw(st.sampled_from(Misfire)),
        overlap=draw(st.sampled_from(Overlap)),
        tolerance_s=draw(st.none() | st.sampled_from((0.0, 30.0, 3600.0))),
        misfire_window_s=draw(st.none() | st.sampled_from((0.0, 60.0, 7200.0))),
        max_runs=draw(st.none() | st.integers(1, 5)),
        start_at=start_at,
        end_at=end_at,
        **fixed,
    )


_passes = st.lists(st.sampled_from((0, 1, SECOND, MINUTE, 10 * MINUTE, HOUR, 7 * HOUR)), min_size=1, max_size=8)


def _apply(move: CursorMove) -> None:
    record = move.record
    assert (record.cursor_at, record.revision) == (move.expected_cursor_at, move.expected_revision)
    assert record.cursor_at <= move.cursor_at
    record.cursor_at, record.next_due_at, record.runs = move.cursor_at, move.next_due_at, move.runs
    record.state = move.state
    record.anchor_at = record.anchor_at if move.anchor_at is None else move.anchor_at


def _occurrences(schedule: Schedule, trigger: Trigger, after: int, until: int) -> list[int]:
    """Return every occurrence in (after, until] between start and end, one step at a time."""
    found = []
    at = trigger.next_after(after)
    while at is not None and at <= until:
        if (schedule.start_at is None or at >= schedule.start_at) and (
            schedule.end_at is None or at <= schedule.end_at
        ):
            found.append(at)
        at = trigger.next_after(at)
    return found


class _Checked:
    """A schedule that is planned pass by pass, with everything a pass says checked against all its occurrences."""

    def __init__(self, schedule: Schedule) -> None:
        self.record = a_record(schedule, cursor_at=BEGIN)
        self.unfinished: list[RunRecord] = []
        self.now = BEGIN

    def look(self, now: int) -> None:
        """Plan until nothing is due any more."""
        self.now = now
        for _ in range(5):
            if self.record.next_due_at is None or self.record.next_due_at > now:
                return
            self._plan_once(now)
        assert self.record.next_due_at is None or self.record.next_due_at > now

    def finish_all(self) -> None:
        """End what runs; a fixed delay counts from here."""
        ended, self.unfinished = self.unfinished, []
        schedule, record = self.record.schedule, self.record
        if ended and isinstance(schedule.trigger, After) and record.state is ScheduleState.ACTIVE:
            record.anchor_at = self.now
            record.next_due_at = schedule.next_after(record.cursor_at, schedule.anchored(self.now))

    def _plan_once(self, now: int) -> None:
        record, before = self.record, attrs.asdict(self.record, recurse=False)
        trigger, busy = record.trigger, bool(self.unfinished)
        change = plan(Group((record,), tuple(self.unfinished)), now, RULES)
        assert attrs.asdict(record, recurse=False) == before
        (move,) = change.moved
        rows = list(change.decided)
        assert 0 < len(rows) <= DECISIONS_MAX
        expected = _occurrences(record.schedule, trigger, record.cursor_at, move.cursor_at)
        _check_partition(rows, expected)
        self._check_states(rows, expected, now, busy)
        assert move.runs - record.runs == sum(row.state is State.PENDING for row in rows)
        _apply(move)
        self.unfinished += [row for row in rows if row.state is State.PENDING]
        assert record.schedule.max_runs is None or record.runs <= record.schedule.max_runs
        assert record.state is ScheduleState.ACTIVE or record.next_due_at is None
        assert move.cursor_at == now or len(rows) == DECISIONS_MAX or record.runs == record.schedule.max_runs

    def _check_states(self, rows: list[RunRecord], expected: list[int], now: int, busy: bool) -> None:
        schedule = self.record.schedule
        tolerance = RULES.tolerance if schedule.tolerance_s is None else int(schedule.tolerance_s * SECOND)
        window = RULES.misfire_window if schedule.misfire_window_s is None else int(schedule.misfire_window_s * SECOND)
        allowed = tolerance if schedule.misfire is Misfire.SKIP else max(tolerance, window)
        ran = [row.nominal_at for row in rows if row.state is State.PENDING]
        assert all(now - at <= allowed for at in ran)
        if schedule.misfire is not Misfire.EACH:
            assert ran in ([], expected[-1:])
        overlaps = schedule.overlap is Overlap.SKIP
        assert not overlaps or len(ran) <= (0 if busy else 1)
        if not (overlaps and busy) and now - expected[-1] <= tolerance and schedule.misfire is not Misfire.EACH:
            assert ran == expected[-1:]
        for row in rows:
            late = now - (row.nominal_at if row.last_at is None else row.last_at)
            match row.state, row.reason:
                case State.PENDING, None:
                    assert row.finished_at is None
                case State.MISSED, Reason.TOO_LATE:
                    assert late > allowed
                case State.MISSED, Reason.COALESCED:
                    assert row is not rows[-1]
                case State.SKIPPED, Reason.OVERLAP:
                    assert overlaps
                    assert late <= allowed
                case other:
                    raise AssertionError(other)


def _check_partition(rows: list[RunRecord], expected: list[int]) -> None:
    """Every occurrence is decided by exactly one row, in order, and range rows count what they stand for."""
    decided: list[int] = []
    for row in rows:
        if row.last_at is None:
            assert row.count == 1
            decided.append(row.nominal_at)
        else:
            inside = [at for at in expected if row.nominal_at <= at <= row.last_at]
            assert (inside[0], inside[-1], len(inside)) == (row.nominal_at, row.last_at, row.count)
            assert row.count > 1
            decided += inside
    assert decided == expected
    assert all(row.due_at == row.nominal_at for row in rows)


@given(_schedules(), _passes, st.lists(st.booleans(), min_size=8, max_size=8))
@settings(max_examples=400, deadline=None, derandomize=True)
def test_the_decisions_of_a_range_partition_it(schedule: Schedule, passes: list[int], ends: list[bool]) -> None:
    """Whatever the trigger, the policies and the instants of the passes: each is decided exactly once (S2.1)."""
    checked, now = _Checked(schedule), BEGIN
    for step, end in zip(passes, ends, strict=False):
        now += step
        checked.look(now)
        if end:
            checked.finish_all()
        else:
            checked.unfinished = checked.unfinished[-1:]


@given(_schedules(), _passes)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_one_pass_and_many_decide_the_same_range(schedule: Schedule, passes: list[int]) -> None:
    """However often a node looks: what is decided up to an instant is the same, though what became of it differs."""
    if isinstance(schedule.trigger, After) or schedule.max_runs is not None:
        schedule = attrs.evolve(schedule, trigger=Every(900), max_runs=None)
    often, once = _Checked(schedule), _Checked(schedule)
    now = BEGIN
    for step in passes:
        now += step
        often.look(now)
        often.finish_all()
    once.look(now)
    assert (often.record.next_due_at, often.record.state) == (once.record.next_due_at, once.record.state)


@given(_schedules(), st.integers(0, SPAN_MAX), st.integers(0, SPAN_MAX))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_nothing_before_recovery_runs(schedule: Schedule, late: int, recovered: int) -> None:
    """With `recover_from` no occurrence before it runs, and each of them still has its decision (S8.4)."""
    record, now = a_record(schedule, cursor_at=BEGIN), BEGIN + late
    rules = attrs.evolve(RULES, recover_from=BEGIN + recovered)
    trigger = record.trigger
    change = plan(Group((record,)), now, rules)
    for move in change.moved:
        _check_partition(list(change.decided), _occurrences(schedule, trigger, BEGIN, move.cursor_at))
    for row in change.decided:
        assert row.state is not State.PENDING or row.nominal_at >= BEGIN + recovered


_members = st.lists(
    st.tuples(
        _triggers.filter(lambda trigger: not isinstance(trigger, After)), st.integers(0, 9), st.sampled_from(Misfire)
    ),
    min_size=1,
    max_size=4,
)


@given(_members, st.integers(0, SPAN_MAX), st.permutations(range(4)), st.integers(0, 3))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_of_a_superseding_lane_only_the_last_occurrence_counts(
    members: list[tuple[Trigger, int, Misfire]], late: int, order: list[int], waiting: int
) -> None:
    """Of everything due in the lane one occurrence may run, the newest; all others are superseded, once each (S5.5)."""
    now = BEGIN + late
    records: list[ScheduleRecord] = []
    for key, (trigger, priority, misfire) in enumerate(members, 1):
        schedule = a_schedule(f"s{key}", trigger, lane="house", supersede=True, priority=priority, misfire=misfire)
        records.append(a_record(schedule, key=key, cursor_at=BEGIN))
    unfinished = [a_run(records[0], BEGIN - place, attempt=place % 2) for place in range(waiting)]
    group = [records[place] for place in order if place < len(records)]
    change = plan(Group(group, unfinished), now, RULES)
    last = []
    for record in records:
        expected = _occurrences(record.schedule, record.trigger, BEGIN, now)
        rows = [row for row in change.decided if row.schedule is record]
        _check_partition(rows, expected)
        moves = [move for move in change.moved if move.record is record]
        assert len(moves) == bool(expected)
        assert all(move.cursor_at == now for move in moves)
        if expected:
            last.append(expected[-1])
    winners = [row for row in change.decided if row.state is not State.SUPERSEDED]
    assert len(winners) == bool(last)
    assert len(change.steps) == (waiting if last else 0)
    if last:
        assert winners[0].nominal_at == max(last)
        rivals = [row for row in change.decided if row.nominal_at == max(last) and row.count == 1]
        assert winners[0].schedule.schedule.name in {row.schedule.schedule.name for row in rivals}
        assert all(row.reason is Reason.SUPERSEDED for row in change.decided if row is not winners[0])


@given(st.lists(st.integers(0, 3000), min_size=2, max_size=6).map(sorted))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_chunks_join_without_a_seam(instants: list[int]) -> None:
    """Deciding each of thousands in chunks, pass by pass, leaves no occurrence out and none twice."""
    schedule = a_schedule(trigger=Every(1), misfire="each", overlap="allow", misfire_window_s=1e6)
    record = a_record(schedule, cursor_at=BEGIN)
    decided: list[int] = []
    for offset in instants:
        change = plan(Group((record,)), BEGIN + offset * SECOND, RULES)
        decided += [row.nominal_at for row in change.decided]
        for move in change.moved:
            _apply(move)
    assert all(second - first == SECOND for first, second in pairwise(decided))
    assert decided == [BEGIN + n * SECOND for n in range(1, len(decided) + 1)]
    grid = [BEGIN + n * SECOND for n in range(1, 3001)]
    assert len(decided) == bisect_right(grid, record.cursor_at)
