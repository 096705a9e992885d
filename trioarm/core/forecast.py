"""The truth about the future: previews made by the planner itself, and explanations in plain English (S4, S5)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta, timezone
from enum import StrEnum
from heapq import heappop, heappush, merge
from itertools import pairwise
from operator import attrgetter
from typing import Final, assert_never

import attrs

from trioarm.core.changes import Change, CursorMove, apply, restarted
from trioarm.core.counting import counted
from trioarm.core.due_index import DueIndex
from trioarm.core.instants import SECOND, as_datetime, microseconds, render_duration, render_instant
from trioarm.core.overlap import UNFINISHED_MAX
from trioarm.core.planning import Group, PlanRules, plan
from trioarm.core.record import ScheduleRecord, ScheduleState
from trioarm.core.run import RunRecord
from trioarm.core.schedule import Misfire, Overlap, Schedule
from trioarm.core.states import Reason, State
from trioarm.core.triggers import After, Excepted, Intersect, Trigger, own_zone
from trioarm.core.triggers.algebra import Limited
from trioarm.core.triggers.zones import ERA, Zone, changes_around, find_zone

STEPS_MAX: Final = 200_000  # passes a preview may simulate, decisive or not: a schedule of every millisecond ends too
NEXT_SHOWN: Final = 5


class Shift(StrEnum):
    """What a change of offset did to an occurrence."""

    GAP = "gap"  # the local time that was meant does not exist on that day
    FOLD = "fold"  # the local time exists twice on that day


@attrs.frozen(slots=True)
class Foreseen:
    """One occurrence that is to come, and what will become of it unless something happens before.

    Args:
        schedule: whose.
        nominal_at: the occurrence, in microseconds since 1970 UTC.
        due_at: when it may start: the same, or what somebody postponed it to.
        local_at: `due_at` on the wall, with its offset.
        zone: name of the zone of `local_at`.
        shifted: what a change of offset did to it; None on ordinary days.
        decision: pending for a run; else skipped, missed or superseded.
        reason: why, where it will not run.
        exception: what makes it be there, or be left out, where that is no rule but said for some days.
    """

    schedule: Schedule
    nominal_at: int
    due_at: int
    local_at: datetime
    zone: str
    shifted: Shift | None
    decision: State
    reason: Reason | None
    exception: str | None = None


def preview(
    records: Iterable[ScheduleRecord],
    start: int,
    until: int,
    rules: PlanRules,
    zone: str | None = None,
    *,
    postponed: Iterable[RunRecord] = (),
) -> Iterator[Foreseen]:
    """Yield what is decided for every occurrence in `(start, until]`, in order, each run ending as soon as it begins.

    Args:
        records: the schedules as stored. Those that are paused until an instant yield what comes after it, others that
            are not active yield nothing. They are not changed.
        start: microseconds since 1970 UTC.
        until: likewise; an occurrence before it that is postponed beyond it is shown, too.
        rules: the node's.
        zone: show local times there; None for each schedule's own zone.
        postponed: runs that wait already because somebody postponed them.

    Raises:
        InvalidTrigger: there is no such zone.
    """
    known = list(records)
    future = _Future(known, start, postponed)
    left_out = merge(*(_left_out(record, start, until, zone) for record in known), key=attrgetter("due_at"))
    out = next(left_out, None)
    for _ in range(STEPS_MAX):
        decided = future.step(until, rules)
        while out is not None and (decided is None or any(run.due_at > out.due_at for run in decided)):
            yield out
            out = next(left_out, None)
        if decided is None:
            return
        for run in decided:
            yield _foreseen(run, zone)


def _left_out(record: ScheduleRecord, start: int, until: int, zone: str | None) -> Iterator[Foreseen]:
    """Yield the occurrences that a schedule would have in `(start, until]` if nothing were otherwise for some days."""
    schedule, trigger = record.schedule, record.schedule.trigger
    if not isinstance(trigger, Excepted) or trigger.inside or record.state is not ScheduleState.ACTIVE:
        return
    for stretch in trigger.stretches:
        last = min(until, stretch.end - 1)
        at = schedule.next_after(max(start, record.cursor_at, stretch.start - 1), trigger.of)
        while at is not None and at <= last:
            yield _shown(schedule, at, at, zone, (State.SKIPPED, None, stretch.why))
            at = schedule.next_after(at, trigger.of)


class _Future:
    """Copies of schedules, decided step by step. What is postponed waits, so that what follows finds it unfinished."""

    def __init__(self, records: Iterable[ScheduleRecord], start: int, postponed: Iterable[RunRecord]) -> None:
        copies = {record.key: _from(record, start) for record in records if _has_future(record)}
        self._groups = _groups(copies)
        self._waiting: list[tuple[int, int, RunRecord]] = []
        self._count = 0  # tells apart what begins at one instant
        for run in postponed:
            copy = copies.get(run.schedule.key)
            self._wait(attrs.evolve(run, schedule=attrs.evolve(run.schedule) if copy is None else copy))
            if copy is not None and isinstance(copy.schedule.trigger, After):
                copy.next_due_at = None  # it counts from the end of this run
        self._index = DueIndex()
        for record in copies.values():
            self._enter(record)

    def step(self, until: int, rules: PlanRules) -> list[RunRecord] | None:
        """Do what comes next and return what it settles, or None when nothing comes any more."""
        now = self._index.next_due_at
        if now is not None and now > until:
            now = None
        if self._waiting and (now is None or self._waiting[0][0] < now):  # at one instant a node decides first
            return self._begin(heappop(self._waiting)[2])
        return None if now is None else self._decide(now, rules)

    def _decide(self, now: int, rules: PlanRules) -> list[RunRecord]:
        """Decide all that is due at one instant as one pass does: every group by what was so before any was decided."""
        groups = list(dict.fromkeys(self._groups[key] for key in self._index.due(now, len(self._index))))
        for group in groups:
            group.unfinished = self._unfinished_of(group.schedules[0])
        changes = [change for change in [plan(group, now, rules) for group in groups] if self._keep(change)]
        settled = [step.run for change in changes for step in change.steps]  # what is postponed gives way, too
        for change in changes:
            if any(move.resumed for move in change.moved):
                continue  # what a pause takes away is not shown
            for run in change.decided:
                if run.due_at > now and run.state is State.PENDING:
                    self._wait(run)
                else:
                    settled.append(run)
                    self._end(run)
        return settled

    def _keep(self, change: Change) -> bool:
        """Carry a change out; False for one that no longer fits, because one before moved the same schedule."""
        fits = all(move.record.cursor_at == move.expected_cursor_at for move in change.moved)
        for step in change.steps if fits else ():
            apply(step)
        for move in change.moved if fits else ():
            self._move(move)
        return fits

    def _move(self, move: CursorMove) -> None:
        _apply(move)
        self._enter(move.record)

    def _unfinished_of(self, first: ScheduleRecord) -> list[RunRecord]:
        """Return what waits of a schedule, or of its superseding lane, whoever brought it there."""
        waiting = [run for _, _, run in self._waiting if run.unfinished]
        if first.schedule.supersede:
            return [run for run in waiting if run.lane == first.schedule.lane]
        return [run for run in waiting if run.schedule.key == first.key]

    def _begin(self, run: RunRecord) -> list[RunRecord]:
        """Let a run begin, and end, that was postponed until now, unless it has given way."""
        if not run.unfinished:
            return []
        self._end(run)
        return [run]

    def _wait(self, run: RunRecord) -> None:
        self._count += 1
        heappush(self._waiting, (run.due_at, self._count, run))

    def _end(self, run: RunRecord) -> None:
        if run.state is State.PENDING and (ended := restarted(run.schedule, run.due_at)) is not None:
            self._move(ended)

    def _enter(self, record: ScheduleRecord) -> None:
        if record.wakes_at is None or record.key not in self._groups:
            self._index.discard(record.key)
        else:
            self._index.put(record.key, record.wakes_at, -record.schedule.priority)


def _has_future(record: ScheduleRecord) -> bool:
    return record.state is ScheduleState.ACTIVE or record.wakes_at is not None


def _from(record: ScheduleRecord, start: int) -> ScheduleRecord:
    schedule, anchor_at = record.schedule, record.anchor_at
    next_due_at = schedule.next_after(max(start, record.cursor_at), schedule.anchored(anchor_at))
    if isinstance(schedule.trigger, After) and next_due_at is None:
        anchor_at = start  # its run is at work, or due already
        next_due_at = schedule.next_after(start, schedule.anchored(start))
    return attrs.evolve(record, cursor_at=start, next_due_at=next_due_at, anchor_at=anchor_at)


def _groups(copies: dict[int, ScheduleRecord]) -> dict[int, Group]:
    """Return the group of every schedule by its key; those of a superseding lane share one."""
    lanes: dict[str | None, list[ScheduleRecord]] = {}
    for record in copies.values():
        if record.schedule.supersede:
            lanes.setdefault(record.schedule.lane, []).append(record)
    shared = {lane: Group(members) for lane, members in lanes.items()}
    return {
        key: shared[record.schedule.lane] if record.schedule.supersede else Group((record,))
        for key, record in copies.items()
    }


def _apply(move: CursorMove) -> None:
    record = move.record
    record.cursor_at, record.next_due_at, record.runs = move.cursor_at, move.next_due_at, move.runs
    record.state = move.state
    if move.anchor_at is not None:
        record.anchor_at = move.anchor_at
    if move.resumed:
        record.pause = None


def _foreseen(run: RunRecord, zone: str | None) -> Foreseen:
    schedule, trigger = run.schedule.schedule, run.schedule.schedule.trigger
    stretch = trigger.stretch_at(run.nominal_at) if isinstance(trigger, Excepted) else None
    became = run.state, run.reason, None if stretch is None else stretch.why
    return _shown(schedule, run.nominal_at, run.due_at, zone, became)


def _shown(
    schedule: Schedule, nominal_at: int, due_at: int, zone: str | None, became: tuple[State, Reason | None, str | None]
) -> Foreseen:
    trigger = schedule.trigger
    shown = find_zone(zone) if zone is not None else zone_of(trigger)
    decision, reason, exception = became
    return Foreseen(
        schedule=schedule,
        nominal_at=nominal_at,
        due_at=due_at,
        local_at=local_time(due_at, shown),
        zone=shown.name,
        shifted=shift_of(trigger, nominal_at),
        decision=decision,
        reason=reason,
        exception=exception,
    )


def zone_of(trigger: Trigger) -> Zone:
    """Return the zone a trigger's local times are in; UTC where it has none."""
    return own_zone(trigger) or find_zone("UTC")


def local_time(instant: int, zone: Zone) -> datetime:
    """Return what the wall shows at an instant, with its offset."""
    offset = timezone(timedelta(microseconds=zone.to_local(instant) - instant))
    return as_datetime(instant).astimezone(offset)


def shift_of(trigger: Trigger, instant: int) -> Shift | None:
    """Return what a change of offset did to the occurrence at `instant`."""
    if trigger.shift_at(instant):
        return Shift.GAP
    zone = own_zone(trigger)
    return Shift.FOLD if zone is not None and _comes_twice(zone, instant) else None


def _comes_twice(zone: Zone, instant: int) -> bool:
    """Whether clocks are set back so that the wall shows the same at another instant too."""
    for (_, before), (at, after) in pairwise(changes_around(zone, instant // ERA)):
        if at - (before - after) <= instant < at + (before - after):
            return True
    return False


@attrs.frozen(slots=True)
class Explanation:
    """A schedule in words.

    Args:
        name: of the schedule.
        rule: its trigger in plain English.
        previous_at: its last occurrence before now, on the wall; None when there is none.
        next_at: its next occurrences, on the wall, the nearest first.
        why: why the next instant is what it is.
        policies: one sentence each; likewise what people changed about single occurrences.
    """

    name: str
    rule: str
    previous_at: datetime | None
    next_at: tuple[datetime, ...]
    why: str
    policies: tuple[str, ...]


def explain(record: ScheduleRecord, now: int, rules: PlanRules) -> Explanation:
    """Put a schedule into words, as seen at `now`."""
    schedule, trigger = record.schedule, record.trigger
    zone = zone_of(schedule.trigger)
    upcoming = _upcoming(record, now)
    previous = trigger.previous_before((now if schedule.end_at is None else min(now, schedule.end_at)) + 1)
    if previous is not None and schedule.start_at is not None and previous < schedule.start_at:
        previous = None
    return Explanation(
        name=schedule.name,
        rule=schedule.trigger.describe(),
        previous_at=None if previous is None else local_time(previous, zone),
        next_at=tuple(local_time(instant, zone) for instant in upcoming),
        why=_why(record, upcoming, zone, now),
        policies=(*_policies(schedule, rules), *_amendments(record)),
    )


def _upcoming(record: ScheduleRecord, now: int) -> list[int]:
    """Return the next few occurrences; of a schedule that ends after some runs, no more than are left."""
    schedule, trigger = record.schedule, record.trigger
    left = NEXT_SHOWN if schedule.max_runs is None else min(NEXT_SHOWN, schedule.max_runs - record.runs)
    upcoming: list[int] = []
    at = schedule.next_after(now, trigger)
    while at is not None and len(upcoming) < left:
        upcoming.append(at)
        at = schedule.next_after(at, trigger)
    return upcoming


def _why(record: ScheduleRecord, upcoming: list[int], zone: Zone, now: int) -> str:
    if record.state is ScheduleState.PAUSED and record.wakes_at is not None:
        return f"the schedule is paused until {render_instant(record.wakes_at)}: nothing of it will run before"
    if record.state is not ScheduleState.ACTIVE:
        return f"the schedule is {record.state}: nothing of it will run"
    if not upcoming:
        at_work = isinstance(record.schedule.trigger, After) and record.next_due_at is None
        return "its delay begins when the run that is at work ends" if at_work else "nothing is to come"
    trigger, instant = record.schedule.trigger, upcoming[0]
    match shift_of(trigger, instant):
        case Shift.GAP:
            meant = local_time(instant, zone).replace(tzinfo=None) + timedelta(microseconds=trigger.shift_at(instant))
            return f"{meant:%H:%M} does not exist in {zone.name} on that day, because clocks go forward"
        case Shift.FOLD:
            return f"that local time comes twice in {zone.name} on that day, because clocks go back"
    out = trigger.left_out(now) if isinstance(trigger, Limited | Excepted) else None
    if out is not None and (record.schedule.start_at is None or out[0] >= record.schedule.start_at):
        at, why = out
        return f"{local_time(at, zone):%a %d %b %H:%M} is left out: {'not ' * isinstance(trigger, Intersect)}{why}"
    if record.schedule.start_at is not None and record.schedule.start_at > now:
        return "it is the first one that the rule yields after its start"
    return "it is the first one that the rule yields from now on"


_OVERLAPS: Final = {
    Overlap.SKIP: "while a run of it is unfinished, further occurrences are skipped",
    Overlap.BUFFER_ONE: "while a run of it is unfinished, the next occurrence waits for up to {longest}; "
    "further ones are skipped",
    Overlap.BUFFER_LATEST: "while a run of it is unfinished, the latest occurrence waits for up to {longest}; "
    "those before it give way",
    Overlap.BUFFER_ALL: f"its runs wait for each other, for up to {{longest}}; beyond {UNFINISHED_MAX} of them, "
    "occurrences are skipped",
    Overlap.CANCEL_RUNNING: "an occurrence cancels the run before it where that is unfinished, and starts when it "
    "has ended",
    Overlap.ALLOW: "its runs may overlap",
}


def _policies(schedule: Schedule, rules: PlanRules) -> Iterator[str]:
    tolerance = rules.tolerance if schedule.tolerance_s is None else microseconds(schedule.tolerance_s)
    window = rules.misfire_window if schedule.misfire_window_s is None else microseconds(schedule.misfire_window_s)
    late, longest = render_duration(tolerance / SECOND), render_duration(window / SECOND)
    match schedule.misfire:
        case Misfire.SKIP:
            yield f"noticed more than {late} late, it is missed"
        case Misfire.EACH:
            yield f"after downtime, each occurrence not older than {longest} runs"
        case Misfire.LATEST:
            yield f"after downtime, only the newest occurrence runs, if it is not older than {longest}"
        case _:
            assert_never(schedule.misfire)
    if schedule.supersede:
        yield f"in lane {schedule.lane}, only the last of all occurrences that came due counts; older runs give way"
    else:
        yield _OVERLAPS[schedule.overlap].format(longest=longest)
    if schedule.lane is not None and not schedule.supersede:
        yield f"its runs wait for lane {schedule.lane}"
    if schedule.jitter_s:
        most = render_duration(schedule.jitter_s)
        yield f"each occurrence starts up to {most} later, always by the same for the same one"
    if schedule.max_runs is not None:
        yield f"it ends after {counted(schedule.max_runs, 'run')}"


def _amendments(record: ScheduleRecord) -> Iterator[str]:
    for amendment in record.amended:
        what = "skipped" if amendment.until_at is None else f"postponed to {render_instant(amendment.until_at)}"
        why = f": {amendment.note}" if amendment.note else ""
        yield f"the occurrence at {render_instant(amendment.nominal_at)} is {what} by {amendment.author}{why}"
