"""The reference for ends: a node that is told to stop ends in time, and what its handlers came to is not lost (S6.8).

Nothing can end a task that shields itself: a handler that ignores its cancellation keeps its node until it returns.
Everything else has a limit: its handlers may go on for the drain, the last outcomes take five seconds, and so does its
leave of the store.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from math import inf

from tests.simulation.course import Course, Life
from tests.simulation.play import DRAIN_S
from tests.simulation.witness import STUBBORN, STUBBORN_S
from trioarm import State

OUTCOMES_S = 5.0  # for the last outcomes to be kept
LEAVE_S = 5.0  # to tell the store that it ends
HEED_S = 5.0  # for a handler to heed its cancellation, before it counts as stuck
ROUNDED_S = 0.01
HELD = (State.CLAIMED, State.RUNNING)


def ended_badly(course: Course) -> Iterator[str]:
    """Every node ended in time, and every outcome of its handlers was kept, or its run was begun again."""
    for life in course.lives:
        yield from _takes_too_long(life, course)
    yield from _loses_what_went_well(course)
    yield from _leaves_behind(course)


def _takes_too_long(life: Life, course: Course) -> Iterator[str]:
    if life.told_at is None or life.until_at is None:
        return
    limit_s = (0.0 if life.at_once else DRAIN_S) + ROUNDED_S
    if life.left_alone or course.disturbed:
        limit_s += OUTCOMES_S + LEAVE_S
    told_at = life.told_at
    calls = [call for calls in course.witness.calls.values() for call in calls if call.node == life.node]
    if any(call.behaviour == STUBBORN and (call.ended_at or told_at) > told_at for call in calls):
        limit_s += STUBBORN_S + HEED_S + (OUTCOMES_S if life.left_alone or course.disturbed else 0.0)
    if life.until_at - told_at > limit_s:
        yield f"{life.node}: took {life.until_at - told_at} s to end, and {limit_s} s at most are promised"


def _loses_what_went_well(course: Course) -> Iterator[str]:
    """Where the store answers, no run is begun again whose handler has returned, unless its node was killed."""
    if course.disturbed:
        return
    killed = {life.node for life in course.lives if life.killed_at < inf}
    told = {life.node for life in course.lives if life.told_at is not None}
    for row in course.rows:
        calls = course.witness.calls.get(row.run_id, ())
        for before, after in itertools.pairwise(calls):
            if before.went_well and before.behaviour != STUBBORN and before.node not in killed:
                yield f"{after.run}: is called again on {after.node}, and {before.node} knew that it went well"
            follows = after.token == before.token + 1  # else a node held it in between that never called it
            if after.after_loss and follows and before.node in told and before.behaviour != STUBBORN:
                yield f"{after.run}: {before.node} knew what had come of it, and {after.node} found it lost"
        for last in calls[-1:]:
            known = last.went_well and last.behaviour != STUBBORN and last.node not in killed
            if known and row.state is State.PENDING:
                yield f"{row.readable_id}: went well on {last.node}, and waits to be called again"


def _leaves_behind(course: Course) -> Iterator[str]:
    """Nothing is held by a node that is gone."""
    gone = {life.node for life in course.lives if life.until_at is not None}
    for row in course.rows:
        if row.state in HELD and row.node in gone:
            yield f"{row.readable_id}: is {row.state} by {row.node}, which is gone"
