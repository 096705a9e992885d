"""`SqliteScheduleRepository`: schedules and runs in one SQLite file, shared by the processes of one machine.

Readiness, lanes and occupancy are questions to the file, never counters beside it (S2.7). What is due next is kept in
memory as well, up to a horizon; what another process commits has it read anew.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import trio

from trioarm.core.changes import Change, Verdict
from trioarm.core.correcting import Ahead
from trioarm.core.errors import RepositoryError
from trioarm.core.instants import EARLIEST
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
from trioarm.engine.attempt import RunContext, current_run
from trioarm.engine.leases import LEASE_S
from trioarm.engine.ports import DueView
from trioarm.links.threads import Thread
from trioarm.repositories.sqlite import ahead, questions, statements
from trioarm.repositories.sqlite.commits import Commits
from trioarm.repositories.sqlite.database import LOCKED_S_MAX, Database
from trioarm.repositories.sqlite.due import DueEntries
from trioarm.repositories.sqlite.history import History
from trioarm.repositories.sqlite.horizon import HORIZON_S
from trioarm.repositories.sqlite.learning import Learning
from trioarm.repositories.sqlite.lookout import Lookout
from trioarm.repositories.sqlite.nodes import BootClock, Nodes, SystemBootClock
from trioarm.repositories.sqlite.pruning import Pruning
from trioarm.repositories.sqlite.quarantine import Quarantine
from trioarm.repositories.sqlite.readiness import Readiness
from trioarm.repositories.sqlite.recall import Recall
from trioarm.repositories.sqlite.rows import Records
from trioarm.repositories.sqlite.sharing import SharedFile


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
        self._migrate = migrate
        self._database = Database(self.path, thread, patience_s=patience_s)
        self._records = records = Records()
        self._recall = Recall(records)
        self._history = History(self._database, records, lambda: self._recall.now)
        self._nodes = Nodes(self.path, boot_clock or SystemBootClock(), lease_s)
        self._lookout = Lookout(self._nodes)
        self._file = SharedFile(self.path, self._database, self._others_wrote, self._lookout.hear_of_a_node)
        learning = Learning(records, self._recall, Quarantine(self._file.write))
        self._due = DueEntries(
            self._file, self._recall, records, learning, self._lookout, horizon_s, lambda: self._commits.is_settled
        )
        self._readiness = Readiness(self._file.ask, self._recall, learning)
        forget = partial(self._file.write, synced=False)  # what comes back as the power fails is forgotten once more
        self._pruning = Pruning(self._database.read, forget, self._recall.forget_schedules)
        self._commits = Commits(self._file.write, self._file.write_at_once, self._recall.keep, self._recall.forget)
        self._opened_by: RunContext | None = None  # a handler may open one of its own
        self.written_at: int | None = None
        self.zone_data: str | None = None

    async def open(self) -> None:
        """Open the file, and fill the due index with what comes first.

        Raises:
            RepositoryError: it cannot be opened, and is closed; the message says what to do.
        """
        await self._database.open(migrate=self._migrate)
        self._opened_by = current_run()
        try:
            await self._due.fill()
            self.written_at, self.zone_data = await self._file.ask(ahead.written)
        except BaseException:
            await self._database.close()
            raise

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
        await self._file.run(task_status=task_status)

    async def changed(self) -> None:
        """Return once another process may have changed what is kept."""
        await self._file.changed()

    def _others_wrote(self) -> None:
        self._recall.forget()
        self._lookout.hear_of_a_commit()

    # Nodes

    async def join(self, node: str, now: int) -> None:
        """Let a node of this process hold runs.

        Raises:
            RepositoryError: its lock or its lease cannot be kept.
        """
        await self._file.write(partial(self._nodes.join, node, now))
        self._lookout.look_next()

    async def renew(self, node: str, now: int) -> bool:
        """Renew the lease of a node; False when it was given up for gone.

        Raises:
            RepositoryError: it is not renewed.
        """
        return await self._file.write(partial(self._nodes.renew, node, now))

    def renew_blocking(self, node: str, now: int) -> bool:
        """Renew the lease of a node, from any thread.

        Raises:
            RepositoryError: it is not renewed.
        """
        return self._database.write_blocking(partial(self._nodes.renew, node, now))

    async def leave(self, node: str) -> None:
        """Let a node end: it holds nothing any more."""
        with suppress(RepositoryError):  # its lease runs out all the same, and its lock is free at once
            await self._file.write(partial(self._nodes.leave, node))
        self._nodes.unlock()

    # A clock that was set back

    async def read_ahead(self, now: int, *, after: int = 0, limit: int = 100) -> list[Ahead]:
        """Return up to `limit` schedules with keys greater than `after` that are decided or wait beyond now.

        Raises:
            RepositoryError: the file cannot be read.
        """
        found = await self._file.ask(partial(ahead.read, now=now, after=after, limit=limit))
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

    async def _carry_out(self, statement: str, *values: object) -> None:
        await self._file.write(lambda connection: connection.execute(statement, values))

    # What is due, and what could start

    @property
    def horizon_s(self) -> float:
        """How far ahead due entries are in memory, in seconds; what is set counts from the next look at the file on."""
        return self._due.horizon_s

    @horizon_s.setter
    def horizon_s(self, horizon_s: float) -> None:
        self._due.horizon_s = horizon_s

    @property
    def next_due_at(self) -> int | None:
        """The earliest instant at which time alone makes something due; None when nothing will."""
        return self._due.next_at

    async def read_due(self, now: int, limit: int) -> DueView:
        """Return up to `limit` due entries, and runs of nodes that are gone; without a thread when there are none.

        Raises:
            RepositoryError: the file cannot be read.
        """
        return await self._due.read(now, limit)

    def further_due(self, now: int, limit: int) -> Collection[Group]:
        """Return up to `limit` schedules that are due behind those that were handed out and are not settled yet."""
        return self._due.further(now, limit)

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
            self._file.tell_changed()
        return ready.runs

    async def held_needing(self, resources: Collection[str]) -> Mapping[str, int]:
        """Return how many claimed and running runs need each of these resources.

        Raises:
            RepositoryError: the file cannot be read.
        """
        return await self._readiness.held_needing(resources)

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
        runs = await self._history.runs(questions.RUN_BY_ID, (run_id,))
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
