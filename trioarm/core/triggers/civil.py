"""Civil time: the only place that knows what happens at gaps and folds (S4.3).

A local time is int microseconds of naive local time, counted from 1970-01-01T00:00 on the wall. A calendar
(`LocalTimes`) says which local times are meant and knows no zone; a `Timeline` (a zone and what to do at its gaps
and folds) turns them into instants. It cuts time into segments of constant offset and asks the calendar once per
segment, so nothing is found by stepping, and local times that a gap collapses onto one instant are one occurrence.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise
from typing import Protocol, assert_never

import attrs

from trioarm.core.errors import InvalidTrigger
from trioarm.core.instants import DAY, EARLIEST, LATEST
from trioarm.core.triggers.zones import ERA, ERAS_MAX, MARGIN, ZONES_MAX, Zone, changes_around, find_zone

EDGE = 2 * DAY  # what the segments of an era show beyond it: more than any fold, less than the changes known


class Gap(StrEnum):
    """What becomes of a local time that a change of offset leaves out (S4.3)."""

    RUN_AFTER = "run_after"  # the first instant after the gap
    SHIFT = "shift"  # as if the offset before the gap still held: 02:30 runs at 03:30
    SKIP = "skip"


class Fold(StrEnum):
    """Which pass of a local time that a change of offset repeats (S4.3)."""

    FIRST = "first"
    SECOND = "second"
    BOTH = "both"


class LocalTimes(Protocol):
    """A calendar of naive local times: strictly monotone, bounded in work, None for "never"."""

    def next_local(self, local: int) -> int | None:
        """Return the first local time later than `local`."""

    def previous_local(self, local: int) -> int | None:
        """Return the last local time earlier than `local`."""

    def count_local(self, after: int, until: int) -> int:
        """Return how many local times lie in `(after, until]`."""


def gap_policy(value: str) -> Gap:
    """Turn `run_after`, `shift` or `skip` into a `Gap`.

    Raises:
        InvalidTrigger: it is none of them.
    """
    try:
        return Gap(value)
    except ValueError:
        raise InvalidTrigger(f"gap {value!r} is unknown: write run_after, shift or skip") from None


def fold_policy(value: str) -> Fold:
    """Turn `first`, `second` or `both` into a `Fold`.

    Raises:
        InvalidTrigger: it is none of them.
    """
    try:
        return Fold(value)
    except ValueError:
        raise InvalidTrigger(f"fold {value!r} is unknown: write first, second or both") from None


@attrs.frozen(slots=True, weakref_slot=False)
class Segment:
    """The instants `[start, end)`, over which local time is instant + `offset`.

    Local times from `collects` on that lie before the segment's first one fell into a gap and happen at `start`.
    Where `shifted` is given, local times that follow that offset, the one before the gap, happen here as well.
    """

    start: int
    end: int
    offset: int
    collects: int
    shifted: int | None = None

    def within(self, low: int, high: int) -> Segment:
        """Return the part of the segment in `[low, high)`."""
        start, end = max(self.start, low), min(self.end, high)
        return attrs.evolve(
            self, start=start, end=end, collects=self.collects if start == self.start else start + self.offset
        )

    def next_after(self, times: LocalTimes, at: int) -> int | None:
        """Return the first occurrence in the segment later than `at`."""
        local = times.next_local(at + self.offset if at >= self.start else self.collects - 1)
        found = None if local is None else max(self.start, local - self.offset)
        if self.shifted is not None:
            local = times.next_local(max(at, self.start - 1) + self.shifted)
            if local is not None and (found is None or local - self.shifted < found):
                found = local - self.shifted
        return None if found is None or found >= self.end else found

    def previous_before(self, times: LocalTimes, at: int) -> int | None:
        """Return the last occurrence in the segment earlier than `at`, which is later than `start`."""
        limit = min(at, self.end)
        local = times.previous_local(limit + self.offset)
        found = None if local is None or local < self.collects else max(self.start, local - self.offset)
        if self.shifted is not None:
            local = times.previous_local(limit + self.shifted)
            if local is not None and local - self.shifted >= self.start:
                found = max(local - self.shifted, self.start if found is None else found)
        return found

    def count(self, times: LocalTimes, after: int, until: int) -> int:
        """Return how many occurrences of the segment lie in `(after, until]`, `until` being inside it."""
        if self.shifted is not None:  # two calendars interleave for the width of the gap
            return sum(1 for _ in self._each(times, after, until))
        if after >= self.start:
            return times.count_local(after + self.offset, until + self.offset)
        first = self.start + self.offset
        collapsed = times.count_local(self.collects - 1, first) > 0
        return collapsed + times.count_local(first, until + self.offset)

    def _each(self, times: LocalTimes, after: int, until: int) -> Iterator[int]:
        found = self.next_after(times, after)
        while found is not None and found <= until:
            yield found
            found = self.next_after(times, found)

    def instants_of(self, local: int) -> Iterator[int]:
        """Yield the instants of the segment at which a local time happens."""
        if self.collects <= local < self.end + self.offset:
            yield max(self.start, local - self.offset)
        if self.shifted is not None and self.start <= local - self.shifted < self.end:
            yield local - self.shifted

    def meant_at(self, times: LocalTimes, at: int) -> int | None:
        """Return the latest local time that happens at `at`, an instant of the segment."""
        local = times.previous_local(at + self.offset + 1)
        if local is not None and (local == at + self.offset or (at == self.start and local >= self.collects)):
            return local
        if self.shifted is not None:
            local = times.previous_local(at + self.shifted + 1)
            return local if local == at + self.shifted else None
        return None


@attrs.frozen(slots=True, cache_hash=True, weakref_slot=False)
class Timeline:
    """A zone and what to do at its gaps and folds: turns local times into instants. See `find_timeline`."""

    zone: Zone
    gap: Gap
    fold: Fold

    def resolve(self, local: int) -> tuple[int, ...]:
        """Return the instants of one local time, earliest first."""
        eras = {(local - DAY) // ERA, (local + DAY) // ERA}  # no offset reaches a day
        return tuple(
            sorted({at for era in eras for part in _era(self, era).segments for at in part.instants_of(local)})
        )

    def next_after(self, times: LocalTimes, instant: int) -> int | None:
        """Return the first occurrence of `times` later than `instant`."""
        at = max(instant, EARLIEST - 1)
        while at < LATEST:
            segment = self._segment_after(at)
            found = segment.next_after(times, at)
            if found is not None:
                return found if found <= LATEST else None
            # No offset reaches a day, so nothing happens earlier than a day before the next local time.
            local = times.next_local(segment.end - DAY - 1)
            if local is None:
                return None
            at = max(segment.end, local - DAY) - 1
        return None

    def previous_before(self, times: LocalTimes, instant: int) -> int | None:
        """Return the last occurrence of `times` earlier than `instant`."""
        at = min(instant, LATEST + 1)
        while at > EARLIEST:
            segment = self._segment_before(at)
            found = segment.previous_before(times, at)
            if found is not None:
                return found if found >= EARLIEST else None
            local = times.previous_local(segment.start + DAY + 1)
            if local is None:
                return None
            at = min(segment.start, local + DAY + 1)
        return None

    def count(self, times: LocalTimes, after: int, until: int) -> int:
        """Return how many occurrences of `times` lie in `(after, until]`."""
        at, last = max(after, EARLIEST - 1), min(until, LATEST)
        total = 0
        while at < last:
            segment = self._segment_after(at)
            if segment.start <= last:
                total += segment.count(times, at, min(last, segment.end - 1))
            at = segment.end - 1
        return total

    def shift_at(self, times: LocalTimes, instant: int) -> int:
        """Return the local time meant minus the local time shown at `instant`; zero but after a gap."""
        segment = self._segment_after(instant - 1)
        meant = segment.meant_at(times, instant) if segment.start <= instant else None
        return 0 if meant is None else meant - segment.offset - instant

    def describe(self) -> str:
        """Return where the local times are, such as `in Europe/Prague`."""
        return f"in {self.zone.name}" + ("" if self.zone.dst else " without daylight saving")

    def _segment_after(self, at: int) -> Segment:
        """Return the first segment with an instant later than `at`."""
        era = _era(self, at // ERA)
        return era.segments[bisect_right(era.ends, at + 1)]

    def _segment_before(self, at: int) -> Segment:
        """Return the last segment with an instant earlier than `at`."""
        era = _era(self, at // ERA)
        return era.segments[bisect_left(era.starts, at) - 1]


@attrs.frozen(slots=True, weakref_slot=False)
class _Era:
    """The segments of an era and its edges: an occurrence lies in one of them, and never in two."""

    segments: tuple[Segment, ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]


@lru_cache(maxsize=ERAS_MAX)
def _era(timeline: Timeline, era: int) -> _Era:
    low, high = era * ERA - EDGE, (era + 1) * ERA + EDGE
    clipped = (segment.within(low, high) for segment in _whole_segments(timeline, era))
    segments = tuple(segment for segment in clipped if segment.start < segment.end)
    return _Era(segments, tuple(part.start for part in segments), tuple(part.end for part in segments))


def _whole_segments(timeline: Timeline, era: int) -> Iterator[Segment]:
    changes = changes_around(timeline.zone, era)
    end_of_window = ((era + 1) * ERA + MARGIN, changes[-1][1])
    before = changes[0][1]
    for (start, offset), (end, after) in pairwise((*changes, end_of_window)):
        if timeline.fold is Fold.SECOND:
            end -= max(offset - after, 0)
        if offset > before:
            yield from _after_gap(timeline.gap, start, end, before, offset)
        else:
            start += before - offset if timeline.fold is Fold.FIRST else 0
            yield Segment(start, end, offset, collects=start + offset)
        before = offset


def _after_gap(gap: Gap, start: int, end: int, before: int, offset: int) -> Iterator[Segment]:
    match gap:
        case Gap.RUN_AFTER:
            yield Segment(start, end, offset, collects=start + before)
        case Gap.SKIP:
            yield Segment(start, end, offset, collects=start + offset)
        case Gap.SHIFT:
            middle = start + offset - before
            yield Segment(start, middle, offset, collects=start + offset, shifted=before)
            yield Segment(middle, end, offset, collects=middle + offset)
        case _:
            assert_never(gap)


@lru_cache(maxsize=2 * ZONES_MAX)
def _shared_timeline(zone: Zone, gap: Gap, fold: Fold) -> Timeline:
    return Timeline(zone, gap, fold)


def find_timeline(timezone: str, dst: bool, gap: Gap, fold: Fold) -> Timeline:
    """Return the shared timeline of a zone and its policies.

    Raises:
        InvalidTrigger: there is no such zone.
    """
    return _shared_timeline(find_zone(timezone, dst), gap, fold)


def resolve(zone: Zone, local: int, gap: Gap, fold: Fold) -> tuple[int, ...]:
    """Return the instants of a local time, earliest first: none (skipped), one, or both passes of a fold."""
    return _shared_timeline(zone, gap, fold).resolve(local)


class LocalTrigger:
    """What triggers share that are a calendar (`_times`) of local times in a zone (`_timeline`)."""

    __slots__ = ()
    _times: LocalTimes
    _timeline: Timeline

    @property
    def zone(self) -> Zone:
        """The zone its local times are in."""
        return self._timeline.zone

    @property
    def policies(self) -> tuple[Gap, Fold]:
        """What becomes of its local times at gaps and folds, said by its definition or by its kind (S4.3)."""
        return self._timeline.gap, self._timeline.fold

    def next_after(self, instant: int) -> int | None:
        """Return the first occurrence later than `instant` (S4.1)."""
        return self._timeline.next_after(self._times, instant)

    def previous_before(self, instant: int) -> int | None:
        """Return the last occurrence earlier than `instant` (S4.1)."""
        return self._timeline.previous_before(self._times, instant)

    def count(self, after: int, until: int) -> int:
        """Return how many occurrences lie in `(after, until]`, by arithmetic (S4.1)."""
        return self._timeline.count(self._times, after, until)

    def shift_at(self, instant: int) -> int:
        """Return nominal minus actual local time in microseconds, zero but after a gap (S4.4)."""
        return self._timeline.shift_at(self._times, instant)
