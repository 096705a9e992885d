"""Retrying in bulk: what failed for good is found, and run again one by one, each with a result of its own (S9.2)."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from itertools import islice
from typing import Final

import attrs
import trio

from trioarm.core.bounds import check_author, check_whole
from trioarm.core.errors import InvalidSchedule, TrioarmError
from trioarm.core.queries import PAGE_MAX, RunQuery
from trioarm.core.run import Run, RunRecord
from trioarm.core.states import FAILURES, FINAL
from trioarm.engine.ports import ScheduleRepository
from trioarm.engine.run_commands import API, RunCommands

RETRIES_MAX: Final = 1_000  # runs that one call runs again: they all want to begin at once

ALREADY_MAX: Final = 10_000  # runs of which is told that they were retried before


class RetryOutcome(StrEnum):
    """What became of one run of a bulk retry."""

    RETRIED = "retried"
    PLANNED = "planned"  # it would be retried: nothing is done in a dry run
    ALREADY = "already"  # somebody has retried it before
    REFUSED = "refused"


@attrs.frozen(slots=True)
class RetryResult:
    """The result for one run of a bulk retry.

    Args:
        id: of the run that failed.
        outcome: what became of it.
        run: the new run; None where none was made.
        error: why it was refused; None otherwise.
    """

    id: str
    outcome: RetryOutcome
    run: Run | None = None
    error: str | None = None


def _all(run: Run) -> bool:
    return True


def _nobody(result: RetryResult) -> None:
    return


@attrs.frozen(slots=True, kw_only=True)
class BulkRetry:
    """How a bulk retry is meant.

    Args:
        limit: runs that are retried at most, 1 to 1000.
        again: also what was retried already.
        dry_run: only say what would be done.
        wanted: whether one of those that the query finds is meant.
        tell: called with each result as soon as it is known.

    Raises:
        InvalidSchedule: the limit is out of bounds.
    """

    limit: int = RETRIES_MAX
    again: bool = False
    dry_run: bool = False
    wanted: Callable[[Run], bool] = _all
    tell: Callable[[RetryResult], None] = _nobody

    def __attrs_post_init__(self) -> None:
        check_whole("limit is", self.limit, 1, RETRIES_MAX)


PLAINLY: Final = BulkRetry()  # without any of these wishes


class RetryCommands:
    """What can be asked of runs that failed for good.

    Args:
        repository: where they are kept.
        commands: by which one is run again.
    """

    def __init__(self, repository: ScheduleRepository, commands: RunCommands) -> None:
        self._repository = repository
        self._commands = commands

    async def retry_many(
        self, query: RunQuery, asked: BulkRetry, *, author: str = API, note: str = ""
    ) -> list[RetryResult]:
        """Run each again that failed for good, and return what became of each; what is refused stops no other.

        All are found before the first is run again: what fails again meanwhile is not among them.

        Args:
            query: which; in whatever final states it says, otherwise failed and timed out.
            asked: how it is meant.
            author: who does it.
            note: why.

        Raises:
            InvalidSchedule: the query wants runs that are not final.

        Cancellation: between two of them; what was retried is.
        """
        check_author(author, note)
        runs, already = await self._find(_of_final(query), asked)
        results = []
        for run in already:
            results.append(RetryResult(run.readable_id, RetryOutcome.ALREADY))
            asked.tell(results[-1])
        for run in runs:
            made = RetryResult(run.readable_id, RetryOutcome.PLANNED)
            results.append(made if asked.dry_run else await self._retry(run, author, note))
            asked.tell(results[-1])
            await trio.lowlevel.checkpoint()
        return results

    async def _find(self, query: RunQuery, asked: BulkRetry) -> tuple[list[RunRecord], list[RunRecord]]:
        """Return the runs to retry, and those that somebody has retried already."""
        runs: list[RunRecord] = []
        already: list[RunRecord] = []
        while True:
            page = await self._repository.find_runs(query)
            meant = [run for run in page.rows if asked.wanted(Run.of(run))]
            retried = frozenset[int]() if asked.again else await self._repository.retried(meant)
            runs += (run for run in meant if run.run_id not in retried)
            already += islice((run for run in meant if run.run_id in retried), ALREADY_MAX - len(already))
            if len(runs) >= asked.limit or page.next is None:
                return runs[: asked.limit], already
            query = attrs.evolve(query, after=page.next)

    async def _retry(self, run: RunRecord, author: str, note: str) -> RetryResult:
        try:
            made = await self._commands.retry(run, author=author, note=note)
        except TrioarmError as error:
            return RetryResult(run.readable_id, RetryOutcome.REFUSED, None, str(error))
        return RetryResult(run.readable_id, RetryOutcome.RETRIED, Run.of(made))


def _of_final(query: RunQuery) -> RunQuery:
    states = FAILURES if query.states is None else query.states
    if not states <= FINAL:
        raise InvalidSchedule(f"{', '.join(sorted(states - FINAL))}: only what is final can be retried")
    return attrs.evolve(query, states=states, limit=PAGE_MAX)
