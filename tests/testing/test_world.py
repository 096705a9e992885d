"""The kit for tests: a world takes the course it is told, and what it plays is what really happens to nodes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import trio

from trioarm import Every, RepositoryError, RunContext, Schedule, State
from trioarm.core.instants import MINUTE
from trioarm.engine.leases import LEASE_S, MARGIN_S
from trioarm.testing import Fault, FileStore, MemoryDisk, Store, World, a_world, all_runs, in_virtual_time
from trioarm.testing.world import BEGIN

MINUTELY = Schedule("often", Every(60), handler="work")


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Return a store that outlives nodes."""
    return MemoryDisk() if request.param == "memory" else FileStore(tmp_path / "trioarm.db")


class Work:
    """A handler that takes half a minute and counts its calls."""

    def __init__(self) -> None:
        self.begun: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()

    async def work(self, run: RunContext) -> None:
        """Note begin and end."""
        self.begun[run.id] += 1
        await trio.sleep(30)
        self.ended[run.id] += 1


def test_what_a_killed_node_held_is_begun_again_by_the_next(store: Store) -> None:
    """Nothing of it is kept after the kill; every occurrence is decided once."""
    work = Work()

    async def main() -> None:
        async with a_world(store) as world:
            node = await world.start({"work": work.work})
            await node.scheduler.schedules.put(MINUTELY)
            await trio.sleep(130)  # ten seconds into the second run
            world.kill(node)
            assert not node.is_alive
            await trio.sleep(45)
            node = await world.start({"work": work.work})
            await trio.sleep(100)
            rows = await all_runs(node.repository, "often")
            assert [row.nominal_at for row in rows] == [BEGIN + minute * MINUTE for minute in range(1, 5)]
            assert [row.attempt for row in rows][1] == 2

    in_virtual_time(main)
    assert list(work.begun.values())[:2] == [1, 2]
    assert list(work.ended.values())[:2] == [1, 1]


def test_the_clock_of_a_world_is_that_of_all_its_nodes() -> None:
    """A step is an outage of that length to each of them."""

    async def main() -> None:
        async with a_world() as world:
            node = await world.start({"work": Work().work})
            await node.scheduler.schedules.put(MINUTELY)
            world.step(3600)
            assert world.wall() == BEGIN + 60 * MINUTE
            await trio.sleep(90)
            rows = await all_runs(node.repository, "often")
            assert [row.count for row in rows] == [59, 1, 1]

    in_virtual_time(main)


@pytest.mark.parametrize("step_s", [0, -7200, 7200])
def test_a_stalled_node_gives_its_runs_up_before_another_takes_them_over(tmp_path: Path, step_s: float) -> None:
    """Its handler is cancelled while its lease still lasts; the other node begins the run again after that, when the
    lease is over, whatever the wall clock does meanwhile (S3.4, S7.2)."""
    calls: list[tuple[str, float]] = []

    def handlers(node: str) -> dict[str, object]:
        async def work(run: RunContext) -> None:
            calls.append((f"{node} begins", trio.current_time()))
            try:
                await trio.sleep(200)
            finally:
                calls.append((f"{node} ends", trio.current_time()))

        return {"work": work}

    async def main(world: World) -> None:
        first = await world.start(handlers("first"))  # type: ignore[arg-type]
        await first.scheduler.schedules.put(Schedule("long", Every(86400), handler="work"))
        await first.scheduler.runs.fire("long")
        await trio.sleep(1)
        first.line.stall()
        await world.start(handlers("second"))  # type: ignore[arg-type]
        await trio.sleep(5)
        world.step(step_s)
        await trio.sleep(2 * LEASE_S)
        first.line.go_on()
        await trio.sleep(300)

    async def in_a_world() -> None:
        async with a_world(FileStore(tmp_path / "trioarm.db")) as world:
            await main(world)

    in_virtual_time(in_a_world)
    assert [what for what, _ in calls] == ["first begins", "first ends", "second begins", "second ends"]
    assert calls[1][1] <= LEASE_S - MARGIN_S + 1
    assert calls[1][1] + MARGIN_S - 1 <= calls[2][1] <= LEASE_S + 1


@pytest.mark.parametrize("fault", [Fault.BEFORE, Fault.AFTER, Fault.REFUSED, Fault.SLOW])
def test_a_fault_strikes_the_call_it_is_meant_for_and_is_counted(fault: Fault, store: Store) -> None:
    """Whatever a commit comes to, each occurrence runs once."""
    work = Work()

    async def main() -> None:
        async with a_world(store) as world:
            node = await world.start({"work": work.work})
            await node.scheduler.schedules.put(MINUTELY)
            world.faults["commit", world.calls["commit"] + 2] = fault
            await trio.sleep(200)
            assert world.calls[f"commit: {fault}"] == 1
            assert {row.state for row in await all_runs(node.repository, "often")} <= {State.SUCCEEDED, State.RUNNING}

    in_virtual_time(main)
    assert set(work.begun.values()) == {1}
    assert len(work.begun) == 3


def test_a_question_that_goes_wrong_is_an_error_of_the_repository() -> None:
    """And the next one is answered."""

    async def main() -> None:
        async with a_world() as world:
            node = await world.start()
            world.faults["find_runs", 1] = Fault.BEFORE
            with pytest.raises(RepositoryError, match="planted"):
                await node.scheduler.runs.find()
            assert (await node.scheduler.runs.find()).rows == []

    in_virtual_time(main)
