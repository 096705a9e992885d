from __future__ import annotations

import json
from datetime import UTC, datetime
from math import inf, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trioarm.core.jsonable import DEPTH_MAX, INTEGER_MAX, INTEGER_MIN, ITEMS_MAX, TEXT_BYTES_MAX, as_json

_texts = st.text(st.characters(exclude_characters="\0", codec="utf-8"))
_integers = st.integers(INTEGER_MIN, INTEGER_MAX)
_leaves = st.none() | st.booleans() | _integers | st.floats(allow_nan=False, allow_infinity=False) | _texts
_values = st.recursive(
    _leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_texts, inner, max_size=4), max_leaves=20
)


@given(_values)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_plain_values_are_kept_as_they_are(value: object) -> None:
    """What JSON can hold comes out equal, and equal again after a trip through text."""
    copy = as_json(value, what="args")
    assert copy == value
    assert json.loads(json.dumps(copy)) == value


def test_each_kind_of_value_is_kept() -> None:
    """One of each, whatever was drawn before."""
    value = [None, True, 7, 0.5, "text", {"key": []}]
    assert as_json(value, what="args") == value


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
        ({"n": [0, 2**63]}, r"args\.n\[1\]: an integer beyond 64 bits cannot be kept: write it as text"),
        ({"n": -(2**63) - 1}, r"args\.n: an integer beyond 64 bits"),
        ({"n": 10**5000}, r"args\.n: an integer beyond 64 bits"),
        ({"a": ["x\0"]}, r"args\.a\[0\]: a text with a NUL character"),
        ({"a": "é\ud800"}, r"args\.a: character 1 is half of a surrogate pair"),
        ({"a": "x" * (TEXT_BYTES_MAX + 1)}, r"args\.a: a text of 65537 bytes cannot be kept: at most 65536"),
        ({"a": "é" * (TEXT_BYTES_MAX // 2 + 1)}, r"args\.a: a text of 65538 bytes"),
        ({"a": {"\0": 1}}, r"args\.a: a key: a text with a NUL character"),
        ({"\ud800": 1}, "args: a key: character 0 is half"),
        ({"a": "é" * 10**7}, r"args\.a: a text of at least 10000000 bytes cannot be kept: at most 65536"),
        (
            {"a": ["x" * TEXT_BYTES_MAX] * 17},
            r"args\.a\[15\]: too large to keep \(at most 1048576 bytes of text in all",
        ),
        ({"k" * (TEXT_BYTES_MAX + 1): 1}, "args: a key: a text of 65537 bytes"),
        ({"k" * 1000: {1}}, rf"^args\.{'k' * 40}: a set cannot be kept"),
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


def test_the_longest_text_and_the_largest_integer_are_kept() -> None:
    """The bounds themselves are allowed, and bytes are counted, not characters."""
    value = ["x" * TEXT_BYTES_MAX, "é" * (TEXT_BYTES_MAX // 2), INTEGER_MAX, INTEGER_MIN]
    assert as_json(value, what="args") == value


def test_size_is_bounded() -> None:
    """Ten thousand parts are kept, the list itself included, and one more is refused."""
    fits = list(range(ITEMS_MAX - 1))
    assert as_json(fits, what="args") == fits
    with pytest.raises(ValueError, match="too large to keep"):
        as_json([*fits, 0], what="args")
