"""`SqliteScheduleRepository`: schedules and runs in one SQLite file, shared by the processes of one machine.

Readiness, lanes and occupancy are questions to the file, never counters beside it (S2.7). What is due next is kept in
memory as well, up to a horizon; what another process commits has it read anew.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from math import inf
from pathlib import Path
from typing import Final, TypeVar

import trio

from trioarm.core.changes import Change, Verdict
from trioarm.core.correcting import Ahead
from trioarm.core.errors import RepositoryError
from trioarm.core.instants import EARLIEST, LATEST, SECOND
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
from trioarm.core.record import ScheduleRecord
from trioarm.core.run import Origin, RunRecord
from trioarm.core.states import State
from trioarm.engine.attempt import RunContext, current_run
from trioarm.engine.leases import LEASE_S
from trioarm.engine.ports import DueView
from trioarm.links.threads import Thread
from trioarm.repositories.sqlite import ahead, hot, statements
from trioarm.repositories.sqlite.commits import Commits
from trioarm.repositories.sqlite.database import LOCKED_S_MAX, Database
from trioarm.repositories.sqlite.history import History
from trioarm.repositories.sqlite.horizon import load
from trioarm.repositories.sqlite.learning import Learning
from trioarm.repositories.sqlite.news import News
from trioarm.repositories.sqlite.nodes import BootClock, Nodes, SystemBootClock
from trioarm.repositories.sqlite.pruning import Pruning
from trioarm.repositories.sqlite.quarantine import Quarantine
from trioarm.repositories.sqlite.readiness import Readiness
from trioarm.repositories.sqlite.recall import Recall
from trioarm.repositories.sqlite.rows import Records

HORIZON_S: Final = 3_600.0  # how far ahead due entries are in memory
SEEN_S: Final = 0.05  # for how long a look at the file counts; what another process decides meanwhile, it refuses
LOST_MAX: Final = 1_000  # runs of nodes that are gone handed out at once; the next look brings more
LOOK_AGAIN_S: Final = 0.05  # after news of a node's file: the system tells of its end before its lock is free
NEWS_S: Final = 2.0  # for as long as that may take on a busy machine

T = TypeVar("T")


class SqliteScheduleRepository:
    """Keeps everything in one SQLite file. Implements `trioarm.engine.ports.ScheduleRepository`.

    Args:
        path: of the file; made when it is not there, readable by its owner alone.
        horizon_s: how far ahead due entries are in memory, in seconds.
        thread: makes the threads that work on the file.
        boot_clock: what leases count by.
        migrate: false to refuse a file of an older version.
        patience_s: how long to wait for another process that holds the file, in seconds.
        lease_s: how long a lease lasts, in seconds; the same for all nodes of a file.
    """

    batch = 1_000  # measured: one thread and one commit to the disk are shared by all of them

    def __init__(
        self,
        path: Path | str,
        *,
        horizon_s: float = HORIZON_S,
        thread: Callable[[], Thread] = Thread,
        boot_clock: BootClock | None = None,
        migrate: bool = True,
        patience_s: float = LOCKED_S_MAX,
        lease_s: float = LEASE_S,
    ) -> None:
        self.path = Path(path)
        self.lease_s: float | None = lease_s
        self.url = f"sqlite:///{self.path}"
        self.horizon_s = horizon_s
        self._migrate = migrate
        self._database = Database(self.path, thread, patience_s=patience_s)
        self._records = Records()
        self._history = History(self._database, self._records, lambda: self._recall.now)
        self._nodes = Nodes(self.path, boot_clock or SystemBootClock(), lease_s)
        self._recall = Recall(self._records)
        self._learning = Learning(self._records, self._recall, Quarantine(self._write))
        self._readiness = Readiness(self._ask, self._recall, self._learning)
        forget = partial(self._write, synced=False)  # what comes back when the power fails is forgotten once more
        self._pruning = Pruning(self._database.read, forget, self._recall.forget_schedules)
        self._commits = Commits(self._write, self._recall.keep, self._recall.forget)
        self._seen_at = -inf  # trio's time at which the file was last seen, and whether another process had committed
        self._version: int | None = None  # of the data: SQLite changes it when another connection commits
        # In boot time: when to look for nodes that are gone; None while there is no other.
        self._look_at: int | None = 0
        self._read_at = (0, 0)  # what the wall and the boot clock showed when it was last asked what is due
        self._news_until = -inf  # trio's time until which it pays to look for nodes that are gone again and again
        self._changed = trio.Event()
        self._news = News(self.path, self._look_for_changes, self._hear_of_a_node)
        self._opened_by: RunContext | None = None  # a handler may open one of its own
        self.written_at: int | None = None
        self.zone_data: str | None = None

    async def open(self) -> None:
        """Open the file, and fill the due index with what comes first.

        Raises:
            RepositoryError: it cannot be opened; the message says what to do.
        """
        await self._database.open(migrate=self._migrate)
        self._opened_by = current_run()
        await self._look_ahead(0, LATEST)
        self.written_at, self.zone_data = await self._ask(ahead.written)

    async def close(self) -> None:
        """Close the file. Calling it again does nothing.

        Raises:
            RepositoryError: a handler calls it, whose node needs it.
        """
        if current_run() not in (None, self._opened_by):
            raise RepositoryError(f"{self.path} is the store of the node: a handler cannot close it")
        await self._database.close()
        self._nodes.unlock()

    def abandon(self) -> None:
        """Lose the lock of its node, as when the process is killed: for whoever plays that it was."""
        self._nodes.abandon()

    def take_for_now(self, now: int) -> None:
        """Count as due what is due by then, without looking for it: for whoever only asks what is kept."""
        self._recall.now = now

    # What other processes do

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Notice what other processes commit, and nodes that end, until cancelled.

        Cancellation: at any checkpoint; what is not noticed here is noticed by the next commit or look.
        """
        await self._news.run(task_status=task_status)

    def _hear_of_a_node(self) -> None:
        self._look_at = 0
        self._news_until = trio.current_time() + NEWS_S
        self._tell_changed()

    async def _look_for_changes(self) -> None:
        try:
            await self._ask(lambda connection: None)
        except RepositoryError:
            self._tell_changed()  # let the engine meet it, too, and say so

    async def changed(self) -> None:
        """Return once another process may have changed what is kept."""
        await self._changed.wait()

    def _tell_changed(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    def _note(self, version: int) -> None:
        """Note which version of the data was met, and that another connection made it, if so."""
        if self._version is not None and version != self._version:
            self._recall.forget()
            if self._look_at is None:
                self._look_at = 0  # it may be a node
            self._tell_changed()
        self._seen_at = trio.current_time()
        self._version = version

    async def _ask(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with self._news.asking():
            version, found = await self._database.look(partial(_and_version_before, work))
        self._note(version)
        return found

    async def _write(self, work: Callable[[sqlite3.Connection], T], *, synced: bool = True) -> T:
        with self._news.asking():
            version, done = await self._database.write(partial(_and_version_after, work), synced=synced)
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

    async def renew(self, node: str, now: int) -> bool:
        """Renew the lease of a node; False when it was given up for gone.

        Raises:
            RepositoryError: it is not renewed.
        """
        return await self._write(partial(self._nodes.renew, node, now))

    def renew_blocking(self, node: str, now: int) -> bool:
        """Renew the lease of a node, from any thread.

        Raises:
            RepositoryError: it is not renewed.
        """
        return self._database.write_blocking(partial(self._nodes.renew, node, now))

    async def leave(self, node: str) -> None:
        """Let a node end: it holds nothing any more."""
        with suppress(RepositoryError):  # its lease runs out all the same, and its lock is free at once
            await self._write(partial(self._nodes.leave, node))
        self._nodes.unlock()

    # A clock that was set back

    async def read_ahead(self, now: int, *, after: int = 0, limit: int = 100) -> list[Ahead]:
        """Return up to `limit` schedules with keys greater than `after` whose cursor is later than now, by key.

        Raises:
            RepositoryError: the file cannot be read.
        """
        found = await self._ask(partial(ahead.read, now=now, after=after, limit=limit))
        return list(ahead.records(found, self._records, now))

    async def computed_by(self, zone_data: str) -> None:
        """Note by which version of the tz database stored instants are computed now.

        Raises:
            RepositoryError: it is not noted.
        """
        await self._carry_out(statements.COMPUTED_BY, zone_data)

    async def taken_back(self, now: int) -> None:
        """Note that nothing is decided beyond `now` any more.

        Raises:
            RepositoryError: it is not noted.
        """
        await self._carry_out(statements.TAKE_BACK, now)

    # What is due, and what could start

    @property
    def next_due_at(self) -> int | None:
        """The earliest instant at which time alone makes something due; None when nothing will."""
        if self._recall.is_stale:
            return self._recall.now
        due_at = self._recall.horizon.next_due_at
        if self._nodes.own is None or self._look_at is None:
            return due_at
        wall, boot = self._read_at
        look_at = wall + self._look_at - boot
        return look_at if due_at is None else min(due_at, look_at)

    async def read_due(self, now: int, limit: int) -> DueView:
        """Return up to `limit` due entries, and runs of nodes that are gone; without a thread when there are none.

        Raises:
            RepositoryError: the file cannot be read.
        """
        self._recall.now = now
        self._read_at = now, self._nodes.now()
        gone = await self._look_at_others()
        keys = await self._due_keys(now, limit)
        if not keys and not gone:
            return DueView([], [], ())
        if not gone and (groups := self._remembered(keys)):
            return DueView(groups, [], ())
        age = self._recall.age
        due = await self._read_due(keys, gone)
        if self._recall.is_stale:  # another process committed since: what is remembered was forgotten, so ask for all
            age = self._recall.age
            due = await self._read_due(keys, gone)
        records = {key: record for key in keys if (record := self._recall.schedules.get(key)) is not None}
        records |= await self._learning.schedules(due.schedules)
        unfinished = await self._learning.runs(due.unfinished.values(), records)
        self._recall.learn_unfinished((key for key in keys if key >= 0 and key not in due.many), unfinished, age)
        view = DueView(self._recall.groups(keys, unfinished, records), [], due.busy_lanes)
        self._sort_runs(keys, due, records, view)
        view.lost += await self._learning.runs(due.lost, records)
        if gone and not due.lost:
            await self._write(partial(self._nodes.forget, gone))
        elif gone:
            self._look_at = 0
        return view

    def _remembered(self, keys: Sequence[int]) -> Collection[Group] | None:
        """Return what is due without asking the file, which was seen a moment ago; None where that is not enough."""
        return self._recall.remembered_groups(keys) if trio.current_time() < self._seen_at + SEEN_S else None

    async def _look_at_others(self) -> Sequence[str]:
        if self._nodes.own is None or self._look_at is None or self._nodes.now() < self._look_at:
            return ()
        others = await self._ask(self._nodes.others)
        look_after = others.look_after
        if look_after is not None and trio.current_time() < self._news_until:
            look_after = min(look_after, round(LOOK_AGAIN_S * SECOND))
        self._look_at = None if look_after is None else self._nodes.now() + look_after
        return others.gone

    async def _due_keys(self, now: int, limit: int) -> list[int]:
        """Return what the horizon says is due, read anew where it does not reach as far."""
        keys = None if self._recall.is_stale else self._recall.horizon.due(now, limit)
        if keys is None:
            await self._look_ahead(now, now + round(self.horizon_s * SECOND))
            keys = self._recall.horizon.due(now, limit) or []
        return keys

    async def _look_ahead(self, now: int, until_at: int) -> None:
        loaded = await self._ask(partial(load, now=now, until_at=until_at))
        self._recall.look_from(loaded)

    async def _read_due(self, keys: Sequence[int], gone: Sequence[str]) -> hot.Due:
        """Ask the file for what is due, but for the schedules that are remembered."""
        schedules = [key for key in keys if key >= 0]
        known = self._recall.schedules
        lanes = {
            record.schedule.lane
            for key in schedules
            if (record := known.get(key)) is not None and record.schedule.supersede and record.schedule.lane is not None
        }
        work = partial(
            hot.read_due,
            keys=schedules,
            unknown=[key for key in schedules if key not in known],
            lanes=lanes,
            run_ids=[~key for key in keys if key < 0],
            gone=gone,
            limit=LOST_MAX,
        )
        return await self._ask(work)

    def _sort_runs(
        self, keys: Iterable[int], due: hot.Due, records: Mapping[int, ScheduleRecord], view: DueView
    ) -> None:
        """Tell runs that have waited too long from those that wait for something else than time from now on."""
        now, horizon = self._recall.now, self._recall.horizon
        found = {~run.run_id: run for run in self._records.runs(due.runs, records, now)}
        for key in keys:
            if key >= 0:
                continue
            run = found.get(key)
            if run is None:
                horizon.discard(key)
            elif _has_waited_too_long(run, now):
                view.expired.append(run)
            else:
                horizon.put_run(run, now)
                self._recall.some_ready([run.schedule.schedule.handler])

    def may_be_ready(self, handlers: Collection[str]) -> bool:
        """Whether a run of these handlers may wait for a worker, as far as this process knows."""
        return self._recall.may_be_ready(handlers)

    async def read_ready(
        self, handlers: Collection[str], limit: int, aged_at: int = EARLIEST, closed: Collection[str] = ()
    ) -> list[RunRecord]:
        """Return up to `limit` pending runs of these handlers that wait for nothing but a worker.

        Raises:
            RepositoryError: the file cannot be read.
        """
        ready = await self._readiness.find(handlers, limit, aged_at, closed)
        if ready.some_unreadable:  # who waits behind them is found by the next look
            self._tell_changed()
        return ready.runs

    async def held_needing(self, resources: Collection[str]) -> Mapping[str, int]:
        """Return how many claimed and running runs need each of these resources.

        Raises:
            RepositoryError: the file cannot be read.
        """
        return await self._readiness.held_needing(resources)

    async def _carry_out(self, statement: str, *values: object) -> None:
        await self._write(lambda connection: connection.execute(statement, values))

    # Committing

    @property
    def trouble(self) -> str | None:
        """Why it could not be written the last time; None when it could."""
        return self._database.trouble

    async def commit(self, changes: Sequence[Change]) -> list[Verdict]:
        """Keep each change that still fits, in order; what several tasks commit at once shares a transaction.

        Cancellation: while it waits; then nothing was written.
        """
        return await self._commits.commit(changes)

    # Questions

    async def get_schedule(self, name: str) -> ScheduleRecord | None:
        """Return the schedule of that name, or None; removed ones are not found."""
        return (await self._history.schedules([name]))[0]

    async def get_schedules(self, names: Sequence[str]) -> list[ScheduleRecord | None]:
        """Return the schedules of these names, None for each that is not there."""
        return await self._history.schedules(names)

    async def count_owned(self, owner: str) -> int:
        """Return how many schedules an owner has stored."""
        return await self._history.count_owned(owner)

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

    async def runs_of(self, schedule: ScheduleRecord, instants: Sequence[int]) -> list[RunRecord]:
        """Return what stands for occurrences of a schedule, whatever made it, in order of decision."""
        return await self._history.runs_of(schedule.key, instants)

    async def unfinished_runs(
        self, *, schedule: ScheduleRecord | None = None, lane: str | None = None, node: str | None = None
    ) -> list[RunRecord]:
        """Return the runs with steps to go, of one schedule or lane, or held by one node, in order of decision."""
        return await self._history.unfinished(None if schedule is None else schedule.key, lane, node)

    async def find_runs(self, query: RunQuery) -> Page[RunRecord]:
        """Return one page of runs."""
        return await self._history.run_page(query)

    async def retried(self, runs: Sequence[RunRecord]) -> frozenset[int]:
        """Return the numbers of those of these runs of which a retry is kept."""
        return await self._history.retried(runs)

    async def statistics(self) -> Statistics:
        """Return counts over all that is kept."""
        return await self._history.statistics()

    async def prune(self, retention: Retention) -> int:
        """Forget up to `retention.limit` rows that may be forgotten and return how many were.

        Cancellation: between two transactions; what was forgotten is.
        """
        return await self._pruning.forget(retention)

    async def get_document(self, namespace: str, key: str) -> Document | None:
        """Return a document, or None."""
        return await self._history.document(namespace, key)

    async def list_documents(self, namespace: str, *, after: str = "", limit: int = 100) -> list[Document]:
        """Return up to `limit` documents of a namespace with keys greater than `after`, by key."""
        return await self._history.documents(namespace, after, limit)

    async def read_journal(self, namespace: str, *, after: int = 0, limit: int = 100) -> list[JournalEntry]:
        """Return up to `limit` entries with `seq` greater than `after`, by `seq`."""
        return await self._history.journal(namespace, after, limit)


def _and_version_before(work: Callable[[sqlite3.Connection], T], connection: sqlite3.Connection) -> tuple[int, T]:
    """Carry out work that reads, and say which version of the data there was before: it may read a later one."""
    (version,) = connection.execute("PRAGMA data_version").fetchone()
    return version, work(connection)


def _and_version_after(work: Callable[[sqlite3.Connection], T], connection: sqlite3.Connection) -> tuple[int, T]:
    """Carry out work that writes, and say which version of the data it was carried out on: it may have begun anew."""
    done = work(connection)
    (version,) = connection.execute("PRAGMA data_version").fetchone()
    return version, done


def _has_waited_too_long(run: RunRecord, now: int) -> bool:
    return run.state is State.PENDING and run.due_at <= now and run.give_up_at is not None and run.give_up_at <= now
