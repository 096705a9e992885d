"""ICS texts for tests."""

from __future__ import annotations

from collections.abc import Iterable

from trioarm.core.instants import parse_instant, render_instant
from trioarm.core.triggers.calendar import Events
from trioarm.feeds.ics import Asked, read_calendar

NOW = parse_instant("2026-03-01T12:00:00Z")
ASKED = Asked.around("school", "Europe/Prague", NOW)  # from 30 January 2026 to 5 April 2027


def calendar(*events: Iterable[str], zones: Iterable[str] = ()) -> str:
    """Return the text of a calendar whose events have these lines."""
    lines = [line for event in events for line in ("BEGIN:VEVENT", *event, "END:VEVENT")]
    return "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", *zones, *lines, "END:VCALENDAR", ""])


def read(text: str | bytes, asked: Asked = ASKED) -> Events:
    """Return the events of a text."""
    return read_calendar(text, asked)


def times(text: str | bytes, asked: Asked = ASKED) -> list[str]:
    """Return the events of a text as `start/end`, without seconds."""
    spans = read(text, asked).spans
    return ["/".join(render_instant(at).removesuffix(":00Z") for at in span) for span in spans]


CUSTOM = (
    "BEGIN:VTIMEZONE",
    "TZID:Our Own Time",
    "X-LIC-LOCATION:Nowhere/At_All",
    "BEGIN:STANDARD",
    "TZNAME:OWN",
    "DTSTART:16010101T030000",
    "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10",
    "TZOFFSETFROM:+0230",
    "TZOFFSETTO:+0130",
    "END:STANDARD",
    "BEGIN:DAYLIGHT",
    "DTSTART;VALUE=DATE-TIME:16010101T020000",
    "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3",
    "TZOFFSETFROM:+0130",
    "TZOFFSETTO:+0230",
    "END:DAYLIGHT",
    "END:VTIMEZONE",
)
