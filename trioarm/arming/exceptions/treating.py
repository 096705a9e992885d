"""Treating days as others: a trigger that takes some dates for holidays, or for workdays. Pure (A4.3)."""

from __future__ import annotations

from datetime import date
from typing import cast

import attrs

from trioarm.core.triggers import Exclude, Intersect, Trigger, Union
from trioarm.core.triggers.algebra import Member
from trioarm.core.triggers.day_calendars import CalendarDays, DayCalendar, DayKind, calendar_spans
from trioarm.core.triggers.spans import DaySpans

_BEFORE = (DayKind.BEFORE_WORKDAY, DayKind.BEFORE_HOLIDAY)


def treated(trigger: Trigger, first: date, last: date, *, as_holidays: bool) -> Trigger:
    """Return a trigger that takes dates for holidays, or else for workdays; what knows no calendar stays as it is.

    Args:
        first: the first date.
        last: the last one, at most a year later.

    Raises:
        InvalidTrigger: nothing is left of it.
    """
    dates = f"{first}/{last}" if first < last else f"{first}"
    return cast(Trigger, _treated(trigger, dates, as_holidays))  # a trigger stays one, and spans stay spans


def looks_a_day_ahead(member: Member) -> bool:
    """Whether a day of it is one because of what the next day is."""
    match member:
        case Union(members) | Intersect(members) | Exclude(members):
            return any(map(looks_a_day_ahead, members))
        case DaySpans(CalendarDays(kind)):
            return kind in _BEFORE
        case _:
            return False


def _treated(member: Member, dates: str, as_holidays: bool) -> Member:
    match member:
        case Union(members) | Intersect(members) | Exclude(members):
            return attrs.evolve(member, members=[_treated(one, dates, as_holidays) for one in members])
        case DaySpans(CalendarDays(kind, calendar)):
            return calendar_spans(kind, _calendar(calendar, dates, as_holidays), member.timezone)
        case _:
            return member


def _calendar(calendar: DayCalendar, dates: str, as_holidays: bool) -> DayCalendar:
    if as_holidays:
        return attrs.evolve(calendar, dates=[*calendar.dates, dates])
    return attrs.evolve(calendar, working=[*calendar.working, dates])
