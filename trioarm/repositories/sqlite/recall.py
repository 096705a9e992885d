"""Recall: what this process remembers of the file, so that it need not ask for what it has just written.

It decides nothing: whatever is made of it is checked by the file when it is committed. All of it is forgotten once
another process commits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final

from trioarm.core.changes import (
    AddSchedules,
    Change,
    CursorMove,
    Finished,
    PutSchedule,
    RemoveSchedule,
    Requeued,
    RunStep,
    ScheduleStep,
    SetBack,
    apply,
    apply_put,
    apply_set_back,
)
from trioarm.core.instants import SECOND
from trioarm.core.planning import Group
from trioarm.core.record import SCHEDULE_FINISHED, ScheduleRecord, first_record
from trioarm.core.run import BACKFILL, RunRecord
from trioarm.core.states import PENDING, WaitingFor
from trioarm.repositories.sqlite.horizon import HORIZON_S, Horizon, Loaded
from trioarm.repositories.sqlite.oldest import forget_oldest
from trioarm.repositories.sqlite.rows import Records
from trioarm.repositories.sqlite.writing import Kept

REMEMBERED_MAX: Final = 100_000  # schedules kept as records: what comes due soon, and a bound on its cost
SOON: Final = round(HORIZON_S * SECOND)  # what is added and comes due later is read when it does
RUNS_MAX: Final = 10_000  # pending runs kept as records: of more than that, the others are read when it is their turn


class _Singles(Collection[Group]):
    """A group for each of some schedules, made when it is come to: a thousand at once is work for the collector."""

    def __init__(self, records: Collection[ScheduleRecord]) -> None:
        self._records = records

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Group]:
        return (Group((record,)) for record in self._records)

    def __contains__(self, group: object) -> bool:
        return isinstance(group, Group) and len(group.schedules) == 1 and group.schedules[0] in self._records


class Recall:
    """What is remembered.

    Args:
        records: told of definitions that were written, so that they need not be decoded.
    """

    def __init__(self, records: Records) -> None:
        self._records = records
        self.horizon = Horizon()
        self.now = 0  # the latest instant anybody spoke of: what is due by then is ready
        self.is_stale = True  # whether another process has committed since the horizon was read
        self.schedules: dict[int, ScheduleRecord] = {}
        self.runs: dict[int, RunRecord] = {}  # pending ones
        self._idle: set[str] = set()  # handlers that nothing is ready for
        self._waits_since = 0  # the latest instant at which a run that waits was kept
        self.age = 0  # grows with all that is kept or forgotten: what was asked for before may be outdated

    def forget(self) -> None:
        """Forget everything: another process has committed, or nobody knows what was kept."""
        self.is_stale = True
        self.schedules.clear()
        self.runs.clear()
        self._idle.clear()
        self.age += 1

    def look_from(self, loaded: Loaded) -> None:
        """Hold what the file says is due. What was not in memory, or is due already, may be ready by now."""
        self.horizon.replace(loaded)
        self.is_stale, self._waits_since = False, 0
        self._idle.clear()

    def forget_schedules(self, keys: Iterable[int]) -> None:
        """Forget schedules that this process took away."""
        for key in keys:
            if (record := self.schedules.pop(key, None)) is not None:
                record.removed = True  # runs point to it
            self.horizon.discard(key)

    # What could be ready

    def may_be_ready(self, handlers: Collection[str]) -> bool:
        """Whether a run of these handlers may wait for a worker."""
        return not self._idle.issuperset(handlers)

    def none_ready(self, handlers: Iterable[str]) -> None:
        """Note that nothing is ready for these handlers, until something is kept that may be.

        A run may have been kept at a later instant than is looked at now: then a later look is to find it.
        """
        if self._waits_since <= self.now:
            self._idle.update(handlers)

    def some_ready(self, handlers: Iterable[str]) -> None:
        """Note that something may be ready for these handlers."""
        self._idle.difference_update(handlers)

    # What was read, and what was kept

    def remember(self, record: ScheduleRecord) -> None:
        """Remember a schedule as it was read or written."""
        if record.key not in self.schedules:
            forget_oldest(self.schedules, REMEMBERED_MAX)
        self.schedules[record.key] = record

    def keep(self, change: Change, kept: Kept) -> None:
        """Let records and horizon show a change that was kept."""
        self.age += 1
        for step in change.steps:
            self._keep_step(step)
        for move in change.moved:
            self._keep_move(move)
        if change.decided:
            for run_id, run in enumerate(change.decided, kept.first_run_id):
                run.run_id = run_id
                if run.finished_at is None:
                    self._count(run, 1)
                    if run.state is PENDING:
                        self._keep_pending(run, run.decided_at)
        if change.schedules:
            keys = iter(kept.keys)
            for put in change.schedules:
                self._keep_schedules(put, keys)

    def _keep_step(self, step: RunStep) -> None:
        run = step.run
        if run.state is PENDING:
            self.horizon.discard(~run.run_id)
            self.runs.pop(run.run_id, None)
        apply(step)
        if step.at > self.now:
            self.now = step.at
        if isinstance(step, Finished):
            self._count(run, -1)
        elif isinstance(step, Requeued):
            self._keep_pending(run, step.at)
        else:
            return
        if run.lane is not None:
            self._idle.clear()  # whoever waits for the lane may have any handler

    def _keep_pending(self, run: RunRecord, now: int) -> None:
        self.now = max(self.now, now)
        self._waits_since = max(self._waits_since, now)
        self.horizon.put_run(run, now)
        self._idle.discard(run.schedule.schedule.handler)
        if len(self.runs) < RUNS_MAX:
            self.runs[run.run_id] = run

    def _keep_move(self, move: CursorMove) -> None:
        record = move.record
        record.cursor_at, record.next_due_at = move.cursor_at, move.next_due_at
        record.runs, record.state = move.runs, move.state
        if move.anchor_at is not None:
            record.anchor_at = move.anchor_at
        if move.resumed:
            record.pause = None
        if self.schedules.get(record.key) is not record:
            record.unfinished = None  # it was forgotten since: others may have had a hand in it
            self.remember(record)
        if move.state is SCHEDULE_FINISHED:
            self.horizon.discard(record.key)
        else:
            self.horizon.put_schedule(record)

    def _keep_schedules(self, step: ScheduleStep, keys: Iterator[int]) -> None:
        match step:
            case AddSchedules():
                self._keep_added(step, [*islice(keys, len(step.schedules))])
            case PutSchedule():
                self._keep_put(step, next(keys))
            case RemoveSchedule():
                step.record.removed = True
                self.forget_schedules((step.record.key,))
            case SetBack():
                apply_set_back(step)
                self._records.keep(step.record.key, step.record.revision, step.record.schedule)
                self.forget()  # the clock went back, and what waits with it

    def _keep_added(self, step: AddSchedules, keys: Sequence[int]) -> None:
        self._records.keep_new(keys, step.schedules)
        self.horizon.put_new(keys, step)
        soon_at = step.at + SOON
        for key, schedule, due_at in zip(keys, step.schedules, step.next_due_ats, strict=True):
            if due_at is not None and due_at <= soon_at:
                record = first_record(key, schedule, step.at, due_at)
                record.unfinished = 0
                self.remember(record)

    def _keep_put(self, put: PutSchedule, key: int) -> None:
        revision = put.expected_revision + 1
        self._records.keep(key, revision, put.schedule)
        record = self._revised(put, key, revision)
        if not put.expected_key or key in self.schedules:
            self.remember(record)
        else:  # only the file knows how many runs it has had, and those that are remembered point to an older copy
            self.runs.clear()
        self.horizon.put_schedule(record)
        if not put.expected_key:
            record.unfinished = 0
        else:
            self._idle.clear()  # its runs may have another handler now

    def _revised(self, put: PutSchedule, key: int, revision: int) -> ScheduleRecord:
        """Return the record of a schedule that was put: the one that its runs point to, where that is remembered."""
        record = self.schedules.get(key) or ScheduleRecord(
            key, put.schedule, revision, put.cursor_at, put.next_due_at, put.anchor_at
        )
        apply_put(record, put)
        record.revision, record.removed = revision, False
        return record

    # What is due

    def _count(self, run: RunRecord, more: int) -> None:
        if run.origin is BACKFILL:  # no decision depends on it
            return
        record = self.schedules.get(run.schedule.key)  # the run may point to an older copy, or to one of a command
        if record is not None and record.unfinished is not None:
            record.unfinished += more
            if record.state is SCHEDULE_FINISHED and not record.unfinished:  # nothing will ask for it again
                del self.schedules[record.key]
                self._records.forget(record.key)

    def learn_unfinished(self, keys: Iterable[int], runs: Iterable[RunRecord], age: int) -> None:
        """Remember how many runs of these schedules have steps to go.

        Args:
            runs: the file's answer.
            age: when it was asked; the answer counts only if nothing was kept since.
        """
        if age != self.age:
            return
        found = Counter(run.schedule.key for run in runs)
        for key in keys:
            if (record := self.schedules.get(key)) is not None:
                record.unfinished = found[key]

    def in_doubt(self, keys: Iterable[int]) -> list[int]:
        """Return those of these due keys that the file has to be asked for.

        It need not be for schedules that are known to have nothing to go, and share no lane.
        """
        return [key for key in keys if not self._is_enough(self.schedules.get(key))]

    def _is_enough(self, record: ScheduleRecord | None) -> bool:
        return record is not None and record.unfinished == 0 and record.schedule.lane is None and self._is_due(record)

    def singles(self, keys: Iterable[int]) -> Collection[Group]:
        """Return a group for each of these due schedules, none of which is in doubt."""
        return _Singles([self.schedules[key] for key in keys])

    def groups(
        self, keys: Iterable[int], unfinished: Sequence[RunRecord], records: Mapping[int, ScheduleRecord]
    ) -> list[Group]:
        """Return a group for each schedule that is due, one for each superseding lane.

        Args:
            keys: what the horizon says is due.
            unfinished: runs with steps to go, of these schedules and their superseding lanes.
            records: of the schedules, and of all members of those lanes.
        """
        of_key: dict[int, list[RunRecord]] = {}
        for run in unfinished:
            of_key.setdefault(run.schedule.key, []).append(run)
        groups: list[Group] = []
        lanes: set[str] = set()
        for key in keys:
            if key < 0:
                continue
            record = records.get(key)
            if record is None:
                self.horizon.discard(key)
                continue
            lane = record.schedule.lane
            if not self._is_due(record):
                self.horizon.put_schedule(record)  # another process was faster
            elif not record.schedule.supersede:
                groups.append(Group((record,), of_key.get(key, ())))
            elif lane is not None and lane not in lanes:
                lanes.add(lane)
                members = [one for one in records.values() if _supersedes_in(one, lane)]
                groups.append(Group(members, [run for run in unfinished if run.lane == lane]))
        return groups

    def _is_due(self, record: ScheduleRecord) -> bool:
        wakes_at = record.wakes_at
        return wakes_at is not None and wakes_at <= self.now and not record.removed

    def ready(self, run_id: int) -> RunRecord | None:
        """Return a remembered run that waits for nothing but a worker, or None."""
        run = self.runs.get(run_id)
        if run is not None:
            run.waiting_for = WaitingFor.HANDLER
        return run


def _supersedes_in(record: ScheduleRecord, lane: str) -> bool:
    return record.schedule.supersede and record.schedule.lane == lane and not record.removed
