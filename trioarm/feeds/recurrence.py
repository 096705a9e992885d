"""Recurrence: at which local times an event comes again, by its RRULE (RFC 5545, 3.3.10).

The library that follows a rule knows no zones here: it is given naive local times, and gives naive ones back. It looks
for more up to the year 9999 when a rule has nothing more to offer, so time is moved towards that year first, by whole
cycles of the calendar: the weekdays and leap days of 400 years are those of any other 400.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Final

import attrs
from dateutil.rrule import rrulestr
from icalendar.prop import vRecur

from trioarm.core.reading import show
from trioarm.feeds.content import Property, wrong
from trioarm.feeds.patience import Patience

RULE_MAX: Final = 400  # characters of a rule: all days of a month and all hours of a day fit
STEPS_MAX: Final = 200_000  # times a rule is followed from the first of its event on: every day since the year 1600
FREQUENCIES: Final = ("HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY")
COUNTS_MAX: Final = 1_000_000  # of COUNT and INTERVAL: neither years nor patience go further
NUMBERS: Final = {  # least and most of each; less than zero counts from the end, and zero means nothing there
    "COUNT": (1, COUNTS_MAX),
    "INTERVAL": (1, COUNTS_MAX),
    "BYSECOND": (0, 59),
    "BYMINUTE": (0, 59),
    "BYHOUR": (0, 23),
    "BYMONTHDAY": (-31, 31),
    "BYYEARDAY": (-366, 366),
    "BYWEEKNO": (-53, 53),
    "BYMONTH": (1, 12),
    "BYSETPOS": (-366, 366),
}
PARTS: Final = frozenset((*NUMBERS, "FREQ", "UNTIL", "WKST", "BYDAY"))

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001
_CYCLE: Final = timedelta(days=146_097)  # 400 years, also whole weeks
_MICROSECOND: Final = timedelta(microseconds=1)


@attrs.frozen(slots=True)
class Rule:
    """A rule that can be followed.

    Args:
        line: where it stands.
        text: without `UNTIL`.
        until: the last local time that counts, as the rule says it; None for no end.
    """

    line: int
    text: str
    until: date | datetime | None


def check_rule(rule: Property, *, yearly: bool = False) -> str:
    """Return the text of a rule whose following comes to an end, as the library writes it.

    Args:
        rule: its property.
        yearly: whether only one that says when in a year clocks change is right.

    Raises:
        InvalidCalendar: it is none, or recurs more often than is followed.
    """
    return _text(_checked(rule, yearly))


def read_rule(rule: Property) -> Rule:
    """Return a rule to follow.

    Raises:
        InvalidCalendar: it is none, or recurs more often than is followed.
    """
    found = _checked(rule, False)
    until = found.pop("UNTIL", [None])[0]
    if until is not None and not isinstance(until, date):
        raise wrong(rule.line, f"RRULE {show(rule.value)}: UNTIL is neither a day nor a time")
    text = _text(found)
    _follow(rule.line, text, _EPOCH)  # so that whoever follows it later finds no mistake
    return Rule(rule.line, text, until)


def _checked(rule: Property, yearly: bool) -> vRecur:
    if len(rule.value) > RULE_MAX:
        raise wrong(rule.line, f"RRULE has {len(rule.value)} characters: at most {RULE_MAX}")
    try:
        found: vRecur = vRecur.from_ical(rule.value.upper())
    except ValueError as error:
        raise wrong(rule.line, f"RRULE {show(rule.value)}: {' '.join(str(error).split())[:100]}") from None
    unknown = sorted(set(found) - PARTS)
    if unknown:
        raise wrong(rule.line, f"RRULE {show(rule.value)}: {show(unknown[0])} is not understood")
    frequency = found.get("FREQ", [""])[0]
    allowed = ("YEARLY",) if yearly else FREQUENCIES
    if frequency not in allowed:
        raise wrong(rule.line, f"RRULE {show(rule.value)}: FREQ must be {' or '.join(allowed)}")
    _check_numbers(rule, found)
    return found


def _check_numbers(rule: Property, found: vRecur) -> None:
    """Refuse what the library falls over, or looks for far too long."""
    frequency = found["FREQ"][0]
    if frequency == "HOURLY" and "BYSETPOS" in found:  # each hour of 400 years would be looked at for what it has not
        raise wrong(rule.line, f"RRULE {show(rule.value)}: HOURLY with BYSETPOS is not followed")
    weeks = 53 if frequency == "YEARLY" and "BYMONTH" not in found and "BYWEEKNO" not in found else 5
    if any(int(day[:-2].lstrip("+-") or 0) > weeks for day in found.get("BYDAY", ())):  # such as -1SU
        raise wrong(rule.line, f"RRULE {show(rule.value)}: BYDAY counts to {weeks} at most")
    for part, (least, most) in NUMBERS.items():
        if any(not least <= int(value) <= most or (least < 0 and not value) for value in found.get(part, ())):
            raise wrong(rule.line, f"RRULE {show(rule.value)}: {part} lies outside {least} to {most}")


def _text(rule: vRecur) -> str:
    return bytes(rule.to_ical()).decode()  # type: ignore[no-untyped-call]


def _follow(line: int, text: str, start: datetime) -> Iterator[datetime]:
    try:
        return iter(rrulestr(text, dtstart=start))
    except ValueError as error:
        raise wrong(line, f"RRULE {show(text)}: {' '.join(str(error).split())[:100]}") from None


def follow(rule: Rule, first: int, last: int, patience: Patience) -> Iterator[int]:
    """Yield the local times of a rule in order.

    Args:
        rule: what to follow.
        first: local time of the first event, from which it counts.
        last: local time up to which is looked.
        patience: asked at every step.

    Raises:
        InvalidCalendar: it recurs too often to be followed that far.
    """
    if last < first:  # such as a rule that ended before it began
        return
    end = _EPOCH + timedelta(microseconds=last)
    moved = (9999 - end.year) // 400 * _CYCLE
    start, end = _EPOCH + timedelta(microseconds=first) + moved, end + moved
    for step, at in enumerate(_follow(rule.line, rule.text, start)):
        patience.ask()
        if at > end:
            return
        if step == STEPS_MAX:
            raise wrong(rule.line, f"RRULE {show(rule.text)} recurs more than {STEPS_MAX} times: begin it later")
        yield (at - moved - _EPOCH) // _MICROSECOND
