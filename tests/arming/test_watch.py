"""What a look means: a change once, drift once, silence once, and never a command against a person (A3.7)."""

from __future__ import annotations

import attrs
from hypothesis import given
from hypothesis import strategies as st

from trioarm.arming.model import OnDrift, Reported, Target
from trioarm.arming.panels.base import PanelReport
from trioarm.arming.watch import (
    FLAP_MAX,
    FLAP_WINDOW,
    MISSES_MAX,
    SETTLED,
    Change,
    Known,
    Watched,
    answered,
    in_words,
    latest,
    noticed,
    unanswered,
    under_way,
)
from trioarm.core.instants import MINUTE, SECOND

NIGHT = Known(version=3, reported=Reported.ARMED_NIGHT, changed_by="trioarm", confirmed=Target.ARMED_NIGHT, run="x")
OPEN = PanelReport(state=Reported.DISARMED)
RESTARTED = attrs.evolve(OPEN, restarted=True)


def look(
    report: PanelReport,
    watched: Watched | None = None,
    known: Known = NIGHT,
    drift: OnDrift = OnDrift.ALERT,
    now: int = 0,
) -> tuple[Watched, Change | None]:
    return noticed(watched or Watched(), known, report, now, drift)


def test_the_first_look_is_no_change() -> None:
    """Nobody knows what it was before; from then on it is known."""
    watched, change = look(OPEN, known=Known())
    assert change is None
    assert latest(watched, Known()) == (Reported.DISARMED, None)


def test_what_is_as_it_was_is_no_change() -> None:
    """Nothing is written of it, either."""
    assert look(PanelReport(state=Reported.ARMED_NIGHT)) == (Watched(), None)


def test_what_comes_where_it_was_on_its_way_to_has_arrived() -> None:
    """It is a change, or no record would say that it was ever armed; whoever turns it back on its way is another."""
    leaving = Known(version=4, reported=Reported.ARMING, changed_by="mqtt:home")
    opening = Known(version=4, reported=Reported.DISARMING, changed_by="mqtt:home")
    armed, alarm = PanelReport(state=Reported.ARMED_AWAY), PanelReport(state=Reported.TRIGGERED)
    for known, report, arrives in (
        (leaving, armed, True),
        (opening, OPEN, True),
        (leaving, OPEN, False),
        (opening, armed, False),
        (leaving, alarm, False),
    ):
        _, change = look(report, known=known)
        assert change is not None
        assert (change.has_arrived, change.tell) == (arrives, False)
    _, change = look(armed, known=leaving)
    assert change is not None
    assert in_words(attrs.evolve(change, asked_by="ann")) == "it has become armed_away, as ann had asked"


def test_drift_is_told_once_for_each_time_it_was_made_so() -> None:
    """And again once a schedule has made it so again."""
    watched, change = look(OPEN)
    assert change is not None
    assert (change.tell, change.drifted_from, change.reassert) == (True, Target.ARMED_NIGHT, False)
    watched, change = look(PanelReport(state=Reported.ARMED_AWAY), watched)
    assert change is not None
    assert not change.tell
    _, change = look(OPEN, watched, attrs.evolve(NIGHT, version=4))
    assert change is not None
    assert change.tell


def test_an_alarm_is_no_drift() -> None:
    """It was armed, and that is why there is one; what comes after it may be drift."""
    watched, change = look(PanelReport(state=Reported.TRIGGERED))
    assert change is not None
    assert change.drifted_from is None
    _, change = look(OPEN, watched)
    assert change is not None
    assert change.tell


def test_only_what_restarted_is_commanded_again_and_only_where_that_is_wanted() -> None:
    """Whoever changed it before, by then it is not what a schedule made of it."""
    for drift in OnDrift:
        for report in (OPEN, RESTARTED, attrs.evolve(OPEN, changed_by="somebody")):
            _, change = look(report, drift=drift)
            assert change is not None
            assert change.reassert is (drift is OnDrift.REASSERT and report.restarted)
            assert change.tell is (drift is not OnDrift.IGNORE and not change.reassert)
    watched, _ = look(OPEN)
    watched, _ = look(PanelReport(state=Reported.ARMED_AWAY), watched)
    _, change = look(RESTARTED, watched, drift=OnDrift.REASSERT)
    assert change is not None
    assert not change.reassert


def test_a_panel_that_flaps_is_not_commanded_again() -> None:
    """The last change that is recorded says that it flaps, and commands nothing."""
    watched = Watched(window_at=0, changes=FLAP_MAX - 1)
    watched, change = look(RESTARTED, watched, drift=OnDrift.REASSERT)
    assert change is not None
    assert (change.flapping, change.reassert) == (True, False)
    assert look(PanelReport(state=Reported.ARMED_AWAY), watched, now=MINUTE)[1] is None


states = st.sampled_from(sorted(SETTLED))


@given(st.lists(st.tuples(states, st.integers(0, 3 * FLAP_WINDOW)), max_size=60))
def test_changes_of_an_hour_are_bounded_and_none_is_lost(looks: list[tuple[Reported, int]]) -> None:
    """Those on record, and those that are counted, are all that there were; a clock that goes back only begins anew."""
    watched, recorded, counted, changes = Watched(), 0, 0, 0
    state: Reported | None = Reported.ARMED_NIGHT
    for each, now in looks:
        changes += each is not state
        state = each
        watched, change = look(PanelReport(state=each), watched, now=now)
        recorded += change is not None
        counted += 0 if change is None else change.left_out
        assert latest(watched, NIGHT)[0] is each
    assert recorded + counted + max(0, watched.changes - FLAP_MAX) == changes


def test_silence_is_counted_until_it_is_told_and_ends_with_an_answer() -> None:
    """No further: nothing more is written of it."""
    watched = Watched()
    for number in range(MISSES_MAX + 3):
        watched = unanswered(watched, 7 + number)
    assert (watched.misses, watched.silent_at) == (MISSES_MAX, 7)
    assert answered(watched) == Watched()


def test_what_was_just_sent_is_waited_for() -> None:
    """Not for ever, and not when the clock was set back behind it."""
    known = attrs.evolve(NIGHT, sent_at=100 * SECOND)
    within = 60 * SECOND
    assert under_way(known, 100 * SECOND, within)
    assert not under_way(known, 160 * SECOND, within)
    assert not under_way(known, 99 * SECOND, within)
    assert not under_way(NIGHT, 100 * SECOND, within)


def test_it_is_said_in_words() -> None:
    """Who, what, since when, from what, and how much else there was."""
    change = Change(
        before=Reported.ARMED_NIGHT,
        after=attrs.evolve(OPEN, changed_by="ann", since_at=0),
        drifted_from=Target.ARMED_NIGHT,
        left_out=3,
        flapping=True,
    )
    words = in_words(change)
    assert words.startswith(
        "ann made it disarmed at 1970-01-01T00:00:00Z; a schedule had made it armed_night; 3 changes"
    )
    assert "its changes are counted, and not recorded" in words
    assert "commanded again" in in_words(Change(before=None, after=RESTARTED, reassert=True))
