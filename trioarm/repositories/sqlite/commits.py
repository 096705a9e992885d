"""Commits: what several tasks want kept at once shares a transaction, and so a write to the disk."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeAlias

import attrs
import trio
from trio.lowlevel import Abort

from trioarm.core.changes import DONE, REFUSED, Change, Verdict
from trioarm.core.errors import RepositoryError
from trioarm.repositories.sqlite.batching import batches
from trioarm.repositories.sqlite.writing import Kept, write_batches

Write: TypeAlias = "Callable[[Callable[[sqlite3.Connection], Sequence[Kept | None]]], Awaitable[Sequence[Kept | None]]]"


@attrs.define(slots=True, eq=False)
class _Waiting:
    """Changes that wait to be written, what became of them, and the task that waits for it."""

    changes: Sequence[Change]
    verdicts: list[Verdict] = attrs.Factory(list)
    _task: trio.lowlevel.Task | None = None

    async def turn(self, leave: Callable[[object], Abort]) -> None:
        """Wait until somebody says to go on."""
        self._task = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(leave)

    def go_on(self) -> None:
        """Let the task that waits go on."""
        if self._task is not None:
            trio.lowlevel.reschedule(self._task)


class Commits:
    """Takes changes from any task and writes them in order.

    One of the tasks writes what all of them want kept; those that come meanwhile wait, and one of them is next.

    Args:
        write: carries work out in a transaction.
        kept: told of each change that was kept, before anybody learns of it.
        unsure: called when nobody knows what was kept.
    """

    def __init__(self, write: Write, kept: Callable[[Change, Kept], None], unsure: Callable[[], None]) -> None:
        self._write = write
        self._kept = kept
        self._unsure = unsure
        self._queue: list[_Waiting] = []  # in order, without those that are being written
        self._is_writing = False

    @trio.lowlevel.enable_ki_protection  # Ctrl-C comes while a task waits, and leaves no turn that nobody takes
    async def commit(self, changes: Sequence[Change]) -> list[Verdict]:
        """Keep each change that still fits, in order, and return what became of each.

        Cancellation: while it waits for its turn; then nothing was written. What another task writes along is written.
        """
        if not changes:
            return []
        waiting = _Waiting(changes)
        self._queue.append(waiting)
        if self._is_writing:
            await self._turn_of(waiting)
        if not waiting.verdicts:
            await self._write_queue(waiting)
        return waiting.verdicts

    async def _turn_of(self, waiting: _Waiting) -> None:
        """Wait until changes were written along, or it is their task's turn to write."""

        def leave(_: object) -> Abort:
            if waiting not in self._queue:
                return Abort.FAILED
            self._queue.remove(waiting)
            return Abort.SUCCEEDED

        await waiting.turn(leave)

    async def _write_queue(self, first: _Waiting) -> None:
        """Write all changes that wait, then let go on whose they are, and whoever is next.

        Args:
            first: of those that wait; its task does it.
        """
        self._is_writing = True
        taken, self._queue = self._queue, []
        try:
            await self._write_changes(taken)
        finally:
            if not first.verdicts:  # cancelled before it began
                self._queue[:0] = taken[1:]
            done = [waiting for waiting in taken[1:] if waiting.verdicts]
            self._is_writing = bool(self._queue)
            for waiting in done + self._queue[:1]:
                waiting.go_on()

    async def _write_changes(self, taken: Sequence[_Waiting]) -> None:
        """Write changes, or say of all that nobody knows (S7.4)."""
        changes = [change for waiting in taken for change in waiting.changes]
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
        start = 0
        for waiting in taken:
            end = start + len(waiting.changes)
            waiting.verdicts = verdicts[start:end]
            start = end
