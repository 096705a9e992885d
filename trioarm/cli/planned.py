"""What is planned, from the configuration alone: records as a node would store them, for the planner to look ahead."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from contextlib import suppress

from trioarm.arming.compile import depends_in
from trioarm.arming.conditions.settings import Depends
from trioarm.arming.model import WARN, InvalidRequest
from trioarm.cli.configuration import HANDLERS, declared_schedules
from trioarm.cli.exits import UsageError
from trioarm.config import SchedulerConfig
from trioarm.config.known import ready
from trioarm.core.diff import first_records
from trioarm.core.jsonable import Json
from trioarm.core.planning import PlanRules
from trioarm.core.reading import suggest
from trioarm.core.record import ScheduleRecord
from trioarm.core.schedule import Schedule


def current_instant() -> int:
    """Return the wall clock in microseconds since 1970 UTC."""
    return time.time_ns() // 1000


def planned_records(config: SchedulerConfig, now: int) -> list[ScheduleRecord]:
    """Return the records of all declared schedules, put at `now`, without those whose calendar nobody has read.

    Raises:
        ConfigurationError: some cannot be carried out.
    """
    return first_records(declared_schedules(ready(config)), now)


def planned_rules(config: SchedulerConfig, now: int) -> PlanRules:
    """Return the rules a node of this configuration plans by."""
    return config.plan_rules({*HANDLERS, WARN}, now)


def chosen(records: Sequence[ScheduleRecord], names: Iterable[str]) -> list[ScheduleRecord]:
    """Return the records that names mean; the name of a schedule that arms several partitions means one for each.

    Raises:
        UsageError: there is no schedule of a name.
    """
    found: dict[int, ScheduleRecord] = {}
    for name in names:
        meant = {record.key: record for record in records if _is_meant(record.schedule.name, name)}
        if not meant:
            own = [record.schedule.name for record in records]
            known = dict.fromkeys([*(each.rpartition("/")[0] or each for each in own), *own])
            raise UsageError(f"there is no schedule {name!r}{suggest(name, known)}")
        found |= meant
    return list(found.values())


def _is_meant(schedule: str, name: str) -> bool:
    return schedule == name or schedule.startswith(f"{name}/")


def partition_of(schedule: Schedule) -> str | None:
    """Return the partition a schedule arms or disarms; None for others."""
    return _text(schedule.args.get("partition")) if "target" in schedule.args else None


def target_of(schedule: Schedule) -> str | None:
    """Return what a schedule makes of its partition; None for others."""
    return _text(schedule.args.get("target")) if "partition" in schedule.args else None


def depends_of(schedule: Schedule) -> Depends | None:
    """Return on which conditions a schedule is carried out; None for none, or what is none."""
    with suppress(InvalidRequest):
        return depends_in(schedule.args) if partition_of(schedule) is not None else None
    return None


def does(schedule: Schedule) -> str:
    """Return what a schedule does, in a word or two, and on what conditions."""
    if schedule.handler == WARN:
        return f"warns of {schedule.args.get('warns')} → {schedule.args.get('to')}"
    partition, depends = partition_of(schedule), depends_of(schedule)
    if partition is None:
        return schedule.handler
    return f"{partition} → {target_of(schedule)}" + (f", {depends.describe()}" if depends is not None else "")


def _text(value: Json) -> str | None:
    return value if isinstance(value, str) else None
