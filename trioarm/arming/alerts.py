"""What arming alerts people to, and in which words (A2.2, A2.3, A3.4). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from trioarm.arming.compile import LANE
from trioarm.arming.holds import Hold
from trioarm.arming.model import HANDLER, Reported, Target
from trioarm.arming.panels.base import FailureKind, PanelFailure, PanelReport
from trioarm.core.alerts import Alert, Fact, Severity, raised_by, raising_about
from trioarm.core.changes import Change, Finished, PutDocument
from trioarm.core.counting import counted
from trioarm.core.instants import EARLIEST, render_instant
from trioarm.core.run import RunRecord
from trioarm.core.states import MISSED, Reason, Step


class AlertKind(StrEnum):
    """What happened."""

    ARM_FAILED = "arm_failed"
    DISARM_FAILED = "disarm_failed"
    NOT_APPLIED = "not_applied"  # too late, or too little is known: nothing was sent
    IN_ALARM = "in_alarm"  # triggered or in entry delay, and therefore not touched
    OVERRIDDEN = "overridden"  # a person changed it, or holds it
    UNREACHABLE = "unreachable"  # for now: it is tried again
    LATE_ARM = "late_arm"  # it will be armed, though it is not the time for it any more
    PANEL_SILENT = "panel_silent"  # it does not answer, though nobody commands it
    NOT_CLOSED = "not_closed"  # when it should have been, whoever closes it
    NOT_OPENED = "not_opened"  # likewise
    HELD = "held"  # for long, and schedules do nothing meanwhile
    REPORT = "report"  # what a day, or a week, was like
    CONDITION_UNKNOWN = "condition_unknown"  # nobody can tell what it depends on: it is done all the same, or waits
    CLOSING_SOON = "closing_soon"  # it will be armed, as announced
    CLOSING_CHANGED = "closing_changed"  # it was announced, and comes otherwise


ENDS: Final = frozenset(
    {AlertKind.ARM_FAILED, AlertKind.DISARM_FAILED, AlertKind.NOT_APPLIED, AlertKind.IN_ALARM, AlertKind.OVERRIDDEN}
)
PASSING: Final = (  # over with their run, or the next that succeeds
    AlertKind.UNREACHABLE,
    AlertKind.LATE_ARM,
    AlertKind.CONDITION_UNKNOWN,
    AlertKind.CLOSING_CHANGED,
)

SETTLED_BY_CLOSING: Final = (*PASSING, AlertKind.NOT_CLOSED)
SETTLED_BY_OPENING: Final = (*PASSING, AlertKind.NOT_OPENED)

BY_HAND: Final = "do it by hand if it is still wanted"
ADVICE: Final = {
    FailureKind.REJECTED: "remove the cause, then {again}",
    FailureKind.BLOCKED: "close them, then {again}",
    FailureKind.UNAVAILABLE: "look at the panel and at the way to it",
    FailureKind.TIMEOUT: "look at the panel, then {again}",
    FailureKind.REVERTED: "if that was not meant, {again}",
    FailureKind.IN_ALARM: "see to the alarm first",
    FailureKind.TOO_LATE: BY_HAND,
    FailureKind.UNCERTAIN: "look at trioarm conditions list, and " + BY_HAND,
    FailureKind.UNRECORDED: BY_HAND,
}
"""What people can do about a failure; `{again}` stands for the command that does by hand what was to be done."""

_BAD_ENDS: Final = frozenset({Step.FAIL, Step.TIME_OUT, Step.LOSE, Step.MISS})


def subject_of(partition: str) -> str:
    """Return what alerts about a partition name as their subject."""
    return LANE + partition


def advice_on(failure: FailureKind, partition: str, target: Target) -> str:
    """Return what people can do about a run that failed."""
    by_hand = f"disarm {partition}" if target is Target.DISARMED else f"arm {partition} --target {target}"
    return ADVICE[failure].format(again=f"trioarm partitions {by_hand}")


def kind_of_failure(target: Target, failure: FailureKind) -> AlertKind:
    """Return the kind of alert that a run's failure raises."""
    if failure is FailureKind.IN_ALARM:
        return AlertKind.IN_ALARM
    if target is not Target.DISARMED:
        return AlertKind.ARM_FAILED
    untried = failure in (FailureKind.TOO_LATE, FailureKind.UNRECORDED, FailureKind.UNCERTAIN)
    return AlertKind.NOT_APPLIED if untried else AlertKind.DISARM_FAILED


def failed(
    partition: str, target: Target, failure: PanelFailure, *, attempts: int, sends: int, last: PanelReport, now: int
) -> Alert:
    """Return the alert of a run that ended without the panel's word (A3.4).

    Args:
        failure: why; its message says what was seen.
        attempts: of the run.
        sends: commands sent for it.
        last: the latest report.
    """
    return Alert(
        subject=subject_of(partition),
        kind=kind_of_failure(target, failure.kind),
        severity=Severity.ERROR,
        text=f"it did not become {target}: {failure}",
        advice=advice_on(failure.kind, partition, target),
        raised_at=now,
        settled_by=target.value,
        facts=_facts(zones=", ".join(failure.zones), attempts=attempts, commands=sends, last_state=last.state),
    )


def overridden(partition: str, target: Target, message: str, last: Reported, now: int) -> Alert:
    """Return the alert of a run that gave way to a person."""
    return Alert(
        subject=subject_of(partition),
        kind=AlertKind.OVERRIDDEN,
        severity=Severity.WARNING,
        text=f"it was not made {target}: {message}",
        advice=BY_HAND,
        raised_at=now,
        settled_by=target.value,
        facts=_facts(last_state=last),
    )


def unreachable(partition: str, target: Target, message: str, until: int, now: int) -> Alert:
    """Return the alert of a panel that cannot be read, while its run is tried again until an instant."""
    return Alert(
        subject=subject_of(partition),
        kind=AlertKind.UNREACHABLE,
        severity=Severity.WARNING,
        text=f"it is to become {target}, and is out of reach: {message}; it is tried until {render_instant(until)}",
        advice=ADVICE[FailureKind.UNAVAILABLE],
        raised_at=now,
        settled_by=target.value,
    )


def condition_unknown(partition: str, target: Target, why: str, now: int, *, until: int | None) -> Alert:
    """Return the alert of conditions that nobody can tell.

    Args:
        why: which, and why not.
        until: until when it waits for them; None where it is done all the same.
    """
    waits = "" if until is None else f"; it waits until {render_instant(until)} at the latest"
    return Alert(
        subject=subject_of(partition),
        kind=AlertKind.CONDITION_UNKNOWN,
        severity=Severity.NOTICE if until is None else Severity.WARNING,
        text=f"it {'becomes' if until is None else 'is to become'} {target}, and {why}{waits}",
        advice="look at trioarm conditions list",
        raised_at=now,
        settled_by=target.value,
    )


def neither(
    partition: str, target: Target, why: str, schedule: str, instead_of: Target, last: Reported, now: int
) -> Alert:
    """Return the alert of an occurrence that a condition left, and of the one before that had given way to it.

    Args:
        why: what the condition says.
        schedule: of the one before.
        instead_of: what that was to make of the partition.
        last: what it is.
    """
    return Alert(
        subject=subject_of(partition),
        kind=AlertKind.NOT_APPLIED,
        severity=Severity.WARNING,
        text=f"it was not made {target}: {why}; and {schedule}, which was to make it {instead_of}, had given way to it",
        advice=BY_HAND,
        raised_at=now,
        settled_by=instead_of.value,
        facts=_facts(last_state=last),
    )


def late_arm(partition: str, target: Target, due_at: int, send_at: int, now: int) -> Alert:
    """Return the warning that a partition will be armed late (A2.3)."""
    due = render_instant(due_at)
    return Alert(
        subject=subject_of(partition),
        kind=AlertKind.LATE_ARM,
        severity=Severity.WARNING,
        text=f"it becomes {target} at {render_instant(send_at)}, late: that was due at {due}",
        advice="leave in time, or cancel the run",
        raised_at=now,
        settled_by=target.value,
    )


def passing_with(target: Target) -> Sequence[AlertKind]:
    """Return the kinds of alerts that are over once a partition is what it was told to become."""
    return SETTLED_BY_OPENING if target is Target.DISARMED else SETTLED_BY_CLOSING


def drifted(partition: str, target: Target, report: PanelReport, message: str, now: int) -> Alert:
    """Return the alert of a partition that did not stay what a schedule made it (A3.7)."""
    return Alert(
        subject=subject_of(partition),
        kind=AlertKind.OVERRIDDEN,
        severity=Severity.WARNING if report.changed_by is None else Severity.NOTICE,
        text=f"it did not stay {target}: {message}; it is left as it is",
        advice=BY_HAND,
        raised_at=now,
        settled_by=target.value,
        facts=_facts(last_state=report.state),
    )


def not_as_expected(partition: str, *, closes: bool, expected: str, until: str, last: Reported, now: int) -> Alert:
    """Return the alert of a partition that nobody closed, or opened, by the end of its window (A4.6).

    Args:
        closes: whether it was to close; else to open.
        expected: when, in local time.
        until: until when that was on time.
        last: what it is.
    """
    word = "closed" if closes else "opened"
    return Alert(
        subject=subject_of(partition),
        kind=AlertKind.NOT_CLOSED if closes else AlertKind.NOT_OPENED,
        severity=Severity.ERROR if closes else Severity.NOTICE,
        text=f"nobody {word} it: that was expected at {expected}, and until {until} at the latest",
        advice="close it by hand, or find out why it is open" if closes else "",
        raised_at=now,
        facts=_facts(last_state=last),
    )


def held(on: str, hold: Hold, kept_back: int, now: int) -> Alert:
    """Return the reminder of a hold that lasts (A4.3).

    Args:
        on: what is held.
        kept_back: how many runs gave way to it.
    """
    since = "" if hold.since_at == EARLIEST else f" since {render_instant(hold.since_at)}"
    commands = "1 scheduled command was" if kept_back == 1 else f"{kept_back} scheduled commands were"
    return Alert(
        subject=on,
        kind=AlertKind.HELD,
        severity=Severity.NOTICE,
        text=f"it is held{since}, and {commands} not sent because of that: {hold.describe()}",
        advice=f"trioarm partitions release {on.removeprefix(LANE)}, once that is over",
        raised_at=now,
        facts=_facts(kept_back=kept_back),
    )


def silent(partition: str, message: str, since_at: int, now: int) -> Alert:
    """Return the alert of a panel that gives no answer when it is looked at."""
    return Alert(
        subject=subject_of(partition),
        kind=AlertKind.PANEL_SILENT,
        severity=Severity.WARNING,
        text=f"nobody can tell what it is since {render_instant(since_at)}: {message}",
        advice=ADVICE[FailureKind.UNAVAILABLE],
        raised_at=now,
    )


def alert_rule(change: Change) -> Sequence[PutDocument]:
    """Return the alerts of what the engine decides without asking arming, and of ends the handler did not live to see.

    An occurrence that planning finds too old is missed (A2.3); a run may fail, time out or be lost with its node.
    Every one of them is told: nothing that was to be armed or disarmed stays as it is in silence.
    """
    found: list[PutDocument] = []
    for run in change.decided:
        if run.state is MISSED and _arms(run):
            found.append(_raise(run, AlertKind.NOT_APPLIED, _missed(run), run.decided_at))
    for step in change.steps:
        if isinstance(step, Finished) and step.step in _BAD_ENDS and _arms(step.run) and not _is_told(change):
            text = f"it did not become {_said(step.run, 'target')}: {step.error or step.reason or step.step}"
            found.append(_raise(step.run, _kind_of_end(step.run), text, step.at))
    return found


def _arms(run: RunRecord) -> bool:
    return run.schedule.schedule.handler == HANDLER


def _is_told(change: Change) -> bool:
    """Whether the handler raised an alert of this end itself: it knows more of it."""
    return any(found.alert is not None and found.alert.kind in ENDS for found in raised_by(change.documents))


def _kind_of_end(run: RunRecord) -> AlertKind:
    return AlertKind.DISARM_FAILED if _said(run, "target") == Target.DISARMED else AlertKind.ARM_FAILED


def _missed(run: RunRecord) -> str:
    due = render_instant(run.nominal_at)
    if run.count > 1:
        due += f" and {counted(run.count - 1, 'time')} since"
    down = run.reason is Reason.RECOVERY_OFF
    why = "while the node was down, and auto_recovery is off" if down else "which is too long ago"
    return f"it was not made {_said(run, 'target')}: that was due at {due}, {why}"


def _raise(run: RunRecord, kind: AlertKind, text: str, at: int) -> PutDocument:
    subject, target = subject_of(_said(run, "partition")), _said(run, "target")
    name = run.schedule.schedule.name
    alert = Alert(
        subject=subject,
        kind=kind,
        severity=Severity.ERROR,
        text=text,
        advice=BY_HAND,
        raised_at=at,
        run=run.readable_id,
        settled_by=target,
        facts=_facts(schedule=name, attempts=run.attempt),
    )
    return raising_about(run, alert)


def _said(run: RunRecord, argument: str) -> str:
    """Return an argument of a run, whatever somebody has made of it; without a colon, which ends a subject."""
    args = run.schedule.schedule.args if run.args is None else run.args
    return str(args.get(argument)).replace(":", "_")


def _facts(**known: object) -> tuple[Fact, ...]:
    return tuple(Fact(name.replace("_", " "), str(value)) for name, value in known.items() if value not in ("", None))
