"""Blocking calls in threads, one at a time: the one way in which anything of ours leaves trio's loop.

Whoever makes such calls is given one of these, so that a test in virtual time can put another in its place.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Final, TypeVar

import attrs
import outcome
import trio
from trio.lowlevel import Abort

T = TypeVar("T")

BEGUN_S: Final = 0.005  # for how long the loop waits for a call to begin: what Python lets a thread wait for its lock


@attrs.define(slots=True, eq=False)
class _Call:
    """A call, and the task that waits for it."""

    work: Callable[[], object]
    task: trio.lowlevel.Task
    token: trio.lowlevel.TrioToken


class Thread:
    """A queue of calls, carried out one after the other in a worker thread.

    It is as long as there are tasks that wait. A call begins when the one before has ended, whatever trio's loop is
    busy with then.
    """

    def __init__(self) -> None:
        self._calls: deque[_Call] = deque()
        self._current: _Call | None = None
        self._is_working = False  # from when a thread is asked for until it found nothing more to do
        self._lock = threading.Lock()  # held for a moment only

    async def run(self, work: Callable[[], T], *, begun: threading.Event | None = None) -> T:
        """Carry a call out to its end and return what it returned.

        Args:
            begun: set by a call once it needs Python's lock no more. The loop stands still for that moment, since a
                call that has to ask a busy loop for the lock gets it after five milliseconds.

        Cancellation: while it waits for its turn; a call that has begun is not cancelled, so it must be short.
        """
        return await self._carry_out(work, begun=begun)

    async def run_or(self, interrupt: Callable[[], None], work: Callable[[], T]) -> T:
        """Carry out a call that may take long.

        Args:
            interrupt: makes the call come to its end soon; called in trio's thread, and only while it is carried out.

        Cancellation: at any time; the call is interrupted, and has ended when the cancellation goes on.
        """
        try:
            return await self._carry_out(work, interrupt)
        finally:
            await trio.lowlevel.checkpoint_if_cancelled()  # whatever came of a call that was interrupted

    @trio.lowlevel.enable_ki_protection  # Ctrl-C comes while a task waits, not between its call and its wait
    async def _carry_out(
        self,
        work: Callable[[], T],
        interrupt: Callable[[], None] = lambda: None,
        begun: threading.Event | None = None,
    ) -> T:
        await trio.lowlevel.checkpoint_if_cancelled()
        call = _Call(work, trio.lowlevel.current_task(), trio.lowlevel.current_trio_token())

        def abort(_: object) -> Abort:
            with self._lock:
                if call in self._calls:
                    self._calls.remove(call)
                    return Abort.SUCCEEDED
                if call is self._current:
                    interrupt()
                return Abort.FAILED

        with self._lock:
            self._calls.append(call)
            was_working, self._is_working = self._is_working, True
        if not was_working:
            trio.lowlevel.start_thread_soon(self._work, outcome.Outcome.unwrap)
            if begun is not None:
                begun.wait(BEGUN_S)
        done: T = await trio.lowlevel.wait_task_rescheduled(abort)
        return done

    def _work(self) -> None:
        while (call := self._next()) is not None:
            result: outcome.Outcome[Any] = outcome.capture(call.work)
            call.token.run_sync_soon(trio.lowlevel.reschedule, call.task, result)

    def _next(self) -> _Call | None:
        with self._lock:
            self._current = self._calls.popleft() if self._calls else None
            self._is_working = self._current is not None
            return self._current
