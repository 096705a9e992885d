"""Jitter: always the same for the same occurrence, never as much as it may, never beyond the next one (S4.6)."""

from __future__ import annotations

import attrs
from hypothesis import given
from hypothesis import strategies as st

from tests.making import HOUR, MINUTE, NOW, SECOND, a_record, a_run, a_schedule
from trioarm.core.forecast import explain, preview
from trioarm.core.jitter import jitter_of, starts_at
from trioarm.core.planning import Group, PlanRules, plan
from trioarm.core.record import Amendment, AmendmentKind
from trioarm.core.run import Origin
from trioarm.core.states import Reason, State, WaitingFor
from trioarm.core.triggers import Every

RULES = PlanRules()


def test_it_does_not_change() -> None:
    """A figure that was computed once and for all: another would move every occurrence that is to come."""
    assert jitter_of(a_schedule("nightly", jitter_s=300), NOW, None) == 298_277_807


@given(
    name=st.from_regex("[a-z]{1,20}", fullmatch=True),
    nominal_at=st.integers(-(10**15), 10**17),
    jitter_s=st.floats(0.001, 86400),
    gap=st.integers(1, 10**12),
)
def test_it_stays_before_the_next_occurrence(name: str, nominal_at: int, jitter_s: float, gap: int) -> None:
    """At least nothing, less than it may be, and less than until the next one."""
    added = jitter_of(a_schedule(name, jitter_s=jitter_s), nominal_at, nominal_at + gap)
    assert 0 <= added < min(gap, jitter_s * SECOND + 1)


def test_it_is_spread_evenly() -> None:
    """Over many occurrences each tenth is met about as often as any other, and schedules differ."""
    schedule = a_schedule(jitter_s=1000)
    tenths = [jitter_of(schedule, NOW + number * HOUR, None) // (100 * SECOND) for number in range(2_000)]
    assert all(140 < tenths.count(tenth) < 260 for tenth in range(10))
    other = a_schedule("other", jitter_s=1000)
    assert jitter_of(other, NOW, None) != jitter_of(schedule, NOW, None)


def test_without_it_nothing_is_added() -> None:
    """Neither where nothing is said, nor where it is zero."""
    assert [jitter_of(a_schedule(jitter_s=jitter_s), NOW, None) for jitter_s in (None, 0)] == [0, 0]


def test_the_decision_is_made_at_the_instant_and_the_run_starts_later() -> None:
    """It waits as what is not due yet, and its cursor has moved on."""
    record = a_record(a_schedule(trigger=Every(3600), jitter_s=600))
    change = plan(Group((record,)), NOW, RULES)
    (run,) = change.decided
    assert run.due_at == NOW + jitter_of(record.schedule, NOW, NOW + HOUR)
    assert (run.nominal_at, run.state, run.waiting_for) == (NOW, State.PENDING, WaitingFor.DUE)
    assert change.moved[0].next_due_at == NOW + HOUR


def test_lateness_is_judged_by_when_it_starts() -> None:
    """What is noticed late by its instant, and in time by its jitter, is on time; each of several has its own."""
    schedule = a_schedule(trigger=Every(3600), jitter_s=3600, tolerance_s=0, misfire="skip")
    added = jitter_of(schedule, NOW, NOW + HOUR)
    record = a_record(schedule)
    (run,) = plan(Group((record,)), NOW + added, RULES).decided
    assert run.state is State.PENDING
    (row,) = plan(Group((a_record(schedule),)), NOW + added + 2 * SECOND, RULES).decided
    assert (row.state, row.reason) == (State.MISSED, Reason.TOO_LATE)
    each = a_record(a_schedule(trigger=Every(60), jitter_s=60, misfire="each", overlap="allow"))
    runs = plan(Group((each,)), NOW + 3 * MINUTE, RULES).decided
    assert [run.due_at - run.nominal_at for run in runs] == [
        jitter_of(each.schedule, at, at + MINUTE) for at in range(NOW, NOW + 4 * MINUTE, MINUTE)
    ]


def test_preview_and_explain_tell() -> None:
    """When each really starts, and that it is meant."""
    record = a_record(a_schedule(trigger=Every(3600), jitter_s=600))
    foreseen = list(preview([record], NOW - 1, NOW + 3 * HOUR, RULES))
    assert [item.due_at - item.nominal_at for item in foreseen] == [
        jitter_of(record.schedule, item.nominal_at, item.nominal_at + HOUR) for item in foreseen
    ]
    assert len(foreseen) in (3, 4)
    said = explain(record, NOW, RULES).policies
    assert "each occurrence starts up to 10m later, always by the same for the same one" in said


def test_when_a_run_starts_is_known_from_its_record() -> None:
    """At its instant, spread by jitter, or as a person postponed it; what a person starts by hand is due at once."""
    record = a_record(a_schedule("nightly", Every(3_600), jitter_s=300))
    assert starts_at(a_run(record)) == NOW + jitter_of(record.schedule, NOW, NOW + HOUR)
    assert starts_at(attrs.evolve(a_run(record), origin=Origin.MANUAL)) == NOW
    record.amendments = (
        Amendment(AmendmentKind.SKIP, NOW + HOUR, None, "anna", "", NOW),
        Amendment(AmendmentKind.POSTPONE, NOW, NOW + MINUTE, "anna", "", NOW, 1),
    )
    assert starts_at(a_run(record)) == NOW + MINUTE


def test_the_last_run_of_a_schedule_starts_when_it_says() -> None:
    """What follows after its end is no occurrence: jitter is not kept from it, in the plan as for the handler."""
    record = a_record(a_schedule("nightly", Every(60), jitter_s=3_600, end_at=NOW + 30 * SECOND))
    [run] = plan(Group([record]), NOW, PlanRules()).decided
    assert run.due_at > NOW + MINUTE
    assert starts_at(run) == run.due_at
