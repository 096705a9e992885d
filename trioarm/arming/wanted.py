"""Wanted: what a partition should be, once conditions have had their say (A1.6, A4.5).

The timeline knows what schedules declare. What one left as it was says nothing of its partition, so that what came
before still counts; and what was made of it instead of the target is what it should be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import attrs

from trioarm.arming.compile import DEPENDS
from trioarm.arming.model import Target
from trioarm.arming.timeline import Desired, desired
from trioarm.core.run import Origin, RunRecord
from trioarm.core.schedule import Schedule
from trioarm.core.states import Reason, State
from trioarm.engine.ports import ScheduleRepository

LEFT_MAX: Final = 100  # occurrences in a row that were left: what was before them nobody remembers


async def wanted(
    schedules: Sequence[Schedule], partition: str, now: int, repository: ScheduleRepository
) -> Desired | None:
    """Return what a partition should be; None before its first occurrence.

    Args:
        schedules: engine schedules of any partition.
        partition: by name.
        now: microseconds since 1970 UTC.
        repository: where it is kept what became of occurrences.

    Raises:
        RepositoryError: the store is out of reach.
    """
    depending = {schedule.name for schedule in schedules if DEPENDS in schedule.args}
    found = desired(schedules, partition, now)
    for _ in range(LEFT_MAX):
        if found is None or found.schedule not in depending:
            return found
        run = await _run_of(found, repository)
        if run is None or not _was_left(run):
            return found if run is None else attrs.evolve(found, target=_made(run, found.target))
        found = desired(schedules, partition, found.since_at - 1)
    return None


def wanted_by(
    schedules: Sequence[Schedule],
    partition: str,
    at: int,
    became: Mapping[tuple[str, int], Target | None],
) -> Target | None:
    """Return what a partition should have been at an instant; None before its first occurrence.

    Args:
        became: what is on record of occurrences, by schedule and instant; None where one was left.
    """
    found = desired(schedules, partition, at)
    for _ in range(LEFT_MAX):
        if found is None:
            return None
        target = became.get((found.schedule, found.since_at), found.target)
        if target is not None:
            return target
        found = desired(schedules, partition, found.since_at - 1)
    return None


async def _run_of(found: Desired, repository: ScheduleRepository) -> RunRecord | None:
    record = await repository.get_schedule(found.schedule)
    epoch = 0 if record is None else record.epoch
    return await repository.get_run_of(found.schedule, found.since_at, Origin.SCHEDULE, epoch)


def _was_left(run: RunRecord) -> bool:
    return run.state is State.OVERRIDDEN and run.reason is Reason.CONDITION


def _made(run: RunRecord, target: Target) -> Target:
    """Return what a run made of its partition; what it was to, where it has not succeeded."""
    reported = run.result.get("reported") if isinstance(run.result, dict) else None
    return Target(str(reported)) if run.state is State.SUCCEEDED and reported in set(Target) else target
