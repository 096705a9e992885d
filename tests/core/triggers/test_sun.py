"""The sun: against a search for the minute in which it crosses a height, and never a day lost or doubled."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from math import asin, atan2, cos, degrees, radians, sin
from zoneinfo import ZoneInfo

import attrs
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.oracles.scanning import stepped, stepped_back
from trioarm.core.errors import InvalidSchedule, InvalidTrigger
from trioarm.core.forms import Around, read_trigger, write_trigger
from trioarm.core.instants import DAY, EARLIEST, HOUR, LATEST, MINUTE, SECOND, as_datetime, instant, parse_instant
from trioarm.core.reading import Problems, Table
from trioarm.core.triggers import Sun

PRAGUE = (50.08, 14.43, "Europe/Prague")
FIRST, LAST = instant(datetime(1990, 1, 1, tzinfo=UTC)), instant(datetime(2037, 1, 1, tzinfo=UTC))
HEIGHTS = {"dawn": -6.0, "sunrise": -50 / 60, "sunset": -50 / 60, "dusk": -6.0}

moments = st.integers(FIRST // SECOND, LAST // SECOND).map(lambda second: second * SECOND)
longitudes = st.floats(-180, 180)


def sun_at(at: int, latitude: float, longitude: float) -> tuple[float, float]:
    """Height and hour angle of the sun in degrees, by the short formulas of the Astronomical Almanac."""
    days = at / DAY - 10_957.5  # since noon of 1 January 2000
    anomaly = radians(357.528 + 0.9856003 * days)
    ecliptic = radians(280.460 + 0.9856474 * days + 1.915 * sin(anomaly) + 0.020 * sin(2 * anomaly))
    tilt = radians(23.439 - 0.0000004 * days)
    ascension = degrees(atan2(cos(tilt) * sin(ecliptic), cos(ecliptic)))
    declination = asin(sin(tilt) * sin(ecliptic))
    sidereal = 280.46061837 + 360.98564736629 * days
    angle = (sidereal + longitude - ascension + 180) % 360 - 180
    height = sin(radians(latitude)) * sin(declination) + cos(radians(latitude)) * cos(declination) * cos(radians(angle))
    return degrees(asin(height)), angle


def crossings(event: str, latitude: float, longitude: float, start: int, end: int) -> Iterator[int]:
    """Every minute at whose end the sun has passed what the event is about."""
    low, angle = sun_at(start, latitude, longitude)
    for at in range(start + MINUTE, end + MINUTE, MINUTE):
        high, later = sun_at(at, latitude, longitude)
        match event:
            case "noon":
                passed = angle < 0 <= later < 90
            case "dawn" | "sunrise":
                passed = low < HEIGHTS[event] <= high
            case _:
                passed = low > HEIGHTS[event] >= high
        if passed:
            yield at
        low, angle = high, later


def year(number: int, zone: str) -> tuple[int, int]:
    """The first and the last microsecond of a local year, the first one not included."""
    new_years = [instant(datetime(each, 1, 1, tzinfo=ZoneInfo(zone))) for each in (number, number + 1)]
    return new_years[0] - 1, new_years[1] - 1


def local_dates(found: list[int], zone: str) -> list[date]:
    return [as_datetime(at).astimezone(ZoneInfo(zone)).date() for at in found]


@settings(max_examples=60, deadline=None)
@given(
    event=st.sampled_from(["dawn", "sunrise", "noon", "sunset", "dusk"]),
    latitude=st.floats(-60, 60),
    longitude=longitudes,
    start=moments,
)
def test_it_is_when_the_sun_is_seen_to_do_it(event: str, latitude: float, longitude: float, start: int) -> None:
    """Up to 60 degrees every crossing is an occurrence within two minutes, and the other way round."""
    assume(event in ("sunrise", "noon", "sunset") or abs(latitude) <= 55)  # near 60 the sun grazes 6 degrees
    trigger = Sun(event, latitude, longitude)
    slack = 2 * MINUTE
    seen = [*crossings(event, latitude, longitude, start, start + 2 * DAY)]
    found = stepped(trigger, start - slack, start + 2 * DAY + slack)
    for at in seen:
        assert any(abs(at - MINUTE // 2 - each) <= slack for each in found)
    for each in found:
        if start + slack < each < start + 2 * DAY - slack:
            assert any(abs(at - MINUTE // 2 - each) <= slack for at in seen)


@st.composite
def suns(draw: st.DrawFn) -> Sun:
    """Any trigger of the sun, at the poles and far from its zone too."""
    event = draw(st.sampled_from(["dawn", "sunrise", "noon", "sunset", "dusk"]))
    times = sorted(draw(st.lists(st.sampled_from(["00:00", "02:30", "06:30", "17:00", "22:00"]), max_size=2)))
    return Sun(
        event,
        draw(st.floats(-90, 90)),
        draw(longitudes),
        draw(st.sampled_from(["UTC", "Europe/Prague", "Pacific/Apia", "Pacific/Kiritimati", "America/Santiago"])),
        offset_s=draw(st.integers(-86400, 86400)),
        earliest=times[0] if times else None,
        latest=times[1] if len(times) > 1 else None,
        depression=draw(st.sampled_from([0.5, 6, 18])) if event in ("dawn", "dusk") else 6,
        dst=draw(st.booleans()),
    )


@settings(max_examples=60, deadline=None)
@given(trigger=suns(), start=moments, days=st.integers(0, 40))
def test_all_ways_of_asking_agree(trigger: Sun, start: int, days: int) -> None:
    """Forwards, backwards and counted there are the same occurrences, each once, one for a day."""
    end = start + days * DAY
    found = stepped(trigger, start, end)
    assert stepped_back(trigger, start, end) == found
    assert trigger.count(start, end) == len(found) <= days + 3
    following, preceding = trigger.next_after(end), trigger.previous_before(start)
    assert following is not None
    assert preceding is not None
    assert trigger.count(end, following) == trigger.count(preceding - 1, preceding) == 1
    assert trigger.previous_before(following + 1) == following
    assert trigger.next_after(preceding - 1) == preceding


@settings(max_examples=100, deadline=None)
@given(trigger=suns(), offset_us=st.integers(-DAY, DAY))
def test_what_is_written_is_read_back(trigger: Sun, offset_us: int) -> None:
    """Whatever the numbers are, to the last digit."""
    moved = attrs.evolve(trigger, offset_s=offset_us / SECOND)
    problems = Problems(lambda lines: InvalidSchedule("\n".join(lines)))
    assert (read_trigger(Table(write_trigger(moved), "", problems), Around()), problems.lines) == (moved, [])


@settings(max_examples=40, deadline=None)
@given(trigger=suns(), start=moments)
def test_clamps_hold(trigger: Sun, start: int) -> None:
    """Nothing happens before the earliest or after the latest time of day, daylight saving or not."""
    least, most = (None if time is None else clock(time) for time in (trigger.earliest, trigger.latest))
    assume(least is not None and most is not None)
    for at in stepped(trigger, start, start + 5 * DAY):
        meant = (trigger.zone.to_local(at) + trigger.shift_at(at)) % DAY
        assert (least or 0) <= meant <= (most or 0)


def clock(time: str) -> int:
    hour, minute = map(int, time.split(":"))
    return hour * HOUR + minute * MINUTE


@pytest.mark.parametrize(
    ("place", "zone"),
    [
        ((-18.14, 178.44), "Pacific/Fiji"),
        ((1.87, -157.4), "Pacific/Kiritimati"),
        ((-13.83, -171.77), "Pacific/Apia"),
        ((8.72, 167.73), "Pacific/Kwajalein"),
        ((23.81, 90.41), "Asia/Dhaka"),
        ((50.08, 14.43), "Europe/Prague"),
        ((51.88, -176.65), "America/Adak"),
    ],
)
@pytest.mark.parametrize("event", ["dawn", "sunrise", "noon", "sunset", "dusk"])
def test_every_local_day_has_one(event: str, place: tuple[float, float], zone: str) -> None:
    """Wherever midnight UTC and the date line are, and whatever days clocks leave out, each day has its sun once."""
    for number in (1993, 2011, 2026):
        start, end = year(number, zone)
        found = local_dates(stepped(Sun(event, *place, zone), start, end), zone)
        hours = range(start + 1, end, HOUR)
        assert found == sorted({as_datetime(at).astimezone(ZoneInfo(zone)).date() for at in hours})


def test_a_day_that_clocks_repeat_has_one_sun() -> None:
    """Kwajalein had 30 September 1969 twice, having put its clocks back by 23 hours."""
    start = instant(datetime(1969, 9, 25, tzinfo=UTC))
    found = local_dates(stepped(Sun("noon", 8.72, 167.73, "Pacific/Kwajalein"), start, start + 10 * DAY), "UTC")
    shown = local_dates(
        stepped(Sun("noon", 8.72, 167.73, "Pacific/Kwajalein"), start, start + 10 * DAY), "Pacific/Kwajalein"
    )
    assert len(found) == len(set(shown)) == 9


@pytest.mark.parametrize(
    "trigger",
    [
        Sun("sunset", *PRAGUE, offset_s=3 * 3600),
        Sun("sunset", *PRAGUE, offset_s=7.5 * 3600),
        Sun("sunrise", *PRAGUE, offset_s=-6 * 3600),
        Sun("dusk", 51.5, -0.12, "Europe/London", depression=14),
        Sun("sunset", 64.15, -21.94, "Atlantic/Reykjavik"),
    ],
    ids=Sun.describe,
)
def test_the_sun_moves_past_midnight(trigger: Sun) -> None:
    """On the days when event or offset crosses midnight, either way, no evening is left out and none comes twice."""
    start, end = year(2026, trigger.timezone)
    found = stepped(trigger, start, end)
    gaps = [later - at for at, later in pairwise(found)]
    assert 22 * HOUR < min(gaps) <= max(gaps) < 26 * HOUR
    assert round((found[-1] - found[0]) / DAY) == len(found) - 1
    hours = {as_datetime(at).astimezone(ZoneInfo(trigger.timezone)).hour for at in found}
    assert {0, 23} <= hours  # it does cross


def test_an_evening_ends_after_midnight() -> None:
    """In Reykjavik in June the sun sets after midnight: "not after 22:00" is that evening, not the next one."""
    sunset = Sun("sunset", 64.15, -21.94, "Atlantic/Reykjavik")
    noon = parse_instant("2026-06-21T13:00:00Z")
    assert (
        parse_instant("2026-06-22T00:00:00Z") < (sunset.next_after(noon) or 0) < parse_instant("2026-06-22T00:10:00Z")
    )
    clamped = Sun("sunset", 64.15, -21.94, "Atlantic/Reykjavik", earliest="20:00", latest="22:00")
    assert clamped.next_after(noon) == parse_instant("2026-06-21T22:00:00Z")


def test_polar_days_and_nights_have_nothing() -> None:
    """Tromso has no sunrise and no sunset in high summer and midwinter, but noon, and dawns in midwinter (S4.2)."""
    place = (69.65, 18.96, "Europe/Oslo")
    summer = (parse_instant("2026-05-21T12:00:00Z"), parse_instant("2026-07-20T12:00:00Z"))
    winter = (parse_instant("2026-11-30T12:00:00Z"), parse_instant("2027-01-12T12:00:00Z"))
    for event in ("sunrise", "sunset"):
        sun = Sun(event, *place)
        assert [sun.count(*summer), sun.count(*winter)] == [0, 0]
        assert 62 * DAY < (sun.next_after(summer[0]) or 0) - (sun.previous_before(summer[0]) or 0) < 75 * DAY
        assert 45 * DAY < (sun.next_after(winter[0]) or 0) - (sun.previous_before(winter[0]) or 0) < 60 * DAY
    assert [Sun("noon", *place).count(*span) for span in (summer, winter)] == [60, 43]
    assert [Sun("dawn", *place).count(*span) for span in (summer, winter)] == [0, 43]


@pytest.mark.parametrize("latitude", [90, -90, 89.7])
def test_at_a_pole_the_sun_sets_within_the_year(latitude: float) -> None:
    """Half a year of day is passed over, and what comes once or twice a year is found."""
    for event in ("dawn", "sunrise", "noon", "sunset", "dusk"):
        at = instant(datetime(2000, 1, 1, tzinfo=UTC))
        for _ in range(30):
            following = Sun(event, latitude, 0).next_after(at)
            assert following is not None
            assert following - at < 300 * DAY
            at = following


def test_who_stands_higher_sees_it_longer() -> None:
    """From 1600 m the horizon lies 1.3 degrees deeper: the sun sets minutes later and rises minutes earlier."""
    at = instant(datetime(2026, 3, 20, tzinfo=UTC))
    for event, sign in (("sunset", 1), ("sunrise", -1)):
        low, high = (Sun(event, *PRAGUE, elevation_m=metres).next_after(at) or 0 for metres in (0, 1600))
        assert 7 * MINUTE < sign * (high - low) < 10 * MINUTE


def test_a_clamp_in_a_gap_runs_after_it() -> None:
    """On 29 March 2026 there was no 02:30 in Prague: what must not run before it runs at 03:00 (S4.3, S4.4)."""
    sun = Sun("sunrise", *PRAGUE, offset_s=-5 * 3600, earliest="02:30")
    gap = parse_instant("2026-03-29T01:00:00Z")
    assert sun.next_after(gap - HOUR) == gap
    assert (sun.shift_at(gap), sun.shift_at(gap + 1)) == (-30 * MINUTE, 0)
    assert Sun("sunrise", *PRAGUE, offset_s=-5 * 3600, earliest="02:30", dst=False).next_after(gap - HOUR) == (
        gap + 30 * MINUTE
    )
    late = Sun("noon", *PRAGUE, latest="02:30")
    assert (late.next_after(gap - HOUR), late.shift_at(gap)) == (gap, -30 * MINUTE)


def test_it_ends_with_time() -> None:
    """Nothing follows the year 9999, nothing precedes the year 1, and no instant is too far off to ask about."""
    sun = Sun("sunset", *PRAGUE, offset_s=-60, earliest="12:00")
    first, last = sun.next_after(-(10**30)), sun.previous_before(10**30)
    assert first is not None
    assert last is not None
    assert EARLIEST <= first < EARLIEST + DAY
    assert LATEST - DAY < last <= LATEST
    assert (sun.previous_before(first), sun.next_after(last)) == (None, None)
    assert (sun.previous_before(EARLIEST), sun.next_after(LATEST)) == (None, None)
    assert (sun.count(5, 4), sun.count(last - 1, 10**30), sun.count(-(10**30), first)) == (0, 1, 1)
    early = Sun("sunrise", *PRAGUE, offset_s=-86400)
    assert (early.next_after(early.previous_before(10**30) or 0), early.previous_before(EARLIEST + 1)) == (None, None)
    late = Sun("sunset", *PRAGUE, offset_s=86400)
    assert (late.next_after(LATEST - 1), late.previous_before(late.next_after(-(10**30)) or 0)) == (None, None)


@pytest.mark.parametrize(
    ("sun", "words"),
    [
        (
            Sun("sunset", *PRAGUE, offset_s=-1800, latest="22:00"),
            "30 min before sunset at 50.08, 14.43, not after 22:00, in Europe/Prague",
        ),
        (Sun("noon", -18, 178), "noon at -18, 178 in UTC"),
        (
            Sun("sunrise", 1, 2, offset_s=90, elevation_m=235, earliest="6:30", latest="08:00"),
            "1 min 30 s after sunrise at 1, 2 and 235 m up, not before 06:30, not after 08:00, in UTC",
        ),
        (
            Sun("dusk", *PRAGUE, depression=18, dst=False),
            "dusk 18 degrees deep at 50.08, 14.43 in Europe/Prague without daylight saving",
        ),
    ],
)
def test_it_says_what_it_is(sun: Sun, words: str) -> None:
    """In words, whole."""
    assert sun.describe() == words


def test_equal_suns_are_equal() -> None:
    """However they are written."""
    assert Sun("noon", 0, 0.0) == Sun("noon", -0.0, -0.0)
    assert hash(Sun("dusk", 1, 2, latest="6:30")) == hash(Sun("dusk", 1.0, 2.0, "UTC", latest="06:30:00"))
    assert Sun("noon", 0, 0) == Sun("noon", 0, 0, offset_s=1e-7) != Sun("noon", 0, 0, offset_s=1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Sun("sunst", 1, 2), 'sun "sunst" is unknown: write dawn, sunrise, noon, sunset, dusk'),
        (lambda: Sun([], 1, 2), "sun a list is unknown"),  # type: ignore[arg-type]
        (lambda: Sun("noon", 90.1, 2), "latitude 90.1 is no number from -90 to 90"),
        (lambda: Sun("noon", float("nan"), 2), "latitude nan is no number"),
        (lambda: Sun("noon", True, 2), "latitude true is no number"),
        (lambda: Sun("noon", "5", 2), 'latitude "5" is no number'),  # type: ignore[arg-type]
        (lambda: Sun("noon", 10**5000, 2), "latitude that number is no number"),
        (lambda: Sun("noon", 1, -180.5), "longitude -180.5 is no number from -180 to 180"),
        (lambda: Sun("noon", 1, float("inf")), "longitude inf is no number"),
        (lambda: Sun("sunset", 1, 2, elevation_m=-1), "elevation -1 is no number from 0 to 9000"),
        (lambda: Sun("noon", 1, 2, elevation_m=5), "elevation moves the horizon of sunrise and sunset: noon does not"),
        (lambda: Sun("dusk", 1, 2, depression=19), "depression 19 is no number from 0 to 18"),
        (lambda: Sun("dusk", 1, 2, depression=0), "depression 0 is the horizon itself: write sunrise or sunset"),
        (lambda: Sun("noon", 1, 2, depression=12), "depression says how deep the sun stands at dawn and dusk"),
        (lambda: Sun("noon", 1, 2, offset_s=86401), "offset 86401 is no number of seconds up to a day"),
        (lambda: Sun("noon", 1, 2, offset_s=float("nan")), "offset nan is no number of seconds up to a day"),
        (lambda: Sun("noon", 1, 2, offset_s=10**5000), "offset that number is no number of seconds"),
        (lambda: Sun("noon", 1, 2, latest="25:00"), "'25:00' is no time of day"),
        (lambda: Sun("noon", 1, 2, latest=""), "'' is no time of day"),
        (lambda: Sun("noon", 1, 2, earliest=5), "5 is no time of day"),  # type: ignore[arg-type]
        (lambda: Sun("noon", 1, 2, earliest="22:00", latest="6:30"), "earliest 22:00 is after latest 06:30"),
        (lambda: Sun("noon", 1, 2, "Europe/Prag"), "did you mean Europe/Prague"),
    ],
)
def test_what_is_no_sun_is_refused(make: object, message: str) -> None:
    """One line says why."""
    with pytest.raises(InvalidTrigger) as caught:
        make()  # type: ignore[operator]
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node without the extra refuses the trigger in one line, and only that trigger."""
    monkeypatch.setitem(sys.modules, "astral", None)
    with pytest.raises(InvalidTrigger) as caught:
        Sun("noon", 1, 2)
    assert str(caught.value) == "sun needs the library astral: pip install 'trioarm[calendar]'"


def test_midsummer_is_where_the_almanac_has_it() -> None:
    """Prague's printed times of 21 June 2026: sunrise 04:51 or 04:52, sunset 21:15 or 21:16."""
    day = datetime(2026, 6, 21, tzinfo=ZoneInfo("Europe/Prague"))
    for event, clock in (("sunrise", timedelta(hours=4, minutes=52)), ("sunset", timedelta(hours=21, minutes=16))):
        found = Sun(event, *PRAGUE).next_after(instant(day))
        assert abs((found or 0) - instant(day + clock)) <= 2 * MINUTE
