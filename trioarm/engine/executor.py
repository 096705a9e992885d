"""The executor: workers of pools call handlers, and what ignores its cancellation is given up (S6.1, S6.3)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from math import inf
from typing import Final

import trio

from trioarm.core.admission import Room
from trioarm.core.events import HandlerStuck
from trioarm.core.instants import SECOND
from trioarm.core.outcome import Stopped, TimedOut
from trioarm.core.retrying import not_again
from trioarm.core.run import BACKFILL, RunRecord
from trioarm.core.states import Reason
from trioarm.engine.attempt import STUCK_GRACE_S, Attempt, Host, call_some
from trioarm.engine.hub import Hub
from trioarm.engine.metrics import Metrics
from trioarm.engine.pool import Pool, PoolSettings
from trioarm.engine.ports import Clock
from trioarm.engine.recorder import Recorder
from trioarm.engine.whereabouts import whereabouts

BURST: Final = 100  # runs a worker may begin before others turn: a handler need not yield; fewer fill more pages

_log = logging.getLogger("trioarm.executor")


class RunExecutor:
    """Calls handlers for claimed runs.

    Args:
        pools: each handler belongs to one.
        clock: wall time of starts and ends.
        hub: told of stuck handlers.
        metrics: counts attempts.
        timeout_s: for schedules that say nothing; may be replaced while it works.
        wake: called when a handler that ignored its cancellation has returned: it may be called again.
        progressed: told of attempts that say how far they are.
    """

    def __init__(
        self,
        pools: Sequence[Pool],
        clock: Clock,
        hub: Hub,
        metrics: Metrics,
        timeout_s: float = 300.0,
        *,
        wake: Callable[[], None],
        progressed: Callable[[Attempt], None] = lambda attempt: None,
    ) -> None:
        self.pools = tuple(pools)
        self.timeout_s = timeout_s
        self.trusted_until = inf
        """Trio's time until which nobody else can have taken over what is held here: no handler is called after it, for
        the claim may have come back too late. Set by what keeps the lease (S7.2)."""
        self._clock = clock
        self._hub = hub
        self._metrics = metrics
        self._wake_engine = wake
        self._hosts = {pool.name: Host(pool.threads, progressed, self._trust_ends) for pool in pools}
        self._pool_of = {handler: pool for pool in pools for handler in pool.handlers}
        self._unbegun: dict[int, Reason] = {}  # cancelled before a worker came to them
        self._watch_at = inf
        self.awaited = False
        """Whether a run waits for a resource that others hold: whoever ends may let it begin."""
        self._is_ending = False
        self._open = 0  # given and not yet ended, over all pools
        self.queued = 0  # runs that wait in the channels
        self._quiet = trio.Event()
        self._released = trio.Event()

    async def run(self, recorder: Recorder, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Work until cancelled, in workers that are children of this task.

        Args:
            recorder: takes starts and outcomes.

        Cancellation: running handlers are cancelled, queued runs given back; the recorder has all of them then.
        """
        self._recorder = recorder
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                for pool in self.pools:
                    self._staff(pool)
                task_status.started()
                await trio.sleep_forever()
        finally:
            self.give_back()

    # What the engine asks

    async def outcomes_settle(self) -> None:
        """Wait until it is known what became of the outcomes that are being kept now."""
        await self._recorder.batch_ends()

    def rooms(self, handlers: Iterable[str]) -> dict[str, Room]:
        """Return what the pools of these handlers can take now; nothing for a pool that left runs waiting."""
        rooms: dict[str, Room] = {}
        of_pools: dict[Pool, Room] = {}
        for handler in handlers:
            pool = self._pool_of.get(handler)
            if pool is not None and pool.may_call(handler):
                if pool not in of_pools:
                    of_pools[pool] = Room(0, 0) if pool.backlog else pool.room()
                rooms[handler] = of_pools[pool]
        return rooms

    @property
    def room(self) -> int:
        """How many runs the pool with most room can take now; none of a pool that left runs waiting."""
        return max((0 if pool.backlog else pool.free for pool in self.pools), default=0)

    @property
    def room_at_most(self) -> int:
        """How many runs the largest pool may hold."""
        return max((pool.settings.held for pool in self.pools), default=0)

    def has_room(self, runs: int) -> bool:
        """Whether a pool can take so many runs, or half of what it may hold."""
        return self.room >= min(runs, self.room_at_most // 2)

    async def room_changes(self) -> None:
        """Wait until a pool may have more room; more than one task may."""
        if self._released.is_set():
            self._released = trio.Event()
        await self._released.wait()

    async def wait_for_room(self, runs: int, *, within_s: float) -> None:
        """Wait until a pool can take so many runs, or half of what it may hold; not while runs are left waiting.

        Args:
            runs: how many.
            within_s: for how long at most, in seconds.
        """
        with trio.move_on_after(within_s):
            while not self.has_room(runs) and not any(pool.backlog for pool in self.pools):
                await self.room_changes()

    def left_waiting(self, run: RunRecord) -> None:
        """Note that a run its pool could call waits, so that later ones do not overtake it."""
        pool = self._pool_of.get(run.schedule.schedule.handler)
        if pool is not None:
            pool.backlog = True

    def none_wait(self) -> None:
        """Note that no run waits for a worker, nor for a resource."""
        self.awaited = False
        for pool in self.pools:
            pool.backlog = False

    @property
    def handlers(self) -> Collection[str]:
        """The names of all handlers registered here."""
        return self._pool_of.keys()

    def knows(self, handler: str) -> bool:
        """Whether a handler of that name is registered here."""
        return handler in self._pool_of

    def holds(self, run_id: int) -> bool:
        """Whether a run is queued, running, or not yet recorded here."""
        return any(run_id in pool.held for pool in self.pools)

    @property
    def held(self) -> list[int]:
        """The numbers of the runs that are queued, running, or not yet recorded here."""
        return [run_id for pool in self.pools for run_id in pool.held]

    @contextmanager
    def expecting(self, runs: Iterable[RunRecord]) -> Iterator[None]:
        """Keep room for runs while their claims are being kept: where their handlers are now, whoever changes them."""
        handlers = [run.schedule.schedule.handler for run in runs]
        pools = [self._pool_of[handler] for handler in handlers if handler in self._pool_of]
        for pool in pools:
            pool.expected += 1
        try:
            yield
        finally:
            for pool in pools:
                pool.expected -= 1
            self._released.set()

    def give(self, runs: Sequence[RunRecord]) -> None:
        """Take runs that are claimed for this node; there is room for them.

        A node that ends begins none of them. None begins one whose schedule was put with a handler that is not
        registered here while the claim was being kept.
        """
        self._metrics.claimed += len(runs)
        self._open += len(runs)
        self.queued += len(runs)
        stuck_at = trio.current_time() + STUCK_GRACE_S  # and its timeout; none begins earlier
        for run in runs:
            schedule = run.schedule.schedule
            known = self.knows(schedule.handler)
            handler = schedule.handler if known else next(iter(self._pool_of))  # any, to give it back by
            pool = self._pool_of[handler]
            pool.held[run.run_id] = handler
            pool.open += 1
            if self._is_ending or not known:
                self._give_one_back(pool, run)
                continue
            pool.send.send_nowait(run)
            if (watch_at := stuck_at + (schedule.timeout_s or self.timeout_s)) < self._watch_at:
                self._watch_at = watch_at

    def leave(self, attempts: Iterable[Attempt]) -> None:
        """Count on the room of attempts whose outcomes are being kept: what is claimed from now on is kept after them.

        Where an outcome turns out not to be kept, a pool holds more for a while than its settings say; none of that is
        called before its turn.
        """
        for attempt in attempts:
            self._pool_of[attempt.handler].leaving += 1
        self._released.set()

    def stay(self, attempts: Iterable[Attempt]) -> None:
        """Count on it no longer: what became of them is known."""
        for attempt in attempts:
            self._pool_of[attempt.handler].leaving -= 1

    def release(self, attempts: Iterable[Attempt]) -> bool:
        """Give room back: these outcomes are recorded, or nobody's any more.

        Returns:
            whether a run may be waiting for it.
        """
        wanted = self.awaited
        for attempt in attempts:
            run_id = attempt.run.run_id
            pool = self._pool_of[attempt.handler]
            pool.held.pop(run_id, None)
            wanted |= pool.backlog
            if self._unbegun:
                self._unbegun.pop(run_id, None)
        self._released.set()
        return wanted

    def cancel(self, run_id: int, reason: Reason) -> None:
        """Ask a running handler to stop, or a queued run not to begin; what has ended is left alone."""
        for pool in self.pools:
            attempt = pool.running.get(run_id)
            if attempt is not None:
                attempt.cancel(reason)
                self._watch_at = min(self._watch_at, attempt.stuck_at)
            elif run_id in pool.held:
                self._unbegun[run_id] = reason

    def cancel_all(self, reason: Reason) -> int:
        """Do as `cancel` with all that is held, and return how many handlers were not asked to stop before."""
        running = [attempt for pool in self.pools for attempt in pool.running.values()]
        asked = sum(attempt.reason is None for attempt in running)
        for run_id in self.held:
            self.cancel(run_id, reason)
        return asked

    @property
    def running(self) -> int:
        """How many handlers are being called."""
        return sum(len(pool.running) for pool in self.pools)

    # Workers

    def resize(self, name: str, settings: PoolSettings) -> None:
        """Give a pool another size while it works.

        What it has too much of ends by itself: no run is interrupted, and surplus workers end after theirs.
        """
        for pool in self.pools:
            if pool.name == name and pool.settings != settings:
                pool.resize(settings)
                self._staff(pool)
                self._wake_engine()

    def _staff(self, pool: Pool) -> None:
        """Hire the workers a pool lacks, and wake those it has too many of, as far as they have nothing to do."""
        pool.recount()
        while pool.workers < pool.wanted:
            pool.workers += 1
            self._nursery.start_soon(self._work, pool, name=f"trioarm worker of {pool.name}")
        idle = pool.receive.statistics().tasks_waiting_receive
        for _ in range(min(idle, pool.workers - pool.wanted)):
            pool.send.send_nowait(None)

    async def _work(self, pool: Pool) -> None:
        task = trio.lowlevel.current_task()
        over = partial(self._over, pool)
        while pool.workers <= pool.wanted:
            run = await pool.receive.receive()
            attempts = self._attempts(pool, run, task)
            attempt = next(attempts, None)
            while attempt is not None:
                attempt = await call_some(attempt, attempts, pool.handlers, over)
            if self.queued:
                await trio.lowlevel.checkpoint()  # with nothing in hand, so that whoever records finds all ended
        pool.workers -= 1

    def _attempts(self, pool: Pool, run: RunRecord | None, task: trio.lowlevel.Task) -> Iterator[Attempt]:
        """Begin a run, and up to BURST of those that wait behind it: each when the one before is over."""
        for left in range(BURST, 0, -1):
            if run is None:
                return
            attempt = self._begin(pool, run, task)
            if attempt.outcome is None:
                yield attempt
            run = self._next(pool) if left > 1 else None

    def _next(self, pool: Pool) -> RunRecord | None:
        """Return a run that waits in a pool, if a worker may begin it now."""
        if pool.workers > pool.wanted or not self.queued:
            return None
        try:
            return pool.receive.receive_nowait()
        except trio.WouldBlock:
            return None

    def _begin(self, pool: Pool, run: RunRecord, task: trio.lowlevel.Task) -> Attempt:
        """Return an attempt of a run; one that is not to be made any more has ended already."""
        self.queued -= 1
        run_id, now = run.run_id, trio.current_time()
        handler = pool.held[run_id]
        deadline = now + (run.schedule.schedule.timeout_s or self.timeout_s)
        stuck_at = deadline + STUCK_GRACE_S
        attempt = Attempt(run, run.token, handler, deadline, stuck_at, self._hosts[pool.name], task)
        unbegun = self._unbegun.pop(run_id, None) if self._unbegun else None
        if unbegun is not None or now >= self.trusted_until:
            attempt.outcome = Stopped(unbegun or Reason.LOST)
        elif run.token > 1:  # it was claimed before
            attempt.outcome = not_again(run)
        if attempt.outcome is not None:
            self._ended(pool, attempt)
            return attempt
        if stuck_at < self._watch_at:
            self._watch_at = stuck_at
        attempt.started_at = self._clock.now()
        pool.running[run_id] = attempt
        self._recorder.begun(attempt)
        return attempt

    def _over(self, pool: Pool, attempt: Attempt) -> None:
        """Let what a worker called be over; one that was given up is back, and another may have taken its place."""
        run_id = attempt.run.run_id
        if not attempt.abandoned:
            del pool.running[run_id]
            self._ended(pool, attempt)
            return
        del pool.stuck[run_id]
        pool.workers += 1
        pool.recount()
        self._wake_engine()

    def _trust_ends(self) -> float:
        return self.trusted_until

    def _ended(self, pool: Pool, attempt: Attempt) -> None:
        attempt.ended_at = ended_at = self._clock.now()
        pool.open -= 1
        run, started_at = attempt.run, attempt.started_at
        if started_at is not None:
            late_s = (started_at - run.due_at) / SECOND if run.origin is not BACKFILL else None
            self._metrics.attempt_ended(late_s, (ended_at - started_at) / SECOND)
        self._recorder.ended(attempt)
        self._open -= 1
        if not self._open:
            self._watch_at = inf
            self._quiet.set()

    # Handlers that ignore their cancellation

    @property
    def is_deserted(self) -> bool:
        """Whether a handler goes on that was given up, since it ignores its cancellation."""
        return any(pool.stuck for pool in self.pools)

    @property
    def watch_at(self) -> float:
        """Trio's time at which `look_for_stuck` may find something; infinite while it cannot."""
        return self._watch_at

    def look_for_stuck(self) -> None:
        """Record attempts that outlived their cancellation, name their handlers, and replace their workers."""
        if self._watch_at == inf or (now := trio.current_time()) < self._watch_at:
            return
        attempts = [(pool, attempt) for pool in self.pools for attempt in pool.running.values()]
        for pool, attempt in attempts:
            if attempt.stuck_at <= now:
                self._abandon(pool, attempt, now)
        self._watch_at = min((a.stuck_at for pool in self.pools for a in pool.running.values()), default=inf)

    def _abandon(self, pool: Pool, attempt: Attempt, now: float) -> None:
        run, handler = attempt.run, attempt.handler
        attempt.abandoned = True
        if attempt.task is None:
            raise AssertionError("what runs is made in the task of a worker")
        where = whereabouts(attempt.task)
        ignores = f"handler {handler!r} ignores its cancellation; its worker is lost to it"
        attempt.outcome = TimedOut(f"{ignores} in {where.place}", stuck=True)
        del pool.running[run.run_id]
        pool.stuck[run.run_id] = attempt
        self._ended(pool, attempt)
        overdue_s = now - attempt.stuck_at + STUCK_GRACE_S
        text = "handler %r has ignored its cancellation for %.0f s (run %d): it is in %s"
        _log.error(text, handler, overdue_s, run.run_id, " > ".join(where.frames))
        self._hub.publish(HandlerStuck(handler, run.run_id, overdue_s))
        pool.workers -= 1
        self._staff(pool)

    # Stopping

    def give_back(self) -> None:
        """Begin nothing more, and hand what no worker has begun to the recorder: another claim will begin it (S7.3)."""
        self._is_ending = True
        for pool in self.pools:
            while True:
                try:
                    run = pool.receive.receive_nowait()
                except trio.WouldBlock:
                    break
                if run is not None:
                    self._give_one_back(pool, run)

    def _give_one_back(self, pool: Pool, run: RunRecord) -> None:
        self.queued -= 1
        handler = pool.held[run.run_id]
        self._ended(pool, Attempt(run, run.token, handler, outcome=Stopped(Reason.SHUTDOWN)))

    async def drain(self, within_s: float) -> bool:
        """Let running handlers end, cancel those that have not after `within_s`, and return whether none had to be.

        Nothing may be given to the executor any more.
        """
        self.give_back()
        if await self._quiet_within(within_s):
            return True
        for run_id in [run_id for pool in self.pools for run_id in pool.running]:
            self.cancel(run_id, Reason.SHUTDOWN)
        if not await self._quiet_within(STUCK_GRACE_S):
            self.look_for_stuck()
        return False

    async def _quiet_within(self, seconds: float) -> bool:
        with trio.move_on_after(seconds):
            while self._open:
                self._quiet = trio.Event()
                await self._quiet.wait()
        return not self._open
