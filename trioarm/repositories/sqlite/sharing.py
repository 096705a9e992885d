"""A store's file as other processes share it: whatever is asked or written shows whether one of them has committed."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import partial
from math import inf
from pathlib import Path
from typing import TypeVar

import trio

from trioarm.core.errors import RepositoryError
from trioarm.repositories.sqlite.database import Database
from trioarm.repositories.sqlite.news import News
from trioarm.repositories.sqlite.statements import Statement

T = TypeVar("T")


class SharedFile:
    """Carries out what is asked of the file and written to it, and tells what others did.

    Args:
        path: of the file.
        database: what it is opened by.
        others_wrote: called when another process has committed, before anybody sees what is there now.
        node_news: called when a node may have come or gone.
    """

    def __init__(
        self, path: Path, database: Database, others_wrote: Callable[[], None], node_news: Callable[[], None]
    ) -> None:
        self._database = database
        self._others_wrote = others_wrote
        self._node_news = node_news
        self._news = News(path, self._look, self._hear_of_a_node)
        self._version: int | None = None  # of the data: SQLite changes it when another connection commits
        self._changed = trio.Event()
        self.seen_at = -inf  # trio's time at which it was last seen, and whether another process had committed

    async def ask(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Carry out short work that reads, and return what it returned.

        Raises:
            RepositoryError: the file cannot be read.
        """
        with self._news.asking():
            version, found = await self._database.look(partial(_and_version_before, work))
        self._note(version)
        return found

    async def write(self, work: Callable[[sqlite3.Connection], T], *, synced: bool = True) -> T:
        """Carry out work in a transaction, and return what it returned.

        Args:
            synced: whether it is on the disk before this returns.

        Raises:
            RepositoryError: the file cannot be written, or nobody knows whether it was.
        """
        with self._news.asking():
            version, done = await self._database.write(partial(_and_version_after, work), synced=synced)
        self._note(version)
        return done

    async def write_at_once(
        self, prepare: Callable[[sqlite3.Connection], tuple[Statement, T]], *, beside: bool
    ) -> T | None:
        """Carry out one statement as a transaction.

        Args:
            prepare: returns the statement, and what is returned once it is kept.
            beside: whether the loop waits until it is carried out beside it.

        Returns:
            None where what it says is refused; then nothing was kept.

        Raises:
            RepositoryError: the file cannot be written, or nobody knows whether it was.
        """
        with self._news.asking():
            found = await self._database.write_at_once(partial(_and_version_with, prepare), beside=beside)
        if found is None:
            return None
        version, answer = found
        self._note(version)
        return answer

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Notice what other processes commit, and nodes that end, until cancelled.

        Cancellation: at any checkpoint; what is not noticed here is noticed by the next commit or look.
        """
        await self._news.run(task_status=task_status)

    async def changed(self) -> None:
        """Return once another process may have changed what is kept."""
        await self._changed.wait()

    def tell_changed(self) -> None:
        """Say so to whoever waits for it."""
        self._changed.set()
        self._changed = trio.Event()

    def _hear_of_a_node(self) -> None:
        self._node_news()
        self.tell_changed()

    async def _look(self) -> None:
        try:
            await self.ask(lambda connection: None)
        except RepositoryError:
            self.tell_changed()  # let the engine meet it, too, and say so

    def _note(self, version: int) -> None:
        """Note which version of the data was met, and that another connection made it, if so."""
        if self._version is not None and version != self._version:
            self._others_wrote()
            self.tell_changed()
        self.seen_at = trio.current_time()
        self._version = version


def _and_version_before(work: Callable[[sqlite3.Connection], T], connection: sqlite3.Connection) -> tuple[int, T]:
    """Carry out work that reads, and say which version of the data there was before: it may read a later one."""
    (version,) = connection.execute("PRAGMA data_version").fetchone()
    return version, work(connection)


def _and_version_after(work: Callable[[sqlite3.Connection], T], connection: sqlite3.Connection) -> tuple[int, T]:
    """Carry out work that writes, and say which version of the data it was carried out on: it may have begun anew."""
    done = work(connection)
    (version,) = connection.execute("PRAGMA data_version").fetchone()
    return version, done


def _and_version_with(
    prepare: Callable[[sqlite3.Connection], tuple[Statement, T]], connection: sqlite3.Connection
) -> tuple[Statement, tuple[int, T]]:
    """Prepare a statement, and say which version of the data there was before: it may be carried out on a later one."""
    (version,) = connection.execute("PRAGMA data_version").fetchone()
    statement, answer = prepare(connection)
    return statement, (version, answer)
