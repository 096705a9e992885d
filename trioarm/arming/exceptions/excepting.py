"""Excepting: what exceptions make of the schedules that arm (A4.3). Pure.

What gives way is left out of the trigger of its schedule, and what stands in is a schedule of its own in the same lane.
So whatever looks ahead is right without knowing of exceptions: planning, previews, warnings, timelines.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import attrs

from trioarm.arming.conflicts.precedence import Specificity, specificity_of
from trioarm.arming.exceptions.claims import Claim, Unit, holder_of, units_of
from trioarm.arming.exceptions.days import SCHEDULE, SITE, TAG, bounds, covers, daily
from trioarm.arming.model import HANDLER, ArmingSchedule, Effect, KeptException, Partition, Premises, Target
from trioarm.core.instants import SECOND
from trioarm.core.schedule import Schedule
from trioarm.core.triggers import After, Excepted, Stretch, Trigger
from trioarm.core.triggers.excepted import STRETCHES_MAX

VACATION: Final = "vacation"  # begins the names of the schedules that arm when one begins
VACATION_WARN_S: Final = 900.0  # before a vacation begins: time to say that somebody is still at home

_RANK: Final = (SCHEDULE, TAG, SITE)  # the more specific wins


@attrs.frozen(slots=True)
class Part:
    """A part of what an arming schedule does to one partition.

    Args:
        arming: the schedule, with the trigger and target of the part.
        specificity: of the part; what stands in for something is no less specific than that.
        exception: what the part stands in for; None for what is as ever.
    """

    arming: ArmingSchedule
    specificity: Specificity
    exception: KeptException | None = None


def why(kept: KeptException) -> str:
    """Return how people are told of an exception, such as `exception 3 of anna: guests`."""
    note = f": {kept.rule.note}" if kept.rule.note else ""
    return f"exception {kept.number} of {kept.rule.author}{note}"


def excepted(arming: ArmingSchedule, partition: Partition, premises: Premises) -> list[Part]:
    """Return what an arming schedule does to one of its partitions: as ever first, then what exceptions put instead."""
    kept = [one for one in premises.exceptions if one.since_at is not None and covers(one.rule, arming, partition)]
    schedule, specificity = arming.schedule, specificity_of(arming.schedule.trigger)
    if not kept or isinstance(schedule.trigger, After):
        return [Part(arming, specificity)]
    zone = premises.sites[partition.site].timezone
    claims = [Claim(one, schedule, zone, _peers(one, partition, premises)) for one in sorted(kept, key=_precedence)]
    held: dict[int, list[Unit]] = {}
    for unit in units_of(schedule, claims):
        if (holder := holder_of(unit, claims)) is not None:
            held.setdefault(holder.kept.number, []).append(unit)
    taken: list[Stretch] = []
    parts: list[Part] = []
    for claim in claims:
        units = held.get(claim.kept.number, [])
        ours = [unit.at for unit in units if unit.is_ours]
        taken += _runs(schedule.trigger, ours, why(claim.kept))
        instead = _instead(arming, claim, units, zone, [one for one in claims if one is not claim])
        parts += [] if instead is None else [Part(instead, max(specificity, Specificity.EXCEPTION), claim.kept)]
    whole = Excepted(schedule.trigger, taken[:STRETCHES_MAX]) if taken else schedule.trigger
    return [Part(_with(arming, whole), specificity), *parts]


def vacations(premises: Premises) -> Iterator[Part]:
    """Yield what arms at the beginning of each vacation."""
    for kept in premises.exceptions:
        rule = kept.rule
        names = [name for name, one in premises.partitions.items() if SITE + one.site == rule.on]
        if rule.effect is not Effect.VACATION or not names or kept.since_at is None:
            continue
        zone = premises.sites[rule.on.removeprefix(SITE)].timezone
        start = bounds(rule, zone)[0]
        if start <= kept.since_at or (kept.ended_at is not None and start > kept.ended_at):
            continue
        begins = Stretch(start, start + SECOND, why(kept))
        trigger = Excepted(daily(rule.begins[11:] or "00:00", zone), [begins], inside=True)
        schedule = Schedule(VACATION, trigger, handler=HANDLER)
        target = rule.target or Target.ARMED_VACATION
        arming = ArmingSchedule(schedule=schedule, partitions=tuple(names), target=target, warn_s=(VACATION_WARN_S,))
        yield Part(arming, Specificity.EXCEPTION, kept)


def _peers(kept: KeptException, partition: Partition, premises: Premises) -> list[Schedule]:
    """Return the schedules of a partition that an exception concerns."""
    concerned = (one for one in premises.schedules if partition.name in one.partitions)
    return [
        one.schedule
        for one in concerned
        if covers(kept.rule, one, partition) and not isinstance(one.schedule.trigger, After)
    ]


def _instead(
    arming: ArmingSchedule, claim: Claim, units: Sequence[Unit], zone: str, others: Iterable[Claim]
) -> ArmingSchedule | None:
    """Return what happens in the place of the occurrences that a claim decides; None for nothing."""
    rule = claim.kept.rule
    ours = [unit for unit in units if unit.is_ours]
    target = rule.target or arming.target
    if rule.effect is Effect.REPLACE and rule.at is not None:
        trigger: Trigger | None = daily(rule.at, zone)
        at = {claim.moved_to(unit, rule.at) for unit in ours}
        at = {one for one in at if not any(other.keeps_free(one) for other in others)}
        arming = attrs.evolve(arming, schedule=attrs.evolve(arming.schedule, start_at=None, end_at=None))
    elif rule.effect is Effect.REPLACE:
        trigger, at = arming.schedule.trigger, {unit.at for unit in ours}
    else:
        trigger, at = claim.treated, {unit.at for unit in units if not unit.is_ours}
    if trigger is None or not at:
        return None
    runs = _runs(trigger, sorted(at), why(claim.kept))[:STRETCHES_MAX]
    return attrs.evolve(_with(arming, Excepted(trigger, runs, inside=True)), target=target)


def _runs(trigger: Trigger, instants: Sequence[int], reason: str) -> list[Stretch]:
    """Return stretches that hold these occurrences of a trigger and no others: one for those that follow each other."""
    found: list[Stretch] = []
    for at in instants:
        if found and trigger.next_after(found[-1].end - 1) == at:
            found[-1] = attrs.evolve(found[-1], end=at + 1)
        else:
            found.append(Stretch(at, at + 1, reason))
    return found


def _precedence(kept: KeptException) -> tuple[bool, int, int]:
    """Order exceptions: vacations first, then the more specific, then the newer."""
    rank = next(rank for rank, prefix in enumerate(_RANK) if kept.rule.on.startswith(prefix))
    return kept.rule.effect is not Effect.VACATION, rank, -kept.number


def _with(arming: ArmingSchedule, trigger: Trigger) -> ArmingSchedule:
    return attrs.evolve(arming, schedule=attrs.evolve(arming.schedule, trigger=trigger))
