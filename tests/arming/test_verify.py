"""The next step towards a target: pure, from one report (A3.1-A3.3)."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioarm.arming.commanding.verify import (
    POLL,
    SENDS_MAX,
    Done,
    Fail,
    KeepTurn,
    Limits,
    NextStep,
    Send,
    Sent,
    Wait,
    is_progress,
    next_step,
)
from trioarm.arming.model import Reported, Target
from trioarm.arming.panels.base import FailureKind, PanelReport
from trioarm.core.instants import HOUR, SECOND, parse_instant

NOW = parse_instant("2026-11-23T22:00:00Z")
NIGHT, DISARMED = Target.ARMED_NIGHT, Target.DISARMED
LIMITS = Limits(begun_at=NOW, exit_delay=30 * SECOND, confirm=20 * SECOND, apply_until=NOW + HOUR)
SETTLE = 50 * SECOND

instants = st.integers(NOW, NOW + 2 * HOUR)
reports = st.builds(
    PanelReport,
    state=st.sampled_from(Reported),
    since_at=st.none() | instants,
    changed_by=st.sampled_from([None, "somebody"]),
    open_zones=st.sampled_from([(), ("door",)]),
    toward=st.none() | st.sampled_from(Target),
    settles_at=st.none() | instants,
)
sends = st.one_of(
    st.just(Sent()),
    st.builds(Sent, sends=st.integers(1, SENDS_MAX), last_at=instants, progressed=st.booleans()),
)


def step(
    state: Reported,
    *,
    target: Target = NIGHT,
    sent: Sent | None = None,
    now: int = NOW,
    free_at: int = 0,
    toward: Target | None = None,
    settles_at: int | None = None,
    since_at: int | None = None,
    changed_by: str | None = None,
    open_zones: tuple[str, ...] = (),
) -> NextStep:
    """Return the next step for a report of `state`."""
    report = PanelReport(
        state=state,
        since_at=since_at,
        changed_by=changed_by,
        open_zones=open_zones,
        toward=toward,
        settles_at=settles_at,
    )
    return next_step(report, target, sent or Sent(), LIMITS, now, free_at)


@given(reports, st.sampled_from(Target), sends, instants, instants)
def test_it_is_done_exactly_when_the_panel_says_so(
    report: PanelReport, target: Target, sent: Sent, now: int, free_at: int
) -> None:
    """No number of commands makes a run succeed, only the panel's own report of the target (A3.1)."""
    found = next_step(report, target, sent, LIMITS, now, free_at)
    assert (found == Done()) == (report.state.value == target.value)


@given(reports, st.sampled_from(Target), sends, instants, instants)
def test_a_command_is_never_sent_where_it_may_not_be(
    report: PanelReport, target: Target, sent: Sent, now: int, free_at: int
) -> None:
    """Not in alarm, into progress, a fourth time, before timeout or gap, too late, or with zones open."""
    if next_step(report, target, sent, LIMITS, now, free_at) != Send():
        return
    assert report.state not in (Reported.PENDING, Reported.TRIGGERED, Reported.UNKNOWN, Reported.UNAVAILABLE)
    assert not is_progress(report, target)
    assert sent.sends < SENDS_MAX
    assert sent.last_at is None or sent.last_at > now or now >= sent.last_at + SETTLE
    assert now >= free_at
    assert now <= LIMITS.apply_until
    assert target is DISARMED or not report.open_zones


@given(reports, st.sampled_from(Target), sends, instants, instants)
def test_every_wait_ends_later_than_now(
    report: PanelReport, target: Target, sent: Sent, now: int, free_at: int
) -> None:
    """Waiting is never busy."""
    found = next_step(report, target, sent, LIMITS, now, free_at)
    if isinstance(found, Wait | KeepTurn):
        assert found.until > now


@pytest.mark.parametrize("state", [Reported.DISARMED, Reported.ARMED_HOME, Reported.ARMED_AWAY, Reported.DISARMING])
def test_another_state_is_commanded_at_once(state: Reported) -> None:
    """The first command follows the first read."""
    assert step(state) == Send()


def test_arming_toward_the_target_is_waited_for_until_the_panel_said_it_ends() -> None:
    """The panel's own hint decides when to look again."""
    found = step(Reported.ARMING, toward=NIGHT, settles_at=NOW + 25 * SECOND, sent=Sent(sends=1, last_at=NOW))
    assert found == Wait(NOW + 25 * SECOND)


def test_arming_without_a_hint_is_polled() -> None:
    """A panel that says neither toward what nor until when is read once a second."""
    assert step(Reported.ARMING, sent=Sent(sends=1, last_at=NOW)) == Wait(NOW + POLL)


def test_arming_that_never_ends_is_a_timeout_and_not_sent_again() -> None:
    """Progress is not failure, but it has its time (A3.2)."""
    found = step(Reported.ARMING, sent=Sent(sends=1, last_at=NOW), now=NOW + SETTLE)
    assert isinstance(found, Fail)
    assert found.kind is FailureKind.TIMEOUT


def test_a_longer_exit_delay_of_the_panel_itself_counts() -> None:
    """The panel knows its exit delay better than the configuration."""
    late = NOW + 100 * SECOND
    sent = Sent(sends=1, last_at=NOW, progressed=True)
    assert step(Reported.ARMING, toward=NIGHT, settles_at=late, sent=sent, now=NOW + 70 * SECOND) == Wait(late)


def test_arming_toward_another_target_is_no_progress() -> None:
    """Somebody arms away, the schedule wants night: it is commanded."""
    assert step(Reported.ARMING, toward=Target.ARMED_AWAY) == Send()


def test_a_disarm_does_not_wait_for_arming_to_end() -> None:
    """An exit delay under way is no reason to stay armed."""
    assert step(Reported.ARMING, target=DISARMED, toward=NIGHT) == Send()


@pytest.mark.parametrize("target", [NIGHT, DISARMED])
@pytest.mark.parametrize("state", [Reported.PENDING, Reported.TRIGGERED])
def test_a_panel_in_alarm_is_left_alone(state: Reported, target: Target) -> None:
    """Neither armed nor disarmed (A2.2)."""
    found = step(state, target=target)
    assert isinstance(found, Fail)
    assert found.kind is FailureKind.IN_ALARM


@pytest.mark.parametrize("state", [Reported.UNKNOWN, Reported.UNAVAILABLE])
def test_a_panel_that_does_not_know_itself_is_unavailable(state: Reported) -> None:
    """Nothing is sent blindly."""
    found = step(state)
    assert isinstance(found, Fail)
    assert found.kind is FailureKind.UNAVAILABLE


def test_a_command_without_effect_is_repeated_after_the_timeout_only() -> None:
    """Exit delay and confirmation time must pass first (A3.2)."""
    sent = Sent(sends=1, last_at=NOW)
    assert step(Reported.DISARMED, sent=sent, now=NOW + SETTLE - 1) == Wait(NOW + SETTLE)
    assert step(Reported.DISARMED, sent=sent, now=NOW + SETTLE) == Send()


def test_a_clock_set_back_behind_a_command_costs_one_timeout_not_hours() -> None:
    """Counted from the beginning of the attempt that finds its command in the future (S3.3)."""
    sent = Sent(sends=1, last_at=NOW + 2 * HOUR)
    assert step(Reported.DISARMED, sent=sent, now=NOW + SETTLE - 1) == Wait(NOW + SETTLE)
    assert step(Reported.DISARMED, sent=sent, now=NOW + SETTLE) == Send()


def test_after_three_commands_without_effect_it_fails_with_the_last_state() -> None:
    """At most three (A3.2)."""
    found = step(Reported.ARMED_HOME, sent=Sent(sends=3, last_at=NOW), now=NOW + SETTLE)
    assert isinstance(found, Fail)
    assert (found.kind, "armed_home" in found.message) == (FailureKind.TIMEOUT, True)


@pytest.mark.parametrize(
    ("sent", "since_at"),
    [(Sent(sends=1, last_at=NOW, progressed=True), None), (Sent(sends=1, last_at=NOW), NOW + SECOND)],
)
def test_what_obeyed_and_went_elsewhere_is_not_fought(sent: Sent, since_at: int | None) -> None:
    """Seen on its way, or changed since our command by the panel's own word: somebody's doing (A3.7)."""
    found = step(Reported.DISARMED, sent=sent, since_at=since_at, changed_by="somebody", now=NOW + 2 * SECOND)
    assert isinstance(found, Fail)
    assert (found.kind, "somebody" in found.message) == (FailureKind.REVERTED, True)


def test_what_went_elsewhere_because_of_open_zones_names_them() -> None:
    """A zone that opens during the exit delay is why many panels give up (A3.3)."""
    zones = ("kitchen window",)
    found = step(Reported.DISARMED, sent=Sent(sends=1, last_at=NOW, progressed=True), open_zones=zones)
    assert isinstance(found, Fail)
    assert (found.kind, found.zones, "kitchen window" in found.message) == (FailureKind.REVERTED, zones, True)


def test_open_zones_block_arming_before_anything_is_sent() -> None:
    """The pre-check names them (A3.1)."""
    found = step(Reported.DISARMED, open_zones=("door", "window"))
    assert found == Fail(FailureKind.BLOCKED, "zones are open: door, window", ("door", "window"))


def test_the_turn_is_held_until_the_panel_takes_the_next_command() -> None:
    """The minimum gap between commands of one panel (A3.8)."""
    assert step(Reported.DISARMED, free_at=NOW + SECOND) == KeepTurn(NOW + SECOND)


def test_nothing_is_sent_when_it_is_too_late() -> None:
    """However the time was lost (A2.3)."""
    found = step(Reported.DISARMED, now=NOW + HOUR + 1)
    assert isinstance(found, Fail)
    assert found.kind is FailureKind.TOO_LATE


@pytest.mark.parametrize("state", [Reported.PENDING, Reported.TRIGGERED])
def test_only_disarming_by_a_person_ends_an_alarm(state: Reported) -> None:
    """Where it may end one, disarming is sent; arming never is, and where it may not, nothing is (A2.2)."""
    report = PanelReport(state=state, since_at=NOW)
    person = attrs.evolve(LIMITS, ends_alarm=True)
    assert next_step(report, DISARMED, Sent(), person, NOW, 0) == Send()
    for target, limits in ((NIGHT, person), (NIGHT, LIMITS), (DISARMED, LIMITS)):
        found = next_step(report, target, Sent(), limits, NOW, 0)
        assert isinstance(found, Fail)
        assert found.kind is FailureKind.IN_ALARM


def test_how_often_is_sent_is_a_limit_like_any_other() -> None:
    """One command is enough for whoever looks on."""
    once = attrs.evolve(LIMITS, sends_max=1)
    found = next_step(PanelReport(state=Reported.DISARMED), NIGHT, Sent(sends=1, last_at=NOW), once, NOW + SETTLE, 0)
    assert found == Fail(FailureKind.TIMEOUT, "the command had no effect: the panel still reports disarmed")
