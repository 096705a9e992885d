"""Batches: changes of one shape as the rows of few statements, so that a thousand are written as fast as a few.

It is done by whoever commits, before the writer's thread has anything to do with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import partial
from itertools import groupby

import attrs

from trioarm.core.changes import Change
from trioarm.core.errors import InvalidSchedule
from trioarm.repositories.sqlite import statements
from trioarm.repositories.sqlite.adding import Added, sole_addition
from trioarm.repositories.sqlite.lines import Lines, are_decided_at_once, went_well
from trioarm.repositories.sqlite.statements import ForRows
from trioarm.repositories.sqlite.values import Values, is_plain, move_values, run_values, statement_of, step_values


@attrs.define(slots=True, eq=False)
class Rows:
    """A statement, and the values of all its rows one after the other."""

    statement: ForRows
    values: list[object]


@attrs.define(slots=True, eq=False)
class Batch:
    """Changes that are written together, and what writes them.

    Args:
        changes: alike, in order.
        lines: what has a line.
        steps: of runs, and moves of cursors: each row must change exactly one row of the file.
        decided: rows of new runs, all but their numbers; None when there are none.
        added: new schedules that are all there is to it; None when there is more, or another thing.
    """

    changes: Sequence[Change]
    lines: Lines
    steps: Sequence[Rows]
    decided: Rows | None
    added: Added | None = None

    def __len__(self) -> int:
        """Return how many rows of a view it is."""
        return len(self.lines) if self.added is None else len(self.added)

    @property
    def is_lines(self) -> bool:
        """Whether its lines are all there is to it."""
        one = self.changes[0]  # who has more to say than lines stands alone
        says_more = one.schedules or one.documents or one.journal or one.quotas
        return not self.steps and self.decided is None and not says_more


def batches(changes: Iterable[Change]) -> list[Batch]:
    """Return changes in batches, in order, ready to be written. It needs no file, and is not for the writer's thread:
    that would fetch each record from the cache of another core."""
    return [batch_of(list(alike)) for _, alike in groupby(changes, _shape)]


def batch_of(changes: list[Change]) -> Batch:
    """Return changes of one shape, or one alone, as a batch."""
    steps = [step for change in changes for step in change.steps]
    moves = [move for change in changes for move in change.moved]
    runs = [run for change in changes for run in change.decided]
    lines, written, decided = Lines(), [], None
    ends = [step for step in steps if went_well(step)]
    if len(ends) == len(steps):
        lines.add_ends(ends)
    else:  # the steps of a change that stands alone may differ
        written = [_rows(statement, map(step_values, same)) for statement, same in groupby(steps, statement_of)]
    if are_decided_at_once(runs, moves):
        lines.add_decisions(runs, moves)
    elif moves:
        written.append(_rows(statements.MOVE, map(move_values, moves)))
    if runs and not lines.new_runs:
        statement = statements.INSERT_PLAIN_RUN if all(map(is_plain, runs)) else statements.INSERT_RUN
        decided = _rows(statement, map(partial(run_values, statement), runs))
    return Batch(changes, lines, written, decided, _added(changes[0]))


def _added(change: Change) -> Added | None:
    step = sole_addition(change)
    with suppress(InvalidSchedule):  # it is refused when it is written
        return None if step is None else Added(step)
    return None


def _rows(statement: ForRows, rows: Iterable[Values]) -> Rows:
    values: list[object] = []
    for row in rows:
        values += row
    return Rows(statement, values)


def _shape(change: Change) -> object:
    """Return what makes changes alike: what they change. Their order among each other means nothing."""
    steps = change.steps
    if change.schedules or change.documents or change.journal or len(steps) > 1 or (steps and change.decided):
        return change
    return (len(change.decided) > 0, len(change.moved) > 0, type(steps[0]) if steps else None)
