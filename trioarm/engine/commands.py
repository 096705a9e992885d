"""The use cases: what people and programs can ask of a scheduler, once, for facade, command line and API alike.

Each reads, decides by a pure rule, and commits; refused because somebody was faster, it reads again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import attrs
import trio

from trioarm.core.changes import Change, PutDocument, Quota, RunStep, ScheduleStep
from trioarm.core.diff import SyncDiff, removal, sync_diff
from trioarm.core.errors import InvalidSchedule, RepositoryError
from trioarm.core.events import ScheduleChange
from trioarm.core.operations import Operation, Verb, entry
from trioarm.core.owners import FILE_OWNER
from trioarm.core.queries import PAGE_MAX, ScheduleQuery
from trioarm.core.record import ScheduleRecord
from trioarm.core.run import RunRecord
from trioarm.core.schedule import Schedule
from trioarm.engine.amending_commands import Wanted
from trioarm.engine.put_commands import BULK, PutCommands, form_fault, name_of, puts, too_many
from trioarm.engine.rivals import TRIES
from trioarm.engine.run_commands import API

SYNC_MAX: Final = 100_000  # schedules one owner may declare

UNCHANGED: Final = "nothing was changed"

_log = logging.getLogger("trioarm.schedules")


@attrs.frozen(slots=True, kw_only=True)
class Beside:
    """What is kept in the transaction of a synchronisation, because one means nothing without the other.

    Args:
        documents: what is kept.
        latest: until when; later nothing is changed at all.
    """

    documents: Sequence[PutDocument]
    latest: int


class Commands(PutCommands):
    """What can be asked of a scheduler: what is stored here, the rest in its bases."""

    async def remove(self, name: str, *, author: str = API, note: str = "") -> None:
        """Remove a schedule; what waits is cancelled, what works may end, history stays.

        Raises:
            UnknownSchedule: there is none of that name.
            InvalidSchedule: it is declared in a file, which would bring it back (S5.8).
        """

        async def change(record: ScheduleRecord, now: int) -> Wanted:
            owner = record.schedule.owner or ""
            if owner.startswith(FILE_OWNER):
                file = owner.removeprefix(FILE_OWNER)
                raise InvalidSchedule(f"{name} is declared in {file}: remove it there, or set enabled = false")
            unfinished = await self._repository.unfinished_runs(schedule=record)
            return removal(record, unfinished, now), Operation(author, Verb.REMOVE, name, note)

        await self._change(name, change, ScheduleChange.REMOVED)

    # A declared set

    async def sync(
        self,
        owner: str,
        declared: Sequence[Schedule],
        *,
        author: str = API,
        dry_run: bool = False,
        beside: Beside | None = None,
    ) -> SyncDiff:
        """Make what `owner` has stored equal to `declared`, in one transaction (S5.8), with what is kept beside it.

        Names that belong to somebody else are left alone and reported.

        Raises:
            TypeError: one of them is no schedule; nothing was changed, as below.
            InvalidSchedule: they are more than `SYNC_MAX`, or one has the name of another, a trigger that fails, or no
                form in which it could be kept.
            RevisionConflict: others kept changing the same, or it was too late for what is kept beside it.
        """
        wanted = await _wanted(owner, declared)
        for _ in range(TRIES):
            now = self._clock.look()
            diff = await self._diff(owner, wanted)
            most = self.owners.get(owner)
            if most is not None and diff.added and len(wanted) - len(diff.foreign) > most:
                raise InvalidSchedule(f"{owner} declares {len(wanted)}: {too_many(owner, most)}: {UNCHANGED}")
            is_news = bool(diff.added or diff.changed or diff.removed)
            if dry_run or not (is_news or beside):
                return diff
            if beside is not None and now > beside.latest:
                break
            found = await self._stored([*diff.changed, *diff.removed], now)  # not all: a node may wait to be started
            stored = [record for record in found if record is not None]
            change = await self._sync_change(diff, wanted, stored, now)
            change.journal = [entry(_synchronised(author, owner, diff), now)] if is_news else []
            change.documents = [] if beside is None else beside.documents
            if most is not None and diff.added:
                change.quotas = [Quota(owner, len(diff.added) - len(diff.removed), most)]
            if await self._commit(change):
                for record in stored:
                    if record.trouble is not None:
                        _log.warning("schedule %s is put as declared: %s", record.schedule.name, record.trouble)
                return diff
            for name in (*diff.added, *diff.changed):
                if fault := form_fault(wanted[name]):
                    raise _not_declared(wanted, name, fault)
        raise self._given_up(f"schedules of {owner}")

    async def _diff(self, owner: str, wanted: Mapping[str, Schedule]) -> SyncDiff:
        names, present = list(wanted), dict[str, Schedule]()
        for start in range(0, len(names), BULK):
            records = await self._repository.get_schedules(names[start : start + BULK])
            present |= {record.schedule.name: record.schedule for record in records if record is not None}
            await trio.lowlevel.checkpoint()
        return sync_diff(owner, list(wanted.values()), present, await self._owned(owner))

    async def _sync_change(
        self, diff: SyncDiff, wanted: Mapping[str, Schedule], stored: Sequence[ScheduleRecord], now: int
    ) -> Change:
        puts: list[ScheduleStep] = []
        decided: list[RunRecord] = []
        steps: list[RunStep] = []
        for number, name in enumerate(diff.added):
            await _let_others_turn(number)
            puts += _put_declared(wanted, name, None, now).schedules
        for number, record in enumerate(stored):
            await _let_others_turn(number)
            name = record.schedule.name
            if name in wanted:
                revised = _put_declared(wanted, name, record, now)
                decided += revised.decided
                puts += revised.schedules
                continue
            removed = removal(record, await self._repository.unfinished_runs(schedule=record), now)
            decided += removed.decided
            steps += removed.steps
            puts += removed.schedules
        return Change(decided=decided, steps=steps, schedules=puts)

    async def _owned(self, owner: str) -> list[str]:
        names: list[str] = []
        after = None
        while len(names) < SYNC_MAX:
            page = await self._repository.find_schedules(ScheduleQuery(owner=owner, after=after, limit=PAGE_MAX))
            names += [record.schedule.name for record in page.rows]
            after = page.next
            if after is None:
                return names
            await trio.lowlevel.checkpoint()
        raise RepositoryError(f"{owner} has stored more than {SYNC_MAX} schedules: too many to synchronise as a set")


async def _let_others_turn(number: int) -> None:
    if number % BULK == 0:
        await trio.lowlevel.checkpoint()


async def _wanted(owner: str, declared: Sequence[Schedule]) -> dict[str, Schedule]:
    """Return what an owner declares, by name and in order; nobody else waits for a set that is large."""
    if len(declared) > SYNC_MAX:
        raise InvalidSchedule(f"{owner} declares {len(declared)} schedules: at most {SYNC_MAX} make a set: {UNCHANGED}")
    wanted: dict[str, Schedule] = {}
    for place, schedule in enumerate(declared, start=1):
        name = name_of(schedule, place)
        if name in wanted:
            raise InvalidSchedule(f"number {place} of those declared has the name of another, {name}: {UNCHANGED}")
        wanted[name] = attrs.evolve(schedule, owner=owner)
        await _let_others_turn(place)
    return wanted


def _put_declared(wanted: Mapping[str, Schedule], name: str, record: ScheduleRecord | None, now: int) -> Change:
    """Return the change that puts one of a declared set, or say which of them cannot be put."""
    faults: dict[str, str] = {}
    [change] = puts([record], [wanted[name]], now, faults)
    if faults:
        raise _not_declared(wanted, name, faults[name])
    return change or Change()


def _not_declared(wanted: Iterable[str], name: str, fault: str) -> InvalidSchedule:
    place = list(wanted).index(name) + 1
    return InvalidSchedule(f"number {place} of those declared, {name}: {fault}: {UNCHANGED}")


def _synchronised(author: str, owner: str, diff: SyncDiff) -> Operation:
    counts = [(len(diff.added), "added"), (len(diff.changed), "changed"), (len(diff.removed), "removed")]
    note = ", ".join(f"{count} {what}" for count, what in counts if count)
    return Operation(author, Verb.SYNC, owner, note, count=sum(count for count, _ in counts))
