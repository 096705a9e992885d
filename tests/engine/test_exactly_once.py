"""The guarantee as a property: whatever is scheduled, however handlers behave, and whenever the node is down (S2)."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import attrs
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.making import NOW
from tests.world import a_node, all_runs, decided_instants, in_virtual_time
from trioarm import (
    After,
    Cron,
    Delivery,
    Discard,
    Every,
    InMemoryScheduleRepository,
    Misfire,
    Once,
    Overlap,
    Retry,
    RetryPolicy,
    RunContext,
    Schedule,
    ScheduleState,
    Snooze,
    State,
    Weekly,
)
from trioarm.core.instants import MINUTE, SECOND
from trioarm.core.run import RunRecord
from trioarm.core.schedule import ScheduleRecord

from .nodes import a_config, keeping

EXAMPLES = 110  # about eight seconds
LANES = ("red", "blue")
BEHAVIOURS = (
    "succeeds",
    "fails_at_first",
    "always_fails",
    "hangs",
    "snoozes",
    "discards",
    "returns_junk",
    "is_slow",
    "is_slow",
)
TRIGGERS = st.one_of(
    st.builds(Once, st.integers(1, 12 * 60).map(lambda minutes: NOW + minutes * MINUTE)),
    st.builds(Every, st.sampled_from([60.0, 97.0, 600.0, 3600.0])),
    st.builds(After, st.sampled_from([60.0, 45 * 60.0])),
    st.builds(Cron, st.sampled_from(["*/7 * * * *", "5,35 * * * *", "0 0-6 * * *"])),
    st.builds(Weekly, st.just(("monday", "tuesday")), st.sampled_from([("23:10",), ("22:30", "01:00", "04:45")])),
)


@attrs.frozen
class History:
    """What happens to a node: schedules, and spells of so many seconds up, then down."""

    schedules: tuple[Schedule, ...]
    spells: tuple[tuple[int, int], ...]
    workers: int


@st.composite
def _policies(draw: st.DrawFn) -> dict[str, Any]:
    lane = draw(st.sampled_from([None, *LANES]))
    return {
        "misfire": draw(st.sampled_from(list(Misfire))),
        "overlap": draw(st.sampled_from(list(Overlap))),
        "tolerance_s": draw(st.sampled_from([None, 0.0, 600.0])),
        "misfire_window_s": draw(st.sampled_from([None, 0.0, 7200.0])),
        "lane": lane,
        "supersede": lane == "red",
        "max_runs": draw(st.sampled_from([None, None, 1, 5])),
        "delivery": draw(st.sampled_from(list(Delivery))),
        "timeout_s": draw(st.sampled_from([20.0, 300.0])),
        "retry": draw(st.sampled_from([RetryPolicy(2, 5.0), RetryPolicy(0)])),
        "priority": draw(st.integers(0, 9)),
        "handler": draw(st.sampled_from(BEHAVIOURS)),
    }


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Draw a night in the life of a node, of at most about 2 000 occurrences."""
    schedules = [Schedule(f"s{index}", draw(TRIGGERS), **draw(_policies())) for index in range(draw(st.integers(2, 6)))]
    spell = st.tuples(st.sampled_from([130, 550, 3630, 9100, 20_000]), st.sampled_from([0, 45, 1000, 8000, 30_000]))
    return History(tuple(schedules), tuple(draw(st.lists(spell, min_size=1, max_size=4))), draw(st.integers(1, 3)))


class Witness:
    """The handlers, which note every call and cry out when two happen that must not."""

    def __init__(self) -> None:
        self.now = NOW
        self.calls: dict[str, list[int]] = defaultdict(list)
        self.working: set[str] = set()
        self.lanes: dict[str, str] = {}
        self.lane_of: dict[str, str | None] = {}
        self.complaints: list[str] = []

    def handlers(self) -> dict[str, Any]:
        """Return a handler for each behaviour."""

        def make(behaviour: str) -> Any:
            async def handler(run: RunContext) -> object:
                return await self.called(run, behaviour)

            return handler

        return {behaviour: make(behaviour) for behaviour in BEHAVIOURS}

    async def called(self, run: RunContext, behaviour: str) -> object:
        """Note a call while it lasts."""
        lane = self.lane_of[run.schedule]
        if run.id in self.working:
            self.complaints.append(f"{run.id} is called while it works")
        if lane is not None and lane in self.lanes:
            self.complaints.append(f"{run.id} is called while {self.lanes[lane]} holds {lane}")
        if self.calls[run.id] and run.token <= self.calls[run.id][-1]:
            self.complaints.append(f"{run.id} is called with an old token")
        self.calls[run.id].append(run.token)
        self.working.add(run.id)
        if lane is not None:
            self.lanes[lane] = run.id
        try:
            return await self._behave(run, behaviour)
        finally:
            self.working.discard(run.id)
            if lane is not None:
                self.lanes.pop(lane, None)

    async def _behave(self, run: RunContext, behaviour: str) -> object:
        await trio.sleep(1)
        match behaviour:
            case "fails_at_first" if run.attempt == 1:
                raise OSError("at first")
            case "always_fails":
                raise Retry("always", after_s=10)
            case "hangs":
                await trio.sleep_forever()
            case "snoozes" if len(self.calls[run.id]) < 3:
                raise Snooze(round(run.nominal_at.timestamp() * SECOND) + len(self.calls[run.id]) * 5 * MINUTE)
            case "discards":
                raise Discard("useless")
            case "returns_junk":
                return object()
            case "is_slow":
                await trio.sleep(150)
        return None


async def _live(history: History, witness: Witness) -> tuple[list[ScheduleRecord], list[RunRecord], int]:
    """Run nodes one after the other on one repository; return what it holds at last, and when the last one stopped."""
    repository = InMemoryScheduleRepository()
    config = a_config(history.workers, history.workers + 2, drain_s=5)
    at = stopped_at = NOW
    began = trio.current_time()
    for number, (up_s, down_s) in enumerate(history.spells):
        async with a_node(witness.handlers(), config, store=keeping(repository), start_at=at) as (scheduler, _):
            if number == 0:
                await scheduler.schedules.put_many(history.schedules)
            await trio.sleep(up_s)
            stopped_at = NOW + round((trio.current_time() - began) * SECOND)
        await trio.sleep(down_s)
        at = NOW + round((trio.current_time() - began) * SECOND)
    found = await repository.get_schedules([schedule.name for schedule in history.schedules])
    rows = await all_runs(repository)
    return [record for record in found if record is not None], rows, stopped_at


def _check_decisions(record: ScheduleRecord, rows: list[RunRecord], stopped_at: int) -> int:
    """Every nominal instant in the evaluated range is decided exactly once; return how many there are (S2.1)."""
    schedule = record.schedule
    if isinstance(schedule.trigger, After):
        instants = [row.nominal_at for row in rows]
        assert len(set(instants)) == len(instants) == sum(row.count for row in rows)
        waits = record.next_due_at is not None or any(row.unfinished for row in rows)
        assert waits or record.state is ScheduleState.FINISHED, "a fixed delay has come to a standstill"
        return len(instants)
    decided = decided_instants(rows)
    expected = []
    at = schedule.next_after(NOW, schedule.trigger)
    while at is not None and at <= record.cursor_at and len(expected) < len(decided):
        expected.append(at)
        at = schedule.next_after(at, schedule.trigger)
    assert decided == expected
    if record.state is ScheduleState.ACTIVE:
        assert at is not None
        assert at > stopped_at
        assert at == record.next_due_at
    return len(decided)


def _check_runs(schedule: Schedule, rows: list[RunRecord], witness: Witness) -> None:
    """Every run is final, or waits for a node; what runs at most once was called at most once (S2.2)."""
    for row in rows:
        assert row.state not in (State.CLAIMED, State.RUNNING)
        assert (row.finished_at is not None) is (not row.unfinished)
        if row.unfinished:
            assert row.waiting_for is not None
    if schedule.delivery is Delivery.AT_MOST_ONCE:
        mine = [tokens for run_id, tokens in witness.calls.items() if run_id.startswith(f"{schedule.name}@")]
        assert all(len(tokens) == 1 for tokens in mine)
    if schedule.max_runs is not None:
        assert sum(row.attempt > 0 or row.unfinished for row in rows) <= schedule.max_runs


def test_every_occurrence_is_decided_once_and_every_run_comes_to_its_end() -> None:
    """Decisions partition the evaluated range, attempts and lanes never overlap, in many drawn histories (S2, S5.5)."""
    seen: Counter[str] = Counter()

    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(histories())
    def holds(history: History) -> None:
        witness = Witness()
        witness.lane_of = {schedule.name: schedule.lane for schedule in history.schedules}
        records, rows, stopped_at = in_virtual_time(_live, history, witness)
        assert witness.complaints == []
        assert not witness.working
        seen["histories"] += 1
        seen["downtimes"] += len(history.spells) - 1
        for record in records:
            mine = [row for row in rows if row.schedule is record]
            seen["occurrences"] += _check_decisions(record, mine, stopped_at)
            _check_runs(record.schedule, mine, witness)
            seen.update(f"{row.state}" for row in mine)
        seen["runs"] += len(witness.calls)
        seen["calls"] += sum(map(len, witness.calls.values()))

    holds()
    floors = {"histories": 100, "downtimes": 80, "occurrences": 5_000, "runs": 1_500, "calls": 2_000}
    floors |= {
        "succeeded": 500,
        "failed": 100,
        "timed_out": 20,
        "skipped": 30,
        "cancelled": 50,
        "missed": 50,
        "superseded": 10,
    }
    short = {name: (seen[name], floor) for name, floor in floors.items() if seen[name] < floor}
    assert not short, f"the histories are too tame: {short} of {seen}"
    assert seen["occurrences"] <= EXAMPLES * 6 * 2_000
