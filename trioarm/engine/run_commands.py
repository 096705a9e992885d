"""What can be asked of runs: fire, retry, cancel; and how any command commits.

Each reads, decides by a pure rule, and commits; refused because somebody was faster, it reads again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import attrs

from trioarm.core.bounds import check_author
from trioarm.core.changes import Change, Finished, RunStep, Verdict, freed
from trioarm.core.diff import cancellation
from trioarm.core.errors import InvalidSchedule, RepositoryError, RevisionConflict, UnknownRun, UnknownSchedule
from trioarm.core.jsonable import Json
from trioarm.core.operations import Operation, Verb, entry
from trioarm.core.overlap import Earlier, by_hand, give_way, lane_by_hand, make_way, no_wait_for
from trioarm.core.record import ScheduleRecord
from trioarm.core.retrying import sooner
from trioarm.core.run import Origin, RunRecord
from trioarm.core.schedule import Overlap, as_overlap, checked_args
from trioarm.core.states import Reason, State
from trioarm.engine.engine import SchedulingEngine
from trioarm.engine.hub import Hub
from trioarm.engine.ports import Clock, ScheduleRepository
from trioarm.engine.rivals import FASTER, TRIES

API: Final = "api"  # the author of what a program does, unless it names another


@attrs.frozen(slots=True)
class _Said:
    """Who asks for a run, why, and what of others."""

    verb: Verb
    author: str
    note: str
    overlap: Overlap


class RunCommands:
    """What can be asked of runs.

    Args:
        repository: where they are kept.
        clock: what time it is.
        hub: told of changes.
        engine: decides what is due before a definition changes, and is told of what was committed.
    """

    def __init__(self, repository: ScheduleRepository, clock: Clock, hub: Hub, engine: SchedulingEngine) -> None:
        self._repository = repository
        self._clock = clock
        self._hub = hub
        self._engine = engine
        self.owners: Mapping[str, int] = {}
        """How many schedules each owner may have stored, by name; one that is not there may have any number."""

    async def fire(
        self,
        name: str,
        args: dict[str, Json] | None = None,
        *,
        overlap: str | None = None,
        author: str = API,
        note: str = "",
    ) -> RunRecord:
        """Run a schedule now, whatever its trigger, pauses or misfires say; its lane still counts.

        Args:
            args: instead of the schedule's own.
            overlap: what happens while a run of the schedule is unfinished (S5.3): by any policy that has no room for
                it, it is refused. None for beside it, or behind it where the schedule keeps its runs apart.
            author: who does it.
            note: why.

        Raises:
            UnknownSchedule: there is none of that name.
            InvalidSchedule: the arguments are not plain JSON, or a run is unfinished and none may run beside it.
        """
        check_author(author, note)
        record = await self._record(name)
        if args is not None:
            args = checked_args(args)
        policy = by_hand(record.schedule) if overlap is None else as_overlap(overlap)
        said = _Said(Verb.FIRE, author, note, policy)
        return await self._decide_to_run(record, Origin.MANUAL, args, None, said)

    async def retry(self, run: RunRecord, *, author: str = API, note: str = "") -> RunRecord:
        """Run again what is final: a new run that points to the old one and changes nothing in it (S2.4).

        Raises:
            InvalidSchedule: the run is not final yet, or its schedule was removed.
        """
        if run.unfinished:
            raise InvalidSchedule(f"run {run.run_id} is still {run.state}: cancel it first, or wait")
        if run.schedule.removed:
            raise InvalidSchedule(f"the schedule {run.schedule.schedule.name} of run {run.run_id} was removed")
        check_author(author, note)
        said = _Said(Verb.RETRY, author, note, by_hand(run.schedule.schedule))
        return await self._decide_to_run(run.schedule, Origin.RETRY, run.args, run.run_id, said)

    async def _decide_to_run(
        self, record: ScheduleRecord, origin: Origin, args: dict[str, Json] | None, retry_of: int | None, said: _Said
    ) -> RunRecord:
        refused = taken = 0
        while refused < TRIES:
            now = self._clock.look()
            lane = lane_by_hand(record, said.overlap)
            run = RunRecord(record, now + taken, now, now, lane, origin, args=args, retry_of=retry_of)
            run.epoch = record.epoch
            operation = Operation(said.author, said.verb, run.readable_id, said.note)
            async with self._engine.undecided():
                steps = await self._make_way(record, said.overlap, now)
                ended = [step.run for step in steps if isinstance(step, Finished)]
                moved = [move for rival in ended if (move := freed(rival, now)) is not None]
                change = Change(decided=[run], moved=moved, steps=steps, journal=[entry(operation, now)])
                verdict = await self._verdict(change)
            if verdict is Verdict.DONE:
                return run
            kept = await self._repository.get_run_of(record.schedule.name, run.nominal_at, origin, run.epoch)
            if kept is None:
                refused += 1
            elif verdict is Verdict.UNKNOWN:
                return kept
            else:
                taken += 1  # two in one microsecond are two occurrences
        raise self._given_up(record.schedule.name)

    async def _make_way(self, record: ScheduleRecord, overlap: Overlap, now: int) -> list[RunStep]:
        """Return the steps by which others make way for a run.

        Raises:
            InvalidSchedule: there is no room for it.
        """
        steps: list[RunStep] = []
        if overlap is not Overlap.ALLOW:
            found = await self._repository.unfinished_runs(schedule=record)
            unfinished = [run for run in found if run.origin is not Origin.BACKFILL]
            if not Earlier.of(unfinished).leave_room(overlap):
                first, more = unfinished[0], len(unfinished) - 1
                others = f", and {more} more wait" if more else ""
                raise InvalidSchedule(
                    f"{first.readable_id} is still {first.state}{others}: wait for it, cancel it, or let both run"
                )
            if (loose := no_wait_for(overlap, unfinished)) is not None:
                raise InvalidSchedule(
                    f"{loose.readable_id} is still {loose.state}, and its schedule does not keep its runs apart, so "
                    "none can wait for it here: wait for it yourself, cancel it, or let both run"
                )
            steps += make_way(overlap, unfinished, now)
        if record.schedule.supersede:
            rivals = await self._repository.unfinished_runs(lane=record.schedule.lane)
            gone = {step.run.run_id for step in steps}
            steps += [step for run in rivals if run.run_id not in gone and (step := give_way(run, now)) is not None]
        return steps

    async def cancel(self, run: RunRecord, *, author: str = API, note: str = "") -> None:
        """Cancel an unfinished run: at once while it waits, by asking its handler while it works.

        Raises:
            InvalidSchedule: the run is final.
        """
        check_author(author, note)
        operation = Operation(author, Verb.CANCEL, run.readable_id, note)
        for tries in range(TRIES):
            if tries and run.state is State.CANCELLED and run.reason is Reason.USER:
                return  # kept after all
            if not run.unfinished:
                raise InvalidSchedule(f"{run.readable_id} is {run.state} already")
            now = self._clock.look()
            change = cancellation(run, now)
            change.journal = [entry(operation, now)]
            if await self._commit(change):
                return
            again = await self._repository.get_run(run.run_id)
            if again is None:
                raise UnknownRun(f"run {run.run_id} is no longer kept")
            run = again
        raise self._given_up(run.readable_id)

    async def hasten(self, run: RunRecord, due_at: int) -> bool:
        """Let the next attempt of a run begin at an instant, because what it waits for is there already.

        Returns:
            whether it does: false where it waits for no attempt or not for so long, or somebody else was faster.

        Raises:
            RepositoryError: the store is out of reach.
        """
        step = sooner(run, due_at, self._clock.look())
        return step is not None and await self._commit(Change(steps=[step]))

    async def _record(self, name: str) -> ScheduleRecord:
        record = await self._repository.get_schedule(name)
        if record is None:
            raise UnknownSchedule(f"there is no schedule {name!r}")
        return record

    def _given_up(self, subject: str) -> RevisionConflict | RepositoryError:
        """Return why a command gives up: the repository keeps nothing at the moment, or others were always faster."""
        trouble = self._repository.trouble
        return RevisionConflict(f"{subject}: {FASTER}") if trouble is None else RepositoryError(trouble)

    async def _commit(self, change: Change) -> bool:
        """Commit one change, let the engine act on it, and return whether it was kept."""
        return await self._verdict(change) is Verdict.DONE

    async def _verdict(self, change: Change) -> Verdict:
        [verdict] = await self._verdicts([change])
        return verdict

    async def _verdicts(self, changes: Sequence[Change]) -> list[Verdict]:
        """Commit changes, let the engine act on those that were kept, and return what became of each."""
        verdicts = await self._repository.commit(changes)
        kept = [change for change, verdict in zip(changes, verdicts, strict=True) if verdict is Verdict.DONE]
        if kept:
            self._engine.tell(kept)
            self._engine.wake()
        if Verdict.UNKNOWN in verdicts:
            self._engine.doubt()
        return verdicts
