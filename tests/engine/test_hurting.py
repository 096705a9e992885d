"""Handlers that do their worst: the run says what happened, the node goes on and runs the next occurrence (S2.6)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.world import a_node, in_virtual_time
from trioarm import (
    InMemoryScheduleRepository,
    Reason,
    RunContext,
    Schedule,
    Scheduler,
    SchedulerConfig,
    ScheduleRepository,
    State,
    open_scheduler,
    scheduler_components,
)
from trioarm.config import SchedulerSettings
from trioarm.core.run import RunRecord
from trioarm.core.triggers import Every

from .nodes import NEVER_AGAIN, a_config, every, keeping, rows_of

ATTEMPT_S = 5.0  # of processor time: a bound on the work that a monstrous result may make


class Abort(BaseException):
    """What a test runner or a debugger might raise."""


class Unspeakable(Exception):
    """Cannot even say what is wrong with it."""

    def __str__(self) -> str:
        raise ValueError("I will not be put into words")

    __repr__ = __str__


def raises(error: BaseException) -> Callable[[RunContext], Any]:
    """Return a handler that raises this."""

    async def work(run: RunContext) -> None:
        raise error

    return work


def returns(make: Callable[[], object]) -> Callable[[RunContext], Any]:
    """Return a handler that returns what this makes."""

    async def work(run: RunContext) -> object:
        return make()

    return work


def first_and_next(work: Callable[..., Any]) -> RunRecord:
    """Return the run of a handler that does this at its first occurrence, and see that the second one went well."""

    async def main() -> RunRecord:
        repository = InMemoryScheduleRepository()

        async def handler(run: RunContext) -> object:
            if run.nominal_at.timestamp() == (await rows_of(repository, schedule))[0].nominal_at / 1e6:
                return await work(run)
            return "well"

        async with a_node({"work": handler}, a_config(workers=1), store=keeping(repository)) as (scheduler, _):
            await scheduler.schedules.put(schedule)
            await trio.sleep(130)
            first, following, *_ = await rows_of(repository, schedule)
            assert (following.state, following.result) == (State.SUCCEEDED, "well")
            assert (await scheduler.health()).level.value == "healthy"
            return first

    schedule = every("one", Every(60), retry=NEVER_AGAIN, timeout_s=30)
    run: RunRecord = in_virtual_time(main)
    return run


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (Abort("enough"), "Abort: enough"),
        (SystemExit("bye"), "SystemExit: bye"),
        (GeneratorExit(), "GeneratorExit: no message"),
        (StopIteration(3), "RuntimeError: coroutine raised StopIteration"),
        (trio.Cancelled._create(source="unknown"), "Cancelled: cancelled due to unknown"),
        (ExceptionGroup("both", [OSError("a"), ValueError("b")]), "ExceptionGroup: both (2 sub-exceptions)"),
        (BaseExceptionGroup("worse", [Abort("a"), SystemExit(1)]), "BaseExceptionGroup: worse (2 sub-exceptions)"),
        (BaseExceptionGroup("astray", [trio.Cancelled._create(source="unknown")]), "BaseExceptionGroup: astray (1"),
        (Unspeakable(), "Unspeakable: no message"),
        (MemoryError(), "MemoryError: no message"),
        (RecursionError("deep"), "RecursionError: deep"),
        (trio.RunFinishedError(), "RunFinishedError: no message"),
        (OSError("x" * 10**7), "OSError: xxx"),
    ],
)
def test_whatever_is_raised_is_the_error_of_the_run(error: BaseException, said: str) -> None:
    """One line of bounded length, and no more."""
    run = first_and_next(raises(error))
    assert (run.state, run.reason) == (State.FAILED, Reason.ERROR)
    assert run.error is not None
    assert run.error.startswith(said)
    assert len(run.error) < 600


def cyclic() -> object:
    """Return a list that is in itself."""
    found: list[object] = []
    found.append({"again": found})
    return found


def without_end() -> Iterator[int]:
    """Yield for ever."""
    number = 0
    while True:
        yield number
        number += 1


class Endless(dict[str, object]):
    """A mapping whose items never end."""

    def items(self) -> Any:
        """Yield for ever."""
        return ((str(number), number) for number in without_end())


class EndlessList(list[int]):
    """A list whose items never end."""

    def __iter__(self) -> Iterator[int]:
        """Yield for ever."""
        return without_end()


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (without_end, "a generator cannot be kept"),
        (lambda: "x" * 100_000_000, "a text of 100000000 bytes cannot be kept: at most 65536"),
        (lambda: "é" * 50_000_000, "a text of at least 50000000 bytes cannot be kept"),
        (lambda: bytes(100_000_000), "a bytes cannot be kept"),
        (EndlessList, "too large to keep"),
        (lambda: ["x" * 60_000] * 9_000, "too large to keep"),
        (Endless, "too large to keep"),
        (lambda: float("nan"), "nan cannot be kept as JSON"),
        (lambda: {"a": [1, float("-inf")]}, "result.a[1]: -inf cannot be kept as JSON"),
        (lambda: 10**100_000, "an integer beyond 64 bits cannot be kept"),
        (cyclic, "too large to keep (at most 32 levels"),
    ],
)
def test_a_monstrous_result_is_not_kept_and_costs_little(make: Callable[[], object], why: str) -> None:
    """The work is done, so the run succeeded, and says what is missing."""
    spent: list[float] = []

    async def work(run: RunContext) -> object:
        result = make()
        spent.append(time.process_time())
        return result

    run = first_and_next(work)
    assert time.process_time() - spent[0] < ATTEMPT_S
    assert (run.state, run.reason, run.result) == (State.SUCCEEDED, Reason.RESULT_DROPPED, None)
    assert run.error is not None
    assert why in run.error
    assert len(run.error) < 600


@pytest.fixture
def on_file(tmp_path: Path) -> SchedulerConfig:
    """A configuration with a store on a real file."""
    settings = SchedulerSettings(store=f"sqlite:///{tmp_path / 'trioarm.db'}", health_check_interval_s=3600.0)
    return SchedulerConfig(scheduler=settings)


async def test_a_handler_cannot_close_the_store_of_its_node(on_file: SchedulerConfig) -> None:
    """It is told so; one of its own it may open and close."""

    async def closes(run: RunContext, repository: ScheduleRepository) -> None:
        async with open_scheduler("memory://") as own:
            assert (await own.health()).level
        async with open_scheduler(f"{on_file.scheduler.store}.own"):
            pass
        await repository.close()

    closes.__annotations__.update(run=RunContext, repository=ScheduleRepository)
    container = scheduler_components(on_file, {"closes": closes, "well": lambda run: "well"})
    with trio.fail_after(30):
        async with open_scheduler(container=container) as scheduler:
            run = await ended(scheduler, "closes")
            assert (run.state, run.reason) == (State.FAILED, Reason.ERROR)
            assert str(run.error).endswith("trioarm.db is the store of the node: a handler cannot close it")
            assert (await ended(scheduler, "well")).result == "well"


async def test_a_handler_may_remove_its_schedule_and_cancel_its_run(on_file: SchedulerConfig) -> None:
    """It is cancelled as by anybody else, and nobody waits for anybody for ever."""

    async def saws(run: RunContext, scheduler: Scheduler) -> None:
        await scheduler.schedules.remove(run.schedule)
        await scheduler.runs.cancel(run.id)
        await trio.sleep_forever()

    saws.__annotations__.update(run=RunContext, scheduler=Scheduler)
    container = scheduler_components(on_file, {"saws": saws, "well": lambda run: "well"})
    with trio.fail_after(30):
        async with open_scheduler(container=container) as scheduler:
            run = await ended(scheduler, "saws")
            assert (run.state, run.reason) == (State.CANCELLED, Reason.USER)
            assert (await ended(scheduler, "well")).result == "well"


async def ended(scheduler: Scheduler, handler: str) -> Any:
    """Return what becomes of one run of a handler."""
    await scheduler.schedules.put(Schedule(handler, Every(86400), handler=handler, retry=NEVER_AGAIN))
    return await scheduler.runs.wait((await scheduler.runs.fire(handler)).id)
