"""Short ways to say what most tests of the engine do: run one schedule for a while and look at what became of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import trio

from trioarm import Handler, InMemoryScheduleRepository, RetryPolicy, Schedule, SchedulerConfig, ScheduleRepository
from trioarm.config import MEMORY
from trioarm.config.settings import ExecutorSettings, SchedulerSettings
from trioarm.core.instants import SECOND
from trioarm.core.run import RunRecord
from trioarm.core.triggers import Once, Trigger

from ..making import NOW
from ..world import a_node, all_runs, in_virtual_time

NEVER_AGAIN = RetryPolicy(max_retries=0)


def at(seconds: float) -> int:
    """Return the instant this many seconds after the node opens."""
    return NOW + round(seconds * SECOND)


def once(name: str = "one", seconds: float = 10.0, **policies: Any) -> Schedule:
    """Return a schedule with a single occurrence, handled by `work` unless said otherwise."""
    return every(name, Once(at(seconds)), **policies)


def every(name: str, trigger: Trigger, **policies: Any) -> Schedule:
    """Return a schedule handled by `work` unless said otherwise."""
    return Schedule(name, trigger, **{"handler": "work", **policies})


def a_config(workers: int = 3, held: int | None = None, **settings: Any) -> SchedulerConfig:
    """Return a configuration with so many workers; retries follow without chance."""
    executor = {name: settings.pop(name) for name in list(settings) if hasattr(ExecutorSettings(), name)}
    settings = {"store": MEMORY, "health_check_interval_s": 3600.0, "max_concurrent": held or workers, **settings}
    scheduler = SchedulerSettings(**settings)
    config = SchedulerConfig(scheduler=scheduler, executor=ExecutorSettings(max_concurrent=workers, **executor))
    return attrs.evolve(config, features=attrs.evolve(config.features, advanced_retries=False))


def runs_after(
    seconds: float, work: Handler, *schedules: Schedule, config: SchedulerConfig | None = None
) -> list[RunRecord]:
    """Return every row of these schedules after a node with the handler `work` has run them for so long."""

    async def main() -> list[RunRecord]:
        repository = InMemoryScheduleRepository()
        async with a_node({"work": work}, config or a_config(), store=keeping(repository)) as (scheduler, _):
            await scheduler.schedules.put_many(schedules)
            await trio.sleep(seconds)
            return await rows_of(repository, *schedules)

    found: list[RunRecord] = in_virtual_time(main)
    return found


async def rows_of(repository: ScheduleRepository, *schedules: Schedule) -> list[RunRecord]:
    """Return every row of these schedules, in order of decision."""
    names = {schedule.name for schedule in schedules}
    return [run for run in await all_runs(repository) if run.schedule.schedule.name in names]


def run_after(seconds: float, work: Handler, schedule: Schedule, config: SchedulerConfig | None = None) -> RunRecord:
    """Return the one row of a schedule after a node has run it for so long."""
    (run,) = runs_after(seconds, work, schedule, config=config)
    return run


def keeping(repository: ScheduleRepository) -> Callable[[object], ScheduleRepository]:
    """Return the factory of a node that works on this repository."""
    return lambda _: repository
