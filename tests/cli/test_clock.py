"""`trioarm clock`: what is known of the wall clock, and a person's word that it is right (S3.3)."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.cli.programs import command, node, rows, said

DAY_US = 86_400_000_000
TICK = '[scheduler]\ncheck_interval = "5s"\n[[schedule]]\nname = "tick"\nhandler = "log"\nevery = "1s"\n'


async def a_store(folder: Path) -> None:
    """Let a node write to a store, and end."""
    (folder / "scheduler.toml").write_text(TICK, encoding="utf-8")
    async with node(folder, "--for", "1s") as program:
        await program.end()


def written_in_the_future(folder: Path) -> None:
    """Make the store one that was written by a clock three days ahead."""
    with closing(sqlite3.connect(folder / "trioarm.db")) as file, file:
        file.execute("UPDATE store SET written_at = written_at + ?", (3 * DAY_US,))


async def test_before_there_is_a_store_the_clock_is_shown_all_the_same(tmp_path: Path) -> None:
    """What it shows, who keeps it right, and what zones are known by."""
    (tmp_path / "scheduler.toml").write_text(TICK, encoding="utf-8")
    text = await said(tmp_path, "clock", "show")
    assert text.startswith("believed\n")
    assert "written   nothing yet" in text
    assert "tz database" in text
    [row] = await rows(tmp_path, "clock", "show")
    assert (row["trusted"], row["reason"], row["written_at"]) == (True, None, None)
    assert isinstance(row["synchronised"], bool)


async def test_nobody_need_say_that_a_believed_clock_is_right(tmp_path: Path) -> None:
    """It says so, and changes nothing."""
    await a_store(tmp_path)
    code, out, errors = await command(tmp_path, "clock", "trust")
    assert (code, out) == (0, "")
    assert "no node doubts the clock" in errors


async def test_a_node_behind_what_was_written_waits_for_a_person_s_word(tmp_path: Path) -> None:
    """It plans nothing, says why in `clock show`, `alerts list` and its log, and goes on once somebody says so."""
    await a_store(tmp_path)
    written_in_the_future(tmp_path)
    async with node(tmp_path) as program:
        await program.line_with("nothing new is planned")
        code, out, _ = await command(tmp_path, "clock", "show")
        assert code == 1
        assert out.startswith("doubted\n")
        assert "behind its course" in out
        [alert] = await rows(tmp_path, "alerts", "list")
        assert (alert["subject"], alert["kind"], alert["state"]) == ("clock", "not_trusted", "open")
        assert await said(tmp_path, "clock", "trust", "--note", "by my watch") == "the clock is taken for right\n"
        await program.line_with("was corrected by")
        await program.line_with("taken back with the clock")
        await program.line_with("tick")
        [row] = await rows(tmp_path, "clock", "show")
        assert row["trusted"] is True
        program.process.terminate()
        await program.end()
    assert await rows(tmp_path, "alerts", "list") == []
