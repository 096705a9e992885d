from __future__ import annotations

from pathlib import Path

import trio

from trioarm.links.watch import DirectoryWatch

PATIENCE_S = 5.0


def opened(directory: Path) -> DirectoryWatch:
    watch = DirectoryWatch.open(directory)
    assert watch is not None
    return watch


async def test_a_write_is_told_by_the_name_of_its_file(tmp_path: Path) -> None:
    """Creating, writing, moving in or away and removing a file are news of that file and of no other."""
    watch = opened(tmp_path)
    try:
        with trio.fail_after(PATIENCE_S):
            (tmp_path / "a").write_text("1")
            assert await watch.names() == {"a"}
            (tmp_path / "a").write_text("2")
            assert await watch.names() == {"a"}
            (tmp_path / "a").rename(tmp_path / "b")
            assert await watch.names() == {"a", "b"}
            (tmp_path / "b").unlink()
            assert await watch.names() == {"b"}
    finally:
        watch.close()


async def test_news_waits_for_whoever_looks_later(tmp_path: Path) -> None:
    """What happened before the first look is told at once, and a cancelled wait loses nothing."""
    watch = opened(tmp_path)
    try:
        with trio.move_on_after(0):
            await watch.names()
        for name in ("a", "b", "a long name of a file, with spaces"):
            (tmp_path / name).touch()
        with trio.fail_after(PATIENCE_S):
            assert await watch.names() == {"a", "b", "a long name of a file, with spaces"}
    finally:
        watch.close()


def test_a_directory_that_is_not_there_cannot_be_watched(tmp_path: Path) -> None:
    """Then there is no watch, and nothing is left open."""
    assert DirectoryWatch.open(tmp_path / "nowhere") is None
