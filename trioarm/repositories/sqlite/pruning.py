"""Pruning: what retention lets a store forget, found by who reads and taken away in short transactions (S9.1).

Nobody who writes is kept waiting for a search: it is made on the reading connection. What is taken away is so little at
a time that a commit of this or another process comes in between.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Any, Final, Protocol, TypeAlias

import attrs
import trio

from trioarm.core.failing import looked_at
from trioarm.core.queries import Kept, Retention
from trioarm.repositories.sqlite import questions, statements
from trioarm.repositories.sqlite.surplus import KEYS, Surplus, keys_after, surplus_of

ROWS: Final = 250  # taken away in one transaction, where they lie together
ROWS_MIN: Final = 20  # where each lies in pages of its own, or the disk is slow
HELD_S: Final = 0.02  # what a transaction may take before the next one is smaller: S9.1 allows others to wait 0.05 s
LOOKED_AT: Final = 50_000  # runs in one question: it takes some milliseconds, and others have questions, too

Values: TypeAlias = "Sequence[object] | dict[str, object]"


class Asks(Protocol):
    """Carries out work on a connection."""

    def __call__(self, work: Callable[[sqlite3.Connection], Any], /) -> Awaitable[Any]:
        """Return what it returned."""


@attrs.define(slots=True, eq=False)
class Forgettable:
    """What may be forgotten: numbers of runs, keys of schedules that are over, the beginning of a journal.

    Args:
        removed: keys of schedules that are removed, and that no run points to.
        journal: its name, or None.
        entries: how many.
        upto: the number of the last of them.
    """

    runs: list[int]
    schedules: list[int]
    removed: list[int]
    journal: str | None
    entries: int = 0
    upto: int = 0

    @property
    def count(self) -> int:
        """How many rows they are that somebody could see."""
        return len(self.runs) + len(self.schedules) + self.entries


class Pruning:
    """Forgets.

    Args:
        read: carries out work that reads, and keeps no writer waiting.
        write: carries out work in a transaction.
        dropped: told of schedules that are gone.
    """

    def __init__(self, read: Asks, write: Asks, dropped: Callable[[Iterable[int]], None]) -> None:
        self._read = read
        self._write = write
        self._dropped = dropped
        self._rows = ROWS_MIN  # of the next transaction
        self._begin(None)

    def _begin(self, retention: Retention | None) -> None:
        """Begin a round: all that is kept is looked at once, however many calls it takes to forget what is found."""
        self._retention = retention
        self._looked_upto = 0  # runs up to this number are not too old: what ends from now on is no older
        self._surplus: list[Surplus] | None = None  # what is left of it; None before it was looked for

    async def forget(self, retention: Retention) -> int:
        """Forget up to `retention.limit` rows that may be forgotten, and return how many were.

        Raises:
            RepositoryError: not all of it was forgotten.

        Cancellation: between two transactions; what was forgotten is.
        """
        runs = await self._runs(retention)
        found: Forgettable = await self._read(partial(_search, retention, runs))
        start, end = 0, max(len(found.runs), len(found.schedules), len(found.removed))
        while start < end:
            some = slice(start, start + self._rows)
            await self._forget_some(found, some)
            start = some.stop
        upto = found.upto - found.entries
        while upto < found.upto:
            upto = min(upto + self._rows, found.upto)
            await self._shortly(partial(_forget_entries, found.journal, upto))
        if found.runs:
            await self._shortly(_forget_spans)
        if not found.count:
            self._begin(None)
        return found.count

    async def _forget_some(self, found: Forgettable, some: slice) -> None:
        work = partial(_forget, found.runs[some], found.schedules[some], found.removed[some])
        self._dropped(await self._shortly(work))

    async def _shortly(self, work: Callable[[sqlite3.Connection], Any]) -> Any:
        """Carry out work in a transaction, then leave the file to others for as long as that took.

        How much the next one does depends on that as well: rows that lie together are quickly taken away; of those
        that lie apart, each has some pages of its own to write.
        """
        began = trio.current_time()
        done = await self._write(work)
        took_s = trio.current_time() - began
        if took_s > HELD_S:
            self._rows = max(self._rows // 2, ROWS_MIN)
        elif took_s < HELD_S / 2:
            self._rows = min(self._rows * 2, ROWS)
        await trio.sleep(took_s)
        return done

    async def _runs(self, retention: Retention) -> list[int]:
        """Find up to `retention.limit` runs that may be forgotten: those too old, and once there are none, too many."""
        if retention != self._retention:
            self._begin(retention)
        runs = await self._old(retention)
        if runs:
            return runs
        if self._surplus is None:
            self._surplus = await self._look_for_surplus(retention.kept)
        while self._surplus and len(runs) < retention.limit:
            wanted = retention.limit - len(runs)
            some: list[int] = await self._read(partial(self._surplus[-1].take, wanted))
            runs += await self._read(partial(_telling_nothing, some))
            if len(some) < wanted:
                self._surplus.pop()
        return sorted(runs)

    async def _old(self, retention: Retention) -> list[int]:
        """Find those that are too old, each question going on where the one before came to."""
        befores = {state.value: kept.before for kept in retention.kept for state in kept.states}
        found: list[int] = []
        (last,) = await self._read(lambda connection: connection.execute(questions.LAST_RUN).fetchone())
        while last is not None and self._looked_upto < last and len(found) < retention.limit:
            upto, limit = min(last, self._looked_upto + LOOKED_AT), retention.limit - len(found)
            values = {**befores, "after": self._looked_upto, "upto": upto, "limit": limit}
            some: list[int] = await self._read(partial(_numbers, statement=statements.OLD, values=values))
            found += await self._read(partial(_telling_nothing, some))
            self._looked_upto = upto if len(some) < limit else some[-1]
        return found

    async def _look_for_surplus(self, rules: Sequence[Kept]) -> list[Surplus]:
        found: list[Surplus] = []
        keys: list[int] = await self._read(partial(keys_after, 0))
        while keys:
            for kept in rules:
                found += await self._read(partial(surplus_of, keys, kept))
            keys = await self._read(partial(keys_after, keys[-1])) if len(keys) == KEYS else []
        return found


def _search(retention: Retention, runs: list[int], connection: sqlite3.Connection) -> Forgettable:
    """Find what else may be forgotten, as far as the limit allows."""
    left = retention.limit - len(runs)
    over = _numbers(connection, statements.OVER, (retention.schedules_before, left)) if left else []
    removed = _numbers(connection, statements.REMOVED, (retention.limit,))
    found = Forgettable(runs, over, removed, retention.journal)
    if retention.journal is not None and left > len(over):
        _search_journal(retention, left - len(over), found, connection)
    return found


def _numbers(connection: sqlite3.Connection, statement: str, values: Values) -> list[int]:
    return [number for (number,) in connection.execute(statement, values)]


def _telling_nothing(runs: Sequence[int], connection: sqlite3.Connection) -> list[int]:
    """Return those of these runs that do not tell whether their schedule keeps failing, and is to be paused (S5.9)."""
    telling: set[int] = set()
    for key, most in connection.execute(statements.PAUSING, (json.dumps(runs),)).fetchall():
        telling.update(_numbers(connection, statements.LAST_ENDED, (key, looked_at(most))))
    return [run_id for run_id in runs if run_id not in telling]


def _search_journal(retention: Retention, left: int, found: Forgettable, connection: sqlite3.Connection) -> None:
    """Find the beginning of a journal that may be forgotten; its last entry stays."""
    first, last = connection.execute(statements.JOURNAL_ENDS, (retention.journal,)).fetchone()
    if first is None:
        return
    young = connection.execute(statements.FIRST_YOUNG, (retention.journal, retention.runs_before)).fetchone()
    upto = max(last - retention.journal_max, last if young is None else young[0] - 1)
    found.upto = min(upto, last - 1, first - 1 + left)
    found.entries = max(0, found.upto + 1 - first)


def _forget(
    runs: Sequence[int], over: Sequence[int], removed: Sequence[int], connection: sqlite3.Connection
) -> list[int]:
    """Forget runs, schedules, and removed schedules that no run points to; return which schedules are over."""
    keys = {*_numbers(connection, statements.KEYS_OF_RUNS, (json.dumps(runs),)), *removed}
    connection.execute(statements.FORGET_RUNS, (json.dumps(runs),))
    dropped = _numbers(connection, statements.DROP, (json.dumps(over),))
    keys.update(dropped)
    connection.execute(statements.FORGET_SCHEDULES, (json.dumps([*keys]),))
    return dropped


def _forget_spans(connection: sqlite3.Connection) -> None:
    connection.execute(statements.FORGET_SPANS)


def _forget_entries(journal: str | None, upto: int, connection: sqlite3.Connection) -> None:
    connection.execute(statements.FORGET_ENTRIES, (journal, upto))
