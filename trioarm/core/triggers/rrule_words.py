"""RRULE words: how a recurrence rule reads in plain English.

What would take longer to understand in words than in its text is quoted instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from trioarm.core.triggers.recurrence import Freq, Recurrence
from trioarm.core.triggers.recurrence_times import row_of, times_by_hour
from trioarm.core.triggers.rrule_text import Parts
from trioarm.core.triggers.timetable import Days, Timetable
from trioarm.core.triggers.wording import MONTHS, spell_timetable, spell_weekdays

DATES_SPELT_MAX: Final = 3  # more times left out or added are counted, because nobody reads on

_UNITS = {
    Freq.SECONDLY: "second",
    Freq.MINUTELY: "minute",
    Freq.HOURLY: "hour",
    Freq.DAILY: "day",
    Freq.WEEKLY: "week",
    Freq.MONTHLY: "month",
    Freq.YEARLY: "year",
}
_DAY_END = "23:59:59"


def spell_rule(text: str, parts: Parts, rule: Recurrence, start: datetime) -> str:
    """Spell a rule and its bounds, such as `every 2 weeks on mon at 22:30, from 23 Nov 2026 until 24 Dec 2026`."""
    words = _spell_parts(parts, rule)
    sub_daily = parts.freq < Freq.DAILY
    begin = _moment(start) if sub_daily or not words else _date(start)
    if not words:
        return f'by rule "{text}", from {begin}'
    times = f"{parts.count} times " if parts.count and parts.count > 1 else "once " if parts.count else ""
    return f"{words}, {times}from {begin}{_spell_until(parts.until)}"


def spell_dates(before: str, moments: Sequence[datetime]) -> str:
    """Spell times left out or added, such as ` except 24 Dec 2026 22:30`."""
    if not moments:
        return ""
    shown = [_moment(moment) for moment in moments] if len(moments) <= DATES_SPELT_MAX else [f"{len(moments)} times"]
    return f", {before} {_join(shown)}"


def _spell_parts(parts: Parts, rule: Recurrence) -> str:
    """Return the rule in words; nothing where there are none for it."""
    unit = _UNITS[parts.freq]
    head = f"every {unit}" if parts.interval == 1 else f"every {parts.interval} {unit}s"
    if parts.bysetpos or parts.byweekno or parts.byyearday:
        return ""
    if parts.freq < Freq.DAILY:
        if parts.byminute or parts.bysecond:
            return ""
        return head + _spell_limits(rule) + _spell_hours(parts)
    days = _spell_limits(rule) if parts.freq is Freq.DAILY else _spell_days(parts, rule)
    if days is None:
        return ""
    times = Timetable(Days(), times_by_hour(rule.hours, row_of(rule.minutes, rule.seconds)))
    return f"{head}{days} {spell_timetable(times).removeprefix('every day ')}"


def _spell_limits(rule: Recurrence) -> str:
    """Spell what days must be, where the rule itself goes from day to day, or faster."""
    wanted = rule.filter
    conditions = [f"it is {spell_weekdays(_week(wanted.weekdays))}"] if wanted.weekdays else []
    conditions += [f"it is {_spell_monthdays(wanted.monthdays)}"] if wanted.monthdays else []
    return (f" if {' and '.join(conditions)}" if conditions else "") + _spell_months(" in ", wanted.months)


def _spell_hours(parts: Parts) -> str:
    if not parts.byhour:
        return ""
    return f" in hour{'s' if len(parts.byhour) > 1 else ''} {_join([str(hour) for hour in parts.byhour])}"


def _spell_days(parts: Parts, rule: Recurrence) -> str | None:
    """Spell which days of a week, a month or a year."""
    wanted = rule.filter
    placed = [pair for pair in wanted.weekdays if pair[0]]
    plain = [pair for pair in wanted.weekdays if not pair[0]]
    match parts.freq:
        case Freq.WEEKLY:
            return f" on {spell_weekdays(_week(plain))}{_spell_months(' in ', wanted.months)}"
        case Freq.YEARLY if plain and not wanted.months:
            return None
    if wanted.monthdays and wanted.weekdays:
        return None
    days = [_spell_monthdays(wanted.monthdays)] if wanted.monthdays else []
    days += [f"every {spell_weekdays(_week(plain))}"] if plain else []
    days += [f"the {_place(place)} {spell_weekdays(_week([(0, day)]))}" for place, day in placed]
    scope = _spell_months(" of ", wanted.months)
    if parts.freq is Freq.YEARLY and not scope:
        scope = " of every month" if wanted.monthdays else " of the year"
    return f" on {_join(days)}{scope}"


def _spell_monthdays(monthdays: Iterable[int]) -> str:
    counted = [str(day) for day in monthdays if day > 0]
    words = [f"day{'s' if len(counted) > 1 else ''} {_join(counted)}"] if counted else []
    return _join([*words, *(f"the {_place(day)} day" for day in sorted(monthdays, reverse=True) if day < 0)])


def _spell_months(before: str, months: Iterable[int]) -> str:
    named = [MONTHS[month - 1] for month in months]
    return before + _join(named) if named else ""


def _spell_until(until: datetime | None) -> str:
    if until is None:
        return ""
    if until.tzinfo is not None:
        return f" until {until:%Y-%m-%dT%H:%M:%SZ}"
    return f" until {_date(until) if f'{until:%H:%M:%S}' == _DAY_END else _moment(until)}"


def _week(pairs: Iterable[tuple[int, int]]) -> int:
    """Return days of the week as the bits that others spell, 0 for Sunday."""
    return sum({1 << (day + 1) % 7 for _, day in pairs})


def _place(place: int) -> str:
    """Spell a place in a row, such as `2nd`, `last` or `2nd last`."""
    if place == -1:
        return "last"
    size = abs(place)
    ending = {1: "st", 2: "nd", 3: "rd"}.get(size % 10, "th") if size // 10 != 1 else "th"
    return f"{size}{ending}" + (" last" if place < 0 else "")


def _date(moment: datetime) -> str:
    return f"{moment.day} {MONTHS[moment.month - 1].title()} {moment.year}"


def _moment(moment: datetime) -> str:
    seconds = f":{moment.second:02}" if moment.second else ""
    return f"{_date(moment)} {moment.hour:02}:{moment.minute:02}{seconds}"


def _join(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
