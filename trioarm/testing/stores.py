"""Stores of a virtual world: what is left when a node dies, and how long its lease lasts there."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol, TypeVar

import trio

from trioarm.core.instants import SECOND
from trioarm.core.states import State
from trioarm.engine.leases import LEASE_S
from trioarm.engine.ports import DueView, ScheduleRepository
from trioarm.links.threads import Thread
from trioarm.repositories.memory import InMemoryScheduleRepository
from trioarm.repositories.sqlite import SqliteScheduleRepository

HELD: Final = frozenset({State.CLAIMED, State.RUNNING})

T = TypeVar("T")


class Store(Protocol):
    """Where the nodes of a world keep what outlives them."""

    def open(self) -> ScheduleRepository:
        """Return a repository for one more node; it is not opened yet."""

    def bury(self, repository: ScheduleRepository, node: str) -> None:
        """Let go of what a killed process held: its locks are free, its lease runs on."""


class InlineThread(Thread):
    """Carries calls out where they are made: virtual time does not wait for a thread."""

    def __init__(self) -> None:
        super().__init__()
        self._turn = trio.Lock()

    async def run(self, work: Callable[[], T], *, begun: threading.Event | None = None) -> T:
        """Carry a call out to its end and return what it returned.

        Cancellation: before it begins.
        """
        async with self._turn:
            await trio.lowlevel.checkpoint()
            return work()

    async def run_or(self, interrupt: Callable[[], None], work: Callable[[], T]) -> T:
        """Carry a call out to its end; nothing can interrupt it."""
        return await self.run(work)


class VirtualBoot:
    """Counts leases in trio's time; the machine of a world is never started anew."""

    def now(self) -> int:
        """Return microseconds."""
        return round(trio.current_time() * SECOND)

    def boot(self) -> str:
        """Return the name of the only boot there is."""
        return "virtual"


class MemoryDisk:
    """A store for one node at a time, kept in memory, that outlives the nodes of a world: quick, and without a file.

    Args:
        leased: whether a node has to renew its lease every ten seconds, as on a file, and gives up what it runs when
            it cannot. Without, a year takes seconds: nobody else is there to take anything over.
    """

    def __init__(self, *, leased: bool = False) -> None:
        self._kept = _OutlivingRepository(leased)

    def open(self) -> ScheduleRepository:
        """Return the same repository to one node after the other."""
        return self._kept

    def bury(self, repository: ScheduleRepository, node: str) -> None:
        """Let the runs of a node be nobody's."""
        self._kept.gone.add(node)


class FileStore:
    """A real SQLite file, for as many nodes as there are. It works without threads.

    Its nodes renew their leases every ten seconds: an hour of virtual time takes about a second for each of them.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def open(self) -> ScheduleRepository:
        """Return a repository of its own for each node."""
        return SqliteScheduleRepository(self.path, thread=InlineThread, boot_clock=VirtualBoot())

    def bury(self, repository: ScheduleRepository, node: str) -> None:
        """Free the lock of a node, as the system does when its process ends."""
        if isinstance(repository, SqliteScheduleRepository):
            repository.abandon()


class _OutlivingRepository(InMemoryScheduleRepository):
    """Memory that knows which nodes are gone, so that what they held is carried on by the next."""

    def __init__(self, leased: bool) -> None:
        super().__init__()
        self.lease_s = LEASE_S if leased else None
        self.gone: set[str] = set()

    async def join(self, node: str, now: int) -> None:
        """Let a node hold runs."""
        self.gone.discard(node)

    async def renew(self, node: str, now: int) -> bool:
        """Return whether the node was not buried."""
        return node not in self.gone

    async def leave(self, node: str) -> None:
        """Let a node end."""
        self.gone.add(node)

    async def read_due(self, now: int, limit: int) -> DueView:
        """Return what is due, and the runs of nodes that are gone."""
        view = await super().read_due(now, limit)
        if self.gone:
            held = [run for run in await self.unfinished_runs() if run.state in HELD]
            view.lost.extend(run for run in held if run.node in self.gone)
        return view
