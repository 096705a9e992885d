"""What panels are reached over: shared by those that mean the same, and kept up together."""

from __future__ import annotations

import attrs
import trio

from trioarm.arming.connections import Connections


@attrs.define(eq=False)
class ALine:
    """A connection that only knows whether it is kept up."""

    is_up: bool = False

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        self.is_up = True
        task_status.started()
        try:
            await trio.sleep_forever()
        finally:
            self.is_up = False


def test_who_means_the_same_shares_it() -> None:
    """A connection is made once for the settings that describe it, and others have their own."""
    connections = Connections()
    house, garage, boat = (connections.get(settings, ALine) for settings in (("home", 1883), ("home", 1883), ("x", 1)))
    assert house is garage
    assert house is not boat


async def test_all_are_up_for_as_long_as_they_run() -> None:
    """`started` says that each of them has; who cancels it ends them all."""
    connections = Connections()
    lines = [connections.get(name, ALine) for name in ("one", "two")]
    async with trio.open_nursery() as nursery:
        await nursery.start(connections.run)
        assert [line.is_up for line in lines] == [True, True]
        nursery.cancel_scope.cancel()
    assert [line.is_up for line in lines] == [False, False]


async def test_where_there_are_none_it_still_runs() -> None:
    """So that nobody has to know whether there are any."""
    with trio.move_on_after(0) as scope:
        async with trio.open_nursery() as nursery:
            await nursery.start(Connections().run)
            scope.cancel()
    assert scope.cancelled_caught
