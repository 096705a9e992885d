from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.making import NOW, SECOND, a_record, a_run, a_schedule
from trioarm.core.changes import Claim, Finished, Requeued, apply
from trioarm.core.outcome import Failed, Ok, Outcome, Overridden, Snoozed, Stopped, TimedOut
from trioarm.core.retry_policy import RetryPolicy
from trioarm.core.retrying import SNOOZES_MAX, RetryRules, backoff_s, not_again, settle, sooner
from trioarm.core.run import RunRecord
from trioarm.core.schedule import Delivery
from trioarm.core.states import TABLE, Reason, State, Step, WaitingFor

ONCE = "it runs at most once, so it is not called again"
BEGAN, ENDED = NOW + SECOND, NOW + 9 * SECOND
PLAIN = RetryRules(RetryPolicy(max_retries=3, base_s=2.0, max_s=60.0, factor=2.0), advanced=False)


def _running(
    delivery: Delivery = Delivery.AT_LEAST_ONCE, attempt: int = 1, retry: RetryPolicy | None = None
) -> RunRecord:
    record = a_record(a_schedule(delivery=delivery, retry=retry))
    return a_run(record, state=State.RUNNING, attempt=attempt, token=7, node="n1")


def _settle(run: RunRecord, outcome: Outcome, rules: RetryRules = PLAIN, chance: float = 0.0) -> Finished | Requeued:
    return settle(run, outcome, started_at=BEGAN, at=ENDED, rules=rules, chance=chance)


FINAL = [
    (Ok({"n": 1}), Step.SUCCEED, None, None, {"n": 1}),
    (Ok(None, "a socket cannot be kept"), Step.SUCCEED, Reason.RESULT_DROPPED, "a socket cannot be kept", None),
    (Failed("no use", final=True), Step.FAIL, Reason.DISCARDED, "no use", None),
    (TimedOut("too long", stuck=True), Step.TIME_OUT, Reason.STUCK, "too long", None),
    (Stopped(Reason.USER), Step.CANCEL, Reason.USER, None, None),
    (Overridden(Reason.HOLD, "somebody holds it"), Step.OVERRIDE, Reason.HOLD, "somebody holds it", None),
    (Stopped(Reason.SUPERSEDED), Step.CANCEL, Reason.SUPERSEDED, None, None),
]
SPENT = [
    (Failed("boom"), Step.FAIL, Reason.ERROR, "boom", None),
    (Failed("boom", after_s=5.0), Step.FAIL, Reason.ERROR, "boom", None),
    (TimedOut("too long"), Step.TIME_OUT, Reason.TIMEOUT, "too long", None),
]
FRESH = [
    (Failed("boom"), Step.RETRY, WaitingFor.RETRY, 1, ENDED + 2 * SECOND, "boom"),
    (Failed("boom", after_s=90.0), Step.RETRY, WaitingFor.RETRY, 1, ENDED + 90 * SECOND, "boom"),
    (TimedOut("too long"), Step.RETRY, WaitingFor.RETRY, 1, ENDED + 2 * SECOND, "too long"),
]
UNCOUNTED = [
    (Snoozed(ENDED + 60 * SECOND), Step.SNOOZE, WaitingFor.SNOOZE, 0, ENDED + 60 * SECOND, None),
    (Snoozed(NOW), Step.SNOOZE, WaitingFor.SNOOZE, 0, ENDED, None),
]
GIVEN_BACK = (Stopped(Reason.SHUTDOWN), Step.GIVE_BACK, WaitingFor.DUE, 0, ENDED, None)


@pytest.mark.parametrize("delivery", list(Delivery))
@pytest.mark.parametrize(("outcome", "step", "reason", "error", "result"), FINAL)
def test_some_outcomes_are_final_however_often_a_run_may_be_called(
    outcome: Outcome, step: Step, reason: Reason | None, error: str | None, result: object, delivery: Delivery
) -> None:
    """Success, discarding, being overridden, stuck or cancelled end a run at once."""
    settled = _settle(_running(delivery), outcome)
    assert isinstance(settled, Finished)
    assert (settled.step, settled.reason, settled.error, settled.result) == (step, reason, error, result)
    assert (settled.token, settled.at, settled.started_at) == (7, ENDED, BEGAN)


@pytest.mark.parametrize(
    ("outcome", "step", "waiting_for", "attempt", "due_at", "error"), [*FRESH, *UNCOUNTED, GIVEN_BACK]
)
def test_other_outcomes_make_a_run_wait_again(
    outcome: Outcome, step: Step, waiting_for: WaitingFor, attempt: int, due_at: int, error: str | None
) -> None:
    """Errors and timeouts are retried after their backoff; a snooze and a shutdown cost no attempt (S6.4, S7.3)."""
    settled = _settle(_running(), outcome)
    assert isinstance(settled, Requeued)
    assert (settled.step, settled.waiting_for, settled.attempt) == (step, waiting_for, attempt)
    assert (settled.due_at, settled.error, settled.token) == (due_at, error, 7)
    assert (settled.at, settled.started_at) == (ENDED, BEGAN)


@pytest.mark.parametrize(("outcome", "step", "reason", "error", "result"), SPENT)
def test_a_run_without_retries_left_is_final(
    outcome: Outcome, step: Step, reason: Reason, error: str, result: None
) -> None:
    """After the last retry, for at-most-once runs, and once its schedule is removed, a failure is final."""
    removed = _running()
    removed.schedule.removed = True
    exhausted, once = _running(attempt=4), _running(Delivery.AT_MOST_ONCE)
    never = _running(retry=RetryPolicy(max_retries=0))
    for run in (exhausted, once, removed, never):
        settled = _settle(run, outcome)
        assert isinstance(settled, Finished)
        assert (settled.step, settled.reason, settled.result) == (step, reason, result)
        said = f"{error}; {ONCE}" if run is once and isinstance(outcome, Failed) else error
        assert settled.error == said


def test_a_run_snoozes_a_thousand_times() -> None:
    """Claims that consumed no attempt are counted; one snooze more than a thousand ends the run and says so (S6.4)."""
    last = _running(attempt=2)
    last.token = 2 + SNOOZES_MAX - 1
    assert isinstance(_settle(last, Snoozed(ENDED)), Requeued)
    last.token += 1
    settled = _settle(last, Snoozed(ENDED))
    assert isinstance(settled, Finished)
    assert (settled.step, settled.reason, settled.started_at) == (Step.FAIL, Reason.ERROR, BEGAN)
    assert settled.error == "it was put off 1000 times: a run may snooze or be given back no more than that"
    assert isinstance(_settle(last, Stopped(Reason.SHUTDOWN)), Requeued)
    assert isinstance(_settle(last, Failed("boom")), Requeued)


def test_every_snooze_of_a_run_is_counted() -> None:
    """From its first claim on, a run that does nothing but snooze is called a thousand and one times, and fails."""
    run = a_run()
    calls = 0
    while run.state is State.PENDING:
        apply(Claim(run, run.token, "n1", NOW))
        calls += 1
        apply(_settle(run, Snoozed(ENDED)))
    assert (calls, run.state, run.attempt) == (SNOOZES_MAX + 1, State.FAILED, 1)


def test_what_runs_at_most_once_is_not_called_later() -> None:
    """An at-most-once run that asks to be called again, by whatever instruction, has failed (S2.2)."""
    run = _running(Delivery.AT_MOST_ONCE)
    snoozed, retried = _settle(run, Snoozed(ENDED)), _settle(run, Failed("locked", after_s=5.0))
    assert isinstance(snoozed, Finished)
    assert isinstance(retried, Finished)
    assert snoozed.step is retried.step is Step.FAIL
    assert snoozed.error == f"it asked to be called later, but {ONCE}"
    assert retried.error == f"locked; {ONCE}"


def test_the_last_retry_is_still_made() -> None:
    """Three retries mean four attempts."""
    assert isinstance(_settle(_running(attempt=3), Failed("boom")), Requeued)
    assert isinstance(_settle(_running(attempt=4), Failed("boom")), Finished)


def test_a_schedule_may_bring_its_own_policy() -> None:
    """A schedule's own retry policy is used instead of the node's."""
    settled = _settle(_running(retry=RetryPolicy(base_s=7.0)), Failed("boom"))
    assert settled.due_at == ENDED + 7 * SECOND


def test_shutdown_loses_what_runs_at_most_once() -> None:
    """An at-most-once run that began ends unknown; one whose handler was not called is given back (S2.2)."""
    run = _running(Delivery.AT_MOST_ONCE)
    begun = _settle(run, Stopped(Reason.SHUTDOWN))
    assert isinstance(begun, Finished)
    assert (begun.step, begun.reason) == (Step.LOSE, Reason.SHUTDOWN)
    untouched = settle(run, Stopped(Reason.SHUTDOWN), started_at=None, at=ENDED, rules=PLAIN, chance=0.0)
    assert isinstance(untouched, Requeued)
    assert (untouched.step, untouched.attempt, untouched.started_at) == (Step.GIVE_BACK, 0, None)


@pytest.mark.parametrize(
    ("outcome", "state", "reason", "error"),
    [
        (Failed("boom"), State.FAILED, Reason.DISCARDED, f"boom; {ONCE}"),
        (TimedOut("too long"), State.FAILED, Reason.DISCARDED, f"too long; {ONCE}"),
        (Snoozed(ENDED), State.FAILED, Reason.DISCARDED, f"it asked to be called later, but {ONCE}"),
        (Stopped(Reason.SHUTDOWN), State.UNKNOWN, Reason.SHUTDOWN, None),
        (Stopped(Reason.LOST), State.UNKNOWN, Reason.LOST, None),
    ],
)
def test_what_was_called_is_not_called_again_once_its_schedule_is_at_most_once(
    outcome: Outcome, state: State, reason: Reason, error: str | None
) -> None:
    """Whatever it waits for: the next claim ends it as what it is, failed, or unknown where it was cut short (S2.2)."""
    run = _running()
    apply(_settle(run, outcome))
    run.schedule.schedule = a_schedule(delivery=Delivery.AT_MOST_ONCE)
    assert _ended_uncalled(run) == (state, reason, error)


@pytest.mark.parametrize("outcome", [Failed("boom"), Snoozed(ENDED), Stopped(Reason.LOST)])
def test_a_claim_that_came_to_nothing_makes_no_difference(outcome: Outcome) -> None:
    """A node that stops before it calls a run gives back all that was known of the attempt before (S6.3)."""
    run = _running()
    apply(_settle(run, outcome))
    before = (run.attempt, run.reason, run.error, run.started_at)
    apply(Claim(run, run.token, "n2", ENDED))
    apply(settle(run, Stopped(Reason.SHUTDOWN), started_at=None, at=ENDED, rules=PLAIN, chance=0.0))
    assert (run.attempt, run.reason, run.error, run.started_at) == before


def test_what_was_never_called_is_called_however_often_it_was_claimed() -> None:
    """A node that stopped before it called a run has not used the one call up; nor is another delivery concerned."""
    run = a_run(a_record(a_schedule(delivery=Delivery.AT_MOST_ONCE)))
    apply(Claim(run, run.token, "n1", NOW))
    assert not_again(run) is None
    apply(settle(run, Stopped(Reason.SHUTDOWN), started_at=None, at=ENDED, rules=PLAIN, chance=0.0))
    apply(Claim(run, run.token, "n2", ENDED))
    assert not_again(run) is None
    again = _running()
    apply(_settle(again, Failed("boom")))
    apply(Claim(again, again.token, "n2", ENDED))
    assert not_again(again) is None


def _ended_uncalled(run: RunRecord) -> tuple[State, Reason | None, str | None]:
    """Return what becomes of a run that is claimed and not called."""
    apply(Claim(run, run.token, "n2", ENDED))
    outcome = not_again(run)
    assert outcome is not None
    apply(settle(run, outcome, started_at=None, at=ENDED, rules=PLAIN, chance=0.0))
    return run.state, run.reason, run.error


@pytest.mark.parametrize("delivery", list(Delivery))
@pytest.mark.parametrize("state", [State.CLAIMED, State.RUNNING])
@pytest.mark.parametrize("outcome", [row[0] for row in (*FINAL, *SPENT, *FRESH, *UNCOUNTED, GIVEN_BACK)])
def test_every_settlement_is_a_step_its_run_can_take(outcome: Outcome, state: State, delivery: Delivery) -> None:
    """However an attempt ends, the state table allows the step, whether its start was recorded or not."""
    run = _running(delivery)
    run.state = state
    settled = _settle(run, outcome)
    assert settled.step in TABLE[state]
    assert isinstance(settled, Requeued) == (TABLE[state][settled.step] is State.PENDING)


_policies = st.builds(
    RetryPolicy,
    max_retries=st.integers(0, 1000),
    base_s=st.floats(0, 1e6),
    max_s=st.floats(0, 1e6),
    factor=st.floats(1, 100),
)


@given(_policies, st.integers(1, 1001), st.floats(0, 1, exclude_max=True))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_backoff_grows_within_its_bounds(policy: RetryPolicy, attempt: int, chance: float) -> None:
    """A delay never exceeds its clamp, never shrinks from attempt to attempt, and jitter only halves it at most."""
    delay = backoff_s(policy, attempt, chance, jitter=False)
    assert 0 <= delay <= policy.max_s
    assert delay <= backoff_s(policy, attempt + 1, chance, jitter=False)
    assert delay / 2 <= backoff_s(policy, attempt, chance) <= delay


def test_backoff_is_exactly_its_formula() -> None:
    """Without jitter a delay is base times factor to the power of the retries before, clamped, for ever."""
    policy = RetryPolicy(max_retries=1000, base_s=1.0, max_s=30.0, factor=2.0)
    assert [backoff_s(policy, n, 0.9, jitter=False) for n in range(1, 8)] == [1, 2, 4, 8, 16, 30, 30]
    slow = RetryPolicy(max_retries=1000, base_s=0.001, max_s=30.0, factor=1.1)
    assert backoff_s(slow, 101, 0.0, jitter=False) == pytest.approx(0.001 * 1.1**100)
    assert backoff_s(RetryPolicy(max_retries=1000, factor=100.0), 1001, 0.0, jitter=False) == 30.0
    assert backoff_s(RetryPolicy(max_retries=1000, base_s=0.0, factor=100.0), 1001, 0.0, jitter=False) == 0.0


def test_jitter_spreads_over_the_upper_half() -> None:
    """What failed together is retried apart: chance moves a delay between its half and its whole."""
    policy = RetryPolicy(base_s=8.0)
    assert [backoff_s(policy, 1, chance) for chance in (0.0, 0.5)] == [4.0, 6.0]
    clamped = RetryPolicy(base_s=1.0, max_s=30.0, factor=2.0)  # clamp first, jitter after (S6.4): else all are alike
    assert [backoff_s(clamped, 10, chance) for chance in (0.0, 0.5)] == [15.0, 22.5]
    settled = _settle(_running(retry=policy), Failed("boom"), RetryRules(), chance=0.5)
    assert settled.due_at == ENDED + 6 * SECOND


@pytest.mark.parametrize("outcome", [Failed("boom"), Snoozed(ENDED + 60 * SECOND)])
def test_what_waits_for_an_attempt_may_begin_it_sooner(outcome: Outcome) -> None:
    """It stays what it is in everything else: its attempts, what it waits for, and why."""
    run = _running()
    apply(_settle(run, outcome))
    before = (run.attempt, run.waiting_for, run.reason, run.error, run.started_at, run.give_up_at)
    at = ENDED + SECOND
    step = sooner(run, at, ENDED)
    assert step is not None
    apply(step)
    assert (run.state, run.due_at) == (State.PENDING, at)
    assert (run.attempt, run.waiting_for, run.reason, run.error, run.started_at, run.give_up_at) == before
    assert sooner(run, at, ENDED) is None
    assert sooner(run, at + SECOND, ENDED) is None


@pytest.mark.parametrize("waiting_for", sorted({*WaitingFor} - {WaitingFor.RETRY, WaitingFor.SNOOZE}))
def test_what_waits_for_something_else_does_not(waiting_for: WaitingFor) -> None:
    """What a person postponed, or what waits for its turn, is not for anybody to hurry."""
    assert sooner(a_run(due_at=ENDED, waiting_for=waiting_for), NOW, NOW) is None
    assert sooner(_running(), NOW - SECOND, NOW) is None
