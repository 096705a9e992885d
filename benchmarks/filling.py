"""A store filled by statements: a million schedules in seconds, where only what is done with them is measured."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

import trio

from trioarm.repositories.sqlite import SqliteScheduleRepository

LATER_S: Final = 7_200  # until what is not due is due: beyond the horizon
SCATTER: Final = 7_919  # a prime, so that neighbours are not due one after the other
WITHIN_S: Final = 60  # before now, so long ago the oldest of what is due came due

_ROWS: Final = """
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :n),
    rows(i, name, at) AS (SELECT i, printf('once-%08d', i), CASE WHEN i % (:n / :due) = 0 AND i / (:n / :due) <= :due
        THEN :now - 1 - i * :scatter % :within ELSE :now + :later + i * :scatter % :n END FROM n)
"""
_SCHEDULES: Final = """
    INSERT INTO schedules (key, name, definition, handler, supersede)
    SELECT i, name, '{"name":"' || name || '","handler":"' || :handler || '","once":"'
        || strftime('%Y-%m-%dT%H:%M:%SZ', at, 'unixepoch') || '"}', :handler, 0 FROM rows
"""
_CURSORS: Final = """
    INSERT INTO cursors (key, revision, cursor_at, next_due_at, wake_at, rank, anchor_at, runs, state)
    SELECT i, 1, at * 1000000 - 1, at * 1000000, at * 1000000, -5, at * 1000000 - 1, 0, 'active' FROM rows
"""
_HISTORY: Final = """
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :runs)
    INSERT INTO runs (id, key, nominal_at, origin, due_at, decided_at, state, attempt, token, node, started_at,
        finished_at, handler, rank)
    SELECT i, 1 + i % :n, (:now - 86400) * 1000000 + i, 'schedule', (:now - 86400) * 1000000 + i, :now, 'succeeded', 1,
        1, 'node', :now, :now, :handler, -5 FROM n
"""


def fill(path: Path, n: int, *, due: int, now_s: int, handler: str = "call", runs: int = 0) -> None:
    """Make a store of `n` one-shot schedules, some of them due, spread evenly over the others.

    Args:
        due: how many are due; the others are in two hours and more.
        now_s: the time, in seconds since 1970 UTC.
        runs: how many runs that succeeded a day ago are kept.
    """
    trio.run(_make, path)
    values = {"n": n, "due": due, "now": now_s, "later": LATER_S, "handler": handler, "runs": runs}
    values |= {"scatter": SCATTER, "within": WITHIN_S}
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA journal_mode = OFF")  # it is not yet worth anything, and ten times as large as a log
        connection.execute("PRAGMA cache_size = -262144")
        connection.execute("BEGIN")
        connection.execute(_ROWS + _SCHEDULES, values)
        connection.execute(_ROWS + _CURSORS, values)
        if runs:
            connection.execute(_HISTORY, values)
            connection.execute("UPDATE store SET last_run_id = ?", (runs,))
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode = WAL")


async def _make(path: Path) -> None:
    repository = SqliteScheduleRepository(path)
    await repository.open()
    await repository.close()
