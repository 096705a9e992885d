"""From what is stored to what is wanted: first puts, revisions, pauses, and a declared set as a whole (S5.6-S5.8)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import attrs

from trioarm.core.changes import (
    AddSchedules,
    CancelAsked,
    Change,
    Finished,
    PutSchedule,
    RemoveSchedule,
    RunStep,
    apply_put,
    freed,
)
from trioarm.core.ranges import came_due, left_behind, outlook
from trioarm.core.record import Amendment, Pause, ScheduleRecord, ScheduleState, begins_at
from trioarm.core.run import RunRecord
from trioarm.core.schedule import Schedule
from trioarm.core.states import Reason, State, Step
from trioarm.core.triggers import After, Once, Trigger

TRIGGERS_MAX: Final = 4_096  # whose next occurrence is remembered: more than a day has minutes
_COUNTED_FROM_A_PUT: Final = (After, Once)  # what comes next depends on more than when it is asked


def first_put(schedule: Schedule, now: int) -> PutSchedule:
    """Return the step that stores a schedule for the first time."""
    return _put(schedule, None, begins_at(schedule, now), now, None)


class FirstPuts:
    """First puts of many schedules, one after the other: a trigger that many share is asked again only once its answer
    is over, for it is a pure rule."""

    __slots__ = ("_asked_at", "_found")

    def __init__(self) -> None:
        self._found: dict[int, int | None] = {}  # by the identity of the trigger
        self._asked_at = 0

    def of(self, schedules: Sequence[Schedule], now: int) -> AddSchedules:
        """Return the step that stores schedules for the first time, as `first_put` does with each.

        Their triggers are to be kept as long as this is used.
        """
        if now < self._asked_at:
            self._found.clear()
        self._asked_at = now
        return AddSchedules(schedules, [self._next_due_at(schedule, now) for schedule in schedules], now)

    def _next_due_at(self, schedule: Schedule, now: int) -> int | None:
        trigger = schedule.trigger
        if schedule.start_at is not None or schedule.end_at is not None or isinstance(trigger, _COUNTED_FROM_A_PUT):
            return first_put(schedule, now).next_due_at
        found = self._found.get(id(trigger), now)
        if found is not None and found <= now:
            if len(self._found) >= TRIGGERS_MAX:
                self._found.clear()
            found = self._found[id(trigger)] = trigger.next_after(now)
        return found


def first_records(schedules: Iterable[Schedule], now: int) -> list[ScheduleRecord]:
    """Return what an empty repository would keep of schedules that are put at `now`: for those who look ahead."""
    return synced_records(None, schedules, (), now)


def synced_records(
    owner: str | None, declared: Iterable[Schedule], stored: Iterable[ScheduleRecord], now: int
) -> list[ScheduleRecord]:
    """Return what would be kept if the declared set of an owner were synchronised at `now`: for those who look ahead.

    Args:
        owner: whose set it is; what others have stored stays as it is, under a declared name as well.
        declared: the whole set.
        stored: whatever is of interest; none of it is changed.
        now: microseconds since 1970 UTC.
    """
    present = {record.schedule.name: record for record in stored}
    key = max((record.key for record in present.values()), default=0)
    found: list[ScheduleRecord] = []
    for schedule in declared:
        record = present.pop(schedule.name, None)
        if record is None:
            key += 1
            found.append(_kept(ScheduleRecord(key, schedule, 1, now, None, now), first_put(schedule, now)))
        elif record.schedule == schedule or record.schedule.owner != owner:
            found.append(record)
        else:
            found.append(_kept(record, revised(record, schedule, now, record.pause)))
    return found + [record for record in present.values() if record.schedule.owner != owner]


def _kept(record: ScheduleRecord, put: PutSchedule) -> ScheduleRecord:
    """Return what a record becomes by a put; it stays as it is."""
    copy = attrs.evolve(record)
    apply_put(copy, put)
    return copy


def revised(record: ScheduleRecord, schedule: Schedule, now: int, pause: Pause | None) -> PutSchedule:
    """Return the step that makes `schedule` the next revision of `record`: nothing retroactive (S5.6).

    Everything due until now must have been decided by the old definition before. A pause that is over pauses nothing.
    What people changed about single occurrences stays as long as it means something: those behind the cursor go, unless
    they are postponed to an instant that is still to come, and so do those that the new trigger does not yield.
    """
    if pause is not None and pause.until_at is not None and pause.until_at <= now:
        pause = None
    anchor_at, cursor_at = record.anchor_at, max(record.cursor_at, now)
    if came_due(record, now) or schedule.trigger != record.schedule.trigger or _is_over(record, schedule, cursor_at):
        anchor_at = cursor_at  # a fixed delay that came due while paused did not run, so it counts from now
    return _put(schedule, record, cursor_at, anchor_at, pause)


def _is_over(record: ScheduleRecord, schedule: Schedule, now: int) -> bool:
    """Whether the next occurrence of a fixed delay, which was still to come, lies in the past by a new definition: it
    waited for a start that is none any more."""
    return (
        isinstance(schedule.trigger, After)
        and record.next_due_at is not None
        and schedule.anchored(record.anchor_at).next_after(now) is None
    )


def _put(
    schedule: Schedule, record: ScheduleRecord | None, cursor_at: int, anchor_at: int, pause: Pause | None
) -> PutSchedule:
    runs = 0 if record is None else record.runs
    next_due_at, state = outlook(schedule, runs, cursor_at, anchor_at)
    if pause is not None or not schedule.enabled:
        state = ScheduleState.PAUSED
    amendments: tuple[Amendment, ...] = ()
    if record is not None and record.amendments:
        amendments = _still_meant(record.amendments, schedule, schedule.anchored(anchor_at), cursor_at)
    key, revision = (0, 0) if record is None else (record.key, record.revision)
    was_at, was_due_at = (None, None) if record is None or record.trouble else (record.cursor_at, record.next_due_at)
    return PutSchedule(
        schedule, key, revision, was_at, was_due_at, cursor_at, next_due_at, state, pause, anchor_at, amendments
    )


def _still_meant(
    amendments: tuple[Amendment, ...], schedule: Schedule, trigger: Trigger, cursor_at: int
) -> tuple[Amendment, ...]:
    return tuple(
        one
        for one in amendments
        if one.over_at > cursor_at
        and (one.nominal_at <= cursor_at or schedule.next_after(one.nominal_at - 1, trigger) == one.nominal_at)
    )


def removal(record: ScheduleRecord, unfinished: Iterable[RunRecord], now: int) -> Change:
    """Return the change that removes a schedule: what came due is decided, what waits cancelled, what works may end."""
    steps: list[RunStep] = [
        Finished(run, run.token, Step.CANCEL, now, Reason.REMOVED, run.error)
        for run in unfinished
        if run.state is State.PENDING
    ]
    return Change(left_behind(record, now), steps=steps, schedules=[RemoveSchedule(record, record.revision)])


def cancellation(run: RunRecord, now: int) -> Change:
    """Return the change by which a person cancels an unfinished run; a fixed delay goes on from here."""
    if run.state is not State.PENDING:
        return Change(steps=[CancelAsked(run, run.token, Reason.USER, now)])
    move = freed(run, now)
    step = Finished(run, run.token, Step.CANCEL, now, Reason.USER, run.error)
    return Change(steps=[step], moved=[] if move is None else [move])


@attrs.frozen(slots=True)
class SyncDiff:
    """What a synchronisation would do, by name, and who else owns a name that was declared.

    Args:
        added: declared, not stored.
        changed: stored by the same owner with another definition.
        removed: stored by the same owner, no longer declared.
        unchanged: stored as declared.
        foreign: declared, but stored by somebody else; left alone.
        keys: what differs of those changed, in the words of a file, but for `trigger`, which has many there.
    """

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    unchanged: tuple[str, ...]
    foreign: tuple[str, ...]
    keys: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict, eq=False)  # follows from the definitions


def sync_diff(
    owner: str, declared: Sequence[Schedule], stored: Mapping[str, Schedule], owned: Iterable[str]
) -> SyncDiff:
    """Compare a declared set with what is stored (S5.8).

    Args:
        owner: whose set it is.
        declared: the whole set.
        stored: what is stored under the declared names.
        owned: all names this owner has stored.
    """
    names = {schedule.name for schedule in declared}
    added, changed, unchanged, foreign = [], [], [], []
    keys: dict[str, tuple[str, ...]] = {}
    for schedule in declared:
        present = stored.get(schedule.name)
        if present is None:
            added.append(schedule.name)
        elif present.owner != owner:
            foreign.append(schedule.name)
        elif present == schedule:
            unchanged.append(schedule.name)
        else:
            changed.append(schedule.name)
            keys[schedule.name] = differing_keys(present, schedule)
    removed = sorted(name for name in owned if name not in names)
    return SyncDiff(tuple(added), tuple(changed), tuple(removed), tuple(unchanged), tuple(foreign), keys)


def differing_keys(before: Schedule, after: Schedule) -> tuple[str, ...]:
    """Return what two definitions differ in, in the words of a file: `timeout`, `start`, but `trigger`."""
    fields = [
        field.name for field in attrs.fields(Schedule) if getattr(before, field.name) != getattr(after, field.name)
    ]
    return tuple(name.removesuffix("_s").removesuffix("_at") for name in fields)
