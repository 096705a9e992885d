"""Forgetting what was remembered first, so that what a process remembers of a file has a bound (S9.3).

A dict leaves a gap for each key that is taken out of its front, and walks over all of them to find the next one: taken
out one at a time, each costs as much as the hundred thousand before it. So many go at once, for one such walk.
"""

from __future__ import annotations

from itertools import islice
from typing import Final, TypeVar

TOGETHER: Final = 1_000  # forgotten at once: so many more than its bound may be remembered

T = TypeVar("T")


def forget_oldest(remembered: dict[int, T], bound: int) -> list[int]:
    """Make room in a dict that holds as many more than its bound as go at once: take out the keys that have been there
    for longest, and return them."""
    if len(remembered) < bound + TOGETHER:
        return []
    keys = [*islice(remembered, TOGETHER)]
    for key in keys:
        del remembered[key]
    return keys
