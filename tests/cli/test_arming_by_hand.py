"""Partitions commanded from a terminal: of several, each line says which one it is about."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.programs import command

FILE = """
[site.home]
timezone = "UTC"
[partition.house]
site = "home"
panel = { kind = "virtual", exit_delay = "0s" }
[partition.garage]
site = "home"
panel = { kind = "http", set = "http://127.0.0.1:9/set", read = "http://127.0.0.1:9/state" }
"""
REFUSED = "garage: http://127.0.0.1:9: Connection refused"


async def test_what_is_out_of_reach_is_named(tmp_path: Path) -> None:
    """By its own name and not by its panel's alone, to people and to programs; the others are armed."""
    (tmp_path / "scheduler.toml").write_text(FILE)
    code, out, errors = await command(tmp_path, "partitions", "arm", "house", "garage", "--as", "ann")
    assert (code, errors) == (1, f"error: {REFUSED}\n")
    assert out.splitlines()[-1] == "house: armed_away, by ann"
    code, out, errors = await command(tmp_path, "partitions", "arm", "garage", "--json")
    assert (code, json.loads(out), errors) == (1, {"name": "garage", "result": None, "error": REFUSED}, "")
