"""What a stretch of history amounts to, counted run by run, in memory that grows with its groups alone (S9.2)."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from itertools import accumulate
from math import ceil, log
from typing import Final

import attrs

from trioarm.core.instants import SECOND, as_datetime
from trioarm.core.run import Origin, RunRecord, render_run_id
from trioarm.core.states import NEVER_RAN, State

GROUPS_MAX: Final = 10_000  # told apart; what belongs to others is counted together
FINENESS: Final = 1.02  # between two steps of a scale: quantiles are at most so much too high
LEAST_S: Final = 0.0001  # what is less is the same to anybody
ENDED_BADLY: Final = frozenset({State.FAILED, State.TIMED_OUT, State.UNKNOWN})
OTHERS: Final = "(others)"
NONE: Final = "(none)"


class GroupBy(StrEnum):
    """What runs are told apart by."""

    SCHEDULE = "schedule"
    HANDLER = "handler"
    OWNER = "owner"
    TAG = "tag"  # a run counts for each tag of its schedule
    ALL = "all"


@attrs.frozen(slots=True)
class Spread:
    """How durations are spread, in seconds; None where there was none.

    Args:
        p50: half of them are no longer; up to two in a hundred too high, as the next one.
        p95: of a hundred, ninety-five are no longer.
        longest: the longest, exactly.
    """

    p50: float | None = None
    p95: float | None = None
    longest: float | None = None


class _Scale:
    """Counts durations on a logarithmic scale: some hundred steps, however many there are."""

    __slots__ = ("_counts", "_longest")

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self._longest = 0.0

    def add(self, seconds: float) -> None:
        seconds = max(0.0, seconds)
        self._longest = max(self._longest, seconds)
        self._counts[ceil(log(max(seconds, LEAST_S) / LEAST_S, FINENESS))] += 1

    def spread(self) -> Spread:
        if not self._counts:
            return Spread()
        return Spread(self._quantile(0.5), self._quantile(0.95), self._longest)

    def _quantile(self, share: float) -> float:
        steps = sorted(self._counts)
        sums = list(accumulate(self._counts[step] for step in steps))
        step = steps[bisect_left(sums, ceil(share * sums[-1]))]
        return min(self._longest, LEAST_S * FINENESS**step)


@attrs.frozen(slots=True)
class LastFailure:
    """The run that ended badly last, by when it was decided."""

    run_id: str
    at: datetime
    error: str | None


@attrs.frozen(slots=True)
class GroupStatistics:
    """What the runs of one group amount to.

    Args:
        name: of the group: a schedule, a handler, an owner, a tag; `(none)` for runs without, `(others)` for groups
            beyond 10 000.
        states: occurrences per state; a range that did not run counts all it stands for.
        late: how long after they were due runs began that a trigger made; their latest attempts.
        took: how long the latest attempts of runs took that are over.
        last_failure: None where none failed.
    """

    name: str
    states: Mapping[State, int]
    late: Spread
    took: Spread
    last_failure: LastFailure | None

    @property
    def failures(self) -> int:
        """How many ended badly: failed, timed out, or nobody knows how."""
        return sum(self.states.get(state, 0) for state in ENDED_BADLY)

    @property
    def success_rate(self) -> float | None:
        """The share of runs that succeeded among those that ended well or badly; None where there are none."""
        well = self.states.get(State.SUCCEEDED, 0)
        return well / (well + self.failures) if well + self.failures else None


@attrs.frozen(slots=True)
class RunStatistics:
    """What a stretch of history amounts to.

    Args:
        groups: the one with most occurrences first.
        runs: rows that were counted.
        complete: false where there are older ones that were not counted.
    """

    groups: tuple[GroupStatistics, ...]
    runs: int
    complete: bool


@attrs.define(slots=True, eq=False)
class _Group:
    states: Counter[State] = attrs.Factory(Counter)
    late: _Scale = attrs.Factory(_Scale)
    took: _Scale = attrs.Factory(_Scale)
    last_failure: RunRecord | None = None

    def add(self, run: RunRecord) -> None:
        self.states[run.state] += run.count
        if run.started_at is None or run.state in NEVER_RAN:
            return
        if run.origin is Origin.SCHEDULE and run.state is not State.PENDING:
            self.late.add((run.started_at - run.due_at) / SECOND)
        if run.finished_at is not None:
            self.took.add((run.finished_at - run.started_at) / SECOND)
        if run.state in ENDED_BADLY and (self.last_failure is None or run.run_id > self.last_failure.run_id):
            self.last_failure = run


class Tally:
    """Counts runs.

    Args:
        by: what they are told apart by.
    """

    def __init__(self, by: GroupBy) -> None:
        self._by = by
        self._groups: dict[str, _Group] = {}
        self.runs = 0

    def add(self, run: RunRecord) -> None:
        """Count a run."""
        self.runs += 1
        for name in self._names(run):
            group = self._groups.get(name)
            if group is None:
                name = name if len(self._groups) < GROUPS_MAX else OTHERS
                group = self._groups.setdefault(name, _Group())
            group.add(run)

    def _names(self, run: RunRecord) -> Iterator[str]:
        schedule = run.schedule.schedule
        match self._by:
            case GroupBy.SCHEDULE:
                yield schedule.name
            case GroupBy.HANDLER:
                yield schedule.handler
            case GroupBy.OWNER:
                yield schedule.owner or NONE
            case GroupBy.TAG:
                yield from schedule.tags or (NONE,)
            case _:
                yield "all"

    def statistics(self, *, complete: bool) -> RunStatistics:
        """Return what was counted.

        Args:
            complete: whether nothing was left out.
        """
        groups = [_statistics_of(name, group) for name, group in self._groups.items()]
        groups.sort(key=lambda one: (-sum(one.states.values()), one.name))
        return RunStatistics(tuple(groups), self.runs, complete)


def _statistics_of(name: str, group: _Group) -> GroupStatistics:
    last, failure = group.last_failure, None
    if last is not None:
        run_id = render_run_id(last.schedule.schedule.name, last.nominal_at, last.origin, last.epoch)
        failure = LastFailure(run_id, as_datetime(last.finished_at or last.due_at), last.error)
    return GroupStatistics(name, dict(group.states), group.late.spread(), group.took.spread(), failure)
