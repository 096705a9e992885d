"""Zones: what local time a clock on the wall shows at an instant, and when it is changed (S4.5).

Offsets are read from the tz database and searched once per zone and era; nothing else in trioarm asks a `ZoneInfo`.
What happens to a local time at a change is decided in `civil`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from difflib import get_close_matches
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import attrs

from trioarm.core.errors import InvalidTrigger
from trioarm.core.instants import DAY, EARLIEST, LATEST, SECOND, as_datetime

ERA = 366 * DAY  # the piece of time whose changes are searched and kept together: about a year
MARGIN = 4 * DAY  # searched on both sides of an era, so that a change next to its border is known
SAMPLE = 2 * DAY  # the search looks this often: no zone has ever kept an offset for less than six days
ERAS_MAX = 4096  # eras kept, about a kilobyte each: every zone for several years
ZONES_MAX = 2048  # more than there are zones, with and without daylight saving
NAME_SHOWN_MAX = 64  # characters of a mistaken zone name that are quoted and compared

_MICROSECOND = timedelta(microseconds=1)
_NO_OFFSET = timedelta(0)


@attrs.frozen(slots=True, cache_hash=True, weakref_slot=False)
class Zone:
    """A time zone, with its daylight saving or without (S4.5). Get one from `find_zone`, which shares it."""

    name: str
    dst: bool = True
    _info: ZoneInfo = attrs.field(init=False, eq=False, repr=False)

    @_info.default
    def _load(self) -> ZoneInfo:
        try:
            return ZoneInfo(self.name)
        except (ZoneInfoNotFoundError, ValueError, OSError):  # not found; not a name; a folder of zones
            raise InvalidTrigger(_unknown_zone(self.name[:NAME_SHOWN_MAX])) from None

    def to_local(self, instant: int) -> int:
        """Return the local time shown at `instant`."""
        changes = changes_around(self, instant // ERA)
        return instant + next(offset for start, offset in reversed(changes) if start <= instant)

    def observed_offset(self, instant: int) -> int:
        """Return local time minus UTC at `instant`, daylight saving included, in microseconds."""
        inside = min(max(instant, EARLIEST + DAY), LATEST - DAY)  # local datetimes end there too
        return _microseconds(as_datetime(inside).astimezone(self._info))

    def standard_offset(self, year: int) -> int:
        """Return the smaller of the offsets on 1 January and 1 July (at noon), in microseconds (S4.5)."""
        inside = min(max(year, 1), 9999)
        return min(_microseconds(datetime(inside, month, 1, 12, tzinfo=self._info)) for month in (1, 7))


def _microseconds(moment: datetime) -> int:
    return (moment.utcoffset() or _NO_OFFSET) // _MICROSECOND


@lru_cache(maxsize=1)  # the whole tz database is walked for it
def _names() -> dict[str, str]:
    """Return the zones by what people write for them, in small letters: whole names, and cities."""
    zones = sorted(available_timezones())
    cities = {zone.rpartition("/")[2].lower(): zone for zone in zones}
    return cities | {zone.lower(): zone for zone in zones}


@lru_cache(maxsize=ZONES_MAX)  # a mistaken name is asked for more than once, and comparing it takes milliseconds
def _unknown_zone(shown: str) -> str:
    near = get_close_matches(shown.lower(), _names(), n=1)
    hint = f"did you mean {_names()[near[0]]}?" if near else "write one like Europe/Prague"
    return f"time zone {shown!r} is unknown: {hint}"


def find_zone(name: str, dst: bool = True) -> Zone:
    """Return the shared zone of that name.

    Args:
        name: a key of the tz database, such as `Europe/Prague`.
        dst: False for standard time all the year (S4.5).

    Raises:
        InvalidTrigger: there is no such zone; the message suggests the nearest.
    """
    if not isinstance(name, str):
        raise InvalidTrigger(f"time zone {name!r} is no text: write one like Europe/Prague")
    return _shared_zone(name, dst)


def zone_name(name: str) -> str:
    """Return the shared text of a known zone's name, so that a million schedules keep it once.

    Raises:
        InvalidTrigger: there is no such zone.
    """
    return find_zone(name).name


_shared_zone = lru_cache(maxsize=ZONES_MAX)(Zone)


def _observed_changes(zone: Zone, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield (start, offset), then (instant, offset from then on) for every change of the clocks up to `end`."""
    before = zone.observed_offset(start)
    yield start, before
    for low in range(start, end, SAMPLE):
        after = zone.observed_offset(low + SAMPLE)
        if after != before:
            yield _moment_of_change(zone, low, before), after
            before = after


def _moment_of_change(zone: Zone, low: int, before: int) -> int:
    """Return the first second after `low`, within one sample, at which the offset is no longer `before`."""
    seconds = range(low, low + SAMPLE, SECOND)
    return low + SECOND * bisect_left(seconds, True, key=lambda at: zone.observed_offset(at) != before)


def _standard_changes(zone: Zone, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the same without daylight saving: clocks are put right only at midnight of a new year."""
    first, last = (as_datetime(min(max(at, EARLIEST), LATEST)).year for at in (start, end))
    years = range(max(first - 1, 1), min(last + 1, 9999) + 1)
    turns = [(_new_year(year) - zone.standard_offset(year - 1), zone.standard_offset(year)) for year in years]
    before = next((offset for at, offset in reversed(turns) if at <= start), turns[0][1])
    yield start, before
    for at, after in turns:
        if start < at <= end and after != before:
            yield at, after
            before = after


def _new_year(year: int) -> int:
    return (date(year, 1, 1) - date(1970, 1, 1)).days * DAY


@lru_cache(maxsize=ERAS_MAX)
def changes_around(zone: Zone, era: int) -> tuple[tuple[int, int], ...]:
    """Return (instant, offset from then on) for the start of an era's window and every change in it."""
    find = _observed_changes if zone.dst else _standard_changes
    return tuple(find(zone, era * ERA - MARGIN, (era + 1) * ERA + MARGIN))
