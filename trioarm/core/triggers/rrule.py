"""RRule: a recurrence rule of RFC 5545 in a zone, with times left out and times added (S4.2, S4.3).

Where the RFC leaves it open: DTSTART says where counting begins and what the rule leaves out, and is an occurrence only
if the rule means it, so that nothing happens on a day that nobody named. COUNT counts what the rule means, times left
out included. UNTIL in UTC is compared with instants, any other with local times. What is left out is left out of what
is added, too.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Final, TypeVar

import attrs

from trioarm.core.errors import InvalidTrigger
from trioarm.core.instants import EARLIEST, LATEST, instant
from trioarm.core.triggers.civil import Fold, Gap, LocalTrigger, Timeline, find_timeline, fold_policy, gap_policy
from trioarm.core.triggers.recurrence import Recurrence
from trioarm.core.triggers.rrule_lines import named, read_dates, read_lines, read_start
from trioarm.core.triggers.rrule_text import Parts, quote, read_rule
from trioarm.core.triggers.rrule_words import spell_dates, spell_rule
from trioarm.core.triggers.zones import zone_name

RULES_KEPT_MAX: Final = 512  # read rules kept so that equal schedules share them, up to 100 kilobytes each

T = TypeVar("T")


@attrs.frozen(slots=True, cache_hash=True, weakref_slot=False)
class Dates:
    """A calendar of single local times, rising."""

    at: tuple[int, ...] = ()

    def next_local(self, local: int) -> int | None:
        """Return the first local time later than `local`."""
        index = bisect_right(self.at, local)
        return self.at[index] if index < len(self.at) else None

    def previous_local(self, local: int) -> int | None:
        """Return the last local time earlier than `local`."""
        index = bisect_left(self.at, local)
        return self.at[index - 1] if index else None

    def count_local(self, after: int, until: int) -> int:
        """Return how many local times lie in `(after, until]`."""
        return bisect_right(self.at, until) - bisect_right(self.at, after)

    def has(self, local: int) -> bool:
        """Return whether `local` is one of them."""
        return self.next_local(local - 1) == local


@attrs.frozen(slots=True, cache_hash=True, weakref_slot=False)
class Occasions:
    """A calendar of the local times of a rule, some left out, some added.

    Args:
        rule: what recurs.
        last: its last local time that counts, left out or not.
        removed: local times of the rule that are left out.
        added: local times that it does not have.
    """

    rule: Recurrence
    last: int
    removed: Dates
    added: Dates

    def next_local(self, local: int) -> int | None:
        """Return the first local time later than `local`."""
        found = self.rule.next_local(local) if local < self.last else None
        while found is not None and self.removed.has(found):
            found = self.rule.next_local(found) if found < self.last else None
        extra = self.added.next_local(local)
        return extra if found is None or (extra is not None and extra < found) else found

    def previous_local(self, local: int) -> int | None:
        """Return the last local time earlier than `local`."""
        found = self.rule.previous_local(min(local, self.last + 1))
        while found is not None and self.removed.has(found):
            found = self.rule.previous_local(found)
        extra = self.added.previous_local(local)
        return extra if found is None or (extra is not None and extra > found) else found

    def count_local(self, after: int, until: int) -> int:
        """Return how many local times lie in `(after, until]`."""
        recurring = self.rule.count_local(after, min(until, self.last))
        return recurring - self.removed.count_local(after, until) + self.added.count_local(after, until)


@attrs.frozen(slots=True, weakref_slot=False)
class _Read:
    """A text, understood: shared by all triggers that use it from the same start."""

    text: str
    parts: Parts
    rule: Recurrence
    last: int

    def occasions(self, exdates: Iterable[datetime], added: Dates) -> Occasions:
        """Return the calendar with some times left out and others added."""
        removed = tuple(at for at in map(_local, exdates) if self._has(at))
        return Occasions(self.rule, self.last, Dates(removed), Dates(tuple(at for at in added.at if not self._has(at))))

    def _has(self, local: int) -> bool:
        return local <= self.last and self.rule.has(local)


def _local(moment: datetime) -> int:
    return instant(moment.replace(tzinfo=UTC))


@lru_cache(maxsize=RULES_KEPT_MAX)
def _read(text: str, start: datetime) -> _Read:
    parts = read_rule(text)
    rule = parts.starting(start)
    last = _last(parts, rule)
    if last is None:
        first = rule.next_local(EARLIEST - 1)
        why = "no time from its start to the year 9999 has all that it asks for"
        if first is not None:
            why = "its UNTIL is earlier than its first time"
        raise InvalidTrigger(f"rrule {quote(text)} never happens: {why}")
    return _Read(text, parts, rule, last)


def _last(parts: Parts, rule: Recurrence) -> int | None:
    """Return the last local time of a rule; of one that ends at an instant, the last there could be."""
    if parts.count is not None:
        last, following = None, rule.next_local(EARLIEST - 1)
        for _ in range(parts.count):
            if following is None:
                break
            last, following = following, rule.next_local(following)
        return last
    naive = parts.until if parts.until is not None and parts.until.tzinfo is None else None
    return rule.previous_local(LATEST + 1 if naive is None else _local(naive) + 1)


@attrs.frozen(slots=True, weakref_slot=False, init=False)
class RRule(LocalTrigger):
    """A recurrence rule in a zone (S4.2). Two that mean the same are equal, however they are written.

    Args:
        rule: the value of an RRULE, such as `FREQ=WEEKLY;BYDAY=MO,WE`, or the lines of a calendar: DTSTART, RRULE,
            EXDATE, RDATE. Kept is the value.
        timezone: a key of the tz database; by default the one that the lines name, else UTC. Both must agree.
        start: DTSTART, a local time: ISO 8601 text without an offset, or a naive datetime; needed where no line says
            it. A date alone is its midnight.
        exdates: local times that are left out, at most 1000.
        rdates: local times that are added, at most 1000.
        gap: what becomes of a local time that a change of offset leaves out; `shift` by default (S4.3).
        fold: which pass of a repeated time counts; the first by default.
        dst: False for standard time all the year (S4.5).

    Raises:
        InvalidTrigger: the text, a time, the zone or a policy is not understood, two contradict each other, or it never
            happens.
    """

    rule: str = attrs.field(eq=False)
    timezone: str = attrs.field(eq=False)
    start: datetime = attrs.field(eq=False)
    exdates: tuple[datetime, ...] = attrs.field(eq=False, kw_only=True)
    rdates: tuple[datetime, ...] = attrs.field(eq=False, kw_only=True)
    gap: Gap = attrs.field(eq=False, kw_only=True, converter=gap_policy)
    fold: Fold = attrs.field(eq=False, kw_only=True, converter=fold_policy)
    dst: bool = attrs.field(eq=False, kw_only=True)
    _times: Occasions = attrs.field(init=False, repr=False)
    _timeline: Timeline = attrs.field(init=False, repr=False)
    _until: int | None = attrs.field(init=False, repr=False)
    _beyond: Dates = attrs.field(init=False, repr=False)  # what is added after `_until`

    def __init__(
        self,
        rule: str,
        timezone: str | None = None,
        start: str | date | None = None,
        *,
        exdates: str | date | Iterable[str | date] = (),
        rdates: str | date | Iterable[str | date] = (),
        gap: Gap | str | None = None,
        fold: Fold | str | None = None,
        dst: bool = True,
    ) -> None:
        lines = read_lines(rule)
        try:
            begin = _one("start", lines.start, None if start is None else named("start", lambda: read_start(start)))
            zone = _one("timezone", lines.timezone, None if timezone is None else zone_name(timezone))
            if begin is None:
                raise ValueError('start is missing: write it like start = "2026-11-23T22:30:00"')
            left_out = named("exdates", lambda: read_dates((*lines.exdates, *_each(exdates)), begin))
            added = named("rdates", lambda: read_dates((*lines.rdates, *_each(rdates)), begin))
        except InvalidTrigger:
            raise
        except ValueError as error:
            raise InvalidTrigger(f"rrule {quote(lines.rule)}: {error}") from None
        self.__attrs_init__(
            _read(lines.rule, begin).text,
            zone or "UTC",
            begin,
            exdates=left_out,
            rdates=added,
            gap=gap or Gap.SHIFT,
            fold=fold or Fold.FIRST,
            dst=dst,
        )

    @_times.default
    def _compile(self) -> Occasions:
        return _read(self.rule, self.start).occasions(self.exdates, self._added())

    @_timeline.default
    def _place(self) -> Timeline:
        return find_timeline(self.timezone, self.dst, self.gap, self.fold)

    @_until.default
    def _end(self) -> int | None:
        until = _read(self.rule, self.start).parts.until
        return instant(until) if until is not None and until.tzinfo is not None else None

    @_beyond.default
    def _add_beyond(self) -> Dates:
        return Dates() if self._until is None else self._added()

    def __attrs_post_init__(self) -> None:
        if self.next_after(EARLIEST - 1) is None:
            raise InvalidTrigger(f"rrule {quote(self.rule)} never happens: its end and exceptions leave nothing")

    def _added(self) -> Dates:
        return Dates(tuple(_local(at) for at in self.rdates if at not in self.exdates))

    def next_after(self, instant: int) -> int | None:
        """Return the first occurrence later than `instant` (S4.1)."""
        if self._until is None:
            return self._timeline.next_after(self._times, instant)
        if instant < self._until:
            found = self._timeline.next_after(self._times, instant)
            if found is not None and found <= self._until:
                return found
        return self._timeline.next_after(self._beyond, max(instant, self._until))

    def previous_before(self, instant: int) -> int | None:
        """Return the last occurrence earlier than `instant` (S4.1)."""
        if self._until is None:
            return self._timeline.previous_before(self._times, instant)
        found = self._timeline.previous_before(self._beyond, instant)
        if found is not None and found > self._until:
            return found
        return self._timeline.previous_before(self._times, min(instant, self._until + 1))

    def count(self, after: int, until: int) -> int:
        """Return how many occurrences lie in `(after, until]`, by arithmetic (S4.1)."""
        end = until if self._until is None else min(until, self._until)
        beyond = max(after, end)
        return self._timeline.count(self._times, after, end) + self._timeline.count(self._beyond, beyond, until)

    def shift_at(self, instant: int) -> int:
        """Return nominal minus actual local time in microseconds, zero but after a gap (S4.4)."""
        ended = self._until is not None and instant > self._until
        return self._timeline.shift_at(self._beyond if ended else self._times, instant)

    def describe(self) -> str:
        """Return the rule in plain English, such as `every week on mon at 22:30, from 23 Nov 2026, in UTC`."""
        read = _read(self.rule, self.start)
        words = spell_rule(self.rule, read.parts, read.rule, self.start)
        dates = spell_dates("but not", self.exdates) + spell_dates("and also", self.rdates)
        return f"{words}{dates}, {self._timeline.describe()}"


def _one(name: str, written: T | None, given: T | None) -> T | None:
    """Return what the lines say or what is given beside them; both must agree."""
    if written is not None and given is not None and written != given:
        raise ValueError(f"{name}: {given} is given, its lines say {written}: say it once")
    return given if written is None else written


def _each(values: object) -> Iterable[object]:
    """Return one or several times as several, so that a lone text is not read letter by letter."""
    return values if isinstance(values, Iterable) and not isinstance(values, str) else (values,)
