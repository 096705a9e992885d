"""Testing: a world in virtual time for programs that schedule, with crashes, faults and clocks that are set.

```python
from trioarm import Cron, Schedule
from trioarm.testing import World, assert_decided


async def test_the_night(world: World) -> None:  # pytest_plugins = ["trioarm.testing.fixtures"] in conftest.py
    world.zone = "Europe/Prague"
    world.set_clock("2026-03-27 12:00")
    await world.start({"arm": arm})
    await world.scheduler.schedules.put(Schedule("night", Cron("30 22 * * *", "Europe/Prague"), handler="arm"))
    await world.until("2026-03-28 12:00")
    async with world.outage():
        await world.until("2026-03-29 04:00")  # takes no time
    await world.drain()
    assert_decided(
        await world.decisions("night"),
        [("2026-03-27 22:30", "succeeded"), ("2026-03-28 22:30", "missed")],
    )
```

The page `docs/testing.md`, which ships with the package, has the rest; `examples/test_a_year.py` is a whole year.
"""

from __future__ import annotations

from trioarm.testing.decisions import Decision, as_table, assert_decided
from trioarm.testing.faults import Away, Fault
from trioarm.testing.messages import Sent
from trioarm.testing.moments import When
from trioarm.testing.nodes import Node
from trioarm.testing.stores import FileStore, MemoryDisk, Store
from trioarm.testing.world import World, a_world, all_runs, in_virtual_time

__all__ = [
    "Away",
    "Decision",
    "Fault",
    "FileStore",
    "MemoryDisk",
    "Node",
    "Sent",
    "Store",
    "When",
    "World",
    "a_world",
    "all_runs",
    "as_table",
    "assert_decided",
    "in_virtual_time",
]
