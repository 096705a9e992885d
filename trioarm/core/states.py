"""Where a run can be, and the one table that says how it gets from there to anywhere else (S6.2).

Nothing else in trioarm changes a state: repositories call `advance` for every step they commit.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from trioarm.core.errors import InvalidTransition


class State(StrEnum):
    """Where a run is. Final states and those that never ran have no way out."""

    PENDING = "pending"
    CLAIMED = "claimed"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"
    OVERRIDDEN = "overridden"
    UNKNOWN = "unknown"
    SKIPPED = "skipped"
    MISSED = "missed"
    SUPERSEDED = "superseded"


class Step(StrEnum):
    """What can happen to a run."""

    CLAIM = "claim"
    START = "start"
    RETRY = "retry"
    SNOOZE = "snooze"
    GIVE_BACK = "give_back"
    POSTPONE = "postpone"
    SUCCEED = "succeed"
    FAIL = "fail"
    CANCEL = "cancel"
    TIME_OUT = "time_out"
    OVERRIDE = "override"
    LOSE = "lose"
    SKIP = "skip"
    MISS = "miss"
    SUPERSEDE = "supersede"


class WaitingFor(StrEnum):
    """What a pending run waits for; time alone ends the first four, a release ends the others.

    `handler` is the last before the work: nothing keeps the run back but a free worker that knows its handler.
    """

    DUE = "due"
    RETRY = "retry"
    SNOOZE = "snooze"
    POSTPONE = "postpone"
    OVERLAP = "overlap"
    LANE = "lane"
    RESOURCE = "resource"
    BREAKER = "breaker"
    HANDLER = "handler"


class Reason(StrEnum):
    """Why a run is in its state, where the state alone does not say it: a closed set."""

    COALESCED = "coalesced"  # a newer occurrence of the same schedule came due in the same pass
    TOO_LATE = "too_late"  # older than its misfire window, or its misfire policy skips whatever is late
    OVERLAP = "overlap"  # an earlier run of the schedule was unfinished
    PAUSED = "paused"  # it came due while the schedule was paused
    SUPERSEDED = "superseded"  # a later occurrence of its lane came due
    QUEUE_TIMEOUT = "queue_timeout"  # no worker was free in time
    RECOVERY_OFF = "recovery_off"  # it came due while the node was down, and auto_recovery is off
    REMOVED = "removed"  # its schedule was removed
    USER = "user"  # a person asked for it
    ERROR = "error"  # the handler raised, and no retry was left
    DISCARDED = "discarded"  # the handler, or its retry policy, says that trying again is useless
    TIMEOUT = "timeout"  # the attempt took longer than its timeout, and no retry was left
    STUCK = "stuck"  # the handler ignored its cancellation
    SHUTDOWN = "shutdown"  # the node stopped
    LOST = "lost"  # the node that held it is gone, or could no longer be sure of its lease
    RECOVERED = "recovered"  # it went well when it was begun again: the attempt before was lost with its node
    UNREADABLE = "unreadable"  # its row in the repository is nonsense: nobody knows what became of it
    PERSON = "person"  # somebody changed what it was to change, after the instant it was due
    HOLD = "hold"  # somebody asked that nothing be done for a while
    CONDITION = "condition"  # it was declared to depend on what is not so
    VOIDED = "voided"  # the clock was set back before its instant, which had not come
    RESULT_DROPPED = "result_dropped"  # it ran, but what it returned cannot be kept


# Members by themselves, for what is asked of every run: on Python 3.11 a look into their class costs as much as a call.
PENDING: Final = State.PENDING
CLAIMED: Final = State.CLAIMED
MISSED: Final = State.MISSED
SUCCEED: Final = Step.SUCCEED
LOST: Final = Reason.LOST

ACTIVE: Final = frozenset({State.PENDING, State.CLAIMED, State.RUNNING})
NEVER_RAN: Final = frozenset({State.SKIPPED, State.MISSED, State.SUPERSEDED})
FINAL: Final = frozenset(State) - ACTIVE
FAILURES: Final = frozenset({State.FAILED, State.TIMED_OUT})  # no retry is left, and somebody may have to do something

_PENDING: Final = {
    Step.CLAIM: State.CLAIMED,
    Step.POSTPONE: State.PENDING,  # a person lets it start later, or earlier again; what it waited for is there already
    Step.CANCEL: State.CANCELLED,
    Step.FAIL: State.FAILED,  # its schedule is gone or its retries were taken away while it waited
    Step.SKIP: State.SKIPPED,
    Step.MISS: State.MISSED,
    Step.SUPERSEDE: State.SUPERSEDED,
}
_HELD: Final = {
    Step.RETRY: State.PENDING,
    Step.SNOOZE: State.PENDING,
    Step.GIVE_BACK: State.PENDING,
    Step.SUCCEED: State.SUCCEEDED,
    Step.FAIL: State.FAILED,
    Step.CANCEL: State.CANCELLED,
    Step.TIME_OUT: State.TIMED_OUT,
    Step.OVERRIDE: State.OVERRIDDEN,
    Step.LOSE: State.UNKNOWN,
}

TABLE: Final[dict[State, dict[Step, State]]] = {
    State.PENDING: _PENDING,
    State.CLAIMED: {Step.START: State.RUNNING, **_HELD},
    State.RUNNING: _HELD,
    **{state: {} for state in State if state not in ACTIVE},
}


def advance(state: State, step: Step) -> State:
    """Return the state after `step`.

    Raises:
        InvalidTransition: the table has no such step from this state.
    """
    try:
        return TABLE[state][step]
    except KeyError:
        raise InvalidTransition(f"a run that is {state} cannot {step.replace('_', ' ')}") from None
