"""Claims: which exception decides what becomes of which occurrence, however they came and went (A4.3). Pure.

Whatever changes takes effect from then on. At each moment the strongest claim that holds has an occurrence, if it would
not have decided it before that moment; and once it has come, at its own time or at another, it is decided for good. So
none is done twice, and none is lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import attrs

from trioarm.arming.exceptions.days import bounds, daily, day_at, days_of
from trioarm.arming.exceptions.treating import looks_a_day_ahead, treated
from trioarm.arming.model import Effect, KeptException
from trioarm.core.errors import InvalidTrigger
from trioarm.core.schedule import Schedule
from trioarm.core.triggers import Trigger

UNITS_MAX: Final = 10_000  # occurrences of one schedule that exceptions may have a say in; later ones are as ever
SAME_DAY_MAX: Final = 32  # occurrences of one day: what has more is never treated as on another kind of day

_TREATING: Final = (Effect.HOLIDAY, Effect.WORKDAY)


@attrs.frozen(slots=True)
class Unit:
    """An occurrence that there is, or would be if a day were of another kind.

    Args:
        at: its instant.
        is_ours: whether the schedule has it.
    """

    at: int
    is_ours: bool


class Claim:
    """What one exception claims of the occurrences of one schedule.

    Args:
        kept: the exception, which counts.
        schedule: whose occurrences.
        zone: of the site.
        peers: all schedules of the partition that it concerns, this one included.
    """

    def __init__(self, kept: KeptException, schedule: Schedule, zone: str, peers: Sequence[Schedule]) -> None:
        self.kept = kept
        self.since_at = 0 if kept.since_at is None else kept.since_at
        self._schedule = schedule
        self._zone = zone
        self._peers = peers if kept.rule.effect in _TREATING else ()
        self._treated = {one.name: _treated(kept, one.trigger) for one in self._peers}
        self._days: dict[tuple[str, int], tuple[list[int], list[int]]] = {}
        self.start, self.end = bounds(kept.rule, zone)
        if self._peers and looks_a_day_ahead(schedule.trigger):
            self.start = day_at(zone, self.start - 1)[0]

    @property
    def treated(self) -> Trigger | None:
        """The trigger of the schedule if days were of another kind; None where nothing is left of it."""
        return self._treated.get(self._schedule.name)

    def concerns(self, unit: Unit) -> bool:
        """Whether anything would become of an occurrence by it that does not become of it anyway."""
        if not self.start <= unit.at < self.end:
            return False
        if self.kept.rule.effect not in _TREATING:
            return True
        ours, theirs = self._on(self._schedule, unit.at)
        return (unit.at in ours) != (unit.at in theirs)

    def decides_at(self, unit: Unit) -> int:
        """Return when an occurrence that it concerns is decided by it: where it was moved to; else its own instant.

        Of a day that is treated as of another kind, all that differs of all schedules is decided together: nobody can
        tell what stands for what.
        """
        rule = self.kept.rule
        if rule.effect in _TREATING:
            days = (self._on(peer, unit.at) for peer in self._peers)
            return min(at for ours, theirs in days for at in {*ours} ^ {*theirs})
        if rule.at is None or not unit.is_ours:
            return unit.at
        return self.moved_to(unit, rule.at)

    def moved_to(self, unit: Unit, at: str) -> int:
        """Return the instant of a time of the local day of an occurrence."""
        start, end = day_at(self._zone, unit.at)
        moved = daily(at, self._zone).next_after(start - 1)
        return unit.at if moved is None or moved >= end else moved

    def holds_after(self, instant: int) -> bool:
        """Whether it holds from an instant on."""
        ended_at = self.kept.ended_at
        return self.since_at <= instant and (ended_at is None or instant < ended_at)

    def keeps_free(self, instant: int) -> bool:
        """Whether nothing may be moved to an instant, because of a vacation."""
        kept = self.kept
        holds = self.since_at < instant and (kept.ended_at is None or instant <= kept.ended_at)
        return kept.rule.effect is Effect.VACATION and holds and self.start <= instant < self.end

    def others(self) -> Iterator[Unit]:
        """Yield what there would be if its days were of another kind, and is not."""
        start = self.start
        while self.kept.rule.effect in _TREATING and start < self.end:
            ours, theirs = self._on(self._schedule, start)
            yield from (Unit(at, False) for at in theirs if at not in ours)
            start = day_at(self._zone, start)[1]

    def _on(self, schedule: Schedule, instant: int) -> tuple[list[int], list[int]]:
        """Return what a schedule has on the local day of an instant, and what it would have on one of another kind.

        Both are empty where they are too many.
        """
        start, end = day_at(self._zone, instant)
        key, treated = (schedule.name, start), self._treated[schedule.name]
        if key not in self._days:
            ours = _within(schedule, schedule.trigger, start, end)
            theirs = [] if treated is None else _within(schedule, treated, start, end)
            too_many = max(len(ours), len(theirs)) > SAME_DAY_MAX
            self._days[key] = ([], []) if too_many else (ours, theirs)
        return self._days[key]


def units_of(schedule: Schedule, claims: Sequence[Claim]) -> list[Unit]:
    """Return the occurrences that claims may have a say in, in order."""
    found: dict[int, Unit] = {}
    for start, end in _merged(sorted((claim.start, claim.end) for claim in claims)):
        at = schedule.next_after(start - 1, schedule.trigger)
        while at is not None and at < end and len(found) < UNITS_MAX:
            found[at] = Unit(at, True)
            at = schedule.next_after(at, schedule.trigger)
    for claim in claims:
        for unit in claim.others():
            found.setdefault(unit.at, unit)
    return [found[at] for at in sorted(found)]


def holder_of(unit: Unit, claims: Sequence[Claim]) -> Claim | None:
    """Return the claim that decides an occurrence; None where it is as ever.

    Args:
        unit: the occurrence.
        claims: the strongest first.
    """
    concerned = [claim for claim in claims if claim.concerns(unit)]
    moments = {claim.since_at for claim in concerned}
    moments |= {claim.kept.ended_at for claim in concerned if claim.kept.ended_at is not None}
    holder: Claim | None = None
    for moment in sorted(moments):
        if (unit.at if holder is None else holder.decides_at(unit)) <= moment:
            return holder
        able = (claim for claim in concerned if claim.holds_after(moment) and claim.decides_at(unit) > moment)
        holder = next(able, None if unit.at > moment else holder)
    return holder


def _treated(kept: KeptException, trigger: Trigger) -> Trigger | None:
    first, last = days_of(kept.rule)
    try:
        return treated(trigger, first, last, as_holidays=kept.rule.effect is Effect.HOLIDAY)
    except InvalidTrigger:
        return None  # nothing is left of it


def _within(schedule: Schedule, trigger: Trigger, start: int, end: int) -> list[int]:
    found: list[int] = []
    at = schedule.next_after(start - 1, trigger)
    while at is not None and at < end and len(found) <= SAME_DAY_MAX:
        found.append(at)
        at = schedule.next_after(at, trigger)
    return found


def _merged(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for start, end in spans:
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found
