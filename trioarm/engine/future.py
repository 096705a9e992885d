"""Future: what is stored that has occurrences to come, for those who look ahead."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import attrs

from trioarm.core.queries import PAGE_MAX, ScheduleQuery
from trioarm.core.record import ScheduleRecord, ScheduleState
from trioarm.core.run import RunRecord
from trioarm.core.states import WaitingFor
from trioarm.engine.ports import ScheduleRepository

_WITH_FUTURE: Final = ScheduleQuery(states=frozenset({ScheduleState.ACTIVE, ScheduleState.PAUSED}), limit=PAGE_MAX)


async def with_future(repository: ScheduleRepository) -> list[ScheduleRecord]:
    """Return the schedules that are active or paused, by name.

    Raises:
        RepositoryError: the store is out of reach.
    """
    page = await repository.find_schedules(_WITH_FUTURE)
    records = list(page.rows)
    while page.next is not None:
        page = await repository.find_schedules(attrs.evolve(_WITH_FUTURE, after=page.next))
        records += page.rows
    return records


async def postponed_runs(repository: ScheduleRepository, records: Iterable[ScheduleRecord]) -> list[RunRecord]:
    """Return the runs of schedules that wait because somebody postponed them.

    Raises:
        RepositoryError: the store is out of reach.
    """
    found: list[RunRecord] = []
    for record in records:
        if any(amendment.nominal_at <= record.cursor_at for amendment in record.amended):
            unfinished = await repository.unfinished_runs(schedule=record)
            found += [run for run in unfinished if run.waiting_for is WaitingFor.POSTPONE]
    return found
