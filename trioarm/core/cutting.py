"""Cutting: texts of no more than so many characters, which show that they were longer."""

from __future__ import annotations


def cut(text: str, most: int) -> str:
    """Return a text of at most so many characters, the last of which says that more was there."""
    return text if len(text) <= most else text[: most - 1] + "…"
