"""Plays a history in a world, notes what was said and when, and heals the world at the end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack, suppress
from copy import copy
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import attrs
import trio

from tests.engine.nodes import a_config
from tests.simulation.course import Course, Definition, Life, Many, Removal, Saying, Size
from tests.simulation.declaring import Declaring
from tests.simulation.forgetting import WatchedStore, all_entries
from tests.simulation.history import (
    OWNERS,
    Act,
    Declared,
    History,
    Joined,
    Killed,
    Pruned,
    Put,
    Resized,
    Said,
    Stalled,
    Stepped,
    Stopped,
    Strayed,
)
from tests.simulation.idling import IDLE_S, PRUNED, watched
from tests.simulation.many import ask_all, cancel_all
from tests.simulation.sizing import told
from tests.simulation.witness import KEPT, LIMIT, LIMITED, Witness
from trioarm import Schedule
from trioarm.core.alerts import AlertQuery
from trioarm.core.course import BELIEVED_MAX
from trioarm.core.errors import InvalidSchedule, TrioarmError
from trioarm.core.instants import HOUR, MINUTE, SECOND, instant
from trioarm.core.operations import JOURNAL, read_operation
from trioarm.core.queries import PAGE_MAX, RunQuery
from trioarm.core.resources import Breaker, Resource
from trioarm.core.states import FAILURES
from trioarm.engine.bulk_commands import BulkOutcome
from trioarm.engine.engine import SchedulingEngine
from trioarm.handlers.housekeeping import Housekeeping
from trioarm.testing import FileStore, MemoryDisk, Node, World, a_world, all_runs, in_virtual_time
from trioarm.testing.faults import Away
from trioarm.testing.stores import Store
from trioarm.testing.world import BEGIN

NODES_MAX = 3
HEAL_S = 420.0  # enough for a lease to end, the longest handler, its retries and what waits behind it in a lane
SETTLED_S = 60.0  # within which the end of a run is kept, where calls of the store go wrong
DRAIN_S = 5.0
LOOK_S = 60.0  # how seldom nodes look at the clock
DEAD_S = 3.0  # until a node comes back that died while it declared a set
AGAIN = 20  # times that something is said until it is done
POSTPONED_S, LONG_S = 90.0, 3_000.0
PAUSED = 10 * MINUTE
BACK = 15 * MINUTE  # what is backfilled: so long before it is said
RESOURCES = {LIMITED: Resource(limit=LIMIT), "mail": Resource(gap_s=2.0, breaker=Breaker(failures=3, pause_s=30.0))}
OUTAGE = 3 * HOUR  # a clock that is further behind than this opens a new epoch (S3.3)
QUIET_S = 50.0  # until a handler has ended that was cancelled
BETWEEN_S = 0.4  # after whole seconds, at which everything is done, so that nothing is halfway when it is looked at


def course_of(history: History) -> Course:
    """Play a history in virtual time, in a folder of its own if it wants a file."""
    with ExitStack() as stack:
        folder = None
        if history.with_file or history.resizes:
            folder = Path(stack.enter_context(TemporaryDirectory()))
        course: Course = in_virtual_time(_play, history, folder)
        return course


async def _play(history: History, folder: Path | None) -> Course:
    away = any(isinstance(act, Stalled) or (isinstance(act, Stopped) and act.away) for _, act in history.acts)
    course = Course(Witness(), disturbed=away or bool(history.faults))
    course.lacks = bool(history.lacks)
    course.several, course.began_at = history.with_file, trio.current_time()
    is_on_file = folder is not None and history.with_file
    store: Store = FileStore(folder / "trioarm.db") if folder and is_on_file else MemoryDisk(leased=True)
    store = store if history.keeps is None else WatchedStore(store, course)
    async with a_world(store, faults=history.faults, check_interval_s=LOOK_S, housekeeping=True) as world:
        player = _Player(world, history, course, folder)
        course.witness.wall = player.believed
        await player.start()
        if history.owner is not None:
            await player.do(Declared(history.owner, history.schedules))
        for schedule in history.schedules if history.owner is None else ():
            await player.do(Put(schedule))
        for wait_s, act in history.acts:
            await trio.sleep(wait_s)
            await player.do(act)
        await player.heal()
        repository = world.living[0].repository
        course.rows = sorted((*course.rows, *await all_runs(repository)), key=lambda row: row.run_id)
        found = await repository.get_schedules(sorted({one.name for one in course.definitions}))
        course.records = [copy(one) for one in found if one is not None]
        alerts = await world.living[0].scheduler.alerts.find(AlertQuery(states=None, limit=PAGE_MAX))
        course.journal += [(entry.at, read_operation(entry)) for entry in await all_entries(repository, JOURNAL)]
        course.kept.update((entry.body["run"], entry.body["token"]) for entry in await all_entries(repository, KEPT))
        course.alerts = {stored.alert.subject for stored in alerts.rows if stored.alert is not None}
        course.now = player.look()
        if history.idles and not course.doubted:
            await player.idle()
        course.counts.update(world.calls)
    course.virtual_s = trio.current_time() - course.began_at
    return course


class _Player:
    def __init__(self, world: World, history: History, course: Course, folder: Path | None) -> None:
        self._world = world
        config = a_config(history.workers, history.workers + history.spare, drain_s=DRAIN_S)
        features = attrs.evolve(config.features, advanced_retries=True)
        self._config = attrs.evolve(config, resources=RESOURCES, features=features)
        self._folder = folder
        if folder is not None and history.resizes:
            self._config = told(folder, history.workers, history.spare)
        self._several = history.with_file
        self._lacks = history.lacks
        self._keeps, self._chunk = history.keeps, history.chunk
        self._began = trio.current_time()
        self._astray = 0
        self._right_since = -inf
        self._course = course
        self._declaring = Declaring(world, course, self.look)

    async def start(self) -> None:
        """Start a node; where a fault keeps it from starting, once more."""
        name = f"node{len(self._world.nodes) + 1}"
        while True:
            try:
                async with self._declaring.by_start() as declared:
                    config = attrs.evolve(self._config, schedules=declared)
                    node = await self._world.start(self._handlers(name, declared), config)
            except* TrioarmError:
                self._course.counts["failed starts"] += 1
                await trio.sleep(1)
            else:
                node.container.get(SchedulingEngine).chunk = self._chunk
                if self._keeps is not None:
                    node.container.get(Housekeeping).retention = self._keeps.retention
                self._course.doubted |= self.look() < self._course.highest  # behind what is written: it goes by that
                self._course.lives.append(Life(name, trio.current_time()))
                self._sized(name, -inf)
                return

    def _handlers(self, name: str, declared: Sequence[Schedule]) -> dict[str, Any]:
        """Return the handlers of a node: every second one lacks some, but for those of what it declares itself."""
        lacks = {*self._lacks} - {schedule.handler for schedule in declared} if len(self._world.nodes) % 2 else ()
        handlers = self._course.witness.handlers(name)
        return {one: handler for one, handler in handlers.items() if one not in lacks}

    @property
    def _node(self) -> Node | None:
        """The node that is spoken to: the oldest."""
        return next(iter(self._world.living), None)

    async def do(self, act: Act) -> None:
        """Let something happen."""
        self._course.counts[type(act).__name__] += 1
        node = self._node
        match act:
            case Put(schedule):
                await self._said(schedule.name, schedule, self._put)
            case Said("remove", name):
                await self._said(name, None, self._remove)
            case Said(verb, name):
                with suppress(TrioarmError):  # it may not be there, or have nothing to come
                    await self._say(verb, name)
            case Declared(dies_after=turns) if node is not None and turns is not None:
                await self._declaring.cut_short(node, act, turns, self._kill)
                await self._come_back(DEAD_S)
            case Declared():
                await self._declare(act)
            case Pruned() if node is not None:
                with suppress(TrioarmError):
                    await node.scheduler.runs.fire(PRUNED)
            case Resized(workers, spare) if node is not None and self._folder is not None:
                self._config = told(self._folder, workers, spare)
                await self._resize(node)
            case Joined() if self._several and len(self._world.living) < NODES_MAX:
                await self.start()
            case Stepped(by_s):
                self.look()
                self._course.set_back |= by_s < 0
                self._world.step(by_s)
                self._course.doubted |= abs(self._world.wall() - self._on_course()) > BELIEVED_MAX
                self._course.corrected |= self.look() < self._course.highest - OUTAGE
            case Strayed(by_s, for_s):
                await self._stray(by_s, for_s)
            case Stalled(for_s) if node is not None:
                node.line.stall()
                await trio.sleep(for_s)
                node.line.go_on()
            case Killed(down_s) if node is not None:
                self._kill(node)
                await self._come_back(down_s)
            case Stopped(down_s, at_once, away) if node is not None:
                await self._stop(node, at_once, away)
                await self._come_back(down_s)

    async def _resize(self, node: Node) -> None:
        """Have a node read its file again until it has."""
        asked_at = trio.current_time()
        for _ in range(AGAIN):
            try:
                await node.scheduler.reload()
            except TrioarmError:
                self._course.counts["said again"] += 1
                await trio.sleep(1)
            else:
                break
        self._sized(node.name, asked_at)

    def _sized(self, name: str, asked_at: float) -> None:
        workers, held = self._config.executor.max_concurrent, self._config.scheduler.max_concurrent
        self._course.sizes[name].append(Size(workers, held - workers, asked_at, trio.current_time()))

    async def _stray(self, by_s: float, for_s: float) -> None:
        await trio.sleep_until(self._right_since + LOOK_S)  # else a node that looks that seldom takes two for one
        self._astray = round(by_s * SECOND)
        self._world.step(by_s)
        await trio.sleep(for_s)
        self._world.step(-by_s)
        self._astray, self._right_since = 0, trio.current_time()

    def believed(self) -> int:
        """Return what the wall would show if it was not astray."""
        return self._world.wall() - self._astray

    def _kill(self, node: Node) -> None:
        self._course.witness.killed(node)
        self._world.kill(node)
        self._gone(node, None)

    async def _stop(self, node: Node, at_once: bool, away: Away | None) -> None:
        if away is not None:
            node.line.break_off(away)
        told_at = trio.current_time()
        if at_once:
            node._bootstrap.cancel()
            await node._ended.wait()
        else:
            await node.stop()
        if away is not None:  # it could not say that it ends: its process did, and its lock is free
            self._world.store.bury(node.repository, node.name)
        self._gone(node, told_at, at_once=at_once, left_alone=away is not None)

    def _gone(self, node: Node, told_at: float | None, **how: bool) -> None:
        [number] = [number for number, life in enumerate(self._course.lives) if life.node == node.name]
        life, now = self._course.lives[number], trio.current_time()
        self._course.lives[number] = attrs.evolve(life, until_at=now, told_at=told_at, **how)

    def _on_course(self) -> int:
        """Return what the wall would show if nobody had ever set it."""
        return BEGIN + round((trio.current_time() - self._began) * SECOND)

    def look(self) -> int:
        """Return what the wall shows, and note the latest that it ever did."""
        now = self._world.wall()
        self._course.highest = max(self._course.highest, now)
        return now

    async def _come_back(self, down_s: float) -> None:
        await trio.sleep(down_s)
        if self._several or self._node is None:
            await self.start()

    async def _declare(self, act: Declared) -> None:
        """Declare a set until it is done."""
        for _ in range(AGAIN):
            if self._node is None or await self._declaring.by_command(self._node, act):
                break
            await trio.sleep(1)

    async def _said(
        self, name: str, schedule: Schedule | None, say: Callable[[str, Schedule | None], Awaitable[bool]]
    ) -> None:
        """Say something that changes a definition, until it is done, or refused."""
        from_at = self.look()
        self._course.witness.redefined(name)
        for _ in range(AGAIN):
            try:
                if not await say(name, schedule):
                    return
            except TrioarmError:
                self._course.counts["said again"] += 1
                await trio.sleep(1)
            else:
                break
        self.look()
        self._course.definitions.append(Definition(name, schedule, from_at, self._course.highest))

    async def _put(self, name: str, schedule: Schedule | None) -> bool:
        if self._node is not None and schedule is not None:
            await self._node.scheduler.schedules.put(schedule)
        return True

    async def _remove(self, name: str, schedule: Schedule | None) -> bool:
        if self._node is None:
            return True
        [record] = await self._node.repository.get_schedules([name])
        if record is None:
            return True
        owner, refused = record.schedule.owner, None
        try:
            await self._node.scheduler.schedules.remove(name)
        except InvalidSchedule as error:
            refused = str(error)
        self._course.removals.append(Removal(name, owner, refused))
        return refused is None

    async def _say(self, verb: str, name: str) -> None:
        if self._node is None:
            return
        scheduler, now = self._node.scheduler, self.look()
        self._course.sayings.append(Saying(verb, name, now))
        match verb:
            case "pause":
                await scheduler.schedules.pause(name)
            case "resume":
                await scheduler.schedules.resume(name)
            case "fire":
                await scheduler.runs.fire(name)
            case "pause_for":
                await scheduler.schedules.pause(name, until=now + PAUSED)
            case "skip":
                await scheduler.schedules.skip_next(name)
            case "skip_later":  # not the next one: the one after it
                stored = await scheduler.schedules.get(name)
                if stored.next_due_at is not None:
                    after = stored.schedule.trigger.next_after(instant(stored.next_due_at))
                    await scheduler.schedules.skip(name, after or now)
            case "postpone":
                await scheduler.schedules.postpone(name, by_s=POSTPONED_S)
            case "postpone_long":
                await scheduler.schedules.postpone(name, by_s=LONG_S)
            case "undo":  # what was said first: mostly that the next one is skipped
                await scheduler.schedules.skip_next(name)
                await scheduler.schedules.undo(name)
            case "fire_alone":
                fired = await scheduler.runs.fire(name, overlap="skip")
                self._answered([fired.id])
            case "fire_instead":
                await scheduler.runs.fire(name, overlap="cancel_running")
            case "cancel":
                results = await scheduler.runs.cancel_many(RunQuery(schedule=name))
                self._answered([one.item for one in results if one.outcome is BulkOutcome.CHANGED])
            case "pause_all" | "resume_all":
                self._course.many.append(await ask_all(verb, self._node))
            case "cancel_all":
                stored = await scheduler.schedules.get(name)
                there, results = await cancel_all(stored.schedule.handler, self._node)
                self._answered([one.item for one in results if one.outcome is BulkOutcome.CHANGED])
                self._course.many.append(Many(verb, dict.fromkeys(there), {}, results))
            case "retry":
                page = await scheduler.runs.find(RunQuery(schedule=name, states=FAILURES, limit=1))
                for run in page.rows:
                    await scheduler.runs.retry(run.id)
            case "backfill":
                done = await scheduler.runs.backfill(name, now - BACK, now - SECOND)
                self._course.sayings[-1] = attrs.evolve(self._course.sayings[-1], results=done)

    def _answered(self, runs: Sequence[str]) -> None:
        """Note to which runs the last saying came."""
        last = self._course.sayings[-1]
        self._course.sayings[-1] = attrs.evolve(last, runs=runs, answered_at=trio.current_time())

    async def heal(self) -> None:
        """Let everything go well from now on, and wait until nothing has an excuse any more."""
        self._world.faults.clear()
        for node in self._world.living if self._lacks else ():
            await self._stop(node, at_once=False, away=None)
        self._lacks = ()
        if self._node is None:
            await self.start()
        for name in {one.name for one in self._course.definitions}:
            with suppress(TrioarmError):
                await self._say("resume", name)
        await trio.sleep(HEAL_S + BETWEEN_S)

    async def idle(self) -> None:
        """Take all away that there is to do, and watch who is woken all the same."""
        [node] = self._world.living
        before = len(self._course.rows)
        for owner in OWNERS:
            await node.scheduler.schedules.sync(owner, ())
        for name in sorted({one.name for one in self._course.definitions}):
            if any(await node.repository.get_schedules([name])):
                await node.scheduler.schedules.remove(name)
        for _ in range(2):  # what a handler that is stubborn held up may begin in between
            for run in await node.repository.unfinished_runs():
                with suppress(TrioarmError):
                    await node.scheduler.runs.cancel(run.run_id)
            await trio.sleep(QUIET_S)
        async with watched(self._course):
            await trio.sleep(IDLE_S)
        forgotten = self._course.rows[before:]
        self._course.rows_when_idle = [*forgotten, *await all_runs(node.repository)]
