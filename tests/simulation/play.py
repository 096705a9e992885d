"""Plays a history in a world, notes what was said and when, and heals the world at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack, suppress
from copy import copy
from pathlib import Path
from tempfile import TemporaryDirectory

import attrs
import trio

from tests.engine.nodes import a_config
from tests.simulation.history import (
    Act,
    History,
    Joined,
    Killed,
    Put,
    Said,
    Stalled,
    Stepped,
    Stopped,
)
from tests.simulation.witness import LIMIT, LIMITED, Witness
from trioarm import Backfilled, Schedule
from trioarm.core.alerts import AlertQuery
from trioarm.core.course import BELIEVED_MAX
from trioarm.core.errors import TrioarmError
from trioarm.core.instants import HOUR, MINUTE, SECOND
from trioarm.core.queries import PAGE_MAX, RunQuery
from trioarm.core.resources import Breaker, Resource
from trioarm.core.run import RunRecord
from trioarm.core.schedule import ScheduleRecord
from trioarm.core.states import ACTIVE, FAILURES
from trioarm.testing import FileStore, MemoryDisk, Node, World, a_world, all_runs, in_virtual_time
from trioarm.testing.world import BEGIN

NODES_MAX = 3
HEAL_S = 420.0  # enough for a lease to end, the longest handler, its retries and what waits behind it in a lane
SETTLED_S = 60.0  # within which the end of a run is kept, where calls of the store go wrong
DRAIN_S = 5.0
POSTPONED_S = 90.0
BACK = 15 * MINUTE  # what is backfilled: so long before it is said
RESOURCES = {LIMITED: Resource(limit=LIMIT), "mail": Resource(gap_s=2.0, breaker=Breaker(failures=3, pause_s=30.0))}
OUTAGE = 3 * HOUR  # a clock that is further behind than this opens a new epoch (S3.3)
BETWEEN_S = 0.4  # after whole seconds, at which everything is done, so that nothing is halfway when it is looked at


@attrs.frozen
class Definition:
    """What a schedule was defined to be from an instant on.

    Args:
        name: of the schedule.
        schedule: None from when it was removed.
        from_at: what the wall showed before it was asked for.
        until_at: the latest that the wall had shown when that was done.
    """

    name: str
    schedule: Schedule | None
    from_at: int
    until_at: int


@attrs.frozen
class Saying:
    """What was said of a schedule that leaves its definition as it is.

    Args:
        verb: one of VERBS.
        name: of the schedule.
        at: what the wall showed before.
        results: of a backfill that was answered.
    """

    verb: str
    name: str
    at: int
    results: Sequence[Backfilled] = ()


@attrs.define
class Course:
    """What came of a history.

    Args:
        witness: of the handlers.
        definitions: in the order in which they were made.
        sayings: in the order in which they were said.
        records: of the schedules, as kept at last.
        rows: all of them.
        alerts: what people were told of: the subjects of all alerts.
        now: what the wall showed when the world was healed.
        highest: the latest that it ever showed.
        disturbed: whether calls of the store went wrong, or were not answered for a while.
        set_back: whether the clock was ever set back.
        corrected: whether the clock was set back far enough for a new epoch.
        doubted: whether it was ever set so far that nodes may go by its course instead.
        counts: of what happened.
        virtual_s: how long it lasted.
    """

    witness: Witness
    definitions: list[Definition] = attrs.Factory(list)
    sayings: list[Saying] = attrs.Factory(list)
    records: list[ScheduleRecord] = attrs.Factory(list)
    rows: list[RunRecord] = attrs.Factory(list)
    alerts: set[str] = attrs.Factory(set)
    now: int = 0
    highest: int = 0
    disturbed: bool = False
    set_back: bool = False
    corrected: bool = False
    doubted: bool = False
    counts: Counter[str] = attrs.Factory(Counter)
    virtual_s: float = 0.0


def course_of(history: History) -> Course:
    """Play a history in virtual time, in a folder of its own if it wants a file."""
    with ExitStack() as stack:
        path = None
        if history.with_file:
            path = Path(stack.enter_context(TemporaryDirectory())) / "trioarm.db"
        course: Course = in_virtual_time(_play, history, path)
        return course


async def _play(history: History, path: Path | None) -> Course:
    stalled = any(isinstance(act, Stalled) for _, act in history.acts)
    course = Course(Witness(), disturbed=stalled or bool(history.faults))
    store = MemoryDisk(leased=True) if path is None else FileStore(path)
    began = trio.current_time()
    async with a_world(store, faults=history.faults, check_interval_s=60.0, housekeeping=True) as world:
        course.witness.wall = world.wall
        player = _Player(world, history, course)
        await player.start()
        for schedule in history.schedules:
            await player.do(Put(schedule))
        for wait_s, act in history.acts:
            await trio.sleep(wait_s)
            await player.do(act)
        await player.heal()
        repository = world.living[0].repository
        course.rows = await all_runs(repository)
        found = await repository.get_schedules(sorted({one.name for one in course.definitions}))
        course.records = [copy(one) for one in found if one is not None]
        alerts = await world.living[0].scheduler.alerts.find(AlertQuery(states=None, limit=PAGE_MAX))
        course.alerts = {stored.alert.subject for stored in alerts.rows if stored.alert is not None}
        course.now = player.look()
        course.counts.update(world.calls)
    course.virtual_s = trio.current_time() - began
    return course


class _Player:
    def __init__(self, world: World, history: History, course: Course) -> None:
        self._world = world
        config = a_config(history.workers, history.workers + 2, drain_s=DRAIN_S)
        features = attrs.evolve(config.features, advanced_retries=True)
        self._config = attrs.evolve(config, resources=RESOURCES, features=features)
        self._several = history.with_file
        self._began = trio.current_time()
        self._course = course

    async def start(self) -> None:
        """Start a node; where a fault keeps it from starting, once more."""
        name = f"node{len(self._world.nodes) + 1}"
        while True:
            try:
                await self._world.start(self._course.witness.handlers(name), self._config)
            except* TrioarmError:
                self._course.counts["failed starts"] += 1
                await trio.sleep(1)
            else:
                return

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
            case Joined() if self._several and len(self._world.living) < NODES_MAX:
                await self.start()
            case Stepped(by_s):
                self.look()
                self._course.set_back |= by_s < 0
                self._world.step(by_s)
                self._course.doubted |= abs(self._world.wall() - self._on_course()) > BELIEVED_MAX
                self._course.corrected |= self.look() < self._course.highest - OUTAGE
            case Stalled(for_s) if node is not None:
                node.line.stall()
                await trio.sleep(for_s)
                node.line.go_on()
            case Killed(down_s) if node is not None:
                self._course.witness.killed(node)
                self._world.kill(node)
                await self._come_back(down_s)
            case Stopped(down_s) if node is not None:
                await node.stop()
                await self._come_back(down_s)

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

    async def _said(
        self, name: str, schedule: Schedule | None, say: Callable[[str, Schedule | None], Awaitable[None]]
    ) -> None:
        """Say something that changes a definition, until it is done."""
        from_at = self.look()
        for _ in range(20):
            try:
                await say(name, schedule)
            except TrioarmError:
                self._course.counts["said again"] += 1
                await trio.sleep(1)
            else:
                break
        self.look()
        self._course.definitions.append(Definition(name, schedule, from_at, self._course.highest))

    async def _put(self, name: str, schedule: Schedule | None) -> None:
        if self._node is not None and schedule is not None:
            await self._node.scheduler.schedules.put(schedule)

    async def _remove(self, name: str, schedule: Schedule | None) -> None:
        if self._node is not None and any(await self._node.repository.get_schedules([name])):
            await self._node.scheduler.schedules.remove(name)

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
            case "skip":
                await scheduler.schedules.skip_next(name)
            case "postpone":
                await scheduler.schedules.postpone(name, by_s=POSTPONED_S)
            case "cancel":
                page = await scheduler.runs.find(RunQuery(schedule=name, limit=1000))
                for run in [run for run in page.rows if run.state in ACTIVE][:1]:
                    await scheduler.runs.cancel(run.id)
            case "retry":
                page = await scheduler.runs.find(RunQuery(schedule=name, states=FAILURES, limit=1))
                for run in page.rows:
                    await scheduler.runs.retry(run.id)
            case "backfill":
                results = await scheduler.runs.backfill(name, now - BACK, now - SECOND)
                self._course.sayings[-1] = attrs.evolve(self._course.sayings[-1], results=results)

    async def heal(self) -> None:
        """Let everything go well from now on, and wait until nothing has an excuse any more."""
        self._world.faults.clear()
        if self._node is None:
            await self.start()
        for name in {one.name for one in self._course.definitions}:
            with suppress(TrioarmError):
                await self._say("resume", name)
        await trio.sleep(HEAL_S + BETWEEN_S)
