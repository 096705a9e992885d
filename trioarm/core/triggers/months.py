"""Months: which days of one month are meant, all of them at once, as bits 1 to 31 of an int.

A month is its length and the weekday of its first day; which year it is in does not matter here.
"""

from __future__ import annotations

WEEKDAYS_ALL = 0b111_1111  # bits 0 (Sunday) to 6
NTH_LAST = 5  # the place of the last in `nth`, after those of the 1st to the 5th

_SUNDAY, _SATURDAY = 0, 6
_SIX_WEEKS = sum(1 << 7 * week for week in range(6))
_LENGTHS = (0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def month_length(year: int, month: int) -> int:
    """Return how many days a month has."""
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return _LENGTHS[month] + (month == 2 and leap)


def on_weekdays(weekdays: int, first: int) -> int:
    """Return the days on such days of the week.

    Args:
        weekdays: bits 0 (Sunday) to 6.
        first: the day of the week of day 1.
    """
    return weekdays * _SIX_WEEKS >> first << 1


def from_end(wanted: int, length: int) -> int:
    """Return days counted from the end; bit 0 is the last day of the month, bit 1 the one before it."""
    return sum(1 << length - back for back in _places(wanted) if back < length)


def nearest(wanted: int, first: int, length: int) -> int:
    """Return the workdays, Monday to Friday, nearest to days of the month, never in another month.

    Args:
        wanted: bits 1 to 31, of which one that the month does not have is left out; bit 0 is its last day.
        first: the day of the week of day 1.
        length: how many days the month has.
    """
    found = 0
    for day in (number or length for number in _places(wanted) if number <= length):
        weekday = (first + day - 1) % 7
        if weekday == _SATURDAY:
            found |= 1 << (day - 1 if day > 1 else day + 2)
        elif weekday == _SUNDAY:
            found |= 1 << (day + 1 if day < length else day - 2)
        else:
            found |= 1 << day
    return found


def nth(wanted: int, first: int, length: int) -> int:
    """Return the 1st, 2nd, ... or last of days of the week: any seven days in a row have one of each.

    Args:
        wanted: seven bits as in `on_weekdays` for the 1st ones, then for the 2nd to the 5th, then for the last.
        first: the day of the week of day 1.
        length: how many days the month has.
    """
    found = 0
    for place in range(NTH_LAST + 1) if wanted else ():
        start = length - 6 if place == NTH_LAST else 7 * place + 1
        found |= on_weekdays(wanted >> 7 * place & WEEKDAYS_ALL, first) & WEEKDAYS_ALL << start
    return found


def _places(bits: int) -> list[int]:
    return [place for place in range(bits.bit_length()) if bits >> place & 1]
