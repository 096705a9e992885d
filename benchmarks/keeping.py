"""Counts milliseconds on a store with 1 000 000 runs of history: for a page of it, for counts, and for commits while
half of it is pruned.

The history is of 1 000 schedules: every second run is of one of them and in its lane, one schedule ran ten times long
ago; 2 % failed or were missed. Pages of 100 are asked for by schedule, owner, handler, tag, lane, state and time,
sorted each way, the first one and one from the middle. Expect single milliseconds, most of them for making records of
rows; a wide range of time in order of decision, which no index has, has a row of its own. On a busy machine most of
that is waiting for a processor: what the processor itself does for a page has a row, too. Pruning takes away 250 rows
at a time, or fewer where that takes long, and waits for no disk: how long one transaction takes is for how long others
find the file held. What folds the log into the file comes between two of them, holds nobody up but the
disk, and is not counted. Others go on meanwhile: a second process commits every 20 ms. The floor is one table with one
index.
"""

from __future__ import annotations

import multiprocessing
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from itertools import product
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, Final

import trio

from benchmarks.floors import keeping as floors
from benchmarks.measure import AtMost, Benchmark, Figure, Measurement
from trioarm import Every, Schedule, State
from trioarm.core.changes import AppendJournal, Change
from trioarm.core.queries import Retention, RunOrder, RunQuery, ScheduleOrder, ScheduleQuery
from trioarm.repositories.sqlite import SqliteScheduleRepository
from trioarm.repositories.sqlite.database import Database
from trioarm.repositories.sqlite.pruning import Pruning
from trioarm.repositories.sqlite.rows import write_definition
from trioarm.repositories.sqlite.vitals import Look, read_vitals

STEP: Final = 7_000_000  # microseconds between two runs: a million of them take eighty days
START: Final = 1_790_000_000_000_000
SCHEDULES: Final = 1_000
PAGE: Final = 100
TIMES: Final = 3  # each question is asked
BESIDE_S: Final = 0.02  # between two commits of the other process
ALONE_S: Final = 3.0  # for which it commits before anything is pruned
FOLDED_AFTER: Final = 30  # transactions of pruning: about as much log as a store lets grow
MS: Final = 1_000.0

BUILD, P50, P99, WIDE = "history, built", "history, page p50", "history, page p99", "history, wide range p99"
BUSY = "history, page p99, processor"
COUNTS, VITALS = "history, counts", "history, vitals"
HELD, PRUNED, ALONE, BESIDE = (
    "pruning, longest transaction",
    "pruning, half of it",
    "commits alone, p99",
    "beside it, p99",
)

_RUNS = """
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :n),
    k AS (SELECT i, :start + i * :step AS at,
        CASE WHEN i % (:n / 20) = 7 AND i < :n / 2 THEN :rare WHEN i % 2 THEN 1 ELSE 2 + i / 2 % (:rare - 3) END AS key
        FROM n)
    INSERT INTO runs (id, key, nominal_at, origin, due_at, decided_at, lane, state, reason, attempt, token, node,
        started_at, finished_at, handler, rank)
    SELECT i, key, at, 'schedule', at, at, CASE key WHEN 1 THEN 'busy' WHEN :rare THEN 'rare' END,
        CASE WHEN i % 100 = 3 THEN 'failed' WHEN i % 100 = 5 THEN 'missed' ELSE 'succeeded' END,
        iif(i % 100 = 5, 'too_late', NULL), 1, 1, 'node', at, at + 1000, 'call', -5
    FROM k
"""


def floor(n: int) -> Measurement:
    """Measure a table with `n` rows."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "floor.db"
        built_s = floors.build(path, n)
        pages, counted_s = floors.pages(path, n), floors.count(path)
        deleted = floors.delete(path, n // 2)
    page = {P50: _percentile(pages, 50), **dict.fromkeys((P99, WIDE, BUSY), _percentile(pages, 99))}
    counts = dict.fromkeys((COUNTS, VITALS), counted_s * MS)
    commits = dict.fromkeys((ALONE, BESIDE), _percentile(deleted, 99))
    return {BUILD: built_s, **page, **counts, HELD: max(deleted) * MS, PRUNED: sum(deleted), **commits}


def subject(n: int) -> Measurement:
    """Measure a store with `n` runs of history."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trioarm.db"
        built_s = trio.run(_build, path, n)
        asked = trio.run(_ask, path, n)
        return {BUILD: built_s, **asked, **_prune(path, n)}


async def _build(path: Path, n: int) -> float:
    began = time.perf_counter()
    repository = SqliteScheduleRepository(path)
    await repository.open()
    await repository.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA cache_size = -262144")
        connection.execute("BEGIN")
        for key in range(1, SCHEDULES + 1):
            _put(connection, key)
        connection.execute(_RUNS, {"n": n, "start": START, "step": STEP, "rare": SCHEDULES})
        connection.execute("UPDATE store SET last_run_id = ?", (n,))
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return time.perf_counter() - began


def _put(connection: sqlite3.Connection, key: int) -> None:
    name = "rare" if key == SCHEDULES else "app"
    schedule = Schedule(f"{name}/{key}", Every(60.0), handler=name, owner=name, tags=frozenset({name}))
    connection.execute(
        "INSERT INTO schedules (key, name, definition, owner, handler, supersede) VALUES (?, ?, ?, ?, ?, 0)",
        (key, schedule.name, write_definition(schedule), name, name),
    )
    connection.execute(
        "INSERT INTO cursors (key, revision, cursor_at, next_due_at, wake_at, rank, anchor_at, runs, state) "
        "VALUES (?1, 1, 0, ?2, ?2, -5, 0, 0, 'active')",
        (key, START * 2 + key * 7_919 % SCHEDULES),
    )
    connection.execute("INSERT INTO tags VALUES (?, ?)", (name, key))


# Questions


def _questions(n: int) -> Iterator[tuple[RunQuery, bool]]:
    """Yield every question, and whether it is for a wide range in the order of decision."""
    middle, wide = START + n // 2 * STEP, n // 4 * STEP
    day = {"due_from": middle, "due_until": middle + n // 100 * STEP}
    failed, succeeded = frozenset({State.FAILED}), frozenset({State.SUCCEEDED})
    busy, rare = f"app/{1}", f"rare/{SCHEDULES}"
    narrowed: list[dict[str, Any]] = [
        *({}, day, {"due_from": middle}, {"due_until": middle}),
        *({"schedule": busy}, {"schedule": "app/500"}, {"schedule": rare}, {"under": "app"}),
        *({"owner": "app"}, {"owner": "rare"}, {"handler": "app"}, {"handler": "rare"}),
        *({"tag": "app"}, {"tag": "rare"}, {"lane": "busy"}, {"lane": "rare"}),
        *({"states": failed}, {"states": succeeded}, {"states": failed | {State.MISSED}}),
        *({"states": frozenset({State.PENDING})}, {"states": frozenset({State.CANCELLED})}),
        *({"schedule": busy, "states": failed}, {"schedule": "app/500", "states": failed}),
        *({"schedule": busy, **day}, {"schedule": "app/500", **day}, {"states": failed, **day}, {"tag": "rare", **day}),
    ]
    for fields, order, descending, deep in product(narrowed, RunOrder, (False, True), (False, True)):
        after = f"[{middle if order is RunOrder.DUE_AT else 0}, {n // 2}]" if deep else None
        query = RunQuery(**fields, order=order, descending=descending, after=after, limit=PAGE)
        ranged = (query.due_until or middle + 2 * wide) - (query.due_from or START) > wide
        yield query, order is RunOrder.DECIDED and {*fields} <= {"due_from", "due_until"} and fields != {} and ranged


async def _ask(path: Path, n: int) -> Measurement:
    repository = SqliteScheduleRepository(path)
    await repository.open()
    pages: list[float] = []
    wide: list[float] = []
    busy: list[float] = []
    schedules = [ScheduleQuery(order=order, limit=PAGE) for order in ScheduleOrder]
    for _ in range(TIMES):
        for query, is_wide in _questions(n):
            worked = time.process_time()
            (wide if is_wide else pages).append(await _timed(partial(repository.find_runs, query)))
            busy.append(time.process_time() - worked)
        for asked in schedules:
            pages.append(await _timed(partial(repository.find_schedules, asked)))
    counts = [await _timed(repository.statistics) for _ in range(TIMES)]
    await repository.close()
    look = Look(undecided_by=START, overdue_by=START * 2, housekeeping="trioarm", counts=True)
    began = time.perf_counter()
    read_vitals(path, look)
    vitals_s = time.perf_counter() - began
    page = {P50: _percentile(pages, 50), P99: _percentile(pages, 99), WIDE: _percentile(wide, 99)}
    page[BUSY] = _percentile(busy, 99)
    return {**page, COUNTS: _percentile(counts, 50), VITALS: vitals_s * MS}


async def _timed(ask: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await ask()
    return time.perf_counter() - began


# Pruning


def _prune(path: Path, n: int) -> Measurement:
    """Prune half of a history while another process commits."""
    spawn = multiprocessing.get_context("spawn")
    pruning, over, results = spawn.Event(), spawn.Event(), spawn.SimpleQueue()
    beside = spawn.Process(target=_commit_beside, args=(path, pruning, over, results))
    beside.start()
    pruning.wait()
    try:
        held, elapsed_s = trio.run(_forget, path, n)
    finally:
        over.set()
    measured: Mapping[str, float] = results.get()
    beside.join()
    return {HELD: max(held) * MS, PRUNED: elapsed_s, **measured}


async def _forget(path: Path, n: int) -> tuple[list[float], float]:
    held: list[float] = []
    database = Database(path)
    await database.open()
    await database.look(lambda connection: connection.execute("PRAGMA wal_autocheckpoint = 0").fetchall())

    async def write(work: Callable[[sqlite3.Connection], Any]) -> Any:
        began: list[float] = []

        def once_it_is_ours(connection: sqlite3.Connection) -> Any:
            began.append(time.perf_counter())
            return work(connection)

        done = await database.write(once_it_is_ours, synced=False)
        held.append(time.perf_counter() - began[0])
        if len(held) % FOLDED_AFTER == 0:
            await database.look(lambda connection: connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall())
        return done

    prune = Pruning(database.read, write, lambda keys: None)
    retention = Retention(runs_before=START + n // 2 * STEP, runs_max=1_000_000, schedules_before=0, limit=5_000)
    began = time.perf_counter()
    while await prune.forget(retention):
        pass
    elapsed_s = time.perf_counter() - began
    await database.close()
    return held, elapsed_s


def _commit_beside(path: Path, pruning: Event, over: Event, results: multiprocessing.SimpleQueue[Any]) -> None:
    results.put(trio.run(_commit_until, path, pruning, over))


async def _commit_until(path: Path, pruning: Event, over: Event) -> Measurement:
    repository = SqliteScheduleRepository(path)
    await repository.open()
    alone, beside = list[float](), list[float]()
    began = trio.current_time()
    while not over.is_set():
        entry = Change(journal=[AppendJournal("beside", {}, START)])
        taken = await _timed(partial(repository.commit, [entry]))
        (beside if pruning.is_set() else alone).append(taken)
        if trio.current_time() > began + ALONE_S:
            pruning.set()
        await trio.sleep(BESIDE_S)
    await repository.close()
    return {ALONE: _percentile(alone, 99), BESIDE: _percentile(beside or alone, 99)}


def _percentile(taken_s: Sequence[float], percent: int) -> float:
    """Return so many percent of some durations in milliseconds."""
    ordered = sorted(taken_s)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] * MS


BENCHMARK = Benchmark(
    name="keeping",
    figures=(
        Figure(BUILD, "s", AtMost(120.0)),
        Figure(P50, "ms", AtMost(10.0)),
        Figure(P99, "ms", AtMost(10.0)),
        Figure(WIDE, "ms", AtMost(10.0)),
        Figure(BUSY, "ms", AtMost(10.0)),
        Figure(COUNTS, "ms", AtMost(10.0)),
        Figure(VITALS, "ms", AtMost(10.0)),
        Figure(HELD, "ms", AtMost(50.0)),
        Figure(PRUNED, "s"),
        Figure(ALONE, "ms"),
        Figure(BESIDE, "ms"),
    ),
    n=1_000_000,
    n_once=2_000,
    pairs=1,
    floor=floor,
    subject=subject,
)
