"""One night of two partitions of one panel, gone wrong at every call to the store, and killed at every moment.

The panel remembers what it was sent.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Final

import pytest
import trio

from tests.arming.hardware import Deed, Hardware, Says
from tests.arming.houses import PRAGUE, a_config, daily
from tests.arming.premises import NIGHT, a_partition
from tests.world import in_virtual_time
from trioarm.arming.model import Reported, VirtualPanel
from trioarm.core.instants import SECOND
from trioarm.testing import Fault, World, a_world

NAMES: Final = ("house", "garage")
GAP_S: Final = 2.0
# Calls, and so many of each come until both are armed.
STRUCK: Final = {"commit": 14, "get_document": 24, "list_documents": 4, "read_due": 6}
AFTER_S: Final = 300.0  # by then whatever failed was tried again


@asynccontextmanager
async def a_night() -> AsyncIterator[tuple[World, list[Hardware]]]:
    """Enter a world a second before two partitions are to be armed."""
    async with a_world(start_at="2025-03-25 20:00", zone=PRAGUE) as world:
        panels = {name: Hardware("hall", world.wall, Says.NOTHING) for name in NAMES}
        world.panels.update(panels)
        partitions = tuple(a_partition(name, panel=VirtualPanel(exit_delay_s=20), min_gap_s=GAP_S) for name in NAMES)
        await world.start(config=a_config(daily("night", NIGHT, "22:30", *NAMES), partitions=partitions))
        await world.until("2025-03-25 22:29:59")
        yield world, [*panels.values()]


async def judge(panels: list[Hardware], most: int) -> None:
    """Both are armed, with no more commands to each than may be, and time for the panel in between (A3.2, A3.8)."""
    assert [panel.state for panel in panels] == [Reported.ARMED_NIGHT] * len(panels)
    assert max(len(panel.deeds) for panel in panels) <= most
    deeds: list[Deed] = sorted((deed for panel in panels for deed in panel.deeds), key=lambda deed: deed.at)
    assert [after.at - before.at < GAP_S * SECOND for before, after in pairwise(deeds)].count(True) == 0, deeds


@pytest.mark.parametrize("fault", list(Fault))
@pytest.mark.parametrize("call", list(STRUCK))
def test_a_call_that_goes_wrong_costs_no_arming(call: str, fault: Fault) -> None:
    """Whichever it is, and whatever became of it, each partition is armed by one command."""

    async def main(nth: int) -> int:
        async with a_night() as (world, panels):
            world.plant(fault, call, nth=nth)
            await world.advance(AFTER_S)
            await judge(panels, most=1)
            return world.calls[f"{call}: {fault}"]

    struck = [in_virtual_time(main, nth) for nth in range(1, STRUCK[call] + 1)]
    assert sum(struck) == STRUCK[call]


@pytest.mark.parametrize("tenths", range(8, 48, 2))
def test_a_kill_at_any_moment_costs_no_arming(tenths: int) -> None:
    """Whoever comes back reads first; what was announced before the end may have been sent, and counts (A3.5)."""

    async def main() -> None:
        async with a_night() as (world, panels):
            await trio.sleep(tenths / 10)
            async with world.outage():
                await trio.sleep(1.0)
            await world.advance(AFTER_S)
            await judge(panels, most=2)

    in_virtual_time(main)
