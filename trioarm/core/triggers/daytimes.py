"""Times of day as people write them, `22:30` or `22:30:15`, read for every trigger that has some (S4.2)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from trioarm.core.errors import InvalidTrigger
from trioarm.core.instants import MINUTE, SECOND
from trioarm.core.triggers.timetable import Times

TIMES_MAX = 1440  # one a minute: who wants more wants another trigger
SETS_MAX = 4096  # of times kept so that equal schedules share them, about a kilobyte each
SHOWN_MAX = 40  # characters of a mistaken text that are quoted

_TIME = re.compile(r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?")


def times_of_day(value: Iterable[str]) -> tuple[str, ...]:
    """Return one or several times of day in one spelling, sorted and without doubles.

    Raises:
        InvalidTrigger: one is not understood, or there is none, or there are too many.
    """
    listed = listed_texts(value, "at", 'write it like "22:30" or ["06:30", "22:30:15"]')
    if len(listed) > TIMES_MAX:
        raise InvalidTrigger(f"{len(listed)} times a day are too many: at most {TIMES_MAX}")
    return tuple(sorted({time_of_day(text) for text in listed}))


def time_of_day(text: str) -> str:
    """Return a time of day as `22:30`, or `22:30:15` where it has seconds.

    Raises:
        InvalidTrigger: it is none.
    """
    found = _TIME.fullmatch(text.strip())
    hour, minute, second = (int(part or 0) for part in found.groups()) if found else (24, 0, 0)
    if hour > 23 or minute > 59 or second > 59:
        raise InvalidTrigger(f"{text[:SHOWN_MAX]!r} is no time of day: write it like 22:30 or 22:30:15")
    return f"{hour:02}:{minute:02}" + (f":{second:02}" if second else "")


def listed_texts(value: object, field: str, hint: str) -> list[str]:
    """Return one or several texts as a list, so that a lone text is not read letter by letter.

    Raises:
        InvalidTrigger: there is none, or one is no text.
    """
    items = [value] if isinstance(value, str) else list(value) if isinstance(value, Iterable) else []
    texts = [item for item in items if isinstance(item, str)]
    if not texts or len(texts) != len(items):
        raise InvalidTrigger(f"{field} must be one or more texts: {hint}")
    return texts


@lru_cache(maxsize=SETS_MAX)
def shared_times(at: tuple[str, ...]) -> Times:
    """Return the set of such times, shared by all that have the same."""
    rows: list[list[int]] = [[] for _ in range(24)]
    for text in at:
        hour, minute, second = (*map(int, text.split(":")), 0)[:3]
        rows[hour].append(minute * MINUTE + second * SECOND)
    return Times(tuple(map(tuple, rows)))
