"""Takeover: what of a configuration that was read again a running node becomes, and what waits for its next start."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeVar

import attrs

from trioarm.arming.model import Premises
from trioarm.config.config import SchedulerConfig
from trioarm.config.discovery import DISCOVERY
from trioarm.config.keys import Key, Setting, file_key, keys_of
from trioarm.config.layering import SECTIONS
from trioarm.config.settings import (
    ArmingSettings,
    ExecutorSettings,
    FeatureSettings,
    HistorySettings,
    LogSettings,
    SchedulerSettings,
)
from trioarm.core.errors import ConfigurationError
from trioarm.core.events import SettingChange

# What the rest of a file is read by. They wait for a restart, and until then schedules mean what they meant before.
READ_BY: Final = ("scheduler.environment", "scheduler.timezone", "features.dst")

NO_LIMIT: Final = "no limit"

S = TypeVar("S")
V = TypeVar("V")


@attrs.frozen(slots=True)
class Takeover:
    """What a running node is to become.

    Args:
        config: the whole of it.
        settings: those that change.
        waiting: what is said differently as well, and waits for the next start.
    """

    config: SchedulerConfig
    settings: tuple[SettingChange, ...]
    waiting: tuple[str, ...]


def take_over(running: SchedulerConfig, wanted: SchedulerConfig) -> Takeover:
    """Return what a node that runs `running` becomes when `wanted` is what its sources say now.

    Raises:
        ConfigurationError: the environment it runs under cannot be read any more.
    """
    readable = _as_read_by(running, wanted)
    waiting = [key for key in _keys() if not _key(key).live and _said(running, key) != _said(wanted, key)]
    config = attrs.evolve(
        readable,
        scheduler=_kept(SchedulerSettings, running.scheduler, readable.scheduler),
        executor=_kept(ExecutorSettings, running.executor, readable.executor),
        history=_kept(HistorySettings, running.history, readable.history),
        arming=_kept(ArmingSettings, running.arming, readable.arming),
        features=_kept(FeatureSettings, running.features, readable.features),
        log=_kept(LogSettings, running.log, readable.log),
        discovery=running.discovery,
        premises=_premises(running.premises, readable.premises),
        workers={name: readable.workers.get(name, workers) for name, workers in running.workers.items()},
        sources=_sources(running, readable),
        reading=wanted.reading,
    )
    changed = [key for key in _keys() if _said(running, key) != _said(config, key)]
    settings = tuple(
        SettingChange(key, _key(key).render(_said(running, key)), _key(key).render(_said(config, key)))
        for key in changed
    )
    settings += tuple(_owner_changes(running.owners, config.owners))
    unequal = (f"handler.{name}" for name in _differing(config.workers, readable.workers))
    shown = () if readable.discovery == running.discovery else (DISCOVERY,)
    held = (*waiting, *unequal, *shown, *_waiting_premises(config.premises, readable.premises))
    return Takeover(config, settings, held)


def _as_read_by(running: SchedulerConfig, wanted: SchedulerConfig) -> SchedulerConfig:
    held = {key: _said(running, key) for key in READ_BY}
    if all(_said(wanted, key) == value for key, value in held.items()):
        return wanted
    try:
        return wanted.read_as(held)
    except ConfigurationError as error:
        now, then = _said(running, READ_BY[0]), _said(wanted, READ_BY[0])
        if now == then:
            raise
        line = f'{READ_BY[0]}: what is said under "{now}", as this node runs, cannot be used: restart it for "{then}"'
        raise ConfigurationError((line, *error.problems)) from None


def _kept(make: Callable[..., S], now: attrs.AttrsInstance, then: attrs.AttrsInstance) -> S:
    """Return a section as it is wanted, with what cannot change as it is."""
    values: dict[str, Setting] = attrs.asdict(then)
    running: dict[str, Setting] = attrs.asdict(now)
    held = {field: running[field] for field, key in keys_of(type(then)).items() if not key.live}
    return make(**{**values, **held})


def _premises(running: Premises, wanted: Premises) -> Premises:
    """Return what is wanted, but schedules only where they speak of the partitions and conditions of this node."""
    parts, others = ((each.sites, each.partitions, each.conditions) for each in (running, wanted))
    declaring = wanted if parts == others else running
    return attrs.evolve(
        running,
        schedules=declaring.schedules,
        declared_exceptions=declaring.declared_exceptions,
        hours=declaring.hours,
        on_time_s=wanted.on_time_s,
        watch_s=wanted.watch_s,
        hold_reminder_s=wanted.hold_reminder_s,
    )


def _waiting_premises(kept: Premises, wanted: Premises) -> Iterator[str]:
    yield from (f"site.{name}" for name in _differing(kept.sites, wanted.sites))
    yield from (f"homeassistant.{name}" for name in _differing(kept.instances, wanted.instances))
    yield from (f"partition.{name}" for name in _differing(kept.partitions, wanted.partitions))
    yield from (f"condition.{name}" for name in _differing(kept.conditions, wanted.conditions))
    now, then = ({each.schedule.name: each for each in of.schedules} for of in (kept, wanted))
    yield from (f'schedule "{name}"' for name in _differing(now, then))
    hours, others = ({each.name: each for each in of.hours} for of in (kept, wanted))
    yield from (f'closing "{name}"' for name in _differing(hours, others))
    if kept.declared_exceptions != wanted.declared_exceptions:
        yield "exception"


def _owner_changes(now: Mapping[str, int], then: Mapping[str, int]) -> Iterator[SettingChange]:
    for name in _differing(now, then):
        shown = [str(owners[name]) if name in owners else NO_LIMIT for owners in (now, then)]
        yield SettingChange(f"owner.{name}.max_schedules", *shown)


def _differing(now: Mapping[str, V], then: Mapping[str, V]) -> list[str]:
    return [name for name in {**now, **then} if now.get(name) != then.get(name)]


def _sources(running: SchedulerConfig, readable: SchedulerConfig) -> dict[str, str]:
    kept = {key for key in _keys() if not _key(key).live}
    live = {key: source for key, source in readable.sources.items() if key not in kept}
    return live | {key: source for key, source in running.sources.items() if key in kept}


def _keys() -> Iterator[str]:
    for name, section in SECTIONS.items():
        yield from (f"{name}.{file_key(field, key)}" for field, key in keys_of(section).items())


def _key(full: str) -> Key:
    return _field(full)[1]


def _said(config: SchedulerConfig, full: str) -> Setting:
    value: Setting = getattr(getattr(config, full.partition(".")[0]), _field(full)[0])
    return value


def _field(full: str) -> tuple[str, Key]:
    section, _, name = full.partition(".")
    for field, key in keys_of(SECTIONS[section]).items():
        if file_key(field, key) == name:
            return field, key
    raise KeyError(full)
