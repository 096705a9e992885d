"""Announced: what people were told of an occurrence before it was due, and the one message that corrects it (A4.5)."""

from __future__ import annotations

from typing import Final

from trioarm.arming.alerts import AlertKind, subject_of
from trioarm.arming.model import WARN
from trioarm.core.alerts import Alert, Severity, alerts_of
from trioarm.core.instants import microseconds
from trioarm.core.queries import ScheduleQuery
from trioarm.core.run import Origin, render_run_id
from trioarm.engine.ports import ScheduleRepository

WARNINGS_MAX: Final = 20  # of one schedule: more cannot be declared


async def was_announced(repository: ScheduleRepository, schedule: str, nominal_at: int) -> bool:
    """Return whether people were warned of an occurrence.

    Args:
        repository: where schedules and runs are.
        schedule: name of the engine schedule.
        nominal_at: the occurrence.
    """
    query = ScheduleQuery(prefix=f"{schedule}/warn-", handler=WARN, limit=WARNINGS_MAX)
    for record in (await repository.find_schedules(query)).rows:
        before_s = record.schedule.args.get("before_s")
        if record.schedule.args.get("of") != schedule or not isinstance(before_s, int | float):
            continue
        warned_at = nominal_at - microseconds(before_s)
        run = await repository.get_run_of(record.schedule.name, warned_at, Origin.SCHEDULE, record.epoch)
        if run is not None and run.progress is not None:
            return True
    return False


def correcting(
    partition: str, schedule: str, nominal_at: int, text: str, *, at: int, run: str, now: int
) -> tuple[str, Alert]:
    """Return the message that an occurrence comes otherwise than announced, and the id of it.

    It is one of an occurrence and its new moment, however many warnings there were, and whoever says it first.

    Args:
        at: the new moment; 0 where it does not come, or makes something else of the partition.
        run: readable id of the run that says it.
    """
    alert = Alert(
        subject=subject_of(partition),
        kind=AlertKind.CLOSING_CHANGED,
        severity=Severity.NOTICE,
        text=text,
        raised_at=now,
        run=run,
    )
    cause = f"{AlertKind.CLOSING_CHANGED}#{schedule}#{at}"
    return alerts_of(alert.subject) + render_run_id(cause, nominal_at, Origin.SCHEDULE), alert
