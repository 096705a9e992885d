from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.making import NOW
from trioarm.core.errors import InvalidInstant
from trioarm.core.outcome import OVERRIDES, Discard, Override, Retry, Snooze
from trioarm.core.states import Reason


def test_a_retry_may_say_when() -> None:
    """The delay is optional and bounded: negative ones and those beyond a year are refused where they are raised."""
    assert Retry("busy").after_s is None
    assert Retry("busy", after_s=0).after_s == 0
    assert str(Retry("busy", after_s=5.0)) == "busy"
    for wrong in (-1.0, 367 * 86400.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="must lie between 0 and a year"):
            Retry(after_s=wrong)


def test_a_snooze_names_an_instant() -> None:
    """It takes an aware datetime or an instant, and refuses a naive one."""
    assert Snooze(datetime(2026, 11, 23, 22, tzinfo=UTC)).until_at == NOW
    assert Snooze(NOW, "later").until_at == NOW
    with pytest.raises(InvalidInstant, match="no UTC offset"):
        Snooze(datetime(2026, 11, 23, 22))  # noqa: DTZ001


def test_a_discard_says_why() -> None:
    """Its message is its reason."""
    assert str(Discard("no such panel")) == "no such panel"


def test_an_override_says_whose_word_counted() -> None:
    """A person's deed unless said otherwise; reasons that are nobody's decision are refused where it is raised."""
    assert Override("somebody disarmed it").reason is Reason.PERSON
    assert str(Override("somebody disarmed it", reason=Reason.HOLD)) == "somebody disarmed it"
    assert frozenset({Reason.PERSON, Reason.HOLD, Reason.CONDITION}) == OVERRIDES
    for wrong in set(Reason) - OVERRIDES:
        with pytest.raises(ValueError, match="it must be condition or hold or person"):
            Override("late", reason=wrong)
