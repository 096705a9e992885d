"""The reference for resources: the gap between two runs that need one, and the pause after it kept failing (S6.5).

What was cancelled, or not worth another attempt whoever had been asked, speaks neither for a resource nor against it.

Only where the store answers at once, nobody sets the clock, and no schedule changes that needs a resource, is it seen
in calls of handlers what claims promise.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from math import inf
from operator import itemgetter

from tests.simulation.attempts import unchanged
from tests.simulation.course import Course
from tests.simulation.play import RESOURCES
from tests.simulation.witness import Call
from trioarm import State
from trioarm.core.resources import Resource
from trioarm.core.states import Reason

ROUNDED_S = 0.001


def needed_wrongly(course: Course) -> Iterator[str]:
    """Nobody begins before the gap or the pause of what it needs is over."""
    if course.disturbed or course.counts["Stepped"] or course.counts["Strayed"]:
        return
    killed_at = {life.node: life.killed_at - ROUNDED_S for life in course.lives}  # what ends in that moment is not kept
    changed = {one.name for one in course.definitions} - unchanged(course)
    for name, resource in RESOURCES.items():
        if any(one.schedule and name in one.schedule.resources and one.name in changed for one in course.definitions):
            continue
        calls, ended = [], []
        for row in course.rows:
            if name in row.schedule.schedule.resources:
                made = course.witness.calls.get(row.run_id, [])
                said_nothing = row.state is State.CANCELLED or row.reason is Reason.DISCARDED
                calls += made
                ended += [call for call in (made[:-1] if said_nothing else made) if call.ended_at is not None]
        calls.sort(key=lambda call: call.began_at)
        ended = [call for call in ended if (call.ended_at or 0.0) < killed_at[call.node]]
        yield from (f"{name}: {wrong}" for wrong in _too_close(resource, calls))
        yield from (f"{name}: {wrong}" for wrong in _while_open(resource, calls, ended))


def _too_close(resource: Resource, calls: Sequence[Call]) -> Iterator[str]:
    for before, after in itertools.pairwise(calls):
        if after.began_at < before.began_at + resource.gap_s - ROUNDED_S:
            yield f"{after.run} begins {after.began_at - before.began_at} s after {before.run}"


def _while_open(resource: Resource, calls: Sequence[Call], ended: Sequence[Call]) -> Iterator[str]:
    """Nobody begins while the breaker is open: attempts that speak of it had ended like that."""
    if resource.breaker is None:
        return
    in_order = sorted(((call.ended_at or 0.0, call) for call in ended), key=itemgetter(0))
    failures = 0
    for number, (since, call) in enumerate(in_order):
        failures = 0 if call.went_well else failures + call.gave_up
        if not call.gave_up or failures < resource.breaker.failures:
            continue
        closed_at = next((at for at, later in in_order[number:] if later.went_well), inf)
        until = min(since + resource.breaker.pause_s - ROUNDED_S, closed_at)
        for other in calls:
            if since + ROUNDED_S < other.began_at < until:
                yield f"{other.run} begins {other.began_at - since} s after {failures} attempts in a row failed"
