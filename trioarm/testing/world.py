"""A world in virtual time: whole nodes on one store, killed, stalled and restarted, while somebody sets the clock.

Everything is real but time, chance and the machine: a year takes seconds, and the same world takes the same course.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from copy import copy
from types import MappingProxyType
from typing import Final, TypeAlias, TypeVar

import trio
from trio.testing import MockClock

from trioarm.bootstrap import SchedulerBootstrap, scheduler_components
from trioarm.config import SchedulerConfig, SchedulerSettings
from trioarm.container import Container
from trioarm.core.instants import SECOND, parse_instant
from trioarm.core.queries import PAGE_MAX, RunQuery
from trioarm.core.run import RunRecord
from trioarm.engine.clock import VirtualClock
from trioarm.engine.executor import RunExecutor
from trioarm.engine.leases import Lease
from trioarm.engine.ports import Chance, Clock, ScheduleRepository
from trioarm.engine.scheduler import Scheduler
from trioarm.handlers.registry import Handlers
from trioarm.testing.faults import Fault, Line
from trioarm.testing.stores import MemoryDisk, Store

BEGIN: Final = parse_instant("2026-11-23T22:00:00Z")
QUIET: Final = SchedulerConfig(scheduler=SchedulerSettings(health_check_interval_s=3600.0))
CHECK_INTERVAL_S: Final = 60.0

Faults: TypeAlias = "Mapping[tuple[str, int], Fault]"

T = TypeVar("T")


def in_virtual_time(main: Callable[..., Awaitable[T]], *args: object) -> T:
    """Run an async function under a clock that jumps to the next deadline whenever nothing else is to do."""
    return trio.run(main, *args, clock=MockClock(autojump_threshold=0))


class Node:
    """One node of a world.

    Args:
        name: of the node, as leases know it.
        container: its components.
        line: between it and the store.
        repository: at the end of the line.
    """

    def __init__(self, name: str, container: Container, line: Line, repository: ScheduleRepository) -> None:
        self.name = name
        self.container = container
        self.line = line
        self.repository = repository
        self._is_killed = False
        self._bootstrap = SchedulerBootstrap(container=container)
        self._scope = trio.CancelScope()
        self._ended = trio.Event()

    @property
    def is_alive(self) -> bool:
        """Whether it was neither stopped nor killed."""
        return not self._is_killed and not self._ended.is_set()

    @property
    def scheduler(self) -> Scheduler:
        """What a program holds in its hands."""
        return self.container.get(Scheduler)

    async def live(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Be a node until stopped or killed."""
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    await nursery.start(self._bootstrap.run)
                    task_status.started()
        finally:
            self._ended.set()

    async def stop(self) -> bool:
        """Stop as at a SIGTERM, and return whether every run ended by itself."""
        drained = await self._bootstrap.stop()
        await self._ended.wait()
        return drained

    def die(self) -> None:
        """Lose everything: nothing is kept any more, and nobody hears of it."""
        self._is_killed = True
        self.line.cut()
        self._scope.cancel()


class World:
    """A machine with a store, on which nodes live: see `a_world`."""

    def __init__(self, nursery: trio.Nursery, store: Store, start_at: int, faults: Faults, seed: int) -> None:
        self.store = store
        self.faults = dict(faults)
        """What goes wrong, by name of a repository's method and number of its call; may be changed on the way."""
        self.calls: Counter[str] = Counter()
        """How often each method of a repository was called, and how often which fault struck it."""
        self.nodes: list[Node] = []
        self._nursery = nursery
        self._chance = random.Random(seed)
        self._offset = start_at - round(trio.current_time() * SECOND)
        self._clocks: list[VirtualClock] = []

    @property
    def living(self) -> list[Node]:
        """The nodes that were neither stopped nor killed."""
        return [node for node in self.nodes if node.is_alive]

    def now(self) -> int:
        """Return what the wall clock shows, in microseconds since 1970 UTC."""
        return self._offset + round(trio.current_time() * SECOND)

    async def start(self, handlers: Handlers = (), config: SchedulerConfig | None = None) -> Node:
        """Start a node, and return it once it is ready.

        Raises:
            RepositoryError: the store cannot be opened.
        """
        container = scheduler_components(config or QUIET, handlers)
        repository, name = self.store.open(), f"node{len(self.nodes) + 1}"
        line = Line(repository, self.faults, self.calls)
        clock = VirtualClock(self.now(), trio_start=trio.current_time(), check_interval_s=CHECK_INTERVAL_S)
        self._clocks.append(clock)
        container.override(Clock, lambda _: clock)
        container.override(Chance, lambda _: self._chance)
        container.override(ScheduleRepository, lambda _: line.as_repository())
        container.override(Lease, lambda c: Lease(c.get(ScheduleRepository), c.get(RunExecutor), c.get(Clock), name))
        node = Node(name, container, line, repository)
        await self._nursery.start(node.live)
        self.nodes.append(node)
        return node

    def kill(self, node: Node) -> None:
        """Kill a node as with SIGKILL: its memory is lost, its locks are free, its lease runs on."""
        node.die()
        self.store.bury(node.repository, node.name)

    def step(self, seconds: float) -> None:
        """Set the wall clock of the machine forward, or back."""
        self._offset += round(seconds * SECOND)
        for clock in self._clocks:
            clock.step(seconds)


@asynccontextmanager
async def a_world(
    store: Store | None = None, *, start_at: int = BEGIN, faults: Faults = MappingProxyType({}), seed: int = 0
) -> AsyncIterator[World]:
    """Let a world be, and stop the nodes that live at its end.

    Args:
        store: what outlives nodes; memory, for one node at a time, if not given.
        start_at: what the wall clock shows at first, in microseconds since 1970 UTC.
        faults: what goes wrong, by name of a repository's method and number of its call, counted from 1.
        seed: of chance.
    """
    async with trio.open_nursery() as nursery:
        world = World(nursery, store or MemoryDisk(), start_at, faults, seed)
        yield world
        for node in world.living:
            await node.stop()


async def all_runs(repository: ScheduleRepository, schedule: str | None = None) -> list[RunRecord]:
    """Return every row of a repository, or of one schedule, in order of decision, as they are now."""
    rows: list[RunRecord] = []
    query = RunQuery(schedule=schedule, limit=PAGE_MAX)
    while True:
        page = await repository.find_runs(query)
        rows += map(copy, page.rows)  # memory hands out what it goes on working with
        if page.next is None:
            return rows
        query = RunQuery(schedule=schedule, after=page.next, limit=PAGE_MAX)
