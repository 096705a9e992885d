"""Learning: rows that were asked for become records that are remembered; nonsense is put out of the way (S2.6)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from trioarm.core.record import ScheduleRecord
from trioarm.core.run import RunRecord
from trioarm.core.states import Reason
from trioarm.repositories.sqlite.quarantine import Quarantine
from trioarm.repositories.sqlite.recall import Recall
from trioarm.repositories.sqlite.rows import Records, Row, is_quarantined


class Learning:
    """Makes records of rows.

    Args:
        records: makes one.
        recall: remembers schedules, and is told of what is due no more.
        quarantine: takes what cannot be read.
    """

    def __init__(self, records: Records, recall: Recall, quarantine: Quarantine) -> None:
        self._records = records
        self._recall = recall
        self._quarantine = quarantine

    async def schedules(self, rows: Mapping[int, Row]) -> dict[int, ScheduleRecord]:
        """Return the records of rows of schedules, remembered from now on, and quarantine those that are nonsense.

        Raises:
            RepositoryError: nobody knows whether they are.
        """
        records: dict[int, ScheduleRecord] = {}
        bad: list[ScheduleRecord] = []
        for key, row in rows.items():
            record = self._recall.schedules.get(key) or self._records.schedule(row)
            records[key] = record
            if record.trouble is None:
                self._recall.remember(record)
            elif not is_quarantined(row):
                bad.append(record)
        if bad:
            await self._quarantine.schedules(bad)
            for record in bad:
                self._recall.horizon.discard(record.key)
        return records

    async def runs(self, rows: Iterable[Row], schedules: Mapping[int, ScheduleRecord]) -> list[RunRecord]:
        """Return the records of rows of runs, without those that are nonsense, which end here.

        Raises:
            RepositoryError: nobody knows whether they have ended.
        """
        runs = self._records.runs(rows, schedules, self._recall.now)
        readable = await self._quarantine.readable(runs, self._recall.now)
        if len(readable) < len(runs):
            for run in runs:
                if run.reason is Reason.UNREADABLE:
                    self._recall.horizon.discard(~run.run_id)
        return readable
