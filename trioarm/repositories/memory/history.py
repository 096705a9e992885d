"""Every run that is kept, by number and by occurrence; what is final is counted, so that forgetting need not search."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, ValuesView
from itertools import islice

from trioarm.core.failing import ENDED, looked_at
from trioarm.core.instants import EARLIEST
from trioarm.core.queries import Kept, Retention
from trioarm.core.run import Origin, RunRecord
from trioarm.core.states import FINAL, State


class History:
    """Runs in the order in which they were decided."""

    __slots__ = ("_final", "_in_order", "_last_decided_at", "_last_run_id", "_occurrences", "_runs")

    def __init__(self) -> None:
        self._runs: dict[int, RunRecord] = {}
        self._occurrences: dict[Origin, dict[tuple[int, int, int], RunRecord]] = {origin: {} for origin in Origin}
        self._final: dict[State, dict[int, int]] = {state: {} for state in FINAL}  # runs per state and schedule key
        self._last_run_id = 0
        self._last_decided_at = EARLIEST
        self._in_order = True  # whether what was decided later was so at a later instant: no clock was set back

    def add(self, run: RunRecord) -> None:
        """Keep a newly decided run and give it its number."""
        self._last_run_id += 1
        run.run_id = self._last_run_id
        self._runs[run.run_id] = run
        self._occurrences[run.origin][run.occurrence] = run
        if run.decided_at < self._last_decided_at:
            self._in_order = False
        self._last_decided_at = run.decided_at

    def ended(self, run: RunRecord) -> None:
        """Note that a kept run is final."""
        key, counts = run.schedule.key, self._final[run.state]
        counts[key] = counts.get(key, 0) + 1

    def decided(self, run: RunRecord) -> bool:
        """Whether the occurrence of a run is decided already."""
        return run.occurrence in self._occurrences[run.origin]

    def get(self, run_id: int) -> RunRecord | None:
        """Return the run with that number, or None."""
        return self._runs.get(run_id)

    def get_occurrence(self, origin: Origin, key: int, epoch: int, nominal_at: int) -> RunRecord | None:
        """Return the run of an occurrence, or None."""
        return self._occurrences[origin].get((key, epoch, nominal_at))

    def retried(self) -> frozenset[int]:
        """Return the numbers of all runs of which a retry is kept, be they kept themselves or not."""
        retries = self._occurrences[Origin.RETRY].values()
        return frozenset(run.retry_of for run in retries if run.retry_of is not None)

    def all(self) -> ValuesView[RunRecord]:
        """Return all runs."""
        return self._runs.values()

    def counts(self) -> tuple[Counter[State], Counter[State]]:
        """Return rows per state, and occurrences per state."""
        rows: Counter[State] = Counter()
        occurrences: Counter[State] = Counter()
        for run in self._runs.values():
            rows[run.state] += 1
            occurrences[run.state] += run.count
        return rows, occurrences

    def forget(self, retention: Retention) -> int:
        """Forget up to `retention.limit` runs that may be forgotten, the oldest first, and return how many were.

        Only once none is too old are those counted that are left, and may be too many. Those stay that tell whether
        their schedule keeps failing.
        """
        limit = retention.limit
        old, many = self._telling_nothing(self._too_old(retention)), self._telling_nothing(self._too_many(retention))
        gone = list(islice(old, limit)) or list(islice(many, limit))
        for run in gone:
            del self._runs[run.run_id]
            del self._occurrences[run.origin][run.occurrence]
            key, counts = run.schedule.key, self._final[run.state]
            counts[key] -= 1
            if not counts[key]:
                del counts[key]
        return len(gone)

    def _telling_nothing(self, runs: Iterable[RunRecord]) -> Iterator[RunRecord]:
        """Yield those of these runs that do not tell whether their schedule keeps failing."""
        telling: set[int] | None = None
        for run in runs:
            if run.schedule.schedule.pause_after_failures is not None:
                telling = self._telling() if telling is None else telling
                if run.run_id in telling:
                    continue
            yield run

    def _telling(self) -> set[int]:
        """Return the numbers of the runs that tell whether their schedule keeps failing, and is to be paused (S5.9)."""
        left: dict[int, int] = {}
        found: set[int] = set()
        for run in reversed(self._runs.values()):
            record, most = run.schedule, run.schedule.schedule.pause_after_failures
            if most is None or record.removed or run.state not in ENDED:
                continue
            left[record.key] = left.get(record.key, looked_at(most)) - 1
            if left[record.key] >= 0:
                found.add(run.run_id)
        return found

    def _too_old(self, retention: Retention) -> Iterator[RunRecord]:
        before = {state: kept.before for kept in retention.kept for state in kept.states}
        latest = max(before.values())
        for run in self._runs.values():
            if run.decided_at >= latest and self._in_order:
                return
            if run.finished_at is not None and run.finished_at < before[run.state]:
                yield run

    def _too_many(self, retention: Retention) -> Iterator[RunRecord]:
        surpluses = [(kept.states, self._surplus(kept)) for kept in retention.kept]
        by_state = {state: surplus for states, surplus in surpluses for state in states}
        left = sum(sum(surplus.values()) for _, surplus in surpluses)
        for run in self._runs.values():
            if not left:
                return
            if run.finished_at is None:
                continue
            surplus, key = by_state[run.state], run.schedule.key
            if surplus.get(key):
                yield run
                surplus[key] -= 1
                left -= 1

    def _surplus(self, kept: Kept) -> dict[int, int]:
        """Return how many runs of these states are too many, per schedule key."""
        counts: Counter[int] = Counter()
        for state in kept.states:
            counts.update(self._final[state])
        return {key: count - kept.most for key, count in counts.items() if count > kept.most}
