"""A run: the work, or the refusal to work, for one occurrence; the record a repository keeps and the value people see.

A decision and its run are one row: what was skipped, missed or superseded is a run that never ran, and why (S2.1).
"""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum
from typing import Final

import attrs

from trioarm.core.errors import UnknownRun
from trioarm.core.instants import as_datetime, parse_instant, render_instant
from trioarm.core.jsonable import Json
from trioarm.core.record import OWN_LANE, ScheduleRecord
from trioarm.core.states import ACTIVE, Reason, State, WaitingFor

BACKFILL_RANK: Final = 1  # behind the least urgent of all others, whose rank is 0


class Origin(StrEnum):
    """What made the run: its trigger, or a person."""

    SCHEDULE = "schedule"
    MANUAL = "manual"
    BACKFILL = "backfill"
    RETRY = "retry"


# Members by themselves, as the states are that every run is asked for.
BACKFILL: Final = Origin.BACKFILL
SCHEDULED: Final = Origin.SCHEDULE


@attrs.define(slots=True, eq=False)
class RunRecord:
    """What a repository keeps of a run. Only repositories change it, and only in a commit.

    Schedule key, epoch, nominal instant and origin are unique in a repository (S2.4).

    Args:
        schedule: the record of its schedule.
        nominal_at: the occurrence.
        due_at: when it may start: the occurrence, a retry, or for a held run when its claim was made.
        decided_at: when it was decided.
        lane: the lane of its schedule when it was decided; it keeps to that one.
        origin: what made it.
        state: where it is.
        reason: why, where the state does not say it.
        run_id: assigned by the repository in order of decision; 0 before.
        epoch: the clock epoch its occurrence belongs to (S3.3).
        last_at: of a range of occurrences that did not run, the last one; None for a single one.
        count: how many occurrences the row stands for.
        waiting_for: what a pending run waits for.
        give_up_at: when a run still pending is decided missed; None when it may wait for ever.
        attempt: attempts begun, the current one included.
        token: fencing number, grows with each claim (S2.3).
        node: who holds or last held it.
        args: overrides the schedule's arguments; None for those.
        started_at: when the latest attempt began.
        finished_at: when it became final.
        cancel: why a held run was asked to stop; None when it was not.
        error: what the last attempt said when it failed, or who overrode it; one line.
        result: what the handler returned.
        retry_of: the run it repeats.
        voided_at: when the clock was set back behind its occurrence; None when that never happened (S3.3).
        progress: how far its handler said last that it is.
    """

    schedule: ScheduleRecord
    nominal_at: int
    due_at: int
    decided_at: int
    lane: str | None = None
    origin: Origin = Origin.SCHEDULE
    state: State = State.PENDING
    reason: Reason | None = None
    run_id: int = 0
    epoch: int = 0
    last_at: int | None = None
    count: int = 1
    waiting_for: WaitingFor | None = WaitingFor.DUE
    give_up_at: int | None = None
    attempt: int = 0
    token: int = 0
    node: str | None = None
    args: dict[str, Json] | None = None
    started_at: int | None = None
    finished_at: int | None = None
    cancel: Reason | None = None
    error: str | None = None
    result: Json = None
    retry_of: int | None = None
    voided_at: int | None = None
    progress: Json = None

    @property
    def occurrence(self) -> tuple[int, int, int]:
        """Schedule key, clock epoch, nominal instant: with the origin, what makes it unique (S2.4).

        Numbers alone, so that a table of a million of them is nothing to the garbage collector.
        """
        return (self.schedule.key, self.epoch, self.nominal_at)

    @property
    def readable_id(self) -> str:
        """Its id for people, such as `arm-night@2026-11-23T22:00:00Z`."""
        return render_run_id(self.schedule.schedule.name, self.nominal_at, self.origin, self.epoch)

    @property
    def rank(self) -> int:
        """Its place among runs that could start: the lower, the sooner; what is backfilled comes after all others."""
        return BACKFILL_RANK if self.origin is Origin.BACKFILL else -self.schedule.schedule.priority

    @property
    def unfinished(self) -> bool:
        """Whether it still has steps to go."""
        return self.state in ACTIVE

    @property
    def holds_lane(self) -> bool:
        """Whether it keeps its lane: from its first claim to its final state, whatever it waits for between (S5.5)."""
        return (
            self.state is State.CLAIMED
            or self.state is State.RUNNING
            or (self.state is State.PENDING and self.token > 0)
        )


def behind(lane: str) -> WaitingFor:
    """Return what a run waits for while another holds its lane."""
    return WaitingFor.OVERLAP if lane.startswith(OWN_LANE) else WaitingFor.LANE


def render_run_id(name: str, nominal_at: int, origin: Origin, epoch: int = 0) -> str:
    """Return the readable id of a run, such as `arm-night@2026-11-23T22:00:00Z` (S2.4)."""
    text = f"{name}@{render_instant(nominal_at)}"
    if origin is not Origin.SCHEDULE:
        text += f"+{origin}"
    return f"{text}~{epoch}" if epoch else text


_RUN_ID: Final = re.compile(r"(?P<name>[^@]+)@(?P<at>[^+~]+?Z)(\+(?P<origin>[a-z]+))?(~(?P<epoch>\d{1,9}))?")


def parse_run_id(text: str) -> tuple[str, int, Origin, int]:
    """Return name, nominal instant, origin and clock epoch of a readable id.

    Raises:
        UnknownRun: the text is not such an id.
    """
    found = _RUN_ID.fullmatch(text)
    try:
        if found is None:
            raise ValueError(text)
        origin = Origin(found["origin"] or Origin.SCHEDULE)
        return found["name"], parse_instant(found["at"]), origin, int(found["epoch"] or 0)
    except ValueError as error:
        raise UnknownRun(f"{text!r} is no id of a run: write it like arm-night@2026-11-23T22:00:00Z") from error


def _when(value: int | None) -> datetime | None:
    return None if value is None else as_datetime(value)


@attrs.frozen(slots=True)
class Run:
    """A run as people and programs see it: a copy that no longer changes. Instants are aware datetimes in UTC.

    Args:
        id: readable identity.
        key: the repository's number for it; grows in order of decision.
        schedule: name of its schedule.
        late_s: how long after `due_at` the latest attempt began, in seconds; None while it has not, and of what is
            backfilled: that is never on time.
        occurrences: how many occurrences the row stands for; more than one only for ranges that did not run.
        last_at: the last occurrence of such a range.
        voided_at: when the clock was set back behind its occurrence, whose instant may come again (S3.3).
        progress: how far its handler said last that it is; None where it never said.
    """

    id: str
    key: int
    schedule: str
    nominal_at: datetime
    due_at: datetime
    state: State
    reason: Reason | None
    attempt: int
    origin: Origin
    handler: str
    started_at: datetime | None
    finished_at: datetime | None
    late_s: float | None
    waiting_for: WaitingFor | None
    error: str | None
    result: Json
    occurrences: int
    last_at: datetime | None
    token: int
    node: str | None
    voided_at: datetime | None
    progress: Json

    @classmethod
    def of(cls, record: RunRecord) -> Run:
        """Copy what a repository keeps into a value that may leave it."""
        schedule = record.schedule.schedule
        waits = record.state is State.PENDING  # what waits again is not late yet
        began_at = None if waits or record.origin is Origin.BACKFILL else record.started_at
        return cls(
            id=record.readable_id,
            key=record.run_id,
            schedule=schedule.name,
            nominal_at=as_datetime(record.nominal_at),
            due_at=as_datetime(record.due_at),
            state=record.state,
            reason=record.reason,
            attempt=record.attempt,
            origin=record.origin,
            handler=schedule.handler,
            started_at=_when(record.started_at),
            finished_at=_when(record.finished_at),
            late_s=None if began_at is None else (began_at - record.due_at) / 1e6,
            waiting_for=record.waiting_for if record.state is State.PENDING else None,
            error=record.error,
            result=record.result,
            occurrences=record.count,
            last_at=_when(record.last_at),
            token=record.token,
            node=record.node,
            voided_at=_when(record.voided_at),
            progress=record.progress,
        )
