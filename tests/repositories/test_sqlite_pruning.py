"""Forgetting a long history: never much at a time, and never more than is too much (S9.1)."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from tests.making import NOW
from tests.repositories.contract.acts import decide, put
from tests.repositories.test_sqlite import open_sqlite
from trioarm.core.queries import Document, Retention, RunQuery
from trioarm.engine.ports import ScheduleRepository
from trioarm.repositories.sqlite.database import Database
from trioarm.repositories.sqlite.pruning import HELD_S, ROWS, Pruning
from trioarm.repositories.sqlite.schema import SPAN, VERSION, migrate

RUNS = 4_000
LIMIT = 1_000
_RUNS = f"""
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {RUNS})
    INSERT INTO runs
        (id, key, nominal_at, origin, due_at, decided_at, state, attempt, token, finished_at, handler, rank)
    SELECT i, 1 + i % 2, i, 'schedule', i, i, 'succeeded', 1, 1, {NOW} + i, 'call', -5 FROM n
"""


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """A store in which two schedules took turns."""
    path = tmp_path / "trioarm.db"
    async with open_sqlite(path) as repository:
        await put(repository, "a")
        await put(repository, "b")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(_RUNS)
        connection.commit()
    return path


async def decided_after(repository: ScheduleRepository) -> int:
    """Decide one run more, and return its number."""
    return (await decide(repository, await put(repository))).run_id


def retention(before: int = NOW, most: int = RUNS) -> Retention:
    """Return what forgets runs that are too old, and those that are too many of a schedule."""
    return Retention(runs_before=before, runs_max=most, schedules_before=0, limit=LIMIT)


async def forget(path: Path, wanted: Retention) -> tuple[int, list[int]]:
    """Forget all that may be, and return how many rows, and how many were changed by each transaction."""
    changed: list[int] = []
    database = Database(path)
    await database.open()

    async def write(work: Callable[[sqlite3.Connection], Any]) -> Any:
        def counted(connection: sqlite3.Connection) -> Any:
            before = connection.total_changes
            done = work(connection)
            changed.append(connection.total_changes - before)
            return done

        return await database.write(counted)

    pruning, total = Pruning(database.read, write, lambda keys: None), 0
    try:
        while rows := await pruning.forget(wanted):
            assert rows <= LIMIT
            total += rows
    finally:
        await database.close()
    return total, changed


@pytest.mark.parametrize("wanted", [retention(NOW + 3_001), retention(most=500)], ids=["age", "count"])
async def test_the_file_is_held_for_few_rows_at_a_time(path: Path, wanted: Retention) -> None:
    """Whatever the limit of a call: others may write after each few hundred rows."""
    total, changed = await forget(path, wanted)
    assert total == 3_000
    assert max(changed) <= ROWS
    async with open_sqlite(path) as repository:
        page = await repository.find_runs(RunQuery(limit=1_000))
        assert [run.run_id for run in page.rows] == list(range(3_001, RUNS + 1))


async def test_a_transaction_is_smaller_the_longer_they_take(path: Path) -> None:
    """On a slow disk, or of runs that lie far apart, few rows are taken away at once; where it is quick, more again."""
    takes_s, changed = [0.0] * 6 + [HELD_S * 1.5] * 6 + [HELD_S] * 4, list[int]()
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as connection:

        async def read(work: Callable[[sqlite3.Connection], Any]) -> Any:
            return work(connection)

        async def write(work: Callable[[sqlite3.Connection], Any]) -> Any:
            before = connection.total_changes
            done = work(connection)
            changed.append(connection.total_changes - before)
            clock.jump(takes_s[len(changed) - 1])
            return done

        clock = trio.testing.MockClock(autojump_threshold=0)

        async def main() -> None:
            await Pruning(read, write, lambda keys: None).forget(attrs.evolve(retention(NOW + RUNS), limit=1_368))

        await trio.to_thread.run_sync(partial(trio.run, main, clock=clock))
    assert changed == [20, 40, 80, 160, 250, 250, 250, 125, 62, 31, 20, 20, 20, 20, 20, 1]


async def test_two_nodes_that_forget_at_once_forget_no_more_than_one(path: Path) -> None:
    """What each found before the other began is the same: the newest of each schedule stay."""
    wanted = retention(most=1_900)
    first, second = Database(path), Database(path)
    await first.open()
    await second.open()
    try:

        async def beside(work: Callable[[sqlite3.Connection], Any]) -> Any:
            if other:
                await other.pop().forget(wanted)  # all of it, between what the first found and what it takes away
            return await first.write(work)

        other = [Pruning(second.read, second.write, lambda keys: None)]
        await Pruning(first.read, beside, lambda keys: None).forget(wanted)
    finally:
        await first.close()
        await second.close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*), min(id) FROM runs").fetchone() == (3_800, 201)


@pytest.mark.parametrize("version", range(1, VERSION))
async def test_a_store_of_an_older_version_is_brought_up_to_date(tmp_path: Path, version: int) -> None:
    """With all that is in it, by opening it; its runs are found by the indexes and spans it did not have."""
    path = tmp_path / "trioarm.db"
    with closing(sqlite3.connect(path)) as connection:
        migrate(connection, 0, version)
        for statement in (
            _RUNS,
            f"UPDATE store SET last_run_id = {RUNS}",
            "INSERT INTO documents VALUES ('app', 'one', 3, '{}')",
        ):
            connection.execute(statement)
        found = connection.execute("SELECT * FROM runs ORDER BY id")
        columns, rows = ", ".join(column[0] for column in found.description), found.fetchall()
        connection.commit()
    async with open_sqlite(path) as repository:
        page = await repository.find_runs(RunQuery(due_from=RUNS // 2, limit=10))
        assert [run.run_id for run in page.rows] == list(range(RUNS // 2, RUNS // 2 + 10))
        assert await repository.get_document("app", "one") == Document("app", "one", 3, {})
        assert await decided_after(repository) == RUNS + 1
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute(f"SELECT {columns} FROM runs ORDER BY id LIMIT ?", (RUNS,)).fetchall() == rows
        first_ids = [first_id for (first_id,) in connection.execute("SELECT first_id FROM spans")]
        assert first_ids == list(range(1, RUNS, SPAN))
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
        made = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE sql IS NOT NULL")}
    with closing(sqlite3.connect(":memory:")) as connection:
        migrate(connection, 0, VERSION)
        assert made == {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE sql IS NOT NULL")}
