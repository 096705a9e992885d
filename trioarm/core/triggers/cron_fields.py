"""The fields of a cron expression: each text read strictly into bits, and explained when it cannot be (S4.2).

How fields combine is not known here, nor how many there are: see `cron`.
"""

from __future__ import annotations

import re

import attrs

from trioarm.core.triggers.months import NTH_LAST, WEEKDAYS_ALL
from trioarm.core.triggers.timetable import MONTHDAYS_ALL, YEARS_ALL
from trioarm.core.triggers.wording import MONTHS, WEEKDAYS

FROM_END_MAX = 30  # the longest month has as many days before its last

_ITEM = re.compile(r"(?:(?P<all>\*)|(?P<first>[0-9a-z]+)(?:-(?P<last>[0-9a-z]+))?)(?:/(?P<step>[0-9]+))?")
_FROM_END = re.compile(r"l-([0-9]+)")
_NEAREST = re.compile(r"([0-9]+)w")
_NTH = re.compile(r"(?P<day>[0-9a-z]+?)(?:#(?P<nth>[0-9a-z]*)|l)")

_MONTHS_LONG = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_WEEKDAYS_LONG = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_BELONGS = {
    "?": "? stands alone, in day-of-month or day-of-week: write *",
    "#": "# follows one day of the week in day-of-week, such as fri#2",
    "+": "+ begins day-of-week, such as +fri",
    "w": "W follows one day of the month in day-of-month, such as 15W",
    "l": "L is written L, L-3 or LW in day-of-month, friL in day-of-week",
}


def _named(low: int, *languages: tuple[str, ...]) -> dict[str, int]:
    return {name: value for names in languages for value, name in enumerate(names, start=low)}


@attrs.frozen(slots=True)
class Field:
    """One field of an expression: its name, its bounds, and the names its values may have.

    Args:
        top: the largest value that may be written; day of week takes 7 beside its 0 to 6.
        size: how many values differ, from `low` on.
        wraps: whether a range may go over the end and begin anew, as hours and weekdays do.
    """

    name: str
    low: int
    top: int
    size: int
    names: dict[str, int] = attrs.field(factory=dict)
    wraps: bool = True

    def parse(self, text: str) -> int:
        """Return the values of a field's text, or of an item of its list, as bits.

        Raises:
            ValueError: what is wrong and what would be right, without the place, which the caller knows.
        """
        values = 0
        for item in text.split(","):
            for value in self._values(item):
                values |= 1 << self.low + (value - self.low) % self.size
        return values

    def value(self, text: str) -> int:
        """Return one value, a number or a name.

        Raises:
            ValueError: it is none.
        """
        if text in self.names:
            return self.names[text]
        if text.isdecimal() and self.low <= int(text) <= self.top:
            return int(text)
        raise ValueError(f"{text!r} is not within {self._bounds()}{_hint(text)}")

    def _values(self, item: str) -> range:
        found = _ITEM.fullmatch(item)
        if found is None:
            raise ValueError(f"{item!r} is no value, range or step of {self._bounds()}{_hint(item)}")
        end = self.low + self.size - 1
        first = self.low if found["all"] else self.value(found["first"])
        if found["last"]:
            last = self.value(found["last"])
        else:
            last = max(end, first) if found["all"] or found["step"] else first
        step = int(found["step"] or 1)
        if not 1 <= step <= self.size:
            raise ValueError(f"step {step} of {item!r} is outside 1 to {self.size}")
        if last < first and not self.wraps:
            raise ValueError(f"{item!r} goes backwards: write {last}-{first}")
        return range(first, last + 1 + (self.size if last < first else 0), step)

    def _bounds(self) -> str:
        named = f" or {next(iter(self.names))} to {list(self.names)[self.size - 1]}" if self.names else ""
        return f"{self.low} to {self.top}{named}"


def _hint(item: str) -> str:
    """Return where a sign that is out of place here would be understood."""
    ending = re.sub(r"[0-9-]", "", item)[-1:]  # the last letter of 15w, 1-5w, l-3
    sign = next((sign for sign in "?#+" if sign in item), ending)
    return f"; {_BELONGS[sign]}" if sign in _BELONGS else ""


SECOND = Field("second", 0, 59, 60)
MINUTE = Field("minute", 0, 59, 60)
HOUR = Field("hour", 0, 23, 24)
MONTHDAY = Field("day-of-month", 1, 31, 31)
MONTH = Field("month", 1, 12, 12, _named(1, MONTHS, _MONTHS_LONG))
WEEKDAY = Field("day-of-week", 0, 7, 7, _named(0, WEEKDAYS, _WEEKDAYS_LONG))
YEAR = Field("year", 1970, 2199, 230, wraps=False)
FIELDS = (SECOND, MINUTE, HOUR, MONTHDAY, MONTH, WEEKDAY, YEAR)


@attrs.frozen(slots=True)
class MonthDays:
    """What day-of-month says, as in `Days`."""

    monthdays: int
    from_end: int
    nearest: int


def parse_monthdays(text: str) -> MonthDays:
    """Return what the text of day-of-month says: also `?`, `L`, `L-3`, `LW` and `15W`.

    Raises:
        ValueError: what is wrong and what would be right.
    """
    monthdays = from_end = nearest = 0
    for item in ("*" if text == "?" else text).split(","):
        if item == "l":
            from_end |= 1
        elif item == "lw":
            nearest |= 1
        elif found := _FROM_END.fullmatch(item):
            if not 1 <= int(found[1]) <= FROM_END_MAX:
                raise ValueError(f"{item!r} is not within L-1 to L-{FROM_END_MAX}, days before the last of the month")
            from_end |= 1 << int(found[1])
        elif found := _NEAREST.fullmatch(item):
            nearest |= 1 << MONTHDAY.value(found[1])
        else:
            monthdays |= MONTHDAY.parse(item)
    whole = monthdays == MONTHDAYS_ALL
    return MonthDays(monthdays, 0 if whole else from_end, 0 if whole else nearest)


@attrs.frozen(slots=True)
class WeekDays:
    """What day-of-week says, as in `Days`."""

    weekdays: int
    nth: int


def parse_weekdays(text: str) -> WeekDays:
    """Return what the text of day-of-week says: also `?`, `fri#2`, `fri#L`, `friL`, and a `+` in front of all.

    Raises:
        ValueError: what is wrong and what would be right.
    """
    weekdays = nth = 0
    items = text.removeprefix("+")
    for item in ("*" if items == "?" else items).split(","):
        if item == "l":
            raise ValueError("'l' follows a day of the week: write sat, or satL for the last sat of the month")
        if found := _NTH.fullmatch(item):
            weekday = WEEKDAY.value(found["day"]) % WEEKDAY.size
            nth |= 1 << WEEKDAY.size * _place(item, found["nth"]) + weekday
        else:
            weekdays |= WEEKDAY.parse(item)
    return WeekDays(weekdays, 0 if weekdays == WEEKDAYS_ALL else nth)


def _place(item: str, nth: str | None) -> int:
    """Return which seven bits of `Days.nth` are meant."""
    if nth is None or nth == "l":
        return NTH_LAST
    if nth not in ("1", "2", "3", "4", "5"):
        raise ValueError(f"{item!r} has {nth!r} after its #: write 1 to 5, or L for the last of the month")
    return int(nth) - 1


def parse_years(text: str) -> int:
    """Return what the text of year says; `*` is every year there is.

    Raises:
        ValueError: what is wrong and what would be right.
    """
    return YEARS_ALL if text == "*" else YEAR.parse(text)
