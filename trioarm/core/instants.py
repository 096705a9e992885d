"""Instants and durations as trioarm computes with them: int microseconds since 1970 UTC, float seconds (S3.1).

Text and datetimes are turned into them here, at the edge, and nowhere else. Local times are not known here: see
`triggers.civil`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Final

from trioarm.core.errors import InvalidInstant

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

EARLIEST = -62_135_596_800 * SECOND  # 0001-01-01T00:00:00Z, the first instant a datetime can hold
LATEST = 253_402_300_800 * SECOND - 1  # the last microsecond of the year 9999

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


def instant(value: datetime | int) -> int:
    """Turn an aware datetime (or an instant, returned as it is) into microseconds since 1970 UTC.

    Raises:
        InvalidInstant: the datetime is naive, or the number lies outside the years 1 to 9999.
    """
    if isinstance(value, datetime):
        if value.utcoffset() is None:
            raise InvalidInstant(
                f"{value.isoformat()} has no UTC offset, so it names no instant: "
                "give it one, such as datetime(..., tzinfo=ZoneInfo('Europe/Prague')) or a trailing 'Z'"
            )
        value = (value - _EPOCH) // _MICROSECOND
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidInstant(f"{value!r} is no instant: give an aware datetime")
    if not EARLIEST <= value <= LATEST:
        raise InvalidInstant(f"{value} microseconds lie outside the years 1 to 9999")
    return value


def parse_instant(text: str) -> int:
    """Read ISO 8601 with an offset or `Z`, such as `2026-12-24T18:00:00+01:00`.

    Raises:
        InvalidInstant: not ISO 8601, or without an offset.
    """
    try:
        value = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInstant(f"{text!r} is no ISO 8601 time: write it like 2026-12-24T18:00:00+01:00") from error
    if value.utcoffset() is None:
        where = "write it like 2026-12-24T18:00:00+01:00, or with a Z at its end"
        raise InvalidInstant(f"{text} has no UTC offset, so it names no instant: {where}")
    return instant(value)


def as_datetime(value: int) -> datetime:
    """Return an instant as an aware datetime in UTC."""
    return _EPOCH + timedelta(microseconds=value)


def render_instant(value: int) -> str:
    """Write an instant as ISO 8601 in UTC with `Z`; a fraction only where there is one."""
    return as_datetime(value).replace(tzinfo=None).isoformat() + "Z"


_IN_TEXT: Final = re.compile(r"(?<![@\w])\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z\b")


def localised(text: str, shown: Callable[[int], str]) -> str:
    """Return a text with its instants as people read them; those in readable ids, behind an `@`, stay what they are.

    Args:
        text: in which instants stand in UTC.
        shown: returns how an instant is shown.
    """

    def replaced(found: re.Match[str]) -> str:
        try:
            return shown(parse_instant(found[0]))
        except InvalidInstant:
            return found[0]

    return _IN_TEXT.sub(replaced, text)


def parse_duration(text: str) -> float:
    """Read a duration such as `90s`, `5m`, `1h30m`, `250ms`, `1d` into seconds.

    Raises:
        ValueError: the text is not a duration; the message shows how to write one.
    """
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{text!r} is no duration: write it like 90s, 5m, 2h, 1h30m or 1d")
    return sum(float(number) * _UNIT_S[unit] for number, unit in parts)


def render_duration(seconds: float) -> str:
    """Write seconds the way `parse_duration` reads them: `90` becomes `1m30s`."""
    if seconds < 0:
        return "-" + render_duration(-seconds)
    rest = microseconds(seconds)
    if rest % 1000:
        return f"{seconds:.6f}".rstrip("0") + "s"
    text = ""
    for unit, size in (("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", SECOND), ("ms", 1000)):
        count, rest = divmod(rest, size)
        if count:
            text += f"{count}{unit}"
    return text or "0s"


def microseconds(seconds: float) -> int:
    """Round seconds to whole microseconds.

    Raises:
        ValueError: the number is not finite.
    """
    if not isfinite(seconds):
        raise ValueError(f"{seconds} is no duration")
    return round(seconds * SECOND)
