"""A fixed delay counts from the end of its run, however that comes about, and never stands still (S4.2)."""

from __future__ import annotations

import pytest
import trio

from tests.world import a_node, in_virtual_time
from trioarm import After, InMemoryScheduleRepository, Once, Reason, RunContext, State
from trioarm.core.instants import HOUR, MINUTE, as_datetime

from .nodes import NEVER_AGAIN, a_config, at, every, keeping, once, rows_of


async def works(run: RunContext) -> None:
    """Take a second."""
    await trio.sleep(1)


@pytest.mark.parametrize("ending", ["succeeds", "fails", "is cancelled", "times out"])
def test_a_fixed_delay_counts_from_the_end_of_its_run(ending: str) -> None:
    """However the run ends (S4.2)."""

    async def work(run: RunContext) -> None:
        await trio.sleep(30)
        if ending == "fails":
            raise OSError("no")
        if ending != "succeeds":
            await trio.sleep_forever()

    async def main() -> None:
        repository = InMemoryScheduleRepository()
        schedule = every("after", After(600), retry=NEVER_AGAIN, timeout_s=100.0)
        async with a_node({"work": work}, a_config(drain_s=0), store=keeping(repository)) as (scheduler, _):
            await scheduler.schedules.put(schedule)
            await trio.sleep(650)
            if ending == "is cancelled":
                await scheduler.runs.cancel("after@2026-11-23T22:10:00Z")
            await trio.sleep(750)
            first, second = await rows_of(repository, schedule)
            assert first.nominal_at == at(600)
            assert second.nominal_at == (first.finished_at or 0) + 10 * MINUTE

    in_virtual_time(main)


def test_a_fixed_delay_goes_on_although_its_run_was_cancelled_before_it_began() -> None:
    """The end of a run is its end, whether a handler was called or not."""

    async def main() -> None:
        repository = InMemoryScheduleRepository()
        schedule = every("after", After(600), handler="elsewhere")
        async with a_node({"work": works}, store=keeping(repository)) as (scheduler, _):
            await scheduler.schedules.put(schedule)
            await trio.sleep(700)
            await scheduler.runs.cancel("after@2026-11-23T22:10:00Z")
            assert (await scheduler.schedules.get("after")).next_due_at == as_datetime(at(1300))

    in_virtual_time(main)


def test_a_fixed_delay_goes_on_although_no_worker_was_free_in_time() -> None:
    """A run that was missed for want of workers has ended, too."""

    async def hangs(run: RunContext) -> None:
        await trio.sleep_forever()

    async def main() -> None:
        repository = InMemoryScheduleRepository()
        config = a_config(1, queue_timeout_s=60.0, timeout_s=86_400.0, drain_s=0)
        async with a_node({"work": hangs}, config, store=keeping(repository)) as (scheduler, _):
            await scheduler.schedules.put_many([once("first"), every("after", After(600))])
            await trio.sleep(700)
            (run,) = await rows_of(repository, every("after", After(600)))
            assert (run.state, run.reason) == (State.MISSED, Reason.QUEUE_TIMEOUT)
            assert (await scheduler.schedules.get("after")).next_due_at == as_datetime(at(660) + 10 * MINUTE)

    in_virtual_time(main)


def test_a_fixed_delay_goes_on_after_a_pause_longer_than_itself() -> None:
    """What came due meanwhile is skipped, and its skip is the end it counts from."""

    async def main() -> None:
        repository = InMemoryScheduleRepository()
        async with a_node({"work": works}, store=keeping(repository)) as (scheduler, _):
            await scheduler.schedules.put(every("after", After(600)))
            await trio.sleep(60)
            await scheduler.schedules.pause("after")
            await trio.sleep(3600)
            resumed = await scheduler.schedules.resume("after")
            assert resumed.next_due_at == as_datetime(at(3660) + 10 * MINUTE)
            (row,) = await rows_of(repository, every("after", After(600)))
            assert (row.state, row.reason, row.nominal_at) == (State.SKIPPED, Reason.PAUSED, at(600))

    in_virtual_time(main)


@pytest.mark.parametrize("fired", [False, True])
def test_a_fixed_delay_goes_on_although_its_waiting_run_was_superseded(fired: bool) -> None:
    """Whether a later occurrence of the lane took its place, or a run that a person asked for."""

    async def main() -> None:
        schedules = [
            every("after", After(600), handler="elsewhere", lane="house", supersede=True),
            every("newer", Once(at(50_000 if fired else 700)), lane="house", supersede=True),
        ]
        repository = InMemoryScheduleRepository()
        async with a_node({"work": works}, store=keeping(repository)) as (scheduler, _):
            await scheduler.schedules.put_many(schedules)
            await trio.sleep(700)
            if fired:
                await scheduler.runs.fire("newer")
            await trio.sleep(10)
            run, _newer = await rows_of(repository, *schedules)
            assert (run.state, run.reason) == (State.SUPERSEDED, Reason.SUPERSEDED)
            assert (await scheduler.schedules.get("after")).next_due_at == as_datetime(at(700) + 10 * MINUTE)

    in_virtual_time(main)


def test_a_fixed_delay_whose_run_ends_during_a_pause_goes_on_afterwards() -> None:
    """The pause holds back what is to come, not what works."""

    async def slow(run: RunContext) -> None:
        await trio.sleep(100)

    async def main() -> None:
        async with a_node({"work": slow}, a_config()) as (scheduler, _):
            await scheduler.schedules.put(every("after", After(600)))
            await trio.sleep(650)
            await scheduler.schedules.pause("after")
            await trio.sleep(HOUR / 1e6)
            resumed = await scheduler.schedules.resume("after")
            assert resumed.next_due_at is not None
            assert as_datetime(at(650 + 3600)) < resumed.next_due_at <= as_datetime(at(650 + 3600 + 600))

    in_virtual_time(main)
