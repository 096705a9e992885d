"""Schedules, records and runs for tests, with defaults for whatever a test does not mention."""

from __future__ import annotations

from typing import Any

from trioarm.core.instants import HOUR, MINUTE, SECOND, parse_instant
from trioarm.core.record import ScheduleRecord
from trioarm.core.run import RunRecord
from trioarm.core.schedule import Schedule
from trioarm.core.triggers import Every, Trigger

NOW = parse_instant("2026-11-23T22:00:00Z")

__all__ = ["HOUR", "MINUTE", "NOW", "SECOND", "a_record", "a_run", "a_schedule"]


def a_schedule(name: str = "nightly", trigger: Trigger | None = None, **policies: Any) -> Schedule:
    """Return a schedule, every minute and handled by `work` unless said otherwise."""
    policies.setdefault("handler", "work")
    return Schedule(name, Every(60) if trigger is None else trigger, **policies)


def a_record(
    schedule: Schedule | None = None,
    *,
    key: int = 1,
    cursor_at: int = NOW - 1,
    anchor_at: int | None = None,
    runs: int = 0,
) -> ScheduleRecord:
    """Return what a repository would hold after the schedule was put with this cursor."""
    schedule = schedule or a_schedule()
    anchor_at = cursor_at if anchor_at is None else anchor_at
    next_due_at = schedule.next_after(cursor_at, schedule.anchored(anchor_at))
    return ScheduleRecord(key, schedule, 1, cursor_at, next_due_at, anchor_at, runs)


def a_run(record: ScheduleRecord | None = None, nominal_at: int = NOW, **fields: Any) -> RunRecord:
    """Return a run, pending and due when it was decided unless said otherwise."""
    record = record or a_record()
    fields.setdefault("due_at", nominal_at)
    fields.setdefault("decided_at", nominal_at)
    fields.setdefault("lane", record.schedule.lane)
    return RunRecord(record, nominal_at, **fields)
