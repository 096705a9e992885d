"""Looking after the file of a store, while somebody writes to it and after somebody was interrupted."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
import trio

from tests.making import HOUR, NOW
from tests.repositories.contract.acts import claim, decide, finish, put, remove
from tests.repositories.test_sqlite import open_sqlite
from trioarm.core.changes import AppendJournal, Change
from trioarm.core.queries import Retention
from trioarm.repositories.sqlite import care

BODY = {"text": "x" * 4_000}


class Stopped(Exception):
    """Somebody stopped the work."""


def silent(what: str, done: int, total: int) -> None:
    """Show nothing."""


def copies(folder: Path) -> list[str]:
    """Return the names of copies, and of parts of copies."""
    return sorted(found.name for found in folder.iterdir() if "copy" in found.name)


async def filled(path: Path) -> None:
    """Make a store of several thousand pages."""
    async with open_sqlite(path) as repository:
        for _ in range(20):
            await repository.commit([Change(journal=[AppendJournal("test", BODY, 0)]) for _ in range(200)])


async def test_a_copy_made_while_others_write_is_of_one_moment(tmp_path: Path) -> None:
    """A backup ends however much is committed meanwhile, and the copy is whole: no gap, and every page fine."""
    path, copy = tmp_path / "trioarm.db", tmp_path / "copy.db"
    await filled(path)
    reports: list[tuple[int, int]] = []

    def note(what: str, done: int, total: int) -> None:
        reports.append((done, total))

    async with open_sqlite(path) as repository, trio.open_nursery() as nursery:

        async def write() -> None:
            while True:
                await repository.commit([Change(journal=[AppendJournal("test", BODY, 0)])])

        nursery.start_soon(write)
        size = await trio.to_thread.run_sync(care.backup, path, copy, note)
        nursery.cancel_scope.cancel()
    assert size == (await trio.Path(copy).stat()).st_size
    assert [done for done, _ in reports] == sorted(done for done, _ in reports)
    assert reports[-1][0] == reports[-1][1]
    assert care.check(copy, silent).problems == ()
    with closing(sqlite3.connect(copy)) as file:
        (entries, last) = file.execute("SELECT count(*), max(seq) FROM journal").fetchone()
    assert entries == last >= 4_000
    assert copies(tmp_path) == ["copy.db"]


async def test_what_is_forgotten_of_a_schedule_is_all_of_it(tmp_path: Path) -> None:
    """A removed schedule that no run points to any more leaves no row in any table, and a check finds nothing left."""
    path = tmp_path / "trioarm.db"
    async with open_sqlite(path) as repository:
        kept = await put(repository, "kept", tags=["night"])
        gone = await put(repository, "gone", tags=["night"])
        run = await finish(repository, await claim(repository, await decide(repository, gone)))
        await remove(repository, gone)
        everything = Retention(runs_before=NOW + HOUR, runs_max=0, schedules_before=NOW, limit=10)
        assert await repository.prune(everything) == 1
        assert await repository.get_run(run.run_id) is None
    assert care.check(path, silent).problems == ()
    with closing(sqlite3.connect(path)) as file:
        for table in ("schedules", "cursors", "tags"):
            assert file.execute(f"SELECT key FROM {table}").fetchall() == [(kept.key,)], table


async def test_a_copy_that_is_interrupted_leaves_nothing(tmp_path: Path) -> None:
    """Whatever stops a backup, neither the copy nor a part of it stays, and the store is as it was."""
    path, copy = tmp_path / "trioarm.db", tmp_path / "copy.db"
    await filled(path)

    def stop(what: str, done: int, total: int) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        await trio.to_thread.run_sync(partial(care.backup, path, copy, stop))
    assert copies(tmp_path) == []
    assert care.check(path, silent).problems == ()
