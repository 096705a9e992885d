"""The floor of durable dispatch: a heap, three statements per run in batches, each on the disk before the next.

Schedule update, run insert, run update: what a durable scheduler cannot leave out. No index, no questions, no handlers.
"""

from __future__ import annotations

import heapq
import random
import sqlite3
import time
from pathlib import Path

BATCH = 1_000
SCHEDULES = (
    "CREATE TABLE schedules (key INTEGER PRIMARY KEY, name TEXT, definition TEXT, cursor_at INTEGER, "
    "next_due_at INTEGER, runs INTEGER)"
)
RUNS = (
    "CREATE TABLE runs (id INTEGER PRIMARY KEY, key INTEGER, due_at INTEGER, state TEXT, token INTEGER, node TEXT, "
    "started_at INTEGER, finished_at INTEGER)"
)
DEFINITION = '{"name":"once-%d","handler":"call","once":"2026-11-25T03:00:00.000000Z"}'


def due_instants(n: int) -> list[int]:
    """Return an instant for each key, so that due order is random to key order."""
    instants = list(range(n))
    random.Random(1).shuffle(instants)
    return instants


def dispatch_due(n: int, path: Path) -> float:
    """Keep `n` runs of schedules that are due already; return the seconds from the first look to the last outcome."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(SCHEDULES)
    connection.execute(RUNS)
    instants = due_instants(n)
    connection.execute("BEGIN")
    rows = ((key, f"once-{key}", DEFINITION % key, 0, at, 0) for key, at in enumerate(instants))
    connection.executemany("INSERT INTO schedules VALUES (?, ?, ?, ?, ?, ?)", rows)
    connection.execute("COMMIT")
    due = [(at, key) for key, at in enumerate(instants)]
    began = time.perf_counter()
    heapq.heapify(due)
    done = 0
    while due:
        batch = [heapq.heappop(due) for _ in range(min(BATCH, len(due)))]
        _decide(connection, batch, done)
        _finish(connection, batch, done)
        done += len(batch)
    elapsed_s = time.perf_counter() - began
    (kept,) = connection.execute("SELECT count(*) FROM runs WHERE state = 'succeeded'").fetchone()
    connection.close()
    if kept != n:
        raise RuntimeError("the floor lost a run")
    return elapsed_s


def _decide(connection: sqlite3.Connection, batch: list[tuple[int, int]], first: int) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(
        "UPDATE schedules SET cursor_at = ?, next_due_at = NULL, runs = runs + 1 WHERE key = ? AND cursor_at = 0", batch
    )
    connection.executemany(
        "INSERT INTO runs VALUES (?, ?, ?, 'claimed', 1, 'node', NULL, NULL)",
        [(first + number, key, at) for number, (at, key) in enumerate(batch)],
    )
    connection.execute("COMMIT")


def _finish(connection: sqlite3.Connection, batch: list[tuple[int, int]], first: int) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(
        "UPDATE runs SET state = 'succeeded', started_at = ?, finished_at = ? WHERE id = ? AND token = 1",
        [(at, at, first + number) for number, (at, _) in enumerate(batch)],
    )
    connection.execute("COMMIT")
