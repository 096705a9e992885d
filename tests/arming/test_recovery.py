"""The table of A2.2, row by row: what a late occurrence comes to, from one report and what is known from before."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioarm.arming.commanding.recovery import GiveWay, LastSeen, Past, Verdict, step_after
from trioarm.arming.commanding.verify import Done, Fail, KeepTurn, Limits, Send, Sent, Wait, next_step
from trioarm.arming.model import Reported, Target
from trioarm.arming.panels.base import OURSELVES, FailureKind, PanelReport
from trioarm.core.instants import HOUR, MINUTE, SECOND, parse_instant

DUE = parse_instant("2026-11-23T22:00:00Z")
NOW = DUE + 5 * HOUR
NIGHT, DISARMED = Target.ARMED_NIGHT, Target.DISARMED
LIMITS = Limits(begun_at=NOW, exit_delay=30 * SECOND, confirm=20 * SECOND, apply_until=DUE + 24 * HOUR)
COLUMNS = [(NIGHT, Reported.DISARMED), (DISARMED, Reported.ARMED_NIGHT)]
both_columns = pytest.mark.parametrize(("target", "other"), COLUMNS)
late_or_not = pytest.mark.parametrize("late", [True, False])


def verdict(
    state: Reported,
    target: Target,
    *,
    late: bool = True,
    last: Reported | None = None,
    last_by: str | None = None,
    sent: Sent | None = None,
    free_at: int = 0,
    **said: Any,
) -> Verdict:
    """Return what becomes of an occurrence when the panel reports `state`."""
    seen = None if last is None else LastSeen(reported=last, changed_by=last_by)
    report = PanelReport(state=state, **said)
    return step_after(report, target, sent or Sent(), LIMITS, NOW, free_at, Past(due_at=DUE, late=late, last=seen))


@late_or_not
@both_columns
def test_the_target_already_reported_is_success(target: Target, other: Reported, late: bool) -> None:
    """Row 1: whoever made it so, and whatever was recorded, there is nothing to send and nothing to complain of."""
    reached = Reported(target)
    assert verdict(reached, target, late=late) == Done()
    assert verdict(reached, target, late=late, last=other) == Done()
    assert verdict(reached, target, late=late, since_at=DUE + MINUTE, changed_by="somebody") == Done()


@late_or_not
@both_columns
def test_what_a_person_changed_after_the_instant_stands(target: Target, other: Reported, late: bool) -> None:
    """Row 2: a change by anybody but us, later than the occurrence, overrides it; the line says who and when."""
    found = verdict(other, target, late=late, since_at=DUE + MINUTE, changed_by="somebody", last=other)
    assert isinstance(found, GiveWay)
    assert found.message.startswith(f"somebody made it {other} at 2026-11-23T22:01:00Z, after it was due")
    nameless = verdict(other, target, late=late, since_at=DUE + MINUTE)
    assert isinstance(nameless, GiveWay)
    assert nameless.message.startswith("somebody made it")


@late_or_not
@pytest.mark.parametrize(
    ("since_at", "by"), [(DUE, "somebody"), (DUE - HOUR, "somebody"), (DUE - HOUR, None), (NOW, OURSELVES)]
)
@both_columns
def test_a_change_before_the_instant_or_of_our_own_stands_against_nothing(
    target: Target, other: Reported, since_at: int, by: str | None, late: bool
) -> None:
    """The occurrence is younger than what a person did, or it was no person: it is applied."""
    assert verdict(other, target, late=late, since_at=since_at, changed_by=by, last=Reported.ARMED_HOME) == Send()


@both_columns
def test_a_silent_panel_in_the_state_last_recorded_lets_it_apply(target: Target, other: Reported) -> None:
    """Row 3: it gives neither person nor time, and nothing seems to have happened: applied."""
    assert verdict(other, target, last=other) == Send()
    assert verdict(other, target, last=other, free_at=NOW + SECOND) == KeepTurn(NOW + SECOND)
    assert verdict(other, target, last=other, last_by="somebody") == Send()
    assert verdict(other, target, last=other, last_by="somebody", changed_by="somebody") == Send()


@both_columns
def test_a_silent_panel_in_another_state_than_recorded_counts_as_changed(target: Target, other: Reported) -> None:
    """Row 4: it gives neither, and differs from what was last recorded: overridden (A3.7)."""
    found = verdict(other, target, last=Reported.ARMED_AWAY)
    assert isinstance(found, GiveWay)
    assert f"last seen armed_away and is {other} now" in found.message


@both_columns
def test_another_name_on_the_state_last_recorded_counts_as_changed(target: Target, other: Reported) -> None:
    """A panel that names a person but no time: another person than recorded made it so anew."""
    found = verdict(other, target, last=other, last_by=OURSELVES, changed_by="somebody")
    assert isinstance(found, GiveWay)
    assert "by somebody" in found.message


@both_columns
def test_on_time_a_silent_panel_is_not_held_against_what_was_recorded(target: Target, other: Reported) -> None:
    """What people did between two occurrences is no objection to the second one."""
    assert verdict(other, target, late=False, last=Reported.ARMED_AWAY) == Send()


def test_without_any_record_an_arm_is_applied_and_a_disarm_is_not() -> None:
    """Row 5: arming what nobody knows is safe, disarming it is not; also where the panel says since when."""
    assert verdict(Reported.DISARMED, NIGHT) == Send()
    for said in ({}, {"since_at": DUE - HOUR, "changed_by": "somebody"}):
        found = verdict(Reported.ARMED_NIGHT, DISARMED, **said)
        assert isinstance(found, Fail)
        assert (found.kind, "nothing was ever recorded" in found.message) == (FailureKind.UNRECORDED, True)


def test_on_time_a_disarm_needs_no_record() -> None:
    """The first scheduled disarm of a new installation happens."""
    assert verdict(Reported.ARMED_NIGHT, DISARMED, late=False) == Send()


def test_a_disarm_that_was_sent_before_a_crash_may_be_sent_again_without_a_record() -> None:
    """What this very occurrence has sent is a record of its own."""
    sent = Sent(sends=1, last_at=NOW - HOUR)
    assert verdict(Reported.ARMED_NIGHT, DISARMED, sent=sent) == Send()


@late_or_not
@pytest.mark.parametrize("state", [Reported.TRIGGERED, Reported.PENDING])
@both_columns
def test_a_panel_in_alarm_is_never_touched(target: Target, other: Reported, state: Reported, late: bool) -> None:
    """Row 6: triggered or in entry delay, on time or late: no command, and a failure that says so."""
    for said in ({}, {"since_at": DUE + MINUTE, "changed_by": "somebody"}):
        found = verdict(state, target, late=late, last=other, **said)
        assert isinstance(found, Fail)
        assert found.kind is FailureKind.IN_ALARM


@late_or_not
@pytest.mark.parametrize("state", [Reported.UNKNOWN, Reported.UNAVAILABLE])
@both_columns
def test_what_cannot_be_read_is_neither_sent_nor_overridden(
    target: Target, other: Reported, state: Reported, late: bool
) -> None:
    """Row 7: unavailable is the one failure that is tried again."""
    found = verdict(state, target, late=late, last=other)
    assert isinstance(found, Fail)
    assert found.kind is FailureKind.UNAVAILABLE


def test_a_persons_change_is_named_rather_than_the_open_zones_it_left() -> None:
    """Zones of a house that somebody came home to are no reason to be told that arming failed."""
    found = verdict(Reported.DISARMED, NIGHT, since_at=DUE + MINUTE, changed_by="somebody", open_zones=("door",))
    assert isinstance(found, GiveWay)
    assert verdict(Reported.DISARMED, NIGHT, open_zones=("door",)) == Fail(
        FailureKind.BLOCKED, "zones are open: door", ("door",)
    )


def test_what_is_on_its_way_to_the_target_is_waited_for() -> None:
    """A person who armed it as it should be has overridden nothing."""
    found = verdict(Reported.ARMING, NIGHT, since_at=NOW, changed_by="somebody", toward=NIGHT, settles_at=NOW + MINUTE)
    assert found == Wait(NOW + MINUTE)


def test_after_a_send_before_a_crash_another_state_than_recorded_stops_the_second_send() -> None:
    """A command whose effect nobody saw, and a state nobody commanded: a person may have been there in between."""
    sent = Sent(sends=1, last_at=DUE + SECOND)
    assert isinstance(verdict(Reported.ARMED_AWAY, NIGHT, sent=sent, last=Reported.DISARMED), GiveWay)
    assert verdict(Reported.DISARMED, NIGHT, sent=sent, last=Reported.DISARMED) == Send()


instants = st.none() | st.integers(DUE - HOUR, NOW)


@given(
    st.builds(
        PanelReport,
        state=st.sampled_from(Reported),
        since_at=instants,
        changed_by=st.sampled_from([None, "somebody", OURSELVES]),
        open_zones=st.sampled_from([(), ("door",)]),
    ),
    st.sampled_from(Target),
    st.builds(Sent, sends=st.integers(0, 3), last_at=instants),
    st.booleans(),
    st.none() | st.builds(LastSeen, reported=st.sampled_from(Reported)),
)
def test_the_table_only_ever_takes_a_command_back(
    report: PanelReport, target: Target, sent: Sent, late: bool, last: LastSeen | None
) -> None:
    """Whatever people did, it never makes a command out of none, nor a success (A3.1, A3.2)."""
    plain = next_step(report, target, sent, LIMITS, NOW, 0)
    found = step_after(report, target, sent, LIMITS, NOW, 0, Past(due_at=DUE, late=late, last=last))
    if found != plain:
        assert isinstance(found, GiveWay | Fail)
        assert isinstance(plain, Send | Fail)
