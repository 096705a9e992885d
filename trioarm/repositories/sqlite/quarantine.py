"""Quarantine: rows that cannot be read are put out of the way together, kept as they are, and told of (S2.6).

However many there are, they cost a transaction for each look at the file, and a handful of lines: `trioarm store check`
names all of them.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

from trioarm.core.record import ScheduleRecord
from trioarm.core.run import RunRecord
from trioarm.core.states import Reason
from trioarm.repositories.sqlite import statements

NAMED_MAX: Final = 10  # rows that are named one by one; of more, a line says how many when they are ten times as many

_log = logging.getLogger("trioarm.store")


class Quarantine:
    """Puts rows out of the way.

    Args:
        write: carries out work in a transaction.
    """

    def __init__(self, write: Callable[[Callable[[sqlite3.Connection], object]], Awaitable[object]]) -> None:
        self._write = write
        self._rows = 0  # put here since this process opened the file
        self._tell_at = 10 * NAMED_MAX

    async def schedules(self, records: Sequence[ScheduleRecord]) -> None:
        """Let schedules that cannot be read be due no more.

        Raises:
            RepositoryError: nobody knows whether they are.
        """
        await self._write(
            partial(_quarantine, statements.QUARANTINE_SCHEDULE, [(one.trouble, one.key) for one in records])
        )
        for record in records:
            self._tell(f"schedule {record.schedule.name}", record.trouble)

    async def readable(self, runs: Sequence[RunRecord], now: int) -> list[RunRecord]:
        """Return runs without those that cannot be read, which end here: nobody knows what they were to do.

        Raises:
            RepositoryError: nobody knows whether they have ended.
        """
        bad = [run for run in runs if run.reason is Reason.UNREADABLE]
        if not bad:
            return list(runs)
        await self._write(
            partial(_quarantine, statements.QUARANTINE_RUN, [(one.error, now, one.run_id) for one in bad])
        )
        for run in bad:
            self._tell(f"run {run.run_id} of {run.schedule.schedule.name}", run.error)
        return [run for run in runs if run.reason is not Reason.UNREADABLE]

    def _tell(self, which: str, why: str | None) -> None:
        self._rows += 1
        if self._rows <= NAMED_MAX:
            _log.error("%s is quarantined: %s", which, why)
        elif self._rows == self._tell_at:
            self._tell_at *= 10
            _log.error("%d rows are quarantined by now, the last is %s: run `trioarm store check`", self._rows, which)


def _quarantine(statement: str, values: Sequence[tuple[object, ...]], connection: sqlite3.Connection) -> None:
    connection.executemany(statement, values)
