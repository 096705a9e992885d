"""Nodes of a world: put together as any other, but with a virtual clock, a line to the store that can be cut, and
nothing that reaches out of the world."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

import attrs
import trio

from trioarm.arming.discovery.discovery import Discovery
from trioarm.arming.installation import Installation
from trioarm.arming.model import Premises, VirtualPanel
from trioarm.arming.panels.base import Panel
from trioarm.bootstrap import SchedulerBootstrap
from trioarm.components import discovery_of, make_installation, scheduler_components
from trioarm.config import SchedulerConfig
from trioarm.container import Container
from trioarm.core.errors import CalendarUnavailable
from trioarm.core.jsonable import Json
from trioarm.engine.attempt import RunContext
from trioarm.engine.clock import VirtualClock
from trioarm.engine.engine import SchedulingEngine
from trioarm.engine.executor import RunExecutor
from trioarm.engine.hub import Hub
from trioarm.engine.leases import Lease
from trioarm.engine.ports import Chance, Clock, ScheduleRepository
from trioarm.engine.scheduler import Scheduler
from trioarm.engine.threaded import run_inline
from trioarm.feeds.feed import Feeds
from trioarm.feeds.fetch import Fetched, Fetcher, Version
from trioarm.handlers.dead_man import DeadMan
from trioarm.handlers.injection import Injection
from trioarm.handlers.registry import Handlers, register
from trioarm.live import LiveConfig, schedules_of_parts
from trioarm.notify.notifying import MakeChannel, Notifying
from trioarm.testing.faults import Line
from trioarm.testing.stores import InlineThread

STARTED_NOTHING: Final = "a world starts no program"


async def start_nothing(run: RunContext) -> Json:
    """Succeed in the place of the built-in handler `command`: programs do not live in virtual time."""
    return STARTED_NOTHING


class FileFetcher(Fetcher):
    """Reads calendars of events from files alone: what waits for the web in virtual time waits for ever."""

    async def fetch(self, source: str, known: Version | None = None) -> Fetched:
        """Read a file.

        Raises:
            CalendarUnavailable: it is an address, or the file cannot be read.
            InvalidCalendar: the file is too large.
        """
        if "://" in source:
            raise CalendarUnavailable("a world reads no calendar from the web: let the test name a file")
        return await super().fetch(source, known)


@attrs.frozen(kw_only=True)
class Parts:
    """What a world gives to a node.

    Args:
        name: of the node, as leases know it.
        clock: its clock.
        chance: what spreads its retries.
        line: between it and the store.
        housekeeping: whether it prunes, looks at its health and tells its dead man's switch.
        make_channel: returns what takes messages in the place of real channels.
        panels: of the test's own, by partition, in the place of those configured.
    """

    name: str
    clock: VirtualClock
    chance: Chance
    line: Line
    housekeeping: bool
    make_channel: MakeChannel
    panels: Mapping[str, Panel]


def node_components(config: SchedulerConfig, handlers: Handlers, parts: Parts) -> Container:
    """Return the components of a node, those of its world in the place of what reaches out of it."""
    container = scheduler_components(config, {"command": start_nothing, **register(handlers)})
    container.override(Clock, lambda _: parts.clock)
    container.override(Chance, lambda _: parts.chance)
    container.override(ScheduleRepository, lambda _: parts.line.as_repository())
    container.override(Lease, partial(_lease, node=parts.name))
    container.override(Feeds, lambda c: Feeds(c.get(ScheduleRepository), InlineThread(), FileFetcher(InlineThread())))
    container.override(DeadMan, lambda _: DeadMan())
    container.override(Discovery, lambda c: discovery_of(c, None))
    premises = without_hardware(config.premises)
    container.override(Installation, lambda c: make_installation(c, premises, parts.panels))
    container.override(Injection, lambda c: Injection(c, run_inline))
    container.override(Notifying, partial(_notifying, make=parts.make_channel))
    if not parts.housekeeping:
        container.override(LiveConfig, lambda c: LiveConfig(c.get(SchedulerConfig), c, schedules_of_parts))
    return container


def without_hardware(premises: Premises) -> Premises:
    """Return premises in which every panel is the built-in one, for as long on its way as that in whose place it is.

    What commands a real panel would arm a real house from a test, and does not live in virtual time.
    """
    partitions = {
        name: partition
        if isinstance(partition.panel, VirtualPanel)
        else attrs.evolve(partition, panel=VirtualPanel(exit_delay_s=partition.panel.exit_delay_s), code=None)
        for name, partition in premises.partitions.items()
    }
    return attrs.evolve(premises, partitions=partitions)


def _notifying(c: Container, make: MakeChannel) -> Notifying:
    channels, repository = c.get(SchedulerConfig).notify, c.get(ScheduleRepository)
    return Notifying(channels, repository, c.get(Clock), c.get(Hub), lambda: c.get(Scheduler), make)


class Node:
    """One node of a world: `World.start` returns it.

    Args:
        name: of the node, as leases know it.
        handlers: it was started with.
        config: it was started with.
        container: its components.
        line: between it and the store: `line.stall()` takes the store away, `line.go_on()` gives it back.
        repository: at the end of the line.
    """

    def __init__(
        self,
        name: str,
        handlers: Handlers,
        config: SchedulerConfig,
        container: Container,
        line: Line,
        repository: ScheduleRepository,
    ) -> None:
        self.name = name
        self.handlers = handlers
        self.config = config
        self.container = container
        self.line = line
        self.repository = repository
        self._is_killed = False
        self._bootstrap = SchedulerBootstrap(container=container)
        self._scope = trio.CancelScope()
        self._ended = trio.Event()

    def __repr__(self) -> str:
        return f"<{self.name}, {'alive' if self.is_alive else 'gone'}>"

    @property
    def is_alive(self) -> bool:
        """Whether it was neither stopped nor killed."""
        return not self._is_killed and not self._ended.is_set()

    @property
    def scheduler(self) -> Scheduler:
        """What a program holds in its hands."""
        return self.container.get(Scheduler)

    async def live(self, *, task_status: trio.TaskStatus[Scheduler] = trio.TASK_STATUS_IGNORED) -> None:
        """Be a node until stopped or killed."""
        try:
            with self._scope:
                await self._bootstrap.run(task_status=task_status)
        finally:
            self._ended.set()

    async def stop(self) -> bool:
        """Stop as at a SIGTERM, and return whether every run ended by itself."""
        drained = await self._bootstrap.stop()
        await self._ended.wait()
        return drained

    def die(self) -> None:
        """Lose everything: nothing is kept any more, and nobody hears of it. See `World.kill`."""
        self._is_killed = True
        self.line.cut()
        self._scope.cancel()


def _lease(c: Container, node: str) -> Lease:
    repository, executor, clock = c.get(ScheduleRepository), c.get(RunExecutor), c.get(Clock)
    return Lease(repository, executor, clock, node, regained=lambda: c.get(SchedulingEngine).wake())
