"""What an occurrence costs: one pass, and no more turns of a task than something asks for."""

from __future__ import annotations

from collections import Counter

import pytest
import trio

from trioarm import Container, Every, RunContext
from trioarm.engine.clock import VirtualClock
from trioarm.engine.ports import Clock

from ..making import NOW
from ..world import a_node, in_virtual_time
from .nodes import a_config, every

HALF_A_MINUTE_S = 30.0
MINUTES = 50  # within an hour, so that nothing of the node's own is due
MINUTES_WATCHED = 40
PASSES_MORE = 2  # than occurrences: of the node's beginning, and of what was put
TURNS = {  # for each occurrence
    "trioarm.engine.engine.SchedulingEngine.run": 2,  # it wakes a moment before, and waits for the instant
    "trioarm worker of default": 1,
    "trioarm.engine.recorder.Recorder.run": 1,
}


class Steps(trio.abc.Instrument):
    """Counts the steps of each task."""

    def __init__(self) -> None:
        self.of: Counter[str] = Counter()

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """Count one."""
        self.of[task.name] += 1


@pytest.mark.parametrize("early", [False, True])
def test_an_occurrence_of_a_minute_schedule_costs_one_pass(early: bool) -> None:
    """Whether or not the node is awake a moment before."""

    async def main() -> tuple[int, int]:
        calls = 0

        async def work(run: RunContext) -> None:
            nonlocal calls
            calls += 1

        clock = VirtualClock(NOW, trio_start=trio.current_time(), early=early)

        def components(container: Container) -> None:
            container.override(Clock, lambda _: clock)

        async with a_node({"work": work}, a_config(), components=components) as (scheduler, _):
            await scheduler.schedules.put(every("minute", Every(60.0)))
            await trio.sleep(MINUTES * 60 + HALF_A_MINUTE_S)
            return calls, scheduler.metrics().passes

    calls, passes = in_virtual_time(main)
    assert calls == MINUTES
    assert passes <= MINUTES + PASSES_MORE


def test_no_task_of_a_node_turns_more_often_than_its_part_takes() -> None:
    """The engine, who works, and who records: nobody is woken to look whether there is something to do."""

    async def main() -> Counter[str]:
        async def work(run: RunContext) -> None:
            """Do nothing."""

        async with a_node({"work": work}, a_config()) as (scheduler, _):
            await scheduler.schedules.put(every("minute", Every(60.0)))
            await trio.sleep(60 + HALF_A_MINUTE_S)
            steps = Steps()
            trio.lowlevel.add_instrument(steps)
            await trio.sleep(MINUTES_WATCHED * 60)
            trio.lowlevel.remove_instrument(steps)
            return steps.of

    steps = in_virtual_time(main)
    assert {name: turns for name, turns in steps.items() if turns > 1} == {
        name: turns * MINUTES_WATCHED for name, turns in TURNS.items()
    }
