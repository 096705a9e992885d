"""Puts as rows: what people say of a schedule, and its cursor; of new schedules those of many together."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from trioarm.core.changes import PutSchedule
from trioarm.core.record import wakes_at
from trioarm.repositories.sqlite.rows import write_amendments, write_definition, write_pause

Values: TypeAlias = tuple[object, ...]


def schedule_values(put: PutSchedule) -> Values:
    """Return the values of `INSERT_SCHEDULE` and `REVISE`.

    Raises:
        InvalidSchedule: it has no form in a file.
    """
    schedule = put.schedule
    return (
        write_definition(schedule), write_amendments(put.amendments), schedule.owner, schedule.handler, schedule.lane,
        int(schedule.supersede), schedule.name,
    )  # fmt: skip


def cursor_values(put: PutSchedule, key: int) -> Values:
    """Return the values of `PUT_CURSOR`."""
    return (*_cursor(put, key), put.expected_cursor_at, put.expected_next_due_at)


def new_values(puts: Iterable[PutSchedule], first_key: int) -> tuple[list[object], list[object]]:
    """Return the values of all rows of new schedules, for `INSERT_NEW_SCHEDULES` and `INSERT_NEW_CURSORS`.

    Raises:
        InvalidSchedule: one of them has no form in a file.
    """
    schedules: list[object] = []
    cursors: list[object] = []
    for key, put in enumerate(puts, first_key):
        schedules += (key, *schedule_values(put))
        cursors += _cursor(put, key)
    return schedules, cursors


def _cursor(put: PutSchedule, key: int) -> Values:
    wake_at = wakes_at(put.state, put.next_due_at, put.pause, put.schedule)
    return (
        key, put.expected_revision + 1, put.cursor_at, put.next_due_at, wake_at, -put.schedule.priority, put.anchor_at,
        put.state.value, write_pause(put.pause),
    )  # fmt: skip
