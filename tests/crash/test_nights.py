"""Through the nights in which clocks change, the program does what it foretold, instant by instant (S4.3)."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from tests.crash.nights import watch


def test_what_was_foretold_is_what_happened(tmp_path: Path) -> None:
    """Fixed times, wildcards, intervals and what is made of them, in gaps and folds of an hour and of half an hour."""
    vigils = watch(tmp_path, timedelta(minutes=20), timedelta(minutes=40))
    found = {str(vigil.night): vigil.happened() for vigil in vigils}
    assert found == {str(vigil.night): vigil.foretold() for vigil in vigils}
    assert all(len(happened) > 5 for happened in found.values())
