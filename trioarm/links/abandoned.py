"""Abandoned: calls in threads that nobody waits for longer than wanted, for libraries that know no cancellation.

A thread cannot be ended. Where its call cannot be interrupted either, it is left to itself, and it keeps nobody: not
the loop, not the end of the process. There are few of them: once all are lost, the next call waits until it is given
up, so that a library that hangs takes no more than these.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

import trio

THREADS: Final = 2

T = TypeVar("T")


class Abandoned:
    """Threads for the calls of one user."""

    def __init__(self) -> None:
        self._threads = trio.CapacityLimiter(THREADS)

    async def run(self, work: Callable[[], T], interrupt: Callable[[], None] | None = None) -> T:
        """Carry out a call in a thread and return what it returned.

        Args:
            work: the call; what it raises, this raises.
            interrupt: makes a call that nobody waits for any more come to its end, if it can; called in trio's thread.

        Cancellation: at once.
        """
        try:
            return await trio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=self._threads)
        except trio.Cancelled:
            if interrupt is not None:
                interrupt()
            raise
