"""What a partition's timeline says: what it should be now, its desired state, and when it opens next (A1.6). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import attrs

from trioarm.arming.model import Target
from trioarm.core.record import ScheduleRecord
from trioarm.core.schedule import Order, Schedule

NONE_PASSED: Final[Mapping[str, int]] = {}


@attrs.frozen(slots=True)
class Desired:
    """What a partition should be.

    Args:
        target: the state.
        since_at: the occurrence that says so.
        schedule: name of the engine schedule it belongs to.
    """

    target: Target
    since_at: int
    schedule: str


def desired(
    schedules: Iterable[Schedule], partition: str, now: int, passed: Mapping[str, int] = NONE_PASSED
) -> Desired | None:
    """Return what the last occurrence of a partition's schedules says; None before the first.

    Equal instants are ordered as planning orders them (S4.4, A4.4).

    Args:
        schedules: engine schedules of any partition.
        partition: by name.
        now: microseconds since 1970 UTC.
        passed: instants from which on occurrences of a schedule say nothing, by its name.
    """
    latest: Order | None = None
    found = None
    for schedule in schedules:
        if not schedule.enabled or schedule.args.get("partition") != partition:
            continue
        at = _last_occurrence(schedule, min(now, passed.get(schedule.name, now + 1) - 1))
        if at is None:
            continue
        order = schedule.order_at(at, schedule.trigger)
        if latest is None or order > latest:
            latest, found = order, Desired(Target(str(schedule.args["target"])), at, schedule.name)
    return found


def next_opening(records: Iterable[ScheduleRecord], partition: str, after: int) -> int | None:
    """Return when stored schedules disarm a partition next, after an instant; None when they never do."""
    openings = [
        record.schedule.next_after(after, record.trigger)
        for record in records
        if record.schedule.args.get("partition") == partition and record.schedule.args.get("target") == Target.DISARMED
    ]
    return min((at for at in openings if at is not None), default=None)


def _last_occurrence(schedule: Schedule, now: int) -> int | None:
    until = now if schedule.end_at is None else min(now, schedule.end_at)
    at = schedule.trigger.previous_before(until + 1)
    return None if at is None or (schedule.start_at is not None and at < schedule.start_at) else at
