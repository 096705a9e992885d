"""A world in virtual time: whole nodes on one store, killed, stalled and restarted, while somebody sets the clock.

Everything is real but time, chance and the machine: a year takes seconds, and the same world takes the same course.
What would reach out of it does not: no program is started, nobody is told that a node lives.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from copy import copy
from datetime import datetime
from math import isinf
from operator import itemgetter
from types import MappingProxyType
from typing import Final, TypeAlias, TypeVar

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trioarm.arming.panels.base import Panel
from trioarm.config import SchedulerConfig
from trioarm.core.errors import UnknownSchedule
from trioarm.core.instants import EARLIEST, LATEST, SECOND, instant, parse_instant, render_duration
from trioarm.core.queries import PAGE_MAX, RunQuery
from trioarm.core.run import RunRecord
from trioarm.engine.clock import VirtualClock
from trioarm.engine.health import Health
from trioarm.engine.ports import Clock, ScheduleRepository
from trioarm.engine.scheduler import Scheduler
from trioarm.handlers.housekeeping import OWNER
from trioarm.handlers.registry import Handlers
from trioarm.notify.channels.base import Channel
from trioarm.notify.model import ChannelSettings
from trioarm.testing.decisions import DECISIONS_MAX, Decision, as_table, decisions_of
from trioarm.testing.faults import Fault, Line, faulty_calls
from trioarm.testing.messages import CollectingChannel, Sent
from trioarm.testing.moments import When, moment, on_the_wall, shown, zone_of
from trioarm.testing.nodes import Node, Parts, node_components
from trioarm.testing.stores import MemoryDisk, Store

BEGIN: Final = parse_instant("2026-11-23T22:00:00Z")
DAY_S: Final = 86400.0  # the longest nap where the kernel ends naps; and how long draining may take

Faults: TypeAlias = "Mapping[tuple[str, int], Fault]"

T = TypeVar("T")


def in_virtual_time(main: Callable[..., Awaitable[T]], *args: object) -> T:
    """Run an async function under a clock that jumps to the next deadline whenever nothing else is to do.

    What waits for the real world meanwhile, such as a thread, a socket or a program, sees time fly.
    """
    return trio.run(main, *args, clock=MockClock(autojump_threshold=0))


class World:
    """A machine with a store, on which nodes live. Get one from `a_world`, or from the fixture of that name.

    Until it is entered, or the test begins that asked for it, nothing happens in it.

    Moments are texts such as `2026-03-29 04:00`, on the wall of `zone` unless they bear an offset; aware datetimes; or
    microseconds since 1970 UTC.

    Args:
        store: what outlives nodes; memory, for one node at a time, if not given.
        start_at: what the wall clock shows at first.
        zone: where its clock hangs on the wall: a key of the tz database.
        faults: what goes wrong, by name of a repository's method and number of its call, counted from 1; see `plant`.
        seed: of chance.
        check_interval_s: how often a node looks at the wall clock, in seconds, on a machine whose kernel tells nobody
            that it was set; None for one whose kernel does, as on Linux.
        housekeeping: whether nodes prune and look at their health, as real ones do; in a year that is most of the work.

    Raises:
        InvalidInstant: `start_at` is no moment.
        InvalidTrigger: there is no such zone.
    """

    def __init__(
        self,
        store: Store | None = None,
        *,
        start_at: When = BEGIN,
        zone: str = "UTC",
        faults: Faults = MappingProxyType({}),
        seed: int = 0,
        check_interval_s: float | None = None,
        housekeeping: bool = False,
    ) -> None:
        self.store: Store = store or MemoryDisk()
        """What outlives nodes; may be replaced until the first node starts."""
        self.faults = dict(faults)
        """What goes wrong, by name of a repository's method and number of its call; may be changed on the way."""
        self.calls: Counter[str] = Counter()
        """How often each method of a repository was called, and how often which fault struck it."""
        self.nodes: list[Node] = []
        """Every node that ever lived, the oldest first."""
        self.messages: list[Sent] = []
        """What people were told by `[notify.NAME]`, had the world been real: no channel sends anything here."""
        self.channels: dict[str, Channel] = {}
        """Channels of the test's own by name, such as one that refuses, for nodes that are started from now on."""
        self.panels: dict[str, Panel] = {}
        """Panels of the test's own by partition, such as one that is cut off, for nodes that are started from now on.
        They outlive nodes, as hardware does."""
        self._zone = zone_of(zone)
        self._chance = random.Random(seed)
        self._check_interval_s = check_interval_s
        self._housekeeping = housekeeping
        self._offset = moment(start_at, self._zone)
        self._clocks: list[VirtualClock] = []
        self._kept = trio.Event()
        self._set = trio.Event()
        self._nursery: trio.Nursery | None = None

    @property
    def zone(self) -> str:
        """Where its clock hangs on the wall: a key of the tz database; may be set.

        Raises:
            InvalidTrigger: there is no such zone.
        """
        return self._zone.name

    @zone.setter
    def zone(self, name: str) -> None:
        self._zone = zone_of(name)

    @asynccontextmanager
    async def alive(self) -> AsyncIterator[None]:
        """Let things happen while the context lasts, and stop the nodes that live at its end.

        An exception of the body leaves as itself; nodes are cancelled then.

        Raises:
            RuntimeError: time is not virtual, or stands still; or the world has begun before.
        """
        clock = trio.lowlevel.current_clock()
        if not isinstance(clock, MockClock) or (clock.rate == 0 and isinf(clock.autojump_threshold)):
            raise RuntimeError(
                "a world needs virtual time that goes on by itself: run it by in_virtual_time, or take the fixture "
                "`world`, or autojump_clock of pytest-trio"
            )
        if self._nursery is not None:
            raise RuntimeError("this world has begun already: each is lived through once")
        self._offset -= round(trio.current_time() * SECOND)
        with _without_group():
            try:
                async with trio.open_nursery() as self._nursery:
                    yield
                    for node in self.living:
                        await node.stop()
            finally:
                for node in self.nodes:  # of those that were killed, the system would have closed what they had open
                    await node.repository.close()

    # Nodes

    @property
    def living(self) -> list[Node]:
        """The nodes that were neither stopped nor killed, the oldest first."""
        return [node for node in self.nodes if node.is_alive]

    @property
    def scheduler(self) -> Scheduler:
        """The scheduler of the oldest node that lives.

        Raises:
            RuntimeError: none does.
        """
        for node in self.living:
            return node.scheduler
        raise RuntimeError("no node lives in this world: start one")

    async def start(self, handlers: Handlers = (), config: SchedulerConfig | None = None) -> Node:
        """Start a node, and return it once it is ready.

        Args:
            handlers: of the program under test, as for `trioarm.open_scheduler`. The built-in `command` starts no
                program here; one of that name among these takes its place.
            config: what the node is told, such as `SchedulerConfig.from_file(...)`; the store is that of the world.

        Raises:
            ConfigurationError: a declared schedule cannot be carried out here.
            HandlerRefused: a handler could never run.
            RepositoryError: the store cannot be opened.
            RuntimeError: the world has not begun.
        """
        if self._nursery is None:
            raise RuntimeError(
                "this world has not begun: ask for the fixture `world` in an async test (one of Hypothesis excepted), "
                "or enter `async with a_world() as world` yourself"
            )
        node = self._new_node(handlers, config or SchedulerConfig())
        with _without_group():
            await self._nursery.start(node.live)
        self.nodes.append(node)
        return node

    def _new_node(self, handlers: Handlers, config: SchedulerConfig) -> Node:
        nap_s = self._check_interval_s or DAY_S
        clock = VirtualClock(self.wall(), trio_start=trio.current_time(), check_interval_s=nap_s, early=True)
        repository, name = self.store.open(), f"node{len(self.nodes) + 1}"
        line = Line(repository, self.faults, self.calls, self._something_is_kept)
        parts = Parts(
            name=name,
            clock=clock,
            chance=self._chance,
            line=line,
            housekeeping=self._housekeeping,
            make_channel=self._make_channel,
            panels=self.panels,
        )
        container = node_components(config, handlers, parts)
        container.get(Health).check_interval_s = nap_s
        self._clocks.append(clock)
        return Node(name, handlers, config, container, line, repository)

    def _make_channel(self, settings: ChannelSettings, _: Clock) -> Channel:
        return self.channels.get(settings.name) or CollectingChannel(settings.name, self.now, self.messages)

    def kill(self, node: Node) -> None:
        """Kill a node as with SIGKILL: its memory is lost, its locks are free, its lease runs on."""
        node.die()
        self.store.bury(node.repository, node.name)

    @asynccontextmanager
    async def outage(self) -> AsyncIterator[None]:
        """Kill every node, and start as many of the same handlers and configuration when the context ends."""
        lost = self.living
        for node in lost:
            self.kill(node)
        yield
        for node in lost:
            await self.start(node.handlers, node.config)

    def plant(self, fault: Fault, call: str = "commit", *, nth: int = 1) -> None:
        """Let a call to the store go wrong: the first from now on, or a later one.

        Args:
            fault: how.
            call: name of a method of `trioarm.ScheduleRepository`; decisions and outcomes are kept by `commit`.
            nth: which, counted from 1.

        Raises:
            ValueError: nothing goes wrong with such a call, or there is no such number.
        """
        if call not in faulty_calls():
            raise ValueError(f"no fault strikes {call!r}: name one of {', '.join(faulty_calls())}")
        if nth < 1:
            raise ValueError(f"nth is {nth}: calls are counted from 1")
        self.faults[call, self.calls[call] + nth] = fault

    # Time

    def wall(self) -> int:
        """Return what the wall clock shows, in microseconds since 1970 UTC."""
        return self._offset + (0 if self._nursery is None else round(trio.current_time() * SECOND))

    def now(self) -> datetime:
        """Return what the wall clock shows, as an aware datetime of the world's zone."""
        return on_the_wall(self.wall(), self._zone)

    async def advance(self, seconds: float) -> None:
        """Let so much time pass, and what is due at its end begin: runs that take no time are over then."""
        await trio.sleep(seconds)
        await wait_all_tasks_blocked()

    async def until(self, when: When) -> None:
        """Let time pass until the wall clock shows a moment, and what is due at that moment begin.

        Raises:
            InvalidInstant: it is no moment.
            ValueError: it is over. Time goes one way; the clock on the wall can be set: see `set_clock`.
        """
        at = moment(when, self._zone)
        if at < self.wall():
            raise ValueError(
                f"{when} is over: it is {shown(self.wall(), self._zone)}, and set_clock() sets no time back"
            )
        while (ahead := at - self.wall()) > 0:
            with trio.move_on_after(ahead / SECOND):
                await self._set.wait()
        await wait_all_tasks_blocked()

    async def drain(self, limit_s: float = DAY_S) -> None:
        """Let time pass until every run is over that is due or unfinished now, its retries included.

        What comes due meanwhile runs, and is not waited for: of a schedule that goes on for ever, too, this has an end.

        Args:
            limit_s: for how long at most, in seconds of virtual time.

        Raises:
            AssertionError: no node lives, or some are not over then; a table says which.
        """
        __tracebackhide__ = True
        if not self.living:
            raise AssertionError("no node lives in this world: nothing is drained until one is started")
        await wait_all_tasks_blocked()
        waited_for = {run.run_id for run in await self._unfinished()}
        left: list[RunRecord] = []
        with trio.move_on_after(limit_s):
            while True:
                kept = self._kept
                left = [run for run in await self._unfinished() if run.run_id in waited_for]
                if not left:
                    break
                await kept.wait()
        if left:
            table = as_table(decision for run in left for decision in decisions_of(run, self._zone))
            raise AssertionError(f"unfinished after {render_duration(limit_s)}:\n{table}")
        await wait_all_tasks_blocked()

    def step(self, seconds: float) -> None:
        """Set the wall clock of the machine forward, or back, by so many seconds. No time passes."""
        self._offset += round(seconds * SECOND)
        self._set.set()
        self._set = trio.Event()
        for clock in self._clocks:
            clock.step(seconds)
            if self._check_interval_s is None:
                clock.tell()

    def set_clock(self, when: When) -> None:
        """Set the wall clock of the machine to a moment. No time passes; before the first node nobody notices.

        Raises:
            InvalidInstant: it is no moment.
        """
        self.step((moment(when, self._zone) - self.wall()) / SECOND)

    # What was decided

    async def decisions(
        self, schedule: str | None = None, *, since: When | None = None, until: When | None = None
    ) -> list[Decision]:
        """Return what became of every occurrence so far, by occurrence.

        Args:
            schedule: name of the one to look at; None for all but the built-in ones.
            since: no occurrences before this moment; None for all.
            until: none from this moment on; None for all.

        Raises:
            UnknownSchedule: there is none of that name, and never was.
            InvalidInstant: `since` or `until` is no moment.
            ValueError: they are more than 100 000: ask for less at a time.
        """
        since_at = EARLIEST if since is None else moment(since, self._zone)
        until_at = LATEST if until is None else moment(until, self._zone)
        async with self._reading() as repository:
            rows = await all_runs(repository, schedule)
            if schedule is not None and not rows and await repository.get_schedule(schedule) is None:
                raise UnknownSchedule(f"there is no schedule {schedule!r}")
        rows = [row for row in rows if row.schedule.schedule.owner != OWNER or schedule is not None]
        rows = [row for row in rows if (row.last_at or row.nominal_at) >= since_at and row.nominal_at < until_at]
        count = sum(row.count for row in rows)
        if count > DECISIONS_MAX:
            raise ValueError(f"{count} decisions are more than {DECISIONS_MAX}: ask for less at a time")
        found = [(instant(one.nominal_at), one) for row in rows for one in decisions_of(row, self._zone)]
        return [one for at, one in sorted(found, key=itemgetter(0)) if since_at <= at < until_at]

    async def _unfinished(self) -> list[RunRecord]:
        async with self._reading() as repository:
            runs = await repository.unfinished_runs()
        return [run for run in runs if run.schedule.schedule.owner != OWNER]

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[ScheduleRepository]:
        """Yield a repository to read from: past all faults, and also while no node lives."""
        if living := self.living:
            yield living[0].repository
            return
        repository = self.store.open()
        await repository.open()
        try:
            yield repository
        finally:
            await repository.close()

    def _something_is_kept(self) -> None:
        self._kept.set()
        self._kept = trio.Event()


@asynccontextmanager
async def a_world(
    store: Store | None = None,
    *,
    start_at: When = BEGIN,
    zone: str = "UTC",
    faults: Faults = MappingProxyType({}),
    seed: int = 0,
    check_interval_s: float | None = None,
    housekeeping: bool = False,
) -> AsyncIterator[World]:
    """Let a world be, and stop the nodes that live at its end; arguments and errors are those of `World`.

    Raises:
        RuntimeError: time is not virtual: see `in_virtual_time`.
    """
    world = World(
        store,
        start_at=start_at,
        zone=zone,
        faults=faults,
        seed=seed,
        check_interval_s=check_interval_s,
        housekeeping=housekeeping,
    )
    async with world.alive():
        yield world


async def all_runs(repository: ScheduleRepository, schedule: str | None = None) -> list[RunRecord]:
    """Return every row of a repository, or of one schedule, in order of decision, as they are now."""
    rows: list[RunRecord] = []
    query = RunQuery(schedule=schedule, limit=PAGE_MAX)
    while True:
        page = await repository.find_runs(query)
        rows += map(copy, page.rows)  # memory hands out what it goes on working with
        if page.next is None:
            return rows
        query = RunQuery(schedule=schedule, after=page.next, limit=PAGE_MAX)


@contextmanager
def _without_group() -> Iterator[None]:
    """Let an exception leave as itself that nurseries have wrapped, with the causes it had before."""
    found: BaseException | None = None
    try:
        yield
    except BaseExceptionGroup as group:
        found = group
        while isinstance(found, BaseExceptionGroup) and len(found.exceptions) == 1:
            [found] = found.exceptions
    if found is not None:
        context = found.__context__
        try:
            raise found
        finally:
            found.__context__ = context
