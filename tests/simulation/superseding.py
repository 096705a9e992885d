"""The reference for superseding lanes: of what comes due together the last counts, and nothing older follows (S5.5)."""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator

from tests.simulation.course import Course
from tests.simulation.play import SETTLED_S
from tests.simulation.witness import Call
from trioarm import Once, State
from trioarm.core.instants import DAY, SECOND
from trioarm.core.run import Origin, RunRecord
from trioarm.core.states import NEVER_RAN, Reason


def superseded_wrongly(course: Course) -> Iterator[str]:
    """What gives way does so to what counts more, and that is not overtaken."""
    yield from _out_of_order(course)
    yield from _superseded_by_nothing(course)
    yield from _superseded_by_less(course)


def until_kept(course: Course) -> int:
    """Return by how much the clock may go on, or be set on, until the end of a run is kept: it says when that was."""
    if not course.disturbed:
        return 0
    return DAY if course.counts["Stepped"] else round(SETTLED_S * SECOND)


def was_to_run(row: RunRecord) -> bool:
    """Whether a row was decided to run, whatever became of it while it waited."""
    return row.state not in NEVER_RAN or (row.finished_at or 0) > row.decided_at


def _superseded_by_nothing(course: Course) -> Iterator[str]:
    """What is superseded gives way to another of its lane that is not earlier, decided by when its end is kept."""
    if course.set_back:  # what came first is not to be told by the wall then
        return
    lane = sorted((row for row in course.rows if row.lane == "red"), key=lambda row: row.decided_at)
    decided_at = [row.decided_at for row in lane]
    for row in lane:
        if row.reason is not Reason.SUPERSEDED or row.finished_at is None:
            continue
        kept_at = row.finished_at + until_kept(course)
        others = lane[: bisect_right(decided_at, max(row.decided_at, kept_at))]
        if not any(other is not row and (other.last_at or other.nominal_at) >= row.nominal_at for other in others):
            yield f"{row.schedule.schedule.name}: {row.nominal_at} gives way to nothing that came later"


def _superseded_by_less(course: Course) -> Iterator[str]:
    """Of what is due at one instant in a superseding lane, and decided at once, the first in order counts (S4.4)."""
    if course.corrected:
        return
    at_once: dict[tuple[int, int], list[RunRecord]] = defaultdict(list)
    for row in course.rows:
        is_plain = row.schedule.revision == 1 and not isinstance(row.schedule.schedule.trigger, Once)
        if row.lane == "red" and row.origin is Origin.SCHEDULE and row.count == 1 and is_plain:
            at_once[row.nominal_at, row.decided_at].append(row)
    for rows in at_once.values():
        gave_way = [row for row in rows if row.state is State.SUPERSEDED and row.finished_at == row.decided_at]
        ran = [row for row in rows if row not in gave_way and was_to_run(row)]
        for row, other in itertools.product(gave_way, ran):
            if _weight(row) > _weight(other):
                names = row.schedule.schedule.name, other.schedule.schedule.name
                yield f"{names[0]}: {row.nominal_at} gives way to {names[1]}, which counts for less"


def _weight(row: RunRecord) -> tuple[int, int, str]:
    schedule = row.schedule.schedule
    return schedule.priority, schedule.precedence, schedule.name


def _out_of_order(course: Course) -> Iterator[str]:
    """In a superseding lane nothing begins for the first time after what came later, unless it was said only then."""
    if course.corrected:
        return
    begun: list[tuple[float, RunRecord, Call]] = []
    for row in course.rows:
        calls = course.witness.calls.get(row.run_id)
        if row.lane == "red" and row.origin is Origin.SCHEDULE and calls:
            begun.append((calls[0].began_at, row, calls[0]))
    begun.sort(key=lambda one: (one[0], one[1].nominal_at))
    for (_, before, _), (_, after, call) in itertools.pairwise(begun):
        if after.nominal_at < before.nominal_at <= after.decided_at:  # a clock that was set back leads there again
            if _was_past_when_put(after, before.nominal_at, course):
                continue
            yield f"{call.run}: begins after {before.nominal_at}, which came later in its lane"


def _was_past_when_put(row: RunRecord, other_at: int, course: Course) -> bool:
    """Whether an occurrence lay in the past when somebody put it, after another one had come: it is run late."""
    name = row.schedule.schedule.name
    said = [one for one in course.definitions if one.name == name and one.from_at <= row.decided_at]
    schedule = said[-1].schedule
    return schedule is not None and schedule.trigger == Once(row.nominal_at) and said[-1].from_at > other_at
