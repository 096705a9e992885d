"""Outcomes: what became of a run, in words; the same in the log, in listings and in previews."""

from __future__ import annotations

from typing import Final

from trioarm.cli.terminal import Style
from trioarm.cli.wording import span, wall
from trioarm.core.run import Run
from trioarm.core.states import ACTIVE, NEVER_RAN, Reason, State, WaitingFor
from trioarm.handlers.housekeeping import OWNER

HOUSEKEEPING: Final = f"{OWNER}/"  # what names of built-in schedules begin with

REASONS: Final[dict[Reason, str]] = {
    Reason.COALESCED: "a newer occurrence came due as well",
    Reason.TOO_LATE: "it was noticed too late",
    Reason.OVERLAP: "the run before it has not ended",
    Reason.PAUSED: "the schedule is paused",
    Reason.SUPERSEDED: "another of its lane takes its place",
    Reason.QUEUE_TIMEOUT: "no worker was free in time",
    Reason.RECOVERY_OFF: "it came due while the node was down, and auto_recovery is off",
    Reason.REMOVED: "its schedule was removed",
    Reason.USER: "somebody asked for it",
    Reason.ERROR: "no retry is left",
    Reason.DISCARDED: "trying again is useless",
    Reason.TIMEOUT: "no retry is left",
    Reason.STUCK: "the handler ignores its cancellation",
    Reason.SHUTDOWN: "the node stops",
    Reason.LOST: "the node that held it is gone",
    Reason.RECOVERED: "begun again after its node was lost",
    Reason.UNREADABLE: "its row in the store is nonsense",
    Reason.PERSON: "somebody decided otherwise",
    Reason.HOLD: "a hold is on it",
    Reason.CONDITION: "a condition says no",
    Reason.VOIDED: "the clock was set back before its instant",
    Reason.RESULT_DROPPED: "what it returned cannot be kept",
}
WAITS: Final[dict[WaitingFor, str]] = {
    WaitingFor.DUE: "it is not due yet",
    WaitingFor.RETRY: "it is tried again when it is due",
    WaitingFor.SNOOZE: "it asked to be called again when it is due",
    WaitingFor.POSTPONE: "somebody postponed it",
    WaitingFor.OVERLAP: "it waits for the run before it",
    WaitingFor.LANE: "it waits for its lane",
    WaitingFor.RESOURCE: "it waits for what it needs",
    WaitingFor.BREAKER: "what it needs fails at the moment",
    WaitingFor.HANDLER: "it waits for a node with a free worker that knows its handler",
}

EXPECTED: Final = frozenset({State.SUCCEEDED, State.SKIPPED, State.SUPERSEDED, State.OVERRIDDEN})


def style_of(run: Run) -> Style | None:
    """Return how a run looks in a listing: what went wrong stands out, what never ran steps back."""
    if run.state in ACTIVE or run.state is State.SUCCEEDED:
        return None
    return Style.FAINT if run.state in EXPECTED or run.state is State.CANCELLED else Style.BAD


def told(run: Run) -> str:
    """Say where a run is, or how it ended."""
    match run.state:
        case State.PENDING:
            why = "" if run.waiting_for is None else f": {WAITS[run.waiting_for]}"
            begun = f"  attempt {run.attempt} ended" if run.attempt else ""
            return "  ".join(filter(None, [f"{run.state}{why}{begun}", run.error]))
        case State.CLAIMED:
            return f"{run.state} by node {run.node}"
        case State.RUNNING:
            attempt = f"  attempt {run.attempt}" if run.attempt > 1 else ""
            return f"{run.state} on node {run.node}  {lateness(run)}{attempt}"
        case _:
            return finished(run)


def never_ran(run: Run) -> str:
    """Say why a run, or a range of them, never ran."""
    why = "" if run.reason is None else f": {REASONS[run.reason]}"
    if run.last_at is None:
        return f"{run.state}{why}, due {wall(run.due_at)}"
    return f"{run.state}{why}, {run.occurrences} of {wall(run.due_at)} to {wall(run.last_at)}"


def requeued(run: Run) -> str:
    """Say why a run waits again."""
    if run.error is not None:
        return f"attempt {run.attempt} failed, next at {wall(run.due_at)}: {run.error}"
    if run.reason is Reason.LOST:
        return f"is begun again: attempt {run.attempt} was lost with its node"
    if run.waiting_for is WaitingFor.SNOOZE:
        return f"asks to be called again at {wall(run.due_at)}"
    return "given back: it had not ended when the node stopped"


def finished(run: Run) -> str:
    """Say how a run ended."""
    if run.state in NEVER_RAN:
        return never_ran(run) + _voided(run)
    parts = [run.state.replace("_", " ")]
    if run.state is not State.SUCCEEDED and run.reason is not None:
        parts[0] += f": {REASONS[run.reason]}"
    if run.started_at is not None and run.finished_at is not None:
        parts.append(f"{lateness(run)}, took {span((run.finished_at - run.started_at).total_seconds())}")
    if run.attempt > 1:
        again = f", {REASONS[run.reason]}" if run.reason is Reason.RECOVERED else ""
        parts.append(f"attempt {run.attempt}{again}")
    if run.error is not None:
        parts.append(run.error)
    return "  ".join(parts) + _voided(run)


def _voided(run: Run) -> str:
    return "" if run.voided_at is None else ", voided: the clock was set back behind it"


def lateness(run: Run) -> str:
    """Say how late a run began."""
    return "on time" if run.late_s is None or run.late_s < 0 else f"{span(run.late_s)} late"
