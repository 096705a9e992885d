"""Ahead: what there is to foresee from: the configuration, as a node would take it over, and what its store keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from trioarm.arming.holds import Hold
from trioarm.arming.installation import Installation
from trioarm.cli.configuration import declared_schedules
from trioarm.cli.known import Opened
from trioarm.cli.planned import planned_records
from trioarm.cli.terminal import remark
from trioarm.config import SchedulerConfig
from trioarm.config.known import ready
from trioarm.container import Container
from trioarm.core.diff import synced_records
from trioarm.core.errors import RepositoryError
from trioarm.core.record import ScheduleRecord
from trioarm.core.run import RunRecord
from trioarm.engine.future import postponed_runs, with_future
from trioarm.engine.ports import ScheduleRepository
from trioarm.handlers.housekeeping import OWNER


@attrs.frozen(slots=True)
class Ahead:
    """What there is to foresee from.

    Args:
        records: schedules, with what people said of their occurrences.
        postponed: runs that wait already because somebody postponed them.
        held: holds in force, by the partition that they cover.
    """

    records: Sequence[ScheduleRecord]
    postponed: Sequence[RunRecord] = ()
    held: Mapping[str, Hold] = attrs.field(factory=dict)


async def ahead_of(config: SchedulerConfig, store: Opened, now: int) -> Ahead:
    """Return what a node would plan from if it started now; where its store cannot be read, why is remarked on stderr.

    Args:
        config: with all that is known of its calendars and exceptions.
        store: of it.
        now: microseconds since 1970 UTC.

    Raises:
        ConfigurationError: a declared schedule cannot be carried out.
    """
    try:
        if (container := store.components()) is not None:
            return await _stored(config, container, now)
    except RepositoryError as error:
        remark(f"what was added, paused, skipped, postponed or held by command is not known: {error}")
    return Ahead(planned_records(config, now))


async def _stored(config: SchedulerConfig, container: Container, now: int) -> Ahead:
    repository, installation = container.get(ScheduleRepository), container.get(Installation)
    stored = {record.schedule.name: record for record in await with_future(repository)}
    declared = declared_schedules(ready(config))
    for schedule in declared:
        if schedule.name not in stored and (over := await repository.get_schedule(schedule.name)) is not None:
            stored[schedule.name] = over
    records = synced_records(config.owner, declared, stored.values(), now)
    shown = [record for record in records if record.schedule.owner != OWNER]
    postponed = [run for run in await postponed_runs(repository, shown) if run.due_at > now]
    holds = await installation.holds.lasting()
    held = {name: hold for on, hold in holds.items() for name in installation.holds.covered(on)}
    return Ahead(shown, postponed, held)
