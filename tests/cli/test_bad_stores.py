"""Stores that cannot be used: one clear line, exit code 2, and nothing about them is changed."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import trio

from tests.cli.programs import command, said, started
from trioarm.repositories.sqlite.schema import VERSION

COMMANDS = (
    ("schedules", "list"),
    ("schedules", "pause", "beat"),
    ("schedules", "add", "own", "--every", "1h", "--handler", "log"),
    ("runs", "list"),
    ("status",),
    ("partitions", "list"),
    ("alerts", "list"),
    ("store", "migrate"),
    ("store", "backup", "copy.db"),
)
LOOKING = (("schedules", "list"), ("runs", "list"), ("store", "check"))

NOBODY = 65_534
AS_NOBODY = f"""
import encodings.utf_8_sig, getpass, os, sys
from trioarm.cli.app import load, main, make_app
load(make_app())  # while it can still be read
if os.geteuid() == 0:
    os.setegid({NOBODY})
    os.seteuid({NOBODY})
sys.exit(main(sys.argv[1:]))
"""

FILE = '[[schedule]]\nname = "beat"\nhandler = "log"\nevery = "1h"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a scheduler.toml and no store."""
    (tmp_path / "scheduler.toml").write_text(FILE)
    return tmp_path


async def stored(folder: Path) -> Path:
    """Make a store with a schedule in it, and return its file."""
    await said(folder, "schedules", "add", "made", "--every", "1h", "--handler", "log")
    return folder / "trioarm.db"


def foreign(path: Path) -> None:
    """Make it the database of another program."""
    with closing(sqlite3.connect(path)) as file:
        file.execute("CREATE TABLE IF NOT EXISTS theirs (x)")
        file.execute("PRAGMA application_id = 7")
        file.commit()


def newer(path: Path) -> None:
    """Make it the store of a later trioarm."""
    with closing(sqlite3.connect(path)) as file:
        file.execute(f"PRAGMA user_version = {VERSION + 1}")


def noise(path: Path) -> None:
    """Make it no database at all."""
    path.write_bytes(b"no database at all" * 100)


def torn(path: Path) -> None:
    """Let every page but the first be nonsense."""
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xa5" * (len(content) - 4096))


def cut(path: Path) -> None:
    """Let the file end after its first page."""
    os.truncate(path, 4096)


class TestUnusable:
    @pytest.mark.parametrize(
        ("spoil", "words"),
        [
            (foreign, "is the database of another program: name another file; this one is left alone"),
            (newer, f"was written by a newer trioarm (version {VERSION + 1} of its tables"),
            (noise, "is no SQLite database: name another file; this one is left as it is"),
        ],
    )
    async def test_what_is_no_store_of_ours_is_left_alone(
        self, folder: Path, spoil: Callable[[Path], None], words: str
    ) -> None:
        """A foreign, a newer and a senseless file are one line and exit code 2 for every command, to the last byte."""
        path = await stored(folder)
        spoil(path)
        before = path.read_bytes()
        for line in (*COMMANDS, ("store", "check")):
            await refused(folder, line, words)
        assert path.read_bytes() == before
        assert not (folder / "copy.db").exists()
        assert not (folder / "copy.db.part").exists()

    @pytest.mark.parametrize("spoil", [torn, cut])
    async def test_a_damaged_one_is_kept(self, folder: Path, spoil: Callable[[Path], None]) -> None:
        """A damaged store is one line that says to keep it; `store check` says what is wrong, exit code 1."""
        path = await stored(folder)
        spoil(path)
        before = path.read_bytes()
        for line in (("schedules", "list"), ("schedules", "pause", "made"), ("runs", "list")):
            await refused(folder, line, "is damaged")
        code, out, errors = await command(folder, "store", "check")
        assert (code, errors) == (1, "")
        assert all(found.startswith("damaged: ") for found in out.splitlines())
        assert path.read_bytes() == before

    async def test_a_directory_that_is_not_there(self, folder: Path) -> None:
        """A store in a missing directory is one line that names the directory, and none is made."""
        for line in COMMANDS:
            await refused(folder, (*line, "--store", "sqlite:///gone/trioarm.db"), "there is no")
        assert not (folder / "gone").exists()

    async def test_looking_makes_no_store(self, folder: Path) -> None:
        """A listing of a store that is not there says who makes it, and does not."""
        for line in LOOKING:
            await refused(folder, line, "there is no store yet: `trioarm run` makes it")
        assert not (folder / "trioarm.db").exists()

    async def test_memory_is_inside_its_process(self, folder: Path) -> None:
        """With memory:// every command says where the store lives."""
        for line in COMMANDS:
            await refused(folder, (*line, "--store", "memory://"), "this store lives inside its process")

    async def test_one_that_is_locked(self, folder: Path) -> None:
        """A store that another program never lets go is one line after some seconds, and unchanged."""
        path = await stored(folder)
        with closing(sqlite3.connect(path, isolation_level=None)) as holder:
            holder.execute("BEGIN IMMEDIATE")
            holder.execute("UPDATE schedules SET trouble = 'mine'")
            async with trio.open_nursery() as both:
                why = "is locked by another program: end it, then try again"
                both.start_soon(refused, folder, ("schedules", "pause", "made"), why)
                code, _, errors = await command(folder, "run")  # that may pass: whoever supervises it starts it again
                assert (code, errors.count("\n")) == (1, 1)
            holder.execute("ROLLBACK")
        assert "active" in await said(folder, "schedules", "list")

    async def test_one_that_may_only_be_read(self, folder: Path) -> None:
        """A store that this user may not write is one line that says which right is missing."""
        path = await stored(folder)
        path.chmod(0o444)
        for parent in (folder, *folder.parents):
            if parent.stat().st_mode & 0o055 != 0o055:
                parent.chmod(0o755)  # pytest's own: somebody without any rights has to come as far as the file
        for line in ("schedules list", "schedules pause made"):
            async with started(folder, ("-c", AS_NOBODY, *line.split())) as program:
                code, errors = await program.end()
            assert (code, program.lines) == (2, [])
            assert errors == "error: trioarm.db cannot be written: Permission denied: give this user the right to\n"
        assert path.stat().st_mode & 0o777 == 0o444


async def refused(folder: Path, line: tuple[str, ...], words: str) -> None:
    """Assert that a command is refused in one line."""
    code, out, errors = await command(folder, *line)
    assert (code, out) == (2, ""), (line, errors)
    assert errors.startswith("error: ")
    assert errors.count("\n") == 1
    assert words in errors, line
