"""The side of trioarm: a whole node with all its features on, and a handler that counts its calls."""

from __future__ import annotations

import gc

import trio

from trioarm import Once, RunContext, Schedule, Scheduler, SchedulerConfig, State
from trioarm.config import MEMORY, ExecutorSettings, SchedulerSettings

WORKERS = 10
HELD = 1_000


def config(*, auto_start: bool = True, check_interval_s: float = 60.0) -> SchedulerConfig:
    """Return a configuration that lets a node hold 1 000 runs at once, ten of them running."""
    return SchedulerConfig(
        scheduler=SchedulerSettings(
            store=MEMORY,
            max_concurrent=HELD,
            auto_start=auto_start,
            check_interval_s=check_interval_s,
            health_check_interval_s=3_600.0,
        ),
        executor=ExecutorSettings(max_concurrent=WORKERS),
    )


class Countdown:
    """A no-op handler that counts its calls."""

    def __init__(self, n: int) -> None:
        self._left = n
        self._done = trio.Event()

    async def call(self, run: RunContext) -> None:
        """Do nothing, and count."""
        self._left -= 1
        if not self._left:
            self._done.set()

    async def all_called(self) -> None:
        """Wait until all calls were made."""
        await self._done.wait()

    async def all_recorded(self, scheduler: Scheduler, n: int) -> None:
        """Wait until all calls were made and their outcomes are kept."""
        await self.all_called()
        while scheduler.metrics().finished.get(State.SUCCEEDED, 0) < n:
            await trio.lowlevel.checkpoint()


def freeze() -> None:
    """Take what was put out of the garbage collector's way, as the program does and the README advises."""
    gc.collect()
    gc.freeze()


def one_shots(due_at: list[int]) -> list[Schedule]:
    """Return a one-shot schedule for each instant, in microseconds since 1970 UTC."""
    return [Schedule(f"once-{number}", Once(at), handler="call") for number, at in enumerate(due_at)]
