"""What lies ahead of a clock that was set back: schedules decided beyond now, with their rows there (S3.3)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from trioarm.core.correcting import ROWS_MAX, Ahead
from trioarm.repositories.sqlite import questions
from trioarm.repositories.sqlite.rows import Records, Row

Found: TypeAlias = Sequence[tuple[Row, Sequence[Row]]]


def written(connection: sqlite3.Connection) -> tuple[int | None, str | None]:
    """Return the newest instant at which a node wrote to the file, and by which tz database; None when none did."""
    written_at, zone_data = connection.execute(questions.WRITTEN).fetchone()
    return written_at, zone_data


def read(connection: sqlite3.Connection, *, now: int, after: int, limit: int) -> Found:
    """Return rows of schedules that are decided beyond now, or whose runs wait beyond it, each with those runs."""
    schedules = connection.execute(questions.SCHEDULES_AHEAD, (now, after, now, after, limit)).fetchall()
    return [
        (row, connection.execute(questions.RUNS_AHEAD, (row[0], now, now, ROWS_MAX + 1)).fetchall())
        for row in schedules
    ]


def records(found: Found, made_by: Records, now: int) -> Iterator[Ahead]:
    """Make records of rows."""
    for row, runs in found:
        record = made_by.schedule(row)
        yield Ahead(record, made_by.runs(runs, {record.key: record}, now))
