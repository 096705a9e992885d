"""From what people declare to what the engine runs: one engine schedule per partition of an arming schedule (A1.5)."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import attrs

from trioarm.arming.commanding.verify import SENDS_MAX
from trioarm.arming.conditions.settings import LIMIT_S, Depends
from trioarm.arming.conflicts.contradictions import Wants
from trioarm.arming.conflicts.precedence import precedence
from trioarm.arming.exceptions.excepting import Part, excepted, vacations, why
from trioarm.arming.model import HANDLER, WARN, ArmingSchedule, InvalidRequest, Partition, Premises, Target
from trioarm.core.codec import from_json, to_json
from trioarm.core.errors import InvalidSchedule
from trioarm.core.instants import microseconds, render_duration
from trioarm.core.jsonable import Json
from trioarm.core.retry_policy import RetryPolicy
from trioarm.core.schedule import NAME, Delivery, Overlap, Schedule
from trioarm.core.triggers import Ahead

INSTEAD: Final = "exception"  # the argument that says in whose place a schedule stands, and why
LANE: Final = "partition/"
DEPENDS: Final = "conditions"  # the argument that says on what an occurrence depends
LATE_ARM_S: Final = 86400.0  # a late arm applies this long, unless the partition's next occurrence replaces it (A2.3)
LATE_DISARM_S_MIN: Final = 60.0  # even "not late at all" leaves a busy machine the time to be on time
NAME_LENGTH_MAX: Final = 63  # S2.4
LIFT: Final = 2  # above ordinary schedules, as far as 9; of those that end up equal the precedence knows what was said
ASKS_S: Final = 2 * SENDS_MAX * LIMIT_S  # of an attempt, for conditions to be told
TALK_S: Final = 60.0  # of an attempt, for reading and commanding themselves, and for the turns of other partitions

# While a panel cannot be reached its run is tried again for as long as it may be carried out: 1 000 delays that grow to
# at least 90 s are more than a day (A2.2). The handler ends it earlier where that is over earlier.
UNTIL_REACHED: Final = RetryPolicy(max_retries=1000, base_s=2.0, max_s=180.0, factor=2.0)


def engine_schedules(premises: Premises) -> list[Schedule]:
    """Return the schedules the engine runs.

    Raises:
        InvalidSchedule: a name is too long, a partition is unknown or may not be disarmed by schedules, the schedule
            runs at most once, or two want different things of a partition at the same instants.
    """
    _refuse_contradictions(premises)
    found = []
    for part, partition in _parts(premises):
        arming = part.arming
        schedule = _engine_schedule(part, partition, premises)
        warn_s = () if arming.target is Target.DISARMED else arming.warn_s
        found += [schedule, *(_warning(schedule, partition.name, arming.target, before_s) for before_s in warn_s)]
    return found


def _parts(premises: Premises) -> Iterator[tuple[Part, Partition]]:
    """Yield everything that is done to each partition, as ever and by exception."""
    for arming in premises.schedules:
        _check_depends(arming, premises)
        for name in arming.partitions:
            partition = _partition(arming, name, premises)
            yield from ((part, partition) for part in excepted(arming, partition, premises))
    for part in vacations(premises):
        yield from ((part, premises.partitions[name]) for name in part.arming.partitions)


def apply_within_s(target: Target, late_disarm_s: float) -> float:
    """Return for how long after its instant an occurrence may be carried out, in seconds (A2.3)."""
    return max(LATE_DISARM_S_MIN, late_disarm_s) if target is Target.DISARMED else LATE_ARM_S


def attempt_s(partition: Partition) -> float:
    """Return how long one attempt may need at most, in seconds.

    That is every send waited for to the last second, after somebody else's arming was waited for in vain.
    """
    one_send_s = partition.panel.exit_delay_s + partition.confirm_s + partition.min_gap_s
    return (SENDS_MAX + 1) * one_send_s + TALK_S


def _refuse_contradictions(premises: Premises) -> None:
    wants = Wants()
    for arming in premises.schedules:
        if (line := wants.add(arming)) is not None:
            raise InvalidSchedule(f"{arming.schedule.name}: {line}")


def depending(depends: Depends, target: Target) -> dict[str, Json]:
    """Return what a schedule depends on as its arguments say it: no more than what is said.

    Args:
        target: what it makes of its partitions, which an exception may have changed.
    """
    if target in (Target.DISARMED, depends.otherwise):
        depends = attrs.evolve(depends, otherwise=None)
    return {key: value for key, value in to_json(depends).items() if value}


def depends_in(args: Mapping[str, Json]) -> Depends | None:
    """Return what the arguments of an engine schedule say it depends on; None for nothing.

    Raises:
        InvalidRequest: that cannot be understood.
    """
    said = args.get(DEPENDS)
    if said is None:
        return None
    form = {**to_json(Depends()), **said} if isinstance(said, dict) else {}
    return from_json(Depends, form, DEPENDS, lambda lines: InvalidRequest("; ".join(lines)))


def _check_depends(arming: ArmingSchedule, premises: Premises) -> None:
    depends = arming.depends
    if depends is None:
        return
    for name in depends.names:
        if name not in premises.conditions:
            raise InvalidSchedule(f"{arming.schedule.name}: there is no condition {name!r}")
    if depends.otherwise is Target.DISARMED or (depends.otherwise is not None and arming.target is Target.DISARMED):
        raise InvalidSchedule(f"{arming.schedule.name}: otherwise is for what arms, and does not disarm")


def _engine_schedule(part: Part, partition: Partition, premises: Premises) -> Schedule:
    arming, parent, name = part.arming, part.arming.schedule, _name(part, partition)
    more: dict[str, Json] = {} if part.exception is None else {INSTEAD: why(part.exception)}
    if arming.depends is not None:
        more[DEPENDS] = depending(arming.depends, arming.target)
    if parent.delivery is Delivery.AT_MOST_ONCE:
        raise InvalidSchedule(
            f"{parent.name}: arming reads before it sends and counts what it sent, so it is carried out at least once: "
            "remove delivery"
        )
    if parent.pause_after_failures is not None:
        raise InvalidSchedule(
            f"{parent.name}: what arms is not paused because it failed, a house would be left as it is every night: "
            "remove pause_after_failures"
        )
    within_s = apply_within_s(arming.target, premises.late_disarm_s)
    # Within its tolerance an occurrence is on time, so that the misfire window only ever extends it. It must not reach
    # beyond the window: on time or late, a disarm is not sent later than A2.3 allows.
    tolerance_s = parent.tolerance_s
    if arming.target is Target.DISARMED:
        tolerance_s = min(within_s, premises.on_time_s if tolerance_s is None else tolerance_s)
    return attrs.evolve(
        parent,
        name=name,
        handler=HANDLER,
        args={"partition": partition.name, "target": arming.target.value, **more},
        lane=_child(LANE, partition.name, "its lane"),
        supersede=True,
        tolerance_s=tolerance_s,
        misfire_window_s=within_s,
        timeout_s=max(attempt_s(partition) + (ASKS_S if arming.depends else 0.0), parent.timeout_s or 0.0),
        retry=parent.retry or UNTIL_REACHED,
        priority=min(9, parent.priority + LIFT),
        precedence=precedence(parent.priority, part.specificity, arming.target),
        max_runs=parent.max_runs if part.exception is None else None,
    )


def _name(part: Part, partition: Partition) -> str:
    """Return the name of an engine schedule. Of an exception it must be one, however long that of the schedule is."""
    name = _child(f"{part.arming.schedule.name}/", partition.name, "the schedule")
    if part.exception is None:
        return name
    suffix = f"/e{part.exception.number}"
    longest = max(map(len, warning_names(suffix, part.arming.warn_s)), default=len(suffix))
    if len(name) + longest <= NAME_LENGTH_MAX:
        return name + suffix
    return f"{name[: NAME_LENGTH_MAX - longest - 9]}.{zlib.crc32(name.encode()):08x}{suffix}"


def warning_names(schedule: str, warn_s: Sequence[float]) -> list[str]:
    """Return the names of the schedules that warn of an engine schedule."""
    return [f"{schedule}/warn-{render_duration(before_s)}" for before_s in warn_s]


def _warning(schedule: Schedule, partition: str, target: Target, before_s: float) -> Schedule:
    """Return the schedule that announces each occurrence of another so long before (A4.1).

    A warning that is missed is made up for until it would come too late; each is for its own occurrence.
    """
    [name] = warning_names(schedule.name, [before_s])
    if NAME.fullmatch(name) is None:
        raise InvalidSchedule(f"{schedule.name}: its warning {name!r} would have a name of more than 63 characters")
    by, depends = microseconds(before_s), depends_in(schedule.args)
    more: dict[str, Json] = {} if depends is None else {"depends": depends.describe()}
    return Schedule(
        name,
        Ahead(schedule.trigger, before_s),
        handler=WARN,
        args={"of": schedule.name, "before_s": before_s, "warns": partition, "to": target.value, **more},
        misfire_window_s=before_s,
        overlap=Overlap.ALLOW,
        start_at=None if schedule.start_at is None else schedule.start_at - by,
        end_at=None if schedule.end_at is None else schedule.end_at - by,
        max_runs=schedule.max_runs,
        tags=schedule.tags,
        owner=schedule.owner,
        enabled=schedule.enabled,
    )


def _child(prefix: str, partition: str, what: str) -> str:
    name = prefix + partition
    if NAME.fullmatch(name) is None:
        raise InvalidSchedule(
            f"partition {partition!r}: {what} would be named {name!r}, which is longer than 63 characters"
        )
    return name


def _partition(arming: ArmingSchedule, name: str, premises: Premises) -> Partition:
    partition = premises.partitions.get(name)
    if partition is None:
        raise InvalidSchedule(f"{arming.schedule.name}: there is no partition {name!r}")
    if arming.target is Target.DISARMED and not partition.allow_disarm:
        raise InvalidSchedule(
            f"{arming.schedule.name}: schedules may not disarm {name!r}: set allow_disarm = true there if they may"
        )
    return partition
