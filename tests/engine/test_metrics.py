"""What the engine counts: buckets, quantiles and snapshots."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioarm.core.states import Reason, State
from trioarm.engine.metrics import BOUNDS_S, Histogram, Metrics


def test_an_empty_histogram_has_no_quantiles() -> None:
    """No number would be true."""
    histogram = Histogram()
    assert (histogram.count, histogram.quantile_s(0.5)) == (0, None)


@pytest.mark.parametrize(("seconds", "bound"), [(0, 0.001), (-1, 0.001), (0.001, 0.001), (0.0011, 0.0025), (400, inf)])
def test_a_duration_lies_in_the_bucket_whose_bound_it_does_not_exceed(seconds: float, bound: float) -> None:
    """A bound belongs to its bucket, as monitoring systems expect."""
    histogram = Histogram()
    histogram.observe(seconds)
    assert histogram.quantile_s(1) == bound


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=200), st.floats(0.01, 1))
def test_a_quantile_is_an_upper_bound_of_its_share(durations: list[float], share: float) -> None:
    """At least that share is not above it, and with the next smaller bound it would not be."""
    histogram = Histogram()
    for duration in durations:
        histogram.observe(duration)
    bound = histogram.quantile_s(share)
    assert bound is not None
    assert sum(duration <= bound for duration in durations) >= share * len(durations)
    smaller = max((other for other in BOUNDS_S if other < bound), default=-inf)
    assert sum(duration <= smaller for duration in durations) < share * len(durations)
    assert histogram.count == len(durations)
    assert histogram.sum_s == pytest.approx(sum(durations))


def test_a_snapshot_no_longer_changes() -> None:
    """It is a copy of one moment."""
    metrics = Metrics()
    metrics.attempt_ended(0.002, 7.0)
    metrics.finished[State.SUCCEEDED] += 1
    metrics.retried(Reason.TIMEOUT)
    before = metrics.snapshot(queued=1, running=2)
    metrics.attempt_ended(0.002, 7.0)
    metrics.finished[State.SUCCEEDED] += 1
    assert (before.attempts, before.finished, before.retries) == (1, {State.SUCCEEDED: 1}, {"timeout": 1})
    assert (before.queued, before.running) == (1, 2)
    assert [pair for pair in before.late_s if pair[1]] == [(0.0025, 1)]
    assert [pair for pair in before.took_s if pair[1]] == [(10.0, 1)]
    assert before.late_s[-1][0] == inf


def test_histograms_can_be_switched_off() -> None:
    """Attempts are counted all the same."""
    metrics = Metrics(histograms=False)
    metrics.attempt_ended(0.002, 7.0)
    assert (metrics.attempts, metrics.late_s.count, metrics.took_s.count) == (1, 0, 0)
