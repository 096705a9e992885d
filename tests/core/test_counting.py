"""Numbers with their nouns: one is one, and none are many."""

from __future__ import annotations

import pytest

from trioarm.core.counting import counted, grouped, in_a_row


@pytest.mark.parametrize(
    ("count", "said", "entries", "row"),
    [
        (0, "0 runs", "0 entries are", "0 attempts in a row"),
        (1, "1 run", "1 entry is", "1 attempt"),
        (2, "2 runs", "2 entries are", "2 attempts in a row"),
        (120_960, "120 960 runs", "120 960 entries are", "120 960 attempts in a row"),
    ],
)
def test_one_is_one_and_none_are_many(count: int, said: str, entries: str, row: str) -> None:
    """The verb goes with the noun, and one attempt is not a row of them."""
    assert counted(count, "run") == said
    assert counted(count, "entry is", "entries are") == entries
    assert in_a_row(count, "attempt") == row


def test_thousands_are_apart() -> None:
    """By a space, which means the same everywhere."""
    assert [grouped(999), grouped(1_000), grouped(1_234_567)] == ["999", "1 000", "1 234 567"]
