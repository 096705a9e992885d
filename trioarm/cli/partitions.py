"""`trioarm partitions list` and `show`: what partitions are, as their panels report them now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Final

from cyclopts import Parameter

from trioarm.arming.compile import LANE
from trioarm.arming.installation import Installation
from trioarm.arming.model import Reported
from trioarm.arming.persons import PartitionStatus
from trioarm.cli.columns import Columns
from trioarm.cli.exits import Exit, UsageError
from trioarm.cli.options import AsJson, ConfigFile, StoreUrl
from trioarm.cli.outcomes import told
from trioarm.cli.planned import current_instant, target_of
from trioarm.cli.sheet import here, say_sheet
from trioarm.cli.stored import with_panels
from trioarm.cli.terminal import Style, remark, say_json
from trioarm.cli.wording import wall
from trioarm.container import Container
from trioarm.core.codec import to_json
from trioarm.core.instants import as_datetime
from trioarm.core.queries import RunQuery, ScheduleOrder, ScheduleQuery
from trioarm.core.reading import suggest
from trioarm.core.record import ScheduleRecord, ScheduleState
from trioarm.core.run import Run
from trioarm.engine.ports import ScheduleRepository

SHOWN: Final = 5  # runs, and schedules that come next

_ALARMED: Final = frozenset({Reported.TRIGGERED, Reported.PENDING, Reported.UNAVAILABLE, Reported.UNKNOWN})


def list_(*, json: AsJson = False, config: ConfigFile = None, store: StoreUrl = None) -> Exit:
    """List partitions: what their panels report, what their schedules want, and who changed them last.

    For example:

    - `trioarm partitions list`
    - `trioarm partitions list --json`
    """

    async def work(container: Container) -> Exit:
        found = await container.get(Installation).persons.partitions()
        columns = Columns("NAME", "SITE", "REPORTED", "DESIRED", "SINCE", "BY", "OPEN", "HELD BY")
        for status in found:
            if json:
                say_json(to_json(status))
            else:
                columns.add(_cells(status), _style(status))
        columns.flush()
        if not found:
            remark("no partition is configured: `trioarm help arming` says how")
        return Exit.CLEAN

    return with_panels(config, store, work)


def _cells(status: PartitionStatus) -> tuple[str, ...]:
    return (
        status.name,
        status.site,
        status.reported.value,
        "-" if status.desired is None else status.desired.value,
        "-" if status.changed_at is None else wall(as_datetime(status.changed_at)),
        status.changed_by or "-",
        ", ".join(status.open_zones) or "-",
        status.held_by or "-",
    )


def _style(status: PartitionStatus) -> Style | None:
    if status.reported in _ALARMED:
        return Style.BAD
    return Style.NOTICE if status.held_by is not None or status.open_zones else None


def known(installation: Installation, name: str) -> str:
    """Return the name of a partition.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in installation.panels:
        raise UsageError(f"there is no partition {name!r}{suggest(name, installation.panels)}")
    return name


def show(
    name: Annotated[str, Parameter(name="NAME", help="Which partition.")],
    /,
    *,
    json: AsJson = False,
    config: ConfigFile = None,
    store: StoreUrl = None,
) -> Exit:
    """Show a partition: what its panel reports, who holds it, what comes next, and its last runs.

    For example:

    - `trioarm partitions show house`
    """

    async def work(container: Container) -> Exit:
        installation, repository = container.get(Installation), container.get(ScheduleRepository)
        status = await installation.persons.partition(known(installation, name))
        if json:
            say_json(to_json(status))
            return Exit.CLEAN
        lane, active = LANE + name, frozenset({ScheduleState.ACTIVE})
        query = ScheduleQuery(lane=lane, states=active, order=ScheduleOrder.NEXT_DUE_AT, limit=SHOWN)
        upcoming = (await repository.find_schedules(query)).rows
        runs = (await repository.find_runs(RunQuery(lane=lane, descending=True, limit=SHOWN))).rows
        say_sheet(name, _entries(status, upcoming, [Run.of(run) for run in reversed(runs)], current_instant()))
        return Exit.CLEAN

    return with_panels(config, store, work)


def _entries(
    status: PartitionStatus, upcoming: Sequence[ScheduleRecord], runs: Sequence[Run], now: int
) -> Iterator[tuple[str, str]]:
    by = f", by {status.changed_by}" if status.changed_by else ""
    since = f", since {here(status.changed_at, now)}" if status.changed_at is not None else ""
    yield "reported", f"{status.reported}{by}{since}"
    yield "desired", "nothing yet" if status.desired is None else status.desired.value
    if status.open_zones:
        yield "open", ", ".join(status.open_zones)
    if status.held_by is not None:
        until = "it is released" if status.held_until_at is None else here(status.held_until_at, now)
        yield "held", f"by {status.held_by}, until {until}"
    yield "site", status.site
    yield "panel", status.panel
    for number, record in enumerate(upcoming):
        if record.next_due_at is not None:
            what = f"{record.schedule.name} → {target_of(record.schedule)}"
            yield "" if number else "next", f"{here(record.next_due_at, now)}  {what}"
    for number, run in enumerate(runs):
        yield "" if number else "last", f"{wall(run.due_at)}  {run.schedule}  {told(run)}"
