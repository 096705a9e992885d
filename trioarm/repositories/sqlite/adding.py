"""Adding: many new schedules as the values of one statement, which are made before a transaction has begun."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from trioarm.core.changes import AddSchedules, Change
from trioarm.core.record import begins_at, first_state
from trioarm.repositories.sqlite import statements
from trioarm.repositories.sqlite.rows import write_definition
from trioarm.repositories.sqlite.statements import Statement
from trioarm.repositories.sqlite.values import or_null


class Added:
    """New schedules of one step.

    Args:
        step: that adds them.

    Raises:
        InvalidSchedule: one of them has no form in a file.
    """

    __slots__ = ("_at", "_count", "_parts", "_said_once")

    def __init__(self, step: AddSchedules) -> None:
        schedules, dues = step.schedules, step.next_due_ats
        self._at, self._count = step.at, len(schedules)
        columns: list[list[Any]] = [
            [one.name for one in schedules],
            [write_definition(one) for one in schedules],
            [or_null(due_at) for due_at in dues],
        ]
        alike: list[list[Any]] = [
            [one.handler for one in schedules],
            [or_null(one.owner) for one in schedules],
            [or_null(one.lane) for one in schedules],
            [int(one.supersede) for one in schedules],
            [begins_at(one, step.at) for one in schedules],
            [-one.priority for one in schedules],
            [first_state(one, due_at)._value_ for one, due_at in zip(schedules, dues, strict=True)],
        ]
        self._said_once: list[object] = []
        if all(len({*column}) == 1 for column in alike):
            self._said_once = [column[0] for column in alike]
        else:
            columns += alike
        most = statements.ADDED_MAX
        self._parts = [
            _rows([column[start : start + most] for column in columns]) for start in range(0, self._count, most)
        ]

    def __len__(self) -> int:
        """Return how many they are."""
        return self._count

    def keys(self, last: int) -> range:
        """Return the keys that they have behind the last one that there is."""
        return range(last + 1, last + 1 + len(self))

    def statements(self, last: int) -> Iterator[Statement]:
        """Yield what writes them, as few statements as there can be: one for up to `ADDED_MAX`.

        Args:
            last: the key of the last schedule that there is, which must be so when they are carried out.
        """
        for size, count, values in self._parts:
            text = statements.add(size, len(self._said_once) > 0)
            yield text, [last, last, self._at, *self._said_once, *values, count]
            last += count


def _rows(columns: list[list[Any]]) -> tuple[int, int, list[object]]:
    """Return for how many rows a statement is, one of few sizes, so that all of them stay compiled; how many rows there
    are; and their values, one row after the other."""
    width, count = len(columns), len(columns[0])
    size = min(statements.ADDED_MAX, 1 << (count - 1).bit_length())
    values: list[object] = [0] * (size * width)
    for place, column in enumerate(columns):
        values[place : count * width : width] = column
    return size, count, values


def sole_addition(change: Change) -> AddSchedules | None:
    """Return the step that is all a change says, where it adds schedules that one statement can write; else None."""
    if len(change.schedules) != 1 or change.documents or change.journal or change.quotas:
        return None
    [step] = change.schedules
    if not isinstance(step, AddSchedules) or change.decided or change.moved or change.steps:
        return None
    schedules = step.schedules
    is_more = len(schedules) > statements.ADDED_MAX or any(one.tags or one.resources for one in schedules)
    return None if is_more else step
