"""What is allowed, and hardly meant: nights that people mix up (A4.4), commands undone soon after, or held back."""

from __future__ import annotations

from collections.abc import Iterator

from trioarm.arming.compile import engine_schedules
from trioarm.arming.conflicts.ambiguity import ambiguous
from trioarm.arming.conflicts.undone import undone_soon
from trioarm.config.config import SchedulerConfig
from trioarm.config.known import ready
from trioarm.core.planning import PlanRules


def doubts(config: SchedulerConfig, now: int, rules: PlanRules) -> Iterator[str]:
    """Yield a line for each time that may be meant for another night, for what is undone soon within a week, and for
    what a breaker may hold back.

    Args:
        config: whose schedules arm.
        now: microseconds since 1970 UTC.
        rules: the node's.

    Raises:
        InvalidSchedule: one cannot be carried out as declared.
    """
    yield from mixed_up(config, now)
    yield from held_back(config)
    yield from undone_soon(engine_schedules(ready(config).premises), now, rules)


def mixed_up(config: SchedulerConfig, now: int) -> Iterator[str]:
    """Yield a line for each time that may be meant for another night; see `doubts`."""
    for arming in ready(config).premises.schedules:
        for one in ambiguous(arming.schedule, now):
            yield f'schedule "{arming.schedule.name}": {one}'


def held_back(config: SchedulerConfig) -> Iterator[str]:
    """Yield a line for each schedule that arms, and does not even ask its panel while a breaker is open."""
    breakers = {name for name, resource in config.resources.items() if resource.breaker is not None}
    for arming in config.premises.schedules:
        for name in filter(breakers.__contains__, arming.schedule.resources):
            yield (
                f'schedule "{arming.schedule.name}": the breaker of resource "{name}" keeps it from asking its panel, '
                "however well that answers; arming has a breaker of its own for each panel: give this resource none"
            )
