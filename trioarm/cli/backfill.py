"""`trioarm schedules backfill`: occurrences that are over run anew, behind everything else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter

from trioarm.cli.bulk import DryRun
from trioarm.cli.exits import Exit
from trioarm.cli.fire import NOBODY
from trioarm.cli.names import meant
from trioarm.cli.options import PLAINLY, Asked, instant_of
from trioarm.cli.planned import current_instant
from trioarm.cli.progress import ProgressLine
from trioarm.cli.schedule_changes import Note
from trioarm.cli.sheet import here
from trioarm.cli.stored import with_store
from trioarm.cli.terminal import complain, remark, say, say_json
from trioarm.config import SchedulerConfig
from trioarm.container import Container
from trioarm.core.counting import grouped
from trioarm.core.instants import instant, render_instant
from trioarm.engine.backfill_commands import Backfilled, BackfillOutcome
from trioarm.engine.ports import ScheduleRepository
from trioarm.engine.scheduler import Scheduler
from trioarm.repositories.sqlite.vitals import is_inhabited


def backfill(
    name: Annotated[str, Parameter(name="NAME", help="Which schedule.")],
    /,
    *,
    from_: Annotated[str, Parameter(name="--from", help="The first instant that counts, or 7d ago.")],
    until: Annotated[
        str | None, Parameter(help="The first that does not count any more, or 1d ago; otherwise now.")
    ] = None,
    dry_run: DryRun = False,
    at_once: Annotated[int, Parameter(help="How many of these runs work at once.")] = 1,
    again: Annotated[bool, Parameter(help="Also what was backfilled before.")] = False,
    note: Note = "",
    asked: Asked = PLAINLY,
) -> Exit:
    """Run each occurrence of a range anew, whatever was decided of it; a pause, a misfire or max_runs do not count.

    The runs are less urgent than all others. What was decided stays, and the new run points to it. Interrupted, or
    said twice, it goes on with what is left; `trioarm runs cancel --schedule NAME --origin backfill` takes it back.

    For example:

    - `trioarm schedules backfill report --from 2026-11-01T00:00:00+01:00 --until 2026-11-08T00:00:00+01:00`
    - `trioarm schedules backfill report --from 7d --dry-run`
    """
    now = current_instant()
    after = instant_of(from_, "--from", now, past=True) - 1
    until_at = now if until is None else instant_of(until, "--until", now, past=True) - 1

    async def work(container: Container) -> Exit:
        runs, results = container.get(Scheduler).runs, list[Backfilled]()
        names = [record.schedule.name for record in await meant(container.get(ScheduleRepository), [name])]
        with ProgressLine() as progress:
            for each in names:
                results += await runs.backfill(
                    each, after, until_at, at_once=at_once, again=again, dry_run=dry_run, author=asked.by, note=note,
                    progress=lambda done, total: progress("backfilling", done, total),
                )  # fmt: skip
        if not dry_run and not is_inhabited(container.get(SchedulerConfig).store_path):
            remark(NOBODY)
        return _say(results, dry_run, now, asked.json)

    return with_store(asked.config, asked.store, work)


def _say(results: Sequence[Backfilled], dry_run: bool, now: int, json: bool) -> Exit:
    """Say what became of each occurrence to a program, and to people in one line, but for a dry run."""
    counts = Counter(result.outcome for result in results)
    for result in results:
        at = instant(result.nominal_at)
        if json:
            row = {"nominal_at": render_instant(at), "outcome": result.outcome.value, "run_id": result.run_id}
            say_json({**row, "repeats": result.repeats, "error": result.error})
        elif result.error is not None:
            complain([result.error])
        elif dry_run:
            before = "" if result.repeats is None else f", repeats {result.repeats}"
            would = "would run" if result.outcome is BackfillOutcome.BACKFILLED else "is backfilled already"
            say(f"{here(at, now)}: {would}{before}")
    if not results:
        remark("there is no occurrence in that range")
    elif not json:
        would = "would be backfilled" if dry_run else "backfilled"
        parts = [f"{grouped(counts[BackfillOutcome.BACKFILLED])} {would}"]
        parts += [f"{grouped(counts[BackfillOutcome.KEPT])} left as they are"] if counts[BackfillOutcome.KEPT] else []
        parts += [f"{grouped(counts[BackfillOutcome.REFUSED])} refused"] if counts[BackfillOutcome.REFUSED] else []
        say(", ".join(parts))
    return Exit.FAILURE if counts[BackfillOutcome.REFUSED] else Exit.CLEAN
