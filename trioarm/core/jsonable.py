"""What may be kept: arguments, results and document bodies are JSON of bounded size and depth, nothing else."""

from __future__ import annotations

import json
from math import isfinite
from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

# Deeper values are mistakes (a cycle, a whole object graph), and recursion stays far from Python's own limit.
DEPTH_MAX = 32
ITEMS_MAX = 10_000  # a value with more is data, and belongs into a file or database of the caller
TEXT_BYTES_MAX = 64 * 1024  # of one text, as UTF-8; likewise
ALL_TEXT_BYTES_MAX = 1024 * 1024  # of all texts of a value together, keys included
INTEGER_MIN, INTEGER_MAX = -(2**63), 2**63 - 1  # what databases and other languages read back as it was written
KEY_SHOWN_MAX = 40  # characters of a key that a path quotes

_ENCODER = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":")
)  # made once: making one takes as long as using it


def write_json(value: object) -> str:
    """Return the one text of a value of plain JSON types: as it is kept."""
    return _ENCODER.encode(value)


def as_json(value: object, *, what: str) -> Json:
    """Return a copy of `value` made of plain JSON types; tuples become lists.

    Args:
        value: anything.
        what: how the message names it, such as `args of schedule 'nightly'`.

    Raises:
        ValueError: the value holds something JSON cannot, is too deep (32), has too many parts (10 000), a text of more
            than 64 KiB, more than 1 MiB of text, one that UTF-8 or a database cannot hold, or an integer of more than
            64 bits.
    """
    budget = [ITEMS_MAX, ALL_TEXT_BYTES_MAX]
    return _copy(value, what, DEPTH_MAX, budget)


def _copy(value: object, path: str, depth: int, budget: list[int]) -> Json:
    budget[0] -= 1
    if depth == 0 or budget[0] < 0:
        raise ValueError(f"{path}: too large to keep (at most {DEPTH_MAX} levels and {ITEMS_MAX} parts)")
    match value:
        case None | bool():
            return value
        case str():
            return _text(value, path, budget)
        case int():
            if not INTEGER_MIN <= value <= INTEGER_MAX:
                raise ValueError(f"{path}: an integer beyond 64 bits cannot be kept: write it as text")
            return value
        case float():
            if not isfinite(value):
                raise ValueError(f"{path}: {value} cannot be kept as JSON")
            return value
        case list() | tuple():
            return [_copy(item, f"{path}[{index}]", depth - 1, budget) for index, item in enumerate(value)]
        case dict():
            return {
                _key(key, path, budget): _copy(item, f"{path}.{key[:KEY_SHOWN_MAX]}", depth - 1, budget)
                for key, item in value.items()
            }
        case _:
            raise ValueError(
                f"{path}: a {type(value).__name__} cannot be kept: use None, numbers, text, lists and mappings"
            )


def _key(key: object, path: str, budget: list[int]) -> str:
    if isinstance(key, str):
        return _text(key, f"{path}: a key", budget)
    raise ValueError(f"{path}: key {key!r} is no text")


def _text(text: str, path: str, budget: list[int]) -> str:
    size = len(text)
    if size > TEXT_BYTES_MAX:  # by so much, perhaps, that counting its bytes would take a while
        least = "" if text.isascii() else "at least "
        raise ValueError(f"{path}: a text of {least}{size} bytes cannot be kept: at most {TEXT_BYTES_MAX}")
    if not text.isascii():
        try:
            size = len(text.encode())
        except UnicodeEncodeError as error:
            raise ValueError(f"{path}: character {error.start} is half of a surrogate pair, which is no text") from None
        if size > TEXT_BYTES_MAX:
            raise ValueError(f"{path}: a text of {size} bytes cannot be kept: at most {TEXT_BYTES_MAX}")
    if "\0" in text:
        raise ValueError(f"{path}: a text with a NUL character cannot be kept")
    budget[1] -= size
    if budget[1] < 0:
        raise ValueError(f"{path}: too large to keep (at most {ALL_TEXT_BYTES_MAX} bytes of text in all)")
    return text
