"""The reference for attempts: after which errors another one follows, how often, how soon, and until when (S6.4).

Only runs of schedules that nobody changed are judged: all of them have one policy.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from math import inf

import attrs

from tests.simulation.course import Course
from tests.simulation.witness import AGAIN_S, SNOOZE_S, Call
from trioarm import Delivery, RetryPolicy, State, Strategy
from trioarm.core.instants import SECOND
from trioarm.core.run import Origin, RunRecord
from trioarm.core.states import WaitingFor

ROUNDED = 2  # microseconds: delays are floats of seconds
TIMED_OUT = "Cancelled"  # what a handler raises whose time is over


def unchanged(course: Course) -> set[str]:
    """Return the names of schedules that were put once and never changed or removed."""
    return {name for name, times in Counter(one.name for one in course.definitions).items() if times == 1}


def tried_wrongly(course: Course) -> Iterator[str]:
    """Every other attempt is one that the policy asks for, and none is missing."""
    names = unchanged(course)
    for row in course.rows:
        if row.schedule.schedule.name not in names:
            continue
        calls = course.witness.calls.get(row.run_id, [])
        for before, after in itertools.pairwise(calls):
            if not after.after_loss:
                yield from (f"{after.run}: {wrong}" for wrong in _follows_wrongly(row, before, after, course))
        if calls and row.waiting_for is WaitingFor.RETRY:
            yield from (f"{row.readable_id}: {wrong}" for wrong in _waits_wrongly(row, calls[-1], course))
        if calls and row.state is State.FAILED and _is_owed_another(row, calls[-1], course):
            yield f"{row.readable_id}: failed for good in attempt {row.attempt}, and another was to follow"


def _follows_wrongly(row: RunRecord, before: Call, after: Call, course: Course) -> Iterator[str]:
    policy = _policy(row)
    if before.raised == "Discard":
        yield "is tried again, which is useless"
    if before.raised == "Snooze" and after.attempt != before.attempt:
        yield "was put off, and that counts as an attempt"
    as_shown = not course.doubted and not course.set_back  # else a node goes by its course, or waits no longer for it
    if before.raised == "Snooze" and as_shown and after.due_at != before.ended_wall + round(SNOOZE_S * SECOND):
        yield f"was put off at {before.ended_wall}, and is due at {after.due_at}"
    timed_out = before.raised == TIMED_OUT and after.attempt > before.attempt
    if timed_out and "TimeoutError" in policy.never:
        yield "is tried again after its timeout, which is never to be"
    if not before.gave_up:
        return
    if before.raised in policy.never:
        yield f"is tried again after {before.raised}, which is never to be"
    policy = _after(before, policy)
    if before.attempt > policy.max_retries:
        yield f"is tried again after attempt {before.attempt}"
    if not as_shown:
        return
    least, most = (before.ended_wall + at for at in _delays(before, policy))
    given_back = (
        after.node != before.node
    )  # perhaps: a node that ends gives back what it has not begun, due from then on
    if not least <= after.due_at <= (inf if given_back else most):
        yield f"attempt {after.attempt} is due at {after.due_at}, and not within {least} and {most}"
    if given_back:
        return
    latest = _latest(row, (policy.max_age_s or 0.0) + (row.schedule.schedule.jitter_s or 0.0))
    if policy.max_age_s is not None and after.due_at > latest:
        yield "is tried again when it is too old"


def _waits_wrongly(row: RunRecord, last: Call, course: Course) -> Iterator[str]:
    if course.doubted or course.set_back or last.token != row.token or not last.gave_up:
        return
    _, most = _delays(last, _after(last, _policy(row)))
    if row.due_at > last.ended_wall + most:
        yield f"is tried again at {row.due_at}, and not before {last.ended_wall + most}"


def _is_owed_another(row: RunRecord, last: Call, course: Course) -> bool:
    policy = _policy(row)
    once = row.schedule.schedule.delivery is Delivery.AT_MOST_ONCE
    if once or not last.gave_up or last.token != row.token or last.raised in policy.never:
        return False
    policy = _after(last, policy)
    too_old = policy.max_age_s is not None and (
        course.doubted or course.set_back or last.ended_wall + _delays(last, policy)[1] > _latest(row, policy.max_age_s)
    )
    return last.attempt <= policy.max_retries and not too_old


def _policy(row: RunRecord) -> RetryPolicy:
    return row.schedule.schedule.retry or RetryPolicy()


def _after(call: Call, policy: RetryPolicy) -> RetryPolicy:
    """Return the policy for what a call raised."""
    for rule in policy.per_error:
        if call.raised in rule.on:
            said = attrs.asdict(rule, filter=lambda field, value: field.name != "on" and value is not None)
            return attrs.evolve(policy, **said)
    return policy


def _delays(call: Call, policy: RetryPolicy) -> tuple[int, int]:
    """Return the shortest and the longest delay of the next attempt, in microseconds."""
    clamped = min(policy.max_s, policy.base_s * policy.factor ** (call.attempt - 1))
    if call.raised == "Retry":
        least = most = AGAIN_S
    elif policy.strategy is Strategy.CONSTANT:
        least = most = policy.base_s
    elif policy.strategy is Strategy.DECORRELATED:
        least, most = policy.base_s, policy.max_s
    else:
        least, most = clamped / 2, clamped
    return round(least * SECOND) - ROUNDED, round(most * SECOND) + ROUNDED


def _latest(row: RunRecord, max_age_s: float) -> int:
    """Return the latest instant at which an attempt may begin; what is backfilled is as old as the wish for it."""
    first_at = row.decided_at if row.origin is Origin.BACKFILL else row.nominal_at
    return first_at + round(max_age_s * SECOND)
