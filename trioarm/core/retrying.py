"""What an outcome means for its run: final, or another attempt, and when (S6.3, S6.4, S7.3)."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final, assert_never

import attrs

from trioarm.core.changes import Finished, Requeued
from trioarm.core.instants import microseconds, render_duration
from trioarm.core.jitter import jitter_of
from trioarm.core.outcome import Failed, Ok, Outcome, Overridden, Snoozed, Stopped, TimedOut
from trioarm.core.retry_policy import RetryPolicy, Strategy
from trioarm.core.run import Origin, RunRecord
from trioarm.core.schedule import Delivery
from trioarm.core.states import LOST, SUCCEED, Reason, Step, WaitingFor

SNOOZES_MAX: Final = 1_000  # a handler that snoozes for ever would otherwise never be noticed; give-backs count too
_ONCE: Final = "it runs at most once, so it is not called again"
_GROWTH_MAX: Final = 1e150  # stands for any power that floats cannot hold: every clamp is far below
_TIMEOUT: Final = ("TimeoutError", "builtins.TimeoutError")  # what an attempt that took too long is to a policy


@attrs.frozen(slots=True)
class RetryRules:
    """What the node adds to a schedule's own policy.

    Args:
        policy: for schedules that say nothing.
        advanced: whether delays follow the strategy of a policy and what it says per error, and are spread, so that
            what failed together does not retry together; otherwise all grow by the factor, exactly
            (`features.advanced_retries`).
    """

    policy: RetryPolicy = attrs.field(factory=RetryPolicy)
    advanced: bool = True


def backoff_s(policy: RetryPolicy, attempt: int, chance: float, *, jitter: bool = True, seed: str = "") -> float:
    """Return the delay after failed attempt number `attempt`, in seconds: clamped first, spread after.

    Args:
        attempt: 1 for the first.
        chance: a random number in [0, 1), by which exponential delays are spread.
        jitter: false for exponential delays of exactly base * factor ** (attempt - 1), clamped.
        seed: says whose delays they are: decorrelated ones are a hash of it, so that each can be told from nothing but
            its number, though it depends on the one before.
    """
    match policy.strategy:
        case Strategy.CONSTANT:
            return min(policy.max_s, policy.base_s)
        case Strategy.DECORRELATED:
            return _decorrelated_s(policy, attempt, seed)
        case Strategy.EXPONENTIAL:
            delay = min(policy.max_s, policy.base_s * _growth(policy.factor, attempt - 1))
            return delay * (0.5 + chance / 2) if jitter else delay
        case _:
            assert_never(policy.strategy)


def _growth(factor: float, retries: int) -> float:
    try:
        return float(factor) ** retries
    except OverflowError:
        return _GROWTH_MAX


def _decorrelated_s(policy: RetryPolicy, attempt: int, seed: str) -> float:
    delay = base = min(policy.max_s, policy.base_s)
    for number in range(1, attempt + 1):
        digest = blake2b(f"{seed}#{number}".encode(), digest_size=8).digest()
        most = max(base, min(policy.max_s, delay * policy.factor))
        delay = base + (most - base) * (int.from_bytes(digest) / 2**64)
    return delay


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
        case Ok():
            reason = Reason.RECOVERED if run.reason is LOST else None
            if outcome.dropped is not None:
                reason = Reason.RESULT_DROPPED
            return Finished(run, run.token, SUCCEED, at, reason, outcome.dropped, outcome.result, started_at)
        case Failed(error, after_s, final, kinds):
            if final:
                return Finished(run, run.token, Step.FAIL, at, Reason.DISCARDED, error, None, started_at)
            return _failed_attempt(run, error, kinds, after_s, _Ended(started_at, at, rules, chance))
        case TimedOut(error, stuck):
            if stuck:
                return Finished(run, run.token, Step.TIME_OUT, at, Reason.STUCK, error, None, started_at)
            return _timed_out_attempt(run, error, _Ended(started_at, at, rules, chance))
        case Stopped(reason):
            return _stopped(run, reason, started_at, at)
        case Snoozed(until_at):
            return _snoozed(run, until_at, started_at, at)
        case Overridden(reason, text):
            return Finished(run, run.token, Step.OVERRIDE, at, reason, text, None, started_at)
        case _:
            assert_never(outcome)


@attrs.frozen(slots=True)
class _Ended:
    """The end of an attempt, and what decides on another."""

    started_at: int | None
    at: int
    rules: RetryRules
    chance: float


def _failed_attempt(
    run: RunRecord, error: str, kinds: tuple[str, ...], after_s: float | None, ended: _Ended
) -> Finished | Requeued:
    if _once(run):
        return _failed(run, f"{error}; {_ONCE}", ended.started_at, ended.at)
    if not _policy(run, ended.rules).allows(kinds):
        return Finished(run, run.token, Step.FAIL, ended.at, Reason.DISCARDED, error, None, ended.started_at)
    retry = _retry(run, error, kinds, after_s, ended)
    return _failed(run, retry, ended.started_at, ended.at) if isinstance(retry, str) else retry


def _timed_out_attempt(run: RunRecord, error: str, ended: _Ended) -> Finished | Requeued:
    never = _once(run) or any(name in _TIMEOUT for name in _policy(run, ended.rules).never)
    retry = error if never else _retry(run, error, _TIMEOUT, None, ended)
    if isinstance(retry, str):
        return Finished(run, run.token, Step.TIME_OUT, ended.at, Reason.TIMEOUT, retry, None, ended.started_at)
    return retry


def _failed(run: RunRecord, error: str, started_at: int | None, at: int) -> Finished:
    return Finished(run, run.token, Step.FAIL, at, Reason.ERROR, error, None, started_at)


def _policy(run: RunRecord, rules: RetryRules) -> RetryPolicy:
    policy = run.schedule.schedule.retry or rules.policy
    return policy if rules.advanced else policy.plain


def _once(run: RunRecord) -> bool:
    return run.schedule.schedule.delivery is Delivery.AT_MOST_ONCE


def not_again(run: RunRecord) -> Outcome | None:
    """Return how a run ends that was called while its schedule was delivered at least once, and is at most once now;
    None for one to call.

    Args:
        run: the run, as claimed.
    """
    if run.token == 1 or not _once(run) or (run.attempt == 1 and run.started_at is None):
        return None
    if run.reason is Reason.LOST or run.reason is Reason.SHUTDOWN:  # nobody knows how far it came
        return Stopped(run.reason)
    said = f"it asked to be called later, but {_ONCE}" if run.error is None else f"{run.error}; {_ONCE}"
    return Failed(said, final=True)


def _snoozed(run: RunRecord, until_at: int, started_at: int | None, at: int) -> Finished | Requeued:
    if _once(run):
        return _failed(run, f"it asked to be called later, but {_ONCE}", started_at, at)
    if run.token - run.attempt >= SNOOZES_MAX:  # the claims before this one that consumed no attempt
        error = f"it was put off {SNOOZES_MAX} times: a run may snooze or be given back no more than that"
        return _failed(run, error, started_at, at)
    return _requeued(run, Step.SNOOZE, WaitingFor.SNOOZE, run.attempt - 1, max(until_at, at), started_at, at)


def _retry(run: RunRecord, error: str, kinds: tuple[str, ...], after_s: float | None, ended: _Ended) -> Requeued | str:
    """Return the step by which another attempt follows; or, where none does, the error that the run ends with."""
    policy = _policy(run, ended.rules).of(kinds)
    if run.attempt > policy.max_retries or run.schedule.removed:
        return error
    if after_s is None:
        seed = f"{run.schedule.key}@{run.nominal_at}{run.origin}"
        after_s = backoff_s(policy, run.attempt, ended.chance, jitter=ended.rules.advanced, seed=seed)
    due_at = ended.at + microseconds(after_s)
    if policy.max_age_s is not None and due_at > _first_due_at(run) + microseconds(policy.max_age_s):
        return f"{error}; the next attempt would begin later than max_age allows, {render_duration(policy.max_age_s)}"
    step = _requeued(run, Step.RETRY, WaitingFor.RETRY, run.attempt, due_at, ended.started_at, ended.at)
    step.error = error
    return step


def sooner(run: RunRecord, due_at: int, now: int) -> Requeued | None:
    """Return the step by which a run's next attempt begins at an instant; None if it waits for no attempt, or not for
    so long.

    Args:
        run: any; it waits for one after a failure, or because it was put off.
        due_at: when it may begin.
        now: microseconds since 1970 UTC.
    """
    waiting_for = run.waiting_for
    if waiting_for not in (WaitingFor.RETRY, WaitingFor.SNOOZE) or run.due_at <= due_at:
        return None
    step = Requeued(run, run.token, Step.POSTPONE, now, run.attempt, due_at, waiting_for, run.reason, run.error)
    step.give_up_at = run.give_up_at
    return step


def _first_due_at(run: RunRecord) -> int:
    """Return when a run was due before any attempt: its own `due_at` moves with each.

    What somebody postponed it by is not in it: that is a part of its age. What is backfilled is as old as the wish for
    it: its occurrence may be of last year.
    """
    if run.origin is Origin.BACKFILL:
        return run.decided_at
    schedule = run.schedule.schedule
    if run.origin is not Origin.SCHEDULE or not schedule.jitter_s:
        return run.nominal_at
    following = schedule.next_after(run.nominal_at, run.schedule.trigger)
    return run.nominal_at + jitter_of(schedule, run.nominal_at, following)


def _stopped(run: RunRecord, reason: Reason, started_at: int | None, at: int) -> Finished | Requeued:
    if reason is not Reason.SHUTDOWN and reason is not Reason.LOST:
        return Finished(run, run.token, Step.CANCEL, at, reason, None, None, started_at)
    if _once(run) and (started_at is not None or run.reason is reason):
        return Finished(run, run.token, Step.LOSE, at, reason, None, None, started_at)
    if reason is Reason.LOST and started_at is not None:
        step = _requeued(run, Step.RETRY, WaitingFor.RETRY, run.attempt, at, started_at, at)
    else:
        step = _requeued(run, Step.GIVE_BACK, WaitingFor.DUE, run.attempt - 1, at, started_at, at)
    if started_at is None:  # nothing came of this claim: what the attempt before came to still holds
        step.reason, step.error = run.reason, run.error
    else:
        step.reason = reason
    return step


def _requeued(
    run: RunRecord, step: Step, waiting_for: WaitingFor, attempt: int, due_at: int, started_at: int | None, at: int
) -> Requeued:
    return Requeued(run, run.token, step, at, attempt, due_at, waiting_for, None, None, started_at)
