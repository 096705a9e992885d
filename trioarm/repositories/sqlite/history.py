"""Questions to the history: filters, sorting, keyset pages, counts (S9.2).

Everything here runs on the reading connection, which keeps no writer waiting and may be interrupted.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from operator import itemgetter

from trioarm.core.backfilling import TIMES_MAX
from trioarm.core.queries import Document, JournalEntry, Page, RunQuery, ScheduleQuery, Statistics
from trioarm.core.record import ScheduleRecord, ScheduleState
from trioarm.core.run import Origin, RunRecord
from trioarm.core.states import State
from trioarm.repositories.sqlite import questions, statements
from trioarm.repositories.sqlite.database import Database
from trioarm.repositories.sqlite.hot import Found, with_schedules
from trioarm.repositories.sqlite.pages import (
    Where,
    ask_for_runs,
    run_place,
    schedule_page,
    schedule_place,
    schedules_in_order,
)
from trioarm.repositories.sqlite.rows import Records, Row, by_state, document, journal_entry
from trioarm.repositories.sqlite.schema import HELD, UNFINISHED


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
        rows = await self._rows(questions.SCHEDULES_BY_NAME, (json.dumps(names),))
        found = {row[1]: self._records.schedule(row) for row in rows}
        return [found.get(name) for name in names]

    async def count_owned(self, owner: str) -> int:
        """Return how many schedules an owner has stored."""
        [(count,)] = await self._rows(questions.OWNED, (owner,))
        return int(count)

    async def schedule_page(self, query: ScheduleQuery) -> Page[ScheduleRecord]:
        """Return one page of schedules."""

        def ask(connection: sqlite3.Connection) -> list[Row]:
            shorter = schedules_in_order(query)
            rows = [] if shorter is None else connection.execute(*shorter).fetchall()
            return rows if len(rows) > query.limit else connection.execute(*schedule_page(query)).fetchall()

        records = [self._records.schedule(row) for row in await self._database.read(ask)]
        if len(records) <= query.limit:
            return Page(records, None)
        last = records[query.limit - 1]
        place = schedule_place(query.order, last.schedule.name, last.next_due_at)
        return Page(records[: query.limit], place)

    async def runs(self, statement: str, values: Sequence[object]) -> list[RunRecord]:
        """Return the runs that a statement finds."""
        return await self._runs(lambda connection: connection.execute(statement, values).fetchall())

    async def _runs(self, ask: Callable[[sqlite3.Connection], list[Row]]) -> list[RunRecord]:
        def found_by(connection: sqlite3.Connection) -> Found:
            return with_schedules(connection, ask(connection))

        found = await self._database.read(found_by)
        return self._records.runs(found.runs, self._records.schedules(found.schedules), self._now())

    async def run_page(self, query: RunQuery) -> Page[RunRecord]:
        """Return one page of runs."""
        runs = await self._runs(partial(ask_for_runs, query))
        if len(runs) <= query.limit:
            return Page(runs, None)
        last = runs[query.limit - 1]
        return Page(runs[: query.limit], run_place(query.order, last.run_id, last.due_at))

    async def run_of(self, name: str, nominal_at: int, origin: Origin, epoch: int) -> RunRecord | None:
        """Return the run of an occurrence, or None."""
        runs = await self.runs(questions.RUN_OF, (nominal_at, origin.value, epoch, name))
        return runs[0] if runs else None

    async def runs_of(self, schedule: int, instants: Sequence[int]) -> list[RunRecord]:
        """Return what stands for occurrences of a schedule, in order of decision."""

        def ask(connection: sqlite3.Connection) -> list[Row]:
            each = connection.execute(questions.RUNS_OF_EACH, (schedule, json.dumps(instants), TIMES_MAX))
            across = connection.execute(questions.RANGES_ACROSS, (schedule, instants[-1], instants[0]))
            return sorted({row[0]: row for rows in (each, across) for row in rows}.values(), key=itemgetter(0))

        return await self._runs(ask)

    async def unfinished(self, schedule: int | None, lane: str | None, node: str | None) -> list[RunRecord]:
        """Return the runs with steps to go, of one schedule or lane, or held by one node, in order of decision."""
        where, index = Where([f"r.{UNFINISHED}"]), "runs_unfinished"
        if schedule is not None:
            where.add("r.key = ?", schedule)
        if lane is not None:
            where.add("r.lane = ? AND r.lane IS NOT NULL", lane)
            index = "runs_in_lane"
        if node is not None:
            where.add(f"r.node = ? AND r.node IS NOT NULL AND r.{HELD}", node)
            index = "runs_held"
        statement = f"SELECT {questions.RUN} FROM runs r INDEXED BY {index} WHERE {where.text()} ORDER BY r.id"
        return await self.runs(statement, where.values)

    async def retried(self, runs: Sequence[RunRecord]) -> frozenset[int]:
        """Return the numbers of those of these runs of which a retry is kept; of each schedule what came later."""
        of_keys: dict[int, list[int]] = {}
        for run in runs:
            of_keys.setdefault(run.schedule.key, []).append(run.run_id)

        def ask(connection: sqlite3.Connection) -> list[Row]:
            found: list[Row] = []
            for key, ids in of_keys.items():
                found += connection.execute(questions.RETRIED, (key, min(ids), json.dumps(ids))).fetchall()
            return found

        return frozenset(run_id for (run_id,) in await self._database.read(ask))

    async def statistics(self) -> Statistics:
        """Return counts over all that is kept."""

        def count(connection: sqlite3.Connection) -> tuple[list[Row], list[Row], list[Row], int | None]:
            connection.execute("BEGIN")  # one moment for all of it
            try:
                asked = (questions.SCHEDULE_COUNTS, questions.RUN_COUNTS, questions.RANGE_COUNTS)
                schedules, runs, ranges = (connection.execute(one).fetchall() for one in asked)
                return schedules, runs, ranges, connection.execute(questions.OLDEST_PENDING).fetchone()[0]
            finally:
                connection.execute("ROLLBACK")

        schedules, runs, ranges, oldest_pending_at = await self._database.read(count)
        rows = {state: count for state, count in by_state(State, runs, State.UNKNOWN).items() if count}
        more = by_state(State, ranges, State.UNKNOWN)
        return Statistics(
            by_state(ScheduleState, schedules, ScheduleState.QUARANTINED),
            rows,
            {state: count + more.get(state, 0) for state, count in rows.items()},
            oldest_pending_at,
        )

    async def document(self, namespace: str, key: str) -> Document | None:
        """Return a document, or None."""
        rows = await self._rows(statements.DOCUMENT, (namespace, key))
        return document(rows[0]) if rows else None

    async def documents(self, namespace: str, after: str, limit: int) -> list[Document]:
        """Return up to `limit` documents of a namespace with keys greater than `after`, by key."""
        return [document(row) for row in await self._rows(questions.DOCUMENTS, (namespace, after, limit))]

    async def journal(self, namespace: str, after: int, limit: int) -> list[JournalEntry]:
        """Return up to `limit` entries with `seq` greater than `after`, by `seq`."""
        return [journal_entry(row) for row in await self._rows(questions.JOURNAL, (namespace, after, limit))]

    async def _rows(self, statement: str, values: Sequence[object]) -> list[Row]:
        return await self._database.read(lambda connection: connection.execute(statement, values).fetchall())
