"""Backfilling, as it is asked for: occurrences that are over run again, a chunk at a time, each in its own transaction.

Killed on the way, what was kept stands, and the same command goes on from there: it does no occurrence twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final, TypeAlias

import attrs

from trioarm.core.backfilling import Known, backfill, check_at_once, known, lane_of, occurrences
from trioarm.core.bounds import check_author
from trioarm.core.changes import Change, Verdict
from trioarm.core.errors import InvalidSchedule, UnknownSchedule
from trioarm.core.instants import as_datetime
from trioarm.core.operations import Operation, Verb, entry
from trioarm.core.record import ScheduleRecord
from trioarm.core.run import RunRecord
from trioarm.engine.amending_commands import AmendingCommands
from trioarm.engine.rivals import FASTER, TRIES
from trioarm.engine.run_commands import API

Progress: TypeAlias = Callable[[int, int], None]  # told how many are done, and of how many

CHUNK: Final = 500  # occurrences looked at and decided at once: some ten milliseconds, so that others come between


class BackfillOutcome(StrEnum):
    """What became of one occurrence of a backfill."""

    BACKFILLED = "backfilled"
    KEPT = "kept"  # a backfilled run of it is unfinished already, or succeeded
    REFUSED = "refused"


@attrs.frozen(slots=True)
class Backfilled:
    """The result for one occurrence of a backfill.

    Args:
        nominal_at: the occurrence.
        outcome: what became of it; of a dry run, what would have.
        run_id: readable id of the run that backfills it, whether it is new or was there; None where it is refused.
        repeats: readable id of what was decided of it before; None where nothing is known.
        error: why it was refused; None otherwise.
    """

    nominal_at: datetime
    outcome: BackfillOutcome
    run_id: str | None
    repeats: str | None
    error: str | None = None


@attrs.frozen(slots=True, kw_only=True)
class Backfill:
    """How to backfill.

    Args:
        at_once: how many of its runs work at once.
        again: also what was backfilled already and is unfinished or succeeded.
        dry_run: only say what would be done.
        author: who does it.
        note: why.
        progress: told how many occurrences are done, and of how many.
    """

    at_once: int = 1
    again: bool = False
    dry_run: bool = False
    author: str = API
    note: str = ""
    progress: Progress = lambda done, total: None


@attrs.define(slots=True, eq=False)
class _Chunk:
    """Occurrences that are decided together, and what became of them.

    Args:
        instants: in order.
        first: place of the first of them in the whole backfill.
        tried: runs whose commit nobody knows the end of.
        noting: the occurrence whose commit may have noted the operation.
    """

    instants: Sequence[int]
    first: int
    results: dict[int, Backfilled] = attrs.Factory(dict)
    tried: dict[int, RunRecord] = attrs.Factory(dict)
    noting: int | None = None

    @property
    def is_noted(self) -> bool:
        """Whether the operation is noted, since the commit that was to do so was kept."""
        done = None if self.noting is None else self.results.get(self.noting)
        return done is not None and done.outcome is BackfillOutcome.BACKFILLED


class BackfillCommands(AmendingCommands):
    """What can be asked of the past of a schedule."""

    async def backfill(self, name: str, after: int, until: int, how: Backfill) -> list[Backfilled]:
        """Run each occurrence of a schedule in `(after, until]` anew, also what was decided before (S5.3).

        Pauses, misfires and max_runs do not count. The runs are less urgent than all others, at most so many of them
        work at once, and the schedule's own occurrences come as if there were none.

        Raises:
            UnknownSchedule: there is none of that name.
            InvalidSchedule: the range is not over, it has more than 10 000 occurrences, or the schedule has none that
                could be backfilled.
        """
        check_author(how.author, how.note)
        check_at_once(how.at_once)
        now = self._clock.look()
        record = await (self._record(name) if how.dry_run else self._decided(name, now))
        instants = occurrences(record, after, until, now)
        results: list[Backfilled] = []
        unnoted: Operation | None = None
        if instants and not how.dry_run:
            unnoted = Operation(
                how.author, Verb.BACKFILL, name, how.note, count=len(instants), nominal_at=instants[0],
                until_at=instants[-1],
            )  # fmt: skip
        for start in range(0, len(instants), CHUNK):
            chunk = _Chunk(instants[start : start + CHUNK], start)
            unnoted = await self._backfill_chunk(name, chunk, how, unnoted)
            results += [chunk.results[at] for at in chunk.instants]
            how.progress(len(results), len(instants))
        if unnoted is not None and any(one.outcome is BackfillOutcome.BACKFILLED for one in results):
            await self._commit(Change(journal=[entry(unnoted, now)]))  # somebody was faster with the first
        return results

    async def _decided(self, name: str, now: int) -> ScheduleRecord:
        """Return a schedule once all that is due of it is decided, so that a backfill can point to it."""
        [record] = await self._stored([name], now)
        if record is None:
            raise UnknownSchedule(f"there is no schedule {name!r}")
        return record

    async def _backfill_chunk(
        self, name: str, chunk: _Chunk, how: Backfill, unnoted: Operation | None
    ) -> Operation | None:
        """Decide a chunk, and return the operation if it is not noted yet; what is refused is looked at again."""
        for _ in range(TRIES):
            left = [at for at in chunk.instants if at not in chunk.results]
            record = await self._record(name)
            found = known(left, await self._repository.runs_of(record, left))
            wanted = self._wanted(record, chunk, dict(zip(left, found, strict=True)), how)
            if wanted and unnoted is not None:
                chunk.noting = next(iter(wanted))
                wanted[chunk.noting].journal = [entry(unnoted, self._clock.now())]
            verdicts = await self._verdicts([*wanted.values()])
            _settle(chunk, wanted, verdicts, dict(zip(left, found, strict=True)))
            unnoted = None if chunk.is_noted else unnoted
            if len(chunk.results) == len(chunk.instants):
                return unnoted
        for at in chunk.instants:
            error = self._repository.trouble or FASTER
            chunk.results.setdefault(at, _result(at, BackfillOutcome.REFUSED, None, None, error))
        return unnoted

    def _wanted(
        self, record: ScheduleRecord, chunk: _Chunk, found: dict[int, Known], how: Backfill
    ) -> dict[int, Change]:
        """Return the changes to commit, by occurrence; what needs none has its result."""
        now, wanted = self._clock.look(), dict[int, Change]()
        for number, at in enumerate(chunk.instants, chunk.first):
            before = found.get(at)
            if before is None:
                continue
            mine = _mine(chunk.tried.get(at), before)
            enough = None if how.again else before.enough
            if mine is not None:
                chunk.results[at] = _result(at, BackfillOutcome.BACKFILLED, mine, before.decision)
            elif enough is not None:
                chunk.results[at] = _result(at, BackfillOutcome.KEPT, enough, before.decision)
            else:
                try:
                    run = backfill(record, at, before, lane_of(record, number, how.at_once), now)
                except InvalidSchedule as error:
                    chunk.results[at] = _result(at, BackfillOutcome.REFUSED, None, before.decision, str(error))
                    continue
                if how.dry_run:
                    chunk.results[at] = _result(at, BackfillOutcome.BACKFILLED, run, before.decision)
                else:
                    wanted[at] = Change(decided=[run])
        return wanted


def _settle(chunk: _Chunk, wanted: dict[int, Change], verdicts: Sequence[Verdict], found: dict[int, Known]) -> None:
    """Note what became of runs that were committed."""
    for (at, change), verdict in zip(wanted.items(), verdicts, strict=True):
        [run] = change.decided
        if verdict is Verdict.DONE:
            chunk.results[at] = _result(at, BackfillOutcome.BACKFILLED, run, found[at].decision)
        elif verdict is Verdict.UNKNOWN:
            chunk.tried[at] = run


def _mine(tried: RunRecord | None, before: Known) -> RunRecord | None:
    """Return the run that was tried, if it was kept after all."""
    if tried is None:
        return None
    same = [run for run in before.backfills if run.nominal_at == tried.nominal_at]
    return next((run for run in same if run.decided_at == tried.decided_at), None)


def _result(
    at: int, outcome: BackfillOutcome, run: RunRecord | None, decision: RunRecord | None, error: str | None = None
) -> Backfilled:
    return Backfilled(as_datetime(at), outcome, _id(run), _id(decision), error)


def _id(run: RunRecord | None) -> str | None:
    return None if run is None else run.readable_id
