"""Many at once, as a program asks for it: the parts of schedules and runs that change more than one."""

from __future__ import annotations

from datetime import datetime

from trioarm.core.instants import instant
from trioarm.core.queries import RunQuery, ScheduleQuery
from trioarm.core.run_statistics import GroupBy, RunStatistics
from trioarm.engine.backfill_commands import Backfill, Backfilled, Progress
from trioarm.engine.bulk_commands import STATISTICS_RUNS, Bulk, BulkCommands, BulkResult
from trioarm.engine.run_commands import API


class ManySchedules:
    """What can be asked of every schedule that a question finds."""

    def __init__(self, commands: BulkCommands) -> None:
        self._many = commands

    async def pause_many(
        self,
        query: ScheduleQuery,
        *,
        until: datetime | int | None = None,
        dry_run: bool = False,
        author: str = API,
        note: str = "",
        progress: Progress = lambda done, total: None,
    ) -> list[BulkResult]:
        """Pause every schedule that a question finds, each on its own, and return what became of each.

        Args:
            query: which; its `limit` and `after` mean nothing here.
            until: when they are active again by themselves; None for when they are resumed.
            dry_run: only say what would become of each.
            note: why.
            progress: told how many are done, and of how many.

        Raises:
            InvalidSchedule: it finds more than 10 000; nothing was changed.
        """
        how = Bulk(dry_run=dry_run, author=author, note=note, progress=progress)
        return await self._many.pause_many(query, None if until is None else instant(until), how)

    async def resume_many(
        self,
        query: ScheduleQuery,
        *,
        dry_run: bool = False,
        author: str = API,
        note: str = "",
        progress: Progress = lambda done, total: None,
    ) -> list[BulkResult]:
        """Resume every schedule that a question finds, as `pause_many` pauses them."""
        how = Bulk(dry_run=dry_run, author=author, note=note, progress=progress)
        return await self._many.resume_many(query, how)


class ManyRuns:
    """What can be asked of every run that a question finds, and of every occurrence of a range."""

    def __init__(self, commands: BulkCommands) -> None:
        self._many = commands

    async def statistics(
        self,
        query: RunQuery | None = None,
        *,
        by: GroupBy = GroupBy.SCHEDULE,
        limit: int = STATISTICS_RUNS,
        not_owner: str | None = None,
    ) -> RunStatistics:
        """Return what the runs amount to that a question finds: counts, success, lateness, durations, last failures.

        It reads the newest of them a page at a time, and no more than `limit`: what it costs grows with those alone,
        not with the history.

        Args:
            query: which runs; its `limit`, `after` and order mean nothing here.
            by: what they are told apart by.
            limit: how many rows are read at most, the newest first; 1 to 1 000 000. A hundred thousand take seconds.
            not_owner: whose runs do not count, such as `trioarm`, for housekeeping.

        Raises:
            ValueError: the limit is out of bounds.
        """
        return await self._many.statistics(query or RunQuery(), by, limit, not_owner)

    async def backfill(
        self,
        name: str,
        after: datetime | int,
        until: datetime | int,
        *,
        at_once: int = 1,
        again: bool = False,
        dry_run: bool = False,
        author: str = API,
        note: str = "",
        progress: Progress = lambda done, total: None,
    ) -> list[Backfilled]:
        """Run each occurrence of a schedule in `(after, until]` anew, also what was decided before (S5.3).

        Pauses, misfires and max_runs do not count. The runs are less urgent than all others, and never take the last
        idle worker of several; the schedule's own occurrences come as if there were none. Called again for the same
        range, it goes on where it was interrupted: what is backfilled and unfinished, or went well, is left alone.

        Args:
            after: an aware datetime, or an instant.
            until: likewise; it may not be to come.
            at_once: how many of its runs work at once, 1 to 100; in the lane of a schedule it is always one.
            again: also what was backfilled already.
            dry_run: only say what would be done.
            note: why.
            progress: told how many occurrences are done, and of how many.

        Raises:
            UnknownSchedule: there is none of that name.
            InvalidSchedule: the range is not over, it has more than 10 000 occurrences, or the schedule cannot be
                backfilled: it follows the end of its own runs, or is in a superseding lane.
        """
        how = Backfill(at_once=at_once, again=again, dry_run=dry_run, author=author, note=note, progress=progress)
        return await self._many.backfill(name, instant(after), instant(until), how)

    async def cancel_many(
        self,
        query: RunQuery,
        *,
        dry_run: bool = False,
        author: str = API,
        note: str = "",
        progress: Progress = lambda done, total: None,
    ) -> list[BulkResult]:
        """Cancel every unfinished run that a question finds, each on its own, and return what became of each.

        Args:
            query: which; without states all that are unfinished. Its `limit` and `after` mean nothing here.
            dry_run: only say what would become of each.
            note: why.
            progress: told how many are done, and of how many.

        Raises:
            InvalidSchedule: it asks for runs that are over, or finds more than 10 000; nothing was changed.
        """
        how = Bulk(dry_run=dry_run, author=author, note=note, progress=progress)
        return await self._many.cancel_many(query, how)
