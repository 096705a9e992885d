"""Backfilling: each occurrence of a range runs anew, once, points to what was decided, and keeps nobody waiting."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import trio

from trioarm import (
    After,
    BackfillOutcome,
    Every,
    InvalidSchedule,
    Origin,
    Reason,
    RetryPolicy,
    RunContext,
    RunQuery,
    Schedule,
    SchedulerConfig,
    State,
    UnknownSchedule,
)
from trioarm.config.settings import ExecutorSettings, SchedulerSettings
from trioarm.core.backfilling import OCCURRENCES_MAX, TIMES_MAX
from trioarm.core.instants import HOUR, MINUTE, SECOND, as_datetime, render_instant
from trioarm.core.operations import JOURNAL, Operation, Verb, read_operation
from trioarm.core.run import RunRecord
from trioarm.engine.health import Level
from trioarm.engine.many import ManyRuns
from trioarm.engine.scheduler import Scheduler
from trioarm.testing import Fault, FileStore, MemoryDisk, Store, World, a_world, all_runs, in_virtual_time
from trioarm.testing.nodes import Node
from trioarm.testing.world import BEGIN

HOURLY = Schedule("hourly", Every(3600), handler="work")
MINUTELY = Schedule("minutely", Every(60), handler="work")


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Return a store that outlives nodes."""
    return MemoryDisk() if request.param == "memory" else FileStore(tmp_path / "trioarm.db")


async def nothing(run: RunContext) -> None:
    """Do nothing, in no time."""


class Takes:
    """A handler that takes its time, and notes how many of a schedule work at once and for what."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.now: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.dues: list[int] = []

    async def work(self, run: RunContext) -> None:
        """Work."""
        self.now[run.schedule] += 1
        self.most[run.schedule] = max(self.most[run.schedule], self.now[run.schedule])
        self.dues.append(round(run.due_at.timestamp() * SECOND))
        try:
            await trio.sleep(self.seconds)
        finally:
            self.now[run.schedule] -= 1


def workers(count: int) -> SchedulerConfig:
    """Return a configuration with so many workers, which hold no more than that."""
    return SchedulerConfig(
        scheduler=SchedulerSettings(max_concurrent=count), executor=ExecutorSettings(max_concurrent=count)
    )


async def backfilled(world: World, name: str = "hourly") -> list[RunRecord]:
    """Return the backfilled runs of a schedule, in order of decision."""
    return [run for run in await all_runs(world.living[0].repository, name) if run.origin is Origin.BACKFILL]


async def put_long_ago(node: Node, *schedules: Schedule) -> None:
    """Put schedules and let eight hours pass."""
    await node.scheduler.schedules.put_many(schedules)
    await trio.sleep(8 * 3600)


def test_each_occurrence_runs_anew_and_points_to_what_was_decided(store: Store) -> None:
    """Ran, skipped in a pause, or never decided at all: each is backfilled once, and no old decision changes."""

    async def main() -> None:
        async with a_world(store) as world:
            node = await world.start({"work": nothing})
            runs = node.scheduler.runs
            await node.scheduler.schedules.put(MINUTELY)
            await trio.sleep(2.5 * 60)
            await node.scheduler.schedules.pause("minutely")
            await trio.sleep(3 * 60)
            await node.scheduler.schedules.resume("minutely")
            await trio.sleep(60)
            before = {run.id: run for run in (await runs.find()).rows}
            results = await runs.backfill("minutely", BEGIN - 2 * MINUTE, BEGIN + 6 * MINUTE)
            assert [one.outcome for one in results] == [BackfillOutcome.BACKFILLED] * 8
            nominal = [as_datetime(BEGIN + minute * MINUTE) for minute in range(-1, 7)]
            assert [one.nominal_at for one in results] == nominal
            paused = f"minutely@{render_instant(BEGIN + 3 * MINUTE)}"
            ran = [f"minutely@{render_instant(BEGIN + minute * MINUTE)}" for minute in (1, 2, 6)]
            assert [one.repeats for one in results] == [None, None, *ran[:2], *[paused] * 3, ran[2]]
            assert before[paused].reason is Reason.PAUSED
            await trio.sleep(1)
            after = {run.id: run for run in (await runs.find()).rows}
            assert {key: run for key, run in after.items() if key in before} == before
            rows = await backfilled(world, "minutely")
            assert [run.state for run in rows] == [State.SUCCEEDED] * 8
            assert [run.nominal_at for run in rows] == [run.due_at for run in rows]
            assert [one.run_id for one in results] == [run.id for run in after.values() if run.origin == "backfill"]
            assert [run.retry_of for run in rows][2:4] == [before[run].key for run in ran[:2]]
            assert all(run.late_s is None for run in after.values() if run.origin == "backfill")

    in_virtual_time(main)


def test_a_thousand_occurrences_leave_a_live_schedule_on_time(store: Store) -> None:
    """The same schedule every second, its neighbour, and two backfills that take all workers they may: none is late,
    none is skipped for an overlap with what is backfilled."""
    slow, live = Takes(5.0), Takes(0.01)
    second = Schedule("second", Every(1), handler="live")
    other = Schedule("other", Every(1), handler="live", overlap="skip")
    minutely = [Schedule(name, Every(60), handler="slow") for name in ("minutely", "another")]

    async def main() -> None:
        async with a_world(store) as world:
            node = await world.start({"slow": slow.work, "live": live.work}, workers(4))
            await node.scheduler.schedules.put_many([second, other])
            for schedule in minutely:
                await node.scheduler.schedules.put(schedule)
                done = await node.scheduler.runs.backfill(
                    schedule.name, BEGIN - 1000 * MINUTE, BEGIN - MINUTE, at_once=3
                )
                assert len(done) == 999
            live_too = await node.scheduler.runs.backfill("other", BEGIN - 1000 * SECOND, BEGIN, at_once=2)
            assert len(live_too) == 1000
            await trio.sleep(40.5)
            for name in ("second", "other"):
                rows = [run for run in await all_runs(node.repository, name) if run.origin is Origin.SCHEDULE]
                ended = [run for run in rows if run.state is State.SUCCEEDED]
                assert len(rows) == len(ended) == 40
                late_s = [((run.started_at or 0) - run.due_at) / SECOND for run in ended]
                assert max(late_s) < 0.1, max(late_s)
            count = sum(run.state is State.SUCCEEDED for run in await backfilled(world, "minutely"))
            assert count > 10
            assert (await node.scheduler.health()).level is Level.HEALTHY
            node.die()

    in_virtual_time(main)
    assert slow.most["minutely"] + slow.most["another"] > 0
    assert max(slow.most.values()) <= 3


def test_no_more_of_one_backfill_work_at_once_than_was_said(store: Store) -> None:
    """One after the other in their order, unless more are allowed; and never the last idle worker of several."""
    takes = Takes(10.0)

    async def main() -> None:
        async with a_world(store) as world:
            node = await world.start({"work": takes.work}, workers(3))
            await node.scheduler.schedules.put(HOURLY)
            await node.scheduler.runs.backfill("hourly", BEGIN - 6 * HOUR, BEGIN)
            await trio.sleep(60.5)
            assert takes.most == {"hourly": 1}
            assert takes.dues == [BEGIN + hour * HOUR for hour in range(-5, 1)]
            assert [run.state for run in await backfilled(world)] == [State.SUCCEEDED] * 6
            await node.scheduler.runs.backfill("hourly", BEGIN - 12 * HOUR, BEGIN - 6 * HOUR, at_once=100)
            await trio.sleep(30.5)
            assert takes.most == {"hourly": 2}
            assert [run.state for run in await backfilled(world)] == [State.SUCCEEDED] * 12

    in_virtual_time(main)


def test_a_lane_keeps_what_is_backfilled_apart_from_what_is_live() -> None:
    """Runs of a schedule with a lane are backfilled in it, one at a time; what is live there comes first."""
    takes = Takes(10.0)
    live = Schedule("live", Every(60), handler="work", lane="disk", priority=0)
    old = Schedule("old", Every(3600), handler="work", lane="disk", priority=9)

    async def main() -> None:
        async with a_world() as world:
            node = await world.start({"work": takes.work})
            await node.scheduler.schedules.put_many([live, old])
            await node.scheduler.runs.backfill("old", BEGIN - 100 * HOUR, BEGIN, at_once=5)
            await trio.sleep(600.5)
            rows = [run for run in await all_runs(node.repository, "live") if run.finished_at is not None]
            assert len(rows) == 9
            assert all((run.started_at or 0) - run.due_at <= 10 * SECOND for run in rows)
            assert sum(run.state is State.SUCCEEDED for run in await backfilled(world, "old")) > 30
            node.die()

    in_virtual_time(main)
    assert takes.most == {"live": 1, "old": 1}


def test_the_same_backfill_again_does_only_what_is_left(store: Store) -> None:
    """What is unfinished or succeeded is left alone; what failed or was cancelled runs anew; `again` does all."""
    fails = {BEGIN - HOUR}

    async def work(run: RunContext) -> None:
        await trio.sleep(10)
        if round(run.due_at.timestamp() * SECOND) in fails:
            raise ValueError("not this one")

    async def main() -> None:
        async with a_world(store) as world:
            node = await world.start({"work": work})
            runs = node.scheduler.runs
            await node.scheduler.schedules.put(
                Schedule("hourly", Every(3600), handler="work", retry=RetryPolicy(max_retries=0))
            )
            first = await runs.backfill("hourly", BEGIN - 4 * HOUR, BEGIN)
            again = await runs.backfill("hourly", BEGIN - 5 * HOUR, BEGIN)
            assert [one.outcome for one in again] == ["backfilled", *["kept"] * 4]
            assert [one.run_id for one in again[1:]] == [one.run_id for one in first]
            await runs.cancel(str(again[0].run_id))
            await trio.sleep(600)
            states = {run.due_at: run.state for run in await backfilled(world)}
            assert states.pop(BEGIN - HOUR) is State.FAILED
            assert states.pop(BEGIN - 4 * HOUR) is State.CANCELLED
            assert set(states.values()) == {State.SUCCEEDED}
            fails.clear()
            third = await runs.backfill("hourly", BEGIN - 5 * HOUR, BEGIN)
            assert [one.outcome for one in third] == ["backfilled", "kept", "kept", "backfilled", "kept"]
            assert third[3].run_id == f"hourly@{render_instant(BEGIN - HOUR + 1)}+backfill"
            assert (await runs.get(str(third[3].run_id))).due_at == as_datetime(BEGIN - HOUR)
            await trio.sleep(60)
            assert [one.outcome for one in await runs.backfill("hourly", BEGIN - 5 * HOUR, BEGIN)] == ["kept"] * 5
            all_again = await runs.backfill("hourly", BEGIN - 5 * HOUR, BEGIN, again=True)
            assert [one.outcome for one in all_again] == ["backfilled"] * 5
            assert len(await backfilled(world)) == 5 + 2 + 5

    in_virtual_time(main)


def test_what_nobody_knows_was_kept_is_backfilled_once(store: Store) -> None:
    """A commit that fails before or after it is kept, or is refused, is looked at again: no instant is done twice."""

    async def main() -> None:
        async with a_world(store) as world:
            node = await world.start({"work": nothing})
            await node.scheduler.schedules.put(HOURLY)
            for number, fault in enumerate((Fault.BEFORE, Fault.AFTER, Fault.REFUSED)):
                world.plant(fault)
                upto = BEGIN - number * 5 * HOUR
                done = await node.scheduler.runs.backfill("hourly", upto - 5 * HOUR, upto, again=True)
                assert [one.outcome for one in done] == ["backfilled"] * 5
            assert len(await backfilled(world)) == 15
            operations = [read_operation(one) for one in await node.repository.read_journal(JOURNAL)]
            assert [one.count for one in operations if one.verb is Verb.BACKFILL] == [5, 5, 5]

    in_virtual_time(main)


def test_a_backfill_outlives_its_node(store: Store) -> None:
    """The node is killed on the way; the next one goes on, and each instant has one run that succeeded."""
    takes = Takes(10.0)

    async def main() -> None:
        async with a_world(store) as world:
            node = await world.start({"work": takes.work})
            await node.scheduler.schedules.put(HOURLY)
            await node.scheduler.runs.backfill("hourly", BEGIN - 20 * HOUR, BEGIN)
            await trio.sleep(45)
            async with world.outage():
                await trio.sleep(60)
            await trio.sleep(400)
            rows = await backfilled(world)
            assert [run.state for run in rows] == [State.SUCCEEDED] * 20
            assert Counter(run.attempt for run in rows) == {1: 19, 2: 1}

    in_virtual_time(main)
    assert takes.most == {"hourly": 1}


def test_a_dry_run_says_the_same_and_does_nothing() -> None:
    """Outcomes and ids are those of the real one."""

    async def main() -> None:
        async with a_world() as world:
            node = await world.start({"work": nothing})
            await put_long_ago(node, HOURLY)
            runs, span = node.scheduler.runs, (BEGIN, BEGIN + 8 * HOUR)
            told: list[tuple[int, int]] = []
            would = await runs.backfill("hourly", *span, dry_run=True)
            assert await backfilled(world) == []
            assert all(run.origin == "schedule" for run in (await runs.find()).rows)
            assert would == await runs.backfill("hourly", *span, progress=lambda *far: told.append(far))
            assert told == [(8, 8)]
            operations = [read_operation(one) for one in await node.repository.read_journal(JOURNAL)]
            first, last = BEGIN + HOUR, BEGIN + 8 * HOUR
            assert operations[1:] == [
                Operation("api", Verb.BACKFILL, "hourly", count=8, nominal_at=first, until_at=last)
            ]

    in_virtual_time(main)


def test_max_runs_bounds_and_pauses_do_not_count_but_start_and_end_do() -> None:
    """A finished schedule can be backfilled, a paused one too; before its start it has no occurrences."""
    ended = Schedule("ended", Every(3600), handler="work", max_runs=1, start_at=BEGIN - 3 * HOUR, end_at=BEGIN + HOUR)

    async def main() -> None:
        async with a_world() as world:
            node = await world.start({"work": nothing})
            await put_long_ago(node, ended, HOURLY)
            assert (await node.scheduler.schedules.get("ended")).state == "finished"
            done = await node.scheduler.runs.backfill("ended", BEGIN - 9 * HOUR, BEGIN + 8 * HOUR)
            assert [one.nominal_at for one in done] == [as_datetime(BEGIN + hour * HOUR) for hour in range(-3, 2)]
            await node.scheduler.schedules.pause("hourly")
            assert len(await node.scheduler.runs.backfill("hourly", BEGIN, BEGIN + 2 * HOUR)) == 2
            await trio.sleep(60)
            assert {run.state for run in await backfilled(world)} == {State.SUCCEEDED}
            assert [run.state for run in await backfilled(world, "ended")] == [State.SUCCEEDED] * 5
            assert (await node.scheduler.schedules.get("ended")).runs == 1
            assert await node.scheduler.runs.backfill("ended", BEGIN + 2 * HOUR, BEGIN + 8 * HOUR) == []

    in_virtual_time(main)


REFUSED = [
    ("hourly", BEGIN, BEGIN + 9 * HOUR, {}, f"hourly: {render_instant(BEGIN + 9 * HOUR)} is still to come: backfill"),
    ("second", BEGIN, BEGIN + 8 * HOUR, {}, "second has 28800 occurrences in that range: at most 10000 are backfilled"),
    ("after", BEGIN, BEGIN + HOUR, {}, "after follows the end of its own runs: there is nothing to backfill, fire it"),
    ("arm", BEGIN, BEGIN + HOUR, {}, "arm: in its lane house only the newest occurrence counts"),
    ("hourly", BEGIN, BEGIN + HOUR, {"at_once": 0}, "at_once is 0: it must lie between 1 and 100"),
    ("hourly", BEGIN, BEGIN + HOUR, {"author": ""}, "author is empty: say who changes it"),
]


@pytest.mark.parametrize(("name", "after", "until", "more", "said"), REFUSED)
def test_what_cannot_be_backfilled_is_refused_in_one_line(
    name: str, after: int, until: int, more: dict[str, object], said: str
) -> None:
    """And nothing is kept of it."""
    schedules = [
        HOURLY,
        Schedule("second", Every(1), handler="none"),
        Schedule("after", After(60), handler="none"),
        Schedule("arm", Every(60), handler="none", lane="house", supersede=True),
    ]

    async def refused(scheduler: Scheduler) -> str:
        with pytest.raises(InvalidSchedule) as error:
            await scheduler.runs.backfill(name, after, until, **more)
        return str(error.value)

    async def main() -> None:
        async with a_world() as world:
            node = await world.start({"work": nothing})
            await node.scheduler.schedules.put_many(schedules[:1] + schedules[2:])
            world.step(8 * 3600)
            await node.scheduler.schedules.put(schedules[1])
            text = await refused(node.scheduler)
            assert text.startswith(said)
            assert "\n" not in text
            assert (await node.scheduler.runs.find(RunQuery(origins=frozenset({Origin.BACKFILL})))).rows == []
            with pytest.raises(UnknownSchedule):
                await node.scheduler.runs.backfill("nobody", after, BEGIN)

    in_virtual_time(main)


def test_its_limits_are_those_it_tells_of() -> None:
    """10 000 occurrences of one backfill, and 1 000 backfills of one occurrence."""
    assert (OCCURRENCES_MAX, TIMES_MAX) == (10_000, 1_000)
    assert "10 000" in str(ManyRuns.backfill.__doc__)
