"""How SQLite answers: every look of a node touches unfinished rows alone, and no page sorts a history (S9.2)."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.making import NOW, a_record, a_run
from tests.repositories.contract.acts import moving, put
from tests.repositories.test_sqlite import open_sqlite
from trioarm.core.changes import Change, Finished
from trioarm.core.queries import RunOrder, RunQuery, ScheduleQuery
from trioarm.core.record import ScheduleState
from trioarm.core.states import FINAL, State, Step
from trioarm.repositories.sqlite import questions, statements
from trioarm.repositories.sqlite.batching import batches
from trioarm.repositories.sqlite.database import Database
from trioarm.repositories.sqlite.pages import run_page, schedule_page, way_to
from trioarm.repositories.sqlite.schema import VERSION, migrate
from trioarm.repositories.sqlite.statements import ForRows, Line


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    """An empty store, without statistics: as the planner finds it on the first day."""
    with closing(sqlite3.connect(":memory:")) as opened:
        migrate(opened, 0, VERSION)
        yield opened


def plan_of(connection: sqlite3.Connection, statement: str) -> list[str]:
    """Return the steps of a plan."""
    named = dict.fromkeys(re.findall(r":([a-z]+)", statement))
    rows = connection.execute(f"EXPLAIN QUERY PLAN {statement}", named or [None] * statement.count("?"))
    return [row[3] for row in rows]


HOT = [
    (questions.DUE_SCHEDULES, "cursors_due"),
    (questions.FIRST_BEYOND, "cursors_due"),
    (questions.TIMED_RUNS, "runs_time"),
    (questions.FIRST_RUN_BEYOND, "runs_time"),
    (questions.WAITING_RUNS, "runs_give_up"),
    (questions.FIRST_GIVE_UP_BEYOND, "runs_give_up"),
    (questions.UNFINISHED_OF_KEYS, "runs_unfinished"),
    (questions.BUSY_LANES, "runs_lane"),
    (questions.HELD_NODES, "runs_held"),
    (questions.HELD_BY, "runs_held"),
    (questions.READY, "runs_ready"),
    (questions.WAITING, "runs_ready"),
    (questions.WAITING, "runs_queue"),
    (questions.NEXT_LANE, "runs_queue"),
    (questions.LANE_FIRST, "runs_queue"),
    (questions.LANE_HOLDER, "runs_lane"),
    (questions.MEMBERS, "schedules_lane"),
    (questions.SCHEDULES_BY_NAME, "schedules_name"),
    (questions.RUN_OF, "runs_occurrence"),
    (questions.RETRIED, "runs_schedule (key=? AND rowid>?)"),
    (questions.FIRST_DUE, "cursors_due"),
    (questions.UNDECIDED, "cursors_due"),
    (questions.UNFINISHED_OF_LANE, "runs_in_lane"),
    (questions.OLDEST_PENDING, "runs_unfinished"),
    (questions.PENDING_COUNT, "runs_unfinished"),
    (questions.HELD_COUNT, "runs_unfinished"),
    (questions.OVERDUE, "runs_unfinished"),
]


@pytest.mark.parametrize(("statement", "index"), HOT, ids=[index for _, index in HOT])
def test_what_is_asked_at_every_look_has_its_index(connection: sqlite3.Connection, statement: str, index: str) -> None:
    """The index that was made for it is used, and no table is read from end to end."""
    steps = plan_of(connection, statement)
    assert any(index in step for step in steps), steps
    scanned = [step for step in steps if step.startswith("SCAN") and "INDEX" not in step and " j " not in f"{step} "]
    assert not [step for step in scanned if not step.startswith("SCAN json_each")]


@pytest.mark.parametrize(
    "statement",
    [
        *(statements.CLAIM, statements.START, statements.FINISH, statements.REQUEUE),
        *(statements.ASK, statements.MOVE),
    ],
)
def test_what_is_written_is_found_by_its_number(connection: sqlite3.Connection, statement: ForRows) -> None:
    """One at a time or many at once: each row by its integer key."""
    for rows in (1, 2):
        steps = plan_of(connection, statement.text(rows))
        assert any("USING INTEGER PRIMARY KEY" in step for step in steps), steps


def _alone(line: Line) -> str:
    """Return what the trigger of a line does to a row that there is, as a statement of its own."""
    return line.change.format(**dict.fromkeys(line.names.split(), "?")).rpartition("; ")[2]


@pytest.mark.parametrize("line", [statements.WENT_WELL, statements.DECIDED])
def test_what_a_line_changes_is_found_by_its_number(connection: sqlite3.Connection, line: Line) -> None:
    """In its table, and in nothing else."""
    [step] = plan_of(connection, _alone(line))
    assert step.endswith("USING INTEGER PRIMARY KEY (rowid=?)")


@pytest.mark.parametrize("statement", [statements.MOVE.text(2), _alone(statements.DECIDED)], ids=["rows", "line"])
def test_a_decision_moves_a_cursor_and_looks_at_nothing_else(connection: sqlite3.Connection, statement: str) -> None:
    """What it must find unchanged is in the row that it writes: no page of what people say of schedules is read."""
    steps = plan_of(connection, statement)
    assert [step for step in steps if "PRIMARY KEY" in step] == ["SEARCH cursors USING INTEGER PRIMARY KEY (rowid=?)"]
    assert not [step for step in steps if "schedules" in step]


def test_what_may_be_forgotten_is_found_in_the_order_of_a_table_or_an_index(connection: sqlite3.Connection) -> None:
    """What is old is met from where the search came to; what is too much is counted by an index alone."""
    values = {"key": 1, "newer": 1, "limit": 1, "after": 0, "upto": 1, "states": "[]", **dict.fromkeys(FINAL, 0)}

    def plan(statement: str) -> list[str]:
        return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)]

    assert plan(statements.OLD) == ["SEARCH runs USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"]
    assert plan_of(connection, statements.NTH_NEWEST) == ["SEARCH runs USING COVERING INDEX runs_schedule (key=?)"]
    for statement in (
        *(statements.KEYS_WITH_RUNS, statements.NTH_NEWEST_TROUBLED, statements.NEWER_OTHERS),
        *(statements.SURPLUS, statements.TROUBLED_SURPLUS),
    ):
        steps = plan(statement)
        assert [step for step in steps if step.startswith("SEARCH") and "runs_" in step]
        assert not [step for step in steps if step.startswith(("SCAN r", "SCAN runs"))]


FAILED = frozenset({State.FAILED})
PAGES = [
    (RunQuery(descending=True), "SCAN r"),
    (RunQuery(schedule="nightly", descending=True), "runs_schedule"),
    (RunQuery(order=RunOrder.DUE_AT, due_from=NOW, due_until=NOW + 1), "runs_due"),
    (RunQuery(states=FAILED, descending=True), "runs_troubled"),
    (RunQuery(states=frozenset({State.PENDING, State.RUNNING})), "runs_unfinished"),
]


@pytest.mark.parametrize(("query", "index"), PAGES, ids=[index for _, index in PAGES])
def test_a_page_of_history_comes_by_an_index(connection: sqlite3.Connection, query: RunQuery, index: str) -> None:
    """By the index for what it asks, or in the order of the table itself, which a page leaves after its rows."""
    steps = plan_of(connection, run_page(query, way_to(query, connection))[0])
    assert any(index in step for step in steps), steps


NAMED = [RunQuery(schedule="nightly"), RunQuery(under="house")]


@pytest.mark.parametrize("query", NAMED, ids=["one", "under"])
def test_runs_of_a_name_are_those_of_removed_schedules_too(connection: sqlite3.Connection, query: RunQuery) -> None:
    """Found by the index of names that are there, and by that of names that are gone: no table is read for them."""
    steps = plan_of(connection, run_page(query, way_to(query, connection))[0])
    assert [step for step in steps if step.startswith("SEARCH s ") and "INDEX schedules_name" in step]
    assert [step for step in steps if step.startswith("SEARCH s ") and "INDEX schedules_removed_name" in step]
    assert not [step for step in steps if step.startswith("SCAN s")]


def test_a_page_of_an_owner_is_found_by_its_index(connection: sqlite3.Connection) -> None:
    """In order; those without an owner are not in it."""
    [step] = [step for step in plan_of(connection, schedule_page(ScheduleQuery(owner="me"))[0]) if " s " in step]
    assert "INDEX schedules_owner (owner=?)" in step


def test_a_page_in_order_of_decision_is_not_sorted(connection: sqlite3.Connection) -> None:
    """The newest runs are read from the end of the table; schedules by name from the index of names."""
    assert not [step for step in plan_of(connection, run_page(RunQuery(descending=True))[0]) if "TEMP B-TREE" in step]
    active = frozenset({ScheduleState.ACTIVE})
    for query in (
        ScheduleQuery(prefix="a"),
        ScheduleQuery(states=active),
        ScheduleQuery(due_from=NOW, due_until=NOW + 1),
    ):
        steps = plan_of(connection, schedule_page(query)[0])
        assert any("schedules_name" in step for step in steps), steps
        assert not [step for step in steps if "TEMP B-TREE" in step]


async def test_statistics_that_somebody_made_change_no_plan(tmp_path: Path) -> None:
    """A node makes none, and forgets those of others before it writes: by them, each statement for many rows would read
    the whole table first, to make a filter of its keys."""
    path = tmp_path / "trioarm.db"
    async with open_sqlite(path) as repository:
        await put(repository)
    many = statements.CLAIM.text(statements.MANY)
    with closing(sqlite3.connect(path)) as other:
        assert not other.execute("SELECT 1 FROM sqlite_master WHERE name LIKE 'sqlite_stat%'").fetchall()
        other.execute("ANALYZE")
        other.execute("INSERT INTO sqlite_stat1 VALUES ('runs', 'runs_due', '3000000 2')")
        other.commit()
    with closing(sqlite3.connect(path)) as other:
        assert any("BLOOM FILTER ON runs" in step for step in plan_of(other, many))
    database = Database(path)
    await database.open()
    try:
        assert not any("BLOOM" in step for step in await database.look(lambda writer: plan_of(writer, many)))
    finally:
        await database.close()


def _ended(run_id: int, **fields: Any) -> Change:
    return Change(steps=[Finished(a_run(run_id=run_id, token=1), 1, Step.SUCCEED, NOW, **fields)])


def test_what_is_alike_is_written_together_in_as_few_values_as_suit_all_of_it() -> None:
    """One statement writes many changes of a kind; one of them that has more to say makes it longer, not two."""
    claimed = {"state": State.CLAIMED, "attempt": 1, "token": 1, "node": "n1", "waiting_for": None}
    usual = [_decided(**claimed) for _ in range(3)]
    over = _decided(None, moved={"state": ScheduleState.FINISHED}, **claimed)
    assert _lines([*usual, over]) == [statements.DECIDED.kind] * 4
    assert not _inserts(usual)
    assert _inserts([*usual, _decided(lane="house", **claimed)]) == [statements.INSERT_PLAIN_RUN]
    assert _inserts([*usual, _decided(), *usual]) == [statements.INSERT_PLAIN_RUN]
    assert _inserts([*usual, _decided(epoch=1), *usual]) == [statements.INSERT_RUN]
    at_work, others = _decided(None, **claimed), Change(usual[0].decided, usual[1].moved)
    for unlike in (at_work, others, _decided(decided_at=NOW - 1, **claimed)):
        assert _updates([*usual, unlike, over]) == [statements.MOVE]
        assert _inserts([*usual, unlike, over]) == [statements.INSERT_PLAIN_RUN]
    assert _lines([_ended(1), _ended(2)]) == [statements.WENT_WELL.kind] * 2
    assert _updates([_ended(1), _ended(2, result="done"), _ended(3)]) == [statements.FINISH]


def _decided(next_due_at: int | None = NOW + 1, *, moved: dict[str, Any] | None = None, **fields: Any) -> Change:
    """Return a decision of a schedule of its own."""
    record = a_record()
    return Change([a_run(record, **fields)], [moving(record, NOW, next_due_at, **(moved or {}))])


def _lines(changes: list[Change]) -> list[object]:
    [batch] = batches(changes)
    assert batch.is_lines
    return batch.lines.values[:: 1 + statements.LINE_VALUES]


def _inserts(changes: list[Change]) -> list[ForRows]:
    return [batch.decided.statement for batch in batches(changes) if batch.decided is not None]


def _updates(changes: list[Change]) -> list[ForRows]:
    return [rows.statement for batch in batches(changes) for rows in batch.steps]
