"""What becomes of the occurrences that are due: `plan`, pure, a group at a time (S5).

It evaluates everything between the cursor and now, never "does now match". It does not know who is free to work: see
`admission`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

import attrs

from trioarm.core.changes import Change, CursorMove, Finished, Requeued, freed, restarted
from trioarm.core.instants import HOUR, MINUTE, SECOND, microseconds
from trioarm.core.jitter import jitter_of
from trioarm.core.overlap import Earlier, give_way, make_way
from trioarm.core.ranges import end_of_pause, none_run, not_run, skips, stretches
from trioarm.core.record import ScheduleRecord, ScheduleState
from trioarm.core.retry_policy import RetryPolicy
from trioarm.core.run import Origin, RunRecord
from trioarm.core.schedule import Delivery, Misfire, Order
from trioarm.core.states import Reason, State, Step, WaitingFor
from trioarm.core.triggers import After, Trigger

DECISIONS_MAX: Final = 1_000  # rows one group may write in one pass; the rest follows in the next (S5.1)
LOSSES_MIN: Final = 3  # a run may lose its node as often, whatever its retries say: a handler is not to blame for that
NOTICED_WITHIN: Final = SECOND  # always on time, whatever the tolerance: nothing is noticed in no time at all
NOTHING_POSTPONED: Final[Mapping[int, int]] = {}


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
    """The occurrences of one schedule in (cursor, now].

    Args:
        first: the first of them.
        last: the last of them.
        newest: the last one that no person skipped; None when they skipped all.
        following: the one that follows.
        postponed: when those may start that somebody postponed.
    """

    record: ScheduleRecord
    trigger: Trigger
    first: int
    last: int
    newest: int | None
    following: int | None
    postponed: Mapping[int, int] = NOTHING_POSTPONED

    def starts_at(self, nominal_at: int) -> int:
        """Return when an occurrence may start: what its lateness is judged by."""
        if self.postponed and nominal_at in self.postponed:
            return self.postponed[nominal_at]
        schedule = self.record.schedule
        if not schedule.jitter_s:
            return nominal_at
        following = self.following if nominal_at == self.last else self.trigger.next_after(nominal_at)
        return nominal_at + jitter_of(schedule, nominal_at, following)

    def none_run(self, ends: tuple[int, int], state: State, reason: Reason, now: int) -> list[RunRecord]:
        """Return the rows for a range of which nothing runs."""
        return none_run(self.record, self.trigger, ends, state, reason, now)

    def before(self, nominal_at: int, state: State, reason: Reason, now: int) -> list[RunRecord]:
        """Return the rows for all that came due before one of them."""
        if nominal_at <= self.first:
            return []
        last = self.trigger.previous_before(nominal_at)
        return self.none_run((self.first, self.first if last is None else last), state, reason, now)

    def behind_newest(self, now: int) -> list[RunRecord]:
        """Return the rows for all that came due after the newest that counts: a person skipped them."""
        if self.newest is None or self.newest == self.last:
            return []
        ends = (self.newest + 1, self.last)
        return [
            not_run(self.record, self.trigger, (at, at), State.SKIPPED, Reason.USER, now)
            for at in skips(self.record, self.trigger, *ends)
        ]


def plan(group: Group, now: int, rules: PlanRules) -> Change:
    """Return the decisions and cursor moves of a group for everything due at or before `now` (S5.1-S5.5).

    Args:
        group: the schedules as read, with their unfinished runs.
        now: microseconds since 1970 UTC.
        rules: the node's.
    """
    first = group.schedules[0]
    if first.schedule.supersede:
        over = _pauses_over(group.schedules, now)
        return _end_pauses(over, now) if over else _plan_superseding(group, now, rules)
    due = _evaluate(first, now)
    if due is None:
        over = _pauses_over(group.schedules, now)
        return _end_pauses(over, now) if over else Change()
    unfinished = group.unfinished  # what is backfilled has a policy of its own (S5.3)
    if unfinished:
        unfinished = [run for run in unfinished if run.origin is not Origin.BACKFILL]
    return _plan_schedule(due, unfinished, now, rules)


def expire(run: RunRecord, now: int, rules: PlanRules) -> Finished | None:
    """Return the step of a run that has waited for a worker too long, or None when it may go on waiting."""
    if run.give_up_at is None or now < run.give_up_at or run.state is not State.PENDING:
        return None
    waited = (now - run.due_at) // 1_000_000
    schedule = run.schedule.schedule
    if schedule.overlap.keeps_apart or schedule.resources:
        for_what = "the run before it had not ended" if schedule.overlap.keeps_apart else "a resource was taken"
        error = f"for {waited} s {for_what}, or no worker was free: its misfire window is over"
        return Finished(run, run.token, Step.MISS, now, Reason.TOO_LATE, error)
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


def _pauses_over(records: Iterable[ScheduleRecord], now: int) -> list[ScheduleRecord]:
    paused = (record for record in records if record.state is ScheduleState.PAUSED)
    return [record for record in paused if record.wakes_at is not None and record.wakes_at <= now]


def _end_pauses(records: Sequence[ScheduleRecord], now: int) -> Change:
    """End the pauses that are over and decide nothing else: what has come due since is for the next pass, in which a
    superseding lane is whole again."""
    ended = [
        end_of_pause(record, record.pause.until_at, now)
        for record in records
        if record.pause is not None and record.pause.until_at is not None
    ]
    return Change(
        [row for change in ended for row in change.decided], [move for change in ended for move in change.moved]
    )


def _evaluate(record: ScheduleRecord, now: int) -> _Due | None:
    first = record.next_due_at
    if first is None or first > now or record.state is not ScheduleState.ACTIVE:
        return None
    schedule, trigger = record.schedule, record.trigger
    last, following = first, schedule.next_after(first, trigger)
    if following is not None and following <= now:
        until = now if schedule.end_at is None else min(now, schedule.end_at)
        found = trigger.previous_before(until + 1)
        last, following = first if found is None else found, schedule.next_after(now, trigger)
    if not record.amendments:
        return _Due(record, trigger, first, last, last, following)
    newest: int | None = last
    skipped = skips(record, trigger, first, last)
    while newest is not None and newest in skipped:
        newest = None if newest == first else trigger.previous_before(newest)
    postponed = {one.nominal_at: one.until_at for one in record.amendments if one.until_at is not None}
    return _Due(record, trigger, first, last, newest, following, postponed)


def _is_late(record: ScheduleRecord, starts_at: int, now: int, rules: PlanRules) -> bool:
    on_time = rules.tolerance if record.schedule.tolerance_s is None else NOTICED_WITHIN  # whatever is said of misfires
    if starts_at >= now - on_time and rules.recover_from is None:  # as most are
        return False
    return starts_at < _oldest(record, now, rules)


def _oldest(record: ScheduleRecord, now: int, rules: PlanRules) -> int:
    """Return the oldest instant that may still run: on time within the tolerance, late within its window (S5.2)."""
    oldest = now - _window(record, rules)
    return oldest if rules.recover_from is None else max(oldest, rules.recover_from)


def _window(record: ScheduleRecord, rules: PlanRules) -> int:
    """Return by how much an occurrence may start late."""
    schedule = record.schedule
    allowed = rules.tolerance if schedule.tolerance_s is None else microseconds(schedule.tolerance_s)
    allowed = max(allowed, NOTICED_WITHIN)
    if schedule.misfire is Misfire.SKIP:
        return allowed
    window = rules.misfire_window if schedule.misfire_window_s is None else microseconds(schedule.misfire_window_s)
    return max(allowed, window)


def _plan_schedule(due: _Due, unfinished: Collection[RunRecord], now: int, rules: PlanRules) -> Change:
    record, newest = due.record, due.newest
    overlap = record.schedule.overlap
    if due.first != due.last and record.schedule.misfire is Misfire.EACH and not overlap.only_newest:
        return _plan_each(due, Earlier.of(unfinished), now, rules)
    starts_at = due.last if newest is None else due.starts_at(newest)
    if newest is None or _is_late(record, starts_at, now, rules):
        reason = Reason.USER if newest is None else _late(starts_at, rules)
        return Change(due.none_run((due.first, due.last), State.MISSED, reason, now), [_move(due, now, 0)])
    decided: Sequence[RunRecord]
    runs = not unfinished or Earlier.of(unfinished).leave_room(overlap)
    if runs:
        decided = (_run(due, newest, starts_at, now, rules),)
    else:
        decided = due.none_run((newest, newest), State.SKIPPED, Reason.OVERLAP, now)
    if due.first != due.last:  # mostly there is only one
        decided = [*due.before(newest, State.MISSED, Reason.COALESCED, now), *decided, *due.behind_newest(now)]
    steps = make_way(overlap, unfinished, now) if unfinished else ()
    return Change(decided, (_move(due, now, runs),), steps)


def _plan_each(due: _Due, earlier: Earlier, now: int, rules: PlanRules) -> Change:
    """Decide every occurrence on its own, oldest first, at most DECISIONS_MAX; the next pass takes the rest."""
    record = due.record
    oldest = _oldest(record, now, rules)
    left = DECISIONS_MAX if record.schedule.max_runs is None else record.schedule.max_runs - record.runs
    decided: list[RunRecord] = []
    ran, cursor_at = 0, due.first - 1
    for first, last in _each(due, oldest):
        if len(decided) >= DECISIONS_MAX or ran >= left:
            due.following = first
            return Change(decided, [_move(due, cursor_at, ran)])
        starts_at = due.starts_at(first)
        if first != last or starts_at < oldest:
            decided += due.none_run((first, last), State.MISSED, _late(first, rules), now)
        elif skips(record, due.trigger, first, first):
            decided += due.none_run((first, first), State.SKIPPED, Reason.USER, now)
        elif not earlier.leave_room(record.schedule.overlap):
            decided += due.none_run((first, first), State.SKIPPED, Reason.OVERLAP, now)
        else:
            decided.append(_run(due, first, starts_at, now, rules))
            ran, earlier.waiting = ran + 1, earlier.waiting + 1
        cursor_at = last
    return Change(decided, [_move(due, now, ran)])


def _each(due: _Due, oldest: int) -> Iterator[tuple[int, int]]:
    """Yield the ends of what is decided at once, in order: every occurrence alone, but those too late in ranges."""
    trigger = due.trigger
    apart = sorted(at for at, until_at in due.postponed.items() if due.first <= at < oldest <= until_at)
    apart = [at for at in apart if at <= due.last and trigger.next_after(at - 1) == at]
    for first, last in stretches(trigger, due.first, due.last, apart):
        at: int | None = first
        if first < oldest and first not in apart:
            late = last if last < oldest else trigger.previous_before(oldest)
            yield first, first if late is None else late
            at = trigger.next_after(oldest - 1)
        while at is not None and at <= last:
            yield at, at
            at = trigger.next_after(at)


def _plan_superseding(group: Group, now: int, rules: PlanRules) -> Change:
    """Let only the last of all occurrences due in the lane count; whatever is older gives way to it (S5.5)."""
    dues = [due for record in group.schedules if (due := _evaluate(record, now)) is not None]
    winner = max((due for due in dues if due.newest is not None), key=_order, default=None)
    if winner is not None and any(_is_later(run, winner.newest) for run in group.unfinished):
        winner = None
    decided: list[RunRecord] = []
    moved: list[CursorMove] = []
    for due in dues:
        ran = False
        if due is winner and due.newest is not None:
            decided += due.before(due.newest, State.SUPERSEDED, Reason.SUPERSEDED, now)
            starts_at = due.starts_at(due.newest)
            ran = starts_at >= _oldest(due.record, now, rules)
            if ran:
                decided.append(_run(due, due.newest, starts_at, now, rules))
            else:
                decided += due.none_run((due.newest, due.newest), State.MISSED, _late(starts_at, rules), now)
            decided += due.behind_newest(now)
        else:
            decided += due.none_run((due.first, due.last), State.SUPERSEDED, Reason.SUPERSEDED, now)
        moved.append(_move(due, now, ran))
    if winner is None or winner.newest is None:
        return Change(decided, moved)
    rivals = [run for run in group.unfinished if _is_rival(run, winner.newest)]
    steps = [step for run in rivals if (step := give_way(run, now)) is not None]
    moved += [move for step in steps if isinstance(step, Finished) and (move := freed(step.run, now)) is not None]
    return Change(decided, moved, steps)


def _is_later(run: RunRecord, nominal_at: int | None) -> bool:
    """Whether an unfinished run counts more than an occurrence that is noticed after it, although it is older."""
    counts = run.origin is Origin.SCHEDULE and run.voided_at is None and run.schedule.schedule.supersede
    return counts and nominal_at is not None and run.nominal_at > nominal_at


def _is_rival(run: RunRecord, nominal_at: int) -> bool:
    """Whether an unfinished run of a superseding lane has no place beside the occurrence that counts (S5.5).

    Of schedules that supersede only one run counts. Of others, what is older gives way: what came due at the same
    instant is not, whichever of the two was decided first.
    """
    return run.schedule.schedule.supersede or run.nominal_at < nominal_at


def quarantine(record: ScheduleRecord) -> CursorMove:
    """Return the move that takes a schedule nobody can plan out of the way: kept, visible, never due again (S2.6)."""
    state = ScheduleState.QUARANTINED
    return CursorMove(record, record.cursor_at, record.revision, record.cursor_at, None, record.runs, state)


def _order(due: _Due) -> Order:
    """Return what orders the newest occurrence of a schedule among those of its lane."""
    return due.record.schedule.order_at(due.first if due.newest is None else due.newest, due.trigger)


def _late(instant: int, rules: PlanRules) -> Reason:
    if rules.recover_from is not None and instant < rules.recover_from:
        return Reason.RECOVERY_OFF
    return Reason.TOO_LATE


def _run(due: _Due, nominal_at: int, starts_at: int, now: int, rules: PlanRules) -> RunRecord:
    record = due.record
    run = RunRecord(record, nominal_at, starts_at, now, record.lane(record.schedule.overlap))
    if record.epoch:
        run.epoch = record.epoch
    if starts_at > now and nominal_at in due.postponed:
        run.waiting_for = WaitingFor.POSTPONE
    if rules.impatient:
        run.give_up_at = give_up_at(record, starts_at, now, rules)
    return run


def give_up_at(record: ScheduleRecord, starts_at: int, now: int, rules: PlanRules) -> int | None:
    """Return when a run that may start at `starts_at` has waited too long; None when it may wait for ever.

    It waits for a worker; or for its turn, or a resource: that may last as long as it could be late (S5.4, S6.5).
    """
    if record.schedule.handler not in rules.impatient:
        return None
    if record.schedule.overlap.keeps_apart or record.schedule.resources:
        return starts_at + _window(record, rules)
    return max(starts_at, now) + rules.queue_timeout


def _move(due: _Due, cursor_at: int, ran: int) -> CursorMove:
    """Advance the cursor. A fixed delay whose occurrence did not run counts from now; one that runs, from its end."""
    record, following = due.record, due.following
    schedule = record.schedule
    runs, anchor_at, waits = record.runs + ran, None, False
    if schedule.max_runs is not None and runs >= schedule.max_runs:
        following = None
    elif isinstance(schedule.trigger, After):
        waits = bool(ran)
        if not waits:
            anchor_at = cursor_at
            following = schedule.next_after(cursor_at, schedule.anchored(cursor_at))
    state = ScheduleState.FINISHED if following is None and not waits else ScheduleState.ACTIVE
    return CursorMove(record, record.cursor_at, record.revision, cursor_at, following, runs, state, anchor_at)
