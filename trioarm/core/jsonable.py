"""What may be kept: arguments, results and document bodies are JSON of bounded size and depth, nothing else."""

from __future__ import annotations

from math import isfinite
from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

DEPTH_MAX = (
    32  # deeper values are mistakes (a cycle, a whole object graph), and recursion stays far from Python's own limit
)
ITEMS_MAX = 10_000  # a value with more is data, and belongs into a file or database of the caller


def as_json(value: object, *, what: str) -> Json:
    """Return a copy of `value` made of plain JSON types; tuples become lists.

    Args:
        value: anything.
        what: how the message names it, such as `args of schedule 'nightly'`.

    Raises:
        ValueError: the value holds something JSON cannot, is too deep (32) or has too many parts (10 000).
    """
    budget = [ITEMS_MAX]
    return _copy(value, what, DEPTH_MAX, budget)


def _copy(value: object, path: str, depth: int, budget: list[int]) -> Json:
    budget[0] -= 1
    if depth == 0 or budget[0] < 0:
        raise ValueError(f"{path}: too large to keep (at most {DEPTH_MAX} levels and {ITEMS_MAX} parts)")
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            if not isfinite(value):
                raise ValueError(f"{path}: {value} cannot be kept as JSON")
            return value
        case list() | tuple():
            return [_copy(item, f"{path}[{index}]", depth - 1, budget) for index, item in enumerate(value)]
        case dict():
            for key in value:
                if not isinstance(key, str):
                    raise ValueError(f"{path}: key {key!r} is no text")
            return {key: _copy(item, f"{path}.{key}", depth - 1, budget) for key, item in value.items()}
        case _:
            raise ValueError(
                f"{path}: a {type(value).__name__} cannot be kept: use None, numbers, text, lists and mappings"
            )
