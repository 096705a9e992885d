"""Writing changes: each is kept whole or refused whole, and like ones are written together (S2.5, S7.4).

It runs in the writer's thread, inside a transaction. Statements say what must still be true, and change no row when it
is not. Changes of one shape are tried as a batch first, and one by one only when somebody was faster with some.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Final, assert_never

import attrs

from trioarm.core.chain import NOTHING, seal
from trioarm.core.changes import (
    AddSchedules,
    AppendJournal,
    Change,
    PutDocument,
    PutSchedule,
    RemoveSchedule,
    ScheduleStep,
    SetBack,
)
from trioarm.core.errors import InvalidSchedule
from trioarm.core.jsonable import write_json
from trioarm.core.schedule import Schedule
from trioarm.repositories.sqlite import statements
from trioarm.repositories.sqlite.adding import Added
from trioarm.repositories.sqlite.batching import Batch, Rows, batch_of
from trioarm.repositories.sqlite.lines import in_one
from trioarm.repositories.sqlite.quotas import Quotas
from trioarm.repositories.sqlite.rows import write_amendments
from trioarm.repositories.sqlite.statements import LINES_MAX, ForRows, Statement
from trioarm.repositories.sqlite.values import Values, cursor_values, schedule_values, set_back_values


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


def write_batches(connection: sqlite3.Connection, batches: Sequence[Batch]) -> Sequence[Kept | None]:
    """Write changes in order, in the transaction that is open, and return what was made of each; None is refused."""
    pen = _Pen(connection)
    if len(batches) == 1:
        written = pen.all_at_once(batches[0])
    else:
        written = [kept for batch in batches for kept in pen.write(batch)]
    pen.close()
    return written


def fit_one_statement(batches: Sequence[Batch]) -> bool:
    """Whether one statement writes all of them."""
    if len(batches) == 1 and batches[0].added is not None:
        return True
    return all(batch.is_lines for batch in batches) and sum(len(batch.lines) for batch in batches) < LINES_MAX


def prepare(connection: sqlite3.Connection, batches: Sequence[Batch]) -> tuple[Statement, Iterable[Kept]]:
    """Return the one statement that writes them, and what is made of each change once it is carried out."""
    added = batches[0].added
    if added is not None:
        (last_key,) = connection.execute(statements.LAST_KEY).fetchone()
        [statement] = added.statements(last_key)
        return statement, [Kept(keys=added.keys(last_key))]
    (last_run_id,) = connection.execute(statements.LAST_RUN_ID).fetchone()
    return in_one([batch.lines for batch in batches], last_run_id), _made_of_lines(batches, last_run_id)


def _made_of_lines(batches: Iterable[Batch], last_run_id: int) -> Iterator[Kept]:
    for batch in batches:
        yield from _shared_out(last_run_id + 1, batch.changes)
        last_run_id += batch.lines.new_runs


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
        return [kept for change in batch.changes for kept in self.write(batch_of([change]))]

    def _write(self, batch: Batch) -> Sequence[Kept]:
        for rows in batch.steps:
            self._all(rows)
        first_run_id = self._last_run_id + 1
        self._last_run_id = batch.lines.number(self._last_run_id)
        for text, values in batch.lines.statements():
            self._connection.execute(text, values)
        if batch.decided is not None:
            self._decisions(batch.decided)
        if len(batch.changes) > 1:
            return list(_shared_out(first_run_id, batch.changes))
        [change] = batch.changes
        if not self._quotas.allow(change):
            raise _Refused
        keys = [key for step in change.schedules for key in self._schedules(step)]
        for document in change.documents:
            self._document(document)
        for entry in change.journal:
            self._journal(entry)
        self._quotas.kept(change)
        return [Kept(first_run_id, keys)]

    def _one(self, statement: str, values: Values) -> None:
        """Carry out a statement that must change exactly one row of the file."""
        if self._connection.execute(statement, values).rowcount != 1:
            raise _Refused

    def _all(self, rows: Rows) -> int:
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

    def _decisions(self, decided: Rows) -> None:
        """Write runs that were decided."""
        first, width = self._last_run_id + 1, decided.statement.values
        decided.values[::width] = range(first, first + len(decided.values) // width)
        self._last_run_id += self._all(decided)

    # Schedules

    def _schedules(self, step: ScheduleStep) -> Sequence[int]:
        """Write what becomes of schedules, and return the keys of those that were put."""
        match step:
            case AddSchedules():
                return self._added(step)
            case PutSchedule():
                return (self._put(step),)
            case RemoveSchedule():
                self._one(statements.REMOVE, (step.record.key, step.expected_revision))
            case SetBack():
                self._one(statements.SET_BACK, set_back_values(step))
                self._one(statements.AMEND, (write_amendments(step.amendments), step.record.key))
            case _:
                assert_never(step)
        return ()

    def _put(self, put: PutSchedule) -> int:
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

    def _added(self, step: AddSchedules) -> Sequence[int]:
        (last_key,) = self._connection.execute(statements.LAST_KEY).fetchone()
        added = Added(step)
        keys = added.keys(last_key)
        for text, values in added.statements(last_key):
            self._connection.execute(text, values)
        self._words(list(zip(keys, step.schedules, strict=True)))
        return keys

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
    """Yield what was made of changes that schedule nothing anew, the first of whose runs has that number."""
    for change in changes:
        yield Kept(run_id) if change.decided else _NOTHING_NEW
        run_id += len(change.decided)


@cache
def _text(statement: ForRows, rows: int) -> str:
    return statement.text(rows)
