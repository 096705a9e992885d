"""What arming complains of when the engine decides or ends a run without asking it: pure (S6.9, A3.4)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.arming.premises import AWAY, DISARMED, EVENING, NIGHT
from tests.making import a_record, a_run, a_schedule
from trioarm.arming.alerts import AlertKind, alert_rule, failed, kind_of_failure
from trioarm.arming.model import Target
from trioarm.arming.panels.base import UNREAD, FailureKind, PanelFailure
from trioarm.core.alerts import Alert, Severity, raised_by, raising
from trioarm.core.changes import CancelAsked, Change, Finished, Requeued
from trioarm.core.run import RunRecord
from trioarm.core.states import Reason, State, Step, WaitingFor


def of_the_house(target: str = "armed_night", handler: str = "arm", **fields: Any) -> RunRecord:
    """Return a run that makes the house `target`."""
    schedule = a_schedule("night/house", handler=handler, args={"partition": "house", "target": target})
    return a_run(a_record(schedule, key=17), EVENING, **fields)


def raised(change: Change) -> list[Alert]:
    """Return the alerts of a change."""
    return [stored.alert for stored in raised_by(alert_rule(change)) if stored.alert is not None]


def ended(run: RunRecord, step: Step, reason: Reason | None = None, error: str | None = None) -> Finished:
    """Return the last step of a run."""
    return Finished(run, run.token, step, EVENING, reason, error)


def test_a_missed_decision_is_complained_of_under_its_own_name() -> None:
    """The id is that of the decision, so that nothing has to be read; a range says how many it stands for."""
    run = of_the_house(state=State.MISSED, reason=Reason.TOO_LATE, count=3)
    (put,) = alert_rule(Change(decided=[run]))
    assert (put.key, put.expected_version) == ("partition/house:not_applied#17@2026-11-23T22:00:00Z", 0)
    (alert,) = raised(Change(decided=[run]))
    assert (alert.kind, alert.severity, alert.settled_by) == (AlertKind.NOT_APPLIED, Severity.ERROR, "armed_night")
    assert alert.text.endswith("due at 2026-11-23T22:00:00Z and 2 times since, which is too long ago")
    (alert,) = raised(Change(decided=[of_the_house(state=State.MISSED, reason=Reason.RECOVERY_OFF)]))
    assert alert.text.endswith("while the node was down, and auto_recovery is off")


@pytest.mark.parametrize("state", sorted(set(State) - {State.MISSED}))
def test_no_other_decision_is(state: State) -> None:
    """What runs, is skipped or superseded went as somebody wanted."""
    assert raised(Change(decided=[of_the_house(state=state)])) == []


@pytest.mark.parametrize(
    ("step", "complains"), [(step, step in (Step.FAIL, Step.TIME_OUT, Step.LOSE, Step.MISS)) for step in Step]
)
def test_an_end_without_the_handlers_word_is_complained_of(step: Step, complains: bool) -> None:
    """Failed, timed out, lost with its node: told. Succeeded, overridden, cancelled: somebody knows."""
    found = raised(Change(steps=[ended(of_the_house(), step)]))
    assert [alert.kind for alert in found] == [AlertKind.ARM_FAILED] * complains


def test_it_says_what_went_wrong_as_far_as_that_is_known() -> None:
    """The error, else the reason, else the step."""
    run = of_the_house("disarmed")
    for error, reason, words in (("boom", Reason.ERROR, "boom"), (None, Reason.STUCK, "stuck"), (None, None, "fail")):
        (alert,) = raised(Change(steps=[ended(run, Step.FAIL, reason, error)]))
        assert (alert.kind, alert.text) == (AlertKind.DISARM_FAILED, f"it did not become disarmed: {words}")


def test_other_handlers_are_none_of_armings_business() -> None:
    """A backup that fails is no matter of the house."""
    run = of_the_house(handler="command", state=State.MISSED)
    assert raised(Change(decided=[run], steps=[ended(run, Step.FAIL)])) == []


def test_what_goes_on_is_not_complained_of() -> None:
    """A retry, or a request to stop, is no end."""
    run = of_the_house()
    again = Requeued(run, 1, Step.RETRY, EVENING, 1, EVENING, WaitingFor.RETRY)
    assert raised(Change(steps=[again])) == []
    assert raised(Change(steps=[CancelAsked(run, 1, Reason.SUPERSEDED, EVENING)])) == []


@pytest.mark.parametrize(
    ("kind", "told"), [(AlertKind.IN_ALARM, True), (AlertKind.ARM_FAILED, True), (AlertKind.UNREACHABLE, False)]
)
def test_what_the_handler_told_itself_is_not_told_twice(kind: AlertKind, told: bool) -> None:
    """It knows more; that it was out of reach for now says nothing of the end."""
    own = Alert(subject="partition/house", kind=kind, severity=Severity.ERROR, text="told", raised_at=EVENING)
    change = Change(steps=[ended(of_the_house(), Step.FAIL)], documents=[raising("own", own)])
    assert (raised(change) == []) is told


def test_arguments_of_the_run_count_before_those_of_its_schedule() -> None:
    """Somebody fired it for another partition."""
    run = of_the_house(args={"partition": "shed", "target": "armed_away"})
    (alert,) = raised(Change(steps=[ended(run, Step.FAIL)]))
    assert (alert.subject, alert.settled_by) == ("partition/shed", AWAY.value)


@pytest.mark.parametrize("failure", list(FailureKind))
@pytest.mark.parametrize("target", [NIGHT, DISARMED])
def test_every_failure_has_an_alert_and_advice(failure: FailureKind, target: Target) -> None:
    """There is none that leaves people without a word of what to do."""
    alert = failed("house", target, PanelFailure(failure, "because"), attempts=1, sends=0, last=UNREAD, now=EVENING)
    assert alert.kind == kind_of_failure(target, failure)
    assert alert.advice
    assert "{" not in alert.advice
    assert "because" in alert.text


def test_what_can_be_done_by_hand_is_said_as_a_command() -> None:
    """It can be copied as it stands."""
    zones = PanelFailure(FailureKind.BLOCKED, "zones are open")
    advice = [
        failed("house", target, zones, attempts=1, sends=0, last=UNREAD, now=EVENING).advice
        for target in (NIGHT, DISARMED)
    ]
    assert advice == [
        "close them, then trioarm partitions arm house --target armed_night",
        "close them, then trioarm partitions disarm house",
    ]


def test_a_disarm_that_came_too_late_did_not_fail() -> None:
    """Nobody let it try; an arm that came too late has failed, as the house stands open."""
    assert kind_of_failure(DISARMED, FailureKind.TOO_LATE) is AlertKind.NOT_APPLIED
    assert kind_of_failure(NIGHT, FailureKind.TOO_LATE) is AlertKind.ARM_FAILED
