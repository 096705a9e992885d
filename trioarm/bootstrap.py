"""The composition root: makes the components of a node, starts them in order, and stops them in the other (S8).

Everything else is given what it needs; only this module and `cli` know which classes there are.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import attrs
import trio

import trioarm
from trioarm.arming.discovery.discovery import Discovery
from trioarm.arming.discovery.settings import DiscoverySettings
from trioarm.arming.installation import Installation
from trioarm.arming.model import WATCH, InvalidRequest, Premises
from trioarm.config import MEMORY, SchedulerConfig, unknown_handlers
from trioarm.container import Container
from trioarm.core.errors import ConfigurationError, SchedulerStopped
from trioarm.core.schedule import ScheduleState
from trioarm.engine.clock import SystemClock, wait_until_set
from trioarm.engine.engine import SchedulingEngine
from trioarm.engine.executor import Pool, PoolSettings, RunExecutor
from trioarm.engine.gatekeeper import Gatekeeper
from trioarm.engine.health import Health, HealthReport
from trioarm.engine.hub import Hub
from trioarm.engine.leases import Lease
from trioarm.engine.loop_watch import LoopWatch
from trioarm.engine.metrics import Metrics
from trioarm.engine.ports import Chance, Clock, ScheduleRepository
from trioarm.engine.progress import ProgressWriter
from trioarm.engine.recorder import Recorder
from trioarm.engine.scheduler import Scheduler
from trioarm.engine.zone_change import heed_zone_data
from trioarm.feeds.feed import Feeds
from trioarm.feeds.fetch import Fetcher
from trioarm.feeds.refreshing import Refreshing
from trioarm.handlers.command import command
from trioarm.handlers.dead_man import DeadMan
from trioarm.handlers.housekeeping import Housekeeping
from trioarm.handlers.injection import Injection
from trioarm.handlers.log import log
from trioarm.handlers.registry import Function, Handlers, register
from trioarm.links.threads import Thread
from trioarm.links.zone_data import zone_data_version
from trioarm.live import POOL, LiveConfig, pool_of
from trioarm.notify import notifying
from trioarm.notify.channels import make_channel
from trioarm.notify.notifying import Notifying, workers_for
from trioarm.repositories.memory import InMemoryScheduleRepository
from trioarm.repositories.sqlite import SqliteScheduleRepository

FLUSH_S: Final = 5.0  # how long the last outcomes may take to be written once everything else has ended (S6.8)

HOUSEKEEPERS: Final = PoolSettings(2, 2)  # so that a long pruning holds up no sign of life

BUILT_IN: Final[dict[str, Function]] = {"command": command, "log": log}


def scheduler_components(config: SchedulerConfig, handlers: Handlers = ()) -> Container:
    """Return a container with the components of a node, none of them made yet.

    Args:
        config: what to build.
        handlers: the program's own, beside the built-in ones; a name given here replaces a built-in one.

    Raises:
        HandlerRefused: a handler could never run; one that asks for what there is not is refused when the node starts.
    """
    ordinary = {**BUILT_IN, **register(handlers)}
    container = Container()
    container.register(SchedulerConfig, lambda _: config)
    container.register(LiveConfig, lambda c: LiveConfig(c.get(SchedulerConfig), c))
    container.register(Clock, lambda _: SystemClock(config.scheduler.check_interval_s))
    container.register(Chance, lambda _: random.Random())
    container.register(Hub, lambda _: Hub())
    container.register(Metrics, lambda _: Metrics(histograms=config.features.performance_monitoring))
    container.register(ScheduleRepository, _repository)
    container.register(Installation, lambda c: make_installation(c, config.premises))
    container.register(DeadMan, lambda c: DeadMan(c.get(SchedulerConfig).scheduler.dead_man_url))
    container.register(Housekeeping, _housekeeping)
    container.register(Feeds, _feeds)
    container.register(Refreshing, _refreshing)
    container.register(Notifying, _notifying)
    container.register(Discovery, lambda c: discovery_of(c, config.discovery))
    container.register(Injection, Injection)
    container.register(ProgressWriter, lambda c: ProgressWriter(c.get(ScheduleRepository), c.get(Clock)))
    container.register(RunExecutor, lambda c: _executor(c, ordinary))
    container.register(Gatekeeper, lambda c: Gatekeeper(c.get(ScheduleRepository), c.get(SchedulerConfig).resources))
    container.register(Recorder, _recorder)
    container.register(Lease, _lease)
    container.register(SchedulingEngine, _engine)
    container.register(Health, _health)
    container.register(Scheduler, _scheduler)
    return container


def make_installation(c: Container, premises: Premises) -> Installation:
    """Return the partitions of a node, which can have schedules fired by its scheduler."""

    async def fire(schedule: str) -> None:
        scheduler = c.get(Scheduler)  # made later: it knows the executor that calls this
        if (await scheduler.schedules.get(schedule)).state is ScheduleState.PAUSED:
            raise InvalidRequest(f"{schedule} is paused")
        await scheduler.runs.fire(schedule, author=WATCH, note="its panel restarted")

    return Installation(premises, c.get(ScheduleRepository), c.get(Clock), fire=fire)


def _repository(c: Container) -> ScheduleRepository:
    config = c.get(SchedulerConfig)
    if config.scheduler.store == MEMORY:
        return InMemoryScheduleRepository()
    return SqliteScheduleRepository(config.store_path, horizon_s=config.scheduler.horizon_s)


def _housekeeping(c: Container) -> Housekeeping:
    return Housekeeping(
        c.get(ScheduleRepository),
        c.get(Clock),
        c.get(Hub),
        lambda: c.get(Health),  # made later: it knows the executor that calls this
        c.get(SchedulerConfig).retention,
        c.get(DeadMan),
    )


def _feeds(c: Container) -> Feeds:
    thread = Thread()
    return Feeds(c.get(ScheduleRepository), thread, Fetcher(thread))


def _refreshing(c: Container) -> Refreshing:
    return Refreshing(
        c.get(Feeds),
        c.get(ScheduleRepository),
        c.get(Clock),
        c.get(Metrics),
        c.get(Hub),
        lambda: c.get(Scheduler),  # made later: it knows the executor that calls this
        lambda: c.get(LiveConfig).heed_calendars(),
        c.get(SchedulerConfig).feeds,
    )


def _notifying(c: Container) -> Notifying:
    return Notifying(
        c.get(SchedulerConfig).notify,
        c.get(ScheduleRepository),
        c.get(Clock),
        c.get(Hub),
        lambda: c.get(Scheduler),  # made later: it knows the executor that calls this
        make_channel,
    )


def discovery_of(c: Container, settings: DiscoverySettings | None) -> Discovery:
    """Return what shows a node to Home Assistant; nothing is shown, and nobody connects for it, without settings."""
    return Discovery(
        settings,
        trioarm.__version__,
        c.get(Installation),
        c.get(ScheduleRepository),
        c.get(Clock),
        c.get(Hub),
        c.get(Chance),
        lambda: c.get(Scheduler),  # made later: it knows the executor that calls this
    )


def _executor(c: Container, ordinary: dict[str, Function]) -> RunExecutor:
    """Make the pools: arming, housekeeping, notifying, and handlers for which somebody asked, have workers of their
    own, so that nothing else can keep them waiting (S6.1)."""
    config, installation = c.get(SchedulerConfig), c.get(Installation)
    rest = c.get(Injection).bind(ordinary)
    arming = {name: rest.pop(name, handler) for name, handler in installation.handlers.items()}
    built_in = {**c.get(Housekeeping).handlers, **c.get(Refreshing).handlers, **installation.announcers}
    built_in |= c.get(Discovery).handlers
    housekeeping = {name: rest.pop(name, handler) for name, handler in built_in.items()}
    notify = {name: rest.pop(name, handler) for name, handler in c.get(Notifying).handlers.items()}
    own = {name: rest.pop(name) for name in config.workers if name in rest}  # of others the start complains
    pools = [
        Pool("arming", PoolSettings(installation.workers, installation.workers), arming),
        Pool("housekeeping", HOUSEKEEPERS, housekeeping),
        Pool(notifying.POOL, workers_for(config.notify), notify),
        *(Pool(pool_of(name), _workers(config.workers[name]), {name: handler}) for name, handler in own.items()),
        Pool(POOL, PoolSettings(config.executor.max_concurrent, config.scheduler.max_concurrent), rest),
    ]
    return RunExecutor(
        pools,
        c.get(Clock),
        c.get(Hub),
        c.get(Metrics),
        config.executor.timeout_s,
        wake=lambda: c.get(SchedulingEngine).wake(),  # the engine is made later: it is the one that knows the executor
        progressed=c.get(ProgressWriter).progressed,
    )


def _workers(count: int) -> PoolSettings:
    return PoolSettings(count, count)


def _recorder(c: Container) -> Recorder:
    return Recorder(
        c.get(ScheduleRepository),
        c.get(Clock),
        c.get(Hub),
        c.get(Metrics),
        c.get(Gatekeeper),
        c.get(Chance),
        c.get(SchedulerConfig).retry_rules(),
        release=c.get(RunExecutor).release,
        # The engine is made later: it is the one that knows the executor.
        wake=lambda: c.get(SchedulingEngine).wake(),
        due_changed=lambda: c.get(SchedulingEngine).due_changed(),
        alerts=c.get(Installation).alert_rule,
    )


def _lease(c: Container) -> Lease:
    node = secrets.token_hex(4)
    repository, executor, clock = c.get(ScheduleRepository), c.get(RunExecutor), c.get(Clock)
    # The engine is made later: it is the one that knows the lease.
    return Lease(
        repository, executor, clock, node, loop_watch=LoopWatch, regained=lambda: c.get(SchedulingEngine).wake()
    )


def _engine(c: Container) -> SchedulingEngine:
    lease = c.get(Lease)
    config, executor, clock = c.get(SchedulerConfig), c.get(RunExecutor), c.get(Clock)
    return SchedulingEngine(
        c.get(ScheduleRepository),
        executor,
        clock,
        c.get(Hub),
        c.get(Metrics),
        c.get(Gatekeeper),
        node=lease.node,
        rules=config.plan_rules(executor.handlers, clock.now()),
        chunk=config.scheduler.chunk,
        may_hold=lambda: lease.is_trusted,
        alerts=c.get(Installation).alert_rule,
    )


def _health(c: Container) -> Health:
    config = c.get(SchedulerConfig)
    return Health(
        c.get(ScheduleRepository),
        c.get(SchedulingEngine),
        c.get(RunExecutor),
        c.get(Recorder),
        c.get(Clock),
        check_interval_s=config.scheduler.check_interval_s,
        more=(c.get(DeadMan).health, c.get(Notifying).health, c.get(Discovery).health),
    )


def _scheduler(c: Container) -> Scheduler:
    scheduler = Scheduler(
        c.get(ScheduleRepository),
        c.get(SchedulingEngine),
        c.get(RunExecutor),
        c.get(Hub),
        c.get(Metrics),
        c.get(Health),
        c.get(Clock),
        lambda: c.get(LiveConfig).reload(),  # made later: it knows every component
    )
    scheduler.owners = c.get(SchedulerConfig).owners
    return scheduler


class SchedulerBootstrap:
    """Starts and stops one node.

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
                if self.config.premises.watch_s:
                    root.start_soon(self.container.get(Installation).watcher.listen)
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

    async def initialize(self, nursery: trio.Nursery) -> Scheduler:
        """Start the node in a nursery and return its scheduler.

        Raises:
            ConfigurationError: a declared schedule cannot be carried out here.
            RepositoryError: the repository cannot be opened.
        """
        scheduler: Scheduler = await nursery.start(self.run)
        return scheduler

    def request_stop(self) -> None:
        """Begin to stop: runs may end until the drain deadline."""
        self._stop.set()

    def cancel(self) -> None:
        """Stop at once: running handlers are cancelled, their outcomes recorded."""
        self.drained = False
        if self._root is not None:
            self._root.cancel()

    async def stop(self) -> bool:
        """Stop, wait until everything has ended, and return whether every run ended by itself.

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
        container.override(ScheduleRepository, _store_of_others)
    repository = container.get(ScheduleRepository)
    await repository.open()
    try:
        yield container
    finally:
        with trio.CancelScope(shield=True):
            await repository.close()


def _store_of_others(c: Container) -> ScheduleRepository:
    config = c.get(SchedulerConfig)
    store = SqliteScheduleRepository(config.store_path, horizon_s=config.scheduler.horizon_s, migrate=False)
    store.take_for_now(c.get(Clock).now())
    return store


async def serve(
    config: SchedulerConfig,
    *,
    handlers: Handlers = (),
    task_status: trio.TaskStatus[Scheduler] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run a whole node in the caller's nursery: `scheduler = await nursery.start(trioarm.serve, config)`.

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
