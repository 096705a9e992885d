from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime
from itertools import pairwise

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.making import HOUR, MINUTE, SECOND, a_record, a_run, a_schedule
from trioarm.core.changes import CursorMove
from trioarm.core.overlap import UNFINISHED_MAX
from trioarm.core.planning import DECISIONS_MAX, NOTICED_WITHIN, Group, PlanRules, plan
from trioarm.core.record import Amendment, AmendmentKind, Pause, ScheduleRecord, ScheduleState
from trioarm.core.run import RunRecord
from trioarm.core.schedule import Misfire, Overlap, Schedule
from trioarm.core.states import Reason, State, WaitingFor
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
    record.pause = None if move.resumed else record.pause


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


_places = st.lists(
    st.tuples(
        st.integers(0, 3) | st.integers(0, 40),
        st.sampled_from(AmendmentKind),
        st.sampled_from((1, MINUTE, 20 * MINUTE, HOUR, 2 * HOUR)),
        st.sampled_from((0, 0, 0, 0, 1)),  # one in five names no occurrence
    ),
    max_size=8,
)


def _amended(schedule: Schedule, places: list[tuple[int, AmendmentKind, int, int]]) -> tuple[Amendment, ...]:
    """Return amendments of the occurrences in these places after BEGIN, at most one of each."""
    trigger = schedule.anchored(BEGIN)
    occurrences = []
    at = schedule.next_after(BEGIN, trigger)
    while at is not None and len(occurrences) <= 40:
        occurrences.append(at)
        at = schedule.next_after(at, trigger)
    made: dict[int, Amendment] = {}
    for place, kind, later, beside in places:
        if place < len(occurrences):
            nominal_at = occurrences[place] + beside
            until_at = nominal_at + later if kind is AmendmentKind.POSTPONE else None
            made[nominal_at] = Amendment(kind, nominal_at, until_at, "somebody", "", BEGIN)
    return tuple(made.values())


# How many unfinished runs are before an occurrence that is skipped for them.
_LEAST_BEFORE = {Overlap.SKIP: 1, Overlap.BUFFER_ONE: 2, Overlap.BUFFER_ALL: UNFINISHED_MAX}


class _Checked:
    """A schedule that is planned pass by pass, with everything a pass says checked against all its occurrences."""

    def __init__(self, schedule: Schedule, amendments: tuple[Amendment, ...] = ()) -> None:
        self.record = a_record(schedule, cursor_at=BEGIN)
        self.record.amendments = amendments
        self.skipped = {one.nominal_at for one in amendments if one.kind is AmendmentKind.SKIP}
        self.postponed = {one.nominal_at: one.until_at for one in amendments if one.until_at is not None}
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
        _check_partition(rows, expected, self.postponed)
        self._check_skipped(rows, expected)
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
        tolerance = max(tolerance, NOTICED_WITHIN)
        window = RULES.misfire_window if schedule.misfire_window_s is None else int(schedule.misfire_window_s * SECOND)
        allowed = tolerance if schedule.misfire is Misfire.SKIP else max(tolerance, window)
        ran = [row.nominal_at for row in rows if row.state is State.PENDING]
        assert all(now - self._starts_at(at) <= allowed for at in ran)
        newest = [at for at in expected if at not in self.skipped][-1:]
        each = schedule.misfire is Misfire.EACH and schedule.overlap not in (
            Overlap.BUFFER_LATEST,
            Overlap.CANCEL_RUNNING,
        )
        if not each:
            assert ran in ([], newest)
        overlaps = schedule.overlap is Overlap.SKIP
        assert not overlaps or len(ran) <= (0 if busy else 1)
        assert schedule.overlap is not Overlap.BUFFER_ONE or len(ran) <= 2
        in_time = bool(newest) and now - self._starts_at(newest[0]) <= tolerance
        if not busy and in_time and not each:
            assert ran == newest
        for row in rows:
            late = now - (self._starts_at(row.nominal_at) if row.last_at is None else row.last_at)
            match row.state, row.reason:
                case State.PENDING, None:
                    assert row.finished_at is None
                    assert row.waiting_for is (WaitingFor.POSTPONE if row.due_at > now else WaitingFor.DUE)
                case State.SKIPPED, Reason.USER:
                    assert row.nominal_at in self.skipped
                case State.MISSED, Reason.TOO_LATE if each and len(expected) > 1:
                    inside = [at for at in expected if row.nominal_at <= at <= (row.last_at or row.nominal_at)]
                    assert all(now - self._starts_at(at) > allowed for at in inside)
                case State.MISSED, Reason.TOO_LATE:
                    assert now - self._starts_at(newest[0]) > allowed
                case State.MISSED, Reason.COALESCED:
                    assert row.nominal_at < newest[0]
                case State.SKIPPED, Reason.OVERLAP:
                    before = len(self.unfinished) + sum(at < row.nominal_at for at in ran)
                    assert before >= _LEAST_BEFORE[schedule.overlap]
                    assert late <= allowed
                case other:
                    raise AssertionError(other)

    def _starts_at(self, nominal_at: int) -> int:
        return self.postponed.get(nominal_at, nominal_at)

    def _check_skipped(self, rows: list[RunRecord], expected: list[int]) -> None:
        """What a person skipped, and nothing else, is skipped because they said so, each on its own (S5.7)."""
        by_user = [row for row in rows if row.reason is Reason.USER]
        assert [row.nominal_at for row in by_user] == [at for at in expected if at in self.skipped]
        assert all((row.state, row.count) == (State.SKIPPED, 1) for row in by_user)


def _check_partition(rows: list[RunRecord], expected: list[int], postponed: dict[int, int] | None = None) -> None:
    """Every occurrence is decided by exactly one row, in order, and range rows count what they stand for.

    What runs is due at its occurrence, or when it was postponed to; what does not is due at its occurrence.
    """
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
    for row in rows:
        starts_at = (postponed or {}).get(row.nominal_at, row.nominal_at)
        assert row.due_at == (starts_at if row.state is State.PENDING else row.nominal_at)


@given(_schedules(), _places, _passes, st.lists(st.booleans(), min_size=8, max_size=8))
@settings(max_examples=400, deadline=None, derandomize=True)
def test_the_decisions_of_a_range_partition_it(
    schedule: Schedule, places: list[tuple[int, AmendmentKind, int, int]], passes: list[int], ends: list[bool]
) -> None:
    """Whatever the trigger, the policies, what people named and when it is looked at: each is decided once (S2.1)."""
    checked, now = _Checked(schedule, _amended(schedule, places)), BEGIN
    for step, end in zip(passes, ends, strict=False):
        now += step
        checked.look(now)
        if end:
            checked.finish_all()
        else:
            checked.unfinished = checked.unfinished[-1:]


_words = st.lists(st.sampled_from((None, None, 0, 1, 14, 40, 200)), min_size=16, max_size=16)


@given(
    _words,
    st.sampled_from(Misfire),
    st.sampled_from(Overlap),
    st.sampled_from((60.0, 1800.0)),
    st.lists(st.tuples(st.integers(0, 120), st.booleans()), min_size=1, max_size=4),
)
@settings(max_examples=300, deadline=None, derandomize=True)
def test_what_many_people_named_is_decided_once(
    words: list[int | None], misfire: Misfire, overlap: Overlap, window_s: float, passes: list[tuple[int, bool]]
) -> None:
    """Wherever the skipped and the postponed lie, side by side or at either end of a range: once each (S2.1, S5.7)."""
    schedule = a_schedule(
        trigger=Every(600, anchor=BEGIN), misfire=misfire, overlap=overlap, misfire_window_s=window_s, tolerance_s=60.0
    )
    places = [
        (place, AmendmentKind.POSTPONE if minutes else AmendmentKind.SKIP, minutes * MINUTE, 0)
        for place, minutes in enumerate(words)
        if minutes is not None
    ]
    checked, now = _Checked(schedule, _amended(schedule, places)), BEGIN
    for minutes, end in passes:
        now += minutes * MINUTE
        checked.look(now)
        if end:
            checked.finish_all()


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


@given(_schedules(), _places, st.integers(1, SPAN_MAX), st.integers(0, SPAN_MAX))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_the_end_of_a_pause_decides_what_came_due_before(
    schedule: Schedule, places: list[tuple[int, AmendmentKind, int, int]], lasts: int, late: int
) -> None:
    """However late it is noticed: what came due before its end is skipped, what came due from it on is not (S5.3)."""
    checked = _Checked(schedule, _amended(schedule, places))
    record, until_at = checked.record, BEGIN + lasts
    record.state, record.pause = ScheduleState.PAUSED, Pause("somebody", "", BEGIN, until_at)
    trigger, now = record.trigger, until_at + late
    assert plan(Group((record,)), until_at - 1, RULES).moved == ()
    change = plan(Group((record,)), now, RULES)
    (move,) = change.moved
    rows, expected = list(change.decided), _occurrences(schedule, trigger, BEGIN, until_at - 1)
    _check_partition(rows, expected)
    checked._check_skipped(rows, expected)
    assert {(row.state, row.reason) for row in rows} <= {(State.SKIPPED, Reason.PAUSED), (State.SKIPPED, Reason.USER)}
    assert len([row for row in rows if row.reason is Reason.PAUSED]) <= 1 + len(checked.skipped)
    assert move.resumed
    _apply(move)
    assert (record.pause, record.cursor_at) == (None, until_at - 1)
    assert record.state is (ScheduleState.FINISHED if record.next_due_at is None else ScheduleState.ACTIVE)
    checked.look(now)


_members = st.lists(
    st.tuples(
        _triggers.filter(lambda trigger: not isinstance(trigger, After)), st.integers(0, 9), st.sampled_from(Misfire)
    ),
    min_size=1,
    max_size=4,
)


@given(_members, _places, st.integers(0, SPAN_MAX), st.permutations(range(4)), st.integers(0, 3))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_of_a_superseding_lane_only_the_last_occurrence_counts(
    members: list[tuple[Trigger, int, Misfire]],
    places: list[tuple[int, AmendmentKind, int, int]],
    late: int,
    order: list[int],
    waiting: int,
) -> None:
    """Of all that is due in the lane, and nobody skipped, one may run, the newest; others are superseded (S5.5)."""
    now = BEGIN + late
    records: list[ScheduleRecord] = []
    for key, (trigger, priority, misfire) in enumerate(members, 1):
        lane = {"lane": "house", "supersede": True, "precedence": priority // 3}
        schedule = a_schedule(f"s{key}", trigger, priority=priority // 5, misfire=misfire, **lane)
        records.append(a_record(schedule, key=key, cursor_at=BEGIN))
        records[-1].amendments = _amended(schedule, places[key - 1 :])
    unfinished = [a_run(records[0], BEGIN - place, attempt=place % 2) for place in range(waiting)]
    group = [records[place] for place in order if place < len(records)]
    change = plan(Group(group, unfinished), now, RULES)
    last = []
    for record in records:
        expected = _occurrences(record.schedule, record.trigger, BEGIN, now)
        rows = [row for row in change.decided if row.schedule is record]
        checked = _Checked(record.schedule, record.amendments)
        _check_partition(rows, expected, checked.postponed)
        checked._check_skipped(rows, expected)
        moves = [move for move in change.moved if move.record is record]
        assert len(moves) == bool(expected)
        assert all(move.cursor_at == now for move in moves)
        last += [at for at in expected if at not in checked.skipped][-1:]
    rest = [row for row in change.decided if row.reason is not Reason.USER]
    winners = [row for row in rest if row.state is not State.SUPERSEDED]
    assert len(winners) == bool(last)
    assert len(change.steps) == (waiting if last else 0)
    if last:
        assert winners[0].nominal_at == max(last)
        rivals = [row for row in rest if row.nominal_at == max(last) and row.count == 1]
        assert winners[0] is max(rivals, key=_as_ordered)
        assert all(row.reason is Reason.SUPERSEDED for row in rest if row is not winners[0])


def _as_ordered(row: RunRecord) -> tuple[int, int, int, str]:
    """Return what orders equal instants: the nominal local time, then priority, precedence and name (S4.4)."""
    schedule = row.schedule.schedule
    meant = schedule.trigger.shift_at(row.nominal_at)
    return meant, schedule.priority, schedule.precedence, schedule.name


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
