"""`trioarm explain`: one schedule in words, from the configuration alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from typing import Annotated, Final

import trio
from cyclopts import Parameter

from trioarm.arming.compile import UNTIL_REACHED
from trioarm.arming.conflicts.precedence import ranked
from trioarm.cli.configuration import read_config
from trioarm.cli.exits import Exit
from trioarm.cli.known import opened, with_all_known
from trioarm.cli.options import AsJson, ConfigFile
from trioarm.cli.planned import (
    chosen,
    current_instant,
    depends_of,
    partition_of,
    planned_records,
    planned_rules,
    target_of,
)
from trioarm.cli.sheet import moment, say_sheet
from trioarm.cli.terminal import say, say_json
from trioarm.config import SchedulerConfig
from trioarm.core.counting import counted, in_a_row
from trioarm.core.forecast import Explanation, local_time, zone_of
from trioarm.core.forecast import explain as put_into_words
from trioarm.core.instants import as_datetime, instant, render_duration, render_instant
from trioarm.core.jsonable import Json
from trioarm.core.record import ScheduleRecord
from trioarm.core.retry_policy import RetryPolicy, Strategy
from trioarm.core.schedule import Delivery, Schedule
from trioarm.core.triggers import Fold, Gap, own_zone
from trioarm.core.triggers.civil import LocalTrigger
from trioarm.core.triggers.refreshing import events_of
from trioarm.core.triggers.zones import ERA, Zone, changes_around

GAPS: Final = {
    Gap.RUN_AFTER: "a local time that clocks skip happens right after the gap",
    Gap.SHIFT: "a local time that clocks skip happens as if they had not changed yet",
    Gap.SKIP: "a local time that clocks skip is left out",
}
FOLDS: Final = {
    Fold.FIRST: "one that comes twice happens the first time",
    Fold.SECOND: "one that comes twice happens the second time",
    Fold.BOTH: "one that comes twice happens both times",
}


def explain(
    name: Annotated[str, Parameter(name="NAME", help="Which schedule.")],
    /,
    *,
    config: ConfigFile = None,
    json: AsJson = False,
) -> Exit:
    """Put a schedule into words: its rule, its next instants and why, its zone, its policies.

    For example:

    - `trioarm explain backup`
    - `trioarm explain weeknight --json`
    """
    found = trio.run(_known, read_config(config))
    now = current_instant()
    rules = planned_rules(found, now)
    for number, record in enumerate(chosen(planned_records(found, now), [name])):
        explanation = put_into_words(record, now, rules)
        if json:
            say_json(_as_json(record, explanation, now))
            continue
        if number:
            say()
        say_sheet(explanation.name, entries(record, explanation, found, now))
    return Exit.CLEAN


async def _known(config: SchedulerConfig) -> SchedulerConfig:
    if not config.feeds and not config.premises.partitions:
        return config  # the store would have nothing to add
    async with opened(config) as store:
        return await with_all_known(config, store)


def entries(
    record: ScheduleRecord, explanation: Explanation, config: SchedulerConfig, now: int
) -> Iterator[tuple[str, str]]:
    """Yield what there is to say of a schedule, each behind its label."""
    schedule = record.schedule
    partition, target = partition_of(schedule), target_of(schedule)
    yield "rule", explanation.rule
    yield "does", f"calls handler {schedule.handler}" if partition is None else f"makes {partition} {target}"
    if (depends := depends_of(schedule)) is not None:
        yield "depends", depends.describe()
    for number, at in enumerate(explanation.next_at):
        yield "" if number else "next", moment(at, now)
    if not explanation.next_at:
        yield "next", "never"
    yield "why", explanation.why
    if explanation.previous_at is not None:
        yield "before", moment(explanation.previous_at, now)
    for number, known in enumerate(_calendars(schedule)):
        yield "" if number else "calendar", known
    for number, rule in enumerate(_zone_rules(schedule, now)):
        yield "" if number else "zone", rule
    for number, policy in enumerate((*explanation.policies, *_more_policies(schedule, config))):
        yield "" if number else "policies", policy


def _calendars(schedule: Schedule) -> Iterator[str]:
    for name, events in events_of(schedule.trigger).items():
        until = f"{as_datetime(events.known_until):%d %b %Y}"
        yield f"{name}, of which {counted(len(events.spans), 'event')} until {until} are known"


def _zone_rules(schedule: Schedule, now: int) -> Iterator[str]:
    trigger = schedule.trigger
    if own_zone(trigger) is None:
        yield "UTC: intervals and instants know no daylight saving"
        return
    zone = zone_of(trigger)
    yield f"{zone.name}, now {_offset(local_time(now, zone))}{'' if zone.dst else ', daylight saving switched off'}"
    change = next_change(zone, now)
    if change is not None:
        before, after = local_time(change - 1, zone), local_time(change, zone)
        way = "forward" if after.replace(tzinfo=None) > before.replace(tzinfo=None) else "back"
        yield f"clocks go {way} on {after:%a %d %b %Y} to {after:%H:%M} {_offset(after)}"
    if isinstance(trigger, LocalTrigger):  # of others each member has rules of its own
        gap, fold = trigger.policies
        yield f"{GAPS[gap]}, {FOLDS[fold]}"


def next_change(zone: Zone, now: int) -> int | None:
    """Return when a zone's offset changes next, if it does within about a year."""
    for era in (now // ERA, now // ERA + 1):
        for (_, before), (at, after) in pairwise(changes_around(zone, era)):
            if at > now and before != after:
                return at
    return None


def _offset(at: datetime) -> str:
    return at.isoformat(timespec="seconds")[len("2026-11-23T22:30:00") :]


def _more_policies(schedule: Schedule, config: SchedulerConfig) -> Iterator[str]:
    if partition_of(schedule) is not None and schedule.supersede:
        yield f"of what comes at one instant one counts: this one has {ranked(schedule)}"
    timeout_s = config.executor.timeout_s if schedule.timeout_s is None else schedule.timeout_s
    yield f"an attempt may take {render_duration(timeout_s)}"
    policy = schedule.retry or config.retry_rules().policy
    policy = policy if config.features.advanced_retries else policy.plain
    if schedule.delivery is Delivery.AT_MOST_ONCE:
        yield "its handler is called at most once per run, so a failure is final"
    elif policy == UNTIL_REACHED:
        yield "while its panel cannot be reached, it is tried again for as long as it may be carried out"
    else:
        yield from _retries(policy)
    if schedule.pause_after_failures is not None:
        yield f"it is paused once {in_a_row(schedule.pause_after_failures, 'run')} failed"


def _as_json(record: ScheduleRecord, explanation: Explanation, now: int) -> dict[str, Json]:
    zone = zone_of(record.schedule.trigger)
    change = next_change(zone, now)
    return {
        "schedule": explanation.name,
        "rule": explanation.rule,
        "handler": record.schedule.handler,
        "partition": partition_of(record.schedule),
        "target": target_of(record.schedule),
        "next_due_at": [render_instant(instant(at)) for at in explanation.next_at],
        "previous_due_at": None
        if explanation.previous_at is None
        else render_instant(instant(explanation.previous_at)),
        "why": explanation.why,
        "timezone": zone.name,
        "next_change_at": None if change is None else render_instant(change),
        "policies": [*explanation.policies],
    }


def _retries(policy: RetryPolicy) -> Iterator[str]:
    if policy.max_retries:
        yield f"a failed attempt is followed by up to {policy.max_retries} more, {_delays(policy)}"
    else:
        yield "a failed attempt is not followed by another"
    for rule in policy.per_error:
        own = policy.with_rule(rule)
        more = f"up to {own.max_retries} more, {_delays(own)}" if own.max_retries else "none"
        yield f"after {' or '.join(rule.on)}, by {more}"
    if not policy.max_retries and not policy.per_error:
        return
    if policy.on:
        yield f"only {', '.join(policy.on)} and timeouts are worth another attempt"
    if policy.never:
        yield f"{', '.join(policy.never)}: no other attempt follows"
    if policy.max_age_s is not None:
        yield f"no other attempt begins later than {render_duration(policy.max_age_s)} after it was due"


def _delays(policy: RetryPolicy) -> str:
    if policy.strategy is Strategy.CONSTANT:
        return f"{render_duration(min(policy.base_s, policy.max_s))} apart"
    return f"{render_duration(policy.base_s)} to {render_duration(policy.max_s)} apart"
