"""What handlers did, held against what the database says was decided: by identity and by time (S2.1-S2.4). Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from math import inf
from typing import Final

import attrs

from tests.crash.evidence import Line, of
from tests.world import decided_instants
from trioarm import Once
from trioarm.core.record import ScheduleRecord
from trioarm.core.run import RunRecord, render_run_id
from trioarm.core.schedule import Delivery
from trioarm.core.states import NEVER_RAN, State

PROMPTLY: Final = 5_000_000  # microseconds in which a call ends that was taken over, once its process goes on


@attrs.frozen(slots=True)
class Call:
    """One call of a handler, as it told of itself.

    Args:
        start: its line.
        ended_at: when it ended, or its process did.
        is_whole: whether it told of its own end.
        halted_at: when its process was halted while it lasted; infinite when it was not.
        continued_at: when its process went on after that.
    """

    start: Line
    ended_at: float
    is_whole: bool
    halted_at: float = inf
    continued_at: float = inf

    @property
    def alone_until(self) -> float:
        """Until when nobody else may do the same: a process that was halted may overlap with its successor (S7.2)."""
        return min(self.ended_at, self.halted_at)


def calls_of(lines: Sequence[Line]) -> dict[str, list[Call]]:
    """Return the calls of each run, in order.

    Who killed itself was alive at its last line at least; who was killed, at the instant before.
    """
    ends = {(line.pid, line.run, line.token): line.at for line in of(lines, "end")}
    last = {line.pid: line.at for line in lines if line.what != "killed"}
    killed = {line.pid: line.at or last.get(line.pid, 0) for line in of(lines, "killed")}
    calls: dict[str, list[Call]] = defaultdict(list)
    for line in of(lines, "start"):
        end = ends.get((line.pid, line.run, line.token))
        ended_at = killed.get(line.pid, inf) if end is None else end
        halted_at = _first(lines, "halted", line.pid, line.at, ended_at)
        continued_at = _first(lines, "continued", line.pid, halted_at, ended_at)
        calls[line.run].append(Call(line, ended_at, end is not None, halted_at, continued_at))
    return calls


def _first(lines: Iterable[Line], what: str, pid: int, since: float, until: float) -> float:
    """Return when that was first done to a process within a time; infinity when it was not."""
    return min((line.at for line in of(lines, what) if line.pid == pid and since <= line.at <= until), default=inf)


def violations(lines: Sequence[Line], rows: Sequence[RunRecord], records: Sequence[ScheduleRecord]) -> Iterator[str]:
    """Yield what must not be, a sentence each.

    Args:
        lines: of the handlers.
        rows: all that was decided; nothing may be unfinished any more.
        records: the schedules.
    """
    calls = calls_of(lines)
    by_id = {_id(row): row for row in rows}
    for record in records:
        yield from _of_decisions(record, [row for row in rows if row.schedule.key == record.key])
    for row in rows:
        yield from _of_run(row, calls.get(_id(row), []), of_run(lines, _id(row), "accepted"))
    for run in calls.keys() - by_id.keys():
        yield f"{run} was begun, and nobody decided so"
    yield from _of_lanes(calls, by_id)


def of_run(lines: Iterable[Line], run: str, what: str) -> list[Line]:
    """Return the lines of one kind about one run."""
    return [line for line in lines if line.run == run and line.what == what]


def _id(row: RunRecord) -> str:
    return render_run_id(row.schedule.schedule.name, row.nominal_at, row.origin, row.epoch)


def _of_decisions(record: ScheduleRecord, rows: Sequence[RunRecord]) -> Iterator[str]:
    """Every nominal instant in the evaluated range has exactly one decision (S2.1)."""
    name, decided = record.schedule.name, decided_instants(rows)
    expected: list[int] = []
    trigger = record.trigger
    at = trigger.at if isinstance(trigger, Once) else trigger.next_after(record.anchor_at)
    while at is not None and at <= record.cursor_at:
        expected.append(at)
        at = trigger.next_after(at)
    if len(set(decided)) != len(decided):
        yield f"{name}: {len(decided) - len(set(decided))} instants were decided twice"
    if lost := set(expected) - set(decided):
        yield f"{name}: {len(lost)} of {len(expected)} instants were never decided, such as {min(lost)}"
    if more := set(decided) - set(expected):
        yield f"{name}: {len(more)} instants were decided that are none, such as {min(more)}"


def _of_run(row: RunRecord, calls: Sequence[Call], accepted: Sequence[Line]) -> Iterator[str]:
    run = _id(row)
    if row.unfinished:
        yield f"{run} is lost: it is still {row.state}"
    elif row.state is not State.SUCCEEDED and row.reason is None:
        yield f"{run} is {row.state}, and nobody says why"
    if row.state in NEVER_RAN and calls:
        yield f"{run} was begun though it is {row.state}"
    if row.schedule.schedule.delivery is Delivery.AT_MOST_ONCE and len(calls) > 1:
        yield f"{run} runs at most once, and was begun {len(calls)} times"
    if len(accepted) > 1:
        yield f"{run}: {len(accepted)} results were accepted"
    if any(line.token != row.token for line in accepted):
        yield f"{run}: a result was accepted under a token that is not the last one"
    yield from _of_calls(run, row, calls)
    if row.state is State.SUCCEEDED:
        yield from _of_success(run, row, calls)


def _of_calls(run: str, row: RunRecord, calls: Sequence[Call]) -> Iterator[str]:
    """Tokens and attempts grow, and no attempt begins before the one before has ended (S2.3)."""
    for before, after in pairwise(calls):
        if after.start.token <= before.start.token:
            yield f"{run}: token {after.start.token} follows {before.start.token}"
        if after.start.attempt <= before.start.attempt:
            yield f"{run}: attempt {after.start.attempt} follows {before.start.attempt}"
        if after.start.at < before.alone_until:
            yield f"{run}: attempt {after.start.attempt} began before the one before it had ended"
        if before.halted_at < inf and before.ended_at > before.continued_at + PROMPTLY:
            yield f"{run}: attempt {before.start.attempt} was taken over, and went on when its process did"
    for call in calls:
        if call.start.token > row.token or call.start.attempt > row.attempt:
            yield f"{run}: attempt {call.start.attempt} was begun, and is not in the database"
        if call.start.at < row.decided_at or call.start.at < row.nominal_at:
            yield f"{run} was begun before it was due and decided"
        if row.finished_at is not None and call.start.at > row.finished_at:
            yield f"{run} was begun after its end"


def _of_success(run: str, row: RunRecord, calls: Sequence[Call]) -> Iterator[str]:
    """What was accepted is what the last attempt returned, after it had ended."""
    mine = [call for call in calls if call.start.token == row.token]
    if len(mine) != 1 or not mine[0].is_whole:
        yield f"{run} succeeded under token {row.token}, and no such attempt came to its end"
        return
    [call] = mine
    if row.result != f"{call.start.pid}:{row.token}":
        yield f"{run}: its result {row.result!r} is not what its last attempt returned"
    if row.finished_at is None or call.ended_at > row.finished_at:
        yield f"{run} was finished before its handler was"


def _of_lanes(calls: Mapping[str, Sequence[Call]], rows: Mapping[str, RunRecord]) -> Iterator[str]:
    """Runs of one lane never overlap (S5.5)."""
    lanes: dict[str, list[Call]] = defaultdict(list)
    for run, its in calls.items():
        if run in rows and (lane := rows[run].lane) is not None:
            lanes[lane] += its
    for lane, its in lanes.items():
        its.sort(key=lambda call: call.start.at)
        for before, after in pairwise(its):
            if after.start.at < before.alone_until:
                yield f"lane {lane}: {after.start.run} began before {before.start.run} had ended"
