"""Overlap: what becomes of an occurrence that is due while earlier runs of its schedule are unfinished (S5.4).

Runs that are kept apart share a lane, so whose turn it is shows when the start becomes possible; who may wait there,
and who gives way, is said here.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, assert_never

import attrs

from trioarm.core.changes import CancelAsked, Finished, RunStep
from trioarm.core.record import ScheduleRecord
from trioarm.core.run import Origin, RunRecord
from trioarm.core.schedule import Overlap, Schedule
from trioarm.core.states import Reason, State, Step

UNFINISHED_MAX: Final = 100  # runs of one schedule that may be unfinished where all that come due wait for their turn


@attrs.define(slots=True)
class Earlier:
    """The unfinished runs of a schedule, as one that comes due sees them.

    Args:
        begun: those whose turn has come: they were claimed at least once.
        waiting: those that nobody has claimed yet.
    """

    begun: int = 0
    waiting: int = 0

    @classmethod
    def of(cls, unfinished: Collection[RunRecord]) -> Earlier:
        """Count them."""
        waiting = sum(run.token == 0 for run in unfinished)
        return cls(len(unfinished) - waiting, waiting)

    def leave_room(self, overlap: Overlap) -> bool:
        """Whether one more occurrence becomes a run, at once or when its turn comes; otherwise it is skipped."""
        match overlap:
            case Overlap.SKIP:
                return not self.begun and not self.waiting
            case Overlap.BUFFER_ONE:  # beside the one whose turn it is
                return self.waiting < (1 if self.begun else 2)
            case Overlap.BUFFER_ALL:
                return self.begun + self.waiting < UNFINISHED_MAX
            case Overlap.BUFFER_LATEST | Overlap.CANCEL_RUNNING | Overlap.ALLOW:
                return True
            case _:
                assert_never(overlap)


def make_way(overlap: Overlap, unfinished: Collection[RunRecord], now: int) -> list[RunStep]:
    """Return the steps by which earlier runs of a schedule make way for an occurrence that becomes a run."""
    match overlap:
        case Overlap.CANCEL_RUNNING:
            giving_way = list(unfinished)
        case Overlap.BUFFER_LATEST:  # what a person fired waits on
            giving_way = [run for run in unfinished if run.token == 0 and run.origin is Origin.SCHEDULE]
        case _:
            return []
    return [step for run in giving_way if (step := give_way(run, now, Reason.OVERLAP)) is not None]


def give_way(run: RunRecord, now: int, reason: Reason = Reason.SUPERSEDED) -> RunStep | None:
    """Return the step by which an unfinished run makes room for a newer one; None when it was asked to before."""
    if run.state is not State.PENDING:
        return None if run.cancel is not None else CancelAsked(run, run.token, reason, now)
    began = run.attempt > 0 or run.started_at is not None  # a snooze counts no attempt, but its handler was called
    step = Step.CANCEL if began else Step.SUPERSEDE
    return Finished(run, run.token, step, now, reason, run.error)


def by_hand(schedule: Schedule) -> Overlap:
    """Return how a run that a person asks for relates to others of its schedule, where the person says nothing."""
    return Overlap.BUFFER_ALL if schedule.overlap.keeps_apart else Overlap.ALLOW


def lane_by_hand(record: ScheduleRecord, overlap: Overlap) -> str | None:
    """Return the lane of a run that a person asks for; None for none.

    It is the one of its schedule's runs wherever these are kept apart, whatever is to become of those that are
    unfinished: what comes due while it works is kept apart from it, too, unless the person lets both run.
    """
    keeps_apart = record.schedule.overlap.keeps_apart and overlap is not Overlap.ALLOW
    return record.lane(record.schedule.overlap if keeps_apart else overlap)


def no_wait_for(overlap: Overlap, unfinished: Collection[RunRecord]) -> RunRecord | None:
    """Return an unfinished run that one which is to wait could not wait for, since it holds no lane; None for none."""
    if not overlap.keeps_apart or overlap is Overlap.CANCEL_RUNNING:
        return None
    return next((run for run in unfinished if run.lane is None), None)
