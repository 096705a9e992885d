"""The reference for turns: who begins first of those that wait, and that nobody waits while a worker is idle (S6.6).

A run that needs neither a lane nor a resource waits for nothing but a worker. While it does, all workers of its node
are at work, whatever else waits for resources; and no other run begins in its place, unless that is more urgent, or has
waited for half of the time for which a run may wait at all.

Not judged, for nothing of it is promised: which of two begins that become ready in one instant; in which order a node
begins that claims more than it has workers for, since it claims a while before it begins; whom a lane or a resource
lets in first; when a backfilled run begins, which only has to let others go before it. Nor is anything where calls of
the store go wrong, the clock is set, nodes live side by side, or a schedule has changed: nobody can tell from outside
then what was waiting for what.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from heapq import heappop, heappush

import attrs

from tests.simulation.attempts import unchanged
from tests.simulation.course import Course, Life
from tests.simulation.witness import STUBBORN
from trioarm import Overlap
from trioarm.core.instants import MINUTE, SECOND
from trioarm.core.run import Origin, RunRecord
from trioarm.core.states import Reason

MOMENT = SECOND // 100  # within which what happens at once is over
AGED = 5 * MINUTE  # half of executor.queue_timeout: who has waited for so long goes before all others
APART = (
    Overlap.BUFFER_ONE,
    Overlap.BUFFER_LATEST,
    Overlap.BUFFER_ALL,
    Overlap.CANCEL_RUNNING,
)  # each a lane of its own


@attrs.frozen
class Turn:
    """A run that waited for a worker of a node; all instants are as the wall showed.

    Args:
        run: its readable id.
        row: the run.
        due_at: when its attempt was due.
        ready_at: from when on it could have begun.
        until_at: when it began, or was given up.
        ended_at: when its handler had ended; None if it never did, or was not called.
        is_called: whether it began.
    """

    run: str
    row: RunRecord
    due_at: int
    ready_at: int
    until_at: int
    ended_at: int | None = None
    is_called: bool = True

    @property
    def urgency(self) -> tuple[int, int, int]:
        """Its place among those that have not waited long: most urgent, longest due, first decided."""
        return (-self.row.schedule.schedule.priority, self.due_at, self.row.run_id)

    @property
    def age(self) -> tuple[int, int]:
        """Its place among those that have."""
        return (self.due_at, self.row.run_id)

    @property
    def is_free(self) -> bool:
        """Whether it waits for nothing but a worker."""
        schedule = self.row.schedule.schedule
        return (
            self.row.origin is not Origin.BACKFILL
            and self.row.lane is None
            and schedule.overlap not in APART
            and not schedule.resources
            and schedule.handler != STUBBORN
        )

    @property
    def waited(self) -> bool:
        """Whether it did not begin at once."""
        return self.until_at > self.ready_at + MOMENT

    def is_aged(self, at: int) -> bool:
        """Whether it has waited long at an instant."""
        return self.due_at <= at - AGED and self.row.origin is not Origin.BACKFILL


def began_out_of_turn(course: Course) -> Iterator[str]:
    """Whoever waits for a worker has its turn, and none of them is idle meanwhile."""
    names = unchanged(course)
    for life, turns in _turns_of_nodes(course):
        yield from _while_idle(turns, names, _workers(life, course))
        if not sum(size.spare for size in course.sizes[life.node]) and len(course.sizes[life.node]) == 1:
            yield from _overtaken(turns, names)


def waited_for_a_worker(course: Course) -> int:
    """Return how many waits are judged: a simulation in which nobody has to wait shows nothing."""
    return sum(turn.is_free and turn.waited for _, turns in _turns_of_nodes(course) for turn in turns)


def _turns_of_nodes(course: Course) -> Iterator[tuple[Life, list[Turn]]]:
    """Yield what waited for a worker of each node, where that can be told from outside."""
    if not (course.disturbed or course.counts["Stepped"] or course.counts["Strayed"] or course.several or course.lacks):
        for life in course.lives:
            yield life, _turns(course, life)


def _turns(course: Course, life: Life) -> list[Turn]:
    """Return what waited for a worker of a node, in the order in which that ended."""
    up_at = course.wall_at(life.from_at)
    down_at = course.now if life.until_at is None else course.wall_at(life.until_at)
    turns = []
    for row in course.rows:
        for call in course.witness.calls.get(row.run_id, ()):
            if call.node == life.node:
                ended_at = None if call.ended_at is None else call.ended_wall
                ready_at = max(call.due_at, row.decided_at, up_at)
                turns.append(Turn(call.run, row, call.due_at, ready_at, call.began_wall, ended_at))
        if row.reason is Reason.QUEUE_TIMEOUT and up_at < (row.finished_at or 0) <= down_at:
            ready_at = max(row.due_at, row.decided_at, up_at)
            turns.append(Turn(row.readable_id, row, row.due_at, ready_at, row.finished_at or 0, is_called=False))
    return sorted(turns, key=lambda turn: turn.until_at)


def _workers(life: Life, course: Course) -> dict[int, int]:
    """Return how many workers a node surely had, each from an instant on."""
    workers: dict[int, int] = {}
    for size, following in itertools.pairwise([*course.sizes[life.node], None]):
        workers[course.wall_at(max(size.known_at, course.began_at))] = size.workers
        if following is not None and following.workers < size.workers:
            workers[course.wall_at(following.asked_at)] = following.workers
    return workers


def _while_idle(turns: Sequence[Turn], names: set[str], workers: dict[int, int]) -> Iterator[str]:
    """Nobody who needs only a worker waits while one is idle."""
    idle, number = _idle_times(turns, workers), 0
    waited = [turn for turn in turns if turn.is_free and turn.waited]
    for turn in sorted(waited, key=lambda turn: turn.ready_at):
        while number < len(idle) and idle[number][1] <= turn.ready_at + MOMENT:
            number += 1
        if number < len(idle) and turn.row.schedule.schedule.name in names:
            since, until = max(idle[number][0], turn.ready_at), min(idle[number][1], turn.until_at)
            if until - since > MOMENT:
                yield f"{turn.run}: waits from {since} to {until} while a worker is idle"


def _idle_times(turns: Sequence[Turn], workers: dict[int, int]) -> list[tuple[int, int]]:
    """Return when fewer handlers were at work than there were workers, from instant to instant."""
    changes: dict[int, int] = defaultdict(int, dict.fromkeys(workers, 0))
    for turn in turns:
        changes[turn.until_at] += turn.is_called
        if turn.ended_at is not None:
            changes[turn.ended_at] -= 1
    times, busy, least = [], 0, 0
    for at, after in itertools.pairwise(sorted(changes)):
        busy, least = busy + changes[at], workers.get(at, least)
        if busy < least and after > at:
            times.append((at, after))
    return times


def _overtaken(turns: Sequence[Turn], names: set[str]) -> Iterator[str]:
    """Nobody begins while another one waits whose turn it was."""
    queue = sorted((turn for turn in turns if turn.is_free), key=lambda turn: turn.ready_at)
    queue = [turn for turn in queue if turn.row.schedule.schedule.name in names]
    urgent: list[tuple[tuple[int, int, int], int, Turn]] = []
    oldest: list[tuple[tuple[int, int], int, Turn]] = []
    number = 0
    for turn in turns:
        at = turn.until_at
        while number < len(queue) and queue[number].ready_at + MOMENT < at:
            one, number = queue[number], number + 1
            heappush(urgent, (one.urgency, one.until_at, one))
            heappush(oldest, (one.age, one.until_at, one))
        for heap in (urgent, oldest):
            while heap and heap[0][1] <= at:
                heappop(heap)  # type: ignore[arg-type]
        if turn.row.schedule.schedule.name not in names or not urgent or not turn.is_called:
            continue
        first, eldest = urgent[0][2], oldest[0][2]
        if eldest.is_aged(at) and (not turn.is_aged(at) or eldest.age < turn.age):
            yield f"{turn.run} begins while {eldest.run} waits, for longer, since {eldest.ready_at}"
        elif not turn.is_aged(at) and (first.urgency < turn.urgency or turn.row.origin is Origin.BACKFILL):
            yield f"{turn.run} begins while {first.run} waits, which is more urgent, since {first.ready_at}"
