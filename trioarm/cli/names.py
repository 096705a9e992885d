"""Names and ids, as people write them: the stored schedules and runs they mean."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from trioarm.arming.compile import INSTEAD
from trioarm.arming.model import WARN
from trioarm.cli.exits import UsageError
from trioarm.cli.planned import chosen
from trioarm.core.errors import UnknownRun
from trioarm.core.instants import LATEST
from trioarm.core.queries import ScheduleQuery
from trioarm.core.reading import KNOWN_MAX, suggest
from trioarm.core.record import AmendmentKind, ScheduleRecord
from trioarm.core.run import RunRecord, parse_run_id
from trioarm.engine.ports import ScheduleRepository

PARTS_MAX: Final = 1_000  # schedules that one name may mean: partitions are counted in dozens


async def meant(repository: ScheduleRepository, names: Iterable[str]) -> list[ScheduleRecord]:
    """Return the stored schedules that names mean; that of one that arms several partitions means one for each.

    Raises:
        UsageError: there is no schedule of a name.
    """
    found: dict[int, ScheduleRecord] = {}
    for name in names:
        page = await repository.find_schedules(ScheduleQuery(prefix=f"{name}/", limit=PARTS_MAX))
        exact = await repository.get_schedule(name)
        records = [*([exact] if exact is not None else ()), *page.rows]
        if not records:
            raise UsageError(await _unknown(repository, name))
        found |= {record.key: record for record in chosen(records, [name])}
    return list(found.values())


async def due_first(
    repository: ScheduleRepository, names: Iterable[str], nominal_at: int | None = None
) -> list[ScheduleRecord]:
    """Return the stored schedules of which names mean one occurrence each.

    Warnings follow what they warn of, so they are not meant. Of a schedule and what exceptions put in its place, that
    is meant which comes first.

    Args:
        nominal_at: the occurrence that is meant; None for the next one, or the one that is postponed already.

    Raises:
        UsageError: there is no schedule of a name.
    """
    return [_due_first(each, nominal_at) for each in await _families(repository, names)]


async def said_of(
    repository: ScheduleRepository, names: Iterable[str], nominal_at: int | None = None
) -> list[ScheduleRecord]:
    """Return the stored schedules of which names mean an occurrence of which anybody said something; see `due_first`.

    Raises:
        UsageError: there is no schedule of a name.
    """
    families = await _families(repository, names)
    return [_due_first([one for one in each if one.amended] or each, nominal_at) for each in families]


async def fired_by(repository: ScheduleRepository, names: Iterable[str]) -> list[ScheduleRecord]:
    """Return the stored schedules that names mean where no occurrence is: neither warnings nor what is there instead.

    Raises:
        UsageError: there is no schedule of a name.
    """
    return [each[0] for each in await _families(repository, names)]


async def _families(repository: ScheduleRepository, names: Iterable[str]) -> list[list[ScheduleRecord]]:
    """Return what names mean, without warnings: each schedule first, then what exceptions put in its place."""
    found: dict[str, list[ScheduleRecord]] = {}
    for name in names:
        for record in await meant(repository, [name]):
            family = found.setdefault(_in_place_of(record), [])
            if record not in family and (record.schedule.handler != WARN or record.schedule.name == name):
                family.append(record)
    return [sorted(each, key=lambda record: record.schedule.name) for each in found.values() if each]


def _in_place_of(record: ScheduleRecord) -> str:
    name = record.schedule.name
    return name.rpartition("/")[0] if INSTEAD in record.schedule.args else name


def _due_first(family: list[ScheduleRecord], nominal_at: int | None) -> ScheduleRecord:
    if nominal_at is None:
        return min(family, key=_next_at)
    held = [one for one in family if one.schedule.next_after(nominal_at - 1, one.trigger) == nominal_at]
    return held[0] if held else family[0]


def _next_at(record: ScheduleRecord) -> int:
    postponed = [one.nominal_at for one in record.amended if one.kind is AmendmentKind.POSTPONE]
    return min([*postponed, LATEST if record.next_due_at is None else record.next_due_at])


async def _unknown(repository: ScheduleRepository, name: str) -> str:
    """Return a line that says what was perhaps meant: among names that begin alike, else among the first."""
    for prefix in (name[:2], name[:1], None):
        page = await repository.find_schedules(ScheduleQuery(prefix=prefix, limit=KNOWN_MAX))
        own = [record.schedule.name for record in page.rows]
        known = list(dict.fromkeys([*(each.rpartition("/")[0] or each for each in own), *own]))[:KNOWN_MAX]
        line = suggest(name, known)
        if "did you mean" in line:
            return f"there is no schedule {name!r}{line}"
    return f"there is no schedule {name!r}: `trioarm schedules list` shows what there is"


async def run_meant(repository: ScheduleRepository, run_id: str) -> RunRecord:
    """Return the run that a readable id means.

    Raises:
        UnknownRun: the text is no such id, or there is no such run.
        UsageError: there is no such schedule.
    """
    if "@" not in run_id:
        records = await meant(repository, [run_id])
        name = records[0].schedule.name
        raise UnknownRun(f"{run_id!r} is a schedule, not a run: `trioarm runs list {name}` shows the ids of its runs")
    name, nominal_at, origin, epoch = parse_run_id(run_id)
    record = await repository.get_run_of(name, nominal_at, origin, epoch)
    if record is None:
        await meant(repository, [name])
        raise UnknownRun(
            f"there is no run {run_id!r}, or it is no longer kept: `trioarm runs list {name}` shows the ids"
        )
    return record
