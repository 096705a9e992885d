"""Calendars: every `[calendar.NAME]`, one of days by country and dates, or one of events in a file or on the web."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import attrs

from trioarm.config.named import read_each
from trioarm.core.codec import named
from trioarm.core.errors import CalendarUnavailable
from trioarm.core.forms.day_calendars import KEYS, read_calendar
from trioarm.core.forms.family import zone
from trioarm.core.reading import Reader, Table, duration, show, text
from trioarm.core.triggers.day_calendars import DayCalendar
from trioarm.feeds.fetch import web_url
from trioarm.feeds.refreshing import schedule_name
from trioarm.feeds.source import REFRESH_S, REFRESH_S_MAX, REFRESH_S_MIN, FeedSource

ICS: Final = "ics"  # the key that makes a calendar one of events

_UNREADABLE: Final = DayCalendar(dates=("01-01",))


@attrs.frozen(slots=True)
class Calendars:
    """What a file says of calendars; no name is in both.

    Args:
        days: working days and holidays.
        feeds: events, and where they come from.
    """

    days: dict[str, DayCalendar]
    feeds: dict[str, FeedSource]


@attrs.frozen(slots=True)
class Surroundings:
    """What a calendar of events depends on beside its table.

    Args:
        timezone: where it says none.
        folder: where the paths of files begin.
        environ: environment variables, which may hold a secret address.
    """

    timezone: str
    folder: Path
    environ: Mapping[str, str]


def read_calendars(whole: Table, around: Surroundings) -> Calendars:
    """Read every `[calendar.NAME]`; those with problems stand for ones without holidays or events."""

    def read(name: str, table: Table) -> DayCalendar | FeedSource:
        if ICS in table:
            return _read_feed(name, table, around)
        table.knows(ICS, "refresh", "timezone")
        for key in ("refresh", "timezone"):
            table.refuse(key, f'belongs to a calendar of events: say where they are, like {ICS} = "school.ics"')
        return read_calendar(table) or _UNREADABLE

    found = read_each(whole, "calendar", named("calendar"), read)
    return Calendars(
        days={name: one for name, one in found.items() if isinstance(one, DayCalendar)},
        feeds={name: one for name, one in found.items() if isinstance(one, FeedSource)},
    )


def _read_feed(name: str, table: Table, around: Surroundings) -> FeedSource:
    for key in KEYS:
        table.refuse(key, f"stands beside {ICS}: a calendar has days or events, so make two of it")
    table.judge(schedule_name(name), named("the schedule that refreshes it,"))
    return FeedSource(
        name=name,
        address=table.take(ICS, _address(around), "nowhere.ics"),
        timezone=table.take("timezone", zone, around.timezone),
        refresh_s=table.take("refresh", duration(REFRESH_S_MIN, REFRESH_S_MAX), REFRESH_S),
    )


def _address(around: Surroundings) -> Reader[str]:
    """Return a reader of addresses, which may be secret: what is wrong with one does not quote it."""

    def read(value: object) -> str:
        said = value if isinstance(value, str) else _from_variable(value, around.environ)
        if "://" in said:
            try:
                web_url(said)
            except CalendarUnavailable as error:
                raise ValueError(str(error)) from None
            return said
        if not said.strip() or "\0" in said:
            raise ValueError(f'names no file: write it like {ICS} = "school.ics", or an address of the web')
        return str(around.folder / said)

    return read


def _from_variable(table: object, environ: Mapping[str, str]) -> str:
    if not isinstance(table, Mapping) or list(table) != ["env"]:
        raise ValueError('is an address, or says where one is: { env = "SCHOOL_ICS" }')
    variable = text(table["env"])
    if variable not in environ:
        raise ValueError(f"environment variable {show(variable)} is not set: it should hold the address")
    return environ[variable]
