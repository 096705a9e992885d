"""Steps that were kept, carried out on the run they name: what each sets, and what it leaves."""

from __future__ import annotations

from tests.making import NOW, SECOND, a_run
from trioarm.core.changes import CancelAsked, Claim, Cut, Progressed, Requeued, Started, Voided, apply
from trioarm.core.states import Reason, State, Step, WaitingFor


def test_a_claim_is_a_token_and_an_attempt() -> None:
    """Whoever claims it next has another token."""
    run = a_run(waiting_for=WaitingFor.LANE, give_up_at=NOW)
    apply(Claim(run, 0, "node", NOW))
    assert (run.state, run.token, run.attempt, run.node) == (State.CLAIMED, 1, 1, "node")
    assert (run.waiting_for, run.give_up_at) == (None, None)
    apply(Started(run, 1, NOW + SECOND))
    assert (run.state, run.started_at) == (State.RUNNING, NOW + SECOND)


def test_a_retry_says_when_its_attempt_began() -> None:
    """Where the start was not recorded by itself, the record of what followed bears it."""
    run = a_run(state=State.CLAIMED, token=1, attempt=1)
    step = Requeued(run, 1, Step.RETRY, NOW + SECOND, 1, NOW + 5 * SECOND, WaitingFor.RETRY, error="no", started_at=NOW)
    apply(step)
    assert (run.state, run.due_at, run.waiting_for) == (State.PENDING, NOW + 5 * SECOND, WaitingFor.RETRY)
    assert (run.started_at, run.error) == (NOW, "no")


def test_what_is_asked_to_stop_goes_on_until_it_has() -> None:
    """Its node hears the reason; its state says what it does."""
    run = a_run(state=State.RUNNING, token=1)
    apply(CancelAsked(run, 1, Reason.USER, NOW))
    assert (run.state, run.cancel) == (State.RUNNING, Reason.USER)


def test_a_clock_that_is_set_back_voids_and_cuts() -> None:
    """A run whose instant is to come stays as it is; a range ends before (S3.3)."""
    run = a_run(state=State.SUCCEEDED, token=1)
    apply(Voided(run, 1, NOW))
    assert (run.state, run.voided_at) == (State.SUCCEEDED, NOW)
    row = a_run(state=State.SKIPPED, last_at=NOW + 9 * SECOND, count=10)
    apply(Cut(row, 0, NOW, NOW + 3 * SECOND, 4))
    assert (row.last_at, row.count, row.voided_at) == (NOW + 3 * SECOND, 4, None)


def test_what_a_handler_says_of_its_progress_is_kept() -> None:
    """It changes nothing else: the run goes on."""
    run = a_run(state=State.RUNNING, token=1)
    apply(Progressed(run, 1, {"at": 3}, NOW))
    assert (run.state, run.progress) == (State.RUNNING, {"at": 3})
