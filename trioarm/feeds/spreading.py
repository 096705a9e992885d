"""Spreading: what every stored schedule becomes when more is known of a calendar: a new revision, nothing retroactive
(S5.6)."""

from __future__ import annotations

from typing import Final

import attrs

from trioarm.core.errors import RevisionConflict, UnknownSchedule
from trioarm.core.queries import PAGE_MAX, ScheduleQuery
from trioarm.core.record import StoredSchedule
from trioarm.core.schedule import Schedule
from trioarm.core.triggers.calendar import Events
from trioarm.core.triggers.refreshing import events_of, refreshed
from trioarm.engine.rivals import TRIES
from trioarm.engine.scheduler import Schedules

AUTHOR: Final = "calendar"  # of the new revisions


async def spread(schedules: Schedules, events: Events) -> int:
    """Let every stored schedule know the events of a calendar that it names, whoever owns it.

    Returns:
        How many have a new revision.

    Raises:
        RevisionConflict: somebody kept changing one of them.
        RepositoryError: the store cannot be used.
    """
    changed = 0
    query = ScheduleQuery(limit=PAGE_MAX)
    while True:
        page = await schedules.find(query)
        for stored in page.rows:
            if _is_behind(stored.schedule, events):
                changed += await _revise(schedules, stored, events)
        if page.next is None:
            return changed
        query = attrs.evolve(query, after=page.next)


def _is_behind(schedule: Schedule, events: Events) -> bool:
    return events_of(schedule.trigger).get(events.name, events) != events


async def _revise(schedules: Schedules, stored: StoredSchedule, events: Events) -> bool:
    """Return whether it was still there to be revised, and still behind."""
    for _ in range(TRIES):
        if not _is_behind(stored.schedule, events):
            return False
        schedule = _knowing(stored.schedule, events)
        try:
            await schedules.put(schedule, revision=stored.revision, author=AUTHOR)
        except RevisionConflict:
            try:
                stored = await schedules.get(schedule.name)
            except UnknownSchedule:
                return False
        else:
            return True
    raise RevisionConflict(f"{stored.schedule.name}: somebody kept changing it, so it does not know its calendar yet")


def _knowing(schedule: Schedule, events: Events) -> Schedule:
    return attrs.evolve(schedule, trigger=refreshed(schedule.trigger, {events.name: events}))
