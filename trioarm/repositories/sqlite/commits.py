"""Commits: what several tasks want kept at once shares a transaction, and so a write to the disk."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Final, Protocol, TypeAlias

import attrs
import trio
from trio.lowlevel import Abort

from trioarm.core.changes import DONE, REFUSED, Change, Verdict
from trioarm.core.errors import RepositoryError
from trioarm.repositories.sqlite.batching import Batch, batches
from trioarm.repositories.sqlite.statements import Statement
from trioarm.repositories.sqlite.writing import Kept, fit_one_statement, prepare, write_batches

Write: TypeAlias = "Callable[[Callable[[sqlite3.Connection], Sequence[Kept | None]]], Awaitable[Sequence[Kept | None]]]"


class WriteAtOnce(Protocol):
    """Carries out one statement as a transaction."""

    async def __call__(
        self, prepare: Callable[[sqlite3.Connection], tuple[Statement, Iterable[Kept]]], /, *, beside: bool
    ) -> Iterable[Kept] | None:
        """Return what was prepared beside the statement; None when it was refused."""


BESIDE: Final = 100  # lines: so many take the disk and SQLite about a millisecond


@attrs.define(slots=True, eq=False)
class _Waiting:
    """Changes that wait to be written, what became of them, and the task that waits for it."""

    changes: Sequence[Change]
    batches: Sequence[Batch]
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
        write_at_once: carries one statement out, beside the loop.
        kept: told of each change that was kept, before anybody learns of it.
        unsure: called when nobody knows what was kept.
    """

    def __init__(
        self,
        write: Write,
        write_at_once: WriteAtOnce,
        kept: Callable[[Change, Kept], None],
        unsure: Callable[[], None],
    ) -> None:
        self._write = write
        self._write_at_once = write_at_once
        self._kept = kept
        self._unsure = unsure
        self._queue: list[_Waiting] = []  # in order, without those that are being written
        self._is_writing = False
        self._written = self._settled = 0  # transactions that are over, and those of which it is known what they kept

    @property
    def is_settled(self) -> bool:
        """Whether what is known to be kept is all there is in the file."""
        return not self._is_writing and self._settled == self._written

    @trio.lowlevel.enable_ki_protection  # Ctrl-C comes while a task waits, and leaves no turn that nobody takes
    async def commit(self, changes: Sequence[Change]) -> list[Verdict]:
        """Keep each change that still fits, in order, and return what became of each.

        Cancellation: while it waits for its turn; then nothing was written. What another task writes along is written.
        """
        if not changes:
            return []
        waiting = _Waiting(changes, batches(changes))
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
        """Write all changes that wait, and let go on whose they are; whoever is next begins before that.

        Args:
            first: of those that wait; its task does it.
        """
        self._is_writing = True
        taken, self._queue = self._queue, []
        is_over = False
        try:
            kept = await self._write_changes(taken)
            is_over = True
        finally:
            if not is_over:  # cancelled before it began
                self._queue[:0] = taken[1:]
            self._is_writing = bool(self._queue)
            for following in self._queue[:1]:
                following.go_on()
        turn = self._written
        self._written += 1
        if self._queue:
            for _ in range(2):  # in one turn of the loop the next may come after this
                await trio.lowlevel.cancel_shielded_checkpoint()
        while turn != self._settled:
            await trio.lowlevel.cancel_shielded_checkpoint()
        try:
            self._settle(taken, kept)
        finally:
            self._settled += 1
            for waiting in taken[1:]:
                waiting.go_on()

    async def _write_changes(self, taken: Sequence[_Waiting]) -> Iterable[Kept | None] | None:
        """Write changes, and return what was made of each; None is refused. None for all where nobody knows (S7.4)."""
        some = [batch for waiting in taken for batch in waiting.batches]
        try:
            if fit_one_statement(some):
                beside = sum(len(batch) for batch in some) >= BESIDE
                kept = await self._write_at_once(partial(prepare, batches=some), beside=beside)
                if kept is not None:
                    return kept
            if len(taken) > 1:
                some = batches(change for waiting in taken for change in waiting.changes)
            return await self._write(partial(write_batches, batches=some))
        except RepositoryError:
            return None

    def _settle(self, taken: Iterable[_Waiting], kept: Iterable[Kept | None] | None) -> None:
        """Say what became of changes, after all who must know of what is kept."""
        if kept is None:
            self._unsure()
            for waiting in taken:
                waiting.verdicts = [Verdict.UNKNOWN] * len(waiting.changes)
            return
        made = iter(kept)
        for waiting in taken:
            for change in waiting.changes:
                one = next(made)
                if one is not None:
                    self._kept(change, one)
                waiting.verdicts.append(REFUSED if one is None else DONE)
