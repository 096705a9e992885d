"""The state of the built-in panel and how it moves: pure functions of (state, now), with no timers.

What time alone changes is never stored. A partition told to arm holds the instants at which its delays began, and
`report` says what that amounts to now: so nothing has to run for the exit delay to end, and a restart changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from trioarm.arming.model import Reported, Target
from trioarm.arming.panels.base import ZONES_MAX, FailureKind, PanelFailure, PanelReport
from trioarm.core.codec import from_json, to_json
from trioarm.core.jsonable import Json


@attrs.frozen(slots=True, kw_only=True)
class PanelState:
    """What is kept of one partition of the virtual panel. Instants and durations are microseconds.

    Args:
        target: what it was last told to become.
        since_at: when it was told; None while nobody ever did.
        changed_by: who told it; None for its first state.
        armed_at: when the exit delay that began at `since_at` is over.
        entry_delay_us: from a zone's opening to the alarm, as it was set when the partition was told to arm.
        tripped_at: when a zone opened while it was armed; None when none did.
        open_zones: zones that stand open, by name.
        restarted: whether it is disarmed because the panel started anew.
    """

    target: Target = Target.DISARMED
    since_at: int | None = None
    changed_by: str | None = None
    armed_at: int = 0
    entry_delay_us: int = 0
    tripped_at: int | None = None
    open_zones: tuple[str, ...] = ()
    restarted: bool = False


def report(state: PanelState, now: int) -> PanelReport:
    """Return what the panel says at `now`."""
    at, by, zones = state.since_at, state.changed_by, state.open_zones
    if state.target is Target.DISARMED:
        restarted = state.restarted
        return PanelReport(state=Reported.DISARMED, since_at=at, changed_by=by, open_zones=zones, restarted=restarted)
    tripped_at = _tripped_at(state, now)
    if tripped_at is not None:
        alarm_at = tripped_at + state.entry_delay_us
        if now < alarm_at:
            return PanelReport(state=Reported.PENDING, since_at=tripped_at, open_zones=zones, settles_at=alarm_at)
        return PanelReport(state=Reported.TRIGGERED, since_at=alarm_at, open_zones=zones)
    if now < state.armed_at:
        return PanelReport(
            state=Reported.ARMING,
            since_at=at,
            changed_by=by,
            open_zones=zones,
            toward=state.target,
            settles_at=state.armed_at,
        )
    return PanelReport(state=Reported(state.target), since_at=state.armed_at, changed_by=by, open_zones=zones)


def commanded(state: PanelState, target: Target, by: str, now: int, *, exit_delay: int, entry_delay: int) -> PanelState:
    """Return the state after a command. The target it already has, or is on its way to, changes nothing.

    Raises:
        PanelFailure: `blocked` by open zones, or `rejected` because only disarming ends an alarm.
    """
    if state.target is target and (target is Target.DISARMED or _tripped_at(state, now) is None):
        return state
    if target is Target.DISARMED:
        return PanelState(since_at=now, changed_by=by, open_zones=state.open_zones)
    if _tripped_at(state, now) is not None:
        raise PanelFailure(FailureKind.REJECTED, "the panel is in alarm: only disarming ends that")
    if state.open_zones:
        message = f"the panel refuses to arm while zones are open: {', '.join(state.open_zones)}"
        raise PanelFailure(FailureKind.BLOCKED, message, state.open_zones)
    return PanelState(target=target, since_at=now, changed_by=by, armed_at=now + exit_delay, entry_delay_us=entry_delay)


def begun_anew(state: PanelState, now: int) -> PanelState:
    """Return the state after the panel lost its power: disarmed, and nobody did that."""
    return PanelState(since_at=now, open_zones=state.open_zones, restarted=True)


def opened(state: PanelState, zone: str, now: int) -> PanelState:
    """Return the state after a zone was opened: while armed, the entry delay begins.

    Raises:
        PanelFailure: `rejected`, because more zones are open than a panel has.
    """
    if zone in state.open_zones:
        return state
    if len(state.open_zones) >= ZONES_MAX:
        raise PanelFailure(FailureKind.REJECTED, f"the panel knows at most {ZONES_MAX} open zones")
    tripped_at = _tripped_at(state, now)
    if tripped_at is None and state.target is not Target.DISARMED and now >= state.armed_at:
        tripped_at = now
    return attrs.evolve(state, open_zones=(*state.open_zones, zone), tripped_at=tripped_at)


def closed(state: PanelState, zone: str, now: int) -> PanelState:
    """Return the state after a zone was closed; an entry delay that has begun goes on."""
    zones = tuple(name for name in state.open_zones if name != zone)
    return attrs.evolve(state, open_zones=zones, tripped_at=_tripped_at(state, now))


def _tripped_at(state: PanelState, now: int) -> int | None:
    """Return when the entry delay began. A zone left open through the exit delay counts as opened at its end."""
    if state.tripped_at is not None or state.target is Target.DISARMED or now < state.armed_at:
        return state.tripped_at
    return state.armed_at if state.open_zones else None


def to_body(state: PanelState) -> dict[str, Json]:
    """Write a state as the body of a document."""
    return to_json(state)


def from_body(body: Mapping[str, Json], what: str) -> PanelState:
    """Read what `to_body` wrote.

    Args:
        body: of the document.
        what: how a message names it.

    Raises:
        PanelFailure: `unavailable`, because it cannot be understood; the message says what is wrong with it.
    """
    whole = {"restarted": False, **body}  # which those of older versions do not say
    return from_json(PanelState, whole, what, lambda lines: PanelFailure(FailureKind.UNAVAILABLE, "; ".join(lines)))
