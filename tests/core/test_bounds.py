"""The words of people about what they change: bounded, and always somebody's."""

from __future__ import annotations

import re
from typing import Any

import pytest

from trioarm.core.bounds import AUTHOR_MAX, NOTE_MAX, check_author
from trioarm.core.errors import InvalidSchedule


@pytest.mark.parametrize(
    ("author", "note", "why"),
    [
        (7, "", "author 7: it must be text"),
        ("somebody", None, "note None: it must be text"),
        ("a" * (AUTHOR_MAX + 1), "", f"author has {AUTHOR_MAX + 1} characters: at most {AUTHOR_MAX}"),
        ("somebody", "n" * (NOTE_MAX + 1), f"note has {NOTE_MAX + 1} characters: at most {NOTE_MAX}"),
        (" ", "guests", "author is empty: say who changes it"),
    ],
)
def test_words_that_are_not_kept(author: Any, note: Any, why: str) -> None:
    """What is wrong with them is one line."""
    with pytest.raises(InvalidSchedule, match=f"^{re.escape(why)}$"):
        check_author(author, note)


@pytest.mark.parametrize(("author", "note"), [("\ud800", ""), ("somebody", "\ud800")])
def test_words_that_no_store_can_hold(author: str, note: str) -> None:
    """Half a character is none."""
    with pytest.raises(InvalidSchedule, match=r"^(author|note)"):
        check_author(author, note)


def test_words_of_any_length_that_is_allowed() -> None:
    """The bounds themselves are allowed."""
    check_author("a" * AUTHOR_MAX, "n" * NOTE_MAX)
