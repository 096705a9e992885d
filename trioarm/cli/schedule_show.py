"""`trioarm schedules show`: everything about one stored schedule."""

from __future__ import annotations

import json as json_text
from collections.abc import Iterator, Sequence
from typing import Annotated, Final

from cyclopts import Parameter

from trioarm.cli.exits import Exit
from trioarm.cli.explain import entries
from trioarm.cli.names import meant
from trioarm.cli.options import AsJson, ConfigFile, StoreUrl
from trioarm.cli.outcomes import told
from trioarm.cli.planned import current_instant
from trioarm.cli.schedule_changes import amendment_words
from trioarm.cli.sheet import here, say_sheet
from trioarm.cli.stored import with_store
from trioarm.cli.terminal import say, say_json
from trioarm.cli.wording import wall
from trioarm.config import SchedulerConfig
from trioarm.container import Container
from trioarm.core.codec import run_to_json, schedule_to_json, unstructure_schedule
from trioarm.core.counting import counted
from trioarm.core.forecast import Explanation, explain
from trioarm.core.instants import instant, render_instant
from trioarm.core.jsonable import Json
from trioarm.core.queries import RunQuery
from trioarm.core.record import ScheduleRecord
from trioarm.core.run import Run
from trioarm.engine.engine import SchedulingEngine
from trioarm.engine.ports import ScheduleRepository

LAST: Final = 5  # runs shown


def show(
    name: Annotated[str, Parameter(name="NAME", help="Which schedule.")],
    /,
    *,
    json: AsJson = False,
    config: ConfigFile = None,
    store: StoreUrl = None,
) -> Exit:
    """Show a stored schedule: its definition, its state and who changed it, what comes next, and its last runs.

    For example:

    - `trioarm schedules show backup`
    - `trioarm schedules show weeknight --json`
    """

    async def work(container: Container) -> Exit:
        repository = container.get(ScheduleRepository)
        now = current_instant()
        for number, record in enumerate(await meant(repository, [name])):
            explanation = explain(record, now, container.get(SchedulingEngine).rules)
            query = RunQuery(schedule=record.schedule.name, descending=True, limit=LAST)
            runs = [Run.of(run) for run in reversed((await repository.find_runs(query)).rows)]
            if json:
                say_json(_as_json(record, explanation, runs))
                continue
            if number:
                say()
            _say(record, explanation, runs, container.get(SchedulerConfig), now)
        return Exit.CLEAN

    return with_store(config, store, work)


def _say(
    record: ScheduleRecord, explanation: Explanation, runs: Sequence[Run], config: SchedulerConfig, now: int
) -> None:
    say_sheet(
        record.schedule.name,
        [
            *_kept(record, now),
            *entries(record, explanation, config, now),
            *_ran(record, runs),
        ],
    )


def _kept(record: ScheduleRecord, now: int) -> Iterator[tuple[str, str]]:
    schedule = record.schedule
    yield "state", f"{record.state}, revision {record.revision}"
    if record.trouble is not None:
        yield "trouble", record.trouble
    if record.pause is not None:
        why = f": {record.pause.note}" if record.pause.note else ""
        yield "paused", f"by {record.pause.author}, {here(record.pause.since_at, now)}{why}"
        if record.pause.until_at is not None:
            yield "", f"until {here(record.pause.until_at, now)}"
    elif not schedule.enabled:
        yield "paused", "by its definition: enabled = false"
    for number, amendment in enumerate(record.amended):
        why = f": {amendment.note}" if amendment.note else ""
        yield "" if number else "changed", f"{amendment_words(amendment, now)}, by {amendment.author}{why}"
    yield "owner", schedule.owner or "nobody"
    if schedule.args:
        yield "args", json_text.dumps(schedule.args, ensure_ascii=False)
    if schedule.tags:
        yield "tags", ", ".join(schedule.tags)
    if schedule.lane is not None:
        yield "lane", schedule.lane
    if schedule.resources:
        yield "needs", ", ".join(schedule.resources)


def _ran(record: ScheduleRecord, runs: Sequence[Run]) -> Iterator[tuple[str, str]]:
    yield "runs", f"{counted(record.runs, 'occurrence')} decided to run"
    for number, run in enumerate(runs):
        yield "" if number else "last", f"{wall(run.due_at)}  {told(run)}"


def _as_json(record: ScheduleRecord, explanation: Explanation, runs: Sequence[Run]) -> dict[str, Json]:
    return {
        **schedule_to_json(record),
        "definition": unstructure_schedule(record.schedule),
        "upcoming": [render_instant(instant(at)) for at in explanation.next_at],
        "why": explanation.why,
        "trouble": record.trouble,
        "last_runs": [run_to_json(run) for run in runs],
    }
