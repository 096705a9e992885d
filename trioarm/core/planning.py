"""What becomes of the occurrences that are due: `plan`, pure, a group at a time (S5).

It evaluates everything between the cursor and now, never "does now match". It does not know who is free to work: see
`admission`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

import attrs

from trioarm.core.changes import CancelAsked, Change, CursorMove, Finished, Requeued, RunStep, freed, restarted
from trioarm.core.instants import HOUR, MINUTE, SECOND, microseconds
from trioarm.core.run import RunRecord
from trioarm.core.schedule import Delivery, Misfire, Overlap, RetryPolicy, ScheduleRecord, ScheduleState
from trioarm.core.states import Reason, State, Step, WaitingFor
from trioarm.core.triggers import After, Trigger

DECISIONS_MAX: Final = 1_000  # rows one group may write in one pass; the rest follows in the next (S5.1)
LOSSES_MIN: Final = 3  # a run may lose its node as often, whatever its retries say: a handler is not to blame for that
NOTICED_WITHIN: Final = SECOND  # always on time, whatever the tolerance: nothing is noticed in no time at all


@attrs.frozen(slots=True)
class PlanRules:
    """What the node is configured to where a schedule says nothing. Durations are microseconds.

    Args:
        tolerance: lateness still treated as on time.
        misfire_window: how old an occurrence may be and still run late.
        queue_timeout: how long a due run may wait for a worker.
        impatient: handlers whose due runs are missed after `queue_timeout`. Runs of others wait: their handler is not
            registered here (S2.6), or raises an alert instead.
        recover_from: occurrences before this instant are not caught up (S8.4); None to catch up.
        retry: for schedules that say nothing.
    """

    tolerance: int = 5 * MINUTE
    misfire_window: int = HOUR
    queue_timeout: int = 10 * MINUTE
    impatient: frozenset[str] = frozenset()
    recover_from: int | None = None
    retry: RetryPolicy = attrs.field(factory=RetryPolicy)


@attrs.define(slots=True, eq=False)
class Group:
    """The unit of planning: one schedule, or all superseding schedules of a lane (S5.1).

    Args:
        schedules: as read; all are planned, due or not.
        unfinished: runs of these schedules, or of their lane, that are not final.
    """

    schedules: Sequence[ScheduleRecord]
    unfinished: Collection[RunRecord] = ()


@attrs.define(slots=True, eq=False)
class _Due:
    """The occurrences of one schedule in (cursor, now]: `first` to `newest`, and the one that follows."""

    record: ScheduleRecord
    trigger: Trigger
    first: int
    newest: int
    following: int | None


def plan(group: Group, now: int, rules: PlanRules) -> Change:
    """Return the decisions and cursor moves of a group for everything due at or before `now` (S5.1-S5.5).

    Args:
        group: the schedules as read, with their unfinished runs.
        now: microseconds since 1970 UTC.
        rules: the node's.
    """
    if group.schedules[0].schedule.supersede:
        return _plan_superseding(group, now, rules)
    due = _evaluate(group.schedules[0], now)
    if due is None:
        return Change()
    return _plan_schedule(due, len(group.unfinished) > 0, now, rules)


def expire(run: RunRecord, now: int, rules: PlanRules) -> Finished | None:
    """Return the step of a run that has waited for a worker too long, or None when it may go on waiting."""
    if run.give_up_at is None or now < run.give_up_at or run.state is not State.PENDING:
        return None
    waited = (now - run.due_at) // 1_000_000
    error = (
        f"no worker was free for {waited} s: raise executor.max_concurrent, "
        "or let it wait longer with executor.queue_timeout"
    )
    return Finished(run, run.token, Step.MISS, now, Reason.QUEUE_TIMEOUT, error)


def lose(run: RunRecord, now: int, rules: PlanRules) -> Change:
    """Return what becomes of a run whose node is gone: it is begun again, unless that is not to be (S2.2, S7.3).

    A loss consumes an attempt, so that a handler that brings its node down does not do so for ever.
    """
    step = _after_loss(run, now, rules)
    move = restarted(run.schedule, now) if isinstance(step, Finished) else None
    return Change(steps=(step,), moved=() if move is None else (move,))


def _after_loss(run: RunRecord, now: int, rules: PlanRules) -> Finished | Requeued:
    schedule = run.schedule.schedule
    if run.cancel is not None:
        return Finished(run, run.token, Step.CANCEL, now, run.cancel, run.error)
    if schedule.delivery is Delivery.AT_MOST_ONCE or rules.recover_from is not None:
        return Finished(run, run.token, Step.LOSE, now, Reason.LOST, "its node is gone: nobody knows how far it came")
    retries = max(LOSSES_MIN, (schedule.retry or rules.retry).max_retries)
    if run.attempt > retries or run.schedule.removed:
        return Finished(run, run.token, Step.FAIL, now, Reason.LOST, f"its node was lost, at attempt {run.attempt}")
    return Requeued(run, run.token, Step.RETRY, now, run.attempt, now, WaitingFor.RETRY, Reason.LOST)


def _evaluate(record: ScheduleRecord, now: int) -> _Due | None:
    first = record.next_due_at
    if first is None or first > now or record.state is not ScheduleState.ACTIVE:
        return None
    schedule, trigger = record.schedule, record.trigger
    following = schedule.next_after(first, trigger)
    if following is None or following > now:
        return _Due(record, trigger, first, first, following)
    until = now if schedule.end_at is None else min(now, schedule.end_at)
    newest = trigger.previous_before(until + 1)
    return _Due(record, trigger, first, first if newest is None else newest, schedule.next_after(now, trigger))


def _oldest(record: ScheduleRecord, now: int, rules: PlanRules) -> int:
    """Return the oldest instant that may still run: on time within the tolerance, late within its window (S5.2)."""
    schedule = record.schedule
    allowed = rules.tolerance if schedule.tolerance_s is None else microseconds(schedule.tolerance_s)
    allowed = max(allowed, NOTICED_WITHIN)
    if schedule.misfire is not Misfire.SKIP:
        window = rules.misfire_window if schedule.misfire_window_s is None else microseconds(schedule.misfire_window_s)
        allowed = max(allowed, window)
    oldest = now - allowed
    return oldest if rules.recover_from is None else max(oldest, rules.recover_from)


def _plan_schedule(due: _Due, unfinished: bool, now: int, rules: PlanRules) -> Change:
    record = due.record
    if record.schedule.misfire is Misfire.EACH and due.first != due.newest:
        return _plan_each(due, unfinished, now, rules)
    oldest = _oldest(record, now, rules)
    if due.newest < oldest:
        return Change(
            [_not_run(due, due.first, due.newest, State.MISSED, _late(due.newest, rules), now)],
            [_move(due, now, ran=0)],
        )
    decided = []
    if due.first != due.newest:
        last = due.trigger.previous_before(due.newest)
        decided.append(
            _not_run(due, due.first, due.first if last is None else last, State.MISSED, Reason.COALESCED, now)
        )
    if unfinished and record.schedule.overlap is Overlap.SKIP:
        decided.append(_not_run(due, due.newest, due.newest, State.SKIPPED, Reason.OVERLAP, now))
        return Change(decided, [_move(due, now, ran=0)])
    decided.append(_run(record, due.newest, now, rules))
    return Change(decided, [_move(due, now, ran=1)])


def _plan_each(due: _Due, unfinished: bool, now: int, rules: PlanRules) -> Change:
    """Decide every occurrence on its own, oldest first, at most DECISIONS_MAX; the next pass takes the rest."""
    record = due.record
    oldest = _oldest(record, now, rules)
    decided: list[RunRecord] = []
    at: int | None = due.first
    if due.first < oldest:
        last = due.newest if due.newest < oldest else due.trigger.previous_before(oldest)
        decided.append(
            _not_run(
                due,
                due.first,
                due.first if last is None else last,
                State.MISSED,
                _late(due.first, rules),
                now,
            )
        )
        at = record.schedule.next_after(oldest - 1, due.trigger)
    ran, cursor_at = 0, oldest - 1
    left = DECISIONS_MAX if record.schedule.max_runs is None else record.schedule.max_runs - record.runs
    while at is not None and at <= now and len(decided) < DECISIONS_MAX and ran < left:
        if unfinished and record.schedule.overlap is Overlap.SKIP:
            decided.append(_not_run(due, at, at, State.SKIPPED, Reason.OVERLAP, now))
        else:
            decided.append(_run(record, at, now, rules))
            ran, unfinished = ran + 1, True
        cursor_at = at
        at = record.schedule.next_after(at, due.trigger)
    due.following = at
    return Change(decided, [_move(due, now if at is None or at > now else cursor_at, ran=ran)])


def _plan_superseding(group: Group, now: int, rules: PlanRules) -> Change:
    """Let only the last of all occurrences due in the lane count; whatever is older gives way to it (S5.5)."""
    dues = [due for record in group.schedules if (due := _evaluate(record, now)) is not None]
    if not dues:
        return Change()
    winner = max(dues, key=_order)
    decided: list[RunRecord] = []
    moved: list[CursorMove] = []
    for due in dues:
        last = due.trigger.previous_before(due.newest) if due is winner else due.newest
        if last is not None and last >= due.first:
            decided.append(_not_run(due, due.first, last, State.SUPERSEDED, Reason.SUPERSEDED, now))
        runs = due is winner and due.newest >= _oldest(due.record, now, rules)
        if runs:
            decided.append(_run(due.record, due.newest, now, rules))
        elif due is winner:
            decided.append(_not_run(due, due.newest, due.newest, State.MISSED, _late(due.newest, rules), now))
        moved.append(_move(due, now, ran=int(runs)))
    steps = [step for run in group.unfinished if (step := give_way(run, now)) is not None]
    moved += [move for step in steps if isinstance(step, Finished) and (move := freed(step.run, now)) is not None]
    return Change(decided, moved, steps)


def quarantine(record: ScheduleRecord) -> CursorMove:
    """Return the move that takes a schedule nobody can plan out of the way: kept, visible, never due again (S2.6)."""
    state = ScheduleState.QUARANTINED
    return CursorMove(record, record.cursor_at, record.revision, record.cursor_at, None, record.runs, state)


def give_way(run: RunRecord, now: int) -> RunStep | None:
    """Return the step by which an unfinished run makes room for a newer one of its superseding lane."""
    if run.state is not State.PENDING:
        return None if run.cancel is not None else CancelAsked(run, run.token, Reason.SUPERSEDED, now)
    began = run.attempt > 0 or run.started_at is not None  # a snooze counts no attempt, but its handler was called
    step = Step.CANCEL if began else Step.SUPERSEDE
    return Finished(run, run.token, step, now, Reason.SUPERSEDED, run.error)


def _order(due: _Due) -> tuple[int, int, int, str]:
    """Order newest occurrences as S4.4 says: instant, nominal local time, priority, name; the last one wins."""
    schedule = due.record.schedule
    return (due.newest, due.trigger.shift_at(due.newest), schedule.priority, schedule.name)


def _late(instant: int, rules: PlanRules) -> Reason:
    if rules.recover_from is not None and instant < rules.recover_from:
        return Reason.RECOVERY_OFF
    return Reason.TOO_LATE


def _run(record: ScheduleRecord, nominal_at: int, now: int, rules: PlanRules) -> RunRecord:
    run = RunRecord(record, nominal_at, nominal_at, now, record.schedule.lane)
    if record.schedule.handler in rules.impatient:
        run.give_up_at = now + rules.queue_timeout
    return run


def _not_run(due: _Due, first: int, last: int, state: State, reason: Reason, now: int) -> RunRecord:
    """Return one row for the occurrences from `first` to `last`: a skip is data (S2.1)."""
    lane = due.record.schedule.lane
    row = RunRecord(due.record, first, first, now, lane, state=state, reason=reason, waiting_for=None, finished_at=now)
    if last != first:
        row.last_at = last
        row.count = due.trigger.count(first - 1, last)
    return row


def _move(due: _Due, cursor_at: int, *, ran: int) -> CursorMove:
    """Advance the cursor. A fixed delay whose occurrence did not run counts from now; one that runs, from its end."""
    record = due.record
    schedule = record.schedule
    runs = record.runs + ran
    anchor_at = None
    following = due.following
    state = ScheduleState.ACTIVE
    if schedule.max_runs is not None and runs >= schedule.max_runs:
        following, state = None, ScheduleState.FINISHED
    elif not ran or not isinstance(schedule.trigger, After):
        if isinstance(schedule.trigger, After):
            anchor_at = cursor_at
            following = schedule.next_after(cursor_at, schedule.anchored(cursor_at))
        if following is None:
            state = ScheduleState.FINISHED
    return CursorMove(record, record.cursor_at, record.revision, cursor_at, following, runs, state, anchor_at)
