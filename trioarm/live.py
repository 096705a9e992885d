"""Live: the configuration a node runs under, declared when it starts, and taken over anew while it runs.

What is wrong changes nothing. What is right changes as a whole: first the declared schedules, in one transaction, then
the settings, which cannot fail. What cannot change while a node runs is named, and waits for its next start.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from itertools import chain, islice
from typing import Final

import attrs
import trio

from trioarm.arming.compile import engine_schedules
from trioarm.arming.discovery.discovery import discovery_schedules
from trioarm.arming.exceptions.kept import Exceptions
from trioarm.arming.installation import Installation
from trioarm.arming.model import ExceptionRule, KeptException, Premises
from trioarm.arming.reminding import reminding_schedules
from trioarm.arming.supervision.reporting import Often, reporting_schedules
from trioarm.arming.supervision.supervising import supervising_schedules
from trioarm.arming.watching import watching_schedules
from trioarm.config import SchedulerConfig, unknown_handlers
from trioarm.config.doubtful import held_back, mixed_up
from trioarm.config.known import excepting, knowing, ready, waiting
from trioarm.config.takeover import take_over
from trioarm.config.unheeded import unheeded
from trioarm.container import Container
from trioarm.core.diff import SyncDiff
from trioarm.core.errors import (
    ConfigurationError,
    InvalidSchedule,
    RepositoryError,
    RevisionConflict,
    SchedulerStopped,
)
from trioarm.core.events import ConfigChanged
from trioarm.core.owners import CODE_OWNER
from trioarm.core.schedule import Schedule
from trioarm.engine.clock import SystemClock
from trioarm.engine.commands import Beside
from trioarm.engine.engine import SchedulingEngine
from trioarm.engine.executor import RunExecutor
from trioarm.engine.gatekeeper import Gatekeeper
from trioarm.engine.health import Health
from trioarm.engine.hub import Hub
from trioarm.engine.metrics import Metrics
from trioarm.engine.pool import PoolSettings
from trioarm.engine.ports import Clock, ScheduleRepository
from trioarm.engine.recorder import Recorder
from trioarm.engine.rivals import TRIES
from trioarm.engine.scheduler import Scheduler
from trioarm.feeds.refreshing import Refreshing, refreshing_schedules
from trioarm.handlers.dead_man import DeadMan
from trioarm.handlers.housekeeping import OWNER, Housekeeping, housekeeping_schedules
from trioarm.notify import notifying
from trioarm.notify.notifying import Notifying, notifying_schedules, workers_for
from trioarm.repositories.sqlite import SqliteScheduleRepository

NAMED_MAX: Final = 5  # schedules named of which something is not heeded, or hardly meant: `trioarm check` names all
AGAIN_S: Final = 5.0  # after which exceptions are looked at again that could not be heeded
POOL: Final = "default"  # the pool of all handlers that have none of their own

_log = logging.getLogger("trioarm.node")


def pool_of(handler: str) -> str:
    """Return the name of the pool of a handler that has one of its own."""
    return f"handler {handler}"


def built_in_schedules(config: SchedulerConfig) -> list[Schedule]:
    """Return what every node declares beside what it is told to."""
    scheduler = config.scheduler
    ping_s = None if scheduler.dead_man_url is None else scheduler.dead_man_interval_s
    return [
        *housekeeping_schedules(scheduler.health_check_interval_s, ping_s),
        *discovery_schedules(config.discovery, scheduler.check_interval_s),
        *schedules_of_parts(config),
    ]


def schedules_of_parts(config: SchedulerConfig) -> list[Schedule]:
    """Return what calendars, channels and partitions need of it: their looks, reminders and reports."""
    return [
        *refreshing_schedules(config.feeds.values()),
        *notifying_schedules(config.notify.values()),
        *watching_schedules(config.premises),
        *reminding_schedules(config.premises),
        *supervising_schedules(config.premises.hours),
        *reporting_schedules(config.premises, Often(config.arming.report)),
    ]


class LiveConfig:
    """What a node runs under.

    Args:
        config: what it starts with.
        container: its components, told what changes.
        built_in: what a node declares beside what it is told to.
    """

    def __init__(
        self,
        config: SchedulerConfig,
        container: Container,
        built_in: Callable[[SchedulerConfig], list[Schedule]] = built_in_schedules,
    ) -> None:
        self.config = config
        self._built_in = built_in
        self._said = config  # the same before it knew any calendar
        self.takers: list[Callable[[SchedulerConfig], None]] = []
        """Who else takes a changed configuration over, such as the log of a program; called after all components."""
        self._container = container
        self._turns = trio.Lock()
        self._news = trio.Event()
        self._open = False

    async def declare(self) -> None:
        """Make the stored schedules of each declaring owner what they are declared to be (S5.8).

        Raises:
            ConfigurationError: a declared schedule has a name that somebody else uses.
        """
        await self._sync(OWNER, self._built_in(self.config))
        await self._declare_exceptions(self._said)
        await self._know()
        await self._declare_own()
        if await self._know():  # another node read one meanwhile, and what it spread may be undone
            await self._declare_own()
        self._open = True
        await self._container.get(Refreshing).look()

    async def foresee(self) -> SyncDiff:
        """Return what the next start, or reload, would change of the schedules declared here; nothing is changed.

        Raises:
            ConfigurationError: one cannot be carried out.
            InvalidSchedule: they are more than their owner may have.
        """
        config = await self._with_known(self._said)
        book = await self._exceptions.foresee(config.premises.declared_exceptions)
        declared = self._declared(excepting(config, book.kept))
        return await self._container.get(Scheduler).schedules.sync(self._owner, declared, dry_run=True)

    async def _declare_own(self) -> None:
        now = self._container.get(Clock).look()
        for line in islice(chain(unheeded(self.config), mixed_up(self.config, now), held_back(self.config)), NAMED_MAX):
            _log.warning(line)
        declared = self._declared(self.config)
        if declared or self.config.owner:
            await self._refuse_foreign(declared)
            await self._be_excepted(self.config)

    def close(self) -> None:
        """Take nothing over any more: the node stops."""
        self._open = False

    async def reload(self, *, local_only: bool = False) -> ConfigChanged:
        """Read the configuration again, take over what can change while the node runs, and return what did.

        Args:
            local_only: look only at what `config set` wrote beside the file, not at the file itself.

        Raises:
            ConfigurationError: with a line for every problem; nothing has changed.
            SchedulerStopped: the node does not run.
        """
        async with self._turns:
            if not self._open:
                raise SchedulerStopped("this node does not run, so there is nothing to take a configuration over")
            wanted = self.config.read_again(local_only=local_only)
            problems = unknown_handlers(wanted, self._container.get(RunExecutor).handlers)
            if problems:
                raise ConfigurationError(problems)
            found = take_over(self._said, wanted)
            await self._declare_exceptions(found.config)
            config = await self._with_known(found.config)
            diff, config = await self._redeclare_as(config)
            self._said = found.config
            self._apply(config)
            await self._container.get(Refreshing).look()
        changed = ConfigChanged(found.settings, diff.added, diff.changed, diff.removed, found.waiting)
        if changed:
            self._container.get(Hub).publish(changed)
        return changed

    async def heed_calendars(self) -> None:
        """Let declared schedules know what is known of their calendars now, those that waited for one included.

        Raises:
            ConfigurationError: a declared schedule has a name that somebody else uses.
        """
        async with self._turns:
            waited = waiting(self.config)
            if not self._open or not await self._know():
                return
            await self._redeclare(self.config)
            await self._know()
            for calendar in waited.keys() - waiting(self.config).keys():
                _log.info("calendar %s has been read: %s will run", calendar, ", ".join(waited[calendar]))

    async def _know(self) -> bool:
        """Let the configuration know what is known of its calendars and exceptions now, and return whether it is
        news."""
        config = await self._with_known(self._said)
        if config == self.config:
            return False
        self.config = config
        self._container.get(Installation).declare(ready(config).premises)
        return True

    async def _with_known(self, config: SchedulerConfig) -> SchedulerConfig:
        known = knowing(config, await self._container.get(Refreshing).events(config.feeds))
        return excepting(known, (await self._exceptions.read()).kept)

    # Exceptions

    async def except_(self, rule: ExceptionRule) -> tuple[KeptException, bool]:
        """Keep an exception.

        Returns:
            It, and whether stored schedules are so already; else they are once the node that runs notices, or the next
            one starts.

        Raises:
            InvalidRequest: it means nothing, or would change nothing that is to come.
            RepositoryError: the store cannot be used.
        """
        return await self._excepting(lambda premises: self._exceptions.add(rule, premises))

    async def take_back(self, number: int, *, by: str) -> tuple[KeptException, bool]:
        """Take an exception back; see `except_`.

        Raises:
            InvalidRequest: there is none of that number, or a file declares it.
            RepositoryError: the store cannot be used.
        """
        return await self._excepting(lambda premises: self._exceptions.remove(number, premises, by=by))

    def doubt(self) -> None:
        """Look at the exceptions again: another process may have changed them."""
        self._news.set()

    async def follow(self) -> None:
        """Heed the exceptions of other processes, until cancelled."""
        while True:
            await self._news.wait()
            self._news = trio.Event()
            try:
                await self.heed_exceptions()
            except (RepositoryError, RevisionConflict, ConfigurationError, InvalidSchedule) as error:
                told = isinstance(error, RepositoryError)  # by the store itself
                level = logging.DEBUG if told else logging.WARNING
                _log.log(level, "exceptions are not heeded yet, and will be looked at again: %s", error)
                await trio.sleep(AGAIN_S)
                self.doubt()

    async def heed_exceptions(self) -> None:
        """Let declared schedules be as the exceptions that are kept now want them.

        Raises:
            ConfigurationError: a declared schedule has a name that somebody else uses.
            RepositoryError: the store cannot be used.
        """
        async with self._turns:
            if self._open and (await self._exceptions.read()).kept != self.config.premises.exceptions:
                await self._be_excepted(self.config)

    async def _excepting(self, change: Callable[[Premises], Awaitable[KeptException]]) -> tuple[KeptException, bool]:
        """Change an exception, and at once what is stored: unless that is not what is declared here, which a command
        has no business to declare."""
        before = await self._with_known(self._said)
        diff = await self._container.get(Scheduler).schedules.sync(self._owner, self._declared(before), dry_run=True)
        kept = await change(ready(before).premises)
        if self._open:
            await self.heed_exceptions()
        is_as_declared = not (diff.added or diff.changed or diff.removed or diff.foreign)
        if is_as_declared and not self._open:
            await self._be_excepted(before)
        return kept, is_as_declared

    async def _be_excepted(self, config: SchedulerConfig) -> None:
        _, self.config = await self._sync_own(config)
        self._container.get(Installation).declare(ready(self.config).premises)

    async def _declare_exceptions(self, config: SchedulerConfig) -> None:
        await self._exceptions.declare(config.premises.declared_exceptions, config.premises, by=self._owner)

    @property
    def _exceptions(self) -> Exceptions:
        return self._container.get(Installation).exceptions

    @property
    def _owner(self) -> str:
        return self.config.owner or CODE_OWNER

    def _declared(self, config: SchedulerConfig) -> list[Schedule]:
        """Return the declared schedules as the engine runs them.

        Raises:
            ConfigurationError: one that arms, and waits for the next start, has the name of another that does not.
        """
        config = ready(config)
        arming = engine_schedules(config.premises)
        taken = {schedule.name for schedule in arming} & {schedule.name for schedule in config.schedules}
        if taken:
            names = ", ".join(sorted(taken))
            raise ConfigurationError((f"{names}: the name is still that of a schedule that arms: restart the node",))
        return [*config.schedules, *arming]

    async def _redeclare_as(self, config: SchedulerConfig) -> tuple[SyncDiff, SchedulerConfig]:
        """Declare what a changed configuration declares, as many schedules as it allows; or leave it at what was."""
        scheduler = self._container.get(Scheduler)
        allowed, scheduler.owners = scheduler.owners, config.owners
        try:
            return await self._redeclare(config)
        except BaseException:
            scheduler.owners = allowed
            raise

    async def _redeclare(self, config: SchedulerConfig) -> tuple[SyncDiff, SchedulerConfig]:
        await self._refuse_foreign(self._declared(config))
        diff, config = await self._sync_own(config)
        await self._sync(OWNER, self._built_in(config))
        return diff, config

    async def _refuse_foreign(self, declared: Sequence[Schedule]) -> None:
        """Look before anything is changed: what is wrong changes nothing."""
        diff = await self._container.get(Scheduler).schedules.sync(self._owner, declared, dry_run=True)
        _refuse_foreign(self._owner, diff)

    async def _sync_own(self, config: SchedulerConfig) -> tuple[SyncDiff, SchedulerConfig]:
        """Make stored what is declared here, and let exceptions count from then on that did not yet; return that."""
        for tries_left in reversed(range(TRIES)):
            book, beside = await self._exceptions.settling()
            config = excepting(config, book.kept)
            try:
                return await self._sync(self._owner, self._declared(config), beside), config
            except RevisionConflict:
                if beside is None or not tries_left:
                    raise
        raise AssertionError  # there is a last try

    async def _sync(self, owner: str, declared: Sequence[Schedule], beside: Beside | None = None) -> SyncDiff:
        schedules = self._container.get(Scheduler).schedules
        diff = await schedules.sync(owner, declared, author=OWNER, beside=beside)
        _refuse_foreign(owner, diff)
        if diff.added or diff.changed or diff.removed:
            counts = len(diff.added), len(diff.changed), len(diff.removed)
            _log.debug("schedules of %s: %d added, %d changed, %d removed", owner, *counts)
        return diff

    def _apply(self, config: SchedulerConfig) -> None:
        """Tell every component what holds now; what has not changed is told again, which changes nothing."""
        c, self.config = self._container, config
        scheduler, executor = config.scheduler, c.get(RunExecutor)
        if isinstance(clock := c.get(Clock), SystemClock):
            clock.check_interval_s = scheduler.check_interval_s
        if isinstance(repository := c.get(ScheduleRepository), SqliteScheduleRepository):
            repository.horizon_s = scheduler.horizon_s
        engine = c.get(SchedulingEngine)
        rules = config.plan_rules(executor.handlers, started_at=0)
        engine.rules = attrs.evolve(rules, recover_from=engine.rules.recover_from)
        engine.chunk = scheduler.chunk
        c.get(Recorder).rules = config.retry_rules()
        c.get(Gatekeeper).resources = config.resources
        executor.timeout_s = config.executor.timeout_s
        executor.resize(POOL, PoolSettings(config.executor.max_concurrent, scheduler.max_concurrent))
        for handler, workers in config.workers.items():
            executor.resize(pool_of(handler), PoolSettings(workers, workers))
        c.get(Health).check_interval_s = scheduler.check_interval_s
        c.get(Metrics).histograms = config.features.performance_monitoring
        c.get(Housekeeping).retention = config.retention
        c.get(DeadMan).url = scheduler.dead_man_url
        c.get(Refreshing).sources = config.feeds
        c.get(Notifying).declare(config.notify)
        executor.resize(notifying.POOL, workers_for(config.notify))
        c.get(Installation).declare(ready(config).premises)
        for take in self.takers:
            take(config)
        engine.wake()  # its nap may be too long now


def _refuse_foreign(owner: str, diff: SyncDiff) -> None:
    if diff.foreign:
        names = ", ".join(diff.foreign)
        raise ConfigurationError((f"{owner}: {names}: stored by somebody else already: choose other names",))
