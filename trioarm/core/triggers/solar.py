"""Solar: when the sun rises, stands highest and sets at a place, one solar day at a time.

A solar day is counted from 1970 and lasts from midnight to midnight of mean solar time at its longitude: it has one
noon, in its middle, a morning before and an evening after. That is why an event belongs to one day and no day has two,
wherever midnight UTC or a clock on the wall lies. The formulas are those of `astral`. Its own answers by UTC date are
not used: from 60 to 120 degrees east sunrises slip over midnight UTC, and on the day they do it leaves one out.
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from importlib import import_module
from math import degrees
from typing import Final

import attrs

from trioarm.core.errors import InvalidTrigger
from trioarm.core.instants import DAY, SECOND

EVENTS_KEPT_MAX: Final = 4096  # events that are kept, 200 bytes each: eleven years of one place, or a week of most
LATITUDE_MAX: Final = 89.5  # nearer to a pole the sun crosses the horizon within a day of half a year, and of no hour
ROUNDS: Final = 4  # each moves the event by a tenth of the one before, except next to a polar day or night
HORIZON: Final = 90 + 50 / 60  # degrees from the zenith: half the sun's width, and what the air lifts it by

_DAY_S: Final = DAY // SECOND
_JULIAN_1970: Final = 2_440_587.5  # days


class SunEvent(StrEnum):
    """What the sun does once a day."""

    DAWN = "dawn"
    SUNRISE = "sunrise"
    NOON = "noon"
    SUNSET = "sunset"
    DUSK = "dusk"

    @property
    def is_twilight(self) -> bool:
        """Whether it depends on how deep the sun stands below the horizon."""
        return self in (SunEvent.DAWN, SunEvent.DUSK)

    @property
    def is_morning(self) -> bool:
        """Whether it comes before noon."""
        return self in (SunEvent.DAWN, SunEvent.SUNRISE)


@attrs.frozen(slots=True, cache_hash=True, weakref_slot=False)
class Sky:
    """An event and the place it is seen from.

    Args:
        event: which.
        latitude: degrees, north positive.
        longitude: degrees, east positive.
        elevation_m: metres above the horizon, which lies deeper for who stands higher.
        depression: degrees of the sun below the horizon at dawn and dusk.
    """

    event: SunEvent
    latitude: float
    longitude: float
    elevation_m: float
    depression: float


def need_astral() -> None:
    """Make sure that the formulas are there.

    Raises:
        InvalidTrigger: the library is not installed.
    """
    try:
        import_module("astral")
    except ImportError:
        raise InvalidTrigger("sun needs the library astral: pip install 'trioarm[calendar]'") from None


def solar_day(sky: Sky, instant: int) -> int:
    """Return the solar day of an instant."""
    return (instant + _lead_s(sky) * SECOND) // DAY


def mean_noon(sky: Sky, day: int) -> int:
    """Return the middle of a solar day; the sun stands highest at most 17 minutes from it."""
    return _mean_noon_s(sky, day) * SECOND


@lru_cache(maxsize=EVENTS_KEPT_MAX)
def event_of(sky: Sky, day: int) -> int | None:
    """Return the instant of a solar day's event, never twelve hours and a half from its noon; None on a polar day or
    night.

    It is rounded to whole seconds: the formulas are good for a minute, and the instant names an occurrence, so the last
    digit of one machine's arithmetic must not tell it from another's.
    """
    from astral import SunDirection
    from astral.sun import adjust_to_horizon, eq_of_time, hour_angle, sun_declination

    noon_s = _mean_noon_s(sky, day)
    latitude = max(-LATITUDE_MAX, min(LATITUDE_MAX, sky.latitude))
    zenith = 90 + sky.depression if sky.event.is_twilight else HORIZON + adjust_to_horizon(sky.elevation_m)
    direction = SunDirection.RISING if sky.event.is_morning else SunDirection.SETTING
    after_noon_s = 0.0
    for _ in range(ROUNDS):
        century = _julian_century(noon_s + after_noon_s)
        angle = 0.0
        if sky.event is not SunEvent.NOON:
            try:
                angle = degrees(hour_angle(latitude, sun_declination(century), zenith, direction))
            except ValueError:  # the sun stays above, or below
                return None
        after_noon_s = -60 * (eq_of_time(century) + 4 * angle)
    return (noon_s + round(after_noon_s)) * SECOND


def _lead_s(sky: Sky) -> int:
    """Return how far mean solar time is ahead of UTC, in seconds."""
    return round(sky.longitude * _DAY_S / 360)


def _mean_noon_s(sky: Sky, day: int) -> int:
    return day * _DAY_S + _DAY_S // 2 - _lead_s(sky)


def _julian_century(at_s: float) -> float:
    from astral.julian import julianday_to_juliancentury

    return julianday_to_juliancentury(_JULIAN_1970 + at_s / _DAY_S)
