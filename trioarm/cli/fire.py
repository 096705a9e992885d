"""`trioarm schedules fire`: a run now, whatever its trigger says."""

from __future__ import annotations

from typing import Annotated, Final

import attrs
import trio
from cyclopts import Parameter

from trioarm.cli.each import each
from trioarm.cli.exits import Exit, UsageError
from trioarm.cli.names import fired_by
from trioarm.cli.options import AsJson, Author, ConfigFile, StoreUrl, among, author_of, read_args
from trioarm.cli.outcomes import told
from trioarm.cli.schedule_changes import Name, Note
from trioarm.cli.stored import News, with_store
from trioarm.cli.terminal import remark, say, say_json
from trioarm.config import SchedulerConfig
from trioarm.container import Container
from trioarm.core.codec import run_to_json
from trioarm.core.jsonable import Json
from trioarm.core.run import Run
from trioarm.core.schedule import Overlap
from trioarm.core.states import State
from trioarm.engine.ports import ScheduleRepository
from trioarm.engine.scheduler import Scheduler
from trioarm.repositories.sqlite.vitals import is_inhabited

NOBODY: Final = "no node is running: it begins once one does"


@attrs.frozen(slots=True, kw_only=True)
class Order:
    """How to fire.

    Args:
        args: instead of the schedule's own.
        overlap: what happens while a run of it is unfinished; None for what its schedule suggests.
        author: who does it.
        note: why.
        wait: until the runs have ended.
        json: for programs.
    """

    args: dict[str, Json] | None
    overlap: Overlap | None
    author: str
    note: str
    wait: bool
    json: bool


def fire(
    *names: Name,
    args: Annotated[str | None, Parameter(help="Instead of its own, as a JSON object.")] = None,
    overlap: Annotated[
        str | None,
        Parameter(help="What happens while a run of it is unfinished: skip, allow, buffer_all, cancel_running, ..."),
    ] = None,
    wait: Annotated[bool, Parameter(help="Wait until it has ended; exit code 1 unless it succeeds.")] = False,
    note: Note = "",
    author: Author = None,
    json: AsJson = False,
    config: ConfigFile = None,
    store: StoreUrl = None,
) -> Exit:
    """Run schedules now, whatever their triggers and pauses say. A lane still counts.

    For example:

    - `trioarm schedules fire backup`
    - `trioarm schedules fire backup --wait --overlap skip`
    - `trioarm schedules fire report --args '{"month": "2026-11"}'`
    """
    if not names:
        raise UsageError("name a schedule: `trioarm schedules list` shows what there is")
    [policy] = (None,) if overlap is None else among(Overlap, [overlap], "--overlap") or (None,)
    order = Order(args=read_args(args), overlap=policy, author=author_of(author), note=note, wait=wait, json=json)

    async def work(container: Container) -> Exit:
        repository = container.get(ScheduleRepository)
        wanted = [record.schedule.name for record in await fired_by(repository, names)]
        if not is_inhabited(container.get(SchedulerConfig).store_path):
            remark(NOBODY)
        return await _fire(container, wanted, order)

    return with_store(config, store, work)


async def _fire(container: Container, names: list[str], order: Order) -> Exit:
    runs, scheduler = [], container.get(Scheduler)

    async def act(name: str) -> str:
        run = await scheduler.runs.fire(name, order.args, overlap=order.overlap, author=order.author, note=order.note)
        runs.append(run)
        return f"{run.id}"

    fired = await each(names, act, json=order.json and not order.wait)
    if not order.wait:
        return fired
    ended = await _wait(container.get(ScheduleRepository), [run.key for run in runs], json=order.json)
    return fired or ended


async def _wait(repository: ScheduleRepository, run_ids: list[int], *, json: bool) -> Exit:
    """Wait for runs to end, tell of each as it does, and return whether all succeeded."""
    news, waiting, failed = News(repository), list(run_ids), False
    async with trio.open_nursery() as nursery:
        await nursery.start(news.listen)
        while waiting:
            for run_id in list(waiting):
                record = await repository.get_run(run_id)
                if record is None or not record.unfinished:
                    waiting.remove(run_id)
                    failed |= record is None or record.state is not State.SUCCEEDED
                    if record is not None:
                        _tell(Run.of(record), json=json)
            if waiting:
                await news.wait()
        nursery.cancel_scope.cancel()
    return Exit.FAILURE if failed else Exit.CLEAN


def _tell(run: Run, *, json: bool) -> None:
    if json:
        say_json(run_to_json(run))
    else:
        say(f"{run.id}: {told(run)}")
