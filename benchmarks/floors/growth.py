"""The floors of growth: what a heap and an indexed table cost by themselves for one of ever more entries."""

from __future__ import annotations

import heapq
import sqlite3
import time
from contextlib import closing
from pathlib import Path

BATCH = 1_000
SCATTER = 7_919
_FILL = """
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :n)
    INSERT INTO schedules SELECT i, 'once-' || i, printf('%.*c', 80, 'x'), 0, i * :scatter % :n FROM n
"""


def heap_us(n: int, runs: int) -> float:
    """Take the first of `n` entries and put it back later, so many times; return the processor's us each."""
    heap = [(number * SCATTER % n, number) for number in range(n)]
    heapq.heapify(heap)
    began = time.process_time()
    for _ in range(runs):
        at, key = heap[0]
        heapq.heapreplace(heap, (at + n, key))
    return (time.process_time() - began) / runs * 1e6


def file_us(path: Path, n: int, runs: int) -> float:
    """Move the first of `n` rows on, and keep a run of it, in batches; return the processor's us each."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(
            "CREATE TABLE schedules (key INTEGER PRIMARY KEY, name TEXT, definition TEXT, runs INTEGER, due_at INTEGER)"
        )
        connection.execute("CREATE INDEX due ON schedules (due_at) WHERE due_at IS NOT NULL")
        connection.execute("CREATE TABLE runs (id INTEGER PRIMARY KEY, key INTEGER, due_at INTEGER, state TEXT)")
        connection.execute(_FILL, {"n": n, "scatter": SCATTER})
        connection.execute("PRAGMA synchronous = FULL")
        began = time.process_time()
        for _ in range(0, runs, BATCH):
            _batch(connection, min(BATCH, runs))
        return (time.process_time() - began) / runs * 1e6


def _batch(connection: sqlite3.Connection, size: int) -> None:
    due = connection.execute(
        "SELECT key, due_at, name, definition FROM schedules WHERE due_at IS NOT NULL ORDER BY due_at LIMIT ?", (size,)
    ).fetchall()
    connection.execute("BEGIN IMMEDIATE")
    keys = [(row[0],) for row in due]
    connection.executemany("UPDATE schedules SET due_at = NULL, runs = runs + 1 WHERE key = ?", keys)
    connection.executemany("INSERT INTO runs (key, due_at, state) VALUES (?, ?, 'claimed')", [row[:2] for row in due])
    (last,) = connection.execute("SELECT max(id) FROM runs").fetchone()
    connection.execute("COMMIT")
    connection.execute("BEGIN IMMEDIATE")
    done = [(run_id,) for run_id in range(last - size + 1, last + 1)]
    connection.executemany("UPDATE runs SET state = 'succeeded' WHERE id = ?", done)
    connection.execute("COMMIT")
