"""What one process commits to a store, another one notices at once."""

from __future__ import annotations

from pathlib import Path

import trio

from tests.repositories.test_sqlite import open_sqlite
from trioarm.core.changes import AppendJournal, Change, Verdict

COMMITS = 150  # each could be told of before it can be seen; one in ten was, while the disk took its time


async def test_every_single_commit_of_another_process_is_noticed(tmp_path: Path) -> None:
    """The news of a write comes before the commit can be seen: whoever looks too early looks again."""
    path = tmp_path / "trioarm.db"
    async with open_sqlite(path) as writer, open_sqlite(path) as listener, trio.open_nursery() as nursery:
        await nursery.start(listener.run)
        for number in range(COMMITS):
            with trio.fail_after(1.0):
                async with trio.open_nursery() as both:
                    both.start_soon(listener.changed)
                    entry = AppendJournal("test", {"number": number}, number)
                    assert await writer.commit([Change(journal=[entry])]) == [Verdict.DONE]
        nursery.cancel_scope.cancel()
