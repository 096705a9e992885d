"""`trioarm runs show`: everything known of one run."""

from __future__ import annotations

import json as json_text
from collections.abc import Iterator
from typing import Annotated

from cyclopts import Parameter

from trioarm.cli.exits import Exit
from trioarm.cli.names import run_meant
from trioarm.cli.options import AsJson, ConfigFile, StoreUrl
from trioarm.cli.outcomes import REASONS, told
from trioarm.cli.planned import current_instant
from trioarm.cli.sheet import here, say_sheet
from trioarm.cli.stored import with_store
from trioarm.cli.terminal import say_json
from trioarm.container import Container
from trioarm.core.codec import run_to_json
from trioarm.core.counting import counted
from trioarm.core.instants import instant, render_instant
from trioarm.core.jsonable import Json
from trioarm.core.run import Run, RunRecord
from trioarm.core.states import WaitingFor
from trioarm.engine.gatekeeper import Gatekeeper
from trioarm.engine.ports import ScheduleRepository


def show(
    run_id: Annotated[str, Parameter(name="ID", help="Which run, such as backup@2026-11-23T01:30:00Z.")],
    /,
    *,
    json: AsJson = False,
    config: ConfigFile = None,
    store: StoreUrl = None,
) -> Exit:
    """Show a run: what became of it and why, its attempts, its error or result, and the node that had it.

    For example:

    - `trioarm runs show backup@2026-11-23T01:30:00Z`
    - `trioarm runs show backup@2026-11-23T01:30:00Z --json`
    """

    async def work(container: Container) -> Exit:
        repository = container.get(ScheduleRepository)
        record = await run_meant(repository, run_id)
        needed = await _look_at_needs(container.get(Gatekeeper), record)
        retried = None if record.retry_of is None else await repository.get_run(record.retry_of)
        retry_of = None if retried is None else retried.readable_id
        if json:
            say_json(_as_json(record, retry_of))
        else:
            say_sheet(record.readable_id, (*_entries(record, retry_of, current_instant()), *needed))
        return Exit.CLEAN

    return with_store(config, store, work)


async def _look_at_needs(gatekeeper: Gatekeeper, record: RunRecord) -> list[tuple[str, str]]:
    """Let a run that is due say that it waits for a resource, where it does; return what keeps it waiting."""
    if record.waiting_for is not WaitingFor.HANDLER:
        return []
    gates = (await gatekeeper.look(gatekeeper.needs(record), current_instant())).gates
    for gate in gates.values():
        record.waiting_for = gate.waiting_for or record.waiting_for
    return [("needs", f"{name}: {gate.describe()}") for name, gate in gates.items() if gate.waiting_for is not None]


def _entries(record: RunRecord, retry_of: str | None, now: int) -> Iterator[tuple[str, str]]:
    run, schedule = Run.of(record), record.schedule
    yield "state", told(run)
    yield "schedule", schedule.schedule.name + (", removed since" if schedule.removed else "")
    yield "handler", run.handler
    yield "origin", run.origin if retry_of is None else f"{run.origin} of {retry_of}"
    yield "due", here(record.due_at, now)
    if record.due_at != record.nominal_at:
        yield "nominal", here(record.nominal_at, now)
    if record.last_at is not None:
        yield "range", f"{counted(record.count, 'occurrence')}, the last {here(record.last_at, now)}"
    yield "decided", here(record.decided_at, now)
    if record.started_at is not None:
        yield "started", here(record.started_at, now)
    if record.finished_at is not None:
        yield "ended", here(record.finished_at, now)
    yield from _work(record, now)


def _work(record: RunRecord, now: int) -> Iterator[tuple[str, str]]:
    if record.give_up_at is not None and record.unfinished:
        yield "gives up", here(record.give_up_at, now)
    if record.attempt:
        yield "attempts", str(record.attempt)
    if record.node is not None:
        yield "node", f"{record.node}, token {record.token}"
    if record.lane is not None:
        yield "lane", record.lane
    if record.cancel is not None and record.unfinished:
        yield "stopping", f"asked to stop: {REASONS[record.cancel]}"
    args = record.schedule.schedule.args if record.args is None else record.args
    if args:
        yield "args", json_text.dumps(args, ensure_ascii=False)
    if record.error is not None:
        yield "error", record.error
    if record.progress is not None:
        yield "progress", json_text.dumps(record.progress, ensure_ascii=False)
    yield from _result(record.result)


def _result(result: Json) -> Iterator[tuple[str, str]]:
    """Yield a result; of a text, such as the output of a program, line by line."""
    if not isinstance(result, str) or len(result.splitlines()) < 2:
        if result is not None:
            yield "result", json_text.dumps(result, ensure_ascii=False)
        return
    for number, line in enumerate(result.splitlines()):
        yield "" if number else "result", "".join(map(_printable, line)) or " "


def _printable(character: str) -> str:
    """Return a character as it can be shown: what would steer a terminal is written out."""
    return character if character.isprintable() else character.encode("unicode_escape").decode()


def _as_json(record: RunRecord, retry_of: str | None) -> dict[str, Json]:
    run = Run.of(record)
    return {
        **run_to_json(run),
        "decided_at": render_instant(record.decided_at),
        "nominal_at": render_instant(instant(run.nominal_at)),
        "give_up_at": None if record.give_up_at is None else render_instant(record.give_up_at),
        "lane": record.lane,
        "token": record.token,
        "args": record.schedule.schedule.args if record.args is None else record.args,
        "cancel": None if record.cancel is None else record.cancel.value,
        "retry_of": retry_of,
    }
