"""News of a store's files: which process wrote, and which node came or went, as the system tells it.

It tells a little early: a write is told of before its commit can be seen. So after each piece of news one looks again,
at longer and longer intervals. Where the system tells nothing, it is looked from time to time instead.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import trio

from trioarm.links.watch import DirectoryWatch
from trioarm.repositories.sqlite.nodes import is_of_a_node

LOOK_LATER_S: Final = (0.002, 0.01, 0.05, 0.2, 0.5, 2.0)  # after news: the disk may take its time to keep a commit
LOOK_S: Final = 0.5  # between two looks for what others did, where the system does not tell


class News:
    """Listens to the directory of a store.

    Args:
        store: the store's file.
        look: looks whether another process has committed.
        node_news: called when a node may have come or gone.
    """

    def __init__(self, store: Path, look: Callable[[], Awaitable[None]], node_news: Callable[[], None]) -> None:
        self._store = store
        self._look = look
        self._node_news = node_news
        self._files = frozenset({store.name, f"{store.name}-wal"})

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Listen until cancelled.

        Cancellation: at any checkpoint; what is not noticed here is noticed by the next commit or look.
        """
        watch = DirectoryWatch.open(self._store.absolute().parent)
        task_status.started()
        if watch is None:
            await self._look_from_time_to_time()
            return
        try:
            while True:
                await self._hear(await watch.names())
                await self._look_later(watch)
        finally:
            watch.close()

    async def _look_from_time_to_time(self) -> None:
        while True:
            await trio.sleep(LOOK_S)
            await self._look()

    async def _look_later(self, watch: DirectoryWatch) -> None:
        """Look again until all that was told of can be seen; further news begin anew."""
        pauses = iter(LOOK_LATER_S)
        while (pause_s := next(pauses, None)) is not None:
            names = None
            with trio.move_on_after(pause_s):
                names = await watch.names()
            if names is None:
                await self._look()
            else:
                await self._hear(names)
                pauses = iter(LOOK_LATER_S)

    async def _hear(self, names: frozenset[str]) -> None:
        lost = "" in names
        if lost or any(is_of_a_node(self._store, name) for name in names):
            self._node_news()
        if lost or names & self._files:
            await self._look()
