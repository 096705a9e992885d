"""States as Home Assistant tells them, and anything else as somebody could: it is understood, or refused in a line."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.links.fake_home_assistant import HOUSE
from trioarm.arming.model import Target
from trioarm.arming.panels.homeassistant_entity import has_mode, report_of, sensors_of
from trioarm.core.instants import LATEST
from trioarm.links.homeassistant.states import Garbled, State, as_changed, context_of, parsed, read_all, state_of

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("unavailable"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = ("entity_id", "state", "attributes", "last_changed", "context")
NEARLY = st.fixed_dictionaries({}, optional=dict.fromkeys(KEYS, JSON | st.just(HOUSE)))


def outcome(reading: Callable[[Any], object], told: object) -> object:
    """Return what is understood, or the line that says why not."""
    try:
        return reading(told)
    except Garbled as error:
        return str(error)


@given(JSON | NEARLY | st.lists(NEARLY, max_size=3))
def test_whatever_is_told_is_a_state_or_one_line(told: object) -> None:
    """No form of it is a surprise."""
    for reading in (state_of, lambda value: read_all(value, [HOUSE]).get(HOUSE)):
        match outcome(reading, told):
            case State(state=word, changed_at=at):
                assert isinstance(word, str)
                assert at is None or 0 <= at <= LATEST
            case found:
                assert found is None or "\n" not in str(found)
    assert as_changed(told, State(state="x", changed_at=5)).changed_at in (5, None)
    assert isinstance(context_of(told), str | None)


@given(st.text(max_size=10), st.dictionaries(st.text(max_size=5), JSON, max_size=3), JSON)
def test_whatever_an_entity_says_is_a_report(word: str, more: dict[str, object], odd: object) -> None:
    """Its names are one line each."""
    keys = ("changed_by", "next_state", "arm_mode", "post_pending_state", "open_sensors", "supported_features")
    for state in (word, "arming", "pending", "disarmed"):
        for key in keys:
            told = State(state=state, attributes={**more, key: odd})
            assert has_mode(told, Target.ARMED_AWAY) in (True, False)
            report = report_of(told, sensors_of(told), str, ours=False)
            assert report.changed_by is None or report.changed_by.isprintable()


@given(st.binary(max_size=20) | JSON.map(json.dumps))
def test_whatever_is_sent_is_json_or_one_line(text: bytes | str) -> None:
    """Nothing else is raised."""
    found = outcome(parsed, text)
    if isinstance(text, str):
        assert json.dumps(found) == text
    else:
        assert found == "it sends what is no JSON" or json.dumps(found) == json.dumps(json.loads(text))


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "1969-12-31T23:59:59Z", "x"])
def test_instants_far_away_are_none(at: str) -> None:
    """Clocks that are not set say such."""
    assert state_of({"state": "disarmed", "last_changed": at}).changed_at is None
