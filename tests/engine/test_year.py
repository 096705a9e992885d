"""A year in seconds: every occurrence decided exactly once, whatever the handlers do."""

from __future__ import annotations

from collections import Counter

import trio

from trioarm import Cron, Every, RunContext, Schedule, SchedulerConfig, ScheduleRepository, State
from trioarm.config import SchedulerSettings
from trioarm.core.instants import DAY, HOUR

from ..making import NOW
from ..world import a_node, all_runs, decided_instants, in_virtual_time

YEAR = 365 * DAY
KEEPS_ALL = SchedulerConfig(scheduler=SchedulerSettings(health_check_interval_s=3600.0, retention_s=3000 * 86400.0))


def test_a_year_of_an_hourly_and_a_daily_schedule_with_failing_handlers() -> None:
    """Every occurrence of a year is decided once and ends in a final state; `benchmarks failing` says how fast."""
    attempts: Counter[str] = Counter()

    async def sometimes(run: RunContext) -> None:
        attempts[run.schedule] += 1
        if attempts[run.schedule] % 3:
            raise ConnectionError("the line is busy")

    async def never(run: RunContext) -> None:
        attempts[run.schedule] += 1
        raise RuntimeError("broken for good")

    async def main() -> tuple[list, list]:
        async with a_node({"sometimes": sometimes, "never": never}, KEEPS_ALL) as (scheduler, container):
            await scheduler.schedules.put(Schedule("hourly", Every(3600), handler="sometimes"))
            await scheduler.schedules.put(Schedule("daily", Cron("30 2 * * *", "Europe/Prague"), handler="never"))
            await trio.sleep(YEAR / 1e6 + 600)
            repository = container.get(ScheduleRepository)
            return await all_runs(repository, "hourly"), await all_runs(repository, "daily")

    hourly, daily = in_virtual_time(main)

    assert decided_instants(hourly) == list(range(NOW + HOUR, NOW + YEAR + 1, HOUR))
    assert len(hourly) == 8760
    assert Counter(run.state for run in hourly) == {State.SUCCEEDED: 8760}
    trigger = Cron("30 2 * * *", "Europe/Prague")
    assert len(decided_instants(daily)) == trigger.count(NOW, NOW + YEAR + 600_000_000) == 365
    assert Counter(run.state for run in daily) == {State.FAILED: 365}
    assert {run.attempt for run in daily} == {4}
    assert attempts["daily"] == 4 * 365
