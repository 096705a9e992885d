"""Planted faults of declared sets, turns, ends and timers: rules of the guarantee that nobody keeps."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

import attrs
import pytest
import trio

from tests.simulation.history import Declared, History, Joined, Keeps, Pruned, Resized, Said, Stopped
from tests.simulation.planting import Planted, once
from trioarm import Every, RetryPolicy, Schedule, bootstrap
from trioarm.core.changes import Change
from trioarm.core.diff import SyncDiff
from trioarm.core.instants import EARLIEST
from trioarm.core.queries import PAGE_MAX, Retention, ScheduleQuery
from trioarm.core.run import RunRecord
from trioarm.core.states import Reason
from trioarm.engine import alert_commands
from trioarm.engine.amending_commands import AmendingCommands
from trioarm.engine.attempt import Attempt
from trioarm.engine.bulk_commands import Bulk, BulkCommands, BulkResult
from trioarm.engine.commands import Commands
from trioarm.engine.executor import RunExecutor
from trioarm.engine.pool import Pool, PoolSettings
from trioarm.engine.ports import ScheduleRepository
from trioarm.engine.recorder import Recorder
from trioarm.live import LiveConfig
from trioarm.repositories.memory import repository as memory
from trioarm.repositories.memory.history import History as Shelved
from trioarm.repositories.memory.repository import InMemoryScheduleRepository as Memory
from trioarm.testing.faults import Away

Patch = pytest.MonkeyPatch
OVER_SOON: Final = Keeps(86_400.0, 1_000, schedules_s=600.0)


def _set(period_s: float) -> tuple[Schedule, ...]:
    return tuple(Schedule(name, Every(period_s), handler="succeeds") for name in ("a", "b", "c", "d"))


DECLARED_AND_DEAD: Final = History(
    schedules=_set(600.0),
    acts=tuple((61.0, Declared("app", _set(600.0 + turns), dies_after=turns)) for turns in range(2, 16)),
    faults={},
    workers=1,
    with_file=False,
    owner="app",
)
TWO_OWNERS: Final = attrs.evolve(DECLARED_AND_DEAD, acts=((61.0, Declared("config", ())),))
ONLY_ASKED: Final = attrs.evolve(DECLARED_AND_DEAD, acts=((61.0, Declared("app", _set(97.0), dry_run=True)),))
URGENT: Final = History(
    schedules=(
        once("a", 1, handler="is_slow", priority=6),
        once("b", 1, handler="succeeds", priority=3),
        once("c", 2, handler="succeeds", priority=6),
    ),
    acts=((130.0, Joined()),),
    faults={},
    workers=1,
    with_file=False,
    spare=0,
)
STARVES: Final = attrs.evolve(
    URGENT,
    schedules=(
        Schedule("a", Every(60.0), handler="is_slow", priority=6, overlap="allow", timeout_s=100.0),
        once("b", 1, handler="succeeds", priority=3),
    ),
    acts=((550.0, Joined()),),
)
SATURATED: Final = attrs.evolve(  # one worker is free seven seconds before the resource is
    URGENT,
    schedules=(
        once("a", 1, handler="is_slow", resources=["nas"]),
        once("b", 1, handler="hangs", timeout_s=63.0, retry=RetryPolicy(0)),
        once("c", 2, handler="is_slow", priority=6, resources=["nas"]),
        once("d", 2, handler="succeeds"),
    ),
    workers=2,
)
ENDS_ALONE: Final = History(
    schedules=(once("a", 1, handler="is_slow"),),
    acts=((65.0, Stopped(3.0, away=Away.STALL)),),
    faults={},
    workers=1,
    with_file=False,
)
ENDS: Final = attrs.evolve(ENDS_ALONE, acts=((65.0, Stopped(3.0)),))
KEEPS: Final = attrs.evolve(ENDS_ALONE, schedules=(once("a", 1, handler="keeps"),), acts=((61.0, Joined()),))
IS_CANCELLED: Final = attrs.evolve(ENDS_ALONE, acts=((65.0, Said("cancel", "a")),))
IDLE: Final = attrs.evolve(ENDS_ALONE, acts=((61.0, Joined()),), idles=True)


FORGETS: Final = History(
    schedules=(Schedule("a", Every(20.0), handler="succeeds"),),
    acts=((130.0, Pruned()), (61.0, Pruned())),
    faults={},
    workers=1,
    with_file=False,
    keeps=Keeps(86_400.0, 2),
)
FORGETS_FAILURES: Final = attrs.evolve(
    FORGETS,
    schedules=(Schedule("a", Every(60.0), handler="breaks", retry=RetryPolicy(0), pause_after_failures=3),),
    acts=tuple((61.0, Pruned()) for _ in range(5)),
    keeps=Keeps(86_400.0, 1),
)
FORGETS_ALERTS: Final = attrs.evolve(
    FORGETS_FAILURES, acts=((550.0, Pruned()), (61.0, Joined())), keeps=Keeps(60.0, 1_000)
)
IS_OVER: Final = attrs.evolve(
    FORGETS, schedules=(once("a", 1, handler="succeeds"),), acts=((1_800.0, Pruned()),), owner="config", keeps=OVER_SOON
)


GROWS: Final = attrs.evolve(
    SATURATED,
    schedules=tuple(once(name, 1, handler="is_slow") for name in ("a", "b", "c")),
    acts=((65.0, Resized(3, 0)), (130.0, Joined())),
    workers=1,
    resizes=True,
)
SHRINKS: Final = attrs.evolve(
    GROWS,
    schedules=tuple(
        once(name, minutes, handler="is_slow") for name, minutes in (("a", 1), ("b", 1), ("c", 5), ("d", 5))
    ),
    acts=((65.0, Resized(1, 2)), (550.0, Joined())),
    workers=2,
)


MANY: Final = attrs.evolve(FORGETS, acts=((61.0, Said("pause_all", "a")), (61.0, Said("resume_all", "a"))), keeps=None)
MANY_RUNS: Final = attrs.evolve(
    ENDS_ALONE,
    schedules=tuple(once(name, 1, handler="is_slow") for name in ("a", "b")),
    acts=((65.0, Said("cancel_all", "a")),),
)
COMPLAINS: Final = attrs.evolve(
    FORGETS,
    schedules=(Schedule("a", Every(60.0), handler="breaks", retry=RetryPolicy(0), pause_after_failures=2),),
    acts=((185.0, Said("resume_all", "a")),),
    keeps=None,
)


def _prunes_what_others_declared(patch: Patch) -> None:
    async def owned(self: Commands, owner: str) -> list[str]:
        page = await self._repository.find_schedules(ScheduleQuery(limit=PAGE_MAX))
        return [record.schedule.name for record in page.rows]

    patch.setattr(Commands, "_owned", owned)


def _stores_one_by_one(patch: Patch) -> None:
    commit = Commands._commit

    async def one_by_one(self: Commands, change: Change) -> bool:
        steps = change.schedules
        change.schedules = steps[:1]
        kept = await commit(self, change)
        for step in steps[1:]:
            kept &= await commit(self, Change(schedules=[step]))
        return kept

    patch.setattr(Commands, "_commit", one_by_one)


def _changes_what_it_is_only_asked(patch: Patch) -> None:
    sync = Commands.sync

    async def does_it(self: Commands, owner: str, declared: Sequence[Schedule], **more: Any) -> SyncDiff:
        return await sync(self, owner, declared, **{**more, "dry_run": False})

    patch.setattr(Commands, "sync", does_it)


def _heeds_no_priority(patch: Patch) -> None:
    patch.setattr(RunRecord, "rank", property(lambda self: 0))


def _lets_the_urgent_go_first_for_ever(patch: Patch) -> None:
    ready = Memory.read_ready

    async def read(
        self: Memory, handlers: Collection[str], limit: int, aged_at: int = EARLIEST, closed: Collection[str] = ()
    ) -> list[RunRecord]:
        return await ready(self, handlers, limit, EARLIEST, closed)

    patch.setattr(Memory, "read_ready", read)


def _waits_behind_what_is_closed(patch: Patch) -> None:
    ready = Memory.read_ready

    async def read(
        self: Memory, handlers: Collection[str], limit: int, aged_at: int = EARLIEST, closed: Collection[str] = ()
    ) -> list[RunRecord]:
        return await ready(self, handlers, limit, aged_at)

    patch.setattr(Memory, "read_ready", read)


def _never_gives_up(patch: Patch) -> None:
    patch.setattr(bootstrap, "FLUSH_S", 600.0)


def _forgets_at_its_end(patch: Patch) -> None:
    async def flush(self: Recorder) -> None:
        self._ended.clear()

    patch.setattr(Recorder, "flush", flush)


def _cancels_in_vain(patch: Patch) -> None:
    patch.setattr(RunExecutor, "cancel", lambda self, run_id, reason: None)


def _loses_what_handlers_keep(patch: Patch) -> None:
    change = Recorder._change

    def loses(self: Recorder, attempt: Attempt, *how: Any) -> Change:
        attempt.keep = None
        return change(self, attempt, *how)

    patch.setattr(Recorder, "_change", loses)


def _has_a_timer_of_its_own(patch: Patch) -> None:
    async def heed(self: object, repository: ScheduleRepository, engine: object) -> None:
        for _ in range(100_000):
            await trio.sleep(45)

    patch.setattr(bootstrap.SchedulerBootstrap, "_heed", heed)


def _prunes_as_it_starts(patch: Patch) -> None:
    declare = LiveConfig.declare

    async def prunes(self: LiveConfig) -> None:
        await declare(self)
        await self._container.get(ScheduleRepository).prune(
            Retention(runs_before=0, runs_max=1_000, schedules_before=0)
        )

    patch.setattr(LiveConfig, "declare", prunes)


def _forgets_one_too_many(patch: Patch) -> None:
    surplus = Shelved._surplus
    patch.setattr(Shelved, "_surplus", lambda self, kept: {key: n + 1 for key, n in surplus(self, kept).items()})


def _forgets_nothing(patch: Patch) -> None:
    async def prune(self: Memory, retention: Retention) -> int:
        return 0

    patch.setattr(Memory, "prune", prune)


def _forgets_what_failed(patch: Patch) -> None:
    patch.setattr(Shelved, "_telling", lambda self: set())


def _forgets_open_alerts(patch: Patch) -> None:
    patch.setattr(alert_commands, "_is_over", lambda document, closed_before: True)


def _forgets_what_is_declared(patch: Patch) -> None:
    patch.setattr(memory, "declares_at_start", lambda owner: False)


def _hires_nobody(patch: Patch) -> None:
    def resize(self: RunExecutor, name: str, settings: PoolSettings) -> None:
        for pool in self.pools:
            if pool.name == name:
                pool.resize(settings)

    patch.setattr(RunExecutor, "resize", resize)


def _dismisses_nobody(patch: Patch) -> None:
    recount = Pool.recount

    def never_less(self: Pool) -> None:
        before = self.wanted
        recount(self)
        self.wanted = max(self.wanted, before)

    patch.setattr(Pool, "recount", never_less)


def _interrupts_all(patch: Patch) -> None:
    resize = RunExecutor.resize

    def interrupts(self: RunExecutor, name: str, settings: PoolSettings) -> None:
        if any(pool.name == name and pool.settings != settings for pool in self.pools):
            self.cancel_all(Reason.SHUTDOWN)
        resize(self, name, settings)

    patch.setattr(RunExecutor, "resize", interrupts)


def _says_what_did_not_happen(patch: Patch) -> None:
    async def nothing(self: BulkCommands, wanted: dict[str, Change], tried: set[str]) -> list[str]:
        return list(wanted)

    patch.setattr(BulkCommands, "_commit_many", nothing)


def _hides_some(patch: Patch) -> None:
    cancel = BulkCommands._cancel_chunk

    async def some(self: BulkCommands, runs: Sequence[RunRecord], how: Bulk) -> list[BulkResult]:
        return await cancel(self, runs[:1], how)

    patch.setattr(BulkCommands, "_cancel_chunk", some)


def _goes_on_complaining(patch: Patch) -> None:
    async def complain(self: AmendingCommands, names: Iterable[str], by: str) -> None:
        pass

    patch.setattr(AmendingCommands, "_complain_no_more", complain)


PLANTED_IN_NODES: Final = {
    "kept": Planted("S2.3", "what a handler keeps with its outcome is lost", _loses_what_handlers_keep, made=KEEPS),
    "cancelled": Planted("S6.3", "what is cancelled goes on", _cancels_in_vain, made=IS_CANCELLED),
    "pruned": Planted("S5.8", "what others declared is pruned, too", _prunes_what_others_declared, made=TWO_OWNERS),
    "in part": Planted("S5.8", "a set is stored one by one", _stores_one_by_one, made=DECLARED_AND_DEAD),
    "dry run": Planted("S5.8", "a dry run changes what it names", _changes_what_it_is_only_asked, made=ONLY_ASKED),
    "urgent": Planted("S6.6", "nobody heeds how urgent a run is", _heeds_no_priority, made=URGENT),
    "starved": Planted("S6.6", "what is urgent goes first for ever", _lets_the_urgent_go_first_for_ever, made=STARVES),
    "blocked": Planted(
        "S6.6", "what waits for a resource keeps others waiting", _waits_behind_what_is_closed, made=SATURATED
    ),
    "endless": Planted("S6.8", "last outcomes are tried without an end", _never_gives_up, made=ENDS_ALONE),
    "forgotten": Planted("S6.8", "a node that ends forgets what came of its runs", _forgets_at_its_end, made=ENDS),
    "answers": Planted("S9.2", "what did not happen is answered", _says_what_did_not_happen, made=MANY),
    "some": Planted("S9.2", "of many that are meant some are left out", _hides_some, made=MANY_RUNS),
    "complains": Planted("S9.2", "what is resumed with others complains still", _goes_on_complaining, made=COMPLAINS),
    "hires": Planted("S6.1", "nobody is hired for a pool that grows", _hires_nobody, made=GROWS),
    "dismisses": Planted("S6.1", "a pool that shrinks keeps its workers", _dismisses_nobody, made=SHRINKS),
    "interrupts": Planted("S6.1", "who works is interrupted when a pool shrinks", _interrupts_all, made=SHRINKS),
    "too many": Planted("S9.1", "one more is forgotten than may be", _forgets_one_too_many, made=FORGETS),
    "for ever": Planted("S9.1", "nothing is forgotten", _forgets_nothing, made=FORGETS),
    "telling": Planted(
        "S9.1", "failures are forgotten that pause a schedule", _forgets_what_failed, made=FORGETS_FAILURES
    ),
    "open": Planted("S9.1", "alerts are forgotten that nobody closed", _forgets_open_alerts, made=FORGETS_ALERTS),
    "over": Planted("S9.1", "what is declared is forgotten once it is over", _forgets_what_is_declared, made=IS_OVER),
    "timer": Planted("S6.10", "something else has a timer", _has_a_timer_of_its_own, made=IDLE),
    "unseen": Planted("S6.10", "a node prunes as it starts, without a run", _prunes_as_it_starts, made=IDLE),
}
