"""Health: what each component says of itself, with reasons, and what is overdue or stale (S6.10)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Final

import attrs

from trioarm.core.counting import counted
from trioarm.core.errors import RepositoryError
from trioarm.core.instants import SECOND
from trioarm.core.queries import RunQuery
from trioarm.core.run import Origin
from trioarm.core.states import State
from trioarm.engine.engine import SchedulingEngine
from trioarm.engine.executor import RunExecutor
from trioarm.engine.ports import Clock, ScheduleRepository
from trioarm.engine.recorder import Recorder
from trioarm.engine.timekeeping import doubt_in_words

NAMED_MAX: Final = 5  # overdue runs or lost handlers named in a reason; the rest is counted
OVERDUE_S: Final = 60.0  # how long a run may be due without having begun before it is reported
LIVE: Final = frozenset(Origin) - {Origin.BACKFILL}  # what is backfilled is due since long, and waits for its turn
LATE_PASS_S: Final = 5.0  # how long after check_interval a pass may begin before the loop counts as blocked


class Level(StrEnum):
    """How a component is: `down` does not do its work, `degraded` does it with something wrong."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    DOWN = "down"


@attrs.frozen(slots=True)
class ComponentHealth:
    """What one component says of itself."""

    component: str
    level: Level
    reasons: tuple[str, ...] = ()


@attrs.frozen(slots=True)
class HealthReport:
    """All components; the node is as healthy as the worst of them."""

    components: tuple[ComponentHealth, ...]

    @property
    def level(self) -> Level:
        """The worst level of a component."""
        levels = [component.level for component in self.components]
        return max(levels, key=list(Level).index, default=Level.HEALTHY)


class Health:
    """Asks the components of a node how they are.

    Args:
        check_interval_s: the longest time between two passes of the engine; may be changed while it is asked.
        more: what else has something to say, such as what only a program knows of.
        overdue_s: how long a run may be due without having begun before it is reported.
    """

    def __init__(
        self,
        repository: ScheduleRepository,
        engine: SchedulingEngine,
        executor: RunExecutor,
        recorder: Recorder,
        clock: Clock,
        *,
        check_interval_s: float,
        more: Sequence[Callable[[], ComponentHealth | None]] = (),
        overdue_s: float = OVERDUE_S,
    ) -> None:
        self._repository = repository
        self._engine = engine
        self._executor = executor
        self._recorder = recorder
        self._clock = clock
        self.check_interval_s = check_interval_s
        self._more = tuple(more)
        self._overdue_s = overdue_s

    async def report(self) -> HealthReport:
        """Return how every component is now."""
        said = [
            self._engine_health(),
            self._executor_health(),
            self._recorder_health(),
            self._repository_health(),
            self._clock_health(),
            await self._work(),
        ]
        more = [component for ask in self._more if (component := ask()) is not None]
        return HealthReport((*said, *more))

    def _engine_health(self) -> ComponentHealth:
        last = self._engine.last_pass_at
        if last is None:
            return ComponentHealth("engine", Level.DOWN, ("it has not begun to decide",))
        since_s = (self._clock.now() - last) / SECOND
        if since_s > self.check_interval_s + LATE_PASS_S:
            return ComponentHealth(
                "engine", Level.DOWN, (f"it has not looked for {since_s:.0f} s: the loop is blocked",)
            )
        return ComponentHealth("engine", Level.HEALTHY)

    def _executor_health(self) -> ComponentHealth:
        reasons = [
            f"handler {attempt.handler!r} ignores its cancellation (run {run_id})"
            for pool in self._executor.pools
            for run_id, attempt in pool.stuck.items()
        ]
        return _component("executor", reasons)

    def _recorder_health(self) -> ComponentHealth:
        waiting = self._recorder.in_doubt
        return _component(
            "recorder", [f"the repository did not keep {counted(waiting, 'outcome')} yet"] if waiting else []
        )

    def _repository_health(self) -> ComponentHealth:
        trouble = self._engine.trouble or self._repository.trouble
        return _component("repository", [] if trouble is None else [trouble])

    def _clock_health(self) -> ComponentHealth:
        doubt = self._clock.doubt
        return _component("clock", [] if doubt is None else [doubt_in_words(doubt)])

    async def _work(self) -> ComponentHealth:
        """Find runs that should have begun, and those nobody here can run."""
        before = self._clock.now() - round(self._overdue_s * SECOND)
        query = RunQuery(states=frozenset({State.PENDING}), origins=LIVE, due_until=before, limit=NAMED_MAX + 1)
        try:
            pending = await self._repository.find_runs(query)
        except RepositoryError as error:
            return _component("work", [f"nobody knows: {error}"])
        reasons = []
        for run in pending.rows[:NAMED_MAX]:
            schedule = run.schedule.schedule
            late_s = (self._clock.now() - run.due_at) // SECOND
            why = f"waiting for {run.waiting_for}" if self._executor.knows(schedule.handler) else "no such handler here"
            reasons.append(f"{schedule.name} is overdue by {late_s} s: {why} ({schedule.handler!r})")
        if len(pending.rows) > NAMED_MAX:
            reasons.append("and more")
        return _component("work", reasons)


def _component(name: str, reasons: Sequence[str]) -> ComponentHealth:
    return ComponentHealth(name, Level.DEGRADED if reasons else Level.HEALTHY, tuple(reasons))
