"""Forms of calendars: the keys `country`, `subdivision`, `dates`, `weekdays`, `working`; in a section, or beside
`days`."""

from __future__ import annotations

from datetime import date, datetime
from typing import Final

from trioarm.core.errors import InvalidTrigger
from trioarm.core.forms.family import Form, texts
from trioarm.core.reading import Table, text
from trioarm.core.triggers.dates import own_dates
from trioarm.core.triggers.day_calendars import WORKED, DayCalendar
from trioarm.core.triggers.holidays import country_code, subdivision_code
from trioarm.core.triggers.weekly import weekday_names, weekdays

KEYS: Final = ("country", "subdivision", "dates", "weekdays", "working")


def read_calendar(table: Table) -> DayCalendar | None:
    """Read a calendar out of a table that its caller closes; None when it has problems, which the table keeps."""
    before = len(table.problems.lines)
    country = table.take("country", lambda value: country_code(text(value)), None)
    dates = table.take("dates", _dates, ())
    worked = table.take("weekdays", lambda value: weekday_names(weekdays(texts(value))), WORKED)
    working = table.take("working", _dates, ())
    subdivision = None
    if country is not None or "country" not in table:
        subdivision = table.take("subdivision", lambda value: _subdivision(country, text(value)), None)
    table.knows(*KEYS)
    if len(table.problems.lines) > before:
        return None
    try:
        return DayCalendar(country, subdivision=subdivision, dates=dates, weekdays=worked, working=working)
    except InvalidTrigger as error:
        table.problems.add(table.path, str(error))
        return None


def write_calendar(calendar: DayCalendar) -> Form:
    """Return the keys that `read_calendar` reads back as an equal calendar."""
    form: Form = {}
    if calendar.country is not None:
        form["country"] = calendar.country
    if calendar.subdivision is not None:
        form["subdivision"] = calendar.subdivision
    if calendar.dates:
        form["dates"] = [*calendar.dates]
    if calendar.weekdays != WORKED:
        form["weekdays"] = [*calendar.weekdays]
    if calendar.working:
        form["working"] = [*calendar.working]
    return form


def _subdivision(country: str | None, name: str) -> str:
    if country is None:
        raise ValueError('is a part of no country: say which, like country = "DE"')
    return subdivision_code(country, name)


def _dates(value: object) -> tuple[str, ...]:
    """Read dates: one or several, as text or, where they have a year, as TOML writes them."""
    listed = value if isinstance(value, list | tuple) else [value]
    return own_dates([_date(item) for item in listed])


def _date(value: object) -> str:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    return text(value)
