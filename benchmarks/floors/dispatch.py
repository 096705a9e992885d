"""The floor of dispatch: a heap, a channel, a few workers, and a record per run with its state.

No repository, no planning, no retries. What a scheduler cannot leave out is here: it looks at the clock,
keeps a record, hands work over with a bound, and enters one cancel scope with a deadline per call.
"""

from __future__ import annotations

import heapq
import random
import time

import attrs
import trio

WORKERS = 10
BUFFER = 1_000  # runs handed over and not yet taken; more of it is no faster
DEADLINE_S = 60.0

PENDING, CLAIMED, RUNNING, SUCCEEDED = "pending", "claimed", "running", "succeeded"


@attrs.define(eq=False, weakref_slot=False)
class Run:
    """What is kept of a run."""

    key: int
    due_at: float
    state: str = PENDING
    claimed_at: float = 0.0
    started_at: float = 0.0
    finished_at: float = 0.0


def dispatch_due(n: int) -> float:
    """Run `n` no-ops that are due already; return the seconds from the first look to the last outcome."""
    return trio.run(_dispatch_due, n)


async def _dispatch_due(n: int) -> float:
    scatter = random.Random(1)
    start = trio.current_time()
    due = [(start - scatter.random(), key) for key in range(n)]
    heapq.heapify(due)
    runs: dict[int, Run] = {}
    began = time.perf_counter()
    send, receive = trio.open_memory_channel[Run](BUFFER)
    async with trio.open_nursery() as nursery:
        for _ in range(WORKERS):
            nursery.start_soon(_work, receive)
        async with send:
            await _feed(due, runs, send)
    elapsed_s = time.perf_counter() - began
    if sum(run.state == SUCCEEDED for run in runs.values()) != n:
        raise RuntimeError("the floor lost a run")
    return elapsed_s


async def _feed(due: list[tuple[float, int]], runs: dict[int, Run], send: trio.MemorySendChannel[Run]) -> None:
    while due:
        await trio.sleep_until(due[0][0])
        now = trio.current_time()
        room = BUFFER - send.statistics().current_buffer_used
        while room and due and due[0][0] <= now:
            due_at, key = heapq.heappop(due)
            run = runs[key] = Run(key, due_at)
            run.state = CLAIMED
            run.claimed_at = now
            send.send_nowait(run)
            room -= 1


async def _work(receive: trio.MemoryReceiveChannel[Run]) -> None:
    """Take what is there without a checkpoint each, which costs half as much as a run; else wait."""
    async for first in receive:
        run = first
        try:
            while True:
                run.state = RUNNING
                run.started_at = now = trio.current_time()
                with trio.CancelScope(deadline=now + DEADLINE_S):
                    await _handle(run)
                run.state = SUCCEEDED
                run.finished_at = trio.current_time()
                run = receive.receive_nowait()
        except trio.WouldBlock:
            continue
        except trio.EndOfChannel:
            return


async def _handle(_run: Run) -> None:
    """Do nothing, as the handler of this benchmark does."""
