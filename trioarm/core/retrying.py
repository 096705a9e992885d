"""What an outcome means for its run: final, or another attempt, and when (S6.3, S6.4, S7.3)."""

from __future__ import annotations

from typing import Final, assert_never

import attrs

from trioarm.core.changes import Finished, Requeued
from trioarm.core.instants import microseconds
from trioarm.core.outcome import Failed, Ok, Outcome, Overridden, Snoozed, Stopped, TimedOut
from trioarm.core.run import RunRecord
from trioarm.core.schedule import Delivery, RetryPolicy
from trioarm.core.states import Reason, Step, WaitingFor

SNOOZES_MAX: Final = 1_000  # a handler that snoozes for ever would otherwise never be noticed; give-backs count too
_ONCE: Final = "it runs at most once, so it is not called again"
_GROWTH_MAX: Final = 1e150  # stands for any power that floats cannot hold: every clamp is far below


@attrs.frozen(slots=True)
class RetryRules:
    """What the node adds to a schedule's own policy.

    Args:
        policy: for schedules that say nothing.
        jitter: whether delays are spread over their upper half, so that what failed together does not retry together.
    """

    policy: RetryPolicy = attrs.field(factory=RetryPolicy)
    jitter: bool = True


def backoff_s(policy: RetryPolicy, attempt: int, chance: float, *, jitter: bool = True) -> float:
    """Return the delay after failed attempt number `attempt`, in seconds: clamped first, spread after.

    Args:
        attempt: 1 for the first.
        chance: a random number in [0, 1).
        jitter: false for exactly base * factor ** (attempt - 1), clamped.
    """
    delay = min(policy.max_s, policy.base_s * _growth(policy.factor, attempt - 1))
    return delay * (0.5 + chance / 2) if jitter else delay


def _growth(factor: float, retries: int) -> float:
    try:
        return float(factor) ** retries
    except OverflowError:
        return _GROWTH_MAX


def settle(
    run: RunRecord, outcome: Outcome, *, started_at: int | None, at: int, rules: RetryRules, chance: float
) -> Finished | Requeued:
    """Return the step a run takes after an attempt.

    Args:
        run: the run, as claimed.
        outcome: how the attempt ended.
        started_at: when it began; None when the handler was not called.
        at: when it ended.
        rules: the node's.
        chance: a random number in [0, 1).
    """
    match outcome:
        case Ok(result, None):
            recovered = Reason.RECOVERED if run.reason is Reason.LOST else None
            return Finished(run, run.token, Step.SUCCEED, at, recovered, None, result, started_at)
        case Ok(_, dropped):
            return Finished(run, run.token, Step.SUCCEED, at, Reason.RESULT_DROPPED, dropped, None, started_at)
        case Failed(error, after_s, final):
            if final:
                return Finished(run, run.token, Step.FAIL, at, Reason.DISCARDED, error, None, started_at)
            retry = _retry(run, error, after_s, started_at, at, rules, chance)
            return retry or _failed(run, f"{error}; {_ONCE}" if _once(run) else error, started_at, at)
        case TimedOut(error, stuck):
            retry = None if stuck else _retry(run, error, None, started_at, at, rules, chance)
            reason = Reason.STUCK if stuck else Reason.TIMEOUT
            return retry or Finished(run, run.token, Step.TIME_OUT, at, reason, error, None, started_at)
        case Stopped(reason):
            return _stopped(run, reason, started_at, at)
        case Snoozed(until_at):
            return _snoozed(run, until_at, started_at, at)
        case Overridden(reason, text):
            return Finished(run, run.token, Step.OVERRIDE, at, reason, text, None, started_at)
        case _:
            assert_never(outcome)


def _failed(run: RunRecord, error: str, started_at: int | None, at: int) -> Finished:
    return Finished(run, run.token, Step.FAIL, at, Reason.ERROR, error, None, started_at)


def _once(run: RunRecord) -> bool:
    return run.schedule.schedule.delivery is Delivery.AT_MOST_ONCE


def _snoozed(run: RunRecord, until_at: int, started_at: int | None, at: int) -> Finished | Requeued:
    if _once(run):
        return _failed(run, f"it asked to be called later, but {_ONCE}", started_at, at)
    if run.token - run.attempt >= SNOOZES_MAX:  # the claims before this one that consumed no attempt
        error = f"it was put off {SNOOZES_MAX} times: a run may snooze or be given back no more than that"
        return _failed(run, error, started_at, at)
    return _requeued(run, Step.SNOOZE, WaitingFor.SNOOZE, run.attempt - 1, max(until_at, at), started_at, at)


def _retry(
    run: RunRecord,
    error: str,
    after_s: float | None,
    started_at: int | None,
    at: int,
    rules: RetryRules,
    chance: float,
) -> Requeued | None:
    schedule = run.schedule.schedule
    policy = schedule.retry or rules.policy
    if _once(run) or run.attempt > policy.max_retries or run.schedule.removed:
        return None
    delay_s = backoff_s(policy, run.attempt, chance, jitter=rules.jitter) if after_s is None else after_s
    due_at = at + microseconds(delay_s)
    step = _requeued(run, Step.RETRY, WaitingFor.RETRY, run.attempt, due_at, started_at, at)
    step.error = error
    return step


def _stopped(run: RunRecord, reason: Reason, started_at: int | None, at: int) -> Finished | Requeued:
    if reason is Reason.LOST and started_at is not None and not _once(run):
        step = _requeued(run, Step.RETRY, WaitingFor.RETRY, run.attempt, at, started_at, at)
        step.reason = reason
        return step
    if reason is not Reason.SHUTDOWN and reason is not Reason.LOST:
        return Finished(run, run.token, Step.CANCEL, at, reason, None, None, started_at)
    if started_at is not None and _once(run):
        return Finished(run, run.token, Step.LOSE, at, reason, None, None, started_at)
    return _requeued(run, Step.GIVE_BACK, WaitingFor.DUE, run.attempt - 1, at, started_at, at)


def _requeued(
    run: RunRecord, step: Step, waiting_for: WaitingFor, attempt: int, due_at: int, started_at: int | None, at: int
) -> Requeued:
    return Requeued(run, run.token, step, at, attempt, due_at, waiting_for, None, None, started_at)
