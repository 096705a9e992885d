"""Forgetting: whatever retention lets a node forget, what it decides later is as if it knew it (S9.1)."""

from __future__ import annotations

import attrs

from tests.engine.nodes import a_config
from tests.world import in_virtual_time
from trioarm import Once, RunContext, Schedule
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
