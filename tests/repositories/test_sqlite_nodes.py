"""Nodes on one file: what their locks tell, and when."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import trio
import trio.testing

from tests.making import NOW, SECOND
from tests.repositories.test_sqlite import open_sqlite
from tests.repositories.test_sqlite_trouble import by_hand
from trioarm.core.errors import RepositoryError
from trioarm.repositories.sqlite import SqliteScheduleRepository
from trioarm.repositories.sqlite.nodes import MARK, NodeLock, SystemBootClock


class LaterClock(SystemBootClock):
    """The machine's own clock, so many microseconds later."""

    later = 0

    def now(self) -> int:
        """Return microseconds since the start of the machine."""
        return super().now() + self.later


@contextmanager
def another_node(store: Path, name: str) -> Iterator[int]:
    """Be another living node of a store, with a lease that lasts; yield its lock."""
    clock = SystemBootClock()
    with closing(sqlite3.connect(store)) as connection, connection:
        lease = (name, clock.boot(), clock.now() + 3600 * SECOND, NOW)
        connection.execute("INSERT INTO nodes VALUES (?, ?, ?, ?)", lease)
    lock = os.open(f"{store}{MARK}{name}", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield lock
    finally:
        os.close(lock)


def nodes_of(store: Path) -> set[str]:
    with closing(sqlite3.connect(store)) as connection:
        return {name for (name,) in connection.execute("SELECT node FROM nodes")}


async def test_a_lock_that_is_let_go_a_moment_after_its_file_was_closed_is_noticed(tmp_path: Path) -> None:
    """The system tells of a dead process's file before it takes its lock away: who looked too early looks again."""
    path, clock = tmp_path / "trioarm.db", LaterClock()
    async with open_sqlite(path, clock) as repository:
        await repository.join("mine", NOW)
        with another_node(path, "other") as lock:
            async with trio.open_nursery() as nursery:
                await nursery.start(repository.run)
                await repository.read_due(NOW, 10)
                assert repository.next_due_at is not None
                assert repository.next_due_at > NOW + 1000 * SECOND
                await _news_of(f"{path}{MARK}other", repository)
                await repository.read_due(NOW, 10)
                assert nodes_of(path) == {"mine", "other"}
                fcntl.flock(lock, fcntl.LOCK_UN)
                look_at = repository.next_due_at
                assert NOW < look_at < NOW + SECOND
                clock.later = look_at - NOW
                await repository.read_due(look_at, 10)
                assert nodes_of(path) == {"mine"}
                nursery.cancel_scope.cancel()


async def _news_of(file: str, repository: SqliteScheduleRepository) -> None:
    """Close a file, and wait until that was heard."""
    with trio.fail_after(5):
        async with trio.open_nursery() as waiting:
            waiting.start_soon(repository.changed)
            await trio.testing.wait_all_tasks_blocked()
            os.close(os.open(file, os.O_RDWR))


async def test_a_node_that_was_given_up_may_join_again(tmp_path: Path) -> None:
    """Somebody forgot it though it lives: it is told so when it renews, and joins again under its own lock (S7.1)."""
    path = tmp_path / "trioarm.db"
    async with open_sqlite(path) as repository:
        await repository.join("mine", NOW)
        by_hand(path, "DELETE FROM nodes WHERE node = 'mine'")
        assert not await repository.renew("mine", NOW)
        await repository.join("mine", NOW)
        assert await repository.renew("mine", NOW)
        assert not NodeLock(path, "mine").is_gone()


async def test_a_node_whose_joining_was_not_kept_may_try_again(tmp_path: Path) -> None:
    """A join that the file did not keep leaves nothing behind that stands in the way of the next one (S7.4)."""
    path = tmp_path / "trioarm.db"
    async with open_sqlite(path) as repository:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TRIGGER no BEFORE INSERT ON nodes BEGIN SELECT RAISE(ABORT, 'not now'); END")
        with pytest.raises(RepositoryError, match="not now"):
            await repository.join("mine", NOW)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("DROP TRIGGER no")
        await repository.join("mine", NOW)
        assert await repository.renew("mine", NOW)
        assert not NodeLock(path, "mine").is_gone()
