"""What people change about occurrences that are to come: skip, postpone, undo, and the pause that holds all (S5.7).

Pure rules: which occurrence is meant, what may be said of it, and the change that keeps it. A change of what was
decided is none: a run that was claimed once is left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from trioarm.core.changes import Change, Finished, PutSchedule, Requeued, RunStep, freed
from trioarm.core.diff import revised
from trioarm.core.errors import InvalidSchedule
from trioarm.core.instants import HOUR, render_duration, render_instant
from trioarm.core.planning import PlanRules, give_up_at
from trioarm.core.ranges import while_paused
from trioarm.core.record import AMENDMENTS_MAX, Amendment, AmendmentKind, Pause, ScheduleRecord, ScheduleState
from trioarm.core.run import Origin, RunRecord, render_run_id
from trioarm.core.schedule import Schedule
from trioarm.core.states import Reason, State, Step, WaitingFor

POSTPONED_MAX: Final = 2 * HOUR  # counted from the scheduled time, however often it is postponed (A4.2)
POSTPONED_TIMES_MAX: Final = 3  # to a later instant; an earlier one again is always allowed


def revision(record: ScheduleRecord, schedule: Schedule, now: int, pause: Pause | None) -> Change:
    """Return the change that makes `schedule` the next revision, with the row for what came due while it was paused."""
    return _keeping(record, revised(record, schedule, now, pause), now)


def _keeping(record: ScheduleRecord, put: PutSchedule, now: int, steps: Sequence[RunStep] = ()) -> Change:
    passed = while_paused(record, now, now) if record.state is ScheduleState.PAUSED else []
    return Change(decided=passed, steps=steps, schedules=[put])


# Which occurrence is meant


def to_come(record: ScheduleRecord, after: int) -> int | None:
    """Return the first occurrence after an instant that is undecided and not within a pause; None for none."""
    if record.next_due_at is None or record.wakes_at is None:
        return None
    after = max(after, record.cursor_at)
    if record.state is ScheduleState.PAUSED:
        after = max(after, record.wakes_at - 1)
    return record.schedule.next_after(after, record.trigger)


def overtaken_at(schedules: Iterable[ScheduleRecord], nominal_at: int) -> int | None:
    """Return the first occurrence of any of these schedules that comes after one of theirs; None for none."""
    return min((at for record in schedules if (at := to_come(record, nominal_at)) is not None), default=None)


def meant(record: ScheduleRecord, unfinished: Sequence[RunRecord], nominal_at: int | None) -> int | RunRecord:
    """Return the occurrence that a person names: its instant while it is to come, its run once that is decided.

    Args:
        record: the schedule; what is due of it is decided.
        unfinished: its runs.
        nominal_at: the instant; None for the next one, which is the one that is postponed already, if one is.

    Raises:
        InvalidSchedule: there is no such occurrence, or it is too late to change it.
    """
    name = record.schedule.name
    mine = _own(unfinished)
    if nominal_at is None:
        postponed = [at for at, run in mine.items() if _waits(run) and run.waiting_for is WaitingFor.POSTPONE]
        nominal_at = max(postponed, default=to_come(record, record.cursor_at))
        if nominal_at is None:
            raise InvalidSchedule(_nothing_to_come(record))
    if nominal_at <= record.cursor_at:
        return _waiting_run(name, mine, nominal_at)
    if to_come(record, nominal_at - 1) != nominal_at:
        following = to_come(record, record.cursor_at)
        if following is None:
            raise InvalidSchedule(_nothing_to_come(record))
        raise InvalidSchedule(
            f"{name} has no occurrence at {render_instant(nominal_at)}: its next one is at {render_instant(following)}"
        )
    return nominal_at


def _own(unfinished: Iterable[RunRecord]) -> dict[int, RunRecord]:
    """Return the runs that the trigger made, by their occurrence."""
    return {run.nominal_at: run for run in unfinished if run.origin is Origin.SCHEDULE}


def _waiting_run(name: str, mine: Mapping[int, RunRecord], nominal_at: int) -> RunRecord:
    run = mine.get(nominal_at)
    if run is not None and _waits(run):
        return run
    what = "decided already" if run is None else f"{run.state} already"
    raise InvalidSchedule(f"{render_run_id(name, nominal_at, Origin.SCHEDULE)} is {what}: too late to change it")


def _waits(run: RunRecord) -> bool:
    """Whether nobody has claimed a run yet; one that waits for its next attempt has begun."""
    return run.state is State.PENDING and run.token == 0


def _nothing_to_come(record: ScheduleRecord) -> str:
    name = record.schedule.name
    match record.state:
        case ScheduleState.PAUSED if not record.schedule.enabled:
            return f"{name} is disabled by its definition: nothing of it is to come"
        case ScheduleState.PAUSED:
            return f"{name} is paused: resume it first"
        case ScheduleState.ACTIVE:
            return f"nothing of {name} is to come until the run that is at work ends"
        case _:
            return f"{name} is {record.state}: nothing of it is to come"


# What is said of it


def amendment_of(record: ScheduleRecord, nominal_at: int) -> Amendment | None:
    """Return what was said of an occurrence before, or None."""
    return next((one for one in record.amendments if one.nominal_at == nominal_at), None)


def skipped(record: ScheduleRecord, what: int | RunRecord, author: str, note: str, now: int) -> Change | None:
    """Return the change by which an occurrence is skipped; None when it is already."""
    if isinstance(what, RunRecord):
        put = _amended(record, what.nominal_at, None, now)
        return _keeping(record, put, now, _give_up(put, [what], Reason.USER, now))
    before = amendment_of(record, what)
    if before is not None and before.kind is AmendmentKind.SKIP:
        return None
    amendment = Amendment(AmendmentKind.SKIP, what, None, author, note, now)
    return _keeping(record, _amended(record, what, amendment, now), now)


def postponement(
    record: ScheduleRecord, nominal_at: int, until_at: int, overtaken_at: int | None, said: tuple[str, str, int]
) -> Amendment:
    """Return the amendment that postpones an occurrence: at most two hours and three times, never past the next (A4.2).

    Args:
        record: its schedule.
        nominal_at: the occurrence.
        until_at: when it may start; earlier than before makes the postponement shorter.
        overtaken_at: the next occurrence of its schedule, in a superseding lane of any; None for none.
        said: who says so, why, and when.

    Raises:
        InvalidSchedule: it may not be postponed to that instant.
    """
    author, note, now = said
    named = f"{render_run_id(record.schedule.name, nominal_at, Origin.SCHEDULE)} cannot be postponed to"
    until = render_instant(until_at)
    if until_at <= now or until_at <= nominal_at:
        raise InvalidSchedule(f"{named} {until}: that is not later than {render_instant(max(nominal_at, now))}")
    if until_at - nominal_at > POSTPONED_MAX:
        most = render_duration(POSTPONED_MAX / 1e6)
        last = render_instant(nominal_at + POSTPONED_MAX)
        raise InvalidSchedule(f"{named} {until}: at most {most} after its time, {last}")
    if overtaken_at is not None and until_at >= overtaken_at:
        raise InvalidSchedule(f"{named} {until}: the next occurrence is at {render_instant(overtaken_at)}")
    before = amendment_of(record, nominal_at)
    times, since = (0, nominal_at) if before is None or before.until_at is None else (before.times, before.until_at)
    if until_at > since and times >= POSTPONED_TIMES_MAX:
        raise InvalidSchedule(f"{named} {until}: it was postponed {times} times already")
    return Amendment(
        AmendmentKind.POSTPONE, nominal_at, until_at, author, note, now, times + 1 if until_at > since else times
    )


def postponed(
    record: ScheduleRecord, what: int | RunRecord, amendment: Amendment, now: int, rules: PlanRules
) -> Change:
    """Return the change by which an occurrence may start later; if that is decided already, its run waits on."""
    put = _amended(record, amendment.nominal_at, amendment, now)
    steps = []
    if isinstance(what, RunRecord):
        steps.append(_waiting_on(what, amendment.over_at, WaitingFor.POSTPONE, now, rules))
    return _keeping(record, put, now, steps)


def undone(
    record: ScheduleRecord, unfinished: Sequence[RunRecord], nominal_at: int | None, now: int, rules: PlanRules
) -> tuple[Amendment, Change]:
    """Return what was said of an occurrence, and the change that takes it back: a run that waits may start at once.

    Args:
        record: the schedule; what is due of it is decided.
        unfinished: its runs.
        nominal_at: the occurrence; None for the first of which anything was said.

    Raises:
        InvalidSchedule: nothing was said of it, or it is too late.
    """
    name = record.schedule.name
    said = sorted((one for one in record.amended if one.over_at > now), key=lambda one: one.nominal_at)
    found = next((one for one in said if nominal_at is None or one.nominal_at == nominal_at), None)
    if found is None:
        where = "" if nominal_at is None else f" at {render_instant(nominal_at)}"
        raise InvalidSchedule(f"nothing of {name} that is to come is skipped or postponed{where}")
    steps = []
    if found.nominal_at <= record.cursor_at:
        run = _waiting_run(name, _own(unfinished), found.nominal_at)
        steps.append(_waiting_on(run, now, WaitingFor.DUE, now, rules))
    return found, _keeping(record, _amended(record, found.nominal_at, None, now), now, steps)


def paused(record: ScheduleRecord, unfinished: Sequence[RunRecord], pause: Pause, now: int) -> Change:
    """Return the change that pauses a schedule. Runs go on; what is postponed into the pause is skipped with it.

    Raises:
        InvalidSchedule: the pause ends before it begins.
    """
    if pause.until_at is not None and pause.until_at <= now:
        until = render_instant(pause.until_at)
        raise InvalidSchedule(f"{record.schedule.name} cannot be paused until {until}: that is over")
    put, steps = pausing(record, unfinished, pause, now)
    return _keeping(record, put, now, steps)


def pausing(
    record: ScheduleRecord, unfinished: Sequence[RunRecord], pause: Pause, now: int
) -> tuple[PutSchedule, list[Finished]]:
    """Return the step that pauses a schedule, and those of what was postponed into the pause."""
    put = revised(record, record.schedule, now, pause)
    within = [
        run
        for run in unfinished
        if _waits(run)
        and run.waiting_for is WaitingFor.POSTPONE
        and (pause.until_at is None or run.due_at < pause.until_at)
    ]
    return put, _give_up(put, within, Reason.PAUSED, now)


def _amended(record: ScheduleRecord, nominal_at: int, amendment: Amendment | None, now: int) -> PutSchedule:
    """Return the revision in which an occurrence has this amendment instead of any other, or none."""
    put = revised(record, record.schedule, now, record.pause)
    others = [one for one in put.amendments if one.nominal_at != nominal_at]
    if amendment is not None:
        if len(others) >= AMENDMENTS_MAX:
            raise InvalidSchedule(
                f"{record.schedule.name} has {len(others)} occurrences that were skipped or postponed: "
                "that is as many as it may have, so pause it, or undo some"
            )
        others.append(amendment)
    put.amendments = tuple(sorted(others, key=lambda one: one.nominal_at))
    return put


def _waiting_on(run: RunRecord, due_at: int, waiting_for: WaitingFor, now: int, rules: PlanRules) -> Requeued:
    until = give_up_at(run.schedule, due_at, now, rules)
    return Requeued(
        run, run.token, Step.POSTPONE, now, run.attempt, due_at, waiting_for, reason=run.reason, give_up_at=until
    )


def _give_up(put: PutSchedule, runs: Sequence[RunRecord], reason: Reason, now: int) -> list[Finished]:
    """Let runs that wait be skipped when their schedule is put; a fixed delay goes on from here."""
    gone = {run.nominal_at for run in runs}
    put.amendments = tuple(one for one in put.amendments if one.nominal_at not in gone)
    for move in (freed(run, now) for run in runs):
        if move is not None and move.anchor_at is not None:
            put.next_due_at, put.anchor_at = move.next_due_at, move.anchor_at
            put.state = move.state if put.state is ScheduleState.ACTIVE else put.state
    return [Finished(run, run.token, Step.SKIP, now, reason) for run in runs]
