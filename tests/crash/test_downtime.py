"""The worked timeline of the contract, on the real program under a clock that runs sixty times as fast (S5, A2)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests import needs
from tests.cli.programs import environment

NIGHT = """
[site.home]
timezone = "UTC"

[partition.house]
site = "home"
panel = { kind = "virtual", exit_delay = "30s" }
allow_disarm = true

[[schedule]]
name = "arm"
partition = "house"
target = "armed_night"
cron = "0 22 * * *"

[[schedule]]
name = "disarm"
partition = "house"
target = "disarmed"
cron = "30 6 * * *"
"""
DEADLINE_S = 60


def trioarm(folder: Path, *arguments: str, at: str | None = None) -> str:
    """Run the program to its end, at an instant on a clock that runs sixty times as fast if one is given."""
    command = [sys.executable, "-m", "trioarm", *arguments]
    if at is not None:
        command = [needs.program_named("faketime", "faketime"), "-f", f"@{at} x60", *command]
    ended = subprocess.run(
        command,
        cwd=folder,
        env=environment({"TZ": "UTC"}),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def rows(folder: Path, *listing: str) -> list[dict[str, Any]]:
    """Return the rows of a listing."""
    return [json.loads(line) for line in trioarm(folder, *listing, "--json").splitlines()]


def house_runs(folder: Path) -> list[dict[str, Any]]:
    """Return the runs of the house, without those that keep the node in order."""
    return [row for row in rows(folder, "runs", "list") if row["schedule"].endswith("/house")]


def night(folder: Path, back_at: str, lasts: str) -> tuple[dict[str, str], str, list[str]]:
    """Let a node stop before an arm and come back; return what became of the runs, the panel and the alerts."""
    (folder / "scheduler.toml").write_text(NIGHT, encoding="utf-8")
    trioarm(folder, "run", "--for", "30s", at="2026-11-24 21:45:00")
    trioarm(folder, "run", "--for", lasts, at=back_at)
    runs = {row["schedule"]: f"{row['state']} {row['reason']}" for row in house_runs(folder)}
    [house] = rows(folder, "partitions", "list")
    return runs, house["reported"], [alert["kind"] for alert in rows(folder, "alerts", "list")]


def test_back_in_time_for_the_disarm(tmp_path: Path) -> None:
    """Down from 21:50 to 06:33: the arm gives way to the disarm, which is on time and is carried out."""
    runs, reported, alerts = night(tmp_path, "2026-11-25 06:33:00", "30s")
    assert runs == {"arm/house": "superseded superseded", "disarm/house": "succeeded None"}
    assert (reported, alerts) == ("disarmed", [])


def test_back_too_late_for_the_disarm(tmp_path: Path) -> None:
    """Down until 06:50: the disarm is missed, with an alert, which is over as soon as the panel is seen to be disarmed
    all the same; the arm gives way to it; nothing is sent."""
    runs, _, alerts = night(tmp_path, "2026-11-25 06:50:00", "2m")
    assert runs == {"arm/house": "superseded superseded", "disarm/house": "missed too_late"}
    assert alerts == []
    [alert] = rows(tmp_path, "alerts", "list", "--all")
    assert (alert["kind"], alert["state"], alert["resolved"]["note"]) == ("not_applied", "resolved", "it is disarmed")
    assert [row["changed_by"] for row in rows(tmp_path, "partitions", "list")] == [None]


def test_back_in_the_night(tmp_path: Path) -> None:
    """Down until 03:00: the arm is five hours late, is announced, and a minute later the panel reports it."""
    runs, reported, alerts = night(tmp_path, "2026-11-25 03:00:00", "3m")
    assert runs == {"arm/house": "succeeded None"}
    assert (reported, alerts) == ("armed_night", [])
    [closed] = rows(tmp_path, "alerts", "list", "--all")
    [run] = house_runs(tmp_path)
    assert closed["kind"] == "late_arm"
    assert run["due_at"] > "2026-11-25T03:01:00Z"
