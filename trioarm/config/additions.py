"""Schedules that a person adds by command: read by the same code as those of the file, and beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import attrs

from trioarm.arming.compile import engine_schedules
from trioarm.config.config import SchedulerConfig
from trioarm.config.known import unread
from trioarm.config.schedules import Declarations
from trioarm.core.codec import Defaults
from trioarm.core.errors import ConfigurationError, InvalidSchedule
from trioarm.core.reading import Problems
from trioarm.core.schedule import Schedule
from trioarm.core.triggers import Events

ADDED_MAX: Final = 10_000  # schedules of one command: more of them are a program's, which has the library
NOTHING_KNOWN: Final[Mapping[str, Events]] = MappingProxyType({})


def read_additions(
    config: SchedulerConfig, trees: Sequence[object], owner: str, known: Mapping[str, Events] = NOTHING_KNOWN
) -> list[Schedule]:
    """Return the schedules that the engine is to run.

    Args:
        config: what they stand beside: its zones, calendars, sites and partitions, and names that are taken.
        trees: each as a [[schedule]] of the file.
        owner: who they belong to.
        known: what is known of calendars of events, by name.

    Raises:
        ConfigurationError: with a line for every problem.
    """
    problems = Problems(ConfigurationError)
    if len(trees) > ADDED_MAX:
        problems.add("", f"{len(trees)} schedules at once: at most {ADDED_MAX}")
        problems.settle()
    defaults = Defaults(
        timezone=config.scheduler.timezone,
        dst=config.features.dst,
        calendars=config.calendars,
        feeds={name: known.get(name, Events.unread(name)) for name in config.feeds},
        owner=owner,
    )
    premises = config.premises
    declarations = Declarations(defaults, premises.sites, premises.partitions, problems, premises.conditions)
    declarations.stand_beside(config.schedules, premises.schedules, "the configuration file")
    for index, tree in enumerate(trees):
        declarations.read(tree, index)
    for schedule in (*declarations.plain, *(one.schedule for one in declarations.arming)):
        for name in unread(schedule):
            problems.add(f'schedule "{schedule.name}"', f"no node has read calendar {name} yet: wait until one has")
    problems.settle()
    try:
        arming = engine_schedules(attrs.evolve(premises, schedules=tuple(declarations.arming)))
    except InvalidSchedule as error:
        raise ConfigurationError((str(error),)) from None
    return [*declarations.plain, *arming]
