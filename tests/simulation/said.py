"""The reference for what people say of occurrences that are to come, and of pauses: it is kept to (S5.3, S5.7).

What was said is in the journal, which has it where the answer was lost, too. Only schedules that nobody changed are
judged, and only where no clock was set back: an instant that comes twice is in a pause and is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf

import attrs

from tests.simulation.attempts import unchanged
from tests.simulation.course import Course
from trioarm import State
from trioarm.core.failing import AUTHOR
from trioarm.core.instants import HOUR
from trioarm.core.operations import Operation, Verb
from trioarm.core.run import Origin, RunRecord
from trioarm.core.states import NEVER_RAN, Reason

FARTHEST, OFTEN = 2 * HOUR, 3  # an occurrence may be postponed so far, and so often to a later instant
OF_ONE = (Verb.SKIP, Verb.POSTPONE, Verb.UNDO)  # occurrence


@attrs.frozen
class Paused:
    """A pause: nothing that comes due after it began and before it ends is to run."""

    since: int
    until: float
    author: str


def kept_to_wrongly(course: Course) -> Iterator[str]:
    """What is skipped never runs, what is postponed runs no sooner, and nothing runs of a pause; else nothing of it."""
    if course.set_back or course.doubted:
        return
    for name in sorted(unchanged(course)):
        said = [(at, one) for at, one in course.journal if one.subject == name]
        rows = [row for row in course.rows if row.schedule.schedule.name == name and row.origin is Origin.SCHEDULE]
        amended = [one for _, one in said if one.verb in OF_ONE]
        pauses = list(_pauses(said))
        yield from _postponed_too_far(amended)
        last = {one.nominal_at or 0: one for one in amended}
        for row in rows:
            wrong = [*_amended_wrongly(row, last, course), *_paused_wrongly(row, pauses, course)]
            yield from (f"{row.readable_id}: {what}" for what in wrong)


def _pauses(said: Sequence[tuple[int, Operation]]) -> Iterator[Paused]:
    pause: Paused | None = None
    for at, one in said:
        if one.verb not in (Verb.PAUSE, Verb.RESUME):
            continue
        if pause is not None:
            yield attrs.evolve(pause, until=min(pause.until, at))
        until = inf if one.until_at is None else one.until_at
        pause = Paused(at, until, one.actor) if one.verb is Verb.PAUSE else None
    if pause is not None:
        yield pause


def _postponed_too_far(amended: Sequence[Operation]) -> Iterator[str]:
    times: dict[int, tuple[int, int]] = {}
    for one in amended:
        nominal_at, until_at = one.nominal_at or 0, one.until_at or 0
        count, before = times.get(nominal_at, (0, nominal_at))
        if one.verb is not Verb.POSTPONE:
            times[nominal_at] = 0, nominal_at
            continue
        times[nominal_at] = count + (until_at > before), until_at
        if until_at > nominal_at + FARTHEST or times[nominal_at][0] > OFTEN:
            yield f"{one.subject}: {nominal_at} is postponed to {until_at}, for the {times[nominal_at][0]}. time"


def _amended_wrongly(row: RunRecord, last: dict[int, Operation], course: Course) -> Iterator[str]:
    is_skipped = row.state is State.SKIPPED and row.reason is Reason.USER
    ends_at = row.last_at or row.nominal_at
    to_skip = [at for at, one in last.items() if one.verb is Verb.SKIP and row.nominal_at <= at <= ends_at]
    if is_skipped and not to_skip:
        yield "is skipped, and nobody wants it so"
    if to_skip and not is_skipped:
        yield f"is {row.state} for {row.reason}, and {to_skip} was to be skipped"
    one, calls = last.get(row.nominal_at), course.witness.calls.get(row.run_id, [])
    if one is not None and one.verb is Verb.POSTPONE and calls and calls[0].began_wall < (one.until_at or 0):
        yield f"begins at {calls[0].began_wall}, and is postponed to {one.until_at}"


def _paused_wrongly(row: RunRecord, pauses: Sequence[Paused], course: Course) -> Iterator[str]:
    ends_at = row.last_at or row.nominal_at
    ran = row.state not in NEVER_RAN or course.witness.calls.get(row.run_id)
    for pause in pauses:
        asked_for = pause.author != AUTHOR  # what keeps failing is paused from an outcome on that may be kept later
        if ran and asked_for and pause.since < row.nominal_at < pause.until:
            yield f"is {row.state}, and came due while its schedule was paused"
    was_to_run = (row.finished_at or 0) > row.decided_at  # but was postponed into the pause
    if row.reason is not Reason.PAUSED or was_to_run or not row.schedule.schedule.enabled:
        return
    if not any((one.since < row.nominal_at or one.author == AUTHOR) and ends_at <= one.until for one in pauses):
        yield "is skipped for a pause, and there was none"
