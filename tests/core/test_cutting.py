from __future__ import annotations

from trioarm.core.cutting import cut


def test_a_text_is_cut_where_it_is_too_long() -> None:
    """One that fits stays whole; another is as long as it may be, and shows it."""
    assert [cut("morning", most) for most in (8, 7, 6, 1)] == ["morning", "morning", "morni…", "…"]
