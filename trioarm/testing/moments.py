"""Moments as tests write them: a time on the wall of a zone, an aware datetime, or an instant; and how one is shown.

A time that a change of offset leaves out or repeats means what it means to a schedule: the first instant after the
gap, the first pass of the fold. What is shown of a repeated one bears its offset, so that the passes can be told apart.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TypeAlias
from zoneinfo import ZoneInfo

from trioarm.core.errors import InvalidInstant
from trioarm.core.instants import SECOND, as_datetime, instant
from trioarm.core.triggers.civil import Fold, Gap, resolve
from trioarm.core.triggers.zones import Zone, find_zone

When: TypeAlias = datetime | int | str

_MICROSECOND = timedelta(microseconds=1)


def moment(when: When, zone: Zone) -> int:
    """Return the instant that is meant, in microseconds since 1970 UTC.

    Args:
        when: `2026-03-29 04:00` on the wall of the zone, with an offset or `Z` anywhere; or an aware datetime; or
            microseconds since 1970 UTC.
        zone: of a text without an offset.

    Raises:
        InvalidInstant: the text is no ISO 8601 time, or the datetime is naive.
    """
    if not isinstance(when, str):
        return instant(when)
    try:
        value = datetime.fromisoformat(when)
    except ValueError:
        raise InvalidInstant(f"{when!r} is no time: write it like 2026-03-29 04:00 or 2026-03-29T02:00Z") from None
    if value.utcoffset() is not None:
        return instant(value)
    return resolve(zone, instant(value.replace(tzinfo=UTC)), Gap.RUN_AFTER, Fold.FIRST)[0]


def shown(at: int, zone: Zone) -> str:
    """Return an instant as the wall of a zone shows it, such as `2026-10-25 02:30+01:00`: the offset only in a fold."""
    local = zone.to_local(at)
    text = as_datetime(local).replace(tzinfo=None).isoformat(" ", "auto" if local % (60 * SECOND) else "minutes")
    if len(resolve(zone, local, Gap.SKIP, Fold.BOTH)) < 2:
        return text
    minutes = round((local - at) / (60 * SECOND))
    hours, rest = divmod(abs(minutes), 60)
    return f"{text}{'-' if minutes < 0 else '+'}{hours:02}:{rest:02}"


def on_the_wall(at: int, zone: Zone) -> datetime:
    """Return an instant as an aware datetime of a zone."""
    return as_datetime(at).astimezone(ZoneInfo(zone.name))


def zone_of(name: str) -> Zone:
    """Return a zone by its key of the tz database.

    Raises:
        InvalidTrigger: there is no such zone; the message suggests the nearest.
    """
    return find_zone(name)
