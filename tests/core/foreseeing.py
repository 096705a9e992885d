"""Schedules whose future is foreseen: as a node would keep them, and with what people said of them."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from tests.making import MINUTE, NOW, a_schedule
from trioarm.core.changes import PutSchedule
from trioarm.core.diff import first_put
from trioarm.core.instants import DAY
from trioarm.core.planning import PlanRules
from trioarm.core.record import Amendment, AmendmentKind, Pause, ScheduleRecord, ScheduleState
from trioarm.core.schedule import Schedule
from trioarm.core.triggers import Trigger

RULES = PlanRules()
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
NIGHTS = {  # midnight, UTC, of the days on which clocks are changed
    "Europe/Prague": ("2026-03-29", "2026-10-25"),
    "America/New_York": ("2026-03-08", "2026-11-01"),
    "Australia/Lord_Howe": ("2026-04-04", "2026-10-03"),
}
SPAN = 3 * DAY

Said = dict[str, tuple[tuple[Amendment, ...], int | None]]  # by schedule: its amendments, and until when it is paused
Told = tuple[int, list[Schedule], Said]


def put_of(schedule: Schedule, at: int, said: Said) -> PutSchedule:
    """Return the step that puts a schedule at an instant, with what people said of it."""
    put = first_put(schedule, at)
    put.amendments, until_at = said.get(schedule.name, ((), None))
    if until_at is not None:
        put.state, put.pause = ScheduleState.PAUSED, Pause("somebody", "", at, until_at)
    return put


def stored(schedules: Iterable[Schedule], at: int, said: Said | None = None) -> list[ScheduleRecord]:
    """Return what a node would keep of schedules that were put at an instant."""
    records = []
    for key, schedule in enumerate(schedules, 1):
        put = put_of(schedule, at, said or {})
        record = ScheduleRecord(key, schedule, 1, at, put.next_due_at, put.anchor_at, 0, put.state, put.pause)
        records.append(attrs.evolve(record, amendments=put.amendments))
    return records


def beside(
    trigger: Trigger, other: Trigger, nominal_at: int, minutes: int, paused_until: int | None = None, name: str = "b"
) -> Told:
    """Return a lane in which `a` supersedes, until then paused, and another, which does not, is postponed once."""
    amendment = Amendment(AmendmentKind.POSTPONE, nominal_at, nominal_at + minutes * MINUTE, "somebody", "", NOW)
    schedules = [a_schedule("a", trigger, lane="house", supersede=True), a_schedule(name, other, lane="house")]
    return NOW, schedules, {"a": ((), paused_until), name: ((amendment,), None)}
