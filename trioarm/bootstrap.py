"""A node from its beginning to its end: its components are started in order, and stopped in the other (S8)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import attrs
import trio

from trioarm.arming.discovery.discovery import Discovery
from trioarm.arming.installation import Installation
from trioarm.components import discovery_of, scheduler_components, store_of_others
from trioarm.config import MEMORY, SchedulerConfig, unknown_handlers
from trioarm.container import Container
from trioarm.core.errors import ConfigurationError, SchedulerStopped
from trioarm.engine.clock import wait_until_set
from trioarm.engine.engine import SchedulingEngine
from trioarm.engine.executor import RunExecutor
from trioarm.engine.health import Health, HealthReport
from trioarm.engine.hub import Hub
from trioarm.engine.leases import Lease
from trioarm.engine.ports import Clock, ScheduleRepository
from trioarm.engine.progress import ProgressWriter
from trioarm.engine.recorder import Recorder
from trioarm.engine.scheduler import Scheduler
from trioarm.engine.zone_change import heed_zone_data
from trioarm.handlers.injection import Injection
from trioarm.handlers.registry import Handlers
from trioarm.links.zone_data import zone_data_version
from trioarm.live import LiveConfig
from trioarm.notify.notifying import Notifying

FLUSH_S: Final = 5.0  # how long the last outcomes may take to be written once everything else has ended (S6.8)


class SchedulerBootstrap:
    """Starts and stops one node, for programs of which any task may say when it is to stop.

    Start order: clock, repository, connections to panels, recorder, executor, lease, declared schedules once the clock
    is set, engine. Stop order: the engine claims nothing more, runs end until the drain deadline, the rest is
    cancelled, outcomes are recorded, the lease is given up, the repository closes (S8.2).

    Args:
        config: what the node is to be.
        handlers: the program's own.
        container: instead of `scheduler_components(config, handlers)`, to replace components.
    """

    def __init__(
        self, config: SchedulerConfig | None = None, handlers: Handlers = (), *, container: Container | None = None
    ) -> None:
        self.container = container or scheduler_components(config or SchedulerConfig(), handlers)
        self.live = self.container.get(LiveConfig)
        self.drained = True
        self._stop = trio.Event()
        self._stopped = trio.Event()
        self._root: trio.CancelScope | None = None

    @property
    def config(self) -> SchedulerConfig:
        """What the node runs under now."""
        return self.live.config

    async def run(self, *, task_status: trio.TaskStatus[Scheduler] = trio.TASK_STATUS_IGNORED) -> None:
        """Be a node until `stop`; hands back the scheduler once it is ready.

        Raises:
            ConfigurationError: a declared schedule cannot be carried out here.
            RepositoryError: the repository cannot be opened.

        Cancellation: everything is cancelled at once; outcomes are still recorded, within five seconds.
        """
        repository, recorder = self.container.get(ScheduleRepository), self.container.get(Recorder)
        executor, engine = self.container.get(RunExecutor), self.container.get(SchedulingEngine)
        self._check_handlers(executor)
        self.container.get(Injection).fill()
        await repository.open()
        try:
            async with trio.open_nursery() as root:
                self._root = root.cancel_scope
                await root.start(self.container.get(Clock).run)
                await root.start(repository.run)
                await root.start(self.container.get(Installation).run)
                await root.start(recorder.run)
                await root.start(executor.run, recorder)
                root.start_soon(self.container.get(ProgressWriter).run)
                await root.start(self.container.get(Lease).run)
                root.start_soon(self._heed, repository, engine)
                self.container.get(Clock).start(repository.written_at)
                await heed_zone_data(repository, zone_data_version())
                if await wait_until_set(self.container.get(Clock), self._stop):
                    engine.rules = self.config.plan_rules(executor.handlers, self.container.get(Clock).now())
                    await self.live.declare()
                    if self.config.scheduler.auto_start:
                        engine.start()
                await root.start(engine.run)
                root.start_soon(self.container.get(Notifying).run)
                root.start_soon(self.container.get(Discovery).run)
                root.start_soon(self.container.get(Installation).listen)
                root.start_soon(self.live.follow)
                task_status.started(self.container.get(Scheduler))
                await self._stop.wait()
                self.live.close()
                engine.stop()
                self.drained = await executor.drain(self.config.scheduler.drain_s)
                if executor.is_deserted:  # record now: a handler that ignores the end of the node keeps all waiting
                    with trio.move_on_after(FLUSH_S):
                        await recorder.flush()
                root.cancel_scope.cancel()
        finally:
            self.live.close()
            try:
                executor.give_back()  # what the engine claimed in a last pass that nobody was left to work on
                with trio.move_on_after(FLUSH_S, shield=True):
                    await recorder.flush()
                recorder.tell_unkept()
            finally:
                self.container.get(Hub).close()
                with trio.move_on_after(FLUSH_S, shield=True):
                    await repository.leave(engine.node)
                    await repository.close()
                self._stopped.set()

    async def _heed(self, repository: ScheduleRepository, engine: SchedulingEngine) -> None:
        """Let the engine look at what other processes did."""
        while True:
            await repository.changed()
            engine.doubt()
            self.live.doubt()
            self.container.get(Installation).doubt()

    async def initialize(self, nursery: trio.Nursery) -> Scheduler:
        """Start the node in a nursery and return its scheduler.

        Raises:
            ConfigurationError: a declared schedule cannot be carried out here.
            RepositoryError: the repository cannot be opened.
        """
        scheduler: Scheduler = await nursery.start(self.run)
        return scheduler

    def request_stop(self) -> None:
        """Begin to stop: runs may end until the drain deadline. Any task may call it, that of a run among them."""
        self._stop.set()

    def cancel(self) -> None:
        """Stop at once: running handlers are cancelled, their outcomes recorded."""
        self.drained = False
        if self._root is not None:
            self._root.cancel()

    async def stop(self) -> bool:
        """Stop, wait until everything has ended, and return whether every run ended by itself.

        Any task may call it, and several may, but not that of a run, which would wait for itself.

        Raises:
            SchedulerStopped: the node was never started.
        """
        if self._root is None:
            raise SchedulerStopped("this node was never started: call initialize() first")
        self.request_stop()
        await self._stopped.wait()
        return self.drained

    async def check_health(self) -> HealthReport:
        """Return how every component is, with reasons."""
        return await self.container.get(Health).report()

    def _check_handlers(self, executor: RunExecutor) -> None:
        problems = unknown_handlers(self.config, executor.handlers)
        if problems:
            raise ConfigurationError(problems)


@asynccontextmanager
async def open_store(config: SchedulerConfig) -> AsyncIterator[Container]:
    """Open the store of a configuration without being a node, and yield components that commands are carried out with.

    Nothing is claimed and nothing runs; a node that lives on the same store notices what is committed. A store of an
    older version is refused, not migrated: a node of that version may live on it.

    Raises:
        RepositoryError: the store cannot be opened.
    """
    container = scheduler_components(config)
    container.override(Discovery, lambda c: discovery_of(c, None))  # its end would be told as that of the node
    if config.scheduler.store != MEMORY:
        container.override(ScheduleRepository, store_of_others)
    repository = container.get(ScheduleRepository)
    await repository.open()
    try:
        yield container
    finally:
        with trio.CancelScope(shield=True):
            await repository.close()


async def serve(
    config: SchedulerConfig,
    *,
    handlers: Handlers = (),
    task_status: trio.TaskStatus[Scheduler] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run a whole node in the caller's nursery: `scheduler = await nursery.start(trioarm.serve, config)`.

    It runs until it is cancelled; a node that lets runs end first is a `SchedulerBootstrap`.

    Raises:
        ConfigurationError: a declared schedule cannot be carried out here.

    Cancellation: everything is cancelled at once; outcomes are still recorded, within five seconds.
    """
    await SchedulerBootstrap(config, handlers).run(task_status=task_status)


@asynccontextmanager
async def open_scheduler(
    store: str = "memory://",
    *,
    handlers: Handlers = (),
    config: SchedulerConfig | None = None,
    container: Container | None = None,
) -> AsyncIterator[Scheduler]:
    """Run a node while the context lasts: `async with trioarm.open_scheduler(handlers={...}) as scheduler`.

    Leaving normally drains: runs may end until the configured deadline. Leaving by an exception or a cancellation from
    outside cancels runs at once; what they came to is still recorded. The exception leaves as itself (S8.3).

    Args:
        store: where schedules and runs are kept.
        handlers: a mapping of names to functions, or functions named `module:qualname`: async, or plain and then called
            in a thread.
        config: everything else; `store` wins over what it says.
        container: instead of all of these, to replace components.

    Raises:
        ConfigurationError: the store is unknown, or a declared schedule cannot be carried out here.
        HandlerRefused: a handler could never run.
    """
    bootstrap = SchedulerBootstrap(_with_store(config or SchedulerConfig(), store), handlers, container=container)
    left_by: BaseException | None = None
    try:
        async with trio.open_nursery() as nursery:
            scheduler = await bootstrap.initialize(nursery)
            try:
                yield scheduler
            except BaseException as error:
                left_by = error
                nursery.cancel_scope.cancel()
            else:
                await bootstrap.stop()
    except BaseExceptionGroup as group:
        failure = _sole(group)
        if left_by is None or isinstance(left_by, trio.Cancelled):
            raise failure from None
        raise left_by from failure
    if left_by is not None:
        raise left_by


def _with_store(config: SchedulerConfig, store: str) -> SchedulerConfig:
    reading = config.reading
    if reading is not None:  # so that it still counts when the rest is read again
        reading = attrs.evolve(reading, overrides={**reading.overrides, "scheduler.store": store})
    return attrs.evolve(config, scheduler=attrs.evolve(config.scheduler, store=store), reading=reading)


def _sole(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the one exception of a group of one, or the group."""
    if len(group.exceptions) > 1:
        return group
    inner = group.exceptions[0]
    return _sole(inner) if isinstance(inner, BaseExceptionGroup) else inner
