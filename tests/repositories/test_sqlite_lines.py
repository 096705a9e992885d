"""Lines: one statement keeps a whole transaction of what is changed most, or nothing of it, on a real file."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.making import NOW, a_run, a_schedule
from tests.repositories.contract.acts import moving, put, run_of
from tests.repositories.test_sqlite import open_sqlite
from trioarm.core.changes import Change, Finished, Verdict
from trioarm.core.diff import FirstPuts
from trioarm.core.record import ScheduleRecord, ScheduleState
from trioarm.core.run import RunRecord
from trioarm.core.states import State, Step
from trioarm.repositories.sqlite.adding import Added
from trioarm.repositories.sqlite.batching import batches
from trioarm.repositories.sqlite.database import Database
from trioarm.repositories.sqlite.lines import in_one
from trioarm.repositories.sqlite.repository import SqliteScheduleRepository
from trioarm.repositories.sqlite.schema import VERSION
from trioarm.repositories.sqlite.statements import LINES_MAX, Statement

SCHEDULES = 5


def deciding(record: ScheduleRecord) -> Change:
    """Return a decision, whose run is claimed as it is decided, and whose schedule is over."""
    run = a_run(record, state=State.CLAIMED, attempt=1, token=1, node="n1", waiting_for=None)
    return Change((run,), (moving(record, NOW, None, state=ScheduleState.FINISHED),))


def ending(*runs: RunRecord) -> Change:
    """Return the change by which runs went well."""
    return Change(steps=[Finished(run, run.token, Step.SUCCEED, NOW, started_at=NOW) for run in runs])


async def some(repository: SqliteScheduleRepository, count: int = SCHEDULES) -> list[ScheduleRecord]:
    """Put schedules that are due."""
    return [await put(repository, f"s{number}") for number in range(count)]


async def test_decisions_and_outcomes_are_kept_as_they_are_said(tmp_path: Path) -> None:
    """Runs are numbered in the order of their decisions; outcomes and decisions share a transaction."""
    async with open_sqlite(tmp_path / "trioarm.db") as repository:
        first, *others = await some(repository)
        decided = deciding(first)
        assert await repository.commit([decided]) == [Verdict.DONE]
        [run] = decided.decided
        further = [deciding(record) for record in others]
        assert await repository.commit([*further, ending(run)]) == [Verdict.DONE] * SCHEDULES
        assert [change.decided[0].run_id for change in further] == [run.run_id + 1 + index for index in range(4)]
        kept = await run_of(repository, run)
        assert (kept.state, kept.started_at, kept.finished_at, kept.node) == (State.SUCCEEDED, NOW, NOW, "n1")
        record = await repository.get_schedule("s1")
        assert record is not None
        assert (record.state, record.cursor_at, record.next_due_at) == (ScheduleState.FINISHED, NOW, None)


async def test_one_that_no_longer_fits_has_the_others_kept(tmp_path: Path) -> None:
    """Somebody was faster with a decision, and with an outcome: nothing of these is kept, all else is, and numbered."""
    async with open_sqlite(tmp_path / "trioarm.db") as repository:
        records = await some(repository)
        stale = [deciding(record) for record in records]
        assert await repository.commit([deciding(records[2])]) == [Verdict.DONE]
        verdicts = await repository.commit(stale)
        assert verdicts == [Verdict.DONE, Verdict.DONE, Verdict.REFUSED, Verdict.DONE, Verdict.DONE]
        runs = [change.decided[0] for change, verdict in zip(stale, verdicts, strict=True) if verdict is Verdict.DONE]
        assert [run.run_id for run in runs] == [2, 3, 4, 5]
        ended = Change(steps=[Finished(runs[0], runs[0].token + 1, Step.SUCCEED, NOW)])
        assert await repository.commit([ended, ending(runs[1])]) == [Verdict.REFUSED, Verdict.DONE]
        assert (await run_of(repository, runs[0])).state is State.CLAIMED
        assert (await run_of(repository, runs[1])).state is State.SUCCEEDED


async def test_a_change_of_many_steps_is_kept_whole_or_not_at_all(tmp_path: Path) -> None:
    """Outcomes of several runs that are one change share its fate."""
    async with open_sqlite(tmp_path / "trioarm.db") as repository:
        changes = [deciding(record) for record in await some(repository)]
        await repository.commit(changes)
        runs = [change.decided[0] for change in changes]
        stale = Finished(runs[1], runs[1].token + 1, Step.SUCCEED, NOW)
        one_is_stale = Change(steps=[*ending(runs[0]).steps, stale, *ending(runs[2]).steps])
        assert await repository.commit([one_is_stale]) == [Verdict.REFUSED]
        assert {(await run_of(repository, run)).state for run in runs} == {State.CLAIMED}
        assert await repository.commit([ending(*runs)]) == [Verdict.DONE]
        assert {(await run_of(repository, run)).state for run in runs} == {State.SUCCEEDED}


async def test_more_than_one_statement_takes_is_kept_by_several(tmp_path: Path) -> None:
    """In the same transaction: all of it, or nothing."""
    count = LINES_MAX // 2 + 1  # each decision is two lines
    async with open_sqlite(tmp_path / "trioarm.db") as repository:
        changes = [deciding(record) for record in await some(repository, count)]
        assert await repository.commit(changes) == [Verdict.DONE] * count
        last = changes[-1].decided[0]
        assert last.run_id == count
        assert (await run_of(repository, last)).schedule.schedule.name == f"s{count - 1}"


async def test_numbers_that_another_process_gave_meanwhile_are_not_given_again(tmp_path: Path) -> None:
    """A statement that was prepared before that changes nothing."""
    path = tmp_path / "trioarm.db"
    async with open_sqlite(path) as repository:
        changes = [deciding(record) for record in await some(repository)]
    database = Database(path)
    await database.open()
    with closing(sqlite3.connect(path)) as other:
        other.execute("UPDATE store SET last_run_id = 7")
        other.commit()
    lines = [batch.lines for batch in batches(changes)]
    try:
        assert await database.write_at_once(lambda _: (in_one(lines, 0), "kept")) is None
        assert await database.write_at_once(lambda _: (in_one(lines, 7), "kept")) == "kept"
        [(first, last)] = await database.look(lambda file: file.execute("SELECT min(id), max(id) FROM runs").fetchall())
        assert (first, last) == (8, 7 + SCHEDULES)
    finally:
        await database.close()


async def test_tables_that_a_newer_program_changed_meanwhile_are_not_written(tmp_path: Path) -> None:
    """Whatever the statement says, and however short a time before it was looked which version they are of."""
    path = tmp_path / "trioarm.db"
    async with open_sqlite(path) as repository:
        changes = [deciding(record) for record in await some(repository)]
        assert await repository.commit(changes) == [Verdict.DONE] * SCHEDULES
    ends = batches([ending(change.decided[0]) for change in changes])
    added = Added(FirstPuts().of([a_schedule("other")], NOW))
    database = Database(path)
    await database.open()

    def set_version(version: int) -> None:
        with closing(sqlite3.connect(path)) as other:
            other.execute(f"PRAGMA user_version = {version}")

    def after_a_migration(statement: Statement) -> Callable[[sqlite3.Connection], tuple[Statement, str]]:
        def prepare(connection: sqlite3.Connection) -> tuple[Statement, str]:
            set_version(VERSION + 1)
            return statement, "kept"

        return prepare

    try:
        for statement in (in_one([batch.lines for batch in ends], SCHEDULES), *added.statements(SCHEDULES)):
            assert await database.write_at_once(after_a_migration(statement)) is None
            set_version(VERSION)
    finally:
        await database.close()
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT DISTINCT state FROM runs").fetchall() == [("claimed",)]
        assert other.execute("SELECT count(*) FROM schedules").fetchone() == (SCHEDULES,)


async def test_the_view_is_no_part_of_the_file(tmp_path: Path) -> None:
    """Neither view nor trigger is in the file that others open."""
    path = tmp_path / "trioarm.db"
    async with open_sqlite(path) as repository:
        await repository.commit([deciding(record) for record in await some(repository)])
    with closing(sqlite3.connect(path)) as other:
        names = [name for (name,) in other.execute("SELECT name FROM sqlite_master WHERE name LIKE 'lines%'")]
        assert names == []
        with pytest.raises(sqlite3.OperationalError, match="no such table: lines"):
            other.execute("INSERT INTO lines VALUES (1)")
