"""Backfilling: a new run for each occurrence of a range that is over, whatever was decided of it before (S2.4, S5.3).

Pure rules: which occurrences these are, which of them need a run, and where those wait, so that they keep nobody else
waiting. Nothing in an old decision changes; the new run points to it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import attrs

from trioarm.core.bounds import check_whole
from trioarm.core.errors import InvalidSchedule
from trioarm.core.instants import render_instant
from trioarm.core.record import ScheduleRecord
from trioarm.core.run import Origin, RunRecord
from trioarm.core.states import State
from trioarm.core.triggers import After

OCCURRENCES_MAX: Final = 10_000  # of one backfill: each is a row that waits, and who wants more does it in parts
AT_ONCE_MAX: Final = 100  # runs of one backfill; each takes a worker
TIMES_MAX: Final = 1_000  # an occurrence can be backfilled; also microseconds, by which those runs are told apart


def occurrences(record: ScheduleRecord, after: int, until: int, now: int) -> list[int]:
    """Return the occurrences of a schedule in `(after, until]`, whether or not it was paused or finished then.

    Raises:
        InvalidSchedule: they are not over, there are too many, or the schedule cannot be backfilled.
    """
    schedule = record.schedule
    if until > now:
        raise InvalidSchedule(f"{schedule.name}: {render_instant(until)} is still to come: backfill what is over")
    if record.trouble is not None:
        raise InvalidSchedule(f"{schedule.name} is in quarantine: put it anew first: {record.trouble}")
    if isinstance(schedule.trigger, After):
        raise InvalidSchedule(f"{schedule.name} follows the end of its own runs: there is nothing to backfill, fire it")
    if schedule.supersede:
        raise InvalidSchedule(
            f"{schedule.name}: in its lane {schedule.lane} only the newest occurrence counts, older ones are "
            "superseded: fire it instead"
        )
    after = after if schedule.start_at is None else max(after, schedule.start_at - 1)
    until = until if schedule.end_at is None else min(until, schedule.end_at)
    if until <= after:
        return []
    count = schedule.trigger.count(after, until)
    if count > OCCURRENCES_MAX:
        raise InvalidSchedule(
            f"{schedule.name} has {count} occurrences in that range: at most {OCCURRENCES_MAX} are backfilled at once, "
            "do it in parts"
        )
    return list(_between(record, after, until))


def _between(record: ScheduleRecord, after: int, until: int) -> Iterator[int]:
    at = record.schedule.next_after(after, record.schedule.trigger)
    while at is not None and at <= until:
        yield at
        at = record.schedule.next_after(at, record.schedule.trigger)


@attrs.define(slots=True, eq=False)
class Known:
    """What stands for one occurrence already.

    Args:
        decision: what the schedule itself decided of it; None when that is not kept, or still to come after a pause.
        backfills: its backfilled runs, in order of decision.
    """

    decision: RunRecord | None = None
    backfills: list[RunRecord] = attrs.Factory(list)

    @property
    def enough(self) -> RunRecord | None:
        """The backfilled run that needs no other one: it is to come, at work, or went well."""
        for run in reversed(self.backfills):
            if run.unfinished or run.state is State.SUCCEEDED:
                return run
        return None


def known(instants: Sequence[int], rows: Iterable[RunRecord]) -> list[Known]:
    """Return what stands for each of these occurrences.

    Args:
        instants: in order.
        rows: of their schedule, in order of decision: ranges count for every occurrence within.
    """
    found = [Known() for _ in instants]
    for run in rows:
        if run.origin is Origin.BACKFILL:
            place = bisect_right(instants, run.nominal_at) - 1
            if place >= 0 and run.nominal_at - instants[place] < TIMES_MAX:
                found[place].backfills.append(run)
        elif run.origin is Origin.SCHEDULE and run.voided_at is None:
            last_at = run.nominal_at if run.last_at is None else run.last_at
            for place in range(bisect_left(instants, run.nominal_at), bisect_right(instants, last_at)):
                found[place].decision = run
    return found


def backfill(record: ScheduleRecord, at: int, before: Known, lane: str, now: int) -> RunRecord:
    """Return the run that backfills an occurrence: due since its instant, and never missed.

    Several of one occurrence are told apart by microseconds, as those are that somebody fires (S2.4).

    Args:
        before: what stands for it already; the new run points to the decision.
        lane: where it waits.

    Raises:
        InvalidSchedule: it was backfilled too often.
    """
    nominal_at = max((run.nominal_at + 1 for run in before.backfills), default=at)
    if nominal_at - at >= TIMES_MAX:
        raise InvalidSchedule(f"{render_instant(at)} was backfilled {TIMES_MAX} times already")
    repeated = before.decision or (before.backfills[-1] if before.backfills else None)
    run = RunRecord(record, nominal_at, at, now, lane, Origin.BACKFILL)
    run.epoch = record.epoch
    run.retry_of = None if repeated is None else repeated.run_id
    return run


def lane_of(record: ScheduleRecord, number: int, at_once: int) -> str:
    """Return where a run of a backfill waits: in the lane of its schedule, or in one of as many as may run at once.

    So a backfill takes no more workers than that, on whatever node, and after whatever crash. No lane of a person has
    such a name.

    Args:
        number: of the run in its backfill.
    """
    return record.lane(record.schedule.overlap) or f"{record.schedule.name}+backfill/{number % at_once}"


def check_at_once(at_once: int) -> None:
    """Check how many runs of a backfill may work at once.

    Raises:
        InvalidSchedule: none, or too many.
    """
    check_whole("at_once is", at_once, 1, AT_ONCE_MAX)
