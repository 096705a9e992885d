"""Hastening: runs that wait for a panel ask it once it is known to answer again, not when they had meant to.

That it answers is found out by whoever asks: a look, a person, a run of another partition. Another process that was
answered says so by what it keeps. Nothing is asked here, and nothing is awaited but news.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeAlias

import trio

from trioarm.arming.commanding.line import STEP_S, Line
from trioarm.arming.commanding.pursuit import Way
from trioarm.arming.compile import LANE
from trioarm.arming.model import HANDLER
from trioarm.core.errors import RepositoryError
from trioarm.core.instants import microseconds
from trioarm.core.run import RunRecord
from trioarm.engine.ports import Clock, ScheduleRepository

DAMPING_S: Final = 1.0  # between two looks at what others keep, however much they write

_log = logging.getLogger("trioarm.arming")

Hasten: TypeAlias = Callable[[RunRecord, int], Awaitable[bool]]


async def hastens_nothing(run: RunRecord, due_at: int) -> bool:
    """Let a run wait: what who has no engine does."""
    return False


class Hastening:
    """Lets runs that wait for a panel ask it as soon as it answers.

    Args:
        ways: how each partition is reached.
        repository: where runs are kept.
        clock: what time it is.
        hasten: lets a run that waits begin at an instant, and returns whether it does.
    """

    def __init__(self, ways: Mapping[str, Way], repository: ScheduleRepository, clock: Clock, hasten: Hasten) -> None:
        self._ways = ways
        self._repository = repository
        self._clock = clock
        self._hasten = hasten
        self._lines = list({way.line.name: way.line for way in ways.values()}.values())
        self._news = trio.Event()

    def doubt(self) -> None:
        """Look at what is kept: another process may have been answered."""
        if any(line.breaker.failed_at is not None for line in self._lines):
            self._news.set()

    async def listen(self) -> None:
        """Have runs ask whenever a panel answers again, until cancelled.

        What goes wrong here costs no more than the rest of a pause.
        """
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._heed_others)
            for line in self._lines:
                nursery.start_soon(self._heed, line)

    async def _heed(self, line: Line) -> None:
        while True:
            await line.returned.wait()
            line.returned = trio.Event()
            try:
                await self._hasten_all(line)
            except RepositoryError as error:
                _log.debug("%s: runs that wait for it are not looked at: %s", line.name, error)

    async def _hasten_all(self, line: Line) -> None:
        """Let all that wait for a panel ask it, a second apart: they take turns anyhow."""
        now, begun = self._clock.look(), 0
        for partition in line.partitions:
            for run in await self._repository.unfinished_runs(lane=LANE + partition):
                if run.schedule.schedule.handler == HANDLER:
                    begun += await self._hasten(run, now + begun * microseconds(STEP_S))
        if begun:
            _log.info("%s is asked now by runs that waited for it: %d", line.name, begun)

    async def _heed_others(self) -> None:
        while True:
            await self._news.wait()
            self._news = trio.Event()
            try:
                for line in self._lines:
                    await self._hear(line)
            except RepositoryError as error:
                _log.debug("what other processes heard of panels is looked at later: %s", error)
            await trio.sleep(DAMPING_S)

    async def _hear(self, line: Line) -> None:
        """Let a panel that is left alone count as back once another process has kept what it said since."""
        since = line.left_alone_since(self._clock.look())
        if since is None:
            return
        for partition in line.partitions:
            answered_at = await self._ways[partition].ledger.answered_at(partition)
            if answered_at is not None and answered_at > since:
                line.heard()
                return
