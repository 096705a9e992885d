"""Forgetting a long history: never much at a time, and never more than is too much (S9.1)."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.making import NOW
from tests.repositories.contract.acts import put
from tests.repositories.test_sqlite import open_sqlite
from trioarm.core.queries import Retention, RunQuery
from trioarm.repositories.sqlite.database import Database
from trioarm.repositories.sqlite.pruning import ROWS, Pruning
from trioarm.repositories.sqlite.schema import APPLICATION_ID, MIGRATIONS, VERSION

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


async def test_a_store_of_the_first_version_is_brought_up_to_date(tmp_path: Path) -> None:
    """With what is in it, by opening it; its runs are found by the indexes it did not have."""
    path = tmp_path / "trioarm.db"
    with closing(sqlite3.connect(path)) as connection:
        for statement in (
            *MIGRATIONS[0],
            f"PRAGMA application_id = {APPLICATION_ID}",
            "PRAGMA user_version = 1",
            _RUNS,
        ):
            connection.execute(statement)
        connection.commit()
    async with open_sqlite(path) as repository:
        page = await repository.find_runs(RunQuery(due_from=RUNS // 2, limit=10))
        assert [run.run_id for run in page.rows] == list(range(RUNS // 2, RUNS // 2 + 10))
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
        made = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE sql IS NOT NULL")}
    with closing(sqlite3.connect(":memory:")) as connection:
        for migration in MIGRATIONS:
            for statement in migration:
                connection.execute(statement)
        assert made == {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE sql IS NOT NULL")}
