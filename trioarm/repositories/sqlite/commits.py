"""Commits: what several tasks want kept at once shares a transaction, and so a write to the disk."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeAlias

import attrs
import trio

from trioarm.core.changes import DONE, REFUSED, Change, Verdict
from trioarm.core.errors import RepositoryError
from trioarm.repositories.sqlite.writing import Kept, batches, write_batches

Write: TypeAlias = "Callable[[Callable[[sqlite3.Connection], Sequence[Kept | None]]], Awaitable[Sequence[Kept | None]]]"


@attrs.define(slots=True, eq=False)
class _Waiting:
    """Changes that wait to be written, and what became of them."""

    changes: Sequence[Change]
    verdicts: list[Verdict] = attrs.Factory(list)


class Commits:
    """Takes changes from any task and writes them in order.

    Args:
        write: carries work out in a transaction.
        kept: told of each change that was kept, before anybody learns of it.
        unsure: called when nobody knows what was kept.
    """

    def __init__(self, write: Write, kept: Callable[[Change, Kept], None], unsure: Callable[[], None]) -> None:
        self._write = write
        self._kept = kept
        self._unsure = unsure
        self._queue: list[_Waiting] = []
        self._turn = trio.Lock()

    async def commit(self, changes: Sequence[Change]) -> list[Verdict]:
        """Keep each change that still fits, in order, and return what became of each.

        Cancellation: while it waits; then nothing was written.
        """
        if not changes:
            return []
        waiting = _Waiting(changes)
        self._queue.append(waiting)
        try:
            async with self._turn:
                if not waiting.verdicts:  # else whoever had the turn before has written it along
                    await self._write_queue()
        finally:
            if not waiting.verdicts:
                self._queue.remove(waiting)
        return waiting.verdicts

    async def _write_queue(self) -> None:
        """Write all changes that wait, or say of all that nobody knows (S7.4)."""
        batch = self._queue[:]
        changes = [change for waiting in batch for change in waiting.changes]
        try:
            kept = await self._write(partial(write_batches, batches=batches(changes)))
        except RepositoryError:
            self._unsure()
            verdicts = [Verdict.UNKNOWN] * len(changes)
        else:
            verdicts = [REFUSED if one is None else DONE for one in kept]
            for change, one in zip(changes, kept, strict=True):
                if one is not None:
                    self._kept(change, one)
        del self._queue[: len(batch)]
        start = 0
        for waiting in batch:
            end = start + len(waiting.changes)
            waiting.verdicts = verdicts[start:end]
            start = end
