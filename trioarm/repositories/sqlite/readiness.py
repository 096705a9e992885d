"""Readiness: which runs wait for nothing but a worker, and who holds what others need (S6.5, S6.6)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Final, Protocol, TypeVar

import attrs

from trioarm.core.run import RunRecord
from trioarm.repositories.sqlite import hot, questions
from trioarm.repositories.sqlite.learning import Learning
from trioarm.repositories.sqlite.recall import Recall

BAD_MAX: Final = 1_000  # runs looked at for more that cannot be read, once there is one

T = TypeVar("T")


class Asks(Protocol):
    """Carries out short work that reads."""

    async def __call__(self, work: Callable[[sqlite3.Connection], T], /) -> T:
        """Return what it returned."""


@attrs.frozen(slots=True)
class Found:
    """Runs that could start, in turn.

    Args:
        runs: those that can be read.
        some_unreadable: whether others stood before them.
    """

    runs: list[RunRecord]
    some_unreadable: bool


class Readiness:
    """Asks the file which runs could start.

    Args:
        ask: carries out work that reads.
        recall: what is remembered of runs, and of handlers that nothing is ready for.
        learning: makes records of rows.
    """

    def __init__(self, ask: Asks, recall: Recall, learning: Learning) -> None:
        self._ask = ask
        self._recall = recall
        self._learning = learning

    async def find(self, handlers: Collection[str], limit: int, aged_at: int, closed: Collection[str]) -> Found:
        """Return up to `limit` pending runs of these handlers that wait for nothing but a worker.

        Raises:
            RepositoryError: the file cannot be read.
        """
        recall = self._recall
        recall.none_ready(handlers)  # before asking: what is kept meanwhile counts
        asked = hot.Asked(handlers, recall.now, limit, aged_at, closed)
        ready, runs = await self._readable(asked)
        some_unreadable = len(runs) < len(ready.run_ids)
        if some_unreadable:
            await self._readable(attrs.evolve(asked, limit=BAD_MAX))
        if ready.run_ids or closed:  # or some wait for a resource
            recall.some_ready(handlers)
        return Found(runs, some_unreadable)

    async def held_needing(self, resources: Collection[str]) -> Mapping[str, int]:
        """Return how many claimed and running runs need each of these resources.

        Raises:
            RepositoryError: the file cannot be read.
        """
        asked = (json.dumps([*resources]),)
        return dict(await self._ask(lambda connection: connection.execute(questions.HELD_NEEDING, asked).fetchall()))

    async def _readable(self, asked: hot.Asked) -> tuple[hot.Ready, list[RunRecord]]:
        """Find runs that could start, put those that cannot be read out of the way, and return the others."""
        recall = self._recall
        ready = await self._read(asked)
        if any(recall.ready(run_id) is None for run_id in ready.run_ids) and not ready.found.runs:
            ready = await self._read(asked)  # another process committed since
        rows = ready.found
        read = await self._learning.runs(rows.runs, await self._learning.schedules(rows.schedules))
        found = {run.run_id: run for run in read}
        runs = (found.get(run_id) or recall.ready(run_id) for run_id in ready.run_ids)
        return ready, [run for run in runs if run is not None]

    async def _read(self, asked: hot.Asked) -> hot.Ready:
        return await self._ask(partial(hot.read_ready, asked=asked, known=self._recall.runs))
