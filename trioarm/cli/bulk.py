"""Many at once: which schedules or runs a command means by options instead of names, and what became of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Final, TypeAlias

import attrs
from cyclopts import Parameter

from trioarm.cli.exits import Exit, UsageError
from trioarm.cli.options import among, instant_of
from trioarm.cli.terminal import complain, remark, say, say_json
from trioarm.core.queries import RunQuery, ScheduleQuery
from trioarm.core.run import Origin
from trioarm.core.states import State
from trioarm.engine.bulk_commands import BulkOutcome, BulkResult
from trioarm.handlers.housekeeping import OWNER

DryRun: TypeAlias = Annotated[bool, Parameter(help="Only say what would become of each.")]


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class Schedules:
    """Which schedules, without naming them."""

    tag: Annotated[str | None, Parameter(help="Instead of names: all with this tag.")] = None
    owner: Annotated[str | None, Parameter(help="All of this owner.")] = None
    handler: Annotated[str | None, Parameter(help="All of this handler.")] = None
    lane: Annotated[str | None, Parameter(help="All of this lane.")] = None
    under: Annotated[str | None, Parameter(name="--under", help="All whose names begin with this.")] = None
    dry_run: Annotated[bool, Parameter(help="Only say what would become of each.")] = False

    def query(self, names: Sequence[str]) -> ScheduleQuery | None:
        """Return the question that is meant; None when names are. Built-in schedules are meant by their owner alone.

        Raises:
            UsageError: both are given, or neither.
        """
        said = (self.tag, self.owner, self.handler, self.lane, self.under) != (None,) * 5
        _check(names, said, self.dry_run, "a schedule: `trioarm schedules list`", "--tag, --owner, --handler, --lane")
        if not said:
            return None
        hidden = None if self.owner == OWNER else OWNER
        return ScheduleQuery(
            prefix=self.under, owner=self.owner, not_owner=hidden, tag=self.tag, handler=self.handler, lane=self.lane
        )


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class SomeRuns:
    """Which runs, by what they have in common."""

    schedule: Annotated[str | None, Parameter(help="Those of this schedule.")] = None
    tag: Annotated[str | None, Parameter(help="Those of schedules with this tag.")] = None
    owner: Annotated[str | None, Parameter(help="Those of schedules of this owner.")] = None
    handler: Annotated[str | None, Parameter(help="Those of this handler.")] = None
    lane: Annotated[str | None, Parameter(help="Those of this lane.")] = None
    since: Annotated[str | None, Parameter(help="Those due at or after this: an instant, or 2h ago.")] = None
    until: Annotated[str | None, Parameter(help="Those due before this: an instant, or 2h ago.")] = None
    dry_run: Annotated[bool, Parameter(help="Only say what would become of each.")] = False

    def narrowed(self, now: int) -> RunQuery:
        """Return the question for them.

        Raises:
            UsageError: an instant is none.
        """
        return RunQuery(
            under=self.schedule,
            tag=self.tag,
            owner=self.owner,
            handler=self.handler,
            lane=self.lane,
            due_from=None if self.since is None else instant_of(self.since, "--since", now, past=True),
            due_until=None if self.until is None else instant_of(self.until, "--until", now, past=True),
        )


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class Runs(SomeRuns):
    """Which runs, without naming them."""

    state: Annotated[list[str] | None, Parameter(help="Those that are pending, claimed or running.")] = None
    origin: Annotated[list[str] | None, Parameter(help="Those made so: schedule, manual, backfill or retry.")] = None

    def query(self, ids: Sequence[str], now: int) -> RunQuery | None:
        """Return the question that is meant; None when ids are.

        Raises:
            UsageError: both are given, or neither.
        """
        said = attrs.evolve(self, dry_run=False) != BY_ID
        _check(ids, said, self.dry_run, "a run: `trioarm runs list`", "--schedule, --tag, --state, --origin")
        if not said:
            return None
        states, origins = among(State, self.state, "--state"), among(Origin, self.origin, "--origin")
        return attrs.evolve(self.narrowed(now), states=states, origins=origins)


BY_NAME: Final = Schedules()
BY_ID: Final = Runs()


def _check(named: Sequence[str], said: bool, dry_run: bool, what: str, options: str) -> None:
    if named and said:
        raise UsageError(f"name them, or say which by {options} and so on: not both")
    if not named and not said:
        raise UsageError(f"name {what} shows what there is; or mean many by {options} and so on")
    if named and dry_run:
        raise UsageError(f"--dry-run is for what is meant by {options} and so on: what is named needs none")


def say_results(
    results: Sequence[BulkResult],
    words: Mapping[BulkOutcome, str],
    *,
    dry_run: bool,
    json: bool,
    key: str,
    none: str,
) -> Exit:
    """Say what became of each item, and return how it ended on the whole.

    Args:
        words: for each outcome but a refusal, whose reason is told.
        key: of the item in an object.
        none: what to say when there is no item.
    """
    for result in results:
        became = words.get(result.outcome)
        if became is not None and dry_run and result.outcome is BulkOutcome.CHANGED:
            became = f"would be {became}"
        if json:
            say_json({key: result.item, "outcome": result.outcome.value, "result": became, "error": result.error})
        elif result.error is None:
            say(f"{result.item}: {became}")
        else:
            complain([f"{result.item}: {result.error}" if result.item not in result.error else result.error])
    if not results:
        remark(none)
    return Exit.FAILURE if any(result.error is not None for result in results) else Exit.CLEAN
