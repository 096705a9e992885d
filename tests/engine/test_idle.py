"""A node that has nothing to do sleeps: nothing of it wakes more often than to look at the clock (S3.2)."""

from __future__ import annotations

import time

import trio
import trio.testing

import trioarm

CHECK_INTERVAL_S = 60.0
HEALTH_S = 3_600.0


async def test_nothing_wakes_before_the_next_look_at_the_clock() -> None:
    """Neither at first nor for what is not configured, such as telling people over no channel."""
    settings = trioarm.SchedulerSettings(check_interval_s=CHECK_INTERVAL_S, health_check_interval_s=HEALTH_S)
    config = trioarm.SchedulerConfig(scheduler=settings)
    async with trioarm.open_scheduler(config=config) as scheduler:
        await scheduler.schedules.put(trioarm.Schedule("yearly", trioarm.Cron("0 0 1 1 *"), handler="log"))
        await trio.testing.wait_all_tasks_blocked(0.05)
        left_s = trio.lowlevel.current_statistics().seconds_to_next_deadline
        own_s = HEALTH_S - time.time() % HEALTH_S  # until the node looks at its own health: on the hour
    assert min(CHECK_INTERVAL_S, own_s) / 2 < left_s <= CHECK_INTERVAL_S
