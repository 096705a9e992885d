"""`trioarm runs cancel`: ending what is unfinished; and how something is done to each of several runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, TypeAlias

from cyclopts import Parameter

from trioarm.cli.each import each
from trioarm.cli.exits import Exit, UsageError
from trioarm.cli.names import run_meant
from trioarm.cli.options import PLAINLY, Asked
from trioarm.cli.schedule_changes import Note
from trioarm.cli.stored import with_store
from trioarm.container import Container
from trioarm.engine.ports import ScheduleRepository
from trioarm.engine.scheduler import Runs, Scheduler

RunId: TypeAlias = Annotated[str, Parameter(name="ID", help="Which runs, such as backup@2026-11-23T01:30:00Z.")]


def cancel(
    *run_ids: RunId,
    note: Note = "",
    asked: Asked = PLAINLY,
) -> Exit:
    """Cancel unfinished runs: at once while they wait, by asking their node while they work.

    For example:

    - `trioarm runs cancel backup@2026-11-23T01:30:00Z`
    """

    async def act(runs: Runs, key: int) -> str:
        await runs.cancel(key, author=asked.by, note=note)
        run = await runs.get(key)
        return run.state.value if run.finished_at is not None else f"asked to stop, {run.state} on node {run.node}"

    return each_run(run_ids, act, asked)


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
