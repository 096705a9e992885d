"""Sun: dawn, sunrise, noon, sunset and dusk at a place, moved by an offset and held within times of day (S4.2).

An occurrence belongs to the local day on which the noon of its solar day lies, wherever its offset carries it and even
where dusk falls after midnight (S4.7). So no day is lost or doubled when the sun moves past midnight, and "not after
22:00" means that evening. A polar day or night yields nothing. The formulas are `solar`'s, local times `civil`'s.
"""

from __future__ import annotations

from typing import Final

import attrs

from trioarm.core.errors import InvalidTrigger
from trioarm.core.instants import DAY, EARLIEST, LATEST, SECOND, microseconds
from trioarm.core.reading import show
from trioarm.core.triggers.civil import Fold, Gap, Timeline, find_timeline
from trioarm.core.triggers.daytimes import time_of_day
from trioarm.core.triggers.solar import Sky, SunEvent, event_of, mean_noon, need_astral, solar_day
from trioarm.core.triggers.wording import spell_duration
from trioarm.core.triggers.zones import Zone, zone_name

LATITUDE_BOUND: Final = 90.0  # degrees
LONGITUDE_BOUND: Final = 180.0
ELEVATION_M_MAX: Final = 9000.0  # nobody lives higher
DEPRESSION_MAX: Final = 18.0  # degrees, of astronomical twilight: the night gets no darker
OFFSET_S_MAX: Final = 86400.0  # a day: beyond it another day's sun is meant
DAYS_MAX: Final = 400  # looked through for an event: next to a pole 290 days pass without dusk
REACH: Final = 3  # days between an occurrence and the noon it belongs to, at most: twelve hours, offset, and to spare

CIVIL_TWILIGHT: Final = 6.0  # degrees


def sun_event(value: str) -> SunEvent:
    """Turn `dawn`, `sunrise`, `noon`, `sunset` or `dusk` into a `SunEvent`.

    Raises:
        InvalidTrigger: it is none of them.
    """
    try:
        return SunEvent(value)
    except ValueError:
        raise InvalidTrigger(f"sun {show(value)} is unknown: write {', '.join(SunEvent)}") from None


def to_latitude(value: float) -> float:
    """Return degrees north.

    Raises:
        InvalidTrigger: it is no number from -90 to 90.
    """
    return _within("latitude", value, -LATITUDE_BOUND, LATITUDE_BOUND)


def to_longitude(value: float) -> float:
    """Return degrees east.

    Raises:
        InvalidTrigger: it is no number from -180 to 180.
    """
    return _within("longitude", value, -LONGITUDE_BOUND, LONGITUDE_BOUND)


def _to_elevation(value: float) -> float:
    return _within("elevation", value, 0, ELEVATION_M_MAX)


def _within(name: str, value: float, least: float, most: float) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and least <= value <= most:  # NaN is not between anything
        return float(value) + 0.0  # a zero without a sign
    raise InvalidTrigger(f"{name} {show(value)} is no number from {least:g} to {most:g}")


def _to_offset(value: float) -> float:
    if isinstance(value, int | float) and abs(value) <= OFFSET_S_MAX:
        return microseconds(value) / SECOND  # whole ones, so that what is written as text is read back as equal
    raise InvalidTrigger(f"offset {show(value)} is no number of seconds up to a day before or after")


def _to_depression(value: float) -> float:
    found = _within("depression", value, 0, DEPRESSION_MAX)
    if found:
        return found
    raise InvalidTrigger("depression 0 is the horizon itself: write sunrise or sunset")


def _to_clamp(value: str | None) -> str | None:
    if value is None or isinstance(value, str):
        return None if value is None else time_of_day(value)
    raise InvalidTrigger(f"{show(value)} is no time of day: write it like 22:30 or 22:30:15")


@attrs.frozen(slots=True, weakref_slot=False)
class Sun:
    """What the sun does at a place each day (S4.2).

    Args:
        event: `dawn`, `sunrise`, `noon`, `sunset` or `dusk`.
        latitude: degrees, north positive.
        longitude: degrees, east positive.
        timezone: a key of the tz database: where days begin and what `earliest` and `latest` are times of.
        offset_s: seconds after the event, or before it where negative; at most a day.
        elevation_m: metres from which the horizon is seen, 0 to 9000: only sunrise and sunset depend on it.
        earliest: no occurrence before this time of its day, such as `06:30`.
        latest: no occurrence after this time of its day.
        depression: degrees of the sun below the horizon, up to 18: only dawn and dusk depend on it.
        dst: False for standard time all the year (S4.5).

    Raises:
        InvalidTrigger: a value is not understood or outside its bounds, or the library astral is not installed.
    """

    event: SunEvent = attrs.field(converter=sun_event)
    latitude: float = attrs.field(converter=to_latitude)
    longitude: float = attrs.field(converter=to_longitude)
    timezone: str = attrs.field(default="UTC", converter=zone_name)
    offset_s: float = attrs.field(default=0.0, converter=_to_offset, kw_only=True)
    elevation_m: float = attrs.field(default=0.0, converter=_to_elevation, kw_only=True)
    earliest: str | None = attrs.field(default=None, converter=_to_clamp, kw_only=True)
    latest: str | None = attrs.field(default=None, converter=_to_clamp, kw_only=True)
    depression: float = attrs.field(default=CIVIL_TWILIGHT, converter=_to_depression, kw_only=True)
    dst: bool = attrs.field(default=True, kw_only=True)
    _sky: Sky = attrs.field(init=False, eq=False, repr=False)
    _timeline: Timeline = attrs.field(init=False, eq=False, repr=False)

    @_sky.default
    def _look(self) -> Sky:
        need_astral()
        return Sky(self.event, self.latitude, self.longitude, self.elevation_m, self.depression)

    @_timeline.default
    def _place(self) -> Timeline:
        return find_timeline(self.timezone, self.dst, Gap.RUN_AFTER, Fold.FIRST)

    def __attrs_post_init__(self) -> None:
        if self.earliest and self.latest and self.earliest > self.latest:
            raise InvalidTrigger(f"earliest {self.earliest} is after latest {self.latest}: no time of day is between")
        if self.depression != CIVIL_TWILIGHT and not self.event.is_twilight:
            raise InvalidTrigger(f"depression says how deep the sun stands at dawn and dusk: {self.event} has none")
        if self.elevation_m and self.event not in (SunEvent.SUNRISE, SunEvent.SUNSET):
            raise InvalidTrigger(f"elevation moves the horizon of sunrise and sunset: {self.event} does not see it")

    @property
    def zone(self) -> Zone:
        """The zone its days begin in."""
        return self._timeline.zone

    def next_after(self, instant: int) -> int | None:
        """Return the first occurrence later than `instant`, in time linear in the days between (S4.1)."""
        after = max(instant, EARLIEST - 1)
        day = solar_day(self._sky, min(after, LATEST)) - REACH
        near = filter(None, map(self._occurrence, range(day, day + DAYS_MAX)))
        found = next((at for at, _ in near if at > after), None)
        return found if found is not None and found <= LATEST else None

    def previous_before(self, instant: int) -> int | None:
        """Return the last occurrence earlier than `instant`, in time linear in the days between (S4.1)."""
        before = min(instant, LATEST + 1)
        day = solar_day(self._sky, max(before, EARLIEST)) + REACH
        near = filter(None, map(self._occurrence, range(day, day - DAYS_MAX, -1)))
        found = next((at for at, _ in near if at < before), None)
        return found if found is not None and found >= EARLIEST else None

    def count(self, after: int, until: int) -> int:
        """Return how many occurrences lie in `(after, until]`, in time linear in the days between."""
        first, last = max(after, EARLIEST - 1), min(until, LATEST)
        days = range(solar_day(self._sky, first) - REACH, solar_day(self._sky, last) + REACH + 1)
        found = filter(None, map(self._occurrence, days))
        return sum(1 for at, _ in found if first < at <= last)

    def shift_at(self, instant: int) -> int:
        """Return nominal minus actual local time in microseconds: zero but where a gap takes a clamp (S4.4)."""
        day = solar_day(self._sky, instant)
        near = filter(None, map(self._occurrence, range(day - REACH, day + REACH + 1)))
        return next((shift for at, shift in near if at == instant), 0)

    def describe(self) -> str:
        """Return the rule in plain English, such as `30 min before sunset at 50.08, 14.43 in Europe/Prague`."""
        offset = microseconds(self.offset_s)
        words = f"{spell_duration(abs(offset))} {'before' if offset < 0 else 'after'} " if offset else ""
        words += self.event
        if self.depression != CIVIL_TWILIGHT:
            words += f" {self.depression:g} degrees deep"
        words += f" at {self.latitude:g}, {self.longitude:g}"
        if self.elevation_m:
            words += f" and {self.elevation_m:g} m up"
        clamps = [f", not {word} {time}" for word, time in (("before", self.earliest), ("after", self.latest)) if time]
        return f"{words}{''.join(clamps)}{',' if clamps else ''} {self._timeline.describe()}"

    def _occurrence(self, day: int) -> tuple[int, int] | None:
        """Return the occurrence of a solar day and its shift; None where there is none."""
        event_at = event_of(self._sky, day)
        if event_at is None:
            return None
        local_day = self._local_day(day)
        if local_day == self._local_day(day - 1):  # clocks went back by a day, and it has had its sun
            return None
        at, shift = event_at + microseconds(self.offset_s), 0
        if self.earliest is not None:
            start, start_shift = self._clamp(local_day, self.earliest)
            at, shift = (start, start_shift) if at < start else (at, shift)
        if self.latest is not None:
            end, end_shift = self._clamp(local_day, self.latest)
            at, shift = (end, end_shift) if at > end else (at, shift)
        return at, shift

    def _local_day(self, day: int) -> int:
        return self.zone.to_local(mean_noon(self._sky, day)) // DAY

    def _clamp(self, local_day: int, time: str) -> tuple[int, int]:
        hour, minute, second = (*map(int, time.split(":")), 0)[:3]
        local = local_day * DAY + ((hour * 60 + minute) * 60 + second) * SECOND
        at = self._timeline.resolve(local)[0]
        return at, local - self.zone.to_local(at)
