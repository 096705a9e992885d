"""More than anybody has: flat memory, commands that answer, everything accounted for (S2.1, S9.3)."""

from __future__ import annotations

import pytest

from tests.crash.by_hand import said_by


@pytest.mark.parametrize(
    ("kind", "more"), [("due", ("--rows", "20000", "--seconds", "3")), ("put", ("--rows", "3000"))], ids=["due", "put"]
)
def test_a_flood_changes_nothing_but_how_long_it_takes(kind: str, more: tuple[str, ...]) -> None:
    """A node on a store in which all is due, and a call that puts very much with a bad one in it; a million and more
    are for `python -m tests.crash.flood`."""
    said = said_by("tests.crash.flood", kind, *more)
    expected = {
        "due": ("finished", "it ended with 0"),
        "put": ("number 2000, bad: its trigger fails: ZeroDivisionError: a mistake", "'added': 2999, 'refused': 1"),
    }
    assert all(text in said for text in expected[kind]), said
