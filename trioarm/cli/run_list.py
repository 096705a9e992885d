"""`trioarm runs list`: what ran, what did not, and why; like a log, the newest last."""

from __future__ import annotations

from typing import Annotated, Final

import attrs
from cyclopts import Parameter

from trioarm.cli.columns import Columns
from trioarm.cli.exits import Exit, UsageError
from trioarm.cli.follow import Follower, follower
from trioarm.cli.names import meant
from trioarm.cli.options import AsJson, Builtin, ConfigFile, StoreUrl, among, instant_of
from trioarm.cli.outcomes import style_of, told
from trioarm.cli.planned import current_instant
from trioarm.cli.stored import Rows, with_store
from trioarm.cli.terminal import remark, say_json
from trioarm.cli.wording import wall
from trioarm.container import Container
from trioarm.core.codec import run_to_json
from trioarm.core.queries import PAGE_MAX, RunQuery
from trioarm.core.run import Run, RunRecord
from trioarm.core.states import FAILURES, State
from trioarm.engine.ports import ScheduleRepository
from trioarm.handlers.housekeeping import OWNER

ROWS: Final = 50  # shown unless more are asked for
ROWS_MAX: Final = 100_000  # shown newest last: they are turned round in memory; --all is for more


@attrs.frozen(slots=True, kw_only=True)
class Wanted:
    """Which runs are listed.

    Args:
        query: to the store.
        builtin: those of built-in schedules, too.
        limit: the newest so many; None for all.
        json: for programs.
    """

    query: RunQuery
    builtin: bool
    limit: int | None
    json: bool

    def shows(self, record: RunRecord) -> bool:
        """Whether a run that the query found is shown."""
        return self.builtin or record.schedule.schedule.owner != OWNER

    def keeps(self, record: RunRecord) -> bool:
        """Whether a run in whatever state would be found and shown."""
        return self.shows(record) and (self.query.states is None or record.state in self.query.states)


def list_(
    schedule: Annotated[str | None, Parameter(name="SCHEDULE", help="Only those of this schedule.")] = None,
    /,
    *,
    owner: Annotated[str | None, Parameter(help="Only of schedules of this owner.")] = None,
    state: Annotated[list[str] | None, Parameter(help="Only in these states; may be repeated.")] = None,
    failed: Annotated[bool, Parameter(help="Only those that failed or timed out, and no retry was left.")] = False,
    handler: Annotated[str | None, Parameter(help="Only of this handler.")] = None,
    tag: Annotated[str | None, Parameter(help="Only of schedules with this tag.")] = None,
    lane: Annotated[str | None, Parameter(help="Only of this lane.")] = None,
    node: Annotated[str | None, Parameter(help="Only those that this node holds, or held last.")] = None,
    since: Annotated[str | None, Parameter(help="Only due at or after this: an instant, or 2h ago.")] = None,
    until: Annotated[str | None, Parameter(help="Only due before this: an instant, or 2h ago.")] = None,
    limit: Annotated[int | None, Parameter(help=f"The newest so many; otherwise {ROWS}.")] = None,
    all_: Annotated[bool, Parameter(name="--all", help="All that is kept, from the oldest on.")] = False,
    follow_: Annotated[
        bool, Parameter(name=["--follow", "-f"], help="Then tell of each run as it is decided, begins and ends.")
    ] = False,
    builtin: Builtin = False,
    json: AsJson = False,
    config: ConfigFile = None,
    store: StoreUrl = None,
) -> Exit:
    """List runs, the newest last: what became of each, and why. What was decided not to run is here, too.

    For example:

    - `trioarm runs list`
    - `trioarm runs list backup --since 7d --failed`
    - `trioarm runs list --state missed --state skipped`
    - `trioarm runs list --follow`
    - `trioarm runs list --all --json`
    """
    now = current_instant()
    if limit is not None and not 1 <= limit <= ROWS_MAX:
        raise UsageError(f"--limit {limit}: it must lie between 1 and {ROWS_MAX}; --all is for more")
    query = RunQuery(
        under=schedule,
        owner=owner,
        states=_states(state, failed),
        handler=handler,
        tag=tag,
        lane=lane,
        node=node,
        due_from=None if since is None else instant_of(since, "--since", now, past=True),
        due_until=None if until is None else instant_of(until, "--until", now, past=True),
        limit=PAGE_MAX,
    )
    shown = None if all_ else limit or ROWS
    wanted = Wanted(query=query, builtin=builtin or owner == OWNER, limit=shown, json=json)

    async def work(container: Container) -> Exit:
        return await _list(container.get(ScheduleRepository), wanted, schedule, follow_)

    return with_store(config, store, work)


def _states(words: list[str] | None, failed: bool) -> frozenset[State] | None:
    states = among(State, words, "--state")
    return FAILURES | (states or frozenset()) if failed else states


async def _list(repository: ScheduleRepository, wanted: Wanted, schedule: str | None, to_follow: bool) -> Exit:
    if not to_follow:
        count = await _print(repository, wanted, None)
        if not count and schedule is not None:
            await meant(repository, [schedule])
        if not count:
            remark("there is no run that this could list")
        return Exit.CLEAN
    async with follower(repository, wanted.query, wanted.keeps, json=wanted.json) as following:
        await _print(repository, wanted, following)
        await following.run()
    return Exit.CLEAN


async def _print(repository: ScheduleRepository, wanted: Wanted, following: Follower | None) -> int:
    """Print the runs that are wanted and return how many there were."""
    table, count = _Table(wanted.json), 0
    if wanted.limit is not None:
        records = await _newest(repository, wanted, wanted.limit)
        for record in reversed(records):
            table.add(record, following)
        count = len(records)
    else:
        async for record in _found(repository, wanted.query):
            if wanted.shows(record):
                table.add(record, following)
                count += 1
    table.columns.flush()
    return count


class _Table:
    """Prints runs, for people or programs."""

    def __init__(self, json: bool) -> None:
        self.columns = Columns("DUE", "SCHEDULE", "WHAT BECAME OF IT", "ID", ids=True)
        self._json = json

    def add(self, record: RunRecord, following: Follower | None) -> None:
        """Print a run, and let who follows know that it was told."""
        if following is not None:
            following.note(record)
        run = Run.of(record)
        if self._json:
            say_json(run_to_json(run))
        else:
            self.columns.add((wall(run.due_at), run.schedule, told(run), run.id), style_of(run))


def _found(repository: ScheduleRepository, query: RunQuery) -> Rows[RunRecord]:
    return Rows(lambda after: repository.find_runs(attrs.evolve(query, after=after)))


async def _newest(repository: ScheduleRepository, wanted: Wanted, limit: int) -> list[RunRecord]:
    """Return so many runs, the newest first."""
    newest: list[RunRecord] = []
    async for record in _found(repository, attrs.evolve(wanted.query, descending=True)):
        if wanted.shows(record):
            newest.append(record)
            if len(newest) == limit:
                break
    return newest
