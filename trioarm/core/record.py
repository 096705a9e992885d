"""The record of a schedule: where it is, who paused it, and what people changed about occurrences that are to come.

A definition says nothing of the past; all of that is here, and kept beside it.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final

import attrs

from trioarm.core.bounds import check_author
from trioarm.core.errors import InvalidSchedule
from trioarm.core.instants import as_datetime
from trioarm.core.schedule import Overlap, Schedule
from trioarm.core.triggers import Once, Trigger

AMENDMENTS_MAX: Final = 32  # of one schedule: a month of days, named one by one; who wants more pauses it
OWN_LANE: Final = "~"  # before the key of a schedule whose runs are kept apart: no name of a lane begins so


class ScheduleState(StrEnum):
    """Where a schedule is: only an active one is in the due index."""

    ACTIVE = "active"
    PAUSED = "paused"
    FINISHED = "finished"
    QUARANTINED = "quarantined"


# Members by themselves, as the states of runs are that every run is asked for.
SCHEDULE_ACTIVE: Final = ScheduleState.ACTIVE
SCHEDULE_FINISHED: Final = ScheduleState.FINISHED


@attrs.frozen(slots=True)
class Pause:
    """Who paused a schedule, why, since when, and until when (S5.7).

    Args:
        author: a person or a program.
        note: why; may be empty.
        since_at: when it was paused.
        until_at: the instant at which it is active again by itself; None for when it is resumed.

    Raises:
        InvalidSchedule: the author is not named, or what is said is too long.
    """

    author: str
    note: str
    since_at: int
    until_at: int | None = None

    def __attrs_post_init__(self) -> None:
        check_author(self.author, self.note)


class AmendmentKind(StrEnum):
    """What a person wants of one occurrence."""

    SKIP = "skip"
    POSTPONE = "postpone"


@attrs.frozen(slots=True)
class Amendment:
    """What a person changed about one occurrence that is to come (S5.7).

    Args:
        kind: skip or postpone.
        nominal_at: the occurrence.
        until_at: when a postponed one may start; None for one that is skipped.
        author: a person or a program.
        note: why; may be empty.
        at: when they said so.
        times: how often it has been postponed to a later instant; 0 for one that is skipped.

    Raises:
        InvalidSchedule: it is postponed to no later instant, the author is not named, or what is said is too long.
    """

    kind: AmendmentKind
    nominal_at: int
    until_at: int | None
    author: str
    note: str
    at: int
    times: int = 0

    def __attrs_post_init__(self) -> None:
        check_author(self.author, self.note)
        if self.kind is AmendmentKind.POSTPONE and (self.until_at is None or self.until_at <= self.nominal_at):
            raise InvalidSchedule("an occurrence is postponed to an instant later than its own")

    @property
    def over_at(self) -> int:
        """The instant from which on it has no meaning: the occurrence, or what that was postponed to."""
        return self.nominal_at if self.until_at is None else self.until_at


def wakes_at(state: ScheduleState, next_due_at: int | None, pause: Pause | None, schedule: Schedule) -> int | None:
    """Return the instant at which time alone makes a schedule due that is in this state: what a due index holds."""
    if state is SCHEDULE_ACTIVE:
        return next_due_at
    if pause is not None and state is ScheduleState.PAUSED and schedule.enabled:
        return pause.until_at
    return None


@attrs.define(slots=True, eq=False, weakref_slot=False)
class ScheduleRecord:
    """What a repository keeps of a schedule. Only repositories change it, and only in a commit.

    Args:
        key: integer identity, never reused (S2.4).
        schedule: the current definition.
        revision: grows with every change of the definition, the pause or the amendments; 1 at first.
        cursor_at: every occurrence up to this instant has been decided (S5.1).
        next_due_at: the first occurrence after the cursor; None while nothing is to come or the schedule is not active.
        anchor_at: when the last run ended, or the schedule was put; fixed delays count from it.
        runs: how many occurrences were decided to run; what `max_runs` counts.
        state: active, paused, finished or quarantined.
        pause: who paused it by command; None when it is not paused, or paused by `enabled = false`.
        removed: true once removed: history still points here.
        trouble: why it is quarantined, where its repository found it unreadable; else None.
        amendments: what people changed about occurrences, at most one of each; those that are over mean nothing.
        unfinished: how many of its runs have steps to go, where its repository knows.
        epoch: how often its cursor was taken back with a clock that was set back; part of what it decides (S2.4, S3.3).
    """

    key: int
    schedule: Schedule
    revision: int
    cursor_at: int
    next_due_at: int | None
    anchor_at: int
    runs: int = 0
    state: ScheduleState = ScheduleState.ACTIVE
    pause: Pause | None = None
    removed: bool = False
    trouble: str | None = None
    amendments: tuple[Amendment, ...] = ()
    unfinished: int | None = None
    epoch: int = 0

    @property
    def trigger(self) -> Trigger:
        """The schedule's trigger, anchored: what planning evaluates."""
        return self.schedule.anchored(self.anchor_at)

    def lane(self, overlap: Overlap) -> str | None:
        """Return the lane that a run takes: that of its schedule, or one for this schedule alone where they are kept
        apart; None for none."""
        schedule = self.schedule
        return f"{OWN_LANE}{self.key}" if schedule.lane is None and overlap.keeps_apart else schedule.lane

    @property
    def wakes_at(self) -> int | None:
        """The instant at which time alone makes it due: its next occurrence, or the end of its pause; None for none.

        What its definition disables is not woken by the end of a pause.
        """
        if self.state is SCHEDULE_ACTIVE:  # as mostly
            return self.next_due_at
        return wakes_at(self.state, self.next_due_at, self.pause, self.schedule)

    @property
    def amended(self) -> tuple[Amendment, ...]:
        """The amendments that still mean something, by occurrence."""
        return tuple(amendment for amendment in self.amendments if amendment.over_at > self.cursor_at)


def begins_at(schedule: Schedule, put_at: int) -> int:
    """Return the cursor of a schedule that is put for the first time: its occurrences count from then on.

    A single instant that lies in the past already is decided like any other that was noticed late, instead of never
    being heard of.
    """
    trigger = schedule.trigger
    return trigger.at - 1 if isinstance(trigger, Once) and trigger.at <= put_at else put_at


def first_state(schedule: Schedule, next_due_at: int | None) -> ScheduleState:
    """Return where a schedule is once it is put for the first time."""
    if not schedule.enabled:
        return ScheduleState.PAUSED
    return SCHEDULE_FINISHED if next_due_at is None else SCHEDULE_ACTIVE


def first_record(key: int, schedule: Schedule, put_at: int, next_due_at: int | None) -> ScheduleRecord:
    """Return what is kept of a schedule that is put for the first time."""
    state = first_state(schedule, next_due_at)
    return ScheduleRecord(key, schedule, 1, begins_at(schedule, put_at), next_due_at, put_at, 0, state)


@attrs.frozen(slots=True)
class StoredSchedule:
    """A schedule and where it is, as people and programs see it: a copy that no longer changes.

    Args:
        name: its name.
        schedule: its definition.
        state: active, paused, finished or quarantined.
        revision: grows with every change; give it back to change exactly what was read.
        next_due_at: the next occurrence in UTC; None while none is to come.
        pause: who paused it by command, why and since when; None when nobody did.
        runs: how many occurrences were decided to run.
        amendments: occurrences that somebody skipped or postponed, by instant.
    """

    name: str
    schedule: Schedule
    state: ScheduleState
    revision: int
    next_due_at: datetime | None
    pause: Pause | None
    runs: int
    amendments: tuple[Amendment, ...] = ()

    @classmethod
    def of(cls, record: ScheduleRecord) -> StoredSchedule:
        """Copy what a repository keeps into a value that may leave it."""
        due_at = record.next_due_at if record.state is ScheduleState.ACTIVE else None
        next_due_at = None if due_at is None else as_datetime(due_at)
        return cls(
            name=record.schedule.name,
            schedule=record.schedule,
            state=record.state,
            revision=record.revision,
            next_due_at=next_due_at,
            pause=record.pause,
            runs=record.runs,
            amendments=record.amended,
        )
