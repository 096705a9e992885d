"""The built-in panel as a pure function of its document and the time."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioarm.arming.model import Reported, Target
from trioarm.arming.panels.base import ZONES_MAX, FailureKind, PanelFailure
from trioarm.arming.panels.virtual_state import (
    PanelState,
    closed,
    commanded,
    from_body,
    opened,
    report,
    to_body,
)
from trioarm.core.instants import SECOND, parse_instant

NOW = parse_instant("2026-11-23T22:00:00Z")
EXIT, ENTRY = 30 * SECOND, 20 * SECOND
ARMED = {Reported(target) for target in Target if target is not Target.DISARMED}

targets = st.sampled_from(Target)
delays = st.integers(0, 60).map(lambda seconds: seconds * SECOND)


@attrs.frozen
class Act:
    """Something that happens to a panel, `after` microseconds after what happened before."""

    kind: str
    after: int
    target: Target
    zone: str


acts = st.builds(
    Act,
    kind=st.sampled_from(["command", "command", "open", "close", "wait"]),
    after=delays,
    target=targets,
    zone=st.sampled_from(["door", "window"]),
)


def told(state: PanelState, target: Target, now: int) -> PanelState:
    return commanded(state, target, "somebody", now, exit_delay=EXIT, entry_delay=ENTRY)


def happen(state: PanelState, act: Act, now: int) -> PanelState:
    """Return the state after an act; a refused command changes nothing."""
    match act.kind:
        case "command":
            try:
                return told(state, act.target, now)
            except PanelFailure:
                return state
        case "open":
            return opened(state, act.zone, now)
        case "close":
            return closed(state, act.zone, now)
    return state


@given(st.lists(acts, max_size=30))
def test_it_is_never_armed_before_its_exit_delay_has_passed(history: list[Act]) -> None:
    """Between the command and `armed_*` lies the whole exit delay, whatever else happens."""
    state, now, armed_by = PanelState(), NOW, NOW
    for act in history:
        now += act.after
        moved = happen(state, act, now)
        if moved.target is not state.target:
            armed_by = now + EXIT
        state = moved
        if report(state, now).state in ARMED:
            assert now >= armed_by


@given(st.lists(acts, max_size=30))
def test_only_disarming_ends_an_alarm(history: list[Act]) -> None:
    """`triggered` stays through every act but a disarm, and through all time."""
    state, now = PanelState(), NOW
    for act in history:
        now += act.after
        before = report(state, now).state
        state = happen(state, act, now)
        if before is Reported.TRIGGERED:
            disarmed = act.kind == "command" and act.target is Target.DISARMED
            assert report(state, now).state is (Reported.DISARMED if disarmed else Reported.TRIGGERED)


@given(st.lists(acts, max_size=30), delays)
def test_an_entry_delay_ends_in_an_alarm_or_a_disarm(history: list[Act], later: int) -> None:
    """Closing the zone again does not help: `pending` becomes `triggered` when it said it would."""
    state, now = PanelState(), NOW
    for act in history:
        now += act.after
        state = happen(state, act, now)
    said = report(state, now)
    if said.state is Reported.PENDING and said.settles_at is not None:
        state = closed(closed(state, "door", now), "window", now)
        assert report(state, said.settles_at - 1).state is Reported.PENDING
        assert report(state, said.settles_at + later).state is Reported.TRIGGERED


@given(st.lists(acts, max_size=30), targets, delays)
def test_the_target_it_already_has_is_harmless(history: list[Act], target: Target, later: int) -> None:
    """A repeated command neither restarts the exit delay nor changes who it was."""
    state, now = PanelState(), NOW
    for act in history:
        now += act.after
        state = happen(state, act, now)
    try:
        once = told(state, target, now)
        assert told(once, target, now + later) == once
    except PanelFailure:
        assert target is not Target.DISARMED


@given(st.lists(acts, max_size=30))
def test_what_is_kept_is_what_was(history: list[Act]) -> None:
    """A state survives its document, and says the same afterwards."""
    state, now = PanelState(), NOW
    for act in history:
        now += act.after
        state = happen(state, act, now)
        again = from_body(to_body(state), "document")
        assert again == state
        assert report(again, now) == report(state, now)


@given(st.lists(acts, max_size=30), targets)
def test_disarming_always_works_and_arming_never_with_an_open_zone(history: list[Act], target: Target) -> None:
    """Open zones refuse every mode that is not on its way already; nothing refuses a disarm."""
    state, now = PanelState(), NOW
    for act in history:
        now += act.after
        state = happen(state, act, now)
    assert report(told(state, Target.DISARMED, now), now).state is Reported.DISARMED
    if state.open_zones and target not in (Target.DISARMED, state.target):
        with pytest.raises(PanelFailure):
            told(state, target, now)


def test_open_zones_refuse_arming_by_name() -> None:
    """The refusal names every open zone."""
    state = PanelState(open_zones=("door", "window"))
    with pytest.raises(PanelFailure, match="door, window") as raised:
        told(state, Target.ARMED_AWAY, NOW)
    assert (raised.value.kind, raised.value.zones) == (FailureKind.BLOCKED, ("door", "window"))


def test_while_arming_it_says_toward_what_and_until_when() -> None:
    """A report of `arming` carries the hint that confirmation waits by."""
    said = report(told(PanelState(), Target.ARMED_NIGHT, NOW), NOW + SECOND)
    assert (said.state, said.toward, said.settles_at) == (Reported.ARMING, Target.ARMED_NIGHT, NOW + EXIT)
    assert (said.since_at, said.changed_by) == (NOW, "somebody")


def test_another_mode_goes_through_the_exit_delay_again() -> None:
    """From one armed mode to another there is a new exit delay."""
    state = told(PanelState(), Target.ARMED_HOME, NOW)
    later = NOW + EXIT
    assert report(state, later).state is Reported.ARMED_HOME
    state = told(state, Target.ARMED_NIGHT, later)
    assert report(state, later).state is Reported.ARMING
    assert report(state, later + EXIT).state is Reported.ARMED_NIGHT


def test_a_zone_opened_while_armed_leads_to_the_alarm() -> None:
    """Armed, pending for the entry delay, triggered."""
    state = opened(told(PanelState(), Target.ARMED_AWAY, NOW), "door", NOW + EXIT)
    assert report(state, NOW + EXIT).state is Reported.PENDING
    assert report(state, NOW + EXIT + ENTRY - 1).state is Reported.PENDING
    assert report(state, NOW + EXIT + ENTRY).state is Reported.TRIGGERED


def test_leaving_by_the_door_is_no_alarm_but_leaving_it_open_is() -> None:
    """A zone closed before the exit delay ends does nothing; one still open then counts as opened at that instant."""
    left = opened(told(PanelState(), Target.ARMED_AWAY, NOW), "door", NOW + SECOND)
    shut = closed(left, "door", NOW + 2 * SECOND)
    assert report(shut, NOW + EXIT).state is Reported.ARMED_AWAY
    assert report(left, NOW + EXIT).state is Reported.PENDING
    assert report(left, NOW + EXIT + ENTRY).state is Reported.TRIGGERED


def test_an_alarm_cannot_be_armed_away() -> None:
    """A command to arm, in the same mode or another, leaves an alarm as it is."""
    state = opened(told(PanelState(), Target.ARMED_AWAY, NOW), "door", NOW + EXIT)
    for target in (Target.ARMED_AWAY, Target.ARMED_HOME):
        with pytest.raises(PanelFailure, match="only disarming"):
            told(state, target, NOW + EXIT + ENTRY)


def test_open_zones_are_bounded() -> None:
    """A document cannot grow without end."""
    state = PanelState(open_zones=tuple(f"zone {number}" for number in range(ZONES_MAX)))
    with pytest.raises(PanelFailure, match="at most 256"):
        opened(state, "one more", NOW)


@pytest.mark.parametrize(
    ("key", "value"),
    [("target", "armed"), ("since_at", "yesterday"), ("armed_at", 5), ("entry_delay_us", "20"), ("open_zones", "door")],
)
def test_a_document_that_cannot_be_understood_is_unavailable_and_named(key: str, value: str | int) -> None:
    """A spoilt document is never guessed at."""
    with pytest.raises(PanelFailure, match=f"document panel/house.{key}") as raised:
        from_body({**to_body(PanelState()), key: value}, "document panel/house")
    assert raised.value.kind is FailureKind.UNAVAILABLE
