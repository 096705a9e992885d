"""Two versions of the program on one file: the older one leaves the work to the newer one (S7.5)."""

from __future__ import annotations

import json
import signal
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import trio

from tests.cli.programs import started
from tests.crash.newer import NEWER

BEAT = timedelta(milliseconds=200)
BEATS = '[[schedule]]\nname = "beat"\nhandler = "log"\nevery = "200ms"\nmisfire = "each"\noverlap = "allow"\n'
LOGS = ("--set", "log.format=json", "--set", "log.level=debug")
TOO_NEW = f"was written by a newer trioarm (version {NEWER} of its tables"
DECIDED = "beat: occurrence"
DEADLINE_S = 90.0


async def test_a_newer_node_changes_the_tables_while_an_older_one_works(tmp_path: Path) -> None:
    """The older says so and begins nothing more; the newer goes on; no occurrence is lost or doubled.

    Its store says so in one line, and so does its engine, where that is the first to find out. Where a run was at work
    just then, its recorder says at the end that what came of it is not kept: the newer one begins it again.
    """
    (tmp_path / "scheduler.toml").write_text(BEATS)
    with trio.fail_after(DEADLINE_S):
        async with started(tmp_path, ("-m", "trioarm", "run", *LOGS)) as older:
            await older.line_with(DECIDED)
            async with started(tmp_path, ("-m", "tests.crash.newer", "run", *LOGS)) as newer:
                await older.line_with(TOO_NEW)
                told = len(older.lines)
                for _ in range(10):
                    await newer.line_with(DECIDED)
                older.process.send_signal(signal.SIGTERM)
                await older.end()
                ended_at = datetime.now(UTC)
                for _ in range(10):
                    await newer.line_with(DECIDED)
                while not _all_succeeded(await _runs(tmp_path), ended_at):  # what the older held is the newer's now
                    await newer.line_with(DECIDED)
                newer.process.send_signal(signal.SIGTERM)
                assert (await newer.end())[0] == 0
        runs = await _runs(tmp_path)
    said = [json.loads(line) for line in older.lines[told - 1 :] if '"error"' in line]
    tellers = [line["logger"] for line in said if TOO_NEW in line["message"]]
    assert tellers in (["trioarm.store"], ["trioarm.engine"], ["trioarm.engine", "trioarm.store"]), said
    rest = [line for line in said if TOO_NEW not in line["message"]]
    assert all(line["message"].startswith("1 outcome could not be kept: beat@") for line in rest), said
    assert len(rest) <= 1, said
    assert not [line for line in older.lines[told:] if DECIDED in line]
    assert {run["state"] for run in runs} == {"succeeded"}
    instants = sorted(datetime.fromisoformat(run["nominal_at"]) for run in runs)
    assert {later - earlier for earlier, later in pairwise(instants)} == {BEAT}


def _all_succeeded(runs: list[dict[str, Any]], due_before: datetime) -> bool:
    due = [run for run in runs if datetime.fromisoformat(run["nominal_at"]) < due_before]
    return {run["state"] for run in due} == {"succeeded"}


async def _runs(folder: Path) -> list[dict[str, Any]]:
    """Return the runs of the beat, in the words of the newer program: the older one would not say."""
    async with started(folder, ("-m", "tests.crash.newer", "runs", "list", "beat", "--all", "--json")) as program:
        assert (await program.end())[0] == 0
    return [json.loads(line) for line in program.lines]
