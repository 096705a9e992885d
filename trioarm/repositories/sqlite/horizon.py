"""The horizon: the due index of a store, for as far ahead as memory allows (S9.3).

The file holds what is due in order, for all time. What comes due next is also here, in a heap, so that looking costs
no thread and a node's memory does not grow with what is stored. Beyond the horizon only the first instant is known.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Final

import attrs

from trioarm.core.changes import AddSchedules
from trioarm.core.due_index import DueIndex
from trioarm.core.record import ScheduleRecord
from trioarm.core.run import RunRecord
from trioarm.core.states import State
from trioarm.repositories.sqlite import questions
from trioarm.repositories.sqlite.rows import Row

HORIZON_S: Final = 3_600.0  # how far ahead due entries are in memory
ENTRIES_MAX: Final = 10_000  # due entries in memory: another process's change has them read anew, which must stay cheap


@attrs.frozen(slots=True)
class Loaded:
    """What a look at the file found: due entries up to an instant, and when the first one comes after it."""

    schedules: list[tuple[int, int, int]]
    runs: list[Row]
    until_at: int
    beyond_at: int | None


def load(connection: sqlite3.Connection, now: int, until_at: int) -> Loaded:
    """Read what is due until an instant, or less when that is more than memory is meant to hold."""
    most = ENTRIES_MAX + 1
    schedules = connection.execute(questions.DUE_SCHEDULES, (until_at, most)).fetchall()
    timed = connection.execute(questions.TIMED_RUNS, (now, until_at, most)).fetchall()
    waiting = connection.execute(questions.WAITING_RUNS, (now, until_at, most)).fetchall()
    for rows in (schedules, timed, waiting):
        if len(rows) == most:
            until_at = min(until_at, rows.pop()[0] - 1)
    return Loaded(schedules, timed + waiting, until_at, _beyond(connection, until_at))


def _beyond(connection: sqlite3.Connection, until_at: int) -> int | None:
    firsts = (questions.FIRST_BEYOND, questions.FIRST_RUN_BEYOND, questions.FIRST_GIVE_UP_BEYOND)
    found = [connection.execute(first, (until_at,)).fetchone()[0] for first in firsts]
    return min((at for at in found if at is not None), default=None)


class Horizon:
    """Due entries up to an instant: a schedule has its key, a run the complement of its number."""

    def __init__(self) -> None:
        self._index = DueIndex()
        self._until_at = 0
        self._beyond_at: int | None = None

    def __len__(self) -> int:
        """Return how many entries are in memory."""
        return len(self._index)

    @property
    def next_due_at(self) -> int | None:
        """The earliest instant at which anything stored is due; None when nothing will be."""
        due_at = self._index.next_due_at
        if due_at is None or (self._beyond_at is not None and self._beyond_at < due_at):
            return self._beyond_at
        return due_at

    def replace(self, loaded: Loaded) -> None:
        """Hold what was read, and nothing else."""
        self._index = index = DueIndex(loaded.schedules)
        for due_at, run_id in loaded.runs:
            index.put(~run_id, due_at)
        self._until_at, self._beyond_at = loaded.until_at, loaded.beyond_at

    def due(self, now: int, limit: int) -> list[int] | None:
        """Return up to `limit` keys that are due, in order; None when the file has to be looked at first."""
        keys = self._index.due(now, limit)
        if len(keys) < limit and self._beyond_at is not None and self._beyond_at <= now:
            return None
        return keys

    def further(self, now: int, limit: int) -> list[int]:
        """Return up to `limit` more keys that are due, as far as they are in memory."""
        return self._index.further(now, limit)

    def put_schedule(self, record: ScheduleRecord) -> None:
        """Note when a schedule is due, if time alone makes it so."""
        self._put(record.key, None if record.removed else record.wakes_at, -record.schedule.priority)

    def put_new(self, keys: Iterable[int], step: AddSchedules) -> None:
        """Note when schedules are due that were put for the first time."""
        for key, schedule, due_at in zip(keys, step.schedules, step.next_due_ats, strict=True):
            self._put(key, due_at if schedule.enabled else None, -schedule.priority)

    def put_run(self, run: RunRecord, now: int) -> None:
        """Note when a run may start, or gives up waiting for something else than time."""
        at = None
        if run.state is State.PENDING:
            at = run.due_at if run.due_at > now else run.give_up_at
        self._put(~run.run_id, at, -run.schedule.schedule.priority)

    def discard(self, key: int) -> None:
        """Forget an entry."""
        self._index.discard(key)

    def _look_less_far(self) -> None:
        """Forget what comes last. What was read may reach beyond its end already: that end stays where it is."""
        forgotten_at = self._index.shorten(ENTRIES_MAX)
        self._beyond_at = forgotten_at if self._beyond_at is None else min(self._beyond_at, forgotten_at)
        self._until_at = min(self._until_at, self._beyond_at - 1)

    def _put(self, key: int, at: int | None, rank: int) -> None:
        if at is not None and at <= self._until_at:
            self._index.put(key, at, rank)
            if len(self._index) > 2 * ENTRIES_MAX:
                self._look_less_far()
            return
        self._index.discard(key)
        if at is not None and (self._beyond_at is None or at < self._beyond_at):
            self._beyond_at = at
