"""What is allowed, and hardly meant: commands undone soon after, and nights that people mix up (A4.4)."""

from __future__ import annotations

from collections.abc import Iterator

from trioarm.arming.ambiguity import ambiguous
from trioarm.config.config import SchedulerConfig
from trioarm.config.known import ready


def mixed_up(config: SchedulerConfig, now: int) -> Iterator[str]:
    """Yield a line for each time shortly after midnight that may be meant for another night.

    Args:
        config: whose schedules arm.
        now: microseconds since 1970 UTC.
    """
    for arming in ready(config).premises.schedules:
        for one in ambiguous(arming.schedule, now):
            yield f'schedule "{arming.schedule.name}": {one}'
