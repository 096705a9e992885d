"""Reading finds every problem in one go, says each in one line, and looks at nothing for long."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trioarm.core.errors import InvalidSchedule, TrioarmError
from trioarm.core.instants import parse_duration, render_duration
from trioarm.core.reading import (
    LINE_MAX,
    PROBLEMS_MAX,
    SHOWN_MAX,
    Problems,
    Reader,
    Table,
    duration,
    flag,
    integer,
    listed,
    mapping,
    moment,
    number,
    seconds,
    show,
    suggest,
    text,
    whole,
)


class Wrong(TrioarmError):
    """The lines of a test."""

    def __init__(self, lines: tuple[str, ...]) -> None:
        super().__init__(*lines)
        self.lines = lines


def _table(tree: dict[str, Any], path: str = "") -> Table:
    return Table(tree, path, Problems(Wrong))


_plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates() | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.integers(), inner, max_size=3),
    max_leaves=5,
)
_readers: list[Reader[object]] = [
    text,
    flag,
    integer,
    number,
    seconds,
    moment,
    mapping,
    listed(text),
    whole(0, 9),
    duration(0, 60),
]


@given(_plain, st.sampled_from(_readers))
@settings(max_examples=500, deadline=None, derandomize=True)
def test_a_reader_returns_or_says_what_would_be_right(value: object, read: Reader[object]) -> None:
    """Whatever stands in a file: a value, or one short line; nothing else is raised."""
    try:
        read(value)
    except (ValueError, InvalidSchedule) as error:
        said = str(error)
        assert said
        assert "\n" not in said
        assert len(said) < LINE_MAX


@given(_plain)
@settings(max_examples=300, deadline=None, derandomize=True)
def test_a_mistaken_value_is_shown_on_one_short_line(value: object) -> None:
    """It is quoted as a person wrote it, cut where it is long, and never breaks the line."""
    shown = show(value)
    assert len(shown) <= SHOWN_MAX + len("...")
    assert shown.isprintable() or not isinstance(value, str)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (True, "true"),
        ("a b", '"a b"'),
        ("a\nb", '"a\\nb"'),
        (1.5, "1.5"),
        pytest.param(10**5000, "that number", id="huge"),
        ({"a": 1}, "a table"),
        ([1], "a list"),
        (date(2026, 1, 2), "2026-01-02"),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00+00:00"),
    ],
)
def test_a_value_is_shown_as_it_was_written(value: object, shown: str) -> None:
    """Not as Python would print it."""
    assert show(value) == shown


@pytest.mark.parametrize(
    ("word", "known", "end"),
    [
        ("tolerence", ["tolerance", "timeout"], "; did you mean tolerance?"),
        ("x", ["a", "b"], "; there is a, b"),
        ("x", [], "; there is none"),
        ("x" * 100, ["x" * 99], f"; there is {'x' * 99}"),
        ("x", [f"n{n}" for n in range(51)], ""),
        ("n5x", [f"n{n}" for n in range(300)], ""),
    ],
)
def test_an_unknown_word_is_answered_with_the_nearest(word: str, known: list[str], end: str) -> None:
    """With all of them when none is near and they are few; a long word or a long list is not searched."""
    assert suggest(word, known) == end


def test_every_problem_of_a_table_is_found() -> None:
    """A wrong value, a missing one, an unknown one and one that is refused do not hide each other."""
    table = _table({"a": "5", "zone": 1, "later": 2, "own": {"x": 1}}, "house")
    assert table.take("a", integer, 7) == 7
    assert table.need("b", integer, "write it like b = 5") is None
    assert table.take("c", integer, 9) == 9
    table.refuse("later", "not yet")
    inner = table.table("own")
    assert inner is not None
    inner.close()
    table.judge("garden", whole(0))
    table.knows("zones")
    table.close()
    with pytest.raises(Wrong) as raised:
        table.problems.settle()
    assert raised.value.lines == (
        'house.a: "5" is no whole number: write it like 5',
        "house.b: is missing: write it like b = 5",
        "house.later: not yet",
        "house.own.x: unknown key; there is none",
        'house: "garden" is no whole number: write it like 5',
        "house.zone: unknown key; did you mean zones?",
    )


def test_a_table_without_problems_is_read() -> None:
    """Nothing wrong, nothing raised."""
    table = _table({"a": 5})
    assert table.take("a", integer, 0) == 5
    assert table.table("b") is None
    table.close()
    table.problems.settle()


def test_paths_say_where_a_key_stands() -> None:
    """A key that is no bare word is quoted, and a source that ends in a colon is followed by a space."""
    assert _table({}).at("a") == "a"
    assert _table({}, "site.home").at("My zone") == 'site.home."My zone"'
    assert _table({}, "scheduler.local.toml:").at("log") == "scheduler.local.toml: log"


def test_problems_are_bounded() -> None:
    """A hostile file cannot keep the reader busy: after a hundred lines it is over, and no line is long."""
    problems = Problems(Wrong)
    for index in range(PROBLEMS_MAX):
        problems.add(f"key{index}", "x" * 10 * LINE_MAX)
    with pytest.raises(Wrong) as raised:
        problems.add("one", "too many")
    assert len(raised.value.lines) == PROBLEMS_MAX + 1
    assert raised.value.lines[-1] == f"these {PROBLEMS_MAX} are not all: put them right first"
    assert max(map(len, raised.value.lines)) == LINE_MAX + len("...")


@given(st.integers(0, 10**9))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_a_duration_is_text_or_a_number(milliseconds: int) -> None:
    """Both forms mean the same, and the bounds themselves are allowed."""
    value_s = milliseconds / 1000
    assert seconds(render_duration(value_s)) == parse_duration(render_duration(value_s))
    assert seconds(value_s) == duration(value_s, value_s)(value_s) == value_s
    with pytest.raises(ValueError, match="is outside"):
        duration(value_s + 1, value_s + 2)(value_s)
