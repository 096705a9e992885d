"""Wording: how triggers read in plain English."""

from __future__ import annotations

from collections.abc import Sequence

from trioarm.core.instants import DAY, HOUR, MINUTE, SECOND
from trioarm.core.triggers.timetable import MONTHDAYS_ALL, MONTHS_ALL, WEEKDAYS_ALL, Days, Times, Timetable

WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

TIMES_SPELT_MAX = 6  # more times of day are spelt by rule, or counted, because nobody reads on

_WEEK = {day % 7: WEEKDAYS[day % 7] for day in range(1, 8)}  # a person's week starts on Monday
_ORDINALS = {2: "2nd", 3: "3rd"}
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
    if timetable.days.every and times.startswith("every "):
        return times
    return f"{_spell_days(timetable.days)} {times}"


def spell_weekdays(bits: int) -> str:
    """Spell days of the week, such as `mon to fri`."""
    return _runs([(day + 1) % 7 for day in range(7) if bits >> (day + 1) % 7 & 1], _WEEK)


def _spell_days(days: Days) -> str:
    weekdays = spell_weekdays(days.weekdays)
    monthdays = _runs(_bits(days.monthdays), {day: str(day) for day in range(1, 32)})
    months = _runs(_bits(days.months), dict(enumerate(MONTHS, start=1)))
    all_months = days.months == MONTHS_ALL
    match days.monthdays == MONTHDAYS_ALL, days.weekdays == WEEKDAYS_ALL:
        case True, True:
            return "every day" if all_months else f"every day of {months}"
        case True, False:
            return weekdays if all_months else f"{weekdays} in {months}"
    on_monthdays = f"on {'days' if days.monthdays.bit_count() > 1 else 'day'} {monthdays} of "
    on_monthdays += "every month" if all_months else months
    if days.weekdays == WEEKDAYS_ALL:
        return on_monthdays
    return f"{on_monthdays} {'or on' if days.either else 'if it is'} {weekdays}"


def _spell_times(times: Times) -> str:
    rows = {row for row in times.hours if row}
    hours = [hour for hour, row in enumerate(times.hours) if row]
    if times.per_day <= TIMES_SPELT_MAX or len(rows) > 1 or any(at % MINUTE for row in rows for at in row):
        return _spell_clock(times, hours)
    minutes = [at // MINUTE for at in rows.pop()]
    step = _step(minutes, 60)
    if minutes == [0] and _is_run(hours):
        return "every hour" + _between(hours, minutes)
    if minutes == [0] and _step(hours, 24):
        return f"every {_step(hours, 24)} hours"
    if step and _is_run(hours):
        return ("every minute" if step == 1 else f"every {step} minutes") + _between(hours, minutes)
    every = _runs(minutes, {minute: str(minute) for minute in range(60)})
    return f"at minute{'s' if len(minutes) > 1 else ''} {every} of {_spell_hours(hours)}"


def _spell_clock(times: Times, hours: Sequence[int]) -> str:
    clock = [_clock(hour * HOUR + at) for hour in hours for at in times.hours[hour]]
    if len(clock) > TIMES_SPELT_MAX:
        clock = [*clock[: TIMES_SPELT_MAX - 1], f"{len(clock) - TIMES_SPELT_MAX + 1} more times"]
    return f"at {_join(clock)}"


def _spell_hours(hours: Sequence[int]) -> str:
    step = _step(hours, 24)
    if step:
        return "every hour" if step == 1 else f"every {_ORDINALS.get(step, f'{step}th')} hour"
    return f"hour{'s' if len(hours) > 1 else ''} {_runs(hours, {hour: str(hour) for hour in range(24)})}"


def _between(hours: Sequence[int], minutes: Sequence[int]) -> str:
    if len(hours) == 24:
        return ""
    return f" from {_clock(hours[0] * HOUR)} to {_clock(hours[-1] * HOUR + minutes[-1] * MINUTE)}"


def _step(values: Sequence[int], size: int) -> int:
    """Return n if the values are every nth from 0 on and divide the size evenly, else 0."""
    step = size // len(values)
    return step if len(values) > 1 and list(values) == list(range(0, size, step)) and size % step == 0 else 0


def _is_run(values: Sequence[int]) -> bool:
    return values[-1] - values[0] + 1 == len(values)


def _clock(time: int) -> str:
    minutes, seconds = divmod(time // SECOND, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}" + (f":{seconds:02}" if seconds else "")


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
