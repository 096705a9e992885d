"""`SqliteScheduleRepository`: schedules and runs in one SQLite file, shared by the processes of one machine.

Readiness, lanes and occupancy are questions to the file, never counters beside it (S2.7). What is due next is kept in
memory as well, up to a horizon; what another process commits has it read anew.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import attrs
import trio

from trioarm.core.changes import Change, CursorMove, PutSchedule, Verdict, apply
from trioarm.core.errors import RepositoryError
from trioarm.core.instants import LATEST, SECOND
from trioarm.core.planning import Group
from trioarm.core.queries import (
    Document,
    JournalEntry,
    Page,
    Retention,
    RunQuery,
    ScheduleQuery,
    Statistics,
)
from trioarm.core.run import Origin, RunRecord
from trioarm.core.schedule import ScheduleRecord
from trioarm.core.states import Reason, State
from trioarm.engine.ports import DueView
from trioarm.links.threads import Thread
from trioarm.links.watch import DirectoryWatch
from trioarm.repositories.sqlite import hot, statements
from trioarm.repositories.sqlite.database import Database
from trioarm.repositories.sqlite.history import History, forget
from trioarm.repositories.sqlite.horizon import Horizon, load
from trioarm.repositories.sqlite.nodes import BootClock, Nodes, SystemBootClock
from trioarm.repositories.sqlite.rows import Records, Row, is_quarantined
from trioarm.repositories.sqlite.writing import Kept, write_changes

HORIZON_S: Final = 3_600.0  # how far ahead due entries are in memory
LOST_MAX: Final = 1_000  # runs of nodes that are gone handed out at once; the next look brings more
LOOK_LATER_S: Final = (0.002, 0.01, 0.05, 0.2, 0.5, 2.0)  # after news: the disk may take its time to keep a commit
LOOK_S: Final = 0.5  # between two looks for what others did, where the system does not tell

T = TypeVar("T")

_log = logging.getLogger("trioarm.store")


@attrs.define(slots=True, eq=False)
class _Waiting:
    """Changes that wait to be written, and what became of them."""

    changes: Sequence[Change]
    verdicts: list[Verdict] = attrs.Factory(list)


class SqliteScheduleRepository:
    """Keeps everything in one SQLite file. Implements `trioarm.engine.ports.ScheduleRepository`.

    Args:
        path: of the file; made when it is not there, readable by its owner alone.
        horizon_s: how far ahead due entries are in memory, in seconds.
        thread: makes the threads that work on the file.
        boot_clock: what leases count by.
        migrate: false to refuse a file of an older version.
    """

    leased = True
    batch = 1_000  # measured: one thread and one commit to the disk are shared by all of them

    def __init__(
        self,
        path: Path | str,
        *,
        horizon_s: float = HORIZON_S,
        thread: Callable[[], Thread] = Thread,
        boot_clock: BootClock | None = None,
        migrate: bool = True,
    ) -> None:
        self.path = Path(path)
        self.url = f"sqlite:///{self.path}"
        self.horizon_s = horizon_s
        self._migrate = migrate
        self._database = Database(self.path, thread)
        self._records = Records()
        self._history = History(self._database, self._records, lambda: self._now)
        self._nodes = Nodes(self.path, boot_clock or SystemBootClock())
        self._horizon = Horizon()
        self._now = 0  # the latest instant anybody spoke of: what is due by then is ready
        self._version: int | None = None  # of the data: SQLite changes it when another connection commits
        self._stale = True  # whether the horizon has to be read anew
        self._look_at: int | None = 0  # when to look for nodes that are gone; None while there is no other node
        self._changed = trio.Event()
        self._idle: set[str] = set()  # handlers that nothing is ready for
        self._queue: list[_Waiting] = []
        self._turn = trio.Lock()
        self._trouble: str | None = None

    async def open(self) -> None:
        """Open the file, and fill the due index with what comes first.

        Raises:
            RepositoryError: it cannot be opened; the message says what to do.
        """
        await self._database.open(migrate=self._migrate)
        await self._look_ahead(0, LATEST)

    async def close(self) -> None:
        """Close the file. Calling it again does nothing."""
        await self._database.close()
        self._nodes.unlock()

    # What other processes do

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Notice what other processes commit, and nodes that end, until cancelled.

        Cancellation: at any checkpoint; what is not noticed here is noticed by the next commit or look.
        """
        watch = DirectoryWatch.open(self.path.absolute().parent)
        task_status.started()
        try:
            while True:
                if watch is None:
                    await trio.sleep(LOOK_S)
                    await self._look_for_changes()
                else:
                    await self._hear(await watch.names())
                    await self._look_later(watch)
        finally:
            if watch is not None:
                watch.close()

    async def _look_later(self, watch: DirectoryWatch) -> None:
        """Look again: a write is told of before its commit can be seen, which is once it is on the disk."""
        pauses = iter(LOOK_LATER_S)
        while (pause_s := next(pauses, None)) is not None:
            names = None
            with trio.move_on_after(pause_s):
                names = await watch.names()
            if names is None:
                await self._look_for_changes()
            else:
                await self._hear(names)
                pauses = iter(LOOK_LATER_S)

    async def _hear(self, names: frozenset[str]) -> None:
        if self._nodes.concerns(names) or "" in names:
            self._look_at = 0
            self._tell_changed()
        if names & self._files or "" in names:
            await self._look_for_changes()

    @property
    def _files(self) -> frozenset[str]:
        return frozenset({self.path.name, f"{self.path.name}-wal"})

    async def _look_for_changes(self) -> None:
        with suppress(RepositoryError):  # the engine meets it, too, and says so
            await self._ask(lambda connection: None)

    async def changed(self) -> None:
        """Return once another process may have changed what is kept."""
        await self._changed.wait()

    def _tell_changed(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    def _note(self, version: int) -> None:
        """Note which version of the data was met, and that another connection made it, if so."""
        if self._version is not None and version != self._version:
            self._stale = True
            self._idle.clear()
            if self._look_at is None:
                self._look_at = 0  # it may be a node
            self._tell_changed()
        self._version = version

    async def _ask(self, work: Callable[[sqlite3.Connection], T]) -> T:
        version, found = await self._database.look(partial(_with_version, work))
        self._note(version)
        return found

    async def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        version, done = await self._database.write(partial(_with_version, work))
        self._note(version)
        return done

    # Nodes

    async def join(self, node: str, now: int) -> None:
        """Let a node of this process hold runs.

        Raises:
            RepositoryError: its lock or its lease cannot be kept.
        """
        await self._write(partial(self._nodes.join, node, now))
        self._look_at = 0

    async def renew(self, node: str) -> bool:
        """Renew the lease of a node; False when it was given up for gone.

        Raises:
            RepositoryError: it is not renewed.
        """
        return await self._write(partial(self._nodes.renew, node))

    async def leave(self, node: str) -> None:
        """Let a node end: it holds nothing any more."""
        with suppress(RepositoryError):  # its lease runs out all the same, and its lock is free at once
            await self._write(partial(self._nodes.leave, node))
        self._nodes.unlock()

    # What is due, and what could start

    @property
    def next_due_at(self) -> int | None:
        """The earliest instant at which time alone makes something due; None when nothing will."""
        if self._stale:
            return self._now
        due_at = self._horizon.next_due_at
        if self._nodes.own is None or self._look_at is None:
            return due_at
        return self._look_at if due_at is None else min(due_at, self._look_at)

    async def read_due(self, now: int, limit: int) -> DueView:
        """Return up to `limit` due entries, and runs of nodes that are gone; without a thread when there are none.

        Raises:
            RepositoryError: the file cannot be read.
        """
        self._now = now
        gone = await self._look_at_others(now)
        keys = None if self._stale else self._horizon.due(now, limit)
        if keys is None:
            await self._look_ahead(now, now + round(self.horizon_s * SECOND))
            keys = self._horizon.due(now, limit) or []
        if not keys and not gone:
            return DueView([], [], ())
        schedules, runs = [key for key in keys if key >= 0], [~key for key in keys if key < 0]
        due = await self._ask(partial(hot.read_due, keys=schedules, run_ids=runs, gone=gone, limit=LOST_MAX))
        records = self._records.schedules(due.schedules)
        await self._quarantine(due.schedules, records)
        view = DueView(self._groups(schedules, due, records, now), [], due.busy_lanes)
        self._sort_runs(runs, due, records, view)
        view.lost += await self._readable(self._records.runs(due.lost, records, now))
        if gone and not due.lost:
            await self._write(partial(self._nodes.forget, gone))
        elif gone:
            self._look_at = now
        return view

    async def _look_at_others(self, now: int) -> Sequence[str]:
        if self._nodes.own is None or self._look_at is None or now < self._look_at:
            return ()
        others = await self._ask(self._nodes.others)
        self._look_at = None if others.look_after is None else now + others.look_after
        return others.gone

    async def _look_ahead(self, now: int, until_at: int) -> None:
        loaded = await self._ask(partial(load, now=now, until_at=until_at))
        self._horizon.replace(loaded)
        self._stale = False

    def _groups(self, keys: Iterable[int], due: hot.Due, records: dict[int, ScheduleRecord], now: int) -> list[Group]:
        """Return a group for each schedule that is due, one for each superseding lane."""
        unfinished = self._records.runs(due.unfinished.values(), records, now)
        groups: list[Group] = []
        lanes: set[str] = set()
        for key in keys:
            record = records.get(key)
            if record is None:
                self._horizon.discard(key)
                continue
            schedule = record.schedule
            if record.removed or record.wakes_at is None or record.wakes_at > now:
                self._horizon.put_schedule(record)  # another process was faster
            elif not schedule.supersede:
                groups.append(Group((record,), [run for run in unfinished if run.schedule is record]))
            elif schedule.lane is not None and schedule.lane not in lanes:
                lanes.add(schedule.lane)
                members = [one for one in records.values() if _supersedes_in(one, schedule.lane)]
                groups.append(Group(members, [run for run in unfinished if run.lane == schedule.lane]))
        return groups

    def _sort_runs(
        self, run_ids: Iterable[int], due: hot.Due, records: dict[int, ScheduleRecord], view: DueView
    ) -> None:
        """Tell runs that have waited too long from those that wait for something else than time from now on."""
        now = self._now
        found = {run.run_id: run for run in self._records.runs(due.runs, records, now)}
        for run_id in run_ids:
            run = found.get(run_id)
            if run is None:
                self._horizon.discard(~run_id)
            elif _has_waited_too_long(run, now):
                view.expired.append(run)
            else:
                self._horizon.put_run(run, now)
                self._idle.discard(run.schedule.schedule.handler)

    def may_be_ready(self, handlers: Collection[str]) -> bool:
        """Whether a run of these handlers may wait for a worker, as far as this process knows."""
        return not self._idle.issuperset(handlers)

    async def read_ready(self, handlers: Collection[str], limit: int) -> list[RunRecord]:
        """Return up to `limit` pending runs of these handlers that wait for nothing but a worker.

        Raises:
            RepositoryError: the file cannot be read.
        """
        now = self._now
        self._idle.update(handlers)
        found = await self._ask(partial(hot.read_ready, handlers=handlers, now=now, limit=limit))
        if found.runs:
            self._idle.difference_update(handlers)
        return await self._readable(self._records.runs(found.runs, self._records.schedules(found.schedules), now))

    # Quarantine

    async def _quarantine(self, rows: dict[int, Row], records: dict[int, ScheduleRecord]) -> None:
        """Take schedules whose rows are nonsense out of the due index: kept, visible, never due again (S2.6)."""
        for key, record in records.items():
            if record.trouble is not None and not is_quarantined(rows[key]):
                _log.error("schedule %s is quarantined: %s", record.schedule.name, record.trouble)
                await self._carry_out(statements.QUARANTINE_SCHEDULE, record.trouble, key)
                self._horizon.discard(key)

    async def _readable(self, runs: list[RunRecord]) -> list[RunRecord]:
        """Return runs without those whose rows are nonsense, which end here: nobody knows what they were to do."""
        for run in runs:
            if run.reason is Reason.UNREADABLE:
                _log.error("run %d of %s is quarantined: %s", run.run_id, run.schedule.schedule.name, run.error)
                await self._carry_out(statements.QUARANTINE_RUN, run.error, self._now, run.run_id)
                self._horizon.discard(~run.run_id)
        return [run for run in runs if run.reason is not Reason.UNREADABLE]

    async def _carry_out(self, statement: str, *values: object) -> None:
        await self._write(lambda connection: connection.execute(statement, values))

    # Committing

    async def commit(self, changes: Sequence[Change]) -> list[Verdict]:
        """Keep each change that still fits, in order; what several tasks commit at once shares a transaction.

        Cancellation: while it waits; then nothing was written.
        """
        if not changes:
            return []
        waiting = _Waiting(changes)
        self._queue.append(waiting)
        try:
            async with self._turn:
                if not waiting.verdicts:
                    await self._write_queue()
        finally:
            if not waiting.verdicts:
                self._queue.remove(waiting)
        return waiting.verdicts

    async def _write_queue(self) -> None:
        """Write all changes that wait, or say of all that nobody knows (S7.4)."""
        batch = self._queue[:]
        changes = [change for waiting in batch for change in waiting.changes]
        try:
            kept = await self._write(partial(write_changes, changes=changes))
        except RepositoryError as error:
            self._complain(error)
            verdicts = [Verdict.UNKNOWN] * len(changes)
        else:
            self._complain(None)
            verdicts = [Verdict.REFUSED if one is None else Verdict.DONE for one in kept]
            for change, one in zip(changes, kept, strict=True):
                if one is not None:
                    self._settle(change, one)
        del self._queue[: len(batch)]
        for waiting in batch:
            waiting.verdicts, verdicts = verdicts[: len(waiting.changes)], verdicts[len(waiting.changes) :]

    @property
    def trouble(self) -> str | None:
        """Why the last commit could not be made; None when it could."""
        return self._trouble

    def _complain(self, error: RepositoryError | None) -> None:
        if error is not None and self._trouble is None:
            _log.error("%s", error)
        self._trouble = None if error is None else str(error)

    def _settle(self, change: Change, kept: Kept) -> None:
        """Let records and horizon show what is kept."""
        for step in change.steps:
            apply(step)
            self._note_run(step.run, step.at)
        for move in change.moved:
            _apply_move(move)
            self._horizon.put_schedule(move.record)
        for run, run_id in zip(change.decided, kept.run_ids, strict=True):
            run.run_id = run_id
            self._note_run(run, run.decided_at)
        keys = iter(kept.keys)
        for put in change.schedules:
            if isinstance(put, PutSchedule):
                self._note_put(put, next(keys))
            else:
                put.record.removed = True
                self._horizon.discard(put.record.key)

    def _note_run(self, run: RunRecord, now: int) -> None:
        self._now = max(self._now, now)
        if run.state is State.PENDING:
            self._idle.discard(run.schedule.schedule.handler)
        elif run.lane is not None and not run.unfinished:
            self._idle.clear()  # whoever waits for the lane may have any handler
        self._horizon.put_run(run, now)

    def _note_put(self, put: PutSchedule, key: int) -> None:
        schedule = put.schedule
        record = ScheduleRecord(
            key,
            schedule,
            put.expected_revision + 1,
            put.cursor_at,
            put.next_due_at,
            put.anchor_at,
            0,
            put.state,
            put.pause,
            amendments=put.amendments,
        )
        self._records.keep(key, record.revision, schedule)
        self._horizon.put_schedule(record)
        if put.expected_key:
            self._idle.clear()  # its runs may have another handler now

    # Questions

    async def get_schedule(self, name: str) -> ScheduleRecord | None:
        """Return the schedule of that name, or None; removed ones are not found."""
        return (await self._history.schedules([name]))[0]

    async def get_schedules(self, names: Sequence[str]) -> list[ScheduleRecord | None]:
        """Return the schedules of these names, None for each that is not there."""
        return await self._history.schedules(names)

    async def find_schedules(self, query: ScheduleQuery) -> Page[ScheduleRecord]:
        """Return one page of schedules."""
        return await self._history.schedule_page(query)

    async def get_run(self, run_id: int) -> RunRecord | None:
        """Return the run with that number, or None."""
        runs = await self._history.runs(statements.RUN_BY_ID, (run_id,))
        return runs[0] if runs else None

    async def get_run_of(self, name: str, nominal_at: int, origin: Origin, epoch: int) -> RunRecord | None:
        """Return the run of an occurrence, or None; of a removed schedule too, while its history is kept."""
        return await self._history.run_of(name, nominal_at, origin, epoch)

    async def unfinished_runs(
        self, *, schedule: ScheduleRecord | None = None, lane: str | None = None, node: str | None = None
    ) -> list[RunRecord]:
        """Return the runs with steps to go, of one schedule or lane, or held by one node, in order of decision."""
        return await self._history.unfinished(None if schedule is None else schedule.key, lane, node)

    async def find_runs(self, query: RunQuery) -> Page[RunRecord]:
        """Return one page of runs."""
        return await self._history.run_page(query)

    async def statistics(self) -> Statistics:
        """Return counts over all that is kept."""
        return await self._history.statistics()

    async def prune(self, retention: Retention) -> int:
        """Forget up to `retention.limit` rows that may be forgotten and return how many were."""
        found = await self._history.forgettable(retention)
        if found.runs or found.schedules:
            await self._write(partial(forget, found))
            for key in found.schedules:
                self._horizon.discard(key)
        return len(found.runs) + len(found.schedules)

    async def get_document(self, namespace: str, key: str) -> Document | None:
        """Return a document, or None."""
        return await self._history.document(namespace, key)

    async def list_documents(self, namespace: str, *, after: str = "", limit: int = 100) -> list[Document]:
        """Return up to `limit` documents of a namespace with keys greater than `after`, by key."""
        return await self._history.documents(namespace, after, limit)

    async def read_journal(self, namespace: str, *, after: int = 0, limit: int = 100) -> list[JournalEntry]:
        """Return up to `limit` entries with `seq` greater than `after`, by `seq`."""
        return await self._history.journal(namespace, after, limit)


def _with_version(work: Callable[[sqlite3.Connection], T], connection: sqlite3.Connection) -> tuple[int, T]:
    """Carry out work, and say which version of the data it was carried out on."""
    (version,) = connection.execute("PRAGMA data_version").fetchone()
    return version, work(connection)


def _supersedes_in(record: ScheduleRecord, lane: str) -> bool:
    return record.schedule.supersede and record.schedule.lane == lane and not record.removed


def _has_waited_too_long(run: RunRecord, now: int) -> bool:
    return run.state is State.PENDING and run.due_at <= now and run.give_up_at is not None and run.give_up_at <= now


def _apply_move(move: CursorMove) -> None:
    """Let the record of a move show what is kept."""
    record = move.record
    record.cursor_at, record.next_due_at = move.cursor_at, move.next_due_at
    record.runs, record.state = move.runs, move.state
    if move.anchor_at is not None:
        record.anchor_at = move.anchor_at
    if move.resumed:
        record.pause = None
