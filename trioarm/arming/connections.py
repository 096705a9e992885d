"""Connections: what panels are reached over, for panels that are not asked anew each time, such as those at a broker.

They are kept up by whoever opens an installation: a node for as long as it runs, a command for as long as it takes.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Protocol, TypeVar, cast

import trio


class Connection(Protocol):
    """Something to a panel that has to be kept up: it is made again whenever it is lost."""

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep it up until cancelled; `started` at once, since a panel that is away keeps nobody from starting.

        What is wrong with it is said by the drivers that need it, never raised here.

        Cancellation: says goodbye, for a second at most.
        """


C = TypeVar("C", bound=Connection)


class Connections:
    """The connections of an installation. Panels that mean the same one share it."""

    def __init__(self) -> None:
        self._made: dict[Hashable, Connection] = {}

    def get(self, settings: Hashable, make: Callable[[], C]) -> C:
        """Return the connection that settings describe, made for the first who asks.

        Args:
            settings: of a type that only connections of this kind are described by.
            make: called where there is none yet.
        """
        if settings not in self._made:
            self._made[settings] = make()
        return cast(C, self._made[settings])

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep all of them up until cancelled.

        Cancellation: says goodbye over each, for a second at most.
        """
        async with trio.open_nursery() as nursery:
            for connection in self._made.values():
                await nursery.start(connection.run)
            task_status.started()
            await trio.sleep_forever()
