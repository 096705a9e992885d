"""One writer for all tasks, and readers that can be stopped: group commits and cancellation, on a real file."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import attrs
import trio
import trio.testing

from tests.engine.test_bulk import UNWRITTEN
from tests.making import NOW, a_schedule
from tests.repositories.contract.acts import keep, put, putting
from tests.repositories.contract.schedules import one_to_add
from tests.repositories.test_sqlite import open_sqlite
from trioarm.core.changes import Change, Verdict
from trioarm.core.diff import FirstPuts, first_records
from trioarm.core.planning import PlanRules, plan
from trioarm.core.queries import ScheduleQuery
from trioarm.core.triggers import Every
from trioarm.repositories.sqlite.adding import Added
from trioarm.repositories.sqlite.commits import Commits
from trioarm.repositories.sqlite.database import Database

T = TypeVar("T")
TASKS = 50
PATIENCE_S = 10.0
ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"


def putting_one(name: str) -> Change:
    """Return a change that puts a schedule."""
    return Change(schedules=[putting(a_schedule(name))])


async def test_what_several_tasks_commit_at_once_shares_a_transaction(tmp_path: Path) -> None:
    """Fifty tasks need one transaction, or two when the first had begun already; each gets its own verdict."""
    database = Database(tmp_path / "trioarm.db")
    await database.open()
    transactions = 0

    async def write(work: Callable[[sqlite3.Connection], T]) -> T:
        nonlocal transactions
        transactions += 1
        return await database.write(work)

    commits = Commits(write, database.write_at_once, lambda change, kept: None, lambda: None)
    verdicts: list[list[Verdict]] = []

    async def commit(number: int) -> None:
        name = "taken" if number < 2 else f"s{number}"
        verdicts.append(await commits.commit([putting_one(name)]))

    try:
        async with trio.open_nursery() as nursery:
            for number in range(TASKS):
                nursery.start_soon(commit, number)
        assert transactions <= 2
        assert sorted(verdicts) == [[Verdict.DONE]] * (TASKS - 1) + [[Verdict.REFUSED]]
    finally:
        await database.close()


async def test_a_commit_that_is_cancelled_while_it_waits_writes_nothing(tmp_path: Path) -> None:
    """Nothing of it is kept, and those that wait beside it are."""
    async with open_sqlite(tmp_path / "trioarm.db") as repository:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(keep, repository, schedules=[putting(a_schedule("first"))]))
            await trio.testing.wait_all_tasks_blocked()
            with trio.CancelScope() as scope:
                scope.cancel()
                await repository.commit([putting_one("cancelled")])
            nursery.start_soon(partial(keep, repository, schedules=[putting(a_schedule("second"))]))
        assert scope.cancelled_caught
        page = await repository.find_schedules(ScheduleQuery())
        assert [record.schedule.name for record in page.rows] == ["first", "second"]


class _Gate:
    """Commits whose transactions begin when they are let.

    Args:
        path: of the file they are written to.
    """

    def __init__(self, path: Path) -> None:
        self.database = Database(path)
        self.scopes: dict[str, trio.CancelScope] = {}
        self.verdicts: dict[str, Verdict] = {}
        self._commits = Commits(self._write, self.database.write_at_once, lambda change, kept: None, lambda: None)
        self._begun = trio.Semaphore(0)
        self._ended = trio.Semaphore(0)

    async def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        await self._begun.acquire()
        try:
            return await self.database.write(work)
        finally:
            self._ended.release()

    async def let(self, transactions: int) -> None:
        """Let so many transactions begin, one after the other, and wait for their end."""
        for _ in range(transactions):
            self._begun.release()
            await self._ended.acquire()
            await trio.testing.wait_all_tasks_blocked()

    async def commit(self, name: str) -> None:
        """Put a schedule."""
        with trio.CancelScope() as self.scopes[name]:
            [self.verdicts[name]] = await self._commits.commit([putting_one(name)])

    async def kept(self) -> list[str]:
        """Return the names of the schedules that are kept, in order."""
        rows = await self.database.look(lambda file: file.execute("SELECT name FROM schedules ORDER BY key").fetchall())
        return [name for (name,) in rows]


@asynccontextmanager
async def gated(path: Path, *names: str) -> AsyncIterator[tuple[_Gate, trio.Nursery]]:
    """Yield commits by these names, of which the first is about to be written, and where to start others."""
    gate = _Gate(path)
    await gate.database.open()
    try:
        with trio.fail_after(PATIENCE_S):
            async with trio.open_nursery() as nursery:
                for name in names:
                    nursery.start_soon(gate.commit, name)
                    await trio.testing.wait_all_tasks_blocked()
                yield gate, nursery
    finally:
        await gate.database.close()


async def test_who_is_cancelled_while_others_write_disturbs_nobody(tmp_path: Path) -> None:
    """What another task writes along is kept, what waits for its turn is not, and those that come later are."""
    async with gated(tmp_path / "trioarm.db", "a", "b", "along") as (gate, nursery):
        await gate.let(1)
        nursery.start_soon(gate.commit, "waiting")
        await trio.testing.wait_all_tasks_blocked()
        gate.scopes["along"].cancel()
        gate.scopes["waiting"].cancel()
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(gate.commit, "last")
        await gate.let(2)
        assert await gate.kept() == ["a", "b", "along", "last"]
        assert gate.verdicts == dict.fromkeys(("a", "b", "along", "last"), Verdict.DONE)
        assert gate.scopes["waiting"].cancelled_caught


async def test_who_writes_for_others_and_is_cancelled_leaves_it_to_the_next(tmp_path: Path) -> None:
    """Nothing of its own is kept, and all of theirs."""
    async with gated(tmp_path / "trioarm.db", "a", "b", "c", "d") as (gate, _):
        for name in ("a", "b"):  # the second writes once the first has gone
            gate.scopes[name].cancel()
            await trio.testing.wait_all_tasks_blocked()
        await gate.let(1)
        assert await gate.kept() == ["c", "d"]
        assert gate.verdicts == dict.fromkeys(("c", "d"), Verdict.DONE)


async def test_a_question_that_takes_too_long_is_interrupted(tmp_path: Path) -> None:
    """A cancelled question has ended when the cancellation goes on, and the next one is answered."""
    database = Database(tmp_path / "trioarm.db")
    await database.open()
    try:
        with trio.fail_after(PATIENCE_S):
            with trio.move_on_after(0.05) as scope:
                await database.read(lambda connection: connection.execute(ENDLESS).fetchone())
            assert scope.cancelled_caught
            rows = await database.read(lambda connection: connection.execute("SELECT 1").fetchall())
        assert rows == [(1,)]
    finally:
        await database.close()


async def test_of_many_decisions_made_at_once_only_those_are_refused_that_no_longer_fit(tmp_path: Path) -> None:
    """Somebody was faster with the second of three: the others are kept, and numbered without a gap."""
    async with open_sqlite(tmp_path / "trioarm.db") as repository:
        for name in ("a", "b", "c"):
            await put(repository, name=name, trigger=Every(60))
        groups = (await repository.read_due(NOW, 10)).groups
        changes = [plan(group, NOW, PlanRules()) for group in groups]
        again = [plan(group, NOW, PlanRules()) for group in groups]
        assert await repository.commit([again[1]]) == [Verdict.DONE]
        assert await repository.commit(changes) == [Verdict.DONE, Verdict.REFUSED, Verdict.DONE]
        kept = [change.decided[0].run_id for change in (again[1], changes[0], changes[2])]
        assert kept == [1, 2, 3]
        assert [run.run_id for run in await repository.unfinished_runs()] == kept


async def test_new_schedules_that_were_written_together_are_read_back(tmp_path: Path) -> None:
    """By who opens the file later, and knows nothing of them; with one that has no form in a file, all are refused."""
    added = [one_to_add(number) for number in range(700)]
    unwritten = [*added[:300], attrs.evolve(UNWRITTEN, name="s300"), *added[301:]]
    async with open_sqlite(tmp_path / "trioarm.db") as repository:
        assert await repository.commit([Change(schedules=[FirstPuts().of(unwritten, NOW)])]) == [Verdict.REFUSED]
        assert await repository.commit([Change(schedules=[FirstPuts().of(added, NOW)])]) == [Verdict.DONE]
    async with open_sqlite(tmp_path / "trioarm.db") as repository:
        records = await repository.get_schedules([schedule.name for schedule in added])
        alone = first_records(added, NOW)
        assert [record and record.schedule for record in records] == added
        assert [record and record.next_due_at for record in records] == [record.next_due_at for record in alone]


async def test_new_schedules_are_one_statement_that_refuses_all_of_them_where_one_is_taken(tmp_path: Path) -> None:
    """Somebody has the name of one of them, or has added others since the last key was read: nothing is kept of it."""
    database = Database(tmp_path / "trioarm.db")
    await database.open()
    added = Added(FirstPuts().of([one_to_add(number) for number in range(3)], NOW))
    taken = Added(FirstPuts().of([one_to_add(number) for number in (3, 2, 4)], NOW))

    async def write(some: Added, last_key: int) -> range | None:
        [statement] = some.statements(last_key)
        return await database.write_at_once(lambda _: (statement, some.keys(last_key)))

    def count(connection: sqlite3.Connection) -> list[tuple[int, int]]:
        return connection.execute("SELECT (SELECT count(*) FROM schedules), (SELECT count(*) FROM cursors)").fetchall()

    try:
        assert await write(added, 0) == range(1, 4)
        assert await write(taken, 3) is None
        others = Added(FirstPuts().of([one_to_add(number) for number in (5, 6)], NOW))
        assert await write(others, 2) is None
        assert await write(others, 4) is None
        assert await database.look(count) == [(3, 3)]
        assert await write(others, 3) == range(4, 6)
        assert await database.look(count) == [(5, 5)]
    finally:
        await database.close()
