"""Cron: the classic five fields, read strictly and explained when they cannot be (S4.2, S4.3).

Where dialects differ: `7` is Sunday; a range may wrap (`fri-mon`, `22-2`); `a/n` runs from `a` to the end of the
field; a step larger than its field is refused; names may be long (`monday`). Day of month and day of week are
joined by OR when neither begins with `*`, else by AND.
"""

from __future__ import annotations

import re
from functools import lru_cache

import attrs

from trioarm.core.errors import InvalidTrigger
from trioarm.core.instants import MINUTE
from trioarm.core.triggers.civil import (
    Fold,
    Gap,
    LocalTrigger,
    Timeline,
    find_timeline,
    fold_policy,
    gap_policy,
)
from trioarm.core.triggers.timetable import Days, Times, Timetable
from trioarm.core.triggers.wording import MONTHS, WEEKDAYS, spell_timetable
from trioarm.core.triggers.zones import zone_name

EXPRESSION_MAX = 512  # characters: room for every value of every field written out
SHOWN_MAX = 40  # characters of a longer one that are quoted
EXPRESSIONS_MAX = 4096  # compiled expressions kept so that equal schedules share them, about a kilobyte each

ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}

_ITEM = re.compile(r"(?:(?P<all>\*)|(?P<first>[0-9a-z]+)(?:-(?P<last>[0-9a-z]+))?)(?:/(?P<step>[0-9]+))?")
_LATER = re.compile(r"\?|.*#.*|[0-9]+[lw]|l(w|-[0-9]+)?|[a-z]{3}l")  # other crons understand these


_MONTHS_LONG = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_WEEKDAYS_LONG = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")


def _named(low: int, *languages: tuple[str, ...]) -> dict[str, int]:
    return {name: value for names in languages for value, name in enumerate(names, start=low)}


@attrs.frozen(slots=True)
class Field:
    """One field of an expression: its name, its bounds, and the names its values may have.

    Args:
        top: the largest value that may be written; day of week takes 7 beside its 0 to 6.
        size: how many values differ, from `low` on.
    """

    name: str
    low: int
    top: int
    size: int
    names: dict[str, int] = attrs.field(factory=dict)

    def parse(self, text: str) -> int:
        """Return the values of one field's text as bits.

        Raises:
            ValueError: what is wrong and what would be right, without the place, which the caller knows.
        """
        values = 0
        for item in text.split(","):
            for value in self._values(item):
                values |= 1 << self.low + (value - self.low) % self.size
        return values

    def _values(self, item: str) -> range:
        if _LATER.fullmatch(item):
            raise ValueError(f"{item!r} is not supported yet: L, W, # and ? come later")
        found = _ITEM.fullmatch(item)
        if found is None:
            raise ValueError(f"{item!r} is no value, range or step of {self._bounds()}")
        end = self.low + self.size - 1
        first = self.low if found["all"] else self._value(found["first"])
        if found["last"]:
            last = self._value(found["last"])
        else:
            last = max(end, first) if found["all"] or found["step"] else first
        step = int(found["step"] or 1)
        if not 1 <= step <= self.size:
            raise ValueError(f"step {step} of {item!r} is outside 1 to {self.size}")
        return range(first, last + 1 + (self.size if last < first else 0), step)

    def _value(self, text: str) -> int:
        if text in self.names:
            return self.names[text]
        if text.isdecimal() and self.low <= int(text) <= self.top:
            return int(text)
        raise ValueError(f"{text!r} is not within {self._bounds()}")

    def _bounds(self) -> str:
        named = f" or {next(iter(self.names))} to {list(self.names)[self.size - 1]}" if self.names else ""
        return f"{self.low} to {self.top}{named}"


FIELDS = (
    Field("minute", 0, 59, 60),
    Field("hour", 0, 23, 24),
    Field("day-of-month", 1, 31, 31),
    Field("month", 1, 12, 12, _named(1, MONTHS, _MONTHS_LONG)),
    Field("day-of-week", 0, 7, 7, _named(0, WEEKDAYS, _WEEKDAYS_LONG)),
)
_SHAPE = "minute hour day-of-month month day-of-week, such as '30 22 * * mon-fri'"


@attrs.frozen(slots=True, weakref_slot=False)
class Pattern:
    """A compiled expression, shared by all triggers that use it."""

    expression: str
    timetable: Timetable
    wildcard: bool


@lru_cache(maxsize=EXPRESSIONS_MAX)
def _compiled(expression: str) -> Pattern:
    texts = _split(expression)
    minutes, hours, monthdays, months, weekdays = (_parse(expression, index, text) for index, text in enumerate(texts))
    either = not texts[2].startswith("*") and not texts[4].startswith("*")
    days = Days(months, monthdays, weekdays, either)
    if days.next_after(0) is None:
        raise InvalidTrigger(f"cron expression {expression!r} never happens: none of its months has such a day")
    return Pattern(
        expression=expression,
        timetable=Timetable(days, _shared_times(minutes, hours)),
        wildcard=texts[0].startswith("*") or texts[1].startswith("*"),
    )


def _split(expression: str) -> list[str]:
    """Return the texts of the five fields, in lower case."""
    lowered = expression.strip().lower()
    if lowered.startswith("@") and lowered not in ALIASES:
        raise InvalidTrigger(f"cron alias {expression!r} is unknown: write {', '.join(ALIASES)}")
    texts = ALIASES.get(lowered, lowered).split()
    if len(texts) in (6, 7):
        raise InvalidTrigger(f"cron expression {expression!r}: seconds and years are not supported yet: write {_SHAPE}")
    if len(texts) != len(FIELDS):
        raise InvalidTrigger(f"cron expression {expression!r} has {len(texts)} fields, not 5: write {_SHAPE}")
    return texts


def _parse(expression: str, index: int, text: str) -> int:
    field = FIELDS[index]
    try:
        return field.parse(text)
    except ValueError as error:
        place = f"{field.name} (field {index + 1} of {len(FIELDS)})"
        raise InvalidTrigger(f"cron expression {expression!r}: {place}: {error}") from None


@lru_cache(maxsize=EXPRESSIONS_MAX)
def _shared_times(minutes: int, hours: int) -> Times:
    row = _shared_row(minutes)
    return Times(tuple(row if hours >> hour & 1 else () for hour in range(24)))


@lru_cache(maxsize=EXPRESSIONS_MAX)
def _shared_row(minutes: int) -> tuple[int, ...]:
    return tuple(minute * MINUTE for minute in range(60) if minutes >> minute & 1)


def _find_pattern(expression: str) -> Pattern:
    if not isinstance(expression, str):
        raise InvalidTrigger(f"a cron expression is a text of {_SHAPE}")
    if len(expression) > EXPRESSION_MAX:
        shown = expression[:40] + "..."
        raise InvalidTrigger(f"cron expression {shown!r} has more than {EXPRESSION_MAX} characters: write {_SHAPE}")
    return _compiled(expression)


def _shared_text(expression: str) -> str:
    return _find_pattern(expression).expression


@attrs.frozen(slots=True, weakref_slot=False)
class Cron(LocalTrigger):
    """A cron expression in a zone (S4.2). Two that mean the same are equal, however they are written.

    Args:
        expression: minute, hour, day of month, month, day of week; or an alias such as `@daily`.
        timezone: a key of the tz database.
        gap: what becomes of a local time that a change of offset leaves out. By default (S4.3) it runs after the
            gap, but is skipped when minute or hour begins with `*`: such an expression follows elapsed time.
        fold: which pass of a repeated time counts. By default the first; both where elapsed time is followed.
        dst: False for standard time all the year (S4.5).

    Raises:
        InvalidTrigger: the expression, the zone or a policy is not understood, or it never happens.
    """

    expression: str = attrs.field(converter=_shared_text, eq=False)
    timezone: str = attrs.field(default="UTC", converter=zone_name, eq=False)
    gap: Gap | None = attrs.field(default=None, converter=attrs.converters.optional(gap_policy), kw_only=True, eq=False)
    fold: Fold | None = attrs.field(
        default=None, converter=attrs.converters.optional(fold_policy), kw_only=True, eq=False
    )
    dst: bool = attrs.field(default=True, kw_only=True, eq=False)
    _times: Timetable = attrs.field(init=False, repr=False)
    _timeline: Timeline = attrs.field(init=False, repr=False)

    @_times.default
    def _compile(self) -> Timetable:
        return _compiled(self.expression).timetable

    @_timeline.default
    def _place(self) -> Timeline:
        wildcard = _compiled(self.expression).wildcard
        gap = self.gap or (Gap.SKIP if wildcard else Gap.RUN_AFTER)
        fold = self.fold or (Fold.BOTH if wildcard else Fold.FIRST)
        return find_timeline(self.timezone, self.dst, gap, fold)

    def describe(self) -> str:
        """Return the rule in plain English, such as `mon to fri at 06:30 in Europe/Prague`."""
        return f"{spell_timetable(self._times)} {self._timeline.describe()}"
