"""Resources, live: how many runs need one at once, how soon others follow, and what happens when it fails (S6.5)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio

from trioarm import Once, Reason, RetryPolicy, RunContext, Schedule, SchedulerConfig, State
from trioarm.config import ExecutorSettings, FeatureSettings, SchedulerSettings
from trioarm.core.alerts import AlertQuery
from trioarm.core.resources import Breaker, Rate, Resource
from trioarm.testing import Fault, FileStore, World, a_world
from trioarm.testing.world import BEGIN

from ..world import in_virtual_time

Body = Callable[[World, "Work"], Awaitable[None]]
STORES = ("memory", "file")
SECOND = 1_000_000


class Work:
    """A handler that takes ten seconds, fails while told to, and notes when it begins and how many of it there are."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self.began: list[float] = []
        self.fails = False
        self.started_at = trio.current_time()

    async def __call__(self, run: RunContext) -> None:
        """Work, or fail."""
        self.began.append(trio.current_time() - self.started_at)
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await trio.sleep(10)
        finally:
            self.now -= 1
        if self.fails:
            raise OSError("away")


def a_config(**resources: Resource) -> SchedulerConfig:
    """Return a configuration of twenty workers and these resources; retries follow without chance."""
    return SchedulerConfig(
        scheduler=SchedulerSettings(max_concurrent=20),
        executor=ExecutorSettings(max_concurrent=20),
        features=FeatureSettings(advanced_retries=False),
        resources=resources,
    )


def once(name: str, seconds: float, **policies: object) -> Schedule:
    """Return a schedule with one occurrence, so long after the beginning, that needs the resource `nas`."""
    return Schedule(
        name, Once(BEGIN + round(seconds * SECOND)), **{"handler": "work", "resources": ["nas"], **policies}
    )


def in_a_world(
    tmp_path: Path, store: str, body: Callable[[World, Work], Awaitable[None]], config: SchedulerConfig
) -> None:
    """Run a body in a world with one node."""

    async def main() -> None:
        async with a_world(FileStore(tmp_path / "trioarm.db") if store == "file" else None) as world:
            work = Work()
            await world.start({"work": work, "other": work_elsewhere}, config)
            await body(world, work)

    in_virtual_time(main)


async def work_elsewhere(run: RunContext) -> None:
    """Need nothing."""


@pytest.mark.parametrize("store", STORES)
def test_no_more_runs_need_it_at_once_than_may(tmp_path: Path, store: str) -> None:
    """Seven runs due together, two at a time: each pair begins the moment the one before has ended (S6.5)."""

    async def body(world: World, work: Work) -> None:
        await world.scheduler.schedules.put_many([once(f"s{number}", 5) for number in range(7)])
        await world.advance(100)
        assert work.most == 2
        assert work.began == pytest.approx([5, 5, 15, 15, 25, 25, 35], abs=0.01)
        assert [one.state for one in await world.decisions()] == [State.SUCCEEDED] * 7

    in_a_world(tmp_path, store, body, a_config(nas=Resource(limit=2)))


@pytest.mark.parametrize("store", STORES)
def test_one_follows_another_no_sooner_than_the_gap(tmp_path: Path, store: str) -> None:
    """The engine wakes by itself when the next may begin, and not before."""

    async def body(world: World, work: Work) -> None:
        await world.scheduler.schedules.put_many([once(f"s{number}", 5) for number in range(4)])
        await world.advance(60)
        assert work.began == pytest.approx([5, 8, 11, 14], abs=0.01)
        assert work.most == 4

    in_a_world(tmp_path, store, body, a_config(nas=Resource(gap_s=3.0)))


@pytest.mark.parametrize("store", STORES)
def test_no_more_begin_within_a_time_than_the_rate_says(tmp_path: Path, store: str) -> None:
    """Three within a minute: the fourth waits until the first began a minute ago."""

    async def body(world: World, work: Work) -> None:
        await world.scheduler.schedules.put_many([once(f"s{number}", 5 + number) for number in range(7)])
        await world.advance(200)
        assert work.began == pytest.approx([5, 6, 7, 65, 66, 67, 125], abs=0.01)

    in_a_world(tmp_path, store, body, a_config(nas=Resource(rate=Rate(3, 60.0))))


@pytest.mark.parametrize("store", STORES)
def test_a_saturated_resource_delays_nobody_else(tmp_path: Path, store: str) -> None:
    """A hundred urgent runs wait for it; those that need nothing begin at their instants (S6.6)."""

    async def body(world: World, _: Work) -> None:
        await world.scheduler.schedules.put_many([once(f"s{number}", 5, priority=9) for number in range(100)])
        await world.advance(10)
        await world.scheduler.schedules.put_many(
            [once(f"other{number}", 20 + number, handler="other", resources=(), priority=1) for number in range(5)]
        )
        await world.advance(20)
        others = [one for one in await world.decisions() if one.schedule.startswith("other")]
        assert [one.state for one in others] == [State.SUCCEEDED] * 5
        assert all(one.started_at == one.nominal_at for one in others)

    in_a_world(tmp_path, store, body, a_config(nas=Resource(limit=1)))


@pytest.mark.parametrize("store", STORES)
def test_a_breaker_saves_attempts_and_lets_one_try(tmp_path: Path, store: str) -> None:
    """After three failures runs wait, with one alert; one tries after each pause, and all begin once one went well."""

    async def body(world: World, work: Work) -> None:
        work.fails = True
        retry = RetryPolicy(max_retries=9, base_s=1.0, factor=1.0)
        await world.scheduler.schedules.put_many([once(f"s{number}", 5, retry=retry) for number in range(3)])
        await world.advance(16)
        assert len(work.began) == 3
        [alert] = (await world.scheduler.alerts.find(AlertQuery())).rows
        assert alert.alert is not None
        assert alert.alert.text == "3 attempts in a row failed, the last with: OSError: away"
        await world.advance(120)
        assert work.began[3:] == pytest.approx([75], abs=0.01)  # and fails at 85: the pause begins again
        assert len((await world.scheduler.alerts.find(AlertQuery())).rows) == 1
        work.fails = False
        await world.advance(30)
        assert work.began[4:] == pytest.approx([145, 155, 155], abs=0.01)
        assert [one.state for one in await world.decisions()] == [State.SUCCEEDED] * 3
        [alert] = (await world.scheduler.alerts.find(AlertQuery(states=None))).rows
        assert alert.alert is not None
        assert alert.alert.resolved is not None  # with the outcome that closed the breaker
        assert alert.alert.resolved.by in {"schedule:s0", "schedule:s1", "schedule:s2"}
        [entry] = await world.living[0].repository.read_journal("alert")
        assert (entry.body["verb"], entry.body["alert"]) == ("resolved", alert.id)

    in_a_world(tmp_path, store, body, a_config(nas=Resource(breaker=Breaker(3, 60.0))))


@pytest.mark.parametrize("store", STORES)
def test_nodes_that_die_hold_nothing_for_ever(tmp_path: Path, store: str) -> None:
    """A node is killed while its runs hold all of it: the next one begins them again, still no more than may."""

    async def main() -> None:
        config = a_config(nas=Resource(limit=2))
        async with a_world(FileStore(tmp_path / "trioarm.db") if store == "file" else None) as world:
            first = await world.start({"work": Work()}, config)
            await world.scheduler.schedules.put_many([once(f"s{number}", 5) for number in range(5)])
            await world.advance(8)
            world.kill(first)
            work = Work()
            await world.start({"work": work}, config)
            await world.advance(120)
            assert work.most == 2
            assert len(work.began) == 5
            assert [one.state for one in await world.decisions()] == [State.SUCCEEDED] * 5

    in_virtual_time(main)


def test_several_nodes_share_it(tmp_path: Path) -> None:
    """On one file, two nodes together begin no more than may."""

    async def main() -> None:
        config = a_config(nas=Resource(limit=3, gap_s=1.0))
        async with a_world(FileStore(tmp_path / "trioarm.db")) as world:
            work = Work()
            for _ in range(2):
                await world.start({"work": work}, config)
            await world.living[0].scheduler.schedules.put_many([once(f"s{number}", 5) for number in range(12)])
            await world.advance(200)
            assert work.most == 3
            assert len(work.began) == 12
            assert min(b - a for a, b in zip(work.began, work.began[1:], strict=False)) >= 0.999

    in_virtual_time(main)


def test_what_waits_too_long_for_it_is_given_up(tmp_path: Path) -> None:
    """It is missed when its misfire window is over, and says for what it waited."""

    async def body(world: World, _: Work) -> None:
        schedules = [once(f"s{number}", 5, misfire_window_s=15.0, tolerance_s=1.0) for number in range(4)]
        await world.scheduler.schedules.put_many(schedules)
        await world.advance(100)
        told = {one.schedule: one for one in await world.decisions()}
        assert [one.state for one in told.values()] == [State.SUCCEEDED] * 2 + [State.MISSED] * 2
        assert (told["s3"].reason, told["s3"].error) == (
            Reason.TOO_LATE,
            "for 15 s a resource was taken, or no worker was free: its misfire window is over",
        )

    in_a_world(tmp_path, "memory", body, a_config(nas=Resource(limit=1)))


def test_of_what_nothing_is_said_nobody_waits_for(tmp_path: Path) -> None:
    """A resource that the node knows nothing of holds nobody up."""

    async def body(world: World, work: Work) -> None:
        await world.scheduler.schedules.put_many([once(f"s{number}", 5) for number in range(4)])
        await world.advance(10)
        assert work.began == pytest.approx([5] * 4, abs=0.01)

    in_a_world(tmp_path, "memory", body, a_config(printer=Resource(limit=1)))


def test_a_node_without_a_lease_does_not_wake_for_what_it_may_not_claim(tmp_path: Path) -> None:
    """While it cannot renew, a resource that opens is no reason to look; once it can, what waited begins."""

    async def main() -> None:
        faults = {("renew", number): Fault.BEFORE for number in range(1, 60)}
        async with a_world(FileStore(tmp_path / "trioarm.db"), faults=faults) as world:
            work = Work()
            await world.start({"work": work}, a_config(nas=Resource(gap_s=30.0)))
            await world.scheduler.schedules.put_many([once("first", 5), once("second", 5)])
            await world.advance(50)
            passes = world.scheduler.metrics().passes
            await world.advance(10)
            assert world.scheduler.metrics().passes - passes < 20
            assert len(work.began) == 1
            await world.advance(200)
            assert len(work.began) == 2

    in_virtual_time(main)
