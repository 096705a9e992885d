"""The horizon holds what comes first, however much is put, and knows where its knowledge ends (S9.3)."""

from __future__ import annotations

import random

from tests.making import NOW, a_schedule
from trioarm.core.record import ScheduleRecord
from trioarm.core.triggers import Once
from trioarm.repositories.sqlite.horizon import ENTRIES_MAX, Horizon, Loaded

PUT = 3 * ENTRIES_MAX


def everything() -> Horizon:
    """Return a horizon that knows that nothing is stored."""
    horizon = Horizon()
    horizon.replace(Loaded([], [], NOW + PUT, None))
    return horizon


def due_in_turn(horizon: Horizon, order: list[int]) -> None:
    """Put a schedule for each number, due that many microseconds from now."""
    schedule = a_schedule(trigger=Once(NOW))
    for number in order:
        horizon.put_schedule(ScheduleRecord(number + 1, schedule, 1, NOW, NOW + number, 0))


def test_a_horizon_does_not_grow_with_what_is_put() -> None:
    """Of three times as much as it is meant to hold it keeps what comes first, whatever the order it was put in."""
    order = list(range(PUT))
    random.Random(1).shuffle(order)
    horizon = everything()
    due_in_turn(horizon, order)
    assert ENTRIES_MAX <= len(horizon) <= 2 * ENTRIES_MAX
    assert horizon.next_due_at == NOW
    assert horizon.due(NOW + PUT, ENTRIES_MAX) == list(range(1, ENTRIES_MAX + 1))


def test_where_its_knowledge_ends_the_file_has_to_be_asked() -> None:
    """What was forgotten is due all the same: more than is remembered cannot be answered from memory."""
    horizon = everything()
    due_in_turn(horizon, list(range(PUT)))
    first = horizon.due(NOW + PUT, ENTRIES_MAX)
    for key in first or ():
        horizon.discard(key)
    left = len(horizon)
    assert horizon.due(NOW + PUT, left + 1) is None
    assert horizon.next_due_at == NOW + ENTRIES_MAX
    for key in horizon.due(NOW + PUT, left) or ():
        horizon.discard(key)
    assert (len(horizon), horizon.next_due_at) == (0, NOW + ENTRIES_MAX + left)


def test_looking_less_far_never_forgets_where_knowledge_ends() -> None:
    """What was read may reach beyond that end: runs that come later, while schedules in between are in the file."""
    beyond_at = NOW + ENTRIES_MAX
    schedules = [(NOW + number, 0, number + 1) for number in range(ENTRIES_MAX)]
    runs = [(beyond_at + 1_000 + number, number) for number in range(ENTRIES_MAX + 1)]
    horizon = Horizon()
    horizon.replace(Loaded(schedules, runs, beyond_at - 1, beyond_at))
    due_in_turn(horizon, [0])
    assert len(horizon) == ENTRIES_MAX
    for key in horizon.due(beyond_at, ENTRIES_MAX) or ():
        horizon.discard(key)
    assert (horizon.next_due_at, horizon.due(beyond_at, 1)) == (beyond_at, None)
