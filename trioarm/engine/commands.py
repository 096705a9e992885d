"""The use cases: what people and programs can ask of a scheduler, once, for facade, command line and API alike.

Each reads, decides by a pure rule, and commits; refused because somebody was faster, it reads again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import attrs
import trio

from trioarm.core.amending import revision
from trioarm.core.changes import Change, PutDocument, Quota, RunStep, ScheduleStep, Verdict
from trioarm.core.codec import unstructure_schedule
from trioarm.core.diff import FirstPuts, SyncDiff, first_put, removal, sync_diff
from trioarm.core.errors import InvalidSchedule, RepositoryError, RevisionConflict, TrioarmError
from trioarm.core.events import ScheduleChange, ScheduleChanged
from trioarm.core.operations import Operation, Verb, entry
from trioarm.core.owners import FILE_OWNER
from trioarm.core.queries import PAGE_MAX, ScheduleQuery
from trioarm.core.record import ScheduleRecord
from trioarm.core.run import RunRecord
from trioarm.core.schedule import Schedule
from trioarm.engine.amending_commands import Wanted
from trioarm.engine.bulk_commands import BulkCommands
from trioarm.engine.put_results import CHANGING, Became, PutOutcome, PutResults
from trioarm.engine.rivals import FASTER, TRIES
from trioarm.engine.run_commands import API

BULK: Final = 1_000  # items looked at, or committed, at once
SYNC_MAX: Final = 100_000  # schedules one owner may declare

NAMED_AGAIN: Final = "the same name comes again later in this call, and the last one counts"
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


@attrs.frozen(slots=True)
class _Read:
    """What was stored of some schedules at an instant."""

    now: int
    stored: Sequence[ScheduleRecord | None]


class Commands(BulkCommands):
    """What can be asked of a scheduler: what is stored here, the rest in its bases."""

    async def put_many(self, schedules: Sequence[Schedule], *, author: str = API) -> PutResults:
        """Store schedules, each on its own: new, as a new revision, or not at all when nothing changed (S5.6).

        Of several with one name in one call, the last counts. However many change, the journal has one entry, with the
        first of them.

        Raises:
            TypeError: one of them is no schedule; nothing was put.
        """
        names: set[str] = set()
        for start in range(0, len(schedules), BULK):
            names.update(_names_of(schedules[start : start + BULK], start + 1))
            await trio.lowlevel.checkpoint()
        if len(names) < len(schedules):
            return await self._put_last(schedules, author)
        became = Became([], {})
        unnoted: Operation | None = None
        if schedules:
            unnoted = Operation(author, Verb.PUT, schedules[0].name, count=len(schedules))
        firsts = FirstPuts()
        for start in range(0, len(schedules), BULK):
            if unnoted is None and not self.owners:  # what room an owner has left is known once the others are kept
                for of_these in await self._put_side_by_side(schedules[start:], firsts):
                    became.add(of_these)
                break
            chunk = schedules[start : start + BULK]
            of_these, noted = await self._put_chunk(chunk, await self._read(chunk), firsts, unnoted)
            became.add(of_these)
            unnoted = None if noted else unnoted
        if unnoted is not None and any(outcome in became.outcomes for outcome in CHANGING):
            await self._commit(Change(journal=[entry(unnoted, self._clock.look())]))  # the first one was refused
        return PutResults(schedules, became)

    async def _put_side_by_side(self, schedules: Sequence[Schedule], firsts: FirstPuts) -> Sequence[Became]:
        """Put schedules of an operation that is noted: a chunk is made ready while the one before it is written.

        Returns:
            what became of each chunk, in order.
        """
        became: list[Became] = []
        failed: list[TrioarmError] = []
        side_by_side = trio.Semaphore(2)

        async def put(chunk: Sequence[Schedule], read: _Read, place: int) -> None:
            try:
                became[place], _ = await self._put_chunk(chunk, read, firsts, None)
            except TrioarmError as error:
                failed.append(error)
            finally:
                side_by_side.release()

        async with trio.open_nursery() as nursery:
            for place, start in enumerate(range(0, len(schedules), BULK)):
                await side_by_side.acquire()
                chunk = schedules[start : start + BULK]
                read: _Read | None = None
                try:
                    read = await self._read(chunk)
                except TrioarmError as error:
                    failed.append(error)
                if read is None or failed:
                    break
                became.append(Became([], {}))
                nursery.start_soon(put, chunk, read, place)
                for _ in range(2):  # it is committed before the next one, whose turn may come first
                    await trio.lowlevel.checkpoint()
        if failed:
            raise failed[0]
        return became

    async def _read(self, chunk: Sequence[Schedule]) -> _Read:
        now = self._clock.look()
        return _Read(now, await self._stored([schedule.name for schedule in chunk], now))

    async def _put_chunk(
        self, chunk: Sequence[Schedule], read: _Read, firsts: FirstPuts, unnoted: Operation | None
    ) -> tuple[Became, bool]:
        """Return what became of each in order, and whether the operation is noted; what is refused goes again."""
        became, noted = await self._try_to_put(chunk, read, firsts, unnoted)
        for _ in range(TRIES - 1):
            left = [place for place, error in became.errors.items() if self._may_be_put_yet(error)]
            if not left:
                break
            rest = [chunk[place] for place in left]
            again, now_noted = await self._try_to_put(rest, await self._read(rest), firsts, None if noted else unnoted)
            noted |= now_noted
            became.correct(left, again)
        return became, noted

    async def _try_to_put(
        self, chunk: Sequence[Schedule], read: _Read, firsts: FirstPuts, unnoted: Operation | None
    ) -> tuple[Became, bool]:
        now, stored = read.now, read.stored
        new = [place for place, record in enumerate(stored) if record is None]
        all_new = len(new) == len(chunk)
        if len(new) > 1 and await self._add(
            chunk if all_new else [chunk[place] for place in new], now, firsts, unnoted
        ):
            became, noted = Became([PutOutcome.ADDED] * len(chunk), {}), True
            if not all_new:
                others = [place for place, record in enumerate(stored) if record is not None]
                some, records = [chunk[place] for place in others], [stored[place] for place in others]
                became.correct(others, (await self._commit_puts(some, records, now, None))[0])
        else:
            became, noted = await self._commit_puts(chunk, stored, now, unnoted)
        await trio.lowlevel.checkpoint()
        return became, noted

    async def _add(
        self, schedules: Sequence[Schedule], now: int, firsts: FirstPuts, operation: Operation | None
    ) -> bool:
        """Store new schedules, all of them or none: what stands in the way of some is found out one by one."""
        if self.owners and not self.owners.keys().isdisjoint(schedule.owner for schedule in schedules):
            return False
        try:
            step = firsts.of(schedules, now)
        except Exception:  # a trigger is foreign code, and one bad schedule never stops another (S2.6)
            return False
        journal = () if operation is None else [entry(operation, now)]
        [verdict] = await self._repository.commit([Change(schedules=[step], journal=journal)])
        if verdict is not Verdict.DONE:
            return False
        if self._hub.observed:
            for schedule in schedules:
                self._hub.publish(ScheduleChanged(schedule.name, ScheduleChange.PUT))
        self._engine.wake()
        return True

    def _may_be_put_yet(self, error: str) -> bool:
        """Whether it was refused for what others did, or for what the repository cannot do now."""
        return error in (FASTER, self._repository.trouble)

    async def _put_last(self, schedules: Sequence[Schedule], author: str) -> PutResults:
        last = {schedule.name: schedule for schedule in schedules}
        results = {result.name: result for result in await self.put_many(list(last.values()), author=author)}
        became = Became([], {})
        for one in schedules:
            result = results[one.name]
            if last[one.name] is one:
                became.note(result.outcome, result.error)
            else:
                became.note(PutOutcome.REFUSED, NAMED_AGAIN)
        return PutResults(schedules, became)

    async def _commit_puts(
        self,
        schedules: Sequence[Schedule],
        stored: Sequence[ScheduleRecord | None],
        now: int,
        operation: Operation | None,
    ) -> tuple[Became, bool]:
        """Return what became of each, and whether the operation is noted: with the first that changes."""
        faults: dict[str, str] = {}
        changes = _puts(stored, schedules, now, faults)
        if self.owners:
            changes = await self._within_quotas(schedules, stored, changes, faults)
        wanted = [change for change in changes if change is not None]
        if wanted and operation is not None:
            wanted[0].journal = [entry(operation, now)]
        kept = await self._repository.commit(wanted)
        verdicts = iter(kept)
        became, done, added, observed = Became([], {}), Verdict.DONE, PutOutcome.ADDED, self._hub.observed
        for record, schedule, change in zip(stored, schedules, changes, strict=True):
            if change is not None and next(verdicts) is done:
                became.outcomes.append(added if record is None else PutOutcome.CHANGED)
                if observed:
                    self._hub.publish(ScheduleChanged(schedule.name, ScheduleChange.PUT))
            elif change is not None or schedule.name in faults:
                fault = faults.get(schedule.name) or self._repository.trouble or _form_fault(schedule)
                became.note(PutOutcome.REFUSED, fault or FASTER)
            else:
                became.outcomes.append(PutOutcome.UNCHANGED)
        self._engine.wake()
        return became, bool(kept) and kept[0] is Verdict.DONE

    async def _within_quotas(
        self,
        schedules: Sequence[Schedule],
        stored: Sequence[ScheduleRecord | None],
        changes: Sequence[Change | None],
        faults: dict[str, str],
    ) -> list[Change | None]:
        """Leave out what its owner may not have any more; the repository refuses it, too, if others are faster."""
        room: dict[str, int] = {}
        kept: list[Change | None] = []
        for schedule, record, change in zip(schedules, stored, changes, strict=True):
            owner, most = schedule.owner, self.owners.get(schedule.owner or "")
            is_new = record is None or record.schedule.owner != owner
            if change is not None and owner is not None and most is not None and is_new:
                if owner not in room:
                    room[owner] = most - await self._repository.count_owned(owner)
                if room[owner] <= 0:
                    faults[schedule.name] = _too_many(owner, most)
                    change = None
                else:
                    room[owner] -= 1
                    change.quotas = (Quota(owner, 1, most),)
            kept.append(change)
        return kept

    async def put(self, schedule: Schedule, revision: int | None = None, *, author: str = API) -> ScheduleRecord:
        """Store one schedule.

        Args:
            schedule: the definition.
            revision: the revision it was read at; None to replace whatever is stored.
            author: who does it.

        Raises:
            RevisionConflict: it has another revision now.
            InvalidSchedule: its trigger fails, or has no form in which it could be kept.
        """
        for _ in range(TRIES):
            now = self._clock.look()
            [record] = await self._stored([schedule.name], now)
            current = 0 if record is None else record.revision
            if revision is not None and current != revision:
                stored = "it is not stored" if record is None else f"it is at revision {record.revision}"
                raise RevisionConflict(f"{schedule.name} was read at revision {revision}, now {stored}: read it again")
            operation = Operation(author, Verb.PUT, schedule.name, revision=current + 1)
            became, _ = await self._commit_puts([schedule], [record], now, operation)
            await trio.lowlevel.checkpoint()
            if not became.errors:
                return await self._record(schedule.name)
            if not self._may_be_put_yet(became.errors[0]):
                raise InvalidSchedule(f"{schedule.name}: {became.errors[0]}")
        raise self._given_up(schedule.name)

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
                raise InvalidSchedule(f"{owner} declares {len(wanted)}: {_too_many(owner, most)}: {UNCHANGED}")
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
                if fault := _form_fault(wanted[name]):
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
        name = _name_of(schedule, place)
        if name in wanted:
            raise InvalidSchedule(f"number {place} of those declared has the name of another, {name}: {UNCHANGED}")
        wanted[name] = attrs.evolve(schedule, owner=owner)
        await _let_others_turn(place)
    return wanted


def _put_declared(wanted: Mapping[str, Schedule], name: str, record: ScheduleRecord | None, now: int) -> Change:
    """Return the change that puts one of a declared set, or say which of them cannot be put."""
    faults: dict[str, str] = {}
    [change] = _puts([record], [wanted[name]], now, faults)
    if faults:
        raise _not_declared(wanted, name, faults[name])
    return change or Change()


def _not_declared(wanted: Iterable[str], name: str, fault: str) -> InvalidSchedule:
    place = list(wanted).index(name) + 1
    return InvalidSchedule(f"number {place} of those declared, {name}: {fault}: {UNCHANGED}")


def _name_of(schedule: object, place: int) -> str:
    if not isinstance(schedule, Schedule):
        raise TypeError(f"number {place} of those to put is a {type(schedule).__name__}, no Schedule: nothing was put")
    return schedule.name


def _names_of(schedules: Sequence[Schedule], first_place: int) -> list[str]:
    if {*map(type, schedules)} != {Schedule}:
        for place, schedule in enumerate(schedules, first_place):
            _name_of(schedule, place)
    return [schedule.name for schedule in schedules]


def _puts(
    stored: Sequence[ScheduleRecord | None],
    schedules: Sequence[Schedule],
    now: int,
    faults: dict[str, str],
) -> list[Change | None]:
    """Return the change that puts each schedule, or None where there is none to make, or a fault to note."""
    changes: list[Change | None] = []
    for record, schedule in zip(stored, schedules, strict=True):
        change = None
        try:
            if record is None:
                change = Change(schedules=(first_put(schedule, now),))
            elif record.schedule != schedule:
                change = revision(record, schedule, now, record.pause)
        except Exception as error:  # a trigger is foreign code, and one bad schedule never stops another (S2.6)
            faults[schedule.name] = f"its trigger fails: {type(error).__name__}: {error}"
        changes.append(change)
    return changes


def _form_fault(schedule: Schedule) -> str | None:
    """Return why a schedule has no form in which a repository could keep it; None when it has one."""
    try:
        unstructure_schedule(schedule)
    except InvalidSchedule as error:
        return str(error)
    return None


def _too_many(owner: str, most: int) -> str:
    return f"{owner} may have at most {most} schedules: remove some, or raise owner.{owner}.max_schedules"


def _synchronised(author: str, owner: str, diff: SyncDiff) -> Operation:
    counts = [(len(diff.added), "added"), (len(diff.changed), "changed"), (len(diff.removed), "removed")]
    note = ", ".join(f"{count} {what}" for count, what in counts if count)
    return Operation(author, Verb.SYNC, owner, note, count=sum(count for count, _ in counts))
