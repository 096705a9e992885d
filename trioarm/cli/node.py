"""A node in the foreground: started, told about, stopped by signals or conditions, and left with an exit code (S8.2).

Only here are signals handled, and only here may the process be left by force.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import AsyncIterator
from typing import Final, NoReturn

import attrs
import trio

from trioarm.arming.installation import Installation
from trioarm.bootstrap import FLUSH_S, SchedulerBootstrap
from trioarm.cli.exits import Exit
from trioarm.cli.idleness import wait_until_idle
from trioarm.cli.logs import ROOT, logger
from trioarm.cli.narrator import KINDS, Narrator
from trioarm.cli.outcomes import HOUSEKEEPING
from trioarm.cli.panels import watch_panel
from trioarm.cli.wording import counted, span, wall
from trioarm.core.queries import PAGE_MAX, ScheduleOrder, ScheduleQuery
from trioarm.engine.attempt import STUCK_GRACE_S
from trioarm.engine.executor import RunExecutor
from trioarm.engine.hub import Hub
from trioarm.engine.ports import Clock
from trioarm.engine.recorder import Recorder
from trioarm.engine.scheduler import Scheduler

# A cancelled handler may clean up for STUCK_GRACE_S; who has not ended by then never will.
LEAVE_AFTER_S: Final = STUCK_GRACE_S + 1.0


@attrs.frozen(slots=True, kw_only=True)
class Until:
    """When a node stops by itself; neither means that only a signal stops it.

    Args:
        after_s: seconds after it has started.
        idle: once all that came due is done, and nothing is about to come.
    """

    after_s: float | None = None
    idle: bool = False


class ForegroundNode:
    """One node, as long as the process lasts.

    Args:
        bootstrap: the node, not yet started.
        until: when it stops by itself.
    """

    def __init__(self, bootstrap: SchedulerBootstrap, until: Until) -> None:
        self._bootstrap = bootstrap
        self._until = until
        self._narrator = Narrator()
        self._stopping = False
        self._log = logger("node")

    async def run(self) -> Exit:
        """Start, tell what happens, and return how it ended.

        Raises:
            TrioarmError: it cannot start; perhaps in an exception group.
        """
        began_at = trio.current_time()
        hub = self._bootstrap.container.get(Hub)
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals, hub.subscribe(*KINDS) as events:
            async with trio.open_nursery() as watchers:
                self._watchers = watchers
                watchers.start_soon(self._obey, signals)
                async with trio.open_nursery() as telling:
                    telling.start_soon(self._narrator.listen, events)
                    await self._be_a_node()
                watchers.cancel_scope.cancel()
        self._log.info(f"stopped after {span(trio.current_time() - began_at)}; {self._narrator.summary()}")
        return Exit.CLEAN if self._bootstrap.drained else Exit.CUT_SHORT

    async def _be_a_node(self) -> None:
        async with trio.open_nursery() as nursery:
            scheduler = await self._bootstrap.initialize(nursery)
            await self._say_started(scheduler)
            installation = self._bootstrap.container.get(Installation)
            for name, panel in installation.panels.items():
                self._watchers.start_soon(watch_panel, name, panel, self._bootstrap.container.get(Clock))
            if self._until.after_s is not None:
                self._watchers.start_soon(self._stop_after, self._until.after_s)
            if self._until.idle:
                self._watchers.start_soon(self._stop_when_idle, scheduler)

    async def _say_started(self, scheduler: Scheduler) -> None:
        config = self._bootstrap.config
        page = await scheduler.schedules.find(ScheduleQuery(order=ScheduleOrder.NEXT_DUE_AT, limit=PAGE_MAX))
        ours = [schedule for schedule in page.rows if not schedule.name.startswith(HOUSEKEEPING)]
        many = counted(len(ours), "schedule") if page.next is None else f"more than {counted(PAGE_MAX, 'schedule')}"
        first = next((schedule for schedule in ours if schedule.next_due_at is not None), None)
        due = ""
        if first is not None and first.next_due_at is not None:
            due = f", next is {first.name} at {wall(first.next_due_at)}"
        self._log.info(f"started: {many}{due}", node=scheduler.node, schedules=len(ours))
        if config.scheduler.store.startswith("memory:"):
            self._log.warning("the store is memory://: history and panel states are forgotten when this ends")
        if not config.scheduler.auto_start:
            self._log.warning("nothing will run: scheduler.auto_start is false")

    # Stopping

    async def _obey(self, signals: AsyncIterator[int]) -> None:
        async for number in signals:
            name = signal.Signals(number).name
            if self._stopping:
                self._log.warning(f"{name}: cancelling what still runs")
                self._bootstrap.cancel()
                self._watchers.start_soon(self._leave_after, LEAVE_AFTER_S)
            else:
                self._stop(name)

    async def _stop_after(self, seconds: float) -> None:
        await trio.sleep(seconds)
        self._stop(f"{span(seconds)} are over")

    async def _stop_when_idle(self, scheduler: Scheduler) -> None:
        await wait_until_idle(scheduler, self._bootstrap.container, self._bootstrap.config.scheduler.check_interval_s)
        self._stop("idle")

    def _stop(self, why: str) -> None:
        if self._stopping:
            return
        self._stopping = True
        running = self._bootstrap.container.get(RunExecutor).running
        drain_s = self._bootstrap.config.scheduler.drain_s
        if running:
            self._log.info(
                f"{why}: stopping; {counted(running, 'run')} may go on for {span(drain_s)}, "
                "a further SIGINT (Ctrl+C) or SIGTERM cancels at once"
            )
        else:
            self._log.info(f"{why}: stopping")
        self._bootstrap.request_stop()
        self._watchers.start_soon(self._leave_after, drain_s + LEAVE_AFTER_S)

    async def _leave_after(self, seconds: float) -> None:
        """Leave the process if handlers still run then; what else takes time has a deadline of its own."""
        await trio.sleep(seconds)
        executor = self._bootstrap.container.get(RunExecutor)
        attempts = [attempt for pool in executor.pools for attempt in (*pool.running.values(), *pool.stuck.values())]
        if not attempts:
            return
        names = sorted({attempt.run.schedule.schedule.handler for attempt in attempts})
        self._log.error(f"leaving by force: {', '.join(map(repr, names))} ignores its cancellation", handlers=names)
        with trio.move_on_after(FLUSH_S):
            await self._bootstrap.container.get(Recorder).flush()
        self._log.info(f"stopped; {self._narrator.summary()}")
        _leave()


def _leave() -> NoReturn:
    """End the process at once.

    A trio task cannot be killed, and neither can a thread: a handler that shields itself for ever would keep the
    process alive for ever, and whatever supervises it would have to kill it without a word. So the program leaves
    while it can still say why. What the handler did not finish is found unfinished in the store, and run again.
    """
    for handler in logging.getLogger(ROOT).handlers:
        handler.flush()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(Exit.CUT_SHORT)
