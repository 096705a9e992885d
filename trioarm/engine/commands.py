"""The use cases: what people and programs can ask of a scheduler, once, for facade, command line and API alike.

Each reads, decides by a pure rule, and commits; refused because somebody was faster, it reads again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import StrEnum
from typing import Final

import attrs
import trio

from trioarm.core.changes import Change, PutSchedule, RemoveSchedule, RunStep, Verdict
from trioarm.core.diff import SyncDiff, first_put, removal, revised, sync_diff
from trioarm.core.errors import InvalidSchedule, RepositoryError, RevisionConflict, UnknownSchedule
from trioarm.core.events import ScheduleChange, ScheduleChanged
from trioarm.core.queries import PAGE_MAX, ScheduleQuery
from trioarm.core.ranges import while_paused
from trioarm.core.run import RunRecord
from trioarm.core.schedule import Pause, Schedule, ScheduleRecord, ScheduleState
from trioarm.engine.run_commands import FASTER, TRIES, RunCommands

BULK: Final = 1_000  # items committed at once
SYNC_MAX: Final = 100_000  # schedules one owner may declare

NAMED_AGAIN: Final = "the same name comes again later in this call, and the last one counts"
FILE_OWNER: Final = "file:"


class PutOutcome(StrEnum):
    """What became of one schedule of a bulk put."""

    ADDED = "added"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


@attrs.frozen(slots=True)
class PutResult:
    """The result for one schedule of a bulk put.

    Args:
        name: of the schedule.
        outcome: what became of it.
        error: why it was refused; None otherwise.
    """

    name: str
    outcome: PutOutcome
    error: str | None = None


class Commands(RunCommands):
    """What can be asked of a scheduler: of its schedules here, of its runs in `RunCommands`."""

    async def put_many(self, schedules: Sequence[Schedule]) -> list[PutResult]:
        """Store schedules, each on its own: new, as a new revision, or not at all when nothing changed (S5.6).

        Of several with one name in one call, the last counts.
        """
        if len({schedule.name for schedule in schedules}) < len(schedules):
            return await self._put_last(schedules)
        results: list[PutResult] = []
        for start in range(0, len(schedules), BULK):
            results += await self._put_chunk(schedules[start : start + BULK])
            await trio.lowlevel.checkpoint()
        return results

    async def _put_last(self, schedules: Sequence[Schedule]) -> list[PutResult]:
        last = {schedule.name: schedule for schedule in schedules}
        results = {result.name: result for result in await self.put_many(list(last.values()))}
        return [
            results[one.name] if last[one.name] is one else PutResult(one.name, PutOutcome.REFUSED, NAMED_AGAIN)
            for one in schedules
        ]

    async def _put_chunk(self, schedules: Sequence[Schedule]) -> list[PutResult]:
        now = self._clock.now()
        stored = await self._stored([schedule.name for schedule in schedules], now)
        return await self._commit_puts(schedules, stored, now)

    async def _stored(self, names: Sequence[str], now: int) -> list[ScheduleRecord | None]:
        """Return what is stored under these names once all that is due of it is decided.

        Raises:
            RevisionConflict: the repository keeps refusing what is decided.
        """
        refused = 0
        while refused < TRIES:
            stored = await self._repository.get_schedules(names)
            if not any(record is not None and _is_due(record, now) for record in stored):
                return stored
            refused += not await self._engine.decide_due(now)
        raise RevisionConflict(f"what is due of {names[0]} cannot be decided: {FASTER}")

    async def _commit_puts(
        self, schedules: Sequence[Schedule], stored: Sequence[ScheduleRecord | None], now: int
    ) -> list[PutResult]:
        changes = [_put(record, schedule, now) for record, schedule in zip(stored, schedules, strict=True)]
        verdicts = iter(await self._repository.commit([change for change in changes if change is not None]))
        results = []
        for record, schedule, change in zip(stored, schedules, changes, strict=True):
            outcome = PutOutcome.UNCHANGED
            if change is not None:
                done = next(verdicts) is Verdict.DONE
                outcome = (PutOutcome.ADDED if record is None else PutOutcome.CHANGED) if done else PutOutcome.REFUSED
            results.append(PutResult(schedule.name, outcome, FASTER if outcome is PutOutcome.REFUSED else None))
            if outcome in (PutOutcome.ADDED, PutOutcome.CHANGED) and self._hub.observed:
                self._hub.publish(ScheduleChanged(schedule.name, ScheduleChange.PUT))
        self._engine.wake()
        return results

    async def put(self, schedule: Schedule, revision: int | None = None) -> ScheduleRecord:
        """Store one schedule.

        Args:
            schedule: the definition.
            revision: the revision it was read at; None to replace whatever is stored.

        Raises:
            RevisionConflict: it has another revision now.
        """
        for _ in range(TRIES):
            now = self._clock.now()
            [record] = await self._stored([schedule.name], now)
            if revision is not None and (0 if record is None else record.revision) != revision:
                stored = "it is not stored" if record is None else f"it is at revision {record.revision}"
                raise RevisionConflict(f"{schedule.name} was read at revision {revision}, now {stored}: read it again")
            [result] = await self._commit_puts([schedule], [record], now)
            await trio.lowlevel.checkpoint()
            if result.outcome is not PutOutcome.REFUSED:
                return await self._record(schedule.name)
        raise RevisionConflict(f"{schedule.name}: {FASTER}")

    async def remove(self, name: str) -> None:
        """Remove a schedule; what waits is cancelled, what works may end, history stays.

        Raises:
            UnknownSchedule: there is none of that name.
            InvalidSchedule: it is declared in a file, which would bring it back (S5.8).
        """

        async def change(record: ScheduleRecord, now: int) -> Change:
            owner = record.schedule.owner or ""
            if owner.startswith(FILE_OWNER):
                file = owner.removeprefix(FILE_OWNER)
                raise InvalidSchedule(f"{name} is declared in {file}: remove it there, or set enabled = false")
            return removal(record, await self._repository.unfinished_runs(schedule=record), now)

        await self._change(name, change)
        self._hub.publish(ScheduleChanged(name, ScheduleChange.REMOVED))

    async def pause(self, name: str, *, author: str, note: str = "") -> ScheduleRecord:
        """Pause a schedule: nothing of it is decided to run until it is resumed; runs go on.

        Raises:
            UnknownSchedule: there is none of that name.
        """

        async def change(record: ScheduleRecord, now: int) -> Change:
            return Change(schedules=[revised(record, record.schedule, now, Pause(author, note, now))])

        record = await self._change(name, change)
        self._hub.publish(ScheduleChanged(name, ScheduleChange.PAUSED, note))
        return record

    async def resume(self, name: str) -> ScheduleRecord:
        """Resume a schedule; what came due meanwhile is skipped, in one row (S5.3). Others stay as they are.

        Raises:
            UnknownSchedule: there is none of that name.
            InvalidSchedule: it is disabled by its definition.
        """

        async def change(record: ScheduleRecord, now: int) -> Change | None:
            if not record.schedule.enabled:
                raise InvalidSchedule(f"{name} is disabled by its definition: set enabled = true there")
            if record.state is not ScheduleState.PAUSED:
                return None
            return Change(
                decided=while_paused(record, now, now), schedules=[revised(record, record.schedule, now, None)]
            )

        record = await self._change(name, change)
        self._hub.publish(ScheduleChanged(name, ScheduleChange.RESUMED))
        return record

    async def _change(
        self, name: str, change: Callable[[ScheduleRecord, int], Awaitable[Change | None]]
    ) -> ScheduleRecord:
        for _ in range(TRIES):
            now = self._clock.now()
            [record] = await self._stored([name], now)
            if record is None:
                raise UnknownSchedule(f"there is no schedule {name!r}")
            wanted = await change(record, now)
            if wanted is None or await self._commit(wanted):
                return record
        raise RevisionConflict(f"{name}: {FASTER}")

    # A declared set

    async def sync(self, owner: str, declared: Sequence[Schedule], *, dry_run: bool = False) -> SyncDiff:
        """Make what `owner` has stored equal to `declared`, in one transaction (S5.8).

        Names that belong to somebody else are left alone and reported.

        Raises:
            RevisionConflict: others kept changing the same schedules.
        """
        wanted = {schedule.name: attrs.evolve(schedule, owner=owner) for schedule in declared}
        for _ in range(TRIES):
            now = self._clock.now()
            diff = await self._diff(owner, wanted)
            if dry_run or not (diff.added or diff.changed or diff.removed):
                return diff
            stored = await self._stored([*diff.changed, *diff.removed], now)  # not all: a node may wait to be started
            if await self._commit(await self._sync_change(diff, wanted, [record for record in stored if record], now)):
                return diff
        raise RevisionConflict(f"schedules of {owner}: {FASTER}")

    async def _diff(self, owner: str, wanted: Mapping[str, Schedule]) -> SyncDiff:
        records = await self._repository.get_schedules(list(wanted))
        present = {record.schedule.name: record.schedule for record in records if record is not None}
        owned = await self._owned(owner)
        return sync_diff(owner, list(wanted.values()), present, [record.schedule.name for record in owned])

    async def _sync_change(
        self, diff: SyncDiff, wanted: Mapping[str, Schedule], stored: Sequence[ScheduleRecord], now: int
    ) -> Change:
        puts: list[PutSchedule | RemoveSchedule] = [first_put(wanted[name], now) for name in diff.added]
        decided: list[RunRecord] = []
        steps: list[RunStep] = []
        for record in stored:
            schedule = wanted.get(record.schedule.name)
            if schedule is None:
                removed = removal(record, await self._repository.unfinished_runs(schedule=record), now)
                steps += removed.steps
                puts += removed.schedules
                continue
            if record.state is ScheduleState.PAUSED:
                decided += while_paused(record, now, now)
            puts.append(revised(record, schedule, now, record.pause))
        return Change(decided=decided, steps=steps, schedules=puts)

    async def _owned(self, owner: str) -> list[ScheduleRecord]:
        records: list[ScheduleRecord] = []
        after = None
        while len(records) < SYNC_MAX:
            page = await self._repository.find_schedules(ScheduleQuery(owner=owner, after=after, limit=PAGE_MAX))
            records += page.rows
            after = page.next
            if after is None:
                return records
        raise RepositoryError(f"{owner} has stored more than {SYNC_MAX} schedules: too many to synchronise as a set")


def _is_due(record: ScheduleRecord, now: int) -> bool:
    return record.state is ScheduleState.ACTIVE and record.next_due_at is not None and record.next_due_at <= now


def _put(record: ScheduleRecord | None, schedule: Schedule, now: int) -> Change | None:
    if record is None:
        return Change(schedules=(first_put(schedule, now),))
    if record.schedule == schedule:
        return None
    skipped = while_paused(record, now, now) if record.state is ScheduleState.PAUSED else []
    return Change(decided=skipped, schedules=(revised(record, schedule, now, record.pause),))
