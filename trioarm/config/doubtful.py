"""What is allowed, and hardly meant: nights that people mix up, and commands undone soon after (A4.4)."""

from __future__ import annotations

from collections.abc import Iterator

from trioarm.arming.compile import engine_schedules
from trioarm.arming.conflicts.ambiguity import ambiguous
from trioarm.arming.conflicts.undone import undone_soon
from trioarm.config.config import SchedulerConfig
from trioarm.config.known import ready
from trioarm.core.planning import PlanRules


def doubts(config: SchedulerConfig, now: int, rules: PlanRules) -> Iterator[str]:
    """Yield a line for each time that may be meant for another night, and for what is undone soon within a week.

    Args:
        config: whose schedules arm.
        now: microseconds since 1970 UTC.
        rules: the node's.

    Raises:
        InvalidSchedule: one cannot be carried out as declared.
    """
    yield from mixed_up(config, now)
    yield from undone_soon(engine_schedules(ready(config).premises), now, rules)


def mixed_up(config: SchedulerConfig, now: int) -> Iterator[str]:
    """Yield a line for each time that may be meant for another night; see `doubts`."""
    for arming in ready(config).premises.schedules:
        for one in ambiguous(arming.schedule, now):
            yield f'schedule "{arming.schedule.name}": {one}'
