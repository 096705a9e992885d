"""Cron: five fields, six with seconds, seven with years, read strictly and explained when they cannot be (S4.2, S4.3).

The Open Cron Pattern Specification (1.0 to 1.4) is followed, and seconds come first. Where dialects differ: `7` is
Sunday; a range may wrap (`fri-mon`, `22-2`); `a/n` runs from `a` to the end of the field; a step larger than its field
is refused; names may be long (`monday`); `W` may stand in a list (`1W,15W`). Day of month and day of week are joined
by OR when neither is `?` or begins with `*`, else by AND; a `+` before day of week makes it AND as well. A `31W` has no
day in a shorter month, as `31` has none, nor has a `fri#5` in a month of four Fridays. Quartz counts weekdays from 1
for Sunday: write names.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

import attrs

from trioarm.core.counting import counted
from trioarm.core.errors import InvalidTrigger
from trioarm.core.instants import MINUTE, SECOND
from trioarm.core.triggers.civil import (
    Fold,
    Gap,
    LocalTrigger,
    Timeline,
    find_timeline,
    fold_policy,
    gap_policy,
)
from trioarm.core.triggers.cron_fields import FIELDS, parse_monthdays, parse_weekdays, parse_years
from trioarm.core.triggers.timetable import Days, FineTimes, Times, TimeSet, Timetable, shared_days
from trioarm.core.triggers.wording import spell_timetable
from trioarm.core.triggers.zones import zone_name

EXPRESSION_MAX = 512  # characters: room for every value of the five fields written out
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

_SHAPE = "minute hour day-of-month month day-of-week, such as '30 22 * * mon-fri'"
_LONGER = "a field of seconds may come first, then also one of years last"

T = TypeVar("T")


@attrs.frozen(slots=True, weakref_slot=False)
class Pattern:
    """A compiled expression, shared by all triggers that use it."""

    expression: str
    timetable: Timetable
    wildcard: bool


@lru_cache(maxsize=EXPRESSIONS_MAX)
def _compiled(expression: str) -> Pattern:
    texts = _split(expression)
    seconds, minutes, hours = (_parse(expression, texts, place, FIELDS[place].parse) for place in range(3))
    by_month = _parse(expression, texts, 3, parse_monthdays)
    months = _parse(expression, texts, 4, FIELDS[4].parse)
    by_week = _parse(expression, texts, 5, parse_weekdays)
    days = Days(
        months,
        by_month.monthdays,
        by_week.weekdays,
        either=not texts[3].startswith(("*", "?")) and not texts[5].startswith(("*", "?", "+")),
        from_end=by_month.from_end,
        nearest=by_month.nearest,
        nth=by_week.nth,
        years=_parse(expression, texts, 6, parse_years),
    )
    if days.next_after(-1) is None:  # a field of years begins in 1970, and without one every day comes again
        whose = "months" if texts[6] == "*" else "months, in any of its years,"
        raise InvalidTrigger(f"cron expression {expression!r} never happens: none of its {whose} has such a day")
    return Pattern(
        expression=expression,
        timetable=Timetable(shared_days(days), _shared_times(seconds, minutes, hours)),
        wildcard=texts[1].startswith("*") or texts[2].startswith("*"),
    )


def _split(expression: str) -> list[str]:
    """Return the texts of all seven fields, in lower case, those not written included."""
    lowered = expression.strip().lower()
    if lowered == "@reboot":
        raise InvalidTrigger("cron alias '@reboot' is understood but not supported: no instant says when a node starts")
    if lowered.startswith("@") and lowered not in ALIASES:
        raise InvalidTrigger(f"cron alias {expression!r} is unknown: write {', '.join(ALIASES)}")
    texts = ALIASES.get(lowered, lowered).split()
    match len(texts):
        case 5:
            return ["0", *texts, "*"]
        case 6:
            return [*texts, "*"]
        case 7:
            return texts
        case count:
            raise InvalidTrigger(
                f"cron expression {expression!r} has {counted(count, 'field')}, not 5, 6 or 7: "
                f"write {_SHAPE}; {_LONGER}"
            )


def _parse(expression: str, texts: list[str], place: int, parse: Callable[[str], T]) -> T:
    try:
        return parse(texts[place])
    except ValueError as error:
        written = len(expression.split())
        number = place if written == 5 else place + 1
        where = f"{FIELDS[place].name} (field {number} of {written})"
        raise InvalidTrigger(f"cron expression {expression!r}: {where}: {error}") from None


@lru_cache(maxsize=EXPRESSIONS_MAX)
def _shared_times(seconds: int, minutes: int, hours: int) -> TimeSet:
    row = _shared_row(minutes, MINUTE)
    times = Times(tuple(row if hours >> hour & 1 else () for hour in range(24)))
    return times if seconds == 1 else FineTimes(times, _shared_row(seconds, SECOND))


@lru_cache(maxsize=EXPRESSIONS_MAX)
def _shared_row(bits: int, unit: int) -> tuple[int, ...]:
    return tuple(value * unit for value in range(60) if bits >> value & 1)


def _find_pattern(expression: str) -> Pattern:
    if not isinstance(expression, str):
        raise InvalidTrigger(f"a cron expression is a text of {_SHAPE}")
    if len(expression) > EXPRESSION_MAX:
        shown = expression[:SHOWN_MAX] + "..."
        raise InvalidTrigger(f"cron expression {shown!r} has more than {EXPRESSION_MAX} characters: write {_SHAPE}")
    return _compiled(expression)


def _shared_text(expression: str) -> str:
    return _find_pattern(expression).expression


@attrs.frozen(slots=True, weakref_slot=False)
class Cron(LocalTrigger):
    """A cron expression in a zone (S4.2). Two that mean the same are equal, however they are written.

    Args:
        expression: minute, hour, day of month, month, day of week; with six fields second first, with seven also
            year (1970 to 2199) last; or an alias such as `@daily`.
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
