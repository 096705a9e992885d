"""What one process commits to a store, another one notices at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import trio

from tests.repositories.test_sqlite import open_sqlite
from trioarm.core.changes import AppendJournal, Change, Verdict
from trioarm.links.threads import Thread
from trioarm.repositories.sqlite import SqliteScheduleRepository

T = TypeVar("T")

PATIENCE_S = 30.0  # a commit that is not noticed by then is not noticed before the next one
COMMITS = 150  # each could be told of before it can be seen; one in ten was, while the disk took its time


async def test_every_single_commit_of_another_process_is_noticed(tmp_path: Path) -> None:
    """The news of a write comes before the commit can be seen: whoever looks too early looks again."""
    path = tmp_path / "trioarm.db"
    async with open_sqlite(path) as writer, open_sqlite(path) as listener, trio.open_nursery() as nursery:
        await nursery.start(listener.run)
        for number in range(COMMITS):
            with trio.fail_after(PATIENCE_S):
                async with trio.open_nursery() as both:
                    both.start_soon(listener.changed)
                    entry = AppendJournal("test", {"number": number}, number)
                    assert await writer.commit([Change(journal=[entry])]) == [Verdict.DONE]
        nursery.cancel_scope.cancel()


class _Counting(Thread):
    """A thread that counts its calls."""

    calls = 0

    async def run(self, work: Callable[[], T], *, begun: threading.Event | None = None) -> T:
        """Count a call and carry it out to its end."""
        self.calls += 1
        return await super().run(work, begun=begun)


async def test_what_a_process_commits_itself_is_no_reason_to_look(tmp_path: Path) -> None:
    """A commit shows what others did before it: who commits all the time hardly ever looks as well."""
    threads: list[_Counting] = []

    def thread() -> Thread:
        threads.append(_Counting())
        return threads[-1]

    repository = SqliteScheduleRepository(tmp_path / "trioarm.db", thread=thread)
    await repository.open()
    async with trio.open_nursery() as nursery:
        await nursery.start(repository.run)
        before = sum(one.calls for one in threads)
        for number in range(COMMITS):
            entry = AppendJournal("test", {"number": number}, number)
            assert await repository.commit([Change(journal=[entry])]) == [Verdict.DONE]
        looks = sum(one.calls for one in threads) - before - COMMITS
        nursery.cancel_scope.cancel()
    await repository.close()
    assert looks < COMMITS // 2, f"{looks} looks beside {COMMITS} commits"
