"""RRULE text: what RFC 5545 lets a recurrence rule say, read strictly and explained when it cannot be (S4.2).

What the RFC forbids is refused, because every calendar makes something else of it. Where it is silent: a date alone
as UNTIL means that whole day, as people take it; BYWEEKNO alone means the weekday of DTSTART, as other parts do; the
weeks of a year are cut where the year ends, as calendars do.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from typing import Final, TypeAlias, TypeVar

import attrs

from trioarm.core.errors import InvalidTrigger
from trioarm.core.instants import instant
from trioarm.core.reading import suggest
from trioarm.core.triggers.recurrence import Freq, Recurrence
from trioarm.core.triggers.year_days import DayFilter

RULE_MAX: Final = 4096  # characters of one rule: room for every value of every part that anybody lists
SHOWN_MAX: Final = 60  # characters of a mistaken text that are quoted
INTERVAL_MAX: Final = 100_000  # more than the seconds of a day: a longer distance is meant in another FREQ
COUNT_MAX: Final = 10_000  # counted off once, when the rule is read: a rule that lasts longer has an UNTIL
POSITIONS_MAX: Final = 100  # of BYSETPOS: each is looked for in each period

DAYS: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")

_NUMBER = re.compile(r"[+-]?[0-9]{1,6}")
_WEEKDAY = re.compile(r"([+-]?[0-9]{1,2})?([A-Z]{2})")
_STAMP = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})(?:T([0-9]{2})([0-9]{2})([0-9]{2})(Z)?)?")
_DAY_END = time(23, 59, 59)

_NAMES = (
    "FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST",
    "BYMONTH", "BYWEEKNO", "BYYEARDAY", "BYMONTHDAY", "BYDAY", "BYHOUR", "BYMINUTE", "BYSECOND", "BYSETPOS",
)  # fmt: skip

Numbers: TypeAlias = tuple[int, ...]

T = TypeVar("T")
D = TypeVar("D")


@attrs.frozen(slots=True, cache_hash=True, weakref_slot=False)
class Parts:
    """What a rule says, in order and without doubles; empty or None where it says nothing. Names are those of the RFC.

    Args:
        until: the last moment: naive for a local time, aware for an instant.
    """

    freq: Freq
    interval: int = 1
    count: int | None = None
    until: datetime | None = None
    bymonth: Numbers = ()
    byweekno: Numbers = ()
    byyearday: Numbers = ()
    bymonthday: Numbers = ()
    byday: tuple[tuple[int, int], ...] = ()
    byhour: Numbers = ()
    byminute: Numbers = ()
    bysecond: Numbers = ()
    bysetpos: Numbers = ()
    wkst: int = 0

    def starting(self, start: datetime) -> Recurrence:
        """Return the whole rule: days and times that it leaves open are those of its first occurrence."""
        weeks_begin_anywhere = self.freq is Freq.WEEKLY and self.interval == 1 and not self.bysetpos
        weeks_matter = self.byweekno or (self.freq is Freq.WEEKLY and not weeks_begin_anywhere)
        wkst = self.wkst if weeks_matter else 0
        freq = self.freq
        return Recurrence(
            freq=freq,
            interval=self.interval,
            start=instant(start.replace(tzinfo=UTC)),
            filter=self._days(start, wkst),
            hours=self.byhour or (_all(24) if freq <= Freq.HOURLY else (start.hour,)),
            minutes=self.byminute or (_all(60) if freq <= Freq.MINUTELY else (start.minute,)),
            seconds=self.bysecond or (_all(60) if freq <= Freq.SECONDLY else (start.second,)),
            positions=self.bysetpos,
            wkst=wkst,
        )

    def _days(self, start: datetime, wkst: int) -> DayFilter:
        months, monthdays, weekdays = self.bymonth, self.bymonthday, self.byday
        if not (self.byyearday or self.bymonthday or self.byday):
            if self.freq is Freq.WEEKLY or self.byweekno:
                weekdays = ((0, start.weekday()),)
            elif self.freq >= Freq.MONTHLY:
                monthdays = (start.day,)
                months = months or ((start.month,) if self.freq is Freq.YEARLY else ())
        by_month = any(place for place, _ in weekdays) and (self.freq is Freq.MONTHLY or bool(months))
        return DayFilter(months, self.byweekno, self.byyearday, monthdays, weekdays, by_month, wkst)


def _all(size: int) -> Numbers:
    return tuple(range(size))


def read_rule(text: str) -> Parts:
    """Read the value of RRULE, such as `FREQ=WEEKLY;BYDAY=MO,WE`.

    Raises:
        InvalidTrigger: a part is not understood, or two do not go together.
    """
    try:
        return _judged(_read_parts(_split(text)))
    except ValueError as error:
        raise InvalidTrigger(f"rrule {quote(text)}: {error}") from None


def quote(text: object) -> str:
    """Return a mistaken text on one line, shortened."""
    shown = text[: SHOWN_MAX + 1] if isinstance(text, str) else text
    try:
        quoted = repr(shown)
    except ValueError:  # an int of more than 4300 digits
        return "that number"
    return quoted if len(quoted) <= SHOWN_MAX + 2 else quoted[:SHOWN_MAX] + "..."


def _split(text: str) -> dict[str, str]:
    if len(text) > RULE_MAX:
        raise ValueError(f"has more than {RULE_MAX} characters")
    given: dict[str, str] = {}
    for part in text.split(";"):
        name, _, value = part.partition("=")
        if not value:
            raise ValueError(f"{quote(part)} is no part: write it like FREQ=WEEKLY;BYDAY=MO,WE")
        if name not in _NAMES:
            raise ValueError(f"{quote(name)} is unknown{suggest(name, _NAMES)}")
        if name in given:
            raise ValueError(f"{name} is given twice")
        given[name] = value
    if "FREQ" not in given:
        raise ValueError("FREQ is missing: write it first, like FREQ=WEEKLY")
    return given


def _read_parts(given: dict[str, str]) -> Parts:
    def part(name: str, read: Callable[[str], T], default: D) -> T | D:
        try:
            return read(given[name]) if name in given else default
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None

    return Parts(
        freq=part("FREQ", _freq, Freq.DAILY),
        interval=part("INTERVAL", _one(1, INTERVAL_MAX), 1),
        count=part("COUNT", _one(1, COUNT_MAX), None),
        until=part("UNTIL", _until, None),
        bymonth=part("BYMONTH", _numbers(1, 12), ()),
        byweekno=part("BYWEEKNO", _numbers(1, 53, signed=True), ()),
        byyearday=part("BYYEARDAY", _numbers(1, 366, signed=True), ()),
        bymonthday=part("BYMONTHDAY", _numbers(1, 31, signed=True), ()),
        byday=part("BYDAY", _weekdays, ()),
        byhour=part("BYHOUR", _numbers(0, 23), ()),
        byminute=part("BYMINUTE", _numbers(0, 59), ()),
        bysecond=part("BYSECOND", _seconds, ()),
        bysetpos=part("BYSETPOS", _numbers(1, 366, signed=True, listed_max=POSITIONS_MAX), ()),
        wkst=part("WKST", _weekday, 0),
    )


def _judged(parts: Parts) -> Parts:
    """Refuse what RFC 5545 forbids to stand together."""
    freq = parts.freq
    placed = any(place for place, _ in parts.byday)
    others = (parts.bymonth, parts.byweekno, parts.byyearday, parts.bymonthday, parts.byday)
    for wrong, message in (
        (parts.count and parts.until, "COUNT and UNTIL are given: a rule ends in one way"),
        (parts.byweekno and freq is not Freq.YEARLY, "BYWEEKNO goes with FREQ=YEARLY alone"),
        (parts.byyearday and Freq.DAILY <= freq <= Freq.MONTHLY, f"BYYEARDAY does not go with FREQ={freq.name}"),
        (parts.bymonthday and freq is Freq.WEEKLY, "BYMONTHDAY does not go with FREQ=WEEKLY: write FREQ=DAILY"),
        (placed and freq < Freq.MONTHLY, f"BYDAY: places such as 2MO do not go with FREQ={freq.name}"),
        (placed and parts.byweekno, "BYDAY: places such as 2MO do not go with BYWEEKNO"),
        (
            parts.bysetpos and not any((*others, parts.byhour, parts.byminute, parts.bysecond)),
            "BYSETPOS chooses from what another BY part lists: add one",
        ),
    ):
        if wrong:
            raise ValueError(message)
    return parts


def _freq(value: str) -> Freq:
    if value not in Freq.__members__:
        raise ValueError(f"{quote(value)} is unknown{suggest(value, Freq.__members__)}")
    return Freq[value]


def _one(least: int, most: int) -> Callable[[str], int]:
    def read(value: str) -> int:
        if not _NUMBER.fullmatch(value) or not least <= int(value) <= most:
            raise ValueError(f"{quote(value)} is no number from {least} to {most}")
        return int(value)

    return read


def _numbers(least: int, most: int, *, signed: bool = False, listed_max: int = 1000) -> Callable[[str], Numbers]:
    """Return a reader of numbers from `least` to `most`; signed ones may count from the end as well."""

    def read(value: str) -> Numbers:
        items = value.split(",")
        if len(items) > listed_max:
            raise ValueError(f"lists {len(items)} values: at most {listed_max}")
        return tuple(sorted({number(item) for item in items}))

    def number(item: str) -> int:
        found = int(item) if _NUMBER.fullmatch(item) else least - 1
        if not least <= (abs(found) if signed else found) <= most:
            also = f", or -{most} to -{least}" if signed else ""
            raise ValueError(f"{quote(item)} is no number from {least} to {most}{also}")
        return found

    return read


def _seconds(value: str) -> Numbers:
    """Read seconds; a leap second, which no clock here shows, is the one before it (RFC 5545 3.3.12)."""
    return tuple(sorted({min(second, 59) for second in _numbers(0, 60)(value)}))


def _weekday(value: str) -> int:
    if value not in DAYS:
        raise ValueError(f"{quote(value)} is no day of the week: write {', '.join(DAYS[:-1])} or {DAYS[-1]}")
    return DAYS.index(value)


def _weekdays(value: str) -> tuple[tuple[int, int], ...]:
    found = set()
    for item in value.split(","):
        parts = _WEEKDAY.fullmatch(item)
        day = _weekday(parts[2] if parts else item)
        place = int(parts[1] or 0) if parts else 0
        if parts and parts[1] and not 1 <= abs(place) <= 53:
            raise ValueError(f"{quote(item)} has no place from 1 to 53, or -53 to -1, such as 2MO or -1FR")
        found.add((place, day))
    return tuple(sorted(found))


def _until(value: str) -> datetime:
    """Read the last moment; a date alone is the whole day."""
    moment, utc = read_stamp(value)
    if isinstance(moment, datetime):
        return moment.replace(tzinfo=UTC) if utc else moment
    return datetime.combine(moment, _DAY_END)


def read_stamp(value: str) -> tuple[datetime | date, bool]:
    """Read a date or a time as calendars write it, such as `20261123T223000`; and whether it is one of UTC.

    Raises:
        ValueError: it is none, and what would be right.
    """
    found = _STAMP.fullmatch(value)
    try:
        if found:
            day = date(*map(int, found.group(1, 2, 3)))
            if found[4] is None:
                return day, False
            hour, minute, second = map(int, found.group(4, 5, 6))
            return datetime.combine(day, time(hour, minute, second)), found[7] is not None
    except ValueError:
        pass
    raise ValueError(f"{quote(value)} is no time: write it like 20261123T223000")
