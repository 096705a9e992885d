"""What a working node asks a file for at every look: what is due, and what could start. It runs in the writer's thread.

Everything asked here is about unfinished rows, by partial indexes that hold no others: history costs nothing.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final

import attrs

from trioarm.repositories.sqlite import statements
from trioarm.repositories.sqlite.rows import Row

RANKS: Final = range(-9, 1)  # of priorities 9 to 0: the most urgent first
_LANE, _SUPERSEDE, _KEY = 13, 14, 1  # columns of statements.SCHEDULE, and that of statements.RUN


@attrs.define(slots=True, eq=False)
class Due:
    """What the file holds of what is due, as rows.

    Args:
        schedules: those asked for, and all members of the superseding lanes they are in.
        unfinished: runs with steps to go, of the schedules asked for and of their superseding lanes.
        runs: those asked for.
        lost: held by nodes that are gone.
        busy_lanes: lanes that a run holds.
    """

    schedules: dict[int, Row] = attrs.Factory(dict)
    unfinished: dict[int, Row] = attrs.Factory(dict)
    runs: list[Row] = attrs.Factory(list)
    lost: list[Row] = attrs.Factory(list)
    busy_lanes: frozenset[str] = frozenset()


def read_due(
    connection: sqlite3.Connection, keys: Sequence[int], run_ids: Sequence[int], gone: Sequence[str], limit: int
) -> Due:
    """Read due schedules with what planning needs, due runs, and runs of nodes that are gone."""
    due = Due()
    if keys:
        asked = json.dumps(keys)
        due.schedules = _by_number(connection.execute(statements.SCHEDULES_BY_KEY, (asked,)))
        due.unfinished = _by_number(connection.execute(statements.UNFINISHED_OF_KEYS, (asked,)))
        for lane in {row[_LANE] for row in due.schedules.values() if row[_SUPERSEDE]}:
            due.schedules |= _by_number(connection.execute(statements.MEMBERS, (lane,)))
            due.unfinished |= _by_number(connection.execute(statements.UNFINISHED_OF_LANE, (lane,)))
        due.busy_lanes = frozenset(lane for (lane,) in connection.execute(statements.BUSY_LANES))
    if run_ids:
        due.runs = connection.execute(statements.RUNS_BY_ID, (json.dumps(run_ids),)).fetchall()
    if gone:
        due.lost = connection.execute(statements.HELD_BY, (json.dumps(gone), limit)).fetchall()
    for rows in (due.unfinished.values(), due.runs, due.lost):
        add_schedules(connection, due.schedules, rows)
    return due


def _by_number(rows: Iterable[Row]) -> dict[int, Row]:
    return {row[0]: row for row in rows}


def add_schedules(connection: sqlite3.Connection, schedules: dict[int, Row], runs: Iterable[Row]) -> None:
    """Read the schedules of runs that are not at hand yet."""
    missing = {row[_KEY] for row in runs} - schedules.keys()
    if missing:
        schedules |= _by_number(connection.execute(statements.SCHEDULES_BY_KEY, (json.dumps([*missing]),)))


@attrs.define(slots=True, eq=False)
class Found:
    """Runs, and the schedules they belong to, as rows."""

    runs: list[Row]
    schedules: dict[int, Row]


def with_schedules(connection: sqlite3.Connection, runs: list[Row]) -> Found:
    """Read the schedules of runs."""
    schedules: dict[int, Row] = {}
    add_schedules(connection, schedules, runs)
    return Found(runs, schedules)


def read_ready(connection: sqlite3.Connection, handlers: Collection[str], now: int, limit: int) -> Found:
    """Read up to `limit` pending runs that wait for nothing but a worker, the most urgent first.

    Of each lane and handler it is the first: the others could not start before it has ended.
    """
    runs = list(_first_of_lanes(connection, handlers, now))
    taken = len(runs)
    for rank in RANKS:
        if len(runs) - taken >= limit:
            break
        for handler in handlers:
            runs += connection.execute(statements.READY, (handler, rank, now, limit)).fetchall()
    found = with_schedules(connection, runs)
    runs.sort(key=lambda row: (_rank(found.schedules[row[_KEY]]), row[5], row[0]))
    del runs[limit:]
    return found


def _rank(schedule: Row) -> int:
    return int(schedule[15])


def _first_of_lanes(connection: sqlite3.Connection, handlers: Collection[str], now: int) -> Iterator[Row]:
    for handler in handlers:
        (lane,) = connection.execute(statements.FIRST_LANE, (handler,)).fetchone()
        while lane is not None:
            yield from _first_of_lane(connection, handler, lane, now)
            (lane,) = connection.execute(statements.NEXT_LANE, (handler, lane)).fetchone()


def _first_of_lane(connection: sqlite3.Connection, handler: str, lane: str, now: int) -> list[Row]:
    holder = connection.execute(statements.LANE_HOLDER, (lane,)).fetchone()
    if holder is None:
        return connection.execute(statements.LANE_FIRST, (handler, lane, now)).fetchall()
    return connection.execute(statements.HOLDER_WAITS, (holder[0], handler, now)).fetchall()
