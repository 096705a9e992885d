"""The floor of keeping a history: one table, one index, a page of it by number, rows deleted 250 at a time."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

PAGE = 100
ROWS = 250  # deleted in one transaction


def build(path: Path, n: int) -> float:
    """Make a table of `n` runs, and return how long it took, in seconds."""
    began = time.perf_counter()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE runs (id INTEGER PRIMARY KEY, key INTEGER, due_at INTEGER, state TEXT)")
        connection.execute("CREATE INDEX runs_key ON runs (key)")
        connection.execute("BEGIN")
        rows = ((number, number % 1_000, number * 1_000_000, "succeeded") for number in range(1, n + 1))
        connection.executemany("INSERT INTO runs VALUES (?, ?, ?, ?)", rows)
        connection.execute("COMMIT")
    return time.perf_counter() - began


def pages(path: Path, n: int) -> list[float]:
    """Read a page from a hundred places, and return how long each took, in seconds."""
    taken = []
    with closing(sqlite3.connect(path)) as connection:
        for place in range(0, n, max(1, n // 100)):
            began = time.perf_counter()
            connection.execute("SELECT * FROM runs WHERE id > ? ORDER BY id LIMIT ?", (place, PAGE)).fetchall()
            taken.append(time.perf_counter() - began)
    return taken


def count(path: Path) -> float:
    """Count the rows, and return how long it took, in seconds."""
    with closing(sqlite3.connect(path)) as connection:
        began = time.perf_counter()
        connection.execute("SELECT count(*) FROM runs").fetchone()
        return time.perf_counter() - began


def delete(path: Path, rows: int) -> list[float]:
    """Delete the first rows, and return how long each transaction took, in seconds."""
    taken = []
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = FULL")
        for upto in range(ROWS, rows + ROWS, ROWS):
            began = time.perf_counter()
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("DELETE FROM runs WHERE id <= ?", (min(upto, rows),))
            connection.execute("COMMIT")
            taken.append(time.perf_counter() - began)
    return taken
