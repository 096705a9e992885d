"""Series: an event as a calendar has it, with its recurrences and exceptions, and when it goes on within a window.

Local times are counted on the wall where the event is; instants come from its place (S4.3). The days of an event
without times are those where the calendar is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import Final, TypeAlias

import attrs
from icalendar.prop import vDDDTypes

from trioarm.core.instants import DAY
from trioarm.core.reading import show
from trioarm.feeds.content import Component, Property, wrong
from trioarm.feeds.patience import Patience
from trioarm.feeds.places import EPOCH, ZULU, Known, Place, Places
from trioarm.feeds.recurrence import Rule, follow, read_rule

YEAR_MIN: Final = 1600  # address books put birthdays of an unknown year into 1604
FAR: Final = (datetime(2400, 1, 1) - EPOCH) // timedelta(microseconds=1)  # noqa: DTZ001  # later is "for ever"
DATES_MAX: Final = 10_000  # exceptions and additional times of one event

Value: TypeAlias = date | datetime | timedelta | time | tuple[datetime, datetime | timedelta]

_MICROSECOND: Final = timedelta(microseconds=1)


@attrs.frozen(slots=True)
class When:
    """A day, or a local time.

    Args:
        local: microseconds; of a day its midnight.
        place: where; None for wherever the event is.
        is_day: whether it is a day.
    """

    local: int
    place: Place | None
    is_day: bool

    def at(self, place: Place) -> int:
        """Return the local time it is at a place."""
        if self.is_day or self.place is None or self.place == place:
            return self.local
        return place.local_of(self.place.instant_of(self.local))


@attrs.frozen(slots=True)
class Length:
    """How long an event is: so much on the wall, then so much that elapses, in microseconds."""

    local: int = 0
    elapsed: int = 0

    def end_of(self, start: When, place: Place, begins_at: int) -> int:
        """Return the instant an event ends; never before it begins."""
        at = min(start.local + self.local, FAR)
        if isinstance(place, Known) and start.is_day:
            return max(place.midnight(at // DAY), begins_at)
        ends_at = place.instant_of(at) if self.local else begins_at
        return max(ends_at + self.elapsed, begins_at)


@attrs.frozen(slots=True)
class Event:
    """One event as a calendar has it.

    Args:
        line: in which it begins.
        uid: what it and its exceptions have in common.
        sequence: which revision of it.
        cancelled: whether it does not take place.
        place: where it is.
        start: when it is, the first time.
        length: how long.
        rules: by which it comes again.
        more: further times, with their own length where they have one.
        out: times at which it does not take place.
        instead_of: the time that it replaces, of a series of the same uid.
    """

    line: int
    uid: str
    sequence: int
    cancelled: bool
    place: Place
    start: When
    length: Length
    rules: tuple[Rule, ...]
    more: tuple[tuple[When, Length | None], ...]
    out: tuple[When, ...]
    instead_of: When | None


def read_event(component: Component, places: Places) -> Event:
    """Read an event.

    Raises:
        InvalidCalendar: it cannot be understood; the line says where.
    """
    for refused in component.every("EXRULE"):
        raise wrong(refused.line, "EXRULE is not understood: it is no part of calendars any more")
    began = component.one("DTSTART")
    if began is None:
        raise wrong(component.line, "the event has no DTSTART")
    start = _when(began, began.value, places)
    place = places.given if start.is_day or start.place is None else start.place
    uid, sequence, status = component.one("UID"), component.one("SEQUENCE"), component.one("STATUS")
    return Event(
        line=component.line,
        uid=uid.value if uid else f"line {component.line}",
        sequence=_sequence(sequence),
        cancelled=status is not None and status.value.upper() == "CANCELLED",
        place=place,
        start=start,
        length=_length(component, start, place, places),
        rules=tuple(read_rule(rule) for rule in component.every("RRULE")),
        more=tuple(_times(component, "RDATE", place, places)),
        out=tuple(when for when, _ in _times(component, "EXDATE", place, places)),
        instead_of=_instead_of(component, places),
    )


def _instead_of(component: Component, places: Places) -> When | None:
    replaced = component.one("RECURRENCE-ID")
    if replaced is None:
        return None
    if "RANGE" in replaced.params:
        raise wrong(replaced.line, "RECURRENCE-ID with a RANGE is not understood: it must replace one event")
    return _when(replaced, replaced.value, places)


def _sequence(sequence: Property | None) -> int:
    if sequence is None:
        return 0
    if not (sequence.value.isdecimal() and len(sequence.value) <= 18):
        raise wrong(sequence.line, f"SEQUENCE {show(sequence.value)} is no number")
    return int(sequence.value)


def _length(component: Component, start: When, place: Place, places: Places) -> Length:
    ended, lasts = component.one("DTEND"), component.one("DURATION")
    if ended is not None:
        end = _when(ended, ended.value, places)
        if end.is_day != start.is_day:
            raise wrong(ended.line, f"DTEND {show(ended.value)} and DTSTART must both be days, or both be times")
        local = end.at(place) - start.local
        if local < 0:
            raise wrong(ended.line, f"DTEND {show(ended.value)} is before DTSTART")
        return Length(local or DAY) if start.is_day else Length(local)
    if lasts is None:
        return Length(DAY) if start.is_day else Length()
    length = _value(lasts, lasts.value)
    if not isinstance(length, timedelta) or length < timedelta(0):
        raise wrong(lasts.line, f"DURATION {show(lasts.value)} is no length of time: write it like PT1H30M")
    if start.is_day and length.seconds:
        raise wrong(lasts.line, f"DURATION {show(lasts.value)} of whole days must be whole days")
    return _lasting(length) if length or not start.is_day else Length(DAY)


def _lasting(length: timedelta) -> Length:
    """Return a length of which days are those on the wall, and the rest elapses (RFC 5545, 3.3.6)."""
    return Length(min(length.days * DAY, FAR), length.seconds * 1_000_000)


def _times(component: Component, name: str, place: Place, places: Places) -> Iterator[tuple[When, Length | None]]:
    count = 0
    for prop in component.every(name):
        for text in filter(None, prop.value.split(",")):
            count += 1
            if count > DATES_MAX:
                raise wrong(prop.line, f"more than {DATES_MAX} times in {name} of one event")
            first, slash, second = text.partition("/")
            when = _when(prop, first, places)
            yield when, _period(prop, when, second, place, places) if slash else None


def _period(prop: Property, start: When, text: str, place: Place, places: Places) -> Length:
    if text.lstrip("+-")[:1].upper() == "P":
        value = _value(prop, text)
        if isinstance(value, timedelta) and value >= timedelta(0):
            return _lasting(value)
    else:
        local = _when(prop, text, places).at(place) - start.at(place)
        if local >= 0:
            return Length(local)
    raise wrong(prop.line, f"{prop.name} {show(text)} is no end of a period")


def _when(prop: Property, text: str, places: Places) -> When:
    value = _value(prop, text)
    if not isinstance(value, date):
        raise wrong(prop.line, f"{prop.name} {show(text)} is neither a day nor a time: write it like 20261224T180000")
    if value.year < YEAR_MIN:
        raise wrong(prop.line, f"{prop.name} {show(text)} is before the year {YEAR_MIN}")
    if not isinstance(value, datetime):
        return When(min(_local(datetime(value.year, value.month, value.day)), FAR), None, True)  # noqa: DTZ001
    place = ZULU if value.tzinfo is not None else places.of(prop)
    return When(min(_local(value.replace(tzinfo=None)), FAR), place, False)


def _local(wall: datetime) -> int:
    return (wall - EPOCH) // _MICROSECOND


def _value(prop: Property, text: str) -> Value:
    try:
        value: Value = vDDDTypes.from_ical(text.strip().upper())  # type: ignore[no-untyped-call]
    except ValueError:
        raise wrong(prop.line, f"{prop.name} {show(text)} cannot be understood") from None
    return value


@attrs.frozen(slots=True)
class Window:
    """What is looked at: instants `[start, end)`."""

    start: int
    end: int

    def shows(self, starts_at: int, ends_at: int) -> bool:
        """Whether some of an event lies inside."""
        return starts_at < self.end and (ends_at > self.start or starts_at >= self.start)


def spans_of(events: Sequence[Event], window: Window, patience: Patience) -> Iterator[tuple[int, int]]:
    """Yield start and end of what takes place of the events of one uid.

    Args:
        events: a series and what replaces single events of it.
        window: what does not lie inside is left out.
        patience: asked at every step.

    Raises:
        InvalidCalendar: one recurs too often to be followed.
    """
    series = _latest([event for event in events if event.instead_of is None])
    instead = [event for event in events if event.instead_of is not None]
    for event in series:
        yield from _takes_place(
            event, window, patience, [*event.out, *(one.instead_of for one in instead if one.instead_of)]
        )
    for one in _latest_each(instead):
        out = [when for event in series for when in event.out]
        if not one.cancelled and not _Among(out, one.place).has(_replaced(one)):
            yield from _within([(one.start, one.length)], one, window)


def _replaced(event: Event) -> When:
    return event.instead_of or event.start


def _latest(events: Sequence[Event]) -> list[Event]:
    """Return those of the latest revision. Several of the same are not revisions of each other, whatever they say."""
    newest = max((event.sequence for event in events), default=0)
    return [event for event in events if event.sequence == newest]


def _latest_each(instead: Iterable[Event]) -> list[Event]:
    """Return the latest revision of what replaces each event."""
    latest: dict[int, Event] = {}
    for event in instead:
        replaced = _replaced(event)
        key = replaced.at(event.place) if replaced.is_day else event.place.instant_of(replaced.at(event.place))
        if key not in latest or latest[key].sequence <= event.sequence:
            latest[key] = event
    return [*latest.values()]


class _Among:
    """A set of days and times, as they are at a place; a day stands for every time of it."""

    def __init__(self, several: Iterable[When], place: Place) -> None:
        self._place = place
        self._times: set[int] = set()
        self._days: set[int] = set()
        for when in several:
            (self._days if when.is_day else self._times).add(when.at(place) // (DAY if when.is_day else 1))

    def has(self, when: When) -> bool:
        """Whether a time is one of them; of a day, whether one of them lies in it."""
        local = when.at(self._place)
        if when.is_day:
            return local // DAY in self._days or any(time // DAY == local // DAY for time in self._times)
        return local in self._times or local // DAY in self._days


def _takes_place(event: Event, window: Window, patience: Patience, out: list[When]) -> Iterator[tuple[int, int]]:
    patience.ask()
    if event.cancelled:
        return
    never = _Among(out, event.place)
    starts: dict[int, Length] = {event.start.local: event.length}
    last = min(event.place.local_of(window.end) + DAY, FAR)
    for rule in event.rules:
        until = _until(rule, event)
        for local in follow(rule, event.start.local, last if until is None else min(last, until), patience):
            starts.setdefault(_floor(local, event), event.length)
    for when, length in event.more:
        starts[_floor(when.at(event.place), event)] = length or event.length
    times = ((When(local, event.place, event.start.is_day), length) for local, length in starts.items())
    yield from _within(((when, length) for when, length in times if not never.has(when)), event, window)


def _floor(local: int, event: Event) -> int:
    """Return where an event starts that is meant for a local time: if it is a day, at its beginning."""
    return local // DAY * DAY if event.start.is_day else local


def _until(rule: Rule, event: Event) -> int | None:
    """Return the last local time at which an event may start by its rule; a day counts to its end."""
    if rule.until is None:
        return None
    if not isinstance(rule.until, datetime):
        return _local(datetime(rule.until.year, rule.until.month, rule.until.day)) + DAY - 1  # noqa: DTZ001
    place = None if rule.until.tzinfo is None else ZULU
    return When(min(_local(rule.until.replace(tzinfo=None)), FAR), place, False).at(event.place)


def _within(times: Iterable[tuple[When, Length]], event: Event, window: Window) -> Iterator[tuple[int, int]]:
    """Yield start and end of those times that the window shows; only those near it are looked up in its zone."""
    first, last = window.start - 2 * DAY, window.end + 2 * DAY
    for when, length in times:
        if when.local > last or when.local + length.local + length.elapsed < first:
            continue
        place = event.place
        starts_at = (
            place.midnight(when.local // DAY)
            if when.is_day and isinstance(place, Known)
            else (place.instant_of(when.local))
        )
        ends_at = length.end_of(when, place, starts_at)
        if window.shows(starts_at, ends_at):
            yield starts_at, ends_at


def group(events: Iterable[Event]) -> list[list[Event]]:
    """Return the events by what they have in common."""
    groups: dict[str, list[Event]] = {}
    for event in events:
        groups.setdefault(event.uid, []).append(event)
    return [*groups.values()]
