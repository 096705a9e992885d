"""What can be asked of the future of a schedule: pause, resume, skip, postpone, undo (S5.7).

Each reads, decides by a pure rule, and commits with an entry in the journal of operations; refused because somebody was
faster, it reads again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from typing import TypeAlias

from trioarm.core.amending import (
    amendment_of,
    meant,
    overtaken_at,
    paused,
    postponed,
    postponement,
    revision,
    skipped,
    undone,
)
from trioarm.core.bounds import check_author
from trioarm.core.changes import Change
from trioarm.core.errors import InvalidSchedule, RepositoryError, RevisionConflict, UnknownSchedule
from trioarm.core.events import ScheduleChange, ScheduleChanged
from trioarm.core.failing import subject_of
from trioarm.core.instants import microseconds, render_instant
from trioarm.core.operations import Operation, Verb, entry
from trioarm.core.queries import PAGE_MAX, ScheduleQuery
from trioarm.core.record import Pause, ScheduleRecord, ScheduleState
from trioarm.core.run import RunRecord
from trioarm.engine.alert_commands import AlertCommands
from trioarm.engine.rivals import FASTER, TRIES
from trioarm.engine.run_commands import API, RunCommands

Wanted: TypeAlias = tuple[Change, Operation]  # what is to be committed, and what it is in the journal


class AmendingCommands(RunCommands):
    """What can be asked of the future of a schedule."""

    async def pause(self, name: str, *, author: str = API, note: str = "", until: int | None = None) -> ScheduleRecord:
        """Pause a schedule: nothing of it is decided to run until it is resumed, or until an instant.

        Runs go on, but what is postponed into the pause is skipped with it. One that is paused until then already stays
        as it is, unless there is something else to note.

        Args:
            author: who does it.
            note: why.
            until: when it is active again by itself; what is due at that very instant runs.

        Raises:
            UnknownSchedule: there is none of that name.
            InvalidSchedule: that instant is over, or the author is not named.
        """

        async def change(record: ScheduleRecord, now: int) -> Wanted | None:
            return await self._pausing(record, now, author, note, until)

        record, _ = await self._change(name, change, ScheduleChange.PAUSED, lambda _: note)
        return record

    async def _pausing(
        self, record: ScheduleRecord, now: int, author: str, note: str, until: int | None
    ) -> Wanted | None:
        wanted, held = Pause(author, note, now, until), record.pause
        if held is not None and held.until_at == until and note in ("", held.note):
            return None
        name = record.schedule.name
        unfinished = await self._repository.unfinished_runs(schedule=record)
        operation = Operation(author, Verb.PAUSE, name, note, revision=record.revision + 1, until_at=until)
        return paused(record, unfinished, wanted, now), operation

    async def resume(self, name: str, *, author: str = API, note: str = "") -> ScheduleRecord:
        """Resume a schedule; what came due meanwhile is skipped, in one row (S5.3). Others stay as they are.

        What was said of its being paused because it kept failing is over then (S5.9).

        Raises:
            UnknownSchedule: there is none of that name.
            InvalidSchedule: it is disabled by its definition, or the author is not named.
        """

        async def change(record: ScheduleRecord, now: int) -> Wanted | None:
            return self._resuming(record, now, author, note)

        record, is_new = await self._change(name, change, ScheduleChange.RESUMED)
        if is_new:
            await self._complain_no_more([name], author)
        return record

    async def _complain_no_more(self, names: Iterable[str], by: str) -> None:
        """Let what was said of schedules that kept failing be over: they are resumed (S5.9)."""
        alerts = AlertCommands(self._repository, self._clock)
        with suppress(RepositoryError):  # what cannot be looked at now stays for a person to close
            for name in names:
                await alerts.settle(subject_of(name), ScheduleState.ACTIVE, by=by)

    def _resuming(self, record: ScheduleRecord, now: int, author: str, note: str) -> Wanted | None:
        name = record.schedule.name
        operation = Operation(author, Verb.RESUME, name, note, revision=record.revision + 1)
        if not record.schedule.enabled:
            raise InvalidSchedule(f"{name} is disabled by its definition: set enabled = true there")
        if record.state is not ScheduleState.PAUSED:
            return None
        return revision(record, record.schedule, now, None), operation

    async def skip(
        self, name: str, nominal_at: int | None = None, *, author: str = API, note: str = ""
    ) -> ScheduleRecord:
        """Skip an occurrence. One that is skipped already stays so: asked twice for the next, one is skipped.

        Args:
            nominal_at: its instant; None for the next one.
            author: who does it.
            note: why.

        Raises:
            UnknownSchedule: there is none of that name.
            InvalidSchedule: there is no such occurrence, or it is too late.
        """
        check_author(author, note)

        async def change(record: ScheduleRecord, now: int) -> Wanted | None:
            what = meant(record, await self._repository.unfinished_runs(schedule=record), nominal_at)
            wanted = skipped(record, what, author, note, now)
            if wanted is None:
                return None
            return wanted, Operation(
                author, Verb.SKIP, name, note, revision=record.revision + 1, nominal_at=_nominal_at(what)
            )

        return await self._amend(name, change, "an occurrence is skipped")

    async def postpone(
        self,
        name: str,
        nominal_at: int | None = None,
        *,
        by_s: float | None = None,
        until: int | None = None,
        author: str = API,
        note: str = "",
    ) -> ScheduleRecord:
        """Let an occurrence start later: at most two hours, at most three times, never past the next one (A4.2).

        Args:
            nominal_at: its instant; None for the next one, which is the one that is postponed already, if one is.
            by_s: seconds after its scheduled time, whatever it was postponed to before.
            until: or the instant; one of both is given. Earlier than before makes the postponement shorter.
            author: who does it.
            note: why.

        Raises:
            UnknownSchedule: there is none of that name.
            InvalidSchedule: there is no such occurrence, it is too late, or it may not be postponed that far.
        """
        check_author(author, note)
        if (by_s is None) == (until is None):
            raise InvalidSchedule(f"{name}: say either by how much an occurrence is postponed, or until when")

        async def change(record: ScheduleRecord, now: int) -> Wanted | None:
            what = meant(record, await self._repository.unfinished_runs(schedule=record), nominal_at)
            at = _nominal_at(what)
            until_at = at + microseconds(by_s) if by_s is not None else until or 0
            before = amendment_of(record, at)
            if before is not None and before.until_at == until_at:
                return None
            limit = overtaken_at(await self._rivals(record), at)
            amendment = postponement(record, at, until_at, limit, (author, note, now))
            operation = Operation(
                author, Verb.POSTPONE, name, note, revision=record.revision + 1, nominal_at=at, until_at=until_at
            )
            return postponed(record, what, amendment, now, self._engine.rules), operation

        return await self._amend(name, change, "an occurrence is postponed")

    async def undo(
        self, name: str, nominal_at: int | None = None, *, author: str = API, note: str = ""
    ) -> ScheduleRecord:
        """Take back that an occurrence is skipped or postponed; one whose time has come starts at once.

        Args:
            nominal_at: its instant; None for the first of which anything was said.
            author: who does it.
            note: why.

        Raises:
            UnknownSchedule: there is none of that name.
            InvalidSchedule: nothing was said of it, or it is too late.
        """
        check_author(author, note)

        async def change(record: ScheduleRecord, now: int) -> Wanted:
            unfinished = await self._repository.unfinished_runs(schedule=record)
            found, wanted = undone(record, unfinished, nominal_at, now, self._engine.rules)
            operation = Operation(
                author,
                Verb.UNDO,
                name,
                note,
                revision=record.revision + 1,
                nominal_at=found.nominal_at,
                until_at=found.until_at,
            )
            return wanted, operation

        return await self._amend(name, change, "an occurrence is as it was")

    async def _amend(
        self, name: str, change: Callable[[ScheduleRecord, int], Awaitable[Wanted | None]], what: str
    ) -> ScheduleRecord:
        def detail(done: Operation) -> str:
            return what if done.nominal_at is None else f"{what}: {render_instant(done.nominal_at)}"

        record, _ = await self._change(name, change, ScheduleChange.AMENDED, detail)
        return record

    async def _rivals(self, record: ScheduleRecord) -> Sequence[ScheduleRecord]:
        """Return the schedules whose next occurrence may not be passed: its own, or all of its superseding lane."""
        schedule = record.schedule
        if not schedule.supersede:
            return [record]
        found: list[ScheduleRecord] = []
        after = None
        while True:
            page = await self._repository.find_schedules(ScheduleQuery(lane=schedule.lane, after=after, limit=PAGE_MAX))
            found += [rival for rival in page.rows if rival.schedule.supersede]
            after = page.next
            if after is None:
                return found

    # How a schedule is changed

    async def _stored(self, names: Sequence[str], now: int) -> list[ScheduleRecord | None]:
        """Return what is stored under these names once all that is due of it is decided.

        Raises:
            RevisionConflict: the repository keeps refusing what is decided.
        """
        refused = 0
        while refused < TRIES:
            stored = await self._repository.get_schedules(names)
            if not [record for record in stored if record is not None and _is_due(record, now)]:
                return stored
            refused += not await self._engine.decide_due(now)
        raise RevisionConflict(f"what is due of {names[0]} cannot be decided: {FASTER}")

    async def _change(
        self,
        name: str,
        change: Callable[[ScheduleRecord, int], Awaitable[Wanted | None]],
        what: ScheduleChange,
        detail: Callable[[Operation], str] = lambda _: "",
    ) -> tuple[ScheduleRecord, bool]:
        """Commit what is wanted of a schedule, noted in the journal, and tell of it at once, whoever is cancelled then.

        Return the schedule as it is kept then, and whether something had to change.

        Args:
            change: says what is wanted; None for nothing.
            what: it is told of as.
            detail: of that.
        """
        for _ in range(TRIES):
            now = self._clock.look()
            [record] = await self._stored([name], now)
            if record is None:
                raise UnknownSchedule(f"there is no schedule {name!r}")
            wanted = await change(record, now)
            if wanted is None:
                return record, False
            committed, operation = wanted
            committed.journal = [entry(operation, now)]
            if await self._commit(committed):
                self._hub.publish(ScheduleChanged(name, what, detail(operation)))
                return await self._repository.get_schedule(name) or record, True
        raise self._given_up(name)


def _is_due(record: ScheduleRecord, now: int) -> bool:
    wakes_at = record.wakes_at
    return wakes_at is not None and wakes_at <= now


def _nominal_at(what: int | RunRecord) -> int:
    return what.nominal_at if isinstance(what, RunRecord) else what
