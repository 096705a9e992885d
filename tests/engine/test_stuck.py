"""Handlers that ignore their cancellation: recorded without them, named, and their workers replaced (S6.3)."""

from __future__ import annotations

import logging
import re

import pytest
import trio

from tests.world import a_node, in_virtual_time
from trioarm import (
    InMemoryScheduleRepository,
    Reason,
    RunContext,
    Scheduler,
    State,
)
from trioarm.core.events import Event, HandlerStuck, RunFinished
from trioarm.engine.attempt import STUCK_GRACE_S
from trioarm.engine.health import Level
from trioarm.engine.hub import Subscription
from trioarm.engine.whereabouts import LINES_MAX, TASKS_MAX

from .nodes import a_config, keeping, once, rows_of


class Deaf:
    """A handler that ignores its cancellation until it is let go, at the latest when its context ends."""

    def __init__(self) -> None:
        self.let_go = trio.Event()
        self.called: list[str] = []

    def __enter__(self) -> Deaf:
        return self

    def __exit__(self, *_: object) -> None:
        self.let_go.set()

    async def __call__(self, run: RunContext) -> None:
        """Wait behind a shield."""
        self.called.append(run.schedule)
        with trio.CancelScope(shield=True):
            await self.let_go.wait()


async def drained(events: Subscription) -> list[Event]:
    """Return what has been published until now."""
    seen: list[Event] = []
    with trio.move_on_after(1):
        async for event in events:
            seen.append(event)
    return seen


async def works(run: RunContext) -> None:
    """Take a second."""
    await trio.sleep(1)


def test_a_handler_that_ignores_its_cancellation_is_named_and_its_worker_replaced(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Its run is recorded without it, once; others go on with as many workers as before (S6.3)."""

    async def main() -> None:
        deaf = Deaf()
        repository = InMemoryScheduleRepository()
        config = a_config(workers=1)
        async with a_node({"deaf": deaf, "work": works}, config, store=keeping(repository)) as (scheduler, _):
            with deaf, scheduler.subscribe(HandlerStuck, RunFinished) as events:
                await scheduler.schedules.put_many([once("deaf", handler="deaf", timeout_s=5), once("other", 500)])
                await trio.sleep(10 + 5 + STUCK_GRACE_S + 0.1)
                (run,) = await rows_of(repository, once("deaf"))
                assert (run.state, run.reason, run.attempt) == (State.TIMED_OUT, Reason.STUCK, 1)
                line = Deaf.__call__.__code__.co_firstlineno + 4
                said = "handler 'deaf' ignores its cancellation; its worker is lost to it in"
                assert run.error == f"{said} __call__ (test_stuck.py, line {line})"
                report = await scheduler.health()
                executor = next(item for item in report.components if item.component == "executor")
                assert executor.level is Level.DEGRADED
                assert executor.reasons == (f"handler 'deaf' ignores its cancellation (run {run.run_id})",)
                assert await _succeeds(scheduler, "other")
                deaf.let_go.set()
                await trio.sleep(1)
                assert (await scheduler.health()).level is Level.HEALTHY
                assert run.state is State.TIMED_OUT
                seen = await drained(events)
        stuck = [event for event in seen if isinstance(event, HandlerStuck)]
        assert [(event.handler, event.run_id) for event in stuck] == [("deaf", run.run_id)]
        assert len([event for event in seen if isinstance(event, RunFinished) and event.run.schedule == "deaf"]) == 1

    with caplog.at_level(logging.ERROR, "trioarm"):
        in_virtual_time(main)
    assert any("handler 'deaf' has ignored its cancellation for" in record.message for record in caplog.records)


async def _succeeds(scheduler: Scheduler, name: str) -> bool:
    """Say whether a run of a schedule ends well within a minute."""
    run = await scheduler.runs.fire(name)
    with trio.move_on_after(60):
        return (await scheduler.runs.wait(run.id)).state is State.SUCCEEDED
    await scheduler.runs.cancel(run.id)
    return False


def test_a_handler_that_has_lost_a_whole_pool_is_not_called_any_more() -> None:
    """Its runs stay pending, those of other handlers are worked on; once it listens again it is called again (S6.3)."""

    async def main() -> None:
        deaf = Deaf()
        repository = InMemoryScheduleRepository()
        config = a_config(workers=2, check_interval_s=60.0)
        handlers = {"deaf": deaf, "work": works}
        async with a_node(handlers, config, store=keeping(repository), check_interval_s=60) as (scheduler, _):
            with deaf:
                await scheduler.schedules.put_many(
                    [once(f"deaf{index}", handler="deaf", timeout_s=5) for index in range(3)] + [once("other", 500)]
                )
                await trio.sleep(100)
                assert sorted(deaf.called) == ["deaf0", "deaf1"]
                (third,) = await rows_of(repository, once("deaf2"))
                assert third.state is State.PENDING
                for _ in range(5):
                    assert await _succeeds(scheduler, "other")
                (third,) = await rows_of(repository, once("deaf2"))
                assert third.state is State.PENDING
                deaf.let_go.set()
                await trio.sleep(61)
                (third,) = await rows_of(repository, once("deaf2"))
                assert third.state is State.SUCCEEDED
                assert await _succeeds(scheduler, "other")

    in_virtual_time(main)


def test_workers_that_could_not_be_replaced_come_back_with_their_handlers() -> None:
    """However many handlers were deaf at once, a pool is whole again when they return."""

    async def main() -> None:
        one, two = Deaf(), Deaf()
        config = a_config(workers=1)
        async with a_node({"one": one, "two": two, "work": works}, config, check_interval_s=60) as (scheduler, _):
            with one, two:
                await scheduler.schedules.put_many(
                    [
                        once("one", 10, handler="one", timeout_s=5),
                        once("two", 50, handler="two", timeout_s=5),
                        once("other", 5000),
                    ]
                )
                await trio.sleep(100)
                assert (one.called, two.called) == (["one"], ["two"])
                assert not await _succeeds(scheduler, "other")
                one.let_go.set()
                two.let_go.set()
                await trio.sleep(61)
                assert await _succeeds(scheduler, "other")

    in_virtual_time(main)


async def fetch(let_go: trio.Event, depth: int) -> None:
    """Wait behind a shield, so many calls further down."""
    if depth:
        await fetch(let_go, depth - 1)
    with trio.CancelScope(shield=True):
        await let_go.wait()


async def download(let_go: trio.Event, tasks: int, depth: int) -> None:
    """Wait for so many tasks that ignore their cancellation; for none in itself."""
    async with trio.open_nursery() as nursery:
        for _ in range(tasks):
            nursery.start_soon(fetch, let_go, depth)
        if not tasks:
            await fetch(let_go, depth)


@pytest.mark.parametrize(
    ("tasks", "depth", "frames"),
    [
        (0, 0, ["gets", "download", "fetch"]),
        (0, 500, ["fetch"] * LINES_MAX),
        (1, 0, ["gets", "download", "fetch"]),
        (1, 500, ["gets", "download", *["fetch"] * LINES_MAX]),
        (50, 1, ["gets", "download", *["fetch"] * 2 * (TASKS_MAX - 1)]),
    ],
)
def test_a_stuck_handler_is_told_with_its_frames(
    caplog: pytest.LogCaptureFixture, tasks: int, depth: int, frames: list[str]
) -> None:
    """The log has the way to where it is, also in tasks it started, and no more than a few lines of it (S6.3)."""
    let_go = trio.Event()

    async def gets(run: RunContext) -> None:
        await download(let_go, tasks, depth)

    async def main() -> str | None:
        repository = InMemoryScheduleRepository()
        async with a_node({"work": gets}, a_config(workers=1), store=keeping(repository)) as (scheduler, _):
            await scheduler.schedules.put(once("deaf", timeout_s=5))
            await trio.sleep(10 + 5 + STUCK_GRACE_S + 0.1)
            (run,) = await rows_of(repository, once("deaf"))
            let_go.set()
            return run.error

    with caplog.at_level(logging.ERROR, "trioarm"):
        error = in_virtual_time(main)
    shielded = fetch.__code__.co_firstlineno + 5
    assert error is not None
    assert error.endswith(f" its worker is lost to it in fetch (test_stuck.py, line {shielded})")
    [told] = [record.message for record in caplog.records if "has ignored its cancellation" in record.message]
    assert "\n" not in told
    way = told.partition("): it is in ")[2].split(" > ")
    assert [place.split(" (")[0] for place in way] == frames
    assert all(re.fullmatch(r"\w+ \(test_stuck\.py, line \d+\)", place) for place in way)
