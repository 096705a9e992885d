"""Forms of the sun: `sun = "sunset"`, or a table with its place, offset and clamps."""

from __future__ import annotations

from typing import Final

from trioarm.core.forms.family import Around, Form, ReadTrigger, zone
from trioarm.core.instants import render_duration
from trioarm.core.reading import Table, flag, number, seconds, show, text
from trioarm.core.triggers import Sun, Trigger
from trioarm.core.triggers.daytimes import time_of_day
from trioarm.core.triggers.solar import SunEvent
from trioarm.core.triggers.sun import CIVIL_TWILIGHT, OFFSET_S_MAX, sun_event, to_latitude, to_longitude

_NOWHERE: Final = "latitude = 50.08 and longitude = 14.43"


def _read_sun(table: Table, key: str, around: Around) -> Sun | None:
    for policy in ("gap", "fold"):
        table.refuse(policy, f"the sun knows no {policy}: leave it out")
    before = len(table.problems.lines)
    timezone = table.take("timezone", zone, around.timezone)
    dst = table.take("dst", flag, around.dst)
    if isinstance(table.tree[key], str):
        sun = Table({"event": table.tree[key]}, table.path, table.problems)
        event = table.take(key, _event, None)
    else:
        found = table.table(key)
        if found is None:
            return None
        sun = found
        event = sun.need("event", _event, 'write it like event = "sunset"')
    place = _read_place(sun, table.at(key), around)
    values = {
        "offset_s": sun.take("offset", _offset, 0.0),
        "elevation_m": sun.take("elevation", number, 0.0),
        "depression": sun.take("depression", number, CIVIL_TWILIGHT),
    }
    earliest = sun.take("earliest", _time, None)
    latest = sun.take("latest", _time, None)
    sun.knows("event")
    sun.close()
    if event is None or place is None or len(table.problems.lines) > before:
        return None
    return table.take(
        key, lambda _: Sun(event, *place, timezone, **values, earliest=earliest, latest=latest, dst=dst), None
    )


def _read_place(sun: Table, path: str, around: Around) -> tuple[float, float] | None:
    """Read where the sun is seen from: both coordinates from one source, never one from each."""
    latitude = sun.take("latitude", lambda value: to_latitude(number(value)), None)
    longitude = sun.take("longitude", lambda value: to_longitude(number(value)), None)
    given = [key for key in ("latitude", "longitude") if key in sun]
    if len(given) == 1:
        sun.problems.add(path, f"has only {given[0]}: a place is {_NOWHERE}")
    elif not given:
        latitude, longitude = around.latitude, around.longitude
        if latitude is None or longitude is None:
            sun.problems.add(path, f"is seen from nowhere: give {_NOWHERE} here, or to the site")
    return None if latitude is None or longitude is None else (latitude, longitude)


def _event(value: object) -> SunEvent:
    return sun_event(text(value))


def _time(value: object) -> str:
    return time_of_day(text(value))


def _offset(value: object) -> float:
    """Read seconds, or a duration that may have a sign."""
    signed = isinstance(value, str) and value[:1] in ("-", "+")
    sign = -1 if signed and str(value)[0] == "-" else 1
    found = sign * seconds(str(value)[1:] if signed else value)
    if abs(found) <= OFFSET_S_MAX:
        return found
    raise ValueError(f"{show(value)} is more than a day before or after the event")


READERS: Final[dict[str, ReadTrigger]] = {"sun": _read_sun}


def write(trigger: Trigger) -> Form | None:
    """Return the form of a trigger of this family; None of another."""
    if not isinstance(trigger, Sun):
        return None
    sun: Form = {"event": trigger.event.value, "latitude": trigger.latitude, "longitude": trigger.longitude}
    if trigger.offset_s:
        sun["offset"] = render_duration(trigger.offset_s)
    if trigger.elevation_m:
        sun["elevation"] = trigger.elevation_m
    if trigger.depression != CIVIL_TWILIGHT:
        sun["depression"] = trigger.depression
    for key, time in (("earliest", trigger.earliest), ("latest", trigger.latest)):
        if time is not None:
            sun[key] = time
    return {"sun": sun, "timezone": trigger.timezone, **({} if trigger.dst else {"dst": False})}
