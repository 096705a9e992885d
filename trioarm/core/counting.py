"""Counting: numbers with their nouns, as people read them."""

from __future__ import annotations


def counted(count: int, one: str, many: str | None = None) -> str:
    """Return a count with its noun: `1 run`, `12 runs`.

    Args:
        one: the noun, and what else depends on the count, such as `entry is`.
        many: the same for any other count; None for the noun with an s.
    """
    return f"{grouped(count)} {one if count == 1 else many or f'{one}s'}"


def in_a_row(count: int, one: str) -> str:
    """Return a count of what came one after the other: `1 attempt`, `3 attempts in a row`."""
    return counted(count, one, f"{one}s in a row")


def grouped(count: int) -> str:
    """Return a number with its thousands apart: `120 960`."""
    return f"{count:,}".replace(",", " ")
