"""`trioarm runs cancel`: ending what is unfinished; and how something is done to each of several runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, TypeAlias

from cyclopts import Parameter

from trioarm.cli.bulk import BY_ID, say_results
from trioarm.cli.bulk import Runs as Many
from trioarm.cli.each import each
from trioarm.cli.exits import Exit, UsageError
from trioarm.cli.names import run_meant
from trioarm.cli.options import PLAINLY, Asked
from trioarm.cli.planned import current_instant
from trioarm.cli.progress import ProgressLine
from trioarm.cli.schedule_changes import Note
from trioarm.cli.stored import with_store
from trioarm.container import Container
from trioarm.core.queries import RunQuery
from trioarm.engine.bulk_commands import BulkOutcome
from trioarm.engine.ports import ScheduleRepository
from trioarm.engine.scheduler import Runs, Scheduler

RunId: TypeAlias = Annotated[str, Parameter(name="ID", help="Which runs, such as backup@2026-11-23T01:30:00Z.")]


def cancel(
    *run_ids: RunId,
    note: Note = "",
    which: Many = BY_ID,
    asked: Asked = PLAINLY,
) -> Exit:
    """Cancel unfinished runs: at once while they wait, by asking their node while they work.

    For example:

    - `trioarm runs cancel backup@2026-11-23T01:30:00Z`
    - `trioarm runs cancel --schedule backup --origin backfill`
    - `trioarm runs cancel --tag nightly --state pending --dry-run`
    """
    query = which.query(run_ids, current_instant())

    async def act(runs: Runs, key: int) -> str:
        await runs.cancel(key, author=asked.by, note=note)
        run = await runs.get(key)
        return run.state.value if run.finished_at is not None else f"asked to stop, {run.state} on node {run.node}"

    return each_run(run_ids, act, asked) if query is None else _cancel_many(query, which.dry_run, note, asked)


def _cancel_many(query: RunQuery, dry_run: bool, note: str, asked: Asked) -> Exit:
    async def work(container: Container) -> Exit:
        with ProgressLine() as progress:
            results = await container.get(Scheduler).runs.cancel_many(
                query, dry_run=dry_run, author=asked.by, note=note,
                progress=lambda done, total: progress("cancelling", done, total),
            )  # fmt: skip
        words = {BulkOutcome.CHANGED: "cancelled, or asked to stop", BulkOutcome.UNCHANGED: "is asked to stop already"}
        none = "no unfinished run is meant by this"
        return say_results(results, words, dry_run=dry_run, json=asked.json, key="id", none=none)

    return with_store(asked.config, asked.store, work)


def each_run(
    run_ids: Sequence[str],
    act: Callable[[Runs, int], Awaitable[str]],
    asked: Asked,
) -> Exit:
    """Do something to each run that an id means.

    Raises:
        UsageError: there is none.
    """
    if not run_ids:
        raise UsageError("name a run: `trioarm runs list` shows the ids")

    async def work(container: Container) -> Exit:
        repository, runs = container.get(ScheduleRepository), container.get(Scheduler).runs

        async def act_on(run_id: str) -> str:
            return await act(runs, (await run_meant(repository, run_id)).run_id)

        return await each(run_ids, act_on, json=asked.json, key="id")

    return with_store(asked.config, asked.store, work)
