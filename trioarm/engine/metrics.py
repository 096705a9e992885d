"""What the engine counts about itself: decisions, outcomes, retries, lateness and duration (S6.9)."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from typing import Final

import attrs

from trioarm.core.alerts import Severity
from trioarm.core.states import Reason, State

# Upper bounds in seconds; what matters is whether an arm was a millisecond, a second or a minute late.
BOUNDS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


class Histogram:
    """Counts of durations in buckets whose upper bounds are `BOUNDS_S`, and one for all above."""

    __slots__ = ("counts", "sum_s")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_S) + 1)
        self.sum_s = 0.0

    def observe(self, seconds: float) -> None:
        """Count one duration."""
        self.counts[bisect_left(BOUNDS_S, seconds)] += 1
        self.sum_s += seconds

    @property
    def count(self) -> int:
        """How many durations were counted."""
        return sum(self.counts)

    def quantile_s(self, share: float) -> float | None:
        """Return the upper bound of the bucket that holds this share of all durations; None while there are none.

        Args:
            share: between 0 and 1, such as 0.99.
        """
        wanted = share * self.count
        if not wanted:
            return None
        seen = 0
        for bound, count in zip((*BOUNDS_S, float("inf")), self.counts, strict=True):
            seen += count
            if seen >= wanted:
                return bound
        raise AssertionError("the buckets hold less than their sum")


@attrs.frozen(slots=True)
class MetricsSnapshot:
    """A copy of all counts at one moment.

    Args:
        decided: rows decided, by their first state; those that were to run are "claimed", or "pending" while they wait.
        finished: runs that took their last step, by state.
        claimed: runs taken for this node. Each of them is queued, running, about to be recorded, or counted by how it
            ended: finished, retried, or refused.
        attempts: calls of handlers that ended, or were given up because they ignore their cancellation.
        retries: attempts followed by another, by reason.
        refused: results with a stale token.
        alerts: alerts raised, by severity.
        passes: passes of the engine.
        queued: runs claimed and not yet begun.
        running: handlers being called now.
        late_s: lateness of starts, as (upper bound in seconds, count); the last bound is infinite.
        took_s: duration of attempts, likewise.
    """

    decided: Mapping[State, int]
    finished: Mapping[State, int]
    claimed: int
    attempts: int
    retries: Mapping[str, int]
    refused: int
    alerts: Mapping[Severity, int]
    passes: int
    queued: int
    running: int
    late_s: tuple[tuple[float, int], ...]
    took_s: tuple[tuple[float, int], ...]


class Metrics:
    """The live counts of one node.

    Args:
        histograms: whether lateness and duration are measured (`features.performance_monitoring`).
    """

    def __init__(self, *, histograms: bool = True) -> None:
        self.histograms = histograms
        self.decided: Counter[State] = Counter()
        self.finished: Counter[State] = Counter()
        self.retries: Counter[str] = Counter()
        self.alerts: Counter[Severity] = Counter()
        self.claimed = 0
        self.attempts = 0
        self.refused = 0
        self.passes = 0
        self.late_s = Histogram()
        self.took_s = Histogram()

    def attempt_ended(self, late_s: float | None, took_s: float) -> None:
        """Count one attempt; `late_s` is None for what is backfilled, which is never on time."""
        self.attempts += 1
        if self.histograms:
            if late_s is not None:
                self.late_s.observe(late_s)
            self.took_s.observe(took_s)

    def retried(self, reason: Reason | str) -> None:
        """Count one attempt that is followed by another."""
        self.retries[str(reason)] += 1

    def snapshot(self, *, queued: int, running: int) -> MetricsSnapshot:
        """Return a copy."""
        bounds = (*BOUNDS_S, float("inf"))
        return MetricsSnapshot(
            decided=dict(self.decided),
            finished=dict(self.finished),
            claimed=self.claimed,
            attempts=self.attempts,
            retries=dict(self.retries),
            refused=self.refused,
            alerts=dict(self.alerts),
            passes=self.passes,
            queued=queued,
            running=running,
            late_s=tuple(zip(bounds, self.late_s.counts, strict=True)),
            took_s=tuple(zip(bounds, self.took_s.counts, strict=True)),
        )
