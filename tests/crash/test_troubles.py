"""Nodes in trouble that nobody kills: all heals by itself, nothing is lost, nothing is doubled (S2, S7)."""

from __future__ import annotations

import pytest

from tests import needs
from tests.crash.by_hand import said_by


@pytest.mark.parametrize(("kinds", "rounds"), [(("halted",), 1), (("full", "away"), 2)])
def test_trouble_loses_nothing_and_doubles_nothing(kinds: tuple[str, ...], rounds: int) -> None:
    """A node that was halted past its lease finds its results refused, and goes on; a disk that is full, and a store
    that is taken away and put back, are each said in a line, and end without anybody's help."""
    if "full" in kinds:
        needs.root()
    said = said_by("tests.crash.troubles", "--rounds", str(rounds), "--seed", "3", "--kinds", *kinds)
    assert all(kind in said for kind in kinds)
