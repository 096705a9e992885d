"""Calendars: the events of a calendar file or feed, as occurrences and as spans (S4.2).

What is known of a calendar is a snapshot. Reading one is not done here, nor is it read anew: a refresh is a new
revision of the schedules that depend on it (S5.6).
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Final, Self

import attrs

from trioarm.core.errors import InvalidTrigger
from trioarm.core.instants import EARLIEST, LATEST, microseconds
from trioarm.core.instants import instant as to_instant
from trioarm.core.triggers.wording import spell_duration

EVENTS_MAX: Final = 8_000  # eighteen a day for the 430 days that are looked at; a document holds 10 000 parts
OFFSET_S_MAX: Final = 31 * 86_400.0  # further from an event than a month, nobody sees what one has to do with the other
NAME: Final = re.compile(r"[a-z0-9][a-z0-9._/-]{0,62}")  # S2.4
SHOWN_MAX: Final = 40  # characters of a mistaken value that are quoted


class Edge(StrEnum):
    """Which end of an event is meant."""

    START = "start"
    END = "end"


def _name(value: str) -> str:
    if isinstance(value, str) and NAME.fullmatch(value):
        return value
    raise InvalidTrigger(
        f"calendar {_shorten(value)}: a name starts with a small letter or digit and goes on with those or . _ / -, "
        "63 characters at most"
    )


def _spans(values: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    found = sorted({(to_instant(start), to_instant(end)) for start, end in values})
    if len(found) > EVENTS_MAX:
        raise InvalidTrigger(f"calendar with {len(found)} events: at most {EVENTS_MAX}")
    for start, end in found:
        if end < start:
            raise InvalidTrigger(f"calendar: an event ends {spell_duration(start - end)} before it begins")
    return tuple(found)


def _edge(value: str) -> Edge:
    try:
        return Edge(value)
    except ValueError:
        raise InvalidTrigger(f"edge {_shorten(value)} is unknown: write start or end") from None


def _offset(value: float) -> float:
    good = isinstance(value, int | float) and not isinstance(value, bool) and -OFFSET_S_MAX <= value <= OFFSET_S_MAX
    if not good:
        raise InvalidTrigger(f"offset {_shorten(value)} is no duration in seconds of up to 31 days")
    return float(value) + 0.0  # minus zero is none


def _shorten(value: object) -> str:
    try:
        text = repr(value)
    except ValueError:  # an int of more than 4300 digits
        return "that number"
    return text if len(text) <= SHOWN_MAX else text[:SHOWN_MAX] + "..."


@attrs.frozen(slots=True, cache_hash=True, weakref_slot=False)
class Events:
    """What is known of a calendar.

    Args:
        name: of the calendar (S2.4).
        spans: start and end of each event, instants, in any order, each pair kept once; an event without length ends
            where it starts.
        known_until: the instant up to which all events are there; later ones may be.

    Raises:
        InvalidTrigger: the name is none, there are more than 8 000 events, or one ends before it starts.
        InvalidInstant: an instant lies outside the years 1 to 9999.
    """

    name: str = attrs.field(converter=_name)
    spans: tuple[tuple[int, int], ...] = attrs.field(converter=_spans)
    known_until: int = attrs.field(converter=to_instant)

    @classmethod
    def unread(cls, name: str) -> Self:
        """Return what is known of a calendar that nobody has read yet: nothing, up to no instant."""
        return cls(name, (), EARLIEST)

    @property
    def is_read(self) -> bool:
        """Whether somebody has read the calendar."""
        return self.known_until > EARLIEST


@attrs.frozen(slots=True, weakref_slot=False)
class Calendar:
    """An occurrence where each event starts or ends, or a fixed time from there; one for events that do so at once.

    Args:
        events: the snapshot. After its last event there are no occurrences.
        edge: `start` or `end`.
        offset_s: seconds from there, rounded to whole microseconds, less than zero for before; up to 31 days.

    Raises:
        InvalidTrigger: the edge is neither, or the offset is out of its bounds.
    """

    events: Events
    edge: Edge = attrs.field(default=Edge.START, converter=_edge, kw_only=True)
    offset_s: float = attrs.field(default=0.0, converter=_offset, kw_only=True)
    _instants: tuple[int, ...] = attrs.field(init=False, eq=False, repr=False)

    @_instants.default
    def _move(self) -> tuple[int, ...]:
        side, offset = 0 if self.edge is Edge.START else 1, microseconds(self.offset_s)
        moved = {span[side] + offset for span in self.events.spans}
        return tuple(sorted(at for at in moved if EARLIEST <= at <= LATEST))

    def next_after(self, instant: int) -> int | None:
        """Return the first occurrence later than `instant` (S4.1)."""
        place = bisect_right(self._instants, instant)
        return self._instants[place] if place < len(self._instants) else None

    def previous_before(self, instant: int) -> int | None:
        """Return the last occurrence earlier than `instant` (S4.1)."""
        place = bisect_left(self._instants, instant)
        return self._instants[place - 1] if place else None

    def count(self, after: int, until: int) -> int:
        """Return how many occurrences lie in `(after, until]`, by bisection (S4.1)."""
        return max(bisect_right(self._instants, until) - bisect_right(self._instants, after), 0)

    def shift_at(self, instant: int) -> int:
        """Return 0: an event has instants, and what they were meant to be in local time is not known any more."""
        return 0

    def describe(self) -> str:
        """Return the rule in plain English, such as `15 min before each event of school begins`."""
        verb = "begins" if self.edge is Edge.START else "ends"
        offset = microseconds(self.offset_s)
        lead = "when" if not offset else f"{spell_duration(abs(offset))} {'before' if offset < 0 else 'after'}"
        return f"{lead} each event of {self.events.name} {verb}"


@attrs.frozen(slots=True, weakref_slot=False)
class EventSpans:
    """The time during events of a calendar, to limit triggers to or keep them out of: `Spans`.

    What begins when something else ends is one stretch with it; an event without length is never going on.

    Args:
        events: the snapshot.
    """

    events: Events
    _stretches: list[tuple[int, int]] = attrs.field(init=False, eq=False, repr=False)
    _starts: list[int] = attrs.field(init=False, eq=False, repr=False)
    _ends: list[int] = attrs.field(init=False, eq=False, repr=False)

    @_stretches.default
    def _merge(self) -> list[tuple[int, int]]:
        return _merge(self.events.spans)

    @_starts.default
    def _list_starts(self) -> list[int]:
        return [start for start, _ in self._stretches]

    @_ends.default
    def _list_ends(self) -> list[int]:
        return [end for _, end in self._stretches]

    def inside_from(self, instant: int) -> int | None:
        """Return the first instant during an event, not earlier than `instant`."""
        place = bisect_right(self._ends, instant)  # of the first stretch that is not over
        return max(instant, self._starts[place]) if place < len(self._starts) else None

    def outside_from(self, instant: int) -> int | None:
        """Return the first instant during no event, not earlier than `instant`."""
        place = bisect_right(self._ends, instant)
        return self._ends[place] if self._covers(place, instant) else instant

    def inside_until(self, instant: int) -> int | None:
        """Return the last instant during an event, not later than `instant`."""
        place = bisect_right(self._starts, instant)  # behind the last stretch that has begun
        return min(instant, self._ends[place - 1] - 1) if place else None

    def outside_until(self, instant: int) -> int | None:
        """Return the last instant during no event, not later than `instant`."""
        place = bisect_right(self._ends, instant)
        return self._starts[place] - 1 if self._covers(place, instant) else instant

    def describe(self) -> str:
        """Return what they are in plain English, such as `during events of school`."""
        return f"during events of {self.events.name}"

    def _covers(self, place: int, instant: int) -> bool:
        return place < len(self._starts) and self._starts[place] <= instant


def _merge(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return stretches that do not touch each other, in order, from spans in order."""
    merged: list[tuple[int, int]] = []
    for start, end in spans:
        if start == end:
            continue
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged
