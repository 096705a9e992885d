"""A whole node in virtual time: real components, a wall clock that follows trio's mock clock, chance that repeats."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

import trio

from trioarm import (
    Container,
    InMemoryScheduleRepository,
    Scheduler,
    SchedulerConfig,
    ScheduleRepository,
    open_scheduler,
    scheduler_components,
)
from trioarm.arming.installation import Installation
from trioarm.config import SchedulerSettings
from trioarm.core.alerts import AlertRule
from trioarm.core.run import Origin, RunRecord
from trioarm.engine.clock import VirtualClock
from trioarm.engine.ports import Chance, Clock
from trioarm.handlers.registry import Handlers
from trioarm.testing import all_runs, in_virtual_time

from .making import NOW

QUIET = SchedulerConfig(scheduler=SchedulerSettings(health_check_interval_s=3600.0))

__all__ = ["a_node", "all_runs", "decided_instants", "in_virtual_time"]

Stores = Callable[[Container], ScheduleRepository]


@asynccontextmanager
async def a_node(
    handlers: Handlers = (),
    config: SchedulerConfig | None = None,
    *,
    store: Stores | None = None,
    start_at: int = NOW,
    check_interval_s: float = 86400.0,
    rule: AlertRule | None = None,
    components: Callable[[Container], None] | None = None,
) -> AsyncIterator[tuple[Scheduler, Container]]:
    """Run a node whose wall clock shows `start_at` now.

    Virtual time has no steps to be noticed, so the engine may nap for a day unless a test says otherwise.
    """
    container = scheduler_components(config or QUIET, handlers)
    clock = VirtualClock(start_at, trio_start=trio.current_time(), check_interval_s=check_interval_s, early=True)
    container.override(Clock, lambda _: clock)
    container.override(Chance, lambda _: random.Random(0))
    if components is not None:
        components(container)
    if rule is not None:
        container.override(Installation, lambda c: _ruled(c, rule))
    container.override(ScheduleRepository, store or (lambda _: InMemoryScheduleRepository()))
    async with open_scheduler(container=container) as scheduler:
        yield scheduler, container


def _ruled(container: Container, rule: AlertRule) -> Installation:
    config = container.get(SchedulerConfig)
    installation = Installation(config.premises, container.get(ScheduleRepository), container.get(Clock))
    installation.alert_rule = rule
    return installation


def decided_instants(rows: Iterable[RunRecord]) -> list[int]:
    """Return every nominal instant that rows of the trigger's own making stand for, ranges taken apart."""
    instants: list[int] = []
    for row in rows:
        if row.origin is not Origin.SCHEDULE:
            continue
        at: int | None = row.nominal_at
        found = []
        while at is not None and at <= (row.last_at or row.nominal_at):
            found.append(at)
            at = row.schedule.schedule.trigger.next_after(at) if row.last_at else None
        assert len(found) == row.count
        instants += found
    return sorted(instants)
