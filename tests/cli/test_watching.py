"""A real node, a real program for a panel: what others do to it is on record, and what it shows in the report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import trio

from tests.cli.programs import DEADLINE_S, command, started

HOUSE = """
arming.watch = "200ms"

[site.home]
timezone = "Europe/Prague"

[partition.house]
site = "home"
panel = {{ kind = "command", set = ["/bin/false"], read = ["/bin/cat", "{state}"] }}
"""


async def _listed(folder: Path, *words: str, count: int) -> list[dict[str, Any]]:
    """Return what a command lists as soon as that is so much."""
    with trio.fail_after(DEADLINE_S):
        while True:
            code, printed, errors = await command(folder, *words, "--json")
            assert code == 0, errors
            if len(found := [json.loads(line) for line in printed.splitlines()]) >= count:
                return found


async def test_what_others_do_to_a_real_panel_is_on_record_once(tmp_path: Path) -> None:
    """Killed and started again in between: nothing is lost, and nothing is told twice."""
    state = tmp_path / "state"
    state.write_text("disarmed\n")
    (tmp_path / "scheduler.toml").write_text(HOUSE.format(state=state))
    async with started(tmp_path, ("-m", "trioarm", "run")) as program:
        await program.line_with("started")
        await _looked_at(tmp_path)
        state.write_text('{"state": "armed_away", "changed_by": "ann"}\n')
        await _listed(tmp_path, "audit", "list", count=1)
        program.process.kill()
        await program.process.wait()
    state.write_text("disarmed\n")
    async with started(tmp_path, ("-m", "trioarm", "run")) as program:
        await program.line_with("started")
        found = await _listed(tmp_path, "audit", "list", count=2)
        state.unlink()
        [alert] = await _listed(tmp_path, "alerts", "list", count=1)
    assert [(entry["actor"], entry["verb"], entry["before"], entry["after"]) for entry in found] == [
        ("ann", "observed", "disarmed", "armed_away"),
        ("somebody", "observed", "armed_away", "disarmed"),
    ]
    assert (alert["kind"], alert["subject"]) == ("panel_silent", "partition/house")
    days = await _listed(tmp_path, "report", "week", count=7)
    turns = [turn for day in days for turn in day["changes"]]
    assert [(turn["state"], turn["by"]) for turn in turns] == [("armed_away", "ann"), ("disarmed", "somebody")]


async def _looked_at(folder: Path) -> None:
    """Return once the node has looked at the panel."""
    await _listed(folder, "runs", "list", "trioarm/watch", "--builtin", "--state", "succeeded", count=1)
