"""A file that goes wrong under a living node: one line, health says so, and all goes on once it is well (S7.5)."""

from __future__ import annotations

import logging
import os
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import attrs
import pytest
import trio

from tests.crash.torture import kept
from tests.repositories.test_sqlite_trouble import small_disk
from tests.world import decided_instants
from trioarm import Every, RunContext, Schedule, Scheduler, SchedulerConfig, State, open_scheduler, scheduler_components
from trioarm.config import SchedulerSettings
from trioarm.core.errors import RepositoryError
from trioarm.core.events import RunFinished
from trioarm.engine.ports import ScheduleRepository
from trioarm.repositories.sqlite import SqliteScheduleRepository

__all__ = ["small_disk"]

PATIENCE_S = 0.05  # for another program that holds the file
DEADLINE_S = 20.0
LAST = 3  # beats that show that all goes on


class Lines(logging.Handler):
    """What a node says of its store, and an event for whoever waits for more."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []
        self._news = trio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self.texts.append(record.getMessage())
        self._news.set()

    async def with_text(self, text: str) -> str:
        """Return the first line with a text, once there is one."""
        with trio.fail_after(DEADLINE_S):
            while not (found := [line for line in self.texts if text in line]):
                self._news = trio.Event()
                await self._news.wait()
        return found[0]


@attrs.define(slots=True)
class Living:
    """A node on a file.

    Args:
        path: of the file.
        scheduler: the node.
        said: its warnings and errors.
        long: set to let the long run end.
    """

    path: Path
    scheduler: Scheduler
    said: Lines
    long: trio.Event

    async def beats(self, count: int) -> None:
        """Wait until so many more beats have succeeded."""
        with trio.fail_after(DEADLINE_S), self.scheduler.subscribe(RunFinished) as events:
            while count:
                event = await anext(aiter(events))
                count -= event.run.schedule == "beat" and event.run.state is State.SUCCEEDED

    async def is_unwell(self) -> str:
        """Return why the repository is unwell; it must be."""
        health = {item.component: item.reasons for item in (await self.scheduler.health()).components}
        assert health["repository"]
        return health["repository"][0]

    async def is_well(self) -> None:
        """Assert that it is well, and that what comes due is carried out."""
        await self.beats(LAST)
        assert (await self.scheduler.health()).level == "healthy"


@asynccontextmanager
async def living(path: Path) -> AsyncIterator[Living]:
    """Run a node with a beat and a long run on a file. Afterwards every instant has one decision."""
    said, long = Lines(), trio.Event()

    async def beat(run: RunContext) -> None:
        await trio.lowlevel.checkpoint()

    async def last(run: RunContext) -> str:
        await long.wait()
        return "done"

    config = SchedulerConfig(scheduler=SchedulerSettings(store=f"sqlite:///{path}", health_check_interval_s=3600.0))
    container = scheduler_components(config, {"beat": beat, "last": last})
    container.override(ScheduleRepository, lambda _: SqliteScheduleRepository(path, patience_s=PATIENCE_S))
    logger = logging.getLogger("trioarm")
    logger.addHandler(said)
    try:
        async with open_scheduler(container=container) as scheduler:
            await scheduler.schedules.put(Schedule("beat", Every(0.05), handler="beat"))
            await scheduler.schedules.put(Schedule("long", Every(3600.0), handler="last"))
            fired = await scheduler.runs.fire("long")
            node = Living(path, scheduler, said, long)
            await node.beats(1)
            yield node
            long.set()
            assert (await scheduler.runs.wait(fired.id)).result == "done"
            await scheduler.schedules.pause("beat")
    finally:
        logger.removeHandler(said)
    rows, records = await kept(path, "beat")
    [record] = records
    decided = decided_instants(rows)
    assert len(set(decided)) == len(decided) == record.trigger.count(record.anchor_at, record.cursor_at)


async def test_another_program_holds_it_for_too_long(tmp_path: Path) -> None:
    """While it is locked nothing new begins, what runs goes on, and one line says what to do."""
    async with living(tmp_path / "trioarm.db") as node:
        with closing(sqlite3.connect(node.path, isolation_level=None)) as holder:
            holder.execute("BEGIN EXCLUSIVE")
            await node.said.with_text("is locked by another program: end it, then try again")
            assert "is locked" in await node.is_unwell()
            with pytest.raises(RepositoryError):
                await node.scheduler.schedules.put(Schedule("new", Every(60.0), handler="beat"))
            holder.execute("ROLLBACK")
        await node.is_well()
        assert len([text for text in node.said.texts if "is locked" in text]) <= 2  # of the store, and of the engine


_HOLDER = """
import os, signal, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
connection.execute("BEGIN IMMEDIATE")
connection.execute("UPDATE schedules SET trouble = 'mine' WHERE name = 'beat'")
os.kill(os.getpid(), signal.SIGSTOP)
connection.execute("ROLLBACK")
"""


@pytest.mark.parametrize("how", [signal.SIGCONT, signal.SIGKILL])
async def test_a_process_is_halted_in_a_transaction(tmp_path: Path, how: signal.Signals) -> None:
    """It keeps the file locked for all others: one line says who it is, and once it goes on, or is killed, all goes on
    without anybody's help; nothing of its transaction is kept."""
    async with living(tmp_path / "trioarm.db") as node:
        holder = await trio.lowlevel.open_process([sys.executable, "-c", _HOLDER, str(node.path)])
        try:
            line = await node.said.with_text("is locked by another program: end it, then try again")
            if sys.platform == "linux":  # the only system that tells
                assert f"(process {holder.pid}, which is halted and keeps it until it goes on or is killed)" in line
            assert "is locked" in await node.is_unwell()
            holder.send_signal(how)
            await node.said.with_text("can be used again")
            await node.is_well()
        finally:
            holder.kill()
            with trio.CancelScope(shield=True):
                await holder.wait()
        assert len([text for text in node.said.texts if "is locked" in text]) <= 2  # of the store, and of the engine
        assert (await node.scheduler.schedules.get("beat")).state == "active"


async def test_its_disk_is_full(small_disk: Path) -> None:
    """On a full disk nothing new begins and one line says so; with room, the outcomes that waited are kept."""
    async with living(small_disk / "trioarm.db") as node:
        ballast = small_disk / "ballast"
        with pytest.raises(OSError, match="No space left"):
            ballast.write_bytes(bytes(4 * 1024 * 1024))
        await node.said.with_text("the disk is full: make room")
        assert "the disk is full" in await node.is_unwell()
        ballast.unlink()
        await node.is_well()


async def test_somebody_moves_it_away_and_back(tmp_path: Path) -> None:
    """While it is away nothing is written anywhere; when it is back, all goes on."""
    async with living(tmp_path / "trioarm.db") as node:
        elsewhere = tmp_path / "elsewhere"
        os.rename(node.path, elsewhere)
        await node.said.with_text("was removed or replaced while it was in use")
        assert "removed or replaced" in await node.is_unwell()
        assert "trioarm.db" not in os.listdir(tmp_path)
        os.rename(elsewhere, node.path)
        await node.is_well()
