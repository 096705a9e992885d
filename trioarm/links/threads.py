"""Blocking calls in threads, one at a time: the one way in which anything of ours leaves trio's loop.

Whoever makes such calls is given one of these, so that a test in virtual time can put another in its place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import trio

T = TypeVar("T")


class Thread:
    """A queue of calls, carried out one after the other in a worker thread."""

    def __init__(self) -> None:
        self._turn = trio.Lock()

    async def run(self, work: Callable[[], T]) -> T:
        """Carry a call out to its end and return what it returned.

        Cancellation: while it waits for its turn; a call that has begun is not cancelled, so it must be short.
        """
        async with self._turn:
            return await trio.to_thread.run_sync(work)

    async def run_or(self, interrupt: Callable[[], None], work: Callable[[], T]) -> T:
        """Carry out a call that may take long.

        Args:
            interrupt: makes the call come to its end soon; called in trio's thread.

        Cancellation: at any time; the call is interrupted, and has ended when the cancellation goes on.
        """
        async with self._turn:
            return await self._interruptible(interrupt, work)

    @staticmethod
    async def _interruptible(interrupt: Callable[[], None], work: Callable[[], T]) -> T:
        ended, token = trio.Event(), trio.lowlevel.current_trio_token()

        def to_its_end() -> T:
            try:
                return work()
            finally:
                token.run_sync_soon(ended.set)

        await trio.lowlevel.checkpoint_if_cancelled()  # from here on the thread begins, whatever is cancelled
        try:
            return await trio.to_thread.run_sync(to_its_end, abandon_on_cancel=True)
        except trio.Cancelled:
            interrupt()
            with trio.CancelScope(shield=True):
                await ended.wait()
            raise
