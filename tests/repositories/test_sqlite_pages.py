"""Pages of a long history: whichever way their rows are found, they are the same, and none is far (S9.2)."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import product

import attrs
import pytest

from trioarm.core.queries import RunOrder, RunQuery, ScheduleOrder, ScheduleQuery
from trioarm.core.record import ScheduleState
from trioarm.core.states import State
from trioarm.repositories.sqlite import questions, statements
from trioarm.repositories.sqlite.pages import (
    FEW,
    FEW_ENTRIES,
    Way,
    ask_for_runs,
    run_page,
    schedule_page,
    schedules_in_order,
    way_to,
)
from trioarm.repositories.sqlite.schema import SPAN, VERSION, migrate

RUNS = 30_000
STEP = 1_000  # microseconds between two runs
LONG = RUNS * STEP
STEPS_MAX = 50  # thousands of instructions of SQLite for a page; to walk through this history takes 160 to 480
RARE = {"name": "rare", "owner": "rare", "handler": "rare", "lane": "rare"}

_SCHEDULES = """
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)
    INSERT INTO schedules (key, name, definition, owner, handler, lane, supersede)
    SELECT i, iif(i = 100, 'rare', 's/' || i), '{}', iif(i = 100, 'rare', 'app'), iif(i = 100, 'rare', 'call'),
        CASE i WHEN 100 THEN 'rare' WHEN 1 THEN 'busy' END, 0 FROM n
"""
_CURSORS = """
    INSERT INTO cursors (key, revision, cursor_at, next_due_at, wake_at, rank, anchor_at, runs, state)
    SELECT key, 1, 0, key * 37 % 11, iif(key % 7, key * 37 % 11, NULL), -5, 0, 0, iif(key % 7, 'active', 'paused')
    FROM schedules
"""
# Every second one of the first schedule; ten of the rare one, in the first half; one in fifty failed, one is missed.
# An instant is shared by three, and some are due in another order than they were decided.
_RUNS = f"""
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {RUNS}),
    k AS (SELECT i, (i / 3 * 3 - i % 5 * 7) * {STEP} AS at,
        CASE WHEN i % 3000 = 7 AND i < {RUNS // 2} THEN 100 WHEN i % 2 THEN 1 ELSE 2 + i / 2 % 97 END AS key FROM n)
    INSERT INTO runs (id, key, nominal_at, origin, due_at, decided_at, lane, state, waiting_for, attempt, token, node,
        finished_at, handler, rank)
    SELECT i, key, i, 'schedule', at, at, CASE key WHEN 1 THEN 'busy' WHEN 100 THEN 'rare' END,
        CASE WHEN i = {RUNS} THEN 'pending' WHEN i = 777 THEN 'missed' WHEN i % 50 = 3 THEN 'failed'
            ELSE 'succeeded' END,
        iif(i = {RUNS}, 'due', NULL), 1, iif(i = {RUNS}, 0, 1), 'n1', iif(i = {RUNS}, NULL, at + 1), 'call', -5 FROM k
"""


@pytest.fixture(scope="module")
def history() -> Iterator[sqlite3.Connection]:
    """A store in which a lot has happened."""
    with closing(sqlite3.connect(":memory:")) as connection:
        migrate(connection, 0, VERSION)
        for statement in (_SCHEDULES, _CURSORS, _RUNS, "INSERT INTO tags SELECT owner, key FROM schedules"):
            connection.execute(statement)
        connection.commit()
        yield connection


@pytest.fixture(scope="module")
def scattered(history: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """The same, with what is due one after the other decided far apart."""
    with closing(sqlite3.connect(":memory:")) as connection:
        history.backup(connection)
        connection.execute(f"UPDATE runs SET due_at = id * 7919 % {RUNS} * {STEP}")
        yield connection


def thousands_of_steps(connection: sqlite3.Connection, work: Callable[[], object]) -> int:
    """Return for how many thousand instructions of SQLite some work keeps it busy."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    connection.set_progress_handler(count, 1_000)
    try:
        work()
    finally:
        connection.set_progress_handler(None, 0)
    return steps


FAILED, SUCCEEDED = frozenset({State.FAILED}), frozenset({State.SUCCEEDED})
DAY = {"due_from": LONG // 2, "due_until": LONG // 2 + 500 * STEP}
NARROWED = {
    "all": RunQuery(),
    "schedule, busy": RunQuery(schedule="s/1"),
    "schedule": RunQuery(schedule="s/50"),
    "schedule, rare": RunQuery(schedule="rare"),
    "schedule, unknown": RunQuery(schedule="nobody"),
    "under": RunQuery(under="s"),
    "owner": RunQuery(owner="app"),
    "owner, rare": RunQuery(owner="rare"),
    "handler": RunQuery(handler="call"),
    "handler, rare": RunQuery(handler="rare"),
    "tag": RunQuery(tag="app"),
    "tag, rare": RunQuery(tag="rare"),
    "lane, busy": RunQuery(lane="busy"),
    "lane, rare": RunQuery(lane="rare"),
    "lane, unknown": RunQuery(lane="nobody"),
    "succeeded": RunQuery(states=SUCCEEDED),
    "failed": RunQuery(states=FAILED),
    "missed": RunQuery(states=frozenset({State.MISSED})),
    "failed or missed": RunQuery(states=FAILED | {State.MISSED}),
    "failed or succeeded": RunQuery(states=FAILED | SUCCEEDED),
    "pending": RunQuery(states=frozenset({State.PENDING})),
    "range": RunQuery(**DAY),
    "from": RunQuery(due_from=LONG // 2),
    "until": RunQuery(due_until=LONG // 2),
    "wide range": RunQuery(due_from=LONG // 4, due_until=LONG // 4 * 3),
    "future": RunQuery(due_from=2 * LONG),
    "owner, from": RunQuery(owner="app", due_from=LONG // 2),
    "failed, until": RunQuery(states=FAILED, due_until=LONG // 2),
    "schedule, failed": RunQuery(schedule="s/50", states=FAILED),
    "busy, failed": RunQuery(schedule="s/1", states=FAILED),
    "busy, range": RunQuery(schedule="s/1", **DAY),
    "failed, range": RunQuery(states=FAILED, **DAY),
    "lane, failed": RunQuery(lane="busy", states=FAILED),
    "owner, lane": RunQuery(owner="app", lane="busy"),
}
ORDERS = list(product(RunOrder, (False, True), (None, (LONG // 3, RUNS // 3))))


def ordered(query: RunQuery) -> Iterator[RunQuery]:
    """Yield a question in every order: its first page, and one from the middle."""
    for order, descending, after in ORDERS:
        place = None if after is None else f"[{after[0]}, {after[1]}]"
        yield attrs.evolve(query, order=order, descending=descending, after=place, limit=50)


@pytest.mark.parametrize("query", NARROWED.values(), ids=NARROWED)
def test_every_page_is_found_in_few_steps(history: sqlite3.Connection, query: RunQuery) -> None:
    """By schedule, owner, state, lane, tag, handler and time, either way, at the beginning and from the middle."""
    for one in ordered(query):

        def ask(one: RunQuery = one) -> None:
            ask_for_runs(one, history)

        assert thousands_of_steps(history, ask) < STEPS_MAX, one


@pytest.mark.parametrize("query", NARROWED.values(), ids=NARROWED)
def test_every_way_leads_to_the_same_page(history: sqlite3.Connection, query: RunQuery) -> None:
    """A count that is outdated by the time it is used makes a page slower, not wrong."""
    for one in ordered(query):
        if one.states and State.PENDING in one.states:
            ways = [Way.IN_ORDER, Way.UNFINISHED]
        else:
            ways = [Way.IN_ORDER, Way.BY_DUE]
            ways += [Way.BY_LANE] if one.lane else []
            ways += [] if {one.schedule, one.under, one.owner, one.handler, one.tag} == {None} else [Way.BY_SCHEDULE]
        found = [[row[0] for row in history.execute(*run_page(one, way))] for way in ways]
        found.append([row[0] for row in ask_for_runs(one, history)])
        assert found == [found[0]] * len(found), one
        assert found[0] == sorted(found[0], key=_place(history, one), reverse=one.descending), one


def _place(connection: sqlite3.Connection, query: RunQuery) -> Callable[[int], tuple[int, int]]:
    def place(run_id: int) -> tuple[int, int]:
        (due_at,) = connection.execute("SELECT due_at FROM runs WHERE id = ?", (run_id,)).fetchone()
        return (due_at if query.order is RunOrder.DUE_AT else 0, run_id)

    return place


def test_the_way_depends_on_how_much_there_is(history: sqlite3.Connection) -> None:
    """Few runs are sorted; many are met in the order that is asked for."""
    (busy,) = history.execute("SELECT count(*) FROM runs WHERE key = 1").fetchone()
    assert busy > FEW
    by_due = RunOrder.DUE_AT
    assert way_to(RunQuery(schedule="s/1", order=by_due), history) is Way.IN_ORDER
    assert way_to(RunQuery(schedule="rare", order=by_due), history) is Way.BY_SCHEDULE
    assert way_to(RunQuery(schedule="s/1"), history) is Way.BY_SCHEDULE
    assert way_to(RunQuery(lane="rare", order=by_due), history) is Way.BY_LANE
    assert way_to(RunQuery(**DAY), history) is Way.IN_ORDER
    assert way_to(RunQuery(states=frozenset({State.PENDING})), history) is Way.UNFINISHED


def test_a_range_of_runs_that_lie_far_apart_is_sorted(scattered: sqlite3.Connection) -> None:
    """Due in another order than they were decided: few are found by their instants, many in the order of decision."""
    for few, way in ((500, Way.BY_DUE), (FEW_ENTRIES + 1, Way.IN_ORDER)):
        query = RunQuery(due_from=LONG // 4, due_until=LONG // 4 + few * STEP, limit=50)
        assert way_to(query, scattered) is way
        found = [row[0] for row in ask_for_runs(query, scattered)]
        assert found == [row[0] for row in scattered.execute(*run_page(query))]
        assert len(found) == 51


def test_spans_tell_when_runs_are_due_and_never_too_little(history: sqlite3.Connection) -> None:
    """Of every complete thousand, whether its runs were there first, come one by one or are put off."""
    assert spans(history) == [(first, low, high) for first, low, high in _exact(history) if first + SPAN <= RUNS + 1]
    with closing(sqlite3.connect(":memory:")) as other:
        history.backup(other)
        other.execute("UPDATE runs SET due_at = ? WHERE id = 1500", (LONG * 2,))
        other.execute("UPDATE runs SET due_at = ? WHERE id = 2500", (-LONG,))
        other.execute("UPDATE runs SET due_at = due_at + 1 WHERE id = 3500")
        assert spans(other) == [(first, low, high) for first, low, high in _exact(other) if first + SPAN <= RUNS + 1]
        assert [row[0] for row in ask_for_runs(RunQuery(due_from=LONG + STEP), other)] == [1500]
        assert [row[0] for row in ask_for_runs(RunQuery(due_until=-STEP * 100, descending=True), other)] == [2500]


@pytest.mark.parametrize("run_id", [1, SPAN, SPAN + 1, 2 * SPAN, 2 * SPAN + 1, RUNS])
def test_the_first_and_the_last_run_of_a_span_are_found(history: sqlite3.Connection, run_id: int) -> None:
    """Between spans that are passed over, in either order, and from the middle of it on."""
    with closing(sqlite3.connect(":memory:")) as other:
        history.backup(other)
        other.execute("UPDATE runs SET due_at = ? WHERE id = ?", (LONG * 2, run_id))
        for descending, before in ((False, (None, 0, run_id - 1)), (True, (None, RUNS + 1, run_id + 1))):
            for after in (None if place is None else f"[0, {place}]" for place in before):
                query = RunQuery(due_from=LONG + STEP, descending=descending, after=after)
                assert [row[0] for row in ask_for_runs(query, other)] == [run_id]


def test_spans_of_runs_that_are_forgotten_go_with_them(history: sqlite3.Connection) -> None:
    """The last of them go with the last run; one that some runs are left of stays."""
    with closing(sqlite3.connect(":memory:")) as other:
        history.backup(other)
        for upto, first in ((SPAN - 1, 1), (SPAN, SPAN + 1), (SPAN * 3 + 1, SPAN * 3 + 1)):
            other.execute("DELETE FROM runs WHERE id <= ?", (upto,))
            other.execute(statements.FORGET_SPANS)
            assert spans(other)[0][0] == first
        other.execute("DELETE FROM runs")
        other.execute("UPDATE store SET last_run_id = ?", (RUNS,))
        other.execute(statements.FORGET_SPANS)
        assert spans(other) == []


def spans(connection: sqlite3.Connection) -> list[tuple[int, int, int]]:
    """Return all that are kept."""
    return connection.execute("SELECT first_id, due_from, due_upto FROM spans ORDER BY first_id").fetchall()


def _exact(connection: sqlite3.Connection) -> list[tuple[int, int, int]]:
    """Return what a look at every run says they are."""
    begins = f"(id - 1) / {SPAN} * {SPAN} + 1"
    return connection.execute(f"SELECT {begins}, min(due_at), max(due_at) FROM runs GROUP BY 1").fetchall()


def test_counts_read_no_run_that_went_well(history: sqlite3.Connection) -> None:
    """They say what a look at every row says, in a tenth of the steps."""
    counts = dict(history.execute(questions.RUN_COUNTS).fetchall())
    assert counts == dict(history.execute("SELECT state, count(*) FROM runs GROUP BY state").fetchall())
    assert thousands_of_steps(history, lambda: history.execute(questions.RUN_COUNTS).fetchall()) < RUNS // 3_000
    for statement in (questions.OLDEST_PENDING, questions.PENDING_COUNT, questions.HELD_COUNT):
        assert thousands_of_steps(history, lambda text=statement: history.execute(text).fetchall()) < 2


PAUSED = frozenset({ScheduleState.PAUSED})
SCHEDULES = [
    *(ScheduleQuery(limit=limit) for limit in (1, 9, 100)),
    ScheduleQuery(due_from=2, due_until=9),
    ScheduleQuery(states=PAUSED | {ScheduleState.ACTIVE}),
]


@pytest.mark.parametrize("query", SCHEDULES)
def test_schedules_by_what_is_next_are_in_one_order(history: sqlite3.Connection, query: ScheduleQuery) -> None:
    """Paused ones are among the others, by name where they are due at the same instant; page by page."""
    for after in (None, '[4, "s/40"]', '[10, "s/99"]'):
        asked = attrs.evolve(query, order=ScheduleOrder.NEXT_DUE_AT, after=after)
        shorter = schedules_in_order(asked)
        assert shorter is not None
        assert history.execute(*shorter).fetchall() == history.execute(*schedule_page(asked)).fetchall()
    for narrow in (attrs.evolve(asked, states=PAUSED), attrs.evolve(asked, owner="app"), ScheduleQuery()):
        assert schedules_in_order(narrow) is None
