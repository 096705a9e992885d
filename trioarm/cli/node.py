"""A node in the foreground: started, told about, told to change or to stop, and left with an exit code (S8.2).

Only here are signals handled, and only here may the process be left by force.
"""

from __future__ import annotations

import gc
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
from trioarm.cli.pulse import Pulse
from trioarm.cli.systemd import ServiceManager
from trioarm.cli.wording import span, wall
from trioarm.config.sources import LOCAL
from trioarm.core.counting import counted
from trioarm.core.errors import ConfigurationError, SchedulerStopped, TrioarmError
from trioarm.core.queries import PAGE_MAX, ScheduleOrder, ScheduleQuery
from trioarm.engine.attempt import STUCK_GRACE_S
from trioarm.engine.executor import RunExecutor
from trioarm.engine.hub import Hub
from trioarm.engine.ports import Clock
from trioarm.engine.recorder import Recorder
from trioarm.engine.scheduler import Scheduler
from trioarm.links.watch import DirectoryWatch

# What a terminal or a supervisor says; where the system knows no SIGHUP, nothing is read again.
SIGNALS: Final = tuple(signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))

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
        supervisor: who is told how it is.
    """

    def __init__(self, bootstrap: SchedulerBootstrap, until: Until, supervisor: ServiceManager | None = None) -> None:
        self._bootstrap = bootstrap
        self._until = until
        self._supervisor = supervisor or ServiceManager()
        self._narrator = Narrator()
        self._reload_asked = trio.Event()
        self._stopping = False
        self._of_a_terminal = _has_terminal()
        self._log = logger("node")

    async def run(self) -> Exit:
        """Start, tell what happens, and return how it ended.

        Raises:
            TrioarmError: it cannot start; perhaps in an exception group.
        """
        began_at = trio.current_time()
        hub = self._bootstrap.container.get(Hub)
        with trio.open_signal_receiver(*SIGNALS) as signals, hub.subscribe(*KINDS) as events:
            async with trio.open_nursery() as watchers:
                self._watchers = watchers
                watchers.start_soon(self._obey, signals)
                async with trio.open_nursery() as telling:
                    telling.start_soon(self._narrator.listen, events)
                    await self._be_a_node()
                watchers.cancel_scope.cancel()
        self._log.info(f"stopped after {span(trio.current_time() - began_at)}; {self._narrator.summary()}")
        if self._bootstrap.container.get(Recorder).unkept:
            return Exit.FAILURE
        return Exit.CLEAN if self._bootstrap.drained else Exit.CUT_SHORT

    async def _be_a_node(self) -> None:
        async with trio.open_nursery() as nursery:
            scheduler = await self._bootstrap.initialize(nursery)
            gc.freeze()  # what is loaded stays: looking over 100 000 schedules again and again would halt all for 0.1 s
            status = await self._say_started(scheduler)
            self._supervisor.ready(status)
            self._watchers.start_soon(self._reload_when_asked, status)
            pulse = Pulse(self._bootstrap.container)
            self._watchers.start_soon(self._supervisor.keep_watch, lambda: self._stopping or pulse.beats())
            self._watchers.start_soon(self._follow_settings)
            installation = self._bootstrap.container.get(Installation)
            for name, panel in installation.panels.items():
                self._watchers.start_soon(watch_panel, name, panel, self._bootstrap.container.get(Clock))
            if self._until.after_s is not None:
                self._watchers.start_soon(self._stop_after, self._until.after_s)
            if self._until.idle:
                self._watchers.start_soon(self._stop_when_idle, scheduler)

    async def _say_started(self, scheduler: Scheduler) -> str:
        config = self._bootstrap.config
        page = await scheduler.schedules.find(ScheduleQuery(order=ScheduleOrder.NEXT_DUE_AT, limit=PAGE_MAX))
        ours = [schedule for schedule in page.rows if not schedule.name.startswith(HOUSEKEEPING)]
        many = counted(len(ours), "schedule") if page.next is None else f"more than {counted(PAGE_MAX, 'schedule')}"
        first = next((schedule for schedule in ours if schedule.next_due_at is not None), None)
        due = ""
        if first is not None and first.next_due_at is not None:
            due = f", next is {first.name} at {wall(first.next_due_at)}"
        status = f"started: {many}{due}"
        self._log.info(status, node=scheduler.node, schedules=len(ours))
        if config.scheduler.store.startswith("memory:"):
            self._log.warning("the store is memory://: history and panel states are forgotten when this ends")
        if not config.scheduler.auto_start:
            self._log.warning("nothing will run: scheduler.auto_start is false")
        return status

    # Reading the configuration again

    async def _follow_settings(self) -> None:
        """Take over what `config set` writes, as soon as it is written; without such news there is still SIGHUP."""
        source = self._bootstrap.config.source
        watch = None if source is None else DirectoryWatch.open(source.parent)
        if watch is None:
            return
        try:
            await self._reload(LOCAL, local_only=True)  # it may have been written since it was read
            while True:
                names = await watch.names()
                if LOCAL in names or "" in names:
                    await self._reload(LOCAL, local_only=True)
        finally:
            watch.close()

    async def _reload_when_asked(self, status: str) -> None:
        """Read everything again once for however many signals came meanwhile."""
        while True:
            await self._reload_asked.wait()
            self._reload_asked = trio.Event()
            if self._stopping:
                return
            self._supervisor.reloading()
            taken = await self._reload("SIGHUP")
            if not self._stopping:
                self._supervisor.ready(status if taken else f"{status}; the configuration has problems, see the log")

    async def _reload(self, why: str, *, local_only: bool = False) -> bool:
        """Read the configuration again; what is wrong is told, and changes nothing. Return whether it was taken."""
        try:
            changed = await self._bootstrap.live.reload(local_only=local_only)
        except SchedulerStopped:
            return False
        except ConfigurationError as error:
            for problem in error.problems:
                self._log.error(f"{why}: nothing is taken over: {problem}")
        except (TrioarmError, OSError) as error:
            if not self._stopping:  # else its store is closed, which is as it should be
                self._log.error(f"{why}: nothing is taken over: {error}")
        else:
            if not changed and not local_only:
                self._log.info(f"{why}: the configuration says what it said before")
            return True
        return False

    # Stopping

    async def _obey(self, signals: AsyncIterator[int]) -> None:
        async for number in signals:
            name = signal.Signals(number).name
            if name == "SIGHUP" and not (self._of_a_terminal and not _has_terminal()):
                self._reload_asked.set()
            elif self._stopping:
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
        self._supervisor.stopping(f"stopping: {why}", drain_s + LEAVE_AFTER_S + 2 * FLUSH_S)
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
        recorder = self._bootstrap.container.get(Recorder)
        with trio.move_on_after(FLUSH_S):
            await recorder.flush()
        recorder.tell_unkept()
        self._log.info(f"stopped; {self._narrator.summary()}")
        _leave()


def _has_terminal() -> bool:
    """Whether this process reads from a terminal; one that was closed is none any more, and says so with SIGHUP."""
    try:
        return os.isatty(0)
    except OSError:
        return False


def _leave() -> NoReturn:
    """End the process at once.

    A trio task cannot be killed, and neither can a thread: a handler that shields itself for ever would keep the
    process alive for ever, and whatever supervises it would have to kill it without a word. So the program leaves
    while it can still say why. What the handler did not finish is found unfinished in the store, and run again.
    """
    for handler in logging.getLogger(ROOT).handlers:
        handler.close()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(Exit.CUT_SHORT)
