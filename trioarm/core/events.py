"""Facts for observers, in the past tense: never commands, never relied on by the engine itself (S6.9)."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

import attrs

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
    | HealthChanged
    | NodeStarted
    | NodeStopping
    | ObserverLagged
)
