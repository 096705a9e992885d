"""`trioarm preview`: what will happen, as the planner itself decides it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Annotated, Final

import attrs
import trio
from cyclopts import Parameter

from trioarm.arming.compile import DEPENDS
from trioarm.arming.conflicts.ambiguity import Nights
from trioarm.arming.conflicts.undone import with_conflicts
from trioarm.arming.holds import Hold
from trioarm.arming.timeline import desired
from trioarm.cli.ahead import Ahead, ahead_of
from trioarm.cli.configuration import read_config
from trioarm.cli.exits import Exit, UsageError
from trioarm.cli.known import opened, with_all_known
from trioarm.cli.options import AsJson, ConfigFile
from trioarm.cli.planned import chosen, current_instant, partition_of, planned_records, planned_rules, target_of
from trioarm.cli.terminal import Style, paint, remark, say, say_json
from trioarm.cli.week import Partition, changes_of, draw
from trioarm.config import SchedulerConfig
from trioarm.core.counting import counted
from trioarm.core.errors import InvalidInstant, InvalidTrigger
from trioarm.core.forecast import Foreseen
from trioarm.core.forecast import preview as foresee
from trioarm.core.instants import DAY, microseconds, parse_instant, render_instant
from trioarm.core.jsonable import Json
from trioarm.core.planning import PlanRules
from trioarm.core.record import ScheduleRecord, ScheduleState
from trioarm.core.states import State
from trioarm.core.triggers import After
from trioarm.core.triggers.zones import find_zone, zone_name

OFTEN: Final = 12  # occurrences a day beyond which a schedule is summarised in one line: nobody reads each of them
INDENT: Final = "  "
ROWS: Final = 200  # shown to people unless they ask for more
ROWS_MAX: Final = 100_000  # shown at all, so that a schedule of every millisecond comes to an end
DAYS_MAX: Final = 3_660.0
WEEK: Final = 8 * DAY  # a week of whole local days, from wherever in the first one


@attrs.frozen(slots=True, kw_only=True)
class Window:
    """What is looked at.

    Args:
        start: microseconds since 1970 UTC, not included.
        until: likewise, included.
        zone: whose local times are shown; None for each schedule's own.
    """

    start: int
    until: int
    zone: str | None


def preview(
    *names: Annotated[str, Parameter(name="NAME", help="Only these schedules.")],
    config: ConfigFile = None,
    days: Annotated[float, Parameter(help="How far to look.", show_default=True)] = 7.0,
    from_: Annotated[
        str | None, Parameter(name="--from", help="From this instant on, in ISO 8601; otherwise now.")
    ] = None,
    tz: Annotated[str | None, Parameter(help="Local times of this zone; otherwise of each schedule's own.")] = None,
    all_: Annotated[
        bool,
        Parameter(name="--all", help="Every occurrence, of frequent schedules as well."),
    ] = False,
    week: Annotated[bool, Parameter(help="Draw who is armed when, a line for each of seven days.")] = False,
    limit: Annotated[int | None, Parameter(help=f"At most so many lines; otherwise {ROWS}.")] = None,
    json: AsJson = False,
) -> Exit:
    """Show what will happen: local time, offset, UTC, and what becomes of it.

    What was added, paused, skipped, postponed or held by command counts; from an instant that is over, the file alone.
    Schedules that come due more than 12 times a day are summarised, unless they are named or --all is given.

    For example:

    - `trioarm preview`
    - `trioarm preview weeknight --days 30`
    - `trioarm preview --from 2027-03-27T00:00:00Z`
    - `trioarm preview --week`
    """
    if not 0 < days <= DAYS_MAX:
        raise UsageError(f"--days {days:g}: it must lie between 0 and {DAYS_MAX:g}")
    if limit is not None and not 1 <= limit <= ROWS_MAX:
        raise UsageError(f"--limit {limit}: it must lie between 1 and {ROWS_MAX}")
    now = current_instant()
    window = _window(from_, days, tz, now)
    found, ahead = trio.run(_look, read_config(config), window.start, now)
    rules = planned_rules(found, window.start)
    wanted = {record.key for record in chosen(ahead.records, names)} if names else None
    if week:
        return _print_week(found, ahead, wanted, window, rules)
    nights = Nights((record.schedule for record in ahead.records), window.start)
    if json:
        return _print_json(_foreseen(ahead, wanted, window, rules), nights, ahead, limit or ROWS_MAX)
    frequent = [] if all_ or names else [record for record in ahead.records if _is_frequent(record, window)]
    rest = attrs.evolve(ahead, records=[record for record in ahead.records if record not in frequent])
    shown = list(islice(_foreseen(rest, wanted, window, rules), (limit or ROWS) + 1))
    _print_table(shown, nights, limit or ROWS, window)
    _print_rest(frequent, [record for record in ahead.records if wanted is None or record.key in wanted], window)
    _print_held(shown, ahead)
    return Exit.CLEAN


async def _look(config: SchedulerConfig, start: int, now: int) -> tuple[SchedulerConfig, Ahead]:
    """Return the configuration with all that is known, and what there is to foresee from then."""
    async with opened(config) as store:
        found = await with_all_known(config, store)
        return found, await ahead_of(found, store, now) if start >= now else Ahead(planned_records(found, start))


def _window(from_: str | None, days: float, tz: str | None, now: int) -> Window:
    try:
        start = now if from_ is None else parse_instant(from_)
    except InvalidInstant as error:
        raise UsageError(f"--from: {error}") from None
    try:
        zone = None if tz is None else zone_name(tz)
    except InvalidTrigger as error:
        raise UsageError(f"--tz: {error}") from None
    return Window(start=start, until=start + round(days * DAY), zone=zone)


def _foreseen(ahead: Ahead, wanted: set[int] | None, window: Window, rules: PlanRules) -> Iterator[Foreseen]:
    """Yield what is foreseen of the wanted schedules; the others count, because they may share a lane."""
    records = ahead.records
    names = {record.schedule.name for record in records if wanted is None or record.key in wanted}
    lanes = {record.schedule.lane for record in records if record.schedule.name in names and record.schedule.supersede}
    counting = [record for record in records if record.schedule.name in names or record.schedule.lane in lanes - {None}]
    keys = {record.key for record in counting}
    postponed = [run for run in ahead.postponed if run.schedule.key in keys and run.due_at > window.start]
    for item in foresee(counting, window.start, window.until, rules, window.zone, postponed=postponed):
        if item.schedule.name in names:
            yield item


def _print_json(items: Iterator[Foreseen], nights: Nights, ahead: Ahead, limit: int) -> Exit:
    for count, (item, conflict) in enumerate(with_conflicts(items)):
        if count == limit:
            sys.stderr.write(f"only the first {limit} are shown: ask for fewer --days, or a higher --limit\n")
            break
        hold = _hold_on(item, ahead)
        held_by = None if hold is None else hold.author
        say_json(as_json(item) | {"night": nights.of(item), "conflict": conflict, "held_by": held_by})
    return Exit.CLEAN


def as_json(item: Foreseen) -> dict[str, Json]:
    """Return an occurrence as `preview --json` shows it."""
    return {
        "schedule": item.schedule.name,
        "due_at": render_instant(item.due_at),
        "local_at": item.local_at.isoformat(),
        "shifted": None if item.shifted is None else item.shifted.value,
        "decision": "run" if item.decision is State.PENDING else item.decision.value,
        "reason": None if item.reason is None else item.reason.value,
        "partition": partition_of(item.schedule),
        "target": target_of(item.schedule),
        "exception": item.exception,
        "conditions": item.schedule.args.get(DEPENDS),
    }


def _print_week(
    config: SchedulerConfig,
    ahead: Ahead,
    wanted: set[int] | None,
    window: Window,
    rules: PlanRules,
) -> Exit:
    """Draw the week of every partition that the wanted schedules arm."""
    window = attrs.evolve(window, until=window.start + WEEK)
    items = list(_foreseen(ahead, wanted, window, rules))
    schedules = [record.schedule for record in ahead.records]
    names = {record.schedule.name for record in ahead.records if wanted is None or record.key in wanted}
    armed = {partition_of(schedule) for schedule in schedules if schedule.name in names} - {None}
    partitions = []
    for name, partition in config.premises.partitions.items():
        if name in armed:
            first = desired(schedules, name, window.start)
            zone = find_zone(window.zone or config.premises.sites[partition.site].timezone)
            target = None if first is None else first.target
            partitions.append(Partition(name, zone, target, changes_of(items, name)))
    if not partitions:
        remark("no schedule arms anything: there is no week to draw")
    for line in draw(partitions, window.start) if partitions else ():
        say(line)
    return Exit.CLEAN


def _print_table(items: Sequence[Foreseen], nights: Nights, limit: int, window: Window) -> None:
    if items:
        from trioarm.cli.agenda import agenda  # only here: no other command, and no --json, waits for its libraries

        say(agenda(items[:limit], nights))
    else:
        until = render_instant(window.until // 1_000_000 * 1_000_000)
        say(f"nothing until {until}")
    if len(items) > limit:
        say(paint(f"and more: ask for fewer --days, or a higher --limit than {limit}", Style.FAINT, sys.stdout))


def _print_rest(frequent: Sequence[ScheduleRecord], shown: Sequence[ScheduleRecord], window: Window) -> None:
    """Tell of those that are not in the table, and why."""
    lines = ["not shown, unless named or with --all:"] if frequent else []
    lines += [
        f"{INDENT}{one.schedule.name}: {one.schedule.trigger.describe()}, {counted(_count(one, window), 'time')}"
        for one in frequent
    ]
    lines += [
        f"{record.schedule.name}: {_why_paused(record)}, nothing of it will run"
        for record in shown
        if record.state is ScheduleState.PAUSED and record.wakes_at is None
    ]
    if lines:
        say()
    for line in lines:
        say(line)


def _why_paused(record: ScheduleRecord) -> str:
    if record.pause is None:
        return "disabled"
    return f"paused by {record.pause.author}" + (f" ({record.pause.note})" if record.pause.note else "")


def _print_held(items: Iterable[Foreseen], ahead: Ahead) -> None:
    """Tell which of the partitions that are shown somebody holds: what comes under it is not sent."""
    for name in dict.fromkeys(partition_of(item.schedule) for item in items if _hold_on(item, ahead) is not None):
        if name is not None:
            say(f"{name}: {ahead.held[name].describe()}; what comes due before is not sent")


def _hold_on(item: Foreseen, ahead: Ahead) -> Hold | None:
    """Return the hold that an occurrence comes under; None where nobody holds its partition then."""
    hold = ahead.held.get(partition_of(item.schedule) or "")
    return hold if hold is not None and hold.lasts(item.due_at) else None


def _is_frequent(record: ScheduleRecord, window: Window) -> bool:
    """Whether each occurrence would be too much to read. What supersedes others stays: they depend on it."""
    days = max(1.0, (window.until - window.start) / DAY)
    return not record.schedule.supersede and _count(record, window) > OFTEN * days


def _count(record: ScheduleRecord, window: Window) -> int:
    """Return how many occurrences lie in the window; of a fixed delay, when its runs take no time."""
    schedule = record.schedule
    if record.state is not ScheduleState.ACTIVE:
        return 0
    start = window.start if schedule.start_at is None else max(window.start, schedule.start_at - 1)
    until = window.until if schedule.end_at is None else min(window.until, schedule.end_at)
    if isinstance(schedule.trigger, After):
        count = max(0, until - start) // microseconds(schedule.trigger.delay_s)
    else:
        count = schedule.trigger.count(start, until)
    return count if schedule.max_runs is None else min(count, schedule.max_runs)
