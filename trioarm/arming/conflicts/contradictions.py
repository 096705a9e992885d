"""Contradictions: different things wanted of a partition at the same instants, refused where they are made (A4.4).

Of commands that meet now and then one counts, by `precedence`. Where two schedules meet always, with nothing to choose
between them but what they do, somebody has made a mistake and should hear of it before it is night.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import attrs

from trioarm.arming.conflicts.precedence import rank, rank_of, specificity_of
from trioarm.arming.exceptions.excepting import why
from trioarm.arming.model import ArmingSchedule, Effect, KeptException, Premises, Target
from trioarm.core.forecast import local_time
from trioarm.core.reading import show
from trioarm.core.schedule import Schedule
from trioarm.core.triggers import Trigger
from trioarm.core.triggers.zones import find_zone

LOOKED_AT_MAX: Final = 10_000  # occurrences of one schedule that stands in for another


@attrs.frozen(slots=True)
class _Want:
    """What one schedule wants of a partition."""

    name: str
    target: Target
    schedule: Schedule

    def meets(self, other: Schedule) -> bool:
        """Whether another schedule with the same trigger ever comes due together with it."""
        if not (self.schedule.enabled and other.enabled):
            return False
        return _begins(self.schedule) <= _ends(other) and _begins(other) <= _ends(self.schedule)


class Wants:
    """What is wanted of partitions by schedules known so far."""

    def __init__(self) -> None:
        self._wants: dict[tuple[str, Trigger, int], list[_Want]] = {}

    def add(self, arming: ArmingSchedule) -> str | None:
        """Take a schedule in, and return what it contradicts, in words that begin with `wants`; None for nothing."""
        schedule = arming.schedule
        want = _Want(schedule.name, arming.target, schedule)
        counts = rank(schedule.priority, specificity_of(schedule.trigger))
        lines = [self._add((name, schedule.trigger, counts), want) for name in arming.partitions]
        return next((line for line in lines if line is not None), None)

    def add_stored(self, schedule: Schedule) -> str | None:
        """Take in what the engine runs for one partition; see `add`."""
        partition, target = str(schedule.args["partition"]), Target(str(schedule.args["target"]))
        return self._add((partition, schedule.trigger, rank_of(schedule)), _Want(called(schedule), target, schedule))

    def _add(self, key: tuple[str, Trigger, int], want: _Want) -> str | None:
        known = self._wants.setdefault(key, [])
        other = next((one for one in known if one.target is not want.target and one.meets(want.schedule)), None)
        known.append(want)
        if other is None:
            return None
        return (
            f"wants {key[0]} {want.target} whenever {show(other.name)} wants it {other.target}: "
            "give one another time or a higher priority"
        )


def clash(schedules: Iterable[Schedule], kept: KeptException, premises: Premises) -> str | None:
    """Return what an exception makes contradict something else, by the time it names; None for nothing.

    What is moved comes at named instants, so it is these that are compared. What stays at its own time meets nothing
    that it did not meet before.

    Args:
        schedules: those that the engine runs, with the exception.
        kept: the exception.
        premises: whose schedules they are.
    """
    if kept.rule.at is None and kept.rule.effect is not Effect.VACATION:
        return None
    commands = [one for one in schedules if "target" in one.args and one.enabled]
    for one in commands:
        if one.args.get("exception") != why(kept):
            continue
        rivals = [
            other
            for other in commands
            if (other.lane, rank_of(other)) == (one.lane, rank_of(one)) and other.args["target"] != one.args["target"]
        ]
        if rivals and (met := _first_meeting(one, rivals)) is not None:
            at, other = met
            partition = premises.partitions[str(one.args["partition"])]
            zone = find_zone(premises.sites[partition.site].timezone)
            return (
                f"at {local_time(at, zone):%Y-%m-%d %H:%M} {called(one)} would make {partition.name} "
                f"{one.args['target']}, and {called(other)} {other.args['target']}, and nothing says which counts: "
                "choose another time, or name one schedule"
            )
    return None


def called(schedule: Schedule) -> str:
    """Return the name under which people know what an engine schedule was made of."""
    return schedule.name.partition(f"/{schedule.args['partition']}")[0]


def _first_meeting(one: Schedule, rivals: Sequence[Schedule]) -> tuple[int, Schedule] | None:
    """Return the first instant that a schedule shares with another, as both mean it, and the other."""
    at = one.next_after(0, one.trigger)
    for _ in range(LOOKED_AT_MAX):
        if at is None:
            break
        for other in rivals:
            is_there = other.next_after(at - 1, other.trigger) == at
            if is_there and other.trigger.shift_at(at) == one.trigger.shift_at(at):
                return at, other
        at = one.next_after(at, one.trigger)
    return None


def _begins(schedule: Schedule) -> float:
    return float("-inf") if schedule.start_at is None else schedule.start_at


def _ends(schedule: Schedule) -> float:
    return float("inf") if schedule.end_at is None else schedule.end_at
