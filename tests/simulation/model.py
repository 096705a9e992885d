"""The reference: what must hold of every history, said without a line of the code that makes it so (S2).

Times at which somebody changed a definition are known up to the moment between asking and being answered, and up to how
far the clock had been before it was set back. What lies between may be decided by either definition; all else by one.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator
from math import inf

import attrs

from tests.simulation.attempts import tried_wrongly
from tests.simulation.course import Course, Definition
from tests.simulation.ending import ended_badly
from tests.simulation.idling import woke_for_nothing
from tests.simulation.many import answered_wrongly
from tests.simulation.needs import needed_wrongly
from tests.simulation.play import HEAL_S
from tests.simulation.said import kept_to_wrongly
from tests.simulation.sets import declared_wrongly
from tests.simulation.sizing import sized_wrongly
from tests.simulation.superseding import superseded_wrongly, until_kept, was_to_run
from tests.simulation.turns import began_out_of_turn
from tests.simulation.wishes import wished_wrongly
from tests.simulation.witness import STUBBORN, Call
from trioarm import After, Misfire, Once, Overlap, Schedule, ScheduleState, State
from trioarm.core.instants import SECOND
from trioarm.core.record import ScheduleRecord
from trioarm.core.run import Origin, RunRecord, render_run_id
from trioarm.core.states import NEVER_RAN, Reason

SLACK = 5 * SECOND  # for how long what is due may be undecided once all is well
ON_TIME_S = 300.0  # tolerance where a schedule says none
KEPT_APART = (Overlap.BUFFER_ONE, Overlap.BUFFER_LATEST, Overlap.BUFFER_ALL, Overlap.CANCEL_RUNNING)
LONGEST_S = 120.0  # an attempt and what comes before it


@attrs.frozen
class Span:
    """A definition and where it decides: surely in `(until, next_from]`, perhaps in `(since, next_until]`."""

    schedule: Schedule
    since: int
    until: int
    next_from: int
    next_until: int


def violations(course: Course) -> list[str]:
    """Return what does not hold of a history, a line each."""
    return [
        *course.witness.complaints,
        *_decided_wrongly(course),
        *_ended_wrongly(course),
        *tried_wrongly(course),
        *needed_wrongly(course),
        *wished_wrongly(course),
        *answered_wrongly(course),
        *kept_to_wrongly(course),
        *declared_wrongly(course),
        *superseded_wrongly(course),
        *began_out_of_turn(course),
        *sized_wrongly(course),
        *ended_badly(course),
        *woke_for_nothing(course),
    ]


# S2.1: decisions


def _decided_wrongly(course: Course) -> Iterator[str]:
    rows = defaultdict(list)
    for row in course.rows:
        if row.origin is Origin.SCHEDULE:
            rows[row.schedule.key].append(row)
    kept = {record.schedule.name: record for record in course.records}
    looked_at = {one.key: one.cursor_at for one in course.records if one.state is ScheduleState.PAUSED}
    for name in sorted({one.name for one in course.definitions}):
        keys = sorted(key for key, found in rows.items() if found[0].schedule.schedule.name == name)
        lives = list(_lives([one for one in course.definitions if one.name == name], course))
        if name in kept and kept[name].key not in keys:
            keys.append(kept[name].key)
        decided_lives = [life for life in lives if life]
        if not course.corrected and len(keys) == len(decided_lives):
            for key, life in zip(keys, decided_lives, strict=True):
                yield from _decided_otherwise(name, rows.get(key, []), life, looked_at.get(key, course.now))
        if not course.corrected and len(keys) < (least := sum(map(_surely_decides, decided_lives))):
            yield f"{name}: was put anew {least} times, and its rows have {len(keys)} keys"
        for key in keys:
            yield from _decided_twice(name, rows.get(key, []), course)
            if any(row.schedule.schedule.name != name for row in rows.get(key, [])):
                yield f"{name}: its key {key} was that of another schedule"
        if name in kept:
            yield from _stands_still(kept[name], rows.get(kept[name].key, []), course)


def _lives(definitions: list[Definition], course: Course) -> Iterator[list[Span]]:
    """Yield the definitions of a name from one removal to the next, each with where it decides."""
    ends = [(one.from_at, one.until_at) for one in definitions[1:]] + [(course.now - SLACK, course.highest)]
    life: list[Span] = []
    for one, (next_from, next_until) in zip(definitions, ends, strict=True):
        if one.schedule is None:
            yield life
            life = []
        elif not life or life[-1].schedule != one.schedule:
            life.append(Span(one.schedule, one.from_at, one.until_at, next_from, next_until))
        else:
            life[-1] = attrs.evolve(life[-1], next_from=next_from, next_until=next_until)
    yield life


def _decided_otherwise(name: str, rows: list[RunRecord], life: list[Span], until: int) -> Iterator[str]:
    """Every instant of the definitions in force is decided up to where it is paused, and no other."""
    if any(isinstance(span.schedule.trigger, After) for span in life):
        return
    decided = {at for row in rows for at in _instants(row, life)}
    perhaps = {at for span in life for at in _between(span.schedule, span.since, span.next_until)}
    surely = {at for span in life for at in _between(span.schedule, span.until, span.next_from)}
    first = life[0].schedule
    if isinstance(first.trigger, Once):  # one that lies in the past is decided all the same
        perhaps.add(first.trigger.at)
    if any(span.schedule.max_runs is not None for span in life):
        surely = set()
    for at in sorted(decided - perhaps):
        yield f"{name}: {at} is decided, which no definition yields"
    for at in sorted(at for at in surely - decided if at <= until):
        yield f"{name}: {at} is not decided"


def _surely_decides(life: list[Span]) -> bool:
    """Whether there has to be a row of it: an instant that lies between the definition and the next one."""
    if any(span.schedule.max_runs is not None or isinstance(span.schedule.trigger, After) for span in life):
        return False
    return any(any(_between(span.schedule, span.until, span.next_from)) for span in life)


def _instants(row: RunRecord, life: list[Span]) -> list[int]:
    """Return the instants a row stands for: of the definition that has as many between its ends as it says."""
    if row.last_at is None:
        return [row.nominal_at]
    for span in life:
        found = list(_between(span.schedule, row.nominal_at - 1, row.last_at))
        if len(found) == row.count and found[0] == row.nominal_at:
            return found
    return [-1]


def _between(schedule: Schedule, after: int, until: int) -> Iterator[int]:
    after = after if schedule.start_at is None else max(after, schedule.start_at - 1)
    until = until if schedule.end_at is None else min(until, schedule.end_at)
    at = schedule.trigger.next_after(after)
    while at is not None and at <= until:
        yield at
        at = schedule.trigger.next_after(at)


def _decided_twice(name: str, rows: list[RunRecord], course: Course) -> Iterator[str]:
    """No instant has two decisions that count; one that was forgotten before a clock was corrected is not voided."""
    counting = [row for row in rows if row.voided_at is None]
    if course.corrected:
        counting = [row for row in counting if row.run_id not in course.forgotten]
    counting.sort(key=lambda row: row.nominal_at)
    for before, after in itertools.pairwise(counting):
        if after.nominal_at <= (before.last_at or before.nominal_at):
            yield f"{name}: {after.nominal_at} is decided twice: {before.state} and {after.state}"


def _stands_still(record: ScheduleRecord, rows: list[RunRecord], course: Course) -> Iterator[str]:
    """A schedule that is active has nothing undecided behind it, and something to come or at work."""
    if record.state is not ScheduleState.ACTIVE:
        return
    name, due_at = record.schedule.name, record.next_due_at
    if due_at is None and not any(row.unfinished for row in rows):
        yield f"{name}: is active, and nothing is to come"
    if due_at is not None and due_at <= course.now - SLACK:
        yield f"{name}: {due_at} is not decided at {course.now}"


# S2.2, S2.3, S5.2, S5.5: runs


def _ended_wrongly(course: Course) -> Iterator[str]:
    healed_at = course.now - round(HEAL_S * SECOND)
    for row in course.rows:
        run = render_run_id(row.schedule.schedule.name, row.nominal_at, row.origin, row.epoch)
        if run.startswith("trioarm/"):
            continue
        calls = course.witness.calls.get(row.run_id, [])
        went_well = any(call.went_well for call in calls)
        if row.state is State.SUCCEEDED and not went_well:
            yield f"{run}: succeeded, and no call of it did"
        elif row.state is State.SUCCEEDED and not any(_is_result(call, row, course) for call in calls):
            yield f"{run}: what succeeded is not the call that held its token {row.token}"
        if row.state in NEVER_RAN and went_well:
            yield f"{run}: is {row.state}, and a call of it went well"
        if row.state is State.RUNNING and (row.started_at or 0) < course.now - round(LONGEST_S * SECOND):
            yield f"{run}: is running since {row.started_at}"
        if row.unfinished == (row.finished_at is not None):
            yield f"{run}: is {row.state}, finished at {row.finished_at}"
        yield from _ran_too_late(run, row)
        yield from (f"{run}: {wrong}" for wrong in _kept_wrongly(row, calls, course))
    if not course.set_back:
        yield from _began_too_early(course)
    yield from _ran_at_once(course)
    yield from _overlaps_anyway(course)
    yield from _gave_way_to_nothing(course)
    yield from _waits_for_nothing(course, healed_at)


def _began_too_early(course: Course) -> Iterator[str]:
    for calls in course.witness.calls.values():
        for call in calls:
            if call.began_wall < call.due_at:
                yield f"{call.run}: was called at {call.began_wall}, before it was due at {call.due_at}"


def _is_result(call: Call, row: RunRecord, course: Course) -> bool:
    """Whether it was this call whose end is recorded, by the wall or by the course it is believed to have."""
    agree = call.ended_wall == row.finished_at or course.doubted
    return call.went_well and call.token == row.token and agree


def _kept_wrongly(row: RunRecord, calls: list[Call], course: Course) -> Iterator[str]:
    """What a handler keeps with an outcome is kept once if that counts, and not at all if it does not (S2.3)."""
    for call, following in itertools.zip_longest(calls, calls[1:]):
        times = course.kept[row.run_id, call.token]
        is_lost = following is not None and following.after_loss
        counts = call.gave_up if following is not None else row.state is State.SUCCEEDED and row.token == call.token
        if times > 1 or (times and is_lost):
            yield f"what call {call.token} had to keep was kept {times} times, and it was lost: {is_lost}"
        if call.behaviour == "keeps" and counts and not is_lost and not times:
            yield f"what call {call.token} had to keep is not kept"


def _ran_too_late(run: str, row: RunRecord) -> Iterator[str]:
    """What may not run late was decided in time."""
    schedule = row.schedule.schedule
    if row.origin is not Origin.SCHEDULE or row.state in NEVER_RAN or row.schedule.revision > 1:
        return
    tolerance_s = max(1.0, ON_TIME_S if schedule.tolerance_s is None else schedule.tolerance_s)
    tolerance_s += schedule.jitter_s or 0.0
    late_s = (row.decided_at - row.nominal_at) / SECOND
    if schedule.misfire is Misfire.SKIP and late_s > tolerance_s and not row.schedule.amended:
        yield f"{run}: runs {late_s} s late, and nothing of it may"


def _waits_for_nothing(course: Course, healed_at: int) -> Iterator[str]:
    """Where nothing works, nothing waits that could; a lane is held between two attempts, too.

    A handler that ignores its cancellation may go on after its run is over, and is not called again meanwhile (S6.3).
    """
    if any(row.state is State.RUNNING for row in course.rows):
        return
    killed = {life.node for life in course.lives if life.killed_at < inf}
    stubborn = [call for calls in course.witness.calls.values() for call in calls if call.behaviour == STUBBORN]
    left = [call for call in stubborn if call.ended_at is None or call.ended_wall > course.now]
    goes_on = {call.behaviour for call in left if call.node not in killed}
    soon = range(course.now - SLACK, course.now + round(LONGEST_S * SECOND))
    held = {row.lane for row in course.rows if row.unfinished and row.token and row.due_at in soon} - {None}
    tried_at = course.now - round(2 * LONGEST_S * SECOND)
    tried = {
        name
        for row in course.rows
        for name in row.schedule.schedule.resources
        if any(call.began_wall > tried_at for call in course.witness.calls.get(row.run_id, ()))
    }
    for row in course.rows:
        waits = row.unfinished and row.due_at <= course.now - SLACK
        if row.schedule.schedule.handler in goes_on:
            continue
        if tried.intersection(row.schedule.schedule.resources):  # while its breaker is open one at a time may try
            continue
        if row.lane not in held and waits and row.decided_at <= healed_at:
            yield f"{row.schedule.schedule.name}: {row.nominal_at} waits for {row.waiting_for}, and nothing works"


def _ran_at_once(course: Course) -> Iterator[str]:
    """Of a schedule that keeps its runs apart, one call begins after the other has ended (S5.4)."""
    calls: dict[int, list[Call]] = defaultdict(list)
    for row in course.rows:
        schedule = row.schedule
        if schedule.schedule.overlap in KEPT_APART and schedule.revision == 1:
            calls[schedule.key] += course.witness.calls.get(row.run_id, [])
    for of_one in calls.values():
        of_one.sort(key=lambda call: call.began_at)
        for before, after in itertools.pairwise(of_one):
            if before.behaviour != STUBBORN and (before.ended_at or 0.0) > after.began_at:
                yield f"{after.run}: was called while {before.run} worked"


def _overlaps_anyway(course: Course) -> Iterator[str]:
    """Where occurrences are skipped while a run is unfinished, none is decided to run meanwhile (S5.4)."""
    if course.set_back:
        return
    of_key: dict[int, list[RunRecord]] = defaultdict(list)
    for row in course.rows:
        schedule, ran = row.schedule.schedule, row.state not in NEVER_RAN and row.origin is Origin.SCHEDULE
        if ran and schedule.overlap is Overlap.SKIP and not schedule.supersede and row.schedule.revision == 1:
            of_key[row.schedule.key].append(row)
    for rows in of_key.values():
        rows.sort(key=lambda row: row.decided_at)
        for before, after in itertools.pairwise(rows):
            known_at = after.decided_at + until_kept(course)  # of a store that is asked then, and answers later
            if known_at < (before.finished_at or course.now):
                yield f"{after.schedule.schedule.name}: {after.nominal_at} runs, and {before.nominal_at} is unfinished"


def _gave_way_to_nothing(course: Course) -> Iterator[str]:
    """Who does not run for the sake of another of its schedule has one: before it, or after it (S5.4)."""
    if course.set_back:
        return
    of_key: dict[int, list[RunRecord]] = defaultdict(list)
    for row in course.rows:
        of_key[row.schedule.key].append(row)
    for row in course.rows:
        if row.reason is not Reason.OVERLAP:
            continue
        others = [other for other in of_key[row.schedule.key] if other is not row and was_to_run(other)]
        at = row.decided_at
        if row.state is State.SKIPPED:
            found = any(one.decided_at <= at <= (one.finished_at or at) + until_kept(course) for one in others)
        else:
            found = any(at <= one.decided_at for one in of_key[row.schedule.key] if one is not row)
        if not found:
            yield f"{row.schedule.schedule.name}: {row.nominal_at} is {row.state} for the sake of nothing"
