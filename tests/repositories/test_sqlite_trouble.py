"""Files that go wrong while in use: what can be kept goes on, what cannot is said in one line, nothing is lost."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests import needs
from tests.making import HOUR, NOW, a_schedule
from tests.repositories.contract.acts import (
    decide,
    due_names,
    keep,
    moving,
    put,
    putting,
    ready_ids,
    refuse,
    remove,
    schedule_of,
    verdict_of,
)
from tests.repositories.test_sqlite import open_sqlite
from trioarm.core.changes import Verdict
from trioarm.core.errors import RepositoryError
from trioarm.core.queries import Retention, RunQuery, ScheduleQuery
from trioarm.core.record import ScheduleState, StoredSchedule
from trioarm.core.run import Run
from trioarm.core.states import Reason, State
from trioarm.repositories.sqlite import SqliteScheduleRepository, care

ROOM = 2 * 1024 * 1024  # bytes of the small disk


def by_hand(path: Path, statement: str, *values: object) -> None:
    """Change rows as a person with a database tool would, checks or no checks."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        assert connection.execute(statement, values).rowcount == 1


def edit(path: Path, name: str, column: str, nonsense: object) -> None:
    """Change what is kept of a schedule, in the row that has it."""
    table = "schedules" if column in ("definition", "amendments") else "cursors"
    key = "(SELECT key FROM schedules WHERE name = ?)"
    by_hand(path, f"UPDATE {table} SET {column} = ? WHERE key = {key}", nonsense, name)


def found_in(path: Path) -> tuple[str, ...]:
    """Return what a check says of a store."""
    return care.check(path, lambda what, done, total: None).problems


@pytest.mark.parametrize(
    ("column", "nonsense"),
    [
        ("definition", "{"),
        ("definition", '{"name": "other"}'),
        ("definition", "[]"),
        ("pause", "3"),
        ("amendments", "{"),
        ("definition", "[" * 100_000),
        ("state", "moon"),
        ("next_due_at", -(2**62)),
        ("cursor_at", 2**62),
        ("anchor_at", 2**62),
    ],
)
async def test_a_schedule_that_cannot_be_read_stops_no_other(tmp_path: Path, column: str, nonsense: object) -> None:
    """It is quarantined: kept, visible with what is wrong, never due again; those beside it go on (S2.6)."""
    path = tmp_path / "trioarm.db"
    async with open_sqlite(path) as repository:
        await put(repository, "bad")
        await put(repository, "good")
    edit(path, "bad", column, nonsense)
    async with open_sqlite(path) as repository:
        assert await due_names(repository) == [["good"]]
        assert await due_names(repository) == [["good"]]
        bad = await schedule_of(repository, "bad")
        assert bad.state is ScheduleState.QUARANTINED
        assert bad.trouble is not None
        assert "cannot be read" in bad.trouble
        page = await repository.find_schedules(ScheduleQuery())
        assert [StoredSchedule.of(record).name for record in page.rows] == ["bad", "good"]
        assert (await repository.statistics()).schedules[ScheduleState.QUARANTINED] == 1
        await keep(repository, schedules=[putting(a_schedule("bad"), bad.revision, bad.key)])
        assert sorted(await due_names(repository)) == [["bad"], ["good"]]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM schedules").fetchone() == (2,)


@pytest.mark.parametrize(
    ("column", "nonsense"),
    [
        ("args", "{"),
        ("args", "[1]"),
        ("args", '{"x": ' + "[" * 100_000),
        ("reason", "whim"),
        ("origin", "moon"),
        ("waiting_for", "it"),
        ("result", "nonsense"),
        ("cancel", "moon"),
        ("nominal_at", 2**62),
        ("nominal_at", -(2**62)),
        ("last_at", 2**62),
        ("started_at", 2**62),
        ("give_up_at", -(2**62)),
    ],
)
async def test_a_run_that_cannot_be_read_stops_no_other(tmp_path: Path, column: str, nonsense: object) -> None:
    """Nobody knows what it was to do: it ends `unknown`, and says why; the run behind it is offered (S2.6)."""
    path = tmp_path / "trioarm.db"
    async with open_sqlite(path) as repository:
        record = await put(repository, next_due_at=None)
        bad, good = await decide(repository, record), await decide(repository, record, NOW + 1)
    by_hand(path, f"UPDATE runs SET {column} = ? WHERE id = ?", nonsense, bad.run_id)
    async with open_sqlite(path) as repository:
        await repository.read_due(NOW + HOUR, 10)
        assert await ready_ids(repository) == [good.run_id]
        assert await ready_ids(repository) == [good.run_id]
        first, second = (await repository.find_runs(RunQuery())).rows
        assert Run.of(first).id.startswith("nightly@")
        assert (first.state, first.reason) == (State.UNKNOWN, Reason.UNREADABLE)
        assert first.error is not None
        assert "cannot be read" in first.error
        assert second.state is State.PENDING


async def test_a_run_in_no_state_at_all_is_in_nobodys_way(tmp_path: Path) -> None:
    """It ends `unknown` as soon as its schedule is due, and is counted as that: the next occurrence runs (S2.6)."""
    path = tmp_path / "trioarm.db"
    async with open_sqlite(path) as repository:
        bad = await decide(repository, await put(repository))
    by_hand(path, "UPDATE runs SET state = 'moon' WHERE id = ?", bad.run_id)
    async with open_sqlite(path) as repository:
        assert (await repository.statistics()).runs == {State.UNKNOWN: 1}
        [group] = (await repository.read_due(NOW, 10)).groups
        assert list(group.unfinished) == []
        [kept] = (await repository.find_runs(RunQuery())).rows
        assert (kept.state, kept.reason) == (State.UNKNOWN, Reason.UNREADABLE)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT state FROM runs").fetchall() == [("unknown",)]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE schedules SET owner = CAST(x'6dff' AS TEXT) WHERE name = 'bad'",
        "UPDATE schedules SET definition = CAST(x'6dff' AS TEXT) WHERE name = 'bad'",
        "UPDATE runs SET error = CAST(x'6dff' AS TEXT) WHERE id = 1",
        "UPDATE runs SET args = CAST(x'6dff' AS TEXT) WHERE id = 1",
    ],
)
async def test_text_that_is_no_text_stops_no_other(tmp_path: Path, statement: str) -> None:
    """Bytes that are no UTF-8 in one row keep nobody from reading the other rows (S2.6)."""
    path = tmp_path / "trioarm.db"
    async with open_sqlite(path) as repository:
        record = await put(repository, "bad")
        await put(repository, "good")
        await decide(repository, record)
        good = await decide(repository, await put(repository, "other", next_due_at=None))
    by_hand(path, statement)
    async with open_sqlite(path) as repository:
        assert ["good"] in await due_names(repository)
        assert good.run_id in await ready_ids(repository)
        assert len((await repository.find_schedules(ScheduleQuery())).rows) == 3
        assert len((await repository.find_runs(RunQuery())).rows) == 2


async def test_a_run_without_its_schedule_is_shown(tmp_path: Path) -> None:
    """Somebody deleted the row of its schedule: the run is listed all the same, and nothing else is in its way."""
    path = tmp_path / "trioarm.db"
    async with open_sqlite(path) as repository:
        await decide(repository, await put(repository, "gone", next_due_at=None))
        good = await decide(repository, await put(repository, "good", next_due_at=None))
    by_hand(path, "DELETE FROM schedules WHERE name = 'gone'")
    async with open_sqlite(path) as repository:
        await repository.read_due(NOW, 10)
        assert good.run_id in await ready_ids(repository)
        names = [run.schedule.schedule.name for run in (await repository.find_runs(RunQuery())).rows]
        assert names == ["unreadable", "good"]


async def test_a_schedule_without_its_cursor_stops_no_other(tmp_path: Path) -> None:
    """Somebody deleted how far it is decided: nobody can say, so it is quarantined until it is put anew. The others of
    its lane go on, and a run of it that was decided before is made all the same (S2.6)."""
    path = tmp_path / "trioarm.db"
    async with open_sqlite(path) as repository:
        for name in ("bad", "good"):
            await put(repository, name, lane="siren", supersede=True)
        run = await decide(repository, await schedule_of(repository, "bad"), NOW - HOUR)
    by_hand(path, "DELETE FROM cursors WHERE key = (SELECT key FROM schedules WHERE name = 'bad')")
    assert found_in(path) == ("schedule bad (key 1) is in quarantine: it cannot be read: its cursor is gone",)
    async with open_sqlite(path) as repository:
        assert await due_names(repository) == [["good"]]
        assert await ready_ids(repository) == [run.run_id]
        bad = await schedule_of(repository, "bad")
        assert (bad.state, bad.trouble) == (ScheduleState.QUARANTINED, "it cannot be read: its cursor is gone")
        assert (await repository.statistics()).schedules[ScheduleState.QUARANTINED] == 1
        await refuse(repository, moved=[moving(bad, NOW, None)])
        await keep(repository, schedules=[putting(a_schedule("bad"), bad.revision, bad.key)])
        assert sorted(await due_names(repository)) == [["bad"], ["good"]]
    assert found_in(path) == ()


async def test_a_schedule_without_its_cursor_can_be_removed(tmp_path: Path) -> None:
    """It goes like any other, and its name is free."""
    path = tmp_path / "trioarm.db"
    async with open_sqlite(path) as repository:
        await put(repository, "bad")
    by_hand(path, "DELETE FROM cursors")
    async with open_sqlite(path) as repository:
        await remove(repository, await schedule_of(repository, "bad"))
        await put(repository, "bad")
        assert await due_names(repository) == [["bad"]]


async def test_a_schedule_that_only_its_cursor_calls_removed_stops_no_other(tmp_path: Path) -> None:
    """It is planned no more, a check tells that its two rows disagree, and putting it anew makes them agree (S2.6)."""
    path = tmp_path / "trioarm.db"
    async with open_sqlite(path) as repository:
        await put(repository, "bad")
        await put(repository, "good")
    edit(path, "bad", "removed", 1)
    assert found_in(path) == ("schedule bad (key 1) and its cursor disagree on whether it was removed",)
    async with open_sqlite(path) as repository:
        assert await due_names(repository) == [["good"]]
        bad = await schedule_of(repository, "bad")
        await keep(repository, schedules=[putting(a_schedule("bad"), bad.revision, bad.key)])
        assert sorted(await due_names(repository)) == [["bad"], ["good"]]
    assert found_in(path) == ()


async def test_a_cursor_without_its_schedule_stops_no_schedule(tmp_path: Path) -> None:
    """A row that says when nothing is due, by somebody's hand, is told by a check, and is in nobody's way (S2.6)."""
    path = tmp_path / "trioarm.db"
    async with open_sqlite(path) as repository:
        await put(repository, "good")
    columns = "revision, cursor_at, next_due_at, wake_at, rank, anchor_at, runs, state, pause, removed"
    by_hand(path, f"INSERT INTO cursors (key, {columns}) SELECT 99, {columns} FROM cursors")
    by_hand(path, "UPDATE cursors SET wake_at = 1, state = 'finished' WHERE key = 99")
    assert found_in(path) == ("a cursor belongs to no schedule: there is none with key 99",)
    async with open_sqlite(path) as repository:
        assert await due_names(repository, limit=1) == []
        assert await due_names(repository, limit=1) == [["good"]]
        await put(repository, "other")
        assert await due_names(repository) == [["good"], ["other"]]
        everything = Retention(runs_before=NOW + HOUR, runs_max=0, schedules_before=NOW + HOUR, limit=10)
        assert await repository.prune(everything) == 0


async def test_a_file_that_was_taken_away_is_written_no_more_until_it_is_back(tmp_path: Path) -> None:
    """What is committed meanwhile is in doubt, and one line says why; once it is back, all goes on (S7.5)."""
    path = tmp_path / "trioarm.db"
    async with open_sqlite(path) as repository:
        await put(repository, "before")
        path.rename(tmp_path / "elsewhere")
        assert await verdict_of(repository, schedules=[putting(a_schedule("meanwhile"))]) is Verdict.UNKNOWN
        assert repository.trouble is not None
        assert "was removed or replaced" in repository.trouble
        (tmp_path / "elsewhere").rename(path)
        await put(repository, "after")
        assert repository.trouble is None
        page = await repository.find_schedules(ScheduleQuery())
        assert [record.schedule.name for record in page.rows] == ["after", "before"]


async def test_a_log_that_was_taken_away_is_not_lost(tmp_path: Path) -> None:
    """Somebody tidies up and removes what lies beside the store, which has the newest of it: it is written no more,
    and once it is closed, all that was kept is in the store itself (S7.5)."""
    path = tmp_path / "trioarm.db"
    async with open_sqlite(path) as repository:
        await put(repository, "before")
        path.with_name("trioarm.db-wal").unlink()
        assert await verdict_of(repository, schedules=[putting(a_schedule("meanwhile"))]) is Verdict.UNKNOWN
        assert repository.trouble is not None
        assert "trioarm.db-wal was removed or replaced" in repository.trouble
        with pytest.raises(RepositoryError, match="restart the node"):
            await repository.renew("mine", NOW)
    async with open_sqlite(path) as repository:
        page = await repository.find_schedules(ScheduleQuery())
        assert [record.schedule.name for record in page.rows] == ["before"]


async def test_what_is_kept_while_the_file_is_taken_away_is_in_doubt(tmp_path: Path) -> None:
    """Nobody knows whether it went into a file that anybody will look at again (S7.4)."""
    path = tmp_path / "trioarm.db"

    def take_away(connection: sqlite3.Connection) -> None:
        path.rename(tmp_path / "elsewhere")

    async with open_sqlite(path) as repository:
        with pytest.raises(RepositoryError, match="was removed or replaced"):
            await repository._file.write(take_away)


async def test_another_file_in_its_place_is_left_alone(tmp_path: Path) -> None:
    """A file that somebody put there is not written to, and not told to be ours."""
    path = tmp_path / "trioarm.db"
    async with open_sqlite(path) as repository:
        await put(repository, "before")
        path.rename(tmp_path / "elsewhere")
        path.write_bytes(b"mine")
        assert await verdict_of(repository, schedules=[putting(a_schedule("meanwhile"))]) is Verdict.UNKNOWN
        assert path.read_bytes() == b"mine"


async def test_another_store_in_its_place_keeps_its_log(tmp_path: Path) -> None:
    """Whoever still has the old file open takes nothing from the new one, when it reads, and when it ends."""
    path = tmp_path / "trioarm.db"
    async with open_sqlite(path) as old:
        await put(old, "before")
        for name in os.listdir(tmp_path):
            os.unlink(tmp_path / name)
        async with open_sqlite(path) as new:
            await put(new, "mine")
            await old.close()
            log = path.with_name("trioarm.db-wal").stat().st_size
            assert log > 0
            with closing(sqlite3.connect(path)) as another:
                assert another.execute("SELECT name FROM schedules").fetchall() == [("mine",)]


async def test_a_store_of_which_somebody_dropped_a_table_says_so(tmp_path: Path) -> None:
    """It is not made anew in its place: one line says what is missing, and what to do."""
    path = tmp_path / "trioarm.db"
    async with open_sqlite(path) as repository:
        await put(repository)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE cursors")
    with pytest.raises(RepositoryError, match=r"lacks a part of every store \(no such table: .*\): restore a backup"):
        async with open_sqlite(path):
            pass


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes, which only root can mount."""
    folder = tmp_path / "disk"
    folder.mkdir()
    needs.root()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


async def test_a_full_disk_heals_once_there_is_room(small_disk: Path) -> None:
    """What does not fit is not kept, and said in one line; what was kept is there; with room, all goes on (S7.5)."""
    async with open_sqlite(small_disk / "trioarm.db") as repository:
        await put(repository, "before")
        ballast = small_disk / "ballast"
        with pytest.raises(OSError, match="No space left"):
            ballast.write_bytes(bytes(ROOM))
        verdict, number = Verdict.DONE, 0
        while verdict is Verdict.DONE:
            number += 1
            assert number < 1_000
            verdict = await verdict_of(
                repository, schedules=[putting(a_schedule(f"s{number}", args={"x": "y" * 9_000}))]
            )
        assert verdict is Verdict.UNKNOWN
        assert repository.trouble is not None
        assert "disk is full" in repository.trouble
        assert (await schedule_of(repository, "before")).revision == 1
        ballast.unlink()
        await put(repository, "after")
        assert repository.trouble is None
        assert await repository.get_schedule(f"s{number}") is None
        assert (number == 1) == (await repository.get_schedule("s1") is None)


async def test_a_file_damaged_in_the_middle_says_so(tmp_path: Path) -> None:
    """Pages of nonsense are met in one line, with what to do; the file is kept as it is."""
    path = tmp_path / "trioarm.db"
    async with open_sqlite(path) as repository:
        await repository.read_due(NOW, 1)
        for number in range(60):
            await put(repository, f"s{number}", args={"x": "y" * 2_000})
    content = bytearray(path.read_bytes())
    content[4096:-4096] = b"\xa5" * (len(content) - 8192)
    path.write_bytes(content)
    damaged = SqliteScheduleRepository(path)
    with pytest.raises(RepositoryError, match=r"trioarm\.db is damaged .*restore a backup"):
        await damaged.open()
    with pytest.raises(RepositoryError, match="is closed"):
        await damaged.find_schedules(ScheduleQuery())
    assert path.read_bytes() == bytes(content)
