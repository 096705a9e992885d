"""Forgetting what was remembered first, so that what a process remembers of a file has a bound (S9.3).

A dict leaves a gap for each key that is taken out of its front, and walks over all of them to find the next one: taken
out one at a time, each costs as much as the hundred thousand before it. So many go at once, for one such walk.
"""

from __future__ import annotations

from itertools import islice
from typing import Final, TypeVar

TOGETHER: Final = 1_000  # forgotten at once; a bound is kept to within so many

T = TypeVar("T")


def forget_oldest(remembered: dict[int, T]) -> list[int]:
    """Take the keys that have been there for longest out of a dict, and return them."""
    keys = [*islice(remembered, TOGETHER)]
    for key in keys:
        del remembered[key]
    return keys
