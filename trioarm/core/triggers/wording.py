"""Wording: how triggers read in plain English."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from trioarm.core.instants import DAY, HOUR, MINUTE, SECOND
from trioarm.core.triggers.grids import DayGrid, MonthGrid
from trioarm.core.triggers.months import NTH_LAST, WEEKDAYS_ALL
from trioarm.core.triggers.timetable import (
    MONTHDAYS_ALL,
    MONTHS_ALL,
    YEARS_ALL,
    Days,
    DaySet,
    FineTimes,
    Times,
    TimeSet,
    Timetable,
)

WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

TIMES_SPELT_MAX = 6  # more times of day are spelt by rule, or counted, because nobody reads on
YEARS_SPELT_MAX = 6

_WEEK = {day % 7: WEEKDAYS[day % 7] for day in range(1, 8)}  # a person's week starts on Monday
_ORDINALS = {1: "1st", 2: "2nd", 3: "3rd"}
_OR_LAST = " (else the last day)"
_THURSDAY = 4  # 1970-01-01
_UNITS = (("d", DAY), ("h", HOUR), ("min", MINUTE), ("s", SECOND), ("ms", 1000), ("us", 1))


def spell_duration(length: int) -> str:
    """Spell microseconds, such as `1 h 30 min`."""
    parts = []
    for unit, size in _UNITS:
        count, length = divmod(length, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts)


def spell_timetable(timetable: Timetable) -> str:
    """Spell days, then times of day, such as `mon to fri at 06:30 and 22:30`."""
    times = _spell_times(timetable.times)
    match timetable.days:
        case Days(every=True) if times.startswith("every "):
            return times
        case days:
            return f"{_spell_day_set(days)} {times}"


def spell_weekdays(bits: int) -> str:
    """Spell days of the week, such as `mon to fri`."""
    return _runs([(day + 1) % 7 for day in range(7) if bits >> (day + 1) % 7 & 1], _WEEK)


def ordinal(number: int) -> str:
    """Spell the place of something in a row, such as `2nd`."""
    return _ORDINALS.get(number, f"{number}th")


def _spell_day_set(days: DaySet) -> str:
    match days:
        case Days():
            return _spell_days(days) + _spell_years(days.years)
        case DayGrid(step, phase) if step % 7 == 0:
            return f"{_every(step // 7, 'week')} on {WEEKDAYS[(phase + _THURSDAY) % 7]}"
        case DayGrid(step):
            return _every(step, "day")
        case MonthGrid(step, phase, monthday, clamp):
            on_day = f"on day {monthday}" + (_OR_LAST if clamp else "")
            if step % 12:
                return f"{_every(step, 'month')} {on_day}"
            return f"{_every(step // 12, 'year')} {on_day} of {MONTHS[phase % 12]}"
        case _:
            return "on some days"  # of a calendar that has words of its own for them


def _every(step: int, unit: str) -> str:
    return f"every {unit}" if step == 1 else f"every {step} {unit}s"


def _spell_days(days: Days) -> str:
    months = _runs(_bits(days.months), dict(enumerate(MONTHS, start=1)))
    of_months = "of every month" if days.months == MONTHS_ALL else f"of {months}"
    on_weekdays = _spell_nth(days)
    match days.monthdays == MONTHDAYS_ALL, days.weekdays == WEEKDAYS_ALL:
        case True, True:
            return "every day" if days.months == MONTHS_ALL else f"every day {of_months}"
        case True, False if days.nth:
            return f"on {on_weekdays} {of_months}"
        case True, False:
            return on_weekdays if days.months == MONTHS_ALL else f"{on_weekdays} in {months}"
        case _, True:
            return f"on {_spell_monthdays(days)} {of_months}"
        case _:
            return f"on {_spell_monthdays(days)} {of_months} {'or on' if days.either else 'if it is'} {on_weekdays}"


def _spell_monthdays(days: Days) -> str:
    numbers = {day: str(day) for day in range(1, 32)}
    parts = []
    if days.monthdays:
        parts.append(f"{_plural('day', days.monthdays)} {_runs(_bits(days.monthdays), numbers)}")
        parts[-1] += _OR_LAST if days.clamp else ""
    if days.nearest & ~0b11:
        around = days.nearest & ~0b11
        parts.append(
            f"the {_plural('workday', around)} nearest to {_plural('day', around)} {_runs(_bits(around), numbers)}"
        )
    parts += [f"the {name} workday" for bit, name in ((1, "first"), (0, "last")) if days.nearest >> bit & 1]
    before = {0: "the last day", 1: "the day before the last"}
    return _join(parts + [before.get(back, f"{back} days before the last") for back in _bits(days.from_end)])


def _spell_nth(days: Days) -> str:
    parts = [spell_weekdays(days.weekdays)] if days.weekdays else []
    for place in range(NTH_LAST + 1):
        if chosen := days.nth >> 7 * place & WEEKDAYS_ALL:
            parts.append(f"the {'last' if place == NTH_LAST else ordinal(place + 1)} {spell_weekdays(chosen)}")
    return _join(parts)


def _spell_years(years: int) -> str:
    if years == YEARS_ALL:
        return ""
    named = _bits(years)
    if len(named) > YEARS_SPELT_MAX and not _is_run(named):
        return f" in {len(named)} years from {named[0]} to {named[-1]}"
    return f" in {_runs(named, {year: str(year) for year in range(named[0], named[-1] + 1)})}"


def _spell_times(times: TimeSet) -> str:
    if times.per_day <= TIMES_SPELT_MAX:
        return _spell_clock(times)
    if isinstance(times, FineTimes):
        return _spell_seconds(times.minutes, [at // SECOND for at in times.seconds])
    return _spell_minutes(times)


def _spell_minutes(times: Times) -> str:
    rows = {row for row in times.hours if row}
    hours = [hour for hour, row in enumerate(times.hours) if row]
    if len(rows) > 1 or any(at % MINUTE for row in rows for at in row):
        return _spell_clock(times)
    minutes = [at // MINUTE for at in rows.pop()]
    step = _step(minutes, 60)
    if minutes == [0] and _is_run(hours):
        return "every hour" + _between(times)
    if minutes == [0] and _step(hours, 24):
        return f"every {_step(hours, 24)} hours"
    if step and _is_run(hours):
        return _every(step, "minute") + _between(times)
    every = _runs(minutes, {minute: str(minute) for minute in range(60)})
    return f"at minute{'s' if len(minutes) > 1 else ''} {every} of {_spell_hours(hours)}"


def _spell_seconds(minutes: Times, seconds: Sequence[int]) -> str:
    hours = [hour for hour, row in enumerate(minutes.hours) if row]
    step = _step(seconds, 60)
    at = f"at second{'s' if len(seconds) > 1 else ''} {_runs(seconds, {second: str(second) for second in range(60)})}"
    if minutes.per_day == 60 * len(hours) and _is_run(hours):
        return (_every(step, "second") if step else f"{at} of every minute") + _between(minutes)
    return f"{_spell_times(minutes)}, " + (f"for a minute {_every(step, 'second')}" if step else at)


def _spell_clock(times: TimeSet) -> str:
    clock = [_clock(at) for at in islice(_each(times), TIMES_SPELT_MAX)]
    if times.per_day > TIMES_SPELT_MAX:
        clock[-1] = f"{times.per_day - TIMES_SPELT_MAX + 1} more times"
    return f"at {_join(clock)}"


def _each(times: TimeSet) -> Iterator[int]:
    at = times.next_after(-1)
    while at is not None:
        yield at
        at = times.next_after(at)


def _spell_hours(hours: Sequence[int]) -> str:
    step = _step(hours, 24)
    if step:
        return "every hour" if step == 1 else f"every {ordinal(step)} hour"
    return f"hour{'s' if len(hours) > 1 else ''} {_runs(hours, {hour: str(hour) for hour in range(24)})}"


def _between(times: Times) -> str:
    """Spell from when to when, unless it is all day long."""
    return "" if all(times.hours) else f" from {_clock(times.first // HOUR * HOUR)} to {_clock(times.last)}"


def _step(values: Sequence[int], size: int) -> int:
    """Return n if the values are every nth from 0 on and divide the size evenly, else 0."""
    step = size // len(values)
    return step if len(values) > 1 and list(values) == list(range(0, size, step)) and size % step == 0 else 0


def _is_run(values: Sequence[int]) -> bool:
    return values[-1] - values[0] + 1 == len(values)


def _clock(time: int) -> str:
    minutes, seconds = divmod(time // SECOND, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}" + (f":{seconds:02}" if seconds else "")


def _plural(word: str, mask: int) -> str:
    return word if mask.bit_count() == 1 else f"{word}s"


def _bits(mask: int) -> list[int]:
    return [bit for bit in range(mask.bit_length()) if mask >> bit & 1]


def _runs(values: Sequence[int], names: dict[int, str]) -> str:
    """Name values, which follow the order of `names`; three neighbours are a range: `mon to thu and sun`."""
    order = list(names)
    places = [order.index(value) for value in values]
    runs: list[list[str]] = []
    for index, value in enumerate(values):
        if index and places[index] == places[index - 1] + 1:
            runs[-1].append(names[value])
        else:
            runs.append([names[value]])
    return _join([part for run in runs for part in ([f"{run[0]} to {run[-1]}"] if len(run) > 2 else run)])


def _join(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
