"""Housekeeping is a schedule: pruning, health checks and signs of life are runs like any other, with workers of their
own (S6.10)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from trioarm.core.events import HealthChanged
from trioarm.core.jsonable import Json
from trioarm.core.queries import Retention
from trioarm.core.schedule import Delivery, Misfire, Schedule
from trioarm.core.triggers import Every
from trioarm.engine.alert_commands import AlertCommands
from trioarm.engine.attempt import Handler, RunContext
from trioarm.engine.health import Health, Level
from trioarm.engine.hub import Hub
from trioarm.engine.ports import Clock, ScheduleRepository
from trioarm.handlers.dead_man import DeadMan

OWNER: Final = "trioarm"
PRUNE: Final = "trioarm.prune"
CHECK_HEALTH: Final = "trioarm.check_health"
DEAD_MAN: Final = "trioarm.dead_man"
PRUNE_EVERY_S: Final = 6 * 3_600.0  # retention is a matter of days
CHUNKS_MAX: Final = 1_000  # chunks pruned in one run; what is left waits for the next
PRUNE_TIMEOUT_S: Final = 3_600.0  # a million rows take minutes, so that others may write in between

_log = logging.getLogger("trioarm.health")


class Housekeeping:
    """The built-in handlers that keep a node in order.

    Args:
        repository: pruned.
        clock: what time it is.
        hub: told when health changes.
        health: asked for; late, because it knows the executor that calls this.
        retention: what may be forgotten at an instant; may be replaced while the node runs.
        dead_man: pings while the node is well.
    """

    def __init__(
        self,
        repository: ScheduleRepository,
        clock: Clock,
        hub: Hub,
        health: Callable[[], Health],
        retention: Callable[[int], Retention],
        dead_man: DeadMan,
    ) -> None:
        self._repository = repository
        self._clock = clock
        self._hub = hub
        self._health = health
        self.retention = retention
        self._dead_man = dead_man
        self._levels: dict[str, Level] = {}

    @property
    def handlers(self) -> dict[str, Handler]:
        """The handlers by registered name."""
        return {PRUNE: self.prune, CHECK_HEALTH: self.check_health, DEAD_MAN: self.ping}

    async def prune(self, run: RunContext) -> Json:
        """Forget what retention allows; see `forget`."""
        return await self.forget()

    async def forget(self) -> int:
        """Forget what retention allows now, a chunk at a time, and return how many rows and alerts (S9.1).

        Raises:
            RepositoryError: not all of it was forgotten.

        Cancellation: between two transactions; what was forgotten is.
        """
        retention = self.retention(self._clock.now())
        forgotten = await AlertCommands(self._repository, self._clock).forget(retention.runs_before)
        for _ in range(CHUNKS_MAX):
            rows = await self._repository.prune(retention)
            forgotten += rows
            if not rows:
                break
        return forgotten

    async def check_health(self, run: RunContext) -> Json:
        """Log and publish what became better or worse since the last check."""
        report = await self._health().report()
        for component in report.components:
            before = self._levels.get(component.component, Level.HEALTHY)
            self._levels[component.component] = component.level
            if component.level is before:
                continue
            level = logging.INFO if component.level is Level.HEALTHY else logging.WARNING
            why = "; ".join(component.reasons)
            _log.log(level, "%s is %s%s", component.component, component.level, f": {why}" if why else "")
            self._hub.publish(HealthChanged(component.component, component.level, component.reasons))
        return str(report.level)

    async def ping(self, run: RunContext) -> Json:
        """Give a sign of life to whoever waits for one, unless this node is down (A5.4)."""
        report = await self._health().report()
        if report.level is Level.DOWN:
            return "not sent: the node is down"
        return await self._dead_man.ping()


def housekeeping_schedules(health_check_interval_s: float, dead_man_interval_s: float | None = None) -> list[Schedule]:
    """Return the built-in schedules of a node.

    Args:
        health_check_interval_s: time between two looks at its health.
        dead_man_interval_s: time between two signs of life; None for none.
    """
    once = Delivery.AT_MOST_ONCE
    schedules = [
        Schedule("trioarm/prune", Every(PRUNE_EVERY_S), handler=PRUNE, timeout_s=PRUNE_TIMEOUT_S),
        Schedule("trioarm/health", Every(health_check_interval_s), handler=CHECK_HEALTH, delivery=once),
    ]
    if dead_man_interval_s is not None:
        every = Every(dead_man_interval_s)
        schedules.append(Schedule("trioarm/dead-man", every, handler=DEAD_MAN, delivery=once, misfire=Misfire.SKIP))
    return schedules
