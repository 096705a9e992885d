"""`InMemoryScheduleRepository`: schedules and runs in dicts, what is due in one heap, what waits under its key.

Every method runs to its end without a checkpoint, so each is atomic; `commit` checks a change whole before it touches
anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import islice

import trio

from trioarm.core.changes import (
    DONE,
    REFUSED,
    AddSchedules,
    CancelAsked,
    Change,
    Claim,
    CursorMove,
    Cut,
    Finished,
    Progressed,
    PutSchedule,
    RemoveSchedule,
    Requeued,
    RunStep,
    ScheduleStep,
    SetBack,
    Started,
    Verdict,
    Voided,
    apply,
    apply_set_back,
)
from trioarm.core.correcting import ROWS_MAX, Ahead, is_ahead, waits_beyond
from trioarm.core.due_index import DueIndex
from trioarm.core.instants import EARLIEST
from trioarm.core.owners import declares_at_start
from trioarm.core.planning import Group
from trioarm.core.queries import Document, JournalEntry, Page, Retention, RunQuery, ScheduleQuery, Statistics
from trioarm.core.record import ScheduleRecord, ScheduleState
from trioarm.core.resources import needs_of
from trioarm.core.run import Origin, RunRecord
from trioarm.core.states import ACTIVE, PENDING, TABLE, State, WaitingFor
from trioarm.engine.ports import DueView
from trioarm.repositories.memory.history import History
from trioarm.repositories.memory.papers import Papers
from trioarm.repositories.memory.search import page_of_runs, page_of_schedules, stands_for_one
from trioarm.repositories.memory.shelf import Shelf
from trioarm.repositories.memory.unfinished import Unfinished
from trioarm.repositories.memory.waiting import Waiting


class InMemoryScheduleRepository:
    """Keeps everything in this process. Implements `trioarm.engine.ports.ScheduleRepository`.

    In the due index a schedule has its key, a run the complement of its number: one entry each, for a run the instant
    it may start or, while it waits for something else, the instant it gives up.
    """

    url = "memory://"
    lease_s: float | None = None
    trouble = None
    written_at = None
    zone_data = None
    batch = 250  # measured: half the collector's work of 1 000, and no transaction to share

    def __init__(self) -> None:
        self._index = DueIndex()
        self._shelf = Shelf(self._index)
        self._history = History()
        self._unfinished = Unfinished()
        self._waiting = Waiting(self._index)
        self._papers = Papers()
        self._held: dict[int, RunRecord] = {}  # claimed and running

    async def open(self) -> None:
        """Do nothing: memory is always open."""

    async def close(self) -> None:
        """Do nothing: what it holds goes with it."""

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Return at once: nobody else can change it."""
        task_status.started()

    async def changed(self) -> None:
        """Wait for ever: nobody else can change it."""
        await trio.sleep_forever()

    async def join(self, node: str, now: int) -> None:
        """Do nothing: memory dies with its node."""

    async def renew(self, node: str, now: int) -> bool:
        """Return True: memory dies with its node."""
        return True

    def renew_blocking(self, node: str, now: int) -> bool:
        """Return True, as `renew` does."""
        return True

    async def leave(self, node: str) -> None:
        """Do nothing: memory dies with its node."""

    async def read_ahead(self, now: int, *, after: int = 0, limit: int = 100) -> list[Ahead]:
        """Return up to `limit` schedules that are decided or wait beyond now; all runs are looked through twice."""
        waiting = {run.schedule.key for run in self._history.all() if waits_beyond(run, now)}
        later = (record for record in self._shelf.all() if record.key > after)
        beyond = (record for record in later if record.cursor_at > now or record.key in waiting)
        ahead = {record.key: Ahead(record, []) for record in islice(beyond, limit)}
        for run in self._history.all():
            found = ahead.get(run.schedule.key)
            if found is not None and is_ahead(run, now) and len(found.runs) <= ROWS_MAX:
                found.runs.append(run)
        return list(ahead.values())

    async def computed_by(self, zone_data: str) -> None:
        """Do nothing: memory dies with its node."""

    async def taken_back(self, now: int) -> None:
        """Do nothing: memory dies with its node."""

    # What is due, and what could start

    @property
    def next_due_at(self) -> int | None:
        """The earliest instant at which time alone makes something due; None when nothing will."""
        return self._index.next_due_at

    async def read_due(self, now: int, limit: int) -> DueView:
        """Return up to `limit` due entries; runs whose time has come only move to their queue."""
        groups: list[Group] = []
        view = DueView(groups, [], self._waiting.busy_lanes)
        lanes: set[str] = set()
        for key in self._index.due(now, limit):
            if key < 0:
                self._run_is_due(self._history.get(~key), now, view)
                continue
            record = self._shelf.get(key)
            if record is None:
                raise AssertionError("what is removed is no longer due")
            schedule = record.schedule
            if not schedule.supersede:
                groups.append(Group((record,), self._unfinished.of(key)))
            elif schedule.lane is not None and schedule.lane not in lanes:
                lanes.add(schedule.lane)
                members = list(self._shelf.members(schedule.lane))
                groups.append(Group(members, self._waiting.of_lane(schedule.lane)))
        return view

    def _run_is_due(self, run: RunRecord | None, now: int, view: DueView) -> None:
        if run is None:
            raise AssertionError("an unfinished run is never forgotten")
        if run.give_up_at is not None and run.give_up_at <= now:
            view.expired.append(run)
        else:
            self._waiting.put(run, now)

    def further_due(self, now: int, limit: int) -> Collection[Group]:
        """Return up to `limit` schedules that are due behind those that were handed out and are not settled yet."""
        records = [self._shelf.get(key) for key in self._index.further(now, limit) if key >= 0]
        return [Group((record,)) for record in records if record is not None and self._needs_but_a_plan(record)]

    def _needs_but_a_plan(self, record: ScheduleRecord) -> bool:
        return record.schedule.lane is None and not self._unfinished.of(record.key)

    def may_be_ready(self, handlers: Collection[str]) -> bool:
        """Whether a queue of these handlers holds anything, be it used up."""
        return self._waiting.may_be_ready(handlers)

    async def read_ready(
        self, handlers: Collection[str], limit: int, aged_at: int = EARLIEST, closed: Collection[str] = ()
    ) -> list[RunRecord]:
        """Return up to `limit` pending runs of these handlers that wait for nothing but a worker."""
        return self._waiting.ready(handlers, limit, aged_at, closed)

    async def held_needing(self, resources: Collection[str]) -> Mapping[str, int]:
        """Return how many claimed and running runs need each of these resources."""
        return Counter(name for run in self._held.values() for name in needs_of(run.schedule.schedule, resources))

    # Committing

    async def commit(self, changes: Sequence[Change]) -> list[Verdict]:
        """Keep each change that still fits, in order, and return what became of each."""
        return [DONE if self._keep(change) else REFUSED for change in changes]

    def _fits(self, change: Change) -> bool:
        decided = change.decided
        if len(decided) > 1 and len({(run.origin, run.occurrence) for run in decided}) < len(decided):
            return False
        for run in decided:
            if self._history.decided(run):
                return False
            if run.lane in self._waiting.busy_lanes and run.state is State.CLAIMED:
                return False
        for move in change.moved:
            record = move.record
            if (
                record.cursor_at != move.expected_cursor_at
                or record.revision != move.expected_revision
                or record.next_due_at != move.expected_next_due_at
                or record.removed
            ):
                return False
        for step in change.steps:
            if not self._step_fits(step):
                return False
        for put in change.schedules:
            if not self._schedule_fits(put):
                return False
        for document in change.documents:
            if not self._papers.document_fits(document):
                return False
        return not change.quotas or self._shelf.allows(change)

    def _step_fits(self, step: RunStep) -> bool:
        run = step.run
        if run.token != step.token or self._history.get(run.run_id) is None:
            return False
        match step:
            case Finished():
                return step.step in TABLE[run.state]
            case Claim():
                free = run.lane is None or run.lane not in self._waiting.busy_lanes or run.holds_lane
                return run.state is State.PENDING and free
            case Started():
                return run.state is State.CLAIMED
            case CancelAsked() | Progressed():
                return run.state is State.CLAIMED or run.state is State.RUNNING
            case Requeued():
                return step.step in TABLE[run.state] and run.cancel is None
            case Voided() | Cut():
                return run.voided_at is None

    def _schedule_fits(self, step: ScheduleStep) -> bool:
        if isinstance(step, AddSchedules):
            return self._shelf.has_none([schedule.name for schedule in step.schedules])
        if not isinstance(step, PutSchedule):
            record = self._shelf.get(step.record.key)
            if record is None or record.revision != step.expected_revision:
                return False
            return isinstance(step, RemoveSchedule) or (record.cursor_at, record.next_due_at) == (
                step.expected_cursor_at,
                step.expected_next_due_at,
            )
        record = self._shelf.named(step.schedule.name)
        if record is None:
            return step.expected_key == step.expected_revision == 0
        if record.key != step.expected_key or record.revision != step.expected_revision:
            return False
        at, expected_at = record.cursor_at, step.expected_cursor_at
        return expected_at is None or (at == expected_at and record.next_due_at == step.expected_next_due_at)

    def _keep(self, change: Change) -> bool:
        """Keep all of a change, or nothing where it does not fit; return whether it is kept."""
        if not self._fits(change):
            return False
        for step in change.steps:
            self._keep_step(step)
        for move in change.moved:
            self._keep_move(move)
        for run in change.decided:
            self._keep_decision(run)
        for put in change.schedules:
            match put:
                case AddSchedules():
                    self._shelf.add_many(put)
                case PutSchedule():
                    self._keep_schedule(put)
                case RemoveSchedule():
                    self._shelf.remove(put.record)
                case SetBack():
                    apply_set_back(put)
                    self._shelf.put_in_order(put.record)
        for document in change.documents:
            self._papers.put(document)
        for entry in change.journal:
            self._papers.append(entry)
        return True

    def _keep_decision(self, run: RunRecord) -> None:
        self._history.add(run)
        if run.state not in ACTIVE:
            self._history.ended(run)
            return
        self._unfinished.add(run)
        if run.lane is not None:
            self._waiting.enter(run, run.lane)
        if run.state is PENDING:
            self._waiting.put(run, run.decided_at)
            return
        self._held[run.run_id] = run
        if run.lane is not None:
            self._waiting.hold(run, run.lane)

    def _keep_move(self, move: CursorMove) -> None:
        record = move.record
        record.cursor_at = move.cursor_at
        record.next_due_at = move.next_due_at
        record.runs = move.runs
        record.state = move.state
        if move.anchor_at is not None:
            record.anchor_at = move.anchor_at
        if move.resumed:
            record.pause = None
        self._shelf.put_in_order(record)

    def _keep_step(self, step: RunStep) -> None:
        run = step.run
        apply(step)
        match step:
            case Finished():
                if self._held.pop(run.run_id, None) is None:  # it waited
                    self._index.discard(~run.run_id)
                self._history.ended(run)
                self._unfinished.remove(run)
                if run.lane is not None:
                    self._waiting.leave(run, run.lane, step.at)
            case Claim():
                self._held[run.run_id] = run
                self._index.discard(~run.run_id)
                if run.lane is not None:
                    self._waiting.hold(run, run.lane)
            case Requeued():
                self._held.pop(run.run_id, None)
                self._waiting.put_again(run, step.at)
            case Started() | Progressed() | CancelAsked() | Voided() | Cut():
                pass

    # Schedules

    async def get_schedule(self, name: str) -> ScheduleRecord | None:
        """Return the schedule of that name, or None; removed ones are not found."""
        return self._shelf.named(name)

    async def get_schedules(self, names: Sequence[str]) -> list[ScheduleRecord | None]:
        """Return the schedules of these names, None for each that is not there."""
        return self._shelf.those_named(names)

    async def count_owned(self, owner: str) -> int:
        """Return how many schedules an owner has stored."""
        return self._shelf.owned_by(owner)

    async def find_schedules(self, query: ScheduleQuery) -> Page[ScheduleRecord]:
        """Return one page of schedules."""
        return page_of_schedules(self._shelf.all(), query)

    def _keep_schedule(self, put: PutSchedule) -> None:
        record = self._shelf.named(put.schedule.name)
        if record is None:
            self._shelf.add(put)
            return
        queued = self._queued_runs(record, put)
        self._shelf.revise(record, put)
        for run in queued:
            self._waiting.put_again(run, max(run.due_at, put.cursor_at))

    def _queued_runs(self, record: ScheduleRecord, put: PutSchedule) -> list[RunRecord]:
        """Return the runs of a schedule that change their place in a queue when it is put anew."""
        before, after = record.schedule, put.schedule
        if (before.handler, before.priority, before.resources) == (after.handler, after.priority, after.resources):
            return []
        return [
            run
            for run in self._unfinished.of(record.key)
            if run.waiting_for in (WaitingFor.HANDLER, WaitingFor.LANE, WaitingFor.OVERLAP)
        ]

    # Runs

    async def get_run(self, run_id: int) -> RunRecord | None:
        """Return the run with that number, or None."""
        return self._history.get(run_id)

    async def get_run_of(self, name: str, nominal_at: int, origin: Origin, epoch: int) -> RunRecord | None:
        """Return the run of an occurrence, or None; those of removed schedules are searched one by one."""
        record = self._shelf.named(name)
        if record is not None:
            run = self._history.get_occurrence(origin, record.key, epoch, nominal_at)
            if run is not None:
                return run
        for run in self._history.all():
            if run.schedule.schedule.name == name and (*run.occurrence[1:], run.origin) == (epoch, nominal_at, origin):
                return run
        return None

    async def runs_of(self, schedule: ScheduleRecord, instants: Sequence[int]) -> list[RunRecord]:
        """Return what stands for occurrences of a schedule, in order of decision; all runs are looked through."""
        return [
            run
            for run in self._history.all()
            if run.schedule.key == schedule.key and stands_for_one(instants, run.nominal_at, run.last_at)
        ]

    async def unfinished_runs(
        self, *, schedule: ScheduleRecord | None = None, lane: str | None = None, node: str | None = None
    ) -> list[RunRecord]:
        """Return the runs with steps to go, of one schedule or lane, or held by one node, in order of decision."""
        mine = self._unfinished if schedule is None else self._unfinished.of(schedule.key)
        runs = [
            run
            for run in mine
            if (lane is None or run.lane == lane)
            and (node is None or (run.node == node and run.state is not State.PENDING))
        ]
        return sorted(runs, key=lambda run: run.run_id)

    async def find_runs(self, query: RunQuery) -> Page[RunRecord]:
        """Return one page of runs; a question for unfinished ones does not look through the history."""
        if query.states is not None and query.states <= ACTIVE:
            return page_of_runs(self._unfinished, query)
        return page_of_runs(self._history.all(), query)

    async def retried(self, runs: Sequence[RunRecord]) -> frozenset[int]:
        """Return the numbers of those of these runs of which a retry is kept."""
        return self._history.retried().intersection(run.run_id for run in runs)

    async def statistics(self) -> Statistics:
        """Return counts over all that is kept."""
        runs, occurrences = self._history.counts()
        waiting = [run for run in self._unfinished if run.state is State.PENDING]
        pending = [run.due_at for run in waiting if run.origin is not Origin.BACKFILL]
        return Statistics(self._shelf.states(), runs, occurrences, min(pending, default=None))

    async def prune(self, retention: Retention) -> int:
        """Forget up to `retention.limit` rows that may be forgotten and return how many were."""
        runs = self._history.forget(retention)
        over = [
            record
            for record in self._shelf.seen()
            if record.state is ScheduleState.FINISHED
            and record.cursor_at < retention.schedules_before
            and record.key not in self._unfinished
            and not declares_at_start(record.schedule.owner)
        ][: retention.limit - runs]
        for record in over:
            self._shelf.remove(record)
        rows = runs + len(over)
        return rows + self._papers.forget(retention, retention.limit - rows)

    # Documents and journals

    async def get_document(self, namespace: str, key: str) -> Document | None:
        """Return a document, or None."""
        return self._papers.get(namespace, key)

    async def list_documents(self, namespace: str, *, after: str = "", limit: int = 100) -> list[Document]:
        """Return up to `limit` documents of a namespace with keys greater than `after`, by key."""
        return self._papers.list_documents(namespace, after, limit)

    async def read_journal(self, namespace: str, *, after: int = 0, limit: int = 100) -> list[JournalEntry]:
        """Return up to `limit` entries with `seq` greater than `after`, by `seq`."""
        return self._papers.read_journal(namespace, after, limit)
