"""What a schedule asks for and a switch of `[features]` takes away: no error, but nothing to be found out at night."""

from __future__ import annotations

from collections.abc import Iterator

from trioarm.config.config import SchedulerConfig


def unheeded(config: SchedulerConfig) -> Iterator[str]:
    """Yield a line for each declared schedule of which something is not heeded."""
    if config.features.advanced_retries:
        return
    for schedule in (*config.schedules, *(one.schedule for one in config.premises.schedules)):
        if schedule.retry is not None and schedule.retry.is_advanced:
            yield (
                f'schedule "{schedule.name}".retry: strategy and per_error are not heeded while '
                "features.advanced_retries is false: its delays grow by the factor, whatever the error"
            )
