"""Adding: many new schedules as the values of one statement, which are made before a transaction has begun."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat
from typing import Final

from trioarm.core.changes import AddSchedules, Change
from trioarm.core.record import begins_at, first_state
from trioarm.repositories.sqlite import statements
from trioarm.repositories.sqlite.rows import write_definition
from trioarm.repositories.sqlite.statements import Statement
from trioarm.repositories.sqlite.values import or_null

_WIDTH: Final = statements.ADDED_VALUES


class Added:
    """New schedules of one step.

    Args:
        step: that adds them.

    Raises:
        InvalidSchedule: one of them has no form in a file.
    """

    __slots__ = ("_at", "_values")

    def __init__(self, step: AddSchedules) -> None:
        self._at = at = step.at
        self._values = values = list[object]()
        for schedule, next_due_at in zip(step.schedules, step.next_due_ats, strict=True):
            values += (
                schedule.name, write_definition(schedule), schedule.handler, or_null(schedule.owner),
                or_null(schedule.lane), int(schedule.supersede), begins_at(schedule, at), or_null(next_due_at),
                -schedule.priority, first_state(schedule, next_due_at)._value_,
            )  # fmt: skip

    def __len__(self) -> int:
        """Return how many they are."""
        return len(self._values) // _WIDTH

    def keys(self, last: int) -> range:
        """Return the keys that they have behind the last one that there is."""
        return range(last + 1, last + 1 + len(self))

    def statements(self, last: int) -> Iterator[Statement]:
        """Yield what writes them, as few statements as there can be: one for up to `LINES_MAX`.

        Args:
            last: the key of the last schedule that there is, which must be so when they are carried out.
        """
        most = statements.LINES_MAX
        keys = self.keys(last)
        for start in range(0, len(keys), most):
            some = self._values[start * _WIDTH : (start + most) * _WIDTH]
            count = len(some) // _WIDTH
            size = 1 << (count - 1).bit_length()  # of few sizes: all stay compiled
            yield statements.add(size), [keys[start], self._at, *some, *repeat(0, (size - count) * _WIDTH), count]


def sole_addition(change: Change) -> AddSchedules | None:
    """Return the step that is all a change says, where it adds schedules that one statement can write; else None."""
    if len(change.schedules) != 1 or change.documents or change.journal or change.quotas:
        return None
    [step] = change.schedules
    if not isinstance(step, AddSchedules) or change.decided or change.moved or change.steps:
        return None
    schedules = step.schedules
    is_more = len(schedules) > statements.LINES_MAX or any(one.tags or one.resources for one in schedules)
    return None if is_more else step
