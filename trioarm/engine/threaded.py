"""Plain functions as handlers: each call in a thread of its own, abandoned at its deadline (S6.7).

A thread cannot be stopped. A function may ask now and then whether it should (`trio.from_thread.check_cancelled`); one
that goes on after its deadline is recorded without it, as stuck when it has not ended after the grace that every
handler has, and keeps its worker until it ends. What it still does to the world, only `run.token` fences (S7.2).

A process can end all the same: trio waits for no abandoned thread, and its threads are daemons, which Python leaves
behind when it exits.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import cast

import attrs
import trio

from trioarm.core.outcome import Discard
from trioarm.engine.attempt import Attempt, RunContext, attempt_of


async def run_in_thread(run: RunContext, function: Callable[[], object]) -> object:
    """Call a function in a thread, and return what it returns.

    Raises:
        Discard: it returned something that must be awaited, which a thread cannot do.

    Cancellation: at once; the attempt knows the thread that goes on.
    """
    limiter = cast(trio.CapacityLimiter, _Limiter(attempt_of(run)))  # trio asks for no more than it has
    return await trio.to_thread.run_sync(_called, function, abandon_on_cancel=True, limiter=limiter)


async def run_inline(run: RunContext, function: Callable[[], object]) -> object:
    """Call a function in the loop, for whoever lives in virtual time, which does not wait for threads.

    Raises:
        Discard: it returned something that must be awaited.
    """
    await trio.lowlevel.checkpoint()
    return _called(function)


def _called(function: Callable[[], object]) -> object:
    result = function()
    if not inspect.isawaitable(result):
        return result
    if inspect.iscoroutine(result):
        result.close()  # else Python complains that nobody awaited it
    raise Discard(f"a plain function returned a {type(result).__name__}: write 'async def' to await in a handler")


@attrs.define(slots=True, eq=False)
class _Limiter:
    """Tells an attempt when trio starts a thread for it, and when that has ended, however late."""

    attempt: Attempt

    async def acquire_on_behalf_of(self, borrower: object) -> None:
        if self.attempt.host is not None:
            await self.attempt.host.threads.acquire_on_behalf_of(borrower)
        self.attempt.thread = trio.Event()

    def release_on_behalf_of(self, borrower: object) -> None:
        if self.attempt.host is not None:
            self.attempt.host.threads.release_on_behalf_of(borrower)
        if self.attempt.thread is not None:
            self.attempt.thread.set()
