from __future__ import annotations

import json
from datetime import UTC, datetime
from math import inf, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trioarm.core.jsonable import DEPTH_MAX, ITEMS_MAX, as_json

_leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
_values = st.recursive(
    _leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=20
)


@given(_values)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_plain_values_are_kept_as_they_are(value: object) -> None:
    """What JSON can hold comes out equal, and equal again after a trip through text."""
    copy = as_json(value, what="args")
    assert copy == value
    assert json.loads(json.dumps(copy)) == value


def test_a_copy_is_taken() -> None:
    """A later change of the caller's value changes nothing that is kept."""
    inner = [1]
    copy = as_json({"a": inner}, what="args")
    inner.append(2)
    assert copy == {"a": [1]}


def test_tuples_become_lists() -> None:
    """JSON has no tuples."""
    assert as_json((1, (2,)), what="args") == [1, [2]]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (nan, "args: nan cannot be kept"),
        ({"a": [1, inf]}, r"args\.a\[1\]: inf cannot be kept"),
        ({"a": {1: 2}}, r"args\.a: key 1 is no text"),
        ({"at": datetime(2026, 1, 1, tzinfo=UTC)}, r"args\.at: a datetime cannot be kept"),
        ([{1}], r"args\[0\]: a set cannot be kept"),
        (b"x", "args: a bytes cannot be kept"),
    ],
)
def test_a_refusal_names_the_place(value: object, message: str) -> None:
    """What JSON cannot hold is refused with the path to it."""
    with pytest.raises(ValueError, match=message):
        as_json(value, what="args")


def _nested(levels: int) -> list[object]:
    value: list[object] = []
    for _ in range(levels - 1):
        value = [value]
    return value


def test_depth_is_bounded() -> None:
    """Thirty-two levels are kept, one more is refused, and a cycle ends there instead of in a stack overflow."""
    assert as_json(_nested(DEPTH_MAX), what="args") == _nested(DEPTH_MAX)
    cycle: list[object] = []
    cycle.append(cycle)
    for value in (_nested(DEPTH_MAX + 1), cycle):
        with pytest.raises(ValueError, match="too large to keep"):
            as_json(value, what="args")


def test_size_is_bounded() -> None:
    """Ten thousand parts are kept, the list itself included, and one more is refused."""
    fits = list(range(ITEMS_MAX - 1))
    assert as_json(fits, what="args") == fits
    with pytest.raises(ValueError, match="too large to keep"):
        as_json([*fits, 0], what="args")
