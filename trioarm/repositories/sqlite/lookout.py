"""The lookout for nodes that are gone: at first, whenever a lease may have run out, and after news of a node."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import inf
from typing import Final

import trio

from trioarm.core.instants import SECOND
from trioarm.repositories.sqlite.nodes import Nodes
from trioarm.repositories.sqlite.sharing import SharedFile

LOOK_AGAIN_S: Final = 0.05  # after news of a node's file: the system tells of its end before its lock is free
NEWS_S: Final = 2.0  # for as long as that may take on a busy machine


class Lookout:
    """Knows when to look for nodes that are gone, and looks.

    Args:
        nodes: tells who is gone.
    """

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes
        self._look_at: int | None = 0  # in boot time: when to look; None while there is no other node
        self._read_at = (0, 0)  # what the wall and the boot clock showed when anybody last wanted to know
        self._news_until = -inf  # trio's time until which it pays to look again and again

    def look_next(self) -> None:
        """Look as soon as anybody wants to know."""
        self._look_at = 0

    def hear_of_a_commit(self) -> None:
        """Expect that another process, which has committed, may be a node."""
        if self._look_at is None:
            self._look_at = 0

    def hear_of_a_node(self) -> None:
        """Expect that a node came, or ends about now."""
        self._look_at = 0
        self._news_until = trio.current_time() + NEWS_S

    @property
    def next_look_at(self) -> int | None:
        """The instant at which to look; None while there is no other node, or none in this process."""
        if self._nodes.own is None or self._look_at is None:
            return None
        wall, boot = self._read_at
        return wall + self._look_at - boot

    async def gone(self, now: int, file: SharedFile) -> Sequence[str]:
        """Return the nodes that are gone, as far as it is time to look.

        Raises:
            RepositoryError: the file cannot be read.
        """
        self._read_at = now, self._nodes.now()
        if self._nodes.own is None or self._look_at is None or self._nodes.now() < self._look_at:
            return ()
        others = await file.ask(self._nodes.others)
        look_after = others.look_after
        if look_after is not None and trio.current_time() < self._news_until:
            look_after = min(look_after, round(LOOK_AGAIN_S * SECOND))
        self._look_at = None if look_after is None else self._nodes.now() + look_after
        return others.gone

    async def forget(self, gone: Sequence[str], file: SharedFile) -> None:
        """Forget nodes that are gone and hold nothing any more.

        Raises:
            RepositoryError: nobody knows whether they are forgotten.
        """
        await file.write(partial(self._nodes.forget, gone))
