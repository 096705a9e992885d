"""Wanted: what a partition should be, once people and conditions have had their say (A1.6, A4.2, A4.5).

The timeline knows what schedules declare. What is skipped, postponed, superseded or left by a condition says nothing of
its partition, so that what came before still counts; what was made of it instead of the target is what it should be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import attrs

from trioarm.arming.model import Target
from trioarm.arming.timeline import Desired, desired
from trioarm.core.run import Origin, RunRecord
from trioarm.core.schedule import Schedule
from trioarm.core.states import Reason, State, WaitingFor
from trioarm.engine.ports import ScheduleRepository

LEFT_MAX: Final = 100  # occurrences in a row that say nothing: what was before them nobody remembers


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
    for found in _declared(schedules, partition, now):
        run = await _run_of(found, repository)
        if run is None:
            return found
        if not _says_nothing(run, now):
            return attrs.evolve(found, target=_made(run, found.target))
    return None


def wanted_by(
    schedules: Sequence[Schedule],
    partition: str,
    at: int,
    became: Mapping[tuple[str, int], Target | None],
    postponed: Mapping[tuple[str, int], int],
) -> Target | None:
    """Return what a partition should have been at an instant; None before its first occurrence.

    Args:
        became: what is on record of occurrences, by schedule and instant; None where one was left.
        postponed: until when some of them were.
    """
    for one in _declared(schedules, partition, at):
        occurrence = one.schedule, one.since_at
        target = became.get(occurrence, one.target)
        if target is not None and postponed.get(occurrence, at) <= at:
            return target
    return None


def _declared(schedules: Sequence[Schedule], partition: str, at: int) -> Iterator[Desired]:
    """Yield what is declared: what counts first, and then what counts where all before it say nothing."""
    passed: dict[str, int] = {}
    for _ in range(LEFT_MAX):
        found = desired(schedules, partition, at, passed)
        if found is None:
            return
        yield found
        passed[found.schedule] = found.since_at


async def _run_of(found: Desired, repository: ScheduleRepository) -> RunRecord | None:
    record = await repository.get_schedule(found.schedule)
    epoch = 0 if record is None else record.epoch
    return await repository.get_run_of(found.schedule, found.since_at, Origin.SCHEDULE, epoch)


def _says_nothing(run: RunRecord, now: int) -> bool:
    """Whether what came due leaves its partition as it was: somebody wanted that, or it is still to come."""
    match run.state:
        case State.SKIPPED | State.SUPERSEDED:
            return True
        case State.OVERRIDDEN:
            return run.reason is Reason.CONDITION
        case State.PENDING:
            return run.waiting_for is WaitingFor.POSTPONE and run.due_at > now
        case _:
            return False


def _made(run: RunRecord, target: Target) -> Target:
    """Return what a run made of its partition; what it was to, where it has not succeeded."""
    reported = run.result.get("reported") if isinstance(run.result, dict) else None
    return Target(str(reported)) if run.state is State.SUCCEEDED and reported in set(Target) else target
