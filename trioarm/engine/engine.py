"""`SchedulingEngine`: the heart, and nothing else. It looks, decides, claims, and naps until something is due."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from enum import Enum, auto
from typing import Final

import trio

from trioarm.core.admission import Admission, start_at_once
from trioarm.core.alerts import AlertRule, no_alerts
from trioarm.core.changes import DONE, REFUSED, CancelAsked, Change, Claim, Finished, Requeued, RunStep, Verdict, freed
from trioarm.core.errors import RepositoryError
from trioarm.core.events import (
    NodeStarted,
    NodeStopping,
    ScheduleChange,
    ScheduleChanged,
)
from trioarm.core.gathering import apart, gathered
from trioarm.core.planning import Group, PlanRules, expire, lose, plan, quarantine
from trioarm.core.run import RunRecord
from trioarm.core.states import CLAIMED, PENDING, Reason, Step
from trioarm.engine.announcing import announce, in_a_line, publish
from trioarm.engine.executor import RunExecutor
from trioarm.engine.gatekeeper import Gatekeeper
from trioarm.engine.hub import Hub
from trioarm.engine.metrics import Metrics
from trioarm.engine.pausing import pause_what_keeps_failing
from trioarm.engine.pool import Pool
from trioarm.engine.ports import Clock, DueView, ScheduleRepository
from trioarm.engine.timekeeping import Timekeeping

CHUNK: Final = 1_000  # due entries read and decided at once, so that workers turn in between (S5.1)
CHUNK_MIN: Final = 250  # room to wait for before the next chunk: fewer would not be worth a transaction
PARTS: Final = 4  # of what a pool may hold: decided, claimed, called and recorded side by side
SERIES_S: Final = 0.25  # for how long batches follow each other before runs that wait have their turn
ROOM_WITHIN_S: Final = 0.1  # for how long: workers that are slower are not waited for
PAUSE_WITHOUT_PROGRESS_S: Final = 0.05  # after a pass in which the repository took nothing
PAUSE_IN_TROUBLE_S: Final = 1.0  # after a pass in which it could not be asked
PAUSE_IN_DOUBT_S: Final = 1.0  # between two looks at a clock that is not believed

_log = logging.getLogger("trioarm.engine")


class Left(Enum):
    """What a chunk leaves to decide in the same pass."""

    MORE = auto()
    NOTHING = auto()
    REFUSED = auto()  # all of it: the repository took none


class SchedulingEngine:
    """Decides everything that is due, then claims runs for whoever is free; never waits for workers.

    Args:
        repository: what is due, and where decisions go.
        executor: who works.
        clock: what time it is.
        hub: told of decisions.
        metrics: counts them.
        gatekeeper: looks at the resources that runs need.
        node: this node's name, random per boot.
        rules: what schedules leave open; may be replaced while it runs.
        may_hold: whether this node may hold runs now: its lease is good.
        chunk: the most due entries decided in one transaction.
        alerts: what decisions raise alerts for, in their own transaction (S6.9).
    """

    def __init__(
        self,
        repository: ScheduleRepository,
        executor: RunExecutor,
        clock: Clock,
        hub: Hub,
        metrics: Metrics,
        gatekeeper: Gatekeeper,
        *,
        node: str,
        rules: PlanRules,
        chunk: int = CHUNK,
        may_hold: Callable[[], bool] = lambda: True,
        alerts: AlertRule = no_alerts,
    ) -> None:
        self._repository = repository
        self._executor = executor
        self._clock = clock
        self._hub = hub
        self._metrics = metrics
        self._gatekeeper = gatekeeper
        self._timekeeping = Timekeeping(repository, clock, hub, metrics, executor.outcomes_settle)
        self.node = node
        self.rules = rules
        self.chunk = chunk
        self._may_hold = may_hold
        self._alerts = alerts
        self.last_pass_at: int | None = None
        self.trouble: str | None = None
        self._has_told = False
        self._wake = trio.Event()
        self._nap = trio.CancelScope()
        self._may_begin = trio.Event()
        self._stopping = False
        self._in_doubt = False
        self._opens_at: int | None = None  # when a resource opens that runs wait for; None while time opens none
        # What a command decides is given, or not, before anybody asks what is held. As a lock, but nobody owns it.
        self._deciding = trio.Semaphore(1, max_value=1)
        self._being_kept = 0  # batches of decisions
        self._took_none = False

    def wake(self) -> None:
        """Make the engine look again now: something was put or released, or may start."""
        self._wake.set()

    def due_changed(self) -> None:
        """Let the engine look again no later than the next due instant, which may be earlier than it was."""
        self._clock.shorten(self._nap, self._repository.next_due_at)

    def start(self) -> None:
        """Let the engine decide and claim; until then it only waits (S8.4)."""
        self._may_begin.set()

    def stop(self) -> None:
        """Claim and decide nothing more; `run` returns after the pass it is in."""
        self._stopping = True
        self._may_begin.set()
        self._hub.publish(NodeStopping(self.node))
        self.wake()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Decide and claim from `start` until `stop`.

        Cancellation: at any checkpoint; what was committed stands, what was not is decided by the next pass.
        """
        task_status.started()
        await self._may_begin.wait()
        self._hub.publish(NodeStarted(self.node))
        while not self._stopping:
            wake = self._rearm()  # before looking, so that no wake-up is lost
            now = self._clock.look()
            self.last_pass_at = now  # before the pass: it may start the look at the node's health
            pause_s = await self._look(self._clock.almost_due_at or now)
            self._executor.look_for_stuck()
            self._metrics.passes += 1
            look_at = now if pause_s else self._next_look_at()
            with self._clock.nap_until(look_at, at_least_s=pause_s, exactly=True) as self._nap:
                if self._executor.watch_at < self._nap.deadline:
                    self._nap.deadline = self._executor.watch_at
                await wake.wait()

    async def _look(self, now: int) -> float:
        """Decide and claim; return for how long to pause when that made no progress, in seconds."""
        try:
            if not await self._timekeeping.may_decide(now):
                return PAUSE_IN_DOUBT_S
            progress = await self._decide_and_claim(now)
        except RepositoryError as error:  # what runs goes on; nothing new begins until it can be asked again (S7.5)
            if self.trouble is None and self._repository.trouble is None:  # which says so itself
                _log.error("nothing new begins: %s", error)
                self._has_told = True
            self.trouble = str(error)
            return PAUSE_IN_TROUBLE_S
        if self._has_told:
            _log.warning("the store can be used again")
        self.trouble, self._has_told = None, False
        return 0.0 if progress else PAUSE_WITHOUT_PROGRESS_S

    async def _decide_and_claim(self, now: int) -> bool:
        """Decide all that is due, a chunk at a time; claim for whoever is free after each, so that work goes on."""
        while True:
            if self._in_doubt:  # what may be claimed for this node takes room, which decisions claim at once, too
                await self._adopt()
            left = await self._decide_chunk(now)
            progress = await self._claim(now) and left is not Left.REFUSED
            if left is not Left.MORE or not progress or self._stopping:
                return progress
            # What is decided when it may start is written once: as pending, it would be written again by its claim.
            await self._executor.wait_for_room(CHUNK_MIN, within_s=ROOM_WITHIN_S)

    def _rearm(self) -> trio.Event:
        if self._wake.is_set():
            self._wake = trio.Event()
        return self._wake

    def _next_look_at(self) -> int | None:
        due_at, opens_at = self._repository.next_due_at, self._opens_at
        return opens_at if due_at is None or (opens_at is not None and opens_at < due_at) else due_at

    # Deciding

    async def decide_due(self, now: int) -> bool:
        """Decide everything due by `now`, and claim nothing; return False when the repository took none of a chunk."""
        while (left := await self._decide_chunk(now)) is Left.MORE:
            pass
        return left is Left.NOTHING

    def undecided(self) -> AbstractAsyncContextManager[None]:
        """Return a context in which this node decides nothing: what is found unfinished in it is all there is here."""
        return self._deciding

    async def _decide_chunk(self, now: int) -> Left:
        """Decide a chunk of what is due by `now`, and return what is left of it."""
        try:
            self._deciding.acquire_nowait()  # as it mostly can, without a turn of the loop
        except trio.WouldBlock:
            await self._deciding.acquire()
        try:
            return await self._decide_some(now)
        finally:
            self._deciding.release()

    async def _decide_some(self, now: int) -> Left:
        batch = self._batch()
        view = await self._repository.read_due(now, batch)
        changes = self._decisions(view, now)
        if self._clock.almost_due_at is not None:
            await self._clock.see_out()  # the engine is awake a moment before: what can be done until then is done
        if not changes:
            return Left.NOTHING
        for change in changes:
            if change.steps:
                await pause_what_keeps_failing(self._repository, change)
        if (len(view.groups) + len(view.expired) + len(view.lost)) * 2 >= batch:
            return await self._decide_on(changes, now)
        changes, verdicts = await self._kept(changes)
        self._settle(changes, verdicts)
        return Left.NOTHING if DONE in verdicts else Left.REFUSED  # what else came due meanwhile is for the next pass

    async def _decide_on(self, changes: list[Change], now: int) -> Left:
        """Keep decisions, and decide what else is due while they are being kept, as long as there is room for it."""
        self._took_none, until = False, trio.current_time() + SERIES_S
        async with trio.open_nursery() as keeping:
            while changes:
                keeping.start_soon(self._keep_beside, changes)
                for _ in range(2):  # it begins first: in one turn of the loop it may come after this
                    await trio.lowlevel.checkpoint()
                changes = self._further(now) if await self._may_go_on(until) else []
        return Left.REFUSED if self._took_none else Left.MORE

    async def _may_go_on(self, until: float) -> bool:
        """Wait until what is decided next could be kept and begun; False where somebody else is to have a turn."""
        while self._being_kept > 1 or not self._executor.has_room(CHUNK_MIN):
            if not self._being_kept:
                return False
            await self._executor.room_changes()
        halt = self._took_none or self._in_doubt or self._stopping or trio.current_time() >= until
        return not halt and not self._deciding.statistics().tasks_waiting

    def _further(self, now: int) -> list[Change]:
        return self._decisions(DueView(self._repository.further_due(now, self._batch()), [], ()), now)

    async def _keep_beside(self, changes: list[Change]) -> None:
        self._being_kept += 1
        try:
            changes, verdicts = await self._kept(changes)
        finally:  # a command that decides may be cancelled
            self._being_kept -= 1
        self._settle(changes, verdicts)
        self._took_none |= DONE not in verdicts

    async def _kept(self, changes: list[Change]) -> tuple[list[Change], list[Verdict]]:
        """Keep decisions, and return them with what became of each."""
        with self._executor.expecting(run for change in changes for run in change.decided if run.state is CLAIMED):
            verdicts = await self._repository.commit(changes)
            return await self._keep_less(changes, verdicts) if REFUSED in verdicts else (changes, verdicts)

    async def _keep_less(self, changes: list[Change], verdicts: list[Verdict]) -> tuple[list[Change], list[Verdict]]:
        """Try again what was refused: each decision on its own, and without its alerts, so that none waits for them."""
        tried: list[Change] = []
        became: list[Verdict] = []
        for change, verdict in zip(changes, verdicts, strict=True):
            parts = apart(change) if verdict is REFUSED else [change]
            if len(parts) > 1 or (verdict is REFUSED and change.documents):
                change.documents = ()
                tried += parts
                became += await self._repository.commit(parts)
            else:
                tried.append(change)
                became.append(verdict)
        return tried, became

    def _batch(self) -> int:
        """Return how many due entries to decide at once: no more than can start, where that is worth a transaction."""
        most = min(self.chunk, self._repository.batch)
        if most <= CHUNK_MIN:
            return most
        room = min(self._executor.room, self._executor.room_at_most // PARTS)
        return min(most, max(room, CHUNK_MIN)) if room else most

    def _decisions(self, view: DueView, now: int) -> list[Change]:
        """Return what becomes of all that is due; what can start at once is claimed for this node already."""
        plans = self._plans(view.groups, now)
        changes = gathered(plans) if len(view.groups) > 1 else [*plans]
        for run in view.expired:
            step = expire(run, now, self.rules)
            if step is not None:
                move = freed(run, now)
                changes.append(Change(steps=(step,), moved=() if move is None else (move,)))
        if view.lost:
            gone_at = self._clock.now()  # a node that is found gone may have begun them after this pass did
            changes += [lose(run, gone_at, self.rules) for run in view.lost]
        begins = self._may_begin.is_set() and not self._stopping  # a command decides before and after that, too
        for change in changes:
            if documents := self._alerts(change):
                change.documents = documents
        decided = [run for change in changes for run in change.decided]
        if decided and begins and self._may_hold():
            rooms = self._executor.rooms({run.schedule.schedule.handler for run in decided})
            start_at_once(decided, Admission(rooms, view.busy_lanes), self.node)
        return changes

    def _plans(self, groups: Iterable[Group], now: int) -> Iterator[Change]:
        for group in groups:
            try:
                yield plan(group, now, self.rules)
            except Exception as error:  # a trigger is foreign code, and one bad schedule never stops another (S2.6)
                yield self._quarantined(group, now, error)

    def _quarantined(self, group: Group, now: int, error: Exception) -> Change:
        bad = [record for record in group.schedules if not self._can_plan(Group((record,)), now)]
        for record in bad:
            name = record.schedule.name
            detail = f"{type(error).__name__}: {error}"
            _log.error("schedule %s is quarantined, its trigger fails: %s", name, detail)
            self._hub.publish(ScheduleChanged(name, ScheduleChange.QUARANTINED, detail))
        return Change(moved=[quarantine(record) for record in bad or group.schedules])

    def _can_plan(self, group: Group, now: int) -> bool:
        try:
            plan(group, now, self.rules)
        except Exception:  # as above: this finds the bad one of a lane
            return False
        return True

    def _settle(self, changes: list[Change], verdicts: list[Verdict]) -> None:
        kept = [change for change, verdict in zip(changes, verdicts, strict=True) if verdict is DONE]
        self._executor.give([run for change in kept for run in change.decided if run.state is CLAIMED])
        self.tell(kept)
        self._in_doubt |= Verdict.UNKNOWN in verdicts

    def tell(self, kept: Sequence[Change]) -> None:
        """Act on changes that were kept: stop what they cancel, count and publish what they decide."""
        decided = [run for change in kept for run in change.decided]
        counts = self._metrics.decided
        for run in decided:
            counts[run.state] += 1
            if run.state is PENDING:
                self._executor.left_waiting(run)
        for change in kept:
            for step in change.steps:
                self._act_on(step)
            if change.documents:
                announce(change.documents, self._metrics, self._hub)
        if self._hub.observed:
            for change in kept:
                publish(change, self._hub)
        if _log.isEnabledFor(logging.DEBUG):
            for run in decided:
                _log.debug("%s", in_a_line(run))

    def _act_on(self, step: RunStep) -> None:
        if isinstance(step, CancelAsked):
            self._executor.cancel(step.run.run_id, step.reason)
        elif isinstance(step, Finished):
            self._metrics.finished[step.run.state] += 1
        elif isinstance(step, Requeued) and step.step is not Step.POSTPONE:
            self._metrics.retried(Reason.LOST)
            _log.debug("%s: its node is gone, the run is begun again", step.run.schedule.schedule.name)

    # Claiming

    async def _claim(self, now: int) -> bool:
        """Claim waiting runs for pools with room; return False when the repository did not keep all of it."""
        if self._in_doubt:
            await self._adopt()
        progress, self._opens_at = True, None
        if not self._repository.may_be_ready(self._executor.handlers):  # as mostly: asked once, not once for each pool
            self._executor.none_wait()
            return progress
        if self._stopping or not self._may_hold():
            return progress
        closed: dict[str, int | None] = {}
        for pool in self._executor.pools:
            progress &= await self._claim_for_pool(pool, closed, now)
        self._opens_at = min((at for at in closed.values() if at is not None), default=None)
        self._executor.awaited = bool(closed)
        return progress

    async def _claim_for_pool(self, pool: Pool, closed: dict[str, int | None], now: int) -> bool:
        """Do so for one pool.

        Args:
            closed: resources that keep runs waiting, with when they open as far as time says; more may be found.
        """
        pool.backlog = self._repository.may_be_ready(pool.callable())
        aged_at = now - self.rules.queue_timeout // 2  # before they are missed, they have their turn (S6.6)
        while pool.backlog and (free := pool.free) > 0:
            known = len(closed)
            waiting = await self._repository.read_ready(pool.callable(), free, aged_at, closed)
            pool.backlog = len(waiting) >= free
            if not waiting:
                break
            claimed, kept = await self._claim_some(pool, waiting, closed, now)
            if not kept:
                return False
            # What waits for a resource, or for the lane of another, made room in the queue: look behind it.
            if len(closed) == known and claimed in (0, len(waiting)):
                break
        return True

    async def _claim_some(
        self, pool: Pool, waiting: list[RunRecord], closed: dict[str, int | None], now: int
    ) -> tuple[int, bool]:
        """Claim those of the waiting runs that may begin; return how many were, and whether all of that was kept."""
        admission = Admission(dict.fromkeys(pool.callable(), pool.room()), ())
        needs = {run.run_id: self._gatekeeper.needs(run) for run in waiting}
        gates = await self._gatekeeper.look((name for names in needs.values() for name in names), now)
        runs, changes, shut = [], [], 0
        for run in waiting:
            named = needs[run.run_id]
            if named and (found := gates.closed(named)):
                closed.update(found)
                shut += 1
            elif admission.admit(run):
                runs.append(run)
                changes.append(Change(steps=(Claim(run, run.token, self.node, now),)))
                if named:
                    changes[-1].documents = gates.begin(named)
        pool.backlog |= len(runs) + shut < len(waiting)
        with self._executor.expecting(runs):
            verdicts = await self._repository.commit(changes)
        self._executor.give([run for run, verdict in zip(runs, verdicts, strict=True) if verdict is DONE])
        self._in_doubt |= Verdict.UNKNOWN in verdicts
        claimed = verdicts.count(DONE)
        return claimed, claimed == len(runs)

    def doubt(self) -> None:
        """Compare what this node holds with what is kept: somebody got an unknown verdict, or another process wrote."""
        self._in_doubt = True
        self.wake()

    async def _adopt(self) -> None:
        """Hold what is claimed for this node, stop what it is asked to stop, and what is no longer its own (S2.4).

        What was held before the look may end and be recorded while the answer is on its way: that is never begun again.
        """
        async with self._deciding:
            held = frozenset(self._executor.held)
            mine = {run.run_id: run for run in await self._claimed_here()}
            for run in mine.values():
                if run.run_id not in held and self._executor.knows(run.schedule.schedule.handler):
                    self._executor.give([run])
                if run.cancel is not None:
                    self._executor.cancel(run.run_id, run.cancel)
            for run_id in held.difference(mine):
                self._executor.cancel(run_id, Reason.LOST)

    async def _claimed_here(self) -> list[RunRecord]:
        """Return the runs that are claimed for this node; the doubt lasts while that cannot be found out."""
        self._in_doubt = False  # before asking, so that a doubt that arises meanwhile is not lost
        try:
            return await self._repository.unfinished_runs(node=self.node)
        except RepositoryError:
            self._in_doubt = True
            raise
