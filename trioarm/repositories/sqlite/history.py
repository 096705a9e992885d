"""Questions to the history: filters, sorting, keyset pages, counts, and what may be forgotten (S9.1, S9.2).

Everything here runs on the reading connection, which keeps no writer waiting and may be interrupted.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import Final, TypeAlias

import attrs

from trioarm.core.queries import (
    Document,
    JournalEntry,
    Page,
    Retention,
    RunOrder,
    RunQuery,
    ScheduleOrder,
    ScheduleQuery,
    Statistics,
)
from trioarm.core.run import Origin, RunRecord
from trioarm.core.schedule import ScheduleRecord, ScheduleState
from trioarm.core.states import ACTIVE, State
from trioarm.repositories.sqlite import statements
from trioarm.repositories.sqlite.database import Database
from trioarm.repositories.sqlite.hot import Found, with_schedules
from trioarm.repositories.sqlite.rows import Records, Row, by_state, document, journal_entry
from trioarm.repositories.sqlite.schema import HELD, TROUBLED, UNFINISHED

_NEVER: Final = 2**63 - 1  # sorts schedules with nothing to come behind all others, in every store
_DUE: Final = f"coalesce(c.next_due_at, {_NEVER})"
_WELL: Final = frozenset({*ACTIVE, State.SUCCEEDED})  # states whose rows are not in the index of troubled ones

Values: TypeAlias = list[object]


@attrs.define(slots=True, eq=False)
class _Where:
    """Conditions, and the values they compare with."""

    terms: list[str] = attrs.Factory(list)
    values: Values = attrs.Factory(list)

    def add(self, term: str, *values: object) -> None:
        """Narrow the question."""
        self.terms.append(term)
        self.values += values

    def within(self, column: str, start: int | None, until: int | None) -> None:
        """Narrow to instants at or after the first and before the second."""
        if start is not None:
            self.add(f"{column} >= ?", start)
        if until is not None:
            self.add(f"{column} < ?", until)

    def among(self, column: str, members: Iterable[str]) -> None:
        """Narrow to some words."""
        words = sorted(members)
        self.add(f"{column} IN ({', '.join('?' * len(words))})", *words)

    def text(self) -> str:
        """Return it as SQL."""
        return " AND ".join(self.terms) if self.terms else "1"


def schedule_page(query: ScheduleQuery) -> tuple[str, Values]:
    """Return the statement for one page of schedules, and one row more."""
    where = _Where(["s.removed = 0"])
    for column, wanted in (("s.owner", query.owner), ("s.handler", query.handler), ("s.lane", query.lane)):
        if wanted is not None:
            where.add(f"{column} = ?", wanted)
    if query.prefix is not None:
        where.add("s.name >= ? AND s.name < ?", query.prefix, query.prefix + "\U0010ffff")
    if query.states is not None:
        where.among("c.state", [state.value for state in query.states])
    if query.tag is not None:
        where.add("s.key IN (SELECT key FROM tags WHERE tag = ?)", query.tag)
    where.within("c.next_due_at", query.due_from, query.due_until)
    by_name = query.order is ScheduleOrder.NAME
    columns, kinds = (("s.name", ""), (str, str)) if by_name else ((_DUE, "s.name"), (int, str))
    _after(where, query.after, columns, kinds, query.descending)
    way = "DESC" if query.descending else "ASC"
    order = f"s.name {way}" if by_name else f"{_DUE} {way}, s.name {way}"
    table = f"schedules s {statements.AND_CURSOR}"
    text = f"SELECT {statements.SCHEDULE} FROM {table} WHERE {where.text()} ORDER BY {order} LIMIT ?"
    return text, [*where.values, query.limit + 1]


def schedule_place(order: ScheduleOrder, name: str, next_due_at: int | None) -> str:
    """Return where a page ended, for the next one."""
    if order is ScheduleOrder.NAME:
        return json.dumps([name, ""])
    return json.dumps([_NEVER if next_due_at is None else next_due_at, name])


def run_page(query: RunQuery) -> tuple[str, Values]:
    """Return the statement for one page of runs, and one row more."""
    where = _Where()
    if query.schedule is not None:
        where.add("r.key IN (SELECT key FROM schedules WHERE name = ?)", query.schedule)
    if query.under is not None:
        below = (f"{query.under}/", f"{query.under}0")  # 0 is what follows the slash
        where.add("r.key IN (SELECT key FROM schedules WHERE name = ? OR (name > ? AND name < ?))", query.under, *below)
    for column, wanted in (("owner", query.owner), ("handler", query.handler)):
        if wanted is not None:
            where.add(f"r.key IN (SELECT key FROM schedules WHERE {column} = ?)", wanted)
    if query.tag is not None:
        where.add("r.key IN (SELECT key FROM tags WHERE tag = ?)", query.tag)
    for column, wanted in (("r.lane", query.lane), ("r.node", query.node)):
        if wanted is not None:
            where.add(f"{column} = ?", wanted)
    if query.states is not None:
        _states(where, query.states)
    where.within("r.due_at", query.due_from, query.due_until)
    by_due = query.order is RunOrder.DUE_AT
    _after(where, query.after, ("r.due_at" if by_due else "", "r.id"), (int, int), query.descending)
    way = "DESC" if query.descending else "ASC"
    order = f"r.due_at {way}, r.id {way}" if by_due else f"r.id {way}"
    return f"SELECT {statements.RUN} FROM {_table(query)} WHERE {where.text()} ORDER BY {order} LIMIT ?", [
        *where.values,
        query.limit + 1,
    ]


def _table(query: RunQuery) -> str:
    """Return where to look: unfinished runs are few, and it is cheaper to sort them than to read a history in order."""
    unfinished = query.states and query.states <= ACTIVE
    return "runs r INDEXED BY runs_unfinished" if unfinished else "runs r"


def run_place(order: RunOrder, run_id: int, due_at: int) -> str:
    """Return where a page ended, for the next one."""
    return json.dumps([due_at if order is RunOrder.DUE_AT else 0, run_id])


def _states(where: _Where, states: frozenset[State]) -> None:
    """Narrow to some states, in the words of the partial index that holds them all."""
    where.among("r.state", [state.value for state in states])
    if states and states <= ACTIVE:
        where.add(f"r.{UNFINISHED}")
    elif states and not states & _WELL:
        where.add(f"r.{TROUBLED}")


def _after(
    where: _Where, after: str | None, columns: tuple[str, str], kinds: tuple[type, type], descending: bool
) -> None:
    """Narrow to what follows the end of the page before.

    Args:
        columns: what rows are sorted by; empty where one is enough.
        kinds: of the two values that say where it ended.

    Raises:
        ValueError: it is not what a page before said.
    """
    if after is None:
        return
    ended = _read(after, kinds)
    sorted_by = [(column, value) for column, value in zip(columns, ended, strict=True) if column]
    names, values = zip(*sorted_by, strict=True)
    where.add(f"({', '.join(names)}) {'<' if descending else '>'} ({', '.join('?' * len(names))})", *values)


def _read(after: str, kinds: tuple[type, type]) -> tuple[object, object]:
    with suppress(ValueError, TypeError):
        first, second = json.loads(after)
        if (type(first), type(second)) == kinds:
            return (first, second)
    raise ValueError(f"after {after!r}: give what `next` of the page before said")


@attrs.define(slots=True, eq=False)
class Forgettable:
    """What may be forgotten: numbers of runs, keys of schedules that are over, the beginning of a journal.

    Args:
        journal: its name, or None.
        entries: how many.
        upto: the number of the last of them.
    """

    runs: list[int]
    schedules: list[int]
    journal: str | None
    entries: int = 0
    upto: int = 0


def forgettable(retention: Retention, connection: sqlite3.Connection) -> Forgettable:
    """Find up to `retention.limit` rows that may be forgotten, the oldest first."""
    wanted = {"most": retention.runs_max, "before": retention.runs_before, "limit": retention.limit}
    runs = [number for (number,) in connection.execute(statements.FORGETTABLE, wanted)]
    left = retention.limit - len(runs)
    over = connection.execute(statements.OVER, (retention.schedules_before, left)).fetchall() if left else []
    found = Forgettable(runs, [key for (key,) in over], retention.journal)
    left -= len(over)
    if retention.journal is not None and left:
        first, last = connection.execute(statements.JOURNAL_ENDS, (retention.journal,)).fetchone()
        if first is not None:
            young = connection.execute(statements.FIRST_YOUNG, (retention.journal, retention.runs_before)).fetchone()
            found.upto = max(last - retention.journal_max, last if young is None else young[0] - 1)
            found.upto = min(found.upto, last - 1, first - 1 + left)
            found.entries = max(0, found.upto + 1 - first)
    return found


def forget(found: Forgettable, connection: sqlite3.Connection) -> None:
    """Forget runs and schedules, and removed schedules that no run points to any more."""
    connection.execute(statements.FORGET_RUNS, (json.dumps(found.runs),))
    connection.execute(statements.DROP, (json.dumps(found.schedules),))
    connection.execute(statements.FORGET_REMOVED)
    if found.entries:
        connection.execute(statements.FORGET_ENTRIES, (found.journal, found.upto))


class History:
    """Answers questions about what is kept.

    Args:
        database: where it is kept.
        records: makes records of rows.
        now: the latest instant anybody spoke of: what a pending run waits for depends on it.
    """

    def __init__(self, database: Database, records: Records, now: Callable[[], int]) -> None:
        self._database = database
        self._records = records
        self._now = now

    async def schedules(self, names: Sequence[str]) -> list[ScheduleRecord | None]:
        """Return the schedules of these names, None for each that is not there."""
        rows = await self._rows(statements.SCHEDULES_BY_NAME, (json.dumps(names),))
        found = {row[1]: self._records.schedule(row) for row in rows}
        return [found.get(name) for name in names]

    async def schedule_page(self, query: ScheduleQuery) -> Page[ScheduleRecord]:
        """Return one page of schedules."""
        records = [self._records.schedule(row) for row in await self._rows(*schedule_page(query))]
        if len(records) <= query.limit:
            return Page(records, None)
        last = records[query.limit - 1]
        place = schedule_place(query.order, last.schedule.name, last.next_due_at)
        return Page(records[: query.limit], place)

    async def runs(self, statement: str, values: Sequence[object]) -> list[RunRecord]:
        """Return the runs that a statement finds."""

        def ask(connection: sqlite3.Connection) -> Found:
            return with_schedules(connection, connection.execute(statement, values).fetchall())

        found = await self._database.read(ask)
        return self._records.runs(found.runs, self._records.schedules(found.schedules), self._now())

    async def run_page(self, query: RunQuery) -> Page[RunRecord]:
        """Return one page of runs."""
        runs = await self.runs(*run_page(query))
        if len(runs) <= query.limit:
            return Page(runs, None)
        last = runs[query.limit - 1]
        return Page(runs[: query.limit], run_place(query.order, last.run_id, last.due_at))

    async def run_of(self, name: str, nominal_at: int, origin: Origin, epoch: int) -> RunRecord | None:
        """Return the run of an occurrence, or None."""
        runs = await self.runs(statements.RUN_OF, (nominal_at, origin.value, epoch, name))
        return runs[0] if runs else None

    async def unfinished(self, schedule: int | None, lane: str | None, node: str | None) -> list[RunRecord]:
        """Return the runs with steps to go, of one schedule or lane, or held by one node, in order of decision."""
        where = _Where([f"r.{UNFINISHED}"])
        if schedule is not None:
            where.add("r.key = ?", schedule)
        if lane is not None:
            where.add("r.lane = ?", lane)
        if node is not None:
            where.add(f"r.node = ? AND r.node IS NOT NULL AND r.{HELD}", node)
        statement = f"SELECT {statements.RUN} FROM runs r WHERE {where.text()} ORDER BY r.id"
        return await self.runs(statement, where.values)

    async def statistics(self) -> Statistics:
        """Return counts over all that is kept."""

        def count(connection: sqlite3.Connection) -> tuple[list[Row], list[Row], int | None]:
            schedules = connection.execute(statements.SCHEDULE_COUNTS).fetchall()
            runs = connection.execute(statements.RUN_COUNTS).fetchall()
            return schedules, runs, connection.execute(statements.OLDEST_PENDING).fetchone()[0]

        schedules, runs, oldest_pending_at = await self._database.read(count)
        return Statistics(
            by_state(ScheduleState, schedules, ScheduleState.QUARANTINED),
            by_state(State, ((state, rows) for state, rows, _ in runs), State.UNKNOWN),
            by_state(State, ((state, occurrences) for state, _, occurrences in runs), State.UNKNOWN),
            oldest_pending_at,
        )

    async def forgettable(self, retention: Retention) -> Forgettable:
        """Find what may be forgotten."""
        return await self._database.read(partial(forgettable, retention))

    async def document(self, namespace: str, key: str) -> Document | None:
        """Return a document, or None."""
        rows = await self._rows(statements.DOCUMENT, (namespace, key))
        return document(rows[0]) if rows else None

    async def documents(self, namespace: str, after: str, limit: int) -> list[Document]:
        """Return up to `limit` documents of a namespace with keys greater than `after`, by key."""
        return [document(row) for row in await self._rows(statements.DOCUMENTS, (namespace, after, limit))]

    async def journal(self, namespace: str, after: int, limit: int) -> list[JournalEntry]:
        """Return up to `limit` entries with `seq` greater than `after`, by `seq`."""
        return [journal_entry(row) for row in await self._rows(statements.JOURNAL, (namespace, after, limit))]

    async def _rows(self, statement: str, values: Sequence[object]) -> list[Row]:
        return await self._database.read(lambda connection: connection.execute(statement, values).fetchall())
