"""`Scheduler`: what a program holds in its hands. It delegates to the use cases and keeps no state of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime

from trioarm.core.alerts import AlertQuery, StoredAlert
from trioarm.core.diff import SyncDiff
from trioarm.core.errors import SchedulerStopped, UnknownRun, UnknownSchedule
from trioarm.core.events import ConfigChanged, Event, RunFinished
from trioarm.core.forecast import Explanation, Foreseen, explain, preview
from trioarm.core.instants import DAY, instant
from trioarm.core.jsonable import Json
from trioarm.core.queries import Page, RunQuery, ScheduleQuery, Statistics
from trioarm.core.record import StoredSchedule
from trioarm.core.run import Run, RunRecord, parse_run_id
from trioarm.core.schedule import Schedule
from trioarm.engine.alert_commands import AlertCommands
from trioarm.engine.commands import Beside, Commands
from trioarm.engine.engine import SchedulingEngine
from trioarm.engine.executor import RunExecutor
from trioarm.engine.future import postponed_runs, with_future
from trioarm.engine.health import Health, HealthReport
from trioarm.engine.hub import Hub, Subscription
from trioarm.engine.many import ManyRuns, ManySchedules
from trioarm.engine.metrics import Metrics, MetricsSnapshot
from trioarm.engine.ports import Clock, ScheduleRepository
from trioarm.engine.put_results import PutResults
from trioarm.engine.retry_commands import PLAINLY, BulkRetry, RetryCommands, RetryResult
from trioarm.engine.run_commands import API


class Schedules(ManySchedules):
    """The schedules of a scheduler."""

    def __init__(self, repository: ScheduleRepository, commands: Commands) -> None:
        super().__init__(commands)
        self._repository = repository
        self._commands = commands

    async def put(self, schedule: Schedule, *, revision: int | None = None, author: str = API) -> StoredSchedule:
        """Store a schedule: new, as a new revision, or unchanged when it says the same (S5.6).

        Args:
            revision: the revision that was read; None to replace whatever is stored, 0 to insist on a new one.
            author: who does it, for the journal of operations; here as everywhere else.

        Raises:
            RevisionConflict: it has another revision now.
        """
        return StoredSchedule.of(await self._commands.put(schedule, revision, author=author))

    async def put_many(self, schedules: Iterable[Schedule], *, author: str = API) -> PutResults:
        """Store schedules, each on its own, and return what became of each, in order: a sequence, no list."""
        return await self._commands.put_many(list(schedules), author=author)

    async def get(self, name: str) -> StoredSchedule:
        """Return a schedule.

        Raises:
            UnknownSchedule: there is none of that name.
        """
        record = await self._repository.get_schedule(name)
        if record is None:
            raise UnknownSchedule(f"there is no schedule {name!r}")
        return StoredSchedule.of(record)

    async def find(self, query: ScheduleQuery | None = None) -> Page[StoredSchedule]:
        """Return one page of schedules, by name unless the query says otherwise."""
        page = await self._repository.find_schedules(query or ScheduleQuery())
        return Page([StoredSchedule.of(record) for record in page.rows], page.next)

    async def remove(self, name: str, *, author: str = API, note: str = "") -> None:
        """Remove a schedule; what waits is cancelled, what works may end, history stays.

        Raises:
            UnknownSchedule: there is none of that name.
            InvalidSchedule: it is declared in a file, which would bring it back (S5.8).
        """
        await self._commands.remove(name, author=author, note=note)

    async def pause(
        self, name: str, *, until: datetime | int | None = None, author: str = API, note: str = ""
    ) -> StoredSchedule:
        """Pause a schedule; what comes due meanwhile is never caught up, also what was postponed to then (S5.3).

        Args:
            until: when it is active again by itself, an aware datetime or an instant; None for when it is resumed.
            note: why.

        Raises:
            UnknownSchedule: there is none of that name.
            InvalidSchedule: `until` is over.
        """
        until_at = None if until is None else instant(until)
        return StoredSchedule.of(await self._commands.pause(name, author=author, note=note, until=until_at))

    async def resume(self, name: str, *, author: str = API, note: str = "") -> StoredSchedule:
        """Resume a schedule.

        Raises:
            UnknownSchedule: there is none of that name.
            InvalidSchedule: it is disabled by its definition.
        """
        return StoredSchedule.of(await self._commands.resume(name, author=author, note=note))

    async def skip_next(self, name: str, *, author: str = API, note: str = "") -> StoredSchedule:
        """Skip the next occurrence; asked twice for the same one, it is skipped once.

        Raises:
            UnknownSchedule: there is none of that name.
            InvalidSchedule: nothing of it is to come.
        """
        return StoredSchedule.of(await self._commands.skip(name, None, author=author, note=note))

    async def skip(self, name: str, nominal_at: datetime | int, *, author: str = API, note: str = "") -> StoredSchedule:
        """Skip one occurrence, named by its instant; `undo` takes it back (S5.7).

        Raises:
            UnknownSchedule: there is none of that name.
            InvalidSchedule: it has no occurrence then, or it is too late.
        """
        return StoredSchedule.of(await self._commands.skip(name, instant(nominal_at), author=author, note=note))

    async def postpone(
        self,
        name: str,
        nominal_at: datetime | int | None = None,
        *,
        by_s: float | None = None,
        until: datetime | int | None = None,
        author: str = API,
        note: str = "",
    ) -> StoredSchedule:
        """Let one occurrence start later: at most two hours, three times, and never past the next one (A4.2).

        Args:
            nominal_at: its instant; None for the next one, which is the one that is postponed already, if one is.
            by_s: seconds after its scheduled time, whatever it was postponed to before.
            until: or the instant; one of both is given. Earlier than before makes the postponement shorter.
            note: why.

        Raises:
            UnknownSchedule: there is none of that name.
            InvalidSchedule: it has no occurrence then, it is too late, or it may not be postponed that far.
        """
        record = await self._commands.postpone(
            name,
            None if nominal_at is None else instant(nominal_at),
            by_s=by_s,
            until=None if until is None else instant(until),
            author=author,
            note=note,
        )
        return StoredSchedule.of(record)

    async def undo(
        self, name: str, nominal_at: datetime | int | None = None, *, author: str = API, note: str = ""
    ) -> StoredSchedule:
        """Take back that an occurrence is skipped or postponed; one whose time has come starts at once.

        Args:
            nominal_at: its instant; None for the first of which anything was said.
            note: why.

        Raises:
            UnknownSchedule: there is none of that name.
            InvalidSchedule: nothing was said of it, or it is too late.
        """
        named = None if nominal_at is None else instant(nominal_at)
        return StoredSchedule.of(await self._commands.undo(name, named, author=author, note=note))

    async def sync(
        self,
        owner: str,
        declared: Sequence[Schedule],
        *,
        dry_run: bool = False,
        author: str = API,
        beside: Beside | None = None,
    ) -> SyncDiff:
        """Make what `owner` has stored equal to `declared`, in one transaction (S5.8).

        Args:
            dry_run: only say what would change.
            beside: what is kept with it, or not at all.

        Raises:
            TypeError: one of them is no schedule; nothing was changed, as below.
            InvalidSchedule: they are more than 100 000, or one has the name of another, a trigger that fails, or no
                form in which it could be kept; its place and its name are said.
            RevisionConflict: others kept changing the same, or it was too late for what is kept with it.
        """
        return await self._commands.sync(owner, declared, dry_run=dry_run, author=author, beside=beside)


class Runs(ManyRuns):
    """The runs of a scheduler, those that never ran included."""

    def __init__(self, repository: ScheduleRepository, commands: Commands, hub: Hub) -> None:
        super().__init__(commands)
        self._repository = repository
        self._commands = commands
        self._hub = hub

    async def get(self, run_id: str | int) -> Run:
        """Return a run.

        Args:
            run_id: readable id, or the repository's number.

        Raises:
            UnknownRun: there is none, or it is no longer kept.
        """
        return Run.of(await self._record(run_id))

    async def find(self, query: RunQuery | None = None) -> Page[Run]:
        """Return one page of runs, in order of decision unless the query says otherwise."""
        page = await self._repository.find_runs(query or RunQuery())
        return Page([Run.of(record) for record in page.rows], page.next)

    async def fire(
        self,
        name: str,
        args: dict[str, Json] | None = None,
        *,
        overlap: str | None = None,
        author: str = API,
        note: str = "",
    ) -> Run:
        """Run a schedule now, whatever its trigger, pauses or misfires say; its lane still counts.

        Args:
            args: instead of the schedule's own.
            overlap: what happens while a run of the schedule is unfinished, as in `Schedule`: where that would skip an
                occurrence, this is refused. None lets it run beside others, or after them where the schedule keeps its
                runs apart.
            note: why.

        Raises:
            UnknownSchedule: there is none of that name.
            InvalidSchedule: a run is unfinished, and none may run beside it.
        """
        return Run.of(await self._commands.fire(name, args, overlap=overlap, author=author, note=note))

    async def cancel(self, run_id: str | int, *, author: str = API, note: str = "") -> None:
        """Cancel an unfinished run: at once while it waits, by cancelling its handler while it works.

        Raises:
            UnknownRun: there is none.
            InvalidSchedule: it is final already.
        """
        await self._commands.cancel(await self._record(run_id), author=author, note=note)

    async def retry(self, run_id: str | int, *, author: str = API, note: str = "") -> Run:
        """Run again what is final, as a new run.

        Raises:
            UnknownRun: there is none.
            InvalidSchedule: it is not final, or its schedule was removed.
        """
        return Run.of(await self._commands.retry(await self._record(run_id), author=author, note=note))

    async def retry_many(
        self, query: RunQuery | None = None, asked: BulkRetry = PLAINLY, *, author: str = API, note: str = ""
    ) -> list[RetryResult]:
        """Run again what failed for good, the oldest first, each as a new run, and return what became of each.

        What was retried already is left alone, and said to be so: to call it once more goes on where the limit was.

        Args:
            query: which; those that failed or timed out, unless it names other final states.
            asked: how many, and whether only to look.
            note: why.

        Raises:
            InvalidSchedule: the query wants runs that are not final.

        Cancellation: between two of them; what was retried is.
        """
        bulk = RetryCommands(self._repository, self._commands)
        return await bulk.retry_many(query or RunQuery(), asked, author=author, note=note)

    async def wait(self, run_id: str | int) -> Run:
        """Wait until a run is final and return it.

        Raises:
            UnknownRun: there is none.
            SchedulerStopped: the scheduler stopped before.
        """
        with self._hub.subscribe(RunFinished) as finished:
            record = await self._record(run_id)
            if not record.unfinished:
                return Run.of(record)
            async for event in finished:
                if not isinstance(event, RunFinished) or event.run.key == record.run_id:
                    run = await self._record(record.run_id)
                    if not run.unfinished:
                        return Run.of(run)
        raise SchedulerStopped(f"the scheduler stopped before run {run_id} ended")

    async def _record(self, run_id: str | int) -> RunRecord:
        if isinstance(run_id, int):
            record = await self._repository.get_run(run_id)
        else:
            record = await self._repository.get_run_of(*parse_run_id(run_id))
        if record is None:
            raise UnknownRun(f"there is no run {run_id!r}, or it is no longer kept")
        return record


class Alerts:
    """The alerts of a scheduler: what people should know, or have to do something about."""

    def __init__(self, commands: AlertCommands) -> None:
        self._commands = commands

    async def find(self, query: AlertQuery | None = None) -> Page[StoredAlert]:
        """Return one page of alerts by id: those that still need somebody, unless the query says otherwise."""
        return await self._commands.find(query or AlertQuery())

    async def get(self, alert_id: str) -> StoredAlert:
        """Return an alert.

        Raises:
            UnknownAlert: there is none of that id.
        """
        return await self._commands.get(alert_id)

    async def ack(self, alert_id: str, *, by: str = API, note: str = "") -> StoredAlert:
        """Acknowledge an alert: somebody has seen it. The first to do so counts.

        Raises:
            UnknownAlert: there is none of that id.
            RepositoryError: it cannot be understood, so it stays as it is.
        """
        return await self._commands.acknowledge(alert_id, by=by, note=note)


class Scheduler:
    """A running node, as its embedding program sees it."""

    def __init__(
        self,
        repository: ScheduleRepository,
        engine: SchedulingEngine,
        executor: RunExecutor,
        hub: Hub,
        metrics: Metrics,
        health: Health,
        clock: Clock,
        reload: Callable[[], Awaitable[ConfigChanged]],
    ) -> None:
        self._commands = commands = Commands(repository, clock, hub, engine)
        self.schedules = Schedules(repository, commands)
        self.runs = Runs(repository, commands, hub)
        self.alerts = Alerts(AlertCommands(repository, clock))
        self._repository = repository
        self._engine = engine
        self._executor = executor
        self._hub = hub
        self._metrics = metrics
        self._health = health
        self._clock = clock
        self._reload = reload

    @property
    def node(self) -> str:
        """This node's name, random per boot."""
        return self._engine.node

    @property
    def owners(self) -> Mapping[str, int]:
        """How many schedules each owner may have stored, by name; may be set, and whoever has more keeps them."""
        return self._commands.owners

    @owners.setter
    def owners(self, owners: Mapping[str, int]) -> None:
        self._commands.owners = owners

    def start(self) -> None:
        """Begin to decide and run, for a node configured with `auto_start = false` (S8.4)."""
        self._engine.start()

    async def preview(self, *, days: float = 7.0, names: Iterable[str] = ()) -> list[Foreseen]:
        """Return what will be decided in the next days, in order, as the planner itself sees it.

        Args:
            days: how far to look.
            names: only these schedules; none for all. Others of the same lanes still count.
        """
        now = self._clock.now()
        wanted = set(names)
        records = await with_future(self._repository)
        postponed = [run for run in await postponed_runs(self._repository, records) if run.due_at > now]
        seen = preview(records, now, now + round(days * DAY), self._engine.rules, postponed=postponed)
        return [item for item in seen if not wanted or item.schedule.name in wanted]

    async def explain(self, name: str) -> Explanation:
        """Put a schedule into words.

        Raises:
            UnknownSchedule: there is none of that name.
        """
        record = await self._repository.get_schedule(name)
        if record is None:
            raise UnknownSchedule(f"there is no schedule {name!r}")
        return explain(record, self._clock.now(), self._engine.rules)

    def subscribe(self, *kinds: type[Event]) -> AbstractContextManager[Subscription]:
        """Listen to events while the context lasts: `with scheduler.subscribe(RunFinished) as events`.

        Args:
            kinds: classes of `trioarm.core.events`; none for all.
        """
        return self._hub.subscribe(*kinds)

    async def reload(self) -> ConfigChanged:
        """Read the configuration again, take over what can change while the node runs, and return what did.

        Settings that are not live, sites and partitions wait for the next start, and are named.

        Raises:
            ConfigurationError: with a line for every problem, or the configuration was made in code; nothing changed.
            SchedulerStopped: the node does not run.
        """
        return await self._reload()

    async def health(self) -> HealthReport:
        """Return how every component is, with reasons."""
        return await self._health.report()

    def metrics(self) -> MetricsSnapshot:
        """Return what this node has counted since it started."""
        return self._metrics.snapshot(queued=self._executor.queued, running=self._executor.running)

    async def statistics(self) -> Statistics:
        """Return counts over all that is kept."""
        return await self._repository.statistics()
