"""What becomes of a run whose node is gone, or can no longer be sure of its lease (S2.2, S7.3)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.making import HOUR, NOW, SECOND, a_record, a_run, a_schedule
from trioarm.core.changes import Finished, Requeued
from trioarm.core.outcome import Ok, Stopped
from trioarm.core.planning import LOSSES_MIN, PlanRules, lose
from trioarm.core.retry_policy import RetryPolicy
from trioarm.core.retrying import RetryRules, settle
from trioarm.core.run import RunRecord
from trioarm.core.schedule import Delivery
from trioarm.core.states import Reason, State, Step, WaitingFor
from trioarm.core.triggers import After

GONE_AT = NOW + HOUR
ONCE = Delivery.AT_MOST_ONCE


def held(attempt: int = 1, *, cancel: Reason | None = None, trigger: After | None = None, **policies: Any) -> RunRecord:
    """Return a run that a node held when it was last seen."""
    record = a_record(a_schedule(trigger=trigger, **policies), cursor_at=NOW)
    return a_run(record, state=State.RUNNING, attempt=attempt, token=7, node="gone", started_at=NOW, cancel=cancel)


def the_step(run: RunRecord, rules: PlanRules | None = None) -> Finished | Requeued:
    """Return the one step by which a run is lost."""
    [step] = lose(run, GONE_AT, rules or PlanRules()).steps
    assert isinstance(step, Finished | Requeued)
    return step


def test_a_lost_run_is_begun_again_at_once() -> None:
    """It is due now, its attempt counts, and the next one is told that it is a recovery."""
    step = the_step(held(2))
    assert isinstance(step, Requeued)
    assert (step.step, step.attempt, step.due_at, step.token) == (Step.RETRY, 2, GONE_AT, 7)
    assert (step.waiting_for, step.reason) == (WaitingFor.RETRY, Reason.LOST)


@pytest.mark.parametrize(("max_retries", "begun"), [(0, LOSSES_MIN), (LOSSES_MIN, LOSSES_MIN), (9, 9)])
def test_a_run_that_brings_its_nodes_down_ends(max_retries: int, begun: int) -> None:
    """It is begun again as often as its retries say, and a few times whatever they say; then it has failed."""
    retry = RetryPolicy(max_retries=max_retries)
    assert isinstance(the_step(held(begun, retry=retry)), Requeued)
    assert isinstance(the_step(held(begun), PlanRules(retry=retry)), Requeued)
    step = the_step(held(begun + 1, retry=retry))
    assert isinstance(step, Finished)
    assert (step.step, step.reason) == (Step.FAIL, Reason.LOST)


@pytest.mark.parametrize(
    ("run", "rules"), [(held(delivery=ONCE), PlanRules()), (held(), PlanRules(recover_from=GONE_AT))]
)
def test_what_is_not_to_be_begun_again_ends_unknown(run: RunRecord, rules: PlanRules) -> None:
    """A run that runs at most once, or any while nothing is caught up: nobody knows how far it came (S8.4)."""
    step = the_step(run, rules)
    assert isinstance(step, Finished)
    assert (step.step, step.reason) == (Step.LOSE, Reason.LOST)


def test_a_run_that_recovered_says_so() -> None:
    """Whoever looks later sees why there was a second attempt: nothing of the run itself had failed."""
    run = held(2)
    for before, after in ((Reason.LOST, Reason.RECOVERED), (None, None)):
        run.reason = before
        ended = settle(run, Ok(), started_at=NOW, at=GONE_AT, rules=RetryRules(), chance=0.0)
        assert isinstance(ended, Finished)
        assert (ended.step, ended.reason) == (Step.SUCCEED, after)


def test_a_run_that_was_asked_to_stop_is_not_begun_again() -> None:
    """Its node went before it could stop it: that is cancelled, for the reason it was asked for."""
    step = the_step(held(cancel=Reason.USER))
    assert isinstance(step, Finished)
    assert (step.step, step.reason) == (Step.CANCEL, Reason.USER)


def test_a_run_of_a_removed_schedule_is_not_begun_again() -> None:
    """Nobody wants it any more."""
    run = held()
    run.schedule.removed = True
    step = the_step(run)
    assert isinstance(step, Finished)
    assert (step.step, step.reason) == (Step.FAIL, Reason.LOST)


def test_a_fixed_delay_goes_on_from_the_loss() -> None:
    """The end of its run sets its next occurrence, also when nobody knows how it ended; a new attempt does not."""
    run = held(delivery=ONCE, trigger=After(60.0))
    [move] = lose(run, GONE_AT, PlanRules()).moved
    assert move.next_due_at == GONE_AT + 60 * SECOND
    assert lose(held(trigger=After(60.0)), GONE_AT, PlanRules()).moved == ()


@pytest.mark.parametrize(
    ("delivery", "started_at", "step", "reason"),
    [
        (Delivery.AT_LEAST_ONCE, NOW, Step.RETRY, Reason.LOST),
        (ONCE, NOW, Step.LOSE, Reason.LOST),
        (Delivery.AT_LEAST_ONCE, None, Step.GIVE_BACK, None),
        (ONCE, None, Step.GIVE_BACK, None),
    ],
)
def test_a_node_that_lost_its_lease_counts_as_gone(
    delivery: Delivery, started_at: int | None, step: Step, reason: Reason | None
) -> None:
    """What it stopped for that is lost; what it had not begun to call, it gives back (S7.2)."""
    settled = settle(
        held(delivery=delivery), Stopped(Reason.LOST), started_at=started_at, at=GONE_AT, rules=RetryRules(), chance=0.0
    )
    assert (settled.step, settled.reason) == (step, reason)
