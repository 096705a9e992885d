"""What became of a partition since an occurrence was due, and what that means for it (A2.2). Pure.

`verify` says what to do about a report; here it is held against what people may have done meanwhile. Nothing here makes
a command out of no command: it only ever takes one back.
"""

from __future__ import annotations

from typing import TypeAlias

import attrs

from trioarm.arming.commanding.verify import Fail, KeepTurn, Limits, NextStep, Send, Sent, next_step
from trioarm.arming.model import Reported, Target
from trioarm.arming.panels.base import OURSELVES, FailureKind, PanelReport
from trioarm.core.instants import render_instant


@attrs.frozen(slots=True, kw_only=True)
class LastSeen:
    """What was last recorded of a partition. None stands for what the panel did not say.

    Args:
        reported: its state.
        changed_by: who had made it so.
    """

    reported: Reported
    changed_by: str | None = None


@attrs.frozen(slots=True, kw_only=True)
class Past:
    """What is known of an occurrence before its attempt.

    Args:
        due_at: when it was due.
        late: whether the attempt began later than what counts as on time: after downtime, a pause, a clock step, or
            once the panel answered at last.
        last: what was last recorded of the partition; None when nothing ever was.
    """

    due_at: int
    late: bool
    last: LastSeen | None


@attrs.frozen(slots=True)
class GiveWay:
    """Somebody decided otherwise since it was due: nothing is sent."""

    message: str


Verdict: TypeAlias = NextStep | GiveWay


def step_after(
    report: PanelReport, target: Target, sent: Sent, limits: Limits, now: int, free_at: int, past: Past
) -> Verdict:
    """Return what to do after one fresh read, with regard to what people did since the occurrence was due.

    Args:
        report: what the panel just said.
        target: what the partition is to become.
        sent: what was sent for this occurrence.
        limits: what the attempt is held to.
        now: microseconds since 1970 UTC.
        free_at: when the physical panel takes its next command.
        past: what is known of the occurrence.
    """
    step = next_step(report, target, sent, limits, now, free_at)
    match step:
        case Send() | KeepTurn() | Fail(FailureKind.BLOCKED | FailureKind.TOO_LATE):
            return _changed_since(report, target, past) or _unrecorded(target, sent, step, past) or step
        case _:
            return step  # reached, on its way, in alarm, not readable: no command either way


def _changed_since(report: PanelReport, target: Target, past: Past) -> GiveWay | None:
    """Return why a person's change stands, if there may have been one: what cannot be told apart counts as one (A3.7).

    What a panel says itself is heard on time, too: between an instant and its command there may be minutes.
    """
    if report.since_at is not None:
        if report.since_at > past.due_at and report.changed_by != OURSELVES:
            at = f"at {render_instant(report.since_at)}, after it was due at {render_instant(past.due_at)}"
            return GiveWay(f"{report.changed_by or 'somebody'} made it {report.state} {at}: it is left as it is")
        return None
    if not past.late or past.last is None or _is_as_last_seen(report, past.last):
        return None
    by = f" by {report.changed_by}" if report.changed_by else ""
    return GiveWay(
        f"it was last seen {past.last.reported} and is {report.state}{by} now, and the panel does not say since when: "
        f"somebody may have changed it after it was due to become {target}, so it is left as it is"
    )


def _is_as_last_seen(report: PanelReport, last: LastSeen) -> bool:
    return report.state is last.reported and (report.changed_by is None or report.changed_by == last.changed_by)


def _unrecorded(target: Target, sent: Sent, step: NextStep, past: Past) -> Fail | None:
    """Return the failure of a late disarm of a partition that nothing is known of; what was sent already is known."""
    if isinstance(step, Fail) or target is not Target.DISARMED or not past.late or past.last is not None or sent.sends:
        return None
    message = "nothing was ever recorded of it, so nobody can tell whether it is as it was when it was due"
    return Fail(FailureKind.UNRECORDED, message)
