"""Plain functions as handlers: in threads that are bounded, abandoned at their deadline, and hold nobody up (S6.7)."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import trio

from trioarm import (
    Every,
    InMemoryScheduleRepository,
    Reason,
    RetryPolicy,
    Run,
    RunContext,
    RunExecutor,
    Schedule,
    Scheduler,
    SchedulerConfig,
    ScheduleRepository,
    State,
    open_scheduler,
    scheduler_components,
)
from trioarm.engine import attempt, executor

from .nodes import NEVER_AGAIN, a_config, keeping

DEADLINE_S = 30.0


def every_day(name: str = "one", handler: str = "work", **policies: Any) -> Schedule:
    """Return a schedule that is fired by hand."""
    return Schedule(name, Every(86400), handler=handler, **{"retry": NEVER_AGAIN, **policies})


async def ended(scheduler: Scheduler, schedule: Schedule) -> Run:
    """Return what becomes of one run of it."""
    await scheduler.schedules.put(schedule)
    with trio.fail_after(DEADLINE_S):
        return await scheduler.runs.wait((await scheduler.runs.fire(schedule.name)).id)


async def run_of(handler: Callable[..., Any], config: SchedulerConfig | None = None, **policies: Any) -> Run:
    """Return what becomes of one run of a handler."""
    async with open_scheduler(handlers={"work": handler}, config=config or a_config()) as scheduler:
        return await ended(scheduler, every_day(**policies))


class Hanging:
    """A plain handler whose thread ends when it is let go; leaving lets it go."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.called = 0

    def __enter__(self) -> Hanging:
        return self

    def __exit__(self, *_: object) -> None:
        self.let_go.set()

    def __call__(self, run: RunContext) -> None:
        self.called += 1
        self.let_go.wait(2 * DEADLINE_S)


@pytest.fixture
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let handlers count as stuck soon after their deadline: these tests live in real time."""
    for module in (attempt, executor):
        monkeypatch.setattr(module, "STUCK_GRACE_S", 0.2)


async def test_a_plain_function_is_called_in_a_thread_and_its_result_is_kept() -> None:
    """It may block without holding up the loop."""
    here = threading.get_ident()

    def work(run: RunContext) -> object:
        assert run.deadline_s > 0
        time.sleep(0.01)
        return {"apart": threading.get_ident() != here, "schedule": run.schedule}

    run = await run_of(work)
    assert (run.state, run.result) == (State.SUCCEEDED, {"apart": True, "schedule": "one"})


async def test_what_a_plain_function_raises_is_its_error() -> None:
    """As for any handler, `sys.exit` included."""

    def work(run: RunContext) -> None:
        raise OSError("no route") if run.schedule == "one" else SystemExit(3)

    async with open_scheduler(handlers={"work": work}, config=a_config()) as scheduler:
        assert (await ended(scheduler, every_day())).error == "OSError: no route"
        assert (await ended(scheduler, every_day("two"))).error == "SystemExit: 3"


async def test_a_plain_function_that_returns_a_coroutine_is_told_to_be_async() -> None:
    """Nobody could await it in a thread, and trying again would not change that."""

    async def inner(run: RunContext) -> None: ...

    run = await run_of(lambda run: inner(run))
    assert (run.state, run.reason) == (State.FAILED, Reason.DISCARDED)
    assert run.error == "a plain function returned a coroutine: write 'async def' to await in a handler"


async def test_a_thread_that_ends_soon_after_its_deadline_has_timed_out_and_is_tried_again() -> None:
    """It can ask whether it should end; the next attempt begins when it has ended, not beside it."""
    first = threading.Event()

    def work(run: RunContext) -> str:
        if run.attempt == 2:
            return "after it" if first.is_set() else "beside it"
        try:
            while True:
                trio.from_thread.check_cancelled()
                time.sleep(0.005)
        finally:
            time.sleep(0.2)  # to tidy up
            first.set()

    run = await run_of(work, timeout_s=1, retry=RetryPolicy(base_s=0))
    assert (run.state, run.result, run.attempt) == (State.SUCCEEDED, "after it", 2)


@pytest.mark.usefixtures("short_grace")
async def test_a_thread_that_never_ends_is_stuck_and_holds_nobody_up() -> None:
    """Its run has timed out, its worker is replaced, others run; and the node ends while it hangs."""
    container = scheduler_components(a_config(workers=1), {"work": (hanging := Hanging()), "other": lambda run: "done"})
    with hanging:
        async with open_scheduler(container=container) as scheduler:
            run = await ended(scheduler, every_day(timeout_s=0.1, retry=RetryPolicy(base_s=0)))
            assert (run.state, run.reason, run.attempt) == (State.TIMED_OUT, Reason.STUCK, 1)
            assert str(run.error).startswith("handler 'work' ignores its cancellation; its worker is lost to it in ")
            assert (await ended(scheduler, every_day("two", "other"))).result == "done"
        assert hanging.called == 1
        assert not hanging.let_go.is_set()


@pytest.mark.usefixtures("short_grace")
async def test_threads_are_bounded_and_no_worker_waits_for_one() -> None:
    """A handler that hangs each time takes as many threads as its pool has workers, and is called again once they are
    back; what others need is there all the while."""
    repository = InMemoryScheduleRepository()
    handlers = {"work": (hanging := Hanging()), "other": lambda run: "done"}
    container = scheduler_components(a_config(workers=2, held=4), handlers)
    container.override(ScheduleRepository, keeping(repository))
    async with open_scheduler(container=container) as scheduler:
        with hanging:
            for number in range(2):
                run = await ended(scheduler, every_day(f"hangs-{number}", timeout_s=0.1))
                assert run.reason is Reason.STUCK
            await scheduler.schedules.put(every_day("third"))
            third = await scheduler.runs.fire("third")
            for number in range(3):
                assert (await ended(scheduler, every_day(f"other-{number}", "other"))).result == "done"
            pool = container.get(RunExecutor).pools[-1]
            assert (hanging.called, pool.threads.borrowed_tokens) == (2, 2)
            assert pool.threads.total_tokens == 4
            assert (await scheduler.runs.get(third.id)).state is State.PENDING
        with trio.fail_after(DEADLINE_S):
            assert (await scheduler.runs.wait(third.id)).state is State.SUCCEEDED
            while pool.threads.borrowed_tokens:
                await trio.lowlevel.checkpoint()


PROGRAM = """
import threading, trio, trioarm
from trioarm import Every, Schedule

called = threading.Event()

def hangs(run):
    called.set()
    threading.Event().wait()

async def main():
    async with trioarm.open_scheduler(handlers={"hangs": hangs}) as scheduler:
        await scheduler.schedules.put(Schedule("one", Every(86400), handler="hangs"))
        await scheduler.runs.fire("one")
        await trio.to_thread.run_sync(called.wait)
        raise KeyError("left")

try:
    trio.run(main)
except KeyError:
    print("ended beside", threading.active_count() - 1)
"""


async def test_a_process_ends_while_a_thread_hangs() -> None:
    """The node leaves it behind, and so does Python: its threads are daemons."""
    with trio.fail_after(DEADLINE_S):
        process = await trio.run_process([sys.executable, "-c", PROGRAM], capture_stdout=True, capture_stderr=True)
    said = process.stdout.decode()
    assert (process.returncode, process.stderr) == (0, b"")
    assert said.startswith("ended beside ")
    assert int(said.split()[-1]) >= 1
