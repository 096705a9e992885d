"""A SQLite repository whose process dies at one call of it: before it, after it, or with it just committed."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

import attrs

from tests.crash.marks import HELD, Act, Marks
from trioarm.core.changes import Change, Claim, Finished, Requeued, Started, Verdict
from trioarm.core.instants import EARLIEST
from trioarm.core.run import RunRecord
from trioarm.core.states import State
from trioarm.engine.leases import LEASE_S
from trioarm.engine.ports import DueView
from trioarm.links.threads import Thread
from trioarm.repositories.sqlite import SqliteScheduleRepository

T = TypeVar("T")


class Side(StrEnum):
    """On which side of a call a process dies."""

    BEFORE = "before"
    COMMITTED = "committed"  # it is done, and its thread has not told anybody
    AFTER = "after"


@attrs.frozen(slots=True)
class Death:
    """When a process kills itself.

    Args:
        act: at a call of that kind.
        number: at which of them, from 1.
        side: of the call.
    """

    act: Act
    number: int
    side: Side

    def __str__(self) -> str:
        return f"{self.side} {self.act.name.lower()} {self.number}"


def die() -> None:
    """End this process as SIGKILL does: nothing is flushed, closed or told."""
    os.kill(os.getpid(), signal.SIGKILL)


class _Dying(Thread):
    """A thread that dies with what it has just done, when that is the end that was asked for."""

    def __init__(self, is_last: Callable[[], bool]) -> None:
        super().__init__()
        self._is_last = is_last

    async def run(self, work: Callable[[], T], *, begun: threading.Event | None = None) -> T:
        """Carry a call out to its end, which may be that of the process."""
        return await super().run(lambda: self._to_the_end(work), begun=begun)

    def _to_the_end(self, work: Callable[[], T]) -> T:
        done = work()
        if self._is_last():
            die()
        return done


class Fragile(SqliteScheduleRepository):
    """A SQLite repository that marks what it does, counts its calls, and dies at one of them.

    Args:
        path: of the file.
        marks: where it says what it does.
        death: when it dies; None for never.
        lease_s: how long a lease lasts, in seconds.
    """

    def __init__(self, path: Path, marks: Marks, death: Death | None = None, lease_s: float = LEASE_S) -> None:
        super().__init__(path, thread=lambda: _Dying(lambda: self._dies_committed), lease_s=lease_s)
        self.counts: dict[Act, int] = dict.fromkeys(Act, 0)
        self._marks = marks
        self._death = death
        self._dies_committed = False

    @contextmanager
    def _call(self, act: Act) -> Iterator[None]:
        self.counts[act] += 1
        last = self._death is not None and self._death.act is act and self._death.number == self.counts[act]
        side = self._death.side if last and self._death is not None else None
        if side is Side.BEFORE:
            die()
        self._dies_committed = side is Side.COMMITTED
        with self._marks.doing(act):
            yield
        if side is not None:
            die()

    async def open(self) -> None:
        """Open the file."""
        with self._call(Act.OPEN):
            await super().open()

    async def join(self, node: str, *rest: int) -> None:
        """Let a node hold runs."""
        with self._call(Act.JOIN):
            await super().join(node, *rest)

    async def renew(self, node: str, now: int) -> bool:
        """Renew the lease of a node."""
        with self._call(Act.RENEW):
            return await super().renew(node, now)

    async def read_due(self, now: int, limit: int) -> DueView:
        """Return what is due."""
        with self._call(Act.READ):
            return await super().read_due(now, limit)

    async def read_ready(
        self, handlers: Collection[str], limit: int, aged_at: int = EARLIEST, closed: Collection[str] = ()
    ) -> list[RunRecord]:
        """Return what could start."""
        with self._call(Act.READ):
            return await super().read_ready(handlers, limit, aged_at, closed)

    async def commit(self, changes: Sequence[Change]) -> list[Verdict]:
        """Keep changes."""
        held = [run for change in changes for run in change.decided if run.state is State.CLAIMED]
        with self._call(act_of(changes)):
            verdicts = await super().commit(changes)
        if all(verdict is Verdict.DONE for verdict in verdicts):
            self._marks.add(HELD, len(held) + sum(_claims(change) for change in changes))
        return verdicts


def act_of(changes: Sequence[Change]) -> Act:
    """Return what a commit is for, by what counts most in it."""
    if any(change.decided for change in changes):
        return Act.DECIDE
    for change in changes:
        for step in change.steps:
            match step:
                case Claim():
                    return Act.CLAIM
                case Started():
                    return Act.START
                case Finished() | Requeued():
                    return Act.FINISH
    return Act.WRITE


def _claims(change: Change) -> int:
    """Return by how much a change makes the runs that are held more, or fewer."""
    claimed = sum(isinstance(step, Claim) for step in change.steps)
    ended = sum(isinstance(step, Finished | Requeued) and step.run.token > 0 for step in change.steps)
    return claimed - ended


def on_the_disk(path: Path, statement: str, *values: object) -> list[tuple[object, ...]]:
    """Ask a file itself, by its own connection."""
    connection = sqlite3.connect(path)
    try:
        return connection.execute(statement, values).fetchall()
    finally:
        connection.close()
