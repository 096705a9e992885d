"""The configuration of a node: sections, declared schedules and premises; from a file, from variables, or from code.

Precedence: command line, environment variable, scheduler.local.toml, [environment.NAME], file, default.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeVar

import attrs

from trioarm.arming.compile import engine_schedules
from trioarm.arming.conflicts.contradictions import Wants
from trioarm.arming.discovery.settings import DiscoverySettings
from trioarm.arming.model import HANDLER, Premises
from trioarm.config.calendars import Surroundings, read_calendars
from trioarm.config.conditions import read_conditions
from trioarm.config.description import Description, describe_section
from trioarm.config.discovery import read_discovery
from trioarm.config.exceptions import read_exceptions
from trioarm.config.handlers import read_workers
from trioarm.config.homeassistant import read_instances
from trioarm.config.hours import read_hours
from trioarm.config.keys import Setting
from trioarm.config.layering import SECTIONS, read_settings
from trioarm.config.mqtt import read_brokers
from trioarm.config.notify import read_channels
from trioarm.config.owners import read_owners
from trioarm.config.premises import read_partitions, read_sites
from trioarm.config.resources import read_resources
from trioarm.config.schedules import Declarations
from trioarm.config.settings import (
    ArmingSettings,
    ExecutorSettings,
    FeatureSettings,
    HistorySettings,
    LogSettings,
    SchedulerSettings,
)
from trioarm.config.sources import LOCAL, Layer, Tree, read_toml
from trioarm.config.store_url import sqlite_path
from trioarm.core.codec import Defaults
from trioarm.core.errors import ConfigurationError, InvalidSchedule
from trioarm.core.instants import DAY, microseconds
from trioarm.core.operations import JOURNAL
from trioarm.core.planning import PlanRules
from trioarm.core.queries import Kept, Retention
from trioarm.core.reading import Problems, Table, show, suggest
from trioarm.core.resources import Resources
from trioarm.core.retry_policy import RetryPolicy
from trioarm.core.retrying import RetryRules
from trioarm.core.schedule import Schedule
from trioarm.core.states import FINAL, State
from trioarm.core.triggers import Events
from trioarm.core.triggers.day_calendars import DayCalendar
from trioarm.feeds.source import FeedSource
from trioarm.notify.model import ChannelSettings

FILE: Final = "scheduler.toml"
FILE_ENV: Final = "TRIOARM_CONFIG"  # names another file
FINISHED_KEPT: Final = 7 * DAY  # finished one-shot schedules (S9.1)

_NO_OVERRIDES: Final[Mapping[str, object]] = MappingProxyType({})
_NOWHERE: Final = Layer("", "", MappingProxyType({}))

S = TypeVar("S")


@attrs.frozen(slots=True)
class Reading:
    """From what a configuration is read, so that it can be read again.

    Args:
        path: of the file; None without one.
        file: what it said.
        local: what `config set` wrote beside it.
        environ: environment variables.
        overrides: settings of the command line by key.
    """

    path: Path | None
    file: Layer
    local: Layer
    environ: Mapping[str, str]
    overrides: Mapping[str, object]


@attrs.frozen(slots=True, kw_only=True)
class SchedulerConfig:
    """All that a node is told. One that exists is valid: what it declares can be carried out.

    Args:
        schedules: declared ones that do anything but arm.
        premises: sites, partitions, and the schedules that arm.
        calendars: working days and holidays by name, for schedules that are read beside these.
        feeds: calendars of events by name; what they hold is read when the node runs.
        resources: what holds for those that schedules name, by name.
        workers: how many workers of its own a handler has, by name; others share those of the executor.
        notify: by which ways people are told of which alerts, by name.
        discovery: what Home Assistant is shown; None for nothing.
        owners: how many schedules each owner may have stored, by name; one that is not there may have any number.
        source: the file it was read from; None for code and variables.
        sources: who said what, by key; what is not there is the default.
        reading: from what it was read; None for code.

    Raises:
        ConfigurationError: a schedule that arms cannot be carried out as declared.
    """

    scheduler: SchedulerSettings = attrs.field(factory=SchedulerSettings)
    executor: ExecutorSettings = attrs.field(factory=ExecutorSettings)
    history: HistorySettings = attrs.field(factory=HistorySettings)
    arming: ArmingSettings = attrs.field(factory=ArmingSettings)
    features: FeatureSettings = attrs.field(factory=FeatureSettings)
    log: LogSettings = attrs.field(factory=LogSettings)
    schedules: tuple[Schedule, ...] = ()
    premises: Premises = attrs.field(factory=Premises)
    calendars: Mapping[str, DayCalendar] = attrs.field(factory=dict)
    feeds: Mapping[str, FeedSource] = attrs.field(factory=dict)
    resources: Resources = attrs.field(factory=dict)
    workers: Mapping[str, int] = attrs.field(factory=dict)
    notify: Mapping[str, ChannelSettings] = attrs.field(factory=dict)
    discovery: DiscoverySettings | None = None
    owners: Mapping[str, int] = attrs.field(factory=dict)
    source: Path | None = None
    sources: Mapping[str, str] = attrs.field(factory=dict, eq=False)
    reading: Reading | None = attrs.field(default=None, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        problems = tuple(compile_problems(self.premises))
        if problems:
            raise ConfigurationError(problems)

    @classmethod
    def from_file(
        cls,
        path: Path | str | None = None,
        *,
        environ: Mapping[str, str] = os.environ,
        overrides: Mapping[str, object] = _NO_OVERRIDES,
        local: Tree | None = None,
    ) -> SchedulerConfig:
        """Read a file, what lies beside it, and the environment.

        Args:
            path: None for what TRIOARM_CONFIG names, else scheduler.toml.
            environ: environment variables.
            overrides: settings of the command line by key, such as `{"scheduler.store": "memory://"}`.
            local: instead of what scheduler.local.toml beside the file says; None to read it.

        Raises:
            ConfigurationError: with a line for every problem.
        """
        file = Path(path or environ.get(FILE_ENV) or FILE)
        declared = Layer(file.name, "", read_toml(file))
        beside = Layer(LOCAL, f"{LOCAL}:", read_local(file) if local is None else local)
        return _read(Reading(file, declared, beside, environ, overrides))

    @classmethod
    def from_env(
        cls, environ: Mapping[str, str] = os.environ, *, overrides: Mapping[str, object] = _NO_OVERRIDES
    ) -> SchedulerConfig:
        """Read environment variables, and the file that TRIOARM_CONFIG names, if it names one.

        Raises:
            ConfigurationError: with a line for every problem.
        """
        if environ.get(FILE_ENV):
            return cls.from_file(environ=environ, overrides=overrides)
        return _read(Reading(None, _NOWHERE, _NOWHERE, environ, overrides))

    def read_again(self, *, local_only: bool = False) -> SchedulerConfig:
        """Read this configuration again, from all that it was read from.

        Args:
            local_only: leave the file as it was read, and look only at what `config set` wrote beside it.

        Raises:
            ConfigurationError: with a line for every problem; or it was made in code, and there is nothing to read.
        """
        reading = self.reading
        if reading is None:
            raise ConfigurationError(("this configuration was made in code: there is nothing to read again",))
        if reading.path is None:
            return _read(reading)
        file = reading.file if local_only else attrs.evolve(reading.file, tree=read_toml(reading.path))
        return _read(attrs.evolve(reading, file=file, local=Layer(LOCAL, f"{LOCAL}:", read_local(reading.path))))

    def read_as(self, held: Mapping[str, object]) -> SchedulerConfig:
        """Return what the same sources mean with these settings, whatever they say of them.

        Args:
            held: values by key, as in the file.

        Raises:
            ConfigurationError: with a line for every problem; or it was made in code, and there is nothing to read.
        """
        if self.reading is None:
            raise ConfigurationError(("this configuration was made in code: there is nothing to read again",))
        return _read(attrs.evolve(self.reading, overrides={**self.reading.overrides, **held}))

    @property
    def owner(self) -> str | None:
        """Who owns the schedules declared here (S5.8); None without a file."""
        return None if self.source is None else f"file:{self.source.name}"

    @property
    def store_path(self) -> Path:
        """The file of the store, if it has one: a relative one lies beside the configuration file.

        Commands find it there from wherever they are called.
        """
        path = sqlite_path(self.scheduler.store)
        return path if self.source is None else self.source.parent / path

    def plan_rules(self, handlers: Collection[str], started_at: int) -> PlanRules:
        """Return the node's rules of planning.

        Args:
            handlers: names of those registered; runs of all but arming are missed after the queue timeout.
            started_at: when the node started; older occurrences are not caught up when `auto_recovery` is off (S8.4).
        """
        return PlanRules(
            tolerance=microseconds(self.scheduler.tolerance_s),
            misfire_window=microseconds(self.scheduler.misfire_window_s),
            queue_timeout=microseconds(self.executor.queue_timeout_s),
            impatient=frozenset(handlers) - {HANDLER},
            recover_from=None if self.scheduler.auto_recovery else started_at,
            retry=self.retry_rules().policy,
        )

    def retry_rules(self) -> RetryRules:
        """Return the node's rules of trying again."""
        policy = RetryPolicy(
            max_retries=self.executor.max_retries,
            base_s=self.executor.retry_delay_base_s,
            max_s=self.executor.retry_delay_max_s,
        )
        return RetryRules(policy, advanced=self.features.advanced_retries)

    def retention(self, now: int) -> Retention:
        """Return what may be forgotten at `now` (S9.1)."""
        return Retention(
            runs_before=now - microseconds(self.scheduler.retention_s),
            runs_max=self.scheduler.retention_runs,
            schedules_before=now - FINISHED_KEPT,
            apart=tuple(kept for state in State if state in FINAL and (kept := self._kept(state, now))),
            journal=JOURNAL,
            limit=self.scheduler.chunk,
        )

    def _kept(self, state: State, now: int) -> Kept | None:
        """Return what holds for runs in a final state instead of what holds for all; None when nothing does."""
        kept_s, runs = self.history.of(state)
        if kept_s is None and runs is None:
            return None
        before = now - microseconds(self.scheduler.retention_s if kept_s is None else kept_s)
        return Kept(frozenset({state}), before, self.scheduler.retention_runs if runs is None else runs)

    def describe(self) -> tuple[Description, ...]:
        """Return every setting, as `config show` lists them."""
        sections: tuple[attrs.AttrsInstance, ...] = (
            self.scheduler,
            self.executor,
            self.history,
            self.arming,
            self.features,
            self.log,
        )
        return tuple(
            line
            for name, section in zip(SECTIONS, sections, strict=True)
            for line in describe_section(name, section, self.sources)
        )


def compile_problems(premises: Premises) -> Iterator[str]:
    """Yield a line for every schedule that arms but cannot be carried out as declared."""
    wants = Wants()
    for arming in premises.schedules:
        name = arming.schedule.name
        try:
            engine_schedules(attrs.evolve(premises, schedules=(arming,)))
        except InvalidSchedule as error:
            yield f'schedule "{name}": {error}'
        if (line := wants.add(arming)) is not None:
            yield f'schedule "{name}": {line}'


def unknown_handlers(config: SchedulerConfig, known: Collection[str]) -> tuple[str, ...]:
    """Return a line for every declared schedule whose handler is not among those `known`, and for others named."""
    named = [(f'schedule "{schedule.name}".handler', schedule.handler) for schedule in config.schedules]
    named += [("handler", name) for name in config.workers]
    return tuple(
        f"{where}: {show(name)} is unknown{suggest(name, known)}" for where, name in named if name not in known
    )


def read_local(path: Path) -> Tree:
    """Return what `config set` wrote beside a file; nothing where it wrote nothing.

    Raises:
        ConfigurationError: one line that says why it cannot be read.
    """
    beside = path.parent / LOCAL
    return read_toml(beside) if beside.exists() else {}


def log_format(
    path: Path, environ: Mapping[str, str] = os.environ, overrides: Mapping[str, object] = _NO_OVERRIDES
) -> str:
    """Return how a node is to log, though the rest of what it is told cannot be used.

    Args:
        path: of the file.
        environ: environment variables.
        overrides: settings of the command line by key.
    """
    file = local = _NOWHERE
    with suppress(ConfigurationError):
        file = Layer(path.name, "", read_toml(path))
        local = Layer(LOCAL, f"{LOCAL}:", read_local(path))
    found = LogSettings().format
    with suppress(ConfigurationError):  # more problems than anybody reads
        settings, _ = read_settings(file, local, environ, overrides, Problems(ConfigurationError))
        found = str(settings.values["log"].get("format", found))
    return found


def _read(reading: Reading) -> SchedulerConfig:
    path = reading.path
    problems = Problems(ConfigurationError)
    settings, rest = read_settings(reading.file, reading.local, reading.environ, reading.overrides, problems)
    values = settings.values
    features = _section(FeatureSettings, values["features"])
    scheduler = _section(SchedulerSettings, values["scheduler"])
    arming = _section(ArmingSettings, values["arming"])
    whole = Table(rest, "", problems)
    folder = Path() if path is None else path.parent
    calendars = read_calendars(whole, Surroundings(scheduler.timezone, folder, reading.environ))
    resources = read_resources(whole)
    defaults = Defaults(
        timezone=scheduler.timezone,
        dst=features.dst,
        calendars=calendars.days,
        feeds={name: Events.unread(name) for name in calendars.feeds},
        owner=None if path is None else f"file:{path.name}",
        resources=resources,
    )
    owners = read_owners(whole)
    schedules, premises = _read_declared(whole, defaults, arming, scheduler.tolerance_s)
    workers = read_workers(whole)
    notify = read_channels(whole, scheduler.timezone, premises.brokers)
    discovery = read_discovery(whole, premises.brokers)
    problems.settle()
    return SchedulerConfig(
        scheduler=scheduler,
        executor=_section(ExecutorSettings, values["executor"]),
        history=_section(HistorySettings, values["history"]),
        arming=arming,
        features=features,
        log=_section(LogSettings, values["log"]),
        schedules=schedules,
        premises=premises,
        calendars=calendars.days,
        feeds=calendars.feeds,
        resources=resources,
        workers=workers,
        notify=notify,
        discovery=discovery,
        owners=owners,
        source=path,
        sources=settings.sources,
        reading=reading,
    )


def _read_declared(
    whole: Table, defaults: Defaults, arming: ArmingSettings, on_time_s: float
) -> tuple[tuple[Schedule, ...], Premises]:
    sites = read_sites(whole)
    instances, brokers = read_instances(whole), read_brokers(whole)
    partitions = read_partitions(whole, sites, instances, brokers)
    conditions = read_conditions(whole, partitions, instances, brokers)
    declarations = Declarations(defaults, sites, partitions, whole.problems, conditions)
    for index, tree in enumerate(whole.take("schedule", _each_schedule, [])):
        declarations.read(tree, index)
    premises = Premises(
        sites=sites,
        partitions=partitions,
        instances=instances,
        schedules=tuple(declarations.arming),
        brokers=brokers,
        late_disarm_s=arming.late_disarm_s,
        on_time_s=on_time_s,
        workers=arming.workers,
        watch_s=arming.watch_s,
        hold_reminder_s=arming.hold_reminder_s,
        hours=read_hours(whole, sites, partitions),
        conditions=conditions,
    )
    author = (defaults.owner or FILE).removeprefix("file:")
    exceptions = read_exceptions(whole, premises, author)
    return tuple(declarations.plain), attrs.evolve(premises, declared_exceptions=exceptions)


def _each_schedule(value: object) -> list[object]:
    if isinstance(value, list):
        return value
    raise ValueError("write [[schedule]], with two brackets on each side: there can be many")


def _section(make: Callable[..., S], values: Mapping[str, Setting]) -> S:
    return make(**values)
