"""How a node stops: draining, leaving in a hurry, crashing aloud (S8)."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import pytest
import trio

from tests.world import a_node, in_virtual_time
from trioarm import (
    InMemoryScheduleRepository,
    Reason,
    RepositoryError,
    RunContext,
    Schedule,
    State,
)
from trioarm.core.run import RunRecord
from trioarm.engine.health import Level
from trioarm.engine.ports import DueView
from trioarm.testing import Fault, FileStore, a_world
from trioarm.testing.faults import Away

from .nodes import a_config, at, keeping, once, rows_of


async def takes_20_s(run: RunContext) -> str:
    """Take twenty seconds."""
    await trio.sleep(20)
    return "done"


async def never_ends(run: RunContext) -> None:
    """Hang."""
    await trio.sleep_forever()


async def the_run(repository: InMemoryScheduleRepository, schedule: Schedule | None = None) -> RunRecord:
    """Return the one row of the schedule `one`."""
    (run,) = await rows_of(repository, schedule or once())
    return run


def test_leaving_lets_running_handlers_end() -> None:
    """The context ends when the handler has, its outcome is recorded, and nothing new begins meanwhile (S8.3)."""

    async def main() -> tuple[float, RunRecord, list[RunRecord]]:
        repository = InMemoryScheduleRepository()
        async with a_node({"work": takes_20_s}, a_config(drain_s=30), store=keeping(repository)) as (scheduler, _):
            await scheduler.schedules.put_many([once(), once("later", 20)])
            await trio.sleep(15)
            left = trio.current_time()
        return trio.current_time() - left, await the_run(repository), await rows_of(repository, once("later"))

    took, run, later = in_virtual_time(main)
    assert took == pytest.approx(15)
    assert (run.state, run.result, run.finished_at) == (State.SUCCEEDED, "done", at(30))
    assert later == []


def test_queued_runs_are_given_back_when_the_node_stops() -> None:
    """What no worker has begun waits for the next node without having used an attempt (S7.3)."""

    async def main() -> list[RunRecord]:
        repository = InMemoryScheduleRepository()
        config = a_config(workers=1, held=3)
        schedules = once("a"), once("b"), once("c")
        async with a_node({"work": takes_20_s}, config, store=keeping(repository)) as (scheduler, _):
            await scheduler.schedules.put_many(schedules)
            await trio.sleep(15)
        rows = await rows_of(repository, *schedules)
        assert sorted((run.state, run.attempt) for run in rows) == [
            (State.PENDING, 0),
            (State.PENDING, 0),
            (State.SUCCEEDED, 1),
        ]
        async with a_node({"work": takes_20_s}, config, store=keeping(repository), start_at=at(40)):
            await trio.sleep(60)
        return await rows_of(repository, *schedules)

    assert {(run.state, run.attempt) for run in in_virtual_time(main)} == {(State.SUCCEEDED, 1)}


def test_past_the_drain_deadline_handlers_are_cancelled_and_given_back() -> None:
    """The run waits for the next node, without having used an attempt (S7.3, S8.2)."""

    async def main() -> tuple[float, RunRecord]:
        repository = InMemoryScheduleRepository()
        async with a_node({"work": never_ends}, a_config(drain_s=7), store=keeping(repository)) as (scheduler, _):
            await scheduler.schedules.put(once())
            await trio.sleep(15)
            left = trio.current_time()
        took = trio.current_time() - left
        run = await the_run(repository)
        assert (run.state, run.attempt, run.token) == (State.PENDING, 0, 1)
        async with a_node({"work": takes_20_s}, store=keeping(repository), start_at=at(60)):
            await trio.sleep(30)
        return took, await the_run(repository)

    took, run = in_virtual_time(main)
    assert took == pytest.approx(7)
    assert (run.state, run.attempt, run.token, run.started_at) == (State.SUCCEEDED, 1, 2, at(60))


def test_a_handler_that_ignores_the_end_of_the_node_is_recorded_before_all_wait_for_it() -> None:
    """Nothing can end such a task, but what is known of its run is kept, and so is every other outcome."""

    async def main() -> None:
        repository = InMemoryScheduleRepository()
        let_go = trio.Event()

        async def deaf(run: RunContext) -> None:
            with trio.CancelScope(shield=True):
                await let_go.wait()

        async def node() -> None:
            config = a_config(drain_s=5)
            async with a_node({"deaf": deaf, "work": never_ends}, config, store=keeping(repository)) as (scheduler, _):
                await scheduler.schedules.put_many([once("deaf", handler="deaf"), once()])
                await trio.sleep(15)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(node)
            await trio.sleep(15 + 5 + 5.1)
            deaf_run = await the_run(repository, once("deaf"))
            assert (deaf_run.state, deaf_run.reason) == (State.TIMED_OUT, Reason.STUCK)
            assert (await the_run(repository)).state is State.PENDING
            let_go.set()

    in_virtual_time(main)


def test_an_exception_of_the_body_leaves_as_itself_and_at_once() -> None:
    """Not in a group, not after the drain deadline; what ran is given back (S8.3)."""
    error = LookupError("the body's own")
    repository = InMemoryScheduleRepository()
    left: list[float] = []

    async def node() -> None:
        async with a_node({"work": takes_20_s}, a_config(drain_s=600), store=keeping(repository)) as (scheduler, _):
            await scheduler.schedules.put(once())
            await trio.sleep(15)
            left.append(trio.current_time())
            raise error

    async def main() -> RunRecord:
        with pytest.raises(LookupError) as caught:
            await node()
        assert caught.value is error
        assert trio.current_time() == left[0]
        return await the_run(repository)

    run = in_virtual_time(main)
    assert (run.state, run.attempt) == (State.PENDING, 0)


def test_a_group_raised_by_the_body_leaves_as_it_is() -> None:
    """It is the body's own exception, whatever it holds."""
    error = ExceptionGroup("mine", [ValueError("a"), ValueError("b")])

    async def node() -> None:
        async with a_node():
            raise error

    async def main() -> None:
        with pytest.raises(ExceptionGroup) as caught:
            await node()
        assert caught.value is error

    in_virtual_time(main)


def test_cancelling_the_body_from_outside_stops_at_once() -> None:
    """Outcomes are still recorded, and the cancellation ends at the scope it belongs to (S8.3)."""

    async def main() -> tuple[float, RunRecord]:
        repository = InMemoryScheduleRepository()
        began = trio.current_time()
        with trio.move_on_after(15) as scope:
            config = a_config(drain_s=600)
            async with a_node({"work": takes_20_s}, config, store=keeping(repository)) as (scheduler, _):
                await scheduler.schedules.put(once())
                await trio.sleep_forever()
        assert scope.cancelled_caught
        return trio.current_time() - began, await the_run(repository)

    took, run = in_virtual_time(main)
    assert took == pytest.approx(15)
    assert (run.state, run.attempt) == (State.PENDING, 0)


def test_the_last_outcomes_reach_a_file_although_the_node_is_cancelled(tmp_path: Path) -> None:
    """The final write alone is shielded (S6.8): what is given back is so on the disk, and no attempt is counted."""
    store = FileStore(tmp_path / "trioarm.db")

    async def work(run: RunContext) -> None:
        await trio.sleep(20)

    async def main() -> tuple[State, int]:
        with trio.move_on_after(15):
            async with a_node({"work": work}, a_config(drain_s=600), store=lambda _: store.open()) as (scheduler, _):
                await scheduler.schedules.put(once())
                await trio.sleep_forever()
        repository = store.open()
        await repository.open()
        [run] = await rows_of(repository, once())
        await repository.close()
        return run.state, run.attempt

    assert in_virtual_time(main) == (State.PENDING, 0)


def test_cancelling_while_draining_stops_at_once() -> None:
    """A person who waits no longer does not wait."""

    async def main() -> tuple[float, RunRecord]:
        repository = InMemoryScheduleRepository()
        began = trio.current_time()
        with trio.move_on_after(20):
            config = a_config(drain_s=600)
            async with a_node({"work": never_ends}, config, store=keeping(repository)) as (scheduler, _):
                await scheduler.schedules.put(once())
                await trio.sleep(15)
        return trio.current_time() - began, await the_run(repository)

    took, run = in_virtual_time(main)
    assert took == pytest.approx(20)
    assert (run.state, run.attempt) == (State.PENDING, 0)


class Crashing(InMemoryScheduleRepository):
    """A repository that breaks after a while.

    Args:
        error: what it raises then.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error
        self.broken = False
        self.closed = False

    async def read_due(self, now: int, limit: int) -> DueView:
        """Say what is due, or break."""
        if self.broken:
            raise self.error
        return await super().read_due(now, limit)

    async def close(self) -> None:
        """Note it."""
        self.closed = True


def test_a_crash_inside_the_engine_is_loud() -> None:
    """The body is cancelled, the error leaves as itself, what ran is given back, the repository closed (S8.1)."""
    repository = Crashing(ZeroDivisionError("a mistake of ours"))

    async def node() -> NoReturn:
        async with a_node({"work": never_ends}, a_config(), store=keeping(repository)) as (scheduler, _):
            await scheduler.schedules.put_many([once(), once("two", 30)])
            await trio.sleep(20)
            repository.broken = True
            await trio.sleep_forever()
        raise AssertionError("the node outlived its engine")

    async def main() -> RunRecord:
        with pytest.raises(ZeroDivisionError, match=r"^a mistake of ours$"):
            await node()
        return await the_run(repository)

    run = in_virtual_time(main)
    assert (run.state, run.attempt) == (State.PENDING, 0)
    assert repository.closed


def test_a_store_that_cannot_be_read_for_a_while_heals() -> None:
    """What runs goes on, nothing new begins, health says so; once it can be read again, what was due is decided."""
    repository = Crashing(RepositoryError("the disk is gone"))

    async def main() -> list[RunRecord]:
        async with a_node({"work": takes_20_s}, a_config(), store=keeping(repository)) as (scheduler, _):
            await scheduler.schedules.put_many([once(), once("two", 30)])
            await trio.sleep(20)
            repository.broken = True
            await trio.sleep(40)
            report = await scheduler.health()
            (bad,) = [item for item in report.components if item.level is not Level.HEALTHY]
            assert (bad.component, bad.reasons) == ("repository", ("the disk is gone",))
            repository.broken = False
            await trio.sleep(40)
            assert (await scheduler.health()).level is Level.HEALTHY
            return await rows_of(repository, once(), once("two", 30))

    first, second = in_virtual_time(main)
    assert (first.state, first.finished_at) == (State.SUCCEEDED, at(30))
    assert (second.state, second.started_at is not None) == (State.SUCCEEDED, True)
    assert at(60) <= (second.started_at or 0) <= at(62)


class CannotWrite(InMemoryScheduleRepository):
    """A repository that cannot write any more."""

    def __init__(self) -> None:
        super().__init__()
        self.broken = self.closed = False

    async def commit(self, changes: object) -> list:
        """Keep, or break."""
        if self.broken:
            raise RepositoryError("the disk is full")
        return await super().commit(changes)

    async def close(self) -> None:
        """Note it."""
        self.closed = True


def test_a_repository_that_cannot_write_is_closed_all_the_same() -> None:
    """When even the last outcomes cannot be written, the node still ends, with that error."""
    repository = CannotWrite()

    async def node() -> None:
        async with a_node({"work": takes_20_s}, a_config(), store=keeping(repository)) as (scheduler, _):
            await scheduler.schedules.put(once())
            await trio.sleep(15)
            repository.broken = True
            await trio.sleep_forever()

    async def main() -> None:
        with pytest.raises(RepositoryError, match=r"^the disk is full$"):
            await node()

    in_virtual_time(main)
    assert repository.closed


@pytest.mark.parametrize("away", [Away.STALL, Away.FAIL])
def test_a_store_that_is_away_keeps_a_node_from_ending_for_five_seconds_each(away: Away) -> None:
    """Once for the last outcomes, once to take its leave; what it could not keep is found by the next node (S6.8)."""

    async def main() -> tuple[float, list[RunRecord]]:
        async with a_world() as world:
            node = await world.start({"work": never_ends}, a_config(drain_s=7))
            await world.scheduler.schedules.put(once())
            await world.advance(15)
            node.line.break_off(away)
            left = trio.current_time()
            assert not await node.stop()
            took = trio.current_time() - left
            world.store.bury(node.repository, node.name)
            await world.start({"work": takes_20_s})
            await world.advance(30)
            return took, await rows_of(world.living[0].repository, once())

    took, [run] = in_virtual_time(main)
    assert took <= 7 + 5 + 5
    assert (run.state, run.token) == (State.SUCCEEDED, 2)


def test_what_is_claimed_while_a_node_drains_is_not_begun() -> None:
    """A last pass may have been at it: nothing new begins, so that nothing has to be cancelled that had begun late."""
    called: list[float] = []

    async def work(run: RunContext) -> None:
        called.append(trio.current_time())

    async def main() -> RunRecord:
        async with a_world() as world:
            node = await world.start({"work": work, "long": takes_20_s}, a_config(drain_s=30))
            await world.scheduler.schedules.put_many([once("long", 5, handler="long"), once()])
            await world.advance(9)
            world.plant(Fault.SLOW)
            await world.advance(3)
            assert await node.stop()
            assert called == []
            await world.start({"work": work})
            await world.advance(1)
            [run] = await rows_of(world.living[0].repository, once())
            return run

    run = in_virtual_time(main)
    assert (run.state, run.attempt, run.token, len(called)) == (State.SUCCEEDED, 1, 2, 1)
