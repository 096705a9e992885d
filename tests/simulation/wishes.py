"""The reference for what is asked for, by people or on their behalf: retries, backfills, pauses (S2.4, S5.3, S5.9)."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from tests.simulation.attempts import unchanged
from tests.simulation.course import Course
from tests.simulation.play import SETTLED_S
from tests.simulation.witness import STUBBORN
from trioarm import BackfillOutcome, State
from trioarm.core.failing import AUTHOR, subject_of
from trioarm.core.instants import SECOND
from trioarm.core.operations import Verb
from trioarm.core.run import Origin, RunRecord
from trioarm.core.states import FAILURES, FINAL, NEVER_RAN

MICROSECONDS_MAX = 1_000  # by which runs are told apart that repeat one occurrence
MOMENT_S, OTHERS_S = 0.01, 2.0  # until what is cancelled ends, and until it does on another node
ENDED = (*FAILURES, State.SUCCEEDED)


def wished_wrongly(course: Course) -> Iterator[str]:
    """What was asked for came about, and nothing that nobody asked for."""
    yield from _paused_silently(course)
    yield from _paused_for_nothing(course)
    if not any(course.counts[act] for act in ("Stalled", "Stepped")):
        yield from _runs_on(course)
    yield from _repeats_wrongly(course)
    yield from _backfilled_wrongly(course)
    yield from _cancelled_in_vain(course)
    yield from _fired_beside(course)


def _paused_silently(course: Course) -> Iterator[str]:
    """Who finds a schedule paused that nobody paused has been told of it (S6.9)."""
    for record in course.records:
        subject = subject_of(record.schedule.name)
        if record.pause is not None and record.pause.author == AUTHOR and subject not in course.alerts:
            yield f"{record.schedule.name}: is paused since it kept failing, and nobody was told"


def _paused_for_nothing(course: Course) -> Iterator[str]:
    """Nothing is paused before so many of its runs have failed in a row, be they kept still or not (S5.9)."""
    if course.set_back or course.doubted:
        return
    names = unchanged(course)
    for at, said in course.journal:
        if said.verb is not Verb.PAUSE or said.actor != AUTHOR or said.subject not in names:
            continue
        ended = [row for row in course.rows if row.schedule.schedule.name == said.subject and row.state in ENDED]
        most = max((row.schedule.schedule.pause_after_failures or 0 for row in ended), default=0)
        ended = [row for row in ended if (row.finished_at or 0) <= at]
        last = sorted(ended, key=lambda row: (row.finished_at or 0, row.state in FAILURES))[-most:]
        if len(last) < most or any(row.state is State.SUCCEEDED for row in last):
            yield f"{said.subject}: is paused at {at} since it kept failing, and {most} in a row did not"


def _runs_on(course: Course) -> Iterator[str]:
    """Once so many runs in a row failed, nothing of a schedule is decided to run before it is resumed (S5.9)."""
    names = unchanged(course)
    of_key: dict[int, list[RunRecord]] = defaultdict(list)
    for row in course.rows:
        if row.schedule.schedule.name in names and row.schedule.schedule.pause_after_failures:
            of_key[row.schedule.key].append(row)
    for rows in of_key.values():
        schedule = rows[0].schedule.schedule
        resumed = [
            saying.at
            for saying in course.sayings
            if saying.verb == "resume_all" or (saying.name == schedule.name and saying.verb == "resume")
        ]
        for since in _failed_in_a_row(rows, schedule.pause_after_failures or 0):
            until = min((at for at in resumed if at >= since), default=course.now)
            for row in rows:
                if (
                    since + SETTLED_S * SECOND < row.decided_at < until
                    and row.origin is Origin.SCHEDULE
                    and row.state not in NEVER_RAN
                ):
                    yield f"{row.readable_id}: is decided to run, and {schedule.pause_after_failures} had failed"


def _failed_in_a_row(rows: Iterable[RunRecord], most: int) -> Iterator[int]:
    """Yield when so many runs in a row had failed."""
    ended = sorted((row.finished_at or 0, row.run_id, row.state in FAILURES) for row in rows if row.state in ENDED)
    failed = 0
    for at, _, fails in ended:
        failed = failed + 1 if fails else 0
        if failed >= most:
            yield at


def _repeats_wrongly(course: Course) -> Iterator[str]:
    """A retried run repeats one that failed for good before, and nobody retries what nobody asked for (S2.4)."""
    of_id = {row.run_id: row for row in course.rows}
    retried = [row for row in course.rows if row.origin is Origin.RETRY]
    for row in retried:
        before = of_id.get(row.retry_of or 0)
        if before is None or before.state not in FAILURES or before.schedule.key != row.schedule.key:
            yield f"{row.readable_id}: repeats run number {row.retry_of}, which did not fail"
    asked = Counter(saying.name for saying in course.sayings if saying.verb == "retry")
    for name, times in Counter(row.schedule.schedule.name for row in retried).items():
        if times > asked[name]:
            yield f"{name}: was retried {times} times, and that was asked for {asked[name]} times"


def _backfilled_wrongly(course: Course) -> Iterator[str]:
    """Who is told of a backfilled run finds it; none is made while another of its occurrence is enough (S5.3).

    What is forgotten by then is not known to be.
    """
    rows = [row for row in course.rows if row.origin is Origin.BACKFILL]
    found = Counter(row.readable_id for row in rows)
    for saying in course.sayings:
        for result in saying.results:
            if result.outcome is BackfillOutcome.REFUSED:
                if not course.disturbed:
                    yield f"{saying.name}: {result.nominal_at} is not backfilled: {result.error}"
            elif not found[result.run_id or ""]:
                yield f"{result.run_id}: is said to be backfilled, and there is no such run"
    of_occurrence: dict[tuple[int, int], list[RunRecord]] = defaultdict(list)
    for row in rows:
        at = row.nominal_at - row.nominal_at % MICROSECONDS_MAX
        of_occurrence[row.schedule.key, at].append(row)
    for same in of_occurrence.values():
        same.sort(key=lambda row: row.run_id)
        for before, after in itertools.pairwise(same):
            is_known = course.forgotten.get(before.run_id, after.run_id) >= after.run_id
            if is_known and (before.state not in FINAL or before.state is State.SUCCEEDED):
                yield f"{after.readable_id}: is backfilled again, and {before.readable_id} is {before.state}"


def _cancelled_in_vain(course: Course) -> Iterator[str]:
    """Once it is answered that a run is cancelled, it is not called any more, and what works ends (S6.3)."""
    if course.disturbed:
        return
    names, rows = unchanged(course), {row.readable_id: row for row in course.rows}
    margin_s = OTHERS_S if course.several else MOMENT_S
    for saying in course.sayings:
        if saying.verb not in ("cancel", "cancel_all"):
            continue
        for row in (rows[run] for run in saying.runs):
            if row.schedule.schedule.name not in names:
                continue
            if row.state is State.PENDING:
                yield f"{row.readable_id}: was cancelled, and waits"
            for call in course.witness.calls.get(row.run_id, []):
                if call.began_at > saying.answered_at + margin_s:
                    yield f"{call.run}: was cancelled at {saying.answered_at}, and is called at {call.began_at}"
                if (call.ended_at or 0.0) > saying.answered_at + margin_s and call.behaviour != STUBBORN:
                    yield f"{call.run}: was cancelled at {saying.answered_at}, and ended at {call.ended_at}"


def _fired_beside(course: Course) -> Iterator[str]:
    """What was fired to run alone was, when it was decided (S5.4)."""
    if course.set_back:
        return
    names, rows = unchanged(course), {row.readable_id: row for row in course.rows}
    alone = {run: saying.name for saying in course.sayings if saying.verb == "fire_alone" for run in saying.runs}
    for fired in (rows[run] for run, name in alone.items() if name in names):
        for row in course.rows:
            is_other = row.schedule.key == fired.schedule.key and row.run_id < fired.run_id
            ran = row.origin is not Origin.BACKFILL and row.state not in NEVER_RAN
            if is_other and ran and (row.finished_at or course.highest) > fired.decided_at:
                yield f"{fired.readable_id}: was to run alone, and {row.readable_id} was unfinished"
