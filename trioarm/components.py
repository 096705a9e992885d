"""The composition root: which classes a node is made of, and what each of them is given.

Everything else is given what it needs; only this module and `cli` know which classes there are.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Mapping
from functools import partial
from typing import Final

from trioarm.arming.discovery.discovery import Discovery
from trioarm.arming.discovery.settings import DiscoverySettings
from trioarm.arming.installation import Installation
from trioarm.arming.model import WATCH, InvalidRequest, Premises
from trioarm.arming.panels.base import Panel
from trioarm.config import MEMORY, SchedulerConfig
from trioarm.container import Container
from trioarm.core.record import ScheduleState
from trioarm.core.run import RunRecord
from trioarm.engine.announcing import announce
from trioarm.engine.clock import SystemClock
from trioarm.engine.engine import SchedulingEngine
from trioarm.engine.executor import RunExecutor
from trioarm.engine.gatekeeper import Gatekeeper
from trioarm.engine.health import Health
from trioarm.engine.hub import Hub
from trioarm.engine.leases import Lease
from trioarm.engine.loop_watch import LoopWatch
from trioarm.engine.metrics import Metrics
from trioarm.engine.pool import Pool, PoolSettings
from trioarm.engine.ports import Chance, Clock, ScheduleRepository
from trioarm.engine.progress import ProgressWriter
from trioarm.engine.recorder import Recorder
from trioarm.engine.run_commands import RunCommands
from trioarm.engine.scheduler import Scheduler
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
from trioarm.live import POOL, LiveConfig, pool_of
from trioarm.notify import notifying
from trioarm.notify.channels import make_channel
from trioarm.notify.notifying import Notifying, workers_for
from trioarm.repositories.memory import InMemoryScheduleRepository
from trioarm.repositories.sqlite import SqliteScheduleRepository
from trioarm.version import __version__

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


def make_installation(c: Container, premises: Premises, panels: Mapping[str, Panel] | None = None) -> Installation:
    """Return the partitions of a node, which can have schedules fired by its scheduler.

    Args:
        panels: drivers by partition, instead of those configured.
    """

    async def fire(schedule: str) -> None:
        scheduler = c.get(Scheduler)  # made later: it knows the executor that calls this
        if (await scheduler.schedules.get(schedule)).state is ScheduleState.PAUSED:
            raise InvalidRequest(f"{schedule} is paused")
        await scheduler.runs.fire(schedule, author=WATCH, note="its panel restarted")

    async def hasten(run: RunRecord, due_at: int) -> bool:
        engine = c.get(SchedulingEngine)  # made later, likewise
        return await RunCommands(c.get(ScheduleRepository), c.get(Clock), c.get(Hub), engine).hasten(run, due_at)

    tell = partial(announce, metrics=c.get(Metrics), hub=c.get(Hub))
    repository, clock, shown = c.get(ScheduleRepository), c.get(Clock), c.get(SchedulerConfig).discovery
    return Installation(
        premises, repository, clock, panels=panels, fire=fire, announce=tell, hasten=hasten, discovery=shown
    )


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
        __version__,
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
        c.get(RunExecutor),
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


def store_of_others(c: Container) -> ScheduleRepository:
    config = c.get(SchedulerConfig)
    store = SqliteScheduleRepository(config.store_path, horizon_s=config.scheduler.horizon_s, migrate=False)
    store.take_for_now(c.get(Clock).now())
    return store
