"""A node that is made to be killed: schedules of every kind on one file, handlers that leave evidence."""

from __future__ import annotations

import os
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import attrs
import trio

from tests.crash.evidence import Evidence
from tests.crash.fragile import Death, Fragile
from tests.crash.marks import RUNNING, Marks
from trioarm import (
    Container,
    Every,
    RetryPolicy,
    RunContext,
    Schedule,
    Scheduler,
    SchedulerConfig,
    scheduler_components,
)
from trioarm.bootstrap import open_scheduler
from trioarm.config import SchedulerSettings
from trioarm.config.settings import ExecutorSettings
from trioarm.core.events import ResultRefused, RunFinished
from trioarm.core.queries import RunQuery
from trioarm.core.schedule import Delivery, Misfire, Overlap
from trioarm.core.states import ACTIVE
from trioarm.engine.executor import RunExecutor
from trioarm.engine.leases import LEASE_S, Lease
from trioarm.engine.loop_watch import LoopWatch
from trioarm.engine.ports import Clock, ScheduleRepository

AGAIN: Final = RetryPolicy(max_retries=2, base_s=0.03, max_s=0.05)
OURS: Final = "t-"  # what the names of the schedules begin with
RENEW_S: Final = 0.05  # often enough that a short life has renewals to die at

SCHEDULES: Final = (
    Schedule("t-each", Every(0.05), handler="work", misfire=Misfire.EACH, overlap=Overlap.ALLOW, retry=AGAIN),
    Schedule("t-latest", Every(0.11), handler="work", retry=AGAIN),
    Schedule("t-once", Every(0.08), handler="work", delivery=Delivery.AT_MOST_ONCE),
    Schedule("t-long", Every(0.2), handler="work", args={"took_s": 0.15}, retry=AGAIN),
    Schedule("t-flaky", Every(0.17), handler="work", args={"fails": 1}, retry=AGAIN),
    Schedule("t-broken", Every(0.19), handler="work", args={"fails": 99}, retry=AGAIN),
    Schedule("t-lane/a", Every(0.13), handler="work", lane="lane", retry=AGAIN),
    Schedule("t-lane/b", Every(0.14), handler="work", lane="lane", retry=AGAIN),
    Schedule("t-door/arm", Every(0.15), handler="work", lane="door", supersede=True, args={"took_s": 0.1}, retry=AGAIN),
    Schedule("t-door/disarm", Every(0.16), handler="work", lane="door", supersede=True, retry=AGAIN),
)


@attrs.frozen(slots=True)
class Place:
    """Where a node lives: one folder for all that it leaves behind.

    Args:
        folder: it is.
        disk: where its store is, if not there.
        lease_s: how long its lease lasts, in seconds.
    """

    folder: Path
    disk: Path | None = None
    lease_s: float = LEASE_S

    @property
    def store(self) -> Path:
        """The database."""
        return (self.disk or self.folder) / "trioarm.db"

    @property
    def evidence(self) -> Path:
        """What the handlers tell."""
        return self.folder / "evidence.jsonl"

    @property
    def log(self) -> Path:
        """What the nodes print."""
        return self.folder / "log"

    def marks(self, number: int) -> Path:
        """Where the process of one of the nodes is."""
        return self.folder / f"marks-{number}"


def working(evidence: Evidence, marks: Marks) -> Callable[[RunContext], Awaitable[str]]:
    """Return a handler that takes its time, fails as often as its arguments say, and leaves evidence."""

    async def work(run: RunContext) -> str:
        evidence.tell("start", run.id, run.attempt, run.token)
        marks.add(RUNNING, 1)
        try:
            args = run.args
            took_s, fails = args.get("took_s"), args.get("fails", 0)
            await trio.sleep(took_s if isinstance(took_s, float) else random.uniform(0.0, 0.06))
            if isinstance(fails, int) and run.attempt <= fails:
                raise OSError("as its arguments say")
            return f"{os.getpid()}:{run.token}"
        finally:
            marks.add(RUNNING, -1)
            evidence.tell("end", run.id, run.attempt, run.token)

    return work


def components(place: Place, evidence: Evidence, marks: Marks, death: Death | None) -> Container:
    """Return the components of a node, real ones but for where they die."""
    config = SchedulerConfig(
        scheduler=SchedulerSettings(
            store=f"sqlite:///{place.store}", max_concurrent=16, health_check_interval_s=3600.0
        ),
        executor=ExecutorSettings(max_concurrent=8),
    )
    container = scheduler_components(config, {"work": working(evidence, marks)})
    container.override(ScheduleRepository, lambda _: Fragile(place.store, marks, death, place.lease_s))
    container.override(Lease, _a_busy_lease)
    return container


def _a_busy_lease(c: Container) -> Lease:
    node = os.urandom(4).hex()
    repository, executor, clock = c.get(ScheduleRepository), c.get(RunExecutor), c.get(Clock)
    return Lease(repository, executor, clock, node, renew_s=RENEW_S, loop_watch=LoopWatch)


async def live(place: Place, number: int, death: Death | None, last: bool, ready: Callable[[], None]) -> None:
    """Be a node.

    Args:
        number: of this node, from 0.
        death: when to die by own hand; None to live until somebody else sees to it.
        last: whether to end well instead: nothing more comes due, and all that did is carried out.
        ready: called once it works.
    """
    evidence, marks = Evidence(place.evidence), Marks(place.marks(number))
    marks.clear()
    evidence.tell("boot")
    container = components(place, evidence, marks, death)
    async with open_scheduler(container=container) as scheduler, trio.open_nursery() as nursery:
        nursery.start_soon(_tell_what_becomes_of_results, scheduler, evidence)
        await scheduler.schedules.put_many(SCHEDULES)
        ready()
        if not last:
            await trio.sleep_forever()
        await _end_well(scheduler)
        nursery.cancel_scope.cancel()


async def _tell_what_becomes_of_results(scheduler: Scheduler, evidence: Evidence) -> None:
    with scheduler.subscribe(RunFinished, ResultRefused) as events:
        async for event in events:
            if isinstance(event, ResultRefused):
                evidence.tell("refused", token=event.token)
            elif isinstance(event, RunFinished) and event.run.started_at is not None:
                evidence.tell("accepted", event.run.id, event.run.attempt, event.run.token)


async def _end_well(scheduler: Scheduler) -> None:
    """Let nothing more come due, and wait until what did is final."""
    with scheduler.subscribe(RunFinished) as events:
        for schedule in SCHEDULES:
            await scheduler.schedules.pause(schedule.name)
        while await _unfinished(scheduler):
            with trio.move_on_after(1.0):
                await anext(aiter(events))


async def _unfinished(scheduler: Scheduler) -> bool:
    page = await scheduler.runs.find(RunQuery(states=ACTIVE))
    return any(run.schedule.startswith(OURS) for run in page.rows)
