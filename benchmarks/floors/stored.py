"""The floor of adding schedules to a file: a row each, under a unique name, in the order of their next occurrence too.

In batches, each on the disk before the next; the text of a definition is made, as it has to be.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

BATCH = 1_000
SCATTER, PERIOD = 7_919, 86_400
SCHEDULES = (
    "CREATE TABLE schedules (key INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, definition TEXT, cursor_at INTEGER, "
    "next_due_at INTEGER, runs INTEGER)"
)
DUE = "CREATE INDEX due ON schedules (next_due_at) WHERE next_due_at IS NOT NULL"
DEFINITION = '{"name":"daily-%d","handler":"log","cron":"%d %d * * *","timezone":"UTC"}'


def add(n: int, path: Path) -> float:
    """Keep `n` schedules; return the seconds from the first to the last on the disk."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(SCHEDULES)
        connection.execute(DUE)
        began = time.perf_counter()
        for start in range(0, n, BATCH):
            rows = [_row(key) for key in range(start, min(start + BATCH, n))]
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO schedules VALUES (?, ?, ?, 0, ?, 0)", rows)
            connection.execute("COMMIT")
        elapsed_s = time.perf_counter() - began
        (kept,) = connection.execute("SELECT count(*) FROM schedules").fetchone()
    if kept != n:
        raise RuntimeError("the floor lost a schedule")
    return elapsed_s


def _row(key: int) -> tuple[int, str, str, int]:
    return key, f"daily-{key}", DEFINITION % (key, key % 60, key // 60 % 24), key * SCATTER % PERIOD
