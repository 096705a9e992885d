"""RRULE lines: what a calendar keeps beside a rule: DTSTART, EXDATE, RDATE, and the zone they are in (S4.2).

All of them are local times of one zone. A line that names another zone, or `Z` beside a zone, is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, time
from typing import Final, TypeVar

import attrs

from trioarm.core.errors import InvalidTrigger
from trioarm.core.reading import suggest
from trioarm.core.triggers.rrule_text import quote, read_stamp
from trioarm.core.triggers.zones import zone_name

TEXT_MAX: Final = 65_536  # characters of all lines: room for a long rule and for every date that may be listed
DATES_MAX: Final = 1000  # left out or added, each: more of them are a calendar of their own
LOCAL_MAX: Final = 64  # characters of a local time

_LINES = ("DTSTART", "RRULE", "EXDATE", "RDATE")
_PROPERTY = re.compile(r"([A-Za-z-]+)(;[^:]*)?:(.*)")
_MIDNIGHT = time()

T = TypeVar("T")


@attrs.frozen(slots=True)
class Lines:
    """What a text says, as naive local times of the zone it names.

    Args:
        rule: the value of RRULE, in upper case.
        timezone: the zone of DTSTART and the dates; None where they name none.
    """

    rule: str
    start: datetime | None = None
    timezone: str | None = None
    exdates: tuple[datetime, ...] = ()
    rdates: tuple[datetime, ...] = ()


@attrs.frozen(slots=True)
class _Line:
    name: str
    zone: str | None
    value: str


def read_lines(text: str) -> Lines:
    """Read a rule alone, or the lines of a calendar, of which one is its rule.

    Raises:
        InvalidTrigger: a line is not understood, comes twice, or names another zone.
    """
    if not isinstance(text, str):
        raise InvalidTrigger(f"rrule {quote(text)} is no text: write it like FREQ=WEEKLY;BYDAY=MO,WE")
    try:
        return _gather([_read_line(line) for line in _unfold(text)])
    except ValueError as error:
        raise InvalidTrigger(f"rrule {quote(text.strip())}: {error}") from None


def _unfold(text: str) -> Iterator[str]:
    """Yield whole lines: one that begins with a blank and is none itself continues the one before (RFC 5545 3.1)."""
    if len(text) > TEXT_MAX:
        raise ValueError(f"has more than {TEXT_MAX} characters")
    if not text.isascii():
        raise ValueError("has characters that no rule has")
    whole = ""
    for line in text.strip().split("\n"):
        if line[:1] in (" ", "\t") and not _PROPERTY.fullmatch(line.strip()):
            whole += line.strip()
        else:
            if whole:
                yield whole
            whole = line.strip()
    yield whole


def _read_line(line: str) -> _Line:
    found = _PROPERTY.fullmatch(line)
    if not found:
        return _Line("RRULE", None, line.upper())
    name, value = found[1].upper(), found[3].strip().upper()
    if name not in _LINES:
        raise ValueError(f"{quote(name)} is unknown{suggest(name, _LINES)}")
    zones = [zone for parameter in (found[2] or "").split(";")[1:] if (zone := _read_parameter(name, parameter))]
    if name != "RRULE" and value.endswith("Z"):
        zones.append("UTC")
    return _Line(name, _agreed(zones), value)


def _read_parameter(name: str, parameter: str) -> str | None:
    """Return the zone that a parameter of a line names."""
    key, _, value = parameter.partition("=")
    match key.upper(), value.upper():
        case "TZID", _:
            return zone_name(value.strip('"'))
        case "VALUE", "DATE" | "DATE-TIME":
            return None
        case _:
            raise ValueError(f"{name}: {quote(parameter)} is not understood: write TZID=Europe/Prague, or leave it out")


def _agreed(zones: Iterable[str]) -> str | None:
    """Return the one zone that is named, if any is."""
    given = sorted(set(zones))
    if len(given) > 1:
        raise ValueError(f"{' and '.join(given)} are named: all times of a rule are in one zone")
    return given[0] if given else None


def _gather(lines: list[_Line]) -> Lines:
    for name in ("DTSTART", "RRULE"):
        if sum(line.name == name for line in lines) > 1:
            raise ValueError(f"{name} is given twice")
    rule = next((line.value for line in lines if line.name == "RRULE"), None)
    if rule is None:
        raise ValueError("RRULE is missing: write it like RRULE:FREQ=WEEKLY;BYDAY=MO,WE")
    start = next((_to_start(_stamp(line.name, line.value)) for line in lines if line.name == "DTSTART"), None)
    return Lines(
        rule=rule,
        start=start,
        timezone=_agreed(line.zone for line in lines if line.zone),
        exdates=_listed("EXDATE", lines, start),
        rdates=_listed("RDATE", lines, start),
    )


def _listed(name: str, lines: list[_Line], start: datetime | None) -> tuple[datetime, ...]:
    values = [_stamp(name, value) for line in lines if line.name == name for value in line.value.split(",")]
    return named(name, lambda: read_dates(values, start))


def _stamp(name: str, value: str) -> datetime | date:
    return named(name, lambda: read_stamp(value)[0])


def named(name: str, read: Callable[[], T]) -> T:
    """Return what `read` reads, or say where it stands.

    Raises:
        ValueError: as `read` does, with the name before it.
    """
    try:
        return read()
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _to_start(moment: datetime | date) -> datetime:
    return moment if isinstance(moment, datetime) else datetime.combine(moment, _MIDNIGHT)


def read_start(value: object) -> datetime:
    """Read a start as a program or a file gives it; a date alone is its midnight.

    Args:
        value: ISO 8601 text without an offset, a naive datetime, or a date.

    Raises:
        ValueError: it is no local time of whole seconds.
    """
    return _to_start(_local(value))


def read_dates(values: Iterable[object], start: datetime | None) -> tuple[datetime, ...]:
    """Read local times that are left out or added, in order and without doubles.

    Args:
        values: each as for `read_start`, but a date alone only where the rule starts at midnight.
        start: of the rule.

    Raises:
        ValueError: one is no such time, or they are too many.
    """
    found = set()
    for count, value in enumerate(values):
        if count == DATES_MAX:
            raise ValueError(f"more than {DATES_MAX} are a calendar of their own")
        moment = _local(value)
        if not isinstance(moment, datetime) and (start is None or start.time() != _MIDNIGHT):
            raise ValueError(f"{moment} has no time of day: write it like {moment}T22:30:00")
        found.add(_to_start(moment))
    return tuple(sorted(found))


def _local(value: object) -> datetime | date:
    moment = _parsed(value) if isinstance(value, str) and len(value) <= LOCAL_MAX else value
    if not isinstance(moment, datetime):
        if isinstance(moment, date):
            return moment
        raise ValueError(f"{quote(value)} is no local time: write it like 2026-11-23T22:30:00")
    if moment.tzinfo is not None:
        raise ValueError(f"{moment.isoformat()} has an offset: write local time alone, its zone is timezone")
    if moment.microsecond:
        raise ValueError(f"{moment.isoformat()} has a fraction: rules know whole seconds")
    return moment.replace(fold=0)


def _parsed(text: str) -> object:
    for read in (date.fromisoformat, datetime.fromisoformat):
        try:
            return read(text)
        except ValueError:
            continue
    return None
