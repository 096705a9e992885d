"""Facts for observers, in the past tense: never commands, never relied on by the engine itself (S6.9)."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

import attrs

from trioarm.core.course import StepKind
from trioarm.core.run import Run


class ScheduleChange(StrEnum):
    """What happened to a schedule."""

    PUT = "put"
    AMENDED = "amended"
    PAUSED = "paused"
    RESUMED = "resumed"
    REMOVED = "removed"
    FINISHED = "finished"
    QUARANTINED = "quarantined"


@attrs.frozen(slots=True)
class RunDecided:
    """An occurrence, or a range of them, was decided: to run, or not and why."""

    run: Run


@attrs.frozen(slots=True)
class RunStarted:
    """An attempt began; seen only for attempts that outlast the write of their start."""

    run: Run


@attrs.frozen(slots=True)
class RunRequeued:
    """An attempt ended and the run waits again: a retry, a snooze, or given back."""

    run: Run


@attrs.frozen(slots=True)
class RunFinished:
    """A run took its last step."""

    run: Run


@attrs.frozen(slots=True)
class ScheduleChanged:
    """A schedule was put, amended, paused, resumed, removed, finished or quarantined."""

    name: str
    change: ScheduleChange
    detail: str = ""


@attrs.frozen(slots=True)
class ResultRefused:
    """A result came with a stale token and was not kept (S2.3)."""

    run_id: int
    schedule: str
    token: int


@attrs.frozen(slots=True)
class HandlerStuck:
    """A handler ignored its cancellation; its worker is lost until it returns."""

    handler: str
    run_id: int
    overdue_s: float


@attrs.frozen(slots=True)
class ClockStepped:
    """The wall clock did something else than go on: see `StepKind` for what follows from it (S3.3).

    Args:
        by_s: how far it was set, in seconds; negative for backwards.
        set_back: how many schedules were taken back with it, because they had been decided beyond it.
    """

    kind: StepKind
    by_s: float
    set_back: int = 0


@attrs.frozen(slots=True)
class HealthChanged:
    """A component became better or worse."""

    component: str
    level: str
    reasons: tuple[str, ...]


@attrs.frozen(slots=True)
class NodeStarted:
    """A node is ready and decides."""

    node: str


@attrs.frozen(slots=True)
class NodeStopping:
    """A node no longer claims."""

    node: str


@attrs.frozen(slots=True)
class SettingChange:
    """A setting that has another value now; both as a person would write them, without passwords."""

    key: str
    before: str
    after: str


@attrs.frozen(slots=True)
class ConfigChanged:
    """A running node took over what its configuration says now.

    Args:
        settings: those that changed.
        added: declared schedules that are new.
        changed: declared schedules that have another definition.
        removed: schedules that are no longer declared.
        waiting: what else is said differently now, and waits for the next start: settings, sites, partitions, and
            schedules that arm them.
    """

    settings: tuple[SettingChange, ...] = ()
    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything changed, or waits to."""
        return bool(self.settings or self.added or self.changed or self.removed or self.waiting)


@attrs.frozen(slots=True)
class ObserverLagged:
    """The observer itself was too slow: this many events before the next one are lost to it."""

    lost: int


Event: TypeAlias = (
    RunDecided
    | RunStarted
    | RunRequeued
    | RunFinished
    | ScheduleChanged
    | ResultRefused
    | HandlerStuck
    | ClockStepped
    | HealthChanged
    | NodeStarted
    | NodeStopping
    | ConfigChanged
    | ObserverLagged
)
