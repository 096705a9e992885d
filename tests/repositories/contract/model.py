"""The reference model: lists of rows, and every answer computed from all of them.

It has no index, no queue and no lane: what is due, ready or busy is a sentence about the rows.
"""

from __future__ import annotations

from typing import Any

import attrs

from trioarm.core.queries import Kept
from trioarm.core.record import Pause, ScheduleState
from trioarm.core.states import ACTIVE, TABLE, State, Step

HELD = (State.CLAIMED, State.RUNNING)


@attrs.define(eq=False)
class ScheduleRow:
    """A schedule as the model keeps it."""

    key: int
    name: str
    handler: str
    lane: str | None
    supersede: bool
    priority: int
    revision: int
    cursor_at: int
    next_due_at: int | None
    runs: int
    state: ScheduleState
    pause: Pause | None
    removed: bool = False


@attrs.define(eq=False)
class RunRow:
    """A run as the model keeps it."""

    run_id: int
    schedule: ScheduleRow
    nominal_at: int
    due_at: int
    lane: str | None
    state: State
    attempt: int
    token: int
    node: str | None
    give_up_at: int | None
    finished_at: int | None
    cancel: Any = None

    @property
    def holds_lane(self) -> bool:
        """Whether it keeps others out of its lane."""
        return self.state in HELD or (self.state is State.PENDING and self.token > 0)


class Model:
    """What a repository should hold."""

    def __init__(self) -> None:
        self.schedules: list[ScheduleRow] = []
        self.runs: list[RunRow] = []
        self.documents: dict[str, tuple[int, int]] = {}
        self.journal: list[int] = []
        self.last_run_id = 0

    # What it says

    def named(self, name: str) -> ScheduleRow | None:
        """Return the living schedule of that name."""
        return next((row for row in self.schedules if row.name == name and not row.removed), None)

    def unfinished(self) -> list[RunRow]:
        """Return the runs with steps to go, in order of decision."""
        return [run for run in self.runs if run.state in ACTIVE]

    def holder(self, lane: str | None) -> RunRow | None:
        """Return the run that holds a lane."""
        return next((run for run in self.runs if lane is not None and run.lane == lane and run.holds_lane), None)

    def due_groups(self, now: int) -> set[tuple[frozenset[str], frozenset[int]]]:
        """Return the names and unfinished runs of each group that is due."""
        groups = set()
        for row in self.schedules:
            if not self._due(row, now):
                continue
            if row.supersede:
                members = [one for one in self.schedules if one.supersede and one.lane == row.lane and not one.removed]
                runs = [run for run in self.unfinished() if run.lane == row.lane]
            else:
                members, runs = [row], [run for run in self.unfinished() if run.schedule is row]
            groups.add((frozenset(one.name for one in members), frozenset(run.run_id for run in runs)))
        return groups

    def expired(self, now: int) -> set[int]:
        """Return the numbers of the pending runs whose time is over."""
        return {
            run.run_id
            for run in self.runs
            if run.state is State.PENDING and run.due_at <= now and run.give_up_at is not None and run.give_up_at <= now
        }

    def ready(self, now: int, handlers: tuple[str, ...]) -> list[int]:
        """Return the numbers of the runs that wait for nothing but a worker, in the order of their start."""
        runs = [
            run
            for run in self.runs
            if run.state is State.PENDING
            and run.due_at <= now
            and run.schedule.handler in handlers
            and self.holder(run.lane) in (None, run)
        ]
        return [run.run_id for run in sorted(runs, key=lambda run: (-run.schedule.priority, run.due_at, run.run_id))]

    def first_ready(self, ready: list[int]) -> list[int]:
        """Return those of these runs that must be offered: of one lane and handler only the first can start anyway."""
        firsts: dict[object, int] = {}
        for run in sorted((run for run in self.runs if run.run_id in ready), key=lambda run: ready.index(run.run_id)):
            firsts.setdefault(run.run_id if run.lane is None else (run.lane, run.schedule.handler), run.run_id)
        return list(firsts.values())

    def next_due_at(self, now: int) -> int | None:
        """Return when time makes something due next, after a look at `now` whose expired runs were settled."""
        instants = [self._wakes_at(row) for row in self.schedules]
        for run in self.runs:
            if run.state is State.PENDING:
                instants.append(run.due_at if run.due_at > now else run.give_up_at)
        return min((at for at in instants if at is not None), default=None)

    def _wakes_at(self, row: ScheduleRow) -> int | None:
        if row.removed:
            return None
        if row.state is ScheduleState.ACTIVE:
            return row.next_due_at
        return row.pause.until_at if row.state is ScheduleState.PAUSED and row.pause is not None else None

    def _due(self, row: ScheduleRow, now: int) -> bool:
        wakes_at = self._wakes_at(row)
        return wakes_at is not None and wakes_at <= now

    # What it lets through

    def may_decide(self, key: int, nominal_at: int, state: State, lane: str | None) -> bool:
        """Return whether an occurrence is undecided and, claimed at once, its lane free."""
        taken = any(run.schedule.key == key and run.nominal_at == nominal_at for run in self.runs)
        return not taken and (state is not State.CLAIMED or self.holder(lane) is None)

    def may_claim(self, run: RunRow, token: int) -> bool:
        """Return whether a run is pending under that token and its lane free or its own."""
        return run.state is State.PENDING and run.token == token and self.holder(run.lane) in (None, run)

    def may_step(self, run: RunRow, token: int, step: Step) -> bool:
        """Return whether the token is valid and the table allows the step."""
        return run.token == token and step in TABLE[run.state]

    # What it forgets

    def _is_surplus(self, run: RunRow, kept: Kept) -> bool:
        newer = self.runs[self.runs.index(run) + 1 :]
        return sum(one.schedule is run.schedule and one.state in kept.states for one in newer) >= kept.most

    def prune(
        self, runs_before: int, runs_max: int, schedules_before: int, limit: int, apart: tuple[Kept, ...] = ()
    ) -> int:
        """Forget as `Retention` says and return how many rows were."""
        rules = {state: kept for kept in apart for state in kept.states}
        rest = Kept(frozenset(State) - {*rules} - ACTIVE, runs_before, runs_max)
        final = [run for run in self.runs if run.state not in ACTIVE]
        old = [run for run in final if run.finished_at < rules.get(run.state, rest).before]
        gone = (old or [run for run in final if self._is_surplus(run, rules.get(run.state, rest))])[:limit]
        self.runs = [run for run in self.runs if run not in gone]
        over = [
            row
            for row in self.schedules
            if not row.removed
            and row.state is ScheduleState.FINISHED
            and row.cursor_at < schedules_before
            and not any(run.schedule is row for run in self.unfinished())
        ][: limit - len(gone)]
        for row in over:
            row.removed = True
        return len(gone) + len(over)
