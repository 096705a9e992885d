"""`trioarm statistics`: what the history amounts to: how many, how well, how late, how long, and what failed last."""

from __future__ import annotations

import sys
from typing import Annotated, Final

from cyclopts import Parameter

from trioarm.cli.columns import Columns
from trioarm.cli.exits import Exit, UsageError
from trioarm.cli.names import meant
from trioarm.cli.options import AsJson, Builtin, ConfigFile, StoreUrl, among, instant_of
from trioarm.cli.planned import current_instant
from trioarm.cli.stored import with_store
from trioarm.cli.terminal import Style, remark, say_json
from trioarm.cli.wording import span, wall
from trioarm.container import Container
from trioarm.core.counting import grouped
from trioarm.core.instants import instant, render_instant
from trioarm.core.jsonable import Json
from trioarm.core.queries import RunQuery
from trioarm.core.run_statistics import GroupBy, GroupStatistics, RunStatistics, Spread
from trioarm.core.states import NEVER_RAN
from trioarm.engine.bulk_commands import STATISTICS_RUNS, STATISTICS_RUNS_MAX
from trioarm.engine.ports import ScheduleRepository
from trioarm.engine.scheduler import Scheduler
from trioarm.handlers.housekeeping import OWNER

LATE: Final = "LATE P50/P95/MAX"
TOOK: Final = "TOOK P50/P95/MAX"
BAR: Final = 10  # characters: a tenth each
WELL_ENOUGH: Final = 0.95  # less is shown as bad, and all but everything as a notice


def statistics(
    schedule: Annotated[str | None, Parameter(name="SCHEDULE", help="Only those of this schedule.")] = None,
    /,
    *,
    by: Annotated[str, Parameter(help="Told apart by schedule, handler, owner or tag; or all together.")] = "schedule",
    since: Annotated[str | None, Parameter(help="Only due at or after this: an instant, or 7d ago.")] = None,
    until: Annotated[str | None, Parameter(help="Only due before this: an instant, or 1d ago.")] = None,
    owner: Annotated[str | None, Parameter(help="Only of schedules of this owner.")] = None,
    handler: Annotated[str | None, Parameter(help="Only of this handler.")] = None,
    tag: Annotated[str | None, Parameter(help="Only of schedules with this tag.")] = None,
    lane: Annotated[str | None, Parameter(help="Only of this lane.")] = None,
    limit: Annotated[
        int | None, Parameter(help=f"Read the newest so many runs; otherwise {grouped(STATISTICS_RUNS)}.")
    ] = None,
    builtin: Builtin = False,
    json: AsJson = False,
    config: ConfigFile = None,
    store: StoreUrl = None,
) -> Exit:
    """Count what ran, what failed and what never ran; how late runs began and how long they took.

    A rate is that of runs that ended well among those that ended well or badly. Late is what a trigger made and began
    after it was due. The store may hold a million runs: only the newest are read, and it is said when there are more.

    For example:

    - `trioarm statistics --since 7d`
    - `trioarm statistics backup`
    - `trioarm statistics --by handler --since 1d --json`
    """
    now = current_instant()
    rows = STATISTICS_RUNS if limit is None else limit
    if not 1 <= rows <= STATISTICS_RUNS_MAX:
        raise UsageError(f"--limit {rows}: it must lie between 1 and {STATISTICS_RUNS_MAX}")
    [apart] = among(GroupBy, [by], "--by") or (GroupBy.SCHEDULE,)
    query = RunQuery(
        under=schedule,
        owner=owner,
        handler=handler,
        tag=tag,
        lane=lane,
        due_from=None if since is None else instant_of(since, "--since", now, past=True),
        due_until=None if until is None else instant_of(until, "--until", now, past=True),
    )
    hidden = None if builtin or owner == OWNER else OWNER

    async def work(container: Container) -> Exit:
        if schedule is not None:
            await meant(container.get(ScheduleRepository), [schedule])
        runs = container.get(Scheduler).runs
        _say(await runs.statistics(query, by=apart, limit=rows, not_owner=hidden), apart, rows, json)
        return Exit.CLEAN

    return with_store(config, store, work)


def _say(found: RunStatistics, by: GroupBy, limit: int, json: bool) -> None:
    if json:
        for group in found.groups:
            say_json(_as_json(group))
    else:
        shows_bars = sys.stdout.isatty()
        bar = ["RATE"] if shows_bars else []
        columns = Columns(by.value.upper(), "COUNT", "WELL", *bar, "BADLY", "NEVER RAN", LATE, TOOK, "FAILED LAST")
        for group in found.groups:
            columns.add(_cells(group, shows_bars), _style(group))
        columns.flush()
    if not found.groups:
        remark("there is no run that this could count")
    if not found.complete:
        remark(f"only the newest {grouped(limit)} runs were read: there are older ones (--since, --limit)")


def _cells(group: GroupStatistics, shows_bars: bool) -> list[str]:
    never, failure = sum(group.states.get(state, 0) for state in NEVER_RAN), group.last_failure
    rate = group.success_rate
    return [
        group.name,
        grouped(sum(group.states.values())),
        percent(rate),
        *([bar(rate)] if shows_bars else []),
        grouped(group.failures),
        grouped(never),
        _spread(group.late),
        _spread(group.took),
        "" if failure is None else f"{wall(failure.at)} {failure.error or ''}".rstrip(),
    ]


def percent(rate: float | None) -> str:
    """Return a rate, which is 100 % only where nothing failed."""
    if rate is None:
        return "-"
    return f"{min(rate * 100, 99.9) if rate < 1 else 100:.1f} %".replace(".0 %", " %")


def bar(rate: float | None) -> str:
    """Return a rate as a picture; what failed at all is seen."""
    if rate is None:
        return ""
    full = BAR if rate >= 1 else min(round(rate * BAR), BAR - 1)
    return "█" * full + "░" * (BAR - full)


def _spread(spread: Spread) -> str:
    if spread.p50 is None or spread.p95 is None or spread.longest is None:
        return "-"
    return f"{span(spread.p50)} / {span(spread.p95)} / {span(spread.longest)}"


def _style(group: GroupStatistics) -> Style | None:
    rate = group.success_rate
    if rate is None or rate == 1:
        return None
    return Style.NOTICE if rate >= WELL_ENOUGH else Style.BAD


def _as_json(group: GroupStatistics) -> dict[str, Json]:
    failure: Json = None
    if (last := group.last_failure) is not None:
        failure = {"run_id": last.run_id, "at": render_instant(instant(last.at)), "error": last.error}
    return {
        "name": group.name,
        "count": sum(group.states.values()),
        "states": {state.value: count for state, count in sorted(group.states.items())},
        "success_rate": group.success_rate,
        "late_s": _spread_form(group.late),
        "took_s": _spread_form(group.took),
        "last_failure": failure,
    }


def _spread_form(spread: Spread) -> dict[str, Json]:
    return {"p50": spread.p50, "p95": spread.p95, "max": spread.longest}
