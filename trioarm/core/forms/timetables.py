"""Forms of timetables: `weekly`, `monthly`, `yearly`, `cron`, and `every` of the calendar: days and times in a zone."""

from __future__ import annotations

from typing import Final, TypedDict

from trioarm.core.forms.family import Around, Form, ReadTrigger, civil_form, one_or_all, read_civil, texts
from trioarm.core.jsonable import Json
from trioarm.core.reading import Table, integer, member, show, text
from trioarm.core.triggers import Cron, Fold, Gap, Interval, MonthEnd, Monthly, Trigger, Weekly, Yearly
from trioarm.core.triggers.daytimes import times_of_day
from trioarm.core.triggers.interval import UNITS, start_date
from trioarm.core.triggers.monthly import Day, days_of_month, month_of_year, months_of_year
from trioarm.core.triggers.wording import MONTHS

INTERVAL_KEYS: Final = (*UNITS, "at", "start", "month_end")  # of `every` where it counts on the calendar

_MONDAY, _NOON = ("mon",), ("12:00",)  # stand in for one half of a weekly trigger while the other is judged
_AT_HINT: Final = 'write it like at = "22:30"'
_DAY_HINT: Final = 'write it like day = 15, day = "last" or day = "2nd tue"'


class _FixedTime(TypedDict):
    """What a trigger of fixed times is told of local time."""

    timezone: str
    gap: Gap
    fold: Fold
    dst: bool


def _read_fixed_time(table: Table, around: Around) -> _FixedTime:
    civil = read_civil(table, around)
    return _FixedTime(
        timezone=civil.timezone, gap=civil.gap or Gap.RUN_AFTER, fold=civil.fold or Fold.FIRST, dst=civil.dst
    )


def _read_cron(table: Table, key: str, around: Around) -> Cron | None:
    civil = read_civil(table, around)
    cron = table.take(key, lambda value: Cron(text(value)), None)
    if cron is None:
        return None
    return Cron(cron.expression, civil.timezone, gap=civil.gap, fold=civil.fold, dst=civil.dst)


def _read_weekly(table: Table, key: str, around: Around) -> Weekly | None:
    fixed = _read_fixed_time(table, around)
    weekly = table.table(key)
    if weekly is None:
        return None
    days = weekly.need("days", lambda value: Weekly(texts(value), _NOON).days, 'write them like days = ["mon", "tue"]')
    at = weekly.need("at", lambda value: Weekly(_MONDAY, texts(value)).at, _AT_HINT)
    weekly.close()
    return None if days is None or at is None else Weekly(days, at, **fixed)


def _read_monthly(table: Table, key: str, around: Around) -> Monthly | None:
    fixed = _read_fixed_time(table, around)
    monthly = table.table(key)
    if monthly is None:
        return None
    day = monthly.need("day", lambda value: days_of_month(_one_or_more(value)), _DAY_HINT)
    at = monthly.need("at", lambda value: times_of_day(texts(value)), _AT_HINT)
    months = monthly.take("months", lambda value: months_of_year(_one_or_more(value)), MONTHS)
    month_end = monthly.take("month_end", member(MonthEnd), MonthEnd.CLAMP)
    monthly.close()
    if day is None or at is None:
        return None
    return table.take(key, lambda _: Monthly(day, at, months=months, month_end=month_end, **fixed), None)


def _read_yearly(table: Table, key: str, around: Around) -> Yearly | None:
    fixed = _read_fixed_time(table, around)
    yearly = table.table(key)
    if yearly is None:
        return None
    month = yearly.need("month", month_of_year, 'write it like month = "dec"')
    day = yearly.need("day", lambda value: days_of_month(_one_or_more(value)), _DAY_HINT)
    at = yearly.need("at", lambda value: times_of_day(texts(value)), _AT_HINT)
    month_end = yearly.take("month_end", member(MonthEnd), MonthEnd.CLAMP)
    yearly.close()
    if month is None or day is None or at is None:
        return None
    return table.take(key, lambda _: Yearly(month, day, at, month_end=month_end, **fixed), None)


def read_interval(table: Table, key: str, around: Around) -> Interval | None:
    """Read `every` of the calendar, such as `{ days = 2, at = "22:30", start = "2026-11-23" }`."""
    fixed = _read_fixed_time(table, around)
    every = table.table(key)
    if every is None:
        return None
    given = [unit for unit in UNITS if unit in every]
    if len(given) != 1:
        every.problems.add(every.path, f"needs one of {', '.join(UNITS)}, not {' and '.join(given) or 'none'}")
    days, weeks, months, years = steps = [every.take(unit, integer, None) for unit in UNITS]
    at = every.need("at", lambda value: times_of_day(texts(value)), _AT_HINT)
    start = every.need("start", start_date, 'a date to count from: write it like start = "2026-11-23"')
    month_end = every.take("month_end", member(MonthEnd), MonthEnd.CLAMP)
    if given in (["days"], ["weeks"]):
        every.refuse("month_end", f"{given[0]} know no ends of months: leave it out")
    every.close()
    if at is None or start is None or len(given) != 1 or not any(step is not None for step in steps):
        return None
    return table.take(
        key,
        lambda _: Interval(
            days=days, weeks=weeks, months=months, years=years, at=at, start=start, month_end=month_end, **fixed
        ),
        None,
    )


def _one_or_more(value: object) -> list[Day]:
    """Read one number or text, or a list of them."""
    return [_number_or_text(item) for item in (value if isinstance(value, list | tuple) else [value])]


def _number_or_text(value: object) -> Day:
    if isinstance(value, int | str):
        return value
    raise ValueError(f"{show(value)} is neither a number nor a text, nor a list of them")


READERS: Final[dict[str, ReadTrigger]] = {
    "weekly": _read_weekly,
    "monthly": _read_monthly,
    "yearly": _read_yearly,
    "cron": _read_cron,
}


def write(trigger: Trigger) -> Form | None:
    """Return the form of a trigger of this family; None of another."""
    match trigger:
        case Cron():
            return {"cron": trigger.expression, **_zone_form(trigger)}
        case Weekly():
            return {"weekly": {"days": [*trigger.days], "at": one_or_all(trigger.at)}, **_zone_form(trigger)}
        case Monthly():
            monthly: Form = {"day": _day_form(trigger.day), "at": one_or_all(trigger.at)}
            if trigger.months != MONTHS:
                monthly["months"] = [*trigger.months]
            return {"monthly": {**monthly, "month_end": trigger.month_end.value}, **_zone_form(trigger)}
        case Yearly():
            yearly: Form = {"month": trigger.month, "day": _day_form(trigger.day), "at": one_or_all(trigger.at)}
            return {"yearly": {**yearly, "month_end": trigger.month_end.value}, **_zone_form(trigger)}
        case Interval():
            unit, count = trigger.step
            every: Form = {unit: count, "at": one_or_all(trigger.at), "start": trigger.start.isoformat()}
            if unit in ("months", "years"):
                every["month_end"] = trigger.month_end.value
            return {"every": every, **_zone_form(trigger)}
        case _:
            return None


def _day_form(days: tuple[Day, ...]) -> Json:
    return days[0] if len(days) == 1 else [*days]


def _zone_form(trigger: Cron | Weekly | Monthly | Yearly | Interval) -> Form:
    return civil_form(trigger.timezone, trigger.gap, trigger.fold, trigger.dst)
