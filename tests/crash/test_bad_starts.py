"""A node started on a file that cannot be used says so in one line and changes nothing; on one that can, it goes on."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trio

from tests import needs
from tests.cli.programs import Program, command, node, rows, said, started
from tests.cli.test_bad_stores import AS_NOBODY, cut, foreign, newer, noise, torn
from tests.repositories.test_sqlite_trouble import edit
from trioarm import Every, Schedule, SchedulerConfig, open_scheduler
from trioarm.core.events import RunFinished

RUN = ("-m", "trioarm", "run")
BEATS = '[[schedule]]\nname = "good"\nhandler = "log"\nevery = "100ms"\n'
BAD = '[[schedule]]\nname = "bad"\nhandler = "log"\nevery = "1h"\n'
BEFORE_IT_IS_SET = "@1970-01-01 00:00:10"
PROCESSES = 6


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    """A folder with a store in which a node has lived, and a schedule was put by hand."""
    (tmp_path / "scheduler.toml").write_text(BEATS + BAD)
    await live_for_a_moment(tmp_path)
    return tmp_path


async def live_for_a_moment(folder: Path) -> None:
    """Let a node be what the file of a folder declares, until something has run, in this process."""
    config = SchedulerConfig.from_file(folder / "scheduler.toml")
    async with open_scheduler(config.scheduler.store, config=config) as scheduler:
        with scheduler.subscribe(RunFinished) as events:
            await scheduler.schedules.put(Schedule("own", Every(3600.0), handler="log"))
            await anext(aiter(events))


async def stop(program: Program) -> None:
    """Let a node end well."""
    program.process.send_signal(signal.SIGTERM)
    assert await program.end() == (0, "")


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file, but for those that say how the store's memory is shared."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.endswith("-shm")}


async def refuses(folder: Path, words: str, arguments: tuple[str, ...] = RUN) -> None:
    """Assert that a node does not start on a store, says so in one line, and leaves every file as it was."""
    before = contents(folder)
    async with started(folder, arguments) as program:
        code, errors = await program.end()
    assert (code, program.lines) == (2, [])
    assert errors.startswith("error: ")
    assert errors.count("\n") == 1
    assert words in errors
    assert contents(folder) == before


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (foreign, "is the database of another program"),
        (newer, "was written by a newer trioarm"),
        (noise, "is no SQLite database"),
        (torn, "is damaged"),
        (cut, "is damaged"),
    ],
)
async def test_a_file_that_is_no_store_of_ours_is_left_alone(
    folder: Path, spoil: Callable[[Path], None], words: str
) -> None:
    """Foreign, newer, senseless, torn or cut: one line, exit code 2, not a byte is changed."""
    spoil(folder / "trioarm.db")
    await refuses(folder, words)


@contextmanager
def mounted_to_read_only(folder: Path) -> Iterator[None]:
    """Let even root not write a folder."""
    needs.root()
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


async def test_a_file_system_that_is_read_only(folder: Path) -> None:
    """Not even root can write it: one line says so; once it can be written, the node starts."""
    with mounted_to_read_only(folder):
        await refuses(folder, "trioarm.db cannot be written: Read-only file system")
    async with node(folder) as program:
        await program.line_with("good  succeeded")
        await stop(program)


async def test_a_directory_that_this_user_may_not_write(folder: Path) -> None:
    """SQLite needs to make files beside its own: without that right, one line names the directory as the cause."""
    for parent in (folder, *folder.parents):
        if parent.stat().st_mode & 0o055 != 0o055:
            parent.chmod(0o755)  # pytest's own: somebody without any rights has to come as far as the file
    (folder / "trioarm.db").chmod(0o666)
    os.chmod(folder, 0o555)
    await refuses(folder, "the right to write it and its directory", ("-c", AS_NOBODY, "run"))


async def test_a_file_that_another_program_holds_for_a_while(folder: Path) -> None:
    """A node that comes upon a locked file waits for some seconds, and starts once it is free."""
    path = folder / "trioarm.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("PRAGMA locking_mode = EXCLUSIVE")
        holder.execute("BEGIN EXCLUSIVE")
        async with started(folder, RUN) as program:
            with trio.move_on_after(1.5):  # longer than it takes to start
                await program.line_with("started: ")
            assert program.lines == []
            holder.execute("ROLLBACK")
            holder.close()
            await program.line_with("good  succeeded")
            await stop(program)


async def test_many_processes_make_one_store(tmp_path: Path) -> None:
    """Whoever comes first makes the file; all the others find it made, and no schedule is lost."""

    async def add(number: int) -> None:
        await said(tmp_path, "schedules", "add", f"own-{number}", "--every", "1h", "--handler", "log")

    (tmp_path / "scheduler.toml").write_text(BEATS)
    async with trio.open_nursery() as nursery:
        for number in range(PROCESSES):
            nursery.start_soon(add, number)
    names = [row["name"] for row in await rows(tmp_path, "schedules", "list")]
    assert [name for name in names if name.startswith("own-")] == [f"own-{number}" for number in range(PROCESSES)]


@pytest.mark.parametrize(
    ("column", "nonsense"), [("definition", "{"), ("state", "moon"), ("next_due_at", -(2**62)), ("pause", "3")]
)
async def test_rows_that_somebody_edited_into_nonsense(folder: Path, column: str, nonsense: object) -> None:
    """What the file declares is put as declared, what a person put is quarantined: both are told, and all else runs."""
    for name in ("bad", "own"):
        edit(folder / "trioarm.db", name, column, nonsense)
        edit(folder / "trioarm.db", name, "wake_at", 1)
    async with started(folder, RUN) as program:
        assert "cannot be read" in await program.line_with("schedule bad is put as declared: ")
        assert "cannot be read" in await program.line_with("schedule own is quarantined: ")
        await program.line_with("good  succeeded")
        await stop(program)
    states = {row["name"]: row["state"] for row in await rows(folder, "schedules", "list")}
    assert (states["good"], states["bad"], states["own"]) == ("active", "active", "quarantined")
    code, out, _ = await command(folder, "store", "check")
    assert code == 1
    assert "own" in out


def daily() -> str:
    """Declare what is due every day, and neither was nor will be for half of one."""
    hour = (datetime.now(UTC).hour + 12) % 24
    return f'[[schedule]]\nname = "daily"\nhandler = "log"\ncron = "0 {hour} * * *"\nmisfire_window = "1d"\n'


def show(clock: Path, what: str) -> None:
    """Set a clock, at once: read while it is written, it would be empty, and show what it likes."""
    new = clock.with_suffix(".new")
    new.write_text(what)
    new.replace(clock)


def a_clock_in(file: Path) -> dict[str, str]:
    """Return an environment in which a file says what the wall clock shows, and may say something else later."""
    shown = subprocess.run(
        [needs.program_named("faketime", "faketime"), "-m", "-f", "+0", "env"],
        capture_output=True,
        text=True,
        check=True,
    )
    [preload] = [line.partition("=")[2] for line in shown.stdout.splitlines() if line.startswith("LD_PRELOAD=")]
    steady = {"FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    return {"LD_PRELOAD": preload, "FAKETIME_TIMESTAMP_FILE": str(file), **steady}


@pytest.mark.parametrize("lived", [False, True])
async def test_a_clock_that_shows_1970(tmp_path: Path, lived: bool) -> None:
    """A node that starts before the clock is set says so and decides nothing. Once it is set, all goes on as if it had
    started then: nothing is due for decades, no run is lost or repeated, nothing is forgotten (S3.3)."""
    (tmp_path / "scheduler.toml").write_text(BEATS + daily())
    before: list[dict[str, object]] = []
    if lived:
        await live_for_a_moment(tmp_path)
        before = await rows(tmp_path, "runs", "list")
    clock = tmp_path / "clock"
    show(clock, BEFORE_IT_IS_SET)
    async with started(tmp_path, RUN, a_clock_in(clock)) as program:
        await program.line_with("behind its course" if lived else "the clock shows 1970-01-01T00:")
        assert await rows(tmp_path, "runs", "list") == before
        show(clock, "+0")
        await program.line_with("the clock is back on its course" if lived else "the clock is set: it shows 20")
        await program.line_with("good  succeeded")
        program.process.send_signal(signal.SIGTERM)
        await program.end()
    after = await rows(tmp_path, "runs", "list")
    assert [row for row in after if row in before] == before
    assert len({row["id"] for row in after}) == len(after)
    assert {row["schedule"] for row in after} == {"good"}
    assert min(str(row["due_at"]) for row in after) > "2026"


async def test_a_node_can_be_stopped_before_its_clock_is_set(tmp_path: Path) -> None:
    """SIGTERM ends the wait, and the exit code is 0."""
    (tmp_path / "scheduler.toml").write_text(BEATS)
    clock = tmp_path / "clock"
    show(clock, BEFORE_IT_IS_SET)
    async with started(tmp_path, RUN, a_clock_in(clock)) as program:
        await program.line_with("the clock shows 1970")
        program.process.send_signal(signal.SIGTERM)
        assert await program.end() == (0, "")
    assert await rows(tmp_path, "schedules", "list") == []
