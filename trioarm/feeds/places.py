"""Places: where the local times of events are, by whatever name a calendar knows a time zone.

A zone of the tz database is `civil`'s business: where it skips or repeats a local time, calendars follow the rule of
recurrences, `shift` and `first` (S4.3). Only a zone that nothing but the calendar describes is read by a library.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cached_property
from io import StringIO
from typing import Final, Protocol
from zoneinfo import available_timezones

import attrs
from dateutil.tz import tzical
from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from trioarm.core.instants import DAY, as_datetime
from trioarm.core.reading import show
from trioarm.core.triggers.civil import Fold, Gap, resolve
from trioarm.core.triggers.zones import Zone, find_zone
from trioarm.feeds.content import Component, Property, wrong
from trioarm.feeds.recurrence import check_rule

NAMES_MAX: Final = 200  # time zones that one calendar names
NAME_MAX: Final = 128  # characters of such a name

EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001  # on the wall of whatever zone
_MICROSECOND: Final = timedelta(microseconds=1)
_DATE_TIME: Final = re.compile(r"([0-9]{8})(T[0-9]{6})?Z?")
_OFFSET: Final = re.compile(r"[+-](?:0[0-9]|1[0-9]|2[0-3])[0-5][0-9](?:[0-5][0-9])?")


class Place(Protocol):
    """A time zone: local times are microseconds since 1970-01-01T00:00 on its wall."""

    def instant_of(self, local: int) -> int:
        """Return the instant of a local time."""

    def local_of(self, instant: int) -> int:
        """Return the local time at an instant."""


@attrs.frozen(slots=True)
class Known:
    """A zone of the tz database."""

    zone: Zone

    def instant_of(self, local: int) -> int:
        """Return the instant of a local time (S4.3: `shift`, `first`)."""
        return resolve(self.zone, local, Gap.SHIFT, Fold.FIRST)[0]

    def local_of(self, instant: int) -> int:
        """Return the local time at an instant."""
        return self.zone.to_local(instant)

    def midnight(self, day: int) -> int:
        """Return where a day begins, the int of days since 1970: after the gap where midnight is left out."""
        return resolve(self.zone, day * DAY, Gap.RUN_AFTER, Fold.FIRST)[0]


@attrs.frozen(slots=True)
class Described:
    """A zone that the calendar describes."""

    rules: tzinfo

    def instant_of(self, local: int) -> int:
        """Return the instant of a local time."""
        moment = (EPOCH + timedelta(microseconds=local)).replace(tzinfo=self.rules)
        return local - (moment.utcoffset() or timedelta(0)) // _MICROSECOND

    def local_of(self, instant: int) -> int:
        """Return the local time at an instant."""
        return (as_datetime(instant).astimezone(self.rules).replace(tzinfo=None) - EPOCH) // _MICROSECOND


ZULU: Final = Known(find_zone("UTC"))


class Places:
    """The time zones of one calendar.

    Args:
        given: where all days and all local times without a zone are.
        described: time zones that the calendar describes.
    """

    def __init__(self, given: Known, described: Iterable[Component]) -> None:
        self.given = given
        self._described = {one.value: component for component in described for one in component.every("TZID")}
        self._found: dict[str, Place] = {}

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(available_timezones())

    def of(self, time: Property) -> Place | None:
        """Return the zone that a property names; None when it names none.

        Raises:
            InvalidCalendar: nobody knows it.
        """
        name = time.params.get("TZID")
        if name is None:
            return None
        if name not in self._found:
            if len(self._found) == NAMES_MAX or len(name) > NAME_MAX:
                raise wrong(time.line, f"time zone {show(name)} is one too many, or too long a name")
            self._found[name] = self._find(name, time.line)
        return self._found[name]

    def _find(self, name: str, line: int) -> Place:
        parts = name.strip("/").split("/")
        prefixed = ["/".join(parts[skip:]) for skip in range(len(parts))] if name.startswith("/") else []
        for word in (name, WINDOWS_TO_OLSON.get(name), *prefixed):  # `/vendor/version/Europe/Prague`
            if word in self._known:
                return Known(find_zone(word))
        if name in self._described:
            return Described(_read_zone(self._described[name]))
        raise wrong(line, f"time zone {show(name)} is none of the tz database, and the calendar does not describe it")


def _read_zone(zone: Component) -> tzinfo:
    for part in zone.parts:
        _check_leap(part)
    lines = ["BEGIN:VTIMEZONE", "TZID:described"]
    for part in zone.parts:
        lines += [f"BEGIN:{part.kind}", *map(_change, part.properties), f"END:{part.kind}"]
    text = "\r\n".join((*lines, "END:VTIMEZONE"))
    try:
        found = tzical(StringIO(text)).get()
        if found is None:
            raise AssertionError("the only one there is")
        datetime(2026, 1, 1, tzinfo=UTC).astimezone(found)
    except ValueError as error:
        raise wrong(zone.line, f"the time zone cannot be understood: {_one_line(error)}") from None
    return found


def _check_leap(part: Component) -> None:
    """Refuse a change by a day or more: local times of a zone that leaps so far have no meaning here."""
    before, after = (_minutes(part.one(name)) for name in ("TZOFFSETFROM", "TZOFFSETTO"))
    if abs(after - before) > 23 * 60:
        raise wrong(part.line, "the time zone cannot be understood: clocks change by a day")


def _minutes(offset: Property | None) -> int:
    """Return an offset in minutes; 0 for one that is missing or none, which is said elsewhere."""
    if offset is None or not _OFFSET.fullmatch(offset.value):
        return 0
    minutes = int(offset.value[1:3]) * 60 + int(offset.value[3:5])
    return -minutes if offset.value[0] == "-" else minutes


def _change(prop: Property) -> str:
    """Return a property of a time zone as the library reads it."""
    match prop.name:
        case "RRULE":
            return f"RRULE:{check_rule(prop, yearly=True)}"
        case "TZOFFSETFROM" | "TZOFFSETTO":
            if not _OFFSET.fullmatch(prop.value):
                raise wrong(prop.line, f"{show(prop.value)} is no offset from UTC: write it like +0100")
            return f"{prop.name}:{prop.value}"
        case _:
            return f"{prop.name}:{','.join(_moment(prop.line, value) for value in prop.value.split(','))}"


def _moment(line: int, value: str) -> str:
    found = _DATE_TIME.fullmatch(value.strip())
    if not found:
        raise wrong(line, f"{show(value)} is no local time: write it like 20261025T030000")
    return found[1] + (found[2] or "T000000")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
