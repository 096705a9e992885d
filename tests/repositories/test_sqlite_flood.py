"""Bad input by the thousand: rows that cannot be read keep nobody from what can, and few lines tell of them (S2.6)."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import trio
import trio.testing

from tests.making import HOUR, NOW, a_record
from tests.repositories.contract.acts import claim, decide, finish, put
from tests.repositories.test_sqlite import open_sqlite
from trioarm.core.overlap import UNFINISHED_MAX
from trioarm.core.queries import RunQuery
from trioarm.core.run import RunRecord
from trioarm.core.states import Reason, State
from trioarm.repositories.sqlite import SqliteScheduleRepository
from trioarm.repositories.sqlite.quarantine import NAMED_MAX

ROWS = 3_000
LATER = NOW + 100 * HOUR
_COPIES = """
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
"""


def by_hand(path: Path, statement: str) -> None:
    """Change a store as nobody should."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(_COPIES.format(rows=ROWS) + statement)
        connection.commit()


async def ready(repository: SqliteScheduleRepository, looks: int) -> list[RunRecord]:
    """Return what could start, at the first look that finds something."""
    for _ in range(looks):
        await repository.read_due(NOW + HOUR, 10)
        if found := await repository.read_ready([a_record().schedule.handler], 5):
            return found
    return []


async def test_runs_that_cannot_be_read_hide_none_behind_them(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """However many are more urgent than one that can: they end, a thousand at a look, in a dozen lines."""
    path = tmp_path / "trioarm.db"
    async with open_sqlite(path) as repository:
        good = await decide(repository, await put(repository, next_due_at=LATER), NOW)
    by_hand(
        path,
        "INSERT INTO runs (id, key, nominal_at, origin, due_at, decided_at, state, waiting_for, attempt, token, "
        "handler, rank, args) SELECT id + i, key, nominal_at - i, origin, due_at - i, decided_at, state, waiting_for, "
        "attempt, token, handler, rank, '{' FROM runs, n",
    )
    with caplog.at_level(logging.ERROR, "trioarm.store"):
        async with open_sqlite(path) as repository:
            with trio.fail_after(30):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(repository.changed)  # a node that naps is told to look again
                    await trio.testing.wait_all_tasks_blocked()
                    assert not await ready(repository, looks=1)
            assert [run.run_id for run in await ready(repository, looks=ROWS // 1_000 + 2)] == [good.run_id]
            query = RunQuery(states=frozenset({State.UNKNOWN}), limit=1_000, descending=True)
            unknown = (await repository.find_runs(query)).rows
    assert {run.reason for run in unknown} == {Reason.UNREADABLE}
    assert NAMED_MAX < len(caplog.records) <= NAMED_MAX + 2
    assert "1000 rows are quarantined by now" in caplog.text


async def test_schedules_that_cannot_be_read_cost_a_transaction_for_each_look(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A look puts all that it meets out of the way at once, and the good one is found behind them."""
    path = tmp_path / "trioarm.db"
    async with open_sqlite(path) as repository:
        await put(repository, "good")
    by_hand(
        path,
        "INSERT INTO schedules (key, name, definition, handler, supersede) "
        "SELECT key + i, 'bad-' || i, '{', handler, 0 FROM schedules, n",
    )
    by_hand(
        path,
        "INSERT INTO cursors (key, revision, cursor_at, next_due_at, wake_at, rank, anchor_at, runs, state) "
        "SELECT key + i, revision, cursor_at, next_due_at - i, wake_at - i, rank, anchor_at, runs, state "
        "FROM cursors, n",
    )
    names: list[str] = []
    with caplog.at_level(logging.ERROR, "trioarm.store"):
        async with open_sqlite(path) as repository:
            for _ in range(ROWS // 1_000 + 1):
                view = await repository.read_due(NOW + HOUR, 1_000)
                names += [record.schedule.name for group in view.groups for record in group.schedules]
    assert names == ["good"]
    assert NAMED_MAX < len(caplog.records) <= NAMED_MAX + 2


async def test_a_decision_reads_few_of_the_runs_that_wait(tmp_path: Path) -> None:
    """Of a schedule that has thousands it is enough that there are some; those that were read may end, others go on."""
    path = tmp_path / "trioarm.db"
    async with open_sqlite(path) as repository:
        await decide(repository, await put(repository), NOW - 1)
    by_hand(
        path,
        "INSERT INTO runs (id, key, nominal_at, origin, due_at, decided_at, state, waiting_for, attempt, token, "
        "handler, rank) SELECT id + i, key, nominal_at - i, origin, due_at - i, decided_at, state, waiting_for, "
        "attempt, token, handler, rank FROM runs, n",
    )
    async with open_sqlite(path) as repository:
        [group] = (await repository.read_due(NOW, 10)).groups
        assert len(group.unfinished) == UNFINISHED_MAX
        for run in group.unfinished:
            await finish(repository, await claim(repository, run))
        [group] = (await repository.read_due(NOW, 10)).groups
        assert len(group.unfinished) == UNFINISHED_MAX
