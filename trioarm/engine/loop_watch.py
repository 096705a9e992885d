"""The loop watch: a thread that notices when the loop does not turn, and lets somebody stand in for its tasks (S7.2).

A handler that does not yield keeps every task waiting, the one that renews the lease included. For a while that is no
reason to lose what the node holds; when it lasts, nobody stands in any longer. The log says where the loop is, and in
which run of which handler.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import trio
from trio.abc import Clock
from trio.lowlevel import Task, TrioToken

from trioarm.engine.attempt import RunContext, run_of_task

_log = logging.getLogger("trioarm.loop")


class LoopWatch:
    """Asks the loop now and then whether it turns, and calls something else while it gives no answer.

    Args:
        stand_in: called in the thread of the watch; returns after how many seconds to call it again.
        ask_s: between an answer and the next question, in seconds: each wakes the loop.
        answer_s: what an answer may take, in seconds.
        until_s: for how long it is stood in for a loop that does not turn, in seconds since it last did.
        needed: whether there is a reason to ask now, called in the thread of the watch.
    """

    def __init__(
        self,
        stand_in: Callable[[], float],
        *,
        ask_s: float,
        answer_s: float,
        until_s: float,
        needed: Callable[[], bool] = lambda: True,
    ) -> None:
        self._stand_in = stand_in
        self._needed = needed
        self._ask_s = ask_s
        self._answer_s = answer_s
        self._until_s = until_s
        self._answered = threading.Event()
        self._ended = threading.Event()

    async def run(self) -> None:
        """Watch until cancelled.

        Cancellation: at once; the thread ends a moment later, at the latest with the call it is in.
        """
        clock, token = trio.lowlevel.current_clock(), trio.lowlevel.current_trio_token()
        alone = trio.CapacityLimiter(1)
        loop = threading.get_ident()
        try:
            await trio.to_thread.run_sync(self._watch, clock, token, loop, abandon_on_cancel=True, limiter=alone)
        finally:
            self._ended.set()
            self._answered.set()

    def _watch(self, clock: Clock, token: TrioToken, loop: int) -> None:
        turned_at = clock.current_time()
        while not self._ended.wait(self._ask_s):
            if not self._needed():
                turned_at = clock.current_time()
                continue
            self._answered.clear()
            try:
                token.run_sync_soon(self._answered.set, idempotent=True)
            except trio.RunFinishedError:
                return
            if not self._turns(self._answer_s):
                self._bridge(turned_at, clock, loop)
            turned_at = clock.current_time()

    def _turns(self, within_s: float) -> bool:
        """Whether the loop answers in time, or has ended."""
        return self._answered.wait(within_s) or self._ended.is_set()

    def _bridge(self, turned_at: float, clock: Clock, loop: int) -> None:
        """Let somebody stand in until the loop turns, or for as long as allowed; return once it turns."""
        until = turned_at + self._until_s
        _log.warning("the loop does not turn for %.0f s: %s", clock.current_time() - turned_at, _where(loop))
        while (left_s := until - clock.current_time()) > 0:
            if self._turns(min(self._stand_in(), left_s)):
                return
        since_s = clock.current_time() - turned_at
        _log.error("the loop does not turn for %.0f s, and nobody waits for it any longer: %s", since_s, _where(loop))
        while not self._turns(self._ask_s):
            pass


def _where(thread: int) -> str:
    """Return what holds up a thread, and for which run."""
    frame = sys._current_frames().get(thread)
    if frame is None:
        return "nobody knows what holds it up"
    run = _whose(frame)
    whose = "" if run is None else f"handler {run.handler!r} of run {run.id}: "
    place = f"{Path(frame.f_code.co_filename).name}, line {frame.f_lineno}"
    return f"{whose}{frame.f_code.co_name} ({place}) holds it up"


def _whose(frame: FrameType) -> RunContext | None:
    """Return the run whose task is at work in a frame of trio's loop: the loop itself has it at hand."""
    for task in _tasks(frame):
        return run_of_task(task)
    return None


def _tasks(innermost: FrameType) -> Iterator[Task]:
    frame: FrameType | None = innermost
    while frame is not None:
        if frame.f_globals.get("__name__", "").startswith("trio."):
            task = frame.f_locals.get("task")
            if isinstance(task, Task):
                yield task
        frame = frame.f_back
