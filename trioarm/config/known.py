"""Known: a configuration whose schedules know the events of its calendars, or wait until somebody has read them.

A file names calendars; what they hold is read elsewhere, later and again and again. Until a calendar has been read for
the first time, the schedules that name it are left out: nobody knows when they would be due, or when they must not be.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from trioarm.arming.model import KeptException
from trioarm.config.config import SchedulerConfig
from trioarm.core.schedule import Schedule
from trioarm.core.triggers import Events
from trioarm.core.triggers.refreshing import events_of, refreshed


def knowing(config: SchedulerConfig, known: Mapping[str, Events]) -> SchedulerConfig:
    """Return a configuration whose schedules know these events, by name of the calendar."""
    if not config.feeds:
        return config
    arming = tuple(attrs.evolve(one, schedule=_refreshed(one.schedule, known)) for one in config.premises.schedules)
    return attrs.evolve(
        config,
        schedules=tuple(_refreshed(schedule, known) for schedule in config.schedules),
        premises=attrs.evolve(config.premises, schedules=arming),
    )


def excepting(config: SchedulerConfig, kept: tuple[KeptException, ...]) -> SchedulerConfig:
    """Return a configuration whose schedules that arm are as these exceptions want them."""
    return attrs.evolve(config, premises=attrs.evolve(config.premises, exceptions=kept))


def ready(config: SchedulerConfig) -> SchedulerConfig:
    """Return a configuration without the schedules that name a calendar nobody has read."""
    if not config.feeds:
        return config
    arming = tuple(one for one in config.premises.schedules if not unread(one.schedule))
    return attrs.evolve(
        config,
        schedules=tuple(schedule for schedule in config.schedules if not unread(schedule)),
        premises=attrs.evolve(config.premises, schedules=arming),
    )


def waiting(config: SchedulerConfig) -> dict[str, tuple[str, ...]]:
    """Return which schedules wait for a calendar to be read, by name of the calendar, in the order of the file."""
    schedules = [*config.schedules, *(one.schedule for one in config.premises.schedules)]
    names = {name: tuple(one.name for one in schedules if name in unread(one)) for name in config.feeds}
    return {name: found for name, found in names.items() if found}


def unread(schedule: Schedule) -> list[str]:
    """Return the calendars a schedule names that nobody has read."""
    return [name for name, events in events_of(schedule.trigger).items() if not events.is_read]


def _refreshed(schedule: Schedule, known: Mapping[str, Events]) -> Schedule:
    trigger = refreshed(schedule.trigger, known)
    return schedule if trigger == schedule.trigger else attrs.evolve(schedule, trigger=trigger)
