"""Verified commands: the next step towards a target, decided from one fresh report (A3.1-A3.3). Pure.

Who carries the steps out reads, sends and waits, and decides nothing.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import attrs

from trioarm.arming.model import Reported, Target
from trioarm.arming.panels.base import FailureKind, PanelReport
from trioarm.core.instants import SECOND, render_instant

SENDS_MAX: Final = 3  # per occurrence, over all attempts (A3.2)
POLL: Final = SECOND  # between two reads while the panel gives no hint when to look again


@attrs.frozen(slots=True, kw_only=True)
class Limits:
    """What one attempt is held to. Durations and instants are microseconds.

    Args:
        begun_at: when the attempt began.
        exit_delay: how long the panel may report `arming`; 0 for disarming.
        confirm: how long after that it may take to report the target.
        apply_until: nothing is sent after this instant (A2.3).
        sends_max: commands in all (A3.2).
        ends_alarm: whether disarming may end an alarm: a person may, a schedule never.
    """

    begun_at: int
    exit_delay: int
    confirm: int
    apply_until: int
    sends_max: int = SENDS_MAX
    ends_alarm: bool = False


@attrs.frozen(slots=True, kw_only=True)
class Sent:
    """What was sent for one occurrence so far, over all its attempts.

    Args:
        sends: how many commands.
        last_at: when the latest was sent; None before the first.
        progressed: whether the panel was seen on its way since then.
    """

    sends: int = 0
    last_at: int | None = None
    progressed: bool = False


@attrs.frozen(slots=True)
class Done:
    """The panel itself reports the target."""


@attrs.frozen(slots=True)
class Send:
    """Command it now."""


@attrs.frozen(slots=True)
class KeepTurn:
    """It is to be commanded, but its panel takes no command before `until`: keep the turn, then read again (A3.8)."""

    until: int


@attrs.frozen(slots=True)
class Wait:
    """Nothing to do before `until`; then read again."""

    until: int


@attrs.frozen(slots=True)
class Fail:
    """It will not become what it should in this attempt."""

    kind: FailureKind
    message: str
    zones: tuple[str, ...] = ()


NextStep: TypeAlias = Done | Send | KeepTurn | Wait | Fail


def next_step(report: PanelReport, target: Target, sent: Sent, limits: Limits, now: int, free_at: int) -> NextStep:
    """Return what to do after one fresh read.

    Args:
        report: what the panel just said.
        target: what the partition is to become.
        sent: what was sent for this occurrence.
        limits: what the attempt is held to.
        now: microseconds since 1970 UTC.
        free_at: when the physical panel takes its next command.
    """
    if report.reaches(target):
        return Done()
    match report.state:
        case Reported.UNKNOWN | Reported.UNAVAILABLE:
            return Fail(FailureKind.UNAVAILABLE, f"the panel reports {report.state}")
        case Reported.PENDING | Reported.TRIGGERED if target is not Target.DISARMED or not limits.ends_alarm:
            return Fail(FailureKind.IN_ALARM, _in_alarm(report))
    if is_progress(report, target):
        return _await_progress(report, sent, limits, now)
    if sent.last_at is not None:
        if _reverted(report, sent, sent.last_at):
            return Fail(FailureKind.REVERTED, _went_elsewhere(report, target), report.open_zones)
        show_by = _since(sent.last_at, limits, now) + limits.exit_delay + limits.confirm
        if now < show_by:
            return Wait(min(show_by, now + POLL))
    if sent.sends >= limits.sends_max:
        commands = "the command" if sent.sends == 1 else f"{sent.sends} commands"
        return Fail(FailureKind.TIMEOUT, f"{commands} had no effect: the panel still reports {report.state}")
    return _before_sending(report, target, limits, now, free_at)


def is_progress(report: PanelReport, target: Target) -> bool:
    """Whether the partition is on its way to the target, which is waited for and never sent again (A3.2)."""
    if target is Target.DISARMED:
        return report.state is Reported.DISARMING
    return report.state is Reported.ARMING and report.toward in (None, target)


def _await_progress(report: PanelReport, sent: Sent, limits: Limits, now: int) -> Wait | Fail:
    since = max(_since(sent.last_at or 0, limits, now), min(limits.begun_at, now))
    settles_at = max(since + limits.exit_delay, report.settles_at or 0)
    if now >= settles_at + limits.confirm:
        message = f"the panel has reported {report.state} for longer than its exit delay and confirmation time allow"
        return Fail(FailureKind.TIMEOUT, message)
    if report.settles_at is not None and report.settles_at > now:
        return Wait(report.settles_at)
    return Wait(min(settles_at + limits.confirm, now + POLL))


def _since(at: int, limits: Limits, now: int) -> int:
    """Return `at`, or the beginning of the attempt when the clock was set back behind `at` (S3.3)."""
    return at if at <= now else min(limits.begun_at, now)


def _reverted(report: PanelReport, sent: Sent, last_at: int) -> bool:
    """Whether the panel obeyed and then went elsewhere; trioarm never fights a person (A3.7)."""
    return sent.progressed or (report.since_at is not None and report.since_at > last_at)


def _before_sending(
    report: PanelReport, target: Target, limits: Limits, now: int, free_at: int
) -> Send | KeepTurn | Fail:
    if target is not Target.DISARMED and report.open_zones:
        return Fail(FailureKind.BLOCKED, f"zones are open: {', '.join(report.open_zones)}", report.open_zones)
    if now > limits.apply_until:
        return Fail(FailureKind.TOO_LATE, f"it may be carried out until {render_instant(limits.apply_until)} only")
    return Send() if now >= free_at else KeepTurn(free_at)


def _in_alarm(report: PanelReport) -> str:
    what = "is in entry delay" if report.state is Reported.PENDING else "is triggered"
    return f"the panel {what}, and a schedule never touches a panel in alarm"


def _went_elsewhere(report: PanelReport, target: Target) -> str:
    by = f", changed by {report.changed_by}" if report.changed_by else ""
    zones = f", and zones are open: {', '.join(report.open_zones)}" if report.open_zones else ""
    return f"on its way to {target} the panel went to {report.state}{by}{zones}: it is left as it is"
