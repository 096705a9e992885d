"""Killed at every call of its repository, a history ends as if nothing had been."""

from __future__ import annotations

from tests.crash.by_hand import said_by


def test_a_history_killed_at_any_call_ends_as_the_undisturbed_one() -> None:
    """Before, just committed, and after: each run comes to the same end, whatever attempts that took (S2.2, S2.5).

    Every fourth of these deaths is died here; `python -m tests.crash.every_call` dies each.
    """
    assert " kills" in said_by("tests.crash.every_call", "--every", "4")
