"""Excepting: what exceptions make of the schedules that arm (A4.3). Pure.

An occurrence belongs to an exception if it, and what stands in for it, come after the exception was said; and once
one of the two has come, it stays so, even if the exception is taken back. So none is done twice, and none is lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from functools import lru_cache
from typing import Final

import attrs

from trioarm.arming.model import (
    HANDLER,
    ArmingSchedule,
    Effect,
    ExceptionRule,
    KeptException,
    Partition,
    Premises,
    Target,
)
from trioarm.arming.treating import looks_a_day_ahead, treated
from trioarm.core.errors import InvalidTrigger
from trioarm.core.instants import DAY, MINUTE, SECOND
from trioarm.core.schedule import Schedule
from trioarm.core.triggers import After, Excepted, Fold, Gap, Stretch, Trigger, Weekly
from trioarm.core.triggers.civil import find_timeline
from trioarm.core.triggers.excepted import STRETCHES_MAX

SITE: Final = "site/"
TAG: Final = "tag/"
SCHEDULE: Final = "schedule/"
VACATION: Final = "vacation"  # begins the names of the schedules that arm when one begins
SAME_DAY_MAX: Final = 32  # occurrences of one day that are compared
VACATION_WARN_S: Final = 900.0  # before a vacation begins: time to say that somebody is still at home

_EVERY_DAY: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_EPOCH: Final = date(1970, 1, 1)
_RANK: Final = (SCHEDULE, TAG, SITE)  # the more specific wins


@attrs.frozen(slots=True)
class Part:
    """A part of what an arming schedule does to one partition.

    Args:
        arming: the schedule, with the trigger and target of the part.
        exception: what the part stands in for; None for what is as ever.
    """

    arming: ArmingSchedule
    exception: KeptException | None = None


def why(kept: KeptException) -> str:
    """Return how people are told of an exception, such as `exception 3 of anna: guests`."""
    note = f": {kept.rule.note}" if kept.rule.note else ""
    return f"exception {kept.number} of {kept.rule.author}{note}"


def excepted(arming: ArmingSchedule, partition: Partition, premises: Premises) -> list[Part]:
    """Return what an arming schedule does to one of its partitions: as ever first, then what exceptions put instead."""
    kept = [one for one in premises.exceptions if covers(one.rule, arming, partition)]
    if not kept or isinstance(arming.schedule.trigger, After):
        return [Part(arming)]
    zone = premises.sites[partition.site].timezone
    taken: list[Stretch] = []
    parts: list[Part] = []
    for one in sorted(kept, key=_precedence):
        instead = _Instead(one, arming, partition, zone)
        mine = [piece for piece in _minus(instead.stretches(), taken) if instead.changes(piece)]
        if not mine or len(taken) + len(mine) > STRETCHES_MAX:
            continue
        found = instead.arming(mine, taken)
        taken += mine
        parts += [] if found is None else [Part(found, one)]
    if not taken:
        return [Part(arming)]
    return [Part(_with(arming, Excepted(arming.schedule.trigger, taken))), *parts]


def vacations(premises: Premises) -> Iterator[Part]:
    """Yield what arms at the beginning of each vacation."""
    for kept in premises.exceptions:
        rule = kept.rule
        names = [name for name, one in premises.partitions.items() if SITE + one.site == rule.on]
        if rule.effect is not Effect.VACATION or not names:
            continue
        zone = premises.sites[rule.on.removeprefix(SITE)].timezone
        start = bounds(rule, zone)[0]
        if start <= kept.since_at or (kept.ended_at is not None and start > kept.ended_at):
            continue
        begins = Excepted(
            Weekly(_EVERY_DAY, (rule.begins[11:] or "00:00",), zone),
            [Stretch(start, start + SECOND, why(kept))],
            inside=True,
        )
        schedule = Schedule(VACATION, begins, handler=HANDLER)
        target = rule.target or Target.ARMED_VACATION
        arming = ArmingSchedule(schedule=schedule, partitions=tuple(names), target=target, warn_s=(VACATION_WARN_S,))
        yield Part(arming, kept)


def covers(rule: ExceptionRule, arming: ArmingSchedule, partition: Partition) -> bool:
    """Return whether a rule concerns what a schedule does to a partition, whenever it does."""
    if rule.target is Target.DISARMED and not partition.allow_disarm:
        return False
    if rule.effect is Effect.REPLACE and rule.at is None and rule.target is arming.target:
        return False
    names = {SITE + partition.site, SCHEDULE + arming.schedule.name, *(TAG + tag for tag in arming.schedule.tags)}
    return rule.on in names


def bounds(rule: ExceptionRule, zone: str) -> tuple[int, int]:
    """Return the first instant of a rule in a zone, and the first one after it."""
    end = _local(rule.ends)
    return _resolve(zone, _local(rule.begins)), _resolve(zone, end if _has_time(rule.ends) else end + DAY)


def days_of(rule: ExceptionRule) -> tuple[date, date]:
    """Return the first and the last local date of a rule."""
    return date.fromisoformat(rule.begins[:10]), date.fromisoformat(rule.ends[:10])


@attrs.frozen(slots=True)
class _Instead:
    """What one exception puts in the place of what a schedule does to a partition."""

    kept: KeptException
    whole: ArmingSchedule
    partition: Partition
    zone: str

    def stretches(self) -> list[Stretch]:
        """Return when the occurrences of the schedule give way to it."""
        match self.kept.rule:
            case ExceptionRule(effect=Effect.REPLACE, at=str(at)):
                found = [self._moved(day, at) for day in self._days(0)]
            case ExceptionRule(effect=Effect.HOLIDAY | Effect.WORKDAY):
                other = self._treated()
                days = self._days(1 if looks_a_day_ahead(self.whole.schedule.trigger) else 0)
                found = [self._treated_on(day, other) for day in days]
            case rule:
                found = [self._until_taken_back(bounds(rule, self.zone))]
        return _joined(Stretch(start, end, why(self.kept)) for start, end in found if start < end)

    def changes(self, stretch: Stretch) -> bool:
        """Whether anything happens in a stretch that it leaves out or puts there."""
        schedule, other = self.whole.schedule, None
        if self.kept.rule.effect in (Effect.HOLIDAY, Effect.WORKDAY):
            other = self._treated()
        return _has(schedule, schedule.trigger, stretch) or (other is not None and _has(schedule, other, stretch))

    def arming(self, mine: Sequence[Stretch], taken: Sequence[Stretch]) -> ArmingSchedule | None:
        """Return what happens instead in the stretches that are its own; None for nothing.

        Args:
            mine: in which the schedule has occurrences.
            taken: those of exceptions that stand above this one.
        """
        rule = self.kept.rule
        if rule.effect in (Effect.SKIP, Effect.VACATION):
            return None
        target = rule.target or self.whole.target
        if rule.effect is not Effect.REPLACE:
            other, schedule = self._treated(), self.whole.schedule
            if other is None or not any(_has(schedule, other, stretch) for stretch in mine):
                return None
            return _with(self.whole, Excepted(other, mine, inside=True))
        if rule.at is None:
            inside = Excepted(self.whole.schedule.trigger, mine, inside=True)
            return attrs.evolve(_with(self.whole, inside), target=target)
        days = [day for day in self._days(0) if self._comes(day, rule.at, mine, taken)]
        if not days:
            return None
        at = Excepted(
            Weekly(_EVERY_DAY, (rule.at,), self.zone),
            _joined(Stretch(start, end, why(self.kept)) for start, end in days),
            inside=True,
        )
        schedule = attrs.evolve(self.whole.schedule, trigger=at, start_at=None, end_at=None)
        return attrs.evolve(self.whole, schedule=schedule, target=target)

    def _days(self, ahead: int) -> Iterator[tuple[int, int]]:
        """Yield the first instants of each local day and of the next, from so many days ahead of the first."""
        first, last = days_of(self.kept.rule)
        for number in range((first - _EPOCH).days - ahead, (last - _EPOCH).days + 1):
            yield _resolve(self.zone, number * DAY), _resolve(self.zone, (number + 1) * DAY)

    def _until_taken_back(self, stretch: tuple[int, int]) -> tuple[int, int]:
        start, end = stretch
        ended_at = self.kept.ended_at
        return max(start, self.kept.since_at + 1), end if ended_at is None else min(end, ended_at + 1)

    def _moved(self, day: tuple[int, int], at: str) -> tuple[int, int]:
        """Return when the occurrences of a day give way to one at a time of that day."""
        moved_at = _moved_at(day, at, self.zone)
        if moved_at <= self.kept.since_at:
            return 0, 0
        if self.kept.ended_at is None or moved_at > self.kept.ended_at:
            return self._until_taken_back(day)
        return max(day[0], self.kept.since_at + 1), day[1]

    def _treated_on(self, day: tuple[int, int], other: Trigger | None) -> tuple[int, int]:
        """Return when the occurrences of a day give way to those of another trigger.

        Of a day that has begun, or not ended, only where both agree on what has come of it: of what is different,
        nobody can tell what stands for what.
        """
        schedule = self.whole.schedule
        ours, theirs = _on(schedule, schedule.trigger, day), [] if other is None else _on(schedule, other, day)
        if ours == theirs or not _agree(ours, theirs, self.kept.since_at):
            return 0, 0
        start, end = self._until_taken_back(day)
        ended_at = self.kept.ended_at
        return (start, end) if ended_at is None or _agree(ours, theirs, ended_at) else (start, day[1])

    def _comes(self, day: tuple[int, int], at: str, mine: Iterable[Stretch], taken: Iterable[Stretch]) -> bool:
        """Whether anything of a day was moved, to where no other exception stands above it."""
        schedule, moved_at = self.whole.schedule, _moved_at(day, at, self.zone)
        if any(one.start <= moved_at < one.end for one in taken):
            return False
        clipped = ((max(one.start, day[0]), min(one.end, day[1])) for one in mine)
        return any(
            _has(schedule, schedule.trigger, Stretch(start, end, "moved")) for start, end in clipped if start < end
        )

    def _treated(self) -> Trigger | None:
        first, last = days_of(self.kept.rule)
        as_holidays = self.kept.rule.effect is Effect.HOLIDAY
        try:
            return treated(self.whole.schedule.trigger, first, last, as_holidays=as_holidays)
        except InvalidTrigger:
            return None  # nothing is left of it


def _precedence(kept: KeptException) -> tuple[bool, int, int]:
    """Order exceptions: vacations first, then the more specific, then the newer."""
    rank = next(rank for rank, prefix in enumerate(_RANK) if kept.rule.on.startswith(prefix))
    return kept.rule.effect is not Effect.VACATION, rank, -kept.number


def _with(arming: ArmingSchedule, trigger: Trigger) -> ArmingSchedule:
    return attrs.evolve(arming, schedule=attrs.evolve(arming.schedule, trigger=trigger))


def _has(schedule: Schedule, trigger: Trigger, stretch: Stretch) -> bool:
    at = schedule.next_after(stretch.start - 1, trigger)
    return at is not None and at < stretch.end


def _agree(ours: Sequence[int], theirs: Sequence[int], until: int) -> bool:
    """Whether two lists of instants have the same up to one."""
    return [at for at in ours if at <= until] == [at for at in theirs if at <= until]


def _on(schedule: Schedule, trigger: Trigger, day: tuple[int, int]) -> list[int]:
    found: list[int] = []
    at = schedule.next_after(day[0] - 1, trigger)
    while at is not None and at < day[1] and len(found) <= SAME_DAY_MAX:
        found.append(at)
        at = schedule.next_after(at, trigger)
    return found


def _moved_at(day: tuple[int, int], at: str, zone: str) -> int:
    found = Weekly(_EVERY_DAY, (at,), zone).next_after(day[0] - 1)
    return day[0] if found is None or found >= day[1] else found


def _joined(stretches: Iterable[Stretch]) -> list[Stretch]:
    """Return stretches in order, those that touch and have one reason as one."""
    found: list[Stretch] = []
    for one in stretches:
        if found and found[-1].end == one.start and found[-1].why == one.why:
            found[-1] = attrs.evolve(found[-1], end=one.end)
        else:
            found.append(one)
    return found


def _minus(stretches: Iterable[Stretch], taken: Iterable[Stretch]) -> list[Stretch]:
    """Return what is left of stretches outside of others."""
    left = list(stretches)
    for other in taken:
        pieces = [
            (one, start, end)
            for one in left
            for start, end in ((one.start, min(one.end, other.start)), (max(one.start, other.end), one.end))
        ]
        left = [attrs.evolve(one, start=start, end=end) for one, start, end in pieces if start < end]
    return left


def _has_time(text: str) -> bool:
    return "T" in text


def _local(text: str) -> int:
    """Return a local date, or date and time, in microseconds of local time."""
    days = (date.fromisoformat(text[:10]) - _EPOCH).days
    hour, _, minute = text[11:].partition(":")
    return days * DAY + ((int(hour) * 60 + int(minute)) * MINUTE if hour else 0)


@lru_cache(maxsize=4096)
def _resolve(zone: str, local: int) -> int:
    return find_timeline(zone, True, Gap.RUN_AFTER, Fold.FIRST).resolve(local)[0]
