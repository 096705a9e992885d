"""Gathering: decisions of many schedules as one change, and each as its own again where somebody was faster with one.

A change costs three containers however little it says, and what the garbage collector takes grows with their number.
"""

from __future__ import annotations

from collections.abc import Iterable

from trioarm.core.changes import Change, CursorMove
from trioarm.core.run import RunRecord
from trioarm.core.states import PENDING


class Gathered(Change):
    """Decisions of several schedules, none of which needs the others: the run of each, and the move of its cursor."""

    __slots__ = ()


def gathered(changes: Iterable[Change]) -> list[Change]:
    """Return changes in order, but those in a row that each decide no more than one run as one."""
    found: list[Change] = []
    runs: list[RunRecord] = []
    moves: list[CursorMove] = []
    for change in changes:
        if not _decides_one_run(change):
            runs = []
            found.append(change)
            continue
        if not runs:
            runs, moves = [], []
            found.append(change)
        elif len(runs) == 1:
            found[-1] = Gathered(runs, moves)
        runs.append(change.decided[0])
        moves.append(change.moved[0])
    return found


def apart(change: Change) -> list[Change]:
    """Return a change that was gathered as those that it was made of; another as itself."""
    if not isinstance(change, Gathered):
        return [change]
    return [Change((run,), (move,)) for run, move in zip(change.decided, change.moved, strict=True)]


def _decides_one_run(change: Change) -> bool:
    """Whether it decides a run of one schedule, which is to begin, and nothing else."""
    if len(change.decided) != 1 or len(change.moved) != 1 or change.steps:
        return False
    return change.decided[0].state is PENDING
