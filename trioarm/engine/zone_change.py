"""What a node does when the tz database is another one than instants were computed by: it computes them anew (S3.5)."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator

import attrs

from trioarm.core.changes import Change, CursorMove, Verdict
from trioarm.core.counting import counted
from trioarm.core.queries import PAGE_MAX, ScheduleQuery
from trioarm.core.record import ScheduleRecord, ScheduleState
from trioarm.core.triggers import own_zone
from trioarm.engine.ports import ScheduleRepository

_log = logging.getLogger("trioarm.clock")


async def heed_zone_data(repository: ScheduleRepository, version: str) -> int:
    """Compute the next occurrence of every schedule of local time anew if the rules of zones are others now.

    Returns:
        How many schedules have another next occurrence.

    Raises:
        RepositoryError: the store cannot be used.
    """
    if repository.zone_data == version:
        return 0
    moves = [] if repository.zone_data is None else [move async for move in _moves(repository)]
    moves.sort(key=lambda move: move.record.next_due_at or 0)  # what is due soon must be right first
    moved = 0
    for start in range(0, len(moves), repository.batch):
        changes = [Change(moved=[move]) for move in moves[start : start + repository.batch]]
        moved += (await repository.commit(changes)).count(Verdict.DONE)
    await repository.computed_by(version)
    if repository.zone_data is not None:
        what = counted(moved, "schedule has another next occurrence", "schedules have another next occurrence")
        _log.warning("the tz database is %s and no longer %s: %s", version, repository.zone_data, what)
    return moved


async def _moves(repository: ScheduleRepository) -> AsyncIterator[CursorMove]:
    """Yield the move of every schedule whose next occurrence is another one now."""
    query = ScheduleQuery(states=frozenset({ScheduleState.ACTIVE}), limit=PAGE_MAX)
    while True:
        page = await repository.find_schedules(query)
        for record in page.rows:
            if (move := _move(record)) is not None:
                yield move
        if page.next is None:
            return
        query = attrs.evolve(query, after=page.next)


def _move(record: ScheduleRecord) -> CursorMove | None:
    trigger = record.trigger
    if own_zone(trigger) is None or record.next_due_at is None:
        return None
    due_at = record.schedule.next_after(record.cursor_at, trigger)
    if due_at == record.next_due_at:
        return None
    state = ScheduleState.FINISHED if due_at is None else ScheduleState.ACTIVE
    return CursorMove(record, record.cursor_at, record.revision, record.cursor_at, due_at, record.runs, state)
