"""Forgetting: whatever retention lets a node forget, what it decides later is as if it knew it (S9.1)."""

from __future__ import annotations

import attrs

from tests.engine.nodes import NEVER_AGAIN, a_config
from tests.world import in_virtual_time
from trioarm import Every, Once, RunContext, Schedule, ScheduleState
from trioarm.config.settings import HistorySettings
from trioarm.core.instants import MINUTE
from trioarm.testing import a_world
from trioarm.testing.world import BEGIN, DAY_S


def test_what_a_configuration_declares_is_not_new_once_it_is_over() -> None:
    """An occurrence that ran a week ago does not run again at the next start, however late it may run."""
    calls: list[str] = []

    async def work(run: RunContext) -> None:
        calls.append(run.id)

    async def main() -> None:
        over = Schedule("over", Once(BEGIN + MINUTE), handler="work", misfire_window_s=30 * DAY_S)
        async with a_world(housekeeping=True) as world:
            await world.start({"work": work}, attrs.evolve(a_config(), schedules=(over,)))
            await world.advance(8 * DAY_S)
            async with world.outage():
                pass
            await world.advance(60)

    in_virtual_time(main)
    assert len(calls) == 1


def state_after_days(days: int, history: HistorySettings, *, fails: str, pause_after: int) -> ScheduleState:
    """Return what becomes of a schedule of every second day whose runs fail, or go well, in this order."""
    outcomes = iter(fails)

    async def work(run: RunContext) -> None:
        if next(outcomes) == "f":
            raise OSError("as told")

    async def main() -> ScheduleState:
        rarely = Schedule(
            "rarely", Every(2 * DAY_S), handler="work", retry=NEVER_AGAIN, pause_after_failures=pause_after
        )
        async with a_world(housekeeping=True) as world:
            node = await world.start({"work": work}, attrs.evolve(a_config(), history=history))
            await node.scheduler.schedules.put(rarely)
            await world.advance(days * DAY_S)
            return (await node.scheduler.schedules.get("rarely")).state

    state: ScheduleState = in_virtual_time(main)
    return state


def test_a_failure_that_is_forgotten_counts_still() -> None:
    """A schedule is paused after as many failures in a row as it says, though fewer of them are kept (S5.9)."""
    assert state_after_days(7, HistorySettings(failed_runs=1), fails="fff", pause_after=3) is ScheduleState.PAUSED


def test_a_success_between_two_failures_that_is_forgotten_counts_still() -> None:
    """Failures that are kept longer than what went well between them are not in a row (S5.9)."""
    state = state_after_days(11, HistorySettings(succeeded_s=DAY_S), fails="fsfsfsfs", pause_after=2)
    assert state is ScheduleState.ACTIVE
