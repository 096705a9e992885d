"""What an attack on a running node must not bring about: each test says what holds, and once did not."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing

from trioarm import Retry, RunContext
from trioarm.core.instants import EARLIEST
from trioarm.core.record import ScheduleState
from trioarm.core.states import Reason, State, WaitingFor
from trioarm.core.triggers import After, Every
from trioarm.engine.clock import VirtualClock
from trioarm.engine.hub import BUFFER
from trioarm.engine.ports import Clock
from trioarm.repositories.memory.ready import ReadyQueue

from ..making import a_run
from ..world import a_node, in_virtual_time
from .nodes import NEVER_AGAIN, a_config, at, every, once, runs_after


class Unspeakable(Exception):
    """An error that cannot even be put into words."""

    def __str__(self) -> str:
        raise ValueError("no words")


async def cancelled_by_nobody(run: RunContext) -> None:
    """Raise a cancellation that has left its scope, as an async generator with a nursery around its yield does."""
    with trio.CancelScope() as scope:
        scope.cancel()
        try:
            await trio.sleep_forever()
        except trio.Cancelled as cancelled:
            stray = cancelled
    raise stray


async def unspeakable(run: RunContext) -> None:
    raise Unspeakable


async def not_text(run: RunContext) -> None:
    raise ValueError(b"caf\xe9".decode(errors="surrogateescape"))


async def bottomless(run: RunContext) -> None:
    error: Exception = ValueError("at the bottom")
    for _ in range(3000):
        error = ExceptionGroup("nested", [error])
    raise error


@pytest.mark.parametrize(
    ("handler", "said"),
    [
        pytest.param(cancelled_by_nobody, "Cancelled: ", id="a cancellation of its own"),
        pytest.param(unspeakable, "Unspeakable: no message", id="an error without words"),
        pytest.param(not_text, r"ValueError: caf\udce9", id="words that are no text"),
        pytest.param(bottomless, "ExceptionGroup: nested too deep to be looked into", id="groups of groups"),
    ],
)
def test_whatever_a_handler_raises_is_its_own_failure_and_the_node_goes_on(handler: Any, said: str) -> None:
    """S2.6, S6.7: it fails with words that can be kept, and the next run finds a worker."""

    async def work(run: RunContext) -> None:
        if run.schedule == "bad":
            await handler(run)

    bad, good = runs_after(60, work, once("bad", retry=NEVER_AGAIN), once("good", 20.0))
    assert bad.state is State.FAILED
    assert bad.error is not None
    assert bad.error.startswith(said)
    bad.error.encode()
    assert good.state is State.SUCCEEDED


@pytest.mark.parametrize("put_anew", [False, True])
def test_a_fixed_delay_outlives_a_clock_that_is_set_back_while_it_works(put_anew: bool) -> None:
    """S3.3, S4.2: once the clock has caught up with what was decided it goes on, and runs nothing in between."""

    async def main() -> None:
        began = []

        async def work(run: RunContext) -> None:
            began.append(trio.current_time())
            await trio.sleep(1)

        async with a_node({"work": work}, check_interval_s=60.0) as (scheduler, container):
            clock = container.get(Clock)
            assert isinstance(clock, VirtualClock)
            await scheduler.schedules.put(every("one", After(600)))
            await trio.sleep(600 if put_anew else 600.5)
            clock.step(-600)
            if put_anew:
                await trio.sleep(2)
                await scheduler.schedules.put(every("one", After(300)))
            await trio.sleep(600 + 301 if put_anew else 600 + 601)
            assert len(began) == 2
            await trio.sleep(3600)
            assert len(began) > 5

    in_virtual_time(main)


def test_a_retry_that_comes_due_while_all_are_busy_starts_as_soon_as_one_is_not() -> None:
    """S6.1: whoever leaves room wakes the engine when somebody waits for it, however that one came to wait."""

    async def work(run: RunContext) -> None:
        if run.schedule == "again" and run.attempt == 1:
            raise Retry("not yet", after_s=5)
        if run.schedule == "long":
            await trio.sleep(20)

    again, long = runs_after(3600, work, once("again", 10.0), once("long", 11.0), config=a_config(workers=1))
    assert again.state is long.state is State.SUCCEEDED
    assert again.started_at == long.finished_at


def test_a_handler_that_listens_again_is_called_again_at_once() -> None:
    """S6.3: who was lost to it wakes the engine on return, for the runs that nobody could be claimed for."""

    async def work(run: RunContext) -> None:
        if run.schedule == "deaf":
            with trio.CancelScope(shield=True):
                await trio.sleep(1000)

    schedules = [once("deaf", 10.0, timeout_s=5.0), once("next", 500.0, misfire_window_s=3600.0)]
    deaf, following = runs_after(3600, work, *schedules, config=a_config(workers=1, queue_timeout_s=7200.0))
    assert (deaf.state, deaf.reason) == (State.TIMED_OUT, Reason.STUCK)
    assert following.state is State.SUCCEEDED
    assert following.started_at == at(1010)


@pytest.mark.parametrize("delivery", ["at_least_once", "at_most_once"])
def test_nothing_is_claimed_for_a_pool_whose_workers_are_all_lost(delivery: str) -> None:
    """S2.2, S6.2: it stays pending, where its limit ends the wait and health names it, until a worker is back."""

    async def main() -> None:
        let_go = trio.Event()

        async def deaf(run: RunContext) -> None:
            with trio.CancelScope(shield=True):
                await let_go.wait()

        async def work(run: RunContext) -> None:
            pass

        handlers = {"one": deaf, "two": deaf, "work": work}
        async with a_node(handlers, a_config(workers=1, held=5)) as (scheduler, _):
            deafs = [
                once(name, after_s, handler=name, timeout_s=5.0) for name, after_s in (("one", 10.0), ("two", 30.0))
            ]
            await scheduler.schedules.put_many([*deafs, every("work", Every(86400.0), delivery=delivery)])
            await trio.sleep(60)
            run = await scheduler.runs.fire("work")
            await trio.sleep(60)
            assert (await scheduler.runs.get(run.id)).state is State.PENDING
            let_go.set()
            await trio.sleep(1)
            assert (await scheduler.runs.get(run.id)).state is State.SUCCEEDED

    in_virtual_time(main)


def test_a_queue_that_nobody_looks_at_keeps_only_what_waits() -> None:
    """S9.3: what was fired for a handler unknown here, or for a pool that stays full, and then cancelled, is gone."""
    queue, waits = ReadyQueue("work"), a_run(run_id=1, waiting_for=WaitingFor.HANDLER)
    queue.put(waits)
    for run_id in range(2, 10_000):
        run = a_run(run_id=run_id, waiting_for=WaitingFor.HANDLER)
        queue.put(run)
        run.state = State.CANCELLED
    assert len(queue) < 2_000
    assert queue.peek(10, EARLIEST, ()) == [waits]


def test_who_waits_for_a_run_hears_of_its_end_however_many_end_with_it() -> None:
    """S6.9: an observer is told that it missed something even when nothing more happens."""

    async def main() -> None:
        async def work(run: RunContext) -> None:
            await trio.sleep(60)

        async with a_node({"work": work}) as (scheduler, _):
            await scheduler.schedules.put(every("one", Every(86400.0), lane="one"))
            last = await scheduler.runs.fire("one")
            for _ in range(BUFFER + 10):
                await trio.sleep(0.001)
                last = await scheduler.runs.fire("one")
            with trio.fail_after(1):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(scheduler.runs.wait, last.key)
                    await trio.testing.wait_all_tasks_blocked()
                    await scheduler.schedules.remove("one")

    in_virtual_time(main)


@pytest.mark.parametrize("limit", [{"max_runs": 1}, {"end_at": at(15.0)}])
@pytest.mark.parametrize("paused", [False, True])
def test_a_fixed_delay_that_has_ended_goes_on_once_its_limit_is_lifted(limit: dict[str, Any], paused: bool) -> None:
    """S4.2, S5.6: with no run at work it counts from the change; resumed within its limit, it stays finished."""

    async def main() -> None:
        async def work(run: RunContext) -> None:
            await trio.sleep(1)

        async with a_node({"work": work}) as (scheduler, _):
            await scheduler.schedules.put(every("one", After(10), **limit))
            await trio.sleep(100)
            if paused:
                await scheduler.schedules.pause("one")
                await trio.sleep(100)
                await scheduler.schedules.resume("one")
            assert (await scheduler.schedules.get("one")).state is ScheduleState.FINISHED
            if paused:
                await scheduler.schedules.pause("one")
                await trio.sleep(100)
            await scheduler.schedules.put(every("one", After(10)))
            if paused:
                await trio.sleep(100)
                await scheduler.schedules.resume("one")
            await trio.sleep(35)
            assert (await scheduler.schedules.get("one")).runs == 4

    in_virtual_time(main)


def test_however_many_are_fired_at_one_instant_each_is_a_run_of_its_own() -> None:
    """S2.4: a clock that stands still, or counts in coarse steps, is nobody who was faster."""

    async def main() -> None:
        async def work(run: RunContext) -> None:
            pass

        async with a_node({"work": work}) as (scheduler, _):
            await scheduler.schedules.put(every("one", Every(86400.0)))
            fired = [await scheduler.runs.fire("one") for _ in range(50)]
            assert len({run.id for run in fired}) == 50
            for run in fired:
                assert (await scheduler.runs.wait(run.id)).state is State.SUCCEEDED

    in_virtual_time(main)
