"""Lines: what is changed most, so alike that one statement carries out a whole transaction of it.

Python hands its lock over around each statement, and whoever wants it back from a busy loop waits up to five
milliseconds for it, twenty times in a transaction of several statements. One statement works beside the loop.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from typing import Final, TypeGuard

from trioarm.core.changes import CursorMove, Finished, RunStep
from trioarm.core.record import SCHEDULE_ACTIVE, SCHEDULE_FINISHED
from trioarm.core.run import SCHEDULED, RunRecord
from trioarm.core.states import CLAIMED, SUCCEED
from trioarm.repositories.sqlite import statements
from trioarm.repositories.sqlite.statements import Statement
from trioarm.repositories.sqlite.values import is_plain, or_null

_WIDTH: Final = 1 + statements.LINE_VALUES
_DECIDED: Final = statements.DECIDED.kind
_WENT_WELL: Final = statements.WENT_WELL.kind


def make_view(connection: sqlite3.Connection) -> None:
    """Make the views that lines and new schedules are written to, and what carries them out; they are gone with the
    connection."""
    connection.execute(statements.LINES_VIEW)
    for line in statements.LINES:
        connection.execute(line.trigger())
    for statement in (statements.ADDED_VIEW, statements.ADDED_ROWS):
        connection.execute(statement)


class Lines:
    """Lines of one batch.

    Args:
        values: of all lines, one after the other. New runs come last, as they may need lanes that others leave.
        new_runs: how many of them there are.
    """

    __slots__ = ("new_runs", "values")

    def __init__(self) -> None:
        self.values: list[object] = []
        self.new_runs = 0

    def __len__(self) -> int:
        """Return how many lines there are."""
        return len(self.values) // _WIDTH

    def add_ends(self, ends: Sequence[Finished]) -> None:
        """Add outcomes of runs that went well."""
        values = self.values
        for step in ends:
            values += (_WENT_WELL, step.at, step.started_at, step.run.run_id, step.token, 0, 0, 0, 0, 0, 0, 0, 0, 0)

    def add_decisions(self, runs: Sequence[RunRecord], moves: Sequence[CursorMove]) -> None:
        """Add decisions to run at once, each with the move of its cursor; the numbers of the runs follow later."""
        values = self.values
        for run, move in zip(runs, moves, strict=True):
            schedule = run.schedule.schedule
            values += (
                _DECIDED, 0, run.schedule.key, run.nominal_at, run.due_at, run.decided_at, run.node,
                schedule.handler, -schedule.priority, or_null(move.next_due_at), move.runs,
                move.expected_cursor_at, move.expected_revision, move.expected_next_due_at,
            )  # fmt: skip
        self.new_runs += len(runs)

    def number(self, last: int) -> int:
        """Give new runs the numbers after `last`, and return the last one that is given."""
        if self.new_runs:
            first_place = len(self.values) - self.new_runs * _WIDTH + 1
            self.values[first_place::_WIDTH] = range(last + 1, last + 1 + self.new_runs)
        return last + self.new_runs

    def statements(self) -> Iterator[Statement]:
        """Yield what writes them inside of a transaction; each changes nothing where one of its lines does not fit."""
        most = statements.LINES_MAX * _WIDTH
        for start in range(0, len(self.values), most):
            yield _statement(self.values[start : start + most])


def in_one(some: Iterable[Lines], last: int) -> Statement:
    """Return the statement for a transaction of all these lines.

    Args:
        some: in order, fewer than `LINES_MAX`.
        last: the number of the last run that there is, which must be so when it is carried out if there are new ones.
    """
    values: list[object] = []
    upto = last
    for lines in some:
        upto = lines.number(upto)
        values += lines.values
    values += (statements.CLOSED.kind, last, upto, *repeat(0, _WIDTH - 3))
    return _statement(values)


def _statement(values: list[object]) -> Statement:
    """Return a statement for lines, of one of few sizes, so that all of them stay compiled."""
    lines = len(values) // _WIDTH
    size = 1 << (lines - 1).bit_length()
    return statements.write_lines(size), [*values, *repeat(0, (size - lines) * _WIDTH), lines]


def went_well(step: RunStep) -> TypeGuard[Finished]:
    """Whether a run went well, and there is no more to say."""
    return (
        isinstance(step, Finished)
        and step.step is SUCCEED
        and step.result is None
        and step.error is None
        and step.reason is None
    )


def are_decided_at_once(runs: Sequence[RunRecord], moves: Sequence[CursorMove]) -> bool:
    """Whether each of these runs is claimed as it is decided, with the move of its schedule's cursor at its place among
    the moves, and there is no more to say of either."""
    return len(runs) == len(moves) and all(map(_is_decided_at_once, runs, moves))


def _is_decided_at_once(run: RunRecord, move: CursorMove) -> bool:
    of_one = run.schedule is move.record and run.decided_at == move.cursor_at
    return of_one and _only_moves_on(move) and _is_claimed_at_once(run)


def _only_moves_on(move: CursorMove) -> bool:
    """Whether there is no more to say of a cursor than how far it came."""
    usual = SCHEDULE_FINISHED if move.next_due_at is None else SCHEDULE_ACTIVE
    plain = not move.resumed and move.anchor_at is None and move.expected_next_due_at is not None
    return plain and move.state is usual


def _is_claimed_at_once(run: RunRecord) -> bool:
    """Whether a run is claimed as it is decided, and there is no more to say."""
    at_once = run.state is CLAIMED and run.token == run.attempt == 1 and run.origin is SCHEDULED
    return at_once and run.lane is None and run.give_up_at is None and run.waiting_for is None and is_plain(run)
