"""Writing changes: each is kept whole or refused whole, and like ones are written together (S2.5, S7.4).

It runs in the writer's thread, inside a transaction. Statements say what must still be true, and change no row when it
is not. Changes of one shape are tried as a batch first, and one by one only when somebody was faster with some.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from itertools import groupby
from typing import Final, TypeAlias, TypeVar, assert_never

import attrs

from trioarm.core.chain import NOTHING, seal
from trioarm.core.changes import (
    AppendJournal,
    CancelAsked,
    Change,
    Claim,
    CursorMove,
    Cut,
    Finished,
    Progressed,
    PutDocument,
    PutSchedule,
    RemoveSchedule,
    Requeued,
    RunStep,
    ScheduleStep,
    SetBack,
    Started,
    Voided,
    new_put,
)
from trioarm.core.errors import InvalidSchedule
from trioarm.core.jsonable import write_json
from trioarm.core.record import SCHEDULE_ACTIVE, SCHEDULE_FINISHED, wakes_at
from trioarm.core.run import SCHEDULED, RunRecord
from trioarm.core.schedule import Schedule
from trioarm.core.states import CLAIMED, SUCCEED, TABLE, Step, WaitingFor
from trioarm.repositories.sqlite import statements
from trioarm.repositories.sqlite.puts import cursor_values, new_values, schedule_values
from trioarm.repositories.sqlite.quotas import Quotas
from trioarm.repositories.sqlite.rows import optional_json, write_amendments
from trioarm.repositories.sqlite.statements import ForRows

Values: TypeAlias = tuple[object, ...]
T = TypeVar("T")

_SOURCES: Final = {step: [state.value for state, steps in TABLE.items() if step in steps] for step in Step}
_TARGETS: Final = {step: steps[step].value for steps in TABLE.values() for step in steps}


class _Refused(Exception):
    """Somebody was faster: a change no longer fits."""


# What one change is refused for; the others of its batch are written. The last one for what has no form in a file.
_REFUSALS: Final = (_Refused, sqlite3.IntegrityError, InvalidSchedule)


@attrs.define(slots=True, eq=False)
class Kept:
    """What the file made of a change that was kept.

    Args:
        first_run_id: of the decided runs; the others follow.
        keys: of the schedules put, in order.
    """

    first_run_id: int = 0
    keys: Sequence[int] = ()


_NOTHING_NEW: Final = Kept()


@attrs.define(slots=True, eq=False)
class _Rows:
    """A statement, and the values of all its rows one after the other."""

    statement: ForRows
    values: list[object]


@attrs.define(slots=True, eq=False)
class Batch:
    """Changes that are written together, and what writes them.

    Args:
        changes: alike, in order.
        steps: of runs, and moves of cursors: each row must change exactly one row of the file.
        decided: rows of new runs, all but their numbers; None when there are none.
        new: schedules that are put together; what is written of them depends on their keys.
    """

    changes: Sequence[Change]
    steps: Sequence[_Rows]
    decided: _Rows | None
    new: Sequence[PutSchedule] = ()


def batches(changes: Iterable[Change]) -> list[Batch]:
    """Return changes in batches, in order, ready to be written. It needs no file, and is not for the writer's thread:
    that would fetch each record from the cache of another core."""
    return [_batch(list(alike)) for _, alike in groupby(changes, _shape)]


def _batch(changes: list[Change]) -> Batch:
    if len(changes) > 1 and changes[0].schedules:
        return Batch(changes, (), None, [put for change in changes if (put := new_put(change)) is not None])
    steps = [step for change in changes for step in change.steps]
    moves = [move for change in changes for move in change.moved]
    runs = [run for change in changes for run in change.decided]
    by_kind = groupby(steps, _statement_of)  # the steps of a change that stands alone may differ
    ends = [(statements.SUCCEED, _says_nothing)]
    moved = [(statements.MOVE_ON, _only_moves_on)]
    begun = [(statements.INSERT_CLAIMED_RUN, _is_claimed_at_once), (statements.INSERT_PLAIN_RUN, _is_plain)]
    written = [_rows(statement, [*same], _step_values, ends) for statement, same in by_kind]
    if moves:
        written.append(_rows(statements.MOVE, moves, _move_values, moved))
    return Batch(changes, written, _rows(statements.INSERT_RUN, runs, _run_values, begun) if runs else None)


def _rows(
    statement: ForRows,
    things: Sequence[T],
    values_of: Callable[[ForRows, T], Values],
    narrower: Iterable[tuple[ForRows, Callable[[T], bool]]],
) -> _Rows:
    """Return the rows of things for a statement, or for the first one of fewer values that suits all of them."""
    for fewer, suits in narrower:
        if all(map(suits, things)):
            statement = fewer
            break
    values: list[object] = []
    for thing in things:
        values += values_of(statement, thing)
    return _Rows(statement, values)


def _shape(change: Change) -> object:
    """Return what makes changes alike: what they change. Their order among each other means nothing."""
    steps = change.steps
    if change.schedules and new_put(change) is not None:
        return PutSchedule
    if change.schedules or change.documents or change.journal or len(steps) > 1 or (steps and change.decided):
        return change
    return (len(change.decided) > 0, len(change.moved) > 0, type(steps[0]) if steps else None)


def write_batches(connection: sqlite3.Connection, batches: Sequence[Batch]) -> Sequence[Kept | None]:
    """Write changes in order, in the transaction that is open, and return what was made of each; None is refused."""
    pen = _Pen(connection)
    if len(batches) == 1 and len(batches[0].changes) > 1:
        written = pen.all_at_once(batches[0])
    else:
        written = [kept for batch in batches for kept in pen.write(batch)]
    pen.close()
    return written


class _Pen:
    """Writes into one transaction.

    Args:
        connection: inside a transaction.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._last_run_id = 0
        self._quotas = Quotas(connection)
        self._open()

    def _open(self) -> None:
        (self._last_run_id,) = self._connection.execute(statements.LAST_RUN_ID).fetchone()
        self._first_run_id = self._last_run_id

    def close(self) -> None:
        """Keep the number of the last run."""
        if self._last_run_id != self._first_run_id:
            self._connection.execute(statements.KEEP_LAST_RUN_ID, (self._last_run_id,))

    def all_at_once(self, batch: Batch) -> Sequence[Kept | None]:
        """Write a batch that has the transaction for itself: a savepoint would copy each page it changes."""
        try:
            return self._write(batch)
        except _REFUSALS:
            self._connection.execute("ROLLBACK")
            self._connection.execute("BEGIN IMMEDIATE")
            self._open()
            return self._one_by_one(batch)

    def write(self, batch: Batch) -> Sequence[Kept | None]:
        """Write a batch all at once, or else one by one where a change no longer fits."""
        last_run_id = self._last_run_id
        self._connection.execute("SAVEPOINT attempt")
        try:
            written = self._write(batch)
        except _REFUSALS:
            self._connection.execute("ROLLBACK TO attempt")
            self._last_run_id = last_run_id
            written = None
        self._connection.execute("RELEASE attempt")
        return self._one_by_one(batch) if written is None else written

    def _one_by_one(self, batch: Batch) -> Sequence[Kept | None]:
        if len(batch.changes) == 1:
            return [None]
        return [kept for change in batch.changes for kept in self.write(_batch([change]))]

    def _write(self, batch: Batch) -> Sequence[Kept]:
        if batch.new:
            return self._new_schedules(batch)
        for rows in batch.steps:
            self._all(rows)
        first_run_id = self._decisions(batch.decided)
        if len(batch.changes) > 1:
            if batch.decided is None:
                return [_NOTHING_NEW] * len(batch.changes)
            return list(_shared_out(first_run_id, batch.changes))
        [change] = batch.changes
        if not self._quotas.allow(change):
            raise _Refused
        keys = [self._schedule(put) for put in change.schedules]
        for document in change.documents:
            self._document(document)
        for entry in change.journal:
            self._journal(entry)
        self._quotas.kept(change)
        return [Kept(first_run_id, [key for key in keys if key is not None])]

    def _one(self, statement: str, values: Values) -> None:
        """Carry out a statement that must change exactly one row of the file."""
        if self._connection.execute(statement, values).rowcount != 1:
            raise _Refused

    def _all(self, rows: _Rows) -> int:
        """Carry out a statement for all its rows, and return how many they are."""
        width = rows.statement.values
        count = len(rows.values) // width
        changed = start = 0
        while start < count:
            size = min(statements.MANY, 1 << ((count - start).bit_length() - 1))  # of few sizes: all stay compiled
            values = rows.values[start * width : (start + size) * width]
            changed += self._connection.execute(_text(rows.statement, size), values).rowcount
            start += size
        if changed != count:
            raise _Refused
        return count

    def _decisions(self, decided: _Rows | None) -> int:
        """Write runs that were decided, and return the number of the first."""
        first = self._last_run_id + 1
        if decided is not None:
            width = decided.statement.values
            decided.values[::width] = range(first, first + len(decided.values) // width)
            self._last_run_id += self._all(decided)
        return first

    # Schedules

    def _schedule(self, put: ScheduleStep) -> int | None:
        if isinstance(put, RemoveSchedule):
            self._one(statements.REMOVE, (put.record.key, put.expected_revision))
            return None
        if isinstance(put, SetBack):
            self._one(statements.SET_BACK, _set_back_values(put))
            self._one(statements.AMEND, (write_amendments(put.amendments), put.record.key))
            return None
        schedule, key = put.schedule, self._both_rows(put)
        if put.expected_key:
            self._connection.execute(statements.CARRY_OVER, (schedule.handler, -schedule.priority, key))
            self._connection.execute(statements.FORGET_TAGS, (key,))
            self._connection.execute(statements.FORGET_NEEDS, (key,))
        self._words([(key, schedule)])
        return key

    def _words(self, schedules: Sequence[tuple[int, Schedule]]) -> None:
        """Write tags and needs of schedules, by key."""
        tags = [(tag, key) for key, schedule in schedules for tag in schedule.tags]
        needs = [(name, key) for key, schedule in schedules for name in schedule.resources]
        if tags:
            self._connection.executemany(statements.INSERT_TAG, tags)
        if needs:
            self._connection.executemany(statements.INSERT_NEED, needs)

    def _new_schedules(self, batch: Batch) -> Sequence[Kept]:
        (last_key,) = self._connection.execute(statements.LAST_KEY).fetchone()
        keys = range(last_key + 1, last_key + 1 + len(batch.new))
        schedules, cursors = new_values(batch.new, keys.start)
        self._all(_Rows(statements.INSERT_NEW_SCHEDULES, schedules))
        self._all(_Rows(statements.INSERT_NEW_CURSORS, cursors))
        self._words([(key, put.schedule) for key, put in zip(keys, batch.new, strict=True)])
        self._quotas.kept(batch.changes[0])
        return [Kept(keys=(key,)) for key in keys]

    def _both_rows(self, put: PutSchedule) -> int:
        """Write what people say of a schedule, then its cursor, and return their key."""
        key = put.expected_key
        if key:
            self._one(statements.REVISE, (*schedule_values(put), key))
        elif put.expected_revision:
            raise _Refused
        else:
            key = self._connection.execute(statements.INSERT_SCHEDULE, schedule_values(put)).lastrowid or 0
        self._one(statements.PUT_CURSOR, cursor_values(put, key))
        return key

    # Documents and journals

    def _document(self, put: PutDocument) -> None:
        place = (put.namespace, put.key)
        if put.body is not None:
            body = write_json(put.body)
            if put.expected_version:
                self._one(statements.REPLACE_DOCUMENT, (body, *place, put.expected_version))
            else:
                self._one(statements.INSERT_DOCUMENT, (*place, body))
        elif put.expected_version:
            self._one(statements.REMOVE_DOCUMENT, (*place, put.expected_version))
        elif self._connection.execute(statements.DOCUMENT, place).fetchone() is not None:
            raise _Refused

    def _journal(self, entry: AppendJournal) -> None:
        last = self._connection.execute(statements.LAST_ENTRY, (entry.namespace,)).fetchone()
        seq, before = (1, NOTHING) if last is None else (last[0] + 1, last[1])
        text = write_json(entry.body)
        sealed = seal(before, entry.namespace, seq, entry.at, text)
        self._one(statements.APPEND, (entry.namespace, seq, entry.at, text, sealed))


def _shared_out(run_id: int, changes: Iterable[Change]) -> Iterator[Kept]:
    for change in changes:
        yield Kept(run_id)
        run_id += len(change.decided)


@cache
def _text(statement: ForRows, rows: int) -> str:
    return statement.text(rows)


_STEP_STATEMENTS: Final[dict[type, ForRows]] = {
    Claim: statements.CLAIM,
    Started: statements.START,
    Progressed: statements.PROGRESS,
    CancelAsked: statements.ASK,
    Finished: statements.FINISH,
    Requeued: statements.REQUEUE,
    Voided: statements.VOID,
    Cut: statements.CUT,
}


def _statement_of(step: RunStep) -> ForRows:
    return _STEP_STATEMENTS[type(step)]


def _says_nothing(step: RunStep) -> bool:
    """Whether a run went well, and there is no more to say."""
    return (
        isinstance(step, Finished)
        and step.step is SUCCEED
        and step.result is None
        and step.error is None
        and step.reason is None
    )


def _step_values(statement: ForRows, step: RunStep) -> Values:
    run_id, token = step.run.run_id, step.token
    match step:
        case Finished():
            if statement is statements.SUCCEED:
                return (step.at, step.started_at, run_id, token)
            reason = None if step.reason is None else step.reason.value
            sources = _SOURCES[step.step]
            first, second, third = sources[0], sources[len(sources) // 2], sources[-1]
            result = optional_json(step.result)
            return (
                _TARGETS[step.step], reason, step.error, result, step.at, step.started_at,
                run_id, token, first, second, third,
            )  # fmt: skip
        case Claim():
            return (step.node, run_id, token)
        case Started():
            return (step.at, run_id, token)
        case Progressed():
            return (optional_json(step.value), run_id, token)
        case CancelAsked():
            return (step.reason.value, run_id, token)
        case Voided():
            return (step.at, run_id, token)
        case Cut():
            return (step.last_at, step.count, run_id, token)
        case Requeued():
            reason = None if step.reason is None else step.reason.value
            sources = _SOURCES[step.step]
            return (
                reason, step.error, step.attempt, step.due_at, step.waiting_for.value, step.give_up_at, step.started_at,
                run_id, token, sources[0], sources[-1],
            )  # fmt: skip
        case _:
            assert_never(step)


def _is_plain(run: RunRecord) -> bool:
    """Whether there is no more to say of a decided run than when it is due and where it is."""
    begins = run.finished_at is None and run.started_at is None and run.args is None and run.reason is None
    return begins and run.retry_of is None and run.error is None and run.cancel is None and run.epoch == 0


def _is_claimed_at_once(run: RunRecord) -> bool:
    at_once = run.state is CLAIMED and run.token == run.attempt == 1 and run.origin is SCHEDULED
    return at_once and run.lane is None and run.give_up_at is None and run.waiting_for is None and _is_plain(run)


def _run_values(statement: ForRows, run: RunRecord) -> Values:
    schedule = run.schedule.schedule
    if statement is statements.INSERT_CLAIMED_RUN:
        key, rank = run.schedule.key, -schedule.priority
        return (0, key, run.nominal_at, run.due_at, run.decided_at, run.node, schedule.handler, rank)
    return _plain_values(run, schedule) if statement is statements.INSERT_PLAIN_RUN else _all_values(run, schedule)


def _plain_values(run: RunRecord, schedule: Schedule) -> Values:
    return (
        0, run.schedule.key, run.nominal_at, run.origin._value_, run.due_at, run.decided_at, _or_null(run.lane),
        run.state._value_, _or_null(_waits_for(run)), _or_null(run.give_up_at), run.attempt, run.token,
        _or_null(run.node), schedule.handler, run.rank,
    )  # fmt: skip


def _or_null(value: object) -> object:
    return statements.NULL if value is None else value


def _all_values(run: RunRecord, schedule: Schedule) -> Values:
    return (
        0, run.schedule.key, run.epoch, run.nominal_at, run.origin.value, run.due_at, run.decided_at, run.lane,
        run.state.value, None if run.reason is None else run.reason.value, run.last_at, run.count,
        _waits_for(run), run.give_up_at, run.attempt, run.token, run.node,
        None if run.args is None else write_json(run.args), run.started_at, run.finished_at,
        None if run.cancel is None else run.cancel.value, run.error, optional_json(run.result), run.retry_of,
        schedule.handler, run.rank,
    )  # fmt: skip


def _waits_for(run: RunRecord) -> str | None:
    """Return what a run waits for, in the word by which the index of what waits for time leaves it out."""
    if run.waiting_for is None:
        return None
    waiting_for = WaitingFor.HANDLER if run.due_at <= run.decided_at else run.waiting_for
    return waiting_for.value


def _only_moves_on(move: CursorMove) -> bool:
    """Whether there is no more to say of a cursor than how far it came."""
    usual = SCHEDULE_FINISHED if move.next_due_at is None else SCHEDULE_ACTIVE
    plain = not move.resumed and move.anchor_at is None and move.expected_next_due_at is not None
    return plain and move.state is usual


def _move_values(statement: ForRows, move: CursorMove) -> Values:
    if statement is statements.MOVE_ON:
        return (
            move.cursor_at, _or_null(move.next_due_at), move.runs,
            move.record.key, move.expected_cursor_at, move.expected_revision, move.expected_next_due_at,
        )  # fmt: skip
    return (
        move.cursor_at, move.next_due_at, _moved_to(move), move.runs, move.state.value, move.resumed, move.anchor_at,
        move.record.key, move.expected_cursor_at, move.expected_revision, move.expected_next_due_at,
    )  # fmt: skip


def _moved_to(move: CursorMove) -> int | None:
    record = move.record
    return wakes_at(move.state, move.next_due_at, None if move.resumed else record.pause, record.schedule)


def _set_back_values(step: SetBack) -> Values:
    record = step.record
    wake_at = wakes_at(step.state, step.next_due_at, record.pause, record.schedule)
    return (
        step.cursor_at, step.next_due_at, wake_at, step.runs, step.state.value, step.anchor_at,
        record.key, step.expected_cursor_at, step.expected_revision, step.expected_next_due_at,
    )  # fmt: skip
