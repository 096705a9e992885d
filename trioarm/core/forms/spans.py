"""Forms of spans: `days`, by which a trigger is limited or kept out, as a member of `intersect` or `exclude`.

Days of the week are a list; those of a calendar are a word, beside the keys of the calendar or the name of one. What is
written back has the calendar and not its name, so that a stored schedule can be read without the file.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import Final

from trioarm.core.errors import InvalidSchedule
from trioarm.core.forms.day_calendars import KEYS, read_calendar, write_calendar
from trioarm.core.forms.family import Around, Form, texts, zone
from trioarm.core.reading import WORD_MAX, Table, show, suggest, text
from trioarm.core.triggers.day_calendars import CalendarDays, DayCalendar, DayKind, calendar_spans
from trioarm.core.triggers.spans import DaySpans, Spans
from trioarm.core.triggers.timetable import Days
from trioarm.core.triggers.weekly import weekday_names, weekdays
from trioarm.core.triggers.wording import spell_weekdays

KEY: Final = "days"


def is_spans(table: Table) -> bool:
    """Return whether a table is one of days, and none of a trigger."""
    return any(key in table for key in (KEY, "dates", "country"))


def read_spans(table: Table, around: Around) -> Spans | None:
    """Read the days of a table that its caller closes, such as `{ days = ["sat", "sun"] }`."""
    timezone = table.take("timezone", zone, around.timezone)
    only_dates = not any(key in table for key in (KEY, "country", "calendar"))
    days = DayKind.HOLIDAY if only_dates else table.need(KEY, _days, f"say which: {', '.join(DayKind)}")
    if isinstance(days, DayKind):
        calendar = _read_calendar(table, days, around)
        return None if calendar is None else calendar_spans(days, calendar, timezone)
    if days is None:
        table.knows(*KEYS, "calendar")
        return None
    for key in (*KEYS, "calendar"):
        table.refuse(key, f"stands beside days of the week: leave it out, or write one of {', '.join(DayKind)} as days")
    return on_weekdays(days, timezone)


def on_weekdays(names: list[str], timezone: str) -> DaySpans:
    """Return the spans of some days of the week."""
    days = weekdays(names)
    return DaySpans(Days(weekdays=days), timezone, words=spell_weekdays(days))


def write_spans(spans: Spans) -> Form:
    """Return the form that `read_spans` reads back as equal spans.

    Raises:
        InvalidSchedule: they are none of ours.
    """
    match spans:
        case DaySpans(Days() as days, timezone):
            return {KEY: [*weekday_names(days.weekdays)], "timezone": timezone}
        case DaySpans(CalendarDays(kind, calendar), timezone):
            return {KEY: kind.value, **write_calendar(calendar), "timezone": timezone}
        case _:
            raise InvalidSchedule(f"a {type(spans).__name__} cannot be written down")


def _read_calendar(table: Table, kind: DayKind, around: Around) -> DayCalendar | None:
    """Read the calendar of days: that of a name, or what the table says itself."""
    if kind.of_holidays:
        table.refuse("weekdays", f"a {kind} is one whatever weekdays are worked: leave it out")
    if "calendar" not in table:
        table.knows("calendar")
        return read_calendar(table)
    for key in KEYS:
        table.refuse(key, "stands beside a calendar, which says it already: give one of the two")
    return table.take("calendar", lambda value: _named(text(value), around), None)


def _named(name: str, around: Around) -> DayCalendar:
    if name in around.calendars:
        return around.calendars[name]
    if name in around.feeds:
        raise ValueError(f'calendar {show(name)} has events, not days: write {{ during = "{name}" }}')
    raise ValueError(f"there is no calendar {show(name)}{suggest(name, around.calendars)}")


def _days(value: object) -> DayKind | list[str]:
    if isinstance(value, str):
        if value in [*DayKind]:
            return DayKind(value)
        near = get_close_matches(value, [*DayKind], n=1) if len(value) <= WORD_MAX else []
        if near:
            raise ValueError(f"{show(value)} are no days; did you mean {near[0]}?")
    names = texts(value)
    weekdays(names)
    return names
