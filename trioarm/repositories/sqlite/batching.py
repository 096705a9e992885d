"""Batches: changes of one shape as the rows of few statements, so that a thousand are written as fast as a few.

It is done by whoever commits, before the writer's thread has anything to do with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import TypeVar

import attrs

from trioarm.core.changes import Change
from trioarm.repositories.sqlite import statements
from trioarm.repositories.sqlite.statements import ForRows
from trioarm.repositories.sqlite.values import (
    Values,
    is_claimed_at_once,
    is_plain,
    move_values,
    only_moves_on,
    run_values,
    says_nothing,
    statement_of,
    step_values,
)

T = TypeVar("T")


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
        steps: of runs, and moves of cursors: each row must change exactly one row of the file.
        decided: rows of new runs, all but their numbers; None when there are none.
    """

    changes: Sequence[Change]
    steps: Sequence[Rows]
    decided: Rows | None


def batches(changes: Iterable[Change]) -> list[Batch]:
    """Return changes in batches, in order, ready to be written. It needs no file, and is not for the writer's thread:
    that would fetch each record from the cache of another core."""
    return [batch_of(list(alike)) for _, alike in groupby(changes, _shape)]


def batch_of(changes: list[Change]) -> Batch:
    """Return changes of one shape, or one alone, as a batch."""
    steps = [step for change in changes for step in change.steps]
    moves = [move for change in changes for move in change.moved]
    runs = [run for change in changes for run in change.decided]
    by_kind = groupby(steps, statement_of)  # the steps of a change that stands alone may differ
    ends = [(statements.SUCCEED, says_nothing)]
    moved = [(statements.MOVE_ON, only_moves_on)]
    begun = [(statements.INSERT_CLAIMED_RUN, is_claimed_at_once), (statements.INSERT_PLAIN_RUN, is_plain)]
    written = [_rows(statement, [*same], step_values, ends) for statement, same in by_kind]
    if moves:
        written.append(_rows(statements.MOVE, moves, move_values, moved))
    return Batch(changes, written, _rows(statements.INSERT_RUN, runs, run_values, begun) if runs else None)


def _rows(
    statement: ForRows,
    things: Sequence[T],
    values_of: Callable[[ForRows, T], Values],
    narrower: Iterable[tuple[ForRows, Callable[[T], bool]]],
) -> Rows:
    """Return the rows of things for a statement, or for the first one of fewer values that suits all of them."""
    for fewer, suits in narrower:
        if all(map(suits, things)):
            statement = fewer
            break
    values: list[object] = []
    for thing in things:
        values += values_of(statement, thing)
    return Rows(statement, values)


def _shape(change: Change) -> object:
    """Return what makes changes alike: what they change. Their order among each other means nothing."""
    steps = change.steps
    if change.schedules or change.documents or change.journal or len(steps) > 1 or (steps and change.decided):
        return change
    return (len(change.decided) > 0, len(change.moved) > 0, type(steps[0]) if steps else None)
