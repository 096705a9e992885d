"""What a decision asks a repository to keep: values that say what to change and what must still be true for it.

A `Change` is one atomic unit: all of it is kept, or none. Records inside name what was read; an adapter compares the
expected cursor, revision, token or version with what it holds now, and refuses when somebody else was faster.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final, TypeAlias, assert_never

import attrs

from trioarm.core.jsonable import Json
from trioarm.core.record import Amendment, Pause, ScheduleRecord, ScheduleState
from trioarm.core.run import Origin, RunRecord
from trioarm.core.schedule import Schedule
from trioarm.core.states import Reason, Step, WaitingFor, advance
from trioarm.core.triggers import After


class Verdict(StrEnum):
    """What became of a change (S7.4). After `unknown` the caller reads again: it may or may not have been kept."""

    DONE = "done"
    REFUSED = "refused"
    UNKNOWN = "unknown"


# By themselves, as the states are that every run is asked for.
DONE: Final = Verdict.DONE
REFUSED: Final = Verdict.REFUSED
UNKNOWN: Final = Verdict.UNKNOWN


@attrs.define(slots=True, eq=False)
class CursorMove:
    """Occurrences up to `cursor_at` are decided. Refused unless cursor, revision and next occurrence are as read.

    The end of a run sets the next occurrence of a fixed delay and moves no cursor: the cursor alone does not say that
    nobody else was faster.

    Args:
        record: the schedule as read.
        expected_cursor_at: its cursor as read.
        expected_revision: its revision as read.
        cursor_at: the new cursor, never earlier.
        next_due_at: the first occurrence after it, or None.
        runs: how many occurrences were decided to run, this pass included.
        state: active, or finished when nothing is to come.
        anchor_at: the new anchor of a fixed delay; None keeps the old one.
        resumed: its pause is over: from now on nobody pauses it.
    """

    record: ScheduleRecord
    expected_cursor_at: int
    expected_revision: int
    cursor_at: int
    next_due_at: int | None
    runs: int
    state: ScheduleState
    anchor_at: int | None = None
    resumed: bool = False
    expected_next_due_at: int | None = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.expected_next_due_at = self.record.next_due_at


def restarted(record: ScheduleRecord, ended_at: int) -> CursorMove | None:
    """Return the move by which a fixed delay counts from `ended_at`; None for what depends on no run's end (S4.2).

    A paused schedule is moved too: what it counts from is a fact, and a pause only skips what comes of it. A clock that
    was set back during the run counts once it has caught up with what is decided (S3.3): before, nothing could follow.
    """
    schedule, state = record.schedule, record.state
    if not isinstance(schedule.trigger, After) or record.removed:
        return None
    if state is not ScheduleState.ACTIVE and state is not ScheduleState.PAUSED:
        return None
    anchor_at = max(record.cursor_at, ended_at)
    next_due_at = schedule.next_after(record.cursor_at, schedule.anchored(anchor_at))
    if next_due_at is None:
        state = ScheduleState.FINISHED
    return CursorMove(
        record, record.cursor_at, record.revision, record.cursor_at, next_due_at, record.runs, state, anchor_at
    )


def freed(run: RunRecord, now: int) -> CursorMove | None:
    """Return the move of a fixed delay whose run will never be made, because it ends while it waits; else None."""
    waited_for = run.origin is Origin.SCHEDULE and run.schedule.next_due_at is None
    return restarted(run.schedule, now) if waited_for else None


@attrs.define(slots=True, eq=False)
class Claim:
    """A pending run is taken for one node: token and attempt grow by one. Refused unless it is pending with that token
    and its lane is free or its own."""

    run: RunRecord
    token: int
    node: str
    at: int


@attrs.define(slots=True, eq=False)
class Started:
    """A claimed run's handler has been called. Refused unless the token is still valid."""

    run: RunRecord
    token: int
    at: int


@attrs.define(slots=True, eq=False)
class Progressed:
    """A held run's handler says how far it is. Refused unless it is held under that token."""

    run: RunRecord
    token: int
    value: Json
    at: int


@attrs.define(slots=True, eq=False)
class Finished:
    """A run takes its last step: held runs under their token, pending ones before their next claim."""

    run: RunRecord
    token: int
    step: Step
    at: int
    reason: Reason | None = None
    error: str | None = None
    result: Json = None
    started_at: int | None = None


@attrs.define(slots=True, eq=False)
class Requeued:
    """A held run waits again: a retry or snooze is a durable due entry, not a sleep (S6.4). Refused once it was asked
    to stop: no other attempt follows that.

    One that waits already may be postponed (S5.7): the same step, from pending to pending.

    Args:
        attempt: the attempts that count from now on; giving back or snoozing consumes none.
        due_at: when it may start again.
    """

    run: RunRecord
    token: int
    step: Step
    at: int
    attempt: int
    due_at: int
    waiting_for: WaitingFor
    reason: Reason | None = None
    error: str | None = None
    started_at: int | None = None
    give_up_at: int | None = None


@attrs.define(slots=True, eq=False)
class CancelAsked:
    """The node that holds the run is asked to stop it. Refused unless it is held under that token."""

    run: RunRecord
    token: int
    reason: Reason
    at: int


@attrs.define(slots=True, eq=False)
class Voided:
    """The clock was set back behind the occurrence of a run: its instant is still to come, and is decided anew then.

    The run stays as it is, and goes on if it has begun. Refused unless its token is as read.
    """

    run: RunRecord
    token: int
    at: int


@attrs.define(slots=True, eq=False)
class Cut:
    """The clock was set back into a range of occurrences that did not run: the row ends before.

    Args:
        last_at: the last occurrence it still stands for.
        count: how many those are.
    """

    run: RunRecord
    token: int
    at: int
    last_at: int
    count: int


RunStep: TypeAlias = Claim | Started | Progressed | Finished | Requeued | CancelAsked | Voided | Cut


def apply(step: RunStep) -> None:
    """Carry a kept step out on the record it names: the only code that moves a run from state to state.

    Repositories call it once the step is kept, so that after `done` the records of a change show what is kept.

    Raises:
        InvalidTransition: the run's state does not allow the step; the repository should have refused it.
    """
    run = step.run
    match step:
        case Finished():
            run.state = advance(run.state, step.step)
            run.reason, run.error, run.result = step.reason, step.error, step.result
            run.finished_at = step.at
            run.waiting_for = None
            if step.started_at is not None:
                run.started_at = step.started_at
        case Claim():
            run.state = advance(run.state, Step.CLAIM)
            run.token += 1
            run.attempt += 1
            run.node = step.node
            run.waiting_for = run.give_up_at = None
        case Started():
            run.state = advance(run.state, Step.START)
            run.started_at = step.at
        case Progressed():
            run.progress = step.value
        case Requeued():
            run.state = advance(run.state, step.step)
            run.reason, run.error = step.reason, step.error
            run.attempt, run.due_at = step.attempt, step.due_at
            run.waiting_for, run.give_up_at = step.waiting_for, step.give_up_at
            if step.started_at is not None:
                run.started_at = step.started_at
        case CancelAsked():
            run.cancel = step.reason
        case Voided():
            run.voided_at = step.at
        case Cut():
            run.last_at, run.count = step.last_at, step.count
        case _:
            assert_never(step)


@attrs.define(slots=True, eq=False, weakref_slot=False)
class PutSchedule:
    """A new schedule, or a new revision of one (S5.6). Refused unless key, revision and cursor are as expected.

    A decision moves the cursor and leaves the revision: a step made before it would set the cursor back.

    Args:
        schedule: the definition.
        expected_key: 0 for a schedule that must not exist yet. A removed schedule and its successor of the same name
            may be at the same revision; their keys tell them apart.
        expected_revision: 0 for a schedule that must not exist yet.
        expected_cursor_at: its cursor as read; None for a new one, and where it cannot be read: it may be anywhere.
        expected_next_due_at: its next occurrence as read, with its cursor.
        cursor_at: where its evaluated range begins; an update has decided everything up to here by the old definition.
        next_due_at: the first occurrence after the cursor, or None.
        state: active, paused or finished.
        pause: who paused it by command, or None.
        anchor_at: the anchor of a fixed delay.
        amendments: what people changed about occurrences; these take the place of those before.
    """

    schedule: Schedule
    expected_key: int
    expected_revision: int
    expected_cursor_at: int | None
    expected_next_due_at: int | None
    cursor_at: int
    next_due_at: int | None
    state: ScheduleState
    pause: Pause | None
    anchor_at: int
    amendments: tuple[Amendment, ...] = ()


@attrs.define(slots=True, eq=False)
class AddSchedules:
    """New schedules, all put at one instant. Refused unless none of their names is taken.

    Args:
        schedules: of different names.
        next_due_ats: the first occurrence of each, or None.
        at: when they are put: from then on their occurrences and their fixed delays count.
    """

    schedules: Sequence[Schedule]
    next_due_ats: Sequence[int | None]
    at: int


def apply_put(record: ScheduleRecord, put: PutSchedule) -> None:
    """Make a record what a put makes of it, but for its revision, which the repository counts."""
    record.schedule, record.trouble = put.schedule, None
    record.cursor_at, record.next_due_at, record.anchor_at = put.cursor_at, put.next_due_at, put.anchor_at
    record.state, record.pause, record.amendments = put.state, put.pause, put.amendments


@attrs.define(slots=True, eq=False)
class RemoveSchedule:
    """A schedule goes; its key is never used again, its history stays. Refused unless the revision is as expected."""

    record: ScheduleRecord
    expected_revision: int


@attrs.define(slots=True, eq=False)
class SetBack:
    """A schedule's cursor goes back with the clock, and a new epoch of it begins (S3.3). Refused unless cursor,
    revision and next occurrence are as expected: the end of a run may have made a fixed delay count anew.

    Args:
        record: the schedule as read.
        expected_cursor_at: its cursor as read, later than the new one.
        expected_revision: its revision as read.
        expected_next_due_at: its next occurrence as read.
        cursor_at: the new cursor.
        next_due_at: the first occurrence after it, or None.
        runs: how many occurrences were decided to run, without those that never came due.
        state: where it is then.
        anchor_at: the anchor of a fixed delay.
        amendments: what is to become of single occurrences; these take the place of those before.
    """

    record: ScheduleRecord
    expected_cursor_at: int
    expected_revision: int
    expected_next_due_at: int | None
    cursor_at: int
    next_due_at: int | None
    runs: int
    state: ScheduleState
    anchor_at: int
    amendments: tuple[Amendment, ...]


def apply_set_back(step: SetBack) -> None:
    """Carry a kept step out on the record it names."""
    record = step.record
    record.revision += 1
    record.epoch += 1
    record.cursor_at, record.next_due_at = step.cursor_at, step.next_due_at
    record.runs, record.state, record.anchor_at = step.runs, step.state, step.anchor_at
    record.amendments = step.amendments


@attrs.define(slots=True, eq=False)
class PutDocument:
    """A document is written, or removed by a body of None. Refused unless the version is as expected.

    Args:
        namespace: whose it is, such as `panel`.
        key: its name there.
        expected_version: 0 for a document that must not exist yet.
        body: plain JSON.
    """

    namespace: str
    key: str
    expected_version: int
    body: dict[str, Json] | None


@attrs.define(slots=True, eq=False)
class AppendJournal:
    """An entry is appended to a journal; numbers are gapless per namespace, and each entry is sealed with the last.

    Args:
        namespace: which journal.
        body: plain JSON.
        at: when it happened.
    """

    namespace: str
    body: dict[str, Json]
    at: int


ScheduleStep: TypeAlias = AddSchedules | PutSchedule | RemoveSchedule | SetBack


@attrs.define(slots=True, eq=False)
class Quota:
    """An owner may have only so many schedules. Refused where a change would make them more.

    Args:
        owner: whose they are.
        added: by how many the change makes them more.
        most: how many there may be.
    """

    owner: str
    added: int
    most: int


@attrs.define(slots=True, eq=False, weakref_slot=False)
class Change:
    """One atomic unit of what is to be kept."""

    decided: Sequence[RunRecord] = ()
    moved: Sequence[CursorMove] = ()
    steps: Sequence[RunStep] = ()
    schedules: Sequence[ScheduleStep] = ()
    documents: Sequence[PutDocument] = ()
    journal: Sequence[AppendJournal] = ()
    quotas: Sequence[Quota] = ()
