"""What is due: from memory where that is enough, else from the file, and when something will be next.

What could start, with nothing left to decide, is in `readiness`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Final

import trio

from trioarm.core.instants import LATEST, SECOND
from trioarm.core.planning import Group
from trioarm.core.record import ScheduleRecord
from trioarm.core.run import RunRecord
from trioarm.core.states import State
from trioarm.engine.ports import DueView
from trioarm.repositories.sqlite import hot
from trioarm.repositories.sqlite.horizon import load
from trioarm.repositories.sqlite.learning import Learning
from trioarm.repositories.sqlite.lookout import Lookout
from trioarm.repositories.sqlite.recall import Recall
from trioarm.repositories.sqlite.rows import Records
from trioarm.repositories.sqlite.sharing import SharedFile

SEEN_S: Final = 0.05  # for how long a look at the file counts; what another process decides meanwhile, it refuses
LOST_MAX: Final = 1_000  # runs of nodes that are gone handed out at once; the next look brings more


class DueEntries:
    """Finds what is due.

    Args:
        file: asked where memory is not enough.
        recall: what is remembered, and the horizon: what is due up to an instant.
        records: makes records of rows.
        learning: remembers those of schedules, and puts nonsense out of the way.
        lookout: for nodes that are gone: their runs are due.
        horizon_s: how far ahead the horizon reaches, in seconds.
        is_settled: whether what is remembered is all there is in the file, as far as this process has written it.
    """

    def __init__(
        self,
        file: SharedFile,
        recall: Recall,
        records: Records,
        learning: Learning,
        lookout: Lookout,
        horizon_s: float,
        is_settled: Callable[[], bool],
    ) -> None:
        self._file = file
        self._recall = recall
        self._records = records
        self._learning = learning
        self._lookout = lookout
        self.horizon_s = horizon_s
        self._is_settled = is_settled

    @property
    def next_at(self) -> int | None:
        """The earliest instant at which time alone makes something due; None when nothing will."""
        if self._recall.is_stale:
            return self._recall.now
        due_at, look_at = self._recall.horizon.next_due_at, self._lookout.next_look_at
        if due_at is None or look_at is None:
            return look_at if due_at is None else due_at
        return min(due_at, look_at)

    async def fill(self) -> None:
        """Have the horizon hold what comes first, however far away that is.

        Raises:
            RepositoryError: the file cannot be read.
        """
        await self._look_ahead(0, LATEST)

    async def read(self, now: int, limit: int) -> DueView:
        """Return up to `limit` due entries, and runs of nodes that are gone; without a thread when there are none.

        Raises:
            RepositoryError: the file cannot be read.
        """
        self._recall.now = now
        gone = await self._lookout.gone(now, self._file)
        keys = await self._keys(now, limit)
        if not keys and not gone:
            return DueView([], [], ())
        asked = self._in_doubt(keys)
        if not gone and not asked:
            return DueView(self._recall.singles(keys), [], ())
        age = self._recall.age
        due = await self._ask(asked, gone)
        if self._recall.is_stale:  # another process committed since: what is remembered was forgotten, so ask for all
            asked, age = keys, self._recall.age
            due = await self._ask(asked, gone)
        records = {key: record for key in keys if (record := self._recall.schedules.get(key)) is not None}
        records |= await self._learning.schedules(due.schedules)
        unfinished = await self._learning.runs(due.unfinished.values(), records)
        if self._is_settled():
            self._recall.learn_unfinished((key for key in asked if key >= 0 and key not in due.many), unfinished, age)
        view = DueView(self._recall.groups(keys, unfinished, records), [], due.busy_lanes)
        self._sort_runs(keys, due, records, view)
        view.lost += await self._learning.runs(due.lost, records)
        if gone and not due.lost:
            await self._lookout.forget(gone, self._file)
        elif gone:
            self._lookout.look_next()
        return view

    def further(self, now: int, limit: int) -> Collection[Group]:
        """Return up to `limit` more schedules that are due; none where the file would have to be asked for one."""
        keys = [] if self._recall.is_stale else self._recall.horizon.further(now, limit)
        return () if self._in_doubt(keys) else self._recall.singles(keys)

    async def _keys(self, now: int, limit: int) -> list[int]:
        """Return what the horizon says is due, read anew where it does not reach as far."""
        keys = None if self._recall.is_stale else self._recall.horizon.due(now, limit)
        if keys is None:
            await self._look_ahead(now, now + round(self.horizon_s * SECOND))
            keys = self._recall.horizon.due(now, limit) or []
        return keys

    async def _look_ahead(self, now: int, until_at: int) -> None:
        loaded = await self._file.ask(partial(load, now=now, until_at=until_at))
        self._recall.look_from(loaded)

    def _in_doubt(self, keys: list[int]) -> list[int]:
        """Return for which of these due keys the file has to be asked: for all, where it was not seen a moment ago."""
        return self._recall.in_doubt(keys) if trio.current_time() < self._file.seen_at + SEEN_S else keys

    async def _ask(self, keys: Sequence[int], gone: Sequence[str]) -> hot.Due:
        """Ask the file for what is due, but for the schedules that are remembered."""
        schedules = [key for key in keys if key >= 0]
        known = self._recall.schedules
        lanes = {
            record.schedule.lane
            for key in schedules
            if (record := known.get(key)) is not None and record.schedule.supersede and record.schedule.lane is not None
        }
        work = partial(
            hot.read_due,
            keys=schedules,
            unknown=[key for key in schedules if key not in known],
            lanes=lanes,
            run_ids=[~key for key in keys if key < 0],
            gone=gone,
            limit=LOST_MAX,
        )
        return await self._file.ask(work)

    def _sort_runs(
        self, keys: Iterable[int], due: hot.Due, records: Mapping[int, ScheduleRecord], view: DueView
    ) -> None:
        """Tell runs that have waited too long from those that wait for something else than time from now on."""
        now, horizon = self._recall.now, self._recall.horizon
        found = {~run.run_id: run for run in self._records.runs(due.runs, records, now)}
        for key in keys:
            if key >= 0:
                continue
            run = found.get(key)
            if run is None:
                horizon.discard(key)
            elif _has_waited_too_long(run, now):
                view.expired.append(run)
            else:
                horizon.put_run(run, now)
                self._recall.some_ready([run.schedule.schedule.handler])


def _has_waited_too_long(run: RunRecord, now: int) -> bool:
    return run.state is State.PENDING and run.due_at <= now and run.give_up_at is not None and run.give_up_at <= now
