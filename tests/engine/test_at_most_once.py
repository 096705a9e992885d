"""What runs at most once: one call, whatever happens to it (S2.2)."""

from __future__ import annotations

import attrs
import trio

from tests.world import a_node, in_virtual_time
from trioarm import (
    Delivery,
    InMemoryScheduleRepository,
    Reason,
    RetryPolicy,
    RunContext,
    State,
)
from trioarm.core.run import RunRecord

from .nodes import a_config, at, keeping, once, rows_of


def outcomes(rows: list[RunRecord]) -> list[tuple[str, State, Reason | None]]:
    """Return name, state and reason of each row."""
    return [(run.schedule.schedule.name, run.state, run.reason) for run in rows]


class Fails:
    """A handler that fails, and notes which runs it was called for."""

    def __init__(self) -> None:
        self.called: list[str] = []

    async def work(self, run: RunContext) -> None:
        """Fail."""
        self.called.append(run.id)
        raise OSError("no answer")


def test_what_runs_at_most_once_is_called_once() -> None:
    """No retry follows a failure, whatever the retry policy says (S2.2)."""
    fails = Fails()

    async def main() -> list[RunRecord]:
        repository = InMemoryScheduleRepository()
        schedule = once(delivery=Delivery.AT_MOST_ONCE)
        async with a_node({"work": fails.work}, a_config(), store=keeping(repository)) as (scheduler, _):
            await scheduler.schedules.put(schedule)
            await trio.sleep(600)
            return await rows_of(repository, schedule)

    assert outcomes(in_virtual_time(main)) == [("one", State.FAILED, Reason.ERROR)]
    assert len(fails.called) == 1


def test_what_runs_at_most_once_and_was_called_when_the_node_stopped_is_unknown() -> None:
    """Nobody can tell how far it came, so nobody calls it again (S2.2)."""
    called: list[str] = []

    async def work(run: RunContext) -> None:
        called.append(run.id)
        await trio.sleep_forever()

    async def main() -> list[RunRecord]:
        repository = InMemoryScheduleRepository()
        schedule = once(delivery=Delivery.AT_MOST_ONCE)
        config = a_config(drain_s=5)
        async with a_node({"work": work}, config, store=keeping(repository)) as (scheduler, _):
            await scheduler.schedules.put(schedule)
            await trio.sleep(15)
        async with a_node({"work": work}, config, store=keeping(repository), start_at=at(20)):
            await trio.sleep(600)
        return await rows_of(repository, schedule)

    assert outcomes(in_virtual_time(main)) == [("one", State.UNKNOWN, Reason.SHUTDOWN)]
    assert len(called) == 1


def test_what_runs_at_most_once_is_claimed_only_for_an_idle_worker() -> None:
    """A claim that waits in a queue could be lost before its call, so it waits for a worker unclaimed (S2.2)."""

    async def main() -> None:
        repository = InMemoryScheduleRepository()

        async def work(run: RunContext) -> None:
            await trio.sleep(30)

        schedules = once("busy"), once("fragile", 15, delivery=Delivery.AT_MOST_ONCE), once("robust", 16)
        async with a_node({"work": work}, a_config(1, 3), store=keeping(repository)) as (scheduler, _):
            await scheduler.schedules.put_many(schedules)
            await trio.sleep(20)
            states = {run.schedule.schedule.name: run.state for run in await rows_of(repository, *schedules)}
            assert states["busy"] is State.RUNNING
            assert states["fragile"] is State.PENDING
            await trio.sleep(600)
            assert {run.state for run in await rows_of(repository, *schedules)} == {State.SUCCEEDED}

    in_virtual_time(main)


def test_what_waits_for_another_attempt_is_not_called_once_it_is_to_run_at_most_once() -> None:
    """Who asks for that does not want what failed before to be tried again in ten seconds (S2.2)."""
    fails = Fails()

    async def main() -> list[RunRecord]:
        repository = InMemoryScheduleRepository()
        schedule = once(retry=RetryPolicy(3, base_s=10.0))
        async with a_node({"work": fails.work}, a_config(), store=keeping(repository)) as (scheduler, _):
            await scheduler.schedules.put(schedule)
            await trio.sleep(15)
            await scheduler.schedules.put(attrs.evolve(schedule, delivery=Delivery.AT_MOST_ONCE))
            await trio.sleep(600)
            return await rows_of(repository, schedule)

    [run] = in_virtual_time(main)
    assert (run.state, run.reason) == (State.FAILED, Reason.DISCARDED)
    assert run.error == "OSError: no answer; it runs at most once, so it is not called again"
    assert len(fails.called) == 1
