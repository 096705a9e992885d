"""The ports of the engine: what a repository, a clock and a source of chance must do for it.

Adapters implement them, fakes lie beside them, and one contract suite holds every repository to the same behaviour.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping, Sequence
from typing import Protocol

import attrs
import trio

from trioarm.core.changes import Change, Verdict
from trioarm.core.correcting import Ahead
from trioarm.core.course import ClockStep, Doubt
from trioarm.core.instants import EARLIEST
from trioarm.core.planning import Group
from trioarm.core.queries import Document, JournalEntry, Page, Retention, RunQuery, ScheduleQuery, Statistics
from trioarm.core.record import ScheduleRecord
from trioarm.core.run import Origin, RunRecord


@attrs.define(slots=True, eq=False)
class DueView:
    """What time alone has made due: read once, decided purely, committed at once.

    Args:
        groups: to plan.
        expired: pending runs whose time to give up has come.
        busy_lanes: lanes that a run holds; those of the groups at least.
        lost: runs held by a node that is gone (S7.1).
    """

    groups: Collection[Group]
    expired: list[RunRecord]
    busy_lanes: Container[str]
    lost: list[RunRecord] = attrs.Factory(list)


class ScheduleRepository(Protocol):
    """Keeps schedules, runs, documents and the journal. It keeps; the core decides.

    Records it hands out are for reading only. Nothing it holds changes before a commit, and a commit keeps all of a
    `Change` or none of it. All methods may be called from any task; none may be called after `close`.
    """

    url: str
    lease_s: float | None
    """How long a lease lasts that is not renewed, in seconds; None where no other process can hold runs, so that who
    holds some needs none."""

    batch: int
    """Due entries it is best asked for at once, and schedules it is best given: large enough to share the cost of a
    transaction, small enough that what is made of them does not outlive the youngest generation of the garbage
    collector for nothing."""

    async def open(self) -> None:
        """Make the repository ready and fill its due index.

        Raises:
            RepositoryError: it cannot be opened; the message says what to do.
        """

    async def close(self) -> None:
        """Release what it holds. Calling it again does nothing."""

    @property
    def trouble(self) -> str | None:
        """Why nothing can be kept at the moment, in one line; None when it can."""

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Listen for what other processes do, while the node lives; where there are none, return at once."""

    async def changed(self) -> None:
        """Return once another process may have changed what is kept; where there is none, never."""

    async def join(self, node: str, now: int) -> None:
        """Let a node hold runs: it is alive from now on, for as long as its lease is renewed (S7.1).

        Args:
            now: the wall clock, for people who ask since when.

        Raises:
            RepositoryError: nobody could know that it is.
        """

    async def renew(self, node: str, now: int) -> bool:
        """Renew the lease of a node; False when it was given up for gone, and its runs may be held by others.

        Args:
            now: the wall clock, to know a clock that is behind it later.

        Raises:
            RepositoryError: it is not renewed.
        """

    def renew_blocking(self, node: str, now: int) -> bool:
        """Do as `renew`, from any thread, and without trio's loop: it may be that it does not turn (S7.2).

        Raises:
            RepositoryError: it is not renewed.
        """

    async def leave(self, node: str) -> None:
        """Let a node end: it holds nothing any more."""

    @property
    def written_at(self) -> int | None:
        """The newest instant at which a node wrote to it, as known when it was opened; None when none ever did."""

    @property
    def zone_data(self) -> str | None:
        """Version of the tz database that stored instants were computed by, as known when it was opened; None where
        nothing is stored."""

    async def computed_by(self, zone_data: str) -> None:
        """Note by which version of the tz database stored instants are computed now.

        Raises:
            RepositoryError: it is not noted.
        """

    async def read_ahead(self, now: int, *, after: int = 0, limit: int = 100) -> list[Ahead]:
        """Return up to `limit` schedules with keys greater than `after` of which the cursor is later than now, or a
        run that nobody postponed waits for an instant that is; by key.

        Raises:
            RepositoryError: it cannot be asked.
        """

    async def taken_back(self, now: int) -> None:
        """Note that nothing is decided beyond `now` any more: a clock that shows less is behind.

        Raises:
            RepositoryError: it is not noted.
        """

    @property
    def next_due_at(self) -> int | None:
        """The earliest instant at which time alone makes something due; None when nothing will."""

    async def read_due(self, now: int, limit: int) -> DueView:
        """Return up to `limit` due entries. Those that no commit settles are due again at the next call."""

    def further_due(self, now: int, limit: int) -> Collection[Group]:
        """Return up to `limit` schedules that are due behind those that `read_due` and this have handed out, to be
        planned while decisions of those are being kept. It hands out what is at hand, and needs nothing but a plan."""

    def may_be_ready(self, handlers: Collection[str]) -> bool:
        """Whether `read_ready` may find a run of these handlers; True where that is not known without looking."""

    async def read_ready(
        self, handlers: Collection[str], limit: int, aged_at: int = EARLIEST, closed: Collection[str] = ()
    ) -> list[RunRecord]:
        """Return up to `limit` pending runs of these handlers that wait for nothing but a worker.

        What has been due since `aged_at` comes first, the longest due before all (S6.6), but nothing that is
        backfilled; then the most urgent, by `due_at`, then in order of decision. Of the runs of one lane, the most
        urgent is the one that is meant. What needs one of the resources that are `closed` is left out.
        """

    async def commit(self, changes: Sequence[Change]) -> list[Verdict]:
        """Keep each change that still fits, in order, and return what became of each.

        Decided runs get their `run_id`, and after `done` the records a change names show what is kept. Raises nothing
        for what another was faster with: that is `refused`.
        """

    async def get_schedule(self, name: str) -> ScheduleRecord | None:
        """Return the schedule of that name, or None; removed ones are not found."""

    async def get_schedules(self, names: Sequence[str]) -> list[ScheduleRecord | None]:
        """Return the schedules of these names, None for each that is not there."""

    async def count_owned(self, owner: str) -> int:
        """Return how many schedules an owner has stored."""

    async def find_schedules(self, query: ScheduleQuery) -> Page[ScheduleRecord]:
        """Return one page of schedules."""

    async def get_run(self, run_id: int) -> RunRecord | None:
        """Return the run with the repository's number `run_id`, or None."""

    async def get_run_of(self, name: str, nominal_at: int, origin: Origin, epoch: int) -> RunRecord | None:
        """Return the run of an occurrence, or None; of a removed schedule too, while its history is kept."""

    async def runs_of(self, schedule: ScheduleRecord, instants: Sequence[int]) -> list[RunRecord]:
        """Return what stands for occurrences of a schedule, whatever made it, in order of decision.

        Those of a millisecond that begins with one of these instants count: repeated backfills are told apart by
        microseconds. So do ranges that reach across one, and it may be that they reach across none.

        Args:
            schedule: whose they are.
            instants: of the occurrences, in order; at least one.
        """

    async def unfinished_runs(
        self, *, schedule: ScheduleRecord | None = None, lane: str | None = None, node: str | None = None
    ) -> list[RunRecord]:
        """Return the runs with steps to go, of one schedule or lane, or held by one node, in order of decision."""

    async def find_runs(self, query: RunQuery) -> Page[RunRecord]:
        """Return one page of runs."""

    async def retried(self, runs: Sequence[RunRecord]) -> frozenset[int]:
        """Return the numbers of those of these runs of which a retry is kept, at most a page of them (S2.4)."""

    async def statistics(self) -> Statistics:
        """Return counts over all that is kept."""

    async def prune(self, retention: Retention) -> int:
        """Forget up to `retention.limit` rows that may be forgotten and return how many were. Repeat until 0."""

    async def held_needing(self, resources: Collection[str]) -> Mapping[str, int]:
        """Return how many claimed and running runs need each of these, on all nodes; none is left out as 0."""

    async def get_document(self, namespace: str, key: str) -> Document | None:
        """Return a document, or None."""

    async def list_documents(self, namespace: str, *, after: str = "", limit: int = 100) -> list[Document]:
        """Return up to `limit` documents of a namespace with keys greater than `after`, by key."""

    async def read_journal(self, namespace: str, *, after: int = 0, limit: int = 100) -> list[JournalEntry]:
        """Return up to `limit` entries with `seq` greater than `after`, by `seq`."""


class Clock(Protocol):
    """Wall time for what is due, and the nap that ends when it comes (S3.2)."""

    earliest_at: int
    """What a clock that is right shows at least. One that shows less has not been set yet since the machine started."""

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Do what naps need while the node lives; a clock that needs nothing returns at once."""

    def now(self) -> int:
        """Return what to take for now, in microseconds since 1970 UTC: the wall clock, unless it is doubted (S3.3)."""

    def start(self, written_at: int | None) -> None:
        """Judge the wall by the newest instant at which anything was written, if anything was."""

    def look(self) -> int:
        """Return what to take for now, after a look at whether the wall clock was set. Decisions are made by it."""

    def take_step(self) -> ClockStep | None:
        """Return what the wall clock did and nobody was told yet."""

    @property
    def doubt(self) -> Doubt | None:
        """Why the wall is not believed, and nothing may be decided; None when it is."""

    def trust(self) -> None:
        """Believe the wall, whatever it did: a person says that it is right."""

    def shorten(self, nap: trio.CancelScope, due_at: int | None) -> None:
        """Let a nap that was begun end at `due_at` already, where that is earlier."""

    def nap_until(self, due_at: int | None, *, at_least_s: float = 0.0, exactly: bool = False) -> trio.CancelScope:
        """Return a cancel scope that ends at `due_at`, and in any case after `check_interval`.

        Args:
            due_at: wall instant; None for as late as allowed.
            at_least_s: the shortest nap, in seconds, for a caller that could not make progress.
            exactly: where the system can, it ends a moment before, so that whoever naps is awake in time. There is one
                such nap at a time, and it is the engine's.
        """

    @property
    def almost_due_at(self) -> int | None:
        """What the last exact nap was for, where it ended a moment before that is due; None once it is due."""

    async def see_out(self) -> None:
        """Wait until what is almost due is due; return at once where nothing is."""


class Chance(Protocol):
    """A source of random numbers; `random.Random` is one."""

    def random(self) -> float:
        """Return a number in [0, 1)."""
