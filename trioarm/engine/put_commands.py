"""Putting: the use cases that store schedules, one or many, each on its own.

Many are put in chunks. A chunk is read and what differs is committed; as long as all before it were new, a chunk is
added without a look, which the repository refuses as a whole where somebody has one of its names.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import trio

from trioarm.core.amending import revision
from trioarm.core.changes import Change, Quota, Verdict
from trioarm.core.codec import unstructure_schedule
from trioarm.core.diff import FirstPuts, first_put
from trioarm.core.errors import InvalidSchedule, RevisionConflict, TrioarmError
from trioarm.core.events import ScheduleChange, ScheduleChanged
from trioarm.core.operations import Operation, Verb, entry
from trioarm.core.record import ScheduleRecord
from trioarm.core.schedule import Schedule
from trioarm.engine.bulk_commands import BulkCommands
from trioarm.engine.put_results import CHANGING, Became, PutOutcome, PutResults
from trioarm.engine.rivals import FASTER, TRIES
from trioarm.engine.run_commands import API

BULK: Final = 1_000  # schedules looked at, or committed, at once
FIRST: Final = 100  # of more than that, these come first: what they are tells how the others are put
NEW: Final = 3_000  # that are taken for new, and added at once: the loop is busy with them, and a file, no longer

NAMED_AGAIN: Final = "the same name comes again later in this call, and the last one counts"


class PutCommands(BulkCommands):
    """What stores schedules."""

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
        firsts, start = FirstPuts(), 0
        while start < len(schedules):
            if unnoted is None and not self.owners:  # what room an owner has left is known once the others are kept
                are_new = {*became.outcomes} == {PutOutcome.ADDED}
                for of_these in await self._put_side_by_side(schedules[start:], firsts, are_new):
                    became.add(of_these)
                break
            end = start + (BULK if start or len(schedules) <= BULK else FIRST)
            of_these, noted = await self._put_chunk(schedules[start:end], firsts, unnoted)
            became.add(of_these)
            unnoted, start = None if noted else unnoted, end
        if unnoted is not None and any(outcome in became.outcomes for outcome in CHANGING):
            await self._commit(Change(journal=[entry(unnoted, self._clock.look())]))  # the first one was refused
        return PutResults(schedules, became)

    async def _put_side_by_side(
        self, schedules: Sequence[Schedule], firsts: FirstPuts, are_new: bool
    ) -> Sequence[Became]:
        """Put schedules of an operation that is noted: a chunk is made ready while the one before it is written.

        Args:
            are_new: whether those before them were, so that these are taken for new until one is not.

        Returns:
            what became of each chunk, in order.
        """
        became: list[Became] = []
        failed: list[TrioarmError] = []
        side_by_side = trio.Semaphore(2)

        async def put(chunk: Sequence[Schedule], place: int) -> None:
            nonlocal are_new
            try:
                if are_new and await self._add(chunk, self._clock.look(), firsts, None):
                    became[place] = Became([PutOutcome.ADDED] * len(chunk), {})
                    return
                are_new = False
                for start in range(0, len(chunk), BULK):
                    of_these, _ = await self._put_chunk(chunk[start : start + BULK], firsts, None)
                    became[place].add(of_these)
            except TrioarmError as error:
                failed.append(error)
            finally:
                side_by_side.release()

        async with trio.open_nursery() as nursery:
            for place, start in enumerate(range(0, len(schedules), NEW)):
                await side_by_side.acquire()
                if failed:
                    break
                became.append(Became([], {}))
                nursery.start_soon(put, schedules[start : start + NEW], place)
                for _ in range(2):  # it is added before the next one, whose turn may come first
                    await trio.lowlevel.checkpoint()
        if failed:
            raise failed[0]
        return became

    async def _put_chunk(
        self, chunk: Sequence[Schedule], firsts: FirstPuts, unnoted: Operation | None
    ) -> tuple[Became, bool]:
        """Return what became of each in order, and whether the operation is noted; what is refused goes again."""
        became, noted = await self._try_to_put(chunk, firsts, unnoted)
        for _ in range(TRIES - 1):
            left = [place for place, error in became.errors.items() if self._may_be_put_yet(error)]
            if not left:
                break
            again, now_noted = await self._try_to_put(
                [chunk[place] for place in left], firsts, None if noted else unnoted
            )
            noted |= now_noted
            became.correct(left, again)
        return became, noted

    async def _try_to_put(
        self, chunk: Sequence[Schedule], firsts: FirstPuts, unnoted: Operation | None
    ) -> tuple[Became, bool]:
        now = self._clock.look()
        stored = await self._stored([schedule.name for schedule in chunk], now)
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
        changes = puts(stored, schedules, now, faults)
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
                fault = faults.get(schedule.name) or self._repository.trouble or form_fault(schedule)
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
                    faults[schedule.name] = too_many(owner, most)
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


def name_of(schedule: object, place: int) -> str:
    """Return the name of a schedule that is to be put.

    Raises:
        TypeError: it is none.
    """
    if not isinstance(schedule, Schedule):
        raise TypeError(f"number {place} of those to put is a {type(schedule).__name__}, no Schedule: nothing was put")
    return schedule.name


def _names_of(schedules: Sequence[Schedule], first_place: int) -> list[str]:
    if {*map(type, schedules)} != {Schedule}:
        for place, schedule in enumerate(schedules, first_place):
            name_of(schedule, place)
    return [schedule.name for schedule in schedules]


def puts(
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


def form_fault(schedule: Schedule) -> str | None:
    """Return why a schedule has no form in which a repository could keep it; None when it has one."""
    try:
        unstructure_schedule(schedule)
    except InvalidSchedule as error:
        return str(error)
    return None


def too_many(owner: str, most: int) -> str:
    """Say that an owner would have more schedules than it may."""
    return f"{owner} may have at most {most} schedules: remove some, or raise owner.{owner}.max_schedules"
