"""What a working node asks a file for at every look: what is due, and what could start. It runs in the writer's thread.

Everything asked here is about unfinished rows, by partial indexes that hold no others: history costs nothing.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Collection, Container, Iterable, Iterator, Sequence
from typing import Final

import attrs

from trioarm.core.overlap import UNFINISHED_MAX
from trioarm.core.run import BACKFILL_RANK
from trioarm.repositories.sqlite import questions
from trioarm.repositories.sqlite.rows import Row

RANKS: Final = range(-9, 1)  # of priorities 9 to 0: the most urgent first
_LANE, _SUPERSEDE, _KEY = 13, 14, 1  # columns of questions.SCHEDULE, and that of questions.RUN


@attrs.define(slots=True, eq=False)
class Due:
    """What the file holds of what is due, as rows.

    Args:
        schedules: those whose rows were asked for, and all members of the superseding lanes they are in.
        unfinished: runs with steps to go, of the schedules asked for and of their superseding lanes.
        many: schedules asked for that may have more of them than were read.
        runs: those asked for.
        lost: held by nodes that are gone.
        busy_lanes: lanes that a run holds.
    """

    schedules: dict[int, Row] = attrs.Factory(dict)
    unfinished: dict[int, Row] = attrs.Factory(dict)
    many: frozenset[int] = frozenset()
    runs: list[Row] = attrs.Factory(list)
    lost: list[Row] = attrs.Factory(list)
    busy_lanes: frozenset[str] = frozenset()


def read_due(
    connection: sqlite3.Connection,
    keys: Sequence[int],
    unknown: Sequence[int],
    lanes: Collection[str],
    run_ids: Sequence[int],
    gone: Sequence[str],
    limit: int,
) -> Due:
    """Read due schedules with what planning needs, due runs, and runs of nodes that are gone.

    Args:
        keys: of the schedules that are due.
        unknown: those of them whose rows are asked for.
        lanes: superseding lanes that the others are in.
        run_ids: of the runs that are due.
        gone: nodes that are gone.
        limit: the most runs of those that are read.
    """
    due = Due()
    if keys:
        due.schedules = _by_number(connection.execute(questions.SCHEDULES_BY_KEY, (json.dumps(unknown),)))
        asked = (json.dumps(keys), UNFINISHED_MAX)
        due.unfinished = _by_number(connection.execute(questions.UNFINISHED_OF_KEYS, asked))
        found = Counter(row[_KEY] for row in due.unfinished.values())
        due.many = frozenset(key for key, count in found.items() if count >= UNFINISHED_MAX)
        for lane in {row[_LANE] for row in due.schedules.values() if row[_SUPERSEDE]} | {*lanes}:
            due.schedules |= _by_number(connection.execute(questions.MEMBERS, (lane,)))
            due.unfinished |= _by_number(connection.execute(questions.UNFINISHED_OF_LANE, (lane,)))
        due.busy_lanes = frozenset(lane for (lane,) in connection.execute(questions.BUSY_LANES))
    if run_ids:
        due.runs = connection.execute(questions.RUNS_BY_ID, (json.dumps(run_ids),)).fetchall()
    if gone:
        due.lost = connection.execute(questions.HELD_BY, (json.dumps(gone), limit)).fetchall()
    for rows in (due.unfinished.values(), due.runs, due.lost):
        add_schedules(connection, due.schedules, rows)
    return due


def _by_number(rows: Iterable[Row]) -> dict[int, Row]:
    return {row[0]: row for row in rows}


def add_schedules(connection: sqlite3.Connection, schedules: dict[int, Row], runs: Iterable[Row]) -> None:
    """Read the schedules of runs that are not at hand yet."""
    missing = {row[_KEY] for row in runs} - schedules.keys()
    if missing:
        schedules |= _by_number(connection.execute(questions.SCHEDULES_BY_KEY, (json.dumps([*missing]),)))


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


@attrs.define(slots=True, eq=False)
class Ready:
    """Runs that wait for nothing but a worker.

    Args:
        run_ids: the most urgent first.
        found: those that were asked for.
    """

    run_ids: list[int]
    found: Found


@attrs.frozen(slots=True)
class Asked:
    """Which runs are asked for that could start.

    Args:
        handlers: of these.
        now: due by then.
        limit: the most of them.
        aged_at: those that have been due since then come first, however urgent the others are.
        closed: resources: runs that need one of these are left out.
    """

    handlers: Collection[str]
    now: int
    limit: int
    aged_at: int
    closed: Collection[str]

    def turn(self, place: tuple[int, int, int]) -> tuple[int, ...]:
        """Return by what runs are put in order."""
        rank, due_at, run_id = place
        return (0, due_at, run_id) if due_at <= self.aged_at and rank < BACKFILL_RANK else (1, *place)


def read_ready(connection: sqlite3.Connection, asked: Asked, known: Container[int]) -> Ready:
    """Find pending runs that wait for nothing but a worker, in turn.

    Of each lane and handler it is the first: the others could not start before it has ended.

    Args:
        known: runs whose rows are not asked for.
    """
    now, limit = asked.now, asked.limit
    waiting = connection.execute(questions.WAITING, (json.dumps([*asked.handlers]),)).fetchall()
    values: dict[str, object] = {"closed": json.dumps([*asked.closed]), "limit": limit}
    places: list[Row] = []
    for handler, _, _, lane in waiting:
        places += _first_of_lanes(connection, {**values, "handler": handler, "lane": lane, "until": now})
    enough = limit + len(places)
    ranks = {handler: range(first, last + 1) for handler, first, last, _ in waiting if first is not None}
    for rank in RANKS if ranks else ():
        until = now if len(places) < enough else asked.aged_at
        for handler, of_it in ranks.items():
            if rank in of_it:
                of_one = {**values, "handler": handler, "rank": rank, "until": until}
                places += connection.execute(questions.READY, of_one).fetchall()
    places.sort(key=asked.turn)
    run_ids = [run_id for _, _, run_id in places[:limit]]
    unknown = [run_id for run_id in run_ids if run_id not in known]
    rows = connection.execute(questions.RUNS_BY_ID, (json.dumps(unknown),)).fetchall() if unknown else []
    return Ready(run_ids, with_schedules(connection, rows))


def _first_of_lanes(connection: sqlite3.Connection, values: dict[str, object]) -> Iterator[Row]:
    """Yield urgency and number of the first run of each lane of a handler that could start, from one lane on."""
    while values["lane"] is not None:
        yield from _first_of_lane(connection, values)
        (lane,) = connection.execute(questions.NEXT_LANE, (values["handler"], values["lane"])).fetchone()
        values = {**values, "lane": lane}


def _first_of_lane(connection: sqlite3.Connection, values: dict[str, object]) -> list[Row]:
    holder = connection.execute(questions.LANE_HOLDER, (values["lane"],)).fetchone()
    if holder is None:
        return connection.execute(questions.LANE_FIRST, values).fetchall()
    return connection.execute(questions.HOLDER_WAITS, {**values, "holder": holder[0]}).fetchall()
