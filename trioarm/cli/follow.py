"""Following runs: each is told of when it is decided, when it begins, and when it ends, whichever process does it."""

from __future__ import annotations

import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, TypeAlias

import attrs
import trio

from trioarm.cli.outcomes import style_of, told
from trioarm.cli.planned import current_instant
from trioarm.cli.stored import News, Rows
from trioarm.cli.terminal import paint, say, say_json
from trioarm.cli.wording import wall
from trioarm.core.codec import run_to_json
from trioarm.core.instants import as_datetime
from trioarm.core.queries import PAGE_MAX, RunQuery
from trioarm.core.run import Run, RunRecord
from trioarm.core.states import ACTIVE, State
from trioarm.engine.ports import ScheduleRepository

UNFINISHED_MAX: Final = 10_000  # runs waited for at once; of more than that, those decided first are told of

Mark: TypeAlias = tuple[State, int]  # what makes a run worth telling of again: its state, and its attempt


class Follower:
    """Tells of runs from now on.

    Args:
        repository: where they are kept.
        query: which runs, in whatever state.
        keeps: whether a run is told of in the state it is in.
        json: for programs.
        news: says when to look.
    """

    def __init__(
        self,
        repository: ScheduleRepository,
        query: RunQuery,
        keeps: Callable[[RunRecord], bool],
        news: News,
        *,
        json: bool,
    ) -> None:
        self._repository = repository
        self._query = attrs.evolve(query, states=None, descending=False, after=None, limit=PAGE_MAX)
        self._keeps = keeps
        self._news = news
        self._json = json
        self._last = 0
        self._unfinished: dict[int, Mark] = {}

    def note(self, record: RunRecord) -> None:
        """Take a run for told."""
        self._last = max(self._last, record.run_id)
        if record.unfinished:
            self._unfinished[record.run_id] = (record.state, record.attempt)
        else:
            self._unfinished.pop(record.run_id, None)

    async def begin(self) -> None:
        """Take everything that is kept for told."""
        for record in (await self._repository.find_runs(attrs.evolve(self._query, descending=True, limit=1))).rows:
            self.note(record)
        for record in (await self._active()).values():
            self.note(record)

    async def run(self) -> None:
        """Tell of what happens until cancelled.

        Cancellation: at any checkpoint.
        """
        while True:
            await self._look()
            sys.stdout.flush()
            await self._news.wait()

    async def _look(self) -> None:
        found = await self._active()
        for run_id in [run_id for run_id in self._unfinished if run_id not in found]:
            ended = await self._repository.get_run(run_id)
            if ended is None:
                del self._unfinished[run_id]  # it is no longer kept
            else:
                found[run_id] = ended
        found |= {record.run_id: record for record in await self._fresh()}
        for _, record in sorted(found.items()):
            if self._is_news(record):
                self._tell(record)

    def _is_news(self, record: RunRecord) -> bool:
        told_of = self._unfinished.get(record.run_id)
        if record.unfinished:
            return told_of != (record.state, record.attempt)
        return told_of is not None or record.run_id > self._last

    async def _active(self) -> dict[int, RunRecord]:
        query = attrs.evolve(self._query, states=ACTIVE)
        found: dict[int, RunRecord] = {}
        async for record in Rows(lambda after: self._repository.find_runs(attrs.evolve(query, after=after))):
            found[record.run_id] = record
            if len(found) == UNFINISHED_MAX:
                break
        return found

    async def _fresh(self) -> list[RunRecord]:
        """Return the runs decided since the last look."""
        query = attrs.evolve(self._query, descending=True)
        found: list[RunRecord] = []
        async for record in Rows(lambda after: self._repository.find_runs(attrs.evolve(query, after=after))):
            if record.run_id <= self._last:
                break
            found.append(record)
        return found

    def _tell(self, record: RunRecord) -> None:
        self.note(record)
        if not self._keeps(record):
            return
        run = Run.of(record)
        if self._json:
            say_json(run_to_json(run))
            return
        at = run.finished_at or (run.started_at if run.state is State.RUNNING else None)
        style = style_of(run)
        line = f"{wall(at or as_datetime(current_instant()))}  {run.schedule}  {told(run)}"
        say(line if style is None else paint(line, style, sys.stdout))


@asynccontextmanager
async def follower(
    repository: ScheduleRepository, query: RunQuery, keeps: Callable[[RunRecord], bool], *, json: bool
) -> AsyncIterator[Follower]:
    """Yield a follower that has missed nothing from now on; SIGINT (Ctrl+C) and SIGTERM end the context."""
    news = News(repository)
    following = Follower(repository, query, keeps, news, json=json)
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:
            await nursery.start(news.listen)
            nursery.start_soon(_end_with, signals, nursery.cancel_scope)
            await following.begin()
            yield following
            nursery.cancel_scope.cancel()


async def _end_with(signals: AsyncIterator[int], scope: trio.CancelScope) -> None:
    async for _ in signals:
        scope.cancel()
