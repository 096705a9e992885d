"""Testing: a world in virtual time for programs that schedule, with crashes, faults and clocks that are set.

```python
from trioarm.testing import a_world, in_virtual_time


def test_the_night() -> None:
    async def main() -> None:
        async with a_world() as world:
            node = await world.start(handlers={"report": report})
            await node.scheduler.schedules.put(trioarm.Schedule("often", trioarm.Every(60), handler="report"))
            await trio.sleep(3600)  # takes no time
            world.kill(node)
            world.step(-7200)
            await world.start(handlers={"report": report})
            await trio.sleep(86400)

    in_virtual_time(main)
```
"""

from __future__ import annotations

from trioarm.testing.faults import Fault, Outage
from trioarm.testing.stores import FileStore, MemoryDisk, Store
from trioarm.testing.world import Node, World, a_world, all_runs, in_virtual_time

__all__ = [
    "Fault",
    "FileStore",
    "MemoryDisk",
    "Node",
    "Outage",
    "Store",
    "World",
    "a_world",
    "all_runs",
    "in_virtual_time",
]
