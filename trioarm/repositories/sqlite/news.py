"""News of a store's files: which process wrote, and which node came or went, as the system tells it.

It tells a little early: a write is told of before its commit can be seen. So after each piece of news one looks again,
at longer and longer intervals. Where the system tells nothing, it is looked from time to time instead.

It does not tell who wrote, and mostly that was this process. Whatever this process asks the file or writes to it shows
what others did before, too, so that nobody need look as well: a busy node would look more often than it writes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from math import inf
from pathlib import Path
from typing import Final

import trio

from trioarm.links.watch import DirectoryWatch
from trioarm.repositories.sqlite.nodes import is_of_a_node

LOOK_LATER_S: Final = (0.002, 0.01, 0.05, 0.2, 0.5, 2.0)  # after news: the disk may take its time to keep a commit
JUST_NOW_S: Final = 0.01  # for as long as news may be of what was asked or written last
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
        self._asking = 0
        self._answered = trio.Event()
        self._asked_at = -inf  # trio's time at which the youngest question that was answered was put
        self._answered_at = -inf

    @contextmanager
    def asking(self) -> Iterator[None]:
        """While the file is asked in the block, or written: once that is answered, it was a look."""
        began_at = trio.current_time()
        if not self._asking:
            self._answered = trio.Event()
        self._asking += 1
        try:
            yield
        finally:
            self._asking -= 1
            if not self._asking:
                self._answered.set()
        self._asked_at = max(self._asked_at, began_at)
        self._answered_at = trio.current_time()

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
        pause_s = next(pauses, None)
        while pause_s is not None:
            if self._is_asked():  # a transaction writes page after page, and each would be news
                await self._answered.wait()
                await trio.sleep(LOOK_LATER_S[0])
                continue
            names, began_at = None, trio.current_time()
            with trio.move_on_after(pause_s):
                names = await watch.names()
            if names is not None:
                await self._hear(names)
                pauses = iter(LOOK_LATER_S)
            elif self._is_asked():
                continue  # it will be answered, or looked for then
            elif self._asked_at < began_at:
                await self._look()
            pause_s = next(pauses, None)

    async def _hear(self, names: frozenset[str]) -> None:
        lost = "" in names
        if lost or any(is_of_a_node(self._store, name) for name in names):
            self._node_news()
        if (lost or names & self._files) and not self._was_asked_just_now():
            await self._look()

    def _was_asked_just_now(self) -> bool:
        """Whether the file is asked, or was a moment ago: what is told of may be that, and the next look is not far."""
        return self._is_asked() or self._answered_at > trio.current_time() - JUST_NOW_S

    def _is_asked(self) -> bool:
        return self._asking > 0
