"""Premises, nodes and panels for tests of arming: real components, and hardware that misbehaves on purpose."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import attrs
import trio

from trioarm.arming.connections import Connections
from trioarm.arming.installation import Installation
from trioarm.arming.ledger import Ledger
from trioarm.arming.model import ArmingSchedule, Partition, Premises, Reported, Site, Target, VirtualPanel
from trioarm.arming.panels import Parts
from trioarm.arming.panels.base import OURSELVES, FailureKind, Panel, PanelFailure, PanelReport
from trioarm.arming.panels.virtual import VirtualDriver
from trioarm.core.alerts import Alert, AlertQuery
from trioarm.core.instants import SECOND, parse_instant
from trioarm.core.planning import PlanRules
from trioarm.core.queries import RunQuery
from trioarm.core.retrying import RetryRules
from trioarm.core.run import RunRecord
from trioarm.core.schedule import Schedule
from trioarm.core.triggers import Once, Trigger
from trioarm.engine.alert_commands import AlertCommands
from trioarm.engine.attempt import Handler
from trioarm.engine.clock import SystemClock, VirtualClock
from trioarm.engine.commands import Commands
from trioarm.engine.engine import SchedulingEngine
from trioarm.engine.executor import RunExecutor
from trioarm.engine.gatekeeper import Gatekeeper
from trioarm.engine.hub import Hub
from trioarm.engine.metrics import Metrics
from trioarm.engine.pool import Pool, PoolSettings
from trioarm.engine.ports import Clock
from trioarm.engine.recorder import Recorder
from trioarm.repositories.memory import InMemoryScheduleRepository

EVENING = parse_instant("2026-11-23T22:00:00Z")
NIGHT, AWAY, HOME, DISARMED = Target.ARMED_NIGHT, Target.ARMED_AWAY, Target.ARMED_HOME, Target.DISARMED


def a_partition(name: str = "house", **fields: Any) -> Partition:
    """Return a partition that may be disarmed, with a virtual panel unless said otherwise."""
    whole: dict[str, Any] = {"site": "home", "panel": VirtualPanel(), "allow_disarm": True, **fields}
    return Partition(name=name, **whole)


def arming(
    name: str,
    target: Target,
    trigger: Trigger | float,
    *partitions: str,
    warn_s: tuple[float, ...] = (),
    **policies: Any,
) -> ArmingSchedule:
    """Return an arming schedule of `house`, by default; a number is seconds after `EVENING`."""
    if isinstance(trigger, int | float):
        trigger = Once(EVENING + round(trigger * SECOND))
    schedule = Schedule(name, trigger, handler="arm", **policies)
    return ArmingSchedule(schedule=schedule, partitions=partitions or ("house",), target=target, warn_s=warn_s)


def the_premises(*schedules: ArmingSchedule, partitions: tuple[Partition, ...] = (), **fields: Any) -> Premises:
    """Return premises with these schedules and partitions; one partition `house` unless said otherwise."""
    found = {partition.name: partition for partition in partitions or (a_partition(),)}
    sites = {"home": Site("home", "Europe/Prague")}
    return Premises(sites=sites, partitions=found, schedules=schedules, **fields)


def some_parts(clock: Clock | None = None) -> Parts:
    """Return what drivers are made with, where a test wants nothing of it."""
    clock = clock or SystemClock()
    repository = InMemoryScheduleRepository()
    return Parts(repository=repository, clock=clock, connections=Connections(), commands=Ledger(repository))


@attrs.define
class Node:
    """A node put together by hand."""

    repository: InMemoryScheduleRepository
    clock: VirtualClock
    installation: Installation
    engine: SchedulingEngine
    commands: Commands

    async def at(self, seconds: float) -> None:
        """Return when the wall clock shows `EVENING` plus this many seconds."""
        await trio.sleep((EVENING - self.clock.now()) / SECOND + seconds)

    async def run_of(self, schedule: str) -> RunRecord:
        """Return the one run of a schedule."""
        page = await self.repository.find_runs(RunQuery(schedule=schedule))
        (run,) = page.rows
        return run

    async def alerts(self, kind: str | None = None) -> list[Alert]:
        """Return the alerts that were raised, of one kind or all, closed ones too."""
        page = await AlertCommands(self.repository, self.clock).find(AlertQuery(states=None, limit=1000))
        found = [stored.alert for stored in page.rows if stored.alert is not None]
        return [alert for alert in found if kind in (None, alert.kind)]

    async def alert(self, kind: str) -> Alert:
        """Return the one alert of a kind."""
        (found,) = await self.alerts(kind)
        return found

    async def audit(self) -> list[tuple[object, object]]:
        """Return who did what, in order."""
        entries = await self.repository.read_journal("audit", limit=1000)
        return [(entry.body["actor"], entry.body["verb"]) for entry in entries]

    def panel(self, partition: str = "house") -> VirtualDriver:
        """Return a partition's panel, which is a virtual one."""
        panel = self.installation.panels[partition]
        assert isinstance(panel, VirtualDriver)
        return panel


def virtual_clock(start_at: int = EVENING) -> VirtualClock:
    """Return a clock that shows `start_at` now, in a trio run on a MockClock."""
    return VirtualClock(start_at, trio_start=trio.current_time())


@asynccontextmanager
async def a_node(
    premises: Premises,
    *,
    repository: InMemoryScheduleRepository | None = None,
    clock: VirtualClock | None = None,
    panels: Mapping[str, Panel] | None = None,
    ordinary: Mapping[str, Handler] | None = None,
    start: bool = True,
) -> AsyncIterator[Node]:
    """Run a node whose declared schedules are stored when the context is entered.

    Args:
        start: whether scheduling begins at once; `node.engine.start()` begins it later.
    """
    repository = repository or InMemoryScheduleRepository()
    clock = clock or virtual_clock()

    async def hasten(run: RunRecord, due_at: int) -> bool:
        return await commands.hasten(run, due_at)

    installation = Installation(premises, repository, clock, panels=panels, hasten=hasten)
    hub, metrics = Hub(), Metrics()
    pools = [
        Pool("arming", PoolSettings(installation.workers, installation.workers), installation.handlers),
        Pool("ordinary", PoolSettings(2, 2), {**installation.announcers, **(ordinary or {})}),
    ]
    executor = RunExecutor(pools, clock, hub, metrics, wake=lambda: engine.wake())
    rule = installation.alert_rule
    gatekeeper = Gatekeeper(repository, {})
    engine = SchedulingEngine(
        repository, executor, clock, hub, metrics, gatekeeper, node="one", rules=PlanRules(), alerts=rule
    )

    recorder = Recorder(
        repository,
        clock,
        hub,
        metrics,
        gatekeeper,
        random.Random(1),
        RetryRules(),
        executor,
        wake=engine.wake,
        due_changed=engine.due_changed,
        alerts=rule,
    )
    commands = Commands(repository, clock, hub, engine)
    async with trio.open_nursery() as nursery:
        await nursery.start(recorder.run)
        await nursery.start(executor.run, recorder)
        await commands.put_many(installation.schedules)
        if start:
            engine.start()
        await nursery.start(engine.run)
        nursery.start_soon(installation.listen)
        yield Node(repository, clock, installation, engine, commands)
        nursery.cancel_scope.cancel()
    with trio.CancelScope(shield=True):
        await recorder.flush()


@attrs.define
class BenchPanel:
    """Hardware on a workbench: takes commands, drops as many as told to, and obeys the others without any delay.

    Args:
        drops: how many commands have no effect before one has; None for all.
        unreachable: whether it can be neither read nor commanded.
        refuses: how it answers commands; None to take them.
        takes_s: how long a command is under way.
        physical: the physical panel it is part of.
    """

    clock: VirtualClock
    drops: int | None = 0
    unreachable: bool = False
    refuses: PanelFailure | None = None
    takes_s: float = 0.0
    physical: str = "bench"
    state: Reported = Reported.DISARMED
    changed_by: str | None = None
    since_at: int | None = None
    commands: list[tuple[int, Target]] = attrs.Factory(list)
    reads: int = 0

    @property
    def name(self) -> str:
        """The physical panel."""
        return self.physical

    async def read_state(self) -> PanelReport:
        """Say what it is, and nothing of when or by whom unless a test lets it."""
        await trio.lowlevel.checkpoint()
        self.reads += 1
        if self.unreachable:
            raise PanelFailure(FailureKind.UNAVAILABLE, "no answer")
        return PanelReport(state=self.state, since_at=self.since_at, changed_by=self.changed_by)

    async def command(self, target: Target, code: str | None, by: str = OURSELVES) -> None:
        """Note the command, and obey unless it is one to drop."""
        if self.unreachable:
            raise PanelFailure(FailureKind.UNAVAILABLE, "no answer")
        self.commands.append((self.clock.now(), target))
        await trio.sleep(self.takes_s)
        if self.refuses is not None:
            raise self.refuses
        if self.drops is None or len(self.commands) <= self.drops:
            return
        self.state, self.changed_by = Reported(target), by

    async def changed(self) -> None:
        """Never tell."""
        await trio.sleep_forever()
