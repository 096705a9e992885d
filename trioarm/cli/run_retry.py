"""`trioarm runs retry`: running again what is final, named one by one, or all that failed for good."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from typing import Annotated, Final

import attrs
from cyclopts import Parameter

from trioarm.cli.bulk import SomeRuns
from trioarm.cli.exits import Exit, UsageError
from trioarm.cli.names import meant
from trioarm.cli.options import PLAINLY, Asked
from trioarm.cli.outcomes import HOUSEKEEPING
from trioarm.cli.planned import current_instant
from trioarm.cli.progress import ProgressLine
from trioarm.cli.run_changes import RunId, each_run
from trioarm.cli.schedule_changes import Note
from trioarm.cli.stored import with_store
from trioarm.cli.terminal import complain, remark, say, say_json
from trioarm.container import Container
from trioarm.core.counting import counted
from trioarm.core.run import Run
from trioarm.engine.ports import ScheduleRepository
from trioarm.engine.retry_commands import RETRIES_MAX, BulkRetry, RetryOutcome, RetryResult
from trioarm.engine.scheduler import Runs, Scheduler

AGAIN: Final = "--again retries them once more"


@Parameter(name="*")  # its fields are options of the command itself
@attrs.frozen(kw_only=True)
class Which(SomeRuns):
    """Which of the runs that failed are retried."""

    failed: Annotated[bool, Parameter(help="All that failed or timed out, as the options below narrow it.")] = False
    limit: Annotated[int, Parameter(help="The oldest so many.")] = RETRIES_MAX
    again: Annotated[bool, Parameter(help="Also those that were retried already.")] = False
    yes: Annotated[bool, Parameter(name=["--yes", "-y"], help="Do not ask before.")] = False


ALL: Final = Which()


def retry(
    *run_ids: RunId,
    which: Which = ALL,
    note: Note = "",
    asked: Asked = PLAINLY,
) -> Exit:
    """Run again what is final: as new runs, which change nothing in the old ones.

    Name runs, or say --failed for all that failed or timed out and that nobody has retried yet.

    For example:

    - `trioarm runs retry backup@2026-11-23T01:30:00Z`
    - `trioarm runs retry --failed --schedule backup --since 7d --dry-run`
    - `trioarm runs retry --failed --tag nightly --yes`
    """
    if which.failed:
        if run_ids:
            raise UsageError("name runs, or say --failed, not both")
        return _all_failed(which, note, asked)
    if which != ALL:
        raise UsageError("runs that are named need no further options: say --failed to choose among those that failed")

    async def act(runs: Runs, key: int) -> str:
        return f"runs again as {(await runs.retry(key, author=asked.by, note=note)).id}"

    return each_run(run_ids, act, asked)


def _all_failed(which: Which, note: str, asked: Asked) -> Exit:
    if not 1 <= which.limit <= RETRIES_MAX:
        raise UsageError(f"--limit {which.limit}: it must lie between 1 and {RETRIES_MAX}")
    query = which.narrowed(current_instant())

    async def work(container: Container) -> Exit:
        if which.schedule is not None:
            await meant(container.get(ScheduleRepository), [which.schedule])
        runs = container.get(Scheduler).runs
        plainly = BulkRetry(limit=which.limit, again=which.again, wanted=_wanted(which))
        planned = await runs.retry_many(query, attrs.evolve(plainly, dry_run=True))
        count = sum(result.outcome is RetryOutcome.PLANNED for result in planned)
        if which.dry_run or not count:
            told = _Told(asked.json, count)
            for result in planned:
                told(result)
            return told.end()
        if not which.yes and not _agreed(count):
            remark("nothing was retried")
            return Exit.CLEAN
        with ProgressLine() as progress:
            told = _Told(asked.json, count, None if sys.stdout.isatty() else progress)  # lines tell it there
            await runs.retry_many(query, attrs.evolve(plainly, tell=told), author=asked.by, note=note)
        return told.end()

    return with_store(asked.config, asked.store, work)


def _wanted(which: Which) -> Callable[[Run], bool]:
    """Leave out what trioarm keeps itself in order with, as listings do, unless it is named."""
    named = which.owner is not None or (which.schedule or "").startswith(HOUSEKEEPING)
    return lambda run: named or not run.schedule.startswith(HOUSEKEEPING)


def _agreed(count: int) -> bool:
    """Ask a person whether so many runs are to be retried.

    Raises:
        UsageError: nobody is there to be asked.
    """
    question = f"{counted(count, 'run')} would be retried"
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(f"{question}: say --yes to do so, or --dry-run to see which")
    sys.stderr.write(f"{question}: do so? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


class _Told:
    """Tells what became of each run, and at the end of all.

    Args:
        json: for programs.
        total: how many are tried.
        progress: shows how far it has come; None where that is seen anyway.
    """

    def __init__(self, json: bool, total: int, progress: ProgressLine | None = None) -> None:
        self._json = json
        self._total = total
        self._progress = progress
        self._counts = Counter[RetryOutcome]()

    def __call__(self, result: RetryResult) -> None:
        """Tell of one."""
        self._counts[result.outcome] += 1
        new = None if result.run is None else result.run.id
        if self._json:
            say_json({"id": result.id, "result": result.outcome.value, "run": new, "error": result.error})
        elif result.outcome is RetryOutcome.REFUSED:
            complain([f"{result.id}: {result.error}"])
        elif result.outcome is not RetryOutcome.ALREADY:
            say(f"{result.id}: " + ("would be retried" if new is None else f"runs again as {new}"))
        if self._progress is not None:
            done = self._counts[RetryOutcome.RETRIED] + self._counts[RetryOutcome.REFUSED]
            self._progress(f"retrying {counted(self._total, 'run')}", done, self._total)

    def end(self) -> Exit:
        """Tell of all, and return how it ended."""
        if already := self._counts[RetryOutcome.ALREADY]:
            remark(f"{counted(already, 'run')} that failed were retried before: {AGAIN}")
        if not self._total:
            remark("there is no run to retry")
        return Exit.FAILURE if self._counts[RetryOutcome.REFUSED] else Exit.CLEAN
