"""Owners that may have only so many schedules: what fits is put, the rest is refused in a line, also in a race."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

from tests.world import a_node, in_virtual_time
from trioarm import Every, InvalidSchedule, Schedule, Scheduler, SchedulerConfig, SqliteScheduleRepository
from trioarm.engine.ports import ScheduleRepository
from trioarm.testing import FileStore, a_world

FULL = "app may have at most 3 schedules: remove some, or raise owner.app.max_schedules"


def of_app(count: int, first: int = 0, **policies: Any) -> list[Schedule]:
    """Return so many schedules of the owner `app`."""
    policies = {"handler": "none", "owner": "app", **policies}
    return [Schedule(f"s{number}", Every(3600), **policies) for number in range(first, first + count)]


def with_a_node(main: Any, store: Any = None) -> None:
    """Run `main(scheduler)` on a node where `app` may have three schedules."""

    async def node() -> None:
        async with a_node(config=SchedulerConfig(owners={"app": 3}), store=store) as (scheduler, _):
            await main(scheduler)

    in_virtual_time(node)


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_of_many_those_that_fit_are_put(kind: str, tmp_path: Path) -> None:
    """The rest is refused, each by name; others have no limit, and what is stored may change."""

    async def main(scheduler: Scheduler) -> None:
        schedules = scheduler.schedules
        other = Schedule("other", Every(3600), handler="none", owner="another")
        results = await schedules.put_many([*of_app(5), other])
        assert [result.outcome for result in results] == [*["added"] * 3, "refused", "refused", "added"]
        assert [result.error for result in results] == [*[None] * 3, FULL, FULL, None]
        again = await schedules.put_many(of_app(4, priority=7))
        assert [result.outcome for result in again] == [*["changed"] * 3, "refused"]
        await schedules.remove("s1")
        assert (await schedules.put(of_app(1, 3)[0])).name == "s3"
        with pytest.raises(InvalidSchedule, match=f"^s4: {FULL}$"):
            await schedules.put(of_app(1, 4)[0])
        with pytest.raises(InvalidSchedule, match=FULL):  # a schedule that changes hands is one more
            await schedules.put(Schedule("other", Every(3600), handler="none", owner="app"))
        assert (await schedules.get("other")).schedule.owner == "another"

    sqlite = SqliteScheduleRepository(tmp_path / "trioarm.db")
    with_a_node(main, None if kind == "memory" else lambda _: sqlite)


def test_a_declared_set_that_is_too_large_changes_nothing() -> None:
    """Whoever has too many since the limit was lowered keeps them, and may take some away."""

    async def main(scheduler: Scheduler) -> None:
        sync = scheduler.schedules.sync
        with pytest.raises(InvalidSchedule, match=f"^app declares 4: {FULL}: nothing was changed$"):
            await sync("app", of_app(4))
        assert len((await sync("app", of_app(3))).added) == 3
        assert (await sync("app", of_app(3, 1))).removed == ("s0",)
        scheduler.owners = {"app": 1}
        assert (await sync("app", of_app(3, 1, priority=1))).changed == ("s1", "s2", "s3")
        with pytest.raises(InvalidSchedule, match="app declares 2: app may have at most 1 schedules"):
            await sync("app", of_app(2, 3))
        assert (await sync("app", of_app(2, 1))).removed == ("s3",)

    with_a_node(main)


async def _count(repository: ScheduleRepository) -> int:
    return await repository.count_owned("app")


@pytest.mark.parametrize("kind", ["one node", "two nodes"])
def test_in_a_race_no_more_are_put_than_may_be(kind: str, tmp_path: Path) -> None:
    """Twenty tasks, of one node or of two on one file: three are kept, and everybody else is told why not."""

    async def main() -> None:
        config, outcomes = SchedulerConfig(owners={"app": 3}), list[str]()

        async def put(scheduler: Scheduler, number: int) -> None:
            [result] = await scheduler.schedules.put_many(of_app(1, number))
            outcomes.append(str(result.error or result.outcome))

        async with a_world(FileStore(tmp_path / "trioarm.db")) as world:
            nodes = [await world.start(config=config) for _ in range(1 if kind == "one node" else 2)]
            async with trio.open_nursery() as nursery:
                for number in range(20):
                    nursery.start_soon(put, nodes[number % len(nodes)].scheduler, number)
            assert sorted(outcomes) == [*["added"] * 3, *[FULL] * 17]
            assert await _count(nodes[0].repository) == 3

    in_virtual_time(main)
