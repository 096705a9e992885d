"""A handler that blocks the loop: the lease is renewed from a thread meanwhile, and no longer than allowed (S7.2)."""

from __future__ import annotations

import logging
import re
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path

import pytest
import trio
import trio.testing

from trioarm import Every, RunContext, Schedule, SchedulerConfig, State, open_scheduler, scheduler_components
from trioarm.config import SchedulerSettings
from trioarm.core.run import Run
from trioarm.engine.executor import RunExecutor
from trioarm.engine.leases import Lease
from trioarm.engine.loop_watch import LoopWatch
from trioarm.engine.ports import Clock, ScheduleRepository
from trioarm.repositories.sqlite import SqliteScheduleRepository
from trioarm.repositories.sqlite.nodes import SystemBootClock

DEADLINE_S = 20.0
ANSWER_S = 0.05
LEASE_S = 3.0  # of the node on a real file
HERE = re.compile(r"\b(block_until|<lambda>|<genexpr>|count) \(test_loop_watch\.py, line \d+\) holds it up$")
GIVEN_UP = "nobody waits for it any longer"


class Heard(logging.Handler):
    """Keeps what is logged, in whichever thread."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self.lines.append(record.getMessage())

    def count(self, text: str) -> int:
        """Return how many lines have a text."""
        return sum(text in line for line in self.lines)


@contextmanager
def heard() -> Iterator[Heard]:
    """Hear what the watch logs."""
    handler, logger = Heard(), logging.getLogger("trioarm.loop")
    logger.addHandler(handler)
    try:
        yield handler
    finally:
        logger.removeHandler(handler)


class Probed(LoopWatch):
    """Says how often it has looked whether the loop turns; one that nobody blocks has time to answer."""

    looks = 0

    def _turns(self, within_s: float) -> bool:
        turns = False
        while not (turns or blocked.is_set()):  # only late, as a busy machine is
            turns = super()._turns(ANSWER_S)
        turns = turns or super()._turns(within_s)
        self.looks += 1
        return turns


blocked = threading.Event()


def block_until(condition: Callable[[], bool]) -> None:
    """Keep the loop from turning, as a handler does that polls."""
    deadline = time.monotonic() + DEADLINE_S
    blocked.set()
    try:
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.005)
    finally:
        blocked.clear()


@asynccontextmanager
async def watched(stand_in: Callable[[], float], answer_s: float, until_s: float) -> AsyncIterator[Probed]:
    """Watch the loop of this test, and ask it all the time."""
    watch = Probed(stand_in, ask_s=0.01, answer_s=answer_s, until_s=until_s)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch.run)
        await looked(watch, 1)
        yield watch
        nursery.cancel_scope.cancel()


async def looked(watch: Probed, times: int) -> None:
    """Let the loop turn until the watch has looked so often again."""
    looks = watch.looks
    with trio.fail_after(DEADLINE_S):
        while watch.looks < looks + times:
            await trio.lowlevel.checkpoint()


async def test_somebody_stands_in_while_the_loop_does_not_turn() -> None:
    """Again and again, after as long as it asks for; who blocks the loop is named once."""
    calls: list[float] = []

    def stand_in() -> float:
        calls.append(time.monotonic())
        return 0.03

    with heard() as said:
        async with watched(stand_in, ANSWER_S, until_s=2 * DEADLINE_S):
            block_until(lambda: len(calls) >= 3)
    assert calls[2] - calls[0] >= 0.06
    [line] = said.lines
    assert HERE.search(line)


async def test_nobody_stands_in_for_a_loop_that_has_not_turned_for_too_long(
    mock_clock: trio.testing.MockClock,
) -> None:
    """That is said once, and once the loop has turned, it may be blocked again for as long."""
    calls: list[float] = []

    def stand_in() -> float:
        mock_clock.jump(0.4)  # nothing else lets time pass
        calls.append(mock_clock.current_time())
        return 0.02

    with heard() as said:
        async with watched(stand_in, ANSWER_S, until_s=1.0) as watch:
            for times in (1, 2):
                block_until(lambda times=times: said.count(GIVEN_UP) == times)  # type: ignore[misc]
                assert len(calls) == 3
                calls.clear()
                looks = watch.looks
                block_until(lambda looks=looks: watch.looks > looks + 3)  # type: ignore[misc]
                assert not calls
                await looked(watch, 3)
    assert len(said.lines) == 2 * 2


async def test_nobody_stands_in_for_a_loop_that_turns() -> None:
    """It is asked, and answers."""

    def stand_in() -> float:
        raise AssertionError("the loop turns")

    async with watched(stand_in, DEADLINE_S, until_s=DEADLINE_S) as watch:
        await looked(watch, 5)


def lease_ends_at(path: Path) -> int:
    """Return when the lease of the only node of a store ends, in boot time."""
    with closing(sqlite3.connect(path)) as connection:
        [(ends_at,)] = connection.execute("SELECT expires_at FROM nodes").fetchall()
    return int(ends_at)


async def test_a_node_whose_loop_is_blocked_keeps_its_lease_for_a_while(tmp_path: Path) -> None:
    """Its lease is renewed though no task of it turns; then no longer, and it ends. What came of the blocked run is
    kept all the same, for nobody has taken it over (S7.2)."""
    path = tmp_path / "trioarm.db"

    async def blocking(run: RunContext) -> str:
        then = lease_ends_at(path)
        block_until(lambda: lease_ends_at(path) > then)
        block_until(lambda: said.count(GIVEN_UP) > 0)
        last = lease_ends_at(path)
        block_until(lambda: SystemBootClock().now() > last)
        assert lease_ends_at(path) == last
        return "came through"

    config = SchedulerConfig(scheduler=SchedulerSettings(store=f"sqlite:///{path}", health_check_interval_s=3600.0))
    container = scheduler_components(config, {"work": blocking})
    container.override(ScheduleRepository, lambda _: SqliteScheduleRepository(path, lease_s=LEASE_S))
    with heard() as said:
        async with open_scheduler(container=container) as scheduler:
            await scheduler.schedules.put(Schedule("blocks", Every(86400), handler="work"))
            fired = await scheduler.runs.fire("blocks")
            with trio.fail_after(DEADLINE_S):
                run: Run = await scheduler.runs.wait(fired.id)
    assert (run.state, run.result, run.attempt) == (State.SUCCEEDED, "came through", 1), run.error
    assert all(f": handler 'work' of run {run.id}: " in line for line in said.lines)
    assert said.count("block_until (test_loop_watch.py, line ") > 0  # or what it calls, at that moment


@pytest.mark.parametrize("in_child", [False, True])
async def test_who_blocks_the_loop_is_named_without_a_lease_too(in_child: bool) -> None:
    """Be it a task that the handler has started; a node in memory that is idle is not asked."""

    async def block() -> None:
        block_until(lambda: said.count("holds it up") > 0)

    async def blocking(run: RunContext, nursery: trio.Nursery) -> None:
        if in_child:
            nursery.start_soon(block)
        else:
            await block()

    asked: list[bool] = []

    def quick(stand_in: Callable[[], float], needed: Callable[[], bool], **_: float) -> LoopWatch:
        def heed() -> bool:
            asked.append(needed())
            return asked[-1]

        return Probed(stand_in, ask_s=0.01, answer_s=ANSWER_S, until_s=DEADLINE_S, needed=heed)

    blocking.__annotations__.update(run=RunContext, nursery=trio.Nursery)
    container = scheduler_components(SchedulerConfig(scheduler=SchedulerSettings(store="memory://")), {"b": blocking})
    container.override(
        Lease, lambda c: Lease(c.get(ScheduleRepository), c.get(RunExecutor), c.get(Clock), "n", loop_watch=quick)
    )
    with heard() as said, trio.fail_after(2 * DEADLINE_S):
        async with open_scheduler(container=container) as scheduler:
            await scheduler.schedules.put(Schedule("blocks", Every(86400), handler="b"))
            while len(asked) < 3:
                await trio.lowlevel.checkpoint()
            assert not any(asked)
            run: Run = await scheduler.runs.wait((await scheduler.runs.fire("blocks")).id)
    assert run.state is State.SUCCEEDED
    [line] = said.lines
    assert f": handler 'b' of run {run.id}: " in line
    assert HERE.search(line)
