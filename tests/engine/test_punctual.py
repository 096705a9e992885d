"""A node is awake a moment before something is due, has decided it by then, and begins it when it is (S3.2)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio

from trioarm import InMemoryScheduleRepository, RunContext, Scheduler, State
from trioarm.core.instants import SECOND
from trioarm.core.run import RunRecord
from trioarm.engine.clock import LEAD, VirtualClock
from trioarm.engine.ports import Clock

from ..world import a_node, in_virtual_time
from .nodes import a_config, at, keeping, once, rows_of

DUE_S = 10.0
LAST_MOMENT_S = DUE_S - LEAD / SECOND / 2  # the node is awake, and it is not due yet

Meanwhile = Callable[[Scheduler, VirtualClock], Awaitable[object]]


async def _nothing(scheduler: Scheduler, clock: VirtualClock) -> None:
    """Be what does not happen in the last moment."""


def played(meanwhile: Meanwhile = _nothing) -> tuple[list[int], list[RunRecord]]:
    """Return what the wall showed at each call of the handler of one schedule, and its rows, after a minute.

    Args:
        meanwhile: happens in the last moment before the schedule is due.
    """

    async def main() -> tuple[list[int], list[RunRecord]]:
        repository, calls = InMemoryScheduleRepository(), list[int]()

        async def work(run: RunContext) -> None:
            calls.append(clock.wall())

        async with a_node({"work": work}, a_config(), store=keeping(repository)) as (scheduler, container):
            found = container.get(Clock)
            assert isinstance(found, VirtualClock)
            clock = found
            schedule = once(seconds=DUE_S)
            await scheduler.schedules.put(schedule)
            await trio.sleep(LAST_MOMENT_S)
            await meanwhile(scheduler, clock)
            await trio.sleep(60)
            return calls, await rows_of(repository, schedule)

    found: tuple[list[int], list[RunRecord]] = in_virtual_time(main)
    return found


def test_what_is_due_begins_at_its_very_instant() -> None:
    """Not a microsecond before, although it was decided by then."""
    calls, [run] = played()
    assert calls == [at(DUE_S)]
    assert (run.decided_at, run.started_at, run.state) == (at(DUE_S), at(DUE_S), State.SUCCEEDED)


def test_nothing_is_written_before_it_is_due() -> None:
    """Whoever looks in the last moment finds the schedule as it was."""
    seen: list[int] = []

    async def look(scheduler: Scheduler, clock: VirtualClock) -> None:
        seen.append(len((await scheduler.runs.find()).rows))
        stored = await scheduler.schedules.get("one")
        assert stored is not None
        assert stored.next_due_at is not None
        assert round(stored.next_due_at.timestamp() * SECOND) == at(DUE_S)

    played(look)
    assert seen == [0]


async def _pause(scheduler: Scheduler, clock: VirtualClock) -> None:
    await scheduler.schedules.pause("one")


async def _skip(scheduler: Scheduler, clock: VirtualClock) -> None:
    await scheduler.schedules.skip_next("one")


async def _remove(scheduler: Scheduler, clock: VirtualClock) -> None:
    await scheduler.schedules.remove("one")


@pytest.mark.parametrize("say", [_pause, _skip, _remove])
def test_what_is_said_in_the_last_moment_counts(say: Meanwhile) -> None:
    """What was decided by then no longer fits, is not kept, and is decided anew."""
    calls, rows = played(say)
    assert calls == []
    assert all(row.state is State.SKIPPED for row in rows)


async def _set_back(scheduler: Scheduler, clock: VirtualClock) -> None:
    clock.step(-30)
    clock.tell()


def test_a_clock_that_is_set_back_in_the_last_moment_delays_nothing_and_repeats_nothing() -> None:
    """What was decided by then begins: a millisecond later the same step would have found it begun."""
    calls, [run] = played(_set_back)
    assert len(calls) == 1
    assert run.state is State.SUCCEEDED
