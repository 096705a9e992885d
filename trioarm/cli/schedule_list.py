"""`trioarm schedules list`: what is stored, page by page."""

from __future__ import annotations

from typing import Annotated

import attrs
from cyclopts import Parameter

from trioarm.cli.columns import Columns
from trioarm.cli.exits import Exit, UsageError
from trioarm.cli.options import AsJson, Builtin, ConfigFile, StoreUrl, among, instant_of
from trioarm.cli.planned import current_instant, does
from trioarm.cli.stored import Rows, with_store
from trioarm.cli.terminal import Style, remark, say_json
from trioarm.cli.wording import distance, wall
from trioarm.container import Container
from trioarm.core.codec import schedule_to_json
from trioarm.core.instants import SECOND, as_datetime
from trioarm.core.queries import PAGE_MAX, ScheduleOrder, ScheduleQuery
from trioarm.core.record import ScheduleRecord, ScheduleState
from trioarm.engine.ports import ScheduleRepository
from trioarm.handlers.housekeeping import OWNER


def list_(
    prefix: Annotated[str | None, Parameter(name="PREFIX", help="Only names that begin with this.")] = None,
    /,
    *,
    owner: Annotated[str | None, Parameter(help="Only those of this owner, such as file:scheduler.toml.")] = None,
    state: Annotated[list[str] | None, Parameter(help="Only in these states; may be repeated.")] = None,
    tag: Annotated[str | None, Parameter(help="Only with this tag.")] = None,
    handler: Annotated[str | None, Parameter(help="Only those of this handler.")] = None,
    lane: Annotated[str | None, Parameter(help="Only those of this lane.")] = None,
    from_: Annotated[str | None, Parameter(name="--from", help="Only due at or after this: an instant, or 2h.")] = None,
    until: Annotated[str | None, Parameter(help="Only due before this: an instant, or 2h from now.")] = None,
    order: Annotated[str, Parameter(help="By name, or by next_due_at.")] = "name",
    limit: Annotated[int | None, Parameter(help="At most so many; otherwise all.")] = None,
    builtin: Builtin = False,
    json: AsJson = False,
    config: ConfigFile = None,
    store: StoreUrl = None,
) -> Exit:
    """List stored schedules: state, next occurrence, and what they do.

    For example:

    - `trioarm schedules list`
    - `trioarm schedules list --state paused --tag nightly`
    - `trioarm schedules list --until 2h --order next_due_at`
    - `trioarm schedules list house/ --json`
    """
    now = current_instant()
    if limit is not None and limit < 1:
        raise UsageError(f"--limit {limit}: it must be at least 1")
    [by] = among(ScheduleOrder, [order], "--order") or (ScheduleOrder.NAME,)
    query = ScheduleQuery(
        prefix=prefix,
        owner=owner,
        states=among(ScheduleState, state, "--state"),
        tag=tag,
        handler=handler,
        lane=lane,
        due_from=None if from_ is None else instant_of(from_, "--from", now),
        due_until=None if until is None else instant_of(until, "--until", now),
        order=by,
        limit=PAGE_MAX,
    )
    hidden = None if builtin or owner == OWNER else OWNER

    async def work(container: Container) -> Exit:
        return await _print(container.get(ScheduleRepository), query, hidden, limit, now, json)

    return with_store(config, store, work)


async def _print(
    repository: ScheduleRepository, query: ScheduleQuery, hidden: str | None, limit: int | None, now: int, json: bool
) -> Exit:
    columns = Columns("NAME", "STATE", "NEXT", "", "DOES", "RULE")
    shown = 0
    async for record in Rows(lambda after: repository.find_schedules(attrs.evolve(query, after=after))):
        if shown == limit:
            break
        if record.schedule.owner is not None and record.schedule.owner == hidden:
            continue
        shown += 1
        if json:
            say_json(schedule_to_json(record))
        else:
            columns.add(_cells(record, now), _style(record))
    columns.flush()
    if not shown:
        remark("no schedule is stored that this could list")
    return Exit.CLEAN


def _cells(record: ScheduleRecord, now: int) -> tuple[str, ...]:
    schedule = record.schedule
    at = record.next_due_at if record.state is ScheduleState.ACTIVE else None
    moment, away = ("-", "") if at is None else (wall(as_datetime(at)), distance((at - now) / SECOND))
    away += _said_of(record, at)
    rule = record.trouble or schedule.trigger.describe()
    return schedule.name, record.state.value, moment, away, does(schedule), rule


def _said_of(record: ScheduleRecord, at: int | None) -> str:
    """Return what somebody wants of the next occurrence, as it follows the distance to it."""
    said = next((one for one in record.amended if one.nominal_at == at), None)
    if said is None:
        return ""
    return ", skipped" if said.until_at is None else f", postponed to {wall(as_datetime(said.until_at))}"


def _style(record: ScheduleRecord) -> Style | None:
    match record.state:
        case ScheduleState.QUARANTINED:
            return Style.BAD
        case ScheduleState.PAUSED:
            return Style.NOTICE
        case ScheduleState.FINISHED:
            return Style.FAINT
        case _:
            return None
