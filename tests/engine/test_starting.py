"""How a node starts: by itself or when told, with or without recovery, alone or in a nursery (S8.1, S8.4)."""

from __future__ import annotations

import attrs
import pytest
import trio

from tests.world import a_node, all_runs, in_virtual_time
from trioarm import (
    ConfigurationError,
    Every,
    InMemoryScheduleRepository,
    Reason,
    RunContext,
    Schedule,
    SchedulerBootstrap,
    SchedulerConfig,
    ScheduleRepository,
    SchedulerStopped,
    State,
    scheduler_components,
)
from trioarm.core.run import RunRecord
from trioarm.handlers.housekeeping import OWNER
from trioarm.testing import a_world

from .nodes import a_config, at, every, keeping, once, rows_of


async def takes_20_s(run: RunContext) -> str:
    """Take twenty seconds."""
    await trio.sleep(20)
    return "done"


def test_a_node_that_is_not_to_start_by_itself_waits() -> None:
    """It opens, answers, and decides nothing until `scheduler.start()`; then what is due follows the rules (S8.4)."""
    called: list[str] = []

    async def work(run: RunContext) -> None:
        called.append(run.schedule)

    async def main() -> list[RunRecord]:
        repository = InMemoryScheduleRepository()
        config = a_config(auto_start=False, misfire_window_s=3600.0)
        async with a_node({"work": work}, config, store=keeping(repository)) as (scheduler, _):
            await scheduler.schedules.put_many([once(), once("asked", 86_400)])
            await trio.sleep(600)
            await scheduler.runs.fire("asked")
            await trio.sleep(600)
            assert called == []
            assert await rows_of(repository, once()) == []
            report = await scheduler.health()
            assert "engine: down: it has not begun to decide" in [
                f"{item.component}: {item.level}: {' '.join(item.reasons)}" for item in report.components
            ]
            scheduler.start()
            await trio.sleep(1)
            return await rows_of(repository, once(), once("asked"))

    rows = in_virtual_time(main)
    assert sorted(called) == ["asked", "one"]
    assert [run.state for run in rows] == [State.SUCCEEDED, State.SUCCEEDED]


def test_a_node_that_is_not_to_start_by_itself_leaves_alone_what_it_finds() -> None:
    """What came due while it was down waits for the start, even when its definition has changed since (S8.4)."""
    called: list[str] = []

    async def work(run: RunContext) -> None:
        called.append(run.schedule)

    def config(**policies: object) -> SchedulerConfig:
        return SchedulerConfig(
            scheduler=a_config(auto_start=False).scheduler,
            schedules=(Schedule("declared", Every(3600), handler="work", **policies),),
        )

    async def main() -> tuple[list[RunRecord], list[RunRecord]]:
        repository = InMemoryScheduleRepository()
        async with a_node({"work": work}, config(), store=keeping(repository)) as (scheduler, _):
            await scheduler.schedules.put(once())
        for priority in (5, 7):
            nodes = a_node({"work": work}, config(priority=priority), store=keeping(repository), start_at=at(3601))
            async with nodes as (scheduler, _):
                await trio.sleep(60)
                assert called == []
                if priority == 5:
                    assert await all_runs(repository) == []
        nodes = a_node({"work": work}, config(priority=7), store=keeping(repository), start_at=at(3700))
        async with nodes as (scheduler, _):
            scheduler.start()
            await trio.sleep(60)
            return await rows_of(repository, once()), await rows_of(repository, every("declared", Every(3600)))

    one, declared = in_virtual_time(main)
    assert sorted(called) == ["declared", "one"]
    assert [run.state for run in declared] == [State.SUCCEEDED]
    assert [run.state for run in one] == [State.SUCCEEDED]


def test_without_recovery_what_was_missed_is_decided_missed() -> None:
    """One row for the whole range, with its reason, and the next occurrence runs as ever (S8.4)."""

    async def main() -> list[RunRecord]:
        repository = InMemoryScheduleRepository()
        schedule = every("hourly", Every(3600))

        async def work(run: RunContext) -> None:
            await trio.lowlevel.checkpoint()

        async with a_node({"work": work}, store=keeping(repository)) as (scheduler, _):
            await scheduler.schedules.put(schedule)
            await trio.sleep(5)
        config = a_config(auto_recovery=False)
        async with a_node({"work": work}, config, store=keeping(repository), start_at=at(5 * 3600 + 60)):
            await trio.sleep(3600)
        return await rows_of(repository, schedule)

    missed, ran = in_virtual_time(main)
    assert (missed.state, missed.reason, missed.count) == (State.MISSED, Reason.RECOVERY_OFF, 5)
    assert (missed.nominal_at, missed.last_at) == (at(3600), at(5 * 3600))
    assert (ran.state, ran.nominal_at) == (State.SUCCEEDED, at(6 * 3600))


async def test_stopping_what_was_never_started_says_so() -> None:
    """`stop` waits for the end of a node, which one that never began will not have."""
    with pytest.raises(SchedulerStopped, match="call initialize"):
        await SchedulerBootstrap().stop()


def test_a_node_started_in_a_nursery_stops_when_asked() -> None:
    """`stop` returns whether every run ended by itself; `cancel` does not wait for them."""

    async def main() -> None:
        for impatient in (False, True):
            bootstrap = SchedulerBootstrap(a_config(drain_s=60), {"work": takes_20_s})
            async with trio.open_nursery() as nursery:
                scheduler = await bootstrap.initialize(nursery)
                await scheduler.schedules.put(Schedule("one", Every(3600), handler="work"))
                await scheduler.runs.fire("one")
                await trio.sleep(1)
                assert (await bootstrap.check_health()).level == "healthy"
                began = trio.current_time()
                if impatient:
                    bootstrap.cancel()
                assert await bootstrap.stop() is not impatient
                assert trio.current_time() - began == pytest.approx(0 if impatient else 19)

    in_virtual_time(main)


def test_any_task_may_stop_a_node_and_several_may_wait_for_it() -> None:
    """Whoever answers requests has no block to leave; a run asks for it, too, and does not wait for itself."""
    ended: list[tuple[float, bool]] = []
    bootstrap = SchedulerBootstrap(a_config(drain_s=60), {"work": takes_20_s})

    async def wait_for_the_end() -> None:
        drained = await bootstrap.stop()
        ended.append((trio.current_time(), drained))

    async def main() -> float:
        async with trio.open_nursery() as requests:
            async with trio.open_nursery() as nursery:
                scheduler = await bootstrap.initialize(nursery)
                await scheduler.schedules.put(Schedule("one", Every(3600), handler="work"))
                await scheduler.runs.fire("one")
                began = trio.current_time()
                requests.start_soon(wait_for_the_end)
                requests.start_soon(wait_for_the_end)
            return began

    began = in_virtual_time(main)
    assert ended == [(pytest.approx(began + 20), True)] * 2


def test_a_run_may_ask_for_the_end_of_its_node() -> None:
    """It goes on to its own end, and the node ends with it."""

    async def main() -> tuple[bool, State]:
        async def ends_it(run: RunContext) -> None:
            bootstrap.request_stop()
            await trio.sleep(5)

        repository = InMemoryScheduleRepository()
        container = scheduler_components(a_config(drain_s=60), {"ends_it": ends_it})
        container.override(ScheduleRepository, lambda _: repository)
        bootstrap = SchedulerBootstrap(container=container)
        schedule = Schedule("one", Every(3600), handler="ends_it")
        async with trio.open_nursery() as nursery:
            scheduler = await bootstrap.initialize(nursery)
            await scheduler.schedules.put(schedule)
            await scheduler.runs.fire("one")
        [run] = await rows_of(repository, schedule)
        return bootstrap.drained, run.state

    assert in_virtual_time(main) == (True, State.SUCCEEDED)


def test_the_built_in_schedules_belong_to_trioarm() -> None:
    """Housekeeping is stored like any other schedule, and put again unchanged by the next node (S6.10)."""

    async def main() -> None:
        repository = InMemoryScheduleRepository()
        for _ in range(2):
            async with a_node(store=keeping(repository)) as (scheduler, _):
                rows = (await scheduler.schedules.find()).rows
                assert {(row.schedule.owner, row.revision) for row in rows} == {(OWNER, 1)}

    in_virtual_time(main)


def test_a_start_that_is_refused_for_a_name_changes_nothing() -> None:
    """Somebody else has the name of one that is declared: the others stay as they are, too (S5.8)."""

    async def main() -> None:
        config = a_config()
        declaring = attrs.evolve(config, schedules=(every("old", Every(60)), every("kept", Every(60))))
        async with a_world() as world:
            node = await world.start({"work": takes_20_s}, declaring)
            await world.scheduler.schedules.put(every("theirs", Every(60)))
            await node.stop()
            wrong = (every("kept", Every(90)), every("new", Every(60)), every("theirs", Every(90)))
            with pytest.raises(ConfigurationError, match="theirs: stored by somebody else already"):
                await world.start({"work": takes_20_s}, attrs.evolve(config, schedules=wrong))
            await world.start({"work": takes_20_s}, config)
            page = await world.scheduler.schedules.find()
            found = {one.name: one.schedule.trigger for one in page.rows if one.schedule.owner != OWNER}
            assert found == {name: Every(60) for name in ("old", "kept", "theirs")}

    in_virtual_time(main)
