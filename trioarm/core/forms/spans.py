"""Forms of spans: `days`, by which a trigger is limited or kept out, as a member of `intersect` or `exclude`."""

from __future__ import annotations

from trioarm.core.errors import InvalidSchedule
from trioarm.core.forms.family import Around, Form, texts, zone
from trioarm.core.reading import Table
from trioarm.core.triggers.spans import DaySpans, Spans
from trioarm.core.triggers.timetable import Days
from trioarm.core.triggers.weekly import weekday_names, weekdays
from trioarm.core.triggers.wording import spell_weekdays

KEY = "days"


def read_spans(table: Table, around: Around) -> Spans | None:
    """Read the days of a table that its caller closes, such as `{ days = ["sat", "sun"] }`."""
    timezone = table.take("timezone", zone, around.timezone)
    return table.take(KEY, lambda value: on_weekdays(texts(value), timezone), None)


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
        case _:
            raise InvalidSchedule(f"a {type(spans).__name__} cannot be written down")
