"""Bulk: the same for every schedule, or every run, that a question finds, with a result for each (S9.2).

Each is changed whole or not at all, and none stops another; those of a chunk share a transaction.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from typing import Final

import attrs

from trioarm.core.bounds import check_author
from trioarm.core.changes import Change, Verdict
from trioarm.core.diff import cancellation
from trioarm.core.errors import InvalidSchedule, TrioarmError
from trioarm.core.events import ScheduleChange, ScheduleChanged
from trioarm.core.operations import Operation, Verb, entry
from trioarm.core.queries import PAGE_MAX, RunOrder, RunQuery, ScheduleQuery
from trioarm.core.record import ScheduleRecord
from trioarm.core.run import RunRecord
from trioarm.core.run_statistics import GroupBy, RunStatistics, Tally
from trioarm.core.states import ACTIVE, Reason, State
from trioarm.engine.amending_commands import Wanted
from trioarm.engine.backfill_commands import BackfillCommands, Progress
from trioarm.engine.rivals import FASTER, TRIES
from trioarm.engine.run_commands import API

BULK_MAX: Final = 10_000  # schedules or runs that one call may change: who means more does it in parts
STATISTICS_RUNS: Final = 100_000  # rows that figures are made of, unless somebody asks for more: seconds, not minutes
STATISTICS_PAGE: Final = 500  # of them read at once: some ten milliseconds, so that others come between
STATISTICS_RUNS_MAX: Final = 1_000_000  # ten times as long
CHUNK: Final = 500  # of them changed in one transaction, so that a node's decisions come between


class BulkOutcome(StrEnum):
    """What became of one item of a bulk operation."""

    CHANGED = "changed"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


@attrs.frozen(slots=True)
class BulkResult:
    """The result for one item of a bulk operation.

    Args:
        item: name of the schedule, or readable id of the run.
        outcome: what became of it; of a dry run, what would have.
        error: why it was refused; None otherwise.
    """

    item: str
    outcome: BulkOutcome
    error: str | None = None


@attrs.frozen(slots=True, kw_only=True)
class Bulk:
    """How to change many.

    Args:
        dry_run: only say what would become of each.
        author: who does it.
        note: why.
        progress: told how many are done, and of how many.
    """

    dry_run: bool = False
    author: str = API
    note: str = ""
    progress: Progress = lambda done, total: None


class BulkCommands(BackfillCommands):
    """What can be asked of many schedules, and of many runs."""

    async def pause_many(self, query: ScheduleQuery, until: int | None, how: Bulk) -> list[BulkResult]:
        """Pause each schedule that a question finds.

        Raises:
            InvalidSchedule: it finds more than 10 000, or the author is not named; nothing was changed.
        """

        async def change(record: ScheduleRecord, now: int) -> Wanted | None:
            return await self._pausing(record, now, how.author, how.note, until)

        return await self._change_many(query, change, ScheduleChange.PAUSED, how)

    async def resume_many(self, query: ScheduleQuery, how: Bulk) -> list[BulkResult]:
        """Resume each schedule that a question finds; what was said of their being paused is over then (S5.9).

        Raises:
            InvalidSchedule: it finds more than 10 000, or the author is not named; nothing was changed.
        """

        async def change(record: ScheduleRecord, now: int) -> Wanted | None:
            return self._resuming(record, now, how.author, how.note)

        results = await self._change_many(query, change, ScheduleChange.RESUMED, how)
        if not how.dry_run:
            resumed = [one.item for one in results if one.outcome is BulkOutcome.CHANGED]
            await self._complain_no_more(resumed, how.author)
        return results

    async def _change_many(
        self,
        query: ScheduleQuery,
        change: Callable[[ScheduleRecord, int], Awaitable[Wanted | None]],
        what: ScheduleChange,
        how: Bulk,
    ) -> list[BulkResult]:
        check_author(how.author, how.note)
        names = await self._names(query)
        results: list[BulkResult] = []
        for start in range(0, len(names), CHUNK):
            results += await self._change_chunk(names[start : start + CHUNK], change, what, how)
            how.progress(len(results), len(names))
        return results

    async def _change_chunk(
        self,
        names: Sequence[str],
        change: Callable[[ScheduleRecord, int], Awaitable[Wanted | None]],
        what: ScheduleChange,
        how: Bulk,
    ) -> list[BulkResult]:
        results: dict[str, BulkResult] = {}
        tried: set[str] = set()
        for _ in range(TRIES):
            left = [name for name in names if name not in results]
            now, wanted = self._clock.look(), dict[str, Change]()
            records = await (self._repository.get_schedules(left) if how.dry_run else self._stored(left, now))
            for name, record in zip(left, records, strict=True):
                try:
                    found = None if record is None else await change(record, now)
                except TrioarmError as error:
                    results[name] = BulkResult(name, BulkOutcome.REFUSED, str(error))
                    continue
                if found is not None and not how.dry_run:
                    wanted[name], operation = found
                    wanted[name].journal = [entry(operation, now)]
                else:
                    changed = found is not None or name in tried  # one that nobody knew of was kept after all
                    results[name] = BulkResult(name, BulkOutcome.CHANGED if changed else BulkOutcome.UNCHANGED)
            for name in await self._commit_many(wanted, tried):
                results[name] = BulkResult(name, BulkOutcome.CHANGED)
                self._hub.publish(ScheduleChanged(name, what, how.note))
            if len(results) == len(names):
                break
        return [results.get(name) or self._refused(name) for name in names]

    async def _names(self, query: ScheduleQuery) -> list[str]:
        names: list[str] = []
        query = attrs.evolve(query, limit=PAGE_MAX, after=None)
        while True:
            page = await self._repository.find_schedules(query)
            names += [record.schedule.name for record in page.rows]
            _check_count(len(names), "schedules")
            if page.next is None:
                return names
            query = attrs.evolve(query, after=page.next)

    # Runs

    async def cancel_many(self, query: RunQuery, how: Bulk) -> list[BulkResult]:
        """Cancel each unfinished run that a question finds: at once while it waits, else by asking its handler.

        Raises:
            InvalidSchedule: it asks for final runs, it finds more than 10 000, or the author is not named; nothing was
                changed.
        """
        check_author(how.author, how.note)
        states = ACTIVE if query.states is None else query.states
        if not states <= ACTIVE:
            raise InvalidSchedule(f"a run that is {', '.join(sorted(states - ACTIVE))} is over: it cannot be cancelled")
        runs = await self._runs(attrs.evolve(query, states=states))
        results: list[BulkResult] = []
        for start in range(0, len(runs), CHUNK):
            results += await self._cancel_chunk(runs[start : start + CHUNK], how)
            how.progress(len(results), len(runs))
        return results

    async def _cancel_chunk(self, runs: Sequence[RunRecord], how: Bulk) -> list[BulkResult]:
        results: dict[str, BulkResult] = {}
        left = {run.readable_id: run for run in runs}
        items, tried = list(left), set[str]()
        for _ in range(TRIES):
            now, wanted = self._clock.look(), dict[str, Change]()
            for item, run in left.items():
                if run.unfinished and run.cancel is None and not how.dry_run:
                    operation = Operation(how.author, Verb.CANCEL, item, how.note)
                    wanted[item] = cancellation(run, now)
                    wanted[item].journal = [entry(operation, now)]
                else:
                    results[item] = _cancelled(item, run, changed=how.dry_run or item in tried)
            for item in await self._commit_many(wanted, tried):
                results[item] = BulkResult(item, BulkOutcome.CHANGED)
            left = {item: run for item, run in left.items() if item not in results}
            if not left:
                break
            again = {item: await self._repository.get_run(run.run_id) for item, run in left.items()}
            left = {item: run for item, run in again.items() if run is not None}
        return [results.get(item) or self._refused(item) for item in items]

    async def _runs(self, query: RunQuery) -> list[RunRecord]:
        runs: list[RunRecord] = []
        query = attrs.evolve(query, limit=PAGE_MAX, after=None)
        while True:
            page = await self._repository.find_runs(query)
            runs += page.rows
            _check_count(len(runs), "runs")
            if page.next is None:
                return runs
            query = attrs.evolve(query, after=page.next)

    async def statistics(self, query: RunQuery, by: GroupBy, limit: int, not_owner: str | None) -> RunStatistics:
        """Return what the newest runs amount to that a question finds.

        Raises:
            ValueError: the limit is out of bounds.
        """
        if not 1 <= limit <= STATISTICS_RUNS_MAX:
            raise ValueError(f"limit is {limit}: it must lie between 1 and {STATISTICS_RUNS_MAX}")
        query = attrs.evolve(query, order=RunOrder.DECIDED, descending=True, after=None)
        tally, left = Tally(by), limit
        while True:
            page = await self._repository.find_runs(attrs.evolve(query, limit=min(STATISTICS_PAGE, left)))
            left -= len(page.rows)
            for run in page.rows:
                if not_owner is None or run.schedule.schedule.owner != not_owner:
                    tally.add(run)
            if page.next is None or not left:
                return tally.statistics(complete=page.next is None)
            query = attrs.evolve(query, after=page.next)

    # Both

    async def _commit_many(self, wanted: dict[str, Change], tried: set[str]) -> list[str]:
        """Commit a change for each item, and return which were kept; of those tried, nobody may know it."""
        became = dict(zip(wanted, await self._verdicts([*wanted.values()]), strict=True))
        tried.update(item for item, verdict in became.items() if verdict is Verdict.UNKNOWN)
        return [item for item, verdict in became.items() if verdict is Verdict.DONE]

    def _refused(self, item: str) -> BulkResult:
        return BulkResult(item, BulkOutcome.REFUSED, self._repository.trouble or FASTER)


def _cancelled(item: str, run: RunRecord, *, changed: bool) -> BulkResult:
    """Return the result of a run that no commit is wanted for: it is over, or was asked to stop before."""
    if run.unfinished and run.cancel is not None:
        return BulkResult(item, BulkOutcome.UNCHANGED)
    if run.unfinished or (changed and run.state is State.CANCELLED and run.reason is Reason.USER):
        return BulkResult(item, BulkOutcome.CHANGED)
    return BulkResult(item, BulkOutcome.REFUSED, f"{item} is {run.state} already")


def _check_count(count: int, what: str) -> None:
    if count > BULK_MAX:
        raise InvalidSchedule(f"more than {BULK_MAX} {what} are meant: narrow it, and do it in parts")
